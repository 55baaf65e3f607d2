"""Programs: a network's operators as a table of integers over arenas of numbers.

Nengo builds and optimizes the operators.  Each is lowered to rows (`lowering`), which
`optimization` makes fewer and `schedule` puts in order, populations tile by tile.  Here
they get their addresses: what changes lies in the state, of which each trial has its
own; constants and indices are shared.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.builder.operator import SimPyFunc, TimeUpdate
from nengo.builder.processes import SimProcess

from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator import optimization, schedule
from lmu_spiking.simulator.lowering import Context, Input, in_python, lower, read_input
from lmu_spiking.simulator.opcodes import TILE, WIDTH, Code
from lmu_spiking.simulator.pure_functions import Name, names_read_by
from lmu_spiking.simulator.rows import (
    Along,
    Arenas,
    Group,
    Listed,
    Pair,
    Region,
    Row,
    Runs,
    Whole,
    Work,
    region_of,
)

PAD = 80  # numbers between buffers: loads wait for stores 4096 bytes away


@dataclass(frozen=True, eq=False)
class Program:
    """A network as `kernels.machine.advance` runs it, and what Python does in between.

    Parameters
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
        Numbers and arrays that functions that are called ahead read by name.
    watched : bool
        Whether Python may look at signals within a step: all are computed, in Nengo's
        order.
    streams : list of operators
        Operators with random numbers, in the order of their seeds.
    inputs : list of Input
    groups : list of Group
        Rows by operator, in their order.
    """

    table: np.ndarray
    segments: list
    state: np.ndarray
    const: np.ndarray
    index: np.ndarray
    places: dict
    hidden: dict
    fixed: set[int]
    names: list[Name]
    watched: bool
    streams: list
    inputs: list[Input]
    groups: list[Group] = field(repr=False, default_factory=list)

    @property
    def columns(self) -> int:
        """Return the number of values that come from outside in a step."""
        return self.inputs[-1].columns.stop if self.inputs else 0

    @property
    def python(self) -> bool:
        """Return whether Python runs between compiled rows."""
        return any(not isinstance(s, np.ndarray) for s in self.segments)

    def hides(self, region: Region) -> bool:
        """Return whether part of a region is not computed.

        Parameters
        ----------
        region : Region

        Returns
        -------
        bool
            True if an entry is hidden.
        """
        ends = self.hidden.get(id(region.base), ())
        return any(a < region.end and region.start < b for a, b in ends)

    def is_fixed(self, base) -> bool:
        """Return whether a constant base signal cannot be changed.

        Parameters
        ----------
        base : nengo.builder.signal.Signal

        Returns
        -------
        bool
            True if its value is compiled in.
        """
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
        The operators that come after each.
    dtype : float32 or float64
    given : iterable of nengo.Node
        Nodes whose outputs come from outside.
    whole : bool
        Compute all signals, in Nengo's order, even if no Python could see them.

    Returns
    -------
    Program
        The network as a table, with its arenas.

    Raises
    ------
    ValidationError
        If a given node has an input, or a constant output.
    """
    dtype = np.dtype(dtype)
    signals = (s for op in step_order for s in (*op.sets, *op.incs, *op.updates))
    written = {id(signal.base) for signal in signals}
    context = Context(model.dt, dtype.itemsize == 4, written)
    outside = _operators_of(given, model, step_order)
    # lower each operator; those without a kernel stay in Python
    groups = [lower(op, context) for op in step_order]
    for group in (g for g in groups if g.python and id(g.ops[0]) in outside):
        group.rows = read_input(group.ops[0], context) or group.rows
    python = [group for group in groups if group.python]
    reads = [names_read_by(group.ops[0]) for group in python]
    # if Python may look at signals, all of them must be computed, in Nengo's order
    whole = whole or None in reads
    probed = [region_of(model.sig[probe]["in"]) for probe in model.probes]
    writer = _Writer(dtype, written, context, whole)
    if whole:
        clocks = [g for g in groups if python and isinstance(g.ops[0], TimeUpdate)]
        for group in clocks:
            group.rows = [in_python(group.ops[0])]
        dependents = schedule.drop_idle(dependents, groups)
        groups = [group for group in groups if group.rows]
        groups = schedule.tile_between_python(groups, dependents)
        return writer.write(groups, model, probed)

    writer.names = _call_ahead(python, reads, context)

    def unwritten(what):
        """Return values of constants, and of regions that the network never changes."""
        if not isinstance(what, Region):
            return np.asarray(what)
        if id(what.base) in written or not what.contiguous:
            return None
        return what.base.initial_value.reshape(-1)[what.start : what.end]

    def constant(what):
        """Return the same, but only for values that nobody can change."""
        changeable = isinstance(what, Region) and not what.base.readonly
        return None if changeable else unwritten(what)

    # no code looks at signals within a step: leave out what serves nothing, and reorder
    groups = optimization.drop_zeros(groups, probed)
    hidden, fixed = writer.hidden, writer.fixed
    groups = optimization.fold_gains(groups, probed, unwritten, hidden, fixed)
    groups = optimization.trim_fills(groups, probed)
    dependents = schedule.drop_idle(dependents, groups)
    groups = [group for group in groups if group.rows]
    groups = schedule.sort_groups(groups, dependents)
    groups = optimization.find_equal_rates(groups, constant)
    groups = schedule.tile(groups, dependents, probed)
    writer.buffers = schedule.find_buffers(groups, probed)
    return writer.write(groups, model, probed)


def _call_ahead(python: list[Group], reads: list, context: Context) -> list[Name]:
    """Let functions of time alone be called ahead; return the names that they read."""
    called: list[Name] = []
    for group, names in zip(python, reads, strict=True):
        op = group.ops[0]
        process = isinstance(op, SimProcess) and op.input is None
        timed = process or (isinstance(op, SimPyFunc) and not op.x_passed)
        rows = read_input(op, context) if timed and op.output is not None else None
        if rows is not None:
            group.rows, called = rows, [*called, *names]
    return called


def _operators_of(given: Any, model, step_order) -> set[int]:
    """Return the ids of the operators whose outputs are given."""
    if not given:
        return set()
    ops = [op for op in step_order if isinstance(op, SimPyFunc | SimProcess)]
    ops = [op for op in ops if op.output is not None]
    keys = [region_of(op.output).key for op in ops]
    ids = set()
    for node in given:
        out = model.sig[node]["out"] if node in model.sig else None
        if not isinstance(node, nengo.Node) or out is None or node.size_in > 0:
            problem = "is no Node without input of this network"
            raise ValidationError("Simulator.inputs", node, problem)
        key = region_of(out).key
        if key not in keys:
            remedy = "give it a function or a process instead, which is replaced"
            problem = "has a constant output"
            raise ValidationError("Simulator.inputs", node, problem, remedy)
        ids.add(id(ops[keys.index(key)]))
    return ids


class _Writer:
    """Gives addresses to regions and constants, and writes rows."""

    def __init__(self, dtype, written: set[int], context: Context, whole: bool):
        self.written, self.context, self.whole = written, context, whole
        self.buffers: dict[tuple, int] = {}  # by the keys of their regions
        self.hidden: list[Region] = []
        self.fixed: set[int] = set()
        self.names: list[Name] = []
        numbers, integers = np.zeros(0, dtype), np.zeros(0, np.int64)
        self.parts = {"state": [numbers], "const": [numbers], "index": [integers]}
        self.lengths = dict.fromkeys(self.parts, 0)
        self.places: dict = {}
        self.constants: dict[int, tuple[np.ndarray, int]] = {}  # by their ids

    def write(self, groups, model, probed) -> Program:  # noqa: C901 - its plan
        """Return the program of groups in their order."""
        # places for intermediate results: of filters, and of tiles
        self.work = self._put("state", np.zeros(self.context.work))
        buffers = range(max(self.buffers.values(), default=-1) + 1)
        self.scratch = [self._put("state", np.zeros(TILE + PAD)) for _ in buffers]
        table: list[np.ndarray] = []
        segments, first = [], 0
        if not self.whole and any(group.python for group in groups):
            # first, as no order of Nengo's applies
            segments += [op for op in model.operators if isinstance(op, TimeUpdate)]
        # rows, which end where Python runs
        for group in groups:
            if group.tiled:
                table.append(_integers(Code.TILED, group.rows[0].n, len(group.rows)))
            for row in group.rows:
                if row.code is not None:
                    table.append(self._row(row))
                    continue
                if len(table) > first:
                    segments.append(np.array([first, len(table)]))
                segments.append(row.op)
                first = len(table)
        for number, region in enumerate(probed):
            if not region.contiguous:
                raise NotImplementedError("a probe of scattered entries")
            address = self._address(region)[0]
            table.append(_integers(Code.PROBE, region.size, address, 0, number))
        if len(table) > first:
            segments.append(np.array([first, len(table)]))
        # signals that no row uses have a place as well
        for op in model.operators:
            for base in (s.base for s in op.all_signals if not s.sparse):
                if (id(base), 0, base.size) not in self.buffers:
                    self._place(base)
        hidden: dict[int, list] = {}
        for base, start, size in [*self.buffers, *(r.key for r in self.hidden)]:
            hidden.setdefault(base, []).append((start, start + size))
        arenas = {name: np.concatenate(parts) for name, parts in self.parts.items()}
        return Program(
            table=np.array(table, np.int64).reshape(-1, WIDTH),
            segments=segments,
            **arenas,
            places=self.places,
            streams=self.context.streams,
            inputs=self.context.inputs,
            hidden=hidden,
            fixed=self.fixed,
            names=self.names,
            watched=self.whole,
            groups=groups,
        )

    def _put(self, arena: str, values) -> int:
        """Return the address of new numbers at the end of an arena."""
        values, at, parts = np.ravel(values), self.lengths[arena], self.parts[arena]
        parts.append(values.astype(parts[0].dtype))
        self.lengths[arena] += values.size
        return at

    def _place(self, what) -> tuple[bool, int]:
        """Return whether a base signal, or an array, is constant, and its address."""
        if isinstance(what, np.ndarray):
            return True, self._constants(what)
        if what not in self.places:
            constant = id(what) not in self.written
            arena = "const" if constant else "state"
            self.places[what] = constant, self._put(arena, what.initial_value)
        return self.places[what]

    def _constants(self, values: np.ndarray) -> int:
        """Return the address of constants; the same array is stored once."""
        if id(values) not in self.constants:
            self.constants[id(values)] = values, self._put("const", values)
        return self.constants[id(values)][1]

    def _address(self, what) -> tuple[int, int]:
        """Return the address of a region or constants, and its move along the axis."""
        if not isinstance(what, Region):
            return -1 - self._constants(what), 1
        if what.key in self.buffers:
            return self.scratch[self.buffers[what.key]], 0
        constant, at = self._place(what.base)
        at += what.start
        return (-1 - at if constant else at), 1

    def _row(self, row: Row) -> np.ndarray:
        """Return a row of the table."""
        operands = map(self._operand, row.operands)
        return _integers(row.code, row.n, *itertools.chain.from_iterable(operands))

    def _operand(self, operand) -> tuple[int, int]:
        """Return the two integers of an operand."""
        match operand:
            case Along(what):
                return self._address(what)
            case Whole(what, second):
                return self._address(what)[0], second
            case Pair(first, second):
                return first, second
            case Work(second):
                return self.work, second
            case Listed(values, second, base):
                values = np.asarray(values, dtype=np.int64)
                if base is not None:
                    values = values + self._place(base)[1]
                return self._put("index", values), second
            case Runs(rows, n, weights):
                rows = _cut_into_tiles(np.asarray(rows, np.int64))
                if weights is not None:
                    rows[:, 3] += self._constants(weights)
                # the first run of each tile, and one more for the end
                starts = np.searchsorted(rows[:, 0], np.arange(0, n + TILE, TILE))
                return self._put("index", starts), self._put("index", rows)
            case Arenas(first, second):
                return int(self._place(first)[0]), int(self._place(second)[0])


def _integers(*values) -> np.ndarray:
    """Return a row of the table that begins with some integers."""
    row = np.zeros(WIDTH, np.int64)
    row[: len(values)] = values
    return row


def _cut_into_tiles(runs: np.ndarray) -> np.ndarray:
    """Return runs ``(start, stop, ...)`` split where tiles end.

    A run's weights, column 3 of those with 5, begin where the run begins.
    """
    pieces = []
    for run in runs:
        start, stop = run[:2]
        edges = [start, *range((start // TILE + 1) * TILE, stop, TILE), stop]
        for a, b in itertools.pairwise(edges):
            piece = run.copy()
            piece[:2] = a, b
            if len(run) == 5 and not run[4]:
                piece[3] += a - start
            pieces.append(piece)
    return np.array(pieces, dtype=np.int64).reshape(-1, runs.shape[1])
