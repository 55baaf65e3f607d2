"""Permuted digits on Loihi's emulator: accuracy, spikes, operations, energy.

    python benchmarks/loihi_digits.py [--parts DIR] [--seeds 0 1 2 3 4] [--emulated 1]

The recipe "digits-chip" is trained on each split (two minutes; DIR keeps it), laid out
as it is and shown all 360 digits of the test part.  They run on the emulator's
arithmetic, `--emulated` of the first split on NengoLoihi itself, where spikes must be
equal and operations are counted.  The layout was chosen by predicted errors of readouts
and on split 5.  Ten minutes a split on one idle core, ten more for one on NengoLoihi.
What DIR holds is not run again.  Writes benchmarks/results/loihi_digits.json and
docs/figures/loihi_digits.png.
"""

import argparse
from pathlib import Path

import numpy as np

from lmu_spiking.experiments.figures import loihi_digits_figure
from lmu_spiking.experiments.learning.records import made_with
from lmu_spiking.experiments.published.parts import kept, trained
from lmu_spiking.experiments.published.result import Silent
from lmu_spiking.loihi.run.classify import classify
from lmu_spiking.plots import save_figure
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json
from lmu_spiking.tasks.digits import digits

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1, 2, 3, 4)
LAYOUT = {
    "n_neurons": 2000,
    "copies": 12,
    "presentation": 0.03,
    "width": 0.015,
    "tau": 0.08,
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


def row_of(about: dict, parts: Path) -> dict:
    """Train for a split, or read what was trained, and classify."""
    from lmu_spiking.training.recipes import recipe_for

    seed = about["seed"]
    recipe, data = recipe_for("digits", chip=True), digits(seed=seed)
    heard, name = recipe.data(data), f"digits-chip-{seed}"
    params = trained(recipe, heard, seed, parts, name, Silent).params
    return {"seed": seed} | classify(params, data, **about, **LAYOUT)


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
    parser.add_argument("--parts", type=Path, default=ROOT / "out/loihi_digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--items", type=int, help="of the test part; all")
    parser.add_argument("--emulated", type=int, default=1)
    asked = parser.parse_args()
    rows = []
    for seed in asked.seeds:
        emulated = asked.emulated if seed == asked.seeds[0] else 0
        about = {"items": asked.items, "emulated": emulated, "seed": seed}
        rows.append(
            kept(
                asked.parts,
                f"digits-{seed}",
                about | LAYOUT,
                lambda about=about: row_of(about, asked.parts),
            )
        )
        print(rows[-1], flush=True)
    told = {"rows": rows, "summary": summarise(rows), "layout": LAYOUT}
    write_json(ROOT / "benchmarks/results/loihi_digits.json", told | made_with())
    figure = loihi_digits_figure(rows)
    save_figure(figure, ROOT / "docs/figures/loihi_digits.png")
    print(told["summary"])


if __name__ == "__main__":
    main()
