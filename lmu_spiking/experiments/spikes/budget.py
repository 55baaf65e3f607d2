r"""Many slow neurons or a few fast ones: errors at a fixed budget of spikes.

With ``n r`` held, Poisson neurons do not care how the spikes are spread: their noise is
that of ``n r`` spikes per second, whoever fires them.  The noise of regular spikes at
independent phases goes as ``1 / (r sqrt n)``: fewer neurons that fire faster are
better, by ``r^{-1/2}``.
"""

from collections.abc import Iterable
from itertools import product

import numpy as np
import pandas as pd

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.memory.design import design
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.curves import is_rectified_linear, neuron_type
from lmu_spiking.neurons.population import STAGGERED
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.report import CELL, summarise
from lmu_spiking.studies.sweep import Trial, grid

COSTS = ("synops_per_s", "synops_per_s_full")


def suited(base: MemorySpec, kind: str) -> MemorySpec:
    """Return a spec with neurons of another type, and a radius at which they can serve.

    Heterogeneous tuning curves saturate beyond their radius: they get three rms of the
    input.  Integrate-and-fire neurons begin anywhere, unless the spec says that
    they are staggered.

    Parameters
    ----------
    base : MemorySpec
    kind : str
        Neuron type.

    Returns
    -------
    MemorySpec
    """
    pairs = base.tuning != "drawn" and is_rectified_linear(neuron_type(kind))
    radii = base.radii if pairs else 3 * base.signal.rms
    begin = base.initial_phases
    if pairs and kind in STAGGERED:
        begin = begin or "random"
    elif begin == "staggered":
        begin = None
    return base.replace(neuron_type=kind, radii=radii, initial_phases=begin)


def mean_rate(spec: MemorySpec) -> float:
    """Return the rate of one neuron, the mean over neurons and over the spec's signal.

    It follows from the curves and the exact states, without noise or a run.

    Parameters
    ----------
    spec : MemorySpec

    Returns
    -------
    float
        Hz.
    """
    white = spec.signal
    # twenty cycles of the band, scaled to the exact rms
    u = white_noise(20.0 / white.bandwidth, spec.dt, white.bandwidth, white.rms, 0)
    states = spec.ldn.simulate(u.samples * white.rms / u.rms, spec.dt)
    # rates over the distribution of each dimension
    levels = (np.arange(200) + 0.5) / 200
    population = design(spec).population
    rates = [
        population.tables(i, np.quantile(m, levels), spec.dt)["rate"].mean()
        for i, m in enumerate(states.T)
    ]
    return float(np.sum(rates)) / spec.n_neurons


def neurons_for(spec: MemorySpec, budget: float) -> int:
    """Return the neurons that fire ``budget`` spikes per second, as many a dimension.

    Parameters
    ----------
    spec : MemorySpec
    budget : float
        Spikes per second of all neurons together.

    Returns
    -------
    int

    Raises
    ------
    ValidationError
        If that is fewer than 2 a dimension.
    """
    budget = check_positive("budget", budget, "spikes per second")
    rate = mean_rate(spec.replace(n_neurons=200 * spec.order))
    each = round(budget / rate / spec.order)
    if each < 2:
        problem = (
            f"spikes per second are fewer than 2 {spec.neuron_type} neurons for each "
            f"of {spec.order} dimensions fire at a max_rate of {spec.max_rate:g} Hz"
        )
        remedy = f"use at least {np.ceil(2 * rate * spec.order):g}, or a lower max_rate"
        raise ValidationError("budget", budget, problem, remedy)
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
    """Return trials of memories that spend equal spikes at different rates.

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
    planned: dict[float, list[Trial]] = {float(budget): [] for budget in budgets}
    each = product(neuron_types, orders or [base.order], max_rates)
    for kind, order, max_rate in each:
        more = {"max_rate": max_rate, "order": order, "n_neurons": 2 * order}
        cell = suited(base, kind).replace(**more)
        for budget, several in planned.items():
            sizes = [neurons_for(cell, budget) // order]
            run = (trials, cell, duration, first_seed)
            several += grid([order], sizes, [kind], *run)
    return planned


def neuron_trials(
    orders: Iterable[int],
    neurons_per_dimension: Iterable[int],
    neuron_types: Iterable[str],
    trials: int,
    base: MemorySpec,
    duration: float,
    first_seed: int = 0,
) -> list[Trial]:
    """Return trials as `grid` does, with a radius that suits each neuron type.

    Parameters
    ----------
    orders, neurons_per_dimension : iterable of int
    neuron_types : iterable of str
    trials : int
        Of each combination.
    base : MemorySpec
        Everything else.
    duration : float
        Of each trial, seconds.
    first_seed : int

    Returns
    -------
    list of Trial
    """
    sizes, made = list(neurons_per_dimension), []
    for kind in neuron_types:
        run = ([kind], trials, suited(base, kind), duration, first_seed)
        made += grid(orders, sizes, *run)
    return made


def costs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the summary of trials, with the means of their synaptic operations.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.

    Returns
    -------
    DataFrame
    """
    means = frame.groupby(CELL)[list(COSTS)].mean().reset_index()
    return summarise(frame).merge(means, on=CELL)


def budget_costs(frame: pd.DataFrame, planned: dict) -> pd.DataFrame:
    """Return `costs` of the trials of each budget.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.
    planned : dict
        From `spike_budget_trials`.

    Returns
    -------
    DataFrame
    """
    parts = []
    for budget, trials in planned.items():
        digests = {trial.digest for trial in trials}
        parts.append(costs(frame[frame.digest.isin(digests)]).assign(budget=budget))
    return pd.concat(parts, ignore_index=True)
