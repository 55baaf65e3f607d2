"""One LMU layer of keras-lmu by the names of here.

The memory's kernel has the rows of the inputs and then those of the hidden units of the
step before; the hidden cell's has the new memory, ``memory_d`` by ``order``, and then
the inputs.
"""

from typing import Any

import numpy as np

from lmu_spiking.errors import ParamsFileError
from lmu_spiking.rates import CellParams
from lmu_spiking.training.importers.arrays import Weights, expect, of_lmu
from lmu_spiking.training.importers.graph import hidden_activation
from lmu_spiking.training.importers.ldn_of import check_zoh
from lmu_spiking.training.importers.series import Layer, class_of

WAY_OUT = "use hidden_cell=SimpleRNNCell, Dense or None"


def cell_of(layer: Layer, group: dict, size_in: int | None, dt: float) -> CellParams:
    """Parameters of one layer.

    Parameters
    ----------
    layer : Layer
    group : dict of str to ndarray
        Its weights, by path.
    size_in : int or None
        Units of the LMU before it, where there is one.
    dt : float
        Seconds of one step.
    """
    name, settings = layer.name, _settings(layer)
    hidden = settings.get("hidden_cell")
    bare = settings.get("kernel_initializer", "") is None
    bare = bare and not any(map(settings.get, ("use_bias", "memory_to_memory")))
    bare = bare and not settings.get("trainable_theta")
    weights = of_lmu(name, group, bare=bare)
    _agree(name, settings, weights)
    k, d = int(settings["memory_d"]), int(settings["order"])
    steps = _theta(name, settings, weights)
    kernel = weights.cell.get("kernel")
    kernel = np.eye(k) if kernel is None else kernel
    joined = bool(settings.get("input_to_hidden"))
    if hidden is None:
        c = len(kernel)
        W = np.eye(k * d + c * joined)
        rest = {"activation": "linear"}
    else:
        W, rest = _hidden(name, hidden, weights.hidden)
        c = len(kernel) - W.shape[1] * bool(settings.get("hidden_to_memory"))
    n = W.shape[1]
    because = f"memory_d {k}, order {d}, {c} inputs and {n} units"
    expect(name, "hidden kernel", W, (k * d + c * joined, n), because)
    expect(name, "memory kernel", kernel, (len(kernel), k), because)
    if c < 1 or (size_in is not None and c != size_in):
        raise ParamsFileError(
            f"layer {name}: kernel {kernel.shape} leaves {c} inputs, not "
            f"{size_in or 'one or more'}; do hidden_to_memory and the layers fit?"
        )
    e_m = weights.cell.get("recurrent_kernel")
    return CellParams(
        d,
        steps * dt,
        e_x=kernel[:c].T,
        e_h=kernel[c:].T if len(kernel) > c else None,
        e_m=None if e_m is None else e_m.T,
        b_u=weights.cell.get("bias"),
        W_m=W[: k * d].T,
        W_x=W[k * d :].T if joined else None,
        **rest,
    )


def _settings(layer: Layer) -> dict:
    """Settings of the cell, once those of the layer around it are known to be plain."""
    settings = layer.settings
    for flag in ("go_backwards", "time_major", "return_state"):
        if settings.get(flag):
            raise ParamsFileError(
                f"layer {layer.name}: {flag}=True cannot be imported; build it without"
            )
    if layer.kind == "RNN":
        cell = settings["cell"]
        kind = class_of(cell) if isinstance(cell, dict) else "several cells"
        if kind != "LMUCell":
            raise ParamsFileError(
                f"layer {layer.name}: an RNN of {kind} is not an LMU; use LMUCell"
            )
        settings = cell["config"]
    if settings.get("discretizer", "zoh") != "zoh":
        raise ParamsFileError(
            f"layer {layer.name}: discretizer {settings['discretizer']!r} cannot be "
            'imported; train with discretizer="zoh"'
        )
    return {"memory_d": 1, **settings}  # LMUFFT of 0.3 has one memory


def _agree(name: str, settings: dict, weights: Weights) -> None:
    """Refuse weights that the settings do not speak of, or that are not there."""
    told = {
        "kernel": settings.get("kernel_initializer", "") is not None,
        "bias": settings.get("use_bias"),
        "theta_inv": settings.get("trainable_theta"),
        "recurrent_kernel": settings.get("memory_to_memory"),
    }
    asked = {key for key, there in told.items() if there}
    if asked != set(weights.cell) - {"A", "B"}:
        raise ParamsFileError(
            f"layer {name}: the memory has the weights {_list(weights.cell)}, but its "
            f"settings ask for {_list(asked)}"
        )


def _theta(name: str, settings: dict, weights: Weights) -> float:
    """Window in steps: the trained one, where it is."""
    theta = float(settings["theta"])
    if "theta_inv" in weights.cell:
        inverse = float(weights.cell["theta_inv"])
        if not inverse > 0:
            raise ParamsFileError(
                f"layer {name}: its trained 1/theta is {inverse:g}: no finite window"
            )
        theta = 1 / inverse
    if "A" in weights.cell:  # 0.3 keeps them as weights
        A, B = weights.cell["A"].T, weights.cell["B"].ravel()
        check_zoh(name, A, B, theta)
    return theta


def _hidden(name: str, cell: dict, found: dict[str, np.ndarray]):
    """Kernel (k d [+ c], n) of the hidden cell, and the rest by the names of here."""
    kind, settings = class_of(cell), cell["config"]
    if kind not in ("SimpleRNNCell", "Dense"):
        raise ParamsFileError(
            f"layer {name}: hidden cell {kind} cannot be imported; {WAY_OUT}"
        )
    asked = {"kernel", *(["recurrent_kernel"] if kind == "SimpleRNNCell" else [])}
    asked |= {"bias"} if settings.get("use_bias", True) else set()
    if asked != set(found) or found["kernel"].ndim != 2:
        raise ParamsFileError(
            f"layer {name}: the hidden cell has the weights {_list(found)}, but its "
            f"settings ask for {_list(asked)}"
        )
    recurrent = found.get("recurrent_kernel")
    rest: dict[str, Any] = {
        "W_h": None if recurrent is None else recurrent.T,
        "b": found.get("bias"),
        "activation": hidden_activation(name, settings.get("activation")),
    }
    return found["kernel"], rest


def _list(names) -> str:
    return ", ".join(sorted(names)) or "none"
