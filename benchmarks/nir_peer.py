"""A memory in other simulators, by way of NIR: their error beside ours.

    pip install torch nirtorch
    pip install --no-deps norse sinabs pbr   # they ask for an older nir and a chip's
    python benchmarks/nir_peer.py

A memory of integrate-and-fire neurons (order 6, theta .5 s, tau .1 s, dt 1 ms), white
noise of 2 Hz and rms .5, 6 s.  `to_nir` writes it to a file; each peer reads the file
by its own `from_nir` and runs it on the same signal.  Measured is the error of the
state against the exact delay network, over the state's rms, from t = theta; a second
of silence comes first, as a bias that passes a synapse needs to settle.  Seeds
draw the signals and, in Nengo, the first voltages; the neurons are the same.

Norse steps leaks by Euler's rule and has no leaky integrator: it reads a graph of
``steps="euler", drawing="neurons"`` as it is; its spikes are filtered to the state
here.  sinabs counts time in steps, adds inputs to a leak unscaled, and has no Linear:
`in_steps` says the same graph in these terms.  Both reset by subtraction, as Nengo.
Writes benchmarks/results/nir_peer.json; says what to install where a peer is missing.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import nengo
import numpy as np

import lmu_spiking
from lmu_spiking import LDN, LegendreMemory, radii_from, to_nir, white_noise
from lmu_spiking.nir import PromptLIF, tonic

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("norse", "sinabs", "nirtorch", "torch", "nir", "nengo", "numpy")
PEERS = ("norse", "sinabs")
INSTALL = "pip install torch nirtorch; pip install --no-deps norse sinabs pbr"
DT, TAU, THETA, DURATION, SEED = 0.001, 0.1, 0.5, 6.0, 7400
BAND, RMS, BAR, REST = 2.0, 0.5, 0.1, 1.0


def cases(quick: bool) -> list[dict]:
    """What is built; the bar of 10 % is for tonic neurons, which NIR can say."""
    bar = {"order": 6, "n_neurons": 600, "tuning": "tonic", "neurons": "if"}
    bar |= {"radii": "fitted"}
    if quick:
        return [bar]
    return [
        bar,
        bar | {"order": 3, "n_neurons": 300},
        bar | {"order": 12, "n_neurons": 1200},
        bar | {"neurons": "lif"},
        bar | {"radii": 1.0},
        bar | {"tuning": "pairs"},
    ]


def missing(peer: str) -> list[str]:
    """Packages that a peer needs and that are not there."""
    needed = ("torch", "nirtorch", "nir", peer)
    return [name for name in needed if importlib.util.find_spec(name) is None]


def memory_of(case: dict, seed: int, exact: np.ndarray) -> LegendreMemory:
    """Within fitted radii all signals stay: beyond, tonic neurons clip."""
    lif, radii = case["neurons"] == "lif", case["radii"]
    if radii == "fitted":
        radii = radii_from(exact.reshape(-1, case["order"]))
    return LegendreMemory(
        case["n_neurons"],
        case["order"],
        THETA,
        synapse=TAU,
        dt=DT,
        radii=radii,
        neuron_type=PromptLIF() if lif else "if",
        tuning=tonic() if case["tuning"] == "tonic" else case["tuning"],
        tuning_seed=SEED,
        noise_seed=seed,
        add_to_container=False,
    )


# -- the runs: states (n, T, order) after each of the inputs u (n, T) ---------------


def ours(memory: LegendreMemory, u: np.ndarray) -> np.ndarray:
    """In Nengo; its probe is one step late."""
    padded = np.append(u, 0.0)
    with nengo.Network() as model:
        model.add(memory)
        signal = nengo.Node(lambda t: padded[round(t / DT) - 1])
        nengo.Connection(signal, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as simulator:
        simulator.run_steps(len(padded))
    return simulator.data[probe][1:]


def in_norse(memory: LegendreMemory, u: np.ndarray, path) -> np.ndarray:
    import nir
    import norse.torch
    from norse.torch.functional.reset import reset_subtract

    to_nir(memory, path, steps="euler", drawing="neurons")
    net = norse.torch.from_nir(
        nir.read(path), dt=DT, reset_method=reset_subtract, ignore_warnings=True
    )
    decoded = _stepped(net, u, lambda y, state: y)
    A, B, a = memory.mapped.A, memory.mapped.B[:, 0], np.exp(-DT / TAU)
    state, kept = np.zeros_like(decoded), np.zeros((len(u), len(A)))
    for k in range(u.shape[1]):
        before = decoded[:, k - 1] if k else 0 * kept
        kept = a * kept + (1 - a) * (before @ A.T + np.outer(u[:, k], B))
        state[:, k] = kept
    return state


def in_sinabs(memory: LegendreMemory, u: np.ndarray, path) -> np.ndarray:
    import nir
    import sinabs.nir

    to_nir(memory, path, steps="exact")
    net = sinabs.nir.from_nir(in_steps(nir.read(path), DT), batch_size=len(u))
    return _stepped(net, u, lambda y, state: state.cache["state"])


def in_steps(graph, dt: float):
    """A graph in the terms of sinabs 3.1: tau in steps, 1 - a in the weights."""
    import nir
    import torch

    nodes = dict(graph.nodes)
    into = {target: [] for target in nodes}
    for source, target in graph.edges:
        into[target].append(source)
    for name, node in list(nodes.items()):
        if isinstance(node, nir.Linear):
            bias = np.zeros(len(node.weight))
            nodes[name] = nir.Affine(weight=node.weight, bias=bias)
    for name, node in list(nodes.items()):
        if isinstance(node, nir.LI):
            for source in into[name]:
                kept = -np.expm1(-dt / node.tau)[:, None]
                nodes[source].weight = kept * nodes[source].weight
            steps = torch.tensor(node.tau / dt).float()
            nodes[name] = nir.LI(tau=steps, r=torch.ones_like(steps), v_leak=0 * steps)
        elif isinstance(node, nir.IF):
            high = torch.tensor(node.v_threshold).float()
            nodes[name] = nir.IF(r=torch.ones_like(high), v_threshold=high)
        elif isinstance(node, nir.LIF):
            for source in into[name]:
                kept = -np.expm1(-dt / node.tau)
                nodes[source].weight = kept[:, None] * nodes[source].weight
                nodes[source].bias = kept * nodes[source].bias
            steps = torch.tensor(node.tau / dt).float()
            nodes[name] = nir.LIF(
                tau=steps,
                r=torch.ones_like(steps),
                v_leak=0 * steps,
                v_threshold=torch.tensor(node.v_threshold).float(),
            )
    return nir.NIRGraph(nodes, graph.edges)


def _stepped(net, u: np.ndarray, read) -> np.ndarray:
    """Step by step, with the state that the peer hands on."""
    import torch

    torch.set_num_threads(1)
    state, rows = None, []
    with torch.no_grad():
        for values in u.T:
            y, state = net(torch.tensor(values[:, None]).float(), state)
            rows.append(read(y, state).numpy().copy())
    return np.array(rows, dtype=float).swapaxes(0, 1)


RUNS = {"norse": in_norse, "sinabs": in_sinabs}


def nrmse(state: np.ndarray, exact: np.ndarray) -> float:
    start = round((REST + THETA) / DT)
    difference = state[start:] - exact[start:]
    return float(np.sqrt(np.mean(difference**2) / np.mean(exact[start:] ** 2)))


def compare(case: dict, seeds, peers, duration: float = DURATION) -> list[dict]:
    """Errors on the signal of each seed, ours and theirs: the same neurons."""
    u = np.array([white_noise(duration, DT, BAND, RMS, s).samples for s in seeds])
    u = np.hstack([np.zeros((len(u), round(REST / DT))), u])
    exact = np.array([LDN(case["order"], THETA).simulate(one, DT) for one in u])
    memories = [memory_of(case, seed, exact) for seed in seeds]
    runs = {"ours": [ours(m, one) for m, one in zip(memories, u, strict=True)]}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is lost is what is measured
        logging.disable(logging.WARNING)
        for peer in peers:
            path = str(Path(folder) / f"{peer}.nir")
            runs[peer] = RUNS[peer](memories[0], u, path)
        logging.disable(logging.NOTSET)
    return [
        {name: nrmse(states[i], exact[i]) for name, states in runs.items()}
        for i in range(len(seeds))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="NIR in other simulators")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="the first case, one seed")
    options = parser.parse_args()
    peers = [peer for peer in PEERS if not missing(peer)]
    for peer in PEERS:
        if peer not in peers:
            lacking = ", ".join(missing(peer))
            print(f"{peer} needs {lacking}; run: {INSTALL}", file=sys.stderr)
    if not peers:
        return 2
    seeds = [SEED] if options.quick else [SEED + i for i in range(options.seeds)]
    rows = []
    for case in cases(options.quick):
        found = compare(case, seeds, peers)
        row = dict(case) | {"errors": found, "ratio": {}, "ratios": {}}
        for peer in ("ours", *peers):
            row[peer] = float(np.sqrt(np.mean([e[peer] ** 2 for e in found])))
        for peer in peers:
            row["ratio"][peer] = row[peer] / row["ours"]
            row["ratios"][peer] = [e[peer] / e["ours"] for e in found]
        rows.append(row)
        words = (
            f"{p} {row[p]:.4f} ({row['ratio'][p]:.2f} of ours, "
            f"{min(row['ratios'][p]):.2f} to {max(row['ratios'][p]):.2f})"
            for p in peers
        )
        print(
            "order {order}, {n_neurons} {neurons} neurons, {tuning}, radii {radii}: "
            "ours {ours:.4f}, ".format(**row)
            + ", ".join(words),
            flush=True,
        )
        if not options.quick:
            _write(rows, seeds)
    return 0


def _write(rows: list[dict], seeds: list[int]) -> None:
    versions = {"lmu_spiking": lmu_spiking.__version__}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    result = {
        "command": "python benchmarks/nir_peer.py",
        "signal": {"rest": REST, "duration": DURATION, "bandwidth": BAND, "rms": RMS},
        "theta": THETA,
        "tau": TAU,
        "dt": DT,
        "bar": BAR,
        "seeds": seeds,
        "rows": rows,
        "versions": versions,
    }
    path = ROOT / "benchmarks" / "results" / "nir_peer.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
