"""Prediction of the real electrocardiogram of PyWavelets."""

from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.signals.ecg import RATE, recording
from lmu_spiking.tasks.sequences import Part, Sequences, lengths

SHARES = (0.60, 0.75)  # where training and validation end, as parts of the recording


def heartbeats(ahead: int = 10, window: int | None = None) -> Sequences:
    """Return the task to predict the electrocardiogram of `recording`.

    There are only 1,024 samples, 2.8 s of one heart: two beats in the first 60 %, which
    train, none in the next 15 %, to choose by, and one in the last 25 %, to test.  What
    is measured on it tells of this beat, not of hearts.  The parts are not looped and
    share no sample: the targets of each lie in it.

    Parameters
    ----------
    ahead : int
        Samples of 1/360 s from the last input to the target; 10 are 28 ms.
    window : int, optional
        Cut each part into sequences of so many samples, the rest left out.  By default
        each part is one sequence, of its own length.

    Returns
    -------
    Sequences
        The three parts of the task.

    Raises
    ------
    ValidationError
        If a part is too short for ``ahead`` and ``window``.
    MissingPackageError
        If PyWavelets is not installed.
    """
    ahead = check_whole("heartbeats.ahead", ahead, least=1)
    if window is not None:
        window = check_whole("heartbeats.window", window, least=1)
    u = recording()
    first, second = (round(share * len(u)) for share in SHARES)
    samples = u[:first], u[first:second], u[second:]
    shortest = min(map(len, samples))
    if ahead >= shortest:
        problem = f"does not fit into {shortest} samples, the shortest part"
        remedy = f"use at most {shortest - 1}"
        raise ValidationError("heartbeats.ahead", ahead, problem, remedy)
    if window is not None and window > shortest - ahead:
        problem = f"and {ahead} ahead do not fit into {shortest} samples"
        remedy = f"use at most {shortest - ahead}"
        raise ValidationError("heartbeats.window", window, problem, remedy)
    cut = "whole" if window is None else f"in windows of {window}"
    origin = (
        f"PyWavelets, pywt.data.ecg(): {len(u)} samples taken as {RATE:g} Hz, three "
        f"beats, less its mean and over its peak; blocks of {lengths(samples)}, {cut}, "
        f"{ahead} ahead"
    )
    parts = [_part(each, ahead, window) for each in samples]
    return Sequences(
        "ecg", *parts, dt=1 / RATE, classes=None, last=False, origin=origin
    )


def _part(u, ahead: int, window: int | None) -> Part:
    """Return inputs (n, window, 1) and what follows each ``ahead`` samples later."""
    steps = len(u) - ahead if window is None else window
    n = (len(u) - ahead) // steps
    x, y = u[: n * steps], u[ahead : ahead + n * steps]
    return Part(x.reshape(n, steps, 1), y.reshape(n, steps, 1))
