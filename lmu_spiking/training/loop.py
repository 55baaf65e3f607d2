"""Train the parameters of an LMU, and say how it went."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError
from lmu_spiking.rates.params import LMUParams
from lmu_spiking.tasks.sequences import target_variance
from lmu_spiking.training.batches import Batches
from lmu_spiking.training.checkpoint import (
    State,
    identity,
    load_state,
    make_way,
    save_state,
    stamp,
)
from lmu_spiking.training.engine import engine_for, mode_of
from lmu_spiking.training.evaluation import validation_name
from lmu_spiking.training.losses import loss_and_metric, metric_name
from lmu_spiking.training.optimizers import Optimizer, rate_at
from lmu_spiking.training.provenance import told
from lmu_spiking.training.settings import TrainSettings


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of a training.

    Attributes
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
        Whether to go on from a checkpoint that is there; if not, it is overwritten, and
        what is no checkpoint is kept under another name.
    progress : callable, optional
        Is called after each epoch with its number, that of all, and its record.

    Returns
    -------
    Trained

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
    about = identity(params, settings, data)
    # go on from a checkpoint, or begin
    state, seen = None, None
    there = checkpoint is not None and Path(checkpoint).exists()
    if there and not resume:
        make_way(checkpoint)
    if there:
        seen = stamp(checkpoint)
    if there and resume:
        state = load_state(checkpoint, settings, about)
        # checkpoints of early versions of 0.3.0 have the name valid in any case
        state.history = [
            {
                name.replace("valid_", f"{part}_"): value
                for name, value in record.items()
            }
            for record in state.history
        ]
    if state is None:
        state = State(_weights(params, settings), Optimizer(settings), params)
    # train epoch by epoch, with a checkpoint after each
    mode = mode_of(params, settings)
    if not _ended(state, settings):
        with contextlib.closing(engine_for(params, settings, data)) as engine:
            batches = Batches(engine, settings, data)
            while not _ended(state, settings):
                record = _epoch(state, engine, batches, params, data, part)
                if checkpoint is not None:
                    seen = save_state(checkpoint, state, about, seen)
                if progress is not None:
                    progress(record["epoch"], settings.epochs, record)
    best = state.best.updated({}, **told(state, settings, mode, data, part))
    seconds, stopped = best.header["training"]["seconds"], _ended(state, settings)
    return Trained(best, state.history, state.best_epoch, seconds, stopped, mode)


def _epoch(state: State, engine, batches, params: LMUParams, data, part: str) -> dict:
    """Train for an epoch, validate, and keep the parameters if they are the best.

    ``part`` is the name of the results on the validation part.
    """
    start, epoch = time.perf_counter(), len(state.history) + 1
    losses = [_step(state, engine, batches, batch) for batch in batches.epoch(epoch)]
    arrays = _constrained(state.weights)
    outputs = engine.outputs(arrays, batches.valid)
    loss, metric = loss_and_metric(data.classes, outputs, data.valid.y)
    _check_finite(batches.settings, loss, epoch)
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
    """Train on a batch: its loss before."""
    settings, optimizer = batches.settings, state.optimizer
    arrays = _constrained(state.weights)
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
    if not np.isfinite(value):
        raise ValidationError(
            "TrainSettings.learning_rate",
            settings.learning_rate,
            f"let the loss diverge in epoch {epoch}",
            "use a smaller one",
        )


def badness(record: dict) -> tuple[float, float]:
    """Return a key that is least for the best epoch: by accuracy, if any, then loss."""
    part = "valid" if "valid_loss" in record else "seen"
    return -record.get(f"{part}_accuracy", 0.0), record[f"{part}_loss"]


def _ended(state: State, settings: TrainSettings) -> str:
    """What ends the training before another epoch, or nothing."""
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
    """All arrays, and logarithms of the windows that are trained."""
    windows = {
        name: np.log(params.cells[int(name.split(".")[0].removeprefix("cell"))].theta)
        for name in settings.thetas(params)
    }
    return {**params.arrays(), **windows}


def _constrained(weights: dict) -> dict[str, np.ndarray]:
    """Windows from their logarithms, in seconds."""
    return {
        name: np.exp(w) if name.endswith(".theta") else w for name, w in weights.items()
    }


def _check_fit(params: LMUParams, data) -> None:
    """The task's inputs, outputs and clock must be those of the parameters."""
    expected = {
        "size_in": data.train.x.shape[2],
        "size_out": data.classes or data.train.y.shape[-1],
    }
    for name, value in expected.items():
        if getattr(params, name) != value:
            raise ValidationError(
                f"train.params.{name}",
                getattr(params, name),
                f"does not fit the task {data.name}, which has {value}",
            )
    if not np.isclose(params.dt, data.dt, rtol=1e-9):
        raise ValidationError(
            "train.params.dt",
            params.dt,
            f"is not the step of the task {data.name}, {data.dt:g} s",
        )
    if data.classes is None:  # refuse before training, not after it
        for part in ("valid", "test"):
            target_variance(getattr(data, part).y, f"train.data.{part}.y")
