"""Signals from the user's own files: columns of text and arrays."""

import io
import zipfile
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.errors import SignalFileError, ValidationError, check_positive
from lmu_spiking.files import (
    LARGEST,
    open_arrays,
    read_array,
    reading,
    size,
    write_atomically,
)
from lmu_spiking.signals.columns import (
    EVERY,
    chosen_columns,
    chosen_names,
    column_index,
    column_positions,
    distinct,
    finite,
    is_time,
    listing,
    signal_and_time,
    split_columns,
    two_dimensional,
    uniform_step,
)
from lmu_spiking.signals.recordings import read_edf, read_flac, read_wav
from lmu_spiking.signals.signal import Signal

NPZ_NAMES = ("samples", "u", "x")  # of arrays that hold the signal
COLUMNS = 1000  # the most in a file of text
CELLS = 2**18  # of a text file that are read together

# -- readers ---------------------------------------------------------------------------
# One reader for each kind of signal file: samples and, where the file says it, step.
#
# A reader takes ``(path, column, timed)`` and returns ``(samples, step or None,
# names)``: samples (T,) and one name for a column, (T, C) and C names for several.
# With ``timed`` false the user has given the sampling rate, and what the file says of
# time is not read.  Errors leave the path to `load_signal`, which puts it in front.
# Those of recordings with a rate of their own are in `recordings`.


def read_csv(path: Path, column, timed: bool):
    """Read columns of numbers, separated by comma, semicolon or tab.

    The first line is a header if its first cell is not a number.  A decimal comma is
    understood where the separator is not a comma.

    Parameters
    ----------
    path : Path
    column : str, int, sequence or None
    timed : bool
        If times are wanted.

    Returns
    -------
    samples : (T,) or (T, C) ndarray
        The column, or columns.
    step : float or None
        Seconds.
    names : list of str
        Of the columns.
    """
    import pandas  # slow to import, so only when used

    separator, blank, width = _first_line(path)
    cells: dict[str, Any] = {"header": None, "dtype": str, "keep_default_na": False}
    cells |= {"skip_blank_lines": False, "chunksize": max(1, CELLS // width)}
    # a unit in the header may be in an older encoding
    cells |= {"encoding": "utf-8-sig", "encoding_errors": "replace"}
    parts = pandas.read_csv(path, sep=separator, skiprows=blank, **cells)
    places, names, samples, times = None, [], [], []
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
                places, names, table = _places(table, column, timed)
            signal, time = places
            if isinstance(signal, list):
                columns = [_numbers(table.iloc[:, i]) for i in signal]
                samples.append(np.stack(columns, axis=1))
            else:
                samples.append(_numbers(table.iloc[:, signal]))
            if time is not None:
                times.append(_numbers(table.iloc[:, time]))
    if places is None:
        raise SignalFileError("is empty")
    step = uniform_step(np.concatenate(times)) if times else None
    return np.concatenate(samples), step, names


def _places(table, column, timed: bool):
    """Return where signal and time are, the signal's names, and the rows of numbers."""
    if (table.iloc[:, -1] == "").all():  # every line ends in a separator
        table = table.iloc[:, :-1]
    headed, names = False, [str(i) for i in range(table.shape[1])]
    try:
        float(table.iloc[0, 0])
    except ValueError:
        headed = True
        # "# t,u" of savetxt
        names = distinct([cell.lstrip("# ") for cell in table.iloc[0]])
        table = table.iloc[1:]
    column = split_columns(column, names)
    places = signal_and_time(column, names, headed, timed)
    if column == EVERY[-1] and not headed:
        _refuse_times(table)
    return places, chosen_names(names, places[0]), table


def _refuse_times(table) -> None:
    """Raise an error if the first of all columns, without a header, may be times."""
    first = _numbers(table.iloc[:, 0])
    width = table.shape[1]
    if width > 1 and len(first) > 2 and np.ptp(np.diff(first)) < 1e-6 * np.ptp(first):
        rest = ",".join(map(str, range(1, width)[:3])) + (",..." if width > 4 else "")
        problem = "column 0 rises evenly as times do, and no header says what it is"
        remedy = f"choose {rest}, with time in 0, or name the columns in a first line"
        raise SignalFileError(f"{problem}; {remedy}")


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
    column : str, int, sequence or None
        The name of another array, or a position in an array (T, columns).
    timed : bool
        If the step is wanted.

    Returns
    -------
    samples : (T,) or (T, C) ndarray
        The array or its column, or several.
    step : float or None
        Seconds.
    names : list of str
        Of the arrays or columns.
    """
    if not zipfile.is_zipfile(path):
        raise SignalFileError("is not an .npz archive, or is cut short")
    with open_arrays(path) as archive:
        keys, chosen = _npz_keys(archive.files, column)
        tables = [_table(archive[key], key) for key in keys]
        if len(keys) > 1:
            samples, names = _side_by_side(tables, keys), keys
        else:
            samples, names = chosen_columns(tables[0], chosen)
            if (
                tables[0].shape[1] == 1
            ):  # it has a name, and is one column if named alone
                names, named = keys, column == keys[0]
                samples = samples[:, 0] if named else samples
        step = _npz_step(archive, len(samples)) if timed else None
    return finite(samples), step, names


def _npz_keys(keys: list[str], column):
    """Return the names of the arrays that are meant, and which columns of one array.

    An array that is named is meant whole.
    """
    parts = split_columns(column, keys)
    listed = parts if isinstance(parts, list) else [parts]
    if any(isinstance(p, str) and not _is_position(p) for p in listed):
        found = [keys[column_index(part, keys)] for part in listed]
        column_positions(listed, keys, [])  # which refuses one that is there twice
        return found, EVERY[-1]
    arrays = [k for k in keys if k not in ("dt", "rate") and not is_time(k)]
    named = [k for k in NPZ_NAMES if k in arrays]
    if named or len(arrays) == 1:
        return (named or arrays)[:1], parts
    if not arrays:
        raise SignalFileError("holds no array of samples")
    if parts == EVERY[-1]:
        return arrays, parts
    remedy = "name the signal 'samples', or choose one with column"
    raise SignalFileError(f"holds {len(arrays)} arrays, {listing(arrays)}: {remedy}")


def _is_position(text: str) -> bool:
    """Return whether a part of ``column`` says where, rather than a name."""
    return text.isdecimal() or text == EVERY[-1]


def _side_by_side(tables: list[np.ndarray], keys: list[str]) -> np.ndarray:
    """Return arrays of one column and one length as the columns of one array."""
    n = len(tables[0])
    for table, key in zip(tables, keys, strict=True):
        if table.shape[1] > 1:
            problem = f"{key!r} has {table.shape[1]} columns; choose arrays of one each"
            raise SignalFileError(problem)
        if len(table) != n:
            problem = f"{key!r} has {len(table)} samples, {keys[0]!r} {n}"
            raise SignalFileError(f"{problem}; choose arrays of one length")
    return np.concatenate(tables, axis=1)


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


def read_npy(path: Path, column, timed: bool):
    """Read one array, as `numpy.save` writes it; it says no step.

    Parameters
    ----------
    path : Path
    column : str, int, sequence or None
        A position in an array (T, columns).
    timed : bool
        Not used.

    Returns
    -------
    samples : (T,) or (T, C) ndarray
        The array, or its columns.
    step : None
    names : list of str
        Positions of the columns.
    """
    table = _table(read_array(path), path.name)
    names = [str(i) for i in range(table.shape[1])]
    samples, names = chosen_columns(table, split_columns(column, names))
    return finite(samples), None, names


def _table(array: np.ndarray, key: str) -> np.ndarray:
    """Return an array as floats (T, columns), or raise an error if it cannot be."""
    array = np.atleast_1d(np.squeeze(_real(array, key)))
    if array.ndim > 2:
        problem = f"{key!r} has {array.ndim} dimensions; use (T,)"
        raise SignalFileError(f"{problem} or (T, channels)")
    if array.ndim == 2 and array.size and len(array) < array.shape[1]:
        problem = f"{key!r} has {len(array)} rows of {array.shape[1]} columns, where a "
        remedy = "row is a step and a column a channel; save its transpose"
        raise SignalFileError(problem + remedy)
    return two_dimensional(array)


def _real(array: np.ndarray, key: str) -> np.ndarray:
    """Return an array of an archive as floats."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise SignalFileError(f"{key!r} holds {array.dtype}, not real numbers")
    return array.astype(np.float64, copy=False)


READERS = {".csv": read_csv, ".npz": read_npz, ".npy": read_npy, ".wav": read_wav}
READERS |= {".flac": read_flac, ".edf": read_edf}


def load_signal(
    path: str | PathLike,
    dt: float | None,
    column: str | int | Sequence[str | int] | None = None,
    rate: float | None = None,
    *,
    untimed: Callable[[], Any] | None = None,
) -> Signal:
    """Read a signal of one or several channels from a file, and resample it to ``dt``.

    Nothing is normalised and the mean is kept; only whole numbers in a sound are scaled
    to [-1, 1).  `Signal.resampled` says how the step is changed.

    Parameters
    ----------
    path : str or path-like
        .csv: numbers in columns, parted by comma, semicolon or tab, with or without a
        header.  A first column whose header is ``t``, ``time``, ``seconds``,
        ``time_s``, ``Time (s)`` and the like is time in seconds; so is the first
        column of a file without a header when ``column`` chooses later ones only.

        .npz: an array ``samples``, ``u`` or ``x``, or the only one, (T,) or (T,
        channels), with an optional ``dt`` (seconds) or ``rate`` (Hz), or times in an
        array ``t`` or ``time``.

        .npy: an array (T,) or (T, channels), which says no step.

        .wav, .flac: as sound programs write them.

        .edf: electroencephalograms and the like, in the file's units.
    dt : float or None
        Step of the signal wanted, seconds; None for the file's own.
    column : str, int or sequence of them, optional
        Column by name, or by position from 0 (time counts); in an .npz file the name
        of an array, or the position in an array (T, columns); in a sound the channel,
        0 by default.  Several, as a list or with commas between, are channels of the
        signal in that order; ``"all"`` or ``":"`` are every column but time.  Needed
        where there are several to choose from.
    rate : float, optional
        Sampling rate of the file, Hz.  It stands in for whatever the file says.  If
        neither says it, the file is taken to have one sample for each ``dt``.
    untimed : callable, optional
        Called without arguments if neither says it; with ``dt`` None it returns the
        step, seconds.

    Returns
    -------
    Signal
        Named after the file.  Samples are (T,) for one column, and (T, channels) for
        several and for a list of one; ``channels`` are their names.  Times need not
        start at 0; sample 0 is the first.

    Raises
    ------
    SignalFileError
        If the file is missing, empty or of another kind, cannot be read, has fewer than
        2 samples, text or NaN among them, times that are not even to 1 %, channels of
        different rates or lengths, or no step where ``dt`` is None.
    ValidationError
        If an argument is out of range, or a column is not in the file or chosen twice.
    MissingPackageError
        If a .flac or .edf file needs a package that is not installed.
    """
    if dt is not None:
        dt = check_positive("load_signal.dt", dt, "seconds")
    if rate is not None:
        rate = check_positive("load_signal.rate", rate, "Hz")
    if not isinstance(path, (str, PathLike)):
        raise ValidationError("load_signal.path", path, "must be a path")
    path = Path(path)
    with reading(path, SignalFileError):
        read, file = _reader(path)
        samples, step, names = read(file, column, timed=rate is None)
        if len(samples) < 2:
            raise SignalFileError("is too short: a signal needs 2 samples or more")
        if rate is not None:
            step = 1 / rate
        if step is None and dt is None and untimed is None:
            raise SignalFileError(
                "says no sampling rate; give it with rate, or give dt"
            )
    if step is None:
        told = None if untimed is None else untimed()
        step = told if dt is None else dt
    chosen = "" if column is None else f", column {_said(column)}"
    source = f"{path}{chosen}, {1 / step:g} Hz"
    signal = Signal(samples, step, path.stem, source, channels=tuple(names))
    return signal if dt is None else signal.resampled(dt)


def _said(column) -> str:
    """Return the choice of columns as the command line takes it."""
    several = isinstance(column, Sequence) and not isinstance(column, str)
    return ",".join(map(str, column)) if several else str(column)


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


# -- writing ---------------------------------------------------------------------------


def save_signal(path: str | PathLike, signal: Signal) -> Path:
    """Write a signal to a .csv, .npz or .wav file, which `load_signal` reads again.

    Parameters
    ----------
    path : str or path-like
        .csv: times, seconds, and a column for each channel, in six digits; .npz:
        ``samples``, ``dt`` and ``channels``; .wav: 32-bit numbers as they are, at the
        nearest whole rate.  It is written whole or not at all.
    signal : Signal

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValidationError
        If the ending is another one, or a .wav cannot have that rate.
    """
    path, samples = Path(path), signal.samples.reshape(len(signal.samples), -1)
    buffer, kind = io.BytesIO(), path.suffix.lower()
    if kind == ".npz":
        names = np.array(signal.channels)
        np.savez_compressed(buffer, samples=samples, dt=signal.dt, channels=names)
    elif kind == ".csv":
        import pandas  # slow to import, so only when used

        table = pandas.DataFrame(samples, columns=list(signal.channels))
        # times in full, which must be even when they are read
        times = signal.dt * np.arange(len(samples))
        table.insert(0, "time", [f"{t:.12g}" for t in times], allow_duplicates=True)
        table.to_csv(buffer, index=False, float_format="%.6g")
    elif kind == ".wav":
        from scipy.io import wavfile

        rate = round(1 / signal.dt)
        if not 0 < rate < 2**31:
            problem = f"has no whole rate for steps of {signal.dt:g} s"
            remedy = "use .csv or .npz"
            raise ValidationError("save_signal.path", str(path), problem, remedy)
        wavfile.write(buffer, rate, samples.astype(np.float32))
    else:
        problem, remedy = "is not known", "use .csv, .npz or .wav"
        raise ValidationError("save_signal.path", str(path), problem, remedy)
    write_atomically(path, buffer.getvalue())
    return path
