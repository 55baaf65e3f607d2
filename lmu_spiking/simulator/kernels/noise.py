r"""Kernels of random spikes, each a function of its seed, trial, step and neuron.

Numbers come from a counter, not from a state: neuron :math:`i` of a population in step
:math:`k` hashes :math:`i` under two keys of that step, so that nothing depends on the
order in which neurons or trials are simulated.  The hash is the three-round integer
finaliser with the multipliers that Ettinger's search found least biased
(https://github.com/skeeto/hash-prospector), with the second key added between rounds;
keys are SplitMix64 (Steele, Lea, Flood 2014) of the seed and the step.

Counts are drawn by inversion.  With :math:`u` uniform, the count is the number of
:math:`k \ge 1` with :math:`u < S_k`,

.. math:: S_k = P(N \ge k), \qquad S_1 = 1 - e^{-\lambda}, \qquad
          S_{k+1} = S_k - e^{-\lambda} \lambda^k / k!.

The uniforms are the midpoints of :math:`2^{32}` cells, fine where :math:`u` is small.
The module stands alone because its hash and its inversion are read and tested alone.
"""

import math

import numpy as np
from numba import uint32, uint64
from numpy.polynomial import Chebyshev, Polynomial

from lmu_spiking.simulator.kernels.algebra import fill, kernel
from lmu_spiking.simulator.kernels.views import view, wide

SMALL = 0.5  # mean counts up to which the series and three terms are vectorised
SOME = 128  # neurons that are looked at again where one of them is unusual
LARGE = 12.0  # beyond which inversion takes longer than rejection
CELL = 2.0**-32


# Coefficients of ``(1 - exp(-x)) / x`` up to `SMALL`, to 2e-10 of the value.
SERIES = Chebyshev.interpolate(lambda x: -np.expm1(-x) / x, 5, [0, SMALL])
SERIES = tuple(map(float, SERIES.convert(kind=Polynomial).coef))


@kernel
def mix64(x):
    """Return SplitMix64's finaliser of 64 bits."""
    x = uint64(x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = uint64(x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return uint64(x ^ (x >> uint64(31)))


@kernel
def step_key(seed, step):
    """Return 64 bits for a step."""
    return mix64(uint64(seed + uint64(step) * uint64(0x9E3779B97F4A7C15)))


@kernel
def hash32(i, key0, key1):
    """Return 32 bits for neuron ``i``; casts keep numba from widening to 64 bits."""
    x = uint32(i + key0)
    x = uint32(x ^ uint32(x >> uint32(17)))
    x = uint32(x * uint32(0xED5AD4BB))
    x = uint32(x ^ uint32(x >> uint32(11)))
    x = uint32(x * uint32(0xAC4C1B51))
    x = uint32(x + key1)
    x = uint32(x ^ uint32(x >> uint32(15)))
    x = uint32(x * uint32(0x31848BAB))
    return uint32(x ^ uint32(x >> uint32(14)))


@kernel
def by_inversion(u, mean):
    """Return the count with survival ``u``, for moderate means."""
    p = math.exp(-mean)
    survival, k = -math.expm1(-mean), 0
    while u < survival and k < 1000:
        k += 1
        p *= mean / k
        survival -= p
        if p < 1e-18 and k > mean:
            break
    return float(k)


@kernel
def by_rejection(mean, seed):
    """Return a count by transformed rejection (PTRS, Hörmann 1993), for large means."""
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    sure = 0.9277 - 3.6224 / (b - 2)
    # draw until a pair of uniforms is accepted
    while True:
        seed = uint64(seed + uint64(0x9E3779B97F4A7C15))
        bits = mix64(seed)
        # 2^-53 keeps both uniforms inside (0, 1)
        u = (float(bits >> uint64(11)) + 0.5) * 2.0**-53 - 0.5
        seed = uint64(seed + uint64(0x9E3779B97F4A7C15))
        v = (float(mix64(seed) >> uint64(11)) + 0.5) * 2.0**-53
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= sure:
            return float(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = math.log(v * inverse / (a / (us * us) + b))
        if left <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
            return float(k)


@kernel
def draw(mean, i, key):
    """Return the Poisson count of neuron ``i``, of any mean, under a step's key."""
    if mean <= 0.0:
        return 0.0
    if mean < LARGE:
        bits = hash32(uint32(i), uint32(key), uint32(key >> uint64(32)))
        return by_inversion((float(bits) + 0.5) * CELL, mean)
    if not mean < np.inf:
        return np.nan
    return by_rejection(mean, mix64(uint64(key + uint64(i))))


@kernel
def one_of(rate, count, dt, height, i, key):
    """Return the spikes of entry ``i``, which stands for ``count`` neurons."""
    if math.isnan(rate):
        return np.nan
    n = draw(abs(float(rate)) * count * dt, i, key)
    return height * (n if rate >= 0 else -n)


@kernel
def poisson_each(y, rates, count, dt, height, first, key):
    """Draw counts of any mean one by one; negative rates make negative spikes.

    ``count``: neurons that an entry stands for.
    """
    for i in range(len(y)):
        y[i] = one_of(rates[i], count, dt, height, first + i, key)


@kernel
def poisson(y, rates, dt, height, first, key):
    """Draw the counts of many neurons, `SOME` of them at a time."""
    for a in range(0, len(y), SOME):
        n = min(SOME, len(y) - a)
        part, rate = view(y, a, n), view(rates, a, n)
        # draw the few with a larger mean, or a larger count, once more on their own
        if poisson_small(part, rate, dt, height, first + a, key):
            most = y.dtype.type(SMALL / dt)
            for i in range(n):
                usual = (rate[i] >= 0) & (rate[i] <= most)
                if part[i] > 2.5 * height or not usual:
                    part[i] = one_of(rate[i], 1.0, dt, height, first + a + i, key)


@kernel
def poisson_small(y, rates, dt, height, first, key):
    """Draw counts up to three, vectorised, for small means.

    Returns
    -------
    bool
        Whether there is a larger mean, or a larger count, to be drawn on its own.
    """
    wide()
    T = y.dtype.type
    zero, half = T(0), T(0.5)
    step, tall, cell, most = T(dt), T(height), T(CELL), T(SMALL / dt)
    key0, key1 = uint32(key), uint32(key >> uint64(32))
    key0 = uint32(key0 + uint32(first))
    c0, c1, c2 = T(SERIES[0]), T(SERIES[1]), T(SERIES[2])
    c3, c4, c5 = T(SERIES[3]), T(SERIES[4]), T(SERIES[5])
    rare = uint32(0)
    for i in range(len(y)):
        # P(N >= 1) by its series, then P(N >= 2) and P(N >= 3) by recursion
        u = T(hash32(uint32(i), key0, key1)) * cell + half * cell
        usual = (rates[i] >= zero) & (rates[i] <= most)
        x = rates[i] * step if usual else zero
        s = x * (c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * c5)))))
        p = x - s * x
        n = tall if u < s else zero
        s -= p
        n += tall if u < s else zero
        p *= x * half
        s -= p
        n += tall if u < s else zero
        y[i] = n
        rare = uint32(rare | uint32((u < s - p * x * T(1 / 3)) | (not usual)))
    return rare != 0


@kernel
def poisson_runs(y, rates, runs, dt, height, first, key):
    """Draw counts of neighbours with the same rate, whose thresholds are shared.

    ``runs`` (2 k,): start and stop, counted as ``first`` is.
    """
    wide()
    T = y.dtype.type
    tall, zero = T(height), T(0)
    key0, key1 = uint32(key), uint32(key >> uint64(32))
    for k in range(0, len(runs), 2):
        a, n = runs[k] - first, runs[k + 1] - runs[k]
        part = view(y, a, n)
        mean = float(rates[a]) * dt
        if mean == 0.0:
            fill(part, zero)
            continue
        if not (0.0 < mean <= SMALL):
            poisson_each(part, view(rates, a, n), 1.0, dt, height, first + a, key)
            continue
        # P(N >= k) for k = 1 to 4, as thresholds for 32 bits
        p, s = math.exp(-mean), -math.expm1(-mean)
        t1 = uint32(s / CELL)
        t2 = uint32((s - p * mean) / CELL)
        t3 = uint32((s - p * mean * (1 + mean / 2)) / CELL)
        t4 = uint32((s - p * mean * (1 + mean / 2 * (1 + mean / 3))) / CELL)
        rare, key2 = uint32(0), uint32(key0 + uint32(first + a))
        for i in range(len(part)):
            bits = hash32(uint32(i), key2, key1)
            count = tall if bits < t1 else zero
            count += tall if bits < t2 else zero
            count += tall if bits < t3 else zero
            part[i] = count
            rare = uint32(rare | uint32(bits < t4))
        if rare:
            for i in range(len(part)):
                if part[i] > T(2.5) * tall:
                    part[i] = height * draw(mean, first + a + i, key)


@kernel
def stochastic(y, rates, dt, height, first, key):
    """Round ``|r| dt`` up or down at random, with the sign of the rate."""
    wide()
    T = y.dtype.type
    step, tall, cell, zero = T(dt), T(height), T(CELL), T(0)
    key0, key1 = uint32(key), uint32(key >> uint64(32))
    key0 = uint32(key0 + uint32(first))
    for i in range(len(y)):
        u = T(hash32(uint32(i), key0, key1)) * cell
        mean = abs(rates[i]) * step
        whole = np.floor(mean)
        n = whole + (T(1) if u < mean - whole else zero)
        y[i] = tall * (n if rates[i] >= zero else -n)
