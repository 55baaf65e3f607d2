"""Permuted digits on Loihi's emulator: accuracy, spikes, operations, energy.

    python benchmarks/loihi_digits.py PARAMS [--seeds 0 1 2 3 4] [--items 360]

PARAMS names trained parameters with {} for the seed of the split, as made by

    lmu-spiking train digits --chip --split 0 --out out/digits0

All items run on the emulator's arithmetic, `--emulated` of each seed on NengoLoihi
itself, where spikes must be equal and operations are counted.  The layout was chosen
by predicted errors of readouts, of seed 0's parameters too; no test label was used.
Writes benchmarks/results/loihi_digits.json, after every seed.
"""

import argparse
from pathlib import Path

import numpy as np

from lmu_spiking.loihi.classify import classify
from lmu_spiking.rates import load_params
from lmu_spiking.studies.learning.records import made_with
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json
from lmu_spiking.tasks.digits import digits

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1, 2, 3, 4)
LAYOUT = {
    "n_neurons": 2000,
    "copies": 12,
    "presentation": 0.01,
    "tau": 0.05,
    "max_rate": 240.0,
}
MEANS = (
    "rate_accuracy",
    "spiking_accuracy",
    "lost",
    "spikes_per_inference",
    "synops_per_inference",
    "estimated_joules_per_inference",
)


def summarise(rows: list[dict]) -> dict:
    """Means over splits, with 95 % intervals where there are several."""
    summary = {}
    for name in MEANS:
        values = [row[name] for row in rows if name in row]
        if len(values) > 1:
            summary[name] = dict(zip(("mean", "ci95"), confidence(values), strict=True))
        elif values:
            summary[name] = {"mean": float(np.mean(values)), "ci95": None}
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("params", help="a file for each seed, {} for the seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--items", type=int, help="of the test part; all")
    parser.add_argument("--emulated", type=int, default=1)
    parser.add_argument("--out", default=ROOT / "benchmarks/results/loihi_digits.json")
    asked = parser.parse_args()
    rows = []
    for seed in asked.seeds:
        params, data = load_params(asked.params.format(seed)), digits(seed=seed)
        row = {"seed": seed} | classify(
            params,
            data,
            items=asked.items,
            emulated=asked.emulated,
            seed=seed,
            **LAYOUT,
        )
        rows.append(row)
        print(row, flush=True)
        told = {"rows": rows, "summary": summarise(rows), "layout": LAYOUT}
        write_json(Path(asked.out), told | made_with())
    print(summarise(rows))


if __name__ == "__main__":
    main()
