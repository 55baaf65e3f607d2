r"""How the reader of a graph steps: the time constants, spikes and units of a graph.

``a = exp(-dt / tau)``.  A graph is drawn for a simulator that steps a leak
``tau dv/dt = -v + I`` in one of three ways (``steps``):

================  =============================  ==================================
``"exact"``       ``v[k] = a v[k-1] + (1-a) I``  ``tau`` itself
``"euler"``       ``v[k] = v + (dt/tau')(I-v)``  ``tau' = dt / (1 - a)``, the same
``"continuous"``  of its own                     ``A' = tau A / theta + I``
================  =============================  ==================================

In the first two a spike is 1 for one step, ``A'`` and ``B'`` are those of Principle 3
for the discrete loop, and the currents of neurons are charges of a step (``r = 1/dt``),
so that a simulator that leaves ``r`` and ``dt`` out reads the same.  In the third a
spike is a Dirac impulse, and no step is in the graph at all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_spiking.errors import MissingPackageError, ValidationError

STEPS = ("exact", "euler", "continuous")


def package() -> Any:
    """Return the package ``nir``.

    Returns
    -------
    module

    Raises
    ------
    MissingPackageError
        If it is not installed; the message names the extra that brings it.
    """
    try:
        import nir
    except ImportError:
        raise MissingPackageError("nir", "nir") from None
    return nir


@dataclass(frozen=True)
class Clock:
    """The time step of a graph's reader, and how it steps a leak.

    Attributes
    ----------
    dt : float
        Seconds.
    steps : str
        One of `STEPS`.
    """

    dt: float
    steps: str

    @property
    def discrete(self) -> bool:
        """Return whether a step is in the graph."""
        return self.steps != "continuous"

    @property
    def unit(self) -> float:
        """Return the area of a spike, and the time in which currents are charges."""
        return self.dt if self.discrete else 1.0

    def to_graph(self, tau: float) -> float:
        """Return the time constant as it stands in the graph, for one of ``tau`` s."""
        if self.steps != "euler":
            return tau
        return -self.dt / np.expm1(-self.dt / tau)

    def from_graph(self, tau, name: str = "tau"):
        """Return the seconds of time constants that stand in the graph.

        Parameters
        ----------
        tau : float or ndarray
        name : str
            Name of the attribute, for the message.

        Returns
        -------
        float or ndarray

        Raises
        ------
        ValidationError
            If one is not longer than a step of Euler's method.
        """
        # tau = -dt / log(1 - dt / tau'), the inverse of the table above
        if self.steps != "euler":
            return tau
        if np.min(tau) <= self.dt:
            problem = f"must be longer than the step of {self.dt:g} s for steps='euler'"
            remedy = "draw the graph with steps='exact'"
            raise ValidationError(name, float(np.min(tau)), problem, remedy)
        return -self.dt / np.log1p(-self.dt / np.asarray(tau))

    def decay(self, tau: float) -> float:
        """Return ``1 - a``, the share of an input that a step adds; 1 for no step."""
        return -np.expm1(-self.dt / tau) if self.discrete else 1.0
