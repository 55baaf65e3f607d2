"""Checkpoints of the LMU paper's own code, the ``LMUCell`` of 2019, read in `load`."""

from dataclasses import replace
from typing import Any

import numpy as np

from lmu_spiking.errors import ParamsFileError, ValidationError
from lmu_spiking.lmu.importers.layers import name_of_activation
from lmu_spiking.lmu.importers.stored import Arrays, Stored
from lmu_spiking.lmu.importers.weights import (
    check_names,
    check_size,
    find_theta,
    last_names,
    layer_error,
    read_dense,
)
from lmu_spiking.lmu.params import ACTIVATIONS, CellParams, LMUParams

KERNELS = {"input_encoders": "e_x", "hidden_encoders": "e_h", "memory_encoders": "e_m"}
KERNELS |= {"input_kernel": "W_x", "hidden_kernel": "W_h", "memory_kernel": "W_m"}


def is_paper(stored: Stored) -> bool:
    """Return whether a layer has the weights of the paper's cell.

    Parameters
    ----------
    stored : Stored

    Returns
    -------
    bool
        False for groups by class, which the paper's code never wrote.
    """
    return not stored.by_class and any(map(_is_cell, stored.groups.values()))


def read_paper(stored: Stored, dt: float, options: dict) -> LMUParams:
    """Return the parameters of a checkpoint that has been read.

    Parameters
    ----------
    stored : Stored
    dt : float
        Seconds of one step.
    options : dict
        Those of `load_paper_lmu`, checked.

    Returns
    -------
    LMUParams
        With the source in the header.

    Raises
    ------
    ParamsFileError, ValidationError
        As `load_paper_lmu`.
    """
    if not is_paper(stored):
        problem = "holds no LMUCell of the paper's code; for keras-lmu use"
        raise ParamsFileError(f"{problem} load_keras_lmu")
    *names, last = stored.groups
    # the readout is the last layer
    if _is_cell(stored.groups[last]):
        raise layer_error(last, "is the last one; a Dense must follow it")
    activation = options["activation"] or _described_activation(stored.config)
    cells = [_cell(n, stored.groups[n], options, activation) for n in names]
    D, c = read_dense(last, stored.groups[last], cells[-1].units)
    steps = [cell.theta for cell in cells]
    found = {"layers": names, "readout": last, "theta_steps": steps}
    source = stored.source("neurips2019 LMUCell", **found)
    in_seconds = tuple(replace(cell, theta=cell.theta * dt) for cell in cells)
    return LMUParams(in_seconds, D, c, dt, source)


def _is_cell(group: Arrays) -> bool:
    """Return whether a layer has all kernels of the paper's cell."""
    return set(KERNELS) <= set(last_names(group))


def _cell(name: str, group: Arrays, options: dict, activation: str) -> CellParams:
    """Return one cell, its theta in steps."""
    group = last_names(group)
    extras = {"bias", "AT", "BT"} & set(group)
    check_names(name, "LMUCell", group, {*KERNELS, *extras})
    (c, n), d = group["input_kernel"].shape, len(group["memory_kernel"])
    if options["order"] not in (None, d):
        problem = f"is not that of layer {name}, {d}"
        raise ValidationError("load_paper_lmu.order", options["order"], problem)
    # one memory: its encoders are columns
    shapes = {"input_encoders": (c, 1), "hidden_encoders": (n, 1)}
    shapes |= {"memory_encoders": (d, 1), "hidden_kernel": (n, n)}
    shapes |= {"memory_kernel": (d, n)}
    for key, shape in shapes.items():
        why = f"order {d}, {c} inputs and {n} units"
        check_size(name, key, group[key], shape, why)
    arrays: dict[str, Any] = {ours: group[key].T for key, ours in KERNELS.items()}
    if "bias" in group:
        arrays["b"] = group["bias"].ravel()
    theta = _theta(name, group, d, options["theta"])
    return CellParams(d, theta, activation=activation, **arrays)


def _theta(name: str, group: Arrays, d: int, given: float | None) -> float:
    """Return the window in steps, from the matrices where they are stored."""
    attribute = "load_paper_lmu.theta"
    if "AT" not in group or "BT" not in group:
        if given is None:
            problem = f"cannot be told: layer {name} has no AT and BT"
            raise ValidationError(attribute, None, problem, "give it, in steps")
        return float(given)
    check_size(name, "AT", group["AT"], (d, d), f"order {d}")
    check_size(name, "BT", group["BT"], (1, d), f"order {d}")
    theta = find_theta(name, group["AT"].T + np.eye(d), group["BT"][0])
    # the paper's code is often given half a step more
    if given is not None and (
        min(abs(given - theta), abs(given - 0.5 - theta)) > 1e-4 * theta
    ):
        problem = f"is not that of layer {name}, whose AT and BT hold {theta:.8g} steps"
        raise ValidationError(attribute, given, problem, "leave it out")
    return theta


def _described_activation(config) -> str:
    """Return the activation in the description of the first cell, or tanh."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers", []) if isinstance(inner, dict) else inner or []
    for layer in layers:
        cell = layer.get("config", {}).get("cell", {})
        value = cell.get("config", {}).get("hidden_activation")
        if value is not None:
            name = name_of_activation(value)
            if name not in ACTIVATIONS:
                problem = f"hidden_activation {name!r} is unknown here"
                raise ParamsFileError(f"{problem}; give activation=")
            return name
    return "tanh"
