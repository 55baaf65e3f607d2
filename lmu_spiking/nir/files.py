"""Graphs in files, whole or not at all."""

import io
import os

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.nir.parts import package
from lmu_spiking.spec import write_atomically

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
    """A graph from a file.

    Raises
    ------
    ParamsFileError
        If the file is missing, or is no graph of NIR.
    """
    path, nir = _path("from_nir.source", path), package()
    if not os.path.isfile(path):
        reason = "it is a directory" if os.path.isdir(path) else "no such file"
        raise ParamsFileError(f"graph {path}: cannot be read: {reason}")
    try:
        graph = nir.read(path)
    except Exception as error:  # of h5py and nir: whatever a broken file makes of it
        name = _slashed(path)
        if name is not None:
            raise ParamsFileError(
                f"graph {path}: the name {name!r} has a '/', {SLASH}; "
                "rename the node where the graph is drawn"
            ) from None
        reason = " ".join(str(error).split())[:120]
        raise ParamsFileError(
            f"graph {path}: is not a graph of NIR, or is damaged ({reason})"
        ) from None
    return graph


def _slashed(path: str) -> str | None:
    """A node's name that HDF5 took for a path, if there is one."""
    import h5py  # nir's own

    def below(group, name: str) -> str | None:
        for inner, item in group.items():
            if not isinstance(item, h5py.Group) or inner in ("metadata", "nodes"):
                continue
            if "type" in item:
                return f"{name}/{inner}"
            found = below(item, f"{name}/{inner}")
            if found:
                return found
        return None

    try:
        with h5py.File(path, "r") as file:
            found = (below(item, name) for name, item in file["node/nodes"].items())
            return next((name for name in found if name), None)
    except Exception:  # of a file that is damaged in another way
        return None


def _path(attribute: str, path) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValidationError(attribute, path, "must be the path of a file")
    return text
