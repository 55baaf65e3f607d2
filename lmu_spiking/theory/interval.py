r"""The interval in which the error of one run lies: a run is a sample.

The error of a readout is ``e_k + f_k``, of which ``f`` is fixed by the signal (what
curves and order distort) and ``e`` is Gaussian noise of the loop: of autocovariance
``R`` and of a power ``p_k`` that follows the signal, 1 on average.  Its mean square
over ``n`` steps varies about ``R(0) + mean(f^2)`` by

.. math::

    V = \frac{1}{n^2} \sum_{k,l} \bigl( 2\, R(k - l)^2\, p_k\, p_l
        + 4\, R(k - l)\, g_k\, g_l \bigr) , \qquad g = f \sqrt p ,

and has nearly the distribution of a scaled chi-square variable of that mean and
variance (Satterthwaite).  Noise that makes noise adds to ``V`` (`amplification`).

Only `predict` imports this file, whose budgets would be too long to read with it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.fft import irfft, rfft
from scipy.special import gammaincinv

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import closed_loop, stationary_covariance
from lmu_spiking.dynamics.mapping import Mapped

FORGOTTEN = 1e-5  # of the variance: autocovariance that is left out
ROUNDS = 12  # of noise that makes noise, each at most half of the one before
# standard errors of predictions, relative (`python benchmarks feedback`): from
# measurements, and from the formula for noise that error feedback gives back at once
DOUBT, DOUBT_FED_BACK = 0.05, 0.03
ENOUGH = 4  # runs, from which it is known how runs vary
PARTS = 4  # of a signal, at least, from whose differences that of signals is estimated


@dataclass(frozen=True, eq=False)
class Noise:
    """The noise of one readout over the time that is measured.

    Parameters
    ----------
    autocovariance : (k,) ndarray
        At lags of 0 to ``k - 1`` steps, on average; beyond them it is nearly 0.
    power : (T,) ndarray
        Its variance in each step over the mean variance.
    amplification : float
        How many times the mean square varies more than that of Gaussian noise.
    doubt : float
        Standard error of the prediction itself, relative.
    """

    autocovariance: np.ndarray
    power: np.ndarray
    amplification: float = 1.0
    doubt: float = 0.0

    __repr__ = brief

    def interval(self, fixed, reference, level: float, n: int | None = None):
        """Return the range of the rms error of one run over the rms of a reference.

        Parameters
        ----------
        fixed, reference : (T,) ndarray
            The error without noise, and what errors are relative to.
        level : float
            Probability of the range.
        n : int, optional
            Steps of a run on another signal of the kind; by default it has this one.

        Returns
        -------
        low, high : float
            NaN for a reference that is silent.
        """
        scale = float(np.mean(reference**2))
        if not scale:
            return float("nan"), float("nan")
        noise = self.autocovariance[0]
        mean = (noise + float(np.mean(fixed**2))) / scale
        variance = self.variance(fixed, len(reference) if n is None else n)
        if n is not None:  # errors and reference vary together
            varied = noise * self.power + fixed**2 - mean * reference**2
            variance += variance_of_mean(varied, n)
        variance = variance / scale**2 + (2 * self.doubt * mean) ** 2
        low, high = np.sqrt(quantiles(mean, variance, level))
        return float(low), float(high)

    def variance(self, fixed, n: int) -> float:
        """Return the variance of the mean square of a run's error.

        Parameters
        ----------
        fixed : (T,) ndarray
            The error without noise.
        n : int
            Steps of the run.

        Returns
        -------
        float
        """
        lags = np.arange(min(len(self.autocovariance), n, len(self.power)))
        weight = np.where(lags, 2.0, 1.0) * (1 - lags / n) / n
        R = self.autocovariance[: len(lags)]
        together = 2 * self.amplification * R**2
        total = weight * together @ _products(self.power, len(lags))
        if fixed.any():
            loud = fixed * np.sqrt(self.power)
            total += 4 * weight * R @ _products(loud, len(lags))
        return float(total)


@dataclass(frozen=True, eq=False)
class Correlation:
    """The correlation of the noise of a memory's readouts, which follows the signal.

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
    growth : (d,) ndarray
        Growth of that variance with the variance of the noise that neurons receive.
    fourth : (d,) ndarray
        Fourth cumulant in one step of what neurons decode, on average.
    seen : (d, z) ndarray, optional
        The noise of the loop's state that the variance grows with; by default all that
        neurons receive.
    """

    loop: Mapped
    U: np.ndarray
    steps: np.ndarray
    variances: np.ndarray
    growth: np.ndarray
    fourth: np.ndarray
    seen: np.ndarray | None = None

    __repr__ = brief

    @property
    def doubt(self) -> float:
        """Return the standard error of the prediction itself, relative."""
        return 0.0 if self.loop.feedback is None else DOUBT_FED_BACK

    def of_readout(self, c, noise: np.ndarray, sigma: np.ndarray, n: int) -> Noise:
        """Return the noise of a readout over the time that is measured.

        Parameters
        ----------
        c : (d,) ndarray
            The readout of the state.
        noise : (d, d) ndarray
            Covariance of the state's error from spikes, on average.
        sigma : (d,) ndarray
            Variance in one step of what neurons decode, on average.
        n : int
            Steps that are measured.

        Returns
        -------
        Noise
        """
        R = self.autocovariance(c, sigma, n)
        R *= float(c @ noise @ c) / R[0] if R[0] else 0.0
        return Noise(R, self.power(c, n), self.amplification(c, sigma), self.doubt)

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

    def amplification(self, c: np.ndarray, sigma: np.ndarray) -> float:
        r"""Return how many times more the mean square varies than that of normal noise.

        Where chance has made noise of more power, neurons fire more, and make more
        noise.  For a readout ``v`` of the loop's state the mean of ``(v Z)^2`` over
        ``n`` steps is, but for its ends, that of the increments of a martingale,

        .. math::

            Z^T H Z, \qquad H = v^T v + K^T H K
                + \sum_i g_i\, (L_i^T H L_i)\, N_i^T N_i ,

        with ``g`` the growth.  Its variance is, for normal ``Z``, ``1/n`` times

        .. math::

            4\, \mathrm{tr}(H K P K^T H Q) + 2\, \mathrm{tr}(H Q H Q)
                + \sum_i \bigl( 8\, g_i\, (L_i^T H K P N_i^T)^2
                + \kappa_i\, (L_i^T H L_i)^2 \bigr) , \qquad Q = L \Sigma L^T ,

        which without growth and fourth cumulants ``kappa`` is the sum of ``2 R(k)^2``
        over all lags.  The last terms: neurons make more noise just when the state is
        far out, and few spikes in a step are not normal.

        Parameters
        ----------
        c : (d,) ndarray
            The readout of the state.
        sigma : (d,) ndarray
            Variance in one step of what neurons decode, on average.

        Returns
        -------
        float
            The ratio of both variances; 1 if there is no noise.
        """
        K, L, C, N = closed_loop(self.loop)
        N = N if self.seen is None else self.seen
        v, Q = c @ self.U @ C, (L * sigma) @ L.T
        P = stationary_covariance(K, Q)

        def normal(H) -> float:
            return np.trace(H @ (4 * K @ P @ K.T + 2 * Q) @ H @ Q)

        def made(H) -> np.ndarray:
            return np.einsum("zi,zy,yi->i", L, H, L)

        read = np.outer(v, v)
        first = H = stationary_covariance(K.T, read)
        for _ in range(ROUNDS):
            grown = self.growth * made(H)
            H = stationary_covariance(K.T, read + (N.T * grown) @ N)
        least = normal(first)
        if not least > 0:
            return 1.0
        outer = np.einsum("zi,zy,iy->i", L, H @ K @ P, N)
        more = 8 * self.growth @ outer**2 + self.fourth @ made(H) ** 2
        return float((normal(H) + more) / least)

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
        size = _fast_size(len(self.variances) + len(added))
        both = rfft(self.variances, size, axis=0) * rfft(added, size, axis=0)
        blocks = irfft(both.sum(axis=1), size)[: len(self.steps)]
        power = np.interp(np.arange(n), self.steps + block / 2, np.maximum(blocks, 0))
        return power / power.mean() if power.any() else np.ones(n)


@dataclass(frozen=True, eq=False)
class Sampled:
    """The correlation of the noise of readouts, from the errors of some runs.

    Parameters
    ----------
    errors : (n, T, d) ndarray
        The state's error in runs of two or more, over the time that is measured.
    doubt : float
        Standard error of the prediction itself, relative.
    """

    errors: np.ndarray
    doubt: float = DOUBT

    __repr__ = brief

    def of_readout(self, c, noise: np.ndarray, sigma, n: int) -> Noise:
        """Return the noise of a readout over the time that is measured.

        Parameters
        ----------
        c : (d,) ndarray
            The readout of the state.
        noise : (d, d) ndarray
            Covariance of the state's error from spikes, on average.
        sigma, n
            As in `Correlation.of_readout`.

        Returns
        -------
        Noise
        """
        errors = self.errors[:, :n] @ c
        runs, squares = len(errors), np.mean(errors**2, axis=1)
        apart = errors - errors.mean(axis=0)
        # beyond a part of the signal, products of errors are known by chance alone
        lags = max(1, n // PARTS)
        R = np.mean([_products(each, lags) for each in apart], axis=0)
        if not R[0]:
            return Noise(R, np.ones(n))
        R *= float(c @ noise @ c) / R[0]
        found = Noise(R, np.ones(n), doubt=self.doubt)
        if runs < ENOUGH:
            return found
        # initial voltages tell for long: runs vary more than their errors in time
        expected = found.variance(errors.mean(axis=0), n)
        more = np.var(squares, ddof=1) / expected
        return replace(found, amplification=max(1.0, more))


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
    size = _fast_size(len(x) + n)
    found = irfft(np.abs(rfft(x, size)) ** 2, size)[:n]
    return found / (len(x) - np.arange(n))


def _fast_size(n: int) -> int:
    """Return the next power of two, to which series are padded."""
    return 1 << (n - 1).bit_length()
