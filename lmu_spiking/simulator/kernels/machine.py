"""The loop that steps through a program, and the entry that is called without numba.

`opcodes` has the layout of rows and frames.  Families of kernels are told apart by
their codes; the functions ``run_*`` list the operands of each row.
"""

import re

import numpy as np
from numba import int64, njit, types

from lmu_spiking.simulator.kernels import algebra, neurons, noise
from lmu_spiking.simulator.kernels.algebra import OPTIONS, inlined
from lmu_spiking.simulator.kernels.views import array_at, at, operand, view, wide
from lmu_spiking.simulator.opcodes import (
    COLUMNS,
    FIRST,
    ROWS,
    STEP,
    STEPS,
    TILE,
    WIDTH,
    Code,
)


@inlined
def pair(row, k):
    """Return operand ``k``, two plain integers."""
    return row[FIRST + 2 * k], row[FIRST + 2 * k + 1]


@inlined
def runs_of(index, row, k, lo, hi, width):
    """Return where the runs of a tile are, and how many integers they take.

    Operand ``k`` is (tile starts, rows of ``width`` integers).
    """
    starts, rows = pair(row, k)
    first = index[starts + lo // TILE]
    count = index[starts + (hi + TILE - 1) // TILE] - first
    return rows + width * first, width * count


@inlined
def run_along(state, const, index, row, lo, hi):
    """Run sums and products along the axis: target first, then what enters it."""
    code, n = row[0], hi - lo
    y = operand(state, const, row, 0, lo, n)
    # what enters it: numbers along the axis, or one number for all, a[0]
    a, x = operand(state, const, row, 1, lo, n), operand(state, const, row, 2, lo, n)
    if code == Code.FILL:  # y, value
        algebra.fill(y, a[0])
    elif code == Code.COPY:  # y, x
        algebra.copy(y, a)
    elif code == Code.ADD:
        algebra.add(y, a)
    elif code == Code.AXPY:  # y, a, x
        algebra.axpy(y, a[0], x)
    elif code == Code.SCALE:
        algebra.scale(y, a[0], x)
    elif code == Code.MULTIPLY_ADD:
        algebra.multiply_add(y, a, x)
    elif code == Code.DOT_COLUMNS:  # y, A, x, (columns, stride)
        columns, stride = pair(row, 3)
        x = operand(state, const, row, 2, 0, columns)
        algebra.dot_columns(y, a, stride, x)
    elif code == Code.GATHER:  # y, weights, (of, length of x), x
        of, length = pair(row, 2)
        x = operand(state, const, row, 3, 0, length)
        algebra.gather(y, a, view(index, of + lo, n), x)
    elif code == Code.ENCODE_RUNS:  # y, runs, (x, length)
        of, length = pair(row, 2)
        x = at(state, const, of, length)
        first, size = runs_of(index, row, 1, lo, hi, 5)
        algebra.encode_runs(y, lo, view(index, first, size), const, x)


@inlined
def run_across(state, const, index, row, lo, hi):
    """Run products that sum over the axis, and operations that are never tiled."""
    code, n = row[0], hi - lo
    # a matrix or weights, whose kernels never ask for their length
    a = operand(state, const, row, 1, lo, n)
    if code == Code.DOT_ROWS:  # y, A, x, (rows, stride)
        rows, stride = pair(row, 3)
        y = operand(state, const, row, 0, 0, rows)
        algebra.dot_rows(y, a, stride, operand(state, const, row, 2, lo, n))
    elif code == Code.DECODE_RUNS:  # (y, length), runs, x
        to, length = pair(row, 0)
        x, y = operand(state, const, row, 2, lo, n), at(state, const, to, length)
        first, size = runs_of(index, row, 1, lo, hi, 5)
        algebra.decode_runs(y, lo, view(index, first, size), const, x)
    elif code == Code.SCATTER:  # y, weights, (to, length of y), x
        to, length = pair(row, 2)
        y = operand(state, const, row, 0, 0, length)
        x = operand(state, const, row, 3, lo, n)
        algebra.scatter(y, a, view(index, to + lo, n), x)
    elif code == Code.DOT_SPARSE:
        # y, data, (columns, entries), (starts, -), (x, length)
        (columns, entries), (x, length) = pair(row, 2), pair(row, 4)
        y = operand(state, const, row, 0, 0, n)
        starts = view(index, pair(row, 3)[0], n + 1)
        columns = view(index, columns, entries)
        algebra.dot_sparse(y, a, columns, starts, at(state, const, x, length))
    elif code == Code.MULTIPLY_PARTS:  # y, W, x, (p, q)
        p, q = pair(row, 3)
        y = operand(state, const, row, 0, 0, n * q)
        x = operand(state, const, row, 2, 0, n * p)
        algebra.multiply_parts(y, a, x, n, p, q)
    elif code == Code.OUTER:  # y, scale, a, b, (length of a, of b)
        p, q = pair(row, 4)
        y = operand(state, const, row, 0, 0, p * q)
        left = operand(state, const, row, 2, 0, p)
        right = operand(state, const, row, 3, 0, q)
        algebra.outer(y, a[0], left, right)
    else:  # lists of addresses: to, of, (arena, -); or to, by, of, (arena, arena)
        to, of = view(index, pair(row, 0)[0], n), view(index, pair(row, 1)[0], n)
        if code == Code.MULTIPLY_ADD_AT:
            (one, other), by = pair(row, 3), of
            of = view(index, pair(row, 2)[0], n)
            x, z = state if one == 0 else const, state if other == 0 else const
            algebra.multiply_add_at(state, to, x, by, z, of)
        else:
            x = state if pair(row, 2)[0] == 0 else const
            if code == Code.COPY_AT:
                algebra.copy_at(state, to, x, of)
            else:
                algebra.add_at(state, to, x, of)


@inlined
def run_filter(state, const, row, n, step):
    """Run a synapse, or a sample-and-hold."""
    code = row[0]
    y, X = operand(state, const, row, 0, 0, n), operand(state, const, row, 1, 0, n)
    u = operand(state, const, row, 2, 0, n)
    if code == Code.LOWPASS:  # y, X, u, (a and b, whether added)
        ab, inc = pair(row, 3)
        p = at(state, const, ab, 2)
        algebra.lowpass(y, X, p[0], p[1], u, inc)
    elif code == Code.STATE_SPACE:
        # y, X, u, (A B C D, order), (work, 1 direct + 2 added)
        (abcd, order), (work, how) = pair(row, 3), pair(row, 4)
        p = at(state, const, abcd, (order + 1) ** 2)
        work = at(state, const, work, order)
        algebra.state_space(y, X, order, p, u, work, how & 1, how & 2)
    else:  # y, total, u, held, (period, averaged)
        period, averaged = pair(row, 4)
        held = operand(state, const, row, 3, 0, n)
        algebra.hold(y, X, held, u, step, period, averaged)


@inlined
def run_neurons(state, const, row, lo, hi):  # noqa: C901 - a table of kernels
    """Run neurons without random numbers: y, J, parameters, up to two states."""
    code, n = row[0], hi - lo
    y, J = operand(state, const, row, 0, lo, n), operand(state, const, row, 1, lo, n)
    if code == Code.RAMP:  # y, J, ceiling
        neurons.ramp(y, J, operand(state, const, row, 2, lo, n))
        return
    if code == Code.ADAPT:  # y, J, adaptation
        neurons.adapt(J, operand(state, const, row, 2, lo, n), y)
        return
    p = operand(state, const, row, 2, 0, 8)
    # where a neuron has fewer states, these are never read
    a = operand(state, const, row, 3, lo, n)
    b = operand(state, const, row, 4, lo, n)
    if code == Code.RECTIFIED:
        neurons.rectified(y, J, p)
    elif code == Code.LIF:
        neurons.lif(y, J, a, b, p)
    elif code == Code.LIF_EXACT:
        neurons.lif_exact(y, J, a, b, p)
    elif code == Code.INTEGRATE:
        neurons.integrate(y, J, a, p)
    elif code == Code.IZHIKEVICH:
        neurons.izhikevich(y, J, a, b, p)
    elif code == Code.ADAPTED:  # y, adaptation, parameters
        neurons.adapted(y, J, p[0], p[1])
    elif code == Code.RAMP_TANH:
        neurons.ramp_tanh(y, J, p)
    elif code == Code.SIGMOID:
        neurons.sigmoid(y, J, p)
    elif code == Code.TANH:
        neurons.tanh(y, J, p)
    elif code == Code.LIF_RATE:
        neurons.lif_rate(y, J, p)


@inlined
def run_random_neurons(state, const, index, keys, row, lo, hi, step):
    """Run neurons that spike at random: y, rates, (dt height), (stream, -), more."""
    code, n = row[0], hi - lo
    y, x = operand(state, const, row, 0, lo, n), operand(state, const, row, 1, lo, n)
    p = operand(state, const, row, 2, 0, 2)
    dt, height = float(p[0]), float(p[1])
    # the same for all neurons, which hash their number under it
    key = noise.step_key(keys[pair(row, 3)[0]], step)
    if code == Code.POISSON:
        noise.poisson(y, x, dt, height, lo, key)
    elif code == Code.POISSON_RUNS:
        first, size = runs_of(index, row, 4, lo, hi, 2)
        noise.poisson_runs(y, x, view(index, first, size), dt, height, lo, key)
    elif code == Code.POISSON_EACH:
        counts = operand(state, const, row, 4, lo, n)  # one at a time: they are few
        for i in range(n):
            y[i] = noise.one_of(x[i], float(counts[i]), dt, height, lo + i, key)
    else:
        noise.stochastic(y, x, dt, height, lo, key)


@inlined
def run_row(state, const, index, keys, row, lo, hi, step):
    """Run one row on the entries from ``lo`` to ``hi``."""
    code = row[0]
    if code < Code.COPY_AT:
        run_along(state, const, index, row, lo, hi)
    elif code < Code.LOWPASS:
        run_across(state, const, index, row, lo, hi)
    elif code < Code.INPUT:
        run_filter(state, const, row, hi - lo, step)
    elif code < Code.POISSON:
        run_neurons(state, const, row, lo, hi)
    else:
        run_random_neurons(state, const, index, keys, row, lo, hi, step)


@inlined
def record(state, const, row, step, out, offsets, periods, counts):
    """Run the row of a probe, ``x, (number, -)``: copy ``x`` every so many steps."""
    k, n = row[FIRST + 2], row[1]
    if step % periods[k] < 1:
        to = offsets[k] + counts[k] * n
        algebra.copy(view(out, to, n), operand(state, const, row, 0, 0, n))
        counts[k] += 1


def compile_loop(dtype: np.dtype):
    """Return the loop for one precision, compiled.

    It takes a frame, as `opcodes` has it, of these arguments:

    ======================  ==========================================================
    table (R WIDTH,) int64  the program, of which the rows ``rows[0]`` to ``rows[1]``
    state (S,), const (C,)  what changes, of one trial, and what does not
    index (I,) int64        lists and runs
    keys (K,) uint64        seeds of the random streams, of this trial
    inputs (n_steps width)  values from outside, ``width`` in each step
    out (O,)                samples of probes, each from ``offsets`` on
    offsets, counts (P,)    ``counts`` samples were recorded so far
    periods (P,) float64    steps between two samples
    step, n_steps           steps that were taken before, and steps to take
    ======================  ==========================================================

    Parameters
    ----------
    dtype : float32 or float64

    Returns
    -------
    numba.core.dispatcher.Dispatcher
    """
    real = dtype.type

    @njit(types.void(int64[::1]), **OPTIONS)
    def advance(frame):
        # arrays in the order of `opcodes.ARRAYS`
        table, state = array_at(frame, 0, np.int64), array_at(frame, 1, real)
        const, index = array_at(frame, 2, real), array_at(frame, 3, np.int64)
        keys, inputs = array_at(frame, 4, np.uint64), array_at(frame, 5, real)
        out, offsets = array_at(frame, 6, real), array_at(frame, 7, np.int64)
        periods, counts = array_at(frame, 8, np.float64), array_at(frame, 9, np.int64)
        rows, width = view(frame, ROWS, 2), frame[COLUMNS]
        step, n_steps = frame[STEP], frame[STEPS]
        wide()
        for k in range(n_steps):
            now, pc = step + k + 1, rows[0]
            while pc < rows[1]:
                row = view(table, pc * WIDTH, WIDTH)
                code, n = row[0], row[1]
                first, pc, length = pc, pc + 1, n
                # what connects the program to the outside
                if code == Code.PROBE:
                    record(state, const, row, now, out, offsets, periods, counts)
                    continue
                if code == Code.INPUT or code == Code.INPUT_ADD:  # y, (column, -)
                    y, at_column = operand(state, const, row, 0, 0, n), row[FIRST + 2]
                    values = view(inputs, k * width + at_column, n)
                    if code == Code.INPUT:
                        algebra.copy(y, values)
                    else:
                        algebra.add(y, values)
                    continue
                # one row over its whole axis, or several rows tile by tile
                if code == Code.TILED:
                    first, length = pc, TILE
                    pc += row[FIRST]
                for lo in range(0, n, max(length, 1)):
                    hi = min(lo + length, n)
                    for q in range(first, pc):
                        row = view(table, q * WIDTH, WIDTH)
                        run_row(state, const, index, keys, row, lo, hi, now)

    return advance


def llvm_of(dtype: np.dtype, name: str) -> str:
    """Return LLVM's assembly of the loop for one precision, without numba's wrappers.

    Parameters
    ----------
    dtype : float32 or float64
    name : str
        Name of the function in the assembly; it takes the address of a frame.

    Returns
    -------
    str
    """
    loop = compile_loop(dtype)
    text = loop.inspect_llvm(loop.signatures[0])
    wrapper = r"^define [^\n]*@(?:_ZN7cpython|cfunc\.)[^\n]*\{\n.*?^\}\n"
    text = re.sub(wrapper, "", text, flags=re.M | re.S)
    own = re.search(r"^define [^\n]*@(_ZN[^(\s]*advance[^(\s]*)\(", text, flags=re.M)
    return text.replace(own.group(1), name)
