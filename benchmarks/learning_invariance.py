"""Digits at half and at double the step they were trained at, without retraining.

    python benchmarks/learning_invariance.py [--jobs 2] [--fast]

Trained with 2 samples a pixel; run with 4 and with 1, window and weights the same, in
rates and as a million Poisson neurons (8 ms a pixel, simulated at .5, 1 and 2 ms).
Beside it pixels averaged or dropped in pairs, which loses information.  Seeds 0 to 4.
About 30 minutes on 2 cores.  Writes benchmarks/results/learning_invariance.json and
docs/figures/learning_invariance.png.
"""

import argparse
from pathlib import Path

import numpy as np

from lmu_spiking.experiments.figures import invariance_figure
from lmu_spiking.experiments.learning.invariance import (
    TRAINED,
    rate_rows,
    spiking_rows,
    trained_digits,
)
from lmu_spiking.experiments.learning.records import made_with
from lmu_spiking.plots import save_figure
from lmu_spiking.processes import in_processes
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json

ROOT = Path(__file__).resolve().parent.parent
SEEDS, NEURONS = (0, 1, 2, 3, 4), 1_000_000


def study(seed: int, tests) -> tuple[list[dict], list[dict]]:
    params, data, _ = trained_digits(seed, repeats=TRAINED)
    rates = [{"seed": seed} | row for row in rate_rows(params, data)]
    noise_seed = 100 * seed
    spikes = spiking_rows(params, data, NEURONS, noise_seed=noise_seed, tests=tests)
    return rates, [{"seed": seed} | row for row in spikes]


def summarise(rows: list[dict], name: str) -> list[dict]:
    table = []
    for step in dict.fromkeys(row["step"] for row in rows):
        mine = [row for row in rows if row["step"] == step]
        entry = {"step": step, name: float(np.mean([row[name] for row in mine]))}
        entry["lost"], entry["lost_ci95"] = confidence([row["lost"] for row in mine])
        line = f"{step:26} {name} {entry[name]:.2%}, lost {entry['lost']:+.2%}"
        line += f" +- {entry['lost_ci95']:.2%}"
        if "difference" in mine[0]:
            entry["difference"] = max(row["difference"] for row in mine)
            line += f", outputs differ by {entry['difference']:.1e}"
        table.append(entry)
        print(line)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fast", action="store_true", help="short, nothing written")
    parser.add_argument("--figure", help="write the figure elsewhere")
    options = parser.parse_args()
    cells = [(101, 100)] if options.fast else [(seed, None) for seed in SEEDS]
    found = list(in_processes(study, cells, options.jobs))
    rates = [row for some, _ in found for row in some]
    spikes = [row for _, some in found for row in some]
    summary = {
        "rates": summarise(rates, "rate_accuracy"),
        "spikes": summarise(spikes, "spiking_accuracy"),
    }
    figure = invariance_figure(rates, spikes)
    name = ROOT / "docs/figures/learning_invariance.png"
    if options.figure or not options.fast:
        save_figure(figure, options.figure or name)
    if options.fast:
        return
    write_json(
        ROOT / "benchmarks" / "results" / "learning_invariance.json",
        {
            "command": "python benchmarks/learning_invariance.py",
            "seeds": SEEDS,
            "settings": {"recipe": "digits", "neurons": NEURONS, "pixel": 0.008},
            "summary": summary,
            "rates": rates,
            "spikes": spikes,
        }
        | made_with(),
    )


if __name__ == "__main__":
    main()
