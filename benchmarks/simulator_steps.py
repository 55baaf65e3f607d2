"""CPU time of single steps and of runs, ours over Nengo's, on one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/simulator_steps.py

Single steps (`sim.step()` in a loop) as NengoGUI and reinforcement learning take them,
then runs of 1,000 steps.  The two simulators take turns; the least time of each is what
is compared.  Functions that read a list may do anything, so they are called in Nengo's
order; others are called ahead.
"""

import time

import nengo
import numpy as np

from lmu_spiking import LegendreMemory, Simulator

SHARED = [0.0]  # what a function cannot be known to leave alone


def lif(n, probes, nodes=0) -> nengo.Network:
    """Build LIF neurons whose input is a sine."""
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(lambda t: np.sin(6 * t))
        ensemble = nengo.Ensemble(n, 1)
        nengo.Connection(stimulus, ensemble)
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


def memory(neurons, watched=False) -> nengo.Network:
    """Build the example of docs/simulator.md, with other neurons."""
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(
            (lambda t: np.sin(6 * t) + SHARED[0])
            if watched
            else lambda t: np.sin(6 * t)
        )
        made = LegendreMemory(6000, order=6, theta=0.5, neuron_type=neurons)
        nengo.Connection(stimulus, made.input, synapse=None)
        nengo.Probe(made.state, synapse=None)
    return model


def adapting() -> nengo.Network:
    """Build 2,000 AdaptiveLIF neurons."""
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(lambda t: np.sin(6 * t))
        ensemble = nengo.Ensemble(2000, 1, neuron_type=nengo.AdaptiveLIF())
        nengo.Connection(stimulus, ensemble)
        nengo.Probe(ensemble, synapse=0.01)
    return model


def learning() -> nengo.Network:
    """Build 1,000 LIF neurons that learn by PES to represent their input."""
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(lambda t: np.sin(6 * t))
        pre, error = nengo.Ensemble(1000, 1), nengo.Node(size_in=1)
        post = nengo.Node(size_in=1)
        link = nengo.Connection(
            pre, post, function=lambda x: 0, learning_rule_type=nengo.PES()
        )
        nengo.Connection(stimulus, pre)
        nengo.Connection(post, error)
        nengo.Connection(stimulus, error, transform=-1)
        nengo.Connection(error, link.learning_rule)
        nengo.Probe(post, synapse=0.01)
    return model


def compare(model, work, steps, repeats) -> tuple[float, float]:
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
    return least[0], least[1]


def singly(sim, steps) -> None:
    """Take the steps one by one."""
    for _ in range(steps):
        sim.step()


def at_once(sim, steps) -> None:
    """Take the steps in one run."""
    sim.run_steps(steps)


def main() -> None:
    """Print a line for each case."""
    poisson = nengo.PoissonSpiking(nengo.RectifiedLinear())
    cases = {
        "step(): 50 LIF neurons, 1 probe": (lif(50, 1), singly, 400),
        "step(): 1,000 LIF neurons, 5 probes": (lif(1000, 5), singly, 400),
        "step(): 1,000 LIF neurons, 4 Python nodes": (lif(1000, 0, 4), singly, 400),
        "step(): a node of time into a node": (two_nodes(), singly, 1000),
        "run: Poisson memory, a sine": (memory(poisson), at_once, 1000),
        "run: Poisson memory, any function": (memory(poisson, True), at_once, 1000),
        "run: LIF memory, a sine": (memory(nengo.LIF()), at_once, 1000),
        "run: 2,000 AdaptiveLIF neurons": (adapting(), at_once, 1000),
        "run: 1,000 LIF neurons with PES": (learning(), at_once, 1000),
        "run: 1,000 LIF neurons, 4 Python nodes": (lif(1000, 0, 4), at_once, 1000),
    }
    print(f"{'us of CPU time a step':44}{'Nengo':>9}{'ours':>9}{'ours/Nengo':>12}")
    for name, (model, work, steps) in cases.items():
        theirs, ours = compare(model, work, steps, 7)
        print(f"{name:44}{theirs:9.1f}{ours:9.1f}{ours / theirs:12.3f}")


if __name__ == "__main__":
    main()
