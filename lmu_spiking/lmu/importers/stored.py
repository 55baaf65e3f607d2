"""The contents of a Keras file, whichever its format: a description and named arrays.

``.keras`` is a zip with ``config.json`` and ``model.weights.h5``.  An HDF5 file has the
weights either in groups by layer, each with its ``weight_names``, or in groups by class
(``layers/lmu/layer/cell/vars/0``), whose numbers are the order of creation.

Both are read within limits of time and size (`lmu_spiking.hdf5`, `lmu_spiking.files`).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ParamsFileError
from lmu_spiking.files import Archive, json_of, reading
from lmu_spiking.hdf5 import Group, Odd, read_hdf5

Arrays = dict[str, np.ndarray]  # by path
# turns every error about a Keras file into one line that begins with its path
one_line = partial(
    reading, kind=ParamsFileError, own=("CellParams", "LMUParams", "layer")
)

SIGNATURE = b"\x89HDF\r\n\x1a\n"  # the first bytes of an HDF5 file
VERSIONS = ("keras_version", "backend")
ROOTS = ("layers", "_layer_checkpoint_dependencies")  # groups by class: Keras 3, and 2


@dataclass(frozen=True, eq=False)
class Stored:
    """A model as a file stores it.

    Parameters
    ----------
    file : str
        Name of the file.
    format : str
        Name of the format.
    groups : dict of str to dict of str to ndarray
        Arrays by path, of each layer that has any, in the order of the file.
    by_class : bool
        Whether groups go by class (``lmu_1``) rather than by the name of the layer.
    config : dict or None
        Description of the model; None where there are only weights.
    versions : dict of str to str
        Of Keras and its backend, as far as the file names them.
    """

    file: str
    format: str
    groups: dict[str, Arrays]
    by_class: bool
    config: dict | None
    versions: dict[str, str]

    __repr__ = brief

    def source(self, library: str, **found) -> dict[str, dict]:
        """Return the header of parameters that tells where they are from.

        Parameters
        ----------
        library : str
            What wrote the file.
        **found
            What was found in it, by name.

        Returns
        -------
        dict
            One entry, ``source``.
        """
        file = {"file": self.file, "format": self.format, **self.versions}
        return {"source": {"library": library, **file, **found}}


def read(path: Path) -> Stored:
    """Read a ``.keras`` or HDF5 file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Stored
        What the file holds, in any of its formats.

    Raises
    ------
    ParamsFileError
        If it is missing, damaged or of another kind.
    MissingPackageError
        If h5py is not installed.
    """
    with one_line(path):
        if path.is_dir():
            problem = "is a folder (a SavedModel?); save the model with"
            raise ParamsFileError(f"{problem} model.save('x.keras')")
        with path.open("rb") as file:
            # the content tells the format, whatever the name ends in
            start = file.read(len(SIGNATURE))
            if start.startswith(b"PK"):
                return _read_zip(path.name, Archive(file))
        if start == SIGNATURE:
            return _read_hdf5(path.name, read_hdf5(path))
        raise ParamsFileError("is neither a .keras file (zip) nor HDF5 (.h5, .hdf5)")


def _read_zip(name: str, archive: Archive) -> Stored:
    """Return the model in a ``.keras`` archive."""
    if not {"config.json", "model.weights.h5"} <= set(archive.names):
        problem = "is a zip, but not of Keras: it lacks config.json or model.weights.h5"
        raise ParamsFileError(problem)
    config, about = json_of(archive.read("config.json")), {}
    if "metadata.json" in archive.names:
        about = json_of(archive.read("metadata.json"))
    groups = _groups_by_class(read_hdf5(archive.read("model.weights.h5")))
    versions = {key: str(about[key]) for key in VERSIONS if key in about}
    return Stored(name, ".keras archive", groups, True, _described(config), versions)


def _read_hdf5(name: str, file: Group) -> Stored:
    """Return the model, or the weights alone, in an HDF5 file."""
    # Keras and the description are in attributes
    versions = {key: str(file.attrs[key]) for key in VERSIONS if key in file.attrs}
    config = file.attrs.get("model_config")
    config = None if config is None else _described(json_of(str(config)))
    if any(root in file.items for root in ROOTS):
        groups, kind = _groups_by_class(file), "weights by class (HDF5)"
        return Stored(name, kind, groups, True, config, versions)
    # a whole model has its weights one level further down
    inner = _child(file, "model_weights") if "model_weights" in file.items else file
    layers = _names(inner, "layer_names")
    if layers is None:
        raise ParamsFileError("is HDF5, but holds no Keras model or weights")
    groups = {}
    for layer in layers:
        group = _child(inner, layer)
        weights = _names(group, "weight_names") or ()
        groups[layer] = {weight: _array(group, weight) for weight in weights}
    groups = {layer: arrays for layer, arrays in groups.items() if arrays}
    kind = "weights by layer (HDF5)" if config is None else "whole model (HDF5)"
    return Stored(name, kind, groups, False, config, versions)


def _described(config: Any) -> dict:
    """Return a description, or raise a ParamsFileError if it describes nothing."""
    if not isinstance(config, dict) or not config:
        raise ParamsFileError("describes no model")
    return config


def _groups_by_class(file: Group) -> dict[str, Arrays]:
    """Return the arrays of all layers, where groups are named by class."""
    root = next((root for root in ROOTS if root in file.items), None)
    if root is None:
        raise ParamsFileError("holds weights in an order of Keras that is not known")
    inner, groups = _child(file, root), {}
    for name in inner.items:
        layer = _child(inner, name)
        arrays = {path: _array(layer, path) for path in _paths(layer)}
        if arrays:
            groups[name] = arrays
    return groups


def _names(group: Group, key: str) -> list[str] | None:
    """Return the names in an attribute, which Keras splits if it is long."""
    if key in group.attrs:
        return list(group.attrs[key])
    parts = (f"{key}{i}" for i in itertools.count())
    given = itertools.takewhile(group.attrs.__contains__, parts)
    return [name for part in given for name in group.attrs[part]] or None


def _array(group: Group, path: str) -> np.ndarray:
    """Return an array of numbers in the file."""
    data = _below(group, path)
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "fiu":
        raise ParamsFileError(f"{path} is not an array of numbers")
    return np.asarray(data, dtype=float)


def _child(group: Group, path: str) -> Group:
    """Return a group inside a group."""
    child = _below(group, path)
    if not isinstance(child, Group):
        raise ParamsFileError(f"{path} is no group of weights")
    return child


def _below(group: Group, path: str):
    """Return an object inside the file; links out of it are not followed."""
    item: Any = group
    for name in path.strip("/").split("/"):
        if not isinstance(item, Group) or name not in item.items:
            raise ParamsFileError(f"{path} is missing or a link")
        item = item.items[name]
        if isinstance(item, Odd):
            raise ParamsFileError(f"{path} {item.why}")
    return item


def _paths(group: Group, prefix: str = "") -> Iterator[str]:
    """Yield the paths of all arrays below a group, numbers in order."""
    for name in sorted(group.items, key=lambda name: (len(name), name)):
        child = group.items[name]
        if isinstance(child, Group):
            yield from _paths(child, f"{prefix}{name}/")
        else:
            yield prefix + name
