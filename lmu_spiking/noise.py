r"""The noise of the neurons of a loop, which see their own noise, and what it leads to.

How noisy neurons are depends on how active they are, and that on the signal and on the
noise that has gone round the loop: the state's covariance is a fixed point.
"""

import numpy as np
from scipy.special import ndtri

from lmu_spiking.covariance import closed_loop, stationary_covariance
from lmu_spiking.population import Population
from lmu_spiking.synapse import Mapped

QUANTILES = 400  # of each state dimension over the signal
POINTS = 300  # values on either side of zero at which curves are tabulated
LEVELS = (np.arange(QUANTILES) + 0.5) / QUANTILES
_Z = ndtri((np.arange(48) + 0.5) / 48)
GAUSS = _Z / _Z.std()  # a unit normal distribution in equally likely values


def fixed_point(mapped: Mapped, tables: list["Table"]):
    """State covariance ``P``, and ``Sigma`` of neurons that see that noise too."""
    K, L, C = closed_loop(mapped)
    P = np.zeros((len(C), len(C)))
    for _ in range(200):
        sigma = np.array(
            [t.mean("variance", v) for t, v in zip(tables, np.diag(P), strict=True)]
        )
        before = np.diag(P)
        P = C @ stationary_covariance(K, (L * sigma) @ L.T) @ C.T
        if np.abs(np.diag(P) - before).max() <= 1e-6 * np.diag(P).max():
            break
    return P, sigma


def distortion(mapped: Mapped, tables, states: np.ndarray, variance) -> np.ndarray:
    """Second moment of the mean state's error ``e``, the loop run over the signal.

    Curves see the state they have distorted: ``Z[k+1] = K Z[k] + L eps(m + e)``, where
    ``eps(x) = E decoded(x + noise) - x`` and ``e = C Z``.
    """
    reach = np.array([t.x[-1] for t in tables])
    grid = np.linspace(-1, 1, 4001)
    eps = np.stack(
        [t.smoothed(grid * t.x[-1], v) for t, v in zip(tables, variance, strict=True)]
    )
    eps -= np.multiply.outer(reach, grid)
    rows, to_cell = np.arange(len(tables)), (len(grid) - 1) / 2
    K, L, C = closed_loop(mapped)
    Z, e = np.zeros(len(K)), np.zeros(len(tables))
    total = np.zeros((len(C), len(C)))
    for m in states:
        at = ((m + e) / reach + 1) * to_cell
        cell = np.clip(at.astype(int), 0, len(grid) - 2)
        left = eps[rows, cell]
        Z = K @ Z + L @ (left + (at - cell) * (eps[rows, cell + 1] - left))
        e = C @ Z
        total += np.outer(e, e)
    return total / len(states)


def tabulate(population: Population, carried: np.ndarray, dt: float, first: int = 0):
    """Tables of the dimensions from ``first`` on, over the values (T, d) they take."""
    return [
        Table(population, first + i, np.quantile(x, LEVELS), np.abs(x).max(), dt)
        for i, x in enumerate(carried.T)
    ]


class Table:
    """What the neurons of one dimension do, tabulated over the values it takes."""

    def __init__(self, population: Population, i: int, typical, largest, dt: float):
        self.typical = typical
        reach = max(4 * largest, 3 * population.radii[i])
        side = np.linspace(0, 1, POINTS + 1)[1:] ** 2 * reach
        self.x = np.concatenate([-side[::-1], [0.0], side])
        self.columns = population.tables(i, self.x, dt)

    def mean(self, column: str, variance: float) -> float:
        """Mean over the signal and over Gaussian noise of ``variance``."""
        x = np.add.outer(self.typical, np.sqrt(variance) * GAUSS)
        return float(_interpolate(x, self.x, self.columns[column]).mean())

    def smoothed(self, x: np.ndarray, variance: float) -> np.ndarray:
        """Decoded value at ``x`` in the mean over Gaussian noise of ``variance``."""
        near = np.add.outer(self.x, np.sqrt(variance) * GAUSS)
        known = _interpolate(near, self.x, self.columns["decoded"]).mean(axis=1)
        return np.interp(x, self.x, known)


def _interpolate(x: np.ndarray, known: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Linear between the known points and beyond them, as rectified curves go on."""
    inside = np.interp(x, known, y)
    below, above = np.minimum(x - known[0], 0), np.maximum(x - known[-1], 0)
    first = (y[1] - y[0]) / (known[1] - known[0])
    last = (y[-1] - y[-2]) / (known[-1] - known[-2])
    return inside + first * below + last * above
