"""Neurons without an ensemble's own decoders and curves, for networks of all rooms."""

from typing import Any, cast

import nengo
import numpy as np


def driven(
    n: int,
    neurons,
    *,
    encoders: Any = 1.0,
    gain: Any = 1.0,
    bias: Any = 0.0,
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
        In the current network.
    """
    encoders, own = np.asarray(encoders, dtype=float), cast(Any, nengo.Ensemble)
    if encoders.ndim < 2:
        encoders = np.broadcast_to(encoders, (n,))[:, None]
    gain, bias = (np.full(n, x, dtype=float) for x in (gain, bias))
    d = encoders.shape[1]
    given = {"encoders": encoders, "gain": gain, "bias": bias, "neuron_type": neurons}
    # curves are given: drawing them, or solving for decoders, would do nothing
    given |= {"max_rates": own.max_rates.default, "radius": 1.0, "noise": None}
    given |= {"intercepts": own.intercepts.default, "eval_points": np.zeros((1, d))}
    return nengo.Ensemble(n, d, **given, seed=seed, label=label)
