"""Models of keras-lmu 0.3 to 0.9, saved by Keras 2 or 3: one format, read in `load`.

The memory's kernel has the rows of the inputs and then those of the hidden units of the
step before; the hidden cell's has the new memory, ``memory_d`` by ``order``, and then
the inputs.

Letters: ``c`` inputs, ``k`` memories, ``d`` order, ``n`` units.
"""

from typing import Any

import numpy as np

from lmu_spiking.errors import ParamsFileError, ValidationError, check_one_of
from lmu_spiking.lmu.importers.layers import (
    Chain,
    Layer,
    chain_of,
    class_of,
    name_of_activation,
)
from lmu_spiking.lmu.importers.stored import Arrays, Stored
from lmu_spiking.lmu.importers.weights import (
    check_names,
    check_size,
    check_zoh,
    layer_error,
    read_dense,
    split_lmu,
)
from lmu_spiking.lmu.params import ACTIVATIONS, CellParams, LMUParams


def read_keras_lmu(stored: Stored, dt: float, options: dict) -> LMUParams:
    """Return the parameters of a model that has been read.

    Parameters
    ----------
    stored : Stored
    dt : float
        Seconds of one step.
    options : dict
        Those of `load_keras_lmu`, checked.

    Returns
    -------
    LMUParams
        With the source in the header.

    Raises
    ------
    ParamsFileError, ValidationError
        As `load_keras_lmu`.
    """

    def group(layer: Layer) -> Arrays:
        """Return a layer's weights; none is fine where its settings ask for none."""
        name = layer.by_class if stored.by_class else layer.name
        return stored.groups.get(name, {})

    chain = _chain(stored, options)
    cells: list[CellParams] = []
    for layer in chain.lmus:
        size = cells[-1].units if cells else None
        cells.append(_cell(layer, group(layer), size, dt))
    n, readout = cells[-1].units, chain.readout
    D, c = np.eye(n), np.zeros(n)
    if readout is not None:
        biased = bool(readout.settings.get("use_bias", True))
        D, c = read_dense(readout.name, group(readout), n, biased)
    source = stored.source(
        "keras-lmu",
        layers=[layer.name for layer in chain.lmus],
        readout=readout.name if readout else None,
        readout_activation=chain.activation,
        before=chain.shaping,
        return_sequences=bool(chain.lmus[-1].settings.get("return_sequences")),
    )
    return LMUParams(tuple(cells), D, c, dt, source)


# -- one layer ---------------------------------------------------------------


def _cell(layer: Layer, group: Arrays, size_in: int | None, dt: float) -> CellParams:
    """Return the parameters of one layer behind ``size_in`` units, if it is known."""
    name, settings = layer.name, _cell_settings(layer)
    # sort the weights, which must be those that the settings ask for
    asked = {
        "kernel": settings.get("kernel_initializer", "") is not None,
        "bias": settings.get("use_bias"),
        "theta_inv": settings.get("trainable_theta"),
        "recurrent_kernel": settings.get("memory_to_memory"),
    }
    memory, found = split_lmu(name, group, bare=not any(asked.values()))
    own = set(memory) - {"A", "B"}  # which 0.3 keeps as weights
    check_names(name, "memory", own, [key for key, there in asked.items() if there])
    # count inputs, memories, coefficients and units
    k, d = int(settings["memory_d"]), int(settings["order"])
    kernel = memory.get("kernel", np.eye(k))
    joined = bool(settings.get("input_to_hidden"))
    if settings.get("hidden_cell") is None:
        c = len(kernel)
        W = np.eye(k * d + c * joined)
        units: dict[str, Any] = {"activation": "linear"}
    else:
        W, units = _hidden(name, settings["hidden_cell"], found)
        c = len(kernel) - W.shape[1] * bool(settings.get("hidden_to_memory"))
    n = W.shape[1]
    why = f"memory_d {k}, order {d}, {c} inputs and {n} units"
    check_size(name, "hidden kernel", W, (k * d + c * joined, n), why)
    check_size(name, "memory kernel", kernel, (len(kernel), k), why)
    if c < 1 or (size_in is not None and c != size_in):
        problem = f"kernel {kernel.shape} leaves {c} inputs, not {size_in or 'some'}"
        raise layer_error(name, f"{problem}; do hidden_to_memory and the layers fit?")
    # split the kernels by what they are of
    e_m = memory.get("recurrent_kernel")
    return CellParams(
        d,
        _theta(name, float(settings["theta"]), memory) * dt,
        e_x=kernel[:c].T,
        e_h=kernel[c:].T if len(kernel) > c else None,
        e_m=None if e_m is None else e_m.T,
        b_u=memory.get("bias"),
        W_m=W[: k * d].T,
        W_x=W[k * d :].T if joined else None,
        **units,
    )


def _cell_settings(layer: Layer) -> dict:
    """Return settings of the cell, once those of the layer are known to be plain."""
    name, settings = layer.name, layer.settings
    for flag in ("go_backwards", "time_major", "return_state"):
        if settings.get(flag):
            raise layer_error(name, f"{flag}=True cannot be imported; build it without")
    if layer.kind == "RNN":
        cell = settings["cell"]
        kind = class_of(cell) if isinstance(cell, dict) else "several cells"
        if kind != "LMUCell":
            raise layer_error(name, f"an RNN of {kind} is not an LMU; use LMUCell")
        settings = cell["config"]
    discretizer = settings.get("discretizer", "zoh")
    if discretizer != "zoh":
        problem = f"discretizer {discretizer!r} cannot be imported; train with"
        raise layer_error(name, f'{problem} discretizer="zoh"')
    return {"memory_d": 1, **settings}  # LMUFFT of 0.3 has one memory


def _theta(name: str, theta: float, memory: Arrays) -> float:
    """Return the window in steps: the trained one, where it is."""
    if "theta_inv" in memory:
        inverse = float(memory["theta_inv"])
        if not inverse > 0:
            problem = f"its trained 1/theta is {inverse:g}: no finite window"
            raise layer_error(name, problem)
        theta = 1 / inverse
    if "A" in memory:
        check_zoh(name, memory["A"].T, memory["B"].ravel(), theta)
    return theta


def _hidden(name: str, cell: dict, found: Arrays) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the hidden cell's kernel (k d [+ c], n), and the rest for `CellParams`."""
    kind, settings = class_of(cell), cell["config"]
    if kind not in ("SimpleRNNCell", "Dense"):
        problem = f"hidden cell {kind} cannot be imported; use"
        raise layer_error(name, f"{problem} hidden_cell=SimpleRNNCell, Dense or None")
    asked = {"kernel", *(["recurrent_kernel"] if kind == "SimpleRNNCell" else [])}
    asked |= {"bias"} if settings.get("use_bias", True) else set()
    check_names(name, "hidden cell", found, asked)
    kernel, recurrent = found["kernel"], found.get("recurrent_kernel")
    if kernel.ndim != 2:
        raise layer_error(name, f"hidden kernel is {kernel.shape}, not a matrix")
    activation = name_of_activation(settings.get("activation"))
    problem = "of the hidden cell is unknown here; train again"
    check_one_of(f"layer {name}: activation", activation, ACTIVATIONS, problem)
    W_h = None if recurrent is None else recurrent.T
    return kernel, {"W_h": W_h, "b": found.get("bias"), "activation": activation}


# -- descriptions ------------------------------------------------------------


def _chain(stored: Stored, options: dict) -> Chain:
    """Return the layers: as the file describes them, or the caller, or the options."""
    own = stored.config or options["config"]
    for name in ("config", "order", "theta"):
        needless = stored.config if name == "config" else own
        if needless is not None and options[name] is not None:
            where, problem = f"load_keras_lmu.{name}", "is not needed, for the model is"
            remedy = "leave it out"
            raise ValidationError(where, options[name], f"{problem} described", remedy)
    if own is not None:
        if not isinstance(own, dict):
            raise ValidationError("load_keras_lmu.config", own, "must be a dict")
        return chain_of(own)
    for name in ("order", "theta"):
        if options[name] is None:
            problem = "cannot be told from weights alone"
            remedy = "give order= and theta= (steps), or config=model.get_config()"
            raise ValidationError(f"load_keras_lmu.{name}", None, problem, remedy)
    check_one_of("load_keras_lmu.activation", options["activation"], ACTIVATIONS)
    return _chain_of_weights(stored, options)


def _chain_of_weights(stored: Stored, options: dict) -> Chain:
    """Return one LMU layer and a Dense, with settings by the axes of their arrays."""
    names = list(stored.groups)
    if stored.by_class:
        names.sort(key=lambda name: name.startswith(("dense", "time_distributed")))
    if len(names) != 2:
        problem = f"has weights of {len(names)} layers; give config=model.get_config()"
        raise ParamsFileError(problem)
    lmu, dense = names
    memory, hidden = split_lmu(lmu, stored.groups[lmu], bare=False)
    if "kernel" not in memory or memory["kernel"].ndim != 2:
        problem = "has no kernel (c, memory_d); give config=model.get_config()"
        raise layer_error(lmu, problem)
    # describe the memory, then the units
    k, d = memory["kernel"].shape[1], options["order"]
    settings = {
        "memory_d": k,
        "order": d,
        "theta": options["theta"],
        "hidden_to_memory": bool(options["hidden_to_memory"]),
        "memory_to_memory": "recurrent_kernel" in memory,
        "trainable_theta": "theta_inv" in memory,
        "use_bias": "bias" in memory,
    }
    if hidden:
        kind = "SimpleRNNCell" if "recurrent_kernel" in hidden else "Dense"
        inner = {"activation": options["activation"], "use_bias": "bias" in hidden}
        settings["hidden_cell"] = {"class_name": kind, "config": inner}
        c = len(hidden["kernel"]) - k * d
        if c > 0:  # then the inputs are known, and what else enters the memory
            settings["input_to_hidden"] = True
            settings["hidden_to_memory"] = len(memory["kernel"]) > c
    bias = any(array.ndim == 1 for array in stored.groups[dense].values())
    readout = Layer("Dense", dense, {"use_bias": bias}, dense)
    return Chain([], [Layer("LMU", lmu, settings, lmu)], readout, "linear")
