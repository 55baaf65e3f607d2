r"""Export: memories and converted cells as graphs of NIR.

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

A memory whose basis is ``balanced`` or ``optimal`` has ``U`` before its output.  Error
feedback (`dynamics.feedback`) is a second loop in the first drawing::

    state --------------> error -> feedback -> encode
    decode -> minus (-1) --^ (gain)  (LI)

"""

import numpy as np

from lmu_spiking.conversion import Conversion
from lmu_spiking.errors import ValidationError, check_one_of
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks.cell import LMUCell
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.nir.clock import STEPS, Clock, package
from lmu_spiking.nir.export_neurons import (
    SAYS_NOT,
    Cells,
    affine,
    check_size,
    linear,
    memory_cells,
    neuron_nodes,
    unit_cells,
)
from lmu_spiking.nir.files import write


def to_nir(
    source,
    path=None,
    *,
    neurons: str | None = None,
    steps: str = "exact",
    drawing: str = "state",
):
    """Return a memory or a converted model as a graph of NIR.

    Parameters
    ----------
    source : LegendreMemory, MemorySpec, LMUNetwork, LMUCell or Conversion
        The network to export; of a memory the state, not the outputs added to it.
    path : str or Path, optional
        File to write it to (HDF5, whole or not at all).
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
        input ``k`` at step ``k`` if edges act at once but for the one around the loop
        (``recurrent`` to what it drives) and, with error feedback, that from ``error``
        to ``feedback``.

    Raises
    ------
    ValidationError
        If an option is unknown, or NIR cannot say what the source is.
    ParamsFileError
        If the file cannot be written.

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
    if neurons is not None:
        check_one_of("to_nir.neurons", neurons, ("if", "tonic", "none"))
    check_one_of("to_nir.steps", steps, STEPS)
    check_one_of("to_nir.drawing", drawing, ("state", "neurons"))
    if drawing == "neurons" and neurons == "none":
        remedy = "use drawing='state'"
        raise ValidationError("to_nir.drawing", drawing, "needs neurons", remedy)
    package()  # before the network is built
    if isinstance(source, MemorySpec):
        if not source.aggregated:
            check_size(source.n_neurons, source.order)
        source = LegendreMemory.from_spec(source, add_to_container=False)
    if isinstance(source, Conversion):
        source = source.built
    if not isinstance(source, LegendreMemory | LMUNetwork | LMUCell):
        remedy = "use a LegendreMemory, a MemorySpec, an LMUNetwork or what convert() "
        remedy += "returns"
        raise ValidationError("to_nir.source", source, "cannot be drawn", remedy)
    graph = _draw(Drawing(Clock(source.dt, steps)), source, neurons, drawing)
    if path is not None:
        write(graph, path)
    return graph


class Drawing:
    """The nodes and edges of a graph, while they are drawn.

    Parameters
    ----------
    clock : Clock

    Attributes
    ----------
    prefix : str
        Begins the names of all nodes that are added.
    """

    def __init__(self, clock: Clock):
        self.clock, self.prefix = clock, ""
        self.nodes: dict = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, name: str, node, *sources: str) -> str:
        """Add a node, fed by others, and return its full name.

        Parameters
        ----------
        name : str
        node : nir.NIRNode
        *sources : str
            Full names.

        Returns
        -------
        str
            The name with the prefix.
        """
        name = self.prefix + name
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def add_neurons(self, names, cells: Cells, *sources, synapse=None) -> list[str]:
        """Add encoders, neurons and decoders in a row, and return their full names.

        Parameters
        ----------
        names : sequence of str
            Three names.
        cells : Cells
        *sources : str
            Full names of the nodes that feed the encoders.
        synapse : float, optional
            Seconds; with it the neurons filter their currents themselves.

        Returns
        -------
        list of str
            Three names.
        """
        added: list[str] = []
        nodes = neuron_nodes(cells, self.clock, synapse)
        for name, node in zip(names, nodes, strict=True):
            added.append(self.add(name, node, *(added[-1:] or sources)))
        return added


def _draw(to: Drawing, source, choice: str | None, drawing: str):
    """Return the graph of a memory, a cell, or cells in series."""
    nir, clock = package(), to.clock
    metadata = {
        "drawn_by": "lmu_spiking",
        "dt": clock.dt,
        "steps": clock.steps,
        "spike": "1 for one step" if clock.discrete else "a Dirac impulse",
        "neurons": choice or "own",
        "drawing": drawing,
        "says_not": "; ".join(SAYS_NOT),
    }
    # a memory, or cells in series
    cells, memory = [], source
    if not isinstance(source, LegendreMemory):
        if drawing != "state":
            problem, remedy = "serves memories alone", "use drawing='state' for cells"
            raise ValidationError("to_nir.drawing", drawing, problem, remedy)
        cells = [source] if isinstance(source, LMUCell) else source.cells
        _check_cells(source, cells)
        memory = cells[0].memory
    size = cells[0].params.size_in if cells else memory.size_in
    output = to.add("input", nir.Input(np.array([size])))
    if cells:
        if isinstance(source, LMUNetwork) and source.params.mean is not None:
            over = 1 / source.params.scale
            first = affine(np.diag(over), -over * source.params.mean)
            output = to.add("normalised", first, output)
        for i, cell in enumerate(cells):
            to.prefix = "" if len(cells) == 1 else f"cell{i}_"
            output, size = _draw_cell(to, cell, output, choice), cell.params.units
        to.prefix = ""
        if isinstance(source, LMUNetwork):
            readout = affine(source.params.D, source.params.c)
            output, size = to.add("readout", readout, output), source.params.size_out
    else:
        output = _draw_memory(to, memory, choice, drawing, "input")
        size *= memory.ldn.order
    metadata |= {"order": memory.ldn.order, "theta": memory.ldn.theta}
    metadata["tau"] = memory.tau
    to.add("output", nir.Output(np.array([size])), output)
    return nir.NIRGraph(to.nodes, to.edges, metadata=metadata)


def _draw_memory(to: Drawing, memory, choice, drawing: str, *sources: str) -> str:
    """Draw a memory, and return the name of the node with the Legendre state."""
    clock, assembly, ldn = to.clock, memory.assembly, memory.ldn
    loop, d, each = assembly.loop, memory.ldn.order, np.eye(memory.size_in)
    tau, delayed = memory.tau, loop.loop.size > 1
    if tau is None or delayed:
        what = "extra delay in the loop" if delayed else type(loop.synapse).__name__
        problem = f"is not a lowpass alone ({what}); NIR's leak is one"
        remedy = "use synapse=0.1 and delay_steps=0"
        raise ValidationError("to_nir.synapse", loop.synapse, problem, remedy)
    _check_feedback(loop.feedback, choice, drawing)
    # the weights into the loop, and around it
    A, B = loop.A, loop.B
    if not clock.discrete:
        U, T = assembly.U, assembly.T
        A = tau / ldn.theta * (T @ ldn.A @ U) + np.eye(d)
        B = tau / ldn.theta * (T @ ldn.B)[:, None]
    state = to.add("input_weights", linear(np.kron(each, B)), *sources)
    names = "encode", "neurons", "decode"
    if drawing == "neurons":
        cells = memory_cells(memory, choice)
        driven, _, state = to.add_neurons(names, cells, state, synapse=tau)
        decoded = state
    else:
        ones = np.ones(len(each) * d)
        r, v_leak = ones, 0 * ones
        leak = package().LI(tau=clock.to_graph(tau) * ones, r=r, v_leak=v_leak)
        state = to.add("state" if assembly.plain else "carried", leak, state)
        driven = decoded = state
        if choice != "none":
            cells = memory_cells(memory, choice)
            decoded = to.add_neurons(names, cells, state)[-1]
            _draw_feedback(to, loop.feedback, state, decoded)
    # around the loop, back to what integrates
    around = linear(np.kron(each, A), role="recurrent", tau=tau)
    to.edges.append((to.add("recurrent", around, decoded), driven))
    if assembly.plain:
        return state
    name = "realised" if drawing == "neurons" else "state"
    return to.add(name, linear(np.kron(each, assembly.U)), state)


def _check_feedback(feedback, choice: str | None, drawing: str) -> None:
    """Raise a ValidationError if a graph has no place for error feedback."""
    if feedback is None:
        return
    problem, remedy = None, "export a memory without it"
    if drawing == "neurons":
        problem = "needs the state, which drawing='neurons' leaves out"
        remedy = f"use drawing='state', or {remedy}"
    elif choice == "tonic":
        problem = "is for the memory's own neurons: it raises the error of tonic ones"
    if problem:
        raise ValidationError("to_nir.error_feedback", feedback, problem, remedy)


def _draw_feedback(to: Drawing, feedback, state: str, decoded: str) -> None:
    """Draw the leak from what neurons receive, less what they decode, to encoders."""
    if feedback is None:
        return
    each = np.eye(to.nodes[decoded].weight.shape[0])
    minus = to.add("minus", linear(-each), decoded)
    error = to.add("error", linear(feedback.gain * each), state, minus)
    ones, tau = np.ones(len(each)), feedback.tau
    leak = package().LI(tau=to.clock.to_graph(tau) * ones, r=ones, v_leak=0 * ones)
    leak.metadata |= {"role": "feedback", "rate": feedback.rate, "tau": tau}
    returned = to.add("feedback", leak, error)
    to.edges.append((returned, f"{to.prefix}encode"))


def _draw_cell(to: Drawing, cell, source: str, choice: str | None) -> str:
    """Draw a cell, and return the name of the node with its hidden activities."""
    params = cell.params
    state = _draw_memory(to, cell.memory, choice, "state")
    # what enters the memory
    into = f"{to.prefix}input_weights"
    to.edges.append((to.add("e_x", affine(params.e_x, params.b_u), source), into))
    drive = [to.add("W_m", affine(params.W_m, params.b), state)]
    if params.e_m is not None:
        to.edges.append((to.add("e_m", linear(params.e_m), state), into))
    # what drives the hidden units: the state, and the input of the step before
    if params.W_x is not None:
        delay = package().Delay(delay=np.full(params.size_in, to.clock.dt))
        before = to.add("before", delay, source)
        drive.append(to.add("W_x", linear(params.W_x), before))
    cells = unit_cells(cell, choice)
    if cells is None:  # linear units
        return to.add("hidden", linear(np.eye(params.units)), *drive)
    return to.add_neurons(("units_encode", "units", "hidden"), cells, *drive)[-1]


def _check_cells(source, cells) -> None:
    """Raise a ValidationError if NIR cannot say cells."""
    if source.copies > 1:
        problem, remedy = "would be drawn alike", "draw one copy"
        raise ValidationError("to_nir.copies", source.copies, problem, remedy)
    held = cells[0].steps > 1
    if held and len(cells) > 1:
        problem = "pass on values held for a presentation, which NIR cannot say"
        remedy = "use one cell, or presentation=dt"
        raise ValidationError("to_nir.cells", len(cells), problem, remedy)
    for cell in cells:
        for name in ("e_h", "W_h", "e_m"):
            weight = getattr(cell.params, name)
            if weight is not None and (held or name != "e_m"):
                problem = "goes back one sample, by a value held, which NIR cannot say"
                remedy = "train with connections='e_x W_m'"
                raise ValidationError(f"to_nir.{name}", weight.shape, problem, remedy)
