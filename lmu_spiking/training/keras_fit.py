"""Train a Keras model on a task for so long: the rivals of an LMU, by one clock."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.training._keras import tensorflow
from lmu_spiking.training.evaluation import validation_name
from lmu_spiking.training.loop import badness
from lmu_spiking.training.losses import loss_and_metric, metric_name

VALIDATIONS = 20  # at most, within a limit


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
    updates : int
    epochs : float
    n_params : int
    history : list of dict
        ``seconds, updates, loss, valid_loss`` and ``valid_accuracy`` or
        ``valid_nrmse``; ``seen_`` instead of ``valid_`` if these sequences are also
        trained on.
    """

    test: float
    outputs: np.ndarray
    seconds: float
    updates: int
    epochs: float
    n_params: int
    history: list[dict]

    __repr__ = brief


def fit(
    model,
    data,
    limits: Sequence[float],
    *,
    batch: int = 32,
    piece: int | None = None,
    seed: int = 0,
    progress: Callable | None = None,
) -> list[Fitted]:
    """Train with Adam, on squared error or cross-entropy; a `Fitted` for each limit.

    Parameters
    ----------
    model : keras.Model
        Outputs logits (n, q), or values (n, T, q).
    data : Sequences
    limits : sequence of float
        Seconds, increasing.  The first update, which compiles, counts for none.
    batch : int
    piece : int, optional
        Where every step is read: steps of the pieces, drawn anew for each epoch, that
        the sequences are cut into.  Shorter ones are updated on more often.
    progress : callable, optional
        Is called with each record of the history.
    """
    tf, classes, part = tensorflow(), data.classes, validation_name(data)
    losses = tf.keras.losses
    loss = "mse" if classes is None else losses.SparseCategoricalCrossentropy(True)
    model.compile("adam", loss)
    rng = np.random.default_rng(seed)
    batches = _batches(data, rng, batch, piece)
    clock = _Clock()
    history: list[dict] = []
    best, weights, recent, updates = None, model.get_weights(), [], 0
    found, seen = [], 0.0
    model.predict(data.valid.x, batch_size=100, verbose=0)  # compiled before the clock
    for limit in limits:
        while not updates or clock.seconds < limit:
            x, y, share = next(batches)
            with clock.running(counts=bool(updates)):
                recent.append(model.train_on_batch(x, y))
                updates += 1
            if clock.seconds < min(limit, seen + limit / VALIDATIONS):
                continue
            with clock.running():
                record = {"updates": updates, "loss": float(np.mean(recent))}
                record |= _validated(model, data, part)
            record["seconds"] = seen = clock.seconds
            history.append(record)
            recent = []
            if best is None or badness(record) < badness(best):
                best, weights = record, model.get_weights()
            if progress is not None:
                progress(record)
        now = model.get_weights()
        model.set_weights(weights)
        outputs = model.predict(data.test.x, batch_size=100, verbose=0)
        model.set_weights(now)
        test = loss_and_metric(classes, outputs, data.test.y)[1]
        size, epochs = model.count_params(), updates * share
        found.append(
            Fitted(test, outputs, clock.seconds, updates, epochs, size, history[:])
        )
    return found


class _Clock:
    """Seconds within its blocks."""

    def __init__(self):
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self, counts: bool = True):
        start = time.perf_counter()
        yield
        if counts:
            self.seconds += time.perf_counter() - start


def _batches(data, rng: np.random.Generator, batch: int, piece: int | None):
    """``x, y`` and the share of an epoch, without end; pieces begin anywhere."""
    n, T, _ = data.train.x.shape
    length = T if data.last or piece is None else min(piece, T)
    count = n * (T // length)
    size = min(batch, count)
    while True:
        x, y = data.train.x, data.train.y
        if length < T:
            skip = rng.integers(0, T % length + 1)
            x, y = (
                a[:, skip : skip + T // length * length].reshape(
                    count, length, a.shape[2]
                )
                for a in (x, y)
            )
        order = rng.permutation(count)
        for i in range(0, count - size + 1, size):
            chosen = order[i : i + size]
            given = x[chosen]
            if data.augment is not None:
                given = data.augment(rng, given)
            yield given, y[chosen], size / count


def _validated(model, data, part: str) -> dict:
    outputs = model.predict(data.valid.x, batch_size=100, verbose=0)
    loss, metric = loss_and_metric(data.classes, outputs, data.valid.y)
    return {f"{part}_loss": loss, f"{part}_{metric_name(data.classes)}": metric}
