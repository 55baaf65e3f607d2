"""Neurons that never fall silent within the radius, which lose least in NIR.

The module stands alone because `tonic` is also of use without NIR.
"""

import nengo
import numpy as np
from nengo.dists import Uniform, get_samples

from lmu_spiking.errors import check_positive
from lmu_spiking.neurons.curves import Tuning, averaged_variance
from lmu_spiking.neurons.population import POINTS, Population

# Intercepts of tonic neurons, in radii: none is driven below 0 within the radius, and
# half of them not within 1.25 of it.
TONIC = (-1.5, -1.0)
SPREAD = (2 / 3, 4 / 3)  # of their rates: alike, they would fire all at once


def tonic(max_rate: float = 300.0) -> Tuning:
    """Return tuning curves of neurons that fire at all values within the radius.

    Their currents never fall below 0, so that they need no floor: what NIR can say of
    them is all there is.  Rates spread over 2/3 to 4/3 of ``max_rate`` at the radius.

    Parameters
    ----------
    max_rate : float
        Mean rate at the radius, Hz; half of it at 0.

    Returns
    -------
    Tuning
        For ``LegendreMemory(tuning=...)``.

    Examples
    --------
    >>> tonic(300).kind
    'drawn'
    """
    max_rate = check_positive("tonic.max_rate", max_rate, "Hz")
    rates = Uniform(SPREAD[0] * max_rate, SPREAD[1] * max_rate)
    return Tuning("drawn", rates, Uniform(*TONIC))


def tonic_population(memory) -> Population:
    """Return as many tonic neurons for the same dimensions, from the same seed.

    They are those of `build_population` with ``tonic()``, but decoded in closed form.

    Parameters
    ----------
    memory : LegendreMemory

    Returns
    -------
    Population
        As many neurons as the memory has.
    """
    p = memory.population
    counts = np.bincount(p.dimension, weights=p.per_unit, minlength=p.order).astype(int)
    rate = p.tuning.max_rates
    tuning = tonic(rate if isinstance(rate, float) else 300.0)
    neurons = nengo.SpikingRectifiedLinear()
    rng = np.random.RandomState(memory.tuning_seed)
    parts = []
    for n, radius in zip(counts, p.radii, strict=True):
        encoders = rng.choice([-1.0, 1.0], size=n)
        max_rates = get_samples(tuning.max_rates, n, rng=rng)
        intercepts = get_samples(tuning.intercepts, n, rng=rng)
        gain, bias = neurons.gain_bias(max_rates, intercepts)
        slope, theta = encoders * gain, memory.ldn.theta
        decoders = radius * _solve_decoders(neurons, slope, bias, theta)
        parts.append((encoders, gain, bias, decoders))
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
        voltage=np.full(m, np.nan),
        tuning=tuning,
    )


def _solve_decoders(neurons, slope, bias, averaging: float) -> np.ndarray:
    r"""Return what `solve_decoders` gives for rates ``slope x + bias``, (n,).

    With ``V = [slope, bias]`` and ``X = [x, 1]`` rates at the points are ``X V^T``, so
    that its system of ``P`` points becomes one of two,

    .. math:: d = S^{-1} V (X^T X \, V^T S^{-1} V + P I)^{-1} X^T x .
    """
    x = np.linspace(-1.0, 1.0, POINTS)
    X, V = np.column_stack([x, np.ones(POINTS)]), np.column_stack([slope, bias])
    weighted = V / averaged_variance(neurons, bias, averaging)[:, None]
    system = X.T @ X @ (V.T @ weighted) + POINTS * np.eye(2)
    return weighted @ np.linalg.solve(system, X.T @ x)
