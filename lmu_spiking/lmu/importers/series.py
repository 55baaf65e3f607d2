"""Layers of a Keras model in the order that a signal takes, from its description."""

from dataclasses import dataclass
from typing import Any

from lmu_spiking.errors import ParamsFileError

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


def in_series(config: Any) -> list[Layer]:
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


def class_of(described: dict) -> str:
    """Name of a class, without the package that Keras 2 writes before it."""
    kind = str(described["class_name"])
    registered = str(described.get("registered_name") or kind)
    package, _, _ = registered.rpartition(">")
    if package not in ("", "keras-lmu", "Custom"):
        return registered  # another library's, whatever it does
    return kind.rpartition(">")[2]


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
