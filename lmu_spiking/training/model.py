r"""The outputs of rate-based LMUs as functions that JAX differentiates.

The equations are those of `lmu.params`; `engine` trains with them.

The states of a memory that receives nothing but the input are linear in that input,

.. math::

    m_t = \sum_{s \le t} H_{t-s}\, u_s .

with ``H_s`` the response to an impulse ``s`` steps ago.  Where only the last step is
read, that is one matrix product.  Where every step is read, time is cut into blocks of
``L`` steps: within a block it is a product with the Toeplitz matrix of the first ``L``
responses, and what came before enters by the state ``z`` at its beginning,

.. math::

    m_{jL + l} = \sum_{i \le l} H_{l-i}\, u_{jL+i} + P_l\, z_j, \qquad
    z_{j+1} = m_{jL + L - 1} .

with ``P_l`` the power ``l + 1`` of the memory's step.  Nothing is truncated.  It takes
``(L + d) d`` multiplications for each step of each memory, in matrix products, and no
more room than the states themselves.

With ``W_h`` the hidden units run step by step (`lax.scan`), after the memory.  With
``e_h`` or ``e_m`` the memory and the hidden units run step by step together.

The first cell's memories are also linear in its encoders,

.. math::

    m_t = \sum_{s \le t} H_{t-s}\, (e_x x_s + b_u) = e_x X_t + b_u 1_t, \qquad
    X_t = \sum_{s \le t} H_{t-s}\, x_s ,

so that ``X``, and the same of a constant 1, are computed once (`project`), and every
step of a training only mixes them.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``k`` memories, ``d`` order, ``q``
outputs.  ``f`` is an activation, ``own`` are the arrays of one cell.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from lmu_spiking.lmu.forward import moved_to_end
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.neurons.chip import ChipUnits
from lmu_spiking.training._jax import jax, jnp, lax
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.window import block_of

PART = 512  # rows of states whose units are computed at a time


def forward(
    curves: Sequence[tuple[str, ChipUnits | None]],
    arrays: Mapping,
    tables: Sequence[Mapping],
    inputs: Mapping,
    *,
    noise: Sequence[Callable | None] = (),
    last: bool = False,
):
    """Return outputs, and the mean activity of the hidden units.

    Parameters
    ----------
    curves : sequence of (activation, chip)
        Of each cell, as in its `CellParams`.
    arrays : mapping of str to array
        By the names of ``LMUParams.arrays()``; a connection without an array is left
        out.
    tables : sequence of mapping of str to array
        Of each cell: `window.step_tables` with ``e_h`` or ``e_m``, else
        `window.tables`.
    inputs : mapping of str to array
        ``x`` (n, T, c) and, where they are known, ``states`` (n, T, c', d): states of
        the first cell's memory for each input and, if it has ``b_u``, for a constant 1.
        Both are without the axis of time if the states are known and nothing but the
        last step of the cell is computed (`only_last`).  ``lengths`` (n,), where they
        are given, are the steps of each sequence, which is padded at its end.
    noise : sequence of callable or None
        For each cell, a function from its memory's states (..., k d) to noise of that
        shape.  What receives the states receives them with the noise; the memory itself
        goes on without it.
    last : bool
        Whether only the last step is read.

    Returns
    -------
    y : (n, T, q) array, or (n, q)
        Values, or the logits of classes.
    activity : scalar array
        The sum over cells of the mean of ``|h|``.
    """
    h, states, ends = inputs["x"], inputs.get("states"), inputs.get("lengths")
    activity, y = 0.0, None

    def read(h):
        return h @ arrays["readout.D"].T + arrays["readout.c"]

    for i, curve in enumerate(curves):
        own = arrays_of(arrays, i)
        f, noise_of = curve_of(*curve), noise[i] if noise else None
        final = last and i == len(curves) - 1
        at_end = final and not own.keys() & {"e_h", "e_m", "W_h"}
        if own.keys() & {"e_h", "e_m"}:
            h = _stepwise(f, own, tables[i], h, noise_of)
        else:
            # the memory: mixed from known states, or computed from its inputs
            if i == 0 and states is not None:
                m = _mixed(states, own)
            else:
                u = encoded(own, h)
                u = to_the_end(u, ends) if at_end else u
                m = memory_states(u, tables[i], at_end)
                h = last_of(h, ends) if at_end else h
            m = m if noise_of is None else m + noise_of(m)
            if i == len(curves) - 1 and m.ndim == 3 and not last and "W_h" not in own:
                # nothing but the readout has the units: they need not all be stored
                y, size = _in_parts(partial(_said, f, own, read), m, h)
            else:
                h = _hidden(f, own, m, h)
        if y is None:
            h = last_of(h, ends) if final and not at_end else h
            size = jnp.abs(h)
        if size.ndim == 3 and ends is not None:
            activity = activity + jnp.mean(mean_within(size, ends, axis=(0, 1)))
        else:
            activity = activity + jnp.mean(size)
    return read(h) if y is None else y, activity


def _said(f: Callable, own: Mapping, read: Callable, m, x):
    """Return outputs (r, q) of rows of states and inputs, and units' mean ``|h|``."""
    h = _hidden(f, own, m, x)
    return read(h), jnp.mean(jnp.abs(h), axis=-1, keepdims=True)


def _in_parts(function: Callable, *arrays):
    """Return a function of arrays (n, T, ...), for `PART` of their rows at a time.

    What it computes for a part stays in the cache; for a gradient it is computed again.
    """
    n, T = arrays[0].shape[:2]
    size = min(PART, n * T)
    parts = -(-n * T // size)

    def cut(a):
        rows = a.reshape(n * T, *a.shape[2:])
        more = [(0, parts * size - n * T)] + [(0, 0)] * (rows.ndim - 1)
        return jnp.pad(rows, more).reshape(parts, size, *rows.shape[1:])

    def joined(a):
        return a.reshape(parts * size, -1)[: n * T].reshape(n, T, -1)

    made = lax.map(
        lambda some: jax.checkpoint(function)(*some), tuple(map(cut, arrays))
    )
    return tuple(map(joined, made))


def last_of(h, lengths=None):
    """Return activities (n, T, ...) at the last step of each sequence.

    Parameters
    ----------
    h : (n, T, ...) array
    lengths : (n,) array of int, optional
        All ``T`` by default.

    Returns
    -------
    (n, ...) array
        At step ``length - 1``.
    """
    return h[:, -1] if lengths is None else h[jnp.arange(len(h)), lengths - 1]


def to_the_end(u, lengths=None):
    """Return inputs (n, T, k) moved so that each sequence ends at ``T``, 0 before it.

    Parameters
    ----------
    u : (n, T, k) array
    lengths : (n,) array of int, optional
        All ``T`` by default, and nothing is moved.

    Returns
    -------
    (n, T, k) array
        As `lmu.forward.moved_to_end`.
    """
    if lengths is None:
        return u
    at = jnp.arange(u.shape[1])[None] - (u.shape[1] - lengths)[:, None]
    moved = jnp.take_along_axis(u, jnp.maximum(at, 0)[:, :, None], axis=1)
    return jnp.where(at[:, :, None] >= 0, moved, 0.0)


def mean_within(values, lengths, axis):
    """Return means of values (n, T, ...) over steps within lengths.

    Parameters
    ----------
    values : (n, T, units) array
    lengths : (n,) array of int
    axis : tuple of int
        Those of sequences and steps.

    Returns
    -------
    array
        Without these axes.
    """
    alive = jnp.arange(values.shape[1])[None] < lengths[:, None]
    kept = jnp.where(alive[:, :, None], values, 0.0)
    return jnp.sum(kept, axis=axis) / jnp.sum(lengths).astype(values.dtype)


def arrays_of(arrays: Mapping, i: int) -> dict:
    """Return the arrays of cell ``i`` by their names in it; windows are no arrays.

    Parameters
    ----------
    arrays : mapping of str to array
        Of all cells.
    i : int

    Returns
    -------
    dict of str to array
        As in `CellParams`.
    """
    names = (name.split(".") for name in arrays)
    own = (end for cell, end in names if cell == f"cell{i}" and end != "theta")
    return {end: arrays[f"cell{i}.{end}"] for end in own}


def loss_of(classes: int | None, outputs, y, weights=None):
    """Return the cross-entropy of classes, or mean square error of values.

    Parameters
    ----------
    classes : int or None
        None if ``y`` are values.
    outputs : (n, q) or (n, T, q) array
    y : (n,) or (n, T) of classes, or as ``outputs``
    weights : (n, T) array, optional
        Of the steps.

    Returns
    -------
    scalar array
        The mean over sequences and steps.
    """
    if classes is None:
        each = jnp.mean(jnp.square(outputs - y), axis=-1)
    else:
        likely = jax.nn.log_softmax(outputs)
        each = -jnp.take_along_axis(likely, y[..., None], axis=-1)[..., 0]
    if weights is None:
        return jnp.mean(each)
    return jnp.sum(weights * each) / jnp.sum(weights)


def only_last(params: LMUParams, i: int, last: bool) -> bool:
    """Return whether nothing but the last step of cell ``i`` is computed.

    Parameters
    ----------
    params : LMUParams
    i : int
        Number of the cell.
    last : bool
        Whether only the last step is read.

    Returns
    -------
    bool
        False for all cells but the last one, and for one with ``e_h``, ``e_m`` or
        ``W_h``, which needs the steps before.
    """
    return last and i == len(params.cells) - 1 and params.cells[i].is_feedforward


# -- memories that receive their input alone -------------------------------------------


def project(
    cell: CellParams, x: np.ndarray, table: Mapping, final: bool, lengths=None
) -> np.ndarray:
    """Return the states that each input and, with ``b_u``, a constant 1 would cause.

    Parameters
    ----------
    cell : CellParams
    x : (n, T, c) ndarray
    table : mapping of str to ndarray
        `window.tables` of the cell.
    final : bool
        Whether only the last states are wanted.
    lengths : (n,) ndarray of int, optional
        Steps of each sequence, whose end is the last step.

    Returns
    -------
    (n, T, c', d) ndarray, or (n, c', d)
        In the precision of ``x``.
    """
    if cell.b_u is not None:
        x = np.concatenate([x, np.ones_like(x[..., :1])], axis=2)
    x = moved_to_end(x, lengths) if final else x
    # by JAX, whose threads do not wait for those of numpy's products
    of = _last_states if final else _all_states
    table = {name: jnp.asarray(a, dtype=x.dtype) for name, a in table.items()}
    states = np.concatenate([np.asarray(of(some, table)) for some in _chunks(x)])
    return states.reshape(*states.shape[:-1], -1, cell.order)


def _chunks(x: np.ndarray, size: int = 100) -> Iterator[np.ndarray]:
    """Yield parts of an array, so that the states of a part fit into memory."""
    return (x[i : i + size] for i in range(0, len(x), size))


def memory_states(u, table: Mapping, last: bool):
    """Return states (n, T, k d), or (n, k d) at the last step, of inputs (n, T, k).

    Parameters
    ----------
    u : (n, T, k) array
    table : mapping of str to array
        `window.tables` of the memories.
    last : bool
        Whether only the last states are wanted.

    Returns
    -------
    (n, T, k d) array, or (n, k d)
        The states, from rest.
    """
    n, T, k = u.shape
    H = table["H"]
    d = H.shape[1]
    if last:
        return jnp.einsum("ntk,td->nkd", u, H[::-1]).reshape(n, k * d)
    # cut time into blocks
    L = block_of(T)
    blocks = -(-T // L)
    u = jnp.pad(u.transpose(0, 2, 1), ((0, 0), (0, 0), (0, blocks * L - T)))
    u = u.reshape(n * k, blocks, L)
    # states at the beginnings of blocks, one after the other
    P, own = table["P"], (u @ H[::-1]).transpose(1, 0, 2)
    _, begin = lax.scan(lambda z, o: (o + z @ P[-1].T, z), jnp.zeros_like(own[0]), own)
    # all steps of all blocks in one product
    known = jnp.concatenate([u, begin.transpose(1, 0, 2)], axis=2).reshape(-1, L + d)
    within = _toeplitz(H, L).reshape(L, L * d)
    before = P.transpose(2, 0, 1).reshape(d, L * d)
    m = (known @ jnp.concatenate([within, before])).reshape(n, k, blocks * L, d)
    return m[:, :, :T].transpose(0, 2, 1, 3).reshape(n, T, k * d)


_all_states = jax.jit(lambda u, table: memory_states(u, table, False))
_last_states = jax.jit(lambda u, table: memory_states(u, table, True))


def _toeplitz(H, L: int):
    """Return the array (L, L, d) with ``H_{l-i}`` at ``[i, l]``, and 0 above."""
    lag = np.arange(L)[None, :] - np.arange(L)[:, None]
    padded = jnp.concatenate([H, jnp.zeros_like(H[:1])])
    return padded[np.where(lag < 0, L, lag)]


def _mixed(states, own: Mapping):
    """Return memories (..., k d) from states (..., c', d) of the inputs they encode."""
    encoders = own["e_x"]
    if "b_u" in own:
        encoders = jnp.concatenate([encoders, own["b_u"][:, None]], axis=1)
    m = jnp.einsum("kc,...cd->...kd", encoders, states)
    return m.reshape(*states.shape[:-2], -1)


def _hidden(f: Callable, own: Mapping, m, x):
    """Return activities of the units: ``f(W_x x + W_h h + W_m m + b)``."""
    J = driven(own, x) + m @ own["W_m"].T
    if "W_h" not in own:
        return f(J)

    def step(h, J):
        h = f(J + h @ own["W_h"].T)
        return h, h

    _, h = lax.scan(step, jnp.zeros_like(J[:, 0]), J.transpose(1, 0, 2))
    return h.transpose(1, 0, 2)


# -- memories that receive units or memories -------------------------------------------


def _stepwise(f: Callable, own: Mapping, table: Mapping, x, noise):
    """Return activities (n, T, units) of a cell with ``e_h`` or ``e_m``.

    Noise of a relative size is relative to the states without noise, so that these are
    computed first.
    """
    if noise is None:
        return _scanned(f, own, table, x, None)[0]
    clean = lax.stop_gradient(_scanned(f, own, table, x, None)[1])
    return _scanned(f, own, table, x, noise(clean))[0]


def _scanned(f: Callable, own: Mapping, table: Mapping, x, noise):
    """Return activities (n, T, units) and states (n, T, k d), the states noiseless."""
    A, B = table["A"], table["B"]
    (n, T, _), k, d, units = x.shape, len(own["e_x"]), len(B), len(own["W_m"])
    # what depends on the input alone, for all steps
    u, J = encoded(own, x), jnp.broadcast_to(driven(own, x), (n, T, units))

    def step(before, now):
        m, read, h = before  # ``read`` are the states with their noise
        u, J, z = now
        if "e_h" in own:
            u = u + h @ own["e_h"].T
        if "e_m" in own:
            u = u + read @ own["e_m"].T
        m = m.reshape(n, k, d) @ A.T + u[:, :, None] * B
        m = m.reshape(n, k * d)
        read = m if z is None else m + z
        J = J + read @ own["W_m"].T
        h = f(J + h @ own["W_h"].T if "W_h" in own else J)
        return (m, read, h), (h, m)

    rest = jnp.zeros((n, k * d), x.dtype)
    begin = (rest, rest, jnp.zeros((n, units), x.dtype))
    by_step = jax.tree_util.tree_map(lambda a: a.swapaxes(0, 1), (u, J, noise))
    _, found = lax.scan(step, begin, by_step)
    return tuple(a.swapaxes(0, 1) for a in found)


def encoded(own: Mapping, x):
    """Return what the memories receive from the input: ``e_x x + b_u``.

    Parameters
    ----------
    own : mapping of str to array
        Of the cell.
    x : (n, T, c) array

    Returns
    -------
    (n, T, k) array
        Without what comes back from units and memories.
    """
    u = x @ own["e_x"].T
    return u + own["b_u"] if "b_u" in own else u


def driven(own: Mapping, x):
    """Return what the units receive from the input, and their bias: ``W_x x + b``.

    Parameters
    ----------
    own : mapping of str to array
        Of the cell.
    x : (n, T, c) array

    Returns
    -------
    (n, T, units) array
        Or what becomes one in a sum: the bias alone, or 0.
    """
    J = own.get("b", 0.0)
    return J + x @ own["W_x"].T if "W_x" in own else J
