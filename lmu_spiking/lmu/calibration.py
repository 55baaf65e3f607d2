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
from lmu_spiking.lmu.forward import at_end, run_cell
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.neurons.chip import smooth_slopes
from lmu_spiking.tasks.sequences import within

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


def calibrate(params: LMUParams, x: np.ndarray, *, last: bool = False, lengths=None):
    """Return how sequences use each cell.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) ndarray
    last : bool
        Whether only the output at the last step of each sequence counts.
    lengths : (n,) ndarray of int, optional
        Steps of each sequence; what comes later does not count.

    Returns
    -------
    list of CellUse
        Of each cell.
    """
    uses, x = [], params.normalised(x)
    steps = ... if lengths is None else within(lengths, x.shape[1])
    for i, cell in enumerate(params.cells):
        m, h = run_cell(cell, x, params.dt)
        final = i == len(params.cells) - 1
        D = params.D if final else None
        seen = h
        if last and final:
            seen = at_end(h, lengths)
        elif lengths is not None:
            seen = h[steps]
        seen = seen.reshape(-1, cell.units)
        classes = params.header.get("classes")
        uses.append(_use(cell, m[steps], h[steps], seen, D, classes))
        x = h
    return uses


def _use(cell: CellParams, m, h, seen, D, classes) -> CellUse:
    """Return the use of a cell with states ``m`` and activities ``h`` (..., units).

    ``seen`` (S, units) are the activities that count.
    """
    size = np.abs(h).reshape(-1, cell.units)
    top = np.quantile(size, HIGHEST, axis=0)
    # a unit that is silent here may speak elsewhere: give it the others' range
    top = np.maximum(top, 0.05 * top.max()) if top.any() else np.ones(cell.units)
    top = top if cell.chip is None else np.ones(cell.units)
    W = _sensitivity(cell, seen, D, classes)
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
