"""The training loop: batches, steps of the optimizer, validation, and what is reported.

Batches depend on the seed and the number of the epoch, and on nothing before, so that a
training that was interrupted goes on bit by bit.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking import metrics
from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.metrics import target_variance
from lmu_spiking.training import checkpoint as disk
from lmu_spiking.training.bptt import BPTTEngine
from lmu_spiking.training.checkpoint import State
from lmu_spiking.training.evaluation import (
    evaluate,
    loss_and_metric,
    metric_name,
    validation_name,
)
from lmu_spiking.training.optimizers import Optimizer, rate_at
from lmu_spiking.training.parallel_engine import ParallelEngine, with_chip_errors
from lmu_spiking.training.settings import TrainSettings


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of a training.

    Parameters
    ----------
    params : LMUParams
        The best of all epochs by validation, or the last (``keep``).  Its header tells
        task, origin, settings, seed, versions and results.
    history : list of dict
        Of each epoch: ``epoch``, ``loss`` (mean over its batches), ``valid_loss``,
        ``valid_accuracy`` or ``valid_nrmse``, ``seconds``, and the windows where they
        are trained (``cell0.theta``).  If the validation part is also trained on
        (`Sequences.merged`), the names are ``seen_loss`` and ``seen_accuracy`` or
        ``seen_nrmse``, because these validate nothing.
    best_epoch : int
        Counted from 1.
    seconds : float
        Of all epochs, those before an interruption included.
    stopped : {"epochs", "patience", "seconds"}
        What ended it.
    mode : {"parallel", "bptt"}
    """

    params: LMUParams
    history: list[dict]
    best_epoch: int
    seconds: float
    stopped: str
    mode: str

    __repr__ = brief
    _told = ("best", "best_epoch", "stopped")

    @property
    def best(self) -> dict:
        """Return the record of the best epoch."""
        return self.history[self.best_epoch - 1]


def train(
    params: LMUParams,
    data,
    settings: TrainSettings | None = None,
    *,
    checkpoint=None,
    resume: bool = True,
    progress: Callable | None = None,
) -> Trained:
    """Train an LMU on sequences.

    Parameters
    ----------
    params : LMUParams
        To start from.
    data : Sequences
        A task of `lmu_spiking.tasks`.
    settings : TrainSettings, optional
    checkpoint : str or Path, optional
        An ``.npz``, written after each epoch.  Interrupted (Ctrl-C is passed on), the
        same call goes on after the last epoch that was finished, and ends with the same
        parameters, bit by bit.
    resume : bool
        Whether to go on from a checkpoint that exists; if not, it is overwritten, and
        what is no checkpoint is kept under another name.
    progress : callable, optional
        Is called after each epoch with its number, that of all, and its record.

    Returns
    -------
    Trained
        Parameters, history, and what ended the training.

    Raises
    ------
    ValidationError
        If parameters, data and settings do not fit, the checkpoint is of another
        training or is written by one meanwhile, or the loss is no longer finite.
    ParamsFileError
        If the checkpoint cannot be read or written.
    """
    settings = TrainSettings() if settings is None else settings
    _check_fit(params, data)
    part = validation_name(data, chooses=settings.patience is not None)
    about = disk.identity(params, settings, data)
    # go on from a checkpoint, or begin
    state = State(_weights(params, settings), Optimizer(settings), params)
    exists = checkpoint is not None and Path(checkpoint).exists()
    if exists and not resume:
        disk.make_way(checkpoint)
    seen = disk.stamp(checkpoint) if exists else None
    if exists and resume:
        state = disk.load_state(checkpoint, settings, about)
        # checkpoints of early versions of 0.3.0 have the name valid in any case
        renamed = f"{part}_"
        state.history = [
            {name.replace("valid_", renamed): v for name, v in record.items()}
            for record in state.history
        ]
    # train epoch by epoch, with a checkpoint after each
    mode = mode_of(params, settings)
    if not _reason_to_stop(state, settings):
        with contextlib.closing(engine_for(params, settings, data)) as engine:
            batches = Batches(engine, settings, data)
            while not _reason_to_stop(state, settings):
                record = _train_epoch(state, engine, batches, params, data, part)
                if checkpoint is not None:
                    seen = disk.save_state(checkpoint, state, about, seen)
                if progress is not None:
                    progress(record["epoch"], settings.epochs, record)
    best = state.best.updated({}, **_header(state, settings, mode, data, part))
    seconds = best.header["training"]["seconds"]
    stopped = _reason_to_stop(state, settings)
    return Trained(best, state.history, state.best_epoch, seconds, stopped, mode)


def versions(mode: str) -> dict[str, str]:
    """Return versions of this package, Python and the libraries that the mode uses.

    Parameters
    ----------
    mode : {"parallel", "bptt"}

    Returns
    -------
    dict of str to str
        By the name of the package.
    """
    more = ["nengo", "nengo_dl"] if mode == "bptt" else []
    return metrics.versions(["lmu_spiking", "numpy", "tensorflow", *more])


def badness(record: dict) -> tuple[float, float]:
    """Return a key that is least for the best epoch: by accuracy, if any, then loss.

    Parameters
    ----------
    record : dict
        Of an epoch, as in `Trained.history`.

    Returns
    -------
    tuple of float
        Minus the accuracy (0 without one), and the loss.
    """
    part = "valid" if "valid_loss" in record else "seen"
    return -record.get(f"{part}_accuracy", 0.0), record[f"{part}_loss"]


def mode_of(params: LMUParams, settings: TrainSettings) -> str:
    """Return the mode: parallel where memories receive their input alone.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings

    Returns
    -------
    {"parallel", "bptt"}
        The one that is asked for, or the one that suits the cells.

    Raises
    ------
    ValidationError
        If the parallel mode is asked for and cannot be.
    """
    feedforward = all(cell.memory_is_feedforward for cell in params.cells)
    if settings.mode == "parallel" and not feedforward:
        problem, remedy = "needs cells without e_h and e_m", "use mode='bptt'"
        raise ValidationError("TrainSettings.mode", "parallel", problem, remedy)
    return "parallel" if feedforward and settings.mode != "bptt" else "bptt"


def engine_for(params: LMUParams, settings: TrainSettings, data) -> Any:
    """Return what computes outputs and gradients.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
    data : Sequences

    Returns
    -------
    ParallelEngine or BPTTEngine
        An object with ``names``, ``thetas``, ``features(x)``,
        ``gradients(arrays, features, y, weights, rng)``, ``outputs(arrays, features)``
        and ``close()``.
    """
    if mode_of(params, settings) == "parallel":
        settings = with_chip_errors(params, settings, data)
        return ParallelEngine(params, settings, data.classes, data.last)
    n = len(data.train.x)
    return BPTTEngine(params, settings, data.classes, data.last, n)


class Batches:
    """The batches of a task: which sequences, in what order, augmented and cropped.

    Parameters
    ----------
    engine : ParallelEngine or BPTTEngine
    settings : TrainSettings
    data : Sequences

    Attributes
    ----------
    count : int
        In an epoch.
    valid : dict of str to ndarray
        Features of the validation sequences.
    """

    def __init__(self, engine, settings: TrainSettings, data):
        self.engine, self.settings, self.data = engine, settings, data
        self.n, steps = data.train.x.shape[:2]
        self.size = min(settings.batch, self.n)
        self.count = self.n // self.size
        self.augment = getattr(data, "augment", None)
        crop, problem = settings.crop, ""
        if crop is not None and data.last:
            problem = "serves tasks that are read at every step"
        elif crop is not None and crop > steps:
            problem = f"is longer than the sequences of {steps} steps"
        elif crop is not None and any(c.W_h is not None for c in engine.params.cells):
            problem = "needs cells without W_h"
        if problem:
            raise ValidationError("TrainSettings.crop", crop, problem, "leave it out")
        self.known = {} if self.augment else engine.features(data.train.x)
        self.valid = engine.features(data.valid.x)

    def epoch(self, number: int) -> Iterator[dict]:
        """Yield arguments of ``engine.gradients`` for each batch of an epoch.

        Parameters
        ----------
        number : int
            Counted from 1.
        """
        rng = np.random.default_rng([self.settings.seed, number])
        order = rng.permutation(self.n)
        for step in range(self.count):
            chosen = order[step * self.size : (step + 1) * self.size]
            yield self._batch(chosen, [self.settings.seed, number, step])

    def _batch(self, chosen: np.ndarray, seed: list[int]) -> dict:
        """Return the batch of chosen sequences, whose draws follow the seed."""
        rng, data = np.random.default_rng(seed), self.data.train
        y, weights = data.y[chosen], None
        if self.augment is not None:
            features = self.engine.features(self.augment(rng, data.x[chosen]))
        else:
            features = {name: value[chosen] for name, value in self.known.items()}
        if self.settings.crop is not None:
            features, y, weights = self._cropped(features, y, rng)
        return {"features": features, "y": y, "weights": weights, "rng": rng}

    def _cropped(self, features: dict, y: np.ndarray, rng: np.random.Generator):
        """Return some steps of each sequence; those of the wash weigh nothing."""
        n, T = y.shape[:2]
        crop, wash = self.settings.crop, self.engine.wash(self.data.train.x.shape)
        # begin anywhere, also before the sequence; then the whole of it counts
        length = min(crop + wash, T)
        begin = np.maximum(rng.integers(-wash, T - length, n, endpoint=True), 0)
        at = begin[:, None] + np.arange(length)
        rows = np.arange(n)[:, None]
        weights = (at >= np.where(begin == 0, 0, begin + length - crop)[:, None]) * 1.0
        return {k: v[rows, at] for k, v in features.items()}, y[rows, at], weights


def _train_epoch(state: State, engine, batches, params: LMUParams, data, part: str):
    """Train for an epoch, validate, keep the best parameters, and return the record.

    ``part`` is the name of the results on the validation part.
    """
    start, epoch = time.perf_counter(), len(state.history) + 1
    # train on all batches, then validate
    losses = [_step(state, engine, batches, batch) for batch in batches.epoch(epoch)]
    arrays = _in_seconds(state.weights)
    outputs = engine.outputs(arrays, batches.valid)
    loss, metric = loss_and_metric(data.classes, outputs, data.valid.y)
    _check_finite(batches.settings, loss, epoch)
    # write the record, and keep these parameters if they are the best
    record = {"epoch": epoch, "loss": float(np.mean(losses)), f"{part}_loss": loss}
    record[f"{part}_{metric_name(data.classes)}"] = metric
    record |= {name: float(arrays[name]) for name in engine.thetas}
    record["seconds"] = time.perf_counter() - start
    state.history.append(record)
    last = batches.settings.keep == "last"
    if last or min(state.history, key=badness) is record:
        state.best, state.best_epoch = params.updated(arrays), epoch
    return record


def _step(state: State, engine, batches, batch: dict) -> float:
    """Train on a batch, and return its loss before."""
    settings, optimizer = batches.settings, state.optimizer
    arrays = _in_seconds(state.weights)
    loss, gradients = engine.gradients(arrays, **batch)
    epoch = len(state.history) + 1
    _check_finite(settings, sum(np.sum(g) for g in gradients.values()) + loss, epoch)
    for name in engine.thetas:  # by its logarithm
        gradients[name] = gradients[name] * arrays[name]
    rate = rate_at(settings, optimizer.step, settings.epochs * batches.count)
    optimizer.update(state.weights, gradients, rate)
    for name in engine.thetas:  # a window is no shorter than a step
        state.weights[name] = np.maximum(state.weights[name], np.log(engine.params.dt))
    return loss


def _check_finite(settings: TrainSettings, value: float, epoch: int) -> None:
    """Refuse a loss or gradient that diverged."""
    if not np.isfinite(value):
        attribute, problem = "TrainSettings.learning_rate", "let the loss diverge in"
        problem, rate = f"{problem} epoch {epoch}", settings.learning_rate
        raise ValidationError(attribute, rate, problem, "use a smaller one")


def _reason_to_stop(state: State, settings: TrainSettings) -> str:
    """Return what ends the training before another epoch, or nothing."""
    done = len(state.history)
    if not done:
        return ""
    if done >= settings.epochs:
        return "epochs"
    if settings.patience and done - state.best_epoch >= settings.patience:
        return "patience"
    took = [record["seconds"] for record in state.history]
    if settings.seconds and sum(took) + min(took) > settings.seconds:
        return "seconds"
    return ""


def _weights(params: LMUParams, settings: TrainSettings) -> dict[str, np.ndarray]:
    """Return all arrays, and logarithms of the windows that are trained."""
    windows = {f"cell{i}.theta": np.log(c.theta) for i, c in enumerate(params.cells)}
    return params.arrays() | {name: windows[name] for name in settings.thetas(params)}


def _in_seconds(weights: dict) -> dict[str, np.ndarray]:
    """Return weights with the windows themselves in place of their logarithms."""
    windows = {k: np.exp(w) for k, w in weights.items() if k.endswith(".theta")}
    return weights | windows


def _header(state: State, settings: TrainSettings, mode: str, data, part: str) -> dict:
    """Return task, origin, training, results on the parts, and versions.

    ``part`` is the name of the results on the validation part.
    """
    name, options = metric_name(data.classes), {"last": data.last}
    results = {
        f"{which}_{name}": evaluate(state.best, sequences, data.classes, **options)
        for which, sequences in ((part, data.valid), ("test", data.test))
    }
    training = {
        "settings": settings.described(),
        "mode": mode,
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "seconds": sum(record["seconds"] for record in state.history),
    }
    about = {"task": data.name, "origin": data.origin, "training": training}
    return about | {"results": results, "versions": versions(mode)}


def _check_fit(params: LMUParams, data) -> None:
    """Refuse a task whose inputs, outputs or clock are not those of the parameters."""
    expected = {
        "size_in": data.train.x.shape[2],
        "size_out": data.classes or data.train.y.shape[-1],
    }
    for name, value in expected.items():
        if getattr(params, name) != value:
            problem = f"does not fit the task {data.name}, which has {value}"
            attribute = f"train.params.{name}"
            raise ValidationError(attribute, getattr(params, name), problem)
    if not np.isclose(params.dt, data.dt, rtol=1e-9):
        problem = f"is not the step of the task {data.name}, {data.dt:g} s"
        raise ValidationError("train.params.dt", params.dt, problem)
    if data.classes is None:  # refuse before training, not after it
        for part in ("valid", "test"):
            target_variance(getattr(data, part).y, f"train.data.{part}.y")
