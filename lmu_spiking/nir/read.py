"""A network in Nengo from a graph of NIR."""

import os
from typing import Any

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.networks.shared import place
from lmu_spiking.nir.build import BUILDERS, Part, build, late_edges
from lmu_spiking.nir.files import read
from lmu_spiking.nir.parts import STEPS, Clock, package
from lmu_spiking.nir.remap import remapped

NEURONS = (None, "rate", "spikes")
DT = 0.001  # seconds, of a graph that does not say


class NIRNetwork(nengo.Network):
    """What `from_nir` builds.

    Attributes
    ----------
    input : nengo.Node
    output : nengo.Node
        What the graph's output reads.
    state : nengo.Node or None
        The node ``state``: in graphs of ours the Legendre state, at probe index ``k``
        that after input ``k - 1``.  None where there is none.
    parts : dict of str to nengo.Node
        What each node of the graph puts out; a spike is 1 for one step.
    neurons : dict of str to nengo.Ensemble
    dt : float
        Step of the simulator it is for, seconds.
    """

    input: nengo.Node
    output: nengo.Node
    state: nengo.Node | None


def from_nir(
    source,
    *,
    dt: float | None = None,
    neurons: str | None = None,
    label: str | None = None,
    seed: int | None = None,
    add_to_container: bool | None = None,
) -> NIRNetwork:
    """Build a network from a graph of NIR, or from its file.

    A graph of ours gives the network it was drawn from: the same state, to rounding,
    and the same spikes where its neurons' seed is in it.  Other graphs are built node
    by node: leaks are stepped exactly, a spike is 1 for one step, neurons are reset by
    subtraction, and a loop without a leak gets one step of delay.

    Parameters
    ----------
    source : nir.NIRGraph, str or Path
    dt : float, optional
        Step of the simulator, seconds; what the graph says, or 1 ms.
    neurons : {"rate", "spikes"}, optional
        What the graph says; otherwise they spike.
    label, seed, add_to_container
        As in `nengo.Network`.

    Returns
    -------
    NIRNetwork

    Raises
    ------
    ValidationError
        If a node is none of those that are built, by name.
    ParamsFileError
        If the file is missing or damaged.

    Examples
    --------
    >>> from lmu_spiking import MemorySpec, to_nir
    >>> network = from_nir(to_nir(MemorySpec(), neurons="none"))
    >>> network.state.size_out
    6
    """
    nir = package()
    if isinstance(source, str | os.PathLike):
        source = read(source)
    if not isinstance(source, nir.NIRGraph):
        raise ValidationError(
            "from_nir.source", source, "must be a nir.NIRGraph or the path of its file"
        )
    if not isinstance(neurons, str | None) or neurons not in NEURONS:
        raise ValidationError(
            "from_nir.neurons", neurons, "is unknown", "use 'rate' or 'spikes'"
        )
    clock = _clock(source, dt)
    _check(source)
    nodes = remapped(source.nodes, clock)
    parts = _parts(nodes, clock, neurons)
    for edge in source.edges:
        out, into = parts[edge[0]].size_out, parts[edge[1]].size_in
        if out != into:
            raise ValidationError(
                "from_nir.source", edge, f"takes {out} values to a node of {into}"
            )

    network = NIRNetwork(label=label, seed=seed, add_to_container=False)
    with network:
        built = {name: build(part) for name, part in parts.items()}
        late = late_edges(nodes, source.edges)
        for edge in source.edges:
            sender, receiver = built[edge[0]], built[edge[1]]
            nengo.Connection(
                sender.out, receiver.into, synapse=0 if edge in late else None
            )
    network.parts = {name: part.out for name, part in built.items()}
    network.neurons = {
        name: part.ensemble for name, part in built.items() if part.ensemble
    }
    network.input = built[_only(nodes, "Input")].into
    network.output = built[_only(nodes, "Output")].out
    network.state = network.parts.get("state")
    network.dt = clock.dt
    place(network, add_to_container)  # whole or not at all
    return network


def _clock(graph, dt) -> Clock:
    """The step, and how leaks in the graph are meant."""
    steps = graph.metadata.get("steps", "exact")
    if steps not in STEPS:
        raise ValidationError(
            "from_nir.steps", steps, "is unknown", f"use one of {', '.join(STEPS)}"
        )
    said = graph.metadata.get("dt")
    if said is not None:
        said = check_positive("from_nir.metadata.dt", _number(said), "seconds")
    if dt is not None:
        dt = check_positive("from_nir.dt", dt, "seconds")
        drawn = said is not None and steps != "continuous"
        if drawn and not np.isclose(dt, said, rtol=1e-9):
            raise ValidationError(
                "from_nir.dt",
                dt,
                f"is not the step that this graph is drawn for, {said:g} s",
                "draw it with to_nir(..., steps='continuous')",
            )
    return Clock(dt or said or DT, steps)


def _number(value):
    return value.item() if isinstance(value, np.generic) else value


def _check(graph) -> None:
    """One line about whatever keeps a graph from being built."""
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    for name, kind in kinds.items():
        if kind not in BUILDERS:
            raise ValidationError(
                "from_nir.source",
                name,
                f"is a {kind}, which is not built",
                f"supported: {', '.join(BUILDERS)}",
            )
    for kind in ("Input", "Output"):
        _only(graph.nodes, kind)
    for edge in graph.edges:
        for name in edge:
            if name not in kinds:
                raise ValidationError(
                    "from_nir.source", name, "has an edge, but is no node of the graph"
                )


def _parts(nodes, clock: Clock, choice: str | None) -> dict[str, Part]:
    """What each node becomes, checked before Nengo sees any."""
    parts: dict[str, Any] = {}
    for name, node in nodes.items():
        try:
            parts[name] = BUILDERS[type(node).__name__](node, clock, choice)
        except ValidationError as error:
            raise ValidationError(
                f"from_nir.{name}", type(node).__name__, str(error)
            ) from None
        except (TypeError, ValueError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise ValidationError(
                f"from_nir.{name}", type(node).__name__, f"is not complete ({reason})"
            ) from None
    return parts


def _only(nodes, kind: str) -> str:
    """The name of the one node of a kind."""
    found = [name for name, node in nodes.items() if type(node).__name__ == kind]
    if len(found) != 1:
        raise ValidationError(
            "from_nir.source", found, f"are its {kind} nodes", "draw one of them"
        )
    return found[0]
