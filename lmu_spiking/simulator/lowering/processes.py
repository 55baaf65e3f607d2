"""Processes: synapses as filters, and inputs that are made ahead."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from nengo.synapses import LinearFilter

from lmu_spiking.simulator.lowering.context import Context
from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.reach import names_in
from lmu_spiking.simulator.regions import Region, region_of
from lmu_spiking.simulator.steps import Along, Pair, Step, Whole, Work

# --------------------------------------------------------------------------------------
# Learning rules; those without a rule here run as Nengo runs them.


def pes(op, context: Context):
    """``delta = -(learning_rate dt / n) error x activities``."""
    a, b, y = (region_of(s) for s in (op.error, op.pre_filtered, op.delta))
    if not (a.whole and b.whole and y.whole) or y.size != a.size * b.size:
        return None
    alpha = -op.learning_rate * context.dt / op.pre_filtered.shape[0]
    operands = [
        Whole(y),
        Whole(np.array([alpha])),
        Whole(a),
        Whole(b),
        Pair(a.size, b.size),
    ]
    return [Step(Code.OUTER, 1, operands, sets=[y], reads=[a, b])]


LEARNING = {"SimPES": pes}


# --------------------------------------------------------------------------------------


@dataclass(eq=False)
class Input:
    """Columns of the input that come from outside the program.

    Attributes
    ----------
    op : SimProcess or SimPyFunc
    first, size : int
        Its columns.
    shape : tuple
        Of its values.
    """

    op: Any
    first: int
    size: int
    shape: tuple


def lower_process(op, context: Context):
    """A process in the mode ``set``, ``inc`` or ``update``."""
    y = region_of(op.output)
    if op.input is None:
        return made_ahead(op, context) if names_in(op) == [] else None
    u = region_of(op.input)
    if not (y.whole and u.whole):
        return None
    if type(op.process).make_step is LinearFilter.make_step:
        return _filter(op, context, y, u)
    if hasattr(op.process, "held_for"):
        return _hold(op, y, u)
    return None


def made_ahead(op, context: Context):
    """Make an input of values that depend on time alone, computed ahead."""
    y, inc = region_of(op.output), getattr(op, "mode", "set") == "inc"
    if not y.whole or len(op.output.shape) != 1:
        return None
    first = sum(i.size for i in context.inputs)
    context.inputs.append(Input(op, first, y.size, op.output.shape))
    code = Code.INPUT_ADD if inc else Code.INPUT
    written = {"incs": [y]} if inc else {"sets": [y]}
    return [Step(code, y.size, [Along(y), Pair(first)], **written)]


def _filter(op, context: Context, y: Region, u: Region):
    """As `nengo.LinearFilter` would step: without states, with one, with many."""
    X = region_of(op.state["X"]) if "X" in op.state and op.state["X"].size else None
    shape = op.input.shape
    states = op.process.make_state(shape, shape, context.dt, dtype=np.float64)
    filt = op.process.make_step(shape, shape, context.dt, None, states)
    inc = op.mode == "inc"
    written = {"incs": [y]} if inc else {"sets": [y]}
    if isinstance(filt, LinearFilter.NoX):
        operands = [Along(y), Whole(np.array([filt.d])), Along(u)]
        code = Code.AXPY if inc else Code.SCALE
        return [Step(code, y.size, operands, reads=[u], along=True, **written)]
    if X is None or not X.whole:
        return None
    if inc:
        incs, sets = [y, X], []
    else:
        incs, sets = [X], [y]
    if isinstance(filt, LinearFilter.OneX):
        ab = np.array([filt.a, filt.b])
        operands = [Along(y), Along(X), Along(u), Whole(ab, int(inc))]
        return [Step(Code.LOWPASS, y.size, operands, sets=sets, incs=incs, reads=[u])]
    order = len(filt.A)
    abcd = [np.ravel(m) for m in (filt.A, filt.B, filt.C, filt.D)]
    how = int(isinstance(filt, LinearFilter.General)) + 2 * int(inc)
    operands = [Along(y), Along(X), Along(u), Whole(np.concatenate(abcd), order)]
    context.work = max(context.work, order)
    operands.append(Work(how))
    return [Step(Code.STATE_SPACE, y.size, operands, sets=sets, incs=incs, reads=[u])]


def _hold(op, y: Region, u: Region):
    """Sample and hold, `lmu_spiking.networks.sample_and_hold`."""
    total, held = (region_of(op.state[k]) for k in ("total", "held"))
    if op.mode == "inc" or not (total.whole and held.whole):
        return None
    period = Pair(*op.process.held_for)
    operands = [Along(y), Along(total), Along(held), Along(u), period]
    return [Step(Code.HOLD, y.size, operands, sets=[y], incs=[total, held], reads=[u])]
