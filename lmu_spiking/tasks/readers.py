"""One reader for each kind of signal file: samples and, where the file says it, step.

A reader takes ``(path, column, timed)`` and returns ``(samples, step or None)``.  With
``timed`` false the user has given the sampling rate, and what the file says of time is
not read.  Errors leave the path to `load_signal`, which puts it in front.
"""

import warnings
import zipfile
from pathlib import Path

import numpy as np

from lmu_spiking.errors import SignalFileError, ValidityWarning
from lmu_spiking.files import open_arrays
from lmu_spiking.tasks.columns import (
    column_index,
    is_time,
    listing,
    signal_and_time,
    uniform_step,
)

NPZ_NAMES = ("samples", "u", "x")
COLUMNS = 1000  # of a file of text
CELLS = 2**18  # of a text file that are read together
CLIPPED = 0.001  # share of samples that may be at the limits of their format


def read_csv(path: Path, column, timed: bool):
    """Read a column of numbers, separated by comma, semicolon or tab.

    The first line is a header if its first cell is not a number.  A decimal comma is
    understood where the separator is not a comma.
    """
    import pandas  # slow to import, so only when used

    separator, blank, width = _first_line(path)
    parts = pandas.read_csv(
        path,
        sep=separator,
        header=None,
        skiprows=blank,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        encoding="utf-8-sig",
        encoding_errors="replace",  # a unit in the header, in an older encoding
        chunksize=max(1, CELLS // width),
    )
    places, samples, times = None, [], []
    with parts:
        for part in parts:
            part.index += blank + 1  # the number of the line in the file
            table = _cleaned(part, separator)
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


def _cleaned(table, separator: str):
    """Return the cells without outer blanks, decimal commas and blank lines."""
    table = table.fillna("").apply(lambda cells: cells.str.strip())
    if separator != ",":
        table = table.apply(lambda cells: cells.str.replace(",", ".", regex=False))
    return table[(table != "").any(axis=1)]


def _places(table, column, timed: bool):
    """Return the positions of signal and time, and the table without its header."""
    if (table.iloc[:, -1] == "").all():  # every line ends in a separator
        table = table.iloc[:, :-1]
    headed = not _is_number(table.iloc[0, 0])
    names = [str(i) for i in range(table.shape[1])]
    if headed:
        names = [cell.lstrip("# ") for cell in table.iloc[0]]  # "# t,u" of savetxt
        table = table.iloc[1:]
    return signal_and_time(column, names, headed, timed), table


def read_npz(path: Path, column, timed: bool):
    """An array named ``samples``, ``u`` or ``x``, or the only one, beside its timing.

    Timing is a number ``dt`` (seconds) or ``rate`` (Hz), or an array of times.
    ``column`` is the name of another array, or a position in an array (T, columns).
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


def read_wav(path: Path, column, timed: bool):
    """Sound; whole numbers are scaled to [-1, 1), and ``column`` is the channel."""
    from scipy.io import wavfile

    with warnings.catch_warnings():
        # a file cut short is only a warning there; chunks of text about it are harmless
        warnings.simplefilter("error", wavfile.WavFileWarning)
        warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)
        rate, data = wavfile.read(path)
    if rate <= 0:
        raise SignalFileError(f"has a sampling rate of {rate} Hz")
    channels = _channels(data)
    if channels.shape[1] > 1 and column is None:
        _warn(
            f"{path}: has {channels.shape[1]} channels, of which the first is taken; "
            "choose one with column (--column 0 is the first)"
        )
    names = [str(i) for i in range(channels.shape[1])]
    samples = channels[:, column_index(0 if column is None else column, names)]
    if samples.dtype.kind in "iu":
        _check_clipping(path, samples)
    if samples.dtype.kind == "u":
        samples = (samples - 128.0) / 128.0  # 8 bits are stored around 128
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    return _finite(samples), 1.0 / rate


def _check_clipping(path: Path, samples: np.ndarray) -> None:
    """Warn if a recording was louder than its format can hold."""
    limits = np.iinfo(samples.dtype)
    least, most = samples == limits.min, samples == limits.max
    share = np.sum(least[1:] & least[:-1] | most[1:] & most[:-1]) / len(samples)
    if share > CLIPPED:
        _warn(
            f"{path}: {100 * share:.2g} % of its samples stand at the limits of their "
            "format: it was recorded too loud, and its peaks are cut off"
        )


def _warn(line: str) -> None:
    warnings.warn(line, ValidityWarning, stacklevel=5)


def _first_line(path: Path) -> tuple[str, int, int]:
    """Return the first line's separator, the blank lines before it, and its columns."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for blank, line in enumerate(file):
            if line.strip():
                separator = next((s for s in "\t;," if s in line), ",")
                width = line.count(separator) + 1
                if width > COLUMNS:
                    raise SignalFileError(
                        f"has {width} columns, more than {COLUMNS}; write the one that "
                        "is meant to a file of its own"
                    )
                return separator, blank, width
    raise SignalFileError("is empty")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(cells) -> np.ndarray:
    """A column of text as floats, or the line of the first cell that is none."""
    import pandas

    values = pandas.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        cell = cells.iloc[bad[0]]
        what = repr(cell[:40]) if cell else "an empty cell"
        raise SignalFileError(
            f"line {cells.index[bad[0]]} has {what} where a finite number should be"
        )
    return values


def _channels(array: np.ndarray) -> np.ndarray:
    """(T,) or (T, columns) as (T, columns)."""
    return array.reshape(len(array), -1) if array.size else np.empty((0, 1))


def _npz_key(keys: list[str], column) -> str:
    if isinstance(column, str) and not column.isdecimal():
        return keys[column_index(column, keys)]
    arrays = [k for k in keys if k not in ("dt", "rate") and not is_time(k)]
    named = [k for k in NPZ_NAMES if k in arrays]
    if named or len(arrays) == 1:
        return (named or arrays)[0]
    raise SignalFileError(
        f"holds {len(arrays)} arrays, {listing(arrays)}: name the signal 'samples', or "
        "choose one with column"
        if arrays
        else "holds no array of samples"
    )


def _npz_step(archive, n: int) -> float | None:
    """Step in seconds from ``dt``, ``rate`` or times of the archive, in this order."""
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
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise SignalFileError(f"{key!r} holds {array.dtype}, not real numbers")
    return array.astype(np.float64, copy=False)


def _finite(samples: np.ndarray) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(samples))
    if len(bad):
        raise SignalFileError(f"row {bad[0]} (from 0) is {samples[bad[0]]}, not finite")
    return samples
