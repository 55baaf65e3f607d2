"""Errors in one line: the attribute, the value, the limit, the way out."""

import numbers
import os
from collections.abc import Iterator
from contextlib import contextmanager


class LMUSpikingError(Exception):
    """Any error that a user of lmu_spiking can cause and mend."""

    _parts: tuple  # what a class with arguments of its own is made from

    def __reduce__(self):
        return type(self), getattr(self, "_parts", self.args)  # back from a worker


class ValidationError(LMUSpikingError, ValueError):
    """An argument is outside its range.

    Parameters
    ----------
    attribute : str
        What was wrong, as the user wrote it: ``"LDN.theta"``.
    value : object
        The value that was given.
    problem : str
        The limit it breaks, continuing the sentence: ``"must be positive"``.
    remedy : str, optional
        The way out: ``"use at least 12"``.
    """

    def __init__(self, attribute: str, value: object, problem: str, remedy: str = ""):
        # one sentence, with what the user wrote at its beginning
        message = f"{attribute}: {_short(value)} {problem}"
        super().__init__(f"{message}; {remedy}" if remedy else message)
        self.attribute = attribute
        self.value = value
        self._parts = attribute, value, problem, remedy


class StudyWarning(UserWarning):
    """Something about the files of a study that its user should know."""


class ValidityWarning(UserWarning):
    """A result, a network or an input is outside of what it is valid for."""


class MappingError(LMUSpikingError, ValueError):
    """No stable network realises this system with this synapse."""


class SignalFileError(LMUSpikingError, OSError):
    """A file of a signal, a spec or labelled data is missing, corrupt or unreadable."""


class StudyFileError(LMUSpikingError, OSError):
    """A file of a study cannot be written."""


class ParamsFileError(LMUSpikingError, OSError):
    """A file that should hold trained parameters is missing, corrupt or unreadable."""


class NotANumberError(LMUSpikingError, FloatingPointError):
    """A signal became NaN while a simulator ran."""


class MissingPackageError(LMUSpikingError, ImportError):
    """An optional package is missing; the message names the extra that brings it.

    Parameters
    ----------
    package, extra : str
    """

    def __init__(self, package: str, extra: str):
        super().__init__(
            f"{package} is not installed; run: pip install 'lmu_spiking[{extra}]'"
        )
        self._parts = package, extra


@contextmanager
def needs(package: str, extra: str) -> Iterator[None]:
    """Turn the failure of an import inside into the error that names the extra.

    Parameters
    ----------
    package : str
        What is imported, as `MissingPackageError` names it.
    extra : str
        What brings it.
    """
    try:
        yield
    except ImportError:
        raise MissingPackageError(package, extra) from None


def check_positive(attribute: str, value, unit: str = "") -> float:
    """Return a positive finite number as a float, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
        What is checked, as the user wrote it: ``"LDN.theta"``.
    value : float
    unit : str, optional
        For the message.

    Returns
    -------
    float
    """
    # True and False are numbers to Python, not to us
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        checked = float(value) if number else -1.0
    except OverflowError:  # a whole number of hundreds of digits
        checked = -1.0
    if not 0 < checked < float("inf"):
        unit = f" ({unit})" if unit else ""
        raise ValidationError(attribute, value, f"must be a positive number{unit}")
    return checked


def check_whole(
    attribute: str, value, least: int | None = None, most: int = 2**63 - 1
) -> int:
    """Return a whole number from ``least`` to ``most``, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
    value : int
    least : int, optional
        Without it, negative numbers are taken, too.
    most : int, optional

    Returns
    -------
    int
    """
    number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not number or (least is not None and int(value) < least):
        bound = "" if least is None else f" of at least {least}"
        raise ValidationError(attribute, value, f"must be a whole number{bound}")
    if abs(int(value)) > most:
        raise ValidationError(attribute, value, f"must be at most {most}")
    return int(value)


def check_between(attribute: str, value, low: float, high: float, unit="") -> float:
    """Return a number from ``low`` to ``high``, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
    value : float
    low, high : float
        Both are taken.
    unit : str, optional
        For the message.

    Returns
    -------
    float
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # type: ignore[operator]
        unit = f" {unit}" if unit else ""
        problem = f"must be a number from {low:g} to {high:g}{unit}"
        raise ValidationError(attribute, value, problem)
    return float(value)


def check_one_of(attribute: str, value, allowed, problem: str = "is unknown"):
    """Return a value that is one of those allowed, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
    value : object
    allowed : iterable of str
        The message lists them as the way out.
    problem : str, optional
        The fault, continuing the sentence.

    Returns
    -------
    str
    """
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        remedy = f"use one of {', '.join(allowed)}"
        raise ValidationError(attribute, value, problem, remedy)
    return value


def check_shape(attribute: str, value, shape: tuple, content: str = "finite numbers"):
    """Return an array of finite floats of one shape, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
    value : array_like
    shape : tuple of int or str
        A length, or a letter for any length of at least 1: ``(3, "T")``.
    content : str, optional
        What the array should hold, for the message.

    Returns
    -------
    ndarray of float
    """
    import numpy as np  # the shell has completed a word before numpy is imported

    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        array = np.array(np.nan)
    # letters stand for any length but 0
    fits = array.ndim == len(shape) and all(
        size > 0 if isinstance(wanted, str) else size == wanted
        for size, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        sizes = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        got = getattr(value, "shape", value)
        raise ValidationError(attribute, got, f"must be {content} of shape ({sizes})")
    return array


def machine_memory() -> float:
    """Return the bytes of memory of this machine, or 2^63 if the system does not say.

    Returns
    -------
    float
    """
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not on this system
        return 2.0**63


def check_memory(attribute: str, value, needed: float, remedy: str) -> None:
    """Raise a ValidationError if a value needs more memory than this machine has.

    Parameters
    ----------
    attribute : str
    value : object
    needed : float
        Bytes, about.
    remedy : str
        The way out, for the message.
    """
    if needed > machine_memory():
        problem = f"needs about {needed / 2**30:.3g} GiB of memory"
        raise ValidationError(attribute, value, problem, remedy)


def check_seed(attribute: str, value) -> int:
    """Return a seed that numpy and Nengo take, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
    value : int

    Returns
    -------
    int
        From 0 to 2^31 - 1.
    """
    seed = check_whole(attribute, value)
    if not 0 <= seed < 2**31:
        problem = "must be a whole number from 0 to 2147483647"
        raise ValidationError(attribute, value, problem)
    return seed


def _short(value: object, width: int = 60) -> str:
    """Return one line of ``repr``, cut to ``width`` characters."""
    try:
        text = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # too many digits, or nested too deeply
        text = f"this {type(value).__name__}"
    return text if len(text) <= width else text[: width - 3] + "..."
