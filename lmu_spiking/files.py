"""Read files within limits of size and memory, and write files whole or not at all.

A small file can claim, or decompress to, more than the memory of a machine, and parsers
raise errors of any class on damaged files.  So each reader of the package opens its
files here: sizes are checked before memory is allocated, nothing is unpickled, and
`reading` turns every error of a parser into one line with the name of the file.
"""

import json
import math
import os
import re
import secrets
import stat
import struct
import tokenize
import tomllib
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np

from lmu_spiking.errors import LMUSpikingError, StudyWarning, ValidationError

NO_PICKLES = "Object arrays cannot be loaded when allow_pickle=False"
LARGEST = 2**28  # bytes of one file, decompressed
TEXT, TOML = 2**22, 2**18  # bytes of JSON, and of TOML
DOTS = 20  # the most dots in a line of TOML, except those of numbers
FLOAT = re.compile(r"(?<=[\s,\[=])[+-]?\d[\d_]*\.\d[\d_]*(?=[\s,\]}]|$)")
MEMBERS = 10_000  # files in an archive
PLAIN = 2**22  # bytes up to which the compression of an archive is not limited
DENSER = 50  # the most that a larger archive may be compressed
HEADERS: dict[tuple[int, int], Callable] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# errors of gzip, struct, zlib and zipfile, besides ValueError
DAMAGE = (EOFError, struct.error, zlib.error, zipfile.BadZipFile)
# errors from a file of ours that is missing or was changed
NOT_OURS = (OSError, ValueError, KeyError, TypeError, AttributeError)
NOT_OURS += (RecursionError, OverflowError, MemoryError)
REASONS = {
    RecursionError: "it is nested too deeply",
    MemoryError: "it asks for more memory than there is",
    OverflowError: "a number in it is too large",
    UnicodeDecodeError: "it is not text in UTF-8",
}


class TooLarge(ValueError):
    """A file is, or claims to be, larger than its reader accepts."""


# -- errors of parsers ---------------------------------------------------------------


@contextmanager
def reading(
    path, kind: Callable[[str], LMUSpikingError], *, own: tuple[str, ...] = ()
) -> Iterator[None]:
    """Turn every error while a file is read into one line that names the file.

    Parameters
    ----------
    path : path-like
        The line begins with it.
    kind : type
        Class of the error that is raised, one of `errors`; it takes the line.
    own : tuple of str
        Beginnings of attributes that the file itself sets: a ValidationError of these
        is the file's fault.  One of other attributes is the caller's, and is not
        changed.
    """
    try:
        yield
    except kind as error:  # type: ignore[misc]
        line = one_line(error)
        raise kind(line if line.startswith(str(path)) else f"{path}: {line}") from None
    except ValidationError as error:
        if not own or not error.attribute.startswith(own):
            raise
        raise kind(f"{path}: {one_line(error)}") from None
    except LMUSpikingError:
        raise
    except DAMAGE as error:
        problem = f"is corrupt, cut short or too large ({one_line(error)})"
        raise kind(f"{path}: {problem}") from None
    except Exception as error:
        raise kind(f"{path}: cannot be read ({reason(error)})") from None


def reason(error: Exception) -> str:
    """Return the reason that a parser's error gives, in a few words on one line.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
    """
    for known, words in REASONS.items():
        if isinstance(error, known):
            return words
    if isinstance(error, KeyError):
        return f"it lacks {one_line(error)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(error)


def one_line(error: object, width: int = 400) -> str:
    """Return a message without line breaks, cut to ``width`` characters.

    Parameters
    ----------
    error : object
        An error, or its text.
    width : int

    Returns
    -------
    str
    """
    text = "".join(c if c.isprintable() else " " for c in str(error)[: 4 * width])
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= width else f"{text[: width - 3]}..."


# -- text ----------------------------------------------------------------------------


def read_bytes(path, most: int = LARGEST) -> bytes:
    """Return the bytes of a file, which may also be a pipe.

    Parameters
    ----------
    path : path-like
    most : int
        The largest number of bytes that is read.

    Returns
    -------
    bytes

    Raises
    ------
    OSError, TooLarge
    """
    with open(path, "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise TooLarge(f"it is larger than {size(most)}")
    return data


def read_json(path):
    """Return the value in a JSON file, as `json_of` does."""
    return json_of(read_bytes(path, TEXT))


def json_of(text: bytes | str):
    """Return the value of a JSON text.

    Parameters
    ----------
    text : bytes or str

    Returns
    -------
    dict, list, str, float, int, bool or None

    Raises
    ------
    ValueError
        If it is not JSON; `TooLarge` if it is longer than any that we write.
    """
    if len(text) > TEXT:
        raise TooLarge(f"its JSON is larger than {size(TEXT)}")
    return json.loads(text)


def read_toml(path) -> dict:
    """Return the tables in a TOML file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict

    Raises
    ------
    OSError, ValueError
    """
    text = read_bytes(path, TOML).decode()
    for line in text.splitlines():
        # each part of a dotted key costs as much as all the parts before it
        if not line.startswith("#") and FLOAT.sub("", line).count(".") > DOTS:
            raise ValueError(f"a key in it has more than {DOTS} parts")
    return tomllib.loads(text)


def size(length: float) -> str:
    """Return a number of bytes in KiB, MiB or GiB, as text.

    Parameters
    ----------
    length : float

    Returns
    -------
    str
    """
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if length >= 2**power:
            return f"{length / 2**power:.4g} {unit}"
    return f"{length:.0f} bytes"


# -- archives of arrays --------------------------------------------------------------


class Archive:
    """A zip archive whose members are checked to be of a reasonable size.

    Parameters
    ----------
    file : file
        Open, in bytes.
    """

    def __init__(self, file):
        self._zip = zipfile.ZipFile(file)
        members, taken = self._zip.infolist(), file.seek(0, os.SEEK_END)
        # what members claim is compared with limits, and with the size of the file
        if len(members) > MEMBERS:
            raise TooLarge(f"it holds {len(members)} files, more than {MEMBERS}")
        claimed = sum(member.file_size for member in members)
        if claimed > LARGEST:
            problem = f"it would take {size(claimed)} decompressed, more than "
            raise TooLarge(problem + size(LARGEST))
        if claimed > PLAIN and claimed > DENSER * taken:
            problem = f"it claims {size(claimed)} in a file of {size(taken)}; "
            remedy = "if this is intended, save it uncompressed (numpy.savez)"
            raise TooLarge(problem + remedy)
        self._members = {member.filename: member for member in members}

    @property
    def names(self) -> list[str]:
        """Return the names of the members."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """Return the bytes of a member."""
        with self.opened(name) as member:
            return member.read()

    def opened(self, name: str):
        """Open a member, to be read in bytes."""
        member = self._members[name]
        # other methods can take any amount of memory for a small member
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed by a method that .npz never uses")
        return self._zip.open(member)


class Arrays(Archive):
    """The arrays of an ``.npz``, each read when it is asked for, without pickles."""

    @property
    def files(self) -> list[str]:
        """Return the names of the arrays."""
        return [name.removesuffix(".npy") for name in self.names]

    def __getitem__(self, name: str) -> np.ndarray:
        """Return an array, whose size is checked first; or the bytes of other data."""
        whole = f"{name}.npy"
        if whole not in self._members:
            return np.asarray(self.read(name))
        with self.opened(whole) as member:
            return _array(member, name, self._members[whole].file_size)


def _array(file, name: str, claimed: int) -> np.ndarray:
    """Return the array in an open .npy, of which no more than it claims is read."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"{name} is in an unknown version of .npy")
    # the header says how many bytes must follow
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers by Python 2
            shape, by_columns, dtype = HEADERS[version](file)
    except (ValueError, SyntaxError, TypeError, tokenize.TokenError):
        raise ValueError(f"the header of {name} is damaged") from None
    if dtype.hasobject:
        raise ValueError(f"{NO_PICKLES}: {name}")
    if min(shape, default=0) < 0:
        raise ValueError(f"{name} has a negative shape")
    wanted = math.prod(shape) * dtype.itemsize
    if not 0 < dtype.itemsize or wanted > claimed:
        raise ValueError(f"{name} is cut short: {shape} of {dtype}")
    data = bytearray(file.read(wanted))
    if len(data) < wanted:
        raise ValueError(f"{name} is cut short: {len(data)} bytes of {wanted}")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if by_columns else "C")


def read_array(path) -> np.ndarray:
    """Return the array in a ``.npy`` file, without pickles.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ndarray

    Raises
    ------
    OSError, ValueError
        `TooLarge` if the file is larger than any that is read.
    """
    path = Path(path)
    taken = path.stat().st_size
    if taken > LARGEST:
        raise TooLarge(f"it is larger than {size(LARGEST)}")
    with path.open("rb") as file:
        return _array(file, path.name, taken)


@contextmanager
def open_arrays(path) -> Iterator[Arrays]:
    """Open an ``.npz`` file and yield its arrays.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    Arrays
    """
    with open(path, "rb") as file:
        yield Arrays(file)


# -- writing -------------------------------------------------------------------------


def set_aside(path: Path, why: str) -> None:
    """Give a file a free name, ``run.kept-1.png`` for ``run.png``, and warn of it.

    Parameters
    ----------
    path : Path
    why : str
        The reason, after the path: ``"is no checkpoint"``.
    """
    names = (f"{path.stem}.kept-{number}{path.suffix}" for number in count(1))
    free = next(n for n in names if not os.path.lexists(path.with_name(n)))
    path.rename(path.with_name(free))
    message = f"{path} {why}: it is kept as {free}"
    warnings.warn(message, StudyWarning, stacklevel=3)


def write_atomically(path, data: bytes, sync: bool = True) -> None:
    """Write a whole file, or leave what was there (temporary file, flush, rename).

    A new file gets the mode that the user's umask gives, and one that is replaced keeps
    its own.  A device or a pipe, such as ``/dev/null``, is written to, not replaced.

    Parameters
    ----------
    path : path-like
        Its folder is made if it does not exist.
    data : bytes
    sync : bool
        Whether the file must survive a power failure right after.

    Raises
    ------
    OSError
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not (path.is_file() or path.is_dir()):
        path.write_bytes(data)
        return
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if path.is_file() and not path.is_symlink():
            os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
