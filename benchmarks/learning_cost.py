"""LMU and LSTM of as many parameters, by the clock: learning, epochs and inference.

    python benchmarks/learning_cost.py [--seconds 120] [--fast]

psMNIST of 5,000 digits, and Mackey-Glass 15 steps ahead; each model trains for so many
seconds, on one thread.  What the LSTM learns in them is recorded and not shown: it has
not converged.  Run it alone, with OMP_NUM_THREADS, TF_NUM_INTRAOP_THREADS and
TF_NUM_INTEROP_THREADS at 1.  Seed 5800, not used to choose anything.  About 15 minutes.
Writes benchmarks/results/learning_cost.json and docs/figures/learning_cost.png.
"""

import argparse
from pathlib import Path

from lmu_spiking.experiments.figures import cost_figure
from lmu_spiking.experiments.learning.cost import TASKS, cost_of
from lmu_spiking.experiments.learning.records import made_with
from lmu_spiking.plots import save_figure
from lmu_spiking.studies.records import write_json

ROOT = Path(__file__).resolve().parent.parent
SEED = 5800


def show(result: dict) -> None:
    for model in ("LMU", "LSTM"):
        last = [row for row in result["curves"] if row["model"] == model][-1]
        print(
            f"{result['task']:13} {model:4} {result['metric']} {last['value']:.4f} "
            f"after {last['seconds']:.0f} s ({last['epochs']:.2f} epochs, "
            f"{result['seconds_per_epoch'][model]:.2f} s each)"
        )
    for row in result["inference"]:
        print(
            "{model:4} {way}, batch {batch}: {us:.1f} us a step".format(
                **row, us=1e6 * row["seconds_per_step"]
            ),
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--fast", action="store_true", help="short, nothing written")
    parser.add_argument("--figure", help="write the figure elsewhere")
    options = parser.parse_args()
    small = {"mackey-glass": {"n_series": 8, "steps": 1000}}
    results = []
    for task in ("mackey-glass",) if options.fast else TASKS:
        seconds = 10.0 if options.fast else options.seconds
        results.append(
            cost_of(task, seconds, SEED, **(small[task] if options.fast else {}))
        )
        show(results[-1])
    figure = cost_figure(results)
    name = ROOT / "docs/figures/learning_cost.png"
    if options.figure or not options.fast:
        save_figure(figure, options.figure or name)
    if options.fast:
        return
    command = f"python benchmarks/learning_cost.py --seconds {options.seconds:g}"
    write_json(
        ROOT / "benchmarks" / "results" / "learning_cost.json",
        {
            "command": command,
            "seeds": [SEED],
            "settings": {"seconds": options.seconds},
            "results": results,
        }
        | made_with(),
    )


if __name__ == "__main__":
    main()
