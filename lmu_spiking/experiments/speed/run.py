"""Time the simulators: each measurement in a fresh process with its threads set."""

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

from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.experiments.speed.peers import network as rebuilt
from lmu_spiking.experiments.speed.simulators import PEERS, Peer, cores
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.trial import versions

# --------------------------------------------------------------------------------------
# The networks that simulators are compared on: a memory in many sizes and kinds.


THETA, TAU, DT = 0.5, 0.1, 0.001  # seconds, the general defaults
PERIOD = 4.0  # seconds of white noise of 2 Hz and rms .5, repeated
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
        if self.kind not in KINDS:
            known = ", ".join(KINDS)
            raise ValidationError(
                "--types", self.kind, "is unknown", f"use some of {known}"
            )
        order = check_whole("--orders", self.order, 1)
        if check_whole("--neurons", self.n_neurons) < 2 * order:
            problem = f"is less than 2 per dimension for order {order}"
            raise ValidationError(
                "--neurons", self.n_neurons, problem, f"use at least {2 * order}"
            )
        check_seed("--seed", self.seed)


def stimulus(case: Case) -> np.ndarray:
    """The input (T,), which is repeated."""
    return white_noise(PERIOD, DT, 2.0, 0.5, case.seed).samples


def memory(case: Case) -> LegendreMemory:
    """The memory of a case, outside any network."""
    neurons, tuning, _ = KINDS[case.kind]
    return LegendreMemory(
        case.n_neurons,
        case.order,
        THETA,
        synapse=TAU,
        dt=DT,
        neuron_type=neurons,
        tuning=tuning,
        tuning_seed=case.seed,
        noise_seed=case.seed,
        add_to_container=False,
    )


def model(case: Case) -> tuple[nengo.Network, nengo.Probe]:
    """The network that Nengo builds, and the probe of its state."""
    if KINDS[case.kind][2] == "array":
        return rebuilt.model(arrays(case))
    with nengo.Network(seed=case.seed) as network:
        process = nengo.processes.PresentInput(stimulus(case)[:, None], DT)
        node = nengo.Node(process)
        held = memory(case)
        network.add(held)
        nengo.Connection(node, held.input, synapse=None)
        probe = nengo.Probe(held.state, synapse=None)
    return network, probe


def arrays(case: Case) -> dict[str, np.ndarray]:
    """All that a simulator needs to rebuild a case, as arrays.

    Returns
    -------
    dict
        ``gain, bias, encoders, decoders, dimension`` (m,), encoders over their radius;
        ``A`` (d, d) and ``B`` (d,), mapped onto the synapse; ``u`` (T,); ``tau, dt,
        seed``; ``spikes``, the neuron type; ``structure``, ``memory`` or ``array``.
    """
    held = memory(case)
    population, loop = held.population, held.assembly.loop
    spikes, _, structure = KINDS[case.kind]
    return {
        "gain": population.gain,
        "bias": population.bias,
        "encoders": population.encoders / population.radii[population.dimension],
        "decoders": population.decoders,
        "dimension": population.dimension,
        "A": loop.A,
        "B": loop.B[:, 0],
        "u": stimulus(case),
        "tau": np.array(TAU),
        "dt": np.array(DT),
        "seed": np.array(case.seed),
        "spikes": np.array(spikes),
        "structure": np.array(structure),
    }


# --------------------------------------------------------------------------------------

HERE = Path(__file__).resolve().parent
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    *("POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT"),
)
PATIENCE = 900.0  # seconds that a measurement may take, build and all


def compare(
    cases: Iterable[Case],
    peers: Iterable[Peer] = tuple(PEERS.values()),
    *,
    seconds: float = 0.3,
    repeats: int = 3,
    pythons: dict[str, str] | None = None,
    on_done: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Rows of every simulator on every case, with their ratios.

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
    known: dict[tuple, dict] = {}  # what a simulator cannot do, and need not try again
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            file = Path(folder) / "case.npz"
            given = arrays(case) | {"kind": case.kind, "repeats": repeats}
            for peer, (threads, trials) in product_of(peers):
                if (peer.name,) in known:
                    continue
                threads = threads or cores()
                row = known.get((peer.name, case.kind))
                if row is None:
                    more = {"threads": threads, "trials": trials, "seconds": seconds}
                    np.savez(file, **given, **more)
                    python = (pythons or {}).get(peer.name, sys.executable)
                    row = measure(peer, file, threads, python)
                if row["status"] == "not installed":
                    known[(peer.name,)] = row
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
    """Each simulator with each of its variants; one core has no others."""
    return [
        (peer, variant)
        for peer in peers
        for variant in peer.variants
        if variant != (0, 1) or cores() > 1
    ]


def measure(peer: Peer, file: Path, threads: int, python: str) -> dict:
    """One row from a fresh process: ``status`` and, if measured, its times."""
    out = file.with_name("row.json")
    out.unlink(missing_ok=True)
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    environment |= {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-m", "peers", peer.module, str(file), str(out)]
    theirs, ours = os.pipe()  # whose end tells the process that this one has gone
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=file.parent,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return {"status": "failed", "reason": f"took longer than {PATIENCE:g} s"}
    finally:
        os.close(ours)
        os.close(theirs)
    if not out.exists():
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"status": "failed", "reason": said[-1][:200]}
    return json.loads(out.read_text())


def _row(case: Case, peer: Peer, threads: int, trials: int, found: dict) -> dict:
    row = {
        "peer": peer.name,
        "kind": case.kind,
        "order": case.order,
        "neurons": case.n_neurons,
        "threads": threads,
        "trials": trials,
        "seed": case.seed,
        **found,
    }
    if found["status"] == "measured":
        each = 1e9 / (case.n_neurons * trials)
        row["seconds_per_simulated_second"] = row["best"] / DT / trials
        row |= {"ns": each * row.pop("best"), "ns_median": each * row.pop("median")}
    return row


def ratios(rows: list[dict]) -> list[dict]:
    """The rows with ``times_nengo`` and ``times_limit``, where both were measured.

    ``times_nengo``: how many times faster than Nengo on the same network, in the same
    run; ``times_limit``: how many times slower than the loop in C.
    """

    def key(row):
        return row["kind"], row["order"], row["neurons"], row["seed"]

    measured = [row for row in rows if row["status"] == "measured"]
    nengo = {key(row): row["ns"] for row in measured if row["peer"] == "nengo"}
    limit = {key(row): row["ns"] for row in measured if row["peer"] == "c"}
    for row in measured:
        if key(row) in nengo:
            row["times_nengo"] = nengo[key(row)] / row["ns"]
        if key(row) in limit:
            row["times_limit"] = row["ns"] / limit[key(row)]
    return rows


def machine() -> dict:
    """What the times depend on: processor, cores, load, versions."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "versions": versions(),
    }


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
        return next(
            line.split(":", 1)[1].strip()
            for line in text.splitlines()
            if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def grid(kinds, orders, neurons, seed: int = 0) -> list[Case]:
    """All combinations, checked before any is run."""
    return [Case(k, d, m, seed) for k, d, m in product(kinds, orders, neurons)]
