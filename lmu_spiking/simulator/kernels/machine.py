"""The loop that steps through a program, see `opcodes` for its rows.

Families of kernels are told apart by the tens of their codes.
"""

from numba import njit

from lmu_spiking.simulator.kernels import algebra, filters, noise
from lmu_spiking.simulator.kernels import neurons as rates
from lmu_spiking.simulator.kernels import neurons as spiking
from lmu_spiking.simulator.kernels.algebra import OPTIONS, inlined
from lmu_spiking.simulator.kernels.views import at, operand, view, wide
from lmu_spiking.simulator.opcodes import FIRST, TILE, WIDTH, Code

C = {code.name: int(code) for code in Code}
TILED, FILL, COPY, ADD = C["TILED"], C["FILL"], C["COPY"], C["ADD"]
AXPY, MULTIPLY_ADD, SCALE = C["AXPY"], C["MULTIPLY_ADD"], C["SCALE"]
COPY_AT, ADD_AT = C["COPY_AT"], C["ADD_AT"]
MULTIPLY_ADD_AT = C["MULTIPLY_ADD_AT"]
DOT_ROWS, DOT_COLUMNS, DOT_SPARSE = C["DOT_ROWS"], C["DOT_COLUMNS"], C["DOT_SPARSE"]
GATHER, SCATTER = C["GATHER"], C["SCATTER"]
ENCODE_RUNS, DECODE_RUNS = C["ENCODE_RUNS"], C["DECODE_RUNS"]
MULTIPLY_PARTS, OUTER = C["MULTIPLY_PARTS"], C["OUTER"]
LOWPASS, STATE_SPACE, HOLD = C["LOWPASS"], C["STATE_SPACE"], C["HOLD"]
INPUT, INPUT_ADD, PROBE = C["INPUT"], C["INPUT_ADD"], C["PROBE"]
RECTIFIED, RAMP, RAMP_TANH = C["RECTIFIED"], C["RAMP"], C["RAMP_TANH"]
SIGMOID, TANH = C["SIGMOID"], C["TANH"]
LIF_RATE, ADAPTIVE_LIF_RATE = C["LIF_RATE"], C["ADAPTIVE_LIF_RATE"]
LIF, LIF_EXACT, ADAPT, ADAPTED = C["LIF"], C["LIF_EXACT"], C["ADAPT"], C["ADAPTED"]
INTEGRATE, IZHIKEVICH = C["INTEGRATE"], C["IZHIKEVICH"]
POISSON, POISSON_EACH = C["POISSON"], C["POISSON_EACH"]
POISSON_RUNS, STOCHASTIC = C["POISSON_RUNS"], C["STOCHASTIC"]


@inlined
def number(state, const, row, k):
    """Operand ``k``, one number."""
    return at(state, const, row[FIRST + 2 * k], 1)[0]


@inlined
def pair(row, k):
    """Operand ``k``, two plain integers."""
    return row[FIRST + 2 * k], row[FIRST + 2 * k + 1]


@inlined
def runs_of(index, row, k, lo, hi):
    """Operand ``k``, runs by tiles, (tile starts, rows): rows, first, how many."""
    starts, rows = pair(row, k)
    first = index[starts + lo // TILE]
    return rows, first, index[starts + (hi + TILE - 1) // TILE] - first


@inlined
def calculate(state, const, index, row, lo, hi):
    """Codes 1 to 6, and products with matrices: target first, then what enters it."""
    code, n = row[0], hi - lo
    y = operand(state, const, row, 0, lo, n)
    if code == FILL:  # y, value
        algebra.fill(y, number(state, const, row, 1))
    elif code == COPY:  # y, x
        algebra.copy(y, operand(state, const, row, 1, lo, n))
    elif code == ADD:
        algebra.add(y, operand(state, const, row, 1, lo, n))
    elif code == AXPY:  # y, a, x
        x = operand(state, const, row, 2, lo, n)
        algebra.axpy(y, number(state, const, row, 1), x)
    elif code == SCALE:
        x = operand(state, const, row, 2, lo, n)
        algebra.scale(y, number(state, const, row, 1), x)
    elif code == MULTIPLY_ADD:
        a = operand(state, const, row, 1, lo, n)
        algebra.multiply_add(y, a, operand(state, const, row, 2, lo, n))
    elif code == DOT_COLUMNS:  # y, A, x, (columns, stride)
        columns, stride = pair(row, 3)
        A = operand(state, const, row, 1, lo, (columns - 1) * stride + n)
        x = operand(state, const, row, 2, 0, columns)
        algebra.dot_columns(y, A, stride, x)
    elif code == GATHER:  # y, weights, (of, length of x), x
        of, length = pair(row, 2)
        x = operand(state, const, row, 3, 0, length)
        weights = operand(state, const, row, 1, lo, n)
        algebra.gather(y, weights, view(index, of + lo, n), x)
    elif code == ENCODE_RUNS:  # y, runs, (x, length)
        of, length = pair(row, 2)
        x = at(state, const, of, length)
        rows, first, count = runs_of(index, row, 1, lo, hi)
        runs = view(index, rows + 5 * first, 5 * count)
        algebra.encode_runs(y, lo, runs, const, x)


@inlined
def reduce(state, const, index, row, lo, hi):
    """Products that sum over the axis, and those that are never tiled."""
    code, n = row[0], hi - lo
    if code == DOT_ROWS:  # y, A, x, (rows, stride)
        rows, stride = pair(row, 3)
        y = operand(state, const, row, 0, 0, rows)
        A = operand(state, const, row, 1, lo, (rows - 1) * stride + n)
        algebra.dot_rows(y, A, stride, operand(state, const, row, 2, lo, n))
    elif code == DECODE_RUNS:  # (y, length), runs, x
        to, length = pair(row, 0)
        x, y = operand(state, const, row, 2, lo, n), at(state, const, to, length)
        rows, first, count = runs_of(index, row, 1, lo, hi)
        runs = view(index, rows + 5 * first, 5 * count)
        algebra.decode_runs(y, lo, runs, const, x)
    elif code == SCATTER:  # y, weights, (to, length of y), x
        to, length = pair(row, 2)
        y = operand(state, const, row, 0, 0, length)
        weights = operand(state, const, row, 1, lo, n)
        x = operand(state, const, row, 3, lo, n)
        algebra.scatter(y, weights, view(index, to + lo, n), x)
    elif code == DOT_SPARSE:  # y, data, (columns, entries), (starts, -), (x, length)
        (columns, entries), (x, length) = pair(row, 2), pair(row, 4)
        y = operand(state, const, row, 0, 0, n)
        data = operand(state, const, row, 1, 0, entries)
        starts = view(index, pair(row, 3)[0], n + 1)
        columns = view(index, columns, entries)
        algebra.dot_sparse(y, data, columns, starts, at(state, const, x, length))
    elif code == MULTIPLY_PARTS:  # y, W, x, (p, q)
        p, q = pair(row, 3)
        y = operand(state, const, row, 0, 0, n * q)
        W = operand(state, const, row, 1, 0, p * q)
        x = operand(state, const, row, 2, 0, n * p)
        algebra.multiply_parts(y, W, x, n, p, q)
    elif code == OUTER:  # y, scale, a, b, (length of a, of b)
        p, q = pair(row, 4)
        y, b = (
            operand(state, const, row, 0, 0, p * q),
            operand(state, const, row, 3, 0, q),
        )
        a = operand(state, const, row, 2, 0, p)
        algebra.outer(y, number(state, const, row, 1), a, b)
    else:  # lists of addresses: to, of, (arena, -); or to, by, of, (arena, arena)
        to = view(index, pair(row, 0)[0], n)
        if code == MULTIPLY_ADD_AT:
            (one, other), by = pair(row, 3), view(index, pair(row, 1)[0], n)
            a, x = state if one == 0 else const, state if other == 0 else const
            algebra.multiply_add_at(
                state, to, a, by, x, view(index, pair(row, 2)[0], n)
            )
        else:
            x = state if pair(row, 2)[0] == 0 else const
            of = view(index, pair(row, 1)[0], n)
            if code == COPY_AT:
                algebra.copy_at(state, to, x, of)
            else:
                algebra.add_at(state, to, x, of)


@inlined
def filter_(state, const, row, n, step):
    """Synapses and what else keeps the past, codes 20 to 22."""
    code = row[0]
    y, X = operand(state, const, row, 0, 0, n), operand(state, const, row, 1, 0, n)
    if code == LOWPASS:  # y, X, u, (a and b, whether added)
        u, (ab, inc) = operand(state, const, row, 2, 0, n), pair(row, 3)
        p = at(state, const, ab, 2)
        filters.lowpass(y, X, p[0], p[1], u, inc)
    elif code == STATE_SPACE:  # y, X, u, (A B C D, order), (work, 1 direct + 2 added)
        (abcd, order), (work, how) = pair(row, 3), pair(row, 4)
        X = operand(state, const, row, 1, 0, n * order)
        p = at(state, const, abcd, (order + 1) ** 2)
        work = at(state, const, work, order)
        u = operand(state, const, row, 2, 0, n)
        filters.state_space(y, X, order, p, u, work, how & 1, how & 2)
    else:  # y, total, held, u, (period, averaged)
        held, u = (
            operand(state, const, row, 2, 0, n),
            operand(state, const, row, 3, 0, n),
        )
        period, averaged = pair(row, 4)
        filters.hold(y, X, held, u, step, period, averaged)


@inlined
def fire(state, const, row, lo, hi):  # noqa: C901 - a table of kernels
    """Neurons without chance, codes 30 to 45: y, J, parameters, states."""
    code, n = row[0], hi - lo
    y, J = operand(state, const, row, 0, lo, n), operand(state, const, row, 1, lo, n)
    if code == RAMP:
        rates.ramp(y, J, operand(state, const, row, 2, lo, n))
        return
    if code == ADAPT:
        spiking.adapt(J, operand(state, const, row, 2, lo, n), y)
        return
    p = operand(state, const, row, 2, 0, 8)
    if code == RECTIFIED:
        rates.rectified(y, J, p)
    elif code == LIF:
        V, R = (
            operand(state, const, row, 3, lo, n),
            operand(state, const, row, 4, lo, n),
        )
        spiking.lif(y, J, V, R, p)
    elif code == LIF_EXACT:
        V, R = (
            operand(state, const, row, 3, lo, n),
            operand(state, const, row, 4, lo, n),
        )
        spiking.lif_exact(y, J, V, R, p)
    elif code == INTEGRATE:
        spiking.integrate(y, J, operand(state, const, row, 3, lo, n), p)
    elif code == IZHIKEVICH:
        V, U = (
            operand(state, const, row, 3, lo, n),
            operand(state, const, row, 4, lo, n),
        )
        spiking.izhikevich(y, J, V, U, p)
    elif code == ADAPTED:  # y, adaptation, parameters
        spiking.adapted(y, J, p[0], p[1])
    elif code == RAMP_TANH:
        rates.ramp_tanh(y, J, p)
    elif code == SIGMOID:
        rates.sigmoid(y, J, p)
    elif code == TANH:
        rates.tanh(y, J, p)
    elif code == LIF_RATE:
        rates.lif_rate(y, J, p)
    elif code == ADAPTIVE_LIF_RATE:
        rates.adaptive_lif_rate(y, J, operand(state, const, row, 3, lo, n), p)


@inlined
def throw(state, const, index, keys, row, lo, hi, step):
    """Neurons with chance, codes from 50: y, rates, (dt height), (stream, -), more."""
    code, n = row[0], hi - lo
    y, x = operand(state, const, row, 0, lo, n), operand(state, const, row, 1, lo, n)
    p = operand(state, const, row, 2, 0, 2)
    dt, height = float(p[0]), float(p[1])
    key = noise.step_key(keys[pair(row, 3)[0]], step)
    if code == POISSON:
        noise.poisson(y, x, dt, height, lo, key)
    elif code == POISSON_RUNS:
        rows, first, runs_in = runs_of(index, row, 4, lo, hi)
        runs = view(index, rows + 2 * first, 2 * runs_in)
        noise.poisson_runs(y, x, runs, dt, height, lo, key)
    elif code == POISSON_EACH:
        counts = operand(state, const, row, 4, lo, n)  # one at a time: they are few
        for i in range(n):
            one, rate, m = view(y, i, 1), view(x, i, 1), float(counts[i])
            noise.poisson_each(one, rate, m, dt, height, lo + i, key)
    else:
        noise.stochastic(y, x, dt, height, lo, key)


@inlined
def execute(state, const, index, keys, row, lo, hi, step):
    """One row, on the entries from ``lo`` to ``hi``."""
    code = row[0]
    if code < DOT_ROWS and (code < COPY_AT):
        calculate(state, const, index, row, lo, hi)
    elif code == DOT_COLUMNS or code == GATHER or code == ENCODE_RUNS:
        calculate(state, const, index, row, lo, hi)
    elif code < LOWPASS:
        reduce(state, const, index, row, lo, hi)
    elif code < INPUT:
        filter_(state, const, row, hi - lo, step)
    elif code < POISSON:
        fire(state, const, row, lo, hi)
    else:
        throw(state, const, index, keys, row, lo, hi, step)


@inlined
def record(state, const, row, step, out, offsets, periods, counts):
    """Probe ``x, (number, -)``: a copy of ``x`` every so many steps."""
    k, n = row[FIRST + 2], row[1]
    if step % periods[k] < 1:
        to = offsets[k] + counts[k] * n
        algebra.copy(view(out, to, n), operand(state, const, row, 0, 0, n))
        counts[k] += 1


@njit(**OPTIONS)
def advance(
    table,
    rows,
    state,
    const,
    index,
    keys,
    inputs,
    width,
    out,
    offsets,
    periods,
    counts,
    step,
    n_steps,
):
    """Run the rows ``rows[0]`` to ``rows[1]`` of the table for ``n_steps`` steps.

    Parameters
    ----------
    table : (R * WIDTH,) int64
    rows : (2,) int64
    state : (S,) float
        All that changes, of one trial.
    const : (C,) float
    index : (I,) int64
    keys : (K,) uint64
        Seeds of the random streams, of this trial.
    inputs : (n_steps * width,) float
        What comes from outside, step by step.
    width : int
    out : (O,) float
        What probes record, each from ``offsets`` on, ``counts`` samples so far.
    offsets, counts : (P,) int64
    periods : (P,) float64
        Steps between two samples.
    step : int
        That were taken before.
    """
    wide()
    for k in range(n_steps):
        now, pc = step + k + 1, rows[0]
        while pc < rows[1]:
            row = view(table, pc * WIDTH, WIDTH)
            code, n = row[0], row[1]
            first, pc, length = pc, pc + 1, n
            if code == PROBE:
                record(state, const, row, now, out, offsets, periods, counts)
                continue
            if code == INPUT or code == INPUT_ADD:
                y, at_column = operand(state, const, row, 0, 0, n), row[FIRST + 2]
                values = view(inputs, k * width + at_column, n)
                if code == INPUT:
                    algebra.copy(y, values)
                else:
                    algebra.add(y, values)
                continue
            if code == TILED:
                first, length = pc, TILE
                pc += row[FIRST]
            for lo in range(0, n, max(length, 1)):
                hi = min(lo + length, n)
                for q in range(first, pc):
                    row = view(table, q * WIDTH, WIDTH)
                    execute(state, const, index, keys, row, lo, hi, now)
