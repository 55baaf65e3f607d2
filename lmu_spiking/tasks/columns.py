"""Which column of a file is the signal, which is time, and what step the times say."""

import re
from numbers import Integral

import numpy as np

from lmu_spiking.errors import SignalFileError, ValidationError

TIME_NAMES = {"t", "t_s", "sec", "seconds"} | {
    f"time{unit}" for unit in ("", "_s", "_sec", "_seconds")
}
"""Names of a column of seconds; ``Time (s)`` and ``time [s]`` count as ``time_s``."""

MAX_JITTER = 0.01
"""Largest deviation of a time step from their mean, as a part of it."""


def is_time(name: str) -> bool:
    """Whether a column of this name holds time in seconds."""
    return _plain(name) in TIME_NAMES


def column_index(column, names: list[str]) -> int:
    """Position of a column given by name, or by position counted from 0.

    Raises
    ------
    ValidationError
        If there is no such column.
    """
    if isinstance(column, str) and column in names:
        return names.index(column)
    index = int(column) if isinstance(column, str) and column.isdecimal() else column
    whole = isinstance(index, Integral) and not isinstance(index, bool)
    if not whole or not 0 <= index < len(names):
        raise ValidationError(
            "load_signal.column",
            column,
            "is not in the file",
            f"choose one of {listing(names)}",
        )
    return int(index)


def signal_and_time(column, names: list[str], headed: bool, timed: bool):
    """Positions of the signal and of its time column.

    Parameters
    ----------
    column : str, int or None
        The user's choice; None if there is only one to choose.
    names : list of str
        One for each column; their positions if the file has no header.
    headed : bool
        Whether the names come from a header.
    timed : bool
        Whether times are wanted, or a sampling rate stands in for them.

    Returns
    -------
    signal : int
    time : int or None

    Raises
    ------
    SignalFileError
        If the choice is open, or the first column looks like time in another unit.
    ValidationError
        If the chosen column is not in the file, or is the time.
    """
    time = 0 if headed and is_time(names[0]) else None
    if column is None:
        signal = _only_signal(names, time, headed)
    else:
        signal = column_index(column, names)
        if signal == time:
            raise ValidationError("load_signal.column", column, "is the time column")
        if not headed and signal > 0:
            time = 0
    if not timed:
        return signal, None
    if headed and time is None and signal and _plain(names[0]).startswith("time"):
        raise SignalFileError(
            f"{names[0]!r} is not known as time in seconds; name it 'time', or give "
            "the sampling rate"
        )
    return signal, time


def uniform_step(times: np.ndarray) -> float:
    """Return the mean step of times that increase evenly.

    Raises
    ------
    SignalFileError
        If a time is not after the one before it, a step is more than 1 % off, or a
        time more than a step from where even steps would put it.
    """
    if len(times) < 2:
        raise SignalFileError("is too short: a signal needs 2 samples or more")
    steps = np.diff(times)
    back = np.flatnonzero(steps <= 0)
    if len(back):
        raise SignalFileError(f"time does not increase after {times[back[0]]:g} s")
    mean = float((times[-1] - times[0]) / len(steps))
    worst = int(np.argmax(np.abs(steps - mean)))
    if abs(steps[worst] / mean - 1) > MAX_JITTER:
        raise SignalFileError(
            f"time is uneven: a step of {steps[worst]:g} s after {times[worst]:g} s, "
            f"{mean:g} s on average; resample it evenly, or give the sampling rate "
            "and times are not read"
        )
    drift = np.abs(times - times[0] - mean * np.arange(len(times)))
    if drift.max() > mean:
        at = int(np.argmax(drift))
        raise SignalFileError(
            f"time drifts: {times[at]:g} s is {drift[at]:g} s from where even steps of "
            f"{mean:g} s would be; resample it evenly, or give the sampling rate and "
            "times are not read"
        )
    return mean


def listing(names: list[str], most: int = 8) -> str:
    """``a, b, c``, cut after ``most`` names and 40 letters of each."""
    shown = ", ".join(" ".join(name.split())[:40] for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ..."


def _only_signal(names: list[str], time: int | None, headed: bool) -> int:
    signals = [i for i in range(len(names)) if i != time]
    if len(signals) == 1:
        return signals[0]
    if not signals:
        raise SignalFileError("holds time and no signal")
    hint = "" if headed else "; without a header, column 1 and later have time in 0"
    raise SignalFileError(
        f"holds {len(signals)} columns, {listing([names[i] for i in signals])}: "
        f"choose one with column{hint}"
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
