"""Build time, memory, run time and synaptic operations against the number of neurons.

`scaling`: order 6, Poisson rectifier pairs, Nengo's reference simulator; each point in
a process of its own, one thread.  Nengo's default is the same memory as an
EnsembleArray with its default solver, up to 12,000 neurons (beyond, its solver takes
minutes).

`billion`: 10^9 Poisson neurons as an ordinary run, order 6, theta 0.5 s, white noise of
2 Hz and rms 0.5, 10 s, as sums of their spikes, in plain and in noise-optimal
coordinates.  Its time includes imports and build.

`exponents`: time and memory of simulation, training and inference against neurons (or
units) ``m``, order ``d`` and steps ``T``, one of them at a time, each point in a
process of its own, one thread, three times over; exponents are those of power laws
through all points, with 95 % intervals.  *Simulation* is of a memory of Poisson pairs,
neuron by neuron; *training* an epoch, and *inference* the outputs, of a feedforward LMU
on eight sequences that are read at every step.  Memory is what the process takes beyond
its imports and a first small case.  An exponent below 1 where 1 is expected says that a
constant part is still seen.
"""

import itertools
import os
import time

from lmu_spiking.experiments import BLAS_THREADS, peak_bytes

# what measures imports and memory itself imports as little as it can until it does

KINDS = ("ours", "nengo")
OURS, THEIRS = (600, 6_000, 60_000, 300_000, 1_000_000), (600, 3_000, 6_000, 12_000)
BILLION, DURATION, SEED = 10**9, 10.0, 6200
KEYS = ("neurons", "noise_nrmse", "predicted_noise_nrmse", "state_rmse")
KEYS += ("predicted_state_rmse", "spikes", "mean_rate", "tuning")
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
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


# -- exponents -----------------------------------------------------------------------

LEARNED = {"m": 400, "d": 64, "T": 4000}
RANGES = {
    "simulation": {
        "base": {"m": 96_000, "d": 12, "T": 2000},
        "m": (96_000, 192_000, 384_000, 768_000),
        "d": (12, 24, 48, 96, 192),
        "T": (2000, 4000, 8000, 16_000),
    },
    **{
        what: {
            "base": LEARNED,
            "m": (400, 800, 1600, 3200),
            "d": (64, 128, 256, 512),
            "T": (4000, 8000, 16_000, 32_000),
        }
        for what in ("training", "inference")
    },
}
REPEATS, SEQUENCES = 3, 8


def exponent_point(what: str, m: int, d: int, T: int) -> dict:
    """Return the seconds and the memory of one case, after a small one."""
    case = simulated if what == "simulation" else learned
    case(what, 400, 4, 300)
    idle = peak_bytes()
    seconds = case(what, m, d, T)
    return {"seconds": seconds, "bytes": max(peak_bytes() - idle, 1)}


def simulated(what: str, m: int, d: int, T: int) -> float:
    """Return the seconds of a run of ``T`` steps, the state recorded."""
    import nengo

    from lmu_spiking import LegendreMemory, Simulator

    with nengo.Network(seed=1) as model:
        stimulus = nengo.Node(lambda t: 0.5 if t % 0.4 < 0.2 else -0.5)
        memory = LegendreMemory(m, d, 0.5)
        nengo.Connection(stimulus, memory.input, synapse=None)
        nengo.Probe(memory.state)
    with Simulator(model, progress_bar=False) as sim:
        sim.run_steps(20)
        begun = time.perf_counter()
        sim.run_steps(T)
        return time.perf_counter() - begun


def learned(what: str, m: int, d: int, T: int) -> float:
    """Return the seconds of an epoch, or of all outputs."""
    import numpy as np

    from lmu_spiking.lmu import LMUParams
    from lmu_spiking.tasks import Part, Sequences
    from lmu_spiking.training import TrainSettings, train
    from lmu_spiking.training.loop import engine_for

    x = np.random.default_rng(0).standard_normal((SEQUENCES, T, 1)).astype(np.float32)
    part, few = Part(x, x), Part(x[:1, :100], x[:1, :100])
    data = Sequences("noise", part, few, few, 0.001, None, False, "drawn")
    cell = {"units": m, "order": d, "theta": T / 1e3, "activation": "relu"}
    params = LMUParams.draw(1, 1, [cell | {"connections": "", "bias": True}])
    if what == "training":
        made = train(params, data, TrainSettings(epochs=3, batch=SEQUENCES))
        return min(row["seconds"] for row in made.history)
    engine, arrays = engine_for(params, TrainSettings(), data), params.arrays()
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        engine.outputs(arrays, {"x": x})
        times.append(time.perf_counter() - begun)
    return min(times)


def exponents(options):
    """Yield rows of time and memory, and their exponents."""
    from lmu_spiking.experiments.records import run_alone
    from lmu_spiking.studies.metrics import power_law

    os.environ |= dict.fromkeys(BLAS_THREADS, "1")  # of the processes that measure
    os.environ["XLA_FLAGS"] = ONE_THREAD
    rows, found = [], []
    for what, ranges in RANGES.items():
        for by in "mdT":
            sizes = ranges[by][:3] if options.fast else ranges[by]
            for size, repeat in itertools.product(sizes, range(REPEATS)):
                case = ranges["base"] | {by: size}
                row = {"what": what, "by": by, "repeat": repeat} | case
                rows.append(row | run_alone(exponent_point, what, **case))
            mine = [row for row in rows if (row["what"], row["by"]) == (what, by)]
            for measure in ("seconds", "bytes"):
                law = power_law([r[by] for r in mine], [r[measure] for r in mine])
                found.append({"what": what, "by": by, "measure": measure})
                found[-1] |= {"exponent": law.exponent, "low": law.low}
                found[-1]["high"] = law.high
            yield {"base": {w: r["base"] for w, r in RANGES.items()}} | {
                "exponents": found,
                "rows": rows,
            }
