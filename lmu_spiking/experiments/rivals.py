r"""Rivals of an LMU, trained by one clock: LSTMs as published, and a hybrid, in Keras.

The hybrid of the LMU paper has a feedforward LMU cell before its LSTM: the exact memory
:math:`m_t`, whose impulse response :math:`H` is fixed, a trained encoder :math:`e_x`
and trained units,

.. math:: m_t = \sum_{s \le t} H_{t-s} e_x x_s, \qquad h_t = \max(0, W_m m_t + b) .

Every model is trained by `fit` until so many seconds have passed, and is the best of
its validations.  Published, reproduced and compared models share this module, so that
all train alike.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training._keras import compiled, tensorflow
from lmu_spiking.training.evaluation import (
    loss_and_metric,
    loss_of,
    metric_name,
    validation_name,
)
from lmu_spiking.training.loop import badness

# -- models --------------------------------------------------------------------------


def lstm_model(
    size_in: int,
    size_out: int,
    layers: tuple[int, ...] = (25, 25, 25, 25),
    *,
    last: bool = False,
    seed: int = 0,
):
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
    keras.Model
        Of inputs (n, T, c), for any ``T``.
    """
    tf = tensorflow()
    inputs = tf.keras.Input((None, size_in))
    x = _lstms(inputs, layers, last, seed)
    return tf.keras.Model(inputs, _dense(size_out, seed)(x))


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
    steps: int,
    scale: float = 1.0,
    last: bool = False,
    seed: int = 0,
):
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
    steps : int
        The most that a sequence has.
    scale : float
        Initial encoder.
    last : bool
        Whether only the last step is read.
    seed : int
        Draws the weights.

    Returns
    -------
    keras.Model
    """
    tf = tensorflow()
    impulse = np.eye(steps)[0]
    response = LDN(order, float(theta)).simulate(impulse, 1.0).astype(np.float32)
    inputs = tf.keras.Input((None, size_in))
    encoder = tf.keras.initializers.Constant(scale)
    u = tf.keras.layers.Dense(1, use_bias=False, kernel_initializer=encoder)(inputs)
    m = tf.keras.layers.Lambda(lambda u: memory(u, response), name="memory")(u)
    h = _dense(units, seed + 100, activation="relu")(m)
    x = _lstms(h, layers, last, seed)
    return tf.keras.Model(inputs, _dense(size_out, seed)(x))


def memory(u, response):
    """Return the states (n, T, d) of inputs (n, T, 1), by Fourier transforms.

    Parameters
    ----------
    u : (n, T, 1) tensor
    response : (S, d) array_like
        To an impulse; ``S`` at least ``T``.

    Returns
    -------
    (n, T, d) tensor
    """
    tf = tensorflow()
    T = tf.shape(u)[1]
    length = [2 * T]  # padded, so that no step receives one that is to come
    of_u = tf.signal.rfft(tf.transpose(u, (0, 2, 1)), length)
    of_H = tf.signal.rfft(tf.transpose(tf.constant(response)[:T]), length)
    m = tf.signal.irfft(of_u * of_H, length)[:, :, :T]
    m = tf.transpose(m, (0, 2, 1))
    return tf.ensure_shape(m, (None, None, response.shape[1]))


def _lstms(x, layers: tuple[int, ...], last: bool, seed: int):
    """Return the outputs of LSTM layers, the last one's at one step or at all."""
    keras = tensorflow().keras
    for i, units in enumerate(layers):
        x = keras.layers.LSTM(
            units,
            return_sequences=not last or i < len(layers) - 1,
            kernel_initializer=keras.initializers.GlorotUniform(seed + 2 * i),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 2 * i + 1),
        )(x)
    return x


def _dense(units: int, seed: int, **options):
    """Return a dense layer with drawn weights."""
    keras = tensorflow().keras
    drawn = keras.initializers.GlorotUniform(seed + 50)
    return keras.layers.Dense(units, kernel_initializer=drawn, **options)


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
    weights : list of ndarray
        Of all layers, in the order of Keras.
    predict : callable
        Takes inputs (n, T, c), and returns outputs by the weights of the last update.
    """

    test: float
    outputs: np.ndarray
    seconds: float
    seconds_per_epoch: float
    updates: int
    epochs: float
    params: int
    history: list[dict]
    weights: list[np.ndarray]
    predict: Callable

    __repr__ = brief


def fit(
    model,
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
    model : keras.Model
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
        Norm that each gradient is clipped to.

    Returns
    -------
    list of Fitted
        One for each limit.
    """
    part = validation_name(data)
    update, predict = _functions(model, data, clipnorm)
    rng = np.random.default_rng(seed)
    batches = _batches(data, rng, batch, piece, shuffle)
    clock, fitted, history, recent = _Clock(), [], [], []
    best, best_epoch, weights = None, 0.0, model.get_weights()
    updates, trained, seen, epoch, stopped = 0, 0.0, 0.0, 0.0, False
    predict(data.valid.x)  # compiled before the clock
    for limit in limits:
        while not updates or (clock.seconds < limit and not stopped):
            # an update
            x, y, share = next(batches)
            before = clock.seconds
            with clock.running(counts=bool(updates)):
                recent.append(float(update(x, y)))
                updates += 1
            trained, epoch = trained + clock.seconds - before, updates * share
            stopped = epoch >= epochs or epoch - best_epoch >= patience
            due = min(limit, seen + limit / validations)
            if clock.seconds < due and not stopped:
                continue
            # a validation, by which the best weights are chosen
            with clock.running():
                outputs = predict(data.valid.x)
                loss, metric = loss_and_metric(data.classes, outputs, data.valid.y)
            seen = clock.seconds
            record = {"updates": updates, "epochs": epoch, "seconds": seen}
            record |= {"loss": float(np.mean(recent)), f"{part}_loss": loss}
            history.append(record | {f"{part}_{metric_name(data.classes)}": metric})
            recent = []
            if best is None or badness(history[-1]) < badness(best):
                best, best_epoch, weights = history[-1], epoch, model.get_weights()
        # the test part, by the best weights so far
        now = model.get_weights()
        model.set_weights(weights)
        outputs = predict(data.test.x)
        model.set_weights(now)
        test = loss_and_metric(data.classes, outputs, data.test.y)[1]
        pace = trained / max(epoch - share, share)
        counts = updates, epoch, model.count_params(), history[:]
        fitted.append(Fitted(test, outputs, clock.seconds, pace, *counts, now, predict))
    return fitted


def _functions(model, data: Sequences, clipnorm: float | None) -> tuple:
    """Return functions of one update, and of outputs, compiled by TensorFlow."""
    tf = tensorflow()
    optimizer = tf.keras.optimizers.Adam(1e-3, clipnorm=clipnorm)
    optimizer.build(model.trainable_variables)

    @compiled
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(data.classes, model(x, training=True), y)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return loss

    def update(x, y):
        return step(tf.constant(x, tf.float32), tf.constant(y))

    outputs = compiled(model.__call__)

    def predict(x):
        parts = [outputs(tf.constant(x[i : i + 100])) for i in range(0, len(x), 100)]
        return np.concatenate([part.numpy() for part in parts])

    return update, predict


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
