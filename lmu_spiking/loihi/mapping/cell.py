r"""A trained cell on the chip: its memory, and its hidden units as more rows of it.

A neuron of the memory hears ``E x``, what it encodes of the carried coordinates.  A
hidden unit hears ``w m + b = (w U) x + b`` and is therefore laid out alike: weights
``w U A' D`` from the memory's neurons and ``w U B'`` from the pulses, through the same
synapse, on cores of its own.

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

from dataclasses import dataclass, replace

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError, check_positive, check_whole
from lmu_spiking.lmu.calibration import calibrate
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.loihi.chip.limits import most_on_core
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.input_weights import PAIRS
from lmu_spiking.loihi.mapping.layout import Layout, lay_out, on_grids
from lmu_spiking.networks.cell import steps_of
from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, LOIHI_RELU, ChipUnits

APART = 0.3  # of the gains of copies, either way
SEQUENCES = 8  # that the memory's neurons are measured on, each after a blank window


@dataclass(frozen=True, eq=False)
class Units:
    """Hidden units as neurons of the chip.

    Attributes
    ----------
    neurons : nengo.neurons.NeuronType
    unit : (n,) int ndarray
        Which unit a neuron is.
    apart : (n,) ndarray
        Its gain, relative to the unit's.
    gain, bias : (n,) ndarray
    weights : (n, m) ndarray
        From the memory's neurons; the gain not included.
    inputs : (n, 2 K) ndarray
        From the pulses; (n, 1), from the input itself, on ``core``.
    block : int
        Neurons on a core.
    grids : tuple of Grid
    """

    neurons: nengo.neurons.NeuronType
    unit: np.ndarray
    apart: np.ndarray
    gain: np.ndarray
    bias: np.ndarray
    weights: np.ndarray
    inputs: np.ndarray
    block: int
    grids: tuple

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class CellLayout:
    """A trained cell laid out for one target.

    Attributes
    ----------
    params : LMUParams
    presentation : float
        Seconds that each sample is presented for.
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
        """Of the parameters."""
        return self.params.cells[0]

    @property
    def copies(self) -> int:
        """Neurons of each unit."""
        return len(self.units.unit) // self.cell.units

    @property
    def n_neurons(self) -> int:
        """Memory and units."""
        return self.memory.n_neurons + len(self.units.unit)

    def window(self, samples: int) -> tuple[int, int]:
        """The steps, first and end, whose spikes are read of so many samples.

        What is put in at step ``k`` is heard at step ``k + 1``.
        """
        dt = self.memory.dt
        end = samples * steps_of(self.presentation, dt) + round(self.start / dt)
        return end, end + round(self.width / dt)

    def drive(self, x: np.ndarray) -> np.ndarray:
        """(n, steps): what the memory is given for sequences ``x`` (n, T, c).

        It ends with what is read: blanks follow the last sample.
        """
        x = np.asarray(x, dtype=float)
        u = _input(self.cell, x)
        held = np.repeat(u, steps_of(self.presentation, self.memory.dt), axis=1)
        end = self.window(x.shape[1])[1]
        blank = np.zeros((len(x), max(0, end - held.shape[1])))
        return np.hstack([held, blank])[:, :end]

    def activities(self, spikes: np.ndarray) -> np.ndarray:
        """``h`` (B, units) from spikes (B, n), counted in the window."""
        units, rate = self.units, self.cell.chip.max_rate
        each = spikes / (units.apart * rate * self.width * self.copies)
        shape = len(spikes), self.cell.units, self.copies
        return each[:, np.argsort(units.unit, kind="stable")].reshape(shape).sum(axis=2)

    def outputs(self, spikes: np.ndarray) -> np.ndarray:
        """``y`` (B, q) from spikes (B, n), counted in the window."""
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
        Training sequences: what the memory is to hold.
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

    Raises
    ------
    ValidationError
        If the chip cannot hold what the parameters have.
    """
    cell = check_cell(params)
    copies = check_whole("lay_out_cell.copies", copies, 1)
    presentation = check_positive("lay_out_cell.presentation", presentation, "seconds")
    steps_of(presentation, dt)
    x = np.asarray(x, dtype=float)
    tau = TAU if tau is None else tau
    ldn = LDN(cell.order, cell.theta * presentation / params.dt)
    optional = {} if max_rate is None else {"max_rate": max_rate}
    use = calibrate(params, x, last=bool(params.header.get("last", True)))[0]
    shown = x[:: max(1, len(x) // SEQUENCES)][:SEQUENCES]
    memory = lay_out(
        ldn,
        n_neurons,
        chip_neurons(neuron_type, target),
        target=target,
        tau=tau,
        dt=dt,
        signal=_played(cell, shown, ldn, presentation, dt),
        readouts=use.readouts,
        input_range=float(np.abs(_input(cell, x)).max()),
        block=block,
        seed=seed,
        **optional,
    )
    units = lay_out_units(cell, memory, copies, np.random.RandomState(seed + 1))
    width = presentation if width is None else width
    start = -width / 2 if start is None else start
    return CellLayout(params, presentation, memory, units, start, width)


TAU = 0.1  # seconds


def lay_out_units(cell: CellParams, memory: Layout, copies: int, rng) -> Units:
    """Hidden units beside a memory that is laid out, ``copies`` neurons for each."""
    curves, mapped = memory.curves, memory.mapped
    n = cell.units * copies
    unit = np.repeat(np.arange(cell.units), copies)
    apart = np.linspace(1 - APART, 1 + APART, copies) if copies > 1 else np.ones(1)
    apart = np.tile(apart, cell.units)
    gain, bias = cell.chip.gain_bias(cell.activation)
    b = np.zeros(cell.units) if cell.b is None else cell.b
    rows = (cell.W_m @ curves.U)[unit]
    recurrent = rows @ (curves.T @ mapped.A @ curves.U) @ memory.decoding.decoders
    column = rows @ (curves.T @ mapped.B)
    block = most_on_core(memory.n_neurons + 2 * PAIRS)
    block = -(-n // -(-n // block))
    units = Units(
        _neurons(cell.activation, cell.chip, memory.target),
        unit,
        apart,
        gain * apart,
        gain * apart * b[unit] + bias,
        recurrent,
        column,
        block,
        (),
    )
    if memory.target == "core":
        return units
    weights, inputs, grids = on_grids(
        recurrent,
        column * memory.input_range,
        units,
        memory.decoding.parts,
        memory.tau,
        memory.dt,
        block,
        rng,
        memory.target,
    )
    return replace(units, weights=weights, inputs=inputs, grids=grids)


def check_cell(params: LMUParams) -> CellParams:
    """The one cell, if the chip can hold it.

    Raises
    ------
    ValidationError
        That names what it cannot, and the way out.
    """
    again = 'train with the recipe "digits-chip" (lmu-spiking train digits --chip)'
    if len(params.cells) != 1:
        raise ValidationError(
            "lay_out_cell.params.cells",
            len(params.cells),
            "are more than the chip pass lays out",
            "train one cell",
        )
    cell = params.cells[0]
    for name in ("e_h", "e_m", "W_h"):
        if getattr(cell, name) is not None:
            raise ValidationError(
                f"lay_out_cell.params.{name}",
                np.shape(getattr(cell, name)),
                "goes back a sample, which the chip's neurons do not hold",
                f"train without it: connections='' or {again}",
            )
    if cell.W_x is not None:
        raise ValidationError(
            "lay_out_cell.params.W_x",
            cell.W_x.shape,
            "needs the input without the memory's synapse",
            f"train without it: the memory holds the input, too; {again}",
        )
    if cell.memory_d != 1:
        raise ValidationError(
            "lay_out_cell.params.memory_d",
            cell.memory_d,
            "memories are more than the chip pass lays out",
            "train with memory_d=1",
        )
    if cell.activation not in CHIP_ACTIVATIONS:
        raise ValidationError(
            "lay_out_cell.params.activation",
            cell.activation,
            "is none that the chip's neurons have",
            f"use activation={LOIHI_RELU!r}, or {again}",
        )
    return cell


def _input(cell: CellParams, x: np.ndarray) -> np.ndarray:
    """``e_x x + b_u`` (n, T) of sequences (n, T, c)."""
    u = x @ cell.e_x[0]
    return u if cell.b_u is None else u + cell.b_u[0]


def _played(cell, x, ldn: LDN, presentation: float, dt: float) -> np.ndarray:
    """Sequences one after the other, a blank window before each."""
    u = np.repeat(_input(cell, x), steps_of(presentation, dt), axis=1)
    return np.hstack([np.zeros((len(u), ldn.steps(dt))), u]).ravel()


def _neurons(activation: str, chip: ChipUnits, target: str):
    """The neurons of the chip that have an activation's rates."""
    still = None if target == "core" else {"voltage": nengo.dists.Choice([0])}
    if activation == LOIHI_RELU:
        return nengo.SpikingRectifiedLinear(initial_state=still)
    return nengo.LIF(tau_rc=chip.tau_rc, tau_ref=chip.tau_ref, initial_state=still)
