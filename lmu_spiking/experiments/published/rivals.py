"""LSTMs as published, and LMU cells before them, in Keras."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.training._keras import tensorflow
from lmu_spiking.training.evaluation import validation_name
from lmu_spiking.training.loop import badness
from lmu_spiking.training.losses import loss_and_metric, metric_name

# --------------------------------------------------------------------------------------
# Train a Keras model on a task for so long: the rivals of an LMU, by one clock.


VALIDATIONS = 20  # at most, within a limit


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
    updates : int
    epochs : float
    n_params : int
    history : list of dict
        ``seconds, updates, loss, valid_loss`` and ``valid_accuracy`` or
        ``valid_nrmse``; ``seen_`` instead of ``valid_`` if these sequences are also
        trained on.
    """

    test: float
    outputs: np.ndarray
    seconds: float
    updates: int
    epochs: float
    n_params: int
    history: list[dict]

    __repr__ = brief


def fit(
    model,
    data,
    limits: Sequence[float],
    *,
    batch: int = 32,
    piece: int | None = None,
    seed: int = 0,
    progress: Callable | None = None,
) -> list[Fitted]:
    """Train with Adam, on squared error or cross-entropy; a `Fitted` for each limit.

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
    progress : callable, optional
        Is called with each record of the history.
    """
    tf, classes, part = tensorflow(), data.classes, validation_name(data)
    losses = tf.keras.losses
    loss = "mse" if classes is None else losses.SparseCategoricalCrossentropy(True)
    model.compile("adam", loss)
    rng = np.random.default_rng(seed)
    batches = _batches(data, rng, batch, piece)
    clock = _Clock()
    history: list[dict] = []
    best, weights, recent, updates = None, model.get_weights(), [], 0
    found, seen = [], 0.0
    model.predict(data.valid.x, batch_size=100, verbose=0)  # compiled before the clock
    for limit in limits:
        while not updates or clock.seconds < limit:
            x, y, share = next(batches)
            with clock.running(counts=bool(updates)):
                recent.append(model.train_on_batch(x, y))
                updates += 1
            if clock.seconds < min(limit, seen + limit / VALIDATIONS):
                continue
            with clock.running():
                record = {"updates": updates, "loss": float(np.mean(recent))}
                record |= _validated(model, data, part)
            record["seconds"] = seen = clock.seconds
            history.append(record)
            recent = []
            if best is None or badness(record) < badness(best):
                best, weights = record, model.get_weights()
            if progress is not None:
                progress(record)
        now = model.get_weights()
        model.set_weights(weights)
        outputs = model.predict(data.test.x, batch_size=100, verbose=0)
        model.set_weights(now)
        test = loss_and_metric(classes, outputs, data.test.y)[1]
        size, epochs = model.count_params(), updates * share
        found.append(
            Fitted(test, outputs, clock.seconds, updates, epochs, size, history[:])
        )
    return found


class _Clock:
    """Seconds within its blocks."""

    def __init__(self):
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self, counts: bool = True):
        start = time.perf_counter()
        yield
        if counts:
            self.seconds += time.perf_counter() - start


def _batches(data, rng: np.random.Generator, batch: int, piece: int | None):
    """``x, y`` and the share of an epoch, without end; pieces begin anywhere."""
    n, T, _ = data.train.x.shape
    length = T if data.last or piece is None else min(piece, T)
    count = n * (T // length)
    size = min(batch, count)
    while True:
        x, y = data.train.x, data.train.y
        if length < T:
            skip = rng.integers(0, T % length + 1)
            x, y = (
                a[:, skip : skip + T // length * length].reshape(
                    count, length, a.shape[2]
                )
                for a in (x, y)
            )
        order = rng.permutation(count)
        for i in range(0, count - size + 1, size):
            chosen = order[i : i + size]
            given = x[chosen]
            if data.augment is not None:
                given = data.augment(rng, given)
            yield given, y[chosen], size / count


def _validated(model, data, part: str) -> dict:
    outputs = model.predict(data.valid.x, batch_size=100, verbose=0)
    loss, metric = loss_and_metric(data.classes, outputs, data.valid.y)
    return {f"{part}_loss": loss, f"{part}_{metric_name(data.classes)}": metric}


# --------------------------------------------------------------------------------------
# An LSTM in Keras, the baseline that memories without training are compared with.


@dataclass(frozen=True, eq=False)
class FittedLSTM:
    """A trained LSTM.

    Attributes
    ----------
    predict : callable
        Takes inputs (n, T, c) and returns outputs (n, T, q).
    epochs : int
        That were run.
    seconds : float
        That they took, compilation included.
    losses : list of float
        Training loss of each epoch.
    """

    predict: Callable
    epochs: int
    seconds: float
    losses: list

    __repr__ = brief


def fit_lstm(
    x: np.ndarray,
    y: np.ndarray,
    *,
    units: int = 100,
    epochs: int = 500,
    batch: int = 50,
    patience: int = 50,
    seconds: float = float("inf"),
    seed: int = 0,
) -> FittedLSTM:
    """Train LSTM units and a linear readout on sequences (Adam, squared error).

    It stops after ``epochs``, when the training loss has not improved for ``patience``
    of them, or when ``seconds`` have passed, and keeps the weights of the least loss.

    Parameters
    ----------
    x : (n, T, c) ndarray
    y : (n, T, q) ndarray
    """
    tf = tensorflow()
    layers, start = tf.keras.layers, time.perf_counter()
    seeded = tf.keras.initializers
    model = tf.keras.Sequential(
        [
            tf.keras.Input(x.shape[1:]),
            layers.LSTM(
                units,
                return_sequences=True,
                kernel_initializer=seeded.GlorotUniform(seed),
                recurrent_initializer=seeded.Orthogonal(seed=seed + 1),
            ),
            layers.Dense(y.shape[2], kernel_initializer=seeded.GlorotUniform(seed + 2)),
        ]
    )
    model.compile(optimizer="adam", loss="mse")

    def out_of_time(epoch, _logs):
        gone = time.perf_counter() - start
        # what a further epoch would take, the first one's compilation left out
        if gone * (epoch + 2) / (epoch + 1) > seconds:
            model.stop_training = True

    stop = tf.keras.callbacks
    history = model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=batch,
        shuffle=False,
        verbose=0,
        callbacks=[
            stop.EarlyStopping("loss", patience=patience, restore_best_weights=True),
            stop.LambdaCallback(on_epoch_end=out_of_time),
        ],
    )
    losses = [float(loss) for loss in history.history["loss"]]
    gone = time.perf_counter() - start

    def predict(inputs):
        return model.predict(inputs, batch_size=batch, verbose=0)

    return FittedLSTM(predict, len(losses), gone, losses)


# --------------------------------------------------------------------------------------


def lstm_model(
    size_in: int,
    size_out: int,
    layers: tuple[int, ...] = (25, 25, 25, 25),
    *,
    last: bool = False,
    seed: int = 0,
):
    """LSTM layers and a linear readout.

    Parameters
    ----------
    layers : tuple of int
        Units of each; by default the four of the LMU paper's Mackey-Glass.
    last : bool
        Whether only the last step is read.

    Returns
    -------
    keras.Model
        Of inputs (n, T, c), for any ``T``.
    """
    tf = tensorflow()
    inputs = tf.keras.Input((None, size_in))
    x = _lstms(inputs, layers, last, seed)
    return tf.keras.Model(inputs, _dense(size_out, seed)(x))


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
    r"""A feedforward LMU cell, LSTM layers behind it, and a linear readout.

    The cell is that of `lmu.params` without recurrence: its exact memory, which is
    fixed, and its trained encoder and units,

    .. math:: m_t = \sum_{s \le t} H_{t-s} e_x x_s, \qquad h_t = \max(0, W_m m_t + b) .

    Parameters
    ----------
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
    """
    tf = tensorflow()
    impulse = np.zeros(steps)
    impulse[0] = 1
    response = LDN(order, float(theta)).simulate(impulse, 1.0).astype(np.float32)
    inputs = tf.keras.Input((None, size_in))
    encoder = tf.keras.initializers.Constant(scale)
    u = tf.keras.layers.Dense(1, use_bias=False, kernel_initializer=encoder)(inputs)
    m = tf.keras.layers.Lambda(lambda u: memory(u, response), name="memory")(u)
    h = _dense(units, seed + 100, activation="relu")(m)
    x = _lstms(h, layers, last, seed)
    return tf.keras.Model(inputs, _dense(size_out, seed)(x))


def memory(u, response):
    """States (n, T, d) of inputs ``u`` (n, T, 1), by Fourier transforms.

    Parameters
    ----------
    response : (S, d) array_like
        To an impulse; ``S`` at least ``T``.
    """
    tf = tensorflow()
    T = tf.shape(u)[1]
    length = [2 * T]  # no step hears one that is to come
    of_u = tf.signal.rfft(tf.transpose(u, (0, 2, 1)), length)
    of_H = tf.signal.rfft(tf.transpose(tf.constant(response)[:T]), length)
    m = tf.signal.irfft(of_u * of_H, length)[:, :, :T]
    m = tf.transpose(m, (0, 2, 1))
    return tf.ensure_shape(m, (None, None, response.shape[1]))


def _lstms(x, layers: tuple[int, ...], last: bool, seed: int):
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
    keras = tensorflow().keras
    drawn = keras.initializers.GlorotUniform(seed + 50)
    return keras.layers.Dense(units, kernel_initializer=drawn, **options)
