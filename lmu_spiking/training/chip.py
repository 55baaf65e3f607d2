r"""Rates of a chip in TensorFlow: the staircase forward, the smooth curve backward.

.. math::

    h = \frac{r(J)}{r_{max}}, \qquad
    \frac{\partial h}{\partial J} := \frac{1}{r_{max}}
        \frac{\partial}{\partial J} \frac{1}{T(J) + \Delta / 2},

with ``r``, ``T`` and the step ``\Delta`` of `neurons.chip`.  They are what NengoExtras'
builders of the chip's neurons compute in a NengoDL network that trains; here the same
methods serve tensors, so that both ways of training have one source.
"""

from functools import cache
from types import SimpleNamespace

from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, LOIHI_LIF, LOIHI_RELU, ChipUnits
from lmu_spiking.training._keras import loihi_training, tensorflow

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
    made = _curves()[activation](chip)
    gain, bias = chip.gain_bias(activation)
    return lambda a: made.rates(gain * a + bias) / chip.max_rate


@cache
def _curves() -> dict:
    """Return NengoExtras' builders without a network around them."""
    extras, tf = loihi_training(), tensorflow()

    class Curve:
        """The neurons' numbers as tensors, as a builder finds them in a network."""

        def __init__(self, chip: ChipUnits):
            self.chip = chip
            self.amplitude, self.alpha = None, 1 / chip.dt

        def rates(self, J):
            """Return rates, Hz, at drives ``J``."""
            self.zero, self.one = tf.constant(0, J.dtype), tf.constant(1, J.dtype)
            self.zeros, self.epsilon = self.zero, tf.constant(FLOOR, J.dtype)
            return self.training_step(J, self.chip.dt)

    class Integrating(Curve, extras.LoihiSpikingRectifiedLinearBuilder):
        pass

    class Leaky(Curve, extras.LoihiLIFBuilder):
        def __init__(self, chip: ChipUnits):
            super().__init__(chip)
            self.tau_rc, self.tau_ref = chip.rc, chip.ref
            self.config = SimpleNamespace(lif_smoothing=None)
            self.spike_noise = extras.NoNoiseBuilder([], [])

        def discretize_tau_rc(self, tau_rc, dt):
            return tau_rc  # `ChipUnits` has done it

        discretize_tau_ref = discretize_tau_rc

    return {LOIHI_RELU: Integrating, LOIHI_LIF: Leaky}
