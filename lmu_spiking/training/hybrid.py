"""LSTMs as published, and LMU cells before them, in Keras."""

import numpy as np

from lmu_spiking.ldn import LDN
from lmu_spiking.training._keras import tensorflow


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

    The cell is that of `rates.params` without recurrence: its exact memory, which is
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
