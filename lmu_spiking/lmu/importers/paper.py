"""Checkpoints of the LMU paper's own code, the ``LMUCell`` of 2019."""

from dataclasses import replace

import numpy as np

from lmu_spiking.errors import (
    ParamsFileError,
    ValidationError,
    check_positive,
    check_whole,
)
from lmu_spiking.lmu import ACTIVATIONS, CellParams, LMUParams
from lmu_spiking.lmu.importers.arrays import expect, of_dense
from lmu_spiking.lmu.importers.graph import name_of_activation
from lmu_spiking.lmu.importers.ldn_of import theta_of
from lmu_spiking.lmu.importers.stored import Stored, checked_path, one_line, read

OWNER = "load_paper_lmu"
KERNELS = {
    "input_encoders": "e_x",
    "hidden_encoders": "e_h",
    "memory_encoders": "e_m",
    "input_kernel": "W_x",
    "hidden_kernel": "W_h",
    "memory_kernel": "W_m",
}


def load_paper_lmu(
    path,
    *,
    order: int | None = None,
    theta: float | None = None,
    dt: float = 0.001,
    activation: str | None = None,
) -> LMUParams:
    """Parameters of ``RNN(LMUCell)`` layers and a Dense, from ``.hdf5``.

    It takes what ``model.save``, ``save_weights`` and ``ModelCheckpoint`` wrote: a
    group for each layer with ``input_encoders``, ``hidden_encoders``,
    ``memory_encoders``, ``input_kernel``, ``hidden_kernel``, ``memory_kernel``, ``AT``,
    ``BT`` and perhaps ``bias``.  ``AT`` is the transpose of ``Ad - I``.

    Parameters
    ----------
    path : str or path-like
    order : int, optional
        Checked against the arrays, which tell it.
    theta : float, optional
        Window in steps.  ``AT`` and ``BT`` tell it, and a theta that is neither theirs
        nor theirs and a half (the paper's code is often given ``theta - 0.5``) is
        refused.  Needed only where they are not stored.
    dt : float
        Seconds of one step.
    activation : {"tanh", "relu", "linear"}, optional
        Of the hidden units; by default the description's, or else tanh.

    Returns
    -------
    LMUParams
        Their theta is that of the stored matrices; ``header["source"]`` tells it.

    Raises
    ------
    ParamsFileError
        If the file is missing or damaged, or its ``AT, BT`` are those of no Legendre
        delay network.
    ValidationError
        If an option is out of range or contradicts the file.
    MissingPackageError
        If h5py is not installed.
    """
    path = checked_path(f"{OWNER}.path", path)
    dt = check_positive(f"{OWNER}.dt", dt, "seconds")
    options = {"order": order, "theta": theta, "activation": activation}
    stored = read(path)
    with one_line(path):
        return params_of(stored, path.name, dt, options)


def is_paper(stored: Stored) -> bool:
    """Whether a layer has the weights of the paper's cell."""
    return any(set(KERNELS) <= set(_short(g)) for g in stored.groups.values())


def params_of(stored: Stored, file: str, dt: float, options: dict) -> LMUParams:
    """Parameters of a model that has been read."""
    _check(options)
    if stored.by_class or not is_paper(stored):
        raise ParamsFileError(
            "holds no LMUCell of the paper's code; for keras-lmu use load_keras_lmu"
        )
    *names, last = stored.groups
    if is_paper(Stored("", {last: stored.groups[last]}, False, None, {})):
        raise ParamsFileError(f"layer {last}: is the last one; a Dense must follow it")
    told = options["activation"] or _told_activation(stored.config)
    cells = [_cell(name, _short(stored.groups[name]), options, told) for name in names]
    D, c = of_dense(last, stored.groups[last])
    expect(last, "kernel", D[0], (cells[-1].units,), "the LMU before it")
    source = {
        "library": "neurips2019 LMUCell",
        "file": file,
        "format": stored.format,
        **stored.versions,
        "layers": names,
        "readout": last,
        "theta_steps": [cell.theta for cell in cells],
    }
    in_seconds = tuple(replace(cell, theta=cell.theta * dt) for cell in cells)
    return LMUParams(in_seconds, D, c, dt, {"source": source})


def _check(options: dict) -> None:
    order, theta, activation = map(options.get, ("order", "theta", "activation"))
    if order is not None:
        check_whole(f"{OWNER}.order", order, 1)
    if theta is not None:
        check_positive(f"{OWNER}.theta", theta, "steps")
    if activation not in (None, *ACTIVATIONS):
        raise ValidationError(
            f"{OWNER}.activation",
            activation,
            "is unknown",
            f"use one of {', '.join(ACTIVATIONS)}",
        )


def _short(group: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By the last part of their names."""
    return {path.rpartition("/")[2].split(":")[0]: a for path, a in group.items()}


def _cell(name: str, group: dict, options: dict, activation: str) -> CellParams:
    """One cell, its theta in steps."""
    known = {*KERNELS, "bias", "AT", "BT"}
    if not set(KERNELS) <= set(group) or set(group) - known:
        raise ParamsFileError(
            f"layer {name}: has the weights {', '.join(sorted(group))}, which are not "
            "those of an LMUCell"
        )
    (c, n), d = group["input_kernel"].shape, len(group["memory_kernel"])
    if options["order"] not in (None, d):
        raise ValidationError(
            f"{OWNER}.order", options["order"], f"is not that of layer {name}, {d}"
        )
    shapes = {"input_encoders": (c, 1), "hidden_encoders": (n, 1)}
    shapes |= {"memory_encoders": (d, 1), "hidden_kernel": (n, n)}
    shapes |= {"memory_kernel": (d, n)}
    for key, shape in shapes.items():
        expect(name, key, group[key], shape, f"order {d}, {c} inputs and {n} units")
    arrays = {ours: group[theirs].T for theirs, ours in KERNELS.items()}
    if "bias" in group:
        arrays["b"] = group["bias"].ravel()
    return CellParams(
        d, _steps(name, group, d, options["theta"]), activation=activation, **arrays
    )


def _steps(name: str, group: dict, d: int, given: float | None) -> float:
    """Window in steps, from the matrices where they are stored."""
    if "AT" not in group or "BT" not in group:
        if given is None:
            raise ValidationError(
                f"{OWNER}.theta",
                None,
                f"cannot be told: layer {name} has no AT and BT",
                "give it, in steps",
            )
        return float(given)
    expect(name, "AT", group["AT"], (d, d), f"order {d}")
    expect(name, "BT", group["BT"], (1, d), f"order {d}")
    found = theta_of(name, group["AT"].T + np.eye(d), group["BT"][0])
    if given is not None and min(abs(given - found), abs(given - 0.5 - found)) > (
        1e-4 * found
    ):
        raise ValidationError(
            f"{OWNER}.theta",
            given,
            f"is not that of layer {name}, whose AT and BT hold {found:.8g} steps",
            "leave it out",
        )
    return found


def _told_activation(config) -> str:
    """Activation in the description of the first cell, or tanh."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers", []) if isinstance(inner, dict) else inner or []
    for layer in layers:
        cell = layer.get("config", {}).get("cell", {})
        told = cell.get("config", {}).get("hidden_activation")
        if told is not None:
            name = name_of_activation(told)
            if name not in ACTIVATIONS:
                raise ParamsFileError(
                    f"hidden_activation {name!r} is unknown here; give activation="
                )
            return name
    return "tanh"
