"""Neurons of a Loihi chip, simulated in Nengo: their rates and their spikes.

Those that spike are kinds of Nengo's own integrate-and-fire neurons, as which
NengoLoihi puts them on the chip.
"""

from dataclasses import asdict, dataclass

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import Parameter

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.neurons.types import UnitRate

# --------------------------------------------------------------------------------------
# Rates that neurons have on a Loihi chip, as activations of hidden units.
#
# A chip's neuron spikes in whole steps and is then set to 0, whatever it had too much,
# so that at a constant drive its intervals are rounded up to whole steps.  An
# integrating neuron whose drive is ``J`` hertz, and a leaky one whose drive is ``J``
# thresholds, have
#
# .. math::
#
#     r(J) = \frac{1}{\Delta \lceil T(J) / \Delta \rceil}, \qquad
#     T = \frac{1}{J} \quad\text{or}\quad
#     T = \tau_{ref} + \tau_{rc} \log\Bigl(1 + \frac{1}{J - 1}\Bigr),
#
# ``\Delta`` the step of the chip: a staircase.  Through its middle goes the smooth
# curve ``1 / (T + \Delta / 2)``, whose slope training takes in place of the staircase's
# own, which is 0 [1]_.
#
# A unit of the model is ``h = r(J) / r_max``, with ``J`` such that the interval is that
# of ``r_max`` where the unit's own drive is 1, and infinite where it is 0.
#
# References
# ----------
# .. [1] Hunsberger (2018). Spiking Deep Neural Networks. PhD thesis, Waterloo.


LOIHI_RELU, LOIHI_LIF = CHIP_ACTIVATIONS = ("loihi-relu", "loihi-lif")
# The leak's register has 12 bits, ``round(4095 leak)``.  The *rates* of nengo-loihi 1.1
# (`nengo_loihi.neurons.discretize_tau_rc`), which training uses, take it as that many
# parts of 4,095.  The emulator, as the chip, leaks so many parts of 4,096 in a step
# (`nengo_loihi.builder.discretize.decay_int`): `loihi.chip.integers` follows those.
LEAK = 2**12 - 1


@dataclass(frozen=True)
class ChipUnits:
    """The settings of a chip's neurons that their rates depend on.

    Parameters
    ----------
    max_rate : float
        Rate of a unit whose activity is 1, Hz; nothing is clipped beyond.
    dt : float
        Step of the chip, seconds; not that of the samples.
    tau_rc, tau_ref : float
        Leak and refractory time of ``loihi-lif``, seconds.

    Raises
    ------
    ValidationError
        If a number is not positive, or ``max_rate`` is more than the chip can do.
    """

    max_rate: float = 200.0
    dt: float = 0.001
    tau_rc: float = 0.02
    tau_ref: float = 0.001

    def __post_init__(self):
        for name, unit in (("max_rate", "Hz"), ("dt", "s"), ("tau_rc", "s")):
            number = check_positive(f"ChipUnits.{name}", getattr(self, name), unit)
            object.__setattr__(self, name, number)
        if self.tau_ref != 0:
            check_positive("ChipUnits.tau_ref", self.tau_ref, "s, or 0")
        object.__setattr__(self, "tau_ref", float(self.tau_ref))
        if not 0 < self._leak < 1:
            problem = f"is no leak of the chip's 12 bits at steps of {self.dt:g} s"
            remedy = f"use {self.dt:g} to {LEAK * self.dt:g}"
            raise ValidationError("ChipUnits.tau_rc", self.tau_rc, problem, remedy)
        rate, shortest = self.max_rate, max(self.dt, self.ref)
        if rate * shortest >= 1:
            problem = f"leaves no time to integrate in intervals of {1 / rate:g} s"
            remedy = f"use less than {1 / shortest:g} Hz"
            raise ValidationError("ChipUnits.max_rate", rate, problem, remedy)

    @property
    def _leak(self) -> float:
        """Return the part of the voltage that leaks in a step."""
        return np.round(-np.expm1(-self.dt / self.tau_rc) * LEAK) / LEAK

    @property
    def rc(self) -> float:
        """Return ``tau_rc`` of the leak as the chip has it, in 12 bits; seconds."""
        return float(-self.dt / np.log1p(-self._leak))

    @property
    def ref(self) -> float:
        """Return ``tau_ref`` in whole steps, seconds."""
        return float(self.dt * np.round(self.tau_ref / self.dt))

    def gain_bias(self, activation: str) -> tuple[float, float]:
        """Return gain and bias that make a unit's drive the neuron's.

        The neuron's drive is ``J = gain a + bias``.

        Parameters
        ----------
        activation : {"loihi-relu", "loihi-lif"}

        Returns
        -------
        gain, bias : float
            Gain in Hz or thresholds, bias in thresholds.
        """
        if activation == LOIHI_RELU:
            return self.max_rate, 0.0
        return float(1 / np.expm1((1 / self.max_rate - self.ref) / self.rc)), 1.0

    def to_dict(self) -> dict[str, float]:
        """Return the settings as plain numbers.

        Returns
        -------
        dict
            By name.
        """
        return asdict(self)


def chip_of(activation: str, chip: ChipUnits | None) -> ChipUnits | None:
    """Return the settings of an activation: the default one if none are given.

    Parameters
    ----------
    activation : str
    chip : ChipUnits, optional
        Refused for an activation that is none of a chip's.

    Returns
    -------
    ChipUnits or None
        None for an activation that is none of a chip's.
    """
    if activation in CHIP_ACTIVATIONS:
        return ChipUnits() if chip is None else chip
    if chip is not None:
        problem = f"means nothing to {activation} units"
        remedy = f"use activation={LOIHI_RELU!r}, or leave it out"
        raise ValidationError("CellParams.chip", chip, problem, remedy)
    return None


def chip_rates(activation: str, chip: ChipUnits, J) -> np.ndarray:
    """Return the rates of neurons, which are a staircase of their drive.

    Parameters
    ----------
    activation : {"loihi-relu", "loihi-lif"}
    chip : ChipUnits
    J : array_like
        Constant drives of the neurons.

    Returns
    -------
    ndarray
        Hz.
    """
    return (1 / chip.dt) / np.ceil(_intervals(activation, chip, J) / chip.dt)


def smooth_rates(activation: str, chip: ChipUnits, J) -> np.ndarray:
    """Return the rates of the curve whose slope stands for that of the staircase.

    Parameters
    ----------
    activation : {"loihi-relu", "loihi-lif"}
    chip : ChipUnits
    J : array_like
        Constant drives of the neurons.

    Returns
    -------
    ndarray
        Hz.
    """
    return 1 / (_intervals(activation, chip, J) + chip.dt / 2)


def chip_activities(activation: str, chip: ChipUnits, a) -> np.ndarray:
    """Return the activities ``h`` of units.

    Parameters
    ----------
    activation : {"loihi-relu", "loihi-lif"}
    chip : ChipUnits
    a : array_like
        Drives of the units.

    Returns
    -------
    ndarray
        Activities, relative to ``max_rate``.
    """
    gain, bias = chip.gain_bias(activation)
    J = gain * np.asarray(a, dtype=float) + bias
    return chip_rates(activation, chip, J) / chip.max_rate


def smooth_slopes(activation: str, chip: ChipUnits, h) -> np.ndarray:
    r"""Return the slope ``dh/da`` of the smooth curve at its activities; 0 at 0.

    With ``r = r_max h`` and ``T = 1/r - \Delta/2`` that is ``(r T)^2``, for
    ``loihi-lif`` ``r^2 tau_rc / (J (J - 1)) gain / r_max``.

    Parameters
    ----------
    activation : {"loihi-relu", "loihi-lif"}
    chip : ChipUnits
    h : array_like
        Activities of the units.

    Returns
    -------
    ndarray
        Slopes of the units.
    """
    h = np.asarray(h, dtype=float)
    slope, fires = np.zeros(h.shape), h > 0
    r = chip.max_rate * h[fires]
    T = 1 / r - chip.dt / 2
    if activation == LOIHI_RELU:
        slope[fires] = (r * T) ** 2
        return slope
    x = (T - chip.ref) / chip.rc  # 1 / (J - 1) = e^x - 1
    gain, _ = chip.gain_bias(activation)
    above = 1 / np.expm1(np.maximum(x, np.finfo(float).tiny))
    curved = r**2 * chip.rc / (above * (1 + above)) * gain / chip.max_rate
    slope[fires] = np.where(x > 0, curved, 0.0)
    return slope


def _intervals(activation: str, chip: ChipUnits, J) -> np.ndarray:
    """Return the intervals ``T(J)``, seconds; infinite for no spikes."""
    integrates = activation == LOIHI_RELU
    above = np.asarray(J, dtype=float) - (0 if integrates else 1)
    T = np.full(above.shape, np.inf)
    inverse = 1.0 / above[above > 0]
    T[above > 0] = inverse if integrates else chip.ref + chip.rc * np.log1p(inverse)
    return T


# -- as neurons of Nengo ---------------------------------------------------------------


class ChipRate(UnitRate):
    """Neurons with the rates ``max_rate h(J)`` of a chip's, at a unit's own drive.

    Parameters
    ----------
    activation : {"loihi-relu", "loihi-lif"}
    chip : ChipUnits
    """

    activation = Parameter("activation", readonly=True)
    chip = Parameter("chip", readonly=True)

    def __init__(self, activation: str, chip: ChipUnits, initial_state=None):
        super().__init__(initial_state)
        self.activation, self.chip = activation, chip

    def step(self, dt, J, output):
        """Compute the rates, Hz, at drives ``J`` of units."""
        h = chip_activities(self.activation, self.chip, J)
        output[...] = self.chip.max_rate * h


class ChipIF(nengo.SpikingRectifiedLinear):
    """A chip's neuron without a leak: a spike in a step resets the voltage to 0.

    Its drive is in Hz.  What the voltage exceeds the threshold by is lost.
    """

    follows = True  # its drive at once, see `neurons.curves.loop_caution`
    state = {"voltage": Choice([0])}  # noqa: RUF012 (as Nengo has it)

    def step(self, dt, J, output, voltage):
        """Compute the spikes of a step: ``1/dt`` or 0."""
        voltage += J * dt
        spikes = voltage > 1
        output[...] = spikes * (self.amplitude / dt)
        voltage[spikes | (voltage < 0)] = 0


class ChipLIF(nengo.LIF):
    """A chip's neuron with a leak, and with a refractory time of whole steps.

    Parameters
    ----------
    tau_rc, tau_ref : float
        As the chip has them, seconds (`ChipUnits.rc` and ``ref``).
    """

    follows = True
    state = dict.fromkeys(("voltage", "refractory_time"), Choice([0]))

    def step(self, dt, J, output, voltage, refractory_time):
        """Compute the spikes of a step: ``1/dt`` or 0."""
        refractory_time -= dt
        active = np.clip(dt - refractory_time, 0, dt)
        voltage -= (J - voltage) * np.expm1(-active / self.tau_rc)
        spikes = voltage > 1
        output[...] = spikes * (self.amplitude / dt)
        voltage[spikes | (voltage < 0)] = 0
        refractory_time[spikes] = self.tau_ref + dt


def integrating(activation: str, chip: ChipUnits) -> nengo.neurons.NeuronType:
    """Return the spiking neurons that have these rates on a chip.

    Parameters
    ----------
    activation : {"loihi-relu", "loihi-lif"}
    chip : ChipUnits

    Returns
    -------
    nengo.neurons.NeuronType
        `ChipIF` or `ChipLIF`.
    """
    if activation == LOIHI_RELU:
        return ChipIF()
    return ChipLIF(tau_rc=chip.rc, tau_ref=chip.ref)
