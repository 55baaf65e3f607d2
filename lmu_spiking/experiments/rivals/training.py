"""One training loop for all rivals: Adam, by the clock or by epochs.

Every model is trained by `fit` until so many seconds or epochs have passed, and is the
best of its validations.  Batches depend on the seed and on their number alone, so that
a training that was interrupted goes on bit by bit from its checkpoint.

Letters: ``n`` sequences, ``T`` steps, ``c`` inputs, ``q`` outputs.
"""

import contextlib
import io
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_one_of
from lmu_spiking.experiments.rivals.models import Model
from lmu_spiking.files import open_arrays, write_atomically
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training._jax import jax, jnp, optax
from lmu_spiking.training.evaluation import (
    loss_and_metric,
    metric_name,
    validation_name,
)
from lmu_spiking.training.loop import badness
from lmu_spiking.training.model import loss_of


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model after some seconds of training.

    Attributes
    ----------
    test : float
        Accuracy, or NRMSE, on the test part.
    outputs : (n, q) or (n, T, q) ndarray
        Of the test part; weights are the best by validation.
    seconds : float
        Of training and validation; compilation is left out.
    seconds_per_epoch : float
        Of training alone, the first update left out.
    updates : int
    epochs : float
    params : int
        Number of them.
    history : list of dict
        ``seconds, updates, epochs, loss, valid_loss`` and ``valid_accuracy`` or
        ``valid_nrmse``; ``seen_`` instead of ``valid_`` if these sequences are also
        trained on.
    weights, best : dict of str to ndarray
        Of the last update, and of the best validation.
    predict : callable
        Takes inputs (n, T, c), and returns outputs by the weights of the last update.
    """

    test: float
    outputs: np.ndarray
    seconds: float
    seconds_per_epoch: float
    updates: int
    epochs: float
    params: int
    history: list[dict]
    weights: dict[str, np.ndarray]
    best: dict[str, np.ndarray]
    predict: Callable

    __repr__ = brief


def late_gain(history: Sequence[dict]) -> float:
    """Return what the last quarter of the epochs won: little, if it has converged.

    Parameters
    ----------
    history : sequence of dict
        Of `Fitted`.

    Returns
    -------
    float
        How much lower the best error (NRMSE, or 1 minus the accuracy) is than it was
        before the last quarter, in parts of what it was.
    """
    name = next(n for n in history[0] if n.endswith(("_nrmse", "_accuracy")))
    right = name.endswith("accuracy")
    errors = [1 - record[name] if right else record[name] for record in history]
    early = [
        error
        for error, record in zip(errors, history, strict=True)
        if record["epochs"] <= 0.75 * history[-1]["epochs"]
    ]
    if not early:
        return 1.0
    return 1 - min(errors) / min(early) if min(early) else 0.0


def fit(
    model: Model,
    data: Sequences,
    limits: Sequence[float] = (float("inf"),),
    *,
    learning_rate: float = 0.001,
    schedule: str = "constant",
    batch: int = 32,
    piece: int | None = None,
    wash: int = 0,
    seed: int = 0,
    shuffle: bool = True,
    epochs: float = float("inf"),
    patience: float = float("inf"),
    validations: int = 20,
    clipnorm: float | None = None,
    checkpoint=None,
    progress: Callable | None = None,
) -> list[Fitted]:
    """Train with Adam, on squared error or cross-entropy, until limits of seconds.

    Parameters
    ----------
    model : Model
        Outputs logits (n, q), or values (n, T, q).
    data : Sequences
    limits : sequence of float
        Seconds, increasing.  The first update, which compiles, counts for none.
    learning_rate : float
    schedule : {"constant", "cosine"}
        Cosine goes from the learning rate to 0 over all epochs.
    batch : int
    piece : int, optional
        Where every step is read: steps of the pieces, drawn anew for each epoch, that
        the sequences are cut into.  Shorter ones are updated on more often.
    wash : int
        Steps before a piece that the model sees first and that do not count, unless
        they begin with the sequence.
    seed : int
        Draws the batches.
    shuffle : bool
        Whether each epoch has an order of its own.
    epochs : float
        The most that are trained.
    patience : float
        Epochs without a better validation after which training stops.
    validations : int
        Within a limit, and within ``epochs`` again.
    clipnorm : float, optional
        Norm that the gradient of each array is clipped to.
    checkpoint : path-like, optional
        An ``.npz``, written after each validation, from which the same call goes on.
    progress : callable, optional
        Is called with the record of each validation.

    Returns
    -------
    list of Fitted
        One for each limit.

    Raises
    ------
    ValidationError
        If training would have no end, the schedule does not fit the epochs, sequences
        have several lengths, or the checkpoint is of another training.
    """
    _check(data, epochs, min(epochs, patience, limits[-1]))
    batches, share = _batches(data, seed, batch, piece, shuffle, wash)
    rate = _rate(learning_rate, schedule, epochs / share)
    slow = {name: min(1.0, 0.001 / learning_rate) for name in model.slow}
    functions = _functions(model, data.classes, rate, slow, clipnorm)
    optimizer, update, outputs_of = functions
    arrays = {name: jnp.asarray(a) for name, a in model.arrays.items()}
    run = _Run(arrays, optimizer.init(arrays), arrays)
    # what the course depends on, beside limits of time and epochs without a schedule
    about = {"rate": learning_rate, "batch": batch, "piece": piece, "wash": wash}
    about |= {"seed": seed, "shuffle": shuffle, "clipnorm": clipnorm}
    about |= {"data": data.origin, "sequences": [len(data.train), len(data.valid)]}
    about |= {"cosine": epochs if schedule == "cosine" else None}
    if checkpoint is not None and Path(checkpoint).exists():
        run = _loaded(checkpoint, run, about)
    part, fitted, given = validation_name(data), [], batches(run.updates)
    clock, recent, known = _Clock(run.seconds), [], run.updates

    def stopped() -> bool:
        """Return whether epochs or patience are at an end."""
        epoch = run.updates * share
        return epoch > epochs - 1e-9 or epoch - run.best_epoch >= patience

    def due(limit: float) -> bool:
        """Return whether it is time for a validation."""
        seen = run.history[-1] if run.history else {"seconds": 0.0, "epochs": 0.0}
        late = min(limit, seen["seconds"] + limit / validations)
        far = seen["epochs"] + epochs / validations - 1e-9
        return clock.seconds >= late or run.updates * share > far or stopped()

    outputs_of(run.arrays, data.valid.x)  # compiled before the clock
    for limit in limits:
        while not run.updates or (clock.seconds < limit and not stopped()):
            # an update
            x, y, counted = next(given)
            before = clock.seconds
            with clock.running(counts=run.updates > known):
                run.arrays, run.state, loss = update(
                    run.arrays, run.state, x, y, counted
                )
                recent.append(float(loss))
            run.updates += 1
            run.trained += clock.seconds - before
            if not due(limit):
                continue
            # a validation, by which the best weights are chosen
            with clock.running():
                outputs = outputs_of(run.arrays, data.valid.x)
                loss, metric = loss_and_metric(data.classes, outputs, data.valid.y)
            record = {"updates": run.updates, "epochs": run.updates * share}
            record |= {"seconds": clock.seconds, "loss": float(np.mean(recent))}
            record |= {
                f"{part}_loss": loss,
                f"{part}_{metric_name(data.classes)}": metric,
            }
            run.keep(record)
            recent = []
            if checkpoint is not None:
                _save(checkpoint, run, about)
            if progress is not None:
                progress(record)
        # the test part, by the best weights so far
        outputs = outputs_of(run.best, data.test.x)
        test = loss_and_metric(data.classes, outputs, data.test.y)[1]
        pace = run.trained / max(run.updates * share - share, share)
        weights, best = (
            {n: np.asarray(a) for n, a in w.items()} for w in (run.arrays, run.best)
        )
        result = Fitted(
            test=test,
            outputs=outputs,
            seconds=clock.seconds,
            seconds_per_epoch=pace,
            updates=run.updates,
            epochs=run.updates * share,
            params=model.n_params,
            history=run.history[:],
            weights=weights,
            best=best,
            predict=partial(outputs_of, run.arrays),
        )
        fitted.append(result)
    return fitted


def _check(data: Sequences, epochs: float, end: float) -> None:
    """Raise a ValidationError if training has no end, or the data no single length."""
    if not end < float("inf"):
        problem = "would train for ever; give epochs, patience, or limits in seconds"
        raise ValidationError("fit.epochs", epochs, problem)
    if any(p.lengths is not None for p in (data.train, data.valid, data.test)):
        problem = "has sequences of several lengths, which rivals do not take"
        raise ValidationError("fit.data", data.name, problem, "cut them to one length")


def _rate(learning_rate: float, schedule: str, updates: float):
    """Return the learning rate, or its schedule over so many updates."""
    check_one_of("fit.schedule", schedule, ("constant", "cosine"))
    if schedule == "constant":
        return learning_rate
    if updates == float("inf"):
        problem = "falls to 0 over all epochs, of which there is no end"
        raise ValidationError("fit.schedule", schedule, problem, "give epochs")
    return optax.cosine_decay_schedule(learning_rate, round(updates))


def _functions(model: Model, classes: int | None, rate, slow, clipnorm) -> tuple:
    """Return Adam, and functions of one update and of outputs, compiled."""
    optimizer = optax.adam(rate)
    if clipnorm is not None:
        optimizer = optax.chain(_clipped_each(clipnorm), optimizer)

    def loss(arrays, x, y, counted):
        return loss_of(classes, model.outputs(arrays, x), y, counted)

    @jax.jit
    def update(arrays, state, x, y, counted):
        found, slopes = jax.value_and_grad(loss)(arrays, x, y, counted)
        changes: Any
        changes, state = optimizer.update(slopes, state, arrays)
        changes = {n: slow.get(n, 1.0) * change for n, change in changes.items()}
        return optax.apply_updates(arrays, changes), state, found

    outputs = jax.jit(model.outputs)

    def outputs_of(arrays, x):
        parts = (x[i : i + 100] for i in range(0, len(x), 100))
        return np.concatenate([np.asarray(outputs(arrays, part)) for part in parts])

    return optimizer, update, outputs_of


def _clipped_each(most: float):
    """Return what clips each gradient by its own norm, as ``clipnorm`` of Keras."""

    def clipped(g):
        return g * jnp.minimum(1.0, most / jnp.maximum(jnp.linalg.norm(g), 1e-30))

    return optax.stateless(lambda slopes, _: jax.tree_util.tree_map(clipped, slopes))


# -- a training between two updates --------------------------------------------------


@dataclass(eq=False)
class _Run:
    """A training between two updates: arrays, state of Adam, best arrays, course."""

    arrays: Any
    state: Any
    best: Any
    history: list[dict] = field(default_factory=list)
    updates: int = 0
    best_epoch: float = 0.0
    trained: float = 0.0

    @property
    def seconds(self) -> float:
        """Return the seconds until the last validation."""
        return self.history[-1]["seconds"] if self.history else 0.0

    def keep(self, record: dict) -> None:
        """Take in the record of a validation, and the arrays if they are the best."""
        if not self.history or badness(record) < min(map(badness, self.history)):
            self.best_epoch, self.best = record["epochs"], self.arrays
        self.history.append(record)


def _save(path, run: _Run, about: dict) -> None:
    """Write a training, whole or not at all."""
    leaves = jax.tree_util.tree_leaves((run.arrays, run.state, run.best))
    names = ("history", "updates", "best_epoch", "trained")
    course = {n: getattr(run, n) for n in names} | {"about": about}
    file = io.BytesIO()
    every: Any = {f"leaf{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    every["course"] = np.frombuffer(json.dumps(course).encode(), np.uint8)
    np.savez(file, **every)
    write_atomically(path, file.getvalue())


def _loaded(path, begun: _Run, about: dict) -> _Run:
    """Return the training of a checkpoint, or a ValidationError if it is another's."""
    leaves, tree = jax.tree_util.tree_flatten((begun.arrays, begun.state, begun.best))
    with open_arrays(path) as file:
        course = json.loads(file["course"].tobytes())
        found = [file[name] for name in file.files if name != "course"]
    alike = [np.shape(a) for a in found] == [np.shape(a) for a in leaves]
    if course.pop("about") != json.loads(json.dumps(about)) or not alike:
        problem = "is of a training with other settings, data or sizes"
        raise ValidationError("fit.checkpoint", str(path), problem, "use another path")
    parts = jax.tree_util.tree_unflatten(tree, map(jnp.asarray, found))
    return _Run(*parts, **course)


class _Clock:
    """Seconds within its blocks."""

    def __init__(self, seconds: float):
        self.seconds = seconds

    @contextlib.contextmanager
    def running(self, counts: bool = True):
        """Add the seconds of a block, if it counts."""
        start = time.perf_counter()
        yield
        if counts:
            self.seconds += time.perf_counter() - start


def _batches(
    data: Sequences, seed: int, batch: int, piece: int | None, shuffle=True, wash=0
):
    """Return endless batches from a number on, and one's share of an epoch.

    A batch is ``x, y``, and which steps (n, T) count, or None where all do.  Pieces
    begin anywhere.
    """
    n, T, _ = data.train.x.shape
    length = T if piece is None or data.last or piece + wash >= T else piece
    cut = length < T
    pieces, spare = divmod(T - wash, length) if cut else (1, 0)
    size = min(batch, n * pieces)
    count = n * pieces // size

    def epoch_of(number: int):
        """Return the sequences and the beginnings of pieces, in their order."""
        rng = np.random.default_rng([seed, number])
        skip = rng.integers(-wash, spare + 1) if cut else 0
        begin = skip + length * np.arange(pieces)
        rows, begins = np.repeat(np.arange(n), pieces), np.tile(np.maximum(begin, 0), n)
        order = rng.permutation(n * pieces) if shuffle else np.arange(n * pieces)
        return rows[order], begins[order]

    def batches(begin: int = 0):
        for number in itertools.count(begin):
            epoch, i = divmod(number, count)
            if i == 0 or number == begin:
                rows, begins = epoch_of(epoch)
            chosen = slice(i * size, (i + 1) * size)
            x, y, counted = data.train.x[rows[chosen]], data.train.y[rows[chosen]], None
            if cut:
                at = begins[chosen, None] + np.arange(wash + length)
                x, y = (np.take_along_axis(a, at[:, :, None], axis=1) for a in (x, y))
                counted = (at >= np.where(at[:, :1], at[:, :1] + wash, 0)) * np.float32(
                    1
                )
            if data.augment is not None:
                x = data.augment(np.random.default_rng([seed, epoch, i]), x)
            yield x, y, counted

    return batches, size / (n * pieces)
