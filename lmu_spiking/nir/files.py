"""Graphs in files, whole or not at all."""

import io
import numbers
import os
from typing import Any

import numpy as np

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.files import reading, reason, write_atomically
from lmu_spiking.hdf5 import Group, Odd, read_hdf5
from lmu_spiking.nir.parts import package

# --------------------------------------------------------------------------------------
# Numbers of a graph, checked: finite, real, of the size that is needed.


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


# --------------------------------------------------------------------------------------

SLASH = "which files of NIR cannot hold in a name"


def write(graph, path) -> None:
    """Write a graph as HDF5: a temporary file, then a new name.

    Raises
    ------
    ParamsFileError
        If the file cannot be written.
    ValidationError
        If a name has a "/".
    """
    path, data = _path("to_nir.path", path), io.BytesIO()
    for name in graph.nodes:
        if "/" in name:
            raise ValidationError(
                "to_nir.path", name, f"has a '/', {SLASH}", "rename the node"
            )
    package().write(data, graph)
    try:
        write_atomically(path, data.getvalue())
    except OSError as error:
        reason = error.strerror or "no place for a file"
        raise ParamsFileError(f"graph {path}: cannot be written: {reason}") from None


def read(path):
    """Read a graph from a file.

    Raises
    ------
    ParamsFileError
        If the file is missing, or is no graph of NIR.
    """
    path, nir = _path("from_nir.source", path), package()
    if not os.path.isfile(path):
        why = "it is a directory" if os.path.isdir(path) else "no such file"
        raise ParamsFileError(f"graph {path}: cannot be read: {why}")
    with reading(f"graph {path}", ParamsFileError):
        try:
            node = read_hdf5(path).items["node"]
            nodes = node.items["nodes"]
            slashed = _slashed(nodes)
            if slashed is not None:
                raise ParamsFileError(
                    f"the name {slashed!r} has a '/', {SLASH}; "
                    "rename the node where the graph is drawn"
                )
            return nir.dict2NIRNode({**_plain(node), "type_check": True})
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as why:
            raise ParamsFileError(
                f"is not a graph of NIR, or is damaged ({reason(why)})"
            ) from None


def _plain(group: Group) -> dict:
    """Return dictionaries of arrays, numbers and texts, as nir expects them."""
    found = {}
    for name, item in group.items.items():
        if isinstance(item, Odd):
            raise ParamsFileError(f"{name!r} {item.why}")
        if isinstance(item, Group):
            found[name] = _plain(item)
        else:
            found[name] = item if isinstance(item, str) else item[()]
    return found


def _slashed(group: Group, above: str = "") -> str | None:
    """Return a node's name that HDF5 took for a path, or None."""
    for name, item in group.items.items():
        if not isinstance(item, Group) or (above and name in ("metadata", "nodes")):
            continue
        if above and "type" in item.items:
            return above + name
        found = _slashed(item, f"{above}{name}/")
        if found:
            return found
    return None


def _path(attribute: str, path) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValidationError(attribute, path, "must be the path of a file")
    return text
