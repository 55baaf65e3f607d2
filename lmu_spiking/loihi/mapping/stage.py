r"""One population on the chip: its weights in whole numbers, and how the input enters.

All groups of synapses on a core share its scale (`weights`), and one whose largest
weight is much fainter than the core's loses bits.  The input has `PAIRS` pairs of
pulses of size 1, which begin staggered (`pulses`), and coarser ones of size 2, 4, 8 and
so on.  A core listens to the first ``p`` of the fine, or to one of the coarse, so that
its weights are the least that it can resolve:

.. math:: w = \frac{g\, E B' u_{max}}{p} \quad\text{or}\quad w = g\, E B' u_{max}\, q .

A coarse pulse is as large as the weights of the memory's own spikes, and no larger.

A population that hears several memories has the weights from each, and from the pulses
of each input, side by side: every one of these is a connection, whose weights the chip
stores with an exponent of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.loihi.chip.integers import rounded
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.chip.weights import Grid, grid_of, largest_of, round_weights
from lmu_spiking.loihi.mapping.curves import Cells, Decoding
from lmu_spiking.loihi.mapping.memory import build_memory, read_state
from lmu_spiking.loihi.mapping.predict import predict_errors

COARSEST = 12  # pulses of sizes 2, 4, ..: fainter inputs are not received


@dataclass(frozen=True, eq=False)
class Stage:
    """One population of a layout: neurons, and the weights of all that they receive.

    Parameters
    ----------
    curves : Curves or Cells
    tau : float
        Synapse as asked for, seconds.
    weights : (n, n_pre) ndarray
        From the spikes of the stage before, or of the only one; Nengo's transform, the
        gain not included.  None, as the following, where the network makes them.
    inputs : (n, 2 K) ndarray
        From the pulses; (n, 1), from the input itself, on ``core``.  Of several inputs
        side by side, as many columns for each.
    block : int
        Neurons on a core.
    grids : tuple of Grid
        Of each core; none without rounding.
    decoding : Decoding or None
        Of its own spikes.
    rounding : (P, d) ndarray or None
        What rounding adds to the drive of the coordinates, at the steps of the
        ``decoding.activities`` of the stage before.
    heard : tuple of int
        Neurons of each memory that it hears, if there are several.
    """

    always_clips: ClassVar[bool] = False  # inputs, also on ``core``
    curves: Any
    tau: float
    weights: Any = None
    inputs: Any = None
    block: int = 0
    grids: tuple[Grid, ...] = ()
    decoding: Any = None
    rounding: Any = None
    heard: tuple[int, ...] = ()

    __repr__ = brief

    def cores(self) -> Iterator[tuple[slice, Grid]]:
        """Yield the rows of each core whose weights are rounded, and its grid."""
        for k, grid in enumerate(self.grids):
            yield slice(k * self.block, (k + 1) * self.block), grid

    def sources(self) -> Iterator[tuple[slice, slice]]:
        """Yield the columns of `weights` and of `inputs` that each memory has."""
        heard = self.heard or (self.weights.shape[1],)
        each = self.inputs.shape[1] // len(heard)
        for k, n in enumerate(heard):
            first = sum(heard[:k])
            yield slice(first, first + n), slice(k * each, (k + 1) * each)

    # The first stage of a layout makes its network, reads and predicts it.

    def build(self, layout, u):
        """Return the network of the layout that is fed the samples ``u`` (T,).

        Parameters
        ----------
        layout : Layout
        u : (T,) ndarray
            Samples of the input.

        Returns
        -------
        nengo.Network
        """
        return build_memory(layout, u)

    def read(self, layout, memory, data, u):
        """Return the state (T, d) from what the probes of its network saw.

        Parameters
        ----------
        layout : Layout
        memory : ChipMemory
        data : mapping of nengo.Probe to ndarray
        u : (T,) ndarray
            Samples of the input.

        Returns
        -------
        (T, d) ndarray
        """
        return read_state(layout, data[memory.spike_probes[-1]], u)

    def predict(self, layout, states, start: int) -> dict:
        """Return the terms of an `ErrorBudget`, from errors that were measured.

        Parameters
        ----------
        layout : Layout
        states : (T, d) array_like
            Exact states.
        start : int
            First step that counts.

        Returns
        -------
        dict
        """
        return predict_errors(layout, states, start)


def make_stage(
    layout,
    cells: Cells,
    exact: np.ndarray,
    column: np.ndarray,
    pre: Decoding | tuple[Decoding, ...],
    tau: float,
    block: int,
    rng: np.random.RandomState,
    decoding: Decoding | None = None,
    input_range=None,
) -> Stage:
    """Return a population whose weights are those that the target stores.

    Parameters
    ----------
    layout : Layout
        What the population is of; its stages are not looked at.
    cells : Cells or Curves
    exact : (n, n_pre) ndarray
        Real weights from the spikes of the population before.
    column : (n, c) ndarray
        Real weights from the input, or from each of several.
    pre : Decoding or tuple of Decoding
        Of the population before, or of each memory that it hears.
    tau : float
        Synapse, seconds.
    block : int
        Neurons on a core.
    rng : numpy.random.RandomState
        Draws the order of rounding.
    decoding : Decoding, optional
        Of its own spikes; without, what rounding adds to its drive is not told.
    input_range : (c,) array_like, optional
        Largest of each input; by default the layout's.

    Returns
    -------
    Stage
    """
    several = pre if isinstance(pre, tuple) else (pre,)
    heard = tuple(each.decoders.shape[1] for each in several)
    activities = several[0].activities
    added = None
    if decoding is not None:
        added = np.zeros((len(activities), len(decoding.decoders)))
    stage = Stage(cells, tau, exact, column, block, (), decoding, added, heard)
    if layout.target == "core":
        return stage
    loudest = column * (layout.input_range if input_range is None else input_range)
    # the neurons of each coordinate, by their columns
    parts, dt = [], layout.dt
    for each, (columns, _) in zip(several, stage.sources(), strict=True):
        parts += [(columns.start + of, gram) for of, gram in each.parts]
    inputs, grids = choose_input_weights(stage, loudest, parts, dt)
    if not rounded(layout.target):
        return replace(stage, inputs=inputs)
    stage = replace(stage, inputs=inputs, grids=grids)
    stage = replace(stage, weights=round_to_grids(stage, parts, dt, rng))
    if decoding is None:
        return stage
    drive = activities @ ((as_stored(stage, dt) - exact) * cells.gain[:, None]).T
    added = drive @ (decoding.decoders * decoding.slopes).T
    return replace(stage, rounding=added)


def choose_input_weights(stage: Stage, column: np.ndarray, parts, dt: float):
    """Choose the pulses that each core listens to, with what weights.

    Parameters
    ----------
    stage : Stage
        With its real weights from the memory's neurons.
    column : (n, c) ndarray
        Weights from each input, for the largest of it.
    parts : iterable of (columns, gram)
        The memory's neurons of each coordinate.
    dt : float
        Step, seconds.

    Returns
    -------
    inputs : (n, c 2 K) ndarray
        Input by input; ``K`` is ``PAIRS`` and as many coarse pairs as are received.
    grids : tuple of Grid
    """
    cells, groups = stage.curves, [columns for columns, _ in parts]
    shape = *column.shape, 2 * (PAIRS + COARSEST)
    inputs, grids = np.zeros(shape), []
    for start in range(0, len(column), stage.block):
        # the scale of the core, by the memory's weights and the finest of the input's
        rows = slice(start, start + stage.block)
        gain = cells.gain[rows, None]
        largest = largest_of(stage.weights[rows] * gain / dt, groups)
        strongest = np.abs(column[rows] * gain).max(axis=0)
        rest = cells.bias[rows], cells.neurons, stage.tau, dt
        grid = grid_of(largest, strongest.max() / PAIRS, *rest)
        loudest = 0.0
        for k, of_input in enumerate(strongest):
            pairs, size = choose_pulses(of_input, grid)
            if len(pairs):
                each = column[rows, k, None] * size * dt
                received = inputs[rows, k]
                received[:, 2 * pairs], received[:, 2 * pairs + 1] = each, -each
                loudest = max(loudest, of_input * size)
        if loudest > grid.anchor:  # so the chip will scale the core by it
            grid = grid_of(largest, loudest, *rest)
        grids.append(grid)
    last = np.flatnonzero(inputs.any(axis=(0, 1)))
    inputs = inputs[..., : max(2 * PAIRS, *last + 1)]
    return inputs.reshape(len(column), -1), tuple(grids)


def choose_pulses(strongest: float, grid: Grid) -> tuple[np.ndarray, float]:
    """Return the pairs that a core listens to, and the share of the input in each.

    Parameters
    ----------
    strongest : float
        The largest weight of the input, if it came as one pulse.
    grid : Grid

    Returns
    -------
    pairs : (p,) int ndarray
        None where even the coarsest pulse is too faint.
    size : float
    """
    least = 1.01 * grid.faintest
    for p in (16, 8, 4, 2, 1):
        if strongest >= p * least:
            return np.arange(p), 1 / p
    for k in range(COARSEST):
        if strongest * 2.0 ** (k + 1) >= least:
            return np.array([PAIRS + k]), 2.0 ** (k + 1)
    return np.arange(0), 0.0


def round_to_grids(stage: Stage, parts, dt: float, rng) -> np.ndarray:
    """Return the recurrent weights (n, m) on each core's grid.

    The largest sets the scale: it is given as the anchor, and the others compensate
    what it is stored as.

    Parameters
    ----------
    stage : Stage
        With its real weights, those of its inputs, and grids.
    parts : tuple
        As of `Decoding`.
    dt : float
        Step, seconds.
    rng : numpy.random.RandomState

    Returns
    -------
    (n, m) ndarray
    """
    out = np.empty_like(stage.weights)
    for rows, grid in stage.cores():
        scale = stage.curves.gain[rows, None] / dt / grid.unit
        # where a weight of the input is the largest, that is the anchor
        largest = np.abs(stage.inputs[rows] * scale).max() * grid.unit
        anchored = largest < grid.anchor * 0.999
        heard = [part for part in parts if stage.weights[rows][:, part[0]].any()]
        real = stage.weights[rows] * scale
        whole = round_weights(real, heard, grid.top, rng, anchored, grid.bottom)
        if anchored:
            at = np.unravel_index(np.argmax(np.abs(real)), real.shape)
            whole[at] = np.copysign(grid.anchor / grid.unit, real[at])
        out[rows] = whole / scale
    return out


def as_stored(stage: Stage, dt: float) -> np.ndarray:
    """Return weights as the chip stores them: an anchor is a fraction of a unit off.

    Parameters
    ----------
    stage : Stage
        With rounded weights.
    dt : float
        Step, seconds.

    Returns
    -------
    ndarray
    """
    out = stage.weights.copy()
    for rows, grid in stage.cores():
        scale = stage.curves.gain[rows, None] / dt / grid.unit
        whole = out[rows] * scale
        end = np.where(whole < 0, grid.bottom, grid.top)
        beyond = np.abs(whole) > grid.top + 0.1
        out[rows] = np.where(beyond, end / scale, out[rows])
    return out
