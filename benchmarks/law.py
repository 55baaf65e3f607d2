"""The error model: measured against predicted over orders, neurons and neuron types.

    python benchmarks/law.py [--jobs 2] [--runs runs/law]

Real neurons throughout (nothing aggregated): theta 0.5 s, tau 0.1 s, dt 1 ms, white
noise of 2 Hz and rms 0.5, pairs of 300 Hz at radius 1, 8 trials of 60 s at each point
(20 s for the comparison of neuron types).  A few minutes on 2 cores (four on one);
resumable.  Writes benchmarks/results/law.json, docs/figures/error_against_neurons.png
and docs/figures/error_against_spikes.png.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lmu_spiking import MemorySpec, plots
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.report import exponents, summarise
from lmu_spiking.studies.sweep import Trial, grid, sweep
from lmu_spiking.studies.trial import versions

ROOT = Path(__file__).resolve().parent.parent
FIRST_SEED = 20261121
NEURONS = (50, 160, 500, 1600, 5000)  # for each dimension


def law_trials() -> list[Trial]:
    """Poisson pairs: d in {2, 4, 8, 16}, m/d from 50 to 5,000."""
    trials = grid(
        (2, 4, 8, 16), NEURONS, ("poisson",), 8, MemorySpec(), 60.0, FIRST_SEED
    )
    return sorted(trials, key=lambda trial: trial.spec.n_neurons)


def type_trials() -> list[Trial]:
    """Other neurons at d = 4; drawn curves get a radius they do not saturate at."""
    pairs, drawn = MemorySpec(), MemorySpec(radii=1.5)
    kinds = (("stochastic", "regular", "if"), pairs), (("lif",), drawn)
    return [
        trial
        for names, base in kinds
        for trial in grid((4,), NEURONS[:4], names, 8, base, 20.0, FIRST_SEED)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--runs", default=str(ROOT / "runs" / "law"))
    options = parser.parse_args()
    trials = [*law_trials(), *type_trials()]
    done = []

    def count(row):
        done.append(row)
        print(
            f"\r{len(done)}/{len(trials)} trials", end="", file=sys.stderr, flush=True
        )

    frame = sweep(trials, options.runs, n_jobs=options.jobs, on_done=count)
    print(file=sys.stderr)
    report(frame[: len(law_trials())], frame)


def report(law: pd.DataFrame, everything: pd.DataFrame) -> None:
    """Tables to the terminal, results and figures to their files."""
    points = summarise(law)
    points["ratio"] = points.state_rmse / points.predicted_state_rmse
    shares = law.groupby(["order", "neurons"]).predicted_window_noise_nrmse
    share = shares.apply(lambda x: np.sqrt(np.mean(x**2))).rename("noise_share")
    points = points.merge(share.reset_index(), on=["order", "neurons"])
    columns = ["order", "neurons", "state_rmse", "predicted_state_rmse", "ratio"]
    print(points[[*columns, "noise_share"]].round(4).to_string(index=False))

    fits = exponents(law)
    quiet = law.merge(share.reset_index(), on=["order", "neurons"])
    quiet = quiet[quiet.noise_share < 0.1]
    quiet_fits = exponents(quiet).query("against == 'neurons'")
    print("\nall points\n" + fits.round(3).to_string(index=False))
    print("\nnoise under a tenth\n" + quiet_fits.round(3).to_string(index=False))

    types = everything[everything.order == 4]
    other, other_fits = summarise(types), exponents(types)
    print("\nneuron types, order 4\n" + other_fits.round(3).to_string(index=False))
    write_json(
        ROOT / "benchmarks" / "results" / "law.json",
        {
            "command": "python benchmarks/law.py",
            "first_seed": FIRST_SEED,
            "points": points.to_dict("records"),
            "exponents": fits.to_dict("records"),
            "exponents_noise_under_a_tenth": quiet_fits.to_dict("records"),
            "neuron_types": other.to_dict("records"),
            "neuron_type_exponents": other_fits.to_dict("records"),
            "versions": versions(),
        },
    )
    figures = ROOT / "docs" / "figures"
    neurons = plots.study_figures(summarise(law))["error-vs-neurons"]
    spikes = plots.study_figures(other)["error-vs-spikes"]
    plots.save_figure(neurons, figures / "error_against_neurons.png")
    plots.save_figure(spikes, figures / "error_against_spikes.png")


if __name__ == "__main__":
    main()
