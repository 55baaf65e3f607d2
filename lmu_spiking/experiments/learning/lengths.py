"""Long sequences: training on up to 100,000 steps, its time and its memory.

The task is `tasks.capacity.recall`: at the last step, return what came first, and a
quarter, a half, ... of the sequence ago.  All is trained from random numbers: encoder,
kernel, biases, readout.  In one way of training every batch of raw sequences has fresh
noise of a sensor, so that its memories must be computed anew (*every batch*); in the
other they are computed once (*once*), after which an epoch does not depend on the
length of the sequences.

Each length should be trained in a process of its own, whose largest memory is its own.

Two tasks are nonlinear, so that no linear readout of a memory learns them by least
squares or cross-entropy.  In both the answer stays the same when the input changes its
sign, so that what is odd in the input, as a linear readout, is uncorrelated with it.

- `events`: are the signs of two short pulses alike?  They come at any time of a long
  sequence of noise.  (A linear readout with a threshold could be right about three of
  the four pairs of signs, .75, but cross-entropy does not lead there.)
- `product`: the product of what came first and what came half a sequence later.
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from lmu_spiking.experiments import peak_bytes
from lmu_spiking.experiments.learning.cost import timed_lstm
from lmu_spiking.experiments.rivals import fit, late_gain, lstm_for
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.metrics import accuracy, nrmse
from lmu_spiking.studies.metrics import power_law
from lmu_spiking.tasks.capacity import passages
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training import TrainSettings, evaluate, train
from lmu_spiking.training.loop import engine_for
from lmu_spiking.training.recipes import Recipe, recipe_for, start

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
        how = {"seed": seed, "validations": 1}
        rival = timed_lstm(data, made.params.n_params, seconds, settings.batch, **how)
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


# -- nonlinear tasks -----------------------------------------------------------------

PULSE = 10  # steps that an event of `events` takes, at every length
SHARES = 0.7, 0.1  # of the sequences that train and that choose; the others test
RATES = (1e-3, 3e-3, 1e-2)  # learning rates that an LSTM chooses from


def events(steps: int, n: int = 3_000, seed: int = 0) -> Sequences:
    """Return the task to say at the end whether two events had the same sign.

    An event is a pulse of 1 or -1, `PULSE` steps long, at any time; two that meet add
    up.  All steps have noise of `SENSOR` rms.

    Parameters
    ----------
    steps, n : int
        Length and number of the sequences: `SHARES` of them train and choose.
    seed : int
        Draws them.

    Returns
    -------
    Sequences
        Class 1 of equal signs.
    """
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 1], (n, 2)).astype(np.float32)
    begin = rng.integers(0, steps - PULSE, (n, 2), endpoint=True)
    x = np.empty((n, steps, 1), np.float32)
    for row, sign, first in zip(x[:, :, 0], signs, begin, strict=True):
        row[:] = SENSOR * rng.standard_normal(steps, np.float32)
        for s, k in zip(sign, first, strict=True):
            row[k : k + PULSE] += s
    y = (signs[:, 0] == signs[:, 1]).astype(int)
    return _parted("events", x, y, 2, f"two pulses in {steps} steps, by seed {seed}")


def product(steps: int, n: int = 5_000, seed: int = 0) -> Sequences:
    """Return the task to say what came first times what came half a sequence later.

    Parameters
    ----------
    steps, n : int
        Length and number of the sequences: `SHARES` of them train and choose.
    seed : int
        Draws them.

    Returns
    -------
    Sequences
        Of the inputs of `tasks.capacity.recall`.
    """
    x = passages(steps, n, seed)
    y = x[:, 0] * x[:, (steps - 1) // 2]
    return _parted("product", x, y, None, f"smooth noise, by seed {seed}")


def _parted(name: str, x, y, classes: int | None, origin: str) -> Sequences:
    """Return a task whose last step is read."""
    ends = [round(share * len(x)) for share in np.cumsum(SHARES)]
    parts = map(Part, np.split(x, ends), np.split(y, ends))
    return Sequences(name, *parts, dt=1e-3, classes=classes, last=True, origin=origin)


NONLINEAR = {"events": events, "product": product}
EPOCHS = {"events": 30, "product": 60}


def nonlinear_recipe(task: str, seed: int = 0) -> Recipe:
    """Return the model of a nonlinear task, and its training.

    Parameters
    ----------
    task : {"events", "product"}
    seed : int
        Of the batches.

    Returns
    -------
    Recipe
        A memory as long as a sequence, whose states are known once for all epochs.
    """
    how: dict[str, Any] = {
        "epochs": EPOCHS[task],
        "batch": 50,
        "learning_rate": 1e-2,
        "schedule": "cosine",
    }
    return Recipe(20, 100, None, TrainSettings(**how, seed=seed))


def nonlinear_row(
    task: str, steps: int, seed: int, n: int | None = None, epochs: int | None = None
) -> dict:
    """Return what an LMU learns of a nonlinear task, and a linear readout beside it.

    Parameters
    ----------
    task : {"events", "product"}
    steps : int
        Length of the sequences.
    seed : int
        Of the sequences, the initial parameters and the batches.
    n, epochs : int, optional
        Those of the task and the recipe by default.

    Returns
    -------
    dict
        ``value`` is the accuracy, or NRMSE, on sequences held out, ``linear`` that of
        `linear_readout`, and ``chance`` that of a constant.
    """
    data = NONLINEAR[task](steps, **({} if n is None else {"n": n}), seed=seed)
    recipe = nonlinear_recipe(task, seed)
    settings = replace(recipe.settings, epochs=epochs or recipe.settings.epochs)
    params = start(recipe, data, seed)
    made = train(params, data, settings)
    return {
        "task": task,
        "steps": steps,
        "seed": seed,
        "chance": data.chance,
        "linear": linear_readout(params, data),
        "value": evaluate(made.params, data.test, data.classes),
        "params": made.params.n_params,
        "trained_on": len(data.train),
        "tested_on": len(data.test),
        "seconds": made.seconds,
    }


def linear_readout(params: LMUParams, data: Sequences) -> float:
    """Return the accuracy, or NRMSE, of the best linear readout of a memory's end.

    Parameters
    ----------
    params : LMUParams
        Of one cell.
    data : Sequences

    Returns
    -------
    float
        Of least squares on the training part, tested on the test part.
    """
    engine = engine_for(params, TrainSettings(), data)

    def states(part):
        # and a constant of about their size
        m = engine.features(part.x)["states"].astype(float)[:, 0]
        return np.concatenate([m, np.full((len(m), 1), 1 / data.steps)], axis=1)

    y = data.train.y if data.classes is None else np.eye(data.classes)[data.train.y]
    weights = np.linalg.lstsq(states(data.train), y, rcond=None)[0]
    right = nrmse if data.classes is None else accuracy
    return right(states(data.test) @ weights, data.test.y)


def lstm_row(task: str, steps: int, seed: int, epochs: int, rate: float) -> dict:
    """Return what an LSTM of as many parameters learns of a nonlinear task.

    Parameters
    ----------
    task : {"events", "product"}
    steps, seed : int
        As of `nonlinear_row`.
    epochs : int
    rate : float
        Learning rate, which falls to 0 as that of the LMU does.

    Returns
    -------
    dict
        ``value`` on sequences held out, ``valid_loss`` of the best validation, and
        `late_gain`.
    """
    data = NONLINEAR[task](steps, seed=seed)
    wanted = start(nonlinear_recipe(task), data, seed).n_params
    made, about = trained_lstm(data, wanted, seed, epochs, rate)[1:]
    row = {"task": task, "steps": steps, "value": made.test} | about
    row["path"] = [record["valid_loss"] for record in made.history]
    return row | {"seconds": made.seconds}


def trained_lstm(data: Sequences, params: int, seed: int, epochs: int, rate: float):
    """Train an LSTM of one layer by batches of 50, with a rate that falls to 0.

    Parameters
    ----------
    data : Sequences
    params : int
        The most that it has.
    seed, epochs : int
    rate : float

    Returns
    -------
    model : Model
    made : Fitted
    about : dict
        ``seed, params, learning_rate, epochs, valid_loss`` and `late_gain`.
    """
    model = lstm_for(data, params, seed)
    options: dict[str, Any] = {"batch": 50, "seed": seed, "clipnorm": 1.0}
    options |= {"learning_rate": rate, "schedule": "cosine", "epochs": epochs}
    made = fit(model, data, **options)[0]
    about = {"seed": seed, "params": made.params, "learning_rate": rate}
    about |= {"valid_loss": min(record["valid_loss"] for record in made.history)}
    about |= {"epochs": made.epochs, "late_gain": late_gain(made.history)}
    return model, made, about


def _warm() -> None:
    """Import, trace and allocate what any length needs."""
    data = load_task("recall", steps=20, n=20)
    train(initial(data, 0), with_sensor_noise(data), TrainSettings(epochs=1, batch=1))
