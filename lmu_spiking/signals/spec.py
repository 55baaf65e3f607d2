"""What a memory is meant for: a band of noise, or signals like a recording.

`SignalSpec` is what specs say of a signal, and `as_signal` turns whatever a user passes
as a signal into one checked `Signal`.

Letters: ``T`` steps, ``F`` frequencies.  Times are in seconds, frequencies in Hz.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss

from lmu_spiking.errors import (
    ValidationError,
    check_memory,
    check_positive,
    check_seed,
)
from lmu_spiking.signals.signal import Signal, step_count

COPIES = 6  # arrays of all samples, at most, while white noise is drawn
LARGEST = 1e100  # of a signal, whose squares are still numbers
EXTREME = 3.29  # standard deviations that a normal |x| exceeds 0.1 % of the time
HELD = 0.99  # share of a recording's power, up to the frequency that is its bandwidth
FINEST, WIDEST = 0.25, 0.1  # bands of a spectrum: of one over the window, of themselves
NOTHING = 1e-9  # share of the power above the last band
MOST_CYCLES = 8  # in a window, that are resolved within a band: no order holds more
NODES = 32, 8  # of a quadrature over a band: at least, and for each cycle in a window


@dataclass(frozen=True)
class SignalSpec:
    """Band-limited noise that a memory is meant for.

    Parameters
    ----------
    bandwidth : float
        Highest frequency, Hz; with a ``spectrum``, that below which 99 % of its power
        is.
    rms : float
        Root mean square.
    spectrum : (n, 2) array_like, optional
        Upper ends of bands, Hz, and the share of the power in each, evenly spread over
        it; the first band begins at 0, and one that ends at 0 is the mean.  By default
        the power is spread evenly up to ``bandwidth``.  `spectrum_of` reads it from a
        recording.
    peak : float
        The magnitude that is exceeded 0.1 % of the time, over that of a normal variable
        of the same rms, at least 1: neurons keep ``max_rate`` on bursts, too.

    Raises
    ------
    ValidationError
        If one of them is not a positive number, or the spectrum is none.
    """

    bandwidth: float = 2.0
    rms: float = 0.5
    spectrum: tuple[tuple[float, float], ...] | None = None
    peak: float = 1.0

    def __post_init__(self):
        for name in ("bandwidth", "rms", "peak"):
            value = check_positive(f"signal.{name}", getattr(self, name))
            object.__setattr__(self, name, value)
        if self.peak < 1:
            raise ValidationError("signal.peak", self.peak, "must be at least 1")
        if self.spectrum is not None:
            object.__setattr__(self, "spectrum", _bands(self.spectrum))

    def draw(self, duration: float, dt: float, seed: int = 0) -> Signal:
        """Draw a signal of this band or spectrum; see `white_noise`.

        Parameters
        ----------
        duration, dt : float
            Length and step, seconds.
        seed : int

        Returns
        -------
        Signal
            Normally distributed, and periodic; named ``white`` if it has no spectrum.
        """
        if self.spectrum is None:
            return white_noise(duration, dt, self.bandwidth, self.rms, seed)
        return _coloured(self, duration, dt, seed)

    def lines(self, theta: float) -> tuple[np.ndarray, np.ndarray]:
        """Return frequencies and powers that integrate smooth functions over the band.

        Parameters
        ----------
        theta : float
            Window of the memory whose response is integrated, seconds.

        Returns
        -------
        frequency, power : (F,) ndarray
            Hz, and mean squares that sum to that of the signal.
        """
        if self.spectrum is None:
            nodes, weights = _nodes(NODES[0], self.bandwidth * theta)
            return self.bandwidth * nodes, self.rms**2 * weights
        frequency, power, start = [], [], 0.0
        for end, share in self.spectrum:
            nodes, weights = _nodes(2, min((end - start) * theta, MOST_CYCLES))
            frequency.append(start + (end - start) * nodes)
            power.append(share * weights)
            start = end
        powers = np.concatenate(power)
        return np.concatenate(frequency), self.rms**2 * powers / powers.sum()

    def to_dict(self) -> dict:
        """Return the fields as plain values, without those that are not needed.

        Returns
        -------
        dict
            For TOML and JSON.
        """
        items: dict[str, Any] = {"bandwidth": self.bandwidth, "rms": self.rms}
        if self.spectrum is not None:
            items["spectrum"] = [list(band) for band in self.spectrum]
        return items if self.peak == 1 else items | {"peak": self.peak}


def spectrum_of(signal: Signal, theta: float) -> tuple[SignalSpec, ...]:
    """Return what specs say of a recording: spectrum, rms and peak of each channel.

    A recording that does not repeat is continued by its mirror image, so that its ends
    make no jump, whose power would be at all frequencies.

    Parameters
    ----------
    signal : Signal
        A channel that is silent throughout counts as one of the least power.
    theta : float
        Window of the memory, seconds: bands are as fine as it can tell apart.

    Returns
    -------
    tuple of SignalSpec
        One for each channel.

    Raises
    ------
    ValidationError
        If all channels are silent.
    """
    samples = signal.samples.reshape(len(signal.samples), -1)
    if not samples.any():
        remedy = "use samples not all of them 0"
        raise ValidationError("spectrum_of.signal", signal.name, "is silent", remedy)
    rms = np.sqrt(np.mean(samples**2, axis=0))
    quiet = rms == 0
    specs: list[Any] = [None] * len(rms)
    for i in np.flatnonzero(~quiet):
        specs[i] = _spec_of(samples[:, i], signal, theta)
    least = specs[int(np.argmin(np.where(quiet, np.inf, rms)))]
    return tuple(least if spec is None else spec for spec in specs)


def mean_of(signals) -> SignalSpec:
    """Return the mean of several channels, each in units of its own rms.

    Parameters
    ----------
    signals : sequence of SignalSpec

    Returns
    -------
    SignalSpec
        Of rms 1; of a single channel, that one itself.
    """
    if len(set(signals)) == 1:
        return signals[0]
    # the power up to each frequency grows evenly within a band
    each = []
    for one in signals:
        bands = np.array(one.spectrum or [(one.bandwidth, 1.0)])
        ends, total = bands[:, 0], np.cumsum(bands[:, 1]) / bands[:, 1].sum()
        at_0 = total[0] if ends[0] == 0 else 0.0
        each.append((np.append(0.0, ends[ends > 0]), np.append(at_0, total[ends > 0])))
    ends = np.unique(np.concatenate([frequency for frequency, _ in each]))
    held = np.mean([np.interp(ends, *one) for one in each], axis=0)
    bands = zip(ends.tolist(), np.diff(held, prepend=0.0).tolist(), strict=True)
    bandwidth = max(one.bandwidth for one in signals)
    peak = float(np.mean([one.peak for one in signals]))
    return SignalSpec(bandwidth, 1.0, tuple(bands)[int(held[0] == 0) :], peak)


def _spec_of(u: np.ndarray, signal: Signal, theta: float) -> SignalSpec:
    """Return the spec of one channel (T,) of a recording."""
    whole = u if signal.periodic else np.concatenate([u, u[::-1]])
    frequency, power = spectrum(whole, signal.dt)
    total, rms = power.sum(), float(np.sqrt(np.mean(u**2)))
    beyond = 1 - np.cumsum(power) / total
    # bands as fine as the window tells apart, and no finer than a tenth of themselves
    last = frequency[np.flatnonzero(beyond <= NOTHING)[0]]
    ends = [0.0]
    while ends[-1] < last:
        ends.append(ends[-1] + max(FINEST / theta, WIDEST * ends[-1]))
    ends[-1] = min(ends[-1], 0.5 / signal.dt)
    band = np.minimum(np.searchsorted(ends, frequency), len(ends) - 1)
    shares = np.bincount(band, power, len(ends)) / total
    held = _joined(zip(ends, shares.tolist(), strict=True))
    # the mean has no bandwidth
    moving = np.cumsum(np.where(frequency > 0, power, 0.0))
    bandwidth = float(frequency[np.searchsorted(moving, HELD * moving[-1])])
    bandwidth = bandwidth or 0.5 / (len(whole) * signal.dt)
    peak = float(np.quantile(np.abs(u), 0.999)) / (EXTREME * rms)
    return SignalSpec(_short(bandwidth), _short(rms), held, _short(max(1.0, peak)))


def _joined(bands) -> tuple[tuple[float, float], ...]:
    """Return bands in short numbers; empty ones in a row are one band without power."""
    kept: list[tuple[float, float]] = []
    for end, share in bands:
        share = _short(share) if share > NOTHING / 100 else 0.0
        if kept and share == 0 and kept[-1][1] == 0:
            kept.pop()
        kept.append((float(f"{end:.6g}"), share))
    if kept[0][1] == 0:  # no mean
        kept = kept[1:]
    return tuple(kept)


def _short(value: float) -> float:
    """Return a number in four digits."""
    return float(f"{value:.4g}")


def _bands(spectrum) -> tuple[tuple[float, float], ...]:
    """Return checked bands, or raise a ValidationError."""
    name, problem = "signal.spectrum", "must be pairs of a rising frequency and a share"
    try:
        bands = np.array(spectrum, dtype=float).reshape(-1, 2)
        rising = bands[0, 0] >= 0 and np.all(np.diff(bands[:, 0]) > 0)
        fit = np.ndim(spectrum) == 2 and rising and np.isfinite(bands).all()
        fit = bool(fit and (bands[:, 1] >= 0).all() and bands[:, 1].any())
    except (TypeError, ValueError, IndexError):
        fit, bands = False, np.zeros((0, 2))
    if not fit:
        raise ValidationError(name, spectrum, problem, "use spectrum_of(recording)")
    return tuple((float(end), float(share)) for end, share in bands)


def _nodes(least: int, cycles: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of a quadrature from 0 to 1 of so many cycles."""
    return _quadrature(least + NODES[1] * int(np.ceil(cycles)))


@lru_cache(maxsize=128)
def _quadrature(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of Gauss' quadrature from 0 to 1."""
    nodes, weights = leggauss(count)
    return (nodes + 1) / 2, weights / 2


def spectrum(u, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the frequencies and powers that samples consist of.

    Frequencies that carry less than 1e-12 of the power are left out.

    Parameters
    ----------
    u : (T,) array_like
    dt : float
        Step, seconds.

    Returns
    -------
    frequency : (F,) ndarray
        Hz.
    power : (F,) ndarray
        They sum to ``mean(u^2)``.
    """
    power = np.abs(np.fft.rfft(u) / len(u)) ** 2
    power[1:] *= 2
    if len(u) % 2 == 0:
        power[-1] /= 2
    carries = power > 1e-12 * power.sum()
    return np.fft.rfftfreq(len(u), dt)[carries], power[carries]


# -- noise -----------------------------------------------------------------------------


def _coloured(spec: SignalSpec, duration: float, dt: float, seed: int) -> Signal:
    """Draw normally distributed noise of a spectrum, whose mean is positive."""
    dt = check_positive("draw.dt", dt, "seconds")
    n = step_count("draw.duration", duration, dt)
    remedy = "use a shorter duration or a longer dt"
    check_memory("draw.duration", duration, 8 * COPIES * n, remedy)
    rng = np.random.RandomState(check_seed("draw.seed", seed))
    # the power of each frequency of the period: that of its band, evenly shared
    frequency = np.arange(n // 2 + 1) / (n * dt)
    power, start, unplaced = np.zeros(len(frequency)), -1.0, 0.0
    for end, share in spec.spectrum or ():
        inside = np.flatnonzero((frequency > start) & (frequency <= end))
        if end > 0:
            inside = inside[inside > 0]
        share, start = share + unplaced, end
        unplaced = 0.0 if len(inside) else share
        power[inside] += share / max(len(inside), 1)
    power *= spec.rms**2 / power.sum() if power.any() else 0.0
    drawn = rng.standard_normal((2, len(power)))
    waves = np.sqrt(power / 4) * (drawn[0] + 1j * drawn[1]) * n
    waves[0] = np.sqrt(power[0]) * n
    source = f"noise of the spectrum of a recording, seed {seed}"
    return Signal(np.fft.irfft(waves, n), dt, "noise", source, periodic=True)


def white_noise(
    duration: float, dt: float, bandwidth: float, rms: float, seed: int
) -> Signal:
    r"""Draw Gaussian noise with equal power up to ``bandwidth`` and none above.

    .. math::

        u(t) = \sum_{0 < k \le \mathrm{bandwidth} \cdot \mathrm{duration}}
            a_k \cos(2 \pi k t / \mathrm{duration})
            + b_k \sin(2 \pi k t / \mathrm{duration}),
        \qquad a_k, b_k \text{ normal.}

    Sample for sample what ``nengo.processes.WhiteSignal(period=duration,
    high=bandwidth, rms=rms, seed=seed)`` puts out.  As there, ``rms`` is that of the
    distribution: one draw has about ``2 bandwidth duration`` free numbers, and its own
    ``Signal.rms`` differs by about ``rms / sqrt(4 bandwidth duration)``.  Its mean is
    zero.  Looped, it goes on without a seam if the duration is an even number of steps.

    Parameters
    ----------
    duration : float
        Seconds; also the period of the noise.
    dt : float
        Step, seconds.
    bandwidth : float
        Highest frequency, Hz: from ``1 / duration`` to ``1 / (2 dt)``.
    rms : float
        Root mean square of the distribution that the signal is drawn from.
    seed : int
        0 to ``2**31 - 1``.

    Returns
    -------
    Signal
        Named ``white``, and periodic.

    Raises
    ------
    ValidationError
        If an argument is out of range; the message says which value works.
    """
    from nengo.processes import WhiteSignal  # slow to import, so only when used

    dt = check_positive("white_noise.dt", dt, "seconds")
    n = step_count("white_noise.duration", duration, dt)
    remedy = "use a shorter duration or a longer dt"
    check_memory("white_noise.duration", duration, 8 * COPIES * n, remedy)
    rms = check_positive("white_noise.rms", rms, "root mean square")
    _check_bandwidth(bandwidth, duration, dt)
    seed = check_seed("white_noise.seed", seed)
    period, high = float(duration), float(bandwidth)
    process: Any = WhiteSignal(period=period, high=high, rms=rms, seed=seed)
    samples = process.run_steps(n, d=1, dt=dt)[:, 0]
    source = f"nengo.processes.WhiteSignal(period={period:g}, high={high:g}, "
    source += f"rms={rms:g}, seed={seed})"
    return Signal(samples, dt, "white", source, periodic=True)


def _check_bandwidth(bandwidth: float, duration: float, dt: float) -> None:
    """Raise a ValidationError if a duration and a step cannot carry a bandwidth."""
    check_positive("white_noise.bandwidth", bandwidth, "Hz")
    most, least = 0.5 / dt, 1.0 / duration
    if bandwidth > most:
        problem = f"is above {most:g} Hz, the Nyquist frequency of dt {dt:g} s"
        remedy = f"use at most {_digits(most, -1e-5)} Hz, or a smaller dt"
        raise ValidationError("white_noise.bandwidth", bandwidth, problem, remedy)
    if bandwidth < least:
        problem = f"is below {least:g} Hz, one cycle in {duration:g} s"
        remedy = f"use at least {_digits(least, 1e-5)} Hz, or a longer duration"
        raise ValidationError("white_noise.bandwidth", bandwidth, problem, remedy)


def _digits(limit: float, slack: float) -> str:
    """Return a limit in six digits, not rounded to the forbidden side of it."""
    text = f"{limit:g}"
    allowed = (float(text) - limit) * slack >= 0
    return text if allowed else f"{limit * (1 + slack):g}"


# -- what a user passes ----------------------------------------------------------------


def as_signal(
    x,
    dt: float,
    theta: float = 0.0,
    *,
    duration: float = 60.0,
    least: int | None = None,
    channels: int | None = None,
    attribute: str = "as_signal.x",
) -> Signal:
    """Return whatever is passed as a signal as a checked `Signal`.

    Parameters
    ----------
    x : Signal, SignalSpec, (T,) or (T, channels) array_like, or None
        A signal, samples at ``dt``, or a band of white noise, of which ``duration``
        seconds are drawn (seed 0); None for the noise of ``SignalSpec()``.
    dt : float
        Step that the signal must have, seconds.
    theta : float
        Window, seconds, that it must be longer than.
    duration : float
        Length of what is drawn, seconds.
    least : int, optional
        Number of samples that it must have; by default one more than a window.
    channels : int, optional
        Number of channels that it must have, one beside the other: the samples are
        (T, channels) even for one.  By default there is one, and the samples are (T,).
    attribute : str
        Name of the argument, for messages.

    Returns
    -------
    Signal
        One value, whatever was passed.

    Raises
    ------
    ValidationError
        If ``x`` is no signal, too short, too large, or at another step.

    Examples
    --------
    >>> as_signal(np.sin(np.arange(1000)), dt=0.001, theta=0.5).duration
    1.0
    >>> as_signal(SignalSpec(bandwidth=5.0, rms=1.0), dt=0.001, duration=2.0).name
    'white'
    """
    dt = check_positive("as_signal.dt", dt, "seconds")
    least = int(np.floor(theta / dt + 1e-9)) + 1 if least is None else least
    # draw a band, or wrap samples; one row is a column where several could be
    x = SignalSpec() if x is None else x
    signal = x.draw(duration, dt) if isinstance(x, SignalSpec) else x
    shape: tuple[int, ...] = ()
    try:
        if not isinstance(signal, Signal):
            signal = Signal(signal, dt, "given", "given")
        if channels and signal.samples.ndim == 1:
            signal = replace(signal, samples=signal.samples[:, None])
        shape = signal.samples.shape
    except ValidationError:
        pass  # which is refused below, by the name of the argument
    if not shape or shape[1:] != ((channels,) if channels else ()):
        sizes = f"(T, {channels})" if channels else "(T,)"
        problem = f"must be finite samples {sizes}, a Signal, or a SignalSpec"
        raise ValidationError(attribute, getattr(x, "shape", x), problem)
    if len(signal.samples) < least:
        remedy = f"use at least {least} steps of {dt:g} s"
        raise ValidationError(attribute, shape, "is too short", remedy)
    # its step and size
    if not np.isclose(signal.dt, dt, rtol=1e-6, atol=0):
        problem = f"has steps of {signal.dt:g} s, not of {dt:g} s"
        raise ValidationError(attribute, x, problem, f"use .resampled({dt:g})")
    largest = float(np.abs(signal.samples).max())
    if largest > LARGEST:
        problem = f"is more than {LARGEST:g}, whose squares are no numbers"
        raise ValidationError(attribute, largest, problem, "scale it")
    return signal
