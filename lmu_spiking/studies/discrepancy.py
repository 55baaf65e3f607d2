r"""State discrepancy: whether neurons fire independently enough for their mean.

Averaging over ``n`` neurons lowers the noise of regular spikes by ``1 / sqrt(n)`` if,
at any time, the neurons stand at independent and evenly spread places between their
last and their next spike [1]_.  The *phase* of a neuron is that place,

.. math::

    \phi_k(t) = \frac{\Lambda_k(t) - \Lambda_k(t_{last})}
                     {\Lambda_k(t_{next}) - \Lambda_k(t_{last})} \in [0, 1), \qquad
    \Lambda_k(t) = \int_0^t r_k(x(s))\, ds ,

on the neuron's own clock, which its rate drives: for a constant rate, plain time.  The
discrepancy is the Kolmogorov-Smirnov distance of the phases from evenness, beside its
expectation for independent phases (the null).  Poisson neurons are at the null by
construction; neurons that all fire together are at 1.

References
----------
.. [1] Voelker (2019). Dynamical systems in spiking neuromorphic hardware. PhD thesis,
   University of Waterloo, section 3.2.
"""

from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.tuning import statistics

EDGE = 5.0  # spikes expected since the start, and before the end, of those counted
KOLMOGOROV_MEAN = np.sqrt(np.pi / 2) * np.log(2)  # of sqrt(n) D, n to infinity


@dataclass(frozen=True)
class Discrepancy:
    """How unevenly neurons stand between their spikes, the mean over groups and times.

    A group is one side (encoders +1 or -1) of one dimension.

    Attributes
    ----------
    distance : float
        Kolmogorov-Smirnov distance of the phases from evenness.
    null : float
        What as many independent phases are expected to have.
    neurons : float
        That were firing in a group.
    samples : int
        Groups times times.
    """

    distance: float
    null: float
    neurons: float
    samples: int

    @property
    def ratio(self) -> float:
        """Distance over null: 1 where the neurons are independent, more in step."""
        return self.distance / self.null

    @property
    def effective_neurons(self) -> float:
        """Independent neurons of a group that would be as uneven as these."""
        return independent_neurons(self.distance)

    def averaged(self, error: float) -> float:
        """The error that follows for neurons that have ``error`` at random phases."""
        return error * np.sqrt(self.neurons / self.effective_neurons)

    @property
    def verdict(self) -> str:
        """One of "independent", "partly in step" and "in step"."""
        if self.distance > 0.5:
            return "in step"
        return "independent" if self.ratio < 1.25 else "partly in step"


def expected_distance(n) -> np.ndarray:
    r"""Mean Kolmogorov-Smirnov distance of ``n`` independent even phases.

    ``sqrt(pi / 2) ln 2 / (sqrt n + .12 + .11 / sqrt n)``: the limit law with Stephens'
    (1970) correction; within 1 % of the exact mean from ``n`` = 2.
    """
    root = np.sqrt(np.asarray(n, dtype=float))
    return KOLMOGOROV_MEAN / (root + 0.12 + 0.11 / root)


def independent_neurons(distance: float) -> float:
    """The ``n`` that has this `expected_distance`; at least 1."""
    q = KOLMOGOROV_MEAN / distance - 0.12
    return float(max(1.0, ((q + np.sqrt(max(q**2 - 0.44, 0.0))) / 2) ** 2))


def distance_from_even(phases) -> float:
    r"""Kolmogorov-Smirnov distance of phases (n,) from evenness on [0, 1].

    ``max_k max(k / n - phi_(k), phi_(k) - (k - 1) / n)`` over the sorted phases.
    """
    phi = np.sort(np.asarray(phases, dtype=float))
    ranks = np.arange(len(phi) + 1) / len(phi)
    return float(max((ranks[1:] - phi).max(), (phi - ranks[:-1]).max()))


class watch_phases:
    """Takes the phases of a memory's neurons as it runs; make it within its model.

    Spikes are placed at random within their steps, and so are the samples, each neuron
    by itself: of spikes that are spread evenly, phases are then even exactly.

    Parameters
    ----------
    memory : LegendreMemory
        Spiking, not aggregated.
    every : float
        Seconds between samples.
    seed : int
        Places the spikes within their steps.
    """

    def __init__(self, memory: LegendreMemory, every: float = 0.05, seed: int = 0):
        self.population, self._dt = memory.population, memory.dt
        _check_spikes(self.population)
        every = check_positive("watch_phases.every", every, "seconds")
        self._every, self._k = max(1, round(every / memory.dt)), 0
        self._rng = np.random.RandomState(seed)
        m = len(self.population.gain)
        self._clock = np.zeros(m)
        self._last, self._first = np.full((2, m), np.nan)
        self._samples: list[tuple] = []
        node = nengo.Node(self._step, size_in=memory.state.size_out + m, label="phases")
        d = memory.state.size_out
        nengo.Connection(memory.state, node[:d], synapse=None)
        nengo.Connection(memory.ensemble.neurons, node[d:], synapse=None)

    def phases(self) -> np.ndarray:
        """Phases (samples, m); NaN for neurons that were silent.

        And near the start and the end, on their own clocks, where those that have not
        spiked yet would be missing.
        """
        if not self._samples:
            return np.empty((0, len(self._clock)))
        here, last, active = (
            np.array(part) for part in list(zip(*self._samples, strict=True))[:3]
        )
        following = np.array([part[3] for part in self._samples[1:]] + [self._first])
        for j in range(len(following) - 2, -1, -1):
            later = np.isnan(following[j])
            following[j, later] = following[j + 1, later]
        with np.errstate(invalid="ignore", divide="ignore"):
            phi = (here - last) / (following - last)
        inside = (here > EDGE) & (here < self._clock - EDGE)
        return np.where(active & inside & (following > last), phi, np.nan)

    def discrepancy(self, start: float = 0.0) -> Discrepancy:
        """Over all samples from ``start`` seconds on."""
        kept = int(np.ceil(start / self._dt / self._every))
        return discrepancy(self.population, self.phases()[kept:])

    def _step(self, t, received):
        d = self.population.order
        rates = np.concatenate(
            [self.population.rates(i, received[i : i + 1])[0] for i in range(d)]
        )
        fired = np.flatnonzero(received[d:])
        ahead = rates * self._dt
        at = self._clock[fired] + self._rng.rand(len(fired)) * ahead[fired]
        self._k += 1
        if self._k % self._every == 0:
            here = self._clock + self._rng.rand(len(ahead)) * ahead
            early = at <= here[fired]
            self._spike(fired[early], at[early])
            self._samples.append((here, self._last.copy(), rates > 0, self._first))
            self._first = np.full(len(here), np.nan)
            fired, at = fired[~early], at[~early]
        self._spike(fired, at)
        self._clock += ahead

    def _spike(self, fired, at) -> None:
        new = np.isnan(self._first[fired])
        self._first[fired[new]] = at[new]
        self._last[fired] = at


def discrepancy(population, phases, least: int = 2) -> Discrepancy:
    """The discrepancy of phases (samples, m), NaN for those that are silent.

    Groups with fewer than ``least`` neurons firing are left out.
    """
    found = []
    for i in range(population.order):
        at = population.block(i)
        for side in (1, -1):
            group = phases[:, at][:, population.encoders[at] == side]
            for row in group:
                row = row[np.isfinite(row)]
                if len(row) >= least:
                    n = len(row)
                    found.append((distance_from_even(row), expected_distance(n), n))
    if not found:
        raise ValidationError(
            "discrepancy.phases",
            phases,
            f"have no group of {least} neurons that fire",
            "run for longer, or use more neurons",
        )
    distance, null, neurons = np.mean(found, axis=0).tolist()
    return Discrepancy(distance, null, neurons, len(found))


def _check_spikes(population) -> None:
    if statistics(population.neurons) == "rate":
        raise ValidationError(
            "watch_phases.memory", population.neurons, "does not spike"
        )
    if np.any(population.per_unit > 1):
        raise ValidationError(
            "watch_phases.memory",
            population.n_neurons,
            "neurons are aggregated and have no phases",
            "use aggregated=False",
        )
