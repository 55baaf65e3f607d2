"""Reading of HDF5 files, in a separate process with limits of time and memory.

HDF5 has no checksums, and on some damaged files its library hangs, crashes or asks for
any amount of memory.  So a child process reads them (`hdf5_child`), returns the
contents as an ``.npz``, and is ended when it takes too long.
"""

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import MissingPackageError
from lmu_spiking.files import Arrays, json_of, one_line, read_bytes

CHILD = Path(__file__).with_name("hdf5_child.py")
SECONDS = 1.5  # computing time for a file; 100 MiB of gzip take less
PATIENCE = 20.0  # total seconds, for a busy machine or a slow disk
MEMORY = 2**30  # bytes that the child may have
LARGEST = 2**27  # bytes of a file, and of all its arrays


@dataclass(frozen=True)
class Odd:
    """Something in a file that is not read, and the reason."""

    why: str


@dataclass(frozen=True, eq=False)
class Group:
    """An HDF5 group with all that is in it.

    Attributes
    ----------
    attrs : dict of str to str or list of str
        Attributes that are text; others are left out.
    items : dict of str to Group, ndarray or Odd
        Numbers with their type, texts as objects, a single text as ``str``.
    """

    attrs: dict[str, str | list[str]]
    items: "dict[str, Group | np.ndarray | str | Odd]"

    __repr__ = brief


def read_hdf5(source) -> Group:
    """Return all groups, arrays and texts of an HDF5 file; links are not followed.

    Parameters
    ----------
    source : path-like or bytes

    Raises
    ------
    MissingPackageError
        If h5py is not installed.
    OSError, ValueError
        With the reason, if the file cannot be read.
    """
    if find_spec("h5py") is None:
        raise MissingPackageError("h5py", "nir")
    data = source if isinstance(source, bytes) else read_bytes(source, LARGEST)
    # the output is a file, whose size has a limit
    with tempfile.TemporaryFile() as out:
        status, message = run_child(data, out)
        if status:
            raise ValueError(_failure(status, message))
        out.seek(0)
        archive = Arrays(out)
        tree = json_of(archive["tree"].tobytes())
        arrays = {name: archive[name] for name in archive.files if name != "tree"}
    return _group(tree, arrays)


def run_child(data: bytes, out) -> tuple[int, str]:
    """Read the bytes of a file in a separate process.

    Parameters
    ----------
    data : bytes
        Its standard input, so that no path is passed on.
    out : file
        Its standard output.

    Returns
    -------
    status : int
        Minus the number of the signal that ended it, if one did.
    message : str
        What it wrote to standard error.
    """
    limits = map(str, (SECONDS, MEMORY, LARGEST))
    quiet = {"OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}  # no plugins
    command = [sys.executable, "-P", str(CHILD), *limits]
    streams = {"input": data, "stdout": out, "stderr": subprocess.PIPE}
    try:
        environment = {**os.environ, **quiet}
        done = subprocess.run(command, env=environment, timeout=PATIENCE, **streams)
    except subprocess.TimeoutExpired:
        return -signal.SIGTERM, ""
    return done.returncode, done.stderr[:400].decode(errors="replace")


def _failure(status: int, message: str) -> str:
    """Return the reason for which the child process has failed."""
    if status in (-getattr(signal, "SIGPROF", 0), -signal.SIGTERM):
        return f"it is damaged: HDF5 took more than {SECONDS:g} s to read it"
    if status == 1 and message:
        return f"it is damaged or not HDF5: {one_line(message)}"
    return "it is damaged: it crashes the HDF5 library"


def _group(tree: dict, arrays: dict) -> Group:
    """Return a group of the child's JSON, with the arrays that it names by number."""
    items: dict = {}
    # what is odd, an array, texts, or a group with items of its own
    for name, item in tree["items"].items():
        if "odd" in item:
            items[name] = Odd(item["odd"])
        elif "array" in item:
            items[name] = arrays[str(item["array"])]
        elif "texts" in item:
            texts = np.array(item["texts"], dtype=object).reshape(item["shape"])
            items[name] = texts if texts.ndim else texts.item()
        else:
            items[name] = _group(item, arrays)
    return Group(tree["attrs"], items)
