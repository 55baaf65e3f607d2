"""A network in Nengo from a graph of NIR."""

import os
from collections import deque
from dataclasses import replace
from typing import Any

import nengo
import numpy as np
from scipy.linalg import expm

from lmu_spiking.errors import ValidationError, check_positive, check_seed
from lmu_spiking.networks.blockwise import AsBuilt, place
from lmu_spiking.networks.step_check import keeps_time
from lmu_spiking.nir.build import Part, build
from lmu_spiking.nir.files import matrix, noted, number, read
from lmu_spiking.nir.nodes import BUILDERS
from lmu_spiking.nir.parts import STEPS, Clock, package

# --------------------------------------------------------------------------------------
# The network that a graph becomes, right at one step only.


@keeps_time("from_nir")
class NIRNetwork(AsBuilt, nengo.Network):
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
        Step of the simulator it is for, seconds; simulators of another are refused.

    Notes
    -----
    All of them are read-only: a network is what its graph was.
    """

    input: nengo.Node
    output: nengo.Node
    state: nengo.Node | None
    dt: float


# --------------------------------------------------------------------------------------
# Which edges of a graph take a step, so that no loop acts at once.


def late_edges(parts, edges) -> set[tuple[str, str]]:
    """Edges that close a loop in which nothing takes a step: each gets one.

    The graph is walked from its Input, at each node to the next one by name, and an
    edge that returns to a node of the path walked so far is late.  The order of nodes
    and edges, which a file does not keep, does not matter.

    Parameters
    ----------
    parts : dict of str to Part
    edges : iterable of (str, str)
    """
    edges = sorted(edges)
    after: dict[str, list[str]] = {name: [] for name in parts}
    for source, target in edges:
        if not parts[source].slow and not parts[target].slow:
            after[source].append(target)
    done: set[str] = set()
    late: set[tuple[str, str]] = set()
    for root in _from_input(parts, edges):
        if root in done:
            continue
        path, stack = {root}, [(root, iter(after[root]))]
        while stack:
            name, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                done.add(name)
                path.discard(name)
                stack.pop()
            elif target in path:
                late.add((name, target))
            elif target not in done:
                path.add(target)
                stack.append((target, iter(after[target])))
    return late


def _from_input(parts, edges) -> list[str]:
    """Names in the order of their distance from the Input, then by name."""
    after: dict[str, list[str]] = {name: [] for name in parts}
    for source, target in edges:
        after[source].append(target)
    first = [name for name in sorted(parts) if parts[name].first]
    distance = dict.fromkeys(first, 0)
    queue = deque(first)
    while queue:
        name = queue.popleft()
        for target in after[name]:
            if target not in distance:
                distance[target] = distance[name] + 1
                queue.append(target)
    beyond = len(parts)
    return sorted(parts, key=lambda name: (distance.get(name, beyond), name))


# --------------------------------------------------------------------------------------
# Loops drawn as differential equations, as the step of a simulator needs them.
#
# A leak with its loop, ``tau dx/dt = -x + A' x + B' u``, is the system ``dx/dt = K x +
# L u`` with ``K = (A' - I) / tau``.  Nengo's discrete loop is that system held over a
# step if (Principle 3)
#
# .. math::
#
#     A'_{dt} = (e^{K dt} - a I) / (1 - a), \qquad
#     B'_{dt} = \int_0^{dt} e^{K s} ds\, L / (1 - a), \qquad a = e^{-dt / \tau}.


def remapped(nodes, clock: Clock) -> dict:
    """The nodes of a graph; those of continuous loops as the step needs them."""
    nodes = dict(nodes)
    if clock.discrete:
        return nodes
    for name, node in list(nodes.items()):
        role = noted(node).get("role")
        if not isinstance(role, str) or role != "recurrent":
            continue
        into = name.removesuffix("recurrent") + "input_weights"
        linear = all(type(nodes.get(one)).__name__ == "Linear" for one in (name, into))
        if not linear or "tau" not in noted(node):
            raise ValidationError(
                "from_nir.source",
                name,
                f"is a loop that needs two Linear nodes, itself and {into}, and a tau",
                "draw the graph anew with to_nir",
            )
        tau = check_positive(
            f"from_nir.{name}.metadata.tau", number(noted(node)["tau"]), "seconds"
        )
        weights = {}
        for one in (name, into):
            try:
                weights[one] = matrix(nodes[one].weight)
            except ValidationError as error:
                raise ValidationError(f"from_nir.{one}", "Linear", str(error)) from None
        A, B = weights[name], weights[into]
        if not A.shape[0] == A.shape[1] == B.shape[0]:
            raise ValidationError(
                f"from_nir.{name}",
                A.shape,
                f"must be square, with the {B.shape[0]} rows of {into}",
                "draw the graph anew with to_nir",
            )
        A, B = _held(A, B, tau, clock.dt)
        nodes[name] = replace(node, weight=A)
        nodes[into] = replace(nodes[into], weight=B)
    return nodes


def _held(A, B, tau: float, dt: float):
    """``A', B'`` of the discrete loop, from those of the continuous one."""
    d, k = B.shape
    system = np.zeros((d + k, d + k))
    system[:d, :d] = (A - np.eye(d)) / tau
    system[:d, d:] = B / tau
    step = expm(system * dt)
    kept = -np.expm1(-dt / tau)
    return (step[:d, :d] - (1 - kept) * np.eye(d)) / kept, step[:d, d:] / kept


# --------------------------------------------------------------------------------------

NEURONS = (None, "rate", "spikes")


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
    by node: leaks are stepped exactly, a spike is 1 for one step, neurons begin at 0,
    have no floor and are reset by subtraction, and of a loop without a leak one edge
    takes a step: walked from the Input, by name, the one that returns.

    Parameters
    ----------
    source : nir.NIRGraph, str or Path
    dt : float, optional
        Step of the simulator, seconds; by default that of the graph.  It is needed for
        graphs of other programs, which do not store it.
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
        If a node is of a kind that is not supported, or no step is given.
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
    _check_options(label, seed, add_to_container)
    _check(source)
    clock = _clock(source, dt)
    nodes = remapped(source.nodes, clock)
    parts = _parts(nodes, clock, neurons)
    edges = sorted(source.edges)  # a file keeps no order, and seeds follow it
    for edge in edges:
        out, into = parts[edge[0]].size_out, parts[edge[1]].size_in
        if out != into:
            raise ValidationError(
                "from_nir.source", edge, f"takes {out} values to a node of {into}"
            )

    network = NIRNetwork(label=label, seed=seed, add_to_container=False)
    with network:
        built = {name: build(parts[name]) for name in sorted(parts)}
        late = late_edges(parts, edges)
        for edge in edges:
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
    network.built()
    place(network, add_to_container)  # whole or not at all
    return network


def _clock(graph, dt) -> Clock:
    """Return the step, and how leaks in the graph are meant."""
    steps = noted(graph).get("steps", "exact")
    if not isinstance(steps, str) or steps not in STEPS:
        raise ValidationError(
            "from_nir.steps", steps, "is unknown", f"use one of {', '.join(STEPS)}"
        )
    said = noted(graph).get("dt")
    if said is not None:
        said = check_positive("from_nir.metadata.dt", number(said), "seconds")
    if dt is not None:
        dt = check_positive("from_nir.dt", dt, "seconds")
        drawn = said is not None and steps != "continuous"
        if drawn and not np.isclose(dt, said, rtol=1e-9):
            ours = "steps" in noted(graph)
            raise ValidationError(
                "from_nir.dt",
                dt,
                f"is not the step that this graph is drawn for, {said:g} s",
                "draw it with to_nir(..., steps='continuous')"
                if ours
                else "leave dt out",
            )
    if dt is None and said is None:
        raise ValidationError(
            "from_nir.dt",
            None,
            "is no step, and this graph stores none: programs express times and "
            "weights in steps of their own, such as 0.1 ms or 1 ms",
            "give the step in seconds that the graph was made for, as in "
            "from_nir(graph, dt=0.001)",
        )
    return Clock(dt or said, steps)


def _check_options(label, seed, add_to_container) -> None:
    """What `nengo.Network` takes."""
    if not isinstance(label, str | None):
        raise ValidationError("from_nir.label", label, "must be a text or None")
    if seed is not None:
        check_seed("from_nir.seed", seed)
    if not isinstance(add_to_container, bool | None):
        raise ValidationError(
            "from_nir.add_to_container", add_to_container, "must be True, False or None"
        )
    if add_to_container and not nengo.Network.context:
        raise ValidationError(
            "from_nir.add_to_container",
            add_to_container,
            "needs a network to add to",
            "call from_nir in a `with nengo.Network():` block",
        )


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
    for edge in graph.edges:
        for name in edge:
            if name not in kinds:
                raise ValidationError(
                    "from_nir.source",
                    name,
                    "has an edge, but is no node of the graph",
                    "draw the node, or leave the edge out",
                )
    _check_reached(graph, kinds)
    for kind in ("Input", "Output"):
        _only(graph.nodes, kind)


def _check_reached(graph, kinds) -> None:
    """A ValidationError for a node to which no edge goes.

    nir gives such a node an Input of its own, ``input_`` and its name.
    """
    inputs = [name for name, kind in kinds.items() if kind == "Input"]
    for name, kind in kinds.items():
        before = {a for a, b in graph.edges if b == name}
        lonely = not before or (len(inputs) > 1 and before == {f"input_{name}"})
        if lonely and kind == "Output":
            raise ValidationError(
                "from_nir.source",
                name,
                "is an Output to which no edge goes",
                "draw an edge from the node that it reads",
            )
        if before and lonely and kinds[f"input_{name}"] == "Input":
            raise ValidationError(
                "from_nir.source",
                name,
                f"is a {kind} to which no edge goes, so nir gave it an Input",
                "draw an edge to it, or leave it out",
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
