"""Images as sequences, one pixel a step: their order, split, shifts and warps.

Shifts and warps make more images to train on.  Both know which pixels are neighbours,
which the sequences of a permutation hide: a network that is trained with them has been
told more than its task.

Letters: ``n`` images of ``side`` by ``side`` pixels, ``T = side**2`` steps.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import (
    ValidationError,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.tasks.sequences import Part, Sequences, lengths

DT = 1e-3  # seconds a pixel
LEAST = 1e-3  # share of a warp's strongest mode that its weakest one has


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
    augment: Callable | None,
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
    augment : callable or None
        A `Shift` or `Warp` that training draws for every image.
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
    about: dict[str, Any] = {"origin": f"{source}; {lengths(made, ',')}{details}"}
    about["augment"] = augment
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
        _check_order("Shift.order", self.order)

    def __call__(self, rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        """Return sequences (n, T, c), the image of each shifted by its own draw."""
        # the images in the middle of larger ones
        most, padded = self.shifts, _padded("Shift.x", x, self.order, self.shifts)
        n, channels = len(padded), padded.shape[-1]
        steps = len(self.order)
        side = round(steps**0.5)
        # cut a window out of each
        down, right = rng.integers(0, 2 * most + 1, size=(2, n))
        rows = down[:, None] + np.arange(side)
        columns = right[:, None] + np.arange(side)
        image = np.arange(n)[:, None, None]
        shifted = padded[image, rows[:, :, None], columns[:, None, :]]
        return shifted.reshape(n, steps, channels)[:, self.order]


@dataclass(frozen=True, eq=False)
class Warp:
    """A smooth warp of each image: its pixels are moved as on a sheet of rubber.

    Both coordinates of the displacement are Gaussian fields, drawn for each image,
    whose covariance falls with the distance ``r`` as ``exp(-r^2 / (2 length^2))``.  It
    shifts, turns, stretches and bends.  Values between pixels are interpolated
    linearly, and are 0 outside.

    Parameters
    ----------
    order : (T,) int ndarray
        Which pixel, counted row by row, is seen at each step.
    pixels : float
        Root mean square of each coordinate of the displacement.
    length : float
        Of its correlation, in pixels.

    Raises
    ------
    ValidationError
        If the order is not that of a square's pixels, or a size is not positive.
    """

    order: np.ndarray = field(repr=False)
    pixels: float
    length: float

    __repr__ = brief

    def __post_init__(self):
        check_positive("Warp.pixels", self.pixels, "pixels")
        check_positive("Warp.length", self.length, "pixels")
        _check_order("Warp.order", self.order)

    @cached_property
    def _root(self) -> np.ndarray:
        """Return a root (side, r) of the covariance along a side, with its size."""
        places = np.arange(round(np.size(self.order) ** 0.5))
        covariance = np.exp(-0.5 * ((places[:, None] - places) / self.length) ** 2)
        powers, ways = np.linalg.eigh(covariance)
        kept = powers > LEAST * powers.max()
        # the field is a product of two such roots, one for each coordinate
        root = ways[:, kept] * np.sqrt(powers[kept] * self.pixels)
        return root.astype(np.float32)

    def __call__(self, rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        """Return sequences (n, T, c), the image of each warped by its own draw."""
        padded = _padded("Warp.x", x, self.order, 1)
        n, wide, _, channels = padded.shape
        side, r = len(self._root), self._root.shape[1]
        # from where each pixel is taken: its own place, moved, at most to the border
        z = rng.standard_normal((2, n, r, r), np.float32)
        moved = self._root @ z @ self._root.T
        places = np.arange(1, side + 1, dtype=np.float32)
        last = np.nextafter(np.float32(wide - 1), np.float32(0))
        down = np.clip(moved[0] + places[:, None], 0, last)
        right = np.clip(moved[1] + places, 0, last)
        # between its four neighbours
        i, j = down.astype(np.int32), right.astype(np.int32)
        a, b = (down - i)[..., None], (right - j)[..., None]
        values = padded.reshape(-1, channels)
        first = (np.arange(n) * wide**2)[:, None, None] + i * wide + j
        upper = (1 - b) * values[first] + b * values[first + 1]
        lower = (1 - b) * values[first + wide] + b * values[first + wide + 1]
        warped = (1 - a) * upper + a * lower
        return warped.reshape(n, -1, channels)[:, self.order].astype(padded.dtype)


def _check_order(attribute: str, order) -> None:
    """Refuse what is not an order of the pixels of a square."""
    steps = np.size(order)
    every = np.sort(order, axis=None) == np.arange(steps)
    if round(steps**0.5) ** 2 != steps or not every.all():
        raise ValidationError(attribute, order, "must order the pixels of a square")


def _padded(attribute: str, x, order: np.ndarray, border: int) -> np.ndarray:
    """Return the images of sequences (n, T, c), with a border of zeros around each."""
    x = np.asarray(x)
    if x.ndim != 3 or x.shape[1] != len(order):
        raise ValidationError(attribute, x.shape, f"must be (n, {len(order)}, c)")
    n, steps, channels = x.shape
    side = round(steps**0.5)
    inside = np.empty_like(x)
    inside[:, order] = x
    size = side + 2 * border
    padded = np.zeros((n, size, size, channels), x.dtype)
    middle = slice(border, border + side)
    padded[:, middle, middle] = inside.reshape(n, side, side, channels)
    return padded
