r"""What a target does to numbers: how currents decay, and when neurons spike.

Loihi keeps a synaptic current and a voltage for every compartment.  In step ``k``

.. math::

    I_k = a I_{k-1} + (1 - a)\, W s_{k-1}, \qquad
    V_k = b V_{k-1} + c\,(I_k + \beta), \qquad s_k = [V_k > \vartheta],

and a spike sets ``V`` to 0: what exceeded the threshold is lost, so that intervals are
whole steps and rates ``1 / (T + dt/2)`` on average where Nengo has ``1 / T``.  The chip
and its emulator hold ``a`` and ``b`` in 12 bits: a lowpass of 100 ms is one of 99.4 ms.
Below 0, a voltage goes down to a neuron's ``min_voltage``, on the chip to a power of
two near it, in whole numbers of a core's scale (`replica.lowest_voltages`).
NengoLoihi's "simreal" target has the same structure without that rounding.
"""

import nengo
import numpy as np
from nengo.neurons import LIF, NeuronType

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.loihi.chip.limits import INTEGERS

TARGETS = ("core", "simreal", "emulator", "board")
DECAY = 2**INTEGERS.decay_bits  # levels of a decay


def rounded(target: str) -> bool:
    """Whether ``target`` computes in the chip's integers."""
    return target in ("emulator", "board")


def synaptic_decay(tau: float, dt: float, target: str) -> float:
    """``a``, by which a lowpass of ``tau`` seconds decays in a step of ``target``."""
    tau = check_positive("synapse", tau, "seconds")
    if not rounded(target):
        return float(np.exp(-dt / tau))
    level = np.round(-np.expm1(-dt / tau) * (DECAY - 1) - 1)
    a = (DECAY - 1 - max(level, 0.0)) / DECAY
    if level < 1:
        raise ValidationError(
            "synapse",
            tau,
            f"decays by less than two of the chip's {DECAY} levels in {dt:g} s",
            f"use at most {dt * DECAY / 3:.3g} s",
        )
    return float(a)


def effective_tau(tau: float, dt: float, target: str) -> float:
    """The time constant, seconds, that ``target`` gives a lowpass of ``tau``."""
    return float(-dt / np.log(synaptic_decay(tau, dt, target)))


def membrane_decay(tau_rc: float, dt: float, target: str) -> float:
    """``1 - b`` of a leaky membrane of ``tau_rc`` seconds."""
    decay = -np.expm1(-dt / tau_rc)
    return float(np.round(decay * (DECAY - 1)) / DECAY if rounded(target) else decay)


def spikes_of(
    neurons: NeuronType, currents: np.ndarray, dt: float, target: str, rng
) -> np.ndarray:
    """Spikes that currents cause, neuron by neuron: no recurrence.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    currents : (T, m) ndarray
        In Nengo's units of the neurons' input, bias included.
    dt : float
        Step, seconds.
    target : str
        One of `TARGETS`.
    rng : numpy.random.RandomState
        Draws initial voltages on ``core``; on the chip all are 0.

    Returns
    -------
    (T, m) float32 ndarray
        Spikes in each step.
    """
    if target == "core":
        return _nengo(neurons, currents, dt, rng)
    if hasattr(neurons, "chip_spikes"):
        return neurons.chip_spikes(currents, dt, rng)
    base = getattr(neurons, "base_type", neurons)
    if hasattr(base, "tau_rc"):
        return _leaky(base, currents, dt, target)
    return _integrating(currents, dt)


def _nengo(neurons, currents, dt, rng):
    state = neurons.make_state(currents.shape[1], rng=rng, dtype=float)
    output = np.zeros(currents.shape[1])
    spikes = np.empty(currents.shape, np.float32)
    for k, current in enumerate(currents):
        neurons.step(dt, current.copy(), output, **state)
        spikes[k] = output * dt
    return spikes


def _integrating(currents, dt):
    voltage = np.zeros(currents.shape[1])
    spikes, rise = np.empty(currents.shape, bool), np.empty_like(voltage)
    for current, spiked in zip(currents, spikes, strict=True):
        np.multiply(current, dt, out=rise)
        voltage += rise
        np.maximum(voltage, 0.0, out=voltage)
        np.greater(voltage, 1.0, out=spiked)
        np.copyto(voltage, 0.0, where=spiked)
    return spikes.astype(np.float32)


def _leaky(neurons, currents, dt, target):
    leak = membrane_decay(neurons.tau_rc, dt, target)
    hold = round(neurons.tau_ref / dt)
    lowest = getattr(neurons, "min_voltage", 0.0)
    voltage, left = np.zeros(currents.shape[1]), np.zeros(currents.shape[1], int)
    rise, refractory = np.empty_like(voltage), np.empty(currents.shape[1], bool)
    spikes = np.empty(currents.shape, bool)
    for current, spiked in zip(currents, spikes, strict=True):
        np.subtract(current, voltage, out=rise)
        rise *= leak
        voltage += rise
        np.maximum(voltage, lowest, out=voltage)
        np.greater(left, 0, out=refractory)
        np.copyto(voltage, 0.0, where=refractory)
        np.greater(voltage, 1.0, out=spiked)
        np.copyto(voltage, 0.0, where=spiked)
        left -= refractory
        np.copyto(left, hold, where=spiked)
    return spikes.astype(np.float32)


def is_leaky(neurons: NeuronType) -> bool:
    """Whether the membrane leaks: LIF, in any of its forms."""
    base = getattr(neurons, "base_type", neurons)
    return isinstance(base, (LIF, nengo.LIFRate))
