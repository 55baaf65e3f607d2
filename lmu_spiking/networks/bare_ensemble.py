"""Neurons without an ensemble's own encoders, decoders and curves."""

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
    """An ensemble that is driven and read through ``.neurons`` alone.

    What a surrounding `nengo.Config` says of curves and noise does not reach it.

    Parameters
    ----------
    n : int
        Neurons, or entries of an aggregated type.
    neurons : nengo.neurons.NeuronType
    encoders, gain, bias : float or (n,) array_like
    seed : int, optional
        Of the spikes.
    """
    return nengo.Ensemble(
        n,
        dimensions=1,
        neuron_type=neurons,
        encoders=np.broadcast_to(np.asarray(encoders, dtype=float), (n,))[:, None],
        gain=np.broadcast_to(np.asarray(gain, dtype=float), (n,)).copy(),
        bias=np.broadcast_to(np.asarray(bias, dtype=float), (n,)).copy(),
        radius=1.0,
        max_rates=nengo.Ensemble.max_rates.default,
        intercepts=nengo.Ensemble.intercepts.default,
        eval_points=np.zeros((1, 1)),
        noise=None,
        seed=seed,
        label=label,
    )
