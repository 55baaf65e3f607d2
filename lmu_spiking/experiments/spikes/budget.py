r"""Many slow neurons or a few fast ones: errors at a fixed budget of spikes.

With ``n r`` held, Poisson neurons do not care how the spikes are spread: their noise is
that of ``n r`` spikes per second, whoever fires them.  The noise of regular spikes at
independent phases goes as ``1 / (r sqrt n)``: fewer neurons that fire faster are
better, by ``r^{-1/2}``.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.memory.design import design
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.curves import is_rectified_linear, neuron_type
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.report import CELL, summarise
from lmu_spiking.studies.sweep import Trial, grid

COSTS = ("synops_per_s", "synops_per_s_full")


def suited(base: MemorySpec, kind: str) -> MemorySpec:
    """``base`` with neurons of another type, and a radius at which they can serve.

    Drawn curves saturate beyond their radius: they get three rms of the input.
    """
    pairs = base.tuning != "drawn" and is_rectified_linear(neuron_type(kind))
    radii = base.radii if pairs else 3 * base.signal.rms
    return base.replace(neuron_type=kind, radii=radii)


def mean_rate(spec: MemorySpec) -> float:
    """Hz of one neuron, the mean over neurons and over the spec's signal.

    From the curves and the exact states, without noise or a run.
    """
    white = spec.signal
    u = white_noise(20.0 / white.bandwidth, spec.dt, white.bandwidth, white.rms, 0)
    states = spec.ldn.simulate(u.samples * white.rms / u.rms, spec.dt)
    levels = (np.arange(200) + 0.5) / 200
    population = design(spec).population
    rates = [
        population.tables(i, np.quantile(m, levels), spec.dt)["rate"].mean()
        for i, m in enumerate(states.T)
    ]
    return float(np.sum(rates)) / spec.n_neurons


def neurons_for(spec: MemorySpec, budget: float) -> int:
    """Neurons that fire ``budget`` spikes per second together, as many a dimension.

    Raises
    ------
    ValidationError
        If that is fewer than 2 a dimension.
    """
    return _neurons(spec, mean_rate(spec.replace(n_neurons=200 * spec.order)), budget)


def _neurons(spec: MemorySpec, rate: float, budget: float) -> int:
    budget = check_positive("budget", budget, "spikes per second")
    each = round(budget / rate / spec.order)
    if each < 2:
        raise ValidationError(
            "budget",
            budget,
            f"spikes per second are fewer than 2 {spec.neuron_type} neurons for each "
            f"of {spec.order} dimensions fire at a max_rate of {spec.max_rate:g} Hz",
            f"use at least {np.ceil(2 * rate * spec.order):g}, or a lower max_rate",
        )
    return each * spec.order


def spike_budget_trials(
    budgets: Iterable[float],
    max_rates: Iterable[float],
    neuron_types: Iterable[str],
    trials: int,
    base: MemorySpec,
    duration: float,
    first_seed: int = 0,
    *,
    orders: Iterable[int] | None = None,
) -> dict[float, list[Trial]]:
    """Trials of memories that spend equal spikes at different rates, for `sweep`.

    Parameters
    ----------
    budgets : iterable of float
        Spikes per second of all neurons together.
    max_rates : iterable of float
        At the radius, Hz: each with as many neurons as the budget allows.
    neuron_types : iterable of str
    trials : int
        Of each combination.
    base : MemorySpec
        Everything else; drawn curves get a radius that suits them.
    duration : float
        Of each trial, seconds.
    first_seed : int
    orders : iterable of int, optional
        That of ``base`` by default.

    Returns
    -------
    dict of list
        The trials of each budget.
    """
    found: dict[float, list[Trial]] = {float(budget): [] for budget in budgets}
    cells = [
        suited(base, kind).replace(max_rate=rate, order=order, n_neurons=2 * order)
        for kind in neuron_types
        for order in (orders or [base.order])
        for rate in max_rates
    ]
    for cell in cells:
        rate = mean_rate(cell.replace(n_neurons=200 * cell.order))
        for budget, planned in found.items():
            each = _neurons(cell, rate, budget) // cell.order
            types = [cell.neuron_type]
            planned += grid(
                [cell.order], [each], types, trials, cell, duration, first_seed
            )
    return found


def neuron_trials(
    orders: Iterable[int],
    neurons_per_dimension: Iterable[int],
    neuron_types: Iterable[str],
    trials: int,
    base: MemorySpec,
    duration: float,
    first_seed: int = 0,
) -> list[Trial]:
    """As `grid`, with a radius that suits each neuron type."""
    each = list(neurons_per_dimension)
    return [
        trial
        for kind in neuron_types
        for trial in grid(
            orders, each, [kind], trials, suited(base, kind), duration, first_seed
        )
    ]


def costs(frame: pd.DataFrame) -> pd.DataFrame:
    """`summarise` of trials, with the means of their synaptic operations."""
    means = frame.groupby(CELL)[list(COSTS)].mean().reset_index()
    return summarise(frame).merge(means, on=CELL)


def budget_costs(frame: pd.DataFrame, planned: dict) -> pd.DataFrame:
    """`costs` of the trials of each budget, as `spike_budget_trials` planned them."""
    parts = []
    for budget, trials in planned.items():
        digests = {trial.digest for trial in trials}
        parts.append(costs(frame[frame.digest.isin(digests)]).assign(budget=budget))
    return pd.concat(parts, ignore_index=True)
