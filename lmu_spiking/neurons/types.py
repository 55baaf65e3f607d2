r"""Neuron models for Nengo: rates with a ceiling, and whole populations as one entry.

``n`` identical neurons that are driven alike and spike independently are known by the
number of their spikes.  Its distribution is exact and costs the same for any ``n``:

.. math::

    \sum_{k=1}^n \mathrm{Poisson}(r\,dt) \sim \mathrm{Poisson}(n\,r\,dt), \qquad
    \sum_{k=1}^n \bigl(\lfloor r\,dt \rfloor + \mathrm{Bernoulli}(p)\bigr)
        \sim n \lfloor r\,dt \rfloor + \mathrm{Binomial}(n, p),

with ``p`` the fraction of ``r dt``.
"""

from typing import Any

import nengo
import numpy as np
from nengo.exceptions import ValidationError as NengoValidationError
from nengo.neurons import NeuronType
from nengo.params import NdarrayParam, NumberParam


class Unmerged:
    """A type that equals itself alone, so that Nengo's optimizer never merges it."""

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__


class RampLinear(Unmerged, nengo.RectifiedLinear):
    """Rectified-linear rates with a ceiling: ``min(max(0, J), ceiling)``.

    Parameters
    ----------
    ceiling : float or (n,) array_like
        Largest rate, Hz, of all neurons or of each; infinite for none.
    """

    ceiling = NdarrayParam("ceiling", shape=("...",))

    def __init__(self, ceiling: Any = 300.0, initial_state=None):
        super().__init__(1, initial_state)
        self.ceiling = np.asarray(ceiling, dtype=float)
        if not np.all(self.ceiling > 0):
            raise NengoValidationError(f"must be positive, not {ceiling}", "ceiling")

    def step(self, dt, J, output):
        """Compute the rates, Hz, at drives ``J``."""
        output[...] = np.clip(J, 0.0, self.ceiling)


class UnitRate(Unmerged, nengo.neurons.NeuronType):
    """Rates that are a function of a unit's own drive, which has no gain or bias."""

    negative = False
    spiking = False

    def gain_bias(self, max_rates, intercepts):
        """Raise NotImplementedError: the drive of a unit has no unique gain and bias.

        Parameters
        ----------
        max_rates, intercepts : (n,) array_like
        """
        name = type(self).__name__
        raise NotImplementedError(f"{name}: give gain and bias themselves")

    def max_rates_intercepts(self, gain, bias):
        """Return the rates at a drive of 1, and the intercepts.

        Parameters
        ----------
        gain, bias : (n,) array_like

        Returns
        -------
        rates, intercepts : (n,) ndarray
        """
        rates = np.zeros(np.shape(gain))
        self.step(None, np.add(gain, bias), rates)
        return rates, -np.asarray(bias) / gain


class RampTanh(UnitRate):
    """Rates of one side of a tanh unit: ``ceiling max(0, tanh(J))``.

    Parameters
    ----------
    ceiling : float
        Rate that is approached, Hz.
    """

    ceiling = NumberParam("ceiling", low=0, low_open=True)

    def __init__(self, ceiling: float = 300.0, initial_state=None):
        super().__init__(initial_state)
        self.ceiling = ceiling

    def step(self, dt, J, output):
        """Compute the rates, Hz, at drives ``J``."""
        output[...] = self.ceiling * np.maximum(0.0, np.tanh(J))


class _Counted(Unmerged):
    """A spiking type of which each entry stands for ``counts`` identical neurons.

    Parameters
    ----------
    base_type : nengo.neurons.NeuronType
        Rates of one neuron.
    counts : (n,) or () array_like
        Neurons in each entry, or in all alike.
    """

    # of any shape: one number for all entries, or one for each
    counts = NdarrayParam("counts", shape=("...",))

    def __init__(self, base_type, counts=1, initial_state=None):
        super().__init__(base_type, 1.0, initial_state)
        # counts up to 2^53 are whole as floats, too
        self.counts = np.asarray(counts)
        whole = np.equal(np.mod(self.counts, 1), 0)
        if not np.all(whole & (self.counts >= 1) & (self.counts < 2**53)):
            raise NengoValidationError(
                f"must be whole numbers from 1 to 2^53, not {counts}", "counts", self
            )


class PoissonPopulation(_Counted, nengo.PoissonSpiking):
    """Spikes of ``counts`` identical Poisson neurons, summed, in each entry.

    The output is ``N / dt`` with ``N`` the number of spikes in a step: divide by
    ``counts`` for the mean rate of one neuron.

    Parameters
    ----------
    base_type : nengo.neurons.NeuronType
        Rates of one neuron.
    counts : (n,) or () array_like
        Neurons in each entry, whole numbers below 2^53; one number for all alike.
    initial_state : dict, optional
        As in `nengo.PoissonSpiking`.

    Examples
    --------
    A billion neurons at 0 to 300 Hz, simulated as one:

    >>> neurons = PoissonPopulation(RampLinear(ceiling=300), counts=10**9)
    """

    def step(self, dt, J, output, rng, **base_state):
        """Draw the spikes of a step from the rates ``J`` of single neurons.

        Parameters
        ----------
        dt : float
            Step, seconds.
        J : (n,) ndarray
            Rates of single neurons, Hz.
        output : (n,) ndarray
            Takes the spikes, over ``dt``.
        rng : numpy.random.RandomState
            Draws them.
        **base_state
            State of the base type.
        """
        super().step(dt, self.counts * J, output, rng, **base_state)


class StochasticPopulation(_Counted, nengo.StochasticSpiking):
    """Summed spikes of neurons that round ``r dt`` up or down at random.

    Parameters
    ----------
    base_type : nengo.neurons.NeuronType
        Rates of one neuron.
    counts : (n,) or () array_like
        Neurons in each entry, as in `PoissonPopulation`.
    initial_state : dict, optional
        As in `nengo.StochasticSpiking`.
    """

    def step(self, dt, J, output, rng, **base_state):
        """Draw the spikes of a step from the rates ``J`` of single neurons.

        Parameters
        ----------
        dt : float
            Step, seconds.
        J : (n,) ndarray
            Rates of single neurons, Hz.
        output : (n,) ndarray
            Takes the spikes, over ``dt``.
        rng : numpy.random.RandomState
            Draws them.
        **base_state
            State of the base type.
        """
        fraction, whole = np.modf(J * dt)
        counts = np.broadcast_to(self.counts, np.shape(J)).astype(np.int64)
        output[...] = (counts * whole + rng.binomial(counts, fraction)) / dt


class Accumulator(_Counted, nengo.RegularSpiking):
    """Spikes of ``counts`` staggered neurons, summed, in each entry.

    It integrates their rates in all, which are those of its base type: see
    `neurons.population`.

    Parameters
    ----------
    base_type : nengo.neurons.NeuronType
        Rates of all the neurons of an entry.
    counts : (n,) or () array_like
        Neurons in each entry, as in `PoissonPopulation`.
    initial_state : dict, optional
        As in `nengo.RegularSpiking`; staggered neurons begin at a voltage of 1/2.
    """


POPULATIONS: dict[type, Any] = {
    nengo.PoissonSpiking: PoissonPopulation,
    nengo.StochasticSpiking: StochasticPopulation,
}


def may_stagger(neurons: Any) -> bool:
    """Return whether neurons integrate their rate and reset by subtraction.

    Then those that are alike, and begin at voltages that are evenly spaced, keep that
    spacing for ever.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType

    Returns
    -------
    bool
    """
    kinds = (nengo.SpikingRectifiedLinear, nengo.RegularSpiking)
    return type(neurons) in kinds


def begin_at(neurons: Any, voltage) -> NeuronType:
    """Return neurons that `may_stagger`, which begin at the voltages given.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    voltage : (n,) array_like
        In thresholds.

    Returns
    -------
    nengo.neurons.NeuronType
    """
    base = getattr(neurons, "base_type", None)
    return type(neurons)(*[base] * (base is not None), initial_state=_voltage(voltage))


def accumulator(neurons: Any, counts, voltage=None) -> NeuronType:
    """Return the type whose entries stand for several staggered neurons each.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
        Neurons that `may_stagger`, with the rates of an entry in all.
    counts : (n,) or () array_like of int
        Neurons in each entry.
    voltage : (n,) array_like, optional
        Where it begins, in thresholds; anywhere by default.

    Returns
    -------
    Accumulator
    """
    base = getattr(neurons, "base_type", nengo.RectifiedLinear())
    return Accumulator(base, counts, _voltage(voltage))


def _voltage(voltage) -> dict | None:
    """Return an initial state in Nengo's form, or None for its own."""
    return None if voltage is None else {"voltage": np.asarray(voltage, dtype=float)}


def population_of(neurons: Any, counts) -> NeuronType:
    """Return the type whose entries stand for several neurons each.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
        The type of one neuron.
    counts : (n,) or () array_like of int
        Neurons in each entry.

    Returns
    -------
    nengo.neurons.NeuronType
        Of the summed spikes.

    Raises
    ------
    KeyError
        If sums of their spikes are not known in distribution.
    """
    return POPULATIONS[type(neurons)](neurons.base_type, counts)
