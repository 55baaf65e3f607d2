"""An LSTM against the clock: as many epochs, or parts of one, as a time allows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.training._keras import compiled, tensorflow
from lmu_spiking.training.losses import loss_and_metric, loss_of, metric_name


@dataclass(frozen=True, eq=False)
class Timed:
    """A training and when it stood where.

    Attributes
    ----------
    history : list of dict
        ``seconds`` of training, ``epochs`` (a fraction), ``loss`` over the batches
        since the row before, ``valid_loss`` and ``valid_accuracy`` or ``valid_nrmse``.
    seconds_per_epoch : float
        The first batch, which is compiled, left out.
    params : int
    predict : callable
        Takes inputs (n, T, c) and returns outputs (n, T, q), or (n, q).
    weights : dict of str to ndarray
        ``kernel``, ``recurrent``, ``bias``, ``D`` and ``c``.
    """

    history: list[dict]
    seconds_per_epoch: float
    params: int
    predict: Callable
    weights: dict[str, np.ndarray]

    __repr__ = brief


def lstm_units(params: int, size_in: int, size_out: int) -> int:
    """Units of an LSTM and its linear readout with about so many parameters.

    ``4 (u^2 + u c + u) + q u + q``.
    """
    b = 4 * size_in + 4 + size_out
    return max(1, round((-b + np.sqrt(b * b + 16 * (params - size_out))) / 8))


def timed_lstm(
    data,
    units: int,
    seconds: float,
    *,
    batch: int = 100,
    learning_rate: float = 1e-3,
    every: float | None = None,
    seed: int = 0,
) -> Timed:
    """Train for so many seconds with Adam, gradients clipped to norm 1.

    Parameters
    ----------
    data : Sequences
    every : float, optional
        Seconds between validations, which do not count; a tenth by default.
    """
    tf = tensorflow()
    layers, seeded = tf.keras.layers, tf.keras.initializers
    model = tf.keras.Sequential(
        [
            tf.keras.Input((None, data.size_in)),
            layers.LSTM(
                units,
                return_sequences=not data.last,
                kernel_initializer=seeded.GlorotUniform(seed),
                recurrent_initializer=seeded.Orthogonal(seed=seed + 1),
            ),
            layers.Dense(
                data.size_out, kernel_initializer=seeded.GlorotUniform(seed + 2)
            ),
        ]
    )
    optimizer = tf.keras.optimizers.Adam(learning_rate, clipnorm=1.0)
    optimizer.build(model.trainable_variables)

    @compiled
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(data.classes, model(x, training=True), y)
        found = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(found, model.trainable_variables, strict=True))
        return loss

    run = compiled(model.__call__)

    def predict(x):
        parts = [run(x[i : i + 100]).numpy() for i in range(0, len(x), 100)]
        return np.concatenate(parts)

    batch = min(batch, len(data.train))
    count, every = len(data.train) // batch, seconds / 10 if every is None else every
    rng, gone, steps, took = np.random.default_rng(seed), 0.0, 0, []
    losses, history, said = [], [], 0.0
    while not steps or gone < seconds:
        if steps % count == 0:
            order = rng.permutation(len(data.train))
        start = time.perf_counter()
        chosen = order[steps % count * batch :][:batch]
        x = data.train.x[chosen]
        x = x if data.augment is None else np.float32(data.augment(rng, x))
        losses.append(float(step(tf.constant(x), tf.constant(data.train.y[chosen]))))
        took.append(time.perf_counter() - start)
        gone, steps = gone + took[-1], steps + 1
        if gone - said >= every or gone >= seconds:
            loss, metric = loss_and_metric(
                data.classes, predict(data.valid.x), data.valid.y
            )
            row = {"seconds": gone, "epochs": steps / count}
            row |= {"loss": float(np.mean(losses)), "valid_loss": loss}
            history.append(row | {f"valid_{metric_name(data.classes)}": metric})
            losses, said = [], gone
    names = ("kernel", "recurrent", "bias", "D", "c")
    found = zip(names, model.get_weights(), strict=True)
    weights: dict[str, np.ndarray] = {str(name): array for name, array in found}
    weights["D"] = weights["D"].T
    return Timed(
        history,
        count * float(np.mean(took[1:] or took)),
        model.count_params(),
        predict,
        weights,
    )
