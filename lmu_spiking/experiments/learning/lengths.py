"""Long sequences: a network is trained on up to 100,000 steps, and what that takes.

The task is `tasks.capacity.recall`: at the last step, say what came first, and a
quarter, a half, ... of the sequence ago.  All is trained from random numbers: encoder,
kernel, biases, readout.  In one way of training every batch of raw sequences hears
fresh noise of a sensor, so that its memories must be computed anew (*every batch*); in
the other they are computed once (*once*), after which an epoch does not know how long
the sequences are.

Each length is trained in a process of its own, whose peak of memory is its own too.
"""

import multiprocessing
import os
import resource
import time
from dataclasses import replace

import numpy as np

from lmu_spiking.experiments.learning.baseline import lstm_units, timed_lstm
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.processes import follow
from lmu_spiking.studies.metrics import power_law
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.sequences import Sequences

LENGTHS = (1_000, 3_162, 10_000, 31_623, 100_000)
SENSOR = 0.01  # rms of the noise, sequences having a peak of 1
LONG = 10_000  # steps, from which on exponents are fitted: less is overhead


def heard_anew(data: Sequences) -> Sequences:
    """The same with fresh noise on the inputs of every batch."""

    def noisy(rng, x):
        return x + np.float32(SENSOR) * rng.standard_normal(x.shape, np.float32)

    return replace(data, augment=noisy)


def at_random(data: Sequences, seed: int, activation: str = "linear") -> LMUParams:
    """Initial parameters of the recipe, with another activation."""
    from lmu_spiking.training.recipes import recipe_for, start

    params = start(recipe_for("recall"), data, seed)
    cells = (replace(params.cells[0], activation=activation),)
    return replace(params, cells=cells)


def train_at(
    steps: int,
    *,
    epochs: int,
    seed: int,
    sequences: int = 200,
    activation: str = "linear",
    projected: str = "every batch",
    lstm: bool = False,
) -> dict:
    """Train on sequences of so many steps; what it gives and takes.

    Parameters
    ----------
    projected : {"every batch", "once"}
    lstm : bool
        Whether to train an LSTM of as many parameters for the same seconds, beside.
    """
    from lmu_spiking.training import evaluate, train
    from lmu_spiking.training.recipes import recipe_for

    _warm()
    before = _peak()
    data = load_task("recall", steps=steps, n=sequences, seed=seed)
    heard = heard_anew(data) if projected == "every batch" else data
    settings = replace(recipe_for("recall").settings, epochs=epochs, seed=seed)
    begun = time.perf_counter()
    made = train(at_random(data, seed, activation), heard, settings)
    seconds = time.perf_counter() - begun
    each = [record["seconds"] for record in made.history]
    row = {
        "steps": steps,
        "projected": projected,
        "activation": activation,
        "params": made.params.n_params,
        "epochs": epochs,
        "seed": seed,
        "nrmse": evaluate(made.params, data.test, batch=20),
        "train_nrmse": evaluate(made.params, data.train, batch=20),
        "chance": data.chance,
        "seconds": seconds,
        "seconds_per_epoch": float(np.median(each[1:] or each)),
        "peak_bytes": _peak(),
        "bytes": _peak() - before,
    }
    if lstm:
        row |= _lstm_beside(data, made.params, seconds, settings.batch, seed)
    return row


def _lstm_beside(data, params, seconds: float, batch: int, seed: int) -> dict:
    from lmu_spiking.training.losses import loss_and_metric

    units = lstm_units(params.n_params, data.size_in, data.size_out)
    fitted = timed_lstm(data, units, seconds, batch=batch, every=seconds, seed=seed)
    _, error = loss_and_metric(None, fitted.predict(data.test.x), data.test.y)
    return {
        "lstm_nrmse": error,
        "lstm_params": fitted.params,
        "lstm_seconds": fitted.history[-1]["seconds"],
        "lstm_epochs": fitted.history[-1]["epochs"],
        "lstm_seconds_per_epoch": fitted.seconds_per_epoch,
    }


def in_own_process(steps: int, **options) -> dict:
    """Run `train_at` in a new process, so that its memory is measured alone."""
    parent = (os.getpid(),)
    with multiprocessing.get_context("spawn").Pool(1, follow, parent) as pool:
        return pool.apply(train_at, (steps,), options)


def growth(rows: list[dict], least: int = LONG) -> dict[str, float]:
    """Exponents of time and memory against length, from ``least`` steps on."""
    rows = sorted((r for r in rows if r["steps"] >= least), key=lambda r: r["steps"])
    x = [r["steps"] for r in rows]
    return {
        name: power_law(x, [r[name] for r in rows]).exponent
        for name in ("seconds_per_epoch", "bytes")
    }


def _peak() -> int:
    """Most memory that this process had so far, bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _warm() -> None:
    """Import, trace and allocate what any length needs."""
    from lmu_spiking.training import TrainSettings, train

    data = load_task("recall", steps=20, n=20)
    train(at_random(data, 0), heard_anew(data), TrainSettings(epochs=1, batch=1))
