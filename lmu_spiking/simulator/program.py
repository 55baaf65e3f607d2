"""Lowering: a network's operators become a table of integers over arenas of numbers.

Nengo builds and optimizes the operators.  Each is lowered to steps (`lowering`), which
`passes` make fewer and `schedule` puts in order, populations tile by tile.  Here they
get their addresses: what changes lies in the state, of which each trial has its own;
constants and indices are shared.
"""

from dataclasses import dataclass, field

import nengo
import numpy as np
from nengo.builder.operator import SimPyFunc, TimeUpdate
from nengo.builder.processes import SimProcess

from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator import passes, schedule
from lmu_spiking.simulator.lowering import Context, in_python, lower
from lmu_spiking.simulator.lowering.processes import Input, made_ahead
from lmu_spiking.simulator.opcodes import FIRST, TILE, WIDTH, Code
from lmu_spiking.simulator.reach import Name, names_in
from lmu_spiking.simulator.regions import Region, region_of
from lmu_spiking.simulator.steps import (
    Along,
    Arenas,
    Listed,
    Node,
    Pair,
    Runs,
    Step,
    Stream,
    Whole,
    Work,
    cut_into_tiles,
    tile_starts,
)

PAD = 80  # numbers between buffers: loads wait for stores 4096 bytes away


@dataclass(frozen=True, eq=False)
class Program:
    """What `machine.advance` runs, and what Python does in between.

    Attributes
    ----------
    table : (R, WIDTH) int64 ndarray
    segments : list of (2,) ndarray, or operator
        Rows to run, and operators that Nengo steps, in their order; the operator of
        the clock only where Python reads it.
    state : (S,) ndarray
        Initial values of all that changes.
    const : (C,) ndarray
    index : (I,) int64 ndarray
    places : dict of signal to (bool, int)
        Whether a base signal is constant, and its address there.
    hidden : dict of int to list of (int, int)
        By the id of a base signal, the first and last entries that are not computed.
    fixed : set of int
        Ids of constant base signals that are compiled in, though Nengo would let one
        change them.
    names : list of Name
        What functions that are called ahead read by name.
    watched : bool
        Whether Python may look at signals within a step: all are computed, in Nengo's
        order.
    streams : list of operators
        With random numbers, in the order of their seeds.
    inputs : list of Input
    probes : list of nengo.Probe
    sizes : (P,) int ndarray
        Numbers in a sample of each.
    """

    table: np.ndarray
    segments: list
    state: np.ndarray
    const: np.ndarray
    index: np.ndarray
    places: dict
    streams: list
    inputs: list[Input]
    probes: list
    sizes: np.ndarray
    hidden: dict
    fixed: set[int]
    names: list[Name]
    watched: bool
    nodes: list[Node] = field(repr=False, default_factory=list)

    @property
    def columns(self) -> int:
        """Numbers that come from outside in a step."""
        return sum(i.size for i in self.inputs)

    @property
    def python(self) -> bool:
        """Return whether Python runs between compiled stretches."""
        return any(not isinstance(s, np.ndarray) for s in self.segments)

    def hides(self, region: Region) -> bool:
        """Return whether part of a region is not computed."""
        ends = self.hidden.get(id(region.base), ())
        return any(a < region.end and region.start < b for a, b in ends)

    def is_fixed(self, base) -> bool:
        """Return whether a constant cannot be changed."""
        return base.readonly or id(base) in self.fixed


def compile_program(
    model, step_order, dependents, dtype, given=(), whole=False
) -> Program:
    """Lower a built model.

    Parameters
    ----------
    model : nengo.builder.Model
    step_order : list of operators
    dependents : dict of operator to set of operators
    dtype : float32 or float64
    given : iterable of nengo.Node
        Whose outputs come from outside.
    whole : bool
        Compute all signals, in Nengo's order, even if no Python could see them.

    Raises
    ------
    ValidationError
        If such a node has an input, or a constant output.
    """
    dtype = np.dtype(dtype)
    written = {
        id(s.base) for op in step_order for s in (*op.sets, *op.incs, *op.updates)
    }
    context = Context(model.dt, dtype.itemsize == 4, written)
    outside = _given_ops(given, model, step_order)
    # lower each operator; those without a kernel stay in Python
    nodes = [lower(op, context) for op in step_order]
    for node in (n for n in nodes if n.python and id(n.ops[0]) in outside):
        node.steps = made_ahead(node.ops[0], context) or node.steps
    python = [node for node in nodes if node.python]
    read = [names_in(node.ops[0]) for node in python]
    # if Python may look at signals, all of them must be computed, in Nengo's order
    whole = whole or None in read
    probed = [model.sig[probe]["in"] for probe in model.probes]
    watched = [region_of(signal) for signal in probed]
    writer = _Writer(dtype, written, context, whole)
    if whole:
        for node in (n for n in nodes if python and isinstance(n.ops[0], TimeUpdate)):
            node.steps = [in_python(node.ops[0])]
        dependents = schedule.without(dependents, nodes)
        nodes = [node for node in nodes if node.steps]
        nodes = schedule.tile_stretches(nodes, dependents)
        return writer.write(nodes, model, watched)

    writer.names = _make_ahead(python, read, context)

    def unwritten(what):
        """Return values of constants, and of regions that the network never changes."""
        if not isinstance(what, Region):
            return np.asarray(what)
        if id(what.base) in written or not what.whole:
            return None
        return what.base.initial_value.reshape(-1)[what.start : what.end]

    def constant(what):
        """Return the same, but only for values that nobody can change."""
        mine = isinstance(what, Region) and not what.base.readonly
        return None if mine else unwritten(what)

    # no code looks at signals within a step: leave out what serves nothing, and reorder
    nodes = passes.drop_zeros(nodes, watched)
    nodes = passes.fold_gains(nodes, watched, unwritten, writer.hidden, writer.fixed)
    nodes = passes.trim_fills(nodes, watched)
    dependents = schedule.without(dependents, nodes)
    nodes = [node for node in nodes if node.steps]
    nodes = schedule.ordered(nodes, dependents)
    nodes = passes.find_equal_rates(nodes, constant)
    nodes = schedule.tile(nodes, dependents, watched)
    writer.scratch = schedule.scratch(nodes, watched)
    return writer.write(nodes, model, watched)


def _make_ahead(python: list[Node], read: list, context: Context) -> list[Name]:
    """Let functions of time alone be called ahead; return the names that they read."""
    found = []
    for node, names in zip(python, read, strict=True):
        op = node.ops[0]
        steps = None
        if _has_no_input(op) and op.output is not None:
            steps = made_ahead(op, context)
        if steps is not None:
            node.steps, found = steps, [*found, *names]
    return found


def _has_no_input(op) -> bool:
    if isinstance(op, SimPyFunc):
        return not op.x_passed
    return isinstance(op, SimProcess) and op.input is None


def _given_ops(given, model, step_order) -> set[int]:
    """Ids of the operators whose outputs are given."""
    found = set()
    for node in given:
        out = model.sig[node]["out"] if node in model.sig else None
        if not isinstance(node, nengo.Node) or out is None or node.size_in > 0:
            raise ValidationError(
                "Simulator.inputs", node, "is no Node without input of this network"
            )
        key = region_of(out).key
        makers = [
            op
            for op in step_order
            if isinstance(op, SimPyFunc | SimProcess)
            and op.output is not None
            and region_of(op.output).key == key
        ]
        if not makers:
            raise ValidationError(
                "Simulator.inputs",
                node,
                "has a constant output",
                "give it a function or a process instead, which is replaced",
            )
        found.add(id(makers[0]))
    return found


class _Writer:
    """Gives addresses to regions and constants, and writes rows."""

    def __init__(self, dtype, written: set[int], context: Context, whole: bool):
        self.dtype, self.written, self.context = dtype, written, context
        self.whole = whole
        self.scratch: dict[tuple, int] = {}  # buffers, by the keys of their regions
        self.hidden: list[Region] = []
        self.fixed: set[int] = set()
        self.names: list[Name] = []
        self.state: list[np.ndarray] = []
        self.const: list[np.ndarray] = []
        self.index: list[np.ndarray] = []
        self.lengths = {"state": 0, "const": 0, "index": 0}
        self.places: dict = {}
        self.known: dict[int, tuple[np.ndarray, int]] = {}

    def write(self, nodes, model, watched) -> Program:  # noqa: C901
        """Return the program of nodes in their order."""
        self.work = self._put("state", np.zeros(self.context.work))
        most = max(self.scratch.values(), default=-1) + 1
        self.buffers = [self._put("state", np.zeros(TILE + PAD)) for _ in range(most)]
        rows, segments, first = [], [], 0
        if not self.whole and any(node.python for node in nodes):
            clock = [op for op in model.operators if isinstance(op, TimeUpdate)]
            segments += clock  # first, as no order of Nengo's applies
        for node in nodes:
            if node.tiled:
                head = np.zeros(WIDTH, np.int64)
                head[:3] = Code.TILED, node.steps[0].n, len(node.steps)
                rows.append(head)
            for step in node.steps:
                if step.code is None:
                    if len(rows) > first:
                        segments.append(np.array([first, len(rows)]))
                    segments.append(step.op)
                    first = len(rows)
                else:
                    rows.append(self.row(step))
        for k, region in enumerate(watched):
            rows.append(self._probe(region, k))
        if len(rows) > first:
            segments.append(np.array([first, len(rows)]))
        for op in model.operators:  # what nothing uses has a place as well
            for signal in op.all_signals:
                if not signal.sparse and not self._elided(signal.base):
                    self.place(signal.base)
        table = np.array(rows, np.int64).reshape(-1, WIDTH)
        return Program(
            table=table,
            segments=segments,
            state=self._arena(self.state, self.dtype),
            const=self._arena(self.const, self.dtype),
            index=self._arena(self.index, np.int64),
            places=self.places,
            streams=self.context.streams,
            inputs=self.context.inputs,
            probes=list(model.probes),
            sizes=np.array([r.size for r in watched], np.int64),
            hidden=self._hidden(),
            fixed=self.fixed,
            names=self.names,
            watched=self.whole,
            nodes=nodes,
        )

    def _hidden(self) -> dict:
        found: dict[int, list] = {}
        for base, start, size in [*self.scratch, *(r.key for r in self.hidden)]:
            found.setdefault(base, []).append((start, start + size))
        return found

    def _arena(self, parts, dtype):
        return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)

    def _put(self, arena: str, values) -> int:
        """Address of new numbers at the end of an arena."""
        values = np.ravel(values)
        at = self.lengths[arena]
        kind = np.int64 if arena == "index" else self.dtype
        getattr(self, arena).append(values.astype(kind))
        self.lengths[arena] += values.size
        return at

    def _elided(self, base) -> bool:
        return (id(base), 0, base.size) in self.scratch

    def place(self, base) -> tuple[bool, int]:
        """Whether a base signal is constant, and its address."""
        if base not in self.places:
            constant = id(base) not in self.written
            arena = "const" if constant else "state"
            self.places[base] = constant, self._put(arena, base.initial_value)
        return self.places[base]

    def constants(self, values: np.ndarray) -> int:
        """Address of constants; the same array is kept once."""
        if id(values) not in self.known:
            self.known[id(values)] = values, self._put("const", values)
        return self.known[id(values)][1]

    def address(self, what) -> tuple[int, int]:
        """Address of a region or of constants, and how it moves along the axis."""
        if not isinstance(what, Region):
            return -1 - self.constants(what), 1
        if what.key in self.scratch:
            return self.buffers[self.scratch[what.key]], 0
        constant, at = self.place(what.base)
        at += what.start
        return (-1 - at if constant else at), 1

    def row(self, step: Step) -> np.ndarray:
        """One row of the table."""
        row = np.zeros(WIDTH, np.int64)
        row[:FIRST] = step.code, step.n
        for k, operand in enumerate(step.operands):
            at = FIRST + 2 * k
            row[at : at + 2] = self.operand(operand)
        return row

    def operand(self, operand) -> tuple[int, int]:  # noqa: C901 - a case for each
        """The two numbers of an operand."""
        match operand:
            case Along(what):
                return self.address(what)
            case Whole(what, tail):
                return self.address(what)[0], tail
            case Pair(a, b):
                return a, b
            case Stream(seed):
                return seed, 0
            case Work(tail):
                return self.work, tail
            case Listed(values, tail, of):
                values = np.asarray(values, dtype=np.int64)
                if of is not None:
                    values = values + self._base(of)[1]
                return self._put("index", values), tail
            case Runs(rows, n, weights):
                rows = cut_into_tiles(np.asarray(rows, np.int64))
                if weights is not None:
                    rows[:, 3] += self.constants(weights)
                starts = self._put("index", tile_starts(rows, n))
                return starts, self._put("index", rows)
            case Arenas(bases=bases):
                kinds = [int(self._base(b)[0]) for b in bases]
                return kinds[0], kinds[-1]
        raise TypeError(f"{operand!r} is no operand")

    def _base(self, of) -> tuple[bool, int]:
        """Arena and address of a base, or of constants."""
        if isinstance(of, np.ndarray):
            return True, self.constants(of)
        return self.place(of)

    def _probe(self, region: Region, k: int) -> np.ndarray:
        """A row that records a region."""
        if not region.whole:
            raise NotImplementedError("a probe of scattered entries")
        row = np.zeros(WIDTH, np.int64)
        row[:FIRST] = Code.PROBE, region.size
        row[FIRST], row[FIRST + 2] = self.address(region)[0], k
        return row
