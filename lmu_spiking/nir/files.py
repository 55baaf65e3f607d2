"""Graphs of NIR in files, written and read whole or not at all."""

import io
import os

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.files import reading, reason, write_atomically
from lmu_spiking.hdf5 import Group, Odd, read_hdf5
from lmu_spiking.nir.clock import package

SLASH = "which files of NIR cannot hold in a name"


def write(graph, path) -> None:
    """Write a graph as HDF5: a temporary file, then a new name.

    Parameters
    ----------
    graph : nir.NIRGraph
    path : str or Path

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
            problem, remedy = f"has a '/', {SLASH}", "rename the node"
            raise ValidationError("to_nir.path", name, problem, remedy)
    # in memory first, so that no error leaves half a file
    package().write(data, graph)
    try:
        write_atomically(path, data.getvalue())
    except OSError as error:
        reason = error.strerror or "no place for a file"
        raise ParamsFileError(f"graph {path}: cannot be written: {reason}") from None


def read(path):
    """Read a graph from a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    nir.NIRGraph

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
            # in another process, see `hdf5`, and checked by nir
            node = read_hdf5(path).items["node"]
            slashed = _slashed(node.items["nodes"])
            if slashed is not None:
                remedy = "rename the node where the graph is drawn"
                problem = f"the name {slashed!r} has a '/', {SLASH}; {remedy}"
                raise ParamsFileError(problem)
            return nir.dict2NIRNode({**_plain(node), "type_check": True})
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as why:
            problem = f"is not a graph of NIR, or is damaged ({reason(why)})"
            raise ParamsFileError(problem) from None


def _plain(group: Group) -> dict:
    """Return dictionaries of arrays, numbers and texts, as nir expects them."""
    plain = {}
    for name, item in group.items.items():
        if isinstance(item, Odd):
            raise ParamsFileError(f"{name!r} {item.why}")
        if isinstance(item, Group):
            plain[name] = _plain(item)
        else:
            plain[name] = item if isinstance(item, str) else item[()]
    return plain


def _slashed(group: Group, above: str = "") -> str | None:
    """Return a node's name that HDF5 took for a path, or None."""
    for name, item in group.items.items():
        if not isinstance(item, Group) or (above and name in ("metadata", "nodes")):
            continue
        if above and "type" in item.items:
            return above + name
        slashed = _slashed(item, f"{above}{name}/")
        if slashed:
            return slashed
    return None


def _path(attribute: str, path) -> str:
    """Return the text of a path, or raise a ValidationError."""
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValidationError(attribute, path, "must be the path of a file")
    return text
