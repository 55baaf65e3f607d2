"""Lowering: each of Nengo's operators as rows of a program, or as a call of Python.

It stands apart from `simulator.program`, which uses it, because a new operator needs a
change here alone.

Operators are known by the very name of their class, neuron types by their very
``step``: what inherits from one may do something else, and runs as Nengo runs it.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import nengo
import numpy as np
from nengo.builder.operator import TimeUpdate
from nengo.builder.probe import SimProbe
from nengo.synapses import LinearFilter
from scipy import sparse

from lmu_spiking.errors import ValidityWarning
from lmu_spiking.neurons.types import (
    Accumulator,
    PoissonPopulation,
    RampLinear,
    RampTanh,
)
from lmu_spiking.simulator.matrix_products import constant_product, variable_product
from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.pure_functions import names_read_by
from lmu_spiking.simulator.rows import (
    Along,
    Arenas,
    Group,
    Listed,
    Pair,
    Region,
    Row,
    Whole,
    Work,
    entries_of,
    region_at,
    region_of,
)

SERIES = 0.1  # dt / tau_rc up to which the series of `kernels.neurons.lif` are exact


class Input(NamedTuple):
    """An input whose values come from outside the program.

    Parameters
    ----------
    op : SimProcess or SimPyFunc
    columns : slice
        The columns of its values.
    """

    op: Any
    columns: slice


@dataclass(eq=False)
class Context:
    """The network around an operator.

    Parameters
    ----------
    dt : float
        Seconds.
    single : bool
        Whether numbers are of single precision.
    written : set of int
        Ids of the base signals that change.
    streams : list
        Operators with random numbers, in the order of their streams.
    inputs : list of Input
    work : int
        Numbers that filters need for intermediate results.
    """

    dt: float
    single: bool
    written: set[int]
    streams: list = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    work: int = 0

    def constant(self, signal) -> np.ndarray | None:
        """Return the value of a signal that cannot change; None if it can.

        Parameters
        ----------
        signal : nengo.builder.signal.Signal

        Returns
        -------
        ndarray or None
            Its initial value.
        """
        if id(signal.base) in self.written or not signal.base.readonly:
            return None
        return signal.initial_value


@runtime_checkable
class SampleAndHold(Protocol):
    """A process that puts out the mean of its last inputs before a period ended.

    Its states are ``total``, the sum of these inputs, and ``held``, the output.  The
    simulator runs any process of this protocol by `kernels.algebra.hold`;
    `lmu_spiking.networks.sample_and_hold` has one.
    """

    @property
    def held_for(self) -> tuple[int, int]:
        """Return the steps of a period, and the number of inputs averaged."""
        ...


def lower(op, context: Context) -> Group:
    """Return the rows of one operator.

    Parameters
    ----------
    op : nengo.builder.Operator
    context : Context
        Inputs and streams of random numbers are added to it.

    Returns
    -------
    Group
        Without rows for what the loop itself does.
    """
    if type(op) in (TimeUpdate, SimProbe):
        return Group([op], [])
    rows = None
    if type(op).__module__.startswith("nengo.") and type(op).__name__ in RULES:
        rule, names = RULES[type(op).__name__]
        regions = [region_of(getattr(op, name)) for name in names.split()]
        if all(region.contiguous for region in regions):
            rows = rule(op, context, *regions)
    return Group([op], [in_python(op)] if rows is None else rows)


def in_python(op) -> Row:
    """Return a row that calls Nengo's own step function.

    Parameters
    ----------
    op : nengo.builder.Operator

    Returns
    -------
    Row
        A row without a code.
    """

    def regions(signals):
        return [region_of(s) for s in signals if not s.sparse]

    written = regions([*op.incs, *op.updates])
    return Row(None, 0, [], regions(op.sets), written, regions(op.reads), op=op)


def _written(y: Region, inc: bool) -> dict:
    """Return ``y`` as a region that a row adds to, or sets."""
    return {"incs": [y]} if inc else {"sets": [y]}


# --------------------------------------------------------------------------------------
# Each rule below returns a list of rows, or None where the operator runs in Python.  It
# takes the contiguous regions that `RULES` names.  First resets, copies and products.


def _reset(op, context: Context):
    """Lower ``dst = value``."""
    y, value = region_of(op.dst), np.array([op.value])
    if y.contiguous:
        operands = [Along(y), Whole(value)]
        return [Row(Code.FILL, y.size, operands, sets=[y], along=True)]
    return [_move(y, np.zeros(y.size, np.int64), value, None, inc=False)]


def _move(y: Region, of: np.ndarray, values, x: Region | None, inc: bool) -> Row:
    """Return the row of ``y (+)= x[of]`` with entries of a base, or of constants."""
    source = values if x is None else x.base
    lists = Listed(y.indices, base=y.base), Listed(np.ravel(of), base=source)
    code = Code.ADD_AT if inc else Code.COPY_AT
    reads = [] if x is None else [x]
    operands = [*lists, Arenas(source, source)]
    return Row(code, y.size, operands, reads=reads, **_written(y, inc))


def _copy(op, context: Context):
    """Lower ``dst[slice] (+)= src[slice]``."""
    to, of = entries_of(op.dst), entries_of(op.src)
    to = to if op.dst_slice is None else to[op.dst_slice]
    of = of if op.src_slice is None else of[op.src_slice]
    of = np.broadcast_to(of, to.shape)
    if to.size == 0:
        return []
    if not op.inc and len(np.unique(to)) < to.size:
        return None  # which Nengo refuses
    y, x = region_at(op.dst.base, to), region_at(op.src.base, of)
    if y.contiguous and x.contiguous:
        code, operands = Code.ADD if op.inc else Code.COPY, [Along(y), Along(x)]
        written = _written(y, op.inc)
        return [Row(code, y.size, operands, reads=[x], along=True, **written)]
    if context.constant(op.src) is None:
        return [_move(y, of, None, x, op.inc)]
    return [_move(y, of, op.src.base.initial_value.reshape(-1), None, op.inc)]


def _elementwise(op, context: Context):
    """Lower ``Y += A X``, entry by entry."""
    shape, y = op.Y.shape, region_of(op.Y)
    if y.size == 0:
        return []
    # both factors as NumPy would broadcast them; one number, if any, comes first
    factors = [
        region_of(s)
        if s.shape == shape
        else region_at(s.base, np.broadcast_to(entries_of(s), shape))
        for s in (op.A, op.X)
    ]
    a, x = factors if not _is_single(factors[1]) else factors[::-1]
    direct = x.contiguous and x.size == y.size and y.contiguous
    if direct and _is_single(a):
        a = Region(a.base, a.start, 1)
        operands = [Along(y), Whole(a), Along(x)]
        return [_adding(Code.AXPY, y, operands, [a, x])]
    if direct and a.contiguous and a.size == y.size:
        operands = [Along(y), Along(a), Along(x)]
        return [_adding(Code.MULTIPLY_ADD, y, operands, [a, x])]
    # otherwise entry by entry, by lists of addresses
    lists = (Listed(r.indices, base=r.base) for r in (y, *factors))
    operands = [*lists, Arenas(*(factor.base for factor in factors))]
    return [Row(Code.MULTIPLY_ADD_AT, y.size, operands, incs=[y], reads=factors)]


def _adding(code: Code, y: Region, operands: list, reads: list) -> Row:
    """Return a row that adds to ``y`` along its axis."""
    return Row(code, y.size, operands, incs=[y], reads=reads, along=True)


def _is_single(region: Region) -> bool:
    """Return whether a region is one number, repeated or not."""
    entries = region.entries
    repeated = entries is not None and bool(np.all(entries == entries[0]))
    return region.size == 1 or repeated


def _dot(op, context: Context, y: Region, x: Region):
    """Lower ``Y += A X`` with a matrix, a vector or a number ``A``."""
    if y.size == 0 or x.size == 0:
        return []
    A = op.A
    if A.size == 1 or x.size == 1:  # a number times a vector
        one, many = (region_of(A), x) if A.size == 1 else (x, region_of(A))
        if not many.contiguous or many.size != y.size:
            return None
        operands = [Along(y), Whole(one), Along(many)]
        return [_adding(Code.AXPY, y, operands, [one, many])]
    value = context.constant(A)
    if value is not None:
        return _product(y, np.asarray(value).reshape(y.size, x.size), x)
    row = variable_product(y, A, x) if A.ndim == 2 else None
    return None if row is None else [row]


def _product(y: Region, matrix, x: Region) -> list[Row]:
    """Return the rows of ``y += matrix x``."""
    row = constant_product(y, matrix, x)
    return [] if row is None else [row]


def _sparse_dot(op, context: Context, y: Region, x: Region):
    """Lower ``Y += A X`` with a sparse ``A``."""
    matrix: Any = context.constant(op.A)
    if matrix is None:
        return None
    if not sparse.issparse(matrix):  # but of Nengo's own kind
        rows, columns = np.asarray(matrix.indices).T
        data = np.broadcast_to(matrix.data, rows.shape)
        matrix = sparse.coo_array((data, (rows, columns)), shape=matrix.shape)
    return _product(y, matrix, x)


def _block_dot(op, context: Context, y: Region, x: Region):
    """Lower ``Y += A X`` with blocks, as Nengo's optimizer merges them."""
    blocks = context.constant(op.A)
    if blocks is None:
        return None
    shape = (y.size, x.size)
    matrix = sparse.bsr_array((blocks, op.indices, op.indptr), shape=shape).tocsr()
    matrix.eliminate_zeros()
    return _product(y, matrix, x)


def _convolve(op, context: Context, y: Region, x: Region):
    """Lower a convolution of kernel 1: the same matrix for each part."""
    kernel, conv = context.constant(op.W), op.conv
    ones = all(k == 1 for k in (*conv.kernel_size, *conv.strides, conv.groups))
    if kernel is None or not (ones and conv.channels_last):
        return None
    p, q = kernel.shape[-2:]
    operands = [Whole(y), Whole(np.ravel(kernel)), Whole(x), Pair(p, q)]
    return [Row(Code.MULTIPLY_PARTS, x.size // p, operands, incs=[y], reads=[x])]


def _pes(op, context: Context, y: Region, a: Region, b: Region):
    """Lower ``delta = -(learning_rate dt / n) error x activities``."""
    if y.size != a.size * b.size:
        return None
    alpha = np.array([-op.learning_rate * context.dt / op.pre_filtered.shape[0]])
    operands = [Whole(y), Whole(alpha), Whole(a), Whole(b), Pair(a.size, b.size)]
    return [Row(Code.OUTER, 1, operands, sets=[y], reads=[a, b])]


# Processes: inputs, synapses as filters, and sample-and-hold.


def _process(op, context: Context):
    """Lower a process in the mode ``set``, ``inc`` or ``update``."""
    if op.input is None:
        return read_input(op, context) if names_read_by(op) == [] else None
    y, u = region_of(op.output), region_of(op.input)
    if not (y.contiguous and u.contiguous):
        return None
    if type(op.process).make_step is LinearFilter.make_step:
        return _filter(op, context, y, u)
    if not isinstance(op.process, SampleAndHold) or op.mode == "inc":
        return None
    total, held = (region_of(op.state[name]) for name in ("total", "held"))
    if not (total.contiguous and held.contiguous):
        return None
    period = Pair(*op.process.held_for)
    operands = [Along(y), Along(total), Along(u), Along(held), period]
    return [Row(Code.HOLD, y.size, operands, sets=[y], incs=[total, held], reads=[u])]


def read_input(op, context: Context) -> list[Row] | None:
    """Return the row that reads values of time alone, which are computed ahead.

    Parameters
    ----------
    op : SimProcess or SimPyFunc
    context : Context
        The input is added to it.

    Returns
    -------
    list of Row or None
        None where the output is no contiguous vector.
    """
    y, inc = region_of(op.output), getattr(op, "mode", "set") == "inc"
    if not y.contiguous or len(op.output.shape) != 1:
        return None
    first = context.inputs[-1].columns.stop if context.inputs else 0
    context.inputs.append(Input(op, slice(first, first + y.size)))
    code, operands = Code.INPUT_ADD if inc else Code.INPUT, [Along(y), Pair(first)]
    return [Row(code, y.size, operands, **_written(y, inc))]


def _filter(op, context: Context, y: Region, u: Region):
    """Lower a `nengo.LinearFilter` without states, with one, or with many."""
    X = region_of(op.state["X"]) if "X" in op.state and op.state["X"].size else None
    shape, inc = op.input.shape, op.mode == "inc"
    states = op.process.make_state(shape, shape, context.dt, dtype=np.float64)
    filt = op.process.make_step(shape, shape, context.dt, None, states)
    if isinstance(filt, LinearFilter.NoX):
        operands = [Along(y), Whole(np.array([filt.d])), Along(u)]
        code, written = Code.AXPY if inc else Code.SCALE, _written(y, inc)
        return [Row(code, y.size, operands, reads=[u], along=True, **written)]
    if X is None or not X.contiguous:
        return None
    code: Code = Code.LOWPASS
    operands: list = [Along(y), Along(X), Along(u)]
    if isinstance(filt, LinearFilter.OneX):
        operands.append(Whole(np.array([filt.a, filt.b]), int(inc)))
    else:
        code, order = Code.STATE_SPACE, len(filt.A)
        context.work = max(context.work, order)
        abcd = np.concatenate([m.ravel() for m in (filt.A, filt.B, filt.C, filt.D)])
        direct = isinstance(filt, LinearFilter.General)
        operands += [Whole(abcd, order), Work(int(direct) + 2 * int(inc))]
    incs, sets = ([y, X], []) if inc else ([X], [y])
    return [Row(code, y.size, operands, sets=sets, incs=incs, reads=[u])]


# Neuron types: parameters for the kernels of `neurons` and `noise`.


def _neurons(op, context: Context, J: Region, y: Region):
    """Lower ``neurons.step(dt, J, output, **state)``, known by its very ``step``."""
    n, dt = op.neurons, context.dt
    known = {name: region_of(signal) for name, signal in op.state.items()}
    contiguous = all(region.contiguous for region in known.values())
    if type(n).step not in NEURONS or not contiguous:
        return None
    if y.size == 0:
        return []
    _warn_of_sums(op.neurons, context)
    code, parameters = NEURONS[type(n).step]
    p = np.asarray(parameters(n, dt), dtype=float)
    if code == Code.LIF_EXACT and context.single and dt / n.tau_rc <= SERIES:
        code = Code.LIF
    # neurons that adapt have their reduced current in the place of the output, until
    # their spikes (or rates) are known, which so come from the kernels of LIF neurons
    adaptation = known.pop("adaptation", None)
    current = J if adaptation is None else y
    states = [known[name] for name in STATES if name in known]
    each = np.broadcast_to(p, y.size).astype(float) if code == Code.RAMP else None
    operands = [Along(y), Along(current), Whole(p) if each is None else Along(each)]
    operands += map(Along, states)
    if code >= Code.POISSON:  # a stream of random numbers of their own
        context.streams.append(op)
        operands.append(Pair(len(context.streams) - 1))
    if code == Code.POISSON_EACH:  # the neurons that each entry stands for
        operands.append(Along(np.broadcast_to(n.counts, y.size).astype(float)))
    row = Row(code, y.size, operands, [y], states, [current], along=True)
    if adaptation is None:
        return [row]
    operands, reads = [Along(y), Along(J), Along(adaptation)], [J, adaptation]
    reduce = Row(Code.ADAPT, y.size, operands, sets=[y], reads=reads, along=True)
    operands = [Along(y), Along(adaptation), Whole(np.array([dt / n.tau_n, n.inc_n]))]
    adapt = Row(Code.ADAPTED, y.size, operands, [], [adaptation], [y], along=True)
    return [reduce, row, adapt]


def _warn_of_sums(neurons: Any, context: Context) -> None:
    """Warn of sums of staggered neurons that single precision does not hold."""
    summed = context.single and isinstance(neurons, Accumulator)
    counts: Any = neurons.counts if summed else 0
    most = int(np.max(counts))
    if most > SUMMED:
        warnings.warn(
            f"Simulator: sums of {most:,} staggered neurons lose spikes in single "
            "precision, and with them their bound; use dtype='float64'",
            ValidityWarning,
            stacklevel=2,
        )


def _lif(n, dt: float) -> list[float]:
    """Return the parameters of spiking LIF neurons."""
    return [dt, n.tau_rc, n.tau_ref, n.min_voltage, n.amplitude / dt]


def _lif_rate(n, dt: float) -> list[float]:
    """Return the parameters of the rates of LIF neurons."""
    return [n.tau_rc, n.tau_ref, n.amplitude]


def _izhikevich(n, dt: float) -> list[float]:
    """Return the parameters of Izhikevich neurons, in mV and ms."""
    resets = n.reset_voltage, n.reset_recovery
    return [1000.0, dt, n.tau_recovery, n.coupling, *resets, 1 / dt]


def _random(n, dt: float) -> list[float]:
    """Return the parameters of neurons that spike at random."""
    return [dt, n.amplitude / dt]


def _above(least: float):
    """Return the parameters of integrate-and-fire neurons above a least current."""
    return lambda n, dt: [dt, n.amplitude / dt, least]


SUMMED = 10_000  # staggered neurons of one accumulator, that single precision holds
STATES = ("voltage", "refractory_time", "recovery")  # in the order of the kernels
NEURONS = {
    nengo.RectifiedLinear.step: (Code.RECTIFIED, lambda n, dt: [n.amplitude]),
    nengo.Sigmoid.step: (Code.SIGMOID, lambda n, dt: [1 / n.tau_ref]),
    nengo.Tanh.step: (Code.TANH, lambda n, dt: [1 / n.tau_ref]),
    RampLinear.step: (Code.RAMP, lambda n, dt: n.ceiling),
    RampTanh.step: (Code.RAMP_TANH, lambda n, dt: [n.ceiling]),
    nengo.LIFRate.step: (Code.LIF_RATE, _lif_rate),
    nengo.AdaptiveLIFRate.step: (Code.LIF_RATE, _lif_rate),
    nengo.LIF.step: (Code.LIF_EXACT, _lif),
    nengo.AdaptiveLIF.step: (Code.LIF_EXACT, _lif),
    nengo.Izhikevich.step: (Code.IZHIKEVICH, _izhikevich),
    nengo.SpikingRectifiedLinear.step: (Code.INTEGRATE, _above(0.0)),
    nengo.RegularSpiking.step: (Code.INTEGRATE, _above(-np.inf)),
    nengo.PoissonSpiking.step: (Code.POISSON, _random),
    PoissonPopulation.step: (Code.POISSON_EACH, _random),
    nengo.StochasticSpiking.step: (Code.STOCHASTIC, _random),
}
# the rule of each operator, and those of its signals that must be contiguous
RULES = {
    "Reset": (_reset, ""),
    "Copy": (_copy, ""),
    "ElementwiseInc": (_elementwise, ""),
    "DotInc": (_dot, "Y X"),
    "SparseDotInc": (_sparse_dot, "Y X"),
    "BsrDotInc": (_block_dot, "Y X"),
    "ConvInc": (_convolve, "Y X"),
    "SimPES": (_pes, "delta error pre_filtered"),
    "SimNeurons": (_neurons, "J output"),
    "SimProcess": (_process, ""),
}
