r"""Whole-number weights that do the same as the real ones.

A neuron receives ``sum_k w_k p_k`` from presynaptic activities ``p`` (P points, n
neurons).  Rounding every weight for itself loses ``(w - q) p``; where neurons are
alike, all are wrong alike.  Rounded one after the other, each error can be
compensated by the weights that are still to come: the change of least
``|P (w - q)|^2 = (w - q)^T G (w - q)``, ``G = P^T P``, is

.. math::

    w_{>c} \leftarrow w_{>c} - \frac{w_c - q_c}{U_{cc}} U_{c,>c}, \qquad
    G^{-1} = U^T U ,

as in optimal brain surgery [1]_ and, for whole layers, in [2]_.  Neurons that encode
one number have activities of few dimensions, so that nearly nothing remains.

References
----------
.. [1] Hassibi, Stork (1993). Second order derivatives for network pruning: optimal
   brain surgeon. NeurIPS 5.
.. [2] Frantar, Ashkboos, Hoefler, Alistarh (2022). GPTQ: accurate post-training
   quantization for generative pre-trained transformers. arXiv 2210.17323.
"""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.loihi.chip.integers import (
    base_of,
    is_leaky,
    membrane_decay,
    synaptic_decay,
)
from lmu_spiking.loihi.chip.limits import INTEGERS

# --------------------------------------------------------------------------------------
# How real weights, thresholds and biases become the chip's integers.
#
# All neurons of a block (a core) share one scale.  A weight is a mantissa of 7 bits and
# a sign times ``2^(6 + e)``, with one exponent ``-6 <= e <= 0`` for each group of
# synapses; the largest weight of the block has the mantissa 255 (in effect 254).  The
# threshold follows from that, and must fit:
#
# .. math::
#
#     v = \frac{1}{\mu_u \mu_v} \frac{255}{w_{max}} 2^{6 + e}, \qquad
#     \vartheta v \le 2^{23} - 64, \qquad |\beta|\, \mu_v v \le 524{,}160 ,
#
# with ``mu_u, mu_v`` the reciprocal sums of what the current and the voltage keep of a
# spike.  NengoLoihi takes the largest ``e`` that fits; below -1 the chip shifts in two
# parts and a bit of the mantissa is lost for each further step ("Lost N extra bits").


THRESHOLD, BIAS = INTEGERS.threshold_max, INTEGERS.bias_max
MANTISSA = 255  # of the largest weight, before the last bit goes to the sign
LEAST = -2  # exponent: one bit lost
OUTLYING = 4.0  # times the mean of its group; larger weights are clipped, compensated
REST = 0.494  # lost to rounding in each step of a decay (nengo-loihi's estimate)


@dataclass(frozen=True)
class Grid:
    """The scale of one block.

    Parameters
    ----------
    unit : float
        Real weight of one whole number.
    top : int
        Largest whole number.
    anchor : float
        The real weight, largest of all, that sets the scale; it is stored as ``top``
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
        """Return what an anchor below 0 is stored as; one above 0 is stored as ``top``.

        With a bit lost its 63.5 levels are rounded down, which is -64.
        """
        return -self.top - (self.exponent < -1)

    @property
    def faintest(self) -> float:
        """Return the least that the largest weight of another group may be.

        Fainter groups would lose more than a bit.
        """
        return self.anchor * 2.0 ** (LEAST - self.exponent - 1)


def largest_of(weights: np.ndarray, groups) -> float:
    """Return the largest of ``weights`` (r, n) that is stored as it is.

    What stands out of its group, the neurons of one coordinate, may be clipped: the
    others encode the same.  A whole group may not.

    Parameters
    ----------
    weights : (r, n) ndarray
        Of a core.
    groups : iterable of (c,) int ndarray
        Columns of each.

    Returns
    -------
    float
    """
    size = np.abs(weights)
    means = [size[:, columns].mean() for columns in groups]
    return float(min(size.max(), OUTLYING * max(means)))


def grid_of(
    largest: float, others: float, bias, neurons, tau: float, dt: float
) -> Grid:
    """Return the finest grid that a block's weights, thresholds and biases allow.

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
    tau, dt : float
        Synapse and step, seconds.

    Returns
    -------
    Grid
    """
    # the largest scale of voltages with which the threshold and all biases fit
    unit_scale, threshold, membrane = factors(neurons, tau, dt)
    most = THRESHOLD / threshold
    strongest = float(np.max(np.abs(bias)))
    if strongest > 0:
        most = min(most, BIAS / (strongest * membrane))
    most *= 1 - 1e-6
    # the largest exponent of weights that keeps to it, as NengoLoihi chooses
    largest = max(largest, 1.02 * others, 1e-12)
    for exponent in range(0, LEAST - 1, -1):
        needed = unit_scale * MANTISSA * 2.0 ** (6 + exponent) / most
        if largest >= needed or exponent == LEAST:
            break
    anchor = max(largest, needed)
    levels = MANTISSA / 2 * 2.0 ** min(exponent + 1, 0)
    return Grid(anchor / levels, int(levels), anchor, exponent)


def factors(neurons, tau: float, dt: float) -> tuple[float, float, float]:
    """Return ``1 / (mu_u mu_v)``, the threshold in real units, and ``mu_v``.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    tau : float
        Synapse, seconds.
    dt : float
        Step, seconds.

    Returns
    -------
    factor, threshold, mu_v : float
    """
    kept = synaptic_decay(tau, dt, "emulator")
    current = 1 / _sum(kept)
    if not is_leaky(neurons):
        return 1 / current, 1 / dt, 1.0
    leak = membrane_decay(base_of(neurons).tau_rc, dt, "emulator")
    membrane = 1 / _sum(1 - leak)
    return 1 / (current * membrane), 1.0, membrane


def _sum(kept: float, start: float = 2.0**21) -> float:
    r"""Return ``sum_i x_i / x_0`` of integers that decay, each step rounded towards 0.

    ``x_i ~ kept^i x_0 - REST (1 - kept^i) / (1 - kept)`` until it reaches 0: the
    estimate of `nengo_loihi.builder.discretize.decay_magnitude`.
    """
    lost = 1 - kept
    steps = -np.log1p(start * lost / REST) / np.log(kept)
    total = (1 - kept ** (steps + 1)) / lost
    return float(total - REST / (lost * start) * (steps + 1 - total))


# --------------------------------------------------------------------------------------

ROWS = 24  # rows that are rounded in one order of the neurons


def round_weights(
    weights: np.ndarray,
    parts,
    top: int,
    rng: np.random.RandomState,
    anchored: bool = False,
    bottom: int | None = None,
) -> np.ndarray:
    """Round weights to whole numbers of at most ``top``.

    Parameters
    ----------
    weights : (r, n) ndarray
        Of ``r`` receiving neurons, in units of the grid.
    parts : iterable of (columns, gram)
        Presynaptic neurons that encode one number, (c,) int, and their activities'
        second moment ``G`` (c, c), positive definite.
    top : int
        Largest whole number.
    rng : numpy.random.RandomState
        Draws the order of the neurons, another for every few rows, so that errors of
        different rows are independent and every neuron is used.
    anchored : bool
        Make the largest weight ``top``, whatever it was; the others compensate it.
    bottom : int, optional
        The largest weight's value if it is below 0; ``-top`` by default.

    Returns
    -------
    (r, n) ndarray of whole floats
    """
    ends = -top if bottom is None else bottom, top
    rounded = np.zeros_like(weights)
    row, column = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
    for columns, gram in parts:
        rows = rng.permutation(len(weights))
        groups = np.array_split(rows, max(1, len(rows) // ROWS))
        if anchored and column in columns:
            # the row of the anchor: that weight comes first, for the others to follow
            groups = [g[g != row] for g in groups]
            first = np.flatnonzero(columns == column)
            others = np.delete(np.arange(len(columns)), first)
            order = np.append(first, rng.permutation(others))
            at, ordered = np.ix_([row], columns[order]), np.ix_(order, order)
            rounded[at] = _compensated(weights[at], gram[ordered], top, ends)
        for group in groups:
            order = rng.permutation(len(columns))
            at = np.ix_(group, columns[order])
            rounded[at] = _compensated(weights[at], gram[np.ix_(order, order)], top)
    return rounded


def _compensated(
    weights: np.ndarray, gram: np.ndarray, top: int, ends=None
) -> np.ndarray:
    """Return rounded weights, each error compensated by the columns that follow.

    ``ends``, if any, are what the first of them becomes, below 0 and above.
    """
    # the upper factor of G^-1 is the inverse of the lower factor of G, read backwards
    inverse = np.linalg.inv(gram)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    w, whole = weights.copy(), np.empty_like(weights)
    for c in range(w.shape[1]):
        whole[:, c] = np.clip(np.round(w[:, c]), -top, top)
        if ends and c == 0:
            whole[:, c] = np.where(w[:, c] < 0, *ends)
        error = (w[:, c] - whole[:, c]) / upper[c, c]
        w[:, c + 1 :] -= np.outer(error, upper[c, c + 1 :])
    return whole
