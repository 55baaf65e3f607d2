r"""How the input enters: pulses of a size that a core's weights can tell.

All groups of synapses on a core share its scale (`scaling`), and one whose largest
weight is much fainter than the core's loses bits.  The input has ``PAIRS`` pairs of
pulses of size 1, which begin staggered (`pulses`), and coarser ones of size 2, 4, 8 and
so on.  A core listens to the first ``p`` of the fine, or to one of the coarse, so that
its weights are the least that it can tell:

.. math:: w = \frac{g\, E B' u_{max}}{p} \quad\text{or}\quad w = g\, E B' u_{max}\, q .

A coarse pulse is as large as the weights of the memory's own spikes, and no larger.
"""

import numpy as np

from lmu_spiking.loihi.chip.weights import Grid, grid_of, largest_of

PAIRS = 16  # fine pairs for one input: 32 axons
COARSEST = 12  # of sizes 2, 4, ..: what is fainter still is not heard


def sizes(pairs: int) -> np.ndarray:
    """(pairs,): of the pulses of each pair."""
    coarse = np.arange(1, max(0, pairs - PAIRS) + 1)
    return np.append(np.ones(min(pairs, PAIRS)), 2.0**coarse)


def enter(recurrent, column, neurons, parts, tau: float, dt: float, block: int):
    """Weights of the pulses, and the grid of each core.

    Parameters
    ----------
    recurrent : (n, m) ndarray
        From the memory's neurons.
    column : (n, 1) ndarray
        From the input, for the largest of it.
    neurons
        Has their type as ``neurons``, ``gain`` and ``bias``.
    parts : iterable of (columns, gram)
        The memory's neurons of each coordinate.
    block : int
        Neurons on a core.

    Returns
    -------
    inputs : (n, 2 K) ndarray
        ``K`` is ``PAIRS`` and as many coarse pairs as are heard.
    grids : tuple of Grid
    """
    n, groups = len(column), [columns for columns, _ in parts]
    inputs, grids = np.zeros((n, 2 * (PAIRS + COARSEST))), []
    for start in range(0, n, block):
        rows = slice(start, start + block)
        gain = neurons.gain[rows, None]
        largest = largest_of(recurrent[rows] * gain / dt, groups)
        strongest = np.abs(column[rows] * gain).max()
        rest = neurons.bias[rows], neurons.neurons, tau, dt
        grid = grid_of(largest, strongest / PAIRS, *rest)
        heard, size = finest(strongest, grid)
        if len(heard):
            each = column[rows] * size * dt
            inputs[rows, 2 * heard], inputs[rows, 2 * heard + 1] = each, -each
            if strongest * size > grid.anchor:  # so the chip will scale the core by it
                grid = grid_of(largest, strongest * size, *rest)
        grids.append(grid)
    last = np.flatnonzero(inputs.any(axis=0))
    return inputs[:, : max(2 * PAIRS, *last + 1)], tuple(grids)


def finest(strongest: float, grid: Grid) -> tuple[np.ndarray, float]:
    """Which pairs a core listens to, and what a pulse of theirs is of the input."""
    least = 1.01 * grid.faintest
    for p in (16, 8, 4, 2, 1):
        if strongest >= p * least:
            return np.arange(p), 1 / p
    for k in range(COARSEST):
        if strongest * 2.0 ** (k + 1) >= least:
            return np.array([PAIRS + k]), 2.0 ** (k + 1)
    return np.arange(0), 0.0
