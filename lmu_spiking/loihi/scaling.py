r"""How real weights, thresholds and biases become the chip's integers.

All neurons of a block (a core) share one scale.  A weight is a mantissa of 7 bits and a
sign times ``2^(6 + e)``, with one exponent ``-6 <= e <= 0`` for each group of synapses;
the largest weight of the block has the mantissa 255 (in effect 254).  The threshold
follows from that, and must fit:

.. math::

    v = \frac{1}{\mu_u \mu_v} \frac{255}{w_{max}} 2^{6 + e}, \qquad
    \vartheta v \le 2^{23} - 64, \qquad |\beta|\, \mu_v v \le 524{,}160 ,

with ``mu_u, mu_v`` the reciprocal sums of what the current and the voltage keep of a
spike.  NengoLoihi takes the largest ``e`` that fits; below -1 the chip shifts in two
parts and a bit of the mantissa is lost for each further step ("Lost N extra bits").
"""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.loihi.arithmetic import (
    is_leaky,
    membrane_decay,
    synaptic_decay,
)
from lmu_spiking.loihi.limits import INTEGERS

THRESHOLD, BIAS = INTEGERS.threshold_max, INTEGERS.bias_max
MANTISSA = 255  # of the largest weight, before the last bit goes to the sign
LEAST = -2  # exponent: one bit lost
OUTLYING = 4.0  # times the mean of its group; what is larger is clipped, and made good
REST = 0.494  # lost to rounding in each step of a decay, in units


@dataclass(frozen=True)
class Grid:
    """The scale of one block.

    Attributes
    ----------
    unit : float
        Real weight of one whole number.
    top : int
        Largest whole number.
    anchor : float
        The real weight, largest of all, that sets the scale; it is held as ``top``
        or, below 0, as `bottom`.
    exponent : int
        ``e`` of the core.
    """

    unit: float
    top: int
    anchor: float
    exponent: int

    @property
    def bottom(self) -> int:
        """What an anchor below 0 is held as; one above it is held as ``top``.

        With a bit lost its 63.5 levels are rounded down, which is -64.
        """
        return -self.top - (self.exponent < -1)

    @property
    def faintest(self) -> float:
        """The least that the largest weight of another group on the core may be.

        Fainter groups would lose more than a bit.
        """
        return self.anchor * 2.0 ** (LEAST - self.exponent - 1)


def largest_of(weights: np.ndarray, groups) -> float:
    """The largest of ``weights`` (r, n) that is held as it is.

    What stands out of its group, the neurons of one coordinate, may be clipped: the
    others carry the same.  A whole group may not.
    """
    size = np.abs(weights)
    means = [size[:, columns].mean() for columns in groups]
    return float(min(size.max(), OUTLYING * max(means)))


def grid_of(
    largest: float, others: float, bias, neurons, tau: float, dt: float
) -> Grid:
    """The finest grid that a block's weights, thresholds and biases allow.

    Parameters
    ----------
    largest : float
        Of the weights from the memory (`largest_of`): input current that a spike
        brings, before the synapse spreads it.
    others : float
        The largest weight of other groups; it stays below the anchor, which one of
        the memory's is made, so that these keep the core's exponent.
    bias : (r,) array_like
        Currents.
    neurons : nengo.neurons.NeuronType
    tau : float
        Synapse, seconds.
    """
    unit_scale, threshold, membrane = factors(neurons, tau, dt)
    held = THRESHOLD / threshold
    strongest = float(np.max(np.abs(bias)))
    if strongest > 0:
        held = min(held, BIAS / (strongest * membrane))
    held *= 1 - 1e-6
    largest = max(largest, 1.02 * others, 1e-12)
    for exponent in range(0, LEAST - 1, -1):
        needed = unit_scale * MANTISSA * 2.0 ** (6 + exponent) / held
        if largest >= needed or exponent == LEAST:
            break
    anchor = max(largest, needed)
    levels = MANTISSA / 2 * 2.0 ** min(exponent + 1, 0)
    return Grid(anchor / levels, int(levels), anchor, exponent)


def factors(neurons, tau: float, dt: float) -> tuple[float, float, float]:
    """``1 / (mu_u mu_v)``, the threshold in real units, and ``mu_v``."""
    kept = synaptic_decay(tau, dt, "emulator")
    current = 1 / _sum(kept)
    if not is_leaky(neurons):
        return 1 / current, 1 / dt, 1.0
    base = getattr(neurons, "base_type", neurons)
    membrane = 1 / _sum(1 - membrane_decay(base.tau_rc, dt, "emulator"))
    return 1 / (current * membrane), 1.0, membrane


def _sum(kept: float, start: float = 2.0**21) -> float:
    r"""``sum_i x_i / x_0`` of integers that decay, each step rounded towards 0.

    ``x_i ~ kept^i x_0 - REST (1 - kept^i) / (1 - kept)`` until it reaches 0.
    """
    lost = 1 - kept
    steps = -np.log1p(start * lost / REST) / np.log(kept)
    total = (1 - kept ** (steps + 1)) / lost
    return float(total - REST / (lost * start) * (steps + 1 - total))
