"""Small real digits that arrive with scikit-learn, one pixel a step."""

import math
from importlib.metadata import version

import numpy as np

from lmu_spiking.errors import check_seed, needs
from lmu_spiking.tasks.images import (
    Shift,
    described,
    image_task,
    pixel_order,
    three_parts,
)
from lmu_spiking.tasks.sequences import Sequences

SIDE, TOP = 8, 16.0


def digits(
    seed: int = 0, permutation_seed: int = 0, order: str = "permuted", shifts: int = 0
) -> Sequences:
    """Return the 1,797 digits of `sklearn.datasets.load_digits`, of 8 x 8 pixels.

    They were written by 13 people, whom the data does not tell apart, so the same hands
    are in all parts: of unknown writers expect less.

    Parameters
    ----------
    seed : int
        Draws 360 of them (20 %) to test and 144 (10 % of the rest) to choose by, each
        class in its share; 1,293 train.
    permutation_seed : int
        Draws the order of the pixels, 0 by default; see `pixel_order`.
    order : str
        "permuted", or "rows" for pixels row by row.
    shifts : int
        Pixels that training images may be shifted by; on images so small, a single one
        did harm.

    Returns
    -------
    Sequences
        The three parts of the task.

    Raises
    ------
    ValidationError
        If an argument is out of range.
    MissingPackageError
        If scikit-learn is not installed.
    """
    seed = check_seed("digits.seed", seed)
    pixels = pixel_order("digits", SIDE, order, permutation_seed)
    images, labels = _load()
    tests = math.ceil(0.2 * len(labels))
    valid = math.ceil(0.1 * (len(labels) - tests))
    parts = three_parts(images, labels, tests, valid, np.random.RandomState(seed))
    source = f"scikit-learn {version('scikit-learn')}, load_digits(): {len(labels):,}"
    source += " real digits of 8 x 8 pixels"
    shift = Shift(pixels, shifts)  # which checks them
    details = f" stratified by seed {seed}; {described(order, permutation_seed)}"
    augment = shift if shifts else None
    return image_task("digits", parts, pixels, TOP, augment, source, details)


def _load() -> tuple[np.ndarray, np.ndarray]:
    """Return images (1797, 8, 8), 0 to 16, and labels (1797,)."""
    with needs("scikit-learn", "data"):
        from sklearn.datasets import load_digits
    found = load_digits()
    return found.images, found.target
