r"""The emulator's arithmetic for a laid-out memory, many inputs at once.

NengoLoihi's emulator delivers spikes one by one, in Python.  Here a step is a product
of whole numbers, and every number is the emulator's: equal spikes, dozens of times
faster.  It serves sweeps; results are shown on the emulator itself.
"""

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.arithmetic import DECAY, is_leaky, membrane_decay, synaptic_decay
from lmu_spiking.loihi.layout import Layout
from lmu_spiking.loihi.pulses import encode
from lmu_spiking.loihi.scaling import MANTISSA, Grid, factors


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
    neurons = layout.curves.neurons
    kept = round(synaptic_decay(layout.tau, layout.dt, "emulator") * DECAY)
    leaky = is_leaky(neurons)
    base = getattr(neurons, "base_type", neurons)
    leak = membrane_decay(base.tau_rc, layout.dt, "emulator") if leaky else 0.0
    stays = DECAY - round(leak * DECAY)
    hold = round(base.tau_ref / layout.dt) if leaky else 0
    pulses = encode(batch / layout.input_range, inputs.shape[1] // 2)
    shape = len(batch), layout.n_neurons
    current, voltage = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    held, spiked = np.zeros(shape, int), np.zeros(shape, np.float32)
    spikes = np.zeros((batch.shape[1], *shape), bool)
    for k in range(batch.shape[1]):
        arriving = spiked @ weights.T
        if k > 0:
            arriving += pulses[:, k - 1] @ inputs.T
        current = np.sign(current) * ((np.abs(current) * kept) >> 12)
        current += arriving.astype(np.int64)
        if leaky:
            voltage = np.sign(voltage) * ((np.abs(voltage) * stays) >> 12)
        voltage = np.clip(voltage + current + bias, 0, 2**23 - 1)
        voltage[held > 0] = 0
        spikes[k] = voltage > threshold
        voltage[spikes[k]] = 0
        held = np.maximum(held - 1, 0)
        held[spikes[k]] = hold
        spiked = spikes[k].astype(np.float32)
    spikes = spikes.transpose(1, 0, 2)
    return spikes if u.ndim == 2 else spikes[0]


def integers(layout: Layout):
    """Weights (m, m), inputs (m, 2 K), thresholds (m,) and biases (m,) of the chip."""
    curves, m = layout.curves, layout.n_neurons
    weights, inputs = np.zeros((m, m), np.float32), np.zeros_like(layout.inputs)
    threshold, bias = np.zeros(m, np.int64), np.zeros(m, np.int64)
    scale, limit, membrane = factors(curves.neurons, layout.tau, layout.dt)
    for k, grid in enumerate(layout.grids):
        rows = slice(k * layout.block, (k + 1) * layout.block)
        gain = curves.gain[rows, None] / layout.dt
        weights[rows] = _group(layout.weights[rows] * gain, grid)
        inputs[rows] = _group(layout.inputs[rows] * gain, grid)
        v = scale * MANTISSA / grid.anchor * 2.0 ** (6 + grid.exponent)
        threshold[rows] = 64 * np.round(np.round(limit * v) / 64)
        bias[rows] = _bias(np.round(curves.bias[rows] * v * membrane))
    return weights, inputs.astype(np.float32), threshold, bias


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
