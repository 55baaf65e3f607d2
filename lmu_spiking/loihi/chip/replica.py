r"""The emulator's arithmetic for a laid-out memory, many inputs at once.

NengoLoihi's emulator delivers spikes one by one, in Python.  Here a step is a product
of whole numbers, and every number is the emulator's: equal spikes, sooner.  It serves
sweeps and benchmarks; tests and each benchmark hold it to the emulator's own spikes.
"""

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.integers import (
    DECAY,
    is_leaky,
    membrane_decay,
    synaptic_decay,
)
from lmu_spiking.loihi.chip.limits import INTEGERS
from lmu_spiking.loihi.chip.pulses import encode
from lmu_spiking.loihi.chip.weights import MANTISSA, Grid, factors
from lmu_spiking.loihi.mapping.input_weights import sizes
from lmu_spiking.loihi.mapping.layout import Layout

INPUT, CURRENT = INTEGERS.accumulator_bits, INTEGERS.current_bits


def replay(layout: Layout, u: np.ndarray) -> np.ndarray:
    """Spikes of the memory on the emulator.

    Parameters
    ----------
    layout : Layout
        Made for the emulator or the board.
    u : (T,) or (B, T) ndarray
        Inputs.

    Returns
    -------
    (T, m) or (B, T, m) bool ndarray
    """
    if layout.target not in ("emulator", "board"):
        raise ValidationError(
            "layout.target", layout.target, "has no whole numbers", "use 'emulator'"
        )
    u = np.asarray(u, dtype=float)
    if u.ndim not in (1, 2) or not u.size or not np.isfinite(u).all():
        raise ValidationError(
            "replay.u", u, "must be finite samples (T,), or (B, T) for many inputs"
        )
    batch = np.atleast_2d(u)
    weights, inputs, threshold, bias = integers(layout)
    pulses = encode(batch / layout.input_range, sizes(inputs.shape[1] // 2))
    compartments = Compartments(
        layout.curves.neurons,
        layout.tau,
        layout.dt,
        len(batch),
        threshold,
        bias,
        lowest_voltages(
            layout.curves, layout.grids, layout.block, layout.tau, layout.dt
        ),
    )
    spikes = np.zeros((batch.shape[1], len(batch), layout.n_neurons), bool)
    for k in range(batch.shape[1]):
        arriving = np.zeros(spikes.shape[1:], np.float32)
        if k > 0:
            arriving = spikes[k - 1].astype(np.float32) @ weights.T
            arriving += pulses[:, k - 1] @ inputs.T
        spikes[k] = compartments.step(arriving)
    spikes = spikes.transpose(1, 0, 2)
    return spikes if u.ndim == 2 else spikes[0]


class Compartments:
    """Currents and voltages of alike neurons on the chip, from rest.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    tau, dt : float
        Synapse and step, seconds.
    batch : int
        Copies of all of them.
    threshold, bias, lowest : (n,) ndarray of int
        ``lowest`` voltages, never above 0.
    """

    def __init__(self, neurons, tau, dt, batch, threshold, bias, lowest=0):
        self.threshold, self.bias, self.lowest = threshold, bias, lowest
        self.kept = round(synaptic_decay(tau, dt, "emulator") * DECAY)
        self.leaky = is_leaky(neurons)
        base = getattr(neurons, "base_type", neurons)
        leak = membrane_decay(base.tau_rc, dt, "emulator") if self.leaky else 0.0
        self.stays = DECAY - round(leak * DECAY)
        self.hold = round(base.tau_ref / dt) if self.leaky else 0
        shape = batch, len(threshold)
        self.current, self.voltage = (
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        self.held = np.zeros(shape, int)

    def step(self, arriving: np.ndarray) -> np.ndarray:
        """Which spike, (B, n) bool, after ``arriving`` (B, n) from synapses."""
        current, voltage = self.current, self.voltage
        current = np.sign(current) * ((np.abs(current) * self.kept) >> 12)
        current = _wrapped(
            current + _wrapped(arriving.astype(np.int64), INPUT), CURRENT
        )
        if self.leaky:
            voltage = np.sign(voltage) * ((np.abs(voltage) * self.stays) >> 12)
        driven = _wrapped(current + self.bias, CURRENT)
        voltage = np.clip(voltage + driven, self.lowest, 2**CURRENT - 1)
        if self.hold:
            voltage[self.held > 0] = 0
        spiked = voltage > self.threshold
        voltage[spiked] = 0
        if self.hold:
            self.held = np.maximum(self.held - 1, 0)
            self.held[spiked] = self.hold
        self.current, self.voltage = current, voltage
        return spiked


def _wrapped(x: np.ndarray, bits: int) -> np.ndarray:
    """What a register of so many bits and a sign keeps: the rest is lost, silently."""
    return ((x + (1 << bits)) & ((2 << bits) - 1)) - (1 << bits)


def integers(layout: Layout):
    """Weights (m, m), inputs (m, 2 K), thresholds (m,) and biases (m,) of the chip."""
    return rows_in_integers(
        layout.curves,
        layout.weights,
        layout.inputs,
        layout.grids,
        layout.block,
        layout.tau,
        layout.dt,
    )


def rows_in_integers(neurons, real, heard, grids, block: int, tau: float, dt: float):
    """The same of any neurons: ``neurons`` has their type, ``gain`` and ``bias``.

    Parameters
    ----------
    real, heard : (n, m), (n, 2 K) ndarray
        Weights from the memory and from the pulses.
    grids : tuple of Grid
        Of each ``block`` neurons.
    """
    weights, inputs = np.zeros(real.shape, np.float32), np.zeros_like(heard)
    threshold, bias = (np.zeros(len(real), np.int64) for _ in range(2))
    scale, limit, membrane = factors(neurons.neurons, tau, dt)
    for k, grid in enumerate(grids):
        rows = slice(k * block, (k + 1) * block)
        gain = neurons.gain[rows, None] / dt
        weights[rows] = _group(real[rows] * gain, grid)
        inputs[rows] = _group(heard[rows] * gain, grid)
        v = scale * _whole(grid)
        threshold[rows] = 64 * np.round(np.round(limit * v) / 64)
        bias[rows] = _bias(np.round(neurons.bias[rows] * v * membrane))
    return weights, inputs.astype(np.float32), threshold, bias


def lowest_voltages(neurons, grids, block: int, tau: float, dt: float) -> np.ndarray:
    """Lowest voltages (n,), which the chip has as powers of two.

    They are up to ``sqrt(2)`` times more or less than ``min_voltage``.
    """
    lowest = np.zeros(len(neurons.gain), np.int64)
    base = getattr(neurons.neurons, "base_type", neurons.neurons)
    least = getattr(base, "min_voltage", 0.0)
    scale, _, _ = factors(neurons.neurons, tau, dt)
    for k, grid in enumerate(grids):
        bits = np.round(np.log2(1 - least * scale * _whole(grid)))
        lowest[k * block : (k + 1) * block] = 1 - 2 ** int(np.clip(bits, 0, 31))
    return lowest


def _whole(grid: Grid) -> float:
    """Whole numbers of current for one unit of it."""
    return MANTISSA / grid.anchor * 2.0 ** (6 + grid.exponent)


def _group(weights: np.ndarray, grid: Grid) -> np.ndarray:
    """A group of synapses in whole numbers, as the chip holds them."""
    largest = np.abs(weights).max()
    if largest < 1e-16:
        return np.zeros_like(weights)
    finer = int(np.floor(np.log2(grid.anchor / largest) + 1e-7))
    exponent = max(grid.exponent - finer, -6)
    mantissa = np.round(weights * MANTISSA / grid.anchor * 2.0**finer / 2)
    mantissa = np.clip(mantissa, -127, 127)
    shift = 1 + exponent
    if shift < 0:
        mantissa = np.round(mantissa * 2.0**shift) / 2.0**shift
        mantissa = np.clip(mantissa, -127, 127)
    return 64 * np.floor(mantissa * 2.0**shift)


def _bias(bias: np.ndarray) -> np.ndarray:
    """Twelve bits and an exponent."""
    exponent = np.ceil(np.log2(np.maximum(np.abs(bias) / (2**12 - 1), 1)))
    return np.round(bias / 2**exponent) * 2**exponent


def replay_cell(layout, u: np.ndarray):
    """Spikes of a cell on the emulator.

    Parameters
    ----------
    layout : CellLayout
        Made for the emulator or the board.
    u : (B, T) ndarray
        What the memory is given: `CellLayout.drive`.

    Returns
    -------
    memory : (B, T, m) bool ndarray
    units : (B, T, n) bool ndarray
        The hidden units' copies.
    """
    memory, units = layout.memory, layout.units
    spikes = replay(memory, u)
    weights, inputs, threshold, bias = rows_in_integers(
        units,
        units.weights,
        units.inputs,
        units.grids,
        units.block,
        memory.tau,
        memory.dt,
    )
    pulses = encode(u / memory.input_range, sizes(inputs.shape[1] // 2))
    compartments = Compartments(
        units.neurons,
        memory.tau,
        memory.dt,
        len(u),
        threshold,
        bias,
        lowest_voltages(units, units.grids, units.block, memory.tau, memory.dt),
    )
    heard = np.zeros((*u.shape, len(threshold)), bool)
    arriving = np.zeros((len(u), len(threshold)), np.float32)
    for k in range(u.shape[1]):
        if k > 0:
            arriving = spikes[:, k - 1].astype(np.float32) @ weights.T
            arriving += pulses[:, k - 1] @ inputs.T
        heard[:, k] = compartments.step(arriving)
    return spikes, heard
