r"""Cells whose memories receive their input alone, at all times at once, in TensorFlow.

These are the equations; `parallel_engine` trains with them.

The memory is linear, so that its states are sums over the input's past,

.. math::

    m_t = \sum_{s \le t} H_{t-s}\, u_s .

At the last step alone that is one matrix product.  At every step, time is cut into
blocks of ``L`` steps: within a block it is a product with the Toeplitz matrix of the
first ``L`` responses, and what came before enters by the state ``z`` at its beginning,

.. math::

    m_{jL + l} = \sum_{i \le l} H_{l-i}\, u_{jL+i} + P_l\, z_j, \qquad
    z_{j+1} = m_{jL + L - 1} .

Nothing is truncated.  It takes ``(L + d) d`` multiplications for each step of each
memory, in matrix products, and no more room than the states themselves: less time
than Fourier transforms of the sequences took at orders 4 to 256, on one core.

Units that receive each other (``W_h``) then run step by step, but they alone.

The first cell's memories are also linear in its encoders,

.. math::

    m_t = \sum_{s \le t} H_{t-s}\, (e_x x_s + b_u) = e_x X_t + b_u 1_t, \qquad
    X_t = \sum_{s \le t} H_{t-s}\, x_s ,

so that ``X``, and the same of a constant 1, are computed once (`project`) and mixed in
every step of a training.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``k`` memories, ``d`` order.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.training._keras import tensorflow
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.window import block_of


def forward(
    params: LMUParams,
    arrays: Mapping,
    tables,
    inputs: Mapping,
    *,
    noise=None,
    last: bool = False,
):
    """Return outputs, and the mean activity of the hidden units.

    Parameters
    ----------
    params : LMUParams
        Names and shapes of the arrays; its numbers are not used.
    arrays : mapping of str to tensor
        By the names of ``params.arrays()``.
    tables : sequence of mapping of str to tensor
        Of each cell, as `window.tables` has them.
    inputs : mapping of str to tensor
        ``x`` (n, T, c) and, where they are known, ``states`` (n, T, c', d): states of
        the first cell's memory for each input and, if it has a bias, for a constant 1.
        Without the axis of time if only the last step is read, and they are known.
    noise : sequence of callable, optional
        For each cell, a function that adds noise to its memory's states (..., k d).
    last : bool
        Whether only the last step is read.

    Returns
    -------
    y : (n, T, q) tensor, or (n, q)
        Without a softmax.
    activity : scalar tensor
        ``sum over cells of mean |h|``.
    """
    tf = tensorflow()
    h, states = inputs["x"], inputs.get("states")
    activity = 0.0
    for i, cell in enumerate(params.cells):
        own = {name: arrays.get(f"cell{i}.{name}") for name in cell.arrays()}
        final = last and i == len(params.cells) - 1
        at_end = only_last(params, i, last)
        # the memory: mixed from known states, or computed from its inputs
        if i == 0 and states is not None:
            m = _mixed(states, own)
        else:
            u = h @ tf.transpose(own["e_x"])
            u = u + own["b_u"] if "b_u" in own else u
            m = memory_states(u, tables[i], at_end)
            h = h[:, -1] if at_end else h
        h = _hidden(cell, own, m if noise is None else noise[i](m), h)
        h = h[:, -1] if final and not at_end else h
        activity = activity + tf.reduce_mean(tf.abs(h))
    return h @ tf.transpose(arrays["readout.D"]) + arrays["readout.c"], activity


def only_last(params: LMUParams, i: int, last: bool) -> bool:
    """Return whether of cell ``i`` nothing but the last step is needed.

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
        False where units receive their own activities.
    """
    return last and i == len(params.cells) - 1 and params.cells[i].W_h is None


def project(cell: CellParams, x: np.ndarray, table: dict, final: bool) -> np.ndarray:
    """Return the states of each input and, with ``b_u``, of a constant 1.

    Parameters
    ----------
    cell : CellParams
    x : (n, T, c) ndarray
    table : dict
        `window.tables` of the cell.
    final : bool
        Whether only the last states are wanted.

    Returns
    -------
    (n, T, c', d) ndarray, or (n, c', d)
        In the precision of ``x``.
    """
    if cell.b_u is not None:
        x = np.concatenate([x, np.ones_like(x[..., :1])], axis=2)
    if final:
        reverse = table["H"][::-1]
        projected = [np.tensordot(some, reverse, (1, 0)) for some in _chunks(x)]
        return np.concatenate(projected).astype(x.dtype)
    tf = tensorflow()
    table = {name: tf.constant(a, dtype=x.dtype) for name, a in table.items()}
    states = [memory_states(tf.constant(s), table, False).numpy() for s in _chunks(x)]
    return np.concatenate(states).reshape(*x.shape, cell.order)


def _chunks(x: np.ndarray, size: int = 100) -> Iterator[np.ndarray]:
    """Yield parts of an array, so that the states of a part fit into memory."""
    return (x[i : i + size] for i in range(0, len(x), size))


def memory_states(u, table: Mapping, last: bool):
    """Return states (n, T, k d), or (n, k d) at the last step, of inputs (n, T, k).

    Parameters
    ----------
    u : (n, T, k) tensor
    table : mapping of str to tensor
        `window.tables` of the memories.
    last : bool
        Whether only the last states are wanted.

    Returns
    -------
    (n, T, k d) tensor, or (n, k d)
        The states, from rest.
    """
    tf = tensorflow()
    n, T, k = u.shape
    H = table["H"]
    d = H.shape[1]
    if last:
        return tf.reshape(tf.einsum("ntk,td->nkd", u, H[::-1]), (n, k * d))
    # cut time into blocks
    L = block_of(T)
    blocks = -(-T // L)
    u = tf.pad(tf.transpose(u, (0, 2, 1)), ((0, 0), (0, 0), (0, blocks * L - T)))
    u = tf.reshape(u, (n * k, blocks, L))
    # states at the beginnings of blocks, one after the other
    P = table["P"]
    own, begin = u @ H[::-1], [tf.zeros_like(u[:, 0, :1]) * H[:1]]
    for j in range(blocks - 1):
        begin.append(own[:, j] + begin[-1] @ tf.transpose(P[-1]))
    # all steps of all blocks in one product
    known = tf.reshape(tf.concat([u, tf.stack(begin, axis=1)], axis=2), (-1, L + d))
    within = tf.reshape(_toeplitz(H, L), (L, L * d))
    before = tf.reshape(tf.transpose(P, (2, 0, 1)), (d, L * d))
    m = tf.reshape(known @ tf.concat([within, before], axis=0), (n, k, blocks * L, d))
    m = m[:, :, :T]
    return tf.reshape(m if k == 1 else tf.transpose(m, (0, 2, 1, 3)), (n, T, k * d))


def _toeplitz(H, L: int):
    """Return the tensor (L, L, d) with ``H_{l-i}`` at ``[i, l]``, and 0 above."""
    tf = tensorflow()
    lag = np.arange(L)[None, :] - np.arange(L)[:, None]
    padded = tf.concat([H, tf.zeros_like(H[:1])], axis=0)
    return tf.gather(padded, np.where(lag < 0, L, lag))


def _mixed(states, own: Mapping):
    """Return memories (..., k d) from states (..., c', d) of the inputs they encode."""
    tf = tensorflow()
    encoders = own["e_x"]
    if "b_u" in own:
        encoders = tf.concat([encoders, own["b_u"][:, None]], axis=1)
    m = tf.einsum("kc,...cd->...kd", encoders, states)
    return tf.reshape(m, tf.concat([tf.shape(states)[:-2], [-1]], axis=0))


def _hidden(cell: CellParams, own: Mapping, m, x):
    """Return activities of the units: ``f(W_x x + W_h h + W_m m + b)``."""
    tf = tensorflow()
    J = m @ tf.transpose(own["W_m"])
    if "W_x" in own:
        J = J + x @ tf.transpose(own["W_x"])
    if "b" in own:
        J = J + own["b"]
    f = curve_of(cell.activation, cell.chip)
    if "W_h" not in own:
        return f(J)
    steps = tf.transpose(J, (1, 0, 2))
    to_units = tf.transpose(own["W_h"])
    h = tf.scan(lambda h, J: f(J + h @ to_units), steps, tf.zeros_like(steps[0]))
    return tf.transpose(h, (1, 0, 2))
