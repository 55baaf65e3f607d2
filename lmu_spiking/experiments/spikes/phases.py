r"""Phases of a memory's neurons: where each stands between two of its spikes.

.. math::

    \phi_k(t) = \frac{\Lambda_k(t) - \Lambda_k(t_{last})}
                     {\Lambda_k(t_{next}) - \Lambda_k(t_{last})} \in [0, 1), \qquad
    \Lambda_k(t) = \int_0^t r_k(x(s))\, ds ,

on the neuron's own clock, which its rate drives: for a constant rate, plain time.  On
that clock a Poisson neuron's spikes are even, so that its phases are, at any rates.
"""

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.experiments.spikes.discrepancy import Discrepancy, discrepancy
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.tuning import statistics

EDGE = 5.0  # spikes expected since the start, and before the end, of those counted


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
