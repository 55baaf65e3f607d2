"""Signals from the user's own files: columns of text, arrays, and sound."""

import re
import warnings
import zipfile
from collections.abc import Callable
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.errors import (
    SignalFileError,
    ValidationError,
    ValidityWarning,
    check_positive,
)
from lmu_spiking.files import LARGEST, open_arrays, reading, size
from lmu_spiking.signals.signal import Signal

# names of a column of seconds; ``Time (s)`` and ``time [s]`` count as ``time_s``
TIME_NAMES = "t t_s sec seconds time time_s time_sec time_seconds".split()
MAX_JITTER = 0.01  # largest deviation of a time step from their mean, relative to it
NPZ_NAMES = ("samples", "u", "x")  # of arrays that hold the signal
COLUMNS = 1000  # the most in a file of text
CELLS = 2**18  # of a text file that are read together
CLIPPED = 0.001  # share of samples that may be at the limits of their format

# -- columns ---------------------------------------------------------------------------
# Which column of a file is the signal, which is time, and what step the times say.


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


def signal_and_time(column, names: list[str], headed: bool, timed: bool):
    """Return the positions of the signal and of its time column.

    Parameters
    ----------
    column : str, int or None
        The user's choice; None if there is only one to choose.
    names : list of str
        One for each column; their positions if the file has no header.
    headed : bool
        If the names come from a header.
    timed : bool
        If times are wanted, and no sampling rate stands in for them.

    Returns
    -------
    signal : int
        Position of the signal.
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
    if column is not None:
        signal = column_index(column, names)
        if signal == time:
            raise ValidationError("load_signal.column", column, "is the time column")
        if not headed and signal > 0:
            time = 0
    elif not others:
        raise SignalFileError("holds time and no signal")
    elif len(others) > 1:
        hint = "" if headed else "; without a header, column 1 and later have time in 0"
        those = listing([names[i] for i in others])
        problem = f"holds {len(others)} columns, {those}: choose one with column"
        raise SignalFileError(problem + hint)
    else:
        signal = others[0]
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


# -- readers ---------------------------------------------------------------------------
# One reader for each kind of signal file: samples and, where the file says it, step.
#
# A reader takes ``(path, column, timed)`` and returns ``(samples, step or None)``.
# With ``timed`` false the user has given the sampling rate, and what the file says of
# time is not read.  Errors leave the path to `load_signal`, which puts it in front.


def read_csv(path: Path, column, timed: bool):
    """Read a column of numbers, separated by comma, semicolon or tab.

    The first line is a header if its first cell is not a number.  A decimal comma is
    understood where the separator is not a comma.

    Parameters
    ----------
    path : Path
    column : str, int or None
    timed : bool
        If times are wanted.

    Returns
    -------
    samples : (T,) ndarray
        The column.
    step : float or None
        Seconds.
    """
    import pandas  # slow to import, so only when used

    separator, blank, width = _first_line(path)
    cells: dict[str, Any] = {"header": None, "dtype": str, "keep_default_na": False}
    cells |= {"skip_blank_lines": False, "chunksize": max(1, CELLS // width)}
    # a unit in the header may be in an older encoding
    cells |= {"encoding": "utf-8-sig", "encoding_errors": "replace"}
    parts = pandas.read_csv(path, sep=separator, skiprows=blank, **cells)
    places, samples, times = None, [], []
    with parts:
        for part in parts:
            part.index += blank + 1  # the number of the line in the file
            # without outer blanks, decimal commas and blank lines
            table = part.fillna("").apply(lambda cells: cells.str.strip())
            if separator != ",":
                table = table.apply(lambda cells: cells.str.replace(",", "."))
            table = table[(table != "").any(axis=1)]
            if table.empty:
                continue
            if places is None:
                places, table = _places(table, column, timed)
            signal, time = places
            samples.append(_numbers(table.iloc[:, signal]))
            if time is not None:
                times.append(_numbers(table.iloc[:, time]))
    if places is None:
        raise SignalFileError("is empty")
    step = uniform_step(np.concatenate(times)) if times else None
    return np.concatenate(samples), step


def _places(table, column, timed: bool):
    """Return the positions of signal and time, and the table without its header."""
    if (table.iloc[:, -1] == "").all():  # every line ends in a separator
        table = table.iloc[:, :-1]
    headed, names = False, [str(i) for i in range(table.shape[1])]
    try:
        float(table.iloc[0, 0])
    except ValueError:
        headed = True
        names = [cell.lstrip("# ") for cell in table.iloc[0]]  # "# t,u" of savetxt
        table = table.iloc[1:]
    return signal_and_time(column, names, headed, timed), table


def _first_line(path: Path) -> tuple[str, int, int]:
    """Return the first line's separator, the blank lines before it, and its columns."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for blank, line in enumerate(file):
            if line.strip():
                separator = next((s for s in "\t;," if s in line), ",")
                width = line.count(separator) + 1
                if width > COLUMNS:
                    problem = f"has {width} columns, more than {COLUMNS}"
                    remedy = "write the one that is meant to a file of its own"
                    raise SignalFileError(f"{problem}; {remedy}")
                return separator, blank, width
    raise SignalFileError("is empty")


def _numbers(cells) -> np.ndarray:
    """Return a column of text as floats, or raise an error with the line of a fault."""
    import pandas

    numbers: Any = pandas.to_numeric(cells, errors="coerce")
    values = numbers.to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        line, cell = cells.index[bad[0]], cells.iloc[bad[0]]
        what = repr(cell[:40]) if cell else "an empty cell"
        raise SignalFileError(f"line {line} has {what} where a finite number should be")
    return values


def read_npz(path: Path, column, timed: bool):
    """Read an array named ``samples``, ``u`` or ``x``, or the only one, and its step.

    The step is in a number ``dt`` (seconds) or ``rate`` (Hz), or in an array of times.

    Parameters
    ----------
    path : Path
    column : str, int or None
        The name of another array, or a position in an array (T, columns).
    timed : bool
        If the step is wanted.

    Returns
    -------
    samples : (T,) ndarray
        The array, or its column.
    step : float or None
        Seconds.
    """
    if not zipfile.is_zipfile(path):
        raise SignalFileError("is not an .npz archive, or is cut short")
    with open_arrays(path) as archive:
        key = _npz_key(archive.files, column)
        array = np.atleast_1d(np.squeeze(_real(archive[key], key)))
        if array.ndim > 2:
            raise SignalFileError(f"{key!r} has {array.ndim} dimensions; use (T,)")
        channels = _channels(array)
        names = [str(i) for i in range(channels.shape[1])]
        chosen = None if column == key else column
        signal, _ = signal_and_time(chosen, names, headed=True, timed=False)
        step = _npz_step(archive, len(array)) if timed else None
    return _finite(channels[:, signal]), step


def _npz_key(keys: list[str], column) -> str:
    """Return the name of the array that holds the signal."""
    if isinstance(column, str) and not column.isdecimal():
        return keys[column_index(column, keys)]
    arrays = [k for k in keys if k not in ("dt", "rate") and not is_time(k)]
    named = [k for k in NPZ_NAMES if k in arrays]
    if named or len(arrays) == 1:
        return (named or arrays)[0]
    if not arrays:
        raise SignalFileError("holds no array of samples")
    remedy = "name the signal 'samples', or choose one with column"
    raise SignalFileError(f"holds {len(arrays)} arrays, {listing(arrays)}: {remedy}")


def _npz_step(archive, n: int) -> float | None:
    """Return the step, seconds, of ``dt``, ``rate`` or times of the archive."""
    for key, power in (("dt", 1), ("rate", -1)):
        if key in archive.files:
            value = _real(archive[key], key)
            if value.size != 1 or not np.isfinite(value).all() or value.item() <= 0:
                raise SignalFileError(f"{key!r} must be one positive number")
            return float(value.item()) ** power
    for key in filter(is_time, archive.files):
        times = np.squeeze(_real(archive[key], key))
        if times.shape != (n,) or not np.isfinite(times).all():
            raise SignalFileError(f"{key!r} must be {n} finite times, one a sample")
        return uniform_step(times)
    return None


def _real(array: np.ndarray, key: str) -> np.ndarray:
    """Return an array of an archive as floats."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise SignalFileError(f"{key!r} holds {array.dtype}, not real numbers")
    return array.astype(np.float64, copy=False)


def read_wav(path: Path, column, timed: bool):
    """Read a sound; whole numbers are scaled to [-1, 1).

    Parameters
    ----------
    path : Path
    column : str, int or None
        The channel; the first by default.
    timed : bool
        Not used: the file has a sampling rate.

    Returns
    -------
    samples : (T,) ndarray
        The channel.
    step : float
        Seconds.
    """
    from scipy.io import wavfile

    with warnings.catch_warnings():
        # a file cut short is only a warning there; chunks of text about it are harmless
        warnings.simplefilter("error", wavfile.WavFileWarning)
        warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)
        rate, data = wavfile.read(path)
    if rate <= 0:
        raise SignalFileError(f"has a sampling rate of {rate} Hz")
    channels = _channels(data)
    n = channels.shape[1]
    if n > 1 and column is None:
        problem = f"{path}: has {n} channels, of which the first is taken; choose one "
        remedy = "with column (--column 0 is the first)"
        warnings.warn(problem + remedy, ValidityWarning, stacklevel=3)
    names = [str(i) for i in range(n)]
    samples = channels[:, column_index(0 if column is None else column, names)]
    if samples.dtype.kind in "iu":
        _warn_of_clipping(path, samples)
    if samples.dtype.kind == "u":
        samples = (samples - 128.0) / 128.0  # 8 bits are stored around 128
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return _finite(samples), 1.0 / rate


def _warn_of_clipping(path: Path, samples: np.ndarray) -> None:
    """Warn if a recording was louder than its format can store."""
    limits = np.iinfo(samples.dtype)
    least, most = samples == limits.min, samples == limits.max
    share = np.sum(least[1:] & least[:-1] | most[1:] & most[:-1]) / len(samples)
    if share > CLIPPED:
        problem = f"{path}: {100 * share:.2g} % of its samples stand at the limits of "
        problem += "their format: it was recorded too loud, and its peaks are cut off"
        warnings.warn(problem, ValidityWarning, stacklevel=4)


def _channels(array: np.ndarray) -> np.ndarray:
    """Return an array of shape (T,) or (T, columns) as (T, columns)."""
    return array.reshape(len(array), -1) if array.size else np.empty((0, 1))


def _finite(samples: np.ndarray) -> np.ndarray:
    """Return samples, or raise an error with the row of one that is not finite."""
    bad = np.flatnonzero(~np.isfinite(samples))
    if len(bad):
        raise SignalFileError(f"row {bad[0]} (from 0) is {samples[bad[0]]}, not finite")
    return samples


READERS = {".csv": read_csv, ".npz": read_npz, ".wav": read_wav}


def load_signal(
    path: str | PathLike,
    dt: float,
    column: str | int | None = None,
    rate: float | None = None,
    *,
    untimed: Callable[[], object] | None = None,
) -> Signal:
    """Read a signal from a .csv, .npz or .wav file, and resample it to ``dt``.

    Nothing is normalised and the mean is kept; only whole numbers in a .wav are scaled
    to [-1, 1).  `Signal.resampled` says how the step is changed.

    Parameters
    ----------
    path : str or path-like
        .csv: numbers in columns, parted by comma, semicolon or tab, with or without a
        header.  A first column whose header is ``t``, ``time``, ``seconds``,
        ``time_s``, ``Time (s)`` and the like is time in seconds; so is the first
        column of a file without a header when ``column`` chooses a later one.

        .npz: an array ``samples``, ``u`` or ``x``, or the only one, with an optional
        ``dt`` (seconds) or ``rate`` (Hz), or times in an array ``t`` or ``time``.

        .wav: as sound programs write it.
    dt : float
        Step of the signal wanted, seconds.
    column : str or int, optional
        Column by name, or by position from 0 (time counts); in an .npz file the name
        of the array, or the position in an array (T, columns); in a .wav file the
        channel, 0 by default.  Needed where there are several to choose from.
    rate : float, optional
        Sampling rate of the file, Hz.  It stands in for whatever the file says.  If
        neither says it, the file is taken to have one sample for each ``dt``.
    untimed : callable, optional
        Called without arguments if neither says it.

    Returns
    -------
    Signal
        Named after the file.  Times need not start at 0; sample 0 is the first.

    Raises
    ------
    SignalFileError
        If the file is missing, empty or of another kind, cannot be read, has fewer than
        2 samples, text or NaN among them, or times that are not even to 1 %.
    ValidationError
        If an argument is out of range or there is no such column.
    """
    dt = check_positive("load_signal.dt", dt, "seconds")
    if rate is not None:
        rate = check_positive("load_signal.rate", rate, "Hz")
    if not isinstance(path, (str, PathLike)):
        raise ValidationError("load_signal.path", path, "must be a path")
    path = Path(path)
    with reading(path, SignalFileError):
        read, file = _reader(path)
        samples, step = read(file, column, timed=rate is None)
        if len(samples) < 2:
            raise SignalFileError("is too short: a signal needs 2 samples or more")
    if rate is not None:
        step = 1 / rate
    if step is None:
        step = dt
        if untimed is not None:
            untimed()
    chosen = "" if column is None else f", column {column}"
    source = f"{path}{chosen}, {1 / step:g} Hz"
    return Signal(samples, step, path.stem, source).resampled(dt)


def _reader(path: Path) -> tuple[Callable, Path]:
    """Return the reader of a file and its path, or raise an error if it has none."""
    file = path.expanduser()
    if file.is_dir():
        raise SignalFileError("is a folder; name a file in it")
    if not file.is_file():
        raise SignalFileError("no such file")
    kind = file.suffix.lower()
    if kind not in READERS:
        extension, kinds = file.suffix or "a name without extension", ", ".join(READERS)
        raise SignalFileError(f"{extension} is not known; use one of {kinds}")
    taken = file.stat().st_size
    if taken == 0:
        raise SignalFileError("is empty")
    if taken > LARGEST:
        remedy = "give a shorter part of it, or a copy at a lower sampling rate"
        raise SignalFileError(f"is larger than {size(LARGEST)}; {remedy}")
    return READERS[kind], file
