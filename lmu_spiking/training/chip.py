r"""Rates of a chip in TensorFlow: the staircase forward, the smooth curve backward.

.. math::

    h = \frac{r(J)}{r_{max}}, \qquad
    \frac{\partial h}{\partial J} := \frac{1}{r_{max}}
        \frac{\partial}{\partial J} \frac{1}{T(J) + \Delta / 2},

with ``r``, ``T`` and the step ``\Delta`` of `neurons.chip`, for tensors in both ways of
training.  In a NengoDL network that trains, NengoExtras' builders of the chip's own
neurons compute the same.
"""

from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, LOIHI_LIF, ChipUnits
from lmu_spiking.training._keras import tensorflow

FLOOR = 1e-15  # drives are at least so much where they are divided by, as in NengoDL


def curve_of(activation: str, chip: ChipUnits | None):
    """Return the activation as a function of a tensor of drives.

    Parameters
    ----------
    activation : str
        Of `lmu.ACTIVATIONS`.
    chip : ChipUnits or None
        Of the chip's activations.

    Returns
    -------
    callable
        From a tensor of drives to a tensor of activities.
    """
    tf = tensorflow()
    if activation not in CHIP_ACTIVATIONS:
        return {"tanh": tf.tanh, "relu": tf.nn.relu, "linear": tf.identity}[activation]
    gain, bias = chip.gain_bias(activation)
    leaky, dt = activation == LOIHI_LIF, chip.dt
    threshold, ref = (1.0, chip.ref) if leaky else (0.0, 0.0)

    def activities(a):
        J = gain * a + bias - threshold
        T = tf.math.reciprocal(tf.maximum(J, FLOOR))
        T = chip.rc * tf.math.log1p(T) if leaky else T
        smooth, steps = 1 / (ref + dt / 2 + T), tf.math.ceil((ref + T) / dt)
        # in this order of operations they are NengoLoihi's to the last bit
        stairs = tf.math.reciprocal(dt * steps) if leaky else (1 / dt) / steps
        silent = tf.zeros_like(J)
        smooth, stairs = (tf.where(J > 0, r, silent) for r in (smooth, stairs))
        return (smooth + tf.stop_gradient(stairs - smooth)) / chip.max_rate

    return activities
