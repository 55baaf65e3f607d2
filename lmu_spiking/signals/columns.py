"""Which columns of a file are the signal, which is time, and what step times say."""

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from lmu_spiking.errors import SignalFileError, ValidationError

# names of a column of seconds; ``Time (s)`` and ``time [s]`` count as ``time_s``
TIME_NAMES = "t t_s sec seconds time time_s time_sec time_seconds".split()
MAX_JITTER = 0.01  # largest deviation of a time step from their mean, relative to it
EVERY = ("all", ":")  # ways to ask for every column but time


def is_time(name: str) -> bool:
    """Return whether a column of this name holds time in seconds.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
        True for ``time``, ``t`` and the like.
    """
    return _plain(name) in TIME_NAMES


def column_index(column, names: list[str]) -> int:
    """Return the position of a column given by name, or by position from 0.

    Parameters
    ----------
    column : str or int
    names : list of str
        One for each column.

    Returns
    -------
    int
        From 0.

    Raises
    ------
    ValidationError
        If there is no such column.
    """
    if isinstance(column, str) and column in names:
        return names.index(column)
    index: Any = column
    if isinstance(column, str) and column.isdecimal():
        index = int(column)
    whole = isinstance(index, Integral) and not isinstance(index, bool)
    if not whole or int(index) not in range(len(names)):
        remedy = f"choose one of {listing(names)}"
        name = "load_signal.column"
        raise ValidationError(name, column, "is not in the file", remedy)
    return int(index)


def split_columns(column, names: list[str]):
    """Return the choice of one column as it is, and of several as a list.

    Parameters
    ----------
    column : str, int, sequence of them, or None
        Names with commas between are several, unless one column is called so; ``all``
        and ``:`` are every column but time.
    names : list of str
        One for each column.

    Returns
    -------
    str, int, list or None
        ``:`` for every column.

    Raises
    ------
    ValidationError
        If nothing is chosen, or a column twice.
    """
    if isinstance(column, str) and column not in names:
        if column in EVERY:
            return EVERY[-1]
        if "," in column:
            column = [part.strip() for part in column.split(",")]
    if isinstance(column, str) or not isinstance(column, Sequence):
        return column
    parts = list(column)
    if not parts:
        problem, remedy = "chooses no column", f"choose of {listing(names)}"
        raise ValidationError("load_signal.column", column, problem, remedy)
    return parts


def column_positions(
    column, names: list[str], every: list[int], hint: str = ""
) -> int | list[int]:
    """Return the position of one column, or those of several in their order.

    Parameters
    ----------
    column
        As `split_columns` returns it; None if there is only one to choose.
    names : list of str
        One for each column.
    every : list of int
        What ``:`` stands for.
    hint : str, optional
        What to add if the choice is open.

    Returns
    -------
    int or list of int
        From 0.

    Raises
    ------
    SignalFileError
        If the choice is open.
    ValidationError
        If there is no such column, or it is chosen twice.
    """
    if column is None and len(every) > 1:
        those = listing([names[i] for i in every])
        problem = f"holds {len(every)} columns, {those}: choose one with column, or all"
        raise SignalFileError(problem + hint)
    if column is None:
        return every[0]
    if not isinstance(column, list):
        everything = column == EVERY[-1] and column not in names
        return list(every) if everything else column_index(column, names)
    positions = [column_index(part, names) for part in column]
    for i, position in enumerate(positions):
        if position in positions[:i]:
            problem, remedy = f"has {column[i]!r} twice", "choose each column once"
            raise ValidationError("load_signal.column", column, problem, remedy)
    return positions


def distinct(names: list[str]) -> list[str]:
    """Return names that differ: one without letters, or met twice, has its position.

    Parameters
    ----------
    names : list of str

    Returns
    -------
    list of str
    """
    return [
        name if name and names.count(name) == 1 else f"{name} {i}".strip()
        for i, name in enumerate(names)
    ]


def signal_and_time(column, names: list[str], headed: bool, timed: bool):
    """Return the positions of the signal and of its time column.

    Parameters
    ----------
    column
        The user's choice, as `split_columns` returns it; None if there is only one to
        choose.
    names : list of str
        One for each column; their positions if the file has no header.
    headed : bool
        If the names come from a header.
    timed : bool
        If times are wanted, and no sampling rate stands in for them.

    Returns
    -------
    signal : int or list of int
        Position of the signal, or those of its channels.
    time : int or None
        Position of time, if there is one and it is wanted.

    Raises
    ------
    SignalFileError
        If the choice is open, or the first column looks like time in another unit.
    ValidationError
        If the chosen column is not in the file, or is the time.
    """
    time = 0 if headed and is_time(names[0]) else None
    others = [i for i in range(len(names)) if i != time]
    if not others:
        raise SignalFileError("holds time and no signal")
    hint = "" if headed else "; without a header, column 1 and later have time in 0"
    signal = column_positions(column, names, others, hint)
    if column == EVERY[-1] and headed:
        _refuse_time_among([names[i] for i in others])
    chosen = signal if isinstance(signal, list) else [signal]
    if time in chosen:
        raise ValidationError("load_signal.column", column, "is the time column")
    if not headed and 0 not in chosen:
        time = 0
    if not timed:
        return signal, None
    unknown = headed and time is None and 0 not in chosen
    if unknown and _looks_like_time(names[0]):
        raise SignalFileError(
            f"{names[0]!r} is not known as time in seconds; name it 'time', or give "
            "the sampling rate"
        )
    return signal, time


def _refuse_time_among(names: list[str]) -> None:
    """Raise an error if one of all columns looks like time in another unit or place."""
    for name in filter(_looks_like_time, names):
        problem = f"{name!r} looks like time among the channels; name it 'time' and "
        raise SignalFileError(problem + "write it first, or name the columns you mean")


def _looks_like_time(name: str) -> bool:
    """Return whether a column of this name holds time, perhaps in another unit."""
    return is_time(name) or _plain(name).startswith("time")


def chosen_names(names: list[str], signal: int | list[int]) -> list[str]:
    """Return the names of the columns that are the signal.

    Parameters
    ----------
    names : list of str
    signal : int or list of int

    Returns
    -------
    list of str
    """
    return [names[i] for i in (signal if isinstance(signal, list) else [signal])]


def chosen_columns(table: np.ndarray, column):
    """Return chosen columns of an array, and their positions as names.

    Parameters
    ----------
    table : (T, columns) ndarray
    column
        As `split_columns` returns it; None if there is only one to choose.

    Returns
    -------
    samples : (T,) or (T, C) ndarray
    names : list of str

    Raises
    ------
    SignalFileError
        If the choice is open.
    ValidationError
        If there is no such column.
    """
    names = [str(i) for i in range(table.shape[1])]
    signal = column_positions(column, names, list(range(len(names))))
    return table[:, signal], chosen_names(names, signal)


def two_dimensional(array: np.ndarray) -> np.ndarray:
    """Return an array of shape (T,) or (T, columns) as (T, columns).

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    (T, columns) ndarray
    """
    return array.reshape(len(array), -1) if array.size else np.empty((0, 1))


def finite(samples: np.ndarray) -> np.ndarray:
    """Return samples, or raise an error with the row of one that is not finite.

    Parameters
    ----------
    samples : (T,) or (T, C) ndarray

    Returns
    -------
    (T,) or (T, C) ndarray

    Raises
    ------
    SignalFileError
    """
    bad = np.argwhere(~np.isfinite(samples))
    if len(bad):
        value = samples[tuple(bad[0])]
        raise SignalFileError(f"row {bad[0][0]} (from 0) is {value}, not finite")
    return samples


def uniform_step(times: np.ndarray) -> float:
    """Return the mean step of times that increase evenly.

    Parameters
    ----------
    times : (T,) ndarray
        Seconds.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    SignalFileError
        If a time is not after the one before it, a step is more than 1 % off, or a
        time more than a step from where even steps would put it.
    """
    remedy = "resample it evenly, or give the sampling rate and times are not read"
    if len(times) < 2:
        raise SignalFileError("is too short: a signal needs 2 samples or more")
    steps = np.diff(times)
    back = np.flatnonzero(steps <= 0)
    if len(back):
        raise SignalFileError(f"time does not increase after {times[back[0]]:g} s")
    mean = float((times[-1] - times[0]) / len(steps))
    worst = int(np.argmax(np.abs(steps - mean)))
    if abs(steps[worst] / mean - 1) > MAX_JITTER:
        where = f"a step of {steps[worst]:g} s after {times[worst]:g} s"
        problem = f"time is uneven: {where}, {mean:g} s on average"
        raise SignalFileError(f"{problem}; {remedy}")
    drift = np.abs(times - times[0] - mean * np.arange(len(times)))
    at = int(np.argmax(drift))
    if drift[at] > mean:
        problem = f"time drifts: {times[at]:g} s is {drift[at]:g} s from where even "
        problem += f"steps of {mean:g} s would be"
        raise SignalFileError(f"{problem}; {remedy}")
    return mean


def listing(names: list[str], most: int = 8) -> str:
    """Return names as ``a, b, c``, cut after some names and 40 letters of each.

    Parameters
    ----------
    names : list of str
    most : int
        The most names that are listed.

    Returns
    -------
    str
        In one line.
    """
    shown = ", ".join(" ".join(name.split())[:40] for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ..."


def _plain(name: str) -> str:
    """Return a name in lower case, with ``_`` for all that is no letter or digit."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
