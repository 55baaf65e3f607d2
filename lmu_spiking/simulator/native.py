"""The compiled loop as machine code on disk, which is loaded and called without numba.

numba compiles the kernels once for a machine and a precision; LLVM's object file is
kept beside them, or in the user's cache where that cannot be written, and linked by
llvmlite in a tenth of the time that numba takes to start.

Machine code runs with the rights of the user who loads it.  A file is therefore loaded
only if no one but that user and root can have written it; `private` checks this as ssh
does for keys.  Other folders are neither read nor written.
"""

import ctypes
import hashlib
import os
import platform
import stat
import sys
from contextlib import suppress
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np

from lmu_spiking.simulator.opcodes import ARRAYS, COLUMNS, STEPS

HERE = Path(__file__).resolve().parent
CHECKED = 32  # bytes of a digest in front of the object
LARGEST = 2**26  # bytes of a file, many times what the kernels take


@cache
def advance(dtype: np.dtype) -> "_Function":
    """Return the compiled loop, `kernels.machine.advance`, for one precision.

    A compilation is announced on standard error.

    Parameters
    ----------
    dtype : float32 or float64

    Returns
    -------
    object
        See `load`.
    """

    def say(line: str) -> None:
        if sys.stderr is not None:
            with suppress(OSError, ValueError):
                print(f"lmu_spiking: {line}", file=sys.stderr, flush=True)

    return load(dtype, say)


def frame_of(columns: int, **arrays: np.ndarray) -> np.ndarray:
    """Return a frame with the addresses and lengths of arrays, which must outlive it.

    Parameters
    ----------
    columns : int
        Columns of the inputs.
    **arrays : contiguous ndarray
        `opcodes.ARRAYS`, by name; one that is left out begins at the address 0.

    Returns
    -------
    frame : (STEPS + 1,) ndarray of int64
    """
    frame = np.zeros(STEPS + 1, np.int64)
    for name, array in arrays.items():
        k = ARRAYS.index(name)
        frame[2 * k : 2 * k + 2] = array.ctypes.data, array.size
    frame[COLUMNS] = columns
    return frame


def load(dtype: np.dtype, say) -> "_Function":
    """Return the compiled loop for one precision, compiled now if it is not on disk.

    Parameters
    ----------
    dtype : float32 or float64
    say : callable
        Is called with a line before a compilation, which takes up to a minute, and
        after it if its result cannot be kept.

    Returns
    -------
    object
        ``bind(frame)`` makes a call for a frame; Python's other threads run meanwhile.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name = f"advance_{dtype.name}"
    places = _places(name)
    for image in filter(None, map(_read, places)):
        with suppress(Exception):  # LLVM's, if the content is no object
            return _Function(image, name)
    # nothing could be used: compile, and write to the first folder that is private
    there = [place for place in places if os.path.lexists(place)]
    left_out = f"; {there[0]} is damaged or not private to you" if there else ""
    say(f"compiling the simulator's kernels, once (under a minute){left_out}")
    image = _compile(dtype, name)
    reasons: list[str] = []
    for place in places:
        reason = _write(place, image)
        if not reason:
            break
        reasons.append(reason)
    else:
        why = "; ".join(dict.fromkeys(reasons)) or "there is no folder for it"
        say(f"the kernels will be compiled again the next time: {why}")
    return _Function(image, name)


def compiled_file(dtype) -> Path | None:
    """Return the file with the loop for one precision.

    Parameters
    ----------
    dtype : {"float32", "float64"} or numpy.dtype

    Returns
    -------
    Path or None
        None where the loop is yet to be compiled.
    """
    places = _places(f"advance_{np.dtype(dtype).name}")
    return next((place for place in places if _read(place)), None)


def private(status: os.stat_result) -> bool:
    """Return whether only this user and root can write to a file or a folder.

    In a folder with the sticky bit, such as ``/tmp``, others cannot replace our files.
    Where files have no owners, as on Windows, all are treated as private.

    Parameters
    ----------
    status : os.stat_result
        As the system describes the file or the folder.

    Returns
    -------
    bool
    """
    if not hasattr(os, "geteuid"):
        return True
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return status.st_uid in (0, os.geteuid()) and (not others or bool(sticky))


class _Function:
    """The loop of a linked object."""

    def __init__(self, image: bytes, name: str):
        self._jit = llvm.create_lljit_compiler(_machine())
        library = llvm.JITLibraryBuilder().add_object_img(image).export_symbol(name)
        self._linked = library.add_current_process().link(self._jit, name)
        # without a list of their types, arguments of ctypes pass as they are
        self._call = ctypes.CFUNCTYPE(ctypes.c_int)(self._linked[name])
        # numba's convention: results, then an array as owner, parent and layout
        self._results = ctypes.c_void_p(), ctypes.c_void_p()

    def bind(self, frame: np.ndarray):
        """Return a call without arguments for a frame, which must outlive the call."""
        pointer, integer = ctypes.c_void_p, ctypes.c_ssize_t
        where = [pointer(ctypes.addressof(result)) for result in self._results]
        n, at = integer(len(frame)), pointer(frame.ctypes.data)
        none, item = pointer(), integer(frame.itemsize)
        return partial(self._call, *where, none, none, n, item, at, n, item)


def _compile(dtype: np.dtype, name: str) -> bytes:
    """Return the object file of the loop for one precision."""
    from lmu_spiking.simulator.kernels.machine import llvm_of  # which imports numba

    module = llvm.parse_assembly(llvm_of(dtype, name))
    return _machine().emit_object(module)


def _machine():
    """Return LLVM's view of this processor."""
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="jitdefault",
        jit=True,
    )


def _key() -> str:
    """Return a digest of all that the machine code depends on, in 20 letters."""
    digest = hashlib.sha256((HERE / "opcodes.py").read_bytes())
    for path in sorted((HERE / "kernels").glob("*.py")):
        digest.update(path.read_bytes())
    cpu = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    parts = (version("numba"), version("llvmlite"), platform.machine(), *cpu)
    digest.update("\n".join(parts).encode())
    return digest.hexdigest()[:20]


def _folders() -> list[Path]:
    """Return the folders where machine code is looked for and kept."""
    folders = [HERE / "kernels" / "__pycache__"]
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(cache):  # as its standard has it: any other is ignored
        folders.append(Path(cache) / "lmu_spiking")
    else:
        with suppress(RuntimeError):  # of a user without a home
            folders.append(Path.home() / ".cache" / "lmu_spiking")
    return folders


def _places(name: str) -> list[Path]:
    """Return the files that may hold a function, with symbolic links resolved."""
    name = f"{name}-{_key()}.o"
    return [Path(os.path.realpath(folder)) / name for folder in _folders()]


def _refusal(folder: Path) -> str:
    """Return why other users could write into a folder; empty if they cannot.

    The folder and all existing folders above it must be private.
    """
    for each in (folder, *folder.parents):
        try:
            if not private(each.lstat()):
                return f"others can write to {each}"
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{each}: {error.strerror}"
    return ""


def _read(place: Path) -> bytes | None:
    """Return the object in a file that is complete and private, or None.

    The check is of the opened file, so that no other file can replace it in between.
    """
    if _refusal(place.parent):
        return None
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(place, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            # a link, a pipe or a folder of this name is not read
            if not (stat.S_ISREG(status.st_mode) and private(status)):
                return None
            content = file.read(LARGEST)
    except OSError:
        return None
    image = content[CHECKED:]
    return image if _digest(place, image) == content[:CHECKED] else None


def _digest(place: Path, image: bytes) -> bytes:
    """Return the digest of an object together with its name."""
    return hashlib.sha256(place.name.encode() + b"\n" + image).digest()


def _write(place: Path, image: bytes) -> str:
    """Write an object for this user alone, and return why that failed, if it did."""
    if reason := _refusal(place.parent):
        return reason
    fresh = place.with_name(f"{place.name}.{os.getpid()}.new")
    try:
        for folder in reversed(place.parents):
            if not folder.exists():
                folder.mkdir(0o700, exist_ok=True)
        fresh.unlink(missing_ok=True)  # of a process of that number, long ago
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(_digest(place, image) + image)
        fresh.replace(place)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        return f"{place.parent}: {error.strerror}"
    return ""
