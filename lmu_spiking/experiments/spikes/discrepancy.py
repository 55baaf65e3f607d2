r"""State discrepancy: whether neurons fire independently enough for their mean.

Averaging over ``n`` neurons lowers the noise of regular spikes by ``1 / sqrt(n)`` if,
at any time, the neurons stand at independent and evenly spread places between their
last and their next spike [1]_: at independent, even `phases`.  The discrepancy is the
Kolmogorov-Smirnov distance of the phases from evenness, beside its expectation for
independent phases (the null).  Poisson neurons are at the null by construction; neurons
that all fire together are at 1.

References
----------
.. [1] Voelker (2019). Dynamical systems in spiking neuromorphic hardware. PhD thesis,
   University of Waterloo, section 3.2.
"""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.errors import ValidationError

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
            len(phases),
            f"samples have no group of {least} neurons that fire often enough",
            "run for longer, or use more neurons",
        )
    distance, null, neurons = np.mean(found, axis=0).tolist()
    return Discrepancy(distance, null, neurons, len(found))
