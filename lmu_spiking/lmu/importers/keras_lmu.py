"""Models of keras-lmu 0.3 to 0.9, saved by Keras 2 or 3."""

from typing import Any

import numpy as np

from lmu_spiking.errors import (
    ParamsFileError,
    ValidationError,
    check_positive,
    check_whole,
)
from lmu_spiking.lmu import ACTIVATIONS, CellParams, LMUParams
from lmu_spiking.lmu.importers.arrays import Weights, expect, of_dense, of_lmu
from lmu_spiking.lmu.importers.graph import chain_of, hidden_activation
from lmu_spiking.lmu.importers.ldn_of import check_zoh
from lmu_spiking.lmu.importers.series import SNAKE, Layer, class_of
from lmu_spiking.lmu.importers.stored import Stored, checked_path, one_line, read

# --------------------------------------------------------------------------------------
# One LMU layer of keras-lmu by the names of here.
#
# The memory's kernel has the rows of the inputs and then those of the hidden units of
# the step before; the hidden cell's has the new memory, ``memory_d`` by ``order``, and
# then the inputs.


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


# --------------------------------------------------------------------------------------
# A description for weights that come without one.


OWNER = "load_keras_lmu"
KINDS = {group: kind for kind, group in SNAKE.items()}


def described(stored: Stored, options: dict) -> dict:
    """The description of a model: the file's, the caller's, or made from options.

    Raises
    ------
    ValidationError
        If options are missing, or given where the file describes itself.
    """
    order, theta = options["order"], options["theta"]
    own = stored.config or options["config"]
    for name in ("config", "order", "theta"):
        needless = stored.config if name == "config" else own
        if needless is not None and options[name] is not None:
            raise ValidationError(
                f"{OWNER}.{name}",
                options[name],
                "is not needed, for the model is described",
                "leave it out",
            )
    if own is not None:
        if not isinstance(own, dict):
            raise ValidationError(f"{OWNER}.config", own, "must be a dict")
        return own
    if order is None or theta is None:
        missing = "order" if order is None else "theta"
        raise ValidationError(
            f"{OWNER}.{missing}",
            None,
            "cannot be told from weights alone",
            "give order= and theta= (steps), or config=model.get_config()",
        )
    check_whole(f"{OWNER}.order", order, 1)
    check_positive(f"{OWNER}.theta", theta, "steps")
    if options["activation"] not in ACTIVATIONS:
        raise ValidationError(
            f"{OWNER}.activation",
            options["activation"],
            "is unknown",
            f"use one of {', '.join(ACTIVATIONS)}",
        )
    return _made(stored, options)


def _made(stored: Stored, options: dict) -> dict:
    """Settings of one LMU layer and a Dense, by the axes of their arrays."""
    names = list(stored.groups)
    if stored.by_class:
        names.sort(key=lambda name: name.startswith(("dense", "time_distributed")))
    if len(names) != 2:
        raise ParamsFileError(
            f"has weights of {len(names)} layers; give config=model.get_config()"
        )
    lmu, dense = names
    weights = of_lmu(lmu, stored.groups[lmu], bare=False)
    cell, hidden = weights.cell, weights.hidden
    if "kernel" not in cell or cell["kernel"].ndim != 2:
        raise ParamsFileError(
            f"layer {lmu}: has no kernel (c, memory_d); give config=model.get_config()"
        )
    k, d = cell["kernel"].shape[1], options["order"]
    settings: dict = {
        "name": lmu,
        "memory_d": k,
        "order": d,
        "theta": options["theta"],
        "hidden_to_memory": bool(options["hidden_to_memory"]),
        "memory_to_memory": "recurrent_kernel" in cell,
        "trainable_theta": "theta_inv" in cell,
        "use_bias": "bias" in cell,
        "hidden_cell": None,
        "input_to_hidden": False,
    }
    if hidden:
        kind = "SimpleRNNCell" if "recurrent_kernel" in hidden else "Dense"
        inner = {"activation": options["activation"], "use_bias": "bias" in hidden}
        settings["hidden_cell"] = {"class_name": kind, "config": inner}
        c = len(hidden["kernel"]) - k * d
        if c > 0:  # then the inputs are known, and what else enters the memory
            settings["input_to_hidden"] = True
            settings["hidden_to_memory"] = len(cell["kernel"]) > c
    bias = any(array.ndim == 1 for array in stored.groups[dense].values())
    last = {"class_name": "Dense", "config": {"name": dense, "use_bias": bias}}
    if dense.startswith("time_distributed"):
        last = {
            "class_name": "TimeDistributed",
            "config": {"name": dense, "layer": last},
        }
    kind = KINDS.get(lmu, "LMU")  # a group by class must keep its class
    if kind == "RNN":
        settings = {"name": lmu, "cell": {"class_name": "LMUCell", "config": settings}}
    layers = [{"class_name": kind, "config": settings}, last]
    return {"class_name": "Sequential", "config": {"layers": layers}}


# --------------------------------------------------------------------------------------


def load_keras_lmu(
    path,
    *,
    dt: float = 0.001,
    config: dict | None = None,
    order: int | None = None,
    theta: float | None = None,
    hidden_to_memory: bool = False,
    activation: str = "tanh",
) -> LMUParams:
    """Parameters of a Keras model of LMU layers and a Dense.

    The model is a chain: an input, ``Reshape`` and ``Permute`` (left to the caller, and
    told in the header), ``keras_lmu.LMU``, ``LMUFeedforward`` or ``RNN(LMUCell)``
    layers, and at most one ``Dense``; dropout is idle at inference.  A softmax or
    sigmoid after the Dense is told in the header: `forward` gives what goes into it.
    ``forward(..., last=True)`` is what a model without ``return_sequences`` returns.

    Parameters
    ----------
    path : str or path-like
        ``.keras``, a whole model in HDF5, or weights only (``.weights.h5``, ``.h5``).
    dt : float
        Seconds of one step; keras-lmu counts ``theta`` in steps.
    config : dict, optional
        ``model.get_config()`` or ``json.loads(model.to_json())``, for weights only.
    order, theta, hidden_to_memory, activation : optional
        Instead of ``config`` for weights of one LMU layer and a Dense: what the arrays
        cannot tell.  ``theta`` is in steps.  With ``input_to_hidden`` the arrays do
        tell ``hidden_to_memory``.

    Returns
    -------
    LMUParams
        Their ``header["source"]`` tells the format, versions and layers.

    Raises
    ------
    ParamsFileError
        If the file is missing or damaged, or holds what an LMU here cannot stand for.
    ValidationError
        If an option is missing, out of range or not needed.
    MissingPackageError
        If h5py is not installed.
    """
    path = checked_path("load_keras_lmu.path", path)
    dt = check_positive("load_keras_lmu.dt", dt, "seconds")
    stored = read(path)
    options = {"config": config, "order": order, "theta": theta}
    options |= {"hidden_to_memory": hidden_to_memory, "activation": activation}
    with one_line(path):
        return params_of(stored, str(path.name), dt, options)


def params_of(stored: Stored, file: str, dt: float, options: dict) -> LMUParams:
    """Parameters of a model that has been read."""
    chain = chain_of(described(stored, options))
    cells, size = [], None
    for layer in chain.lmus:
        cells.append(cell_of(layer, _group(stored, layer), size, dt))
        size = cells[-1].units
    if chain.readout is None:
        D, c = np.eye(cells[-1].units), np.zeros(cells[-1].units)
    else:
        biased = bool(chain.readout.settings.get("use_bias", True))
        D, c = of_dense(chain.readout.name, _group(stored, chain.readout), biased)
        n = (cells[-1].units,)
        expect(chain.readout.name, "kernel", D[0], n, "the LMU before it")
    source = {
        "library": "keras-lmu",
        "file": file,
        "format": stored.format,
        **stored.versions,
        "layers": [layer.name for layer in chain.lmus],
        "readout": chain.readout.name if chain.readout else None,
        "readout_activation": chain.activation,
        "before": chain.shaping,
        "return_sequences": bool(chain.lmus[-1].settings.get("return_sequences")),
    }
    return LMUParams(tuple(cells), D, c, dt, {"source": source})


def _group(stored: Stored, layer: Layer) -> dict[str, np.ndarray]:
    """Weights of a layer; none is fine where its settings ask for none."""
    name = layer.by_class if stored.by_class else layer.name
    return stored.groups.get(name, {})
