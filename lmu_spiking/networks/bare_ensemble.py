"""Neurons without an ensemble's own decoders and curves, for networks of all rooms."""

import nengo
import numpy as np


def driven(
    n: int,
    neurons,
    *,
    encoders=1.0,
    gain=1.0,
    bias=0.0,
    seed: int | None = None,
    label: str | None = None,
) -> nengo.Ensemble:
    """Return an ensemble whose curves are given, and whose decoders are not used.

    What a surrounding `nengo.Config` says of curves and noise does not reach it.

    Parameters
    ----------
    n : int
        Neurons, or entries of an aggregated type.
    neurons : nengo.neurons.NeuronType
        Their type.
    encoders : float, (n,) or (n, dimensions) array_like
        Encoders; of one dimension for an ensemble driven through ``.neurons``.
    gain, bias : float or (n,) array_like
        Gain and bias of the neurons.
    seed : int, optional
        Draws the spikes.
    label : str, optional
        Label of the ensemble.

    Returns
    -------
    nengo.Ensemble
    """
    encoders, own = np.asarray(encoders, dtype=float), nengo.Ensemble
    if encoders.ndim < 2:
        encoders = np.broadcast_to(encoders, (n,))[:, None]
    gain, bias = (np.full(n, x, dtype=float) for x in (gain, bias))
    return nengo.Ensemble(
        *(n, encoders.shape[1]),
        neuron_type=neurons,
        encoders=encoders,
        gain=gain,
        bias=bias,
        radius=1.0,
        # curves are given: drawing them, or solving for decoders, would do nothing
        max_rates=own.max_rates.default,
        intercepts=own.intercepts.default,
        eval_points=np.zeros((1, encoders.shape[1])),
        noise=None,
        seed=seed,
        label=label,
    )
