"""Trained on sequences of 1,000 to 100,000 steps: errors, seconds and memory.

    python benchmarks/learning_length.py [--fast]

`recall`: 200 sequences, of which 80 train, 20 choose and 100 test; order 40, 100 units,
window as long as the sequence, 4,606 parameters, all trained from random numbers.
Linear units, since the task is linear; relu and tanh ones at 1,000 steps beside, which
fit 80 sequences at the expense of others.  *every batch* computes the memories of every
batch of raw sequences anew, *once* keeps them.  An LSTM of as many parameters trains
for the same seconds, up to 3,162 steps; it does not converge and is not shown.  Run it
alone, on one thread: it measures time.
Seed 5700, not used to choose anything.  A few minutes.  Writes
benchmarks/results/learning_length.json and docs/figures/learning_length.png.
"""

import argparse
from pathlib import Path

from lmu_spiking.experiments.figures import length_figure
from lmu_spiking.experiments.learning import lengths
from lmu_spiking.experiments.learning.records import made_with
from lmu_spiking.plots import save_figure
from lmu_spiking.studies.records import write_json

ROOT = Path(__file__).resolve().parent.parent
SEED, EPOCHS, BAR = 5700, 60, 0.1
LSTM_UP_TO = 3_162


def cells(fast: bool) -> list[tuple[int, dict]]:
    steps = lengths.LENGTHS[:4] if fast else lengths.LENGTHS
    epochs = 10 if fast else EPOCHS
    common = {"epochs": epochs, "seed": SEED}
    found = [
        (
            n,
            common
            | {"projected": way, "lstm": way == "every batch" and n <= LSTM_UP_TO},
        )
        for way in ("every batch", "once")
        for n in steps
    ]
    return found + [
        (steps[0], common | {"projected": "once", "activation": name})
        for name in ("relu", "tanh")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="short, nothing written")
    parser.add_argument("--figure", help="write the figure elsewhere")
    options = parser.parse_args()
    rows = []
    for steps, settings in cells(options.fast):
        rows.append(lengths.in_own_process(steps, **settings))
        row = {"lstm_nrmse": float("nan"), "lstm_epochs": 0} | rows[-1]
        print(
            "{steps:7,} steps, {activation:6} {projected:11} NRMSE {nrmse:.4f}, "
            "{seconds_per_epoch:.3f} s an epoch, {seconds:.0f} s in all, {bytes:,} "
            "bytes added; LSTM {lstm_nrmse:.3f} after {lstm_epochs:.2f} epochs".format(
                **row
            ),
            flush=True,
        )
    main_rows = [
        r
        for r in rows
        if r["projected"] == "every batch" and r["activation"] == "linear"
    ]
    least = 1_000 if options.fast else lengths.LONG
    exponents = lengths.growth(main_rows, least)
    everywhere = lengths.growth(main_rows, 0)
    print(f"exponents from {least:,} steps on: {exponents}; of all: {everywhere}")
    figure = length_figure(rows, exponents)
    name = ROOT / "docs/figures/learning_length.png"
    if options.figure or not options.fast:
        save_figure(figure, options.figure or name)
    if options.fast:
        return
    write_json(
        ROOT / "benchmarks" / "results" / "learning_length.json",
        {
            "command": "python benchmarks/learning_length.py",
            "seeds": [SEED],
            "settings": {"epochs": EPOCHS, "bar": BAR, "sensor": lengths.SENSOR},
            "exponents": exponents,
            "exponents_from": least,
            "exponents_of_all": everywhere,
            "rows": rows,
        }
        | made_with(),
    )


if __name__ == "__main__":
    main()
