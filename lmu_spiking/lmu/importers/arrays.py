"""Which array is which: weights of an LMU layer and of a Dense by their names."""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ParamsFileError


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of one LMU layer.

    Attributes
    ----------
    cell : dict of str to ndarray
        ``kernel (c [+ n], k)``, ``bias (k,)``, ``theta_inv ()``,
        ``recurrent_kernel (k d, k)``: those that are there.
    hidden : dict of str to ndarray
        ``kernel (k d [+ c], n)``, ``recurrent_kernel (n, n)``, ``bias (n,)``.
    """

    cell: dict[str, np.ndarray]
    hidden: dict[str, np.ndarray]

    __repr__ = brief


def of_lmu(name: str, group: dict[str, np.ndarray], *, bare: bool) -> Weights:
    """Sort the weights of an LMU layer.

    Parameters
    ----------
    name : str
        Of the layer, for errors.
    group : dict of str to ndarray
        By path: ``layer/cell/hidden_cell/vars/0`` or ``lmu/lmu_cell/kernel:0``.
    bare : bool
        Whether the memory has no weights of its own.
    """
    places: dict[str, dict[str, np.ndarray]] = {}
    for path, array in group.items():
        place, _, last = path.rpartition("/")
        if "seed_generator" in place:
            continue
        places.setdefault(place, {})[last.split(":")[0]] = array
    inner = [place for place in places if "hidden_cell" in place.split("/")]
    if not inner:  # by depth: the hidden cell is built inside the memory's scope
        deepest = sorted(places, key=lambda place: place.count("/"))
        inner = deepest if bare else deepest[1:]
    outer = [place for place in places if place not in inner]
    if len(inner) > 1 or len(outer) > 1:
        raise ParamsFileError(
            f"layer {name}: has weights in {len(places)} places, of which at most the "
            "memory and one hidden cell are known"
        )
    cell = _named(name, places[outer[0]], "theta_inv") if outer else {}
    hidden = _named(name, places[inner[0]], "") if inner else {}
    return Weights(cell, hidden)


def of_dense(name: str, group: dict[str, np.ndarray], use_bias: bool | None = None):
    """``D (q, n)`` and ``c (q,)``; ``use_bias`` is what is said of it, if anything."""
    places = {path.rpartition("/")[2].split(":")[0]: a for path, a in group.items()}
    found = _named(name, places, "")
    known = {"kernel", "bias"} if "bias" in found else {"kernel"}
    fits = use_bias is None or use_bias == ("bias" in found)
    if set(found) != known or found["kernel"].ndim != 2 or not fits:
        raise ParamsFileError(f"layer {name}: has not the weights of a Dense")
    D = found["kernel"].T
    return D, found.get("bias", np.zeros(len(D)))


def expect(name: str, what: str, array: np.ndarray, shape: tuple, because: str):
    """Refuse an array of another shape."""
    if array.shape != shape:
        raise ParamsFileError(
            f"layer {name}: {what} is {array.shape}, but {because} would need {shape}"
        )


def _named(name: str, found: dict[str, np.ndarray], scalar: str) -> dict:
    """Names for arrays that have only a number: axes and order of creation tell."""
    if not all(key.isdigit() for key in found):
        return dict(found)
    queues = {2: ["kernel", "recurrent_kernel"], 1: ["bias"], 0: [scalar]}
    named = {}
    for key in sorted(found, key=int):
        queue = queues.get(found[key].ndim, [])
        if not queue:
            raise ParamsFileError(
                f"layer {name}: has a weight {found[key].shape} that no LMU has"
            )
        named[queue.pop(0)] = found[key]
    return named
