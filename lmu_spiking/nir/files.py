"""Graphs in files, whole or not at all."""

import io
import os

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.nir.parts import package
from lmu_spiking.spec import write_atomically


def write(graph, path) -> None:
    """Write a graph as HDF5: a temporary file, then a new name.

    Raises
    ------
    ParamsFileError
        If the file cannot be written.
    """
    path, data = _path("to_nir.path", path), io.BytesIO()
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
        reason = " ".join(str(error).split())[:120]
        raise ParamsFileError(
            f"graph {path}: is not a graph of NIR, or is damaged ({reason})"
        ) from None
    return graph


def _path(attribute: str, path) -> str:
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ValidationError(attribute, path, "must be the path of a file")
    return os.fspath(path)
