"""Sums and products over signals: what Nengo's Reset, Copy and *Inc operators do.

Every kernel works on the entries ``lo <= i < hi`` of its axis, so that a tile of a large
population stays in the cache from its input current to its decoded spikes.  ``row``
holds addresses, see `opcodes`; ``y``, ``x`` and the like are slices of an arena.
"""

import numpy as np
from numba import njit

# Sums may be taken in any order; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}
OPTIONS = {"fastmath": FAST, "error_model": "numpy", "boundscheck": False}
kernel = njit(**OPTIONS)


@kernel
def at(state, const, address, n):
    """``n`` entries from an address: of the state, or, negative, of the constants."""
    if address >= 0:
        return state[address : address + n]
    return const[-address - 1 : -address - 1 + n]


@kernel
def fill(y, value):
    """``y = value``."""
    for i in range(len(y)):
        y[i] = value


@kernel
def copy(y, x):
    """``y = x``."""
    for i in range(len(y)):
        y[i] = x[i]


@kernel
def add(y, x):
    """``y += x``."""
    for i in range(len(y)):
        y[i] += x[i]


@kernel
def axpy(y, a, x):
    """``y += a x`` with one number ``a``."""
    for i in range(len(y)):
        y[i] += a * x[i]


@kernel
def multiply_add(y, a, x):
    """``y += a x``, entry by entry."""
    for i in range(len(y)):
        y[i] += a[i] * x[i]


@kernel
def scale(y, a, x):
    """``y = a x`` with one number ``a``."""
    for i in range(len(y)):
        y[i] = a * x[i]


@kernel
def copy_at(y, to, x, of):
    """``y[to] = x[of]``."""
    for i in range(len(to)):
        y[to[i]] = x[of[i]]


@kernel
def add_at(y, to, x, of):
    """``y[to] += x[of]``, also where ``to`` repeats."""
    for i in range(len(to)):
        y[to[i]] += x[of[i]]


@kernel
def multiply_add_at(y, to, a, by, x, of):
    """``y[to] += a[by] x[of]``."""
    for i in range(len(to)):
        y[to[i]] += a[by[i]] * x[of[i]]


@kernel
def dot(a, x):
    """``sum(a x)``."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += a[i] * x[i]
    return total


@kernel
def dot_rows(y, A, stride, x):
    """``y += A x`` with ``A`` stored row by row, ``stride`` entries apart."""
    n = len(x)
    for i in range(len(y)):
        y[i] += dot(A[i * stride : i * stride + n], x)


@kernel
def dot_columns(y, A, stride, x):
    """``y += A x`` with ``A`` stored column by column, ``stride`` entries apart."""
    n, four = len(y), len(x) // 4 * 4
    for j in range(0, four, 4):
        a, b = A[j * stride :], A[(j + 1) * stride :]
        c, d = A[(j + 2) * stride :], A[(j + 3) * stride :]
        p, q, r, s = x[j], x[j + 1], x[j + 2], x[j + 3]
        for i in range(n):
            y[i] += a[i] * p + b[i] * q + c[i] * r + d[i] * s
    for j in range(four, len(x)):
        axpy(y, x[j], A[j * stride : j * stride + n])


@kernel
def dot_sparse(y, data, columns, starts, x):
    """``y += A x`` with ``A`` in compressed sparse rows."""
    for i in range(len(y)):
        total = x.dtype.type(0)
        for k in range(starts[i], starts[i + 1]):
            total += data[k] * x[columns[k]]
        y[i] += total


@kernel
def gather(y, weights, of, x):
    """``y[i] += weights[i] x[of[i]]``: each neuron hears one dimension."""
    for i in range(len(y)):
        y[i] += weights[i] * x[of[i]]


@kernel
def scatter(y, weights, to, x):
    """``y[to[j]] += weights[j] x[j]``: each neuron speaks for one dimension."""
    for j in range(len(x)):
        y[to[j]] += weights[j] * x[j]


@kernel
def total(x):
    """Sum of all entries."""
    found = x.dtype.type(0)
    for i in range(len(x)):
        found += x[i]
    return found


@kernel
def encode_runs(y, lo, runs, weights, x):
    """``y[start:stop] += w x[of]`` for runs of neighbours with one dimension.

    ``runs`` (k, 5): start, stop, dimension, address of the weights, 1 if they are one.
    """
    for k in range(len(runs)):
        a, b = runs[k, 0] - lo, runs[k, 1] - lo
        value, w = x[runs[k, 2]], runs[k, 3]
        part = y[a:b]
        if runs[k, 4]:
            value *= weights[w]
            for i in range(len(part)):
                part[i] += value
        else:
            axpy(part, value, weights[w : w + b - a])


@kernel
def decode_runs(y, lo, runs, weights, x):
    """``y[to] += sum(w x[start:stop])`` for such runs."""
    for k in range(len(runs)):
        a, b, w = runs[k, 0] - lo, runs[k, 1] - lo, runs[k, 3]
        if runs[k, 4]:
            y[runs[k, 2]] += weights[w] * total(x[a:b])
        else:
            y[runs[k, 2]] += dot(weights[w : w + b - a], x[a:b])


@kernel
def multiply_parts(y, W, x, n, p, q):
    """``y[a] += x[a] W`` for each of ``n`` parts, ``W`` (p, q)."""
    for a in range(n):
        part = y[a * q : (a + 1) * q]
        for j in range(p):
            axpy(part, x[a * p + j], W[j * q : (j + 1) * q])


@kernel
def outer(y, scale, a, b):
    """``y[i, j] = scale a[i] b[j]``."""
    n = len(b)
    for i in range(len(a)):
        factor = scale * a[i]
        row = y[i * n : (i + 1) * n]
        for j in range(n):
            row[j] = factor * b[j]


@kernel
def first_nan(x):
    """Index of the first NaN, or -1."""
    # most of the time there is none, which a sum tells at full speed
    probe = x.dtype.type(0)
    for i in range(len(x)):
        probe += x[i] * x.dtype.type(0)
    if not np.isnan(probe):
        return -1
    for i in range(len(x)):
        if np.isnan(x[i]):
            return i
    return -1  # infinities alone
