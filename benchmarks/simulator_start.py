"""What the compiled simulator costs before it runs, and the memory that it takes.

    python benchmarks/simulator_start.py [--neurons 10000000]

Seconds from a built model to ten steps, in Nengo and compiled (the second time this is
run, when the kernels are on disk), then the peak memory of a Poisson memory of order 6.
"""

import argparse
import resource
import time

import nengo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, default=10_000_000)
    options = parser.parse_args()

    from lmu_spiking.simulator.targets import simulator

    seconds = {}
    simulator(network(600), 0.001, "core").close()  # what Nengo imports when it builds
    for target in ("core", "compiled"):
        model, start = network(600), time.perf_counter()
        with simulator(model, 0.001, target) as sim:
            sim.run_steps(10, progress_bar=False)
        seconds[target] = time.perf_counter() - start
        print(f"{target}: built and ten steps run in {seconds[target]:.3f} s")
    print(f"more than Nengo: {seconds['compiled'] - seconds['core']:.3f} s")

    idle = peak()
    with simulator(network(options.neurons), 0.001, "compiled") as sim:
        sim.run_steps(10, progress_bar=False)
    taken = peak() - idle
    each = taken / options.neurons
    print(f"{options.neurons:,} neurons: {taken / 2**30:.2f} GiB, {each:.0f} B each")


def network(n_neurons: int) -> nengo.Network:
    """A Poisson memory of white noise."""
    from lmu_spiking import LegendreMemory

    with nengo.Network(seed=1) as model:
        white = nengo.processes.WhiteSignal(10.0, high=2.0, rms=0.5, seed=1)
        memory = LegendreMemory(n_neurons, 6, 0.5, seed=1)
        nengo.Connection(nengo.Node(white), memory.input, synapse=None)
        nengo.Probe(memory.state, synapse=None)
    return model


def peak() -> int:
    """Bytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10


if __name__ == "__main__":
    main()
