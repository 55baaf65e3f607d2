"""The layers of a Keras model in series, from its description in JSON.

Every model that is a chain is taken, sequential or functional.  Classes are compared by
name and never looked up, so that nothing in a description is run.
"""

from dataclasses import dataclass
from typing import Any

from lmu_spiking.errors import ParamsFileError
from lmu_spiking.lmu.importers.weights import layer_error

LMU = ("LMU", "LMUFFT", "LMUFeedforward", "RNN")
# what does nothing at inference
IDLE = ("InputLayer", "Dropout", "SpatialDropout1D", "GaussianDropout")
IDLE += ("GaussianNoise", "ActivityRegularization")
SHAPING = ("Reshape", "Permute")  # how data come in; for the caller to do
# names of groups, where they go by class
SNAKE = {"LMU": "lmu", "LMUFFT": "lmufft", "LMUFeedforward": "lmu_feedforward"}
SNAKE |= {"RNN": "rnn", "Dense": "dense", "TimeDistributed": "time_distributed"}


@dataclass(frozen=True)
class Layer:
    """One layer: its class, settings, and where its weights are.

    Parameters
    ----------
    kind : str
        Name of its class.
    name : str
        Its own name.
    settings : dict
        Its configuration.
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

    Parameters
    ----------
    shaping : list of str
        Reshapes before the first LMU.
    lmus : list of Layer
        In the order that a signal takes.
    readout : Layer or None
        The Dense after them.
    activation : str
        Activation after the readout.
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

    Returns
    -------
    Chain
        The LMUs and the readout.

    Raises
    ------
    ParamsFileError
        If there is a layer of another kind or in another place.
    """
    shaping, lmus, readout, after = [], [], None, "linear"
    for layer in _in_series(config):
        kind, settings = layer.kind, layer.settings
        if kind in IDLE:
            continue
        if kind in LMU and readout is None:
            lmus.append(layer)
        elif kind in ("Dense", "TimeDistributed") and lmus and readout is None:
            readout = _unwrapped(layer)
        elif kind in SHAPING and not lmus:
            sizes = settings.get("target_shape", settings.get("dims"))
            shaping.append(f"{kind} {sizes}")
        elif kind in ("Activation", "Softmax") and readout is not None:
            after = name_of_activation(settings.get("activation", "softmax"))
        else:
            raise _out_of_place(layer)
    if not lmus:
        raise ParamsFileError("has no LMU layer")
    if readout is not None:
        after = _activation_after(readout, after)
    return Chain(shaping, lmus, readout, after)


def name_of_activation(value: Any) -> str:
    """Return the name of an activation, however Keras wrote it.

    Parameters
    ----------
    value : str, dict or None

    Returns
    -------
    str
        ``linear`` for None.
    """
    if value is None:
        return "linear"
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value.get("class_name")
    return str(value)


def class_of(described: dict) -> str:
    """Return the name of a class, without the package that Keras 2 writes before it.

    Parameters
    ----------
    described : dict
        A layer or cell, from a description.

    Returns
    -------
    str
        With its package if it is another library's.
    """
    kind = str(described["class_name"])
    registered = str(described.get("registered_name") or kind)
    package, _, _ = registered.rpartition(">")
    if package not in ("", "keras-lmu", "Custom"):
        return registered  # another library's, whatever it does
    return kind.rpartition(">")[2]


def _activation_after(readout: Layer, later: str) -> str:
    """Return the one activation after a readout: its own, or a later layer's."""
    own = name_of_activation(readout.settings.get("activation"))
    if own != "linear" and later != "linear":
        raise layer_error(readout.name, "has two activations")
    name = own if own != "linear" else later
    if name not in ("linear", "softmax", "sigmoid"):
        problem = f"a readout with activation {name!r} is not linear; use linear, "
        problem += "softmax or sigmoid, or give it to the hidden cell"
        raise layer_error(readout.name, problem)
    return name


def _unwrapped(layer: Layer) -> Layer:
    """Return the Dense inside a TimeDistributed."""
    if layer.kind == "Dense":
        return layer
    inside = layer.settings["layer"]
    if class_of(inside) != "Dense":
        raise _out_of_place(layer)
    return Layer("Dense", layer.name, inside["config"], layer.by_class)


def _out_of_place(layer: Layer) -> ParamsFileError:
    """Return the error of a layer that no LMU with a readout has there."""
    problem = f"a {layer.kind} here cannot be imported; the model must be an input "
    problem += "(Reshape, Permute), LMU layers and at most one Dense"
    return layer_error(layer.name, problem)


# -- the order of layers -----------------------------------------------------


def _in_series(config: Any) -> list[Layer]:
    """Return all layers from the input to the output."""
    kind = config.get("class_name", "Sequential")
    inner = config.get("config", config)
    described = inner["layers"] if isinstance(inner, dict) else inner  # Keras 2.2
    counts: dict[str, int] = {}
    layers = [_layer(each, counts) for each in described]
    if isinstance(inner, dict) and "output_layers" in inner:
        return _followed(inner, described, layers)
    if kind != "Sequential":
        problem = f"is a model of class {kind!r}; only sequential and functional are"
        raise ParamsFileError(f"{problem} known")
    return layers


def _layer(described: dict, counts: dict[str, int]) -> Layer:
    """Return a described layer; ``counts`` numbers the layers of each class."""
    kind, settings = class_of(described), described["config"]
    stem = SNAKE.get(kind, kind)
    i = counts[stem] = counts.get(stem, -1) + 1
    name = str(settings.get("name", described.get("name", kind)))
    return Layer(kind, name, settings, f"{stem}_{i}" if i else stem)


def _followed(inner: dict, described: list, layers: list[Layer]) -> list[Layer]:
    """Return a functional model's layers in the order that a signal takes."""
    named = {layer.name: layer for layer in layers}
    outputs = _histories(inner["output_layers"])
    inputs = [layer for layer in layers if layer.kind == "InputLayer"]
    if len(outputs) != 1 or len(inputs) != 1:
        many = f"has {len(inputs)} inputs and {len(outputs)} outputs"
        raise ParamsFileError(f"{many}; use one of each")
    nodes = [each.get("inbound_nodes", []) for each in described]
    pairs = zip(layers, nodes, strict=True)
    sources = {layer.name: _histories(node) for layer, node in pairs}
    # go back from the output to the input
    chain, name = [named[outputs[0]]], outputs[0]
    while sources[name]:
        if len(sources[name]) != 1 or len(chain) > len(layers):
            problem = f"has {len(sources[name])} inputs or uses; only layers in series,"
            raise layer_error(name, f"{problem} each used once, are known")
        name = sources[name][0]
        chain.append(named[name])
    if len(chain) != len(layers):
        unused = next(layer.name for layer in layers if layer not in chain)
        raise layer_error(unused, "is beside the path to the output")
    return chain[::-1]


def _histories(nodes: Any) -> list[str]:
    """Return names of layers that ``[name, node, tensor, ...]`` entries point to."""
    if isinstance(nodes, dict):
        nodes = list(nodes.values())
    if not isinstance(nodes, (list, tuple)):
        return []
    if len(nodes) >= 3 and isinstance(nodes[0], str) and isinstance(nodes[1], int):
        return [nodes[0], *_histories(nodes[3:])]
    return [name for value in nodes for name in _histories(value)]
