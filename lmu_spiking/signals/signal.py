"""Sampled signals of one or several channels, and how they get another step.

A `Signal` is a value that every task makes and every simulation reads.

Letters: ``T`` steps.  Times are in seconds.  Sample ``k`` belongs to time ``k dt``.
"""

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import (
    ValidationError,
    ValidityWarning,
    check_memory,
    check_positive,
)

MOST_STEPS = 2**24  # the longest that a signal is resampled or repeated to: 134 MB
COARSEST = 10_000  # the most steps of a signal in one step of the resampled signal
LOST = 0.01  # share of power whose loss needs no warning
BLOCK = 2**16  # samples that are computed together


@dataclass(frozen=True, eq=False)
class Signal:
    """A signal of one or several channels, sampled at equal steps.

    Parameters
    ----------
    samples : (T,) or (T, channels) array_like
        Finite real numbers.  Kept as a read-only float64 copy.
    dt : float
        Step, seconds.
    name : str
        What to call it in plots and reports.
    source : str
        Where it came from, precisely enough to get it again.
    periodic : bool
        Whether it goes on without a seam when it is repeated.
    power_lost : float
        Share of the original's power (about its mean) that was lost by resampling to a
        longer step, 0 to 1; of several channels, that of the one that lost most.
    channels : tuple of str
        Names of the channels; by default ``"0"``, ``"1"``, and so on.

    Raises
    ------
    ValidationError
        If the samples are not finite numbers, ``dt`` is not positive, or there is not
        one name for each channel.
    """

    samples: np.ndarray = field(repr=False)
    dt: float
    name: str
    source: str
    periodic: bool = False
    power_lost: float = 0.0
    channels: tuple[str, ...] = ()

    __repr__ = brief
    _told = ("name", "duration", "dt", "rms")

    def __post_init__(self):
        samples = _read_only("Signal.samples", self.samples)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "dt", check_positive("Signal.dt", self.dt, "seconds"))
        n = samples.shape[1] if samples.ndim == 2 else 1
        object.__setattr__(self, "channels", _channel_names(self.channels, n))

    @property
    def duration(self) -> float:
        """Return the length ``T dt``, seconds."""
        return len(self.samples) * self.dt

    @property
    def rms(self) -> float:
        """Return the root mean square of all samples, mean included."""
        return float(np.sqrt(np.mean(self.samples**2)))

    def led_in(self, steps: int) -> np.ndarray:
        """Return samples that start ``steps`` earlier, without a jump.

        What went before is the end of a periodic signal, and the mirror image of any
        other.

        Parameters
        ----------
        steps : int

        Returns
        -------
        (steps + T,) or (steps + T, channels) ndarray
            The longer samples.
        """
        mode = "wrap" if self.periodic else "reflect"
        before = [(steps, 0), (0, 0)][: self.samples.ndim]
        return np.pad(self.samples, before, mode)

    def resampled(self, dt: float) -> "Signal":
        """Return the signal at another step, ``round(duration / dt)`` samples long.

        To a finer step: a cubic spline through the samples; where the new grid runs
        past the last sample, it holds that sample.  To a coarser step: first
        `band_limited`, which takes away what the new step cannot carry, then the
        spline.  Steps that drift apart by less than a hundredth of a step over the
        whole signal count as equal, and the samples are kept as they are.

        A spline overshoots at a jump, by up to a ninth of it.  If a longer step removes
        more than 1 % of a channel's power, a `ValidityWarning` says so; ``power_lost``
        of the result has the share.

        Parameters
        ----------
        dt : float
            New step, seconds.

        Returns
        -------
        Signal
            With ``power_lost``, if the step is longer.

        Raises
        ------
        ValidationError
            If ``dt`` is not positive, too long to leave a sample, or so short that
            there would be more than 16,777,216 steps, or than memory holds.
        """
        dt = check_positive("Signal.resampled.dt", dt, "seconds")
        n = step_count("Signal.duration", self.duration, dt)
        if abs(dt / self.dt - 1) * len(self.samples) < 0.01:
            return replace(self, dt=dt)
        # steps so much longer or shorter must be a mistake
        _check_steps("Signal.resampled.dt", dt, n, len(self.channels))
        if dt > COARSEST * self.dt:
            steps = f"{COARSEST:,} of the signal's steps of {self.dt:g} s"
            problem, remedy = f"is more than {steps}", "check its sampling rate"
            raise ValidationError("Signal.resampled.dt", dt, problem, remedy)
        samples, each = _at_step(self.samples, self.dt, dt, n)
        lost = float(np.max(each))
        if lost > LOST:
            which = self.channels[int(np.argmax(each))]
            whose = self.name if len(self.channels) == 1 else f"{self.name}, {which}"
            warnings.warn(
                f"{whose}: {100 * lost:.0f} % of its power is above {0.5 / dt:g} "
                f"Hz, the most that a dt of {dt:g} s carries, and is filtered out: the "
                f"input is the low-passed one; dt={self.dt:g} (--dt {self.dt:g}) "
                "keeps all of it",
                ValidityWarning,
                stacklevel=2,
            )
        lost = 1 - (1 - self.power_lost) * (1 - lost)
        return replace(self, samples=samples, dt=dt, power_lost=lost)

    def looped(self, duration: float) -> "Signal":
        """Return the signal over and over, ``round(duration / dt)`` samples long.

        Parameters
        ----------
        duration : float
            Seconds; a shorter one than the signal's cuts it.

        Returns
        -------
        Signal
            Periodic, if this one is and is not cut.

        Raises
        ------
        ValidationError
            If the duration is not at least one step.
        """
        n = step_count("Signal.looped.duration", duration, self.dt)
        _check_steps("Signal.looped.duration", duration, n, len(self.channels))
        whole = n % len(self.samples) == 0
        samples = np.resize(self.samples, (n, *self.samples.shape[1:]))
        return replace(self, samples=samples, periodic=self.periodic and whole)


def _channel_names(names, n: int) -> tuple[str, ...]:
    """Return the names of ``n`` channels, numbers by default, or raise an error."""
    if isinstance(names, (tuple, list)) and not names:
        return tuple(str(i) for i in range(n))
    words = isinstance(names, (tuple, list)) and all(isinstance(x, str) for x in names)
    if not words or len(names) != n:
        problem = f"must be {n} name{'s' if n > 1 else ''}, one for each channel"
        raise ValidationError("Signal.channels", names, problem)
    return tuple(names)


def _check_steps(attribute: str, value: float, n: int, channels: int) -> None:
    """Raise a ValidationError if a signal would have too many samples."""
    if n > MOST_STEPS:
        problem = f"makes {n:.3g} steps of the signal, more than {MOST_STEPS:,}"
        remedy = "use a longer dt or a shorter part of the signal, and check its rate"
        raise ValidationError(attribute, value, problem, remedy)
    remedy = "use fewer channels, a longer dt or a shorter part of the signal"
    check_memory(attribute, value, 8 * 3 * n * channels, remedy)


def _at_step(samples: np.ndarray, step: float, dt: float, n: int):
    """Return ``n`` samples at steps of ``dt``, and each channel's lost share of power.

    It works block by block, each with a margin as wide as the filter and the spline.
    """
    ratio = dt / step
    up, down = _grids(ratio)
    margin = 64 + (int(48 * ratio) if ratio > 1 else 0)
    resampled = np.empty((n, *samples.shape[1:]))
    lost = np.zeros(samples.shape[1:])
    for start in range(0, n, BLOCK):
        # the samples under this block, and a margin on either side of them
        t = np.arange(start, min(start + BLOCK, n)) * dt
        low, high = int(t[0] / step), min(int(t[-1] / step) + 1, len(samples))
        first = max(0, low - margin) // down * down
        part, fine = samples[first : high + margin], step
        # a coarser step: take away what it cannot carry, and add up its power
        if ratio > 1:
            raw, (part, fine) = part, band_limited(part, step, dt)
            gone = raw[::down] - part[::up]
            own = slice((low - first) // down, max((high - first) // down, 1))
            lost += down * np.sum(gone[own] ** 2, axis=0)
        resampled[start : start + len(t)] = spline(part, fine, t - first * step)
    power = np.sum((samples - samples.mean(axis=0)) ** 2, axis=0)
    varies = power > 1e-14 * np.sum(samples**2, axis=0)  # by more than rounding
    share = np.minimum(1.0, lost / np.where(varies, power, 1.0))
    return resampled, np.where(varies, share, 0.0)


def _grids(ratio: float) -> tuple[int, int]:
    """Return the factors up and down to a grid that resolves ``ratio`` steps."""
    return (1, int(ratio / 4)) if ratio >= 8 else (int(np.ceil(8 / ratio)), 1)


def spline(samples: np.ndarray, step: float, t: np.ndarray) -> np.ndarray:
    """Return a cubic spline through samples at ``k step``, at times ``t`` (n,).

    The spline is not-a-knot, and constant past the last sample.
    """
    from scipy.interpolate import CubicSpline  # slow to import, so only when used

    if len(samples) == 1:
        return np.repeat(samples, len(t), axis=0)
    grid = np.arange(len(samples)) * step
    return CubicSpline(grid, samples)(np.minimum(t, grid[-1]))


def band_limited(samples: np.ndarray, step: float, dt: float):
    r"""Return samples without what lies above ``1 / (2 dt)``, on a finer grid.

    A symmetric (zero-phase) windowed sinc, with 32 zero crossings to each side,

    .. math::

        h(t) = \frac{\sin(2 \pi f_c t)}{\pi t}\, w(t), \qquad
        f_c = \frac{0.92}{2\,dt}, \quad w \text{ a Kaiser window}, \beta = 8,

    is flat up to 0.84 of the new Nyquist frequency and 80 dB down at it.  The ends are
    extended by the first and last sample.

    Parameters
    ----------
    samples : (T,) or (T, channels) ndarray
    step : float
        Step of the samples, seconds.
    dt : float
        Longer step that they are about to be read at, seconds.

    Returns
    -------
    samples : (T',) or (T', channels) ndarray
        On the finer grid.
    step : float
        4 to 16 times finer than ``dt``: there a cubic spline is as good as exact.
    """
    from scipy.signal import firwin, resample_poly

    ratio = dt / step
    up, down = _grids(ratio)  # never 1 / 1, for which resample_poly skips its filter
    half = int(np.ceil(32 * ratio * up))
    window: Any = ("kaiser", 8.0)
    taps = firwin(2 * half + 1, 0.92 / (ratio * up), window=window)
    fine = resample_poly(samples, up, down, window=taps, padtype="edge")
    return fine, step * down / up


def step_count(attribute: str, duration: float, dt: float) -> int:
    """Return the whole steps nearest to a duration, or raise a ValidationError."""
    duration = check_positive(attribute, duration, "seconds")
    steps = duration / dt
    if not np.isfinite(steps) or round(steps) < 1:
        problem, remedy = f"s holds no whole step of {dt:g} s", "use a longer duration"
        raise ValidationError(attribute, duration, problem, f"{remedy} or a shorter dt")
    return round(steps)


def _read_only(attribute: str, values) -> np.ndarray:
    """Return samples as a read-only copy in float64, or raise a ValidationError."""
    try:
        values = np.asarray(values)
    except ValueError:  # rows of unequal length
        values = np.asarray(None)
    if values.dtype.kind not in "biuf":
        raise ValidationError(attribute, values.dtype, "must be real numbers")
    if values.ndim not in (1, 2) or not values.size:
        problem = "must be (T,) or (T, channels) with T at least 1"
        raise ValidationError(attribute, values.shape, problem, "one row a step")
    samples = np.array(values, dtype=np.float64)
    bad = np.argwhere(~np.isfinite(samples))
    if len(bad):
        problem = f"at index {bad[0][0]} is not finite"
        value, remedy = float(samples[tuple(bad[0])]), "remove or fill such samples"
        raise ValidationError(attribute, value, problem, remedy)
    samples.setflags(write=False)
    return samples
