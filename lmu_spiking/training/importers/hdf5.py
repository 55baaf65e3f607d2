"""Reading HDF5 as Keras writes it: names, arrays, and no way out of the file."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lmu_spiking.errors import MissingPackageError, ParamsFileError

LARGEST = 2**28  # numbers in an array
ROOTS = ("layers", "_layer_checkpoint_dependencies")


def opened(source):
    """An HDF5 file to read, or a MissingPackageError."""
    try:
        import h5py
    except ImportError:
        raise MissingPackageError("h5py", "nir") from None
    return h5py.File(source, "r")


def groups_by_class(file) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of all layers, where groups go by class."""
    root = next((root for root in ROOTS if root in file), None)
    if root is None:
        raise ParamsFileError("holds weights in an order of Keras that is not known")
    inner, groups = child_of(file, root), {}
    for name in inner:
        arrays = {}
        for path in _datasets(child_of(inner, name)):
            arrays[path] = array_of(child_of(inner, name), path)
        if arrays:
            groups[name] = arrays
    return groups


def names_in(group, key: str) -> list[str] | None:
    """Names in an attribute, which Keras splits when it is long."""
    if key in group.attrs:
        return [text_of(name) for name in group.attrs[key]]
    if f"{key}0" not in group.attrs:
        return None
    names, i = [], 0
    while f"{key}{i}" in group.attrs:
        names += [text_of(name) for name in group.attrs[f"{key}{i}"]]
        i += 1
    return names


def array_of(group, path: str) -> np.ndarray:
    """Numbers that lie in this file, and are not too many."""
    data = child_of(group, path)
    if not hasattr(data, "shape") or data.dtype.kind not in "fiu":
        raise ParamsFileError(f"{path} is not an array of numbers")
    if data.external or data.is_virtual:
        raise ParamsFileError(f"{path} lies in another file")
    if data.size > LARGEST:
        raise ParamsFileError(f"{path} claims {data.size} numbers")
    return np.asarray(data[()], dtype=float)


def child_of(group, path: str):
    """An object inside the file, without following links out of it."""
    import h5py

    for name in path.strip("/").split("/"):
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ParamsFileError(f"{path} is missing or a link")
        group = group[name]
    return group


def text_of(value: Any) -> str:
    """An attribute as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _datasets(group, prefix: str = "") -> Iterator[str]:
    """Paths of all arrays below a group, numbers in order."""
    for name in sorted(group, key=lambda name: (len(name), name)):
        child = child_of(group, name)
        if hasattr(child, "shape"):
            yield prefix + name
        else:
            yield from _datasets(child, f"{prefix}{name}/")
