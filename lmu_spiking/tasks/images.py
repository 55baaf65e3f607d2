"""Images as sequences, one pixel a step: their order, their shifts, their split.

Letters: ``n`` images of ``side`` by ``side`` pixels, ``T = side**2`` steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_seed, check_whole
from lmu_spiking.tasks.sequences import Part, Sequences, lengths

DT = 1e-3  # seconds a pixel


def pixel_order(task: str, side: int, order: str, seed: int) -> np.ndarray:
    """Return which pixel (T,) is seen at each step.

    Parameters
    ----------
    task : str
        What an error names.
    side : int
        Pixels of a side of an image.
    order : {"permuted", "rows"}
        ``np.random.RandomState(seed).permutation(T)``, the same for every image, or
        row by row.
    seed : int

    Returns
    -------
    (T,) ndarray of int
        Pixels, counted row by row.

    Raises
    ------
    ValidationError
        If an argument is out of range.
    """
    seed = check_seed(f"{task}.permutation_seed", seed)
    if order == "rows":
        return np.arange(side**2)
    if order == "permuted":
        return np.random.RandomState(seed).permutation(side**2)
    raise ValidationError(f"{task}.order", order, 'must be "permuted" or "rows"')


def stratified(labels: np.ndarray, count: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draw ``count`` indices, each class in its share; return the rest and the drawn.

    A class of ``n_k`` out of ``n`` gives ``count n_k / n``, rounded down or up so that
    the sum is ``count``.

    Parameters
    ----------
    labels : (n,) int ndarray
    count : int
        From 0 to n.
    rng : numpy.random.RandomState
        Draws them, and the order of both.

    Returns
    -------
    rest, drawn : ndarray of int
        Indices, shuffled.
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


def three_parts(
    images: np.ndarray, labels: np.ndarray, tests: int, valid: int, rng
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return images and labels to train, to choose by and to test, each `stratified`.

    Parameters
    ----------
    images : (n, side, side) ndarray
    labels : (n,) ndarray of int
    tests, valid : int
        How many test, and how many are to choose by.
    rng : numpy.random.RandomState

    Returns
    -------
    list of (images, labels)
        Of the three parts.
    """
    rest, test = stratified(labels, tests, rng)
    train, chosen = stratified(labels[rest], valid, rng)
    return [(images[i], labels[i]) for i in (rest[train], rest[chosen], test)]


def image_task(
    name: str,
    parts: Iterable,
    order: np.ndarray,
    top: float,
    shifts: int,
    source: str,
    details: str,
) -> Sequences:
    """Return the task to tell ten classes of images, one pixel a step.

    Parameters
    ----------
    name : str
    parts : iterable of (images, labels)
        Images (n, side, side), to train, to choose by and to test.
    order : (T,) ndarray of int
        Which pixel is seen at each step.
    top : float
        The largest value of a pixel, which becomes 1.
    shifts : int
        Pixels that training may shift an image by.
    source, details : str
        What was loaded, and how it was split and ordered: the origin, before and after
        how many sequences the parts have.

    Returns
    -------
    Sequences
        Whose targets are classes at the last step.
    """
    made = []
    for images, labels in parts:
        pixels = images.reshape(len(images), -1)[:, order].astype(np.float32)
        made.append(Part(pixels[:, :, None] / np.float32(top), labels))
    shift = Shift(order, shifts)  # which checks them
    about: dict[str, Any] = {"origin": f"{source}; {lengths(made, ',')}{details}"}
    about["augment"] = shift if shifts else None
    return Sequences(name, *made, dt=DT, classes=10, last=True, **about)


def described(order: str, seed: int) -> str:
    """Return the order of pixels in words.

    Parameters
    ----------
    order : {"permuted", "rows"}
    seed : int

    Returns
    -------
    str
        For the origin of a task.
    """
    return f"permutation seed {seed}" if order == "permuted" else "by rows"


@dataclass(frozen=True, eq=False)
class Shift:
    """A shift of each image by up to so many pixels, with zeros where it came from.

    Parameters
    ----------
    order : (T,) int ndarray
        Which pixel, counted row by row, is seen at each step.
    shifts : int
        Most pixels up or down, and left or right; each whole number is as likely.

    Raises
    ------
    ValidationError
        If the order is not that of a square's pixels, or shifts are negative.
    """

    order: np.ndarray = field(repr=False)
    shifts: int

    __repr__ = brief

    def __post_init__(self):
        check_whole("Shift.shifts", self.shifts, least=0)
        steps = np.size(self.order)
        every = np.sort(self.order, axis=None) == np.arange(steps)
        if round(steps**0.5) ** 2 != steps or not every.all():
            problem = "must order the pixels of a square"
            raise ValidationError("Shift.order", self.order, problem)

    def __call__(self, rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        """Return sequences (n, T, c), the image of each shifted by its own draw."""
        x = np.asarray(x)
        if x.ndim != 3 or x.shape[1] != len(self.order):
            problem = f"must be (n, {len(self.order)}, c)"
            raise ValidationError("Shift.x", x.shape, problem)
        # put the pixels in their places, in the middle of larger images
        n, steps, channels = x.shape
        side, most = round(steps**0.5), self.shifts
        padded = np.zeros((n, side + 2 * most, side + 2 * most, channels), x.dtype)
        inside = np.empty_like(x)
        inside[:, self.order] = x
        middle = slice(most, most + side)
        padded[:, middle, middle] = inside.reshape(n, side, side, channels)
        # cut a window out of each
        down, right = rng.integers(0, 2 * most + 1, size=(2, n))
        rows = down[:, None] + np.arange(side)
        columns = right[:, None] + np.arange(side)
        image = np.arange(n)[:, None, None]
        shifted = padded[image, rows[:, :, None], columns[:, None, :]]
        return shifted.reshape(n, steps, channels)[:, self.order]
