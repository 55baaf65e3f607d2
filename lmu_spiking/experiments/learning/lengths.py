"""Long sequences: training on up to 100,000 steps, its time and its memory.

The task is `tasks.capacity.recall`: at the last step, return what came first, and a
quarter, a half, ... of the sequence ago.  All is trained from random numbers: encoder,
kernel, biases, readout.  In one way of training every batch of raw sequences has fresh
noise of a sensor, so that its memories must be computed anew (*every batch*); in the
other they are computed once (*once*), after which an epoch does not depend on the
length of the sequences.

Each length should be trained in a process of its own, whose largest memory is its own.
"""

import time
from dataclasses import replace

import numpy as np

from lmu_spiking.experiments import peak_bytes
from lmu_spiking.experiments.learning.cost import timed_lstm
from lmu_spiking.experiments.rivals import lstm_units
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.studies.metrics import power_law
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.sequences import Sequences

LENGTHS = (1_000, 3_162, 10_000, 31_623, 100_000)
SENSOR = 0.01  # rms of the noise, sequences having a peak of 1
LONG = 10_000  # steps, from which on exponents are fitted: less is overhead


def with_sensor_noise(data: Sequences) -> Sequences:
    """Return a task with fresh noise on the inputs of every batch."""

    def noisy(rng, x):
        return x + np.float32(SENSOR) * rng.standard_normal(x.shape, np.float32)

    return replace(data, augment=noisy)


def initial(data: Sequences, seed: int, activation: str = "linear") -> LMUParams:
    """Return initial parameters of the recipe, with another activation."""
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
    """Train on sequences of so many steps; return errors, seconds and memory.

    Parameters
    ----------
    steps, epochs, seed, sequences : int
    activation : str
        Of the units.
    projected : {"every batch", "once"}
    lstm : bool
        Whether to train an LSTM of as many parameters for the same seconds, beside.

    Returns
    -------
    dict
    """
    from lmu_spiking.training import evaluate, train
    from lmu_spiking.training.recipes import recipe_for

    # what any length needs is no part of the measured memory
    _warm()
    before = peak_bytes()
    data = load_task("recall", steps=steps, n=sequences, seed=seed)
    batches = with_sensor_noise(data) if projected == "every batch" else data
    settings = replace(recipe_for("recall").settings, epochs=epochs, seed=seed)
    begun = time.perf_counter()
    made = train(initial(data, seed, activation), batches, settings)
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
        "peak_bytes": peak_bytes(),
        "bytes": peak_bytes() - before,
    }
    # an LSTM of as many parameters, for the same seconds
    if lstm:
        units = lstm_units(made.params.n_params, data.size_in, data.size_out)
        rival = timed_lstm(data, units, seconds, settings.batch, seed, validations=1)
        row |= {"lstm_nrmse": rival.test, "lstm_params": rival.params}
        row |= {"lstm_seconds": rival.seconds, "lstm_epochs": rival.epochs}
        row["lstm_seconds_per_epoch"] = rival.seconds_per_epoch
    return row


def growth(rows: list[dict], least: int = LONG) -> dict[str, float]:
    """Return exponents of time and memory against length, from ``least`` steps on.

    Parameters
    ----------
    rows : list of dict
        From `train_at`.
    least : int

    Returns
    -------
    dict of float
    """
    rows = sorted((r for r in rows if r["steps"] >= least), key=lambda r: r["steps"])
    x = [r["steps"] for r in rows]
    return {
        name: power_law(x, [r[name] for r in rows]).exponent
        for name in ("seconds_per_epoch", "bytes")
    }


def _warm() -> None:
    """Import, trace and allocate what any length needs."""
    from lmu_spiking.training import TrainSettings, train

    data = load_task("recall", steps=20, n=20)
    train(initial(data, 0), with_sensor_noise(data), TrainSettings(epochs=1, batch=1))
