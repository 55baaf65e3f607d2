"""Labelled sequences: what a network is trained, chosen and tested on.

Letters: ``n`` sequences, ``T`` steps, ``c`` channels, ``q`` values to predict.
"""

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
    y : (n,), (n, q) or (n, T, q) array_like
        A class of each sequence (read-only int64), or values at its last or at every
        step (read-only float32).

    Raises
    ------
    ValidationError
        If an array has another shape, or what is not a finite real number.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)

    __repr__ = brief
    _told = ("x", "y")

    def __post_init__(self):
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
        object.__setattr__(self, "x", _frozen("Part.x", x, np.float32))
        kind = np.int64 if y.ndim == 1 else np.float32
        object.__setattr__(self, "y", _frozen("Part.y", y, kind))

    def __len__(self) -> int:
        return len(self.x)

    def _digests(self) -> list[int]:
        """Return one number for each sequence with its target."""
        pairs = zip(self.x, self.y, strict=True)
        return [hash((x.tobytes(), y.tobytes())) for x, y in pairs]


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
        Whether only the last step is read: ``y`` has no time axis.
    origin : str
        What was loaded, from where, how it was split.
    augment : callable, optional
        ``(rng, x) -> x``: other inputs of the same classes or values, for training
        only.  ``rng`` is a `numpy.random.Generator`.

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
        for part in ("train", "valid", "test"):
            self._check(f"Sequences.{part}", getattr(self, part))

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
        """Return the steps ``T`` of a training sequence."""
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
        most = np.bincount(self.train.y, minlength=self.classes).argmax()
        return float(np.mean(self.test.y == most))

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
            If the sequences of the two parts differ in length.
        """
        steps, parts = self.valid.x.shape[1], (self.train, self.valid)
        if steps != self.steps:
            problem = f"steps of valid are not the {self.steps} of train"
            remedy = (
                "cut both into sequences of one length, as heartbeats(window=) does"
            )
            raise ValidationError("Sequences.merged", steps, problem, remedy)
        x, y = (np.concatenate([getattr(p, name) for p in parts]) for name in "xy")
        both = Part(x, y)
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
        # classes (n,), values at the last step (n, q), or at all steps (n, T, q)
        dimensions = 1 if self.classes else 2 if self.last else 3
        if part.y.ndim != dimensions or (self.classes and not self.last):
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
