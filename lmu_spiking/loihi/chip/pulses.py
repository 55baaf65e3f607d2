r"""A number as spikes, on the host: what the chip receives for its input.

``K`` pairs of an on and an off neuron each keep what they have not sent yet,

.. math:: \rho \leftarrow \rho + x, \qquad
   s = [\rho \ge 1/2] - [\rho < -1/2], \qquad \rho \leftarrow \rho - s ,

a first-order sigma-delta modulator.  No charge is lost at 0, as it is between two
rectified neurons, and pairs that begin a ``K``-th apart stay apart: the sum of the
spikes follows the sum of the input to half a spike of ``K``.  A coarser pair, of size
``q``, spikes where ``q`` is due: all thresholds and what a spike takes are ``q`` times
as large.
"""

from typing import ClassVar

import nengo
import numpy as np
from nengo.dists import Choice, Samples

from lmu_spiking.errors import ValidationError, check_whole


class Pulses(nengo.neurons.NeuronType):
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
        sizes = _sizes(sizes)
        fine = int((sizes == 1).sum())
        starts = np.zeros(len(sizes))
        starts[sizes == 1] = (_reversed(fine) + 0.5) / max(fine, 1) - 0.5
        starts = np.repeat(starts, 2)
        super().__init__(initial_state={"residual": Samples(starts[:, None])})
        self.sizes = sizes

    def gain_bias(self, max_rates, intercepts):
        """One to one: the input is the number itself."""
        return np.ones_like(max_rates), np.zeros_like(max_rates)

    def max_rates_intercepts(self, gain, bias):
        """A spike in every step at 1, none at 0."""
        return np.full_like(gain, np.nan), np.zeros_like(gain)

    def step(self, dt, J, output, residual):
        """Spikes of a step, ``1 / dt`` each."""
        residual += np.clip(J, -1.0, 1.0)
        on, off, size = residual[::2], residual[1::2], self.sizes
        size = np.tile(size, len(on) // len(size))
        up, down = on >= size / 2, off < -size / 2
        output[::2], output[1::2] = up / dt, down / dt
        residual -= np.repeat(size * (up.astype(float) - down), 2)

    def rates(self, x, gain, bias):
        """Mean rates, with steps of 1 ms."""
        J = self.current(x, gain, bias)
        signs = np.tile([1.0, -1.0], J.shape[-1] // 2)
        return 1000.0 * np.clip(signs * J, 0.0, 1.0) / np.repeat(self.sizes, 2)


def encode(x: np.ndarray, sizes) -> np.ndarray:
    """Spikes of the pairs, step by step: (..., T) to (..., T, 2 pairs), 0 or 1."""
    neurons = Pulses(sizes)
    flat = np.reshape(x, (-1, np.shape(x)[-1]))
    starts, each = (
        neurons.initial_state["residual"].samples[:, 0],
        2 * len(neurons.sizes),
    )
    residual, output = np.tile(starts, len(flat)), np.zeros(len(flat) * each)
    spikes = np.empty((flat.shape[1], len(output)), np.float32)
    for k, values in enumerate(flat.T):
        neurons.step(1.0, np.repeat(values, each), output, residual)
        spikes[k] = output
    spikes = spikes.reshape(-1, len(flat), each).transpose(1, 0, 2)
    return spikes.reshape(*np.shape(x), each)


def _sizes(sizes) -> np.ndarray:
    """(K,): of each pair."""
    if np.ndim(sizes) == 0:
        return np.ones(check_whole("Pulses.sizes", sizes, 1))
    sizes = np.asarray(sizes, dtype=float)
    if sizes.ndim != 1 or not len(sizes) or not (sizes >= 1).all():
        raise ValidationError(
            "Pulses.sizes", sizes, "must be the size of each pair (K,), at least 1"
        )
    return sizes


def _reversed(n: int) -> np.ndarray:
    """0 to ``n - 1``, so ordered that the first 1, 2, 4, ... lie evenly."""
    bits = int(np.ceil(np.log2(max(n, 1))))
    digits = [f"{k:0{bits + 1}b}"[:0:-1] for k in range(2**bits)]
    order = np.array([int("0" + reverse, 2) for reverse in digits])
    return order[order < n]
