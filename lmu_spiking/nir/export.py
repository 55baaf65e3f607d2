r"""Memories and converted cells, drawn as graphs of NIR.

A memory, ``drawing="state"``::

    input -> input_weights -> state -> encode -> neurons -> decode
                (B')          (LI) \           (IF, LIF)      |
                                ^   +--> output               |
                                +--------- recurrent (A') ----+

with ``drawing="neurons"``, for readers without a leaky integrator of their own, each
neuron filters its current itself (CubaLIF)::

    input -> input_weights -> encode -> neurons -> decode -> output
                                ^                    |
                                +-- recurrent (A') --+

A memory of ``balanced`` or ``optimal`` coordinates has ``U`` before its output.
"""

import dataclasses
from typing import Any

import nengo
import numpy as np

from lmu_spiking.conversion import Conversion
from lmu_spiking.errors import ValidationError
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks.cell import LMUCell
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons.population import Population
from lmu_spiking.nir.files import write
from lmu_spiking.nir.limits import KINDS, SAYS_NOT, check_size, kind_of, warn_of
from lmu_spiking.nir.parts import (
    STEPS,
    Cells,
    Clock,
    affine,
    leak,
    linear,
    lowpass_tau,
    neuron_nodes,
    package,
)
from lmu_spiking.nir.tonic_neurons import tonic_population

# --------------------------------------------------------------------------------------
# Neurons of our networks as `parts.Cells`.


def memory_cells(memory, choice: str | None) -> Cells:
    """The neurons of a `LegendreMemory`, one by one."""
    own = memory.population
    population = own
    if choice == "tonic":
        population = tonic_population(memory)
    kind = kind_of(
        population.neurons, choice if choice != "tonic" else None, population.ceiling
    )
    check_size(population.n_neurons, population.order)
    p = _singled(population)
    m, of = len(p.gain), p.dimension
    warn_of(kind, p.neurons, p.gain, p.bias)
    E, D = np.zeros((m, p.order)), np.zeros((p.order, m))
    E[np.arange(m), of] = p.gain * p.encoders / p.radii[of]
    D[of, np.arange(m)] = p.decoders
    as_own = kind == KINDS.get(type(own.neurons)) and population is own
    seed = memory.noise_seed if as_own else None
    floor = float(getattr(p.neurons, "min_voltage", 0.0))
    return Cells(kind, E, p.bias, D, *_taus(p.neurons), seed, floor)


def unit_cells(cell, choice: str | None) -> Cells | None:
    """The neurons of a cell's hidden units; None where units are linear, in rates."""
    if cell.units is None:
        return None
    ensemble, neurons = cell.units, cell.units.neuron_type
    base = getattr(neurons, "base_type", neurons)
    if not isinstance(base, nengo.RectifiedLinear):
        raise ValidationError(
            "to_nir.activation",
            cell.params.activation,
            "units have rates that NIR cannot say",
            "train with activation='relu' or 'linear'",
        )
    kind = kind_of(neurons, "if" if choice else None)
    E, D = _weights(cell, ensemble)
    counts = np.asarray(getattr(neurons, "counts", 1))
    of = np.repeat(np.arange(ensemble.n_neurons), counts)
    check_size(len(of), max(E.shape))
    gain = np.asarray(ensemble.gain)[of]
    bias = np.asarray(ensemble.bias)[of]
    warn_of(kind, neurons, gain, bias, units=True)
    seed = ensemble.seed if kind == KINDS.get(type(neurons)) else None
    return Cells(kind, gain[:, None] * E[of], bias, D[:, of], seed=seed)


def _weights(cell, ensemble) -> tuple[np.ndarray, np.ndarray]:
    """What goes into the neurons (n, units), and what is decoded (units, n)."""
    into = out = np.empty((0, 0))
    for connection in cell.connections:
        if connection.post_obj == ensemble.neurons:
            into = _dense(connection)
        if connection.pre_obj == ensemble.neurons:
            out = _dense(connection)
    return into, out


def _dense(connection) -> np.ndarray:
    """The matrix of a connection."""
    if isinstance(connection.transform, nengo.transforms.NoTransform):
        return np.eye(connection.size_out)
    sampled = connection.transform.sample()
    if hasattr(sampled, "toarray"):
        return np.asarray(sampled.toarray(), dtype=float)
    if np.ndim(sampled) < 2:
        return np.eye(connection.size_out) * np.asarray(sampled, dtype=float)
    return np.asarray(sampled, dtype=float)


def _singled(p: Population) -> Population:
    """Aggregated entries as the neurons that they stand for."""
    if np.all(p.per_unit == 1):
        return p
    of = np.repeat(np.arange(len(p.gain)), p.per_unit)
    names = ("dimension", "encoders", "gain", "bias", "decoders", "ceiling")
    columns = {name: getattr(p, name)[of] for name in names}
    return dataclasses.replace(p, per_unit=np.ones(len(of), int), **columns)


def _taus(neurons) -> tuple[float, float]:
    return getattr(neurons, "tau_rc", 0.0), getattr(neurons, "tau_ref", 0.0)


# --------------------------------------------------------------------------------------

NEURONS = (None, "if", "tonic", "none")
DRAWINGS = ("state", "neurons")


class Drawing:
    """Nodes and edges, while they are drawn."""

    def __init__(self, nir, clock: Clock):
        self.nir, self.clock = nir, clock
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []

    def put(self, name: str, node, *sources: str) -> str:
        """A node, fed by others."""
        self.nodes[name] = node
        for source in sources:
            self.join(source, name)
        return name

    def join(self, source: str, target: str) -> None:
        """An edge."""
        self.edges.append((source, target))

    def graph(self, output: str, size: int, metadata: dict):
        """The whole, read from the node ``output``."""
        self.put("output", self.nir.Output(np.array([size])), output)
        return self.nir.NIRGraph(self.nodes, self.edges, metadata=metadata)


def to_nir(
    source,
    path=None,
    *,
    neurons: str | None = None,
    steps: str = "exact",
    drawing: str = "state",
):
    """Draw a memory or a converted model as a graph of NIR.

    Parameters
    ----------
    source : LegendreMemory, MemorySpec, LMUNetwork, LMUCell or Conversion
        Of a memory the state is drawn, not the outputs that were added to it.
    path : str or Path, optional
        Where to write it, too (HDF5, whole or not at all).
    neurons : {"if", "tonic", "none"}, optional
        By default the source's own: ``rate``, ``if`` and ``lif`` can be said, random
        spikes are refused.  ``"if"``: neurons of the same rates that integrate and
        fire.  ``"tonic"``: as many that never fall silent within the radius (see
        `tonic`), exact if a spike subtracts the threshold.  ``"none"``: the exactly
        linear loop alone.  Hidden units integrate and fire at their own rates with any
        of them.
    steps : {"exact", "euler", "continuous"}
        How the reader steps a leak: with ``exp(-dt/tau)`` (sinabs), with ``1 - dt/tau``
        (Norse), or as differential equations, for which no step is assumed.
    drawing : {"state", "neurons"}
        With the state as a node of leaky integrators, or with neurons that filter
        their own currents.

    Returns
    -------
    nir.NIRGraph
        ``metadata["says_not"]`` lists what NIR cannot say.  It reads the state: after
        input ``k`` at step ``k`` if edges act at once but for the one around the loop.

    Warns
    -----
    UserWarning
        Where these neurons are others in another simulator: rates, a refractory time,
        or voltages without a floor.

    Examples
    --------
    >>> spec = MemorySpec(n_neurons=120, order=6, theta=0.5)    # of Poisson neurons
    >>> graph = to_nir(spec, neurons="tonic")
    >>> graph.nodes["state"].tau.shape, graph.nodes["neurons"].r.shape
    ((6,), (120,))
    """
    nir = package()
    for name, value, known in (
        ("neurons", neurons, NEURONS),
        ("steps", steps, STEPS),
        ("drawing", drawing, DRAWINGS),
    ):
        if not isinstance(value, str | None) or value not in known:
            words = ", ".join(word for word in known if word)
            raise ValidationError(
                f"to_nir.{name}", value, "is unknown", f"use one of {words}"
            )
    if drawing == "neurons" and neurons == "none":
        raise ValidationError(
            "to_nir.drawing", drawing, "needs neurons", "use drawing='state'"
        )
    source = _network(source)
    clock = Clock(source.dt, steps)
    graph = _draw(Drawing(nir, clock), source, neurons, drawing)
    if path is not None:
        write(graph, path)
    return graph


def _network(source):
    """What is drawn: a memory, a cell or cells in series."""
    if isinstance(source, MemorySpec):
        if not source.aggregated:
            check_size(source.n_neurons, source.order)
        return LegendreMemory.from_spec(source, add_to_container=False)
    if isinstance(source, Conversion):
        return source.built
    if isinstance(source, LegendreMemory | LMUNetwork | LMUCell):
        return source
    raise ValidationError(
        "to_nir.source",
        source,
        "cannot be drawn",
        "use a LegendreMemory, a MemorySpec, an LMUNetwork or what convert() returns",
    )


def _draw(to: Drawing, source, choice: str | None, drawing: str):
    about = _about(to.clock, choice, drawing)
    if isinstance(source, LegendreMemory):
        size = source.size_in
        to.put("input", to.nir.Input(np.array([size])))
        state, decoded = _memory(to, source, "", choice, drawing)
        to.join("input", "input_weights")
        about |= _about_memory(source)
        read = state if state is not None else decoded
        return to.graph(read, size * source.ldn.order, about)
    if drawing != "state":
        raise ValidationError(
            "to_nir.drawing",
            drawing,
            "serves memories alone",
            "use drawing='state' for cells",
        )
    cells = [source] if isinstance(source, LMUCell) else source.cells
    _check_cells(source, cells)
    before = to.put("input", to.nir.Input(np.array([cells[0].params.size_in])))
    for i, cell in enumerate(cells):
        prefix = "" if len(cells) == 1 else f"cell{i}_"
        before = _cell(to, cell, prefix, before, choice)
    size = cells[-1].params.units
    if isinstance(source, LMUNetwork):
        node = affine(to.nir, source.params.D, source.params.c)
        before, size = to.put("readout", node, before), source.params.size_out
    return to.graph(before, size, about | _about_memory(cells[0].memory))


def _memory(to: Drawing, memory, prefix: str, choice: str | None, drawing: str):
    """A memory: its nodes, but for what feeds its input weights.

    Returns
    -------
    state, decoded : str or None
        Names of the nodes with the Legendre state and the decoded spikes.
    """
    nir, clock, loop = to.nir, to.clock, memory.assembly.loop
    tau = lowpass_tau(loop.synapse, loop.loop.size > 1)
    k, d = memory.size_in, memory.ldn.order
    A, B = loop.A, loop.B
    if not clock.discrete:
        U, T, ldn = memory.assembly.U, memory.assembly.T, memory.ldn
        A = tau / ldn.theta * (T @ ldn.A @ U) + np.eye(d)
        B = tau / ldn.theta * (T @ ldn.B)[:, None]
    each = np.eye(k)
    into = to.put(f"{prefix}input_weights", linear(nir, np.kron(each, B)))
    around = linear(nir, np.kron(each, A), role="recurrent", tau=tau)
    realised = None
    if not memory.assembly.plain:
        realised = linear(nir, np.kron(each, memory.assembly.U))
    if drawing == "neurons":
        cells = memory_cells(memory, choice)
        encode, node, decode = neuron_nodes(nir, cells, clock, synapse=tau)
        to.put(f"{prefix}encode", encode, into)
        to.put(f"{prefix}neurons", node, f"{prefix}encode")
        to.put(f"{prefix}decode", decode, f"{prefix}neurons")
        to.put(f"{prefix}recurrent", around, f"{prefix}decode")
        to.join(f"{prefix}recurrent", f"{prefix}encode")
        if realised is None:
            return None, f"{prefix}decode"
        return None, to.put(f"{prefix}realised", realised, f"{prefix}decode")

    carried = f"{prefix}state" if realised is None else f"{prefix}carried"
    decoded = to.put(carried, leak(nir, tau, k * d, clock), into)
    if choice != "none":
        cells = memory_cells(memory, choice)
        encode, node, decode = neuron_nodes(nir, cells, clock)
        to.put(f"{prefix}encode", encode, carried)
        to.put(f"{prefix}neurons", node, f"{prefix}encode")
        decoded = to.put(f"{prefix}decode", decode, f"{prefix}neurons")
    to.put(f"{prefix}recurrent", around, decoded)
    to.join(f"{prefix}recurrent", carried)
    if realised is None:
        return carried, decoded
    return to.put(f"{prefix}state", realised, carried), decoded


def _cell(to: Drawing, cell, prefix: str, before: str, choice: str | None) -> str:
    """A cell; returns the node of its hidden activities."""
    nir, params = to.nir, cell.params
    state, _ = _memory(to, cell.memory, prefix, choice, "state")
    into = f"{prefix}input_weights"
    to.put(f"{prefix}e_x", _biased(nir, params.e_x, params.b_u), before)
    to.join(f"{prefix}e_x", into)
    drive = [to.put(f"{prefix}W_m", _biased(nir, params.W_m, params.b), state)]
    if params.e_m is not None:
        to.join(to.put(f"{prefix}e_m", linear(nir, params.e_m), state), into)
    late = np.full(params.size_in, to.clock.dt)
    if params.W_x is not None:
        to.put(f"{prefix}before", nir.Delay(delay=late), before)
        drive.append(to.put(f"{prefix}W_x", linear(nir, params.W_x), f"{prefix}before"))
    cells = unit_cells(cell, choice)
    if cells is None:  # linear units
        eye = linear(nir, np.eye(params.units))
        return to.put(f"{prefix}hidden", eye, *drive)
    encode, node, decode = neuron_nodes(nir, cells, to.clock)
    to.put(f"{prefix}units_encode", encode, *drive)
    to.put(f"{prefix}units", node, f"{prefix}units_encode")
    return to.put(f"{prefix}hidden", decode, f"{prefix}units")


def _biased(nir, weight, bias):
    return linear(nir, weight) if bias is None else affine(nir, weight, bias)


def _check_cells(source, cells) -> None:
    """What of cells NIR can say, or a ValidationError."""
    if source.copies > 1:
        raise ValidationError(
            "to_nir.copies", source.copies, "would be drawn alike", "draw one copy"
        )
    held = cells[0].steps > 1
    if held and len(cells) > 1:
        raise ValidationError(
            "to_nir.cells",
            len(cells),
            "pass on values held for a presentation, which NIR cannot say",
            "use one cell, or presentation=dt",
        )
    for cell in cells:
        for name in ("e_h", "W_h", "e_m"):
            back = getattr(cell.params, name) is not None
            if back and (held or name != "e_m"):
                raise ValidationError(
                    f"to_nir.{name}",
                    getattr(cell.params, name).shape,
                    "goes back one sample, by a value held, which NIR cannot say",
                    "train with connections='e_x W_m'",
                )


def _about(clock: Clock, choice, drawing: str) -> dict:
    return {
        "drawn_by": "lmu_spiking",
        "dt": clock.dt,
        "steps": clock.steps,
        "spike": "1 for one step" if clock.discrete else "a Dirac impulse",
        "neurons": choice or "own",
        "drawing": drawing,
        "says_not": "; ".join(SAYS_NOT),
    }


def _about_memory(memory) -> dict:
    return {
        "order": memory.ldn.order,
        "theta": memory.ldn.theta,
        "tau": lowpass_tau(memory.assembly.loop.synapse, False),
    }
