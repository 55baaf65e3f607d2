"""A sampled signal: a value that every task makes and every simulation reads.

Letters: ``T`` steps.  Times are in seconds.  Sample ``k`` belongs to time ``k dt``.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from lmu_spiking.errors import ValidationError


@dataclass(frozen=True, eq=False)
class Signal:
    """One channel, sampled at equal steps.

    Parameters
    ----------
    samples : (T,) array_like
        Finite real numbers.  Kept as a read-only float64 copy.
    dt : float
        Step, seconds.
    name : str
        What to call it in plots and reports.
    source : str
        Where it came from, precisely enough to get it again.
    periodic : bool
        Whether it goes on without a seam when it is repeated.

    Raises
    ------
    ValidationError
        If the samples are not one row of finite numbers, or ``dt`` is not positive.
    """

    samples: np.ndarray = field(repr=False)
    dt: float
    name: str
    source: str
    periodic: bool = False

    def __post_init__(self):
        object.__setattr__(self, "samples", _as_samples(self.samples))
        object.__setattr__(self, "dt", positive("Signal.dt", self.dt, "seconds"))

    @property
    def duration(self) -> float:
        """Length ``T dt``, seconds."""
        return len(self.samples) * self.dt

    @property
    def rms(self) -> float:
        """Root mean square of the samples, mean included."""
        return float(np.sqrt(np.mean(self.samples**2)))

    def led_in(self, steps: int) -> np.ndarray:
        """Samples (steps + T,) that start ``steps`` earlier, without a jump.

        What went before is the end of a periodic signal, and the mirror image of any
        other.
        """
        mode = "wrap" if self.periodic else "reflect"
        return np.pad(self.samples, (steps, 0), mode)

    def resampled(self, dt: float) -> "Signal":
        """The same signal at another step, ``round(duration / dt)`` samples long.

        To a finer step: a cubic spline through the samples; where the new grid runs
        past the last sample, it holds that sample.  To a coarser step: first
        `band_limited`, which takes away what the new step cannot carry, then the
        spline.  Steps that drift apart by less than a hundredth of a step over the
        whole signal count as equal, and the samples are kept as they are.

        A spline overshoots at a jump, by up to a ninth of it.

        Parameters
        ----------
        dt : float
            New step, seconds.

        Raises
        ------
        ValidationError
            If ``dt`` is not positive, or too long to leave a sample.
        """
        dt = positive("Signal.resampled.dt", dt, "seconds")
        n = step_count("Signal.duration", self.duration, dt)
        if abs(dt / self.dt - 1) * len(self.samples) < 0.01:
            return replace(self, dt=dt)
        samples, step = self.samples, self.dt
        if dt > step:
            samples, step = band_limited(samples, step, dt)
        return replace(self, samples=spline(samples, step, np.arange(n) * dt), dt=dt)

    def looped(self, duration: float) -> "Signal":
        """The samples over and over, ``round(duration / dt)`` of them.

        Parameters
        ----------
        duration : float
            Seconds; a shorter one than the signal's cuts it.

        Raises
        ------
        ValidationError
            If the duration is not at least one step.
        """
        n = step_count("Signal.looped.duration", duration, self.dt)
        whole = n % len(self.samples) == 0
        samples = np.resize(self.samples, n)
        return replace(self, samples=samples, periodic=self.periodic and whole)


def spline(samples: np.ndarray, step: float, t: np.ndarray) -> np.ndarray:
    """Cubic spline (not-a-knot) through samples at ``k step``, held past the last."""
    from scipy.interpolate import CubicSpline  # slow to import, so only when used

    if len(samples) == 1:
        return np.full(len(t), samples[0])
    grid = np.arange(len(samples)) * step
    return CubicSpline(grid, samples)(np.minimum(t, grid[-1]))


def band_limited(samples: np.ndarray, step: float, dt: float):
    r"""Samples without what lies above ``1 / (2 dt)``, on a grid that resolves ``dt``.

    A symmetric (zero-phase) windowed sinc, with 32 zero crossings to each side,

    .. math::

        h(t) = \frac{\sin(2 \pi f_c t)}{\pi t}\, w(t), \qquad
        f_c = \frac{0.92}{2\,dt}, \quad w \text{ a Kaiser window}, \beta = 8,

    is flat up to 0.84 of the new Nyquist frequency and 80 dB down at it.  The ends are
    extended by the first and last sample.

    Parameters
    ----------
    samples : (T,) ndarray
    step : float
        Step of the samples, seconds.
    dt : float
        Longer step that they are about to be read at, seconds.

    Returns
    -------
    samples : (T',) ndarray
    step : float
        4 to 16 times finer than ``dt``: there a cubic spline is as good as exact.
    """
    from scipy.signal import firwin, resample_poly

    ratio = dt / step
    # never 1 / 1, for which resample_poly skips its filter
    up, down = (1, int(ratio / 4)) if ratio >= 8 else (int(np.ceil(8 / ratio)), 1)
    half = int(np.ceil(32 * ratio * up))
    taps = firwin(2 * half + 1, 0.92 / (ratio * up), window=("kaiser", 8.0))
    fine = resample_poly(samples, up, down, window=taps, padtype="edge")
    return fine, step * down / up


def positive(attribute: str, value, unit: str) -> float:
    """``value`` as a float, or a ValidationError unless positive and finite."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    number = number and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value <= 0:
        raise ValidationError(attribute, value, f"must be a positive number ({unit})")
    return float(value)


def step_count(attribute: str, duration: float, dt: float) -> int:
    """Whole steps nearest to a duration, or a ValidationError if there is none."""
    duration = positive(attribute, duration, "seconds")
    steps = duration / dt
    if not np.isfinite(steps) or round(steps) < 1:
        raise ValidationError(
            attribute,
            duration,
            f"s holds no whole step of {dt:g} s",
            "use a longer duration or a shorter dt",
        )
    return round(steps)


def _as_samples(values) -> np.ndarray:
    try:
        values = np.asarray(values)
    except ValueError:  # rows of unequal length
        values = np.asarray(None)
    if values.dtype.kind not in "biuf":
        raise ValidationError("Signal.samples", values.dtype, "must be real numbers")
    if values.ndim != 1 or len(values) == 0:
        raise ValidationError(
            "Signal.samples",
            values.shape,
            "must be (T,) with T at least 1",
            "give one channel, one number a step",
        )
    samples = np.array(values, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(samples))
    if len(bad):
        raise ValidationError(
            "Signal.samples",
            float(samples[bad[0]]),
            f"at index {bad[0]} is not finite",
            "remove or fill such samples",
        )
    samples.setflags(write=False)
    return samples
