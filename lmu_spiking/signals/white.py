"""Band-limited white noise, the input that errors are predicted for."""

import numpy as np

from lmu_spiking.errors import ValidationError, check_memory, check_positive
from lmu_spiking.signals.signal import Signal, step_count

COPIES = 6  # of the samples, at most, while they are made
MAX_SEED = 2**31 - 1  # the largest that Nengo takes


def white_noise(
    duration: float, dt: float, bandwidth: float, rms: float, seed: int
) -> Signal:
    r"""Gaussian noise with equal power up to ``bandwidth`` and none above.

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
    _check_seed(seed)
    process = WhiteSignal(
        period=float(duration), high=float(bandwidth), rms=rms, seed=int(seed)
    )
    samples = process.run_steps(n, d=1, dt=dt)[:, 0]
    source = (
        f"nengo.processes.WhiteSignal(period={duration:g}, high={bandwidth:g}, "
        f"rms={rms:g}, seed={seed})"
    )
    return Signal(samples, dt, "white", source, periodic=True)


def _check_bandwidth(bandwidth: float, duration: float, dt: float) -> None:
    check_positive("white_noise.bandwidth", bandwidth, "Hz")
    if bandwidth > 0.5 / dt:
        raise ValidationError(
            "white_noise.bandwidth",
            bandwidth,
            f"is above {0.5 / dt:g} Hz, the Nyquist frequency of dt {dt:g} s",
            f"use at most {_digits(0.5 / dt, -1e-5)} Hz, or a smaller dt",
        )
    if bandwidth < 1.0 / duration:
        raise ValidationError(
            "white_noise.bandwidth",
            bandwidth,
            f"is below {1 / duration:g} Hz, one cycle in {duration:g} s",
            f"use at least {_digits(1 / duration, 1e-5)} Hz, or a longer duration",
        )


def _digits(limit: float, slack: float) -> str:
    """A limit in six digits, not rounded to the forbidden side of it."""
    text = f"{limit:g}"
    allowed = (float(text) - limit) * slack >= 0
    return text if allowed else f"{limit * (1 + slack):g}"


def _check_seed(seed) -> None:
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= MAX_SEED:
        raise ValidationError(
            "white_noise.seed", seed, f"must be a whole number from 0 to {MAX_SEED}"
        )
