"""The memory as a loop in C, compiled for this machine: the limit."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("limit.c")
KINDS = ("poisson", "regular", "rate", "lif")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp-simd", "-fPIC", "-c")
TAU_RC, TAU_REF = 0.02, 0.002  # seconds, Nengo's LIF


class _Memory(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("kind", "d", "period")),
        *((name, ctypes.c_void_p) for name in ("start", "gain", "bias", "decode")),
        *((name, ctypes.c_void_p) for name in ("A", "B", "u")),
        *((name, ctypes.c_double) for name in ("decay", "dt", "tau_rc", "tau_ref")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("x", "voltage", "waiting")),
    )


def compiled() -> ctypes.CDLL:
    """Return the library, compiled in a folder that is removed afterwards."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ImportError("a C compiler (cc) is not installed")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "limit.so"
        compiled = Path(folder) / "limit.o"
        # linked apart: with -ffast-math a linker adds what flushes subnormal numbers of
        # the whole process to zero
        for command in (
            [*FLAGS, "-o", str(compiled), str(SOURCE)],
            ["-shared", "-o", str(library), str(compiled), "-lm"],
        ):
            subprocess.run([compiler, *command], check=True)
        return ctypes.CDLL(str(library))


def build(case: dict):
    """Return a function that runs steps and returns the states (steps, d) before."""
    kind = str(case["spikes"])
    if case["structure"] == "array":
        raise NotImplementedError("the loop is the memory; an array is no other")
    start = np.searchsorted(case["dimension"], np.arange(len(case["A"]) + 1))
    dt, m, rates = float(case["dt"]), len(case["gain"]), kind in ("poisson", "regular")
    drive = dt if rates else 1.0  # drives become spikes of one step
    rng = np.random.default_rng(int(case["seed"]))
    held = {  # arrays that the library reads as long as `run` lives
        "start": start.astype(np.int64),
        "gain": (drive * case["gain"] * case["encoders"]).astype(np.float32),
        "bias": (drive * case["bias"]).astype(np.float32),
        "decode": (case["decoders"] / (1 if kind == "rate" else dt)).astype(np.float32),
        **{name: np.ascontiguousarray(case[name], float) for name in ("A", "B", "u")},
        "x": np.zeros(len(case["A"])),
        "voltage": rng.random(m, np.float32),
        "waiting": np.zeros(m, np.float32),
    }
    # the struct of limit.c, field by field
    net = _Memory(
        KINDS.index(kind),
        len(case["A"]),
        len(case["u"]),
        decay=np.exp(-dt / float(case["tau"])),
        dt=dt,
        tau_rc=TAU_RC,
        tau_ref=TAU_REF,
        seed=int(case["seed"]),
        **{name: array.ctypes.data for name, array in held.items()},
    )
    library, done = compiled(), 0

    def run(steps: int) -> np.ndarray:
        nonlocal done
        kept = np.empty((steps, len(held["x"])))
        first, n = ctypes.c_int64(done), ctypes.c_int64(steps)
        library.run(ctypes.byref(net), first, n, ctypes.c_void_p(kept.ctypes.data))
        done += steps
        return kept

    run.version = _version()
    return run


def draw(n: int, mean: float, seed: int, step: int) -> np.ndarray:
    """Draw counts (n,) of neurons that expect ``mean`` spikes in a step."""
    counts = np.empty(n, np.float32)
    compiled().draw(
        ctypes.c_int64(n),
        ctypes.c_double(mean),
        ctypes.c_uint64(seed),
        ctypes.c_uint64(step),
        ctypes.c_void_p(counts.ctypes.data),
    )
    return counts


def _version() -> str:
    said = subprocess.run(["cc", "--version"], capture_output=True, text=True)
    return said.stdout.split("\n")[0]
