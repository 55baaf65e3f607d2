"""The layers of a Keras model in series, from its description in JSON.

Every model that is a chain is taken, sequential or functional.  Classes are compared by
name and never looked up, so that nothing in a description is run.
"""

from dataclasses import dataclass
from typing import Any

from lmu_spiking.errors import ParamsFileError
from lmu_spiking.rates import ACTIVATIONS

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
SNAKE = {"LMU": "lmu", "LMUFFT": "lmufft", "LMUFeedforward": "lmu_feedforward"}
SNAKE |= {"RNN": "rnn", "Dense": "dense", "TimeDistributed": "time_distributed"}


@dataclass(frozen=True)
class Layer:
    """One layer: its class, settings, and where its weights are.

    Attributes
    ----------
    kind : str
    name : str
    settings : dict
    by_class : str
        Name of its group where groups go by class.
    """

    kind: str
    name: str
    settings: dict
    by_class: str


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
    for layer in _in_series(config):
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


def class_of(described: dict) -> str:
    """Name of a class, without the package that Keras 2 writes before it."""
    kind = str(described["class_name"])
    registered = str(described.get("registered_name") or kind)
    package, _, _ = registered.rpartition(">")
    if package not in ("", "keras-lmu", "Custom"):
        return registered  # another library's, whatever it does
    return kind.rpartition(">")[2]


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


def _in_series(config: Any) -> list[Layer]:
    """All layers from the input to the output."""
    kind = config.get("class_name", "Sequential")
    inner = config.get("config", config)
    described = inner["layers"] if isinstance(inner, dict) else inner  # Keras 2.2
    counts: dict[str, int] = {}
    layers = [_layer(each, counts) for each in described]
    graph = isinstance(inner, dict) and "output_layers" in inner
    if not graph and kind != "Sequential":
        raise ParamsFileError(
            f"is a model of class {kind!r}; only sequential and functional are known"
        )
    return _followed(inner, described, layers) if graph else layers


def _layer(described: dict, counts: dict[str, int]) -> Layer:
    kind, settings = class_of(described), described["config"]
    stem = SNAKE.get(kind, kind)
    i = counts[stem] = counts.get(stem, -1) + 1
    name = str(settings.get("name", described.get("name", kind)))
    return Layer(kind, name, settings, f"{stem}_{i}" if i else stem)


def _followed(inner: dict, described: list, layers: list[Layer]) -> list[Layer]:
    """A functional model's layers in the order that a signal takes."""
    named = {layer.name: layer for layer in layers}
    outputs = _histories(inner["output_layers"])
    inputs = [layer for layer in layers if layer.kind == "InputLayer"]
    if len(outputs) != 1 or len(inputs) != 1:
        raise ParamsFileError(
            f"has {len(inputs)} inputs and {len(outputs)} outputs; use one of each"
        )
    sources = {
        layer.name: _histories(each.get("inbound_nodes", []))
        for layer, each in zip(layers, described, strict=True)
    }
    found, name = [named[outputs[0]]], outputs[0]
    while sources[name]:
        if len(sources[name]) != 1 or len(found) > len(layers):
            raise ParamsFileError(
                f"layer {name}: has {len(sources[name])} inputs or uses; only layers "
                "in series, each used once, are known"
            )
        name = sources[name][0]
        found.append(named[name])
    if len(found) != len(layers):
        unused = next(layer.name for layer in layers if layer not in found)
        raise ParamsFileError(f"layer {unused}: is beside the path to the output")
    return found[::-1]


def _histories(nodes: Any) -> list[str]:
    """Names of the layers that ``[name, node, tensor, ...]`` entries point to."""
    if isinstance(nodes, dict):
        return [name for value in nodes.values() for name in _histories(value)]
    if not isinstance(nodes, (list, tuple)):
        return []
    if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int):
        return [nodes[0], *_histories(nodes[3:])]
    return [name for value in nodes for name in _histories(value)]


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
