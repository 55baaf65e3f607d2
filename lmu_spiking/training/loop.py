"""The training loop: batches, steps of the optimizer, validation, and what is reported.

Batches depend on the seed and the number of the epoch, and on nothing before, so that a
training that was interrupted goes on bit by bit.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking import metrics
from lmu_spiking.brief import brief
from lmu_spiking.errors import ParamsFileError, ValidationError, check_one_of
from lmu_spiking.lmu.files import check_name
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.metrics import target_variance
from lmu_spiking.tasks.sequences import counted, within
from lmu_spiking.training import checkpoint as disk
from lmu_spiking.training.checkpoint import State
from lmu_spiking.training.evaluation import (
    evaluate,
    loss_and_metric,
    metric_name,
    validation_name,
)
from lmu_spiking.training.noise import with_chip_errors
from lmu_spiking.training.settings import TrainSettings

ENGINES = {"jax": ("jax", "optax"), "nengo-dl": ("nengo", "nengo_dl", "tensorflow")}


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
    engine : {"jax", "nengo-dl"}
        What computed outputs and gradients.
    """

    params: LMUParams
    history: list[dict]
    best_epoch: int
    seconds: float
    stopped: str
    engine: str

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
    engine: str = "jax",
    spikes=None,
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
    engine : {"jax", "nengo-dl"}
        What computes outputs and gradients.  NengoDL is the reference: it trains the
        network of rate neurons step by step, on Python 3.11.
    spikes : ConvertSettings, optional
        Train through the spikes of this conversion (`training.spikes`): for small
        networks, to go on from a rate-based model.  The validation part is then scored
        in spikes, too; the results in the header of the parameters are rate-based.
    checkpoint : str or Path, optional
        An ``.npz``, written after each epoch.  Interrupted (Ctrl-C is passed on), the
        same call goes on after the last epoch that was finished, and ends with the same
        parameters, bit by bit.
    resume : bool
        Whether to go on from a checkpoint that exists; if not, it is overwritten, and
        what is no checkpoint is kept under another name.
    progress : callable, optional
        Is called after each epoch with its number, the number of all epochs, and its
        record.

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
    check_one_of("train.engine", engine, ENGINES)
    if spikes is not None:
        _check_spikes(spikes, engine)
    _check_fit(params, data)
    part = validation_name(data, chooses=settings.patience is not None)
    about = disk.identity(params, settings, data, engine, spikes)
    # go on from a checkpoint, or begin
    state = State(_weights(params, settings), {}, params)
    if checkpoint is not None:
        check_name("train.checkpoint", checkpoint)
    exists = checkpoint is not None and Path(checkpoint).exists()
    if exists and not resume:
        disk.make_way(checkpoint)
    seen = disk.stamp(checkpoint) if exists else None
    if exists and resume:
        state = disk.load_state(checkpoint, about, state)
    # train epoch by epoch, with a checkpoint after each
    if not _reason_to_stop(state, settings):
        made = engine_for(params, settings, data, engine, spikes)
        begun = _begin(made, settings, data, state, checkpoint)
        with begun as (batches, descent):
            while not _reason_to_stop(state, settings):
                record = _train_epoch(state, batches, descent, params, part)
                if checkpoint is not None:
                    seen = disk.save_state(checkpoint, state, about, seen)
                if progress is not None:
                    progress(record["epoch"], settings.epochs, record)
    how = {"engine": engine} | ({} if spikes is None else {"spikes": asdict(spikes)})
    best = state.best.updated({}, **_header(state, settings, how, data, part))
    seconds = best.header["training"]["seconds"]
    stopped = _reason_to_stop(state, settings)
    return Trained(best, state.history, state.best_epoch, seconds, stopped, engine)


def versions(engine: str) -> dict[str, str]:
    """Return versions of this package, Python and the libraries that an engine uses.

    Parameters
    ----------
    engine : {"jax", "nengo-dl"}

    Returns
    -------
    dict of str to str
        By the name of the package.
    """
    more = {*ENGINES["jax"], *ENGINES[engine]}
    return metrics.versions(["lmu_spiking", "numpy", *sorted(more)])


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


def engine_for(
    params: LMUParams, settings: TrainSettings, data, engine: str = "jax", spikes=None
) -> Any:
    """Return the object that computes outputs and gradients.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
    data : Sequences
    engine : {"jax", "nengo-dl"}
    spikes : ConvertSettings, optional
        To train through.

    Returns
    -------
    JaxEngine, SpikingEngine or NengoDLEngine
        An object with ``names``, ``thetas``, ``features(x)``, ``begin_epoch(weights)``,
        ``gradients(weights, features, y, step_weights, rng)``,
        ``outputs(weights, features)`` and ``close()``.
    """
    if spikes is not None:
        from lmu_spiking.training.spikes import SpikingEngine

        return SpikingEngine(params, settings, spikes, data)
    if engine == "jax":
        from lmu_spiking.training.engine import JaxEngine

        settings = with_chip_errors(params, settings, data)
        return JaxEngine(params, settings, data.classes, data.last)
    from lmu_spiking.training.nengo_dl import NengoDLEngine

    _check_whole_sequences(data)
    n = len(data.train.x)
    return NengoDLEngine(params, settings, data.classes, data.last, n)


def _check_whole_sequences(data) -> None:
    """Refuse sequences of different length, and labels of steps, in NengoDL."""
    ragged = any(getattr(data, p).lengths is not None for p in ("train", "valid"))
    if ragged or (data.classes is not None and not data.last):
        problem = "takes sequences of one length, with one label or values"
        raise ValidationError("train.engine", "nengo-dl", problem, "use engine='jax'")


@contextlib.contextmanager
def _begin(engine, settings: TrainSettings, data, state: State, path):
    """Provide the batches of an engine, and weights that go on from a state."""
    from lmu_spiking.training._jax import precision_of
    from lmu_spiking.training.optimizers import Descent

    with contextlib.closing(engine):
        with precision_of(
            settings.precision
        ):  # and not in what a caller does meanwhile
            batches = Batches(engine, settings, data)
            steps, shortest = settings.epochs * batches.count, engine.params.dt
            descent = Descent(state.weights, settings, engine.names, steps, shortest)
            if state.moments:
                try:
                    descent.restore(state.moments)
                except ValueError as error:
                    problem = f"is no complete checkpoint: {error}"
                    raise ParamsFileError(f"{path}: {problem}") from None
        yield batches, descent


class Batches:
    """The batches of a task: which sequences, in what order, augmented and cropped.

    Parameters
    ----------
    engine : JaxEngine, SpikingEngine or NengoDLEngine
    settings : TrainSettings
    data : Sequences

    Attributes
    ----------
    count : int
        Batches in an epoch.
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
        elif crop is not None and not engine.params.is_feedforward:
            problem = "needs cells without e_h, e_m and W_h"
        if problem:
            raise ValidationError("TrainSettings.crop", crop, problem, "leave it out")
        train, valid = data.train, data.valid
        self.known = {} if self.augment else engine.features(train.x, train.lengths)
        self.valid = engine.features(valid.x, valid.lengths)
        # how much each step of a sequence counts, where not all alike
        self.step_weights = None
        if train.lengths is not None and not data.last:
            self.step_weights = within(train.lengths, steps) * 1.0

    def epoch(self, number: int) -> Iterator[dict]:
        """Yield arguments of ``engine.gradients`` for each batch of an epoch.

        Parameters
        ----------
        number : int
            Counted from 1.

        Yields
        ------
        dict
            ``features``, ``y``, ``rng`` and ``step_weights`` of a batch.
        """
        rng = np.random.default_rng([self.settings.seed, number])
        order = rng.permutation(self.n)
        parts = np.split(order[: self.count * self.size], self.count)
        seeds = [[self.settings.seed, number, step] for step in range(self.count)]
        if self.augment is None:  # a batch is a choice of rows
            yield from map(self._batch, parts, seeds)
            return
        # while a batch is trained on, a thread makes the next one
        with ThreadPoolExecutor(1) as thread:
            made = thread.submit(self._batch, parts[0], seeds[0])
            for chosen, seed in zip(parts[1:], seeds[1:], strict=True):
                before, made = made, thread.submit(self._batch, chosen, seed)
                yield before.result()
            yield made.result()

    def _batch(self, chosen: np.ndarray, seed: list[int]) -> dict:
        """Return the batch of chosen sequences, whose draws follow the seed."""
        from lmu_spiking.training._jax import precision_of

        rng, data = np.random.default_rng(seed), self.data.train
        y, step_weights = data.y[chosen], self.step_weights
        step_weights = None if step_weights is None else step_weights[chosen]
        if self.augment is not None:
            x = _checked_augmented(self.augment(rng, data.x[chosen]), data.x[chosen])
            with precision_of(self.settings.precision):  # it is that of a thread
                ends = None if data.lengths is None else data.lengths[chosen]
                features = self.engine.features(x, ends)
        else:
            features = {name: value[chosen] for name, value in self.known.items()}
        if self.settings.crop is not None:
            features, y, step_weights = self._cropped(features, y, step_weights, rng)
        batch = {"features": features, "y": y, "rng": rng}
        return batch | {"step_weights": step_weights}

    def _cropped(self, features: dict, y: np.ndarray, alive, rng: np.random.Generator):
        """Return some steps of each sequence, and how much each step counts.

        The steps before a crop that the engine asks for (`JaxEngine.wash`) count 0, and
        so do those that are not ``alive`` (n, T), past the end of a sequence.
        """
        n, T = y.shape[:2]
        crop, wash = self.settings.crop, self.engine.wash(self.data.train.x.shape)
        # begin anywhere, also before the sequence; then the whole of it counts
        length = min(crop + wash, T)
        latest = T - length
        if alive is not None:  # within the sequence
            ends = alive.sum(axis=1).astype(int)
            latest = np.maximum(ends - length, 0)
        begin = np.maximum(rng.integers(-wash, latest, n, endpoint=True), 0)
        at = begin[:, None] + np.arange(length)
        rows = np.arange(n)[:, None]
        weights = (at >= np.where(begin == 0, 0, begin + length - crop)[:, None]) * 1.0
        cut = {k: v[rows, at] for k, v in features.items() if k != "lengths"}
        if alive is not None:
            weights = weights * alive[rows, at]
            cut["lengths"] = np.clip(ends - begin, 1, length)
        return cut, y[rows, at], weights


def _checked_augmented(x, before: np.ndarray) -> np.ndarray:
    """Return sequences that are augmented, or a ValidationError."""
    x = np.asarray(x)
    if x.shape != before.shape or x.dtype.kind not in "fiu" or not np.isfinite(x).all():
        problem = f"must return finite numbers of the shape {before.shape}"
        raise ValidationError("Sequences.augment", x.shape, problem)
    return x


def _train_epoch(state: State, batches, descent, params: LMUParams, part: str):
    """Train for an epoch, validate, keep the best parameters, and return the record.

    ``part`` is the name of the results on the validation part.
    """
    from lmu_spiking.training._jax import precision_of

    start, epoch = time.perf_counter(), len(state.history) + 1
    engine, data, settings = batches.engine, batches.data, batches.settings
    # train on all batches, then validate
    with precision_of(settings.precision):
        engine.begin_epoch(descent.weights)
        losses = []
        for batch in batches.epoch(epoch):
            loss, gradients = engine.gradients(descent.weights, **batch)
            descent.move(gradients)
            losses.append(loss)
        outputs = engine.outputs(descent.weights, batches.valid)
    valid, metric = loss_and_metric(
        data.classes, outputs, data.valid.y, data.valid.lengths
    )
    mean = float(np.mean(losses))
    state.weights = {name: np.asarray(w) for name, w in descent.weights.items()}
    _check_finite(settings, epoch, mean, valid, *state.weights.values())
    # write the record, and keep these parameters if they are the best
    state.moments, arrays = descent.moments(), _in_seconds(state.weights)
    record = {"epoch": epoch, "loss": mean, f"{part}_loss": valid}
    record[f"{part}_{metric_name(data.classes)}"] = metric
    record |= {name: float(arrays[name]) for name in engine.thetas}
    record["seconds"] = time.perf_counter() - start
    state.history.append(record)
    if settings.keep == "last" or min(state.history, key=badness) is record:
        state.best, state.best_epoch = params.updated(arrays), epoch
    return record


def _check_finite(settings: TrainSettings, epoch: int, *values) -> None:
    """Refuse losses or weights that diverged."""
    if not all(np.isfinite(value).all() for value in values):
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
    windows = {k: np.exp(float(w)) for k, w in weights.items() if k.endswith(".theta")}
    return weights | windows


def _header(state: State, settings: TrainSettings, how: dict, data, part: str) -> dict:
    """Return task, origin, training, results on the parts, and versions.

    ``how`` are the engine and what it trains through, and ``part`` is the name of the
    results on the validation part.
    """
    name, options = metric_name(data.classes), {"last": data.last}
    results = {
        f"{which}_{name}": evaluate(state.best, sequences, data.classes, **options)
        for which, sequences in ((part, data.valid), ("test", data.test))
    }
    training = {
        "settings": settings.described(),
        **how,
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "seconds": sum(record["seconds"] for record in state.history),
    }
    about = {"task": data.name, "origin": data.origin, "training": training}
    return about | {"results": results, "versions": versions(how["engine"])}


def _check_spikes(spikes, engine: str) -> None:
    """Refuse what is no conversion to train through, and an engine that cannot."""
    from lmu_spiking.conversion.settings import ConvertSettings

    if not isinstance(spikes, ConvertSettings):
        remedy = "such as ConvertSettings(n_neurons=3000)"
        raise ValidationError("train.spikes", spikes, "must be ConvertSettings", remedy)
    if engine != "jax":
        problem, remedy = "does not train through spikes", "use engine='jax'"
        raise ValidationError("train.engine", engine, problem, remedy)


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
            each = getattr(data, part)
            values = each.y if data.last else counted(each.y, each.lengths)
            target_variance(values, f"train.data.{part}.y")
