r"""A trained cell on the chip: its memory, and its hidden units as more rows of it.

`loihi.run.classify` and users lay cells out with it.

A neuron of the memory receives ``E x``, the coordinate that it encodes.  A hidden unit
receives ``w m + b = (w U) x + b`` and is therefore laid out alike: weights ``w U A' D``
from the memory's neurons and ``w U B'`` from the pulses, through the same synapse, on
cores of its own.

::

    input -> pulses (host) ==> memory (cores) ==> units (cores) -> read on the host
                     |           ^      |           ^
                     |           +- W --+           |
                     +------------------------------+

Units integrate and fire as in training (`neurons.chip`). Each stands on the chip
several times, with gains up to a few tenths apart so that the copies do not spike
together. On the host their spikes in a short time around the end of a sequence are
counted:

.. math::

    h_i = \frac{1}{C} \sum_c \frac{n_{ic}}{g_c\, r_{max}\, w}, \qquad y = D h + c .
"""

from dataclasses import dataclass
from typing import cast

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError, check_positive, check_whole
from lmu_spiking.lmu.calibration import calibrate
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.loihi.chip.integers import target_name
from lmu_spiking.loihi.chip.limits import most_on_core
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.chip.upstream import place
from lmu_spiking.loihi.mapping.curves import Cells, chip_neurons
from lmu_spiking.loihi.mapping.layout import Layout, lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory, connect, widened
from lmu_spiking.loihi.mapping.stage import Stage, make_stage
from lmu_spiking.networks.blockwise import AsBuilt
from lmu_spiking.networks.cell import steps_of
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, LOIHI_RELU, ChipUnits

TAU = 0.1  # seconds
APART = 0.3  # how far apart the gains of copies are, either way
SEQUENCES = 8  # that the memory's neurons are measured on, each after a blank window


@dataclass(frozen=True, eq=False)
class Units:
    """Hidden units as neurons of the chip.

    Parameters
    ----------
    unit : (n,) int ndarray
        Which unit a neuron is.
    apart : (n,) ndarray
        Its gain, relative to the unit's.
    stage : Stage
        Neurons, and their weights from the memory's neurons and from the pulses.
    """

    unit: np.ndarray
    apart: np.ndarray
    stage: Stage

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class CellLayout:
    """A trained cell laid out for one target.

    Parameters
    ----------
    params : LMUParams
    presentation : float
        Seconds for each sample.
    memory : Layout
    units : Units
    start, width : float
        Spikes count from ``start`` seconds after the end of a sequence, for ``width``.
    """

    params: LMUParams
    presentation: float
    memory: Layout
    units: Units
    start: float
    width: float

    __repr__ = brief

    @property
    def cell(self) -> CellParams:
        """Return the parameters of the cell."""
        return self.params.cells[0]

    @property
    def copies(self) -> int:
        """Return the number of neurons of each unit."""
        return len(self.units.unit) // self.cell.units

    @property
    def n_neurons(self) -> int:
        """Return the number of neurons, of the memory and the units."""
        return self.memory.n_neurons + len(self.units.unit)

    def window(self, samples: int) -> tuple[int, int]:
        """Return the steps, first and end, whose spikes are read.

        The input of step ``k`` arrives at step ``k + 1``.

        Parameters
        ----------
        samples : int
            Of a sequence.

        Returns
        -------
        first, end : int
            The last is not read.
        """
        dt = self.memory.dt
        end = samples * steps_of(self.presentation, dt) + round(self.start / dt)
        return end, end + round(self.width / dt)

    def drive(self, x: np.ndarray) -> np.ndarray:
        """Return the memory's input for sequences, with blanks after the last sample.

        Parameters
        ----------
        x : (n, T, c) array_like

        Returns
        -------
        (n, steps) ndarray
            Up to the end of reading.
        """
        x = np.asarray(x, dtype=float)
        u = _input(self.cell, x)
        u = np.repeat(u, steps_of(self.presentation, self.memory.dt), axis=1)
        end = self.window(x.shape[1])[1]
        blank = np.zeros((len(x), max(0, end - u.shape[1])))
        return np.hstack([u, blank])[:, :end]

    def activities(self, spikes: np.ndarray) -> np.ndarray:
        """Return ``h`` (B, units) from spikes (B, n), counted in the window.

        Parameters
        ----------
        spikes : (B, n) ndarray
            Counted in the window.

        Returns
        -------
        ndarray
            As the model has them.
        """
        units, chip = self.units, cast(ChipUnits, self.cell.chip)
        each = spikes / (units.apart * chip.max_rate * self.width * self.copies)
        shape = len(spikes), self.cell.units, self.copies
        return each[:, np.argsort(units.unit, kind="stable")].reshape(shape).sum(axis=2)

    def outputs(self, spikes: np.ndarray) -> np.ndarray:
        """Return ``y`` (B, q) from spikes (B, n), counted in the window.

        Parameters
        ----------
        spikes : (B, n) ndarray
            Counted in the window.

        Returns
        -------
        ndarray
            Of each sequence.
        """
        return self.activities(spikes) @ self.params.D.T + self.params.c


def lay_out_cell(
    params: LMUParams,
    x,
    *,
    n_neurons: int = 2000,
    copies: int = 16,
    presentation: float = 0.01,
    target: str = "emulator",
    tau: float | None = None,
    dt: float = 0.001,
    neuron_type="if",
    max_rate: float | None = None,
    block: int | None = None,
    start: float | None = None,
    width: float | None = None,
    seed: int = 0,
) -> CellLayout:
    """Lay a trained cell out for ``target``.

    Parameters
    ----------
    params : LMUParams
        One feedforward cell with one memory and the activation of a chip.
    x : (n, T, c) array_like
        Training sequences: what the memory is to represent.
    n_neurons : int
        Of the memory.
    copies : int
        Neurons of each hidden unit.
    presentation : float
        Seconds for each sample; the window is stretched with it.
    target : {"core", "simreal", "emulator", "board"}
    tau, dt : float
        Synapse (.1 s by default) and step, seconds.
    neuron_type : {"if", "lif"} or nengo.neurons.NeuronType
        Of the memory.
    max_rate : float, optional
        Of the memory's neurons, Hz.
    block : int, optional
        Neurons of the memory on a core.
    start, width : float
        Spikes are read from ``start`` seconds after the end, for ``width`` seconds; by
        default for one sample, half of it before the end.
    seed : int
        Draws curves, gains and the order of rounding.

    Returns
    -------
    CellLayout
        The memory and the units, with their weights on the target.

    Raises
    ------
    ValidationError
        If the chip cannot have what the parameters have.
    """
    params = params.folded()  # what normalises the input becomes e_x and b_u
    target, cell = target_name(target), check_cell(params)
    copies = check_whole("lay_out_cell.copies", copies, 1)
    presentation = check_positive("lay_out_cell.presentation", presentation, "seconds")
    steps_of(presentation, dt)
    x = np.asarray(x, dtype=float)
    tau = TAU if tau is None else tau
    ldn = LDN(cell.order, cell.theta * presentation / params.dt)
    # the memory, measured on some of the sequences, for what the cell reads from it
    use = calibrate(params, x, last=bool(params.header.get("last", True)))[0]
    shown = x[:: max(1, len(x) // SEQUENCES)][:SEQUENCES]
    u = np.repeat(_input(cell, shown), steps_of(presentation, dt), axis=1)
    played = np.hstack([np.zeros((len(u), ldn.steps(dt))), u]).ravel()
    options = {"target": target, "tau": tau, "dt": dt, "block": block, "seed": seed}
    options |= {} if max_rate is None else {"max_rate": max_rate}
    options |= {"input_range": float(np.abs(_input(cell, x)).max())}
    options |= {"signal": played, "readouts": use.readouts}
    neurons = chip_neurons(neuron_type, target)
    memory = lay_out(ldn, n_neurons, neurons, **options)
    # its units, and when their spikes are read
    units = lay_out_units(cell, memory, copies, np.random.RandomState(seed + 1))
    width = presentation if width is None else width
    start = -width / 2 if start is None else start
    return CellLayout(params, presentation, memory, units, start, width)


def lay_out_units(cell: CellParams, memory: Layout, copies: int, rng) -> Units:
    """Lay hidden units out beside a memory, ``copies`` neurons for each.

    Parameters
    ----------
    cell : CellParams
    memory : Layout
    copies : int
        Neurons of each unit.
    rng : numpy.random.RandomState

    Returns
    -------
    Units
    """
    curves, mapped, chip = memory.curves, memory.mapped, cast(ChipUnits, cell.chip)
    n = cell.units * copies
    unit = np.repeat(np.arange(cell.units), copies)
    # copies of a unit side by side, with gains apart so that they do not spike together
    apart = np.linspace(1 - APART, 1 + APART, copies) if copies > 1 else np.ones(1)
    apart = np.tile(apart, cell.units)
    # neurons with the rates of the activation
    kind, times = "if", {}
    if cell.activation != LOIHI_RELU:
        kind, times = "lif", {"tau_rc": chip.tau_rc, "tau_ref": chip.tau_ref}
    neurons = chip_neurons(kind, memory.target, **times)
    gain, bias = chip.gain_bias(cell.activation)
    b = np.zeros(cell.units) if cell.b is None else cell.b
    cells = Cells(neurons, gain * apart, gain * apart * b[unit] + bias)
    # weights from the memory's neurons and from the input
    rows, decoding = (cell.W_m @ curves.U)[unit], memory.decoding
    exact = rows @ (curves.T @ mapped.A @ curves.U) @ decoding.decoders
    column = rows @ (curves.T @ mapped.B)
    block = most_on_core(memory.n_neurons + 2 * PAIRS)
    block = -(-n // -(-n // block))
    rest = exact, column, decoding, memory.tau, block, rng
    return Units(unit, apart, make_stage(memory, cells, *rest))


def check_cell(params: LMUParams) -> CellParams:
    """Return the one cell, or raise a ValidationError if the chip cannot have it.

    Parameters
    ----------
    params : LMUParams

    Returns
    -------
    CellParams
    """
    recipe = 'train with the recipe "digits-chip" (lmu-spiking train digits --chip)'

    def refuse(name: str, value, problem: str, remedy: str):
        raise ValidationError(f"lay_out_cell.params.{name}", value, problem, remedy)

    if len(params.cells) != 1:
        problem = "are more than the chip pass lays out"
        refuse("cells", len(params.cells), problem, "train one cell")
    cell = params.cells[0]
    for name in ("e_h", "e_m", "W_h"):
        if getattr(cell, name) is not None:
            problem = "goes back a sample, which the chip's neurons do not remember"
            remedy = f"train without it: connections='' or {recipe}"
            refuse(name, np.shape(getattr(cell, name)), problem, remedy)
    if cell.W_x is not None:
        problem = "needs the input without the memory's synapse"
        remedy = f"train without it: the memory has the input, too; {recipe}"
        refuse("W_x", cell.W_x.shape, problem, remedy)
    if cell.memory_d != 1:
        problem = "memories are more than the chip pass lays out"
        remedy = "train with memory_d=1, which mixes all channels"
        refuse("memory_d", cell.memory_d, problem, remedy)
    if cell.activation not in CHIP_ACTIVATIONS:
        problem = "is none that the chip's neurons have"
        remedy = f"use activation={LOIHI_RELU!r}, or {recipe}"
        refuse("activation", cell.activation, problem, remedy)
    return cell


def _input(cell: CellParams, x: np.ndarray) -> np.ndarray:
    """Return ``e_x x + b_u`` (n, T) of sequences (n, T, c)."""
    u = x @ cell.e_x[0]
    return u if cell.b_u is None else u + cell.b_u[0]


class ChipCell(AsBuilt, nengo.Network):
    """The network of a `CellLayout`, on ``core``, ``simreal``, emulator or board.

    Parameters
    ----------
    layout : CellLayout
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        The memory's input, ``e_x x + b_u``: `CellLayout.drive`.
    memory : ChipMemory
    units : nengo.Ensemble
        Hidden units, ``copies`` neurons each, driven and read through ``.neurons``.
    spikes : nengo.Probe
        Of the units; `CellLayout.outputs` reads them.
    """

    def __init__(
        self, layout: CellLayout, label=None, seed=None, add_to_container=None
    ):
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        self.layout, stage, memory = layout, layout.units.stage, layout.memory
        cells, width = stage.curves, stage.inputs.shape[1]
        with self:
            self.memory = ChipMemory(memory, label="memory", pulses=width)
            self.input, source = self.memory.input, self.memory.input
            given = {"gain": cells.gain, "bias": cells.bias, "label": "units"}
            self.units = driven(len(cells.gain), cells.neurons, **given)
            if self.memory.pulses is not None:
                place(self.units, block=stage.block)
                source = self.memory.pulses.neurons
            weights = widened(stage.inputs, source.size_out)
            connect(source, self.units, weights, memory.tau)
            spikes = self.memory.neurons.neurons
            connect(spikes, self.units, stage.weights, memory.tau)
            self.spikes = nengo.Probe(self.units.neurons, label="unit spikes")
        self.built()
