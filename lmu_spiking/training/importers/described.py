"""A description for weights that come without one."""

from lmu_spiking.errors import (
    ParamsFileError,
    ValidationError,
    check_positive,
    check_whole,
)
from lmu_spiking.rates import ACTIVATIONS
from lmu_spiking.training.importers.arrays import of_lmu
from lmu_spiking.training.importers.series import SNAKE
from lmu_spiking.training.importers.stored import Stored

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
