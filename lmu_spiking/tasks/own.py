"""A user's own labelled sequences: an ``.npz`` of arrays, or a folder for each class.

Letters: ``n`` sequences, ``T`` steps of the longest, ``S`` steps of all together, ``c``
channels, ``q`` values to predict.
"""

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.errors import (
    SignalFileError,
    ValidationError,
    ValidityWarning,
    check_positive,
    check_seed,
)
from lmu_spiking.files import LARGEST, open_arrays, reading, size
from lmu_spiking.signals import load_signal
from lmu_spiking.signals.columns import listing
from lmu_spiking.signals.files import READERS
from lmu_spiking.tasks.images import stratified
from lmu_spiking.tasks.sequences import Part, Sequences, check_lengths, lengths

DT = 0.001  # seconds of a step, where nothing says it
PARTS = {"train": 0, "valid": 1, "validation": 1, "val": 1, "test": 2}
FAINT = 1e-5  # of a channel's values, what it must vary by to be kept well
SHARE = 0.2  # of sequences, that test and that are to choose by
ENDINGS = tuple(READERS)
FILES = 100_000  # in a folder
PADDED = 2**31  # bytes of padded sequences
# what is the file's fault, not the caller's
OURS = ("Part", "Sequences", "x", "y", "lengths", "split", "classes", "groups", "dt")


def load_sequences(
    path: str | PathLike,
    *,
    split: int = 0,
    rate: float | None = None,
    classes: Sequence[str] | None = None,
) -> Sequences:
    """Return labelled sequences of the user's own as a task.

    An ``.npz`` has ``x``, of the shape (n, T, c), or (n, T) for one channel, and ``y``.
    Sequences of different length are padded at the end, with anything, and ``lengths``
    (n,) says where they end; without it, steps of NaN at the end are padding.  Or ``x``
    is (S, c), all sequences one after the other, parted by ``lengths``.

    ``y`` are labels, whole numbers or text, of each sequence (n,) or of each step, (n,
    T) or (S,); or values to predict, numbers with fractions, (n,), (n, q), (n, T) or
    (n, T, q), or (S, q).  Floats that are all whole numbers are labels if they are
    (n,).

    Optional arrays are ``split`` (n,), "train", "valid" or "test", or 0, 1 or 2;
    ``groups`` (n,), such as speakers or patients, of which each stays in one part;
    ``classes``, names of the classes in their order; and ``dt`` (seconds) or ``rate``
    (Hz).

    A folder has a sub-folder for each class, of files of one sequence each: .csv, .npy,
    .npz or .wav.  Above these there may be ``train``, ``valid`` and ``test``.

    Parts that are not given are drawn from the training part, each class in its share:
    a fifth of all to test, and a fifth to choose by.

    Parameters
    ----------
    path : str or path-like
        The .npz or the folder.
    split : int
        Seed of the parts that are drawn.
    rate : float, optional
        Samples per second, Hz, whatever the file says.  If nothing says it, a step is
        1 ms.
    classes : sequence of str, optional
        Names of the classes in their order, as a model knows them; by default those of
        the file, or all labels in order.

    Returns
    -------
    Sequences
        The three parts of the task, named after the file, with ``class_names``.

    Raises
    ------
    SignalFileError
        If the file or a file in the folder is missing, damaged, too large, or does not
        hold such arrays.
    ValidationError
        If an argument is out of range.
    """
    if not isinstance(path, (str, PathLike)):
        raise ValidationError("load_sequences.path", path, "must be a path")
    seed = check_seed("load_sequences.split", split)
    if rate is not None:
        rate = check_positive("load_sequences.rate", rate, "Hz")
    path = Path(path)
    with reading(path, SignalFileError, own=OURS):
        place = path.expanduser()
        if place.is_dir():
            arrays = _folder(place, rate is None)
        elif place.suffix.lower() == ".npz" and place.is_file():
            arrays = _archive(place)
        else:
            there = "is no .npz and no folder" if place.exists() else "no such file"
            raise SignalFileError(f"{there}; give an .npz or a folder of classes")
        if classes is not None:
            arrays["classes"] = np.asarray([str(name) for name in classes])
        return _task(path, arrays, seed, rate)


# -- reading ---------------------------------------------------------------------------


def _archive(path: Path) -> dict[str, Any]:
    """Return the arrays of an .npz that have a meaning here."""
    known = ("x", "y", "lengths", "split", "groups", "classes", "dt", "rate")
    with open_arrays(path) as archive:
        for name in ("x", "y"):
            if name not in archive.files:
                remedy = "it must hold x (n, steps, channels) and y (n,)"
                there = listing(archive.files) or "none"
                raise SignalFileError(f"holds no array {name} ({there}); {remedy}")
        return {name: archive[name] for name in known if name in archive.files}


def _folder(path: Path, timed: bool) -> dict[str, Any]:
    """Return the sequences of a folder, all in one row, as arrays of an .npz."""
    folders = _folders(path)
    parted = {f.name: f for f in folders if f.name.lower() in PARTS}
    parted = parted if len(parted) == len(folders) else {}
    above = parted or {"train": path}
    found: list[tuple[Path, str, int]] = []
    for part, folder in above.items():
        for kind in _folders(folder):
            files = [f for f in _sorted(kind) if f.suffix.lower() in ENDINGS]
            if not files:
                problem = f"{kind} holds no sequences ({', '.join(ENDINGS)})"
                raise SignalFileError(problem)
            found += [(file, kind.name, PARTS[part.lower()]) for file in files]
    if not found:
        problem = "holds no folder of sequences; give it one for each class"
        raise SignalFileError(problem)
    if len(found) > FILES:
        raise SignalFileError(f"holds {len(found)} files, more than {FILES}")
    each, steps = _all_samples([file for file, _, _ in found], timed)
    arrays = {
        "x": np.concatenate(each),
        "lengths": np.array([len(x) for x in each]),
        "y": np.array([kind for _, kind, _ in found]),
    }
    if parted:
        arrays["split"] = np.array([part for _, _, part in found])
    return arrays | _common_step(steps)


def _all_samples(files: list[Path], timed: bool) -> tuple[list, list]:
    """Return the samples (T, c) of files, of as many channels, and their steps."""
    each, steps, taken = [], [], 0
    for file in files:
        with reading(file, SignalFileError):
            samples, step = _samples(file, timed)
            taken += samples.size * 4
            if taken > LARGEST:
                raise SignalFileError(f"and the files before it exceed {size(LARGEST)}")
            if each and samples.shape[1] != each[0].shape[1]:
                problem = f"has {samples.shape[1]} channels, not {each[0].shape[1]} as "
                raise SignalFileError(problem + str(files[0]))
        each.append(samples.astype(np.float32))
        steps.append(step)
    if len(each) > 1 and each[0].shape[1] > 1 and all(map(_counts_up, each)):
        problem = "counts up evenly in every file, as times do; name it 'time', in "
        raise SignalFileError(f"the first column {problem}seconds, or leave it out")
    return each, steps


def _counts_up(samples: np.ndarray) -> bool:
    """Return whether the first channel of samples (T, c) rises in equal steps."""
    rise = np.diff(samples[:, 0])
    return bool(len(rise) > 1 and rise[0] > 0 and np.ptp(rise) <= 1e-3 * rise[0])


def _common_step(steps: list) -> dict[str, np.ndarray]:
    """Return the step of all files as an array by name, or none if none is known."""
    known = [step for step in steps if step is not None]
    if not known:
        return {}
    if len(known) < len(steps) or max(known) > 1.01 * min(known):
        problem = f"has steps from {min(known):g} to {max(known):g} s, or none; "
        raise SignalFileError(problem + "resample the files, or give the rate")
    return {"dt": np.array(known[0])}


def _folders(path: Path) -> list[Path]:
    """Return the folders in a folder, by name, without hidden ones."""
    return [each for each in _sorted(path) if each.is_dir()]


def _sorted(path: Path) -> list[Path]:
    """Return what is in a folder, by name, without what is hidden."""
    return sorted(p for p in path.iterdir() if not p.name.startswith("."))


def _samples(path: Path, timed: bool) -> tuple[np.ndarray, float | None]:
    """Return the samples (T, c) of a file of one sequence, and its step, if known."""
    told: list[bool] = []

    def no_step() -> float:
        told.append(False)
        return 1.0

    found = load_signal(path, None, "all", None if timed else 1.0, untimed=no_step)
    step = None if told or not timed else found.dt
    return found.samples.reshape(len(found.samples), -1), step


# -- what arrays mean ------------------------------------------------------------------


def _task(path: Path, arrays: dict[str, Any], seed: int, rate) -> Sequences:
    """Return the task of arrays by name."""
    x, ends, y = _padded(arrays)
    _check_offsets(x, ends)
    by_step = y.ndim > 1 and y.shape[1] == x.shape[1]
    y, names = _labels(y, arrays.get("classes"), ends, x.shape[:2])
    if names is None and by_step and y.ndim == 2:
        y = y[:, :, None]
    elif names is None and y.ndim == 1:
        y = y[:, None]
    last = not by_step
    kinds = y if names is not None and last else np.zeros(len(y), int)
    where, drawn = _split(arrays.get("split"), arrays.get("groups"), kinds, seed)
    dt, said = _step(arrays, rate)
    made = []
    for part in range(3):
        rows = np.flatnonzero(where == part)
        own = ends[rows]
        steps = int(own.max())  # without padding that all have
        shown = y[rows][:, :steps] if by_step else y[rows]
        made.append(Part(x[rows, :steps], shown, own))
    _check_classes(made, names)
    origin = f"{path}: {lengths(made, ',')} sequences of "
    shortest = f"{ends.min()} to " if ends.min() < ends.max() else ""
    many = f"{x.shape[2]} channel{'s' * (x.shape[2] > 1)}"
    origin += f"{shortest}{ends.max()} steps of {dt:g} s{said}, {many}"
    origin += f"; {drawn}"
    name = path.stem if path.suffix.lower() == ".npz" else path.resolve().name
    classes = None if names is None else len(names)
    about = {"dt": dt, "classes": classes, "last": last, "origin": origin}
    return Sequences(name, *made, **about, class_names=names)


def _padded(arrays: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sequences (n, T, c), their lengths, and labels or values."""
    x, y = np.asarray(arrays["x"]), np.asarray(arrays["y"])
    if x.dtype.kind not in "biuf":
        raise ValidationError("x", x.dtype, "must be real numbers")
    if not x.size or x.ndim not in (2, 3) or not y.ndim:
        problem = "must be (n, steps, channels), (n, steps), or (all steps, channels) "
        problem += "with lengths"
        raise ValidationError("x", x.shape, problem)
    ends = arrays.get("lengths")
    if ends is not None:
        ends = np.asarray(ends)
        if ends.ndim != 1 or ends.dtype.kind not in "iu" or not len(ends):
            problem = "must be whole numbers, one for each sequence"
            raise ValidationError("lengths", f"{ends.dtype} {ends.shape}", problem)
        ends = ends.astype(np.int64)
        if x.ndim == 2 and len(x) != len(ends):
            return _from_row(x, y, ends)
    x = x[:, :, None] if x.ndim == 2 else x
    if len(y) != len(x):
        problem = f"labels or values for {len(x)} sequences in x"
        raise ValidationError("y", len(y), problem, "give one for each")
    n, T = x.shape[:2]
    if ends is None:
        ends = np.full(n, T)
        if x.dtype.kind == "f":  # steps of NaN at the end are padding
            there: Any = ~np.isnan(x).all(axis=2)
            ends = T - there[:, ::-1].argmax(axis=1)
    check_lengths("lengths", ends, n, T)
    return x, ends, y


def _from_row(x, y, ends) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return padded sequences of a row (S, c) of them, their lengths, and ``y``."""
    if ends.min() < 1 or ends.sum() != len(x):
        problem = f"must be positive, and {len(x)} together, the steps of x"
        raise ValidationError("lengths", int(ends.sum()), problem)
    n, T = len(ends), int(ends.max())
    if n * T * x.shape[1] * 4 > PADDED:
        problem = f"is too long: padded to it, all take more than {size(PADDED)}"
        raise ValidationError("lengths", T, problem, "cut the longest sequences")
    at = np.concatenate([[0], np.cumsum(ends)])

    def padded(values):
        made = np.zeros((n, T, *values.shape[1:]), values.dtype)
        for i, end in enumerate(ends):
            made[i, :end] = values[at[i] : at[i] + end]
        return made

    if len(y) not in (n, len(x)):
        problem = f"labels or values for {n} sequences of {len(x)} steps together"
        raise ValidationError("y", len(y), problem, "give one for each")
    return padded(x), ends, y if len(y) == n else padded(y)


def _labels(y: np.ndarray, given, ends, shape) -> tuple[np.ndarray, tuple | None]:
    """Return classes from 0 and their names, or values and None."""
    if y.dtype.kind not in "biufUS":
        problem, remedy = "must be numbers or text", "save names as text (dtype str)"
        raise ValidationError("y", y.dtype, problem, remedy)
    y = y.astype(str) if y.dtype.kind == "S" else y
    per_step = y.ndim == 2 and y.shape == shape
    seen = y[np.arange(shape[1]) < ends[:, None]] if per_step else y
    if y.dtype.kind == "f":
        if not np.isfinite(seen).all():
            raise ValidationError("y", "NaN or infinity", "must be finite")
        if y.ndim > 1 or (seen % 1).any():
            return y, None
        seen = y = y.astype(np.int64)  # labels that were saved as floats
    if y.ndim > 1 and not per_step:
        if y.dtype.kind in "biu":
            return y.astype(np.float32), None
        problem = f"labels must be (n,), or {shape} for every step"
        raise ValidationError("y", y.shape, problem)
    return _named(y, seen, given, per_step)


def _named(y: np.ndarray, seen: np.ndarray, given, per_step: bool):
    """Return classes from 0 and their names, which may be given."""
    values = np.unique(seen)
    names = [str(value) for value in values]
    numbers = y.dtype.kind in "biu"
    if given is not None:
        known = [str(name) for name in np.asarray(given).ravel()]
        # numbers are positions among names, unless they are the names themselves
        if not set(names) <= set(known) and numbers:
            outside = [v for v in values.astype(int) if not 0 <= v < len(known)]
            if len(outside):
                problem = f"is not from 0 to {len(known) - 1}, of {len(known)} classes"
                raise ValidationError("y", int(outside[0]), problem)
            names = [known[int(value)] for value in values]
        unknown = sorted(set(names) - set(known))
        if unknown:
            remedy = f"classes are {listing(known)}"
            raise ValidationError("y", unknown[0], "is none of the classes", remedy)
        places = np.array([known.index(name) for name in names])
        names = known
    else:
        places = np.arange(len(values))
    if len(names) < 2:
        problem, remedy = "is the only class", "give sequences of two or more"
        raise ValidationError("y", names[0], problem, remedy)
    if len(names) > 1000:
        problem, remedy = "are too many, the most are 1,000", "save values as floats"
        raise ValidationError("y", f"{len(names)} classes", problem, remedy)
    at = np.minimum(np.searchsorted(values, y), len(values) - 1)
    return places[at].astype(np.int64), tuple(names)


def _step(arrays: dict[str, Any], rate: float | None) -> tuple[float, str]:
    """Return the seconds of a step, and what is to be said of them."""
    if rate is not None:
        return 1 / rate, ""
    for name, power in (("dt", 1), ("rate", -1)):
        if name in arrays:
            value = np.asarray(arrays[name])
            one = value.size == 1 and value.dtype.kind in "iuf"
            value = check_positive("dt", float(value.item()) if one else value.tolist())
            return value**power, ""
    return DT, " (nothing says the rate)"


def _check_offsets(x: np.ndarray, ends: np.ndarray) -> None:
    """Warn of channels of which single precision keeps little."""
    counted = np.arange(x.shape[1]) < ends[:, None]
    for i, channel in enumerate(np.moveaxis(x, 2, 0)):
        seen = channel[counted & np.isfinite(channel)]
        if not len(seen):  # refused later
            continue
        low, high = float(seen.min()), float(seen.max())
        largest = max(abs(low), abs(high))
        if low < high and high - low < FAINT * largest:
            warnings.warn(
                f"load_sequences: channel {i} varies by {high - low:.2g} about values "
                f"up to {largest:.2g}, of which single precision keeps little; take "
                "its mean away",
                ValidityWarning,
                stacklevel=4,
            )


def _check_classes(parts: list[Part], names: tuple | None) -> None:
    """Warn of classes that training does not see, or that nothing tests."""
    if names is None:
        return
    found = (
        (parts[0], "training", "cannot be learned; use another split"),
        (parts[2], "test", "are not tested; give three sequences of each, or a split"),
    )
    known = set(range(len(names)))
    for part, name, what in found:
        missing = sorted(known - set(np.unique(part.y).tolist()))
        known -= set(missing)  # what nobody learned need not be tested
        if missing:
            those = listing([names[i] for i in missing])
            warnings.warn(
                f"load_sequences: no {name} sequence has the classes {those}, which "
                + what,
                ValidityWarning,
                stacklevel=4,
            )


# -- parts -----------------------------------------------------------------------------


def _split(split, groups, kinds: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """Return the part (n,) of each sequence, 0 to 2, and how it was found."""
    n, rng = len(kinds), np.random.RandomState(seed)
    where = np.zeros(n, int) if split is None else _parts(np.asarray(split), n)
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != (n,) or groups.dtype.kind not in "biufUS":
            raise ValidationError("groups", groups.shape, f"must be ({n},)")
        groups = np.unique(groups, return_inverse=True)[1]
    drawn = []
    for part, name in ((2, "test"), (1, "validation")):
        if (where == part).any():
            continue
        drawn.append(name)
        rows = np.flatnonzero(where == 0)
        # a fifth of all, or of what there is to train on in a given split
        count = max(1, round(SHARE * (n if split is None else len(rows))))
        if len(rows) < 2 * count:
            problem = f"are too few to draw a {name} part from"
            raise ValidationError("x", f"{n} sequences", problem, "give more")
        if groups is None:
            _, taken = stratified(kinds[rows], count, rng)
        else:
            taken = _whole_groups(groups[rows], count, rng)
        where[rows[taken]] = part
    if not (where == 0).any():
        raise ValidationError("split", "no sequence", "is there to train on")
    how = f"{' and '.join(drawn)} part drawn by seed {seed}" if drawn else "own split"
    return where, how + (", groups apart" if drawn and groups is not None else "")


def _parts(split: np.ndarray, n: int) -> np.ndarray:
    """Return parts from 0 to 2 of names or numbers."""
    if split.shape != (n,):
        raise ValidationError("split", split.shape, f"must be ({n},)")
    split = split.astype(str) if split.dtype.kind in "SU" else split
    if split.dtype.kind == "U":
        unknown = sorted({str(name) for name in split if name.lower() not in PARTS})
        if unknown:
            problem = "is no part; use train, valid and test"
            raise ValidationError("split", unknown[0], problem)
        return np.array([PARTS[name.lower()] for name in split])
    if split.dtype.kind not in "iu" or not np.isin(split, (0, 1, 2)).all():
        problem = "must be train, valid or test, or 0, 1 or 2"
        raise ValidationError("split", split.dtype, problem)
    return split.astype(int)


def _whole_groups(groups: np.ndarray, count: int, rng) -> np.ndarray:
    """Return rows of groups drawn until there are ``count``, or almost."""
    kinds, sizes = np.unique(groups, return_counts=True)
    if len(kinds) < 2:
        problem = "is too few to keep parts apart"
        raise ValidationError("groups", len(kinds), problem, "give a split, or more")
    order = rng.permutation(len(kinds))[:-1]  # one is left at least
    total = np.cumsum(sizes[order])
    best = int(np.argmin(np.abs(total - count)))
    return np.flatnonzero(np.isin(groups, kinds[order[: best + 1]]))
