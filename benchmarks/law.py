"""The error law: measured against predicted over orders, neurons and neuron types.

    python benchmarks/law.py [--jobs 2] [--runs runs/law]

Real neurons throughout (nothing aggregated): theta .5 s, tau .1 s, dt 1 ms, white noise
of 2 Hz and rms .5, pairs of 300 Hz at radius 1, 8 trials of 60 s at each point (20 s for
the comparison of neuron types).  About an hour on 2 cores; resumable.  Writes benchmarks/results/law.json and docs/figures/.
"""

import argparse
import sys
from pathlib import Path

from lmu_spiking import MemorySpec
from lmu_spiking.studies.sweep import Trial, grid, sweep

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
    """Other neurons at d = 4; drawn curves get a radius that they do not saturate at."""
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

    sweep(trials, options.runs, n_jobs=options.jobs, on_done=count)


if __name__ == "__main__":
    main()
