r"""The emulator's arithmetic for a laid-out memory, many inputs at once.

NengoLoihi's emulator delivers spikes one by one, in Python.  Here a step is a product
of whole numbers, and every number is the emulator's: equal spikes, sooner.  It serves
sweeps and benchmarks; tests and each benchmark hold it to the emulator's own spikes.
"""

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.integers import (
    DECAY,
    base_of,
    check_rounded,
    is_leaky,
    membrane_decay,
    synaptic_decay,
)
from lmu_spiking.loihi.chip.limits import INTEGERS
from lmu_spiking.loihi.chip.pulses import encode, sizes
from lmu_spiking.loihi.chip.weights import MANTISSA, Grid, factors
from lmu_spiking.loihi.mapping.layout import Layout
from lmu_spiking.loihi.mapping.stage import Stage

INPUT, CURRENT = INTEGERS.accumulator_bits, INTEGERS.current_bits


def replay(layout: Layout, u: np.ndarray) -> np.ndarray:
    """Return the spikes of the memory on the emulator.

    Parameters
    ----------
    layout : Layout
        Made for the emulator or the board, without decode neurons.
    u : (T,) or (B, T) ndarray
        Inputs.

    Returns
    -------
    (T, m) or (B, T, m) bool ndarray
        Whether a neuron spikes in a step.

    Raises
    ------
    ValidationError
        If the layout is for another target, or the inputs are not finite samples.
    """
    check_rounded("layout.target", layout.target)
    stage, *others = layout.stages
    if others:
        problem, remedy = "have decode neurons", "use deploy, or structure='weights'"
        raise ValidationError("layout.stages", 1 + len(others), problem, remedy)
    u = np.asarray(u, dtype=float)
    if u.ndim not in (1, 2) or not u.size or not np.isfinite(u).all():
        problem = "must be finite samples (T,), or (B, T) for many inputs"
        raise ValidationError("replay.u", u, problem)
    spikes = _replay_stage(stage, (layout,), np.atleast_2d(u)[..., None])
    return spikes if u.ndim == 2 else spikes[0]


def replay_cell(layout, u: np.ndarray):
    """Return the spikes of a cell on the emulator.

    Parameters
    ----------
    layout : CellLayout
        Made for the emulator or the board.
    u : (B, T, k) ndarray
        The memories' inputs: `CellLayout.drive`.

    Returns
    -------
    memory : (B, T, m) bool ndarray
        Of all memories, one after the other.
    units : (B, T, n) bool ndarray
        The hidden units' copies.
    """
    each = [replay(memory, u[..., k]) for k, memory in enumerate(layout.memories)]
    spikes = np.concatenate(each, axis=2)
    return spikes, _replay_stage(layout.units.stage, layout.memories, u, spikes)


def _replay_stage(stage: Stage, layouts, u, sent=None) -> np.ndarray:
    """Return the spikes (B, T, n) of a stage that receives others', or its own.

    ``u`` (B, T, k) are the inputs of the memories that it hears, ``layouts`` theirs.
    """
    dt = layouts[0].dt
    weights, inputs, threshold, bias, lowest = rows_in_integers(stage, dt)
    # the inputs as pulses, in the columns of the weights
    kinds = sizes(inputs.shape[1] // (2 * len(layouts)))
    each = zip(np.moveaxis(u, 2, 0), layouts, strict=True)
    sent_in = [encode(values / one.input_range, kinds) for values, one in each]
    pulses = np.concatenate(sent_in, axis=2)
    spikes = np.zeros((*u.shape[:2], len(threshold)), bool)
    sent = spikes if sent is None else sent
    # what currents and voltages keep in a step, in parts of 4096, and the time of rest
    base = base_of(stage.curves.neurons)
    leaky, stays, rest = is_leaky(base), DECAY, 0
    kept = round(synaptic_decay(stage.tau, dt, "emulator") * DECAY)
    if leaky:
        stays -= round(membrane_decay(base.tau_rc, dt, "emulator") * DECAY)
        rest = round(base.tau_ref / dt)
    current, voltage, left = np.zeros((3, len(u), len(threshold)), np.int64)
    for k in range(u.shape[1]):
        # currents and voltages decay, each rounded towards 0
        current = np.sign(current) * ((np.abs(current) * kept) >> 12)
        if leaky:
            voltage = np.sign(voltage) * ((np.abs(voltage) * stays) >> 12)
        if k > 0:  # spikes and pulses arrive a step later
            arriving = sent[:, k - 1].astype(np.float32) @ weights.T
            arriving += pulses[:, k - 1] @ inputs.T
            arriving = _wrapped(arriving.astype(np.int64), INPUT)
            current = _wrapped(current + arriving, CURRENT)
        driven = _wrapped(current + bias, CURRENT)
        voltage = np.clip(voltage + driven, lowest, 2**CURRENT - 1)
        # spikes, and the steps in which a neuron rests after one
        voltage[left > 0] = 0
        spiked = voltage > threshold
        voltage[spiked] = 0
        left = np.maximum(left - 1, 0)
        left[spiked] = rest
        spikes[:, k] = spiked
    return spikes


def _wrapped(x: np.ndarray, bits: int) -> np.ndarray:
    """Return what a register of so many bits and a sign stores; the rest is lost."""
    return ((x + (1 << bits)) & ((2 << bits) - 1)) - (1 << bits)


def rows_in_integers(stage: Stage, dt: float):
    """Return a stage in the chip's integers.

    Parameters
    ----------
    stage : Stage
    dt : float
        Step, seconds.

    Returns
    -------
    weights, inputs : (n, m), (n, 2 K) float32 ndarray
        From the neurons that it hears and from the pulses.
    threshold, bias, lowest : (n,) int ndarray
        The last are the lowest voltages, which the chip has as powers of two: up to
        ``sqrt(2)`` times more or less than ``min_voltage``.
    """
    cells = stage.curves
    weights, inputs = np.zeros(stage.weights.shape, np.float32), stage.inputs * 0.0
    threshold, bias, lowest = np.zeros((3, len(weights)), np.int64)
    scale, limit, membrane = factors(cells.neurons, stage.tau, dt)
    least = getattr(base_of(cells.neurons), "min_voltage", 0.0)
    for rows, grid in stage.cores():
        gain = cells.gain[rows, None] / dt
        for columns, pulses in stage.sources():
            weights[rows, columns] = _group(stage.weights[rows, columns] * gain, grid)
            inputs[rows, pulses] = _group(stage.inputs[rows, pulses] * gain, grid)
        v = scale * (MANTISSA / grid.anchor * 2.0 ** (6 + grid.exponent))
        threshold[rows] = 64 * np.round(np.round(limit * v) / 64)
        # a bias has twelve bits and an exponent
        real = np.round(cells.bias[rows] * v * membrane)
        exponent = np.ceil(np.log2(np.maximum(np.abs(real) / (2**12 - 1), 1)))
        bias[rows] = np.round(real / 2**exponent) * 2**exponent
        bits = np.round(np.log2(1 - least * v))
        lowest[rows] = 1 - 2 ** int(np.clip(bits, 0, 31))
    return weights, inputs.astype(np.float32), threshold, bias, lowest


def _group(weights: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a group of synapses in whole numbers, as the chip stores them."""
    largest = np.abs(weights).max()
    if largest < 1e-16:
        return np.zeros_like(weights)
    # a group has an exponent of its own, at most that of the core
    finer = int(np.floor(np.log2(grid.anchor / largest) + 1e-7))
    shift = 1 + max(grid.exponent - finer, INTEGERS.weight_exponent_min)
    mantissa = np.round(weights * MANTISSA / grid.anchor * 2.0**finer / 2)
    mantissa = np.clip(mantissa, -127, 127)
    if shift < 0:  # bits are lost
        mantissa = np.round(mantissa * 2.0**shift) / 2.0**shift
        mantissa = np.clip(mantissa, -127, 127)
    return 64 * np.floor(mantissa * 2.0**shift)
