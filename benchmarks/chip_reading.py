"""Digits for a chip: what the rate model bears, and how its units are best read.

    python benchmarks/chip_reading.py [--fast]

The recipe "digits-chip" on each split, 360 digits to test: noise on the states, states
that are read late and windows that are off, in rates, beside a training with the same
noise that knows nothing of lateness and windows; then the chip's own units on the
exact memory with noise that it remembers, read in windows about the end.  No chip and
no emulator runs here.  Seeds 0 to 4, the recipe was found on other splits.  About ten
minutes on one core.  Writes benchmarks/results/chip_reading.json.
"""

import argparse
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np

from lmu_spiking.conversion.chip import held_states, read_spikes
from lmu_spiking.experiments.learning.records import made_with
from lmu_spiking.lmu import LMUParams, activations
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json
from lmu_spiking.tasks.digits import digits
from lmu_spiking.training import train
from lmu_spiking.training.recipes import recipe_for, start

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1, 2, 3, 4)
NOISE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)  # relative to each coefficient's rms
LATE = (-0.5, -0.25, -0.1, 0.1, 0.25, 0.5)  # samples
STRETCH = (-0.02, -0.01, -0.005, 0.005, 0.01, 0.02)  # of the window
READINGS = (  # seconds a pixel, seconds of reading
    *((0.005, 0.005), (0.01, 0.005), (0.01, 0.01), (0.02, 0.005), (0.02, 0.01)),
    *((0.02, 0.02), (0.05, 0.01), (0.05, 0.025), (0.05, 0.05)),
)
TRAININGS = {  # the last one's units are read
    "noise alone": {"late": 0.0, "stretch": 0.0},
    "recipe": {},
}
FINE = 20  # parts of a sample
REPEATS = 10  # draws of the rates' noise


def trained_for_chip(seed: int, epochs: int | None, **changes):
    """Parameters and the part to test."""
    recipe = recipe_for("digits", chip=True)
    data = recipe.data(digits(seed=seed))
    settings = replace(recipe.settings, seed=seed, **changes)
    settings = settings if epochs is None else replace(settings, epochs=epochs)
    return train(start(recipe, data, seed), data, settings).params, data.test


def states(params: LMUParams, x, late: float = 0.0, stretch: float = 0.0) -> np.ndarray:
    """At the end of a sample, or some samples late, of a window that is off: (n, d)."""
    cell = params.cells[0]
    cell = replace(cell, theta=cell.theta * (1 + stretch))
    u, steps = x.astype(float) @ cell.e_x.T, round((x.shape[1] + late) * FINE)
    return deque(held_states(cell, u, FINE, steps, params.dt / FINE), maxlen=1)[0]


def accuracy(params: LMUParams, m: np.ndarray, labels) -> float:
    cell = params.cells[0]
    h = activations(cell.activation, m @ cell.W_m.T + cell.b, cell.chip)
    return float(np.mean((h @ params.D.T + params.c).argmax(1) == labels))


def borne(params: LMUParams, part, seed: int) -> list[dict]:
    """Accuracies of rates on states that are wrong."""
    m, rng = states(params, part.x), np.random.default_rng(seed)
    rms = np.sqrt(np.mean(m**2, axis=0))
    rows = []
    for size in NOISE:
        noisy = (m + size * rms * rng.standard_normal(m.shape) for _ in range(REPEATS))
        found = np.mean([accuracy(params, each, part.y) for each in noisy])
        rows.append({"error": "noise", "size": size, "accuracy": float(found)})
    for name, sizes in (("late", LATE), ("stretch", STRETCH)):
        for size in sizes:
            found = accuracy(params, states(params, part.x, **{name: size}), part.y)
            rows.append({"error": name, "size": size, "accuracy": found})
    return rows


def readings(params: LMUParams, part, seed: int, plans) -> list[dict]:
    """Accuracies of the chip's units, and what a reading takes."""
    rows = []
    for presentation, window in plans:
        for noise in (0.0, 0.1, 0.2):
            options = {"presentation": presentation, "window": window, "noise": noise}
            found = read_spikes(params, part.x, seed=seed, **options)
            right = np.mean(found.y.argmax(axis=1) == part.y)
            rows.append(
                options
                | {"accuracy": float(right), "seconds": found.seconds}
                | {"spikes_read": float(found.counts.sum(axis=1).mean())}
                | {"unit_spikes": float(found.unit_spikes.mean())}
            )
    return rows


def summarise(rows: list[dict], keys, names) -> list[dict]:
    """Means over seeds, and 95 % intervals of the accuracy."""
    table = []
    for key in dict.fromkeys(tuple(r[k] for k in keys) for r in rows):
        mine = [r for r in rows if tuple(r[k] for k in keys) == key]
        entry = dict(zip(keys, key, strict=True))
        entry |= {name: float(np.mean([r[name] for r in mine])) for name in names}
        entry["accuracy_ci95"] = confidence([r["accuracy"] for r in mine])[1]
        print("  ".join(f"{k} {v:.4g}" if v != str(v) else v for k, v in entry.items()))
        table.append(entry)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="short, nothing written")
    options = parser.parse_args()
    seeds, plans, epochs = SEEDS, READINGS, None
    if options.fast:
        seeds, plans, epochs = (101, 102), READINGS[:2], 20
    of_rates, of_spikes = [], []
    for seed in seeds:
        for name, changes in TRAININGS.items():
            params, part = trained_for_chip(seed, epochs, **changes)
            about = {"seed": seed, "training": name}
            of_rates += [about | row for row in borne(params, part, seed)]
        of_spikes += [{"seed": seed} | r for r in readings(params, part, seed, plans)]
    names = ("accuracy", "seconds", "spikes_read", "unit_spikes")
    summary = {
        "rates": summarise(of_rates, ("training", "error", "size"), ("accuracy",)),
        "spikes": summarise(of_spikes, ("presentation", "window", "noise"), names),
    }
    if options.fast:
        return
    write_json(
        ROOT / "benchmarks" / "results" / "chip_reading.json",
        {
            "command": "python benchmarks/chip_reading.py",
            "seeds": seeds,
            "settings": {"recipe": "digits-chip", "repeats": REPEATS},
            "summary": summary,
            "rates": of_rates,
            "spikes": of_spikes,
        }
        | made_with(),
    )


if __name__ == "__main__":
    main()
