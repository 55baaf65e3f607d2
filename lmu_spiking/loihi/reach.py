r"""How loud the noise is that a memory makes for itself, and nearer radii where it is.

Errors of decoding grow with the radii, and the radii have to hold the noise that they
make.  With ``e_j`` the error of coordinate ``j`` and ``G_ij`` the variance that it
makes in coordinate ``i`` once it has gone round the loop, both relative to the squares
of the radii, what is carried by neurons that reach ``kappa`` standard deviations is

.. math:: v_i = S_i + \kappa^2 \sum_j G_{ij} v_j ,

``S`` the signal's own.  The noise is ``1 / (1 - g)`` times what it would be without
itself, ``g`` the largest eigenvalue of ``kappa^2 G``; from ``g = 1`` on, only the ends
of the curves bound it.
"""

from dataclasses import replace

import numpy as np

from lmu_spiking.ldn import LDN
from lmu_spiking.loihi.expected import around
from lmu_spiking.loihi.tuning import REACH, Curves
from lmu_spiking.synapse import Mapped

NEARER = (3.5, 3.0)  # standard deviations at the radius, to be tried where noise is
LOUD = 0.7  # of ``g``: three times as much noise as without itself


def noise_gain(
    ldn: LDN, mapped: Mapped, dt: float, curves: Curves, error: np.ndarray
) -> float:
    """``g`` of neurons that reach `REACH`, from their errors of decoding (T, d)."""
    G, start = np.empty((ldn.order, ldn.order)), min(ldn.steps(dt), len(error) // 4)
    for j in range(ldn.order):
        alone = np.zeros_like(error)
        alone[:, j] = error[:, j]
        carried = around(ldn, mapped, dt, curves, alone)[start:] / curves.radii
        G[:, j] = np.mean(carried**2, axis=0)
    return float(REACH**2 * np.abs(np.linalg.eigvals(G)).max())


def carried_noise(
    ldn: LDN, mapped: Mapped, dt: float, curves: Curves, error: np.ndarray
) -> float:
    """Mean square of the state's error that errors of decoding (T, d) make."""
    start = min(ldn.steps(dt), len(error) // 4)
    carried = around(ldn, mapped, dt, curves, error)[start:] @ curves.U.T
    return float(np.mean(np.sum(carried**2, axis=1)))


def nearer(curves: Curves, reach: float, least: np.ndarray) -> Curves:
    """The same curves with ``reach`` standard deviations at the radius, not `REACH`.

    Parameters
    ----------
    least : (d,) array_like
        What the radii cover all the same.
    """
    return replace(curves, radii=np.maximum(curves.radii * reach / REACH, least))
