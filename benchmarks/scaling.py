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

from lmu_spiking.experiments import BLAS_THREADS, peak_bytes

# what measures imports and memory itself imports as little as it can until it does

KINDS = ("ours", "nengo")
OURS, THEIRS = (600, 6_000, 60_000, 300_000, 1_000_000), (600, 3_000, 6_000, 12_000)
BILLION, DURATION, SEED = 10**9, 10.0, 6200
KEYS = ("neurons", "noise_nrmse", "predicted_noise_nrmse", "state_rmse")
KEYS += ("predicted_state_rmse", "spikes", "mean_rate", "tuning")
TIMES = ["seconds_build", "seconds_per_simulated_second"]


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
    import pandas as pd

    from lmu_spiking.experiments.records import run_alone
    from lmu_spiking.studies.metrics import power_law

    os.environ |= dict.fromkeys(BLAS_THREADS, "1")  # of the processes that measure
    few = 3 if options.fast else None
    rows = [
        run_alone(measure, kind, m, options.steps)
        for kind, sizes in zip(KINDS, (OURS, THEIRS), strict=True)
        for m in sizes[:few]
    ]
    table = pd.DataFrame(rows).set_index(["kind", "neurons"])
    large = table.loc["ours"] if few else table.loc["ours"].loc[60_000:]
    measures = [*TIMES, "build_gib"]
    exponents = {m: power_law(large.index, large[m]).exponent for m in measures}
    ratios = {
        m: (table.loc["nengo", m] / table.loc["ours", m])[TIMES].to_dict()
        for m in (600, 6_000)
    }
    return {"rows": rows, "exponents": exponents, "nengo_over_ours": ratios}


def draw_scaling(record: dict):
    """Return the four measures against neurons."""
    import pandas as pd

    from lmu_spiking.experiments.figures import side_by_side
    from lmu_spiking.plots.style import BLUE, VERMILION, log_axes

    panels = {
        "seconds_build": "build (s)",
        "build_gib": "memory to build (GiB)",
        "seconds_per_simulated_second": "run (s per simulated s)",
        "synaptic_operations_per_step": "synaptic operations a step",
    }
    kinds = pd.DataFrame(record["rows"]).set_index("neurons").groupby("kind")

    def panel(ax, name: str):
        ours, theirs = (kinds.get_group(kind)[name].clip(1e-3) for kind in KINDS)
        ax.plot(ours, "o-", color=BLUE, label="LegendreMemory", ms=4)
        if name != "synaptic_operations_per_step":
            ax.plot(theirs, "s--", color=VERMILION, label="Nengo default", ms=4)
        log_axes(ax, "neurons m", "").set_title(panels[name])
        ax.get_legend().set_visible(name == "build_gib")

    draw = [lambda ax, name=name: panel(ax, name) for name in panels]
    return side_by_side(11.5, 3.2, *draw)


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
    taken = {"seconds": seconds, "GiB": peak_bytes() / 2**30}
    return {key: row[key] for key in KEYS} | taken


def billion(options) -> dict:
    """Return the rows of both memories."""
    from lmu_spiking.experiments.records import run_alone

    neurons = 10**6 if options.fast else BILLION
    tunings = ("pairs", "optimal")
    rows = [run_alone(run_billion, tuning, neurons) for tuning in tunings]
    return {"seed": SEED, "results": rows}
