r"""The noise of a memory's state, and of the neurons that see it in their own loop.

How noisy neurons are depends on how active they are, and that on the signal and on the
noise that has gone round the loop: the state's covariance is a fixed point.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import closed_loop, stationary_covariance
from lmu_spiking.dynamics.mapping import Mapped
from lmu_spiking.neurons.curves import statistics
from lmu_spiking.neurons.population import NOISY, Population
from lmu_spiking.theory.own_spikes import Crossings, owns, slow_noise

QUANTILES = 400  # of each state dimension over the signal
POINTS = 300  # values on either side of zero at which curves are tabulated
CELLS = 4000  # of an even grid over the range of a dimension
BLOCKS, BENT_BLOCKS = 16, 64  # the least in a window, for linear and nonlinear curves
MANY = 60  # neurons of a side, whose spikes in a step are nearly of a Poisson variable
EXACTLY = 1e-9  # relative to the largest value, what decoding may be off
SAMPLES = 8  # in a block, from which its statistics are computed
CROSSED = ("rate", "variance", "fourth")  # columns that rise on both sides of zero
LEVELS = (np.arange(QUANTILES) + 0.5) / QUANTILES


def _normal(n: int) -> np.ndarray:
    """Return ``n`` equally likely values for a standard normal variable.

    They are the means of ``n`` quantile ranges.  For even ``n`` they give ``E |z|``
    exactly, which sets the rate of on/off pairs that receive noise alone.
    """
    edges = ndtri(np.arange(n + 1) / n)
    density = np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi)
    return n * (density[:-1] - density[1:])


GAUSS = _normal(48)
# 24 such values, and six of them, of mean zero, for each of four neighbouring samples.
NODES = _normal(24)
SHARED = np.stack([np.r_[-x[::-1], x] for x in NODES[12:].reshape(3, 4).T])


def fixed_point(mapped: Mapped, tables: list["Table"]):
    """Return the noise of a state whose neurons see it: covariance and variances.

    Parameters
    ----------
    mapped : Mapped
        The loop, in the basis that the neurons carry.
    tables : list of Table
        What the neurons of each dimension do.

    Returns
    -------
    P : (d, d) ndarray
        Covariance of the state's error.
    sigma : (d,) ndarray
        Variance of the decoded state in one step.
    received : (d,) ndarray
        Variance of the noise in what neurons receive, that of error feedback left out
        where the tables contain it.
    """
    K, L, C, N = loop = closed_loop(mapped)
    apart = mapped.feedback is not None and are_apart(tables)
    P = np.zeros((len(C), len(C)))
    received = np.zeros(len(C))
    # each round shrinks the change; near divergence, 200 of them reach 1e-6
    for _ in range(200):
        before = received
        sigma = [t.mean("variance", v) for t, v in zip(tables, before, strict=True)]
        sigma = np.array(sigma)
        whole = stationary_covariance(K, (L * sigma) @ L.T)
        P = C @ whole @ C.T
        received = slow_noise(loop, whole) if apart else np.diag(N @ whole @ N.T)
        if np.abs(received - before).max() <= 1e-6 * received.max():
            break
    return P, sigma, received


@dataclass(frozen=True, eq=False)
class Course:
    """The course of a memory's error along a signal; see `along`.

    Parameters
    ----------
    noise : (d, d) ndarray
        Covariance of the state's error from spikes, on average over the time counted.
    sigma : (d,) ndarray
        Variance in one step of the decoded state, on average.
    rate : float
        Spikes per second of all neurons, on average.
    bias : (T, d) ndarray or None
        The mean state less the exact one, in each step; None if decoding is linear.
    received : (T, d) ndarray or None
        What the neurons receive in the mean beside the exact state: the bias, and error
        feedback.
    steps : (B,) ndarray
        The middles of blocks of steps, counted from the first that is averaged over.
    variances : (B, d) ndarray
        Variance in one step of the decoded state, in each block.
    """

    noise: np.ndarray
    sigma: np.ndarray
    rate: float
    bias: np.ndarray | None
    received: np.ndarray | None
    steps: np.ndarray
    variances: np.ndarray

    __repr__ = brief


def along(
    mapped: Mapped, tables: list["Table"], states, window: int, first: int = 0
) -> Course:
    r"""Return noise and bias of a memory that starts at rest, along its exact states.

    The mean state ``m + e`` passes through the mean of the decoded curves, and its
    noise through their mean slope (statistical linearisation):

    .. math::

        Z_{k+1} = K Z_k + L\,E[\epsilon(x_k)], \quad e = C Z, \quad
        x_k \sim N(m_k + N Z_k, v_k), \quad v_k = \mathrm{diag}(N P_k N^T), \\
        P_{k+1} = F_k P_k F_k^T + L\,E[\Sigma(x_k)]\,L^T, \quad
        F_k = K + L\,\mathrm{diag}(E[\epsilon'(x_k)])\,N,

    where ``eps(x)`` is the value that the neurons decode at ``x``, minus ``x``, and
    ``N Z`` is what they receive beside the exact state (``N = C`` without error
    feedback).  The noise grows with the signal and falls in its pauses.  Expectations
    are computed once for each block of steps, a small part of a window; with feedback,
    which settles within a block, a block begins with the distortion of the one before.

    Parameters
    ----------
    mapped : Mapped
        The loop, in the basis that the neurons carry.
    tables : list of Table
        What the neurons of each dimension do.
    states : (T, d) ndarray
        The exact states.
    window : int
        Steps in theta.
    first : int
        Steps from the start that are not averaged over; the error's averages leave out
        one more window.

    Returns
    -------
    Course
        Averages over the counted time, and the bias.
    """
    K, L, C, N = loop = closed_loop(mapped)
    apart = mapped.feedback is not None and are_apart(tables)
    d, T = len(tables), len(states)
    grids = _Grids(tables)
    # choose the block: a power of two of steps, so that P can be doubled through it
    parts = BLOCKS if grids.straight else max(BENT_BLOCKS, 16 * d)
    doublings = max(0, int(np.log2(max(1, window // parts))))
    block = 2**doublings
    if grids.straight:
        through, unit = _through(K, L, doublings)
    else:
        powers = np.stack([np.linalg.matrix_power(K, n) for n in range(block + 1)])
        # what constant distortion adds to the state in the course of a block
        pushed = np.concatenate([np.zeros((1, *L.shape)), np.cumsum(powers @ L, 0)])
    # sums over the counted steps; Z is the bias and P the noise of the loop's state
    Z, P = np.zeros(len(K)), np.zeros((len(K), len(K)))
    bent, v = np.zeros(d), np.zeros(d)
    noise, sigma, rate = np.zeros((d, d)), np.zeros(d), 0.0
    counted = 0
    bias, heard = None, None
    if not grids.straight:
        bias, heard = np.zeros((T, d)), np.zeros((T, d))
    # blocks are aligned with the first counted step; a cut block is advanced as a whole
    edges, variances = [], []
    for edge in range(first % block - block, T, block):
        start, stop = max(edge, 0), min(edge + block, T)
        n, x = stop - start, states[start:stop]
        if not n:
            continue
        # statistics of the neurons at the block's states, bias and noise included
        received = N @ P @ N.T
        before, v = v, slow_noise(loop, P) if apart else received.diagonal()
        spread = np.sqrt(np.maximum(v + (v - before) / 2, 0.0))  # mid-block
        if bias is not None and heard is not None:
            # begin with the distortion of the block before
            course = powers[: n + 1] @ Z + pushed[: n + 1] @ bent
            bias[start:stop] = course[:n] @ C.T
            heard[start:stop] = course[:n] @ N.T
            x = x + heard[start:stop]
        seen = grids.means(x[:: max(1, n // SAMPLES)], spread)
        edges.append(edge)
        variances.append(seen.variance)
        # add to the averages
        if start >= first:
            rate += n * seen.rate.sum()
        if start >= first + window:
            noise += n * (received if C is N else C @ P @ C.T)
            sigma += n * seen.variance
            counted += n
        # advance P and Z by the block
        if bias is None:
            P = through @ P @ through.T + unit @ seen.variance
            continue
        # each doubling squares the transition F
        F, into = K + (L * seen.slope) @ N, L
        Q = (L * seen.variance) @ L.T
        for _ in range(doublings):
            Q, into, F = Q + F @ Q @ F.T, into + F @ into, F @ F
        P = F @ P @ F.T + Q
        added = into @ (seen.bent - bent)
        Z = course[n] + added
        bent = bent if mapped.feedback is None else seen.bent
        bias[start:stop] += np.outer(np.arange(n) / block, C @ added)
    counted = max(1, counted)
    rate /= max(1, T - first)
    middles = np.array(edges) + block / 2 - first
    averages = noise / counted, sigma / counted, rate
    return Course(*averages, bias, heard, middles, np.array(variances))


def _through(K: np.ndarray, L: np.ndarray, doublings: int):
    """Return the transition through a block, and what unit variances add to ``P``."""
    unit = np.einsum("ik,jk->kij", L, L)
    for _ in range(doublings):
        unit, K = unit + K @ unit @ K.T, K @ K
    return K, np.moveaxis(unit, 0, 2)


def are_straight(tables: list["Table"]) -> bool:
    """Return whether neurons decode every value exactly, in the mean.

    Parameters
    ----------
    tables : list of Table

    Returns
    -------
    bool
        Then a memory has no bias, and `along` says nothing but its noise.
    """
    bent = (np.abs(t.columns["decoded"] - t.x).max() / t.x[-1] for t in tables)
    return bool(max(bent) <= EXACTLY)


def are_apart(tables: list["Table"]) -> bool:
    """Return whether tables contain the noise that error feedback gives neurons.

    Parameters
    ----------
    tables : list of Table

    Returns
    -------
    bool
    """
    return all(t.crossings is not None for t in tables)


class _Grids:
    """Tables of all dimensions on even grids, for fast lookup of many values."""

    def __init__(self, tables: list["Table"]):
        self.reach = np.array([t.x[-1] for t in tables])
        even = np.linspace(-1, 1, CELLS + 1)
        bent, variance, rate = (
            np.stack([np.interp(t.x[-1] * even, t.x, t.columns[c]) for t in tables])
            for c in ("decoded", "variance", "rate")
        )
        bent -= self.reach[:, None] * even
        self.straight = are_straight(tables)
        # value and rise of each column beside each other, (d * CELLS, columns) each
        known = np.stack([variance, rate] if self.straight else [variance, rate, bent])
        self.left = known[:, :, :-1].reshape(len(known), -1).T.copy()
        self.rise = np.diff(known).reshape(len(known), -1).T.copy()
        self.begin = CELLS * np.arange(len(tables))[:, None]
        self.scale = CELLS / 2 / self.reach
        self.crossings = None
        if are_apart(tables):
            own: Any = [t.own for t in tables]
            spikes = [t.spikes for t in tables]
            self.crossings = Crossings(own, *np.transpose(spikes))
            slopes = [[t.slopes[c] for c in ("variance", "rate")] for t in tables]
            self.slopes = np.array(slopes)
        shared = np.resize(SHARED, (2 * SAMPLES, 1, SHARED.shape[1]))
        few = len(SHARED)
        self.nodes = [NODES if n < few else shared[:n] for n in range(2 * SAMPLES)]

    def means(self, x: np.ndarray, spread: np.ndarray) -> "_Means":
        """Return means over values ``x`` (P, d) with Gaussian noise ``spread`` (d,)."""
        crossed: Any = 0.0
        if self.crossings is not None:
            near = x[:, :, None] + spread[:, None] * self.nodes[len(x)]
            crossed = self.slopes * self.crossings.at(near).mean(axis=(0, 2))[:, None]
        at = (x * self.scale + CELLS / 2)[:, :, None]
        at = at + (spread * self.scale)[:, None] * self.nodes[len(x)]
        cell = at.astype(int)
        np.minimum(cell, CELLS - 1, out=cell)
        np.maximum(cell, 0, out=cell)
        at -= cell  # beyond the grid the last segment is extrapolated
        cell += self.begin
        rise = self.rise.take(cell, axis=0)
        found = self.left.take(cell, axis=0).sum(axis=(0, 2))
        found += np.einsum("pdn,pdnc->dc", at, rise)
        found /= at[:, 0].size
        if self.straight:
            found += crossed
            return _Means(found[:, 0], found[:, 1], None, None)
        slope = rise[..., 2].sum(axis=(0, 2)) / at[:, 0].size * self.scale
        return _Means(found[:, 0], found[:, 1], found[:, 2], slope)


class _Means(NamedTuple):
    """Means of each dimension (d,); see `along`."""

    variance: np.ndarray
    rate: np.ndarray
    bent: Any  # (d,) ndarray, or None if decoding is linear
    slope: Any  # of ``bent``


def tabulate(
    population: Population,
    carried: np.ndarray,
    dt: float,
    first: int = 0,
    mapped: Mapped | None = None,
):
    """Return tables of what the neurons do, over the values that they carry.

    Parameters
    ----------
    population : Population
    carried : (T, d) ndarray
        Values of the dimensions from ``first`` on.
    dt : float
        Step, seconds.
    first : int
    mapped : Mapped, optional
        The loop of these dimensions, for neurons that get their own error back.

    Returns
    -------
    list of Table
        A table for each dimension.
    """
    own = [None] * carried.shape[1] if mapped is None else owns(mapped)
    return [
        Table(population, first + i, np.quantile(x, LEVELS), np.abs(x).max(), dt, o)
        for i, (x, o) in enumerate(zip(carried.T, own, strict=True))
    ]


class Table:
    """Statistics of the neurons of one dimension, tabulated over its values.

    Parameters
    ----------
    population : Population
    i : int
        The dimension.
    typical : (n,) ndarray
        Values that are equally likely.
    largest : float
        The largest value that it takes.
    dt : float
        Step, seconds.
    own : Own, optional
        The effect of error feedback.  The noise that it gives rectifier pairs is then
        part of the statistics, and means are over the rest of what they receive.
    """

    def __init__(
        self, population: Population, i: int, typical, largest, dt: float, own=None
    ):
        self.typical = typical
        reach = max(4 * largest, 3 * population.radii[i])
        side = np.linspace(0, 1, POINTS + 1)[1:] ** 2 * reach
        self.x = np.concatenate([-side[::-1], [0.0], side])
        self.columns = population.tables(i, self.x, dt)
        self.own, self.crossings = own, None
        noisy = statistics(population.neurons) in NOISY
        if own is None or population.tuning.kind != "pairs" or not noisy:
            return
        left, right, next_ = POINTS - 1, POINTS + 1, POINTS + 2
        x, columns = self.x, self.columns
        # the variance of rounding falls short of a straight line by a square
        ratio = columns["variance"][right:] / x[right:]
        bend = (ratio[1] - ratio[0]) / (x[next_] - x[right])
        side = -1 / bend if bend < -1 / MANY else 0  # neurons of a side
        self.spikes = (*columns["variance"][[left, right]] / x[right], round(side))
        self.crossings = Crossings([own], *np.transpose([self.spikes]))
        columns["variance"] = columns["variance"] / (1 - own.spread * bend)
        self.slopes = {c: columns[c][[left, right]].mean() / x[right] for c in CROSSED}

    def mean(self, column: str, variance: float) -> float:
        """Return the mean of a column over the signal and over Gaussian noise.

        Parameters
        ----------
        column : {"rate", "decoded", "variance", "fourth"}
        variance : float
            Variance of the noise.

        Returns
        -------
        float
            The mean.
        """
        x = np.add.outer(self.typical, np.sqrt(variance) * GAUSS)
        mean = _interpolate(x, self.x, self.columns[column]).mean()
        if self.crossings is not None and column in CROSSED:
            mean += self.slopes[column] * self.crossings.at(x).mean()
        return float(mean)


def _interpolate(x: np.ndarray, known: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return values that are linear between known points and beyond them.

    Beyond them rectified curves go on like that.
    """
    inside = np.interp(x, known, y)
    below, above = np.minimum(x - known[0], 0), np.maximum(x - known[-1], 0)
    first = (y[1] - y[0]) / (known[1] - known[0])
    last = (y[-1] - y[-2]) / (known[-1] - known[-2])
    return inside + first * below + last * above
