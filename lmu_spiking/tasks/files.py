"""A signal from the user's own file."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

from lmu_spiking.errors import SignalFileError, ValidationError, check_positive
from lmu_spiking.files import LARGEST, reading, size
from lmu_spiking.tasks.readers import read_csv, read_npz, read_wav
from lmu_spiking.tasks.signal import Signal

READERS = {".csv": read_csv, ".npz": read_npz, ".wav": read_wav}


def load_signal(
    path: str | PathLike,
    dt: float,
    column: str | int | None = None,
    rate: float | None = None,
    *,
    untimed: Callable[[], object] | None = None,
) -> Signal:
    """A signal from a .csv, .npz or .wav file, resampled to ``dt``.

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
    file = path.expanduser()
    if file.is_dir():
        raise SignalFileError("is a folder; name a file in it")
    if not file.is_file():
        raise SignalFileError("no such file")
    if file.suffix.lower() not in READERS:
        extension = file.suffix or "a name without extension"
        kinds = ", ".join(READERS)
        raise SignalFileError(f"{extension} is not known; use one of {kinds}")
    taken = file.stat().st_size
    if taken == 0:
        raise SignalFileError("is empty")
    if taken > LARGEST:
        raise SignalFileError(
            f"is larger than {size(LARGEST)}; give a shorter part of it, or a copy at "
            "a lower sampling rate"
        )
    return READERS[file.suffix.lower()], file
