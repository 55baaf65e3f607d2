"""Speed of the simulator: against its peers, before it starts, and of single steps.

`simulator`: Nengo, NengoDL, NengoOCL, Brian2 and a loop in C, on one thread and on all
cores.  Order 6, m = 600 to 600,000, with Nengo, ours, Brian2 and C; m = 6,000 with
NengoDL and NengoOCL, which are slower than Nengo; m = 6,000 and 60,000 for order 24,
heterogeneous tuning curves, and an ensemble for each dimension.  Most of the time is
compiling.  Each peer may live in an environment of its own:

    pip install nengo-ocl 'pyopencl[pocl]' 'scipy<1.12' 'numpy<2'     NengoOCL on PoCL
    pip install brian2 'numpy<2.3' setuptools                         Brian2

`simulator_start`: seconds from a built model to ten steps, in Nengo and compiled (the
second time this is run, when the kernels are on disk), then the peak memory of a
Poisson memory of order 6.

`simulator_steps`: CPU time of single steps (`sim.step()` in a loop) as NengoGUI and
reinforcement learning take them, then of runs of 1,000 steps.  The two simulators take
turns; the least time of each is what is compared.  Functions that read a list may do
anything, so they are called in Nengo's order; others are called ahead.
"""

import time

import nengo
import numpy as np

from lmu_spiking import LegendreMemory, Simulator
from lmu_spiking.experiments import peak_bytes
from lmu_spiking.experiments.figures.speed import speed_figure
from lmu_spiking.experiments.records import count_cases
from lmu_spiking.experiments.speed import run as speed
from lmu_spiking.experiments.speed import table
from lmu_spiking.simulator.targets import simulator as simulator_of

# -- against peers -------------------------------------------------------------------

TYPES = ("poisson", "lif", "regular", "rate")
DRAWN = ("poisson-drawn", "poisson-array", "lif-array")
FEW, SLOW = ("nengo", "lmu_spiking", "c"), ("nengo", "nengo_dl", "nengo_ocl")
KEYS = ("peer", "kind", "order", "neurons", "threads", "trials")


def simulator(options):
    """Yield the record after each batch of networks and peers."""
    sizes = sorted(options.neurons)
    few, most = [m for m in sizes if m < 10**5], [m for m in sizes if m >= 10**5]
    usual = [m for m in few if m >= 10**3] or few
    batches = [
        *((speed.grid([kind], [6], few), [*FEW, "brian2"]) for kind in TYPES),
        (speed.grid(["poisson", "regular", "rate"], [6], most), [*FEW, "brian2"]),
        (speed.grid(TYPES, [6], usual[:1]), SLOW),
        (speed.grid(TYPES, [24], usual), FEW),
        (speed.grid(DRAWN, [6], usual), FEW),
        (speed.grid(["lif"], [6], most), FEW),  # whose decoders take minutes
    ]
    if options.fast:
        batches = [(speed.grid(["poisson"], [6], [600]), FEW)]
    batches = [(cases, speed.chosen(names)) for cases, names in batches]
    total = sum(len(cases) * len(speed.product_of(peers)) for cases, peers in batches)
    about = speed.machine()  # with the load before we make our own
    count = count_cases(total)
    more = {"seconds": options.seconds, "pythons": speed.interpreters(options.python)}
    rows: dict[tuple, dict] = {}
    for cases, peers in batches:
        # each batch has Nengo beside it for its ratios, of which one row is shown
        for row in speed.compare(cases, peers, on_done=count, **more):
            rows.setdefault(tuple(row.get(key) for key in KEYS), row)
        yield about | {"rows": list(rows.values())}
    print(*table.reasons(list(rows.values())), sep="\n")


def draw_simulator(record: dict):
    """Return times against neurons, a panel for each network."""
    return speed_figure(table.panels(record["rows"]))


# -- before the first step -----------------------------------------------------------


def memory(signal, n_neurons: int = 6000, neurons="poisson") -> nengo.Network:
    """Build a memory of order 6 of a signal, as in docs/simulator.md."""
    with nengo.Network(seed=1) as model:
        made = LegendreMemory(n_neurons, 6, 0.5, neuron_type=neurons, seed=1)
        nengo.Connection(nengo.Node(signal), made.input, synapse=None)
        nengo.Probe(made.state, synapse=None)
    return model


def noisy_memory(n_neurons: int) -> nengo.Network:
    """Build a Poisson memory of white noise."""
    white = nengo.processes.WhiteSignal(10.0, high=2.0, rms=0.5, seed=1)
    return memory(white, n_neurons)


def simulator_start(options) -> dict:
    """Return the seconds to ten steps of both simulators, and bytes a neuron."""
    neurons = 10**6 if options.fast else options.neurons
    simulator_of(noisy_memory(600), 0.001, "core").close()  # imports what builds need
    seconds = {}
    for target in ("core", "compiled"):
        model, start = noisy_memory(600), time.perf_counter()
        with simulator_of(model, 0.001, target) as sim:
            sim.run_steps(10, progress_bar=False)
        seconds[target] = time.perf_counter() - start
    idle = peak_bytes()
    with simulator_of(noisy_memory(neurons), 0.001, "compiled") as sim:
        sim.run_steps(10, progress_bar=False)
    taken = peak_bytes() - idle
    more = {"more_than_nengo": seconds["compiled"] - seconds["core"]}
    memory = {"neurons": neurons, "GiB": taken / 2**30, "bytes": taken / neurons}
    return {"seconds": seconds | more, "memory": memory}


# -- single steps --------------------------------------------------------------------

SHARED = [0.0]  # what a function cannot be known to leave alone


def sine(t: float) -> float:
    """Return the input of most networks."""
    return np.sin(6 * t)


def watched(t: float) -> float:
    """Return the same, read with a list."""
    return sine(t) + SHARED[0]


def lif(n: int, probes: int, nodes: int = 0, neurons=None) -> nengo.Network:
    """Build LIF or other neurons whose input is a sine."""
    with nengo.Network(seed=1) as model:
        ensemble = nengo.Ensemble(n, 1, neuron_type=neurons or nengo.LIF())
        nengo.Connection(nengo.Node(sine), ensemble)
        for _ in range(probes):
            nengo.Probe(ensemble, synapse=0.01)
        for _ in range(nodes):
            node = nengo.Node(lambda t, x: 2 * x + SHARED[0], size_in=1)
            nengo.Connection(ensemble, node)
    return model


def two_nodes() -> nengo.Network:
    """Build a node of time that feeds a node of its input."""
    with nengo.Network(seed=1) as model:
        first = nengo.Node(lambda t: t + SHARED[0])
        second = nengo.Node(lambda t, x: x + SHARED[0], size_in=1)
        nengo.Connection(first, second, synapse=None)
    return model


def learning() -> nengo.Network:
    """Build 1,000 LIF neurons that learn by PES to represent their input."""
    pes = {"function": lambda x: 0, "learning_rule_type": nengo.PES()}
    with nengo.Network(seed=1) as model:
        stimulus, pre = nengo.Node(sine), nengo.Ensemble(1000, 1)
        error, post = nengo.Node(size_in=1), nengo.Node(size_in=1)
        link = nengo.Connection(pre, post, **pes)
        nengo.Connection(stimulus, pre)
        nengo.Connection(post, error)
        nengo.Connection(stimulus, error, transform=-1)
        nengo.Connection(error, link.learning_rule)
        nengo.Probe(post, synapse=0.01)
    return model


def singly(sim, steps: int) -> None:
    """Take the steps one by one."""
    for _ in range(steps):
        sim.step()


def at_once(sim, steps: int) -> None:
    """Take the steps in one run."""
    sim.run_steps(steps)


def time_steps(model, work, steps: int, repeats: int) -> list[float]:
    """Return the microseconds of CPU time that a step takes, in Nengo and here."""
    sims = [make(model, progress_bar=False) for make in (nengo.Simulator, Simulator)]
    least = [np.inf, np.inf]
    for sim in sims:
        work(sim, steps)
    for _ in range(repeats):
        for k, sim in enumerate(sims):
            start = time.process_time()
            work(sim, steps)
            least[k] = min(least[k], (time.process_time() - start) / steps * 1e6)
    for sim in sims:
        sim.close()
    return least


def simulator_steps(options) -> dict:
    """Return the microseconds of a step in each case, and their ratio."""
    adapting = lif(2000, 1, 0, nengo.AdaptiveLIF())
    cases = {
        "step(): 50 LIF neurons, 1 probe": (lif(50, 1), singly, 400),
        "step(): 1,000 LIF neurons, 5 probes": (lif(1000, 5), singly, 400),
        "step(): 1,000 LIF neurons, 4 Python nodes": (lif(1000, 0, 4), singly, 400),
        "step(): a node of time into a node": (two_nodes(), singly, 1000),
        "run: Poisson memory, a sine": (memory(sine), at_once, 1000),
        "run: Poisson memory, any function": (memory(watched), at_once, 1000),
        "run: LIF memory, a sine": (memory(sine, neurons="lif"), at_once, 1000),
        "run: 2,000 AdaptiveLIF neurons": (adapting, at_once, 1000),
        "run: 1,000 LIF neurons with PES": (learning(), at_once, 1000),
        "run: 1,000 LIF neurons, 4 Python nodes": (lif(1000, 0, 4), at_once, 1000),
    }
    rows = []
    for name, (model, work, steps) in cases.items():
        theirs, ours = time_steps(model, work, steps, 1 if options.fast else 7)
        row = {"us of CPU time a step": name, "Nengo": theirs, "ours": ours}
        rows.append(row | {"ours/Nengo": ours / theirs})
    return {"steps": rows}
