"""The layers of a Keras model in series, from its description in JSON.

Every model that is a chain is taken, sequential or functional.  Classes are compared by
name and never looked up, so that nothing in a description is run.
"""

from dataclasses import dataclass
from typing import Any

from lmu_spiking.errors import ParamsFileError
from lmu_spiking.lmu import ACTIVATIONS
from lmu_spiking.lmu.importers.series import Layer, class_of, in_series

LMU = ("LMU", "LMUFFT", "LMUFeedforward", "RNN")
READOUT = ("Dense", "TimeDistributed")
# idle at inference
IDLE = (
    "InputLayer",
    "Dropout",
    "SpatialDropout1D",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
)
# how data come in; for the caller to do
SHAPING = ("Reshape", "Permute")


@dataclass(frozen=True)
class Chain:
    """A model of a kind that can be imported.

    Attributes
    ----------
    shaping : list of str
        Reshapes before the first LMU.
    lmus : list of Layer
    readout : Layer or None
    activation : str
        After the readout.
    """

    shaping: list[str]
    lmus: list[Layer]
    readout: Layer | None
    activation: str


def chain_of(config: Any) -> Chain:
    """Sort the layers, and refuse what an LMU with a readout cannot stand for.

    Parameters
    ----------
    config : dict
        What ``model.to_json()`` says, or ``model.get_config()`` returns.

    Raises
    ------
    ParamsFileError
        If there is a layer of another kind or in another place.
    """
    shaping, lmus, readout, after = [], [], None, "linear"
    for layer in in_series(config):
        kind = layer.kind
        if kind in IDLE:
            continue
        if kind in LMU and readout is None:
            lmus.append(layer)
        elif kind in READOUT and lmus and readout is None:
            readout = _unwrapped(layer)
        elif kind in SHAPING and not lmus:
            told = layer.settings.get("target_shape", layer.settings.get("dims"))
            shaping.append(f"{kind} {told}")
        elif kind in ("Activation", "Softmax") and readout is not None:
            after = name_of_activation(layer.settings.get("activation", "softmax"))
        else:
            _refuse(layer)
    if not lmus:
        raise ParamsFileError("has no LMU layer")
    if readout is not None:
        after = _after(readout, after)
    return Chain(shaping, lmus, readout, after)


def _after(readout: Layer, later: str) -> str:
    """The one activation after a readout."""
    own = name_of_activation(readout.settings.get("activation"))
    if own != "linear" and later != "linear":
        raise ParamsFileError(f"layer {readout.name}: has two activations")
    name = own if own != "linear" else later
    if name not in ("linear", "softmax", "sigmoid"):
        raise ParamsFileError(
            f"layer {readout.name}: a readout with activation {name!r} is not linear; "
            "use linear, softmax or sigmoid, or give it to the hidden cell"
        )
    return name


def name_of_activation(value: Any) -> str:
    """The name of an activation, however Keras wrote it."""
    if value is None:
        return "linear"
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value.get("class_name")
    return str(value)


def hidden_activation(owner: str, value: Any) -> str:
    """One that a `CellParams` has, or a ParamsFileError."""
    name = name_of_activation(value)
    if name not in ACTIVATIONS:
        raise ParamsFileError(
            f"layer {owner}: activation {name!r} of the hidden cell is unknown here; "
            f"train with one of {', '.join(ACTIVATIONS)}"
        )
    return name


def _unwrapped(layer: Layer) -> Layer:
    """The Dense inside a TimeDistributed."""
    if layer.kind == "Dense":
        return layer
    inside = layer.settings["layer"]
    if class_of(inside) != "Dense":
        _refuse(layer)
    return Layer("Dense", layer.name, inside["config"], layer.by_class)


def _refuse(layer: Layer):
    raise ParamsFileError(
        f"layer {layer.name}: a {layer.kind} here cannot be imported; the model "
        "must be an input (Reshape, Permute), LMU layers and at most one Dense"
    )
