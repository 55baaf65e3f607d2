"""What spikes are worth: neuron types against neurons, spikes and synaptic operations.

    python benchmarks/spikes.py [--jobs 1] [--runs runs/spikes]

Order 4, theta .5 s, tau .1 s, dt 1 ms, white noise of 2 Hz and rms .5; pairs of 300 Hz
at radius 1, drawn curves (LIF, adaptive) at radius 1.5.  Real neurons throughout, on
seeds that nothing was tuned on:

- 3 trials of 10 s for each type and 80 to 8,000 neurons;
- 3 trials of 10 s for 40,000 spikes per second at 30 to 300 Hz;
- 3 trials of 4 s that tell sources of error apart, LIF, IF and Poisson;
- LIF neurons at bandwidths from .5 to 4 Hz, for what their lead predicts.

A quarter of an hour on one core; what ``runs`` holds is not run again.  Writes
benchmarks/results/spikes.json and docs/figures/spikes_*.png.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from lmu_spiking import MemorySpec, plots
from lmu_spiking.experiments.figures.spikes import spikes_figures
from lmu_spiking.experiments.spikes.budget import (
    budget_costs,
    costs,
    neuron_trials,
    spike_budget_trials,
)
from lmu_spiking.experiments.spikes.sources import source_trials, summarise_sources
from lmu_spiking.experiments.spikes.study import rate_exponents
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.report import exponents
from lmu_spiking.studies.sweep import sweep
from lmu_spiking.studies.trial import versions

ROOT = Path(__file__).resolve().parent.parent
FIRST_SEED = 20261122
TYPES = ("poisson", "stochastic", "regular", "if", "lif", "adaptive")
NEURONS = (20, 60, 200, 600, 2000)  # for each dimension
BASE = MemorySpec(order=4, n_neurons=400)
TRIALS, DURATION = 3, 10.0
SOURCES = {"lif": NEURONS, "if": (20, 120, 600), "poisson": (20, 120, 600)}


def bandwidth_trials() -> list:
    """LIF neurons that hold slower and slower signals."""
    return [
        trial
        for bandwidth in (0.5, 1.0, 2.0, 4.0)
        for trial in neuron_trials(
            [4],
            [400],
            ["lif"],
            1,
            BASE.replace(signal=SignalSpec(bandwidth, 0.5)),
            DURATION,
            FIRST_SEED,
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", default=str(ROOT / "runs" / "spikes"))
    options = parser.parse_args()
    varied = neuron_trials([4], NEURONS, TYPES, TRIALS, BASE, DURATION, FIRST_SEED)
    rates = 30.0, 100.0, 300.0
    planned = spike_budget_trials(
        [40_000.0], rates, TYPES, TRIALS, BASE, DURATION, FIRST_SEED
    )
    apart = [
        trial
        for kind, each in SOURCES.items()
        for trial in neuron_trials([4], each, [kind], TRIALS, BASE, 4.0, FIRST_SEED)
    ]
    slow = bandwidth_trials()
    everything = {t.digest: t for t in sum(planned.values(), varied)}
    total, done = len(everything) + len(apart) + len(slow), []

    def count(row):
        done.append(row)
        print(f"\r{len(done)}/{total} trials", end="", file=sys.stderr, flush=True)

    run = {"n_jobs": options.jobs, "on_done": count}
    frame = sweep(everything.values(), options.runs, **run)
    sources = summarise_sources(source_trials(apart, options.runs, **run))
    slower = source_trials(slow, options.runs, **run)
    print(file=sys.stderr)
    report(frame, {t.digest for t in varied}, planned, sources, slower)


def report(frame, varied: set, planned: dict, sources, slower) -> None:
    """Tables to the terminal, results and figures to their files."""
    by_neurons = frame[frame.digest.isin(varied)]
    summary, fits = costs(by_neurons), exponents(by_neurons)
    budgets, at_budget = budget_costs(frame, planned), rate_exponents(frame, planned)
    keys = ["bandwidth", "lead", "state_rmse", "regular_rmse", "lead_rmse"]
    slower = slower[[*keys, "mended_rmse"]].groupby("bandwidth").mean().reset_index()
    shown = ["neuron_type", "neurons", "spikes_per_s", "state_rmse", "noise_nrmse"]
    tables: list[tuple[str, pd.DataFrame]] = [
        ("neurons", summary[shown]),
        ("exponents against neurons", fits),
        ("equal spikes", budgets[[*shown, "max_rate"]]),
        ("exponents against the rate", at_budget),
        ("sources", sources),
        ("bandwidth", slower),
    ]
    for title, table in tables:
        print(f"\n{title}\n{table.round(4).to_string(index=False)}")
    write_json(
        ROOT / "benchmarks" / "results" / "spikes.json",
        {
            "command": "python benchmarks/spikes.py",
            "first_seed": FIRST_SEED,
            "neurons": summary.to_dict("records"),
            "exponents": fits.to_dict("records"),
            "equal_spikes": budgets.to_dict("records"),
            "rate_exponents": at_budget.to_dict("records"),
            "sources": sources.to_dict("records"),
            "lif_bandwidths": slower.to_dict("records"),
            "versions": versions(),
        },
    )
    figures = ROOT / "docs" / "figures"
    for name, figure in spikes_figures(summary, budgets, sources).items():
        plots.save_figure(figure, figures / f"{name.replace('-', '_')}.png")


if __name__ == "__main__":
    main()
