"""Build time, memory, run time and synaptic operations against the number of neurons.

`scaling`: order 6, Poisson rectifier pairs, Nengo's reference simulator; each point in
a process of its own, one thread.  Nengo's default is the same memory as an
EnsembleArray with its default solver, up to 12,000 neurons (beyond, its solver takes
minutes).

`billion`: 10^9 Poisson neurons as an ordinary run, order 6, theta 0.5 s, white noise of
2 Hz and rms 0.5, 10 s, as sums of their spikes, in plain and in noise-optimal
coordinates.  Its time includes imports and build.
"""

import os
import time

from lmu_spiking.experiments import peak_bytes

# what measures imports and memory itself imports as little as it can until it does

OURS, THEIRS = (600, 6_000, 60_000, 300_000, 1_000_000), (600, 3_000, 6_000, 12_000)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
BILLION, DURATION, SEED = 10**9, 10.0, 6200
KEYS = ("neurons", "noise_nrmse", "predicted_noise_nrmse", "state_rmse")
KEYS += ("predicted_state_rmse", "spikes", "mean_rate", "tuning")
TIMES = ("seconds_build", "seconds_per_simulated_second")


def measure(kind: str, n_neurons: int, steps: int) -> dict:
    """Return the time and memory of our memory of a sine, or of Nengo's default."""
    import nengo
    import numpy as np

    from lmu_spiking import LDN, LegendreMemory, map_onto
    from lmu_spiking.simulator.targets import simulator

    connect, dt = nengo.Connection, 0.001
    steps = max(steps, min(10_000, 30_000_000 // n_neurons))  # long enough to time
    idle, start = peak_bytes(), time.perf_counter()
    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(lambda t: np.sin(6 * t))
        if kind == "ours":
            memory = LegendreMemory(n_neurons, 6, 0.5, dt=dt)
            connect(stimulus, memory.input, synapse=None)
        else:
            mapped = map_onto(LDN(6, 0.5), 0.1, dt)
            neurons = nengo.PoissonSpiking(nengo.RectifiedLinear())
            array = nengo.networks.EnsembleArray(n_neurons // 6, 6, neuron_type=neurons)
            connect(stimulus, array.input, transform=mapped.B, synapse=0.1)
            connect(array.output, array.input, transform=mapped.A, synapse=0.1)
    with simulator(model, dt) as sim:
        built, most = time.perf_counter(), peak_bytes()
        sim.run_steps(20, progress_bar=False)
        ready = time.perf_counter()
        sim.run_steps(steps, progress_bar=False)
        ran = time.perf_counter()
    return {
        "kind": kind,
        "neurons": n_neurons,
        "seconds_build": built - start,
        "build_gib": (most - idle) / 2**30,
        "peak_gib": most / 2**30,
        "seconds_per_simulated_second": (ran - ready) / (steps * dt),
        # a product a neuron in (encode) and out (decode), and the recurrent matrix
        "synaptic_operations_per_step": 2 * n_neurons + 36,
    }


def scaling(options) -> dict:
    """Return rows, exponents against neurons, and Nengo's default over ours."""
    from lmu_spiking.experiments.records import run_alone
    from lmu_spiking.studies.metrics import power_law

    os.environ |= dict.fromkeys(THREADS, "1")  # of the processes that measure
    few = 3 if options.fast else None
    cells = [("ours", m) for m in OURS[:few]] + [("nengo", m) for m in THEIRS[:few]]
    rows = [run_alone(measure, *cell, options.steps) for cell in cells]
    found = {(row["kind"], row["neurons"]): row for row in rows}
    large = [r for r in rows if r["kind"] == "ours" and (few or r["neurons"] >= 60_000)]
    neurons = [row["neurons"] for row in large]
    exponents = {
        name: power_law(neurons, [row[name] for row in large]).exponent
        for name in ("seconds_build", "build_gib", "seconds_per_simulated_second")
    }
    ratios = {
        m: {name: found["nengo", m][name] / found["ours", m][name] for name in TIMES}
        for m in (600, 6_000)
    }
    return {"rows": rows, "exponents": exponents, "nengo_over_ours": ratios}


def draw_scaling(record: dict):
    """Return the four measures against neurons."""
    from lmu_spiking.plots.style import BLUE, VERMILION, log_axes, new_figure, styled

    panels = {
        "seconds_build": "build (s)",
        "build_gib": "memory to build (GiB)",
        "seconds_per_simulated_second": "run (s per simulated s)",
        "synaptic_operations_per_step": "synaptic operations a step",
    }
    lines = (("ours", "LegendreMemory", "o-", BLUE),)
    lines += (("nengo", "Nengo default", "s--", VERMILION),)
    with styled():
        figure = new_figure(11.5, 3.2)
        axes = figure.subplots(1, 4)
        for ax, (column, title) in zip(axes, panels.items(), strict=True):
            for kind, label, style, color in lines:
                if kind == "nengo" and column.startswith("synaptic"):
                    continue
                rows = [row for row in record["rows"] if row["kind"] == kind]
                x, y = (
                    [r["neurons"] for r in rows],
                    [max(r[column], 1e-3) for r in rows],
                )
                ax.plot(x, y, style, color=color, label=label, ms=4)
            log_axes(ax, "neurons m", "").set_title(title)
            ax.get_legend().set_visible(ax is axes[1])
    return figure


# -- a billion neurons ---------------------------------------------------------------


def run_billion(tuning: str, neurons: int) -> dict:
    """Return the row of a run, with the seconds and memory of this process."""
    start = time.perf_counter()
    from lmu_spiking import MemorySpec, white_noise
    from lmu_spiking.studies.trial import run_trial

    spec = MemorySpec(neurons, tuning=tuning, aggregated=True, noise_seed=SEED)
    signal = white_noise(DURATION, spec.dt, 2.0, 0.5, SEED)
    row = run_trial(spec, signal).row
    seconds = time.perf_counter() - start
    return {key: row[key] for key in KEYS} | {
        "seconds": seconds,
        "GiB": peak_bytes() / 2**30,
    }


def billion(options) -> dict:
    """Return the rows of both memories."""
    from lmu_spiking.experiments.records import run_alone

    neurons = 10**6 if options.fast else BILLION
    tunings = ("pairs", "optimal")
    rows = [run_alone(run_billion, tuning, neurons) for tuning in tunings]
    return {"seed": SEED, "results": rows}
