r"""Rates that neurons have on a Loihi chip, as activations of hidden units.

A chip's neuron spikes in whole steps and is then set to 0, whatever it had too much, so
that at a constant drive its intervals are rounded up to whole steps.  An integrating
neuron whose drive is ``J`` hertz, and a leaky one whose drive is ``J`` thresholds, have

.. math::

    r(J) = \frac{1}{\Delta \lceil T(J) / \Delta \rceil}, \qquad
    T = \frac{1}{J} \quad\text{or}\quad
    T = \tau_{ref} + \tau_{rc} \log\Bigl(1 + \frac{1}{J - 1}\Bigr),

``\Delta`` the step of the chip: a staircase.  Through its middle goes the smooth curve
``1 / (T + \Delta / 2)``, whose slope training takes in place of the staircase's own,
which is 0 [1]_.

A unit of the model is ``h = r(J) / r_max``, with ``J`` such that the interval is that
of ``r_max`` where the unit's own drive is 1, and infinite where it is 0.

References
----------
.. [1] Hunsberger (2018). Spiking Deep Neural Networks. PhD thesis, Waterloo.
"""

from dataclasses import asdict, dataclass

import numpy as np

from lmu_spiking.errors import ValidationError, check_positive

LOIHI_RELU, LOIHI_LIF = CHIP_ACTIVATIONS = ("loihi-relu", "loihi-lif")
LEAK = 2**12 - 1  # the chip's leak is so many parts of 1 (nengo-loihi 1.1, LoihiLIF)


@dataclass(frozen=True)
class ChipUnits:
    """What a chip's rates depend on beside the drive.

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
        ref = self.tau_ref
        if ref != 0:
            ref = check_positive("ChipUnits.tau_ref", ref, "s, or 0")
        object.__setattr__(self, "tau_ref", float(ref))
        if not 0 < self._leak < 1:
            raise ValidationError(
                "ChipUnits.tau_rc",
                self.tau_rc,
                f"is no leak of the chip's 12 bits at steps of {self.dt:g} s",
                f"use {self.dt:g} to {LEAK * self.dt:g}",
            )
        if self.max_rate * max(self.dt, self.ref) >= 1:
            raise ValidationError(
                "ChipUnits.max_rate",
                self.max_rate,
                f"leaves no time to integrate in intervals of {1 / self.max_rate:g} s",
                f"use less than {1 / max(self.dt, self.ref):g} Hz",
            )

    @property
    def _leak(self) -> float:
        return np.round(-np.expm1(-self.dt / self.tau_rc) * LEAK) / LEAK

    @property
    def rc(self) -> float:
        """``tau_rc`` of the leak as the chip has it, in 12 bits."""
        return float(-self.dt / np.log1p(-self._leak))

    @property
    def ref(self) -> float:
        """``tau_ref`` in whole steps."""
        return float(self.dt * np.round(self.tau_ref / self.dt))

    def gain_bias(self, activation: str) -> tuple[float, float]:
        """Those that make a unit's drive the neuron's: ``J = gain a + bias``."""
        if activation == LOIHI_RELU:
            return self.max_rate, 0.0
        return float(1 / np.expm1((1 / self.max_rate - self.ref) / self.rc)), 1.0

    def to_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


def chip_of(activation: str, chip: ChipUnits | None) -> ChipUnits | None:
    """The chip of an activation: the default where none is told, None for others."""
    if activation in CHIP_ACTIVATIONS:
        return ChipUnits() if chip is None else chip
    if chip is not None:
        raise ValidationError(
            "CellParams.chip",
            chip,
            f"means nothing to {activation} units",
            f"use activation={LOIHI_RELU!r}, or leave it out",
        )
    return None


def chip_rates(activation: str, chip: ChipUnits, J) -> np.ndarray:
    """Rates, Hz, of neurons at constant drives ``J``: the staircase."""
    return (1 / chip.dt) / np.ceil(_intervals(activation, chip, J) / chip.dt)


def smooth_rates(activation: str, chip: ChipUnits, J) -> np.ndarray:
    """Rates, Hz, of the curve whose slope stands for that of the staircase."""
    return 1 / (_intervals(activation, chip, J) + chip.dt / 2)


def chip_activities(activation: str, chip: ChipUnits, a) -> np.ndarray:
    """``h`` of units at their own drives ``a``."""
    gain, bias = chip.gain_bias(activation)
    J = gain * np.asarray(a, dtype=float) + bias
    return chip_rates(activation, chip, J) / chip.max_rate


def smooth_slopes(activation: str, chip: ChipUnits, h) -> np.ndarray:
    r"""``dh/da`` of the smooth curve where it has the activities ``h``; 0 at 0.

    With ``r = r_max h`` and ``T = 1/r - \Delta/2`` that is ``(r T)^2``, for
    ``loihi-lif`` ``r^2 tau_rc / (J (J - 1)) gain / r_max``.
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
    """``T(J)``, seconds; infinite for no spikes."""
    J = np.asarray(J, dtype=float)
    T = np.full(J.shape, np.inf)
    if activation == LOIHI_RELU:
        T[J > 0] = 1.0 / J[J > 0]
        return T
    above = J - 1
    T[above > 0] = chip.ref + chip.rc * np.log1p(1.0 / above[above > 0])
    return T
