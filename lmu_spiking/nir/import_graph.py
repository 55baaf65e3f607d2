r"""Import: a Nengo network from a graph of NIR.

The graph is checked, its loops are mapped to the time step, its nodes become parts of a
network (`import_nodes`), and its edges connections.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import nengo
import numpy as np
from scipy.linalg import expm

from lmu_spiking.dynamics.feedback import make_feedback
from lmu_spiking.errors import ValidationError, check_one_of, check_positive, check_seed
from lmu_spiking.networks.blockwise import AsBuilt, keeps_time
from lmu_spiking.nir.clock import STEPS, Clock, package
from lmu_spiking.nir.files import read
from lmu_spiking.nir.import_nodes import BUILDERS, matrix, metadata_of


@keeps_time("from_nir")
class NIRNetwork(AsBuilt, nengo.Network):
    """A network that `from_nir` has built.

    Parameters
    ----------
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
    output : nengo.Node
        The values that the graph's output reads.
    state : nengo.Node or None
        The node ``state``: in graphs of ours the Legendre state, at probe index ``k``
        that after input ``k - 1``.  None where there is none.
    parts : dict of str to nengo.Node
        The output of each node of the graph; a spike is 1 for one step.
    neurons : dict of str to nengo.Ensemble
        The neurons of each node that has some.
    dt : float
        Time step of the simulator, seconds; simulators with another are refused.

    Notes
    -----
    All of them are read-only: a network is what its graph was.
    """

    input: nengo.Node
    output: nengo.Node
    state: nengo.Node | None
    parts: dict
    neurons: dict
    dt: float


def from_nir(
    source,
    *,
    dt: float | None = None,
    neurons: str | None = None,
    label: str | None = None,
    seed: int | None = None,
    add_to_container: bool | None = None,
) -> NIRNetwork:
    """Return a network that is built from a graph of NIR, or from its file.

    A graph of ours gives the network it was drawn from: the same state, to rounding,
    and the same spikes where its neurons' seed is in it.  Other graphs are built node
    by node: leaks are stepped exactly, a spike is 1 for one step, neurons begin at 0,
    have no floor and are reset by subtraction, and of a loop without a leak one edge
    takes a step: walked from the Input, by name, the one that returns.

    Parameters
    ----------
    source : nir.NIRGraph, str or Path
        A graph, or its file.
    dt : float, optional
        Step of the simulator, seconds; by default that of the graph.  It is needed for
        graphs of other programs, which do not store it.
    neurons : {"rate", "spikes"}, optional
        Rate-based or spiking neurons; by default as the graph says, or spiking.
    label, seed, add_to_container
        As in `nengo.Network`.

    Returns
    -------
    NIRNetwork
        The network, complete: it is added to its container last.

    Raises
    ------
    ValidationError
        If a node is of a kind that is not supported, or no step is given.
    MappingError
        If the error feedback of a graph of ours is unstable with the step.
    ParamsFileError
        If the file is missing or damaged.

    Examples
    --------
    >>> from lmu_spiking import MemorySpec, to_nir
    >>> network = from_nir(to_nir(MemorySpec(), neurons="none"))
    >>> network.state.size_out
    6
    """
    # the graph and the options
    nir = package()
    if isinstance(source, str | os.PathLike):
        source = read(source)
    if not isinstance(source, nir.NIRGraph):
        problem = "must be a nir.NIRGraph or the path of its file"
        raise ValidationError("from_nir.source", source, problem)
    if neurons is not None:
        check_one_of("from_nir.neurons", neurons, ("rate", "spikes"))
    _check_options(label, seed, add_to_container)
    _check_graph(source)
    first, last = (_only(source.nodes, kind) for kind in ("Input", "Output"))
    clock = _clock_of(source, dt)
    nodes = _map_loops(source.nodes, clock)
    _check_feedback(nodes, clock)
    edges = sorted(source.edges)  # a file keeps no order, and seeds follow it
    # the network
    network = NIRNetwork(label=label, seed=seed, add_to_container=False)
    with network:
        built = {}
        for name, node in sorted(nodes.items()):
            with _reading(name, node):
                built[name] = BUILDERS[type(node).__name__](node, clock, neurons)
        delayed = _delayed_edges(built, edges, first)
        for edge in edges:
            ends = built[edge[0]].out, built[edge[1]].into
            out, into = (end.size_out for end in ends)
            if out != into:
                problem = f"takes {out} values to a node of {into}"
                raise ValidationError("from_nir.source", edge, problem)
            nengo.Connection(*ends, synapse=0 if edge in delayed else None)
    network.parts = {name: part.out for name, part in built.items()}
    spiking = {name: part for name, part in built.items() if part.ensemble}
    network.neurons = {name: part.ensemble for name, part in spiking.items()}
    network.input, network.output = built[first].into, built[last].out
    network.state = network.parts.get("state")
    network.dt = clock.dt
    network.built(add_to_container)  # whole or not at all
    return network


def _check_options(label, seed, add_to_container) -> None:
    """Check the arguments of `nengo.Network`."""
    if not isinstance(label, str | None):
        raise ValidationError("from_nir.label", label, "must be a text or None")
    if seed is not None:
        check_seed("from_nir.seed", seed)
    attribute = "from_nir.add_to_container"
    if not isinstance(add_to_container, bool | None):
        problem = "must be True, False or None"
        raise ValidationError(attribute, add_to_container, problem)
    if add_to_container and not nengo.Network.context:
        problem = "needs a network to add to"
        remedy = "call from_nir in a `with nengo.Network():` block"
        raise ValidationError(attribute, add_to_container, problem, remedy)


def _check_graph(graph) -> None:
    """Raise a ValidationError, of one line, for what keeps a graph from being built."""
    attribute = "from_nir.source"
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    for name, kind in kinds.items():
        if kind not in BUILDERS:
            remedy = f"supported: {', '.join(BUILDERS)}"
            problem = f"is a {kind}, which is not built"
            raise ValidationError(attribute, name, problem, remedy)
    for name in (name for edge in graph.edges for name in edge):
        if name not in kinds:
            problem = "has an edge, but is no node of the graph"
            remedy = "draw the node, or leave the edge out"
            raise ValidationError(attribute, name, problem, remedy)
    # nir gives a node without an edge to it an Input of its own, of its name
    inputs = [name for name, kind in kinds.items() if kind == "Input"]
    for name, kind in kinds.items():
        before = {a for a, b in graph.edges if b == name}
        lonely = not before or (len(inputs) > 1 and before == {f"input_{name}"})
        if lonely and kind == "Output":
            problem = "is an Output to which no edge goes"
            remedy = "draw an edge from the node that it reads"
            raise ValidationError(attribute, name, problem, remedy)
        if before and lonely and kinds[f"input_{name}"] == "Input":
            problem = f"is a {kind} to which no edge goes, so nir gave it an Input"
            remedy = "draw an edge to it, or leave it out"
            raise ValidationError(attribute, name, problem, remedy)


def _only(nodes, kind: str) -> str:
    """Return the name of the only node of a kind."""
    names = [name for name, node in nodes.items() if type(node).__name__ == kind]
    if len(names) != 1:
        problem = f"are its {kind} nodes"
        raise ValidationError("from_nir.source", names, problem, "draw one of them")
    return names[0]


def _clock_of(graph, dt) -> Clock:
    """Return the time step, and how leaks in the graph are meant."""
    metadata = metadata_of(graph)
    steps, stored = metadata.get("steps", "exact"), metadata.get("dt")
    check_one_of("from_nir.steps", steps, STEPS)
    if stored is not None:
        stored = check_positive("from_nir.metadata.dt", stored, "seconds")
    if dt is not None:
        dt = check_positive("from_nir.dt", dt, "seconds")
        drawn = stored is not None and steps != "continuous"
        if drawn and not np.isclose(dt, stored, rtol=1e-9):
            problem = f"is not the step that this graph is drawn for, {stored:g} s"
            remedy = "leave dt out"
            if "steps" in metadata:  # a graph of ours
                remedy = "draw it with to_nir(..., steps='continuous')"
            raise ValidationError("from_nir.dt", dt, problem, remedy)
    if dt is None and stored is None:
        problem = "is no step, and this graph stores none: programs express times and "
        problem += "weights in steps of their own, such as 0.1 ms or 1 ms"
        remedy = "give the step in seconds that the graph was made for, as in "
        remedy += "from_nir(graph, dt=0.001)"
        raise ValidationError("from_nir.dt", None, problem, remedy)
    return Clock(dt or stored, steps)


def _map_loops(nodes, clock: Clock) -> dict:
    r"""Return the nodes of a graph, its continuous loops mapped to the time step.

    A leak with its loop, ``tau dx/dt = -x + A' x + B' u``, is the system ``dx/dt = K x
    + L u`` with ``K = (A' - I) / tau``.  Nengo's discrete loop is that system held over
    a step if (Principle 3)

    .. math::

        A'_{dt} = (e^{K dt} - a I) / (1 - a), \qquad
        B'_{dt} = \int_0^{dt} e^{K s} ds\, L / (1 - a), \qquad a = e^{-dt / \tau}.
    """
    nodes = dict(nodes)
    remedy = "draw the graph anew with to_nir"
    for name in [] if clock.discrete else list(nodes):
        metadata = metadata_of(nodes[name])
        role = metadata.get("role")
        if not isinstance(role, str) or role != "recurrent":
            continue
        # the two matrices, around the loop and into it
        into = name.removesuffix("recurrent") + "input_weights"
        linear = all(type(nodes.get(one)).__name__ == "Linear" for one in (name, into))
        if not linear or "tau" not in metadata:
            problem = f"is a loop that needs two Linear nodes, itself and {into}, and a"
            raise ValidationError("from_nir.source", name, f"{problem} tau", remedy)
        attribute = f"from_nir.{name}.metadata.tau"
        tau = check_positive(attribute, metadata["tau"], "seconds")
        weights = []
        for one in (name, into):
            with _reading(one, nodes[one]):
                weights.append(matrix(nodes[one]))
        A, B = weights
        d, k = B.shape
        if not A.shape[0] == A.shape[1] == d:
            problem = f"must be square, with the {d} rows of {into}"
            raise ValidationError(f"from_nir.{name}", A.shape, problem, remedy)
        # the exponential of [[K, L], [0, 0]] dt has both integrals
        system = np.zeros((d + k, d + k))
        system[:d, :d] = (A - np.eye(d)) / tau
        system[:d, d:] = B / tau
        step, gain = expm(system * clock.dt), -np.expm1(-clock.dt / tau)
        A = (step[:d, :d] - (1 - gain) * np.eye(d)) / gain
        nodes[name] = replace(nodes[name], weight=A)
        nodes[into] = replace(nodes[into], weight=step[:d, d:] / gain)
    return nodes


def _check_feedback(nodes, clock: Clock) -> None:
    """Raise a MappingError where error feedback is unstable with the time step."""
    for node in nodes.values():
        metadata = metadata_of(node)
        if str(metadata.get("role")) == "feedback" and {"rate", "tau"} <= {*metadata}:
            make_feedback(metadata["rate"], metadata["tau"], clock.dt)


@contextmanager
def _reading(name: str, node) -> Iterator[None]:
    """Turn the errors of a node's numbers into one line that names the node."""
    attribute, kind = f"from_nir.{name}", type(node).__name__
    try:
        yield
    except ValidationError as error:
        raise ValidationError(attribute, kind, str(error)) from None
    except (TypeError, ValueError, AttributeError) as error:
        problem = f"is not complete ({' '.join(str(error).split())})"
        raise ValidationError(attribute, kind, problem) from None


def _delayed_edges(parts, edges, first: str) -> set:
    """Return the edges that close a loop in which nothing takes a step.

    Each gets a step of its own.  The graph is walked from its Input, at each node to
    the next one by name, and an edge that returns to a node of the path walked so far
    is delayed.  The order of nodes and edges, which a file does not keep, does not
    matter.
    """
    every: dict[str, list[str]] = {name: [] for name in parts}
    at_once: dict[str, list[str]] = {name: [] for name in parts}
    for source, target in edges:
        every[source].append(target)
        if not parts[source].delayed and not parts[target].delayed:
            at_once[source].append(target)
    # nodes by their distance from the Input, then by name
    distance, queue = {first: 0}, [first]
    for name in queue:
        for target in every[name]:
            if target not in distance:
                distance[target] = distance[name] + 1
                queue.append(target)
    roots = sorted(parts, key=lambda name: (distance.get(name, len(parts)), name))
    # depth first, along the edges that act at once
    done, delayed = set(), set()
    path: list = [None]  # which stands before all roots
    stack = [iter(roots)]
    while stack:
        target = next(stack[-1], None)
        if target is None:
            stack.pop()
            done.add(path.pop())
        elif target in path:
            delayed.add((path[-1], target))
        elif target not in done:
            path.append(target)
            stack.append(iter(at_once[target]))
    return delayed
