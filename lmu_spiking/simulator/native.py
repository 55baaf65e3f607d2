"""The compiled loop as machine code on disk, which is loaded without numba.

numba compiles the kernels once for a machine and a precision; LLVM's object file is
kept beside them, or in the user's cache where that cannot be written, and linked by
llvmlite in a tenth of the time that numba takes to start.
"""

import ctypes
import hashlib
import os
import platform
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np

HERE = Path(__file__).resolve().parent
CHECKED = 32  # bytes of a digest in front of the object


def load(dtype: np.dtype, on_compile):
    """The loop for one precision.

    Parameters
    ----------
    dtype : float32 or float64
    on_compile : callable
        Called before a compilation, which takes up to a minute.

    Returns
    -------
    object
        ``bind(frame)`` makes a call for a frame, see `kernels.entry`; the interpreter
        is free meanwhile.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name = f"advance_{dtype.name}"
    places = [folder / f"{name}-{_key()}.o" for folder in _folders()]
    image = next(filter(None, map(_read, places)), None)
    if image is None:
        on_compile()
        image = _compile(dtype, name)
        for place in places:
            if _write(place, image):
                break
    return _Function(image, name)


def kept(dtype: np.dtype) -> Path | None:
    """The file with the loop for one precision; None where it is yet to be compiled."""
    places = [f / f"advance_{np.dtype(dtype).name}-{_key()}.o" for f in _folders()]
    return next((place for place in places if _read(place)), None)


class _Function:
    """A function of a linked object."""

    def __init__(self, image: bytes, name: str):
        self._jit = llvm.create_lljit_compiler(_machine())
        library = llvm.JITLibraryBuilder().add_object_img(image).export_symbol(name)
        self._linked = library.add_current_process().link(self._jit, name)
        # without a list of their types, arguments of ctypes pass as they are
        self._call = ctypes.CFUNCTYPE(ctypes.c_int)(self._linked[name])
        # numba's convention: results, then an array as owner, parent and layout
        self._results = ctypes.c_void_p(), ctypes.c_void_p()

    def bind(self, frame: np.ndarray):
        """Return a call without arguments, for a frame that lives as long as it."""
        pointer, integer = ctypes.c_void_p, ctypes.c_ssize_t
        where = [pointer(ctypes.addressof(result)) for result in self._results]
        n, at = integer(len(frame)), pointer(frame.ctypes.data)
        none, item = pointer(), integer(frame.itemsize)
        return partial(self._call, *where, none, none, n, item, at, n, item)


def _compile(dtype: np.dtype, name: str) -> bytes:
    from lmu_spiking.simulator.kernels.entry import llvm_of  # numba takes its time

    module = llvm.parse_assembly(llvm_of(dtype, name))
    return _machine().emit_object(module)


def _machine():
    """LLVM's view of this processor."""
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="jitdefault",
        jit=True,
    )


def _key() -> str:
    """What the machine code depends on, in a few letters."""
    found = hashlib.sha256((HERE / "opcodes.py").read_bytes())
    for path in sorted((HERE / "kernels").glob("*.py")):
        found.update(path.read_bytes())
    parts = (
        version("numba"),
        version("llvmlite"),
        platform.machine(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )
    found.update("\n".join(parts).encode())
    return found.hexdigest()[:20]


def _folders() -> list[Path]:
    """Where machine code is looked for and kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [HERE / "kernels" / "__pycache__", Path(cache) / "lmu_spiking"]


def _read(place: Path) -> bytes | None:
    """The object in a file that is whole; None otherwise."""
    try:
        kept = place.read_bytes()
    except OSError:
        return None
    image = kept[CHECKED:]
    return image if hashlib.sha256(image).digest() == kept[:CHECKED] else None


def _write(place: Path, image: bytes) -> bool:
    """Keep an object, whole or not at all."""
    fresh = place.with_name(f"{place.name}.{os.getpid()}.new")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(hashlib.sha256(image).digest() + image)
        fresh.replace(place)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        return False
    return True
