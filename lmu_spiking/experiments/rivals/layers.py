r"""Layers that run step by step, with their slopes written out.

The slopes that JAX derives take longer on a CPU, since they keep more of each step than
its gates and the state before it: 1.3 to 2 times as long for an LSTM.

An LSTM is that of Keras,

.. math::

    z_t = W x_t + U h_{t-1} + b, \qquad
    s_t = \sigma(z^f_t) s_{t-1} + \sigma(z^i_t) \tanh z^g_t, \qquad
    h_t = \sigma(z^o_t) \tanh s_t ,

with the gates ``i, f, g, o`` side by side in ``z``.  So is a GRU, whose reset gate acts
on what comes from the units (``reset_after``),

.. math::

    p_t = W x_t + b, \quad q_t = U h_{t-1} + c, \quad
    z_t = \sigma(p^z_t + q^z_t), \quad r_t = \sigma(p^r_t + q^r_t), \quad
    g_t = \tanh(p^g_t + r_t q^g_t), \quad h_t = z_t h_{t-1} + (1 - z_t) g_t ,

with ``z, r, g`` side by side in ``p`` and ``q``.  A diagonal state space has complex
states, each with a pole :math:`\lambda` inside the unit circle,

.. math:: s_t = \lambda s_{t-1} + b_t .

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``u`` units, ``P`` poles.
"""

from functools import partial

import numpy as np

from lmu_spiking.training._jax import jax, jnp, lax

# -- LSTM ----------------------------------------------------------------------------


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def lstm(x, W, U, b, last: bool):
    """Return the outputs of an LSTM layer, from rest.

    Parameters
    ----------
    x : (T, n, c) array
        Steps first.
    W, U, b : (c, 4 u), (u, 4 u) and (4 u,) array
        The gates ``i, f, g, o`` side by side.
    last : bool
        Whether only the last step is wanted.

    Returns
    -------
    (T, n, u) array, or (n, u)
    """
    return _run_lstm(x, W, U, b, last)[0]


def _run_lstm(x, W, U, b, last: bool):
    """Return outputs, and ``h, s`` before every step with hyperbolic tangents in it."""
    # of logistic functions too: sigma(z) = (1 + tanh(z / 2)) / 2
    half = np.repeat(np.array([0.5, 0.5, 1, 0.5], np.float32), len(U))
    W, U, b = W * half, U * half, b * half

    def step(before, x):
        h, s = before
        a = jnp.tanh(x @ W + h @ U + b)
        i, f, g, o = _gates(a)
        s = f * s + i * g
        h = o * jnp.tanh(s)
        return (h, s), (None if last else h, (*before, a))

    rest = jnp.zeros((x.shape[1], len(U)), x.dtype)
    (h, _), (every, kept) = lax.scan(step, (rest, rest), x)
    return h if last else every, kept


def _gates(a):
    """Return gates (n, u) from hyperbolic tangents (n, 4 u)."""
    i, f, g, o = jnp.split(a, 4, axis=1)
    return 0.5 + 0.5 * i, 0.5 + 0.5 * f, g, 0.5 + 0.5 * o


def _lstm_forward(x, W, U, b, last: bool):
    """Return outputs, and what `_lstm_backward` needs of them."""
    h, kept = _run_lstm(x, W, U, b, last)
    return h, (x, kept, W, U)


def _lstm_backward(last: bool, known, slope):
    """Return slopes by ``x, W, U, b``, from those by the outputs."""
    x, kept, W, U = known

    def step(after, now):
        dh, ds = after
        by_output, (_, s, a) = now
        dh = dh if last else dh + by_output
        i, f, g, o = _gates(a)
        r = jnp.tanh(f * s + i * g)
        ds = ds + dh * o * (1 - r * r)
        by_gate = (g * i * (1 - i), s * f * (1 - f), i * (1 - g * g))
        dz = [ds * each for each in by_gate] + [dh * r * o * (1 - o)]
        dz = jnp.concatenate(dz, axis=1)
        return (dz @ back, ds * f), dz

    rest, back = jnp.zeros_like(kept[0][0]), jnp.copy(U.T)
    steps = (None if last else slope, kept)
    _, dz = lax.scan(step, (slope if last else rest, rest), steps, reverse=True)
    return dz @ W.T, _summed(x, dz), _summed(kept[0], dz), dz.sum(axis=(0, 1))


def _summed(x, slope):
    """Return the slope (c, u) of a kernel: sums over all steps, in one product."""
    return x.reshape(-1, x.shape[-1]).T @ slope.reshape(-1, slope.shape[-1])


lstm.defvjp(_lstm_forward, _lstm_backward)

# -- GRU -----------------------------------------------------------------------------


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def gru(x, W, U, b, c, last: bool):
    """Return the outputs of a GRU layer, from rest.

    Parameters
    ----------
    x : (T, n, c) array
        Steps first.
    W, U : (c, 3 u) and (u, 3 u) array
        The gates ``z, r`` and ``g`` side by side.
    b, c : (3 u,) array
        Biases of what comes from the inputs, and from the units.
    last : bool
        Whether only the last step is wanted.

    Returns
    -------
    (T, n, u) array, or (n, u)
    """
    return _run_gru(x, W, U, b, c, last)[0]


def _run_gru(x, W, U, b, c, last: bool):
    """Return outputs, and ``h`` before every step with ``z, r, g, q^g`` in it."""

    def step(h, x):
        p, q = jnp.split(x @ W + b, 3, axis=1), jnp.split(h @ U + c, 3, axis=1)
        z, r = (0.5 + 0.5 * jnp.tanh(0.5 * (p[k] + q[k])) for k in range(2))
        g = jnp.tanh(p[2] + r * q[2])
        after = z * h + (1 - z) * g
        return after, (None if last else after, (h, z, r, g, q[2]))

    rest = jnp.zeros((x.shape[1], len(U)), x.dtype)
    h, (every, kept) = lax.scan(step, rest, x)
    return h if last else every, kept


def _gru_forward(x, W, U, b, c, last: bool):
    """Return outputs, and what `_gru_backward` needs of them."""
    h, kept = _run_gru(x, W, U, b, c, last)
    return h, (x, kept, W, U)


def _gru_backward(last: bool, known, slope):
    """Return slopes by ``x, W, U, b, c``, from those by the outputs."""
    x, kept, W, U = known

    def step(dh, now):
        by_output, (h, z, r, g, q) = now
        dh = dh if last else dh + by_output
        dg = dh * (1 - z) * (1 - g * g)
        by_gates = [dh * (h - g) * z * (1 - z), dg * q * r * (1 - r)]
        dq = jnp.concatenate([*by_gates, dg * r], axis=1)
        return dh * z + dq @ back, (jnp.concatenate([*by_gates, dg], axis=1), dq)

    end, back = slope if last else jnp.zeros_like(kept[0][0]), jnp.copy(U.T)
    steps = (None if last else slope, kept)
    _, (dp, dq) = lax.scan(step, end, steps, reverse=True)
    by_kernels = dp @ W.T, _summed(x, dp), _summed(kept[0], dq)
    return *by_kernels, dp.sum(axis=(0, 1)), dq.sum(axis=(0, 1))


gru.defvjp(_gru_forward, _gru_backward)

# -- diagonal state space ------------------------------------------------------------


@jax.custom_vjp
def diagonal(b, real, imaginary):
    """Return the states of a diagonal state space, from rest.

    Parameters
    ----------
    b : (T, n, 2 P) array
        Inputs, real parts before imaginary ones.
    real, imaginary : (P,) array
        Of the poles.

    Returns
    -------
    (T, n, 2 P) array
        Real parts before imaginary ones.
    """
    return _scanned(b, real, imaginary)


def _scanned(b, real, imaginary, reverse: bool = False):
    """Return states after each input, the last one first if in reverse."""
    # (a + bi)(s + ti): both parts times a, and times b the parts exchanged
    alike = jnp.concatenate([real, real])
    crossed = jnp.concatenate([-imaginary, imaginary])

    def step(s, b):
        s = alike * s + crossed * jnp.roll(s, len(real), axis=1) + b
        return s, s

    return lax.scan(step, jnp.zeros_like(b[0]), b, reverse=reverse)[1]


def _diagonal_forward(b, real, imaginary):
    """Return states, and what `_diagonal_backward` needs of them."""
    s = _scanned(b, real, imaginary)
    return s, (s, real, imaginary)


def _diagonal_backward(known, slope):
    """Return slopes by inputs and poles: the adjoint has conjugate poles."""
    s, real, imaginary = known
    db = _scanned(slope, real, -imaginary, reverse=True)
    after, before = db[1:], s[:-1]
    by_alike = jnp.einsum("tnp,tnp->p", after, before)
    by_crossed = jnp.einsum("tnp,tnp->p", after, jnp.roll(before, len(real), axis=2))
    by_real, (minus, plus) = sum(jnp.split(by_alike, 2)), jnp.split(by_crossed, 2)
    return db, by_real, plus - minus


diagonal.defvjp(_diagonal_forward, _diagonal_backward)
