"""Labelled sequences: what a network is trained, chosen and tested on.

Letters: ``n`` sequences, ``T`` steps, ``c`` channels, ``q`` values to predict.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_positive, check_whole


@dataclass(frozen=True, eq=False)
class Part:
    """Input sequences and their targets.

    Parameters
    ----------
    x : (n, T, c) array_like
        Finite real numbers.  Kept as read-only float32.
    y : (n,), (n, T), (n, q) or (n, T, q) array_like
        A class of each sequence or of every step (read-only int64), or values at its
        last or at every step (read-only float32).  Whole numbers (n, T) are classes of
        steps, unless the task has none.
    lengths : (n,) array_like of int, optional
        Steps of each sequence, from 1 to T, the longest; all T by default.  What lies
        past a length never counts: it is kept as 0, whatever it was.

    Raises
    ------
    ValidationError
        If an array has another shape, or what is not a finite real number.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    lengths: np.ndarray | None = field(default=None, repr=False)

    __repr__ = brief
    _told = ("x", "y")

    def __post_init__(self):
        put = object.__setattr__
        x, y = _numbers("Part.x", self.x), _numbers("Part.y", self.y)
        if x.ndim != 3 or 0 in x.shape:
            problem = "must be (n, T, c), each at least 1"
            raise ValidationError("Part.x", x.shape, problem)
        # the number of axes of y says what it is
        steps = x.shape[1]
        if y.ndim == 1 and y.dtype.kind not in "iu":
            raise ValidationError("Part.y", y.dtype, "must be whole numbers, (n,)")
        fits = y.ndim in (1, 2) or (y.ndim == 3 and y.shape[1] == steps)
        if not fits or len(y) != len(x) or 0 in y.shape:
            problem = f"must be ({len(x)},), ({len(x)}, q) or ({len(x)}, {steps}, q)"
            raise ValidationError("Part.y", y.shape, problem)
        ends = check_lengths("Part.lengths", self.lengths, len(x), steps)
        put(self, "lengths", ends)
        by_step = y.ndim > 1 and y.shape[1] == steps
        classes = y.ndim == 1 or (y.ndim == 2 and by_step and y.dtype.kind in "iu")
        if ends is not None:  # padding is 0
            past = ~within(ends, steps)
            x = np.where(past[:, :, None], 0, x)
            if classes and by_step:
                y = np.where(past, 0, y)
            elif y.ndim == 3:
                y = np.where(past[:, :, None], 0, y)
        put(self, "x", _frozen("Part.x", x, np.float32))
        put(self, "y", _frozen("Part.y", y, np.int64 if classes else np.float32))

    def __len__(self) -> int:
        return len(self.x)

    def _digests(self) -> list[int]:
        """Return one number for each sequence with its target."""
        n, steps = self.x.shape[:2]
        ends = np.full(n, steps) if self.lengths is None else self.lengths
        each = zip(self.x, self.y, ends, strict=True)
        by_step = self.y.ndim == 3 or (self.y.ndim == 2 and self.y.dtype == np.int64)
        return [
            hash((x[:end].tobytes(), (y[:end] if by_step else y).tobytes()))
            for x, y, end in each
        ]

    def padded(self, steps: int) -> "Part":
        """Return the same sequences, padded with zeros to more steps.

        Parameters
        ----------
        steps : int
            At least those of the longest sequence.

        Returns
        -------
        Part
            With the lengths that the sequences have.
        """
        n, T = self.x.shape[:2]
        more, y = steps - T, self.y
        ends = np.full(n, T) if self.lengths is None else self.lengths
        if y.ndim == 3 or (y.ndim == 2 and y.dtype == np.int64):
            y = np.pad(y, [(0, 0), (0, more)] + [(0, 0)] * (y.ndim - 2))
        return Part(np.pad(self.x, ((0, 0), (0, more), (0, 0))), y, ends)


@dataclass(frozen=True, eq=False)
class Sequences:
    """A task: three parts that share no sequence, and what they mean.

    Parameters
    ----------
    name : str
    train, valid, test : Part
        To fit, to choose by, and to report.
    dt : float
        Seconds a step.
    classes : int or None
        Number of classes, from 0; None if values are to be predicted.
    last : bool
        Whether only the last step of each sequence is read: ``y`` has no time axis.
    origin : str
        What was loaded, from where, how it was split.
    augment : callable, optional
        ``(rng, x) -> x``: other inputs of the same classes or values, for training
        only.  ``rng`` is a `numpy.random.Generator`.
    class_names : sequence of str, optional
        What the classes are called, from class 0 on.

    Raises
    ------
    ValidationError
        If the parts do not fit each other, the classes or ``last``.
    """

    name: str
    train: Part
    valid: Part
    test: Part
    dt: float
    classes: int | None
    last: bool
    origin: str
    augment: Callable | None = None
    class_names: tuple[str, ...] | None = None

    __repr__ = brief
    _told = ("name", "dt", "classes")

    def __post_init__(self):
        object.__setattr__(self, "dt", check_positive("Sequences.dt", self.dt, "s"))
        if self.classes is not None:
            check_whole("Sequences.classes", self.classes, least=2)
        # the parts are checked last, by all of these
        if self.augment is not None and not callable(self.augment):
            problem = "must be a function (rng, x) -> x, or None"
            raise ValidationError("Sequences.augment", self.augment, problem)
        for name in ("train", "valid", "test"):
            part = getattr(self, name)
            values = self.classes is None and isinstance(part, Part)
            if values and part.y.ndim == 2 and part.y.dtype == np.int64:
                part = Part(part.x, part.y.astype(np.float32), part.lengths)
                object.__setattr__(self, name, part)
            self._check(f"Sequences.{name}", part)
        if self.class_names is not None:
            names = tuple(str(name) for name in self.class_names)
            if len(names) != self.classes or len(set(names)) < len(names):
                problem = f"must be {self.classes} names, all different"
                raise ValidationError("Sequences.class_names", names, problem)
            object.__setattr__(self, "class_names", names)

    @property
    def size_in(self) -> int:
        """Return the number of channels, ``c``."""
        return self.train.x.shape[2]

    @property
    def size_out(self) -> int:
        """Return the number of classes, or of values ``q``."""
        return self.classes or self.train.y.shape[-1]

    @property
    def steps(self) -> int:
        """Return the steps ``T`` of a training sequence, the longest if they differ."""
        return self.train.x.shape[1]

    @property
    def chance(self) -> float:
        """Return the score that needs no learning.

        Accuracy on ``test`` of always saying the most frequent class of ``train``; or
        1, the error of a constant, their mean, over the standard deviation (`nrmse`).
        """
        if self.classes is None:
            return 1.0
        # the class that is most frequent in training
        seen, tested = (counted(p.y, p.lengths) for p in (self.train, self.test))
        most = np.bincount(seen, minlength=self.classes).argmax()
        return float(np.mean(tested == most))

    @property
    def digest(self) -> str:
        """Return what tells these sequences from others, of 16 letters."""
        digest = hashlib.sha256()
        for part in (self.train, self.valid, self.test):
            ends = np.zeros(0) if part.lengths is None else part.lengths
            for array in (part.x, part.y, ends):
                digest.update(str(array.shape).encode())
                digest.update(array.tobytes())
        return digest.hexdigest()[:16]

    def merged(self) -> "Sequences":
        """Return the task with the validation part added to ``train``.

        ``valid`` is not changed, and no longer validates: keep the last epoch.

        Returns
        -------
        Sequences
            A new task.

        Raises
        ------
        ValidationError
            If the two parts differ in steps, and do not tell the lengths of sequences.
        """
        steps, parts = self.valid.x.shape[1], (self.train, self.valid)
        ragged = any(part.lengths is not None for part in parts)
        if ragged:
            parts = tuple(part.padded(max(steps, self.steps)) for part in parts)
        elif steps != self.steps:
            problem = f"steps of valid are not the {self.steps} of train"
            remedy = (
                "cut both into sequences of one length, as heartbeats(window=) does"
            )
            raise ValidationError("Sequences.merged", steps, problem, remedy)
        names = ("x", "y", "lengths") if ragged else ("x", "y")
        both = Part(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))
        origin = f"{self.origin}; validation part in training"
        return replace(self, train=both, origin=origin)

    def trained_on(self, part: str) -> int:
        """Count the sequences of a part that are also in ``train``.

        Parameters
        ----------
        part : {"valid", "test"}

        Returns
        -------
        int
            0 if the parts are apart.
        """
        known = set(self.train._digests())
        return sum(digest in known for digest in getattr(self, part)._digests())

    def _check(self, attribute: str, part: Part) -> None:
        """Refuse a part that does not fit the others, the classes or ``last``."""
        if not isinstance(part, Part):
            raise ValidationError(attribute, part, "must be a Part")
        if part.x.shape[2] != self.size_in:
            problem = f"channels differ from the {self.size_in} of train"
            raise ValidationError(f"{attribute}.x", part.x.shape[2], problem)
        # classes (n,) or (n, T), values at the last step (n, q), or at all (n, T, q)
        dimensions = 2 - self.last if self.classes else 3 - self.last
        whole = part.y.dtype == np.int64
        if part.y.ndim != dimensions or whole != bool(self.classes):
            problem = f"does not fit classes={self.classes}, last={self.last}"
            raise ValidationError(f"{attribute}.y", part.y.shape, problem)
        if self.classes is None:
            if part.y.shape[-1] != self.size_out:
                problem = f"values differ from the {self.size_out} of train"
                raise ValidationError(f"{attribute}.y", part.y.shape[-1], problem)
            return
        outside = part.y[(part.y < 0) | (part.y >= self.classes)]
        if len(outside):
            problem = f"is no class from 0 to {self.classes - 1}"
            raise ValidationError(f"{attribute}.y", int(outside[0]), problem)


def check_lengths(attribute: str, lengths, n: int, steps: int) -> np.ndarray | None:
    """Return the lengths of sequences, or None if all are whole.

    Parameters
    ----------
    attribute : str
        What an error names.
    lengths : (n,) array_like of int, or None
    n, steps : int
        Sequences, and the steps that they are padded to.

    Returns
    -------
    (n,) ndarray of int or None
        Read-only.

    Raises
    ------
    ValidationError
        If they are not whole numbers from 1 to ``steps``, one for each sequence.
    """
    if lengths is None:
        return None
    ends = _numbers(attribute, lengths)
    if ends.shape != (n,) or ends.dtype.kind not in "iu":
        problem = f"must be whole numbers, one for each of {n} sequences"
        raise ValidationError(attribute, f"{ends.dtype} {ends.shape}", problem)
    outside = ends[(ends < 1) | (ends > steps)]
    if len(outside):
        problem = f"must be from 1 to the {steps} steps of x"
        raise ValidationError(attribute, int(outside[0]), problem)
    ends = ends.astype(np.int64)
    ends.setflags(write=False)
    return None if (ends == steps).all() else ends


def within(lengths, steps: int) -> np.ndarray:
    """Return which steps (n, T) lie within the lengths (n,) of sequences.

    Parameters
    ----------
    lengths : (n,) ndarray of int
    steps : int
        ``T``.

    Returns
    -------
    (n, T) ndarray of bool
        True before the end of each sequence.
    """
    return np.arange(steps) < np.asarray(lengths)[:, None]


def counted(values, lengths=None) -> np.ndarray:
    """Return what counts of values (n, T, ...): all steps, within lengths in one row.

    Parameters
    ----------
    values : (n, T, ...) or (n, ...) ndarray
    lengths : (n,) ndarray of int, optional
        Without an axis of time, ``values`` (n,), they have no effect.

    Returns
    -------
    (S, ...) ndarray
        With lengths, or for classes (n, T), the steps of all sequences in one row.
    """
    values = np.asarray(values)
    if values.ndim == 1:
        return values
    if lengths is None:
        return values.reshape(-1, *values.shape[2:])
    return values[within(lengths, values.shape[1])]


def lengths(parts, grouped: str = "") -> str:
    """Return how many sequences or samples parts have, as ``3,600/400/1,000``.

    Parameters
    ----------
    parts : iterable of sized
    grouped : {"", ","}
        Separator of thousands.

    Returns
    -------
    str
        With slashes between them.
    """
    return "/".join(f"{len(part):{grouped}}" for part in parts)


def _numbers(attribute: str, values) -> np.ndarray:
    """Return an array of real numbers, or raise a ValidationError."""
    try:
        values = np.asarray(values)
    except ValueError:  # rows of unequal length
        values = np.asarray(None)
    if values.dtype.kind not in "iuf":
        raise ValidationError(attribute, values.dtype, "must be real numbers")
    return values


def _frozen(attribute: str, values: np.ndarray, kind) -> np.ndarray:
    """Return finite values of a kind, read-only, and not copied if they were so."""
    with np.errstate(over="ignore"):  # refused below
        values = np.ascontiguousarray(values, dtype=kind).view()
    if not np.isfinite(values).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        value = float(values[where])
        raise ValidationError(attribute, value, f"at {where} is not finite in float32")
    values.setflags(write=False)
    return values
