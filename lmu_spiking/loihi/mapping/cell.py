r"""A trained cell on the chip: its memories, and its hidden units as more rows of them.

`loihi.run.classify` and users lay cells out with it.

A neuron of a memory receives ``E x``, the coordinate that it encodes.  A hidden unit
receives ``w m + b = (w U) x + b`` and is therefore laid out alike: weights ``w U A' D``
from the memory's neurons and ``w U B'`` from the pulses, through the same synapse, on
cores of its own.  Each memory of a cell has its own neurons, cores and pulses, and the
units hear them all.

::

    input -> pulses (host) ==> memory (cores) ==> units (cores) -> read on the host
                     |           ^      |           ^  ^
                     |           +- W --+           |  +== of other memories
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
from lmu_spiking.lmu.forward import encode
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.loihi.chip.integers import target_name
from lmu_spiking.loihi.chip.limits import CORE, most_on_core
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.chip.upstream import place
from lmu_spiking.loihi.mapping.curves import LEAST, Cells, chip_neurons
from lmu_spiking.loihi.mapping.layout import Layout, lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory, connect, widened
from lmu_spiking.loihi.mapping.stage import Stage, make_stage
from lmu_spiking.networks.blockwise import AsBuilt
from lmu_spiking.networks.cell import steps_of
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, LOIHI_RELU, ChipUnits
from lmu_spiking.tasks.sequences import check_lengths, within

TAU = 0.1  # seconds
APART = 0.3  # how far apart the gains of copies are, either way
SEQUENCES = 8  # that the memories' neurons are measured on, each after a blank window
APART_SEEDS = 1000  # from the seed of one memory to the next


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
        Neurons, and their weights from the memories' neurons and from the pulses.
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
    memories : tuple of Layout
    units : Units
    start, width : float
        Spikes count from ``start`` seconds after the end of a sequence, for ``width``.
    """

    params: LMUParams
    presentation: float
    memories: tuple[Layout, ...]
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
        """Return the number of neurons, of the memories and the units."""
        return self.memory_neurons + len(self.units.unit)

    @property
    def memory_neurons(self) -> int:
        """Return the number of neurons of all memories."""
        return sum(memory.n_neurons for memory in self.memories)

    @property
    def dt(self) -> float:
        """Return the step, seconds."""
        return self.memories[0].dt

    @property
    def tau(self) -> float:
        """Return the synapse as asked for, seconds."""
        return self.memories[0].tau

    def window(self, samples):
        """Return the steps, first and end, whose spikes are read.

        The input of step ``k`` arrives at step ``k + 1``.

        Parameters
        ----------
        samples : int, or (n,) ndarray of int
            Of a sequence, or of each.

        Returns
        -------
        first, end : int, or (n,) ndarray of int
            The last is not read.
        """
        dt = self.dt
        end = samples * steps_of(self.presentation, dt) + round(self.start / dt)
        return end, end + round(self.width / dt)

    def drive(self, x: np.ndarray, lengths=None) -> np.ndarray:
        """Return the memories' inputs for sequences, 0 after the last sample of each.

        Parameters
        ----------
        x : (n, T, c) array_like
        lengths : (n,) array_like of int, optional
            Samples of each; all ``T`` by default.

        Returns
        -------
        (n, steps, k) ndarray
            Up to the end of reading the longest.
        """
        u = played(self.cell, np.asarray(x, dtype=float), lengths)
        longest = u.shape[1] if lengths is None else int(np.max(lengths))
        u = np.repeat(u, steps_of(self.presentation, self.dt), axis=1)
        end = self.window(longest)[1]
        blank = max(0, end - u.shape[1])
        return np.pad(u, ((0, 0), (0, blank), (0, 0)))[:, :end]

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
    lengths=None,
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
        One feedforward cell with the activation of a chip.
    x : (n, T, c) array_like
        Training sequences: what the memories are to represent.
    lengths : (n,) array_like of int, optional
        Samples of each; all ``T`` by default.
    n_neurons : int
        Of all memories together, which have as many each.
    copies : int
        Neurons of each hidden unit.
    presentation : float
        Seconds for each sample; the window is stretched with it.
    target : {"core", "simreal", "emulator", "board"}
    tau, dt : float
        Synapse (.1 s by default) and step, seconds.
    neuron_type : {"if", "lif"} or nengo.neurons.NeuronType
        Of the memories.
    max_rate : float, optional
        Of the memories' neurons, Hz.
    block : int, optional
        Neurons of a memory on a core.
    start, width : float
        Spikes are read from ``start`` seconds after the end, for ``width`` seconds; by
        default for one sample, half of it before the end.
    seed : int
        Draws curves, gains and the order of rounding.

    Returns
    -------
    CellLayout
        The memories and the units, with their weights on the target.

    Raises
    ------
    ValidationError
        If the chip cannot have what the parameters have, or a memory hears nothing in
        the training sequences.
    """
    params = params.folded()  # what normalises the input becomes e_x and b_u
    target, cell = target_name(target), check_cell(params)
    copies = check_whole("lay_out_cell.copies", copies, 1)
    presentation = check_positive("lay_out_cell.presentation", presentation, "seconds")
    steps_of(presentation, dt)
    x = np.asarray(x, dtype=float)
    ends = check_lengths("lay_out_cell.lengths", lengths, *x.shape[:2])
    tau = TAU if tau is None else tau
    ldn = LDN(cell.order, cell.theta * presentation / params.dt)
    n_neurons = check_size(n_neurons, cell)
    # the memories, measured on some of the sequences, for what the cell reads from them
    last = bool(params.header.get("last", True))
    use = calibrate(params, x, last=last, lengths=ends)[0]
    options = {"target": target, "tau": tau, "dt": dt, "block": block}
    options |= {} if max_rate is None else {"max_rate": max_rate}
    options |= {"readouts": use.readouts}
    inputs = played(cell, x, ends)
    largest = np.abs(inputs).max(axis=(0, 1))
    signals = _some(inputs, ends, steps_of(presentation, dt), ldn.steps(dt))
    neurons, memories = chip_neurons(neuron_type, target), []
    for k, n in enumerate(_shares(n_neurons, cell.memory_d)):
        if not inputs[..., k].any():
            problem = "hears nothing in the training sequences: its input is 0 there"
            remedy = "leave out channels that never change"
            raise ValidationError("lay_out_cell.params.memory", k, problem, remedy)
        options |= {"signal": signals[:, k], "input_range": float(largest[k])}
        options["seed"] = (seed + k * APART_SEEDS) % 2**32
        memories.append(lay_out(ldn, n, neurons, **options))
    # the units, and when their spikes are read
    rng = np.random.RandomState(seed + 1)
    units = lay_out_units(cell, tuple(memories), copies, rng)
    width = presentation if width is None else width
    start = -width / 2 if start is None else start
    return CellLayout(params, presentation, tuple(memories), units, start, width)


def check_size(n_neurons: int, cell: CellParams) -> int:
    """Return the neurons of all memories, or raise a ValidationError for few or many.

    Parameters
    ----------
    n_neurons : int
    cell : CellParams

    Returns
    -------
    int
    """
    n_neurons = check_whole("lay_out_cell.n_neurons", n_neurons, 1)
    k, d = cell.memory_d, cell.order
    least, most = LEAST * k * d, CORE.in_axons - 2 * PAIRS * k
    problem = remedy = ""
    if n_neurons < least:
        problem = f"is less than {LEAST} for each of {d} coefficients"
        problem, remedy = f"{problem} of {k} memories", f"use at least {least}"
    if n_neurons > most or least > most:  # the units hear them all
        problem = f"and {2 * PAIRS * k} of pulses exceed the {CORE.in_axons} in-axons"
        problem, remedy = f"{problem} of a core of units", f"use at most {most}"
    if least > most:
        remedy = "train with a lower order or fewer memories (mix the channels)"
    if problem:
        raise ValidationError("lay_out_cell.n_neurons", n_neurons, problem, remedy)
    return n_neurons


def _shares(n: int, k: int) -> list[int]:
    """Return the neurons of each of ``k`` memories, ``n`` in all."""
    return [n // k + (i < n % k) for i in range(k)]


def _some(u: np.ndarray, ends, p: int, blank: int) -> np.ndarray:
    """Return a few of the inputs (n, T, k) one after the other, each after a blank.

    Samples are held for ``p`` steps; what lies past the ``ends`` is left out.
    """
    every = max(1, len(u) // SEQUENCES)
    ends = np.full(len(u), u.shape[1]) if ends is None else ends
    parts = []
    # also those in which a memory hears most, that others may hear nothing in
    loudest = np.abs(u).max(axis=1).argmax(axis=0)
    shown = list(range(0, len(u), every))[:SEQUENCES]
    silent = [k for k in range(u.shape[2]) if not u[shown, :, k].any()]
    shown += sorted({int(loudest[k]) for k in silent})
    for each, end in ((u[i], ends[i]) for i in shown):
        parts += [np.zeros((blank, u.shape[2])), np.repeat(each[:end], p, axis=0)]
    return np.concatenate(parts)


def lay_out_units(
    cell: CellParams, memories: tuple[Layout, ...], copies: int, rng
) -> Units:
    """Lay hidden units out beside memories, ``copies`` neurons for each.

    Parameters
    ----------
    cell : CellParams
    memories : tuple of Layout
        In the order of the cell's.
    copies : int
        Neurons of each unit.
    rng : numpy.random.RandomState

    Returns
    -------
    Units
    """
    first, chip = memories[0], cast(ChipUnits, cell.chip)
    n = cell.units * copies
    unit = np.repeat(np.arange(cell.units), copies)
    # copies of a unit side by side, with gains apart so that they do not spike together
    apart = np.linspace(1 - APART, 1 + APART, copies) if copies > 1 else np.ones(1)
    apart = np.tile(apart, cell.units)
    # neurons with the rates of the activation
    kind, times = "if", {}
    if cell.activation != LOIHI_RELU:
        kind, times = "lif", {"tau_rc": chip.tau_rc, "tau_ref": chip.tau_ref}
    neurons = chip_neurons(kind, first.target, **times)
    gain, bias = chip.gain_bias(cell.activation)
    b = np.zeros(cell.units) if cell.b is None else cell.b
    cells = Cells(neurons, gain * apart, gain * apart * b[unit] + bias)
    # weights from the neurons of each memory and from its input
    exact, columns = [], []
    for memory, W in zip(memories, np.split(cell.W_m, len(memories), 1), strict=True):
        curves, mapped = memory.curves, memory.mapped
        rows = (W @ curves.U)[unit]
        around = curves.T @ mapped.A @ curves.U
        exact.append(rows @ around @ memory.decoding.decoders)
        columns.append(rows @ (curves.T @ mapped.B))
    heard = sum(memory.n_neurons + 2 * PAIRS for memory in memories)
    block = most_on_core(heard)
    block = -(-n // -(-n // block))
    rest = tuple(memory.decoding for memory in memories), first.tau, block, rng
    weights = np.hstack(exact), np.hstack(columns)
    ranges = np.array([memory.input_range for memory in memories])
    stage = make_stage(first, cells, *weights, *rest, input_range=ranges)
    return Units(unit, apart, stage)


def check_cell(params: LMUParams) -> CellParams:
    """Return the one cell, or raise a ValidationError if the chip cannot have it.

    Parameters
    ----------
    params : LMUParams

    Returns
    -------
    CellParams
    """
    recipe = "lmu-spiking train my.npz --chip"

    def refuse(name: str, value, problem: str, remedy: str):
        raise ValidationError(f"lay_out_cell.params.{name}", value, problem, remedy)

    if len(params.cells) != 1:
        problem = "are more than the chip pass lays out"
        refuse("cells", len(params.cells), problem, f"train one cell: {recipe}")
    cell = params.cells[0]
    for name in ("e_h", "e_m", "W_h"):
        if getattr(cell, name) is not None:
            problem = "goes back a sample, which the chip's neurons do not remember"
            remedy = f"train without it: connections='', or {recipe}"
            refuse(name, np.shape(getattr(cell, name)), problem, remedy)
    if cell.W_x is not None:
        problem = "needs the input without the memory's synapse"
        remedy = f"train without it, for the memory has the input, too: {recipe}"
        refuse("W_x", cell.W_x.shape, problem, remedy)
    if cell.activation not in CHIP_ACTIVATIONS:
        problem = "is none that the chip's neurons have"
        remedy = f"train with activation={LOIHI_RELU!r}, or {recipe}"
        refuse("activation", cell.activation, problem, remedy)
    return cell


def played(cell: CellParams, x: np.ndarray, lengths=None) -> np.ndarray:
    """Return the memories' inputs ``e_x x + b_u``, 0 past the end of each sequence.

    Parameters
    ----------
    cell : CellParams
    x : (n, T, c) ndarray
    lengths : (n,) array_like of int, optional
        All ``T`` by default.

    Returns
    -------
    (n, T, k) ndarray
    """
    u = encode(cell, x)
    return u if lengths is None else u * within(lengths, x.shape[1])[..., None]


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
        The memories' inputs, ``e_x x + b_u``: `CellLayout.drive`.
    memories : tuple of ChipMemory
    units : nengo.Ensemble
        Hidden units, ``copies`` neurons each, driven and read through ``.neurons``.
    spikes : nengo.Probe
        Of the units; `CellLayout.outputs` reads them.
    """

    def __init__(
        self, layout: CellLayout, label=None, seed=None, add_to_container=None
    ):
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        self.layout, stage = layout, layout.units.stage
        cells, width = stage.curves, stage.inputs.shape[1] // len(layout.memories)
        with self:
            self.input = nengo.Node(size_in=len(layout.memories), label="input")
            self.memories = tuple(
                ChipMemory(memory, label="memory", pulses=width)
                for memory in layout.memories
            )
            given = {"gain": cells.gain, "bias": cells.bias, "label": "units"}
            self.units = driven(len(cells.gain), cells.neurons, **given)
            # each memory with its input, and the units with all of them
            each = zip(self.memories, stage.sources(), strict=True)
            for k, (memory, (columns, of_input)) in enumerate(each):
                nengo.Connection(self.input[k], memory.input, synapse=None)
                source = memory.input
                if memory.pulses is not None:
                    place(self.units, block=stage.block)
                    source = memory.pulses.neurons
                inputs = widened(stage.inputs[:, of_input], source.size_out)
                connect(source, self.units, inputs, layout.tau)
                spikes = memory.neurons.neurons
                connect(spikes, self.units, stage.weights[:, columns], layout.tau)
            self.spikes = nengo.Probe(self.units.neurons, label="unit spikes")
        self.built()
