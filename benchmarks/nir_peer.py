"""A memory in other simulators, by way of NIR: their error beside ours.

    pip install torch nirtorch
    pip install --no-deps norse sinabs pbr   # they ask for an older nir and a chip's

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
"""

import importlib.util
import logging
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

from lmu_spiking import LDN, LegendreMemory, radii_from, to_nir, white_noise
from lmu_spiking.experiments.runs import run_probed, state_of, streamed
from lmu_spiking.metrics import relative_rms
from lmu_spiking.nir import PromptLIF, tonic

PACKAGES = ("norse", "sinabs", "nirtorch", "torch", "nir", "nengo", "numpy")
PEERS = ("norse", "sinabs")
INSTALL = "pip install torch nirtorch; pip install --no-deps norse sinabs pbr"
DT, TAU, THETA, DURATION, SEED = 0.001, 0.1, 0.5, 6.0, 7400
BAND, RMS, BAR, REST = 2.0, 0.5, 0.1, 1.0


def cases(quick: bool) -> list[dict]:
    """Return what is built; the bar of 10 % is for tonic neurons, which NIR can say."""
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
    """Return the packages that a peer needs and that are not installed."""
    needed = ("torch", "nirtorch", "nir", peer)
    return [name for name in needed if importlib.util.find_spec(name) is None]


def memory_of(case: dict, seed: int, exact: np.ndarray) -> LegendreMemory:
    """Return the memory of a case; beyond fitted radii, tonic neurons would clip."""
    m, order, radii = case["n_neurons"], case["order"], case["radii"]
    if radii == "fitted":
        radii = radii_from(exact.reshape(-1, order))
    options = {"synapse": TAU, "dt": DT, "radii": radii, "add_to_container": False}
    options["neuron_type"] = PromptLIF() if case["neurons"] == "lif" else "if"
    options["tuning"] = tonic() if case["tuning"] == "tonic" else case["tuning"]
    options |= {"tuning_seed": SEED, "noise_seed": seed}
    return LegendreMemory(m, order, THETA, **options)


# -- the runs: states (n, T, order) after each of the inputs u (n, T) ---------------


def ours(memory: LegendreMemory, u: np.ndarray) -> np.ndarray:
    """Run our memory in Nengo, whose probe is one step late."""
    model, probe = streamed(memory, np.append(u, 0.0))
    return run_probed(model, DT, len(u) + 1, probe)[0][1:]


def in_norse(memory: LegendreMemory, u: np.ndarray, path) -> np.ndarray:
    """Run the graph in Norse, and filter its spikes to the state."""
    import nir
    import norse.torch
    from norse.torch.functional.reset import reset_subtract

    to_nir(memory, path, steps="euler", drawing="neurons")
    options = {"reset_method": reset_subtract, "ignore_warnings": True}
    net = norse.torch.from_nir(nir.read(path), dt=DT, **options)
    decoded = _stepped(net, u, lambda y, state: y)
    before = np.pad(decoded, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    A, B = memory.mapped.A, memory.mapped.B[:, 0]
    each = zip(before, u, strict=True)
    return np.array([state_of(spikes, x, A, B, TAU, DT) for spikes, x in each])


def in_sinabs(memory: LegendreMemory, u: np.ndarray, path) -> np.ndarray:
    """Run the graph in sinabs, and read the state of its leaky integrator."""
    import nir
    import sinabs.nir

    to_nir(memory, path, steps="exact")
    net = sinabs.nir.from_nir(in_steps(nir.read(path), DT), batch_size=len(u))
    return _stepped(net, u, lambda y, state: state.cache["state"])


def in_steps(graph, dt: float):
    """Return a graph in the terms of sinabs 3.1: tau in steps, 1 - a in the weights."""
    import nir
    import torch

    nodes = dict(graph.nodes)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Linear):
            nodes[name] = nir.Affine(node.weight, np.zeros(len(node.weight)))
    for name, node in graph.nodes.items():
        if isinstance(node, (nir.LI, nir.LIF)):
            # a leak takes 1 - a of its inputs
            share = -np.expm1(-dt / node.tau)
            for source in (source for source, target in graph.edges if target == name):
                nodes[source].weight = share[:, None] * nodes[source].weight
                if isinstance(node, nir.LIF):
                    nodes[source].bias = share * nodes[source].bias
            steps = torch.tensor(node.tau / dt).float()
            leak = {"tau": steps, "r": torch.ones_like(steps), "v_leak": 0 * steps}
        if isinstance(node, nir.LI):
            nodes[name] = nir.LI(**leak)
        elif isinstance(node, (nir.IF, nir.LIF)):
            high = torch.tensor(node.v_threshold).float()
            if isinstance(node, nir.LIF):
                nodes[name] = nir.LIF(**leak, v_threshold=high)
            else:
                nodes[name] = nir.IF(r=torch.ones_like(high), v_threshold=high)
    return nir.NIRGraph(nodes, graph.edges)


def _stepped(net, u: np.ndarray, read) -> np.ndarray:
    """Run a network step by step, with the state that it returns."""
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
    """Return the error of states relative to their rms, from t = theta on."""
    start = round((REST + THETA) / DT)
    return relative_rms(state[start:], exact[start:])


def compare(case: dict, seeds, peers, duration: float = DURATION) -> list[dict]:
    """Return errors on the signal of each seed, ours and theirs: the same neurons."""
    # signals after a silence, and the exact states
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


def nir_peer(options):
    """Yield the record after each case; without a peer, say what to install."""
    peers = [peer for peer in PEERS if not missing(peer)]
    for peer in (peer for peer in PEERS if peer not in peers):
        lacking = ", ".join(missing(peer))
        print(f"{peer} needs {lacking}; run: {INSTALL}", file=sys.stderr)
    if not peers:
        sys.exit(2)
    seeds = [SEED + i for i in range(1 if options.fast else options.seeds)]
    rows = []
    for case in cases(options.fast):
        errors = compare(case, seeds, peers)
        # means over seeds, and each peer over ours
        row = case | {"errors": errors}
        for peer in ("ours", *peers):
            row[peer] = float(np.sqrt(np.mean([e[peer] ** 2 for e in errors])))
        row["ratio"] = {peer: row[peer] / row["ours"] for peer in peers}
        row["ratios"] = {p: [e[p] / e["ours"] for e in errors] for p in peers}
        rows.append(row)
        signal = {"rest": REST, "duration": DURATION, "bandwidth": BAND, "rms": RMS}
        about = {"signal": signal, "theta": THETA, "tau": TAU, "dt": DT, "bar": BAR}
        packages = {n: version(n) for n in PACKAGES if importlib.util.find_spec(n)}
        yield about | {"seeds": seeds, "rows": rows, "packages": packages}
