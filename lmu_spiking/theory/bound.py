r"""The largest error that any input can cause in a memory of staggered neurons.

A group of ``K`` staggered neurons has fired ``K Phi(t) + B(t)`` times by time ``t``,
with ``Phi`` the integral of a neuron's rate and ``|B| <= 1/2`` (`neurons.population`).
A spike is worth ``q = |d_k| / dt`` of the state in its step, so that dimension ``i``
decodes ``x_i`` with the error

.. math::

    \eta_i[k] = D_i[k] - D_i[k-1], \qquad
    |D_i| \le \Delta_i = \tfrac12 \sum_{\text{groups of } i} q ,

the difference of something that is bounded whatever the neurons are given, their own
errors included.  The loop is linear in it, ``e = \sum_j H_j\,\eta[k - j]`` with
``H_j = C K^j L`` (`closed_loop`), so that for a readout ``c``

.. math::

    |c^T e| \;\le\; \sum_j \sum_i \bigl|c^T (H_j - H_{j-1})\bigr|_i\, \Delta_i .

It holds for every input and every step, with any basis, synapse, loop delay and error
feedback, if all neurons of a group are identical, their sums are exact, and none is
held at a ceiling of the last level.  Single precision rounds the sums of very many
neurons.  ``q`` of pairs is ``R / (r_max K dt)``: the bound falls as ``1 / m``.
"""

import numpy as np

from lmu_spiking.dynamics.covariance import closed_loop
from lmu_spiking.errors import ValidationError
from lmu_spiking.memory.design import Design

LEFT = 1e-6  # of the sum, that is left out when it ends; it is added as estimated
MOST_WINDOWS = 1000  # that are summed


def largest_error(made: Design, weights) -> np.ndarray:
    """Return the largest error of readouts that any input can cause.

    Parameters
    ----------
    made : Design
        A memory of one input with staggered neurons.
    weights : (p, d) array_like
        Readouts of the Legendre coefficients.

    Returns
    -------
    (p,) ndarray
        Of their absolute values, in units of the readouts.

    Raises
    ------
    ValidationError
        If the neurons are not staggered, or have ceilings.
    """
    population = made.population
    if population.order != made.ldn.order:
        problem, remedy = "must be 1", "take the design of one input"
        raise ValidationError("bound.size_in", made.size_in, problem, remedy)
    if not has_bound(population):
        problem = "has no bound, which staggered neurons without ceilings have alone"
        remedy = "use neuron_type='if' and initial_phases='staggered'"
        if population.tuning.bounded:
            remedy = "use bounded=False"
        raise ValidationError("bound.neurons", population.neurons, problem, remedy)
    # the largest rounding error of each dimension
    half = np.empty(population.order)
    for i in range(population.order):
        first, _ = population.groups(i)
        half[i] = np.abs(population.decoders[first]).sum() / (2 * made.dt)
    # sum the differences of the loop's response, a window at a time
    K, L, C, _ = closed_loop(made.loop)
    weights = np.atleast_2d(np.asarray(weights, dtype=float))
    response = weights @ made.U @ C  # c^T C K^j
    if not len(response):
        return np.zeros(0)
    before, total, last = np.zeros((len(response), len(half))), 0.0, 0.0
    for _ in range(MOST_WINDOWS):
        part = np.zeros(len(response))
        for _ in range(made.ldn.steps(made.dt)):
            H = response @ L
            part += np.abs(H - before) @ half
            before, response = H, response @ K
        total = total + part
        # what is left falls by the factor by which it fell last
        fall = np.max(part) / last if last else 1.0
        if fall < 1 and np.all(part * fall / (1 - fall) <= LEFT * total):
            return (1 + LEFT) * (total + part * fall / (1 - fall))
        last = np.max(part)
    return np.full(len(response), np.inf)


def has_bound(population) -> bool:
    """Return whether the errors of a population have a bound.

    Parameters
    ----------
    population : Population

    Returns
    -------
    bool
    """
    staggered = population.initial_phases == "staggered"
    return staggered and not population.tuning.bounded
