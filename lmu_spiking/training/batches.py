"""Batches of an epoch: which, in what order, how augmented and where cropped.

They depend on the seed and the number of the epoch, and on nothing before.
"""

from collections.abc import Iterator

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.training.settings import TrainSettings


class Batches:
    """The batches of a task.

    Attributes
    ----------
    count : int
        In an epoch.
    valid : dict of str to ndarray
        Features of the validation sequences.
    """

    def __init__(self, engine, settings: TrainSettings, data):
        self.engine, self.settings, self.data = engine, settings, data
        self.n = len(data.train.x)
        self.size = min(settings.batch, self.n)
        self.count = self.n // self.size
        self.augment = getattr(data, "augment", None)
        steps = data.train.x.shape[1]
        if settings.crop is not None:
            self._check_crop(steps)
        self.known = None if self.augment else engine.features(data.train.x)
        self.valid = engine.features(data.valid.x)

    def _check_crop(self, steps: int) -> None:
        crop, problem = self.settings.crop, ""
        if self.data.last:
            problem = "serves tasks that are read at every step"
        elif crop > steps:
            problem = f"is longer than the sequences of {steps} steps"
        elif any(cell.W_h is not None for cell in self.engine.params.cells):
            problem = "needs cells without W_h"
        if problem:
            raise ValidationError("TrainSettings.crop", crop, problem, "leave it out")

    def epoch(self, number: int) -> Iterator[dict]:
        """Arguments of ``engine.gradients`` for each batch."""
        rng = np.random.default_rng([self.settings.seed, number])
        order = rng.permutation(self.n)
        for step in range(self.count):
            chosen = order[step * self.size : (step + 1) * self.size]
            yield self._batch(chosen, [self.settings.seed, number, step])

    def _batch(self, chosen: np.ndarray, seed: list[int]) -> dict:
        rng, data = np.random.default_rng(seed), self.data.train
        y, weights = data.y[chosen], None
        if self.known is None:
            features = self.engine.features(self.augment(rng, data.x[chosen]))
        else:
            features = {name: value[chosen] for name, value in self.known.items()}
        if self.settings.crop is not None:
            features, y, weights = self._cropped(features, y, rng)
        return {"features": features, "y": y, "weights": weights, "rng": rng}

    def _cropped(self, features: dict, y: np.ndarray, rng: np.random.Generator):
        """Consecutive steps of each sequence; those of the wash weigh nothing."""
        n, T = y.shape[:2]
        crop, wash = self.settings.crop, self.engine.wash(self.data.train.x.shape)
        length = min(crop + wash, T)
        begin = np.maximum(rng.integers(-wash, T - length, n, endpoint=True), 0)
        at = begin[:, None] + np.arange(length)
        rows = np.arange(n)[:, None]
        weights = (at >= np.where(begin == 0, 0, begin + length - crop)[:, None]) * 1.0
        return {k: v[rows, at] for k, v in features.items()}, y[rows, at], weights
