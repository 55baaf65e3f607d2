r"""What a target does to numbers: how currents decay, and when neurons spike.

Loihi stores a synaptic current and a voltage for every compartment.  In step ``k``

.. math::

    I_k = a I_{k-1} + (1 - a)\, W s_{k-1}, \qquad
    V_k = b V_{k-1} + c\,(I_k + \beta), \qquad s_k = [V_k > \vartheta],

and a spike sets ``V`` to 0: what exceeded the threshold is lost, so that intervals are
whole steps and rates ``1 / (T + dt/2)`` on average where Nengo has ``1 / T``.  The chip
and its emulator store ``a`` and ``b`` in 12 bits: a lowpass of 100 ms is one of 99.4
ms.  Below 0, a voltage goes down to a neuron's ``min_voltage``, on the chip to a power
of two near it, in whole numbers of a core's scale (`replica.rows_in_integers`).
NengoLoihi's "simreal" target has the same structure without that rounding.

`neurons.chip` has the same neuron in floating point, as an activation of hidden units.
Here it serves many neurons at once, in the arithmetic of any target.
"""

from enum import StrEnum
from typing import Any

import nengo
import numpy as np
from nengo.neurons import LIF, NeuronType

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.loihi.chip.limits import INTEGERS

DECAY = 2**INTEGERS.decay_bits  # levels of a decay


class Target(StrEnum):
    """The simulator, emulator or chip that runs a network, such as ``"emulator"``.

    ``"nengo"`` is accepted as another name of ``"core"``, Nengo's reference simulator.
    """

    CORE = "core"
    SIMREAL = "simreal"
    EMULATOR = "emulator"
    BOARD = "board"

    @classmethod
    def _missing_(cls, value):
        if value == "nengo":
            return cls.CORE
        known = ", ".join(map(repr, map(str, cls)))
        raise ValidationError("target", value, "is not a target", f"use one of {known}")

    @property
    def of_nengo_loihi(self) -> str:
        """Return NengoLoihi's name of the target."""
        return {"emulator": "sim", "board": "loihi"}.get(self, str(self))


TARGETS = Target.CORE, Target.SIMREAL, Target.EMULATOR  # that need no board


def target_name(target: Target | str) -> str:
    """Return the plain name of a target, or raise a ValidationError.

    Parameters
    ----------
    target : str
        Name of a `Target`.

    Returns
    -------
    str
    """
    return str(Target(target))


def rounded(target: str) -> bool:
    """Return whether ``target`` computes in the chip's integers.

    Parameters
    ----------
    target : str
        Name of a `Target`.

    Returns
    -------
    bool
    """
    return target in ("emulator", "board")


def check_rounded(attribute: str, target: str, remedy: str = "use 'emulator'") -> None:
    """Raise a ValidationError if ``target`` does not compute in integers.

    Parameters
    ----------
    attribute : str
        Of the message.
    target : str
        Name of a `Target`.
    remedy : str
        Of the message.
    """
    if not rounded(target):
        raise ValidationError(attribute, target, "has no whole numbers", remedy)


def synaptic_decay(tau: float, dt: float, target: str) -> float:
    """Return ``a``, by which a lowpass of ``tau`` seconds decays in a step.

    Parameters
    ----------
    tau : float
        Synapse, seconds.
    dt : float
        Step, seconds.
    target : str
        Name of a `Target`.

    Returns
    -------
    float
    """
    tau = check_positive("synapse", tau, "seconds")
    if not rounded(target):
        return float(np.exp(-dt / tau))
    # NengoLoihi rounds to parts of 4095 (`builder.discretize.discretize_compartment`)
    # and the chip divides by 4096, with an offset of 1 for currents (`decay_int`).
    level = np.round(-np.expm1(-dt / tau) * (DECAY - 1) - 1)
    if level < 1:
        problem = f"decays by less than two of the chip's {DECAY} levels in {dt:g} s"
        remedy = f"use at most {dt * DECAY / 3:.3g} s"
        raise ValidationError("synapse", tau, problem, remedy)
    return float((DECAY - 1 - level) / DECAY)


def effective_tau(tau: float, dt: float, target: str) -> float:
    """Return the time constant, seconds, that ``target`` gives a lowpass of ``tau``.

    Parameters
    ----------
    tau : float
        Synapse, seconds.
    dt : float
        Step, seconds.
    target : str
        Name of a `Target`.

    Returns
    -------
    float
    """
    return float(-dt / np.log(synaptic_decay(tau, dt, target)))


def membrane_decay(tau_rc: float, dt: float, target: str) -> float:
    """Return ``1 - b`` of a leaky membrane of ``tau_rc`` seconds.

    Parameters
    ----------
    tau_rc : float
        Of the membrane, seconds.
    dt : float
        Step, seconds.
    target : str
        Name of a `Target`.

    Returns
    -------
    float
    """
    decay = -np.expm1(-dt / tau_rc)
    if not rounded(target):
        return float(decay)
    # Parts of 4095 over 4096 again, as on the chip.  `neurons.chip.ChipUnits` divides
    # by 4095, for it follows another function, of the rates that NengoLoihi trains
    # with: `nengo_loihi.neurons.discretize_tau_rc`.
    return float(np.round(decay * (DECAY - 1)) / DECAY)


def spikes_of(
    neurons: NeuronType, currents: np.ndarray, dt: float, target: str, rng
) -> np.ndarray:
    """Return the spikes that currents cause, neuron by neuron: no recurrence.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    currents : (T, m) ndarray
        In Nengo's units of the neurons' input, bias included.
    dt : float
        Step, seconds.
    target : str
        The name of a `Target`.
    rng : numpy.random.RandomState
        Draws initial voltages on ``core``; on the chip all are 0.

    Returns
    -------
    (T, m) float32 ndarray
        Spikes in each step.
    """
    if target == "core":
        return _spikes_in_nengo(neurons, currents, dt, rng)
    base, m = base_of(neurons), currents.shape[1]
    voltage, left = np.zeros(m), np.zeros(m, int)
    spikes = np.empty(currents.shape, bool)
    leaky, leak, hold, lowest = hasattr(base, "tau_rc"), 0.0, 0, 0.0
    if leaky:
        leak = membrane_decay(base.tau_rc, dt, target)
        hold, lowest = round(base.tau_ref / dt), getattr(base, "min_voltage", 0.0)
    for current, spiked in zip(currents, spikes, strict=True):
        # integrate, with a leak or without; in place, for many short steps
        voltage += leak * (current - voltage) if leaky else dt * current
        np.maximum(voltage, lowest, out=voltage)
        if hold:
            resting = left > 0
            np.copyto(voltage, 0.0, where=resting)
            left -= resting
        # what exceeds the threshold is lost
        np.greater(voltage, 1.0, out=spiked)
        np.copyto(voltage, 0.0, where=spiked)
        if hold:
            np.copyto(left, hold, where=spiked)
    return spikes.astype(np.float32)


def _spikes_in_nengo(neurons, currents, dt, rng) -> np.ndarray:
    """Return the spikes (T, m) of neurons as Nengo steps them."""
    state = neurons.make_state(currents.shape[1], rng=rng, dtype=float)
    output = np.zeros(currents.shape[1])
    spikes = np.empty(currents.shape, np.float32)
    for k, current in enumerate(currents):
        neurons.step(dt, current.copy(), output, **state)
        spikes[k] = output * dt
    return spikes


def base_of(neurons: NeuronType) -> Any:
    """Return the neurons themselves, or the base type of those that have one.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

    Returns
    -------
    Any
    """
    return getattr(neurons, "base_type", neurons)


def is_leaky(neurons: NeuronType) -> bool:
    """Return whether the membrane leaks: LIF, in any of its forms.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

    Returns
    -------
    bool
    """
    return isinstance(base_of(neurons), (LIF, nengo.LIFRate))
