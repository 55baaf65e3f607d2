"""An LSTM in Keras, the baseline that memories without training are compared with."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.training._keras import tensorflow


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
