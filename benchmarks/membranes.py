"""Neurons with a membrane or a phase: memories measured beside predicted.

*memories*: theta 0.5 s, order 6, white noise of 2 Hz and rms 0.5, 300 Hz, tau 0.1 s and
dt 1 ms, 8 trials of 30 s, without feedback and with the one that ``"auto"`` chooses.

*predictions*: 96 memories of integrate-and-fire, LIF and adaptive LIF neurons at
random, each without and with feedback, 16 runs that differ by their initial voltages:
order 1 to 16, 8 to 1,000 neurons a coefficient, theta 0.05 to 1 s, dt 0.3 to 2 ms, 0 to
3 steps of delay, pairs or heterogeneous curves, and ``balanced``.

*signals*: 72 such memories on signals that they were not made for: noise of twice the
band or five times as loud, steps, bursts, and silence.
"""

import warnings
from itertools import count

import nengo
import numpy as np
from feedback import KINDS, WORSE, make_signal, stream, trial

from lmu_spiking import LegendreMemory, MemorySpec, predict, white_noise
from lmu_spiking.errors import MappingError, ValidityWarning
from lmu_spiking.experiments.records import average, in_parallel
from lmu_spiking.experiments.runs import run_probed
from lmu_spiking.memory.design import assemble, design
from lmu_spiking.signals import SignalSpec

SEED, TRIALS, DURATION = 7200, 8, 30.0
RUNS = 16  # of a random memory
MEMBRANES = {"if": 20_000, "lif": 6000, "adaptive": 6000}  # the most neurons of each


def memories(fast: bool) -> list[tuple[str, MemorySpec]]:
    """Return the memories of the table, each without and with feedback."""
    sizes = (600,) if fast else (600, 6000, 60_000)
    found = []
    for kind in MEMBRANES:
        radii = 1.0 if kind == "if" else 1.5
        for m in sizes[: 2 if kind == "adaptive" else 3]:
            plain = MemorySpec(n_neurons=m, neuron_type=kind, radii=radii)
            plain = plain.replace(initial_phases="random")
            # chosen once for all trials
            feedback = design(plain.replace(error_feedback="auto")).mapped.feedback
            asked = feedback and (feedback.rate, feedback.tau)
            found += [(kind, plain), (kind, plain.replace(error_feedback=asked))]
    return found


def prediction(k: int, fast: bool) -> dict:
    """Return the measured and the predicted error of a memory of such neurons."""
    name = list(MEMBRANES)[k // 2 % 3]
    about: dict = {"neuron_type": name, "error_feedback": (None, "auto")[k % 2]}
    about["initial_phases"] = "random"
    made, drawn = stable_design(k // 6, about)
    window, dt, band = made.ldn.steps(made.dt), made.dt, drawn["bandwidth"]
    steps = int(np.clip(max(60 * window, 40 / (band * dt)), 5000, 30_000))
    u = white_noise((steps + 3 * window) * dt, dt, band, 0.5, SEED + k // 6).samples
    with nengo.Network(seed=k) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], dt))
        memory = LegendreMemory.from_design(made)
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    many = {"trials": 2 if fast else RUNS, "noise_seed": SEED + k, "target": "compiled"}
    state = run_probed(model, dt, len(u), probe, **many)[0]
    exact, c = made.ldn.simulate(u, dt), made.ldn.readout((window - 1) * dt, dt).ravel()
    errors = ((state[:, 1:] - exact[:-1]) @ c)[:, 3 * window :]
    each = np.sqrt(np.mean(errors**2, axis=1))
    with warnings.catch_warnings():  # of neurons that cannot carry the memory
        warnings.simplefilter("ignore", ValidityWarning)
        found = float(predict(made, u, lead=2 * window).readout_rmse(window * dt)[0])
    rms = float(np.sqrt(np.mean((exact[3 * window :] @ c) ** 2)))
    measured = float(np.sqrt(np.mean(each**2)))
    spread = float(each.std(ddof=1) / each.mean() / np.sqrt(len(each)))
    rate = made.mapped.feedback and made.mapped.feedback.rate
    row = drawn | about | {"rate": rate, "noise_nrmse": measured / rms}
    return row | {"ratio": measured / found, "standard_error": spread}


def stable_design(k: int, about: dict):
    """Return the first random memory that is stable, and its settings."""
    for attempt in count():
        try:
            return draw_design(k, attempt, about)
        except MappingError:  # so few neurons, or so fast a loop
            continue


def draw_design(k: int, attempt: int, about: dict):
    """Return a random memory of neurons with membranes, and its settings."""
    rng = np.random.RandomState([SEED, 1, k, attempt])

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    order, each, theta = round(between(1, 16)), between(8, 1000), between(0.05, 1)
    dt, delay = min(between(3e-4, 2e-3), theta / 25), int(rng.choice([0, 0, 1, 2, 3]))
    band = min(order / (2 * theta) * rng.uniform(0.5, 1), 0.2 / dt)
    tuning, kind = [None, None, "balanced"][rng.choice(3)], about["neuron_type"]
    options = {"synapse": theta * rng.uniform(0.1, 0.4), "dt": dt, "tuning": tuning}
    options |= {"delay_steps": delay, "signal": SignalSpec(band, 0.5)} | about
    if tuning is None and kind != "if":
        options["radii"] = 1.5
    n = min(max(int(order * each), 2 * order), MEMBRANES[kind])
    drawn = {"order": order, "neurons": n, "theta": theta, "bandwidth": band, "dt": dt}
    drawn |= {"delay_steps": delay, "tuning": tuning or "default"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ValidityWarning)
        return assemble(n, order, theta, **options), drawn


def signals(k: int, fast: bool) -> dict:
    """Return the errors of a random memory with and without feedback on a signal."""
    kind, errors = KINDS[k % len(KINDS)], {}
    about: dict = {"neuron_type": list(MEMBRANES)[k % 3]}
    drawn: dict = {}
    for asked in (None, "auto"):
        made, drawn = stable_design(1000 + k, about | {"error_feedback": asked})
        window = made.ldn.steps(made.dt)
        steps = window * (6 if fast else int(np.clip(3e4 // window, 10, 60)))
        u = make_signal(kind, drawn, steps, SEED + k)
        c = made.ldn.readout((window - 1) * made.dt, made.dt).ravel()
        error = stream(made, u, k)[window:] @ c
        errors[asked or "off"] = float(np.sqrt(np.mean(error**2)))
    silent = not any(errors.values())  # of either
    ratio = 1.0 if silent else errors["auto"] / errors["off"]
    return drawn | about | {"signal": kind, "ratio": ratio} | errors


def membranes(options) -> dict:
    """Return errors with and without feedback, and how good predictions are."""
    fast = options.fast
    n, seconds = (2, 2.0) if fast else (TRIALS, DURATION)
    seeds = range(SEED, SEED + n)
    cells = [(*memory, seed, seconds) for memory in memories(fast) for seed in seeds]
    rows = in_parallel(trial, cells, options.jobs)
    keys = ("memory", "neurons", "order", "dt", "feedback")
    record = {"seeds": [SEED, SEED + n - 1]}
    record["memories"] = average(rows, keys, ["spikes_per_s"], ["noise_nrmse"])
    record["predicted"] = average(rows, keys, ["predicted_noise_nrmse"], [])
    for name, measure, cases in (
        ("predictions", prediction, 96),
        ("signals", signals, 72),
    ):
        cells = [(k, fast) for k in range(6 if fast else cases)]
        record[name] = in_parallel(measure, cells, options.jobs)
    record["worse"] = sum(row["ratio"] > WORSE for row in record["signals"])
    return record
