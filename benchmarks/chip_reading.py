"""Digits for a chip: what the rate-based model tolerates, and how its units are read.

The recipe "digits-chip" on each split, 360 digits to test: noise on the states, states
that are read late and windows that are off, rate-based, beside a training with the same
noise that knows nothing of lateness and windows; then the chip's own units on the
exact memory with noise that it remembers, read in windows about the end.  No chip and
no emulator runs here.  Seeds 0 to 4, the recipe was found on other splits.
"""

from collections import deque
from dataclasses import replace

import numpy as np

from lmu_spiking.conversion.chip import held_states, read_spikes
from lmu_spiking.experiments.published.models import recipe_of, train_kept
from lmu_spiking.experiments.records import average
from lmu_spiking.lmu import LMUParams, activations
from lmu_spiking.metrics import accuracy
from lmu_spiking.tasks.digits import digits

SEEDS = [0, 1, 2, 3, 4]
NOISE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)  # relative to each coefficient's rms
WRONG = {  # samples that a state is read late, and parts that its window is off
    "late": (-0.5, -0.25, -0.1, 0.1, 0.25, 0.5),
    "stretch": (-0.02, -0.01, -0.005, 0.005, 0.01, 0.02),
}
READINGS = (  # seconds a pixel, seconds of reading
    *((0.005, 0.005), (0.01, 0.005), (0.01, 0.01), (0.02, 0.005), (0.02, 0.01)),
    *((0.02, 0.02), (0.05, 0.01), (0.05, 0.025), (0.05, 0.05)),
)
TRAININGS = {  # the last one's units are read
    "noise alone": {"late": 0.0, "stretch": 0.0},
    "recipe": {},
}
FINE, REPEATS = 20, 10  # parts of a sample, and draws of the noise


def trained_for_chip(seed: int, epochs: int | None, **changes):
    """Return parameters, and the part to test."""
    recipe = recipe_of("digits-chip", seed, None, epochs)
    recipe = replace(recipe, settings=replace(recipe.settings, **changes))
    data = recipe.data(digits(seed=seed))
    return train_kept(recipe, data, seed, None, "digits").params, data.test


def states(params: LMUParams, x, late: float = 0.0, stretch: float = 0.0) -> np.ndarray:
    """Return states (n, d) some samples after the end, of a window that is off."""
    cell = params.cells[0]
    cell = replace(cell, theta=cell.theta * (1 + stretch))
    u, steps = x.astype(float) @ cell.e_x.T, round((x.shape[1] + late) * FINE)
    return deque(held_states(cell, u, FINE, steps, params.dt / FINE), maxlen=1)[0]


def accuracy_on(params: LMUParams, m: np.ndarray, labels) -> float:
    """Return the accuracy of the units and the readout on states (n, d)."""
    cell = params.cells[0]
    h = activations(cell.activation, m @ cell.W_m.T + cell.b, cell.chip)
    return accuracy(h @ params.D.T + params.c, labels)


def tolerated(params: LMUParams, part, seed: int) -> list[dict]:
    """Return accuracies of the rate-based model on states that are wrong."""
    m, rng = states(params, part.x), np.random.default_rng(seed)
    rms = np.sqrt(np.mean(m**2, axis=0))
    rows = []
    # noise on the states, several draws of each size
    for size in NOISE:
        noisy = (m + size * rms * rng.standard_normal(m.shape) for _ in range(REPEATS))
        mean = float(np.mean([accuracy_on(params, each, part.y) for each in noisy]))
        rows.append({"error": "noise", "size": size, "accuracy": mean})
    # states read at the wrong time, and of windows that are off
    for name, sizes in WRONG.items():
        for size in sizes:
            one = accuracy_on(params, states(params, part.x, **{name: size}), part.y)
            rows.append({"error": name, "size": size, "accuracy": one})
    return rows


def readings(params: LMUParams, part, seed: int, plans) -> list[dict]:
    """Return accuracies of the chip's units, and what a reading takes."""
    rows = []
    for presentation, window in plans:
        for noise in (0.0, 0.1, 0.2):
            row = {"presentation": presentation, "window": window, "noise": noise}
            read = read_spikes(params, part.x, seed=seed, **row)
            row |= {"accuracy": accuracy(read.y, part.y), "seconds": read.seconds}
            row["spikes_read"] = float(read.counts.sum(axis=1).mean())
            rows.append(row | {"unit_spikes": float(read.unit_spikes.mean())})
    return rows


def chip_reading(options) -> dict:
    """Return accuracies on wrong states, and of readings of the chip's units."""
    seeds, plans, epochs = SEEDS, READINGS, None
    if options.fast:
        seeds, plans, epochs = [101], READINGS[:1], 2
    rates, spikes = [], []
    for seed in seeds:
        for name, changes in TRAININGS.items():
            params, part = trained_for_chip(seed, epochs, **changes)
            about = {"seed": seed, "training": name}
            rates += [about | row for row in tolerated(params, part, seed)]
        spikes += [{"seed": seed} | r for r in readings(params, part, seed, plans)]
    names, keys = ("seconds", "spikes_read", "unit_spikes"), ("presentation", "window")
    summary = {
        "rates": average(rates, ("training", "error", "size"), (), ["accuracy"]),
        "spikes": average(spikes, (*keys, "noise"), names, ["accuracy"]),
    }
    settings = {"recipe": "digits-chip", "repeats": REPEATS}
    record = {"seeds": seeds, "settings": settings, "summary": summary}
    return record | {"rates": rates, "spikes": spikes}
