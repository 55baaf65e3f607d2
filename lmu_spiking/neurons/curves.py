"""Neurons: their rate curves, how they are drawn, and how noisy their spikes are.

Letters: ``n`` neurons, ``P`` points.  Rates are in Hz.
"""

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.dists import Uniform
from nengo.neurons import NeuronType

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.neurons.types import POPULATIONS, RampLinear, Unmerged

# --------------------------------------------------------------------------------------
# Adaptive LIF neurons whose curves are what they settle to.
#
# Every spike adds ``inc_n / tau_n`` to a current ``n`` that decays in ``tau_n`` seconds
# and is taken from the drive ``J``.  At a constant drive its mean is ``inc_n r``, so
# the rate solves
#
# .. math:: r = f(J - \mathrm{inc}_n\, r) ,
#
# with ``f`` the curve of the LIF neuron without adaptation.  ``f`` rises, so there is
# one solution.  Nengo's own ``rates`` and ``gain_bias`` leave the adaptation out: its
# decoders expect too many spikes.
#
# The neurons are on this curve only while the drive changes slowly against ``tau_n``,
# below about ``1 / (2 pi tau_n)``.  Faster signals see neurons that are adapted to
# their mean: with Nengo's ``tau_n`` of 1 s a memory of 2 Hz noise is wrong by most of
# its rms, at any number of neurons.  Use a short ``tau_n``, or neurons that do not
# adapt.


NODES = 4097  # of the table that inverts a curve; 0.12 Hz apart where tau_ref is 2 ms


class _Settled:
    """Curves that adaptation has settled to; before `nengo.LIFRate` in the order."""

    def rates(self, x, gain, bias):
        """Rates, Hz, at drives ``gain x + bias``."""
        J = self.current(x, gain, bias)
        return settled_rates(self, J)

    def gain_bias(self, max_rates, intercepts):
        """Gain and bias of neurons that settle to ``max_rates`` at 1."""
        gain, _ = super().gain_bias(max_rates, intercepts)
        gain = gain + self.inc_n * np.asarray(max_rates) / (1 - np.asarray(intercepts))
        return gain, 1 - gain * np.asarray(intercepts)

    def max_rates_intercepts(self, gain, bias):
        """The inverse of `gain_bias`."""
        return settled_rates(self, gain + bias), (1 - bias) / gain


class AdaptiveLIF(_Settled, nengo.AdaptiveLIF):
    """`nengo.AdaptiveLIF` with the curves it settles to."""


class AdaptiveLIFRate(_Settled, nengo.AdaptiveLIFRate):
    """`nengo.AdaptiveLIFRate` with the curves it settles to."""


SETTLED = {
    nengo.AdaptiveLIF: AdaptiveLIF,
    nengo.AdaptiveLIFRate: AdaptiveLIFRate,
}


def settled(neurons):
    """The same neurons with the curves they settle to; all others as they are."""
    kind = SETTLED.get(type(neurons))
    if kind is None:
        return neurons
    names = ("tau_n", "inc_n", "tau_rc", "tau_ref", "amplitude", "initial_state")
    names += ("min_voltage",) if neurons.spiking else ()
    return kind(**{name: getattr(neurons, name) for name in names})


def settled_rates(neurons, J) -> np.ndarray:
    r"""Rates that solve ``r = f(J - inc_n r)``, Hz, at drives ``J`` of any shape.

    ``J = f^{-1}(r) + inc_n r`` is tabulated over ``r`` and read backwards.
    """
    J = np.asarray(J, dtype=float)
    one, none = np.ones(1), np.zeros(1)
    highest = nengo.LIFRate.rates(neurons, np.atleast_1d(J.max(initial=1)), one, none)
    if highest.item() == 0:
        return np.zeros_like(J)
    r = np.linspace(0, highest.item(), NODES)
    gain, bias = nengo.LIFRate.gain_bias(neurons, r[1:], np.zeros(NODES - 1))
    needed = np.concatenate([[1.0], gain + bias]) + neurons.inc_n * r
    return np.where(J > 1, np.interp(J, needed, r), 0.0)


# --------------------------------------------------------------------------------------

_SPIKES = {
    "poisson": nengo.PoissonSpiking,
    "stochastic": nengo.StochasticSpiking,
    "regular": nengo.RegularSpiking,
}
_NEURONS = {
    "rate": nengo.RectifiedLinear,
    "if": nengo.SpikingRectifiedLinear,
    "lif": nengo.LIF,
    "rate-lif": nengo.LIFRate,
    "adaptive": AdaptiveLIF,
    "rate-adaptive": AdaptiveLIFRate,
}
TUNINGS = ("pairs", "recruited", "drawn")
LEVELS = 12  # of recruited pairs; twice as many take 2 % off the variance
NEURON_TYPES = (
    *_SPIKES,
    *_NEURONS,
    *(f"{name}-lif" for name in _SPIKES),
)


def neuron_type(name) -> NeuronType:
    """A Nengo neuron type from a name or from itself.

    ``poisson``, ``stochastic`` and ``regular`` spike at rectified-linear rates, with
    ``-lif`` at those of a LIF curve; ``if`` and ``lif`` integrate; ``rate`` and
    ``rate-lif`` do not spike.  ``adaptive`` (LIF) and ``rate-adaptive`` have the curves
    that adaptation settles to, as has any `nengo.AdaptiveLIF` that is given.
    """
    if isinstance(name, tuple(POPULATIONS.values())):
        raise ValidationError(
            "neuron_type",
            name,
            "stands for many neurons, but a memory makes such populations itself",
            "use aggregated=True and the total n_neurons",
        )
    if isinstance(name, NeuronType):
        return settled(_checked_amplitude(name))
    if name in _NEURONS:
        return _NEURONS[name]()
    if name in NEURON_TYPES:
        base = nengo.LIFRate() if name.endswith("-lif") else nengo.RectifiedLinear()
        return _SPIKES[name.removesuffix("-lif")](base)
    raise ValidationError(
        "neuron_type",
        name,
        "is unknown",
        f"use one of {', '.join(NEURON_TYPES)}, or a nengo.neurons.NeuronType",
    )


class _PoissonSpiking(Unmerged, nengo.PoissonSpiking):
    pass


class _StochasticSpiking(Unmerged, nengo.StochasticSpiking):
    pass


_OWN: dict[type, Any] = {
    nengo.PoissonSpiking: _PoissonSpiking,
    nengo.StochasticSpiking: _StochasticSpiking,
}


def unmerged(neurons: Any) -> NeuronType:
    """The same neurons, with random numbers of their own in any model.

    Nengo's optimizer merges equal neuron types, and those that draw spikes then draw
    others, with a warning.
    """
    kind = _OWN.get(type(neurons))
    return neurons if kind is None else kind(neurons.base_type)


def statistics(neurons: NeuronType) -> str:
    """Return how the neurons turn a rate into output, on which their noise depends.

    Returns
    -------
    {"poisson", "stochastic", "regular", "rate"}
        ``regular`` for every integrating neuron (LIF, IF), ``rate`` for no spikes.
    """
    for name, kind in _SPIKES.items():
        if isinstance(neurons, kind):
            return name
    return "regular" if neurons.spiking else "rate"


# neurons whose rates follow the input current within a spike or a membrane constant
_FOLLOWS = (
    *(nengo.RectifiedLinear, nengo.SpikingRectifiedLinear, nengo.LIFRate, nengo.LIF),
    *(nengo.Sigmoid, nengo.Tanh, RampLinear),
)


def unheld(neurons: NeuronType) -> str:
    """Return a sentence if a neuron's steady-state rates do not hold in a loop.

    It is empty where they hold.  A neuron type that is not known to follow its input at
    once is named; our own types declare it by an attribute ``follows``.
    """
    base = getattr(neurons, "base_type", neurons)
    if type(base) in _FOLLOWS or getattr(base, "follows", False):
        return ""
    fault = "its tuning curve is not known to hold in a loop"
    if isinstance(base, (nengo.AdaptiveLIF, nengo.AdaptiveLIFRate)):
        if base.inc_n == 0:
            return ""
        fault = (
            f"it adapts within {base.tau_n:g} s, so its tuning curve holds only for "
            "slower signals"
        )
    elif isinstance(base, nengo.Izhikevich):
        fault = "it adapts and bursts, so no tuning curve holds"
    return (
        f"{type(base).__name__} in a memory: {fault}, and the state may be wrong by "
        "half its size or more, at any number of neurons; measure it, or use "
        "'poisson', 'regular', 'if' or 'lif'"
    )


def is_rectified_linear(neurons: NeuronType) -> bool:
    """Whether the rate curve is ``max(0, J)``: what pairs need to be exact."""
    base = getattr(neurons, "base_type", neurons)
    return isinstance(base, nengo.RectifiedLinear)


@dataclass(frozen=True)
class Tuning:
    """How the curves of the neurons are chosen.

    Parameters
    ----------
    kind : {"pairs", "recruited", "drawn"}
        Rectifier pairs; the same, recruited level by level; or Nengo-style curves drawn
        at random.
    max_rates : nengo.dists.Distribution or float
        Rate at the radius, Hz.  Pairs need one number; recruited ones stay below it.
    intercepts : nengo.dists.Distribution
        Where drawn curves begin, in units of the radius.
    bounded : bool
        Whether recruited pairs have a ceiling on the last level, too: then they clip
        beyond the radius, and no neuron ever fires faster.
    """

    kind: str
    max_rates: object = 300.0
    intercepts: object = Uniform(-1.0, 0.9)
    bounded: bool = False

    def __post_init__(self):
        if self.kind not in TUNINGS:
            raise ValidationError(
                "tuning", self.kind, "is unknown", f"use one of {', '.join(TUNINGS)}"
            )
        if self.kind != "drawn":
            rate = check_positive("max_rate", self.max_rates, "Hz, one for all pairs")
            object.__setattr__(self, "max_rates", rate)

    @property
    def levels(self) -> int:
        """Levels in which the neurons of a side are recruited."""
        return LEVELS if self.kind == "recruited" else 1

    @classmethod
    def of(cls, kind, neurons, max_rate: float) -> "Tuning":
        """From ``"pairs"``, ``"drawn"``, None (what suits the neurons) or a tuning.

        Drawn rates spread over 2/3 to 4/3 of ``max_rate``: Nengo's own 200 to 400 Hz
        for 300 Hz.
        """
        if isinstance(kind, Tuning):
            return kind
        max_rate = check_positive("max_rate", max_rate, "Hz")
        if kind is None:
            kind = "pairs" if is_rectified_linear(neurons) else "drawn"
        if kind == "drawn":
            return cls("drawn", Uniform(2 / 3 * max_rate, 4 / 3 * max_rate))
        return cls(kind, max_rate)


def curves(neurons, drive, gain, bias) -> np.ndarray:
    """Rates (P, n), Hz, at drives ``e x / R`` (P, n)."""
    return neurons.rates(drive, gain, bias)


def step_variance(neurons, rates, dt: float) -> np.ndarray:
    r"""Variance of one neuron's output in one step, Hz^2.

    Poisson: ``r / dt``.  Stochastic rounding, with ``p`` the fraction of ``r dt``:
    ``p (1 - p) / dt^2``.  Regular spiking has no independent noise in each step: 0.
    """
    kind = statistics(neurons)
    if kind == "poisson":
        return rates / dt
    if kind == "stochastic":
        fraction = np.modf(rates * dt)[0]
        return fraction * (1 - fraction) / dt**2
    return np.zeros_like(rates)


def averaged_variance(neurons, rates, averaging: float) -> np.ndarray:
    r"""Variance of a spike train seen through a lowpass of ``averaging`` seconds.

    Poisson: ``r / (2 tau)``.  Regular, at a random phase:
    ``r / (2 tau) coth(1 / (2 r tau)) - r^2``.  The floor of 1e-6 of the mean square
    stands for what else is not known, and serves rate neurons alone.
    """
    r = np.maximum(rates, 1e-3)
    kind = statistics(neurons)
    floor = 1e-6 * (np.mean(r**2) + 1e-12)
    if kind == "rate":
        return np.full_like(r, floor)
    if kind in ("poisson", "stochastic"):
        return r / (2 * averaging) + floor
    periods = 1 / (2 * r * averaging)
    return np.maximum(r / (2 * averaging) / np.tanh(periods) - r**2, 0) + floor


def _checked_amplitude(neurons):
    base = getattr(neurons, "base_type", neurons)
    if isinstance(neurons, nengo.Direct):
        raise ValidationError(
            "neuron_type", neurons, "has no neurons", "use 'rate' for exact rates"
        )
    if {getattr(neurons, "amplitude", 1), getattr(base, "amplitude", 1)} != {1}:
        raise ValidationError(
            "neuron_type.amplitude", neurons, "must be 1", "decoders carry the scale"
        )
    return neurons
