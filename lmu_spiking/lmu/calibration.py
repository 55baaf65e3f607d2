r"""The use of a rate-based model on data: all that its spikes need to know.

The loss of a spiking network is, to first order, ``e^T W e`` in the errors ``e`` of the
state, with

.. math::

    W = E[J^T J], \qquad J = \frac{\partial y}{\partial m} = D \,\mathrm{diag}(f'(J_t))
    \, W_m ;

for classes ``D`` without its mean row, since only differences of outputs count.
"""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.neurons.chip import smooth_slopes

HIGHEST = 0.999  # quantile of an activity at which its neurons fire at max_rate
STATES = 50_000  # at most, that statistics are taken over


@dataclass(frozen=True, eq=False)
class CellUse:
    """The use of one cell on data.

    Parameters
    ----------
    states : (k, S, d) ndarray
        States of each memory at the ends of samples.
    readouts : (p, d) ndarray
        With ``readouts^T readouts`` the ``W`` of all memories together; the identity
        where nothing reaches the output, as from units that are silent here.
    top : (n,) ndarray
        Highest activity of each unit, but for .1 % of the time; 1 where it is known at
        which rate a chip's neurons have that activity.
    activity : float
        Mean of ``|h| / top`` over units and time.
    """

    states: np.ndarray
    readouts: np.ndarray
    top: np.ndarray
    activity: float

    __repr__ = brief


def calibrate(params: LMUParams, x: np.ndarray, *, last: bool = False):
    """Return how sequences use each cell.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) ndarray
    last : bool
        Whether only the output at the last step counts.

    Returns
    -------
    list of CellUse
        Of each cell.
    """
    uses = []
    for i, cell in enumerate(params.cells):
        m, h = run_cell(cell, x, params.dt)
        final = i == len(params.cells) - 1
        D = params.D if final else None
        uses.append(_use(cell, m, h, D, last and final, params.header.get("classes")))
        x = h
    return uses


def _use(cell: CellParams, m, h, D, last: bool, classes) -> CellUse:
    """Return the use of a cell with states ``m`` and activities ``h`` (n, T, ...)."""
    size = np.abs(h).reshape(-1, cell.units)
    top = np.quantile(size, HIGHEST, axis=0)
    # a unit that is silent here may speak elsewhere: give it the others' range
    top = np.maximum(top, 0.05 * top.max()) if top.any() else np.ones(cell.units)
    top = top if cell.chip is None else np.ones(cell.units)
    seen = (m[:, -1], h[:, -1]) if last else (m, h)
    W = _sensitivity(cell, seen[1].reshape(-1, cell.units), D, classes)
    # the memories of a cell are alike: add up what they are read by
    k, d = cell.memory_d, cell.order
    blocks = sum(W[j * d : (j + 1) * d, j * d : (j + 1) * d] for j in range(k))
    if not np.any(blocks):  # nothing is read: then no coefficient counts more
        blocks = np.eye(d)
    power, V = np.linalg.eigh(blocks)
    readouts = (V * np.sqrt(np.maximum(power, 1e-12 * power.max()))).T
    states = m.reshape(-1, k, d)
    every = max(1, len(states) // STATES)
    states = np.ascontiguousarray(states[::every].transpose(1, 0, 2))
    return CellUse(states, readouts, top, float((size / top).mean()))


def _sensitivity(cell: CellParams, h: np.ndarray, D, classes) -> np.ndarray:
    """Return ``W`` (k d, k d), averaged over the activities ``h`` (S, n)."""
    slope = np.ones_like(h)
    if cell.activation == "tanh":
        slope = 1 - h**2
    elif cell.activation == "relu":
        slope = (h > 0).astype(float)
    elif cell.chip is not None:
        slope = smooth_slopes(cell.activation, cell.chip, h)
    slopes = slope.T @ slope / len(h)
    if D is None:  # of a cell before the last: all its units alike
        outer = np.eye(cell.units)
    else:
        D = D - D.mean(axis=0) if classes else D
        outer = D.T @ D
    return cell.W_m.T @ (outer * slopes) @ cell.W_m
