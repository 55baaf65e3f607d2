r"""Rivals of an LMU, trained by one clock: LSTMs as published, and a hybrid, in JAX.

An LSTM draws its weights as Keras does, and has its equations,

.. math::

    z_t = W x_t + U h_{t-1} + b, \qquad
    s_t = \sigma(z^f_t) s_{t-1} + \sigma(z^i_t) \tanh z^g_t, \qquad
    h_t = \sigma(z^o_t) \tanh s_t ,

with the gates ``i, f, g, o`` side by side in ``z``.

The hybrid of the LMU paper has a feedforward LMU cell before its LSTM: the exact memory
:math:`m_t`, whose impulse response :math:`H` is fixed, a trained encoder :math:`e_x`
and trained units,

.. math:: m_t = \sum_{s \le t} H_{t-s} e_x x_s, \qquad h_t = \max(0, W_m m_t + b) .

Every model is trained by `fit` until so many seconds have passed, and is the best of
its validations.  Published, reproduced and compared models share this module, so that
all train alike.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``q`` outputs, ``u`` units.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training._jax import jax, jnp, lax, optax
from lmu_spiking.training.evaluation import (
    loss_and_metric,
    metric_name,
    validation_name,
)
from lmu_spiking.training.loop import badness
from lmu_spiking.training.model import loss_of, memory_states
from lmu_spiking.training.window import tables

# -- models --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Model:
    """A rival before it is trained.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Initial parameters in float32, by name.
    outputs : callable
        Takes such arrays and inputs (n, T, c), and returns outputs (n, T, q), or (n, q)
        where only the last step is read; JAX differentiates it.
    """

    arrays: dict[str, np.ndarray]
    outputs: Callable

    __repr__ = brief

    @property
    def n_params(self) -> int:
        """Return the number of parameters."""
        return sum(a.size for a in self.arrays.values())


def lstm_model(
    size_in: int,
    size_out: int,
    layers: tuple[int, ...] = (25, 25, 25, 25),
    *,
    last: bool = False,
    seed: int = 0,
) -> Model:
    """Return LSTM layers with a linear readout.

    Parameters
    ----------
    size_in, size_out : int
        Channels of the input, and outputs.
    layers : tuple of int
        Units of each; by default the four of the LMU paper's Mackey-Glass.
    last : bool
        Whether only the last step is read.
    seed : int
        Draws the weights.

    Returns
    -------
    Model
        Of inputs (n, T, c), for any ``T``.
    """
    rng = np.random.default_rng(seed)
    arrays = _drawn_layers(rng, size_in, size_out, layers)
    return Model(arrays, partial(_layers, depth=len(layers), last=last))


def lstm_units(params: int, size_in: int, size_out: int) -> int:
    """Return the units of an LSTM with about so many parameters, readout included.

    ``u`` units have ``4 (u^2 + u c + u) + q u + q`` of them, with ``c`` inputs and
    ``q`` outputs.

    Parameters
    ----------
    params, size_in, size_out : int

    Returns
    -------
    int
    """
    b = 4 * size_in + 4 + size_out
    return max(1, round((-b + np.sqrt(b * b + 16 * (params - size_out))) / 8))


def hybrid_model(
    size_in: int,
    size_out: int,
    *,
    order: int,
    theta: float,
    units: int,
    layers: tuple[int, ...],
    scale: float = 1.0,
    last: bool = False,
    seed: int = 0,
) -> Model:
    """Return a feedforward LMU cell, LSTM layers behind it, and a linear readout.

    Parameters
    ----------
    size_in, size_out : int
        Channels of the input, and outputs.
    order, theta : int, float
        Of the memory; ``theta`` in steps.
    units : int
        Of the cell.
    layers : tuple of int
        Units of the LSTM layers.
    scale : float
        Initial encoder.
    last : bool
        Whether only the last step is read.
    seed : int
        Draws the weights.

    Returns
    -------
    Model
        Of inputs (n, T, c), for any ``T``.
    """
    rng, ldn = np.random.default_rng(seed), LDN(order, float(theta))
    arrays = {"cell.e_x": np.full((size_in, 1), scale, np.float32)}
    arrays |= _drawn_dense("cell", rng, order, units)
    arrays |= _drawn_layers(rng, units, size_out, layers)

    def outputs(arrays, x):
        # matrices for this many steps, made once, when JAX compiles
        table = tables(ldn, 1.0, x.shape[1], last=False)[0]
        table = {name: a.astype(np.float32) for name, a in table.items()}
        m = memory_states(x @ arrays["cell.e_x"], table, False)
        h = jax.nn.relu(m @ arrays["cell.W"] + arrays["cell.b"])
        return _layers(arrays, h, depth=len(layers), last=last)

    return Model(arrays, outputs)


def _layers(arrays, x, *, depth: int, last: bool):
    """Return outputs of so many LSTM layers and a readout of all steps or the last."""
    h = x.swapaxes(0, 1)  # steps first
    for i in range(depth):
        W, U, b = (arrays[f"lstm{i}.{name}"] for name in "WUb")
        h: Any = lstm(h, W, U, b, last and i == depth - 1)
    h = h if last else h.swapaxes(0, 1)
    return h @ arrays["readout.W"] + arrays["readout.b"]


# -- LSTM layers ---------------------------------------------------------------------
#
# Slopes are written out: those that JAX derives take 1.3 to 2 times as long on a CPU,
# since they keep more of each step than its gates and the state before it.


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
    return _run(x, W, U, b, last)[0]


def _run(x, W, U, b, last: bool):
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


def _forward(x, W, U, b, last: bool):
    """Return outputs, and what `_backward` needs of them."""
    h, kept = _run(x, W, U, b, last)
    return h, ((x, *kept), (W, U, b))


def _backward(last: bool, known, slope):
    """Return slopes by ``x, W, U, b``, from those by the outputs."""
    kept, weights = known
    W, U, _ = weights

    def step(after, now):
        dh, ds, sums = after
        by_output, (x, h, s, a) = now
        dh = dh if last else dh + by_output
        i, f, g, o = _gates(a)
        r = jnp.tanh(f * s + i * g)
        ds = ds + dh * o * (1 - r * r)
        by_gate = (g * i * (1 - i), s * f * (1 - f), i * (1 - g * g))
        dz = [ds * each for each in by_gate] + [dh * r * o * (1 - o)]
        dz = jnp.concatenate(dz, axis=1)
        found = (x.T @ dz, h.T @ dz, dz.sum(axis=0))
        sums = tuple(map(jnp.add, sums, found))
        return (dz @ U.T, ds * f, sums), dz @ W.T

    rest = jnp.zeros_like(kept[1][0])
    end = (slope if last else rest, rest, tuple(map(jnp.zeros_like, weights)))
    steps = (None if last else slope, kept)
    (_, _, sums), dx = lax.scan(step, end, steps, reverse=True)
    return dx, *sums


lstm.defvjp(_forward, _backward)


# -- initial weights -----------------------------------------------------------------


def _drawn_layers(rng, size_in: int, size_out: int, layers) -> dict[str, np.ndarray]:
    """Return the initial arrays of LSTM layers and a readout, by name."""
    arrays = {}
    for i, units in enumerate(layers):
        # Glorot's kernel, an orthogonal recurrent one, and gates that do not forget
        W = _glorot(rng, size_in, 4 * units)
        Q, R = np.linalg.qr(rng.standard_normal((4 * units, units)))
        U = (Q * np.sign(np.diag(R))).T.astype(np.float32)
        b = np.repeat(np.array([0, 1, 0, 0], np.float32), units)
        arrays |= {f"lstm{i}.W": W, f"lstm{i}.U": U, f"lstm{i}.b": b}
        size_in = units
    return arrays | _drawn_dense("readout", rng, size_in, size_out)


def _drawn_dense(name: str, rng, size_in: int, units: int) -> dict[str, np.ndarray]:
    """Return the initial kernel and bias of a dense layer."""
    kernel = _glorot(rng, size_in, units)
    return {f"{name}.W": kernel, f"{name}.b": np.zeros(units, np.float32)}


def _glorot(rng, size_in: int, size_out: int) -> np.ndarray:
    """Return a kernel that is uniform within Glorot's limits."""
    limit = np.sqrt(6 / (size_in + size_out))
    return rng.uniform(-limit, limit, (size_in, size_out)).astype(np.float32)


# -- training ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model after some seconds of training.

    Attributes
    ----------
    test : float
        Accuracy, or NRMSE, on the test part.
    outputs : (n, q) or (n, T, q) ndarray
        Of the test part; weights are the best by validation.
    seconds : float
        Of training and validation; compilation is left out.
    seconds_per_epoch : float
        Of training alone, the first update left out.
    updates : int
    epochs : float
    params : int
        Number of them.
    history : list of dict
        ``seconds, updates, epochs, loss, valid_loss`` and ``valid_accuracy`` or
        ``valid_nrmse``; ``seen_`` instead of ``valid_`` if these sequences are also
        trained on.
    weights : dict of str to ndarray
        Of the last update.
    predict : callable
        Takes inputs (n, T, c), and returns outputs by these weights.
    """

    test: float
    outputs: np.ndarray
    seconds: float
    seconds_per_epoch: float
    updates: int
    epochs: float
    params: int
    history: list[dict]
    weights: dict[str, np.ndarray]
    predict: Callable

    __repr__ = brief


def fit(
    model: Model,
    data: Sequences,
    limits: Sequence[float],
    *,
    batch: int = 32,
    piece: int | None = None,
    seed: int = 0,
    shuffle: bool = True,
    epochs: float = float("inf"),
    patience: float = float("inf"),
    validations: int = 20,
    clipnorm: float | None = None,
) -> list[Fitted]:
    """Train with Adam, on squared error or cross-entropy, until limits of seconds.

    Parameters
    ----------
    model : Model
        Outputs logits (n, q), or values (n, T, q).
    data : Sequences
    limits : sequence of float
        Seconds, increasing.  The first update, which compiles, counts for none.
    batch : int
    piece : int, optional
        Where every step is read: steps of the pieces, drawn anew for each epoch, that
        the sequences are cut into.  Shorter ones are updated on more often.
    seed : int
        Draws the batches.
    shuffle : bool
        Whether each epoch has an order of its own.
    epochs : float
        The most that are trained.
    patience : float
        Epochs without a better validation after which training stops.
    validations : int
        The most within a limit.
    clipnorm : float, optional
        Norm that the gradient of each array is clipped to.

    Returns
    -------
    list of Fitted
        One for each limit.
    """
    part = validation_name(data)
    optimizer, update, outputs_of = _functions(model, data.classes, clipnorm)
    arrays = {name: jnp.asarray(a) for name, a in model.arrays.items()}
    state = optimizer.init(arrays)
    rng = np.random.default_rng(seed)
    batches = _batches(data, rng, batch, piece, shuffle)
    clock, fitted, history, recent = _Clock(), [], [], []
    best, best_epoch, weights = None, 0.0, arrays
    updates, trained, seen, epoch, stopped = 0, 0.0, 0.0, 0.0, False
    outputs_of(arrays, data.valid.x)  # compiled before the clock
    for limit in limits:
        while not updates or (clock.seconds < limit and not stopped):
            # an update
            x, y, share = next(batches)
            before = clock.seconds
            with clock.running(counts=bool(updates)):
                arrays, state, loss = update(arrays, state, x, y)
                recent.append(float(loss))
                updates += 1
            trained, epoch = trained + clock.seconds - before, updates * share
            stopped = epoch >= epochs or epoch - best_epoch >= patience
            due = min(limit, seen + limit / validations)
            if clock.seconds < due and not stopped:
                continue
            # a validation, by which the best weights are chosen
            with clock.running():
                outputs = outputs_of(arrays, data.valid.x)
                loss, metric = loss_and_metric(data.classes, outputs, data.valid.y)
            seen = clock.seconds
            record = {"updates": updates, "epochs": epoch, "seconds": seen}
            record |= {"loss": float(np.mean(recent)), f"{part}_loss": loss}
            history.append(record | {f"{part}_{metric_name(data.classes)}": metric})
            recent = []
            if best is None or badness(history[-1]) < badness(best):
                best, best_epoch, weights = history[-1], epoch, arrays
        # the test part, by the best weights so far
        outputs = outputs_of(weights, data.test.x)
        test = loss_and_metric(data.classes, outputs, data.test.y)[1]
        pace = trained / max(epoch - share, share)
        counts = updates, epoch, model.n_params, history[:]
        now = {name: np.asarray(a) for name, a in arrays.items()}
        found = now, partial(outputs_of, arrays)
        fitted.append(Fitted(test, outputs, clock.seconds, pace, *counts, *found))
    return fitted


def _functions(model: Model, classes: int | None, clipnorm: float | None) -> tuple:
    """Return Adam, and functions of one update and of outputs, compiled."""
    optimizer = optax.adam(1e-3)
    if clipnorm is not None:
        optimizer = optax.chain(_clipped_each(clipnorm), optimizer)

    def loss(arrays, x, y):
        return loss_of(classes, model.outputs(arrays, x), y)

    @jax.jit
    def update(arrays, state, x, y):
        found, slopes = jax.value_and_grad(loss)(arrays, x, y)
        changes, state = optimizer.update(slopes, state, arrays)
        return optax.apply_updates(arrays, changes), state, found

    outputs = jax.jit(model.outputs)

    def outputs_of(arrays, x):
        parts = (x[i : i + 100] for i in range(0, len(x), 100))
        return np.concatenate([np.asarray(outputs(arrays, part)) for part in parts])

    return optimizer, update, outputs_of


def _clipped_each(most: float):
    """Return what clips each gradient by its own norm, as ``clipnorm`` of Keras."""

    def clipped(g):
        return g * jnp.minimum(1.0, most / jnp.maximum(jnp.linalg.norm(g), 1e-30))

    return optax.stateless(lambda slopes, _: jax.tree_util.tree_map(clipped, slopes))


class _Clock:
    """Seconds within its blocks."""

    def __init__(self):
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self, counts: bool = True):
        """Add the seconds of a block, if it counts."""
        start = time.perf_counter()
        yield
        if counts:
            self.seconds += time.perf_counter() - start


def _batches(data: Sequences, rng, batch: int, piece: int | None, shuffle=True):
    """Yield ``x, y`` and the share of an epoch, without end; pieces begin anywhere."""
    n, T, _ = data.train.x.shape
    length = T if data.last or piece is None else min(piece, T)
    pieces = T // length
    size = min(batch, n * pieces)
    while True:
        x, y = data.train.x, data.train.y
        if length < T:
            skip = rng.integers(0, T % length + 1)
            x, y = (
                a[:, skip : skip + pieces * length].reshape(n * pieces, length, -1)
                for a in (x, y)
            )
        order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
        for i in range(0, len(x) - size + 1, size):
            chosen = order[i : i + size]
            given = x[chosen]
            if data.augment is not None:
                given = data.augment(rng, given)
            yield given, y[chosen], size / len(x)
