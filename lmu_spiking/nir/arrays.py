"""Numbers of a graph, checked: finite, real, of the size that is needed."""

import numbers
from typing import Any

import numpy as np

from lmu_spiking.errors import ValidationError

AXIS = "must have one axis, as the others"


def noted(node) -> dict:
    """The metadata of a node or a graph."""
    return node.metadata if isinstance(node.metadata, dict) else {}


def number(value: Any) -> Any:
    """A number of Python, where a file has numpy's.

    One of less than double precision is the decimal number that was meant.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def length(shape) -> int:
    """The one entry of a shape, or a ValidationError."""
    shape = np.atleast_1d(np.asarray(shape))
    if len(shape) != 1 or shape.dtype == object or int(shape[0]) < 1:
        raise ValidationError(
            "shape", shape.tolist(), "must have one axis", "flatten the values"
        )
    return int(shape[0])


def vector(value, name: str, n: int | None = None) -> np.ndarray:
    """A finite vector, of ``n`` numbers, or a ValidationError."""
    array = _real(value, name)
    if array.ndim == 0 and n is not None:
        array = np.full(n, float(array))
    if array.ndim != 1 or not len(array) or (n is not None and len(array) != n):
        remedy = f"use {n} numbers" if n is not None else "flatten it"
        raise ValidationError(name, array.shape, AXIS, remedy)
    return array


def matrix(value, name: str = "weight") -> np.ndarray:
    """A finite matrix, or a ValidationError."""
    array = _real(value, name)
    if array.ndim != 2 or 0 in array.shape:
        raise ValidationError(
            name, array.shape, "is its shape; it must have two axes", "reshape it"
        )
    return array


def times(value, name: str) -> np.ndarray:
    """Positive seconds, or a ValidationError."""
    array = vector(value, name)
    if np.any(array <= 0):
        raise ValidationError(
            name,
            float(array[array <= 0][0]),
            "must be positive seconds",
            "use a Scale where nothing leaks",
        )
    return array


def thresholds(node) -> np.ndarray:
    """Thresholds of neurons that return to 0, or a ValidationError."""
    high = vector(node.v_threshold, "v_threshold")
    remedy = "count v_threshold and v_leak from v_reset"
    if node.v_reset is not None and np.any(vector(node.v_reset, "v_reset", len(high))):
        raise ValidationError(
            "v_reset", node.v_reset, "must be 0: Nengo's neurons return there", remedy
        )
    if np.any(high <= 0):
        raise ValidationError(
            "v_threshold", float(high[high <= 0][0]), "must be positive", remedy
        )
    return high


def at_least_0(value, name: str) -> float:
    """Seconds, 0 or more, or a ValidationError."""
    value = number(value)
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not 0 <= value < np.inf:
        raise ValidationError(name, value, "must be seconds, 0 or more", "use 0")
    return float(value)


def _real(value, name: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        kind = "complex numbers" if array.dtype.kind == "c" else "no numbers"
        raise ValidationError(name, value, f"are {kind}", "use real ones")
    array = array.astype(float)
    finite = np.isfinite(array)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        where = f" (at {', '.join(map(str, at))})" if at else ""
        raise ValidationError(
            name, float(array[at]), f"must be finite{where}", "replace it"
        )
    return array
