"""Weights of LMU and Dense layers: their names, their shapes, and their window."""

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ParamsFileError
from lmu_spiking.lmu.importers.stored import Arrays

MOST_ORDER = 512  # a matrix exponential of it takes 0.2 s
TOLERANCE = 1e-5  # of the largest number; single precision leaves 1e-7


def layer_error(name: str, problem: str) -> ParamsFileError:
    """Return the error that names a layer and its problem.

    Parameters
    ----------
    name : str
        Of the layer.
    problem : str

    Returns
    -------
    ParamsFileError
        To be raised.
    """
    return ParamsFileError(f"layer {name}: {problem}")


def last_names(group: Arrays) -> Arrays:
    """Return arrays by the last part of their paths, without Keras' ``:0``.

    Parameters
    ----------
    group : dict of str to ndarray
        By path.

    Returns
    -------
    dict of str to ndarray
        By name.
    """
    return {path.rpartition("/")[2].split(":")[0]: a for path, a in group.items()}


def listed(names) -> str:
    """Return names in alphabetical order, as text.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    str
        ``none`` without a name.
    """
    return ", ".join(sorted(names)) or "none"


def check_names(name: str, owner: str, found, asked) -> None:
    """Refuse weights of a layer's part that are not those that are asked for.

    Parameters
    ----------
    name : str
        Of the layer.
    owner : str
        Its part.
    found, asked : iterable of str
    """
    if set(found) != set(asked):
        problem = f"has the weights {listed(found)}, but its settings ask for"
        raise layer_error(name, f"the {owner} {problem} {listed(asked)}")


def check_size(name: str, what: str, array: np.ndarray, shape: tuple, why: str) -> None:
    """Refuse an array of another shape than ``why`` would need.

    Parameters
    ----------
    name : str
        Of the layer.
    what : str
        Of its weights.
    array : ndarray
    shape : tuple of int
    why : str
        What the shape follows from.
    """
    if array.shape != shape:
        problem = f"{what} is {array.shape}, but {why} would need {shape}"
        raise layer_error(name, problem)


def split_lmu(name: str, group: Arrays, *, bare: bool) -> tuple[Arrays, Arrays]:
    """Sort the weights of an LMU layer.

    Parameters
    ----------
    name : str
        Of the layer, for errors.
    group : dict of str to ndarray
        By path: ``layer/cell/hidden_cell/vars/0`` or ``lmu/lmu_cell/kernel:0``.
    bare : bool
        Whether the memory has no weights of its own.

    Returns
    -------
    memory : dict of str to ndarray
        ``kernel (c [+ n], k)``, ``bias (k,)``, ``theta_inv ()``,
        ``recurrent_kernel (k d, k)``, as far as the memory has them.
    hidden : dict of str to ndarray
        ``kernel (k d [+ c], n)``, ``recurrent_kernel (n, n)``, ``bias (n,)``.

    Raises
    ------
    ParamsFileError
        If weights are in other places, or of other shapes, than an LMU's.
    """
    places: dict[str, Arrays] = {}
    for path, array in group.items():
        place = path.rpartition("/")[0]
        if "seed_generator" not in place:
            places.setdefault(place, {})[path] = array
    # tell the hidden cell's weights from the memory's
    inner = [place for place in places if "hidden_cell" in place.split("/")]
    if not inner:  # by depth: the hidden cell is built inside the memory's scope
        deepest = sorted(places, key=lambda place: place.count("/"))
        inner = deepest if bare else deepest[1:]
    outer = [place for place in places if place not in inner]
    if len(inner) > 1 or len(outer) > 1:
        problem = f"has weights in {len(places)} places, of which at most the memory"
        raise layer_error(name, f"{problem} and one hidden cell are known")
    memory = _named(name, places[outer[0]], "theta_inv") if outer else {}
    hidden = _named(name, places[inner[0]], "") if inner else {}
    return memory, hidden


def read_dense(name: str, group: Arrays, units: int, use_bias: bool | None = None):
    """Return the readout ``D (q, n)`` and ``c (q,)`` of a Dense on ``units`` inputs.

    Parameters
    ----------
    name : str
        Of the layer.
    group : dict of str to ndarray
    units : int
        Of the LMU before it.
    use_bias : bool, optional
        What the description says of its bias, if there is one.

    Returns
    -------
    D : (q, n) ndarray
        Readout.
    c : (q,) ndarray
        Bias, 0 without one.
    """
    found = _named(name, group, "")
    known = {"kernel", "bias"} if "bias" in found else {"kernel"}
    fits = use_bias is None or use_bias == ("bias" in found)
    if set(found) != known or found["kernel"].ndim != 2 or not fits:
        raise layer_error(name, "has not the weights of a Dense")
    D = found["kernel"].T
    check_size(name, "kernel", D[0], (units,), "the LMU before it")
    return D, found.get("bias", np.zeros(len(D)))


def _named(name: str, group: Arrays, scalar: str) -> Arrays:
    """Name arrays that have only a number: axes and order of creation tell."""
    found = last_names(group)
    if not all(key.isdigit() for key in found):
        return found
    queues = {2: ["kernel", "recurrent_kernel"], 1: ["bias"], 0: [scalar]}
    named = {}
    for key in sorted(found, key=int):
        queue = queues.get(found[key].ndim, [])
        if not queue:
            raise layer_error(name, f"has a weight {found[key].shape} that no LMU has")
        named[queue.pop(0)] = found[key]
    return named


# -- the window of stored matrices -------------------------------------------


def check_zoh(name: str, Ad: np.ndarray, Bd: np.ndarray, theta: float) -> None:
    """Refuse matrices that are not the zero-order hold of an LDN of ``theta`` steps.

    Parameters
    ----------
    name : str
        Of the layer.
    Ad : (d, d) ndarray
    Bd : (d,) ndarray
    theta : float
        Steps.
    """
    d = len(Bd)
    if d <= MOST_ORDER and Ad.shape == (d, d) and theta > 0:
        pairs = zip(LDN(d, theta).discretize(1.0), (Ad, Bd), strict=True)
        # NaN compares to False, so it does not fit
        if all(np.abs(a - b).max() <= TOLERANCE * np.abs(a).max() for a, b in pairs):
            return
    raise layer_error(
        name,
        f"its A and B {Ad.shape}, {Bd.shape} are not those of a Legendre delay network "
        f"of {theta:g} steps (trained, or of another kind or discretisation); keep "
        "them fixed and train again",
    )


def find_theta(name: str, Ad: np.ndarray, Bd: np.ndarray) -> float:
    r"""Return the steps of the window whose zero-order hold is ``Ad, Bd``.

    The mean of the window moves by ``1/theta`` for an impulse, nearly, so that
    ``theta`` starts at ``1/Bd_0``; Newton's steps on ``h = 1/theta`` follow, with
    ``d\bar B/dh = \bar A(h) B``.  Where a whole or half number of steps fits as well,
    it is taken.

    Parameters
    ----------
    name : str
        Of the layer, for errors.
    Ad : (d, d) ndarray
    Bd : (d,) ndarray

    Returns
    -------
    float
        Steps.

    Raises
    ------
    ParamsFileError
        If they are the matrices of no Legendre delay network.
    """
    d = len(Bd)
    h = float(Bd[0]) if _fit_each_other(Ad, Bd) else 0.0
    scale = np.sqrt(2.0 * np.arange(d) + 1)
    B = LDN(d, 1.0).B / scale
    for _ in range(8):  # the error is squared in each
        if not 0 < h < 1e6:
            break
        A_h, B_h = LDN(d, 1 / h).discretize(1.0)
        slope = (A_h * scale / scale[:, None]) @ B
        step = float(((Bd - B_h) / scale) @ slope / (slope @ slope))
        h += step
        if abs(step) <= 1e-12 * abs(h):
            break
    theta = 1 / h if 0 < h < np.inf else 0.0
    half = round(2 * theta) / 2 if theta < 1e9 else 0.0
    if abs(half - theta) <= 1e-6 * theta:
        theta = half
    check_zoh(name, Ad, Bd, theta)
    return theta


def _fit_each_other(Ad: np.ndarray, Bd: np.ndarray) -> bool:
    """Return whether ``A Bd = (Ad - I) B``, which is true for every window."""
    d = len(Bd)
    if not 0 < d <= MOST_ORDER or Ad.shape != (d, d):
        return False
    ldn, change = LDN(d, 1.0), Ad - np.eye(d)
    size = np.abs(ldn.A) @ np.abs(Bd) + np.abs(change) @ np.abs(ldn.B)
    return bool((np.abs(ldn.A @ Bd - change @ ldn.B) <= 1e-4 * size).all())
