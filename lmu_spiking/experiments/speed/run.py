"""Time the simulators: each measurement in a fresh process with its threads set.

A `Case` is a memory in some size and kind, a `Peer` a simulator that may live in an
environment of its own, where nothing of this package is: so a case is given to it as
arrays in a file, see `peers`.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import nengo
import numpy as np

from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.experiments.records import group, pick
from lmu_spiking.experiments.runs import streamed
from lmu_spiking.experiments.speed.peers import network as rebuilt
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.trial import versions

HERE = Path(__file__).resolve().parent
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    *("POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT"),
)
PATIENCE = 900.0  # seconds that a measurement may take, build and all
TRIALS = 32  # of our simulator, side by side on all cores

# -- networks ------------------------------------------------------------------------

THETA, TAU, DT = 0.5, 0.1, 0.001  # seconds, the general defaults
PERIOD = 4.0  # seconds of white noise of 2 Hz and rms 0.5, repeated
KINDS = {  # neuron type, tuning, structure
    "poisson": ("poisson", None, "memory"),
    "lif": ("lif", None, "memory"),
    "regular": ("regular", None, "memory"),
    "rate": ("rate", None, "memory"),
    "poisson-drawn": ("poisson", "drawn", "memory"),
    "poisson-array": ("poisson", "drawn", "array"),
    "lif-array": ("lif", "drawn", "array"),
}


@dataclass(frozen=True)
class Case:
    """A network to be timed.

    Attributes
    ----------
    kind : str
        One of `KINDS`: the neuron type, ``rate`` being rectified-linear rates; with
        ``-drawn``, curves drawn as Nengo does in place of pairs; with ``-array``, also
        an ensemble for each dimension with decoders of its own, as `EnsembleArray`
        has them.
    order, n_neurons : int
    seed : int
        Draws curves, signal and spikes.
    """

    kind: str
    order: int
    n_neurons: int
    seed: int = 0

    def __post_init__(self):
        check_one_of("--types", self.kind, KINDS)
        order = check_whole("--orders", self.order, 1)
        if check_whole("--neurons", self.n_neurons) < 2 * order:
            problem = f"is less than 2 per dimension for order {order}"
            way_out = f"use at least {2 * order}"
            raise ValidationError("--neurons", self.n_neurons, problem, way_out)
        check_seed("--seed", self.seed)


def grid(kinds, orders, neurons, seed: int = 0) -> list[Case]:
    """Return all combinations, checked before any is run.

    Parameters
    ----------
    kinds, orders, neurons : iterable
    seed : int

    Returns
    -------
    list of Case
    """
    return [Case(k, d, m, seed) for k, d, m in product(kinds, orders, neurons)]


def stimulus(case: Case) -> np.ndarray:
    """Return the input (T,), which is repeated.

    Parameters
    ----------
    case : Case

    Returns
    -------
    (T,) ndarray
    """
    return white_noise(PERIOD, DT, 2.0, 0.5, case.seed).samples


def memory(case: Case) -> LegendreMemory:
    """Return the memory of a case, outside any network.

    Parameters
    ----------
    case : Case

    Returns
    -------
    LegendreMemory
    """
    neurons, tuning, _ = KINDS[case.kind]
    options = {"synapse": TAU, "dt": DT, "neuron_type": neurons, "tuning": tuning}
    options |= {"tuning_seed": case.seed, "noise_seed": case.seed}
    # as the peers have it, none of which staggers neurons
    options |= {"initial_phases": "random", "add_to_container": False}
    return LegendreMemory(case.n_neurons, case.order, THETA, **options)


def model(case: Case) -> tuple[nengo.Network, nengo.Probe]:
    """Return the network that Nengo builds, and the probe of its state.

    Parameters
    ----------
    case : Case

    Returns
    -------
    network : nengo.Network
    probe : nengo.Probe
    """
    if KINDS[case.kind][2] == "array":
        return rebuilt.model(arrays(case))
    return streamed(memory(case), stimulus(case), case.seed)


def arrays(case: Case) -> dict[str, np.ndarray]:
    """Return all that a simulator needs to rebuild a case, as arrays.

    Parameters
    ----------
    case : Case

    Returns
    -------
    dict
        ``gain, bias, encoders, decoders, dimension`` (m,), encoders over their radius;
        ``A`` (d, d) and ``B`` (d,), mapped onto the synapse; ``u`` (T,); ``tau, dt,
        seed``; ``spikes``, the neuron type; ``structure``, ``memory`` or ``array``.
    """
    ours = memory(case)
    population, loop = ours.population, ours.assembly.loop
    spikes, _, structure = KINDS[case.kind]
    made = pick(population, "gain", "bias", "decoders", "dimension")
    made["encoders"] = population.encoders / population.radii[population.dimension]
    made |= {"A": loop.A, "B": loop.B[:, 0], "u": stimulus(case)}
    values = {"tau": TAU, "dt": DT, "seed": case.seed}
    values |= {"spikes": spikes, "structure": structure}
    return made | {name: np.array(value) for name, value in values.items()}


# -- simulators ----------------------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    """A simulator to be timed.

    Attributes
    ----------
    name : str
        As in ``--peers``.
    module : str
        Of `peers`, that builds and runs a case.
    install : str
        What brings it.
    variants : tuple of (int, int)
        Threads (0 for all cores) and trials, each of which is a row.
    """

    name: str
    module: str
    install: str
    variants: tuple[tuple[int, int], ...] = ((1, 1),)


BOTH = ((1, 1), (0, 1))  # one thread, and all cores
_OURS = "install lmu_spiking again, with numba"
_OCL = "pip install nengo-ocl 'pyopencl[pocl]' 'scipy<1.12' 'numpy<2'"
_BRIAN = "pip install brian2 'numpy<2.3' setuptools, with g++ and make"
_ALL = (
    Peer("nengo", "core", "pip install nengo"),
    Peer("lmu_spiking", "compiled", _OURS, ((1, 1), (0, TRIALS))),
    Peer("nengo_dl", "dl", "pip install 'lmu_spiking[train]'", BOTH),
    Peer("nengo_ocl", "ocl", _OCL, BOTH),
    Peer("brian2", "brian", _BRIAN, BOTH),
    Peer("c", "limit", "install a C compiler, cc"),
)
PEERS = {peer.name: peer for peer in _ALL}


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def chosen(names: Iterable[str]) -> list[Peer]:
    """Return the simulators of these names; Nengo, which ratios are to, before others.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of Peer

    Raises
    ------
    ValidationError
        If there is none of that name.
    """
    names = [check_one_of("--peers", name, PEERS) for name in names]
    return [peer for name, peer in PEERS.items() if name in names]


def interpreters(given: Iterable[str]) -> dict[str, str]:
    """Return ``PEER=PATH`` as a dict; see ``--python``.

    Parameters
    ----------
    given : iterable of str

    Returns
    -------
    dict of str

    Raises
    ------
    ValidationError
        If a simulator is unknown, or its interpreter is no program.
    """
    paths = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or name not in PEERS:
            problem = "must be PEER=PATH, the interpreter that has a peer"
            raise ValidationError("--python", text, problem)
        if not os.access(path, os.X_OK):
            raise ValidationError("--python", path, "is no program that can be run")
        paths[name] = os.path.abspath(os.path.expanduser(path))
    return paths


# -- measurements --------------------------------------------------------------------


def compare(
    cases: Iterable[Case],
    peers: Iterable[Peer] = tuple(PEERS.values()),
    *,
    seconds: float = 0.3,
    repeats: int = 3,
    pythons: dict[str, str] | None = None,
    on_done: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Return the rows of every simulator on every case, with their ratios.

    Parameters
    ----------
    cases : iterable of Case
    peers : iterable of Peer
    seconds : float
        Least length of a repeat; each is run once before it counts.
    repeats : int
        At least 3 for a median that means something.
    pythons : dict of str to str, optional
        Interpreters of simulators that live in an environment of their own.
    on_done : callable, optional
        Called with each row.

    Returns
    -------
    list of dict
        ``peer, kind, order, neurons, threads, trials, seed, status``; for ``status``
        ``measured``: ``seconds_per_simulated_second``, ``ns`` (best) and ``ns_median``
        per neuron, step and trial, ``times_nengo`` and ``times_limit``, see `ratios`,
        and ``yardstick``, which tells how busy the machine was; otherwise ``reason``.
        What is not installed is one row, without a case.
    """
    seconds = check_positive("--seconds", seconds, "seconds")
    check_whole("compare.repeats", repeats, 1)
    rows: list[dict] = []
    missing, known = set(), {}  # simulators, and what they cannot do: not tried again
    for case in cases:
        given = arrays(case) | {"kind": case.kind, "repeats": repeats}
        # each simulator, in each of its variants, unless it is known to fail
        for peer, (threads, trials) in product_of(peers):
            if peer.name in missing:
                continue
            threads, python = threads or cores(), (pythons or {}).get(peer.name)
            row = known.get((peer.name, case.kind))
            if row is None:
                more = {"threads": threads, "trials": trials, "seconds": seconds}
                row = measure(peer, given | more, threads, python or sys.executable)
            if row["status"] == "not installed":
                missing.add(peer.name)
                row = {"peer": peer.name, **row, "install": peer.install}
            else:
                if row["status"] == "cannot":
                    known[(peer.name, case.kind)] = row
                row = _row(case, peer, threads, trials, row)
            rows.append(row)
            if on_done:
                on_done(row)
    return ratios(rows)


def product_of(peers: Iterable[Peer]) -> list[tuple[Peer, tuple[int, int]]]:
    """Return each simulator with each of its variants; one core has no others.

    Parameters
    ----------
    peers : iterable of Peer

    Returns
    -------
    list of (Peer, (threads, trials))
    """
    return [
        (peer, variant)
        for peer in peers
        for variant in peer.variants
        if variant != (0, 1) or cores() > 1
    ]


def measure(peer: Peer, given: dict, threads: int, python: str) -> dict:
    """Return one row from a fresh process: ``status`` and, if measured, its times.

    Parameters
    ----------
    peer : Peer
    given : dict of array_like
        The case, and how it is run.
    threads : int
    python : str
        The interpreter.

    Returns
    -------
    dict
    """
    # only the package `peers` is on the path of the interpreter
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    environment |= {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = {"env": environment, "capture_output": True, "text": True}
    theirs, ours = os.pipe()  # whose end tells the process that this one has gone
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        case, out = Path(folder) / "case.npz", Path(folder) / "row.json"
        np.savez(case, **given)
        command = [python, "-m", "peers", peer.module, str(case), str(out)]
        run |= {"cwd": folder, "stdin": theirs, "timeout": PATIENCE}
        try:
            done = subprocess.run(command, **run)
        except subprocess.TimeoutExpired:
            return {"status": "failed", "reason": f"took longer than {PATIENCE:g} s"}
        finally:
            os.close(ours)
            os.close(theirs)
        if out.exists():
            return json.loads(out.read_text())
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return {"status": "failed", "reason": lines[-1][:200]}


def _row(case: Case, peer: Peer, threads: int, trials: int, found: dict) -> dict:
    """Return a measurement with its case, and its times per neuron and step."""
    row = {"peer": peer.name, "kind": case.kind, "order": case.order}
    row |= {"neurons": case.n_neurons, "threads": threads, "trials": trials}
    row |= {"seed": case.seed, **found}
    if found["status"] == "measured":
        each = 1e9 / (case.n_neurons * trials)
        row["seconds_per_simulated_second"] = row["best"] / DT / trials
        row |= {"ns": each * row.pop("best"), "ns_median": each * row.pop("median")}
    return row


def ratios(rows: list[dict]) -> list[dict]:
    """Return the rows with ``times_nengo`` and ``times_limit``, where measured.

    ``times_nengo``: how many times faster than Nengo on the same network, in the same
    run; ``times_limit``: how many times slower than the loop in C.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    list of dict
    """
    measured = [row for row in rows if row["status"] == "measured"]
    for same in group(measured, "kind", "order", "neurons", "seed").values():
        ns = {row["peer"]: row["ns"] for row in same}
        for row in same:
            if "nengo" in ns:
                row["times_nengo"] = ns["nengo"] / row["ns"]
            if "c" in ns:
                row["times_limit"] = row["ns"] / ns["c"]
    return rows


def machine() -> dict:
    """Return what the times depend on: processor, cores, load, versions."""
    load = list(os.getloadavg()) if hasattr(os, "getloadavg") else None
    return {"cpu": _cpu(), "cores": cores(), "load": load, "versions": versions()}


def _cpu() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = (line for line in lines if line.startswith("model name"))
        return next(names).split(":", 1)[1].strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
