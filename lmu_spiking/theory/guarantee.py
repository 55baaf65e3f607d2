"""The fewest staggered neurons whose error no input can push beyond a limit.

The bound of a basis falls as one over the neurons, but for their whole numbers: so the
synapse and the error feedback of least bound are chosen at one number of them, and then
the number.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from lmu_spiking.dynamics.feedback import with_feedback
from lmu_spiking.dynamics.mapping import Mapped
from lmu_spiking.errors import MappingError
from lmu_spiking.memory.design import design
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.theory.bound import largest_error

TRIED = 40  # neurons a dimension, for which synapse and feedback are chosen
SPAN = 0.02, 5.0  # windows, between which the synapse is searched for
NEAR = 1.01  # times the fewest neurons that the result may have


def bound_at_theta(spec: MemorySpec) -> float:
    """Return the largest error of the readout at delay theta that any input causes.

    Parameters
    ----------
    spec : MemorySpec
        Of staggered neurons.

    Returns
    -------
    float
        In units of the input; infinite where the memory would be unstable.
    """
    try:
        made = design(spec.replace(aggregated=True))
    except MappingError:
        return np.inf
    return _bound(made)


def _bound(made) -> float:
    """Return the bound of a design at delay theta."""
    ldn, dt = made.ldn, made.dt
    last = ldn.readout([(ldn.steps(dt) - 1) * dt], dt)
    return float(largest_error(made, last)[0])


def fewest_bounded(
    spec: MemorySpec, limit: float, most: float, *, choose_tau: bool = True
) -> tuple[MemorySpec, float] | None:
    """Return the memory of fewest neurons whose error at delay theta is bounded.

    Parameters
    ----------
    spec : MemorySpec
        Of staggered neurons; its own number of them does not count.  With
        ``error_feedback="auto"`` the feedback of least bound is taken.
    limit : float
        Of the error against the exact LDN, in units of the input.
    most : float
        Neurons at most.
    choose_tau : bool
        Whether the synapse of least bound is taken, in place of the spec's.

    Returns
    -------
    (MemorySpec, float) or None
        The memory and its bound; None if ``most`` neurons are not enough.
    """
    asked, least = spec.error_feedback, 2 * spec.order
    if most < least:
        return None
    spec = spec.replace(n_neurons=TRIED * spec.order, error_feedback=None)
    if choose_tau:
        spec = spec.replace(tau=_best_tau(spec))
    if asked is not None:
        spec = spec.replace(error_feedback=_best_feedback(spec, asked))
    # about so many; then double, or halve, until the number lies in between
    n = int(np.clip(spec.n_neurons * bound_at_theta(spec) / limit, least, most))
    low, high = least - 1, None
    while high is None or high > max(NEAR * low, low + 1):
        bound = bound_at_theta(spec.replace(n_neurons=n))
        if bound <= limit:
            high, reached = n, bound
        elif n >= most:
            return None
        else:
            low = n
        n = int(min(1.2 * low + 1, most)) if high is None else (low + high) // 2
        n = max(n, int(high / 1.2)) if high is not None and low < least else n
    return spec.replace(n_neurons=high), reached


def _best_tau(spec: MemorySpec) -> float:
    """Return the time constant of least bound, seconds, in two digits."""

    def log_bound(log_tau: float) -> float:
        tried = spec.replace(tau=float(np.exp(log_tau)))
        return float(np.log(np.clip(bound_at_theta(tried), 1e-300, 1e300)))

    span = np.log(spec.theta) + np.log(SPAN)
    found: Any = minimize_scalar(log_bound, bounds=span, options={"xatol": 0.03})
    return float(f"{np.exp(found.x):.2g}")


def _best_feedback(spec: MemorySpec, asked):
    """Return rate and time constant of the feedback of least bound, or None."""
    made = design(spec.replace(aggregated=True))

    def bound(loop: Mapped) -> float:
        return _bound(replace(made, mapped=loop))

    found = with_feedback(made.mapped, asked, spec.dt, error=bound).feedback
    return found and (found.rate, found.tau)
