"""What a Keras file holds, whichever of its formats: a description and named arrays.

``.keras`` is a zip with ``config.json`` and ``model.weights.h5``.  An HDF5 file has the
weights either in groups by layer, each with its ``weight_names``, or in groups by class
(``layers/lmu/layer/cell/vars/0``), whose numbers are the order of creation.

Both are read within limits of time and size (`lmu_spiking.hdf5`, `lmu_spiking.files`).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.files import Archive, json_of, reading
from lmu_spiking.hdf5 import Group, Odd, read_hdf5

# --------------------------------------------------------------------------------------
# Names and arrays in the HDF5 files that Keras writes.


ROOTS = ("layers", "_layer_checkpoint_dependencies")


def groups_by_class(file: Group) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of all layers, where groups are named by class."""
    root = next((root for root in ROOTS if root in file.items), None)
    if root is None:
        raise ParamsFileError("holds weights in an order of Keras that is not known")
    inner, groups = child_of(file, root), {}
    for name in inner.items:
        layer = child_of(inner, name)
        arrays = {path: array_of(layer, path) for path in _datasets(layer)}
        if arrays:
            groups[name] = arrays
    return groups


def names_in(group: Group, key: str) -> list[str] | None:
    """Return the names in an attribute, which Keras splits if it is long."""
    if key in group.attrs:
        return list(group.attrs[key])
    if f"{key}0" not in group.attrs:
        return None
    names, i = [], 0
    while f"{key}{i}" in group.attrs:
        names += group.attrs[f"{key}{i}"]
        i += 1
    return names


def array_of(group: Group, path: str) -> np.ndarray:
    """Return an array of numbers in the file."""
    data = _below(group, path)
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "fiu":
        raise ParamsFileError(f"{path} is not an array of numbers")
    return np.asarray(data, dtype=float)


def child_of(group: Group, path: str) -> Group:
    """Return a group inside a group."""
    found = _below(group, path)
    if not isinstance(found, Group):
        raise ParamsFileError(f"{path} is no group of weights")
    return found


def _below(group: Group, path: str):
    """Return an object inside the file; links out of it are not followed."""
    found = group
    for name in path.strip("/").split("/"):
        if not isinstance(found, Group) or name not in found.items:
            raise ParamsFileError(f"{path} is missing or a link")
        found = found.items[name]
        if isinstance(found, Odd):
            raise ParamsFileError(f"{path} {found.why}")
    return found


def _datasets(group: Group, prefix: str = "") -> Iterator[str]:
    """Yield the paths of all arrays below a group, numbers in order."""
    for name in sorted(group.items, key=lambda name: (len(name), name)):
        child = group.items[name]
        if isinstance(child, Group):
            yield from _datasets(child, f"{prefix}{name}/")
        else:
            yield prefix + name


# --------------------------------------------------------------------------------------

HDF5 = b"\x89HDF\r\n\x1a\n"
VERSIONS = ("keras_version", "backend")


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

    __repr__ = brief


def one_line(path) -> AbstractContextManager:
    """Turn every error about a Keras file into one line that begins with its path."""
    return reading(path, ParamsFileError, own=("CellParams", "LMUParams"))


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
            return _of_hdf5(read_hdf5(path))
        if start.startswith(b"PK"):
            return _of_zip(path)
        raise ParamsFileError("is neither a .keras file (zip) nor HDF5 (.h5, .hdf5)")


def checked_path(attribute: str, path) -> Path:
    """A path, or a ValidationError."""
    if not isinstance(path, (str, PathLike)):
        raise ValidationError(attribute, path, "must be a path")
    return Path(path)


def _of_zip(path: Path) -> Stored:
    with path.open("rb") as file:
        archive = Archive(file)
        names = archive.names
        if "config.json" not in names or "model.weights.h5" not in names:
            raise ParamsFileError(
                "is a zip, but not of Keras: it lacks config.json or model.weights.h5"
            )
        config, about = json_of(archive.read("config.json")), {}
        if "metadata.json" in names:
            about = json_of(archive.read("metadata.json"))
        weights = archive.read("model.weights.h5")
    _check(config)
    versions = {k: str(about[k]) for k in VERSIONS if k in about}
    groups = groups_by_class(read_hdf5(weights))
    return Stored(".keras archive", groups, True, config, versions)


def _of_hdf5(file: Group) -> Stored:
    versions = {key: str(file.attrs[key]) for key in VERSIONS if key in file.attrs}
    config = file.attrs.get("model_config")
    if config is not None:
        config = json_of(str(config))
        _check(config)
    if any(root in file.items for root in ROOTS):
        groups = groups_by_class(file)
        return Stored("weights by class (HDF5)", groups, True, config, versions)
    inner = child_of(file, "model_weights") if "model_weights" in file.items else file
    layers = names_in(inner, "layer_names")
    if layers is None:
        raise ParamsFileError("is HDF5, but holds no Keras model or weights")
    groups = {}
    for name in layers:
        group = child_of(inner, name)
        arrays = {
            weight: array_of(group, weight)
            for weight in names_in(group, "weight_names") or ()
        }
        if arrays:
            groups[name] = arrays
    kind = "weights by layer (HDF5)" if config is None else "whole model (HDF5)"
    return Stored(kind, groups, False, config, versions)


def _check(config: Any) -> None:
    if not isinstance(config, dict) or not config:
        raise ParamsFileError("describes no model")
