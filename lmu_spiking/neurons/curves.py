"""Neuron types by name, their tuning curves, and the noise of their spikes.

Letters: ``n`` neurons, ``P`` points.  Rates are in Hz.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.dists import Uniform
from nengo.neurons import NeuronType

from lmu_spiking.errors import ValidationError, check_one_of, check_positive
from lmu_spiking.neurons.types import (
    POPULATIONS,
    Accumulator,
    RampLinear,
    Unmerged,
)

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


class _Adapted:
    """Curves that adaptation has settled to; before `nengo.LIFRate` in the order."""

    def rates(self, x, gain, bias):
        """Return rates, Hz, at drives ``gain x + bias``."""
        return adapted_rates(self, self.current(x, gain, bias))

    def gain_bias(self, max_rates, intercepts):
        """Return gain and bias of neurons that settle to ``max_rates`` at 1."""
        gain, _ = super().gain_bias(max_rates, intercepts)
        gain = gain + self.inc_n * np.asarray(max_rates) / (1 - np.asarray(intercepts))
        return gain, 1 - gain * np.asarray(intercepts)

    def max_rates_intercepts(self, gain, bias):
        """Return the rates at 1 and the intercepts: the inverse of `gain_bias`."""
        return adapted_rates(self, gain + bias), (1 - bias) / gain


class AdaptiveLIF(_Adapted, nengo.AdaptiveLIF):
    """`nengo.AdaptiveLIF` with the curves it settles to."""


class AdaptiveLIFRate(_Adapted, nengo.AdaptiveLIFRate):
    """`nengo.AdaptiveLIFRate` with the curves it settles to."""


_SETTLED = {
    nengo.AdaptiveLIF: AdaptiveLIF,
    nengo.AdaptiveLIFRate: AdaptiveLIFRate,
}


def adapted(neurons: Any) -> NeuronType:
    """Return the same neurons with the curves they settle to; all others as they are.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

    Returns
    -------
    nengo.neurons.NeuronType
        The type with settled curves.
    """
    kind = _SETTLED.get(type(neurons))
    if kind is None:
        return neurons
    names = inspect.signature(kind).parameters
    return kind(**{name: getattr(neurons, name) for name in names})


def adapted_rates(neurons, J) -> np.ndarray:
    r"""Return the rates that solve ``r = f(J - inc_n r)``.

    ``J = f^{-1}(r) + inc_n r`` is tabulated over ``r`` and read backwards.

    Parameters
    ----------
    neurons : nengo.AdaptiveLIFRate
    J : array_like
        Drives, of any shape.

    Returns
    -------
    ndarray
        Hz.
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
NEURON_TYPES = (*_SPIKES, *_NEURONS, *(f"{name}-lif" for name in _SPIKES))


def neuron_type(name) -> NeuronType:
    """Return a Nengo neuron type from a name or from itself.

    ``poisson``, ``stochastic`` and ``regular`` spike at rectified-linear rates, with
    ``-lif`` at those of a LIF curve; ``if`` and ``lif`` integrate; ``rate`` and
    ``rate-lif`` do not spike.  ``adaptive`` (LIF) and ``rate-adaptive`` have the curves
    that adaptation settles to, as has any `nengo.AdaptiveLIF` that is given.

    Parameters
    ----------
    name : str or nengo.neurons.NeuronType

    Returns
    -------
    nengo.neurons.NeuronType
        An instance of the type.

    Raises
    ------
    ValidationError
        If the name is unknown, or the type cannot be the neurons of a memory.
    """
    if isinstance(name, (*POPULATIONS.values(), Accumulator)):
        problem = "stands for many neurons, but a memory makes such populations itself"
        remedy = "use aggregated=True and the total n_neurons"
        raise ValidationError("neuron_type", name, problem, remedy)
    if isinstance(name, nengo.Direct):
        remedy = "use 'rate' for exact rates"
        raise ValidationError("neuron_type", name, "has no neurons", remedy)
    if isinstance(name, NeuronType):
        for each in (name, getattr(name, "base_type", name)):
            if getattr(each, "amplitude", 1) != 1:
                attribute, remedy = "neuron_type.amplitude", "decoders carry the scale"
                raise ValidationError(attribute, name, "must be 1", remedy)
        return adapted(name)
    problem = "is unknown, and no nengo.neurons.NeuronType"
    check_one_of("neuron_type", name, NEURON_TYPES, problem)
    if name in _NEURONS:
        return _NEURONS[name]()
    base = nengo.LIFRate() if name.endswith("-lif") else nengo.RectifiedLinear()
    return _SPIKES[name.removesuffix("-lif")](base)


class _PoissonSpiking(Unmerged, nengo.PoissonSpiking):
    pass


class _StochasticSpiking(Unmerged, nengo.StochasticSpiking):
    pass


def unmerged(neurons: Any) -> NeuronType:
    """Return the same neurons, with random numbers of their own in any model.

    Nengo's optimizer merges equal neuron types, and those that draw spikes then draw
    others, with a warning.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

    Returns
    -------
    nengo.neurons.NeuronType
        A type that equals itself alone.
    """
    if type(neurons) is nengo.PoissonSpiking:
        return _PoissonSpiking(neurons.base_type)
    if type(neurons) is nengo.StochasticSpiking:
        return _StochasticSpiking(neurons.base_type)
    return neurons


def statistics(neurons: NeuronType) -> str:
    """Return how the neurons turn a rate into output, on which their noise depends.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

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


def loop_caution(neurons: NeuronType) -> str:
    """Return a sentence if the steady-state rates of neurons are not valid in a loop.

    It is empty where they are.  A neuron type that is not known to follow its input at
    once is named; our own types declare it by an attribute ``follows``.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

    Returns
    -------
    str
        One sentence, or nothing.
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
        "half its size or more, at any number of neurons; predict it, or use "
        "error_feedback='auto', or 'poisson', 'regular', 'if' or 'lif'"
    )


def is_rectified_linear(neurons: NeuronType) -> bool:
    """Return whether the rate curve is ``max(0, J)``, with which pairs are exact."""
    base = getattr(neurons, "base_type", neurons)
    return isinstance(base, nengo.RectifiedLinear)


def is_exact(neurons: NeuronType) -> bool:
    """Return whether neurons have exact, rectified-linear rates in place of spikes."""
    return statistics(neurons) == "rate" and is_rectified_linear(neurons)


@dataclass(frozen=True)
class Tuning:
    """A rule by which the tuning curves of neurons are chosen.

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
        check_one_of("tuning", self.kind, TUNINGS)
        if self.kind != "drawn":
            rate = check_positive("max_rate", self.max_rates, "Hz, one for all pairs")
            object.__setattr__(self, "max_rates", rate)

    @property
    def levels(self) -> int:
        """Return the number of levels in which the neurons of a side are recruited."""
        return LEVELS if self.kind == "recruited" else 1

    @classmethod
    def of(cls, kind, neurons, max_rate: float) -> "Tuning":
        """Return the tuning of a name, or what suits the neurons.

        Rates of ``"drawn"`` curves spread over 2/3 to 4/3 of ``max_rate``: Nengo's own
        200 to 400 Hz for 300 Hz.

        Parameters
        ----------
        kind : {"pairs", "recruited", "drawn"}, Tuning or None
        neurons : nengo.neurons.NeuronType
        max_rate : float
            Hz.

        Returns
        -------
        Tuning
        """
        if isinstance(kind, Tuning):
            return kind
        if kind is None:
            kind = "pairs" if is_rectified_linear(neurons) else "drawn"
        max_rate = check_positive("max_rate", max_rate, "Hz")
        spread = kind == "drawn"
        rates = Uniform(2 / 3 * max_rate, 4 / 3 * max_rate) if spread else max_rate
        return cls(kind, rates)


def step_variance(neurons, rates, dt: float) -> np.ndarray:
    r"""Return the variance of one neuron's output in one step.

    Poisson: ``r / dt``.  Stochastic rounding, with ``p`` the fraction of ``r dt``:
    ``p (1 - p) / dt^2``.  Regular spiking has no independent noise in each step: 0.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    rates : ndarray
        Hz.
    dt : float
        Step, seconds.

    Returns
    -------
    ndarray
        Hz^2.
    """
    kind = statistics(neurons)
    if kind == "poisson":
        return rates / dt
    if kind == "stochastic":
        fraction = np.modf(rates * dt)[0]
        return fraction * (1 - fraction) / dt**2
    return np.zeros_like(rates)


def step_cumulant(neurons, rates, dt: float) -> np.ndarray:
    r"""Return the fourth cumulant of one neuron's output in one step.

    Poisson: ``r / dt^3``.  Stochastic rounding, with ``v = p (1 - p)`` of the fraction
    ``p`` of ``r dt``: ``v (1 - 6 v) / dt^4``.  Others: 0, as in `step_variance`.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    rates : ndarray
        Hz.
    dt : float
        Step, seconds.

    Returns
    -------
    ndarray
        Hz^4; 0 for a normal variable.
    """
    variance = step_variance(neurons, rates, dt)
    if statistics(neurons) == "stochastic":
        return variance * (1 / dt**2 - 6 * variance)
    return variance / dt**2


def averaged_variance(neurons, rates, averaging: float) -> np.ndarray:
    r"""Return the variance of a spike train that is seen through a lowpass.

    Poisson: ``r / (2 tau)``.  Regular, at a random phase:
    ``r / (2 tau) coth(1 / (2 r tau)) - r^2``.  The floor of 1e-6 of the mean square
    stands for what else is not known, and serves rate neurons alone.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    rates : ndarray
        Hz.
    averaging : float
        Time constant of the lowpass, seconds.

    Returns
    -------
    ndarray
        Hz^2.
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
