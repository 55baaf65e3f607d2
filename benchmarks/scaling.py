"""Build time, memory, run time and synaptic operations against the number of neurons.

    python benchmarks/scaling.py [--steps 300]

Order 6, Poisson rectifier pairs, Nengo's reference simulator; each point in a process
of its own, one thread.  Nengo's default is the same memory as an EnsembleArray with its
default solver, up to 12,000 neurons (beyond, its solver takes minutes).  Writes
benchmarks/results/scaling.json and docs/figures/scaling.png.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
OURS = (600, 6_000, 60_000, 300_000, 1_000_000)
THEIRS = (600, 3_000, 6_000, 12_000)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one(kind: str, n_neurons: int, steps: int) -> dict:
    """Build and run one network in this process."""
    import nengo

    from lmu_spiking import LDN, LegendreMemory, map_onto
    from lmu_spiking.simulator.targets import simulator

    dt, ldn = 0.001, LDN(6, 0.5)
    steps = max(steps, min(10_000, 30_000_000 // n_neurons))  # long enough to time
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(lambda t: np.sin(6 * t))
        if kind == "ours":
            memory = LegendreMemory(n_neurons, 6, 0.5, dt=dt)
            nengo.Connection(stimulus, memory.input, synapse=None)
        else:
            mapped = map_onto(ldn, 0.1, dt)
            neurons = nengo.PoissonSpiking(nengo.RectifiedLinear())
            array = nengo.networks.EnsembleArray(n_neurons // 6, 6, neuron_type=neurons)
            nengo.Connection(stimulus, array.input, transform=mapped.B, synapse=0.1)
            nengo.Connection(array.output, array.input, transform=mapped.A, synapse=0.1)
    with simulator(model, dt) as sim:
        built = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sim.run_steps(20, progress_bar=False)
        ready = time.perf_counter()
        sim.run_steps(steps, progress_bar=False)
        ran = time.perf_counter()
    # a product a neuron in (encode) and out (decode), and the recurrent matrix
    synops = 2 * n_neurons + 36
    return {
        "kind": kind,
        "neurons": n_neurons,
        "seconds_build": built - start,
        "build_gib": (peak - idle) / 2**20,
        "peak_gib": peak / 2**20,
        "seconds_per_simulated_second": (ran - ready) / (steps * dt),
        "synaptic_operations_per_step": synops,
    }


def measured(kind: str, n_neurons: int, steps: int) -> dict:
    """The same in a fresh process with one thread."""
    import os

    command = [
        sys.executable,
        __file__,
        "--one",
        kind,
        str(n_neurons),
        "--steps",
        str(steps),
    ]
    environment = os.environ | dict.fromkeys(THREADS, "1")
    run = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    row = json.loads(run.stdout)
    print(
        "{kind:6} m={neurons:8} build {seconds_build:7.2f} s {build_gib:6.3f} GiB  run "
        "{seconds_per_simulated_second:8.2f} s per simulated second".format(**row)
    )
    return row


def draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 3.2), layout="constrained")
    panels = figure.subplots(1, 4)
    columns = {
        "seconds_build": "build (s)",
        "build_gib": "memory to build (GiB)",
        "seconds_per_simulated_second": "run (s per simulated s)",
        "synaptic_operations_per_step": "synaptic operations a step",
    }
    names = {
        "ours": ("LegendreMemory", "o-", "#0072B2"),
        "nengo": ("Nengo default", "s--", "#D55E00"),
    }
    for axes, (column, label) in zip(panels, columns.items(), strict=True):
        for kind, (name, style, colour) in names.items():
            mine = [r for r in rows if r["kind"] == kind]
            if kind == "nengo" and column.startswith("synaptic"):
                continue
            x, y = [r["neurons"] for r in mine], [max(r[column], 1e-3) for r in mine]
            axes.loglog(x, y, style, color=colour, label=name, ms=4)
        axes.set(xlabel="neurons m", title=label)
        axes.spines[["top", "right"]].set_visible(False)
    panels[1].legend(frameon=False, loc="lower right", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--one", nargs=2, metavar=("KIND", "NEURONS"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one[0], int(options.one[1]), options.steps)))
        return
    from lmu_spiking.studies.metrics import power_law
    from lmu_spiking.studies.records import write_json
    from lmu_spiking.studies.trial import versions

    rows = [measured("ours", m, options.steps) for m in OURS]
    rows += [measured("nengo", m, options.steps) for m in THEIRS]
    large = [r for r in rows if r["kind"] == "ours" and r["neurons"] >= 60_000]
    slopes = {
        column: power_law(
            [r["neurons"] for r in large], [r[column] for r in large]
        ).exponent
        for column in ("seconds_build", "build_gib", "seconds_per_simulated_second")
    }
    ratios = {
        m: {
            c: next(r[c] for r in rows if r["kind"] == "nengo" and r["neurons"] == m)
            / next(r[c] for r in rows if r["kind"] == "ours" and r["neurons"] == m)
            for c in ("seconds_build", "seconds_per_simulated_second")
        }
        for m in (600, 6_000)
    }
    print("exponents for m >= 60,000:", {k: round(v, 2) for k, v in slopes.items()})
    print("Nengo default over LegendreMemory:", ratios)
    write_json(
        ROOT / "benchmarks" / "results" / "scaling.json",
        {
            "command": "python benchmarks/scaling.py",
            "rows": rows,
            "exponents": slopes,
            "nengo_over_ours": ratios,
            "versions": versions(),
        },
    )
    draw(rows, ROOT / "docs" / "figures" / "scaling.png")


if __name__ == "__main__":
    main()
