"""The neurons that lose least in NIR: those that never fall silent."""

import nengo
import numpy as np
from nengo.dists import Uniform, get_samples

from lmu_spiking.errors import check_positive
from lmu_spiking.neurons.curves import Tuning, averaged_variance
from lmu_spiking.neurons.population import POINTS, Population
from lmu_spiking.nir.limits import check_size

# Intercepts of tonic neurons, in radii: none is driven below 0 within the radius, and
# half of them not within 1.25 of it.
TONIC = (-1.5, -1.0)
SPREAD = (2 / 3, 4 / 3)  # of their rates: alike, they would fire all at once


def tonic(max_rate: float = 300.0) -> Tuning:
    """Curves of neurons that fire at all values within the radius.

    Their currents never fall below 0, so that they need no floor: what NIR can say of
    them is all there is.  Rates spread over 2/3 to 4/3 of ``max_rate`` at the radius.

    Parameters
    ----------
    max_rate : float
        Mean rate at the radius, Hz; half of it at 0.

    Examples
    --------
    >>> tonic(300).kind
    'drawn'
    """
    max_rate = check_positive("tonic.max_rate", max_rate, "Hz")
    rates = Uniform(SPREAD[0] * max_rate, SPREAD[1] * max_rate)
    return Tuning("drawn", rates, Uniform(*TONIC))


def tonic_population(memory) -> Population:
    """As many tonic neurons on the same coordinates and radii, from the same seed.

    What `build_population` makes of ``tonic()``, without its solver: see `decoders`.
    """
    p = memory.population
    counts = np.bincount(p.dimension, weights=p.per_unit, minlength=p.order).astype(int)
    rate = p.tuning.max_rates
    tuning = tonic(rate if isinstance(rate, float) else 300.0)
    check_size(p.n_neurons, p.order)
    neurons = nengo.SpikingRectifiedLinear()
    rng = np.random.RandomState(memory.tuning_seed)
    parts = []
    for n, radius in zip(counts, p.radii, strict=True):
        encoders = rng.choice([-1.0, 1.0], size=n)
        max_rates = get_samples(tuning.max_rates, n, rng=rng)
        gain, bias = neurons.gain_bias(
            max_rates, get_samples(tuning.intercepts, n, rng=rng)
        )
        d = radius * decoders(neurons, encoders * gain, bias, memory.ldn.theta)
        parts.append((encoders, gain, bias, d))
    names = ("encoders", "gain", "bias", "decoders")
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    m = int(counts.sum())
    return Population(
        neurons=neurons,
        dimension=np.repeat(np.arange(len(counts)), counts),
        **dict(zip(names, columns, strict=True)),
        radii=p.radii,
        per_unit=np.ones(m, int),
        ceiling=np.full(m, np.inf),
        tuning=tuning,
    )


def decoders(neurons, slope, bias, averaging: float) -> np.ndarray:
    r"""What `solve_decoders` gives for rates ``slope x + bias``, in closed form.

    With ``V = [slope, bias]`` and ``X = [x, 1]`` rates at the points are ``X V^T``, so
    that its system of ``P`` points becomes one of two,

    .. math:: d = S^{-1} V (X^T X \, V^T S^{-1} V + P I)^{-1} X^T x .

    Returns
    -------
    d : (n,) ndarray
    """
    x = np.linspace(-1.0, 1.0, POINTS)
    X, V = np.column_stack([x, np.ones(POINTS)]), np.column_stack([slope, bias])
    weighted = V / averaged_variance(neurons, bias, averaging)[:, None]
    system = X.T @ X @ (V.T @ weighted) + POINTS * np.eye(2)
    return weighted @ np.linalg.solve(system, X.T @ x)
