r"""A number as spikes, on the host: what the chip receives for its input.

``K`` pairs of an on and an off neuron each keep what they have not sent yet,

.. math:: \rho \leftarrow \rho + x, \qquad
   s = [\rho \ge 1/2] - [\rho < -1/2], \qquad \rho \leftarrow \rho - s ,

a first-order sigma-delta modulator.  No charge is lost at 0, as it is between two
rectified neurons, and pairs that begin a ``K``-th apart stay apart: the sum of the
spikes follows the sum of the input to half a spike of ``K``.  A coarser pair, of size
``q``, spikes where ``q`` is due: all thresholds and what a spike takes are ``q`` times
as large.  One input has `PAIRS` pairs of size 1, which begin staggered, and coarser
ones of size 2, 4, 8 and so on.
"""

from typing import Any, ClassVar

import numpy as np
from nengo.dists import Choice, Samples
from nengo.neurons import NeuronType

from lmu_spiking.errors import ValidationError, check_whole

PAIRS = 16  # pairs of size 1 for one input: 32 axons


def sizes(pairs: int) -> np.ndarray:
    """Return the size of the pulses of each pair, (pairs,): 1, .., 1, 2, 4, 8, ...

    Parameters
    ----------
    pairs : int
        Number of pairs.

    Returns
    -------
    ndarray
    """
    coarse = np.arange(1, max(0, pairs - PAIRS) + 1)
    return np.append(np.ones(min(pairs, PAIRS)), 2.0**coarse)


class Pulses(NeuronType):
    """Pairs of on and off neurons, side by side, driven alike by ``-1 <= x <= 1``.

    At most one spike a step; beyond 1 the remainder waits, up to one spike.

    Parameters
    ----------
    sizes : int or (K,) array_like
        So many pairs of size 1, which begin staggered, or the size of each pair.
    """

    negative = False
    spiking = True
    state: ClassVar = {"residual": Choice([0])}

    def __init__(self, sizes=1):
        if np.ndim(sizes) == 0:
            sizes = np.ones(check_whole("Pulses.sizes", sizes, 1))
        sizes = np.asarray(sizes, dtype=float)
        if sizes.ndim != 1 or not len(sizes) or not (sizes >= 1).all():
            problem = "must be the size of each pair (K,), at least 1"
            raise ValidationError("Pulses.sizes", sizes, problem)
        # pairs of size 1 begin evenly spread over one spike
        fine = int((sizes == 1).sum())
        starts = np.zeros(len(sizes))
        starts[sizes == 1] = (_bit_reversed(fine) + 0.5) / max(fine, 1) - 0.5
        starts = np.repeat(starts, 2)
        super().__init__(initial_state={"residual": Samples(starts[:, None])})
        self.sizes = sizes

    def gain_bias(self, max_rates, intercepts):
        """Return gains of 1 and no biases: the input is the number itself.

        Parameters
        ----------
        max_rates : (n,) array_like
            Hz.
        intercepts : (n,) array_like

        Returns
        -------
        gain, bias : (n,) ndarray
        """
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        """Return unknown rates and intercepts of 0: no spike at 0, all steps at 1.

        Parameters
        ----------
        gain : (n,) array_like
        bias : (n,) array_like

        Returns
        -------
        max_rates, intercepts : (n,) ndarray
        """
        return np.full_like(gain, np.nan), np.zeros_like(gain)

    def step(self, dt, J, output, residual):
        """Write the spikes of a step, ``1 / dt`` each, into ``output``.

        Parameters
        ----------
        dt : float
            Step, seconds.
        J : (n,) ndarray
            Currents of the neurons.
        output : (n,) ndarray
            Spikes, ``1 / dt`` each.
        residual : (n,) ndarray
            Not yet sent.
        """
        residual += np.clip(J, -1.0, 1.0)
        on, off, size = residual[::2], residual[1::2], self.sizes
        size = np.tile(size, len(on) // len(size))
        up, down = on >= size / 2, off < -size / 2
        output[::2], output[1::2] = up / dt, down / dt
        residual -= np.repeat(size * (up.astype(float) - down), 2)

    def rates(self, x, gain, bias):
        """Return mean rates, Hz, with steps of 1 ms.

        Parameters
        ----------
        x : array_like
            Inputs.
        gain : (n,) array_like
        bias : (n,) array_like

        Returns
        -------
        ndarray
        """
        J = self.current(x, gain, bias)
        signs = np.tile([1.0, -1.0], J.shape[-1] // 2)
        return 1000.0 * np.clip(signs * J, 0.0, 1.0) / np.repeat(self.sizes, 2)


def encode(x: np.ndarray, sizes) -> np.ndarray:
    """Return the spikes of the pairs, step by step.

    Parameters
    ----------
    x : (..., T) array_like
        Numbers from -1 to 1.
    sizes : int or (K,) array_like
        As of `Pulses`.

    Returns
    -------
    (..., T, 2 K) ndarray
        0 or 1.
    """
    neurons = Pulses(sizes)
    flat, width = np.reshape(x, (-1, np.shape(x)[-1])), 2 * len(neurons.sizes)
    initial: Any = neurons.initial_state
    starts = initial["residual"].samples[:, 0]
    # all numbers side by side, as if they were one ensemble
    residual, output = np.tile(starts, len(flat)), np.zeros(len(flat) * width)
    spikes = np.empty((flat.shape[1], len(output)), np.float32)
    for k, values in enumerate(flat.T):
        neurons.step(1.0, np.repeat(values, width), output, residual)
        spikes[k] = output
    spikes = spikes.reshape(-1, len(flat), width).transpose(1, 0, 2)
    return spikes.reshape(*np.shape(x), width)


def _bit_reversed(n: int) -> np.ndarray:
    """Return 0 to ``n - 1``, so ordered that the first 1, 2, 4, ... lie evenly."""
    bits = int(np.ceil(np.log2(max(n, 1))))
    digits = [f"{k:0{bits + 1}b}"[:0:-1] for k in range(2**bits)]
    order = np.array([int("0" + reverse, 2) for reverse in digits])
    return order[order < n]
