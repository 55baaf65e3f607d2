r"""Decoders measured on the target's own spikes, and what they leave undecoded.

The memory multiplies an error of its decoders' gain by ``theta / tau``: what is a
percent here is ten percent of the state.  Rate curves are not good enough.  So the
neurons are driven with the exact states of the expected signal, in the arithmetic of
the target (`arithmetic.spikes_of`), and with ``p`` their spikes through the synapse,

.. math::

    D_i = \arg\min |D_i p - x_i|^2 + \rho^2 |D_i|^2, \qquad
    D \leftarrow E[x x^T]\, E[D p\, x^T]^{-1} D ,

where the second step makes the decoded value unbiased on that signal: regularisation
shrinks it, and noise would.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.loihi.chip.integers import spikes_of
from lmu_spiking.loihi.mapping.curves import Curves

REGULAR = 1 / 6  # of the highest rate, of decoders
ROUNDED = 1 / 40  # of the highest rate, where errors of rounding are made good


@dataclass(frozen=True, eq=False)
class Decoding:
    """Decoders of the carried coordinates, and how good they are.

    Attributes
    ----------
    decoders : (d, m) ndarray
        ``x ~ D r``, in units of the state per Hz.
    parts : tuple of (columns, gram)
        Neurons of each coordinate and their activities' second moment, Hz^2.
    activities : (P, m) float32 ndarray
        Filtered spikes at some of the steps, Hz.
    slopes : (m,) ndarray
        Hz for each unit of current.
    residual : (T, d) ndarray
        ``D s - x`` in every step of the part that did not make the decoders.
    """

    decoders: np.ndarray
    parts: tuple
    activities: np.ndarray
    slopes: np.ndarray
    residual: np.ndarray

    __repr__ = brief


def measure_decoders(
    curves: Curves,
    x: np.ndarray,
    a: float,
    dt: float,
    target: str,
    rng,
    lead: int,
    *,
    apart: bool = False,
) -> Decoding:
    """Drive the neurons with ``x`` (T, d) and decode it from their spikes.

    Parameters
    ----------
    a : float
        Decay of the synapse in a step.
    lead : int
        Steps at the beginning that do not count.
    apart : bool
        Decode each coordinate from its own neurons alone: unbiased each for itself.
    """
    currents = curves.currents(x)
    spikes = spikes_of(curves.neurons, currents, dt, target, rng)
    half = lead + (len(x) - lead) // 2
    keep = np.arange(lead, half, max(1, round(-0.1 / np.log(a))))

    def smooth(signal):
        return lfilter([1 - a], [1, -a], signal, axis=0)

    activities = np.empty((len(keep), spikes.shape[1]), np.float32)
    wanted = smooth(x)[keep]
    decoders, parts = np.zeros((x.shape[1], spikes.shape[1])), []
    rate = float(spikes.mean() / dt)
    for i in range(x.shape[1]):
        of = np.flatnonzero(curves.dimension == i)
        P = smooth(spikes[:, of])[keep] / dt
        activities[:, of] = P
        gram, eye = P.T @ P / len(P), np.eye(len(of))
        decoders[i, of] = np.linalg.solve(
            gram + (2 * REGULAR * rate) ** 2 * eye, P.T @ wanted[:, i] / len(P)
        )
        parts.append((of, gram + (2 * ROUNDED * rate) ** 2 * eye))
    decoded = activities @ decoders.T
    power, found = wanted.T @ wanted, decoded.T @ wanted
    if apart:
        power, found = np.diag(np.diag(power)), np.diag(np.diag(found))
    decoders = power @ np.linalg.inv(found) @ decoders
    rest = slice(half, None)
    return Decoding(
        decoders,
        tuple(parts),
        activities,
        _slopes(smooth(currents)[keep], activities),
        spikes[rest] @ decoders.T / dt - x[rest],
    )


def _slopes(currents: np.ndarray, activities: np.ndarray) -> np.ndarray:
    """Regression of rates on currents, neuron by neuron."""
    centred = currents - currents.mean(axis=0)
    power = np.sum(centred**2, axis=0)
    return np.sum(centred * activities, axis=0) / np.maximum(power, 1e-300)
