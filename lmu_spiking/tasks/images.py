"""Images as sequences, one pixel a step: their order, their shifts, their split.

Letters: ``n`` images of ``side`` by ``side`` pixels, ``T = side**2`` steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_seed, check_whole
from lmu_spiking.tasks.sequences import Part, Sequences

DT = 1e-3
"""Seconds a pixel."""


def pixel_order(task: str, side: int, order: str, seed: int) -> np.ndarray:
    """Which pixel (T,) is seen at each step.

    ``"rows"`` is row by row; ``"permuted"`` is
    ``np.random.RandomState(seed).permutation(T)``, the same for every image.
    """
    seed = check_seed(f"{task}.permutation_seed", seed)
    if order == "rows":
        return np.arange(side**2)
    if order == "permuted":
        return np.random.RandomState(seed).permutation(side**2)
    raise ValidationError(f"{task}.order", order, 'must be "permuted" or "rows"')


def stratified(labels: np.ndarray, count: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rest and of ``count`` drawn, each class in its share, shuffled.

    A class of ``n_k`` out of ``n`` gives ``count n_k / n``, rounded down or up so that
    the sum is ``count``.

    Parameters
    ----------
    labels : (n,) int ndarray
    count : int
        From 0 to n.
    rng : numpy.random.RandomState
    """
    kinds, sizes = np.unique(labels, return_counts=True)
    shares = count * sizes / len(labels)
    counts = np.floor(shares).astype(int)
    largest = np.argsort(counts - shares, kind="stable")
    counts[largest[: count - counts.sum()]] += 1
    rest, drawn = [], []
    for kind, taken in zip(kinds, counts, strict=True):
        own = rng.permutation(np.flatnonzero(labels == kind))
        drawn.append(own[:taken])
        rest.append(own[taken:])
    return rng.permutation(np.concatenate(rest)), rng.permutation(np.concatenate(drawn))


def as_part(images: np.ndarray, labels, order: np.ndarray, top: float) -> Part:
    """Images (n, side, side) up to ``top`` as sequences (n, T, 1) up to 1."""
    pixels = images.reshape(len(images), -1)[:, order].astype(np.float32)
    return Part(pixels[:, :, None] / np.float32(top), labels)


def image_task(
    name: str, parts: Iterable[Part], order: np.ndarray, shifts: int, origin: str
) -> Sequences:
    """Ten classes of images; training may shift them by up to ``shifts`` pixels."""
    shift = Shift(order, shifts)
    return Sequences(name, *parts, DT, 10, True, origin, shift if shifts else None)


@dataclass(frozen=True, eq=False)
class Shift:
    """Shift each image by up to so many pixels, with zeros where it came from.

    Parameters
    ----------
    order : (T,) int ndarray
        Which pixel, counted row by row, is seen at each step.
    shifts : int
        Most pixels up or down, and left or right; each whole number is as likely.
    """

    order: np.ndarray = field(repr=False)
    shifts: int

    __repr__ = brief

    def __post_init__(self):
        check_whole("Shift.shifts", self.shifts, least=0)
        steps = np.size(self.order)
        if round(steps**0.5) ** 2 != steps or np.any(
            np.sort(self.order, axis=None) != np.arange(steps)
        ):
            problem = "must order the pixels of a square"
            raise ValidationError("Shift.order", self.order, problem)

    def __call__(self, rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        """Sequences (n, T, c), each of its image shifted by its own draw."""
        x = np.asarray(x)
        if x.ndim != 3 or x.shape[1] != len(self.order):
            problem = f"must be (n, {len(self.order)}, c)"
            raise ValidationError("Shift.x", x.shape, problem)
        n, steps, channels = x.shape
        side, most = round(steps**0.5), self.shifts
        padded = np.zeros((n, side + 2 * most, side + 2 * most, channels), x.dtype)
        inside = np.empty_like(x)
        inside[:, self.order] = x
        middle = slice(most, most + side)
        padded[:, middle, middle] = inside.reshape(n, side, side, channels)
        down, right = rng.integers(0, 2 * most + 1, size=(2, n))
        rows = down[:, None] + np.arange(side)
        columns = right[:, None] + np.arange(side)
        image = np.arange(n)[:, None, None]
        shifted = padded[image, rows[:, :, None], columns[:, None, :]]
        return shifted.reshape(n, steps, channels)[:, self.order]
