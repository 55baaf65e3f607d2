"""Kernels of Nengo's linear operators: resets, copies, sums, products, and synapses.

Every kernel works on a tile of its axis, so that a large population stays in the cache
from its input current to its decoded spikes.  ``y``, ``x`` and the like are slices
of an arena.
"""

from numba import njit

from lmu_spiking.simulator.kernels.views import view, wide

# Nothing is allocated here, so nothing has references to count.
OPTIONS = {"error_model": "numpy", "_nrt": False}
# Products may be fused with the sum that follows.  Where two could be, and in all that
# has to equal Nengo's to the bit, nothing is fused: whether LLVM takes its vector loop
# or its scalar one depends on addresses, and both must round alike.
kernel = njit(fastmath={"contract", "nsz"}, **OPTIONS)
plain = njit(**OPTIONS)
# Sums over neurons are taken in any order, which only their number decides.
summing = njit(fastmath={"contract", "nsz", "reassoc"}, **OPTIONS)
inlined = njit(forceinline=True, **OPTIONS)


@kernel
def fill(y, value):
    """Compute ``y = value``."""
    for i in range(len(y)):
        y[i] = value


@kernel
def copy(y, x):
    """Compute ``y = x``."""
    wide()
    for i in range(len(y)):
        y[i] = x[i]


@kernel
def add(y, x):
    """Compute ``y += x``."""
    wide()
    for i in range(len(y)):
        y[i] += x[i]


@kernel
def axpy(y, a, x):
    """Compute ``y += a x`` with one number ``a``."""
    wide()
    for i in range(len(y)):
        y[i] += a * x[i]


@kernel
def multiply_add(y, a, x):
    """Compute ``y += a x``, entry by entry."""
    wide()
    for i in range(len(y)):
        y[i] += a[i] * x[i]


@kernel
def scale(y, a, x):
    """Compute ``y = a x`` with one number ``a``."""
    for i in range(len(y)):
        y[i] = a * x[i]


@kernel
def copy_at(y, to, x, of):
    """Compute ``y[to] = x[of]``."""
    for i in range(len(to)):
        y[to[i]] = x[of[i]]


@kernel
def add_at(y, to, x, of):
    """Compute ``y[to] += x[of]``, also where ``to`` repeats."""
    for i in range(len(to)):
        y[to[i]] += x[of[i]]


@kernel
def multiply_add_at(y, to, a, by, x, of):
    """Compute ``y[to] += a[by] x[of]``."""
    for i in range(len(to)):
        y[to[i]] += a[by[i]] * x[of[i]]


@summing
def dot(a, x):
    """Return ``sum(a x)``."""
    wide()
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += a[i] * x[i]
    return total


@kernel
def dot_rows(y, A, stride, x):
    """Compute ``y += A x`` with ``A`` stored row by row, ``stride`` entries apart."""
    n = len(x)
    for i in range(len(y)):
        y[i] += dot(view(A, i * stride, n), x)


@kernel
def dot_columns(y, A, stride, x):
    """Compute ``y += A x`` with ``A`` stored by columns, ``stride`` entries apart."""
    # four columns at a time, so that y is loaded and stored once for all four
    n, four = len(y), len(x) // 4 * 4
    for j in range(0, four, 4):
        a, b = view(A, j * stride, n), view(A, (j + 1) * stride, n)
        c, d = view(A, (j + 2) * stride, n), view(A, (j + 3) * stride, n)
        p, q, r, s = x[j], x[j + 1], x[j + 2], x[j + 3]
        for i in range(n):
            sum = y[i] + a[i] * p
            sum += b[i] * q
            sum += c[i] * r
            y[i] = sum + d[i] * s
    for j in range(four, len(x)):
        axpy(y, x[j], view(A, j * stride, n))


@kernel
def dot_sparse(y, data, columns, starts, x):
    """Compute ``y += A x`` with ``A`` in compressed sparse rows."""
    for i in range(len(y)):
        total = x.dtype.type(0)
        for k in range(starts[i], starts[i + 1]):
            total += data[k] * x[columns[k]]
        y[i] += total


@kernel
def gather(y, weights, of, x):
    """Compute ``y[i] += weights[i] x[of[i]]``: one dimension drives each neuron."""
    for i in range(len(y)):
        y[i] += weights[i] * x[of[i]]


@kernel
def scatter(y, weights, to, x):
    """Compute ``y[to[j]] += weights[j] x[j]``: neurons are decoded one by one."""
    for j in range(len(x)):
        y[to[j]] += weights[j] * x[j]


@summing
def total(x):
    """Return the sum of all entries."""
    wide()
    sum = x.dtype.type(0)
    for i in range(len(x)):
        sum += x[i]
    return sum


@kernel
def encode_runs(y, lo, runs, weights, x):
    """Compute ``y[start:stop] += w x[of]`` for runs of neighbours with one dimension.

    ``runs`` (5 k,): start, stop, dimension, address of the weights, 1 if they are one.
    """
    wide()
    for k in range(0, len(runs), 5):
        n, w = runs[k + 1] - runs[k], runs[k + 3]
        value, part = x[runs[k + 2]], view(y, runs[k] - lo, n)
        if runs[k + 4]:
            value *= weights[w]
            for i in range(n):
                part[i] += value
        else:
            axpy(part, value, view(weights, w, n))


@kernel
def decode_runs(y, lo, runs, weights, x):
    """Compute ``y[to] += sum(w x[start:stop])`` for such runs."""
    for k in range(0, len(runs), 5):
        n, w = runs[k + 1] - runs[k], runs[k + 3]
        part = view(x, runs[k] - lo, n)
        if runs[k + 4]:
            y[runs[k + 2]] += weights[w] * total(part)
        else:
            y[runs[k + 2]] += dot(view(weights, w, n), part)


@kernel
def multiply_parts(y, W, x, n, p, q):
    """Compute ``y[a] += x[a] W`` for each of ``n`` parts, ``W`` (p, q)."""
    # four rows of W at a time, which stay in the cache while all parts take them
    four = p // 4 * 4
    for j in range(0, four, 4):
        rows = view(W, j * q, 4 * q)
        for a in range(n):
            dot_columns(view(y, a * q, q), rows, q, view(x, a * p + j, 4))
    for a in range(n):
        part = view(y, a * q, q)
        for j in range(four, p):
            axpy(part, x[a * p + j], view(W, j * q, q))


@kernel
def outer(y, scale, a, b):
    """Compute ``y[i, j] = scale a[i] b[j]``."""
    n = len(b)
    for i in range(len(a)):
        factor = scale * a[i]
        row = view(y, i * n, n)
        for j in range(n):
            row[j] = factor * b[j]


# Synapses, as `nengo.LinearFilter` steps them; nothing is fused.


@plain
def lowpass(y, X, a, b, u, inc):
    """Compute ``X = a X + b u``, ``y = X`` (or ``y += X``)."""
    for i in range(len(u)):
        X[i] = a * X[i] + b * u[i]
    if inc:
        add(y, X)
    else:
        copy(y, X)


@plain
def state_space(y, X, order, abcd, u, work, direct, inc):
    """Step a filter of ``order`` states for each entry of ``u``.

    Without a passthrough ``X = A X + B u``, ``y = C X``; with one, ``direct``,
    ``y = C X + D u`` comes first.

    Parameters
    ----------
    X : (order * n,) state, state by state
    abcd : ``A`` by rows, ``B``, ``C``, ``D``
    work : (order,)
    """
    n = len(u)
    B, C = order * order, order * order + order
    zero = u.dtype.type(0)
    for i in range(n):
        out = abcd[C + order] * u[i] if direct else zero
        for k in range(order):
            if direct:
                out += abcd[C + k] * X[k * n + i]
            value = abcd[B + k] * u[i]
            for j in range(order):
                value += abcd[k * order + j] * X[j * n + i]
            work[k] = value
        for k in range(order):
            X[k * n + i] = work[k]
            if not direct:
                out += abcd[C + k] * work[k]
        if inc:
            y[i] += out
        else:
            y[i] = out


@plain
def hold(y, total, held, u, step, period, averaged):
    """Hold the mean of the last ``averaged`` inputs before each ``period`` steps end.

    ``step`` counts from 1.
    """
    to_come = -(step - 1) % period
    if to_come < averaged:
        for i in range(len(u)):
            total[i] += u[i]
    if to_come == 0:
        n = u.dtype.type(min(averaged, step))
        for i in range(len(u)):
            held[i] = total[i] / n
            total[i] = 0
    copy(y, held)
