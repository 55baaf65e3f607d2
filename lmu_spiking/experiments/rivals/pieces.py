r"""Recurrent layers in pieces, with products in bfloat16.

For many units and sequences at once, a layer keeps more of each step than fits into the
cache of a processor, and most of the time goes into memory.  Here only the states
before each piece of `PIECE` steps are kept.  On the way back the steps of a piece are
run again (gradient checkpointing), so that all that is known of them fits into the
cache.

What is multiplied with the kernel ``U`` of the units is rounded to bfloat16, of eight
significant bits, and summed in float32, as is usual on graphics processors.  The
product is made one gate at a time.  On a processor with AMX all this takes about a
third of the time of `layers`, for an LSTM of 240 units on 100 sequences of 784 steps.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``u`` units, ``k`` pieces of ``m``
steps.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from lmu_spiking.training._jax import jax, jnp, lax

PIECE = 14

# -- what a step does ----------------------------------------------------------------


class Cell(NamedTuple):
    """A step of a recurrent layer, and its slopes.

    Attributes
    ----------
    states : int
        Arrays of state (n, u), of which the first is the output.
    gates : int
    after : callable
        Takes the state, and what comes to the gates from inputs and from units; returns
        the next state, and what `slopes` needs to know of the step.
    slopes : callable
        Takes slopes by the next state, the state, and what is known; returns slopes by
        the state, the products with ``U`` left out, and those by what comes to gates.
    """

    states: int
    gates: int
    after: Callable
    slopes: Callable


def _lstm_after(state, p, q):
    """Return the next state of an LSTM, and its gates."""
    _, s = state
    i, f, o = (_logistic(p[k] + q[k]) for k in (0, 1, 3))
    g = jnp.tanh(p[2] + q[2])
    s = f * s + i * g
    return (o * jnp.tanh(s), s), (i, f, g, o)


def _lstm_slopes(after, state, known):
    """Return slopes by the state, and by what inputs and units give to the gates."""
    (dh, ds), (_, s), (i, f, g, o) = after, state, known
    r = jnp.tanh(f * s + i * g)
    ds = ds + dh * o * (1 - r * r)
    dz = ds * g * i * (1 - i), ds * s * f * (1 - f), ds * i * (1 - g * g)
    dz = (*dz, dh * r * o * (1 - o))
    return (jnp.zeros_like(dh), ds * f), dz, dz


def _gru_after(state, p, q):
    """Return the next state of a GRU, and ``z, r, g`` and what units give to ``g``."""
    (h,) = state
    z, r = (_logistic(p[k] + q[k]) for k in range(2))
    g = jnp.tanh(p[2] + r * q[2])
    return (z * h + (1 - z) * g,), (z, r, g, q[2])


def _gru_slopes(after, state, known):
    """Return slopes by the state, and by what inputs and units give to the gates."""
    (dh,), (h,), (z, r, g, q) = after, state, known
    dg = dh * (1 - z) * (1 - g * g)
    by_gates = dh * (h - g) * z * (1 - z), dg * q * r * (1 - r)
    return (dh * z,), (*by_gates, dg), (*by_gates, dg * r)


def _logistic(z):
    """Return the logistic function."""
    return 0.5 + 0.5 * jnp.tanh(0.5 * z)


CELLS = {
    "lstm": Cell(2, 4, _lstm_after, _lstm_slopes),
    "gru": Cell(1, 3, _gru_after, _gru_slopes),
}

# -- a layer -------------------------------------------------------------------------


def in_pieces(cells: str, last: bool, x, W, U, b, c=None):
    """Return the outputs of an LSTM or GRU layer, from rest.

    Parameters
    ----------
    cells : {"lstm", "gru"}
    last, x, W, U, b, c
        As `layers.lstm` and `layers.gru` take them, whose outputs these are but for the
        rounding.  An LSTM has no ``c``.

    Returns
    -------
    (T, n, u) array, or (n, u)
    """
    c = jnp.zeros_like(b) if c is None else c
    return _layer(CELLS[cells], x, W, U, b, c, last)


@partial(jax.custom_vjp, nondiff_argnums=(0, 6))
def _layer(cell: Cell, x, W, U, b, c, last: bool):
    """Return the outputs of a layer, from rest."""
    return _forward(cell, x, W, U, b, c, last)[0]


def _forward(cell: Cell, x, W, U, b, c, last: bool):
    """Return outputs, and what `_backward` needs: the states before every piece."""
    run = partial(_step, cell, _by_gate(cell, W, _rounded(U), b, c))

    def step(state, x):
        after, _ = run(state, x)
        return after, None if last else after[0]

    def piece(before, x):
        after, h = lax.scan(step, before, x)
        return after, (before, h)

    state = (jnp.zeros((x.shape[1], len(U)), x.dtype),) * cell.states
    starts, outputs = [], []
    for pieces in _pieces(x):
        state, (before, h) = lax.scan(piece, state, pieces)
        starts.append(before)
        outputs.append(h)
    return state[0] if last else _joined(outputs), (starts, x, W, U, b, c)


def _backward(cell: Cell, last: bool, known, slope):
    """Return slopes by ``x, W, U, b, c``, from those by the outputs."""
    starts, x, W, U, b, c = known
    weights = _by_gate(cell, W, _rounded(U), b, c)
    run = partial(_step, cell, weights)
    back = [jnp.copy(each.T) for each in weights[1]]  # once, not at every step

    def again(state, x):
        after, known = run(state, x)
        return after, (state, known)

    def step(slopes, now):
        ((dh, *ds), dU), (by_output, state, known, turned) = slopes, now
        dh = dh if last else dh + by_output
        (dh, *ds), dp, dq = cell.slopes((dh, *ds), state, known)
        dh = dh + sum(map(_product, dq, back))
        dU = [a + _product(turned, d) for a, d in zip(dU, dq, strict=True)]
        return ((dh, *ds), dU), (dp, dq)

    def piece(slopes, now):
        # the states of the piece again, and from its end back to its begin
        (ds, dU, sums), (before, x, by_output) = slopes, now
        _, (states, known) = lax.scan(again, before, x)
        steps = by_output, states, known, states[0].swapaxes(1, 2)
        (ds, dU), (dp, dq) = lax.scan(step, (ds, dU), steps, reverse=True)
        # what those by the gates say of inputs, their kernel and biases
        rows = x.reshape(-1, x.shape[2]).T
        dW = [rows @ d.reshape(-1, len(U)) for d in dp]
        db, dc = ([d.sum(axis=(0, 1)) for d in each] for each in (dp, dq))
        sums = jax.tree_util.tree_map(jnp.add, sums, (dW, db, dc))
        return (ds, dU, sums), sum(d @ W.T for d, W in zip(dp, weights[0], strict=True))

    rest = jnp.zeros((x.shape[1], len(U)), x.dtype)
    ends = (slope if last else rest, *[rest] * (cell.states - 1))
    zeros = jax.tree_util.tree_map(jnp.zeros_like, _by_gate(cell, W, U, b, c))
    slopes, by_x = (ends, zeros[1], (zeros[0], *zeros[2:])), []
    outputs = [None] * len(starts) if last else _pieces(slope)
    for now in reversed(list(zip(starts, _pieces(x), outputs, strict=True))):
        slopes, dx = lax.scan(piece, slopes, now, reverse=True)
        by_x.insert(0, dx)
    _, dU, (dW, db, dc) = slopes
    by_weights = (jnp.concatenate(each, axis=-1) for each in (dW, dU, db, dc))
    return _joined(by_x), *by_weights


_layer.defvjp(_forward, _backward)


def _step(cell: Cell, weights, state, x):
    """Return the next state, and what is known of the step."""
    W, U, b, c = weights
    p = [x @ W + b for W, b in zip(W, b, strict=True)]
    q = [_product(state[0], U) + c for U, c in zip(U, c, strict=True)]
    return cell.after(state, p, q)


def _product(a, b):
    """Return a product in bfloat16 with sums in float32."""
    return lax.dot(_rounded(a), _rounded(b), preferred_element_type=jnp.float32)


def _rounded(a):
    """Return an array in bfloat16."""
    return a.astype(jnp.bfloat16)


def _by_gate(cell: Cell, *weights):
    """Return weights gate by gate."""
    return tuple(jnp.split(each, cell.gates, axis=-1) for each in weights)


def _pieces(x) -> list:
    """Return steps (T, ...) as pieces (k, m, ...), what is left over first."""
    over = len(x) % PIECE
    parts = x[None, :over], x[over:].reshape(-1, PIECE, *x.shape[1:])
    return [part for part in parts if part.size]


def _joined(parts):
    """Return the steps of pieces (k, m, ...) in one array."""
    return jnp.concatenate([part.reshape(-1, *part.shape[2:]) for part in parts])
