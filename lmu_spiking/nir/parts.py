r"""The nodes that all graphs are made of: a leak, neurons, the loop around them.

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

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import MissingPackageError, ValidationError

STEPS = ("exact", "euler", "continuous")
INTEGRATES = 1e3  # seconds, of a membrane that leaks nothing: CubaLIF as IF


def package() -> Any:
    """The package ``nir``, or the error that names the extra."""
    try:
        import nir
    except ImportError:
        raise MissingPackageError("nir", "nir") from None
    return nir


@dataclass(frozen=True)
class Clock:
    """How the reader of a graph steps.

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
        """Whether a step is in the graph."""
        return self.steps != "continuous"

    @property
    def spike(self) -> float:
        """What a spike counts for, times seconds: its area."""
        return self.dt if self.discrete else 1.0

    def written(self, tau: float) -> float:
        """The time constant as it stands in the graph, for one of ``tau`` seconds."""
        if self.steps != "euler":
            return tau
        return -self.dt / np.expm1(-self.dt / tau)

    def meant(self, tau, name: str = "tau"):
        """The inverse: seconds, from the graph's."""
        if self.steps != "euler":
            return tau
        if np.min(tau) <= self.dt:
            raise ValidationError(
                name,
                float(np.min(tau)),
                f"must be longer than the step of {self.dt:g} s for steps='euler'",
                "draw the graph with steps='exact'",
            )
        return -self.dt / np.log1p(-self.dt / np.asarray(tau))

    def kept(self, tau: float) -> float:
        """``1 - a``: of an input, what is there after a step; 1 for no step."""
        return -np.expm1(-self.dt / tau) if self.discrete else 1.0


@dataclass(frozen=True, eq=False)
class Cells:
    """Neurons, whatever drives them: ``J = E x + b``, ``x = D r``.

    Attributes
    ----------
    kind : str
        ``"if"``, ``"lif"``, ``"prompt-lif"``, ``"rate"`` or ``"rate-lif"``.
    E : (m, size) ndarray
    b : (m,) ndarray
    D : (size, m) ndarray
    tau_rc, tau_ref : float
        Seconds, of LIF neurons.
    seed : int or None
        Of their first voltages.
    min_voltage : float
        Where voltages stop: 0, or less for LIF neurons; ``-inf`` for no floor.
    """

    kind: str
    E: np.ndarray
    b: np.ndarray
    D: np.ndarray
    tau_rc: float = 0.0
    tau_ref: float = 0.0
    seed: int | None = None
    min_voltage: float = 0.0

    __repr__ = brief

    @property
    def leaks(self) -> bool:
        """Whether they are LIF."""
        return self.kind.endswith("lif")


def leak(nir, tau: float, n: int, clock: Clock):
    """``n`` leaky integrators of ``tau`` seconds."""
    ones = np.ones(n)
    return nir.LI(tau=clock.written(tau) * ones, r=ones, v_leak=0 * ones)


def linear(nir, weight, **noted):
    """A matrix, and what is noted of it."""
    return nir.Linear(weight=np.array(weight, dtype=float), metadata=noted)


def affine(nir, weight, bias):
    """A matrix and a bias."""
    return nir.Affine(
        weight=np.array(weight, dtype=float), bias=np.array(bias, dtype=float)
    )


def neuron_nodes(nir, cells: Cells, clock: Clock, synapse: float | None = None):
    """Encoder, neurons and decoder of ``cells``.

    Parameters
    ----------
    synapse : float, optional
        Seconds; with it the neurons filter their currents themselves (CubaLIF).
    """
    ones = np.ones(len(cells.b))
    noted: dict[str, Any] = {"neurons": cells.kind}
    if cells.tau_ref:
        noted["tau_ref"] = cells.tau_ref
    if cells.seed is not None:
        noted["seed"] = cells.seed
    if not cells.kind.startswith("rate"):
        noted["min_voltage"] = cells.min_voltage
    unit = clock.dt if clock.discrete else 1.0  # what a current is counted in
    tau = clock.written(cells.tau_rc) if cells.leaks else INTEGRATES
    rest: dict[str, Any] = {"v_threshold": ones, "v_reset": 0 * ones}
    if synapse is not None:
        kept, slow = clock.kept(synapse), clock.written(synapse) * ones
        scale = kept * (unit / tau if cells.leaks else unit)
        node = nir.CubaLIF(
            tau_syn=slow,
            tau_mem=tau * ones,
            r=tau / unit * ones,
            w_in=ones / kept,
            v_leak=0 * ones,
            metadata=noted,
            **rest,
        )
    elif cells.leaks:
        scale = 1.0
        node = nir.LIF(tau=tau * ones, r=ones, v_leak=0 * ones, metadata=noted, **rest)
    else:
        scale = unit
        node = nir.IF(r=ones / unit, metadata=noted, **rest)
    encode = affine(nir, scale * cells.E, scale * cells.b)
    return encode, node, linear(nir, cells.D / clock.spike)


def lowpass_tau(synapse, delayed: bool) -> float:
    """Seconds of a memory's lowpass, or a ValidationError."""
    if not isinstance(synapse, nengo.Lowpass) or delayed:
        what = "extra delay in the loop" if delayed else type(synapse).__name__
        raise ValidationError(
            "to_nir.synapse",
            synapse,
            f"is not a lowpass alone ({what}); NIR's leak is one",
            "use synapse=0.1 and delay_steps=0",
        )
    return float(synapse.tau)
