"""What a Keras file holds, whichever of its formats: a description and named arrays.

``.keras`` is a zip with ``config.json`` and ``model.weights.h5``.  An HDF5 file has the
weights either in groups by layer, each with its ``weight_names``, or in groups by class
(``layers/lmu/layer/cell/vars/0``), whose numbers are the order of creation.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.errors import (
    LMUSpikingError,
    MissingPackageError,
    ParamsFileError,
    ValidationError,
)

HDF5 = b"\x89HDF\r\n\x1a\n"
LARGEST = 2**28  # numbers in an array
ROOTS = ("layers", "_layer_checkpoint_dependencies")


@dataclass(frozen=True)
class Stored:
    """A model as it lies in a file.

    Attributes
    ----------
    format : str
    groups : dict of str to dict of str to ndarray
        Arrays by path, of each layer that has any, in the order of the file.
    by_class : bool
        Whether groups go by class (``lmu_1``) rather than by the name of the layer.
    config : dict or None
        Description of the model; None where there are only weights.
    versions : dict of str to str
    """

    format: str
    groups: dict[str, dict[str, np.ndarray]]
    by_class: bool
    config: dict | None
    versions: dict[str, str]


@contextmanager
def one_line(path) -> Iterator[None]:
    """Whatever is wrong with a file, as one line that begins with its path."""
    try:
        yield
    except ParamsFileError as error:
        told = str(error).startswith(str(path))
        raise error if told else ParamsFileError(f"{path}: {error}") from None
    except ValidationError as error:
        if not error.attribute.startswith(("CellParams", "LMUParams")):
            raise
        raise ParamsFileError(f"{path}: {error}") from None
    except LMUSpikingError:
        raise
    except KeyError as error:
        raise ParamsFileError(f"{path}: it lacks {_brief(error)}") from None
    except OSError as error:
        reason = error.strerror or _brief(error)
        raise ParamsFileError(f"{path}: cannot be read: {reason}") from None
    except Exception as error:  # zlib's, struct's and h5py's own, from damaged bytes
        raise ParamsFileError(f"{path}: is damaged: {_brief(error)}") from None


def read(path) -> Stored:
    """Read a ``.keras`` or HDF5 file.

    Raises
    ------
    ParamsFileError
        If it is missing, damaged or of another kind.
    MissingPackageError
        If h5py is not installed.
    """
    path = checked_path("read.path", path)
    with one_line(path):
        if path.is_dir():
            raise ParamsFileError(
                "is a folder (a SavedModel?); save the model with model.save('x.keras')"
            )
        with path.open("rb") as file:
            start = file.read(len(HDF5))
        if start == HDF5:
            with _hdf5(path) as file:
                return _of_hdf5(file)
        if start.startswith(b"PK"):
            return _of_zip(path)
        raise ParamsFileError("is neither a .keras file (zip) nor HDF5 (.h5, .hdf5)")


def checked_path(attribute: str, path) -> Path:
    """A path, or a ValidationError."""
    if not isinstance(path, (str, PathLike)):
        raise ValidationError(attribute, path, "must be a path")
    return Path(path)


def _of_zip(path: Path) -> Stored:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "config.json" not in names or "model.weights.h5" not in names:
            raise ParamsFileError(
                "is a zip, but not of Keras: it lacks config.json or model.weights.h5"
            )
        config = json.loads(archive.read("config.json"))
        about = {}
        if "metadata.json" in names:
            about = json.loads(archive.read("metadata.json"))
        weights = io.BytesIO(archive.read("model.weights.h5"))
    _check(config)
    versions = {k: str(about[k]) for k in ("keras_version", "backend") if k in about}
    with _hdf5(weights) as file:
        groups = _groups_by_class(file)
    return Stored(".keras archive", groups, True, config, versions)


def _of_hdf5(file) -> Stored:
    versions = {
        key: _text(file.attrs[key])
        for key in ("keras_version", "backend")
        if key in file.attrs
    }
    config = file.attrs.get("model_config")
    if config is not None:
        config = json.loads(_text(config))
        _check(config)
    if any(root in file for root in ROOTS):
        groups = _groups_by_class(file)
        return Stored("weights by class (HDF5)", groups, True, config, versions)
    inner = _child(file, "model_weights") if "model_weights" in file else file
    layers = _names(inner, "layer_names")
    if layers is None:
        raise ParamsFileError("is HDF5, but holds no Keras model or weights")
    groups = {}
    for name in layers:
        group = _child(inner, name)
        arrays = {
            weight: _array(group, weight)
            for weight in _names(group, "weight_names") or ()
        }
        if arrays:
            groups[name] = arrays
    kind = "weights by layer (HDF5)" if config is None else "whole model (HDF5)"
    return Stored(kind, groups, False, config, versions)


def _groups_by_class(file) -> dict[str, dict[str, np.ndarray]]:
    root = next((root for root in ROOTS if root in file), None)
    if root is None:
        raise ParamsFileError("holds weights in an order of Keras that is not known")
    inner, groups = _child(file, root), {}
    for name in inner:
        arrays = {}
        for path in _datasets(_child(inner, name)):
            arrays[path] = _array(_child(inner, name), path)
        if arrays:
            groups[name] = arrays
    return groups


def _datasets(group, prefix: str = "") -> Iterator[str]:
    """Paths of all arrays below a group, numbers in order."""
    for name in sorted(group, key=lambda name: (len(name), name)):
        child = _child(group, name)
        if hasattr(child, "shape"):
            yield prefix + name
        else:
            yield from _datasets(child, f"{prefix}{name}/")


def _child(group, path: str):
    """An object inside the file, without following links out of it."""
    import h5py

    for name in path.strip("/").split("/"):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ParamsFileError(f"{path} is missing or a link")
        group = group[name]
    return group


def _array(group, path: str) -> np.ndarray:
    data = _child(group, path)
    if not hasattr(data, "shape") or data.dtype.kind not in "fiu":
        raise ParamsFileError(f"{path} is not an array of numbers")
    if data.external or data.is_virtual:
        raise ParamsFileError(f"{path} lies in another file")
    if data.size > LARGEST:
        raise ParamsFileError(f"{path} claims {data.size} numbers")
    return np.asarray(data[()], dtype=float)


def _names(group, key: str) -> list[str] | None:
    """Names in an attribute, which Keras splits when it is long."""
    if key in group.attrs:
        return [_text(name) for name in group.attrs[key]]
    if f"{key}0" not in group.attrs:
        return None
    names, i = [], 0
    while f"{key}{i}" in group.attrs:
        names += [_text(name) for name in group.attrs[f"{key}{i}"]]
        i += 1
    return names


def _check(config: Any) -> None:
    if not isinstance(config, dict) or not config:
        raise ParamsFileError("describes no model")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def _hdf5(source):
    try:
        import h5py
    except ImportError:
        raise MissingPackageError("h5py", "nir") from None
    return h5py.File(source, "r")
