"""Digits of five seeds: rates, spikes at several sizes, and the predicted loss beside.

    python benchmarks/learning_digits.py [--jobs 2] [--fast]

The recipe "digits" on each split, 360 digits to test; converted to Poisson neurons at
10 and at 1 ms a pixel.  Seeds 0 to 4, as for the task's other results; the recipe was
found on validation parts.  About 30 minutes on 2 cores.  Writes
benchmarks/results/learning_digits.json and docs/figures/learning_digits.png.
"""

import argparse
from pathlib import Path

import numpy as np

from lmu_spiking.experiments.figures import digits_figure
from lmu_spiking.experiments.learning.invariance import spiking_row, trained_digits
from lmu_spiking.experiments.learning.records import made_with
from lmu_spiking.plots import save_figure
from lmu_spiking.processes import in_processes
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1, 2, 3, 4)
NEURONS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
PRESENTATIONS = (0.001, 0.01)


def study(seed: int, neurons, presentations, tests) -> tuple[dict, list[dict]]:
    params, data, rate = trained_digits(seed)
    rows = [
        {"seed": seed}
        | spiking_row(params, data, n, p, noise_seed=100 * seed, tests=tests)
        for p in presentations
        for n in neurons
    ]
    return rate, rows


def summarise(rates: list[dict], rows: list[dict]) -> dict:
    mean, half = confidence([r["rate_accuracy"] for r in rates])
    chance = rates[0]["chance"]
    print(f"rates: {mean:.2%} +- {half:.2%}, chance {chance:.1%}")
    table = []
    for key in dict.fromkeys((r["presentation"], r["n_neurons"]) for r in rows):
        mine = [r for r in rows if (r["presentation"], r["n_neurons"]) == key]
        entry = {"presentation": key[0], "n_neurons": key[1]}
        for name in ("spiking_accuracy", "loss", "predicted_loss", "predicted_spread"):
            entry[name] = float(np.mean([r[name] for r in mine]))
        entry["loss_ci95"] = confidence([r["loss"] for r in mine])[1]
        for name in ("spikes_per_inference", "synops_per_inference"):
            entry[name] = float(np.mean([r[name] for r in mine]))
        table.append(entry)
        print(
            "{presentation:.3f} s a pixel, m = {n_neurons:9,}: {spiking_accuracy:.2%}, "
            "lost {loss:+.2%} +- {loss_ci95:.2%} (predicted {predicted_loss:+.2%}), "
            "spikes {spikes_per_inference:,.0f}, "
            "synops {synops_per_inference:,.0f}".format(**entry)
        )
    return {"rate_accuracy": mean, "rate_accuracy_ci95": half, "spikes": table}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fast", action="store_true", help="short, nothing written")
    parser.add_argument("--figure", help="write the figure elsewhere")
    options = parser.parse_args()
    cells = [(seed, NEURONS, PRESENTATIONS, None) for seed in SEEDS]
    if options.fast:
        cells = [(seed, NEURONS[::2], (0.001,), 180) for seed in (101, 102)]
    found = list(in_processes(study, cells, options.jobs))
    rates, rows = [r for r, _ in found], [row for _, some in found for row in some]
    summary = summarise(rates, rows)
    figure = digits_figure(rows, rates)
    name = ROOT / "docs/figures/learning_digits.png"
    if options.figure or not options.fast:
        save_figure(figure, options.figure or name)
    if options.fast:
        return
    write_json(
        ROOT / "benchmarks" / "results" / "learning_digits.json",
        {
            "command": "python benchmarks/learning_digits.py",
            "seeds": SEEDS,
            "settings": {"recipe": "digits", "neurons": NEURONS},
            "summary": summary,
            "rates": rates,
            "rows": rows,
        }
        | made_with(),
    )


if __name__ == "__main__":
    main()
