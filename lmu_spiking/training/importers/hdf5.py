"""Names and arrays in the HDF5 files that Keras writes."""

from collections.abc import Iterator

import numpy as np

from lmu_spiking.errors import ParamsFileError
from lmu_spiking.hdf5 import Group, Odd

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
