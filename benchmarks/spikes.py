"""What spikes are worth: neuron types against neurons, spikes and synaptic operations.

Order 4, theta 0.5 s, tau 0.1 s, dt 1 ms, white noise of 2 Hz and rms 0.5; pairs of 300
Hz at radius 1, heterogeneous tuning curves (LIF, adaptive) at radius 1.5.  Real neurons
throughout, on seeds that nothing was tuned on:

- 3 trials of 10 s for each type and 80 to 8,000 neurons;
- 3 trials of 10 s for 40,000 spikes per second at 30 to 300 Hz;
- 3 trials of 4 s that tell sources of error apart, LIF, IF and Poisson;
- LIF neurons at bandwidths from 0.5 to 4 Hz, for what their lead predicts.
"""

import pandas as pd

from lmu_spiking import MemorySpec, SignalSpec
from lmu_spiking.experiments.figures.spikes import spikes_figures
from lmu_spiking.experiments.records import count_cases
from lmu_spiking.experiments.spikes import budget
from lmu_spiking.experiments.spikes.sources import source_trials, summarise_sources
from lmu_spiking.experiments.spikes.study import rate_exponents
from lmu_spiking.studies.report import exponents
from lmu_spiking.studies.sweep import sweep

FIRST_SEED = 20261122
TYPES = ("poisson", "stochastic", "regular", "if", "lif", "adaptive")
NEURONS = (20, 60, 200, 600, 2000)  # for each dimension
BANDWIDTHS = (0.5, 1.0, 2.0, 4.0)
SOURCES = {"lif": NEURONS, "if": (20, 120, 600), "poisson": (20, 120, 600)}
LEAD = ["lead", "state_rmse", "regular_rmse", "lead_rmse", "mended_rmse"]


def spikes(options) -> dict:
    """Return errors and costs, at equal neurons and at equal spikes, and sources."""
    fast, base = options.fast, MemorySpec(order=4, n_neurons=400)
    trials, duration, shorter = (2, 2.0, 2.0) if fast else (3, 10.0, 4.0)
    types, most = (TYPES[::3], 2) if fast else (TYPES, None)

    def trials_of(kinds, neurons, count, seconds, spec=base):
        sizes = neurons[:most]
        return budget.neuron_trials([4], sizes, kinds, count, spec, seconds, FIRST_SEED)

    # all trials, before the first is run
    varied = trials_of(types, NEURONS, trials, duration)
    planned = budget.spike_budget_trials(
        [40_000.0], (30.0, 100.0, 300.0), types, trials, base, duration, FIRST_SEED
    )
    apart, slow = [], []
    for kind, neurons in SOURCES.items():
        apart += trials_of([kind], neurons, trials, shorter)
    for bandwidth in BANDWIDTHS[:most]:
        signal = base.replace(signal=SignalSpec(bandwidth, 0.5))
        slow += trials_of(["lif"], (400,), 1, duration, signal)
    everything = {trial.digest: trial for trial in sum(planned.values(), varied)}
    total = len(everything) + len(apart) + len(slow)
    run = {"n_jobs": options.jobs, "on_done": count_cases(total)}
    frame = sweep(everything.values(), options.parts, **run)
    slower = source_trials(slow, options.parts, **run).groupby("bandwidth")[LEAD]
    sources = summarise_sources(source_trials(apart, options.parts, **run))
    by_neurons = frame[frame.digest.isin({trial.digest for trial in varied})]
    tables = {
        "neurons": budget.costs(by_neurons),
        "exponents": exponents(by_neurons),
        "equal_spikes": budget.budget_costs(frame, planned),
        "rate_exponents": rate_exponents(frame, planned),
        "sources": sources,
        "lif_bandwidths": slower.mean().reset_index(),
    }
    rows = {name: table.to_dict("records") for name, table in tables.items()}
    return {"first_seed": FIRST_SEED} | rows


def draw_spikes(record: dict) -> dict:
    """Return errors against neurons and costs, at equal spikes, and their sources."""
    names = ("neurons", "equal_spikes", "sources")
    figures = spikes_figures(*(pd.DataFrame(record[name]) for name in names))
    return {name.replace("-", "_"): figure for name, figure in figures.items()}
