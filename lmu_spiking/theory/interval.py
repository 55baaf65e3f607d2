r"""The interval in which the error of one run lies: a run is a sample.

The error of a readout is ``e_k + f_k``, of which ``f`` is fixed by the signal (what
curves and order distort) and ``e`` is Gaussian noise of the loop: of autocovariance
``R`` and of a power ``p_k`` that follows the signal, 1 on average.  Its mean square
over ``n`` steps varies about ``R(0) + mean(f^2)`` by

.. math::

    V = \frac{1}{n^2} \sum_{k,l} \bigl( 2\, R(k - l)^2\, p_k\, p_l
        + 4\, R(k - l)\, g_k\, g_l \bigr) , \qquad g = f \sqrt p ,

and has nearly the distribution of a scaled chi-square variable of that mean and
variance (Satterthwaite).
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import gammaincinv

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import closed_loop, stationary_covariance
from lmu_spiking.dynamics.mapping import Mapped

FORGOTTEN = 1e-5  # of the variance: autocovariance that is left out
PARTS = 4  # of a signal, at least, from whose differences that of signals is estimated


@dataclass(frozen=True, eq=False)
class Correlation:
    """How the noise of a memory's readouts is correlated, and follows the signal.

    Parameters
    ----------
    loop : Mapped
        The loop, in the basis that the neurons carry.
    U : (d, d) ndarray
        The basis.
    steps : (B,) ndarray
        The middles of blocks of steps, counted from the first that is measured.
    variances : (B, d) ndarray
        Variance in one step of what neurons decode, in each block.
    """

    loop: Mapped
    U: np.ndarray
    steps: np.ndarray
    variances: np.ndarray

    __repr__ = brief

    def autocovariance(self, c: np.ndarray, sigma: np.ndarray, n: int) -> np.ndarray:
        """Return the autocovariance of a readout's noise.

        Parameters
        ----------
        c : (d,) ndarray
            The readout of the state.
        sigma : (d,) ndarray
            Variance in one step of what neurons decode, on average.
        n : int
            The most lags.

        Returns
        -------
        (k,) ndarray
            At lags of 0 to ``k - 1`` steps, ``k <= n``, after which it is nearly 0.
        """
        K, L, C, _ = closed_loop(self.loop)
        v = c @ self.U @ C
        P = stationary_covariance(K, (L * sigma) @ L.T)
        return v @ _powers(K, P @ v, v, n)

    def power(self, c: np.ndarray, n: int) -> np.ndarray:
        """Return the variance of a readout's noise in each step, over its mean.

        Parameters
        ----------
        c : (d,) ndarray
            The readout of the state.
        n : int
            Steps.

        Returns
        -------
        (n,) ndarray
            Ones if there is no noise.
        """
        # what a unit variance in a block adds to those that follow
        K, L, C, _ = closed_loop(self.loop)
        block = int(self.steps[1] - self.steps[0]) if len(self.steps) > 1 else 1
        v = c @ self.U @ C
        impulse = (_powers(K.T, v, L, n).T @ L) ** 2
        starts = np.arange(0, len(impulse), block)
        added = np.add.reduceat(impulse, starts)[: len(self.steps)]
        size = next_fast_len(len(self.variances) + len(added), real=True)
        both = rfft(self.variances, size, axis=0) * rfft(added, size, axis=0)
        blocks = irfft(both.sum(axis=1), size)[: len(self.steps)]
        power = np.interp(np.arange(n), self.steps + block / 2, np.maximum(blocks, 0))
        return power / power.mean() if power.any() else np.ones(n)


def _powers(K: np.ndarray, a: np.ndarray, v: np.ndarray, n: int) -> np.ndarray:
    """Return ``K^k a`` (z, n) for rising ``k``, until what ``v`` reads is forgotten."""
    X = a[:, None]
    while X.shape[1] < n:
        more = K @ X
        X = np.hstack([X, more])
        K = K @ K
        least = FORGOTTEN * np.abs(v.T @ X).max()
        if not np.abs(v.T @ more).max() > least:
            break
    return X[:, :n]


def variance_of_mean_square(R, power, fixed, n: int) -> float:
    """Return the variance of the mean square of a run's error.

    Parameters
    ----------
    R : (k,) ndarray
        Autocovariance of the noise, at lags of whole steps.
    power, fixed : (T,) ndarray
        Of a signal of that kind: the noise's variance in each step over its mean, and
        the error without noise.
    n : int
        Steps of the run.

    Returns
    -------
    float
    """
    lags = np.arange(min(len(R), n, len(power)))
    weight = np.where(lags, 2.0, 1.0) * (1 - lags / n) / n
    R = R[: len(lags)]
    total = 2 * weight * R**2 @ _products(power, len(lags))
    if fixed.any():
        total += 4 * weight * R @ _products(fixed * np.sqrt(power), len(lags))
    return float(total)


def variance_of_mean(x: np.ndarray, n: int) -> float:
    """Return the variance of the mean of ``n`` steps of a series, whose own is 0.

    It is that of the means over parts of the series, which falls as their length rises.

    Parameters
    ----------
    x : (T,) ndarray
    n : int

    Returns
    -------
    float
    """
    part = max(1, min(n, len(x) // PARTS))
    total = np.concatenate([[0.0], np.cumsum(x)])
    means = (total[part:] - total[:-part]) / part
    return float(np.mean(means**2)) / (1 - part / len(x)) * part / n


def quantiles(mean: float, variance: float, level: float) -> tuple[float, float]:
    """Return the ends of the middle ``level`` of a scaled chi-square distribution.

    Parameters
    ----------
    mean, variance : float
    level : float

    Returns
    -------
    low, high : float
    """
    if not variance > 0:
        return mean, mean
    shape = mean**2 / variance
    low, high = gammaincinv(shape, [(1 - level) / 2, (1 + level) / 2]) * mean / shape
    return float(low), float(high)


def _products(x: np.ndarray, n: int) -> np.ndarray:
    """Return the mean of ``x_t x_{t+k}`` for lags ``k < n``."""
    size = next_fast_len(len(x) + n, real=True)
    found = irfft(np.abs(rfft(x, size)) ** 2, size)[:n]
    return found / (len(x) - np.arange(n))
