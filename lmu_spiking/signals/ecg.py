"""A real electrocardiogram that arrives with PyWavelets, so nothing is downloaded."""

import numpy as np

from lmu_spiking.errors import MissingPackageError, ValidationError, check_positive
from lmu_spiking.signals.signal import Signal, step_count

RATE = 360.0  # Hz, the sampling rate that the recording is taken to have
PERIOD = 1024 / RATE  # seconds, of one loop of the recording


def ecg(duration: float, dt: float) -> Signal:
    """Return the electrocardiogram of `recording`, in a loop of 1024/360 s.

    Sample ``k`` is the periodic cubic spline through the recording, at ``k dt`` modulo
    the period, so the loop keeps its length whatever ``dt``.  Between the samples the
    spline passes the peak of 1 by 0.12 %.  At the seam the recording drops by 0.029: a
    seventh of the steepest step in a beat.  The spline takes it between two samples and
    overshoots by no more than the noise of the recording.  Across the seam two beats
    stand 1.02 s apart, inside the loop 0.91 s.

    A ``dt`` above 1/360 s cannot carry the whole recording: the harmonics of the loop
    above ``1 / (2 dt)`` are then left out, and the peak is lower.

    Parameters
    ----------
    duration : float
        Seconds; less than a period plays the beginning.
    dt : float
        Step, seconds; at most half a period.

    Returns
    -------
    Signal
        Peak 1, mean about 0.

    Raises
    ------
    ValidationError
        If the duration or the step is out of range.
    MissingPackageError
        If PyWavelets is not installed.
    """
    from scipy.interpolate import CubicSpline  # slow to import, so only when used

    dt = check_positive("ecg.dt", dt, "seconds")
    n = step_count("ecg.duration", duration, dt)
    if dt > PERIOD / 2:
        remedy = f"use at most {PERIOD / 2:.3g} s"
        raise ValidationError("ecg.dt", dt, "s is more than half a loop", remedy)
    loop = without_harmonics_above(0.5 / dt, recording())
    knots = np.arange(len(loop) + 1) / RATE
    wave = CubicSpline(knots, np.append(loop, loop[0]), bc_type="periodic")
    source = f"PyWavelets, pywt.data.ecg(), looped: 1024 samples taken as {RATE:g} Hz"
    return Signal(wave(np.arange(n) * dt % PERIOD), dt, "ecg", source)


def recording() -> np.ndarray:
    """Return the 1024 samples of ``pywt.data.ecg()``, mean removed, peak 1.

    PyWavelets says of them only "1024 points of an ECG timeseries": no origin, rate or
    unit.  They are taken as 360 Hz, the rate of the MIT-BIH Arrhythmia Database [1]_,
    which puts their three beats at 65 a minute, a heart at rest.

    Returns
    -------
    u : (1024,) ndarray
        Rms 0.13: tall beats on a quiet line.

    References
    ----------
    .. [1] Moody, Mark (2001). The impact of the MIT-BIH Arrhythmia Database. IEEE
       Engineering in Medicine and Biology 20(3), 45-50.
    """
    try:
        import pywt.data
    except ImportError:
        raise MissingPackageError("PyWavelets", "data") from None
    u = pywt.data.ecg().astype(np.float64)
    u -= u.mean()
    return u / np.abs(u).max()


def without_harmonics_above(frequency: float, loop: np.ndarray) -> np.ndarray:
    """Return a loop of the recording without its harmonics above a frequency.

    Parameters
    ----------
    frequency : float
        Hz.
    loop : (1024,) ndarray

    Returns
    -------
    (1024,) ndarray
        The smoother loop.
    """
    harmonics = np.fft.rfftfreq(len(loop), 1 / RATE)
    if frequency >= harmonics[-1]:
        return loop
    return np.fft.irfft(np.fft.rfft(loop) * (harmonics <= frequency), len(loop))
