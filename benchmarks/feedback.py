"""Error feedback: the same memories with and without it, measured beside predicted.

*memories*: theta 0.5 s, white noise of 2 Hz and rms 0.5, 300 Hz, tau 0.1 s and dt 1 ms
unless said, 8 trials of 30 s, real neurons throughout.  Feedback is ``"auto"``, and for
LIF neurons, which have no error model to choose by, 200 per second and 20 ms.  Plain
Nengo, untuned and tuned to as many spikes as ``optimal``, is as in ``python benchmarks
noise``.

*predictions*: 60 Poisson and stochastic memories at random: order 1 to 32, 8 to 5,000
neurons a coefficient, theta 0.05 to 2 s, dt 0.1 to 2 ms, 0 to 3 steps of delay, all
tunings.

*signals*: 200 such memories (``--signals``) on signals that they were not made for:
noise of twice the band or five times as loud, steps, bursts, and silence.
"""

import warnings
from itertools import count

import nengo
import numpy as np
from noise import plain_nengo, rivals

from lmu_spiking import LegendreMemory, MemorySpec, predict, white_noise
from lmu_spiking.errors import MappingError, ValidityWarning
from lmu_spiking.experiments.records import average, in_parallel
from lmu_spiking.experiments.runs import run_probed
from lmu_spiking.memory.design import assemble
from lmu_spiking.signals import SignalSpec
from lmu_spiking.studies.trial import run_trial

SEED, TRIALS, DURATION = 7200, 8, 30.0
GIVEN = (200.0, 0.02)  # rate and time constant where none is chosen
WORSE = 1.05  # error with feedback over that without, above which it does harm
KINDS = ("same", "twice the band", "five times as loud", "steps", "bursts", "silence")


def memories(fast: bool) -> list[tuple[str, MemorySpec]]:
    """Return the memories of the table, each without and with feedback."""
    plain = MemorySpec(n_neurons=6000)
    sizes = (600,) if fast else (600, 6000, 60_000)
    table = [("pairs", plain.replace(n_neurons=m)) for m in sizes]
    if fast:
        return [both for name, spec in table for both in with_and_without(name, spec)]
    table += [("pairs", plain.replace(order=d)) for d in (3, 12, 24)]
    table += [("pairs, dt 0.1 ms", plain.replace(dt=1e-4))]
    for tuning in ("balanced", "optimal"):
        best = plain.replace(tuning=tuning, tau=None)
        table += [(tuning, best.replace(n_neurons=m)) for m in sizes]
    for kind in ("lif", "adaptive"):
        other = plain.replace(neuron_type=kind, radii=1.5)
        table += [(kind, other.replace(n_neurons=m)) for m in sizes[:2]]
    return [both for name, spec in table for both in with_and_without(name, spec)]


def with_and_without(name: str, spec: MemorySpec) -> list[tuple[str, MemorySpec]]:
    """Return a memory without feedback, and with it."""
    asked = "auto" if spec.neuron_type == "poisson" else GIVEN
    return [(name, spec), (name, spec.replace(error_feedback=asked))]


def trial(name: str, spec: MemorySpec, seed: int, duration: float, plain=None) -> dict:
    """Return the row of one run: of ours, or of plain Nengo's neurons and arguments."""
    signal = white_noise(duration, spec.dt, 2.0, 0.5, seed)
    if plain is None:
        with warnings.catch_warnings():  # of loops in which curves do not hold
            warnings.simplefilter("ignore", ValidityWarning)
            row = run_trial(spec.replace(noise_seed=seed), signal).row
    else:
        row = plain_nengo(spec, *plain, signal.samples, seed)
    row |= {"memory": name, "neurons": spec.n_neurons, "order": spec.order}
    asked = spec.error_feedback
    given = f"{asked[0]:g}, {asked[1]:g}" if isinstance(asked, tuple) else asked
    return row | {"feedback": given or "off", "dt": spec.dt}


def random_design(k: int, asked):
    """Return one of the random memories, and its settings: the first that is stable."""
    for attempt in count():
        drawn = {}
        try:
            for each in (None, "auto"):
                rng = np.random.RandomState([SEED, k, attempt])
                drawn[each] = draw_design(rng, each)
        except MappingError:  # so few neurons, or so fast a loop
            continue
        return drawn[asked]


def draw_design(rng, asked):
    """Return a random memory, and its settings."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    order, each, theta = round(between(1, 32)), between(8, 5000), between(0.05, 2)
    dt, delay = min(between(1e-4, 2e-3), theta / 25), int(rng.choice([0, 0, 1, 2, 3]))
    band = min(order / (2 * theta) * rng.uniform(0.5, 1), 0.2 / dt)
    tuning = str(rng.choice(["pairs", "balanced", "optimal"]))
    kind = str(rng.choice(["poisson", "stochastic"]))
    options = {"synapse": theta * rng.uniform(0.1, 0.4), "dt": dt, "tuning": tuning}
    options |= {"delay_steps": delay, "signal": SignalSpec(band, 0.5)}
    sizes = (max(int(order * each), 2 * order), order, theta)
    options |= {"neuron_type": kind, "aggregated": True, "error_feedback": asked}
    about = {"order": order, "neurons": sizes[0], "theta": theta, "bandwidth": band}
    about |= {"dt": dt, "delay_steps": delay, "tuning": tuning, "neuron_type": kind}
    return assemble(*sizes, **options), about


def stream(design, u: np.ndarray, seed: int) -> np.ndarray:
    """Return the error (T, d) of a memory's state over an input."""
    with nengo.Network(seed=seed) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], design.dt))
        memory = LegendreMemory.from_design(design)
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    state = run_probed(model, design.dt, len(u), probe, target="compiled")[0]
    return state[1:] - design.ldn.simulate(u, design.dt)[:-1]


def prediction(k: int, fast: bool) -> dict:
    """Return the measured and the predicted noise of one random memory."""
    design, about = random_design(k, "auto")
    window = design.ldn.steps(design.dt)
    steps = int(max(300 * about["theta"], 100 / about["bandwidth"]) / design.dt)
    steps = 10 * window if fast else min(steps, 200_000) + 3 * window
    dt, band = design.dt, about["bandwidth"]
    u = white_noise(steps * dt, dt, band, 0.5, SEED + k).samples
    c = design.ldn.readout((window - 1) * dt, dt).ravel()
    measured = float(np.sqrt(np.mean((stream(design, u, k)[3 * window :] @ c) ** 2)))
    found = float(predict(design, u, lead=2 * window).readout_rmse(window * dt)[0])
    rate = design.mapped.feedback and design.mapped.feedback.rate
    return about | {"rate": rate, "measured": measured, "ratio": measured / found}


def make_signal(kind: str, about: dict, steps: int, seed: int) -> np.ndarray:
    """Return samples of a kind of signal."""
    dt, band = about["dt"], about["bandwidth"]
    wide = min(2 * band, 0.4 / dt) if kind == "twice the band" else band
    u = white_noise(steps * dt, dt, wide, 0.5, seed).samples
    at = np.arange(steps) * dt / about["theta"]
    if kind == "five times as loud":
        return 5 * u
    if kind == "steps":
        return np.where(np.floor(at / 1.7) % 2, 0.5, -0.5)
    if kind == "bursts":
        return u * (at % 4 < 1)
    return 0 * u if kind == "silence" else u


def signals(k: int, fast: bool) -> dict:
    """Return the errors of a random memory with and without feedback on a signal."""
    kind, errors = KINDS[k % len(KINDS)], {}
    for asked in (None, "auto"):
        design, about = random_design(k + 1000, asked)
        window = design.ldn.steps(design.dt)
        steps = window * (6 if fast else int(np.clip(1e5 // window, 10, 60)))
        u = make_signal(kind, about, steps, SEED + k)
        c = design.ldn.readout((window - 1) * design.dt, design.dt).ravel()
        error = stream(design, u, k)[window:] @ c
        errors[asked or "off"] = float(np.sqrt(np.mean(error**2)))
    silent = not any(errors.values())  # of either
    ratio = 1.0 if silent else errors["auto"] / errors["off"]
    return about | {"signal": kind, "ratio": ratio} | errors


def feedback(options) -> dict:
    """Return errors with and without feedback, and how good predictions are."""
    fast = options.fast
    n, seconds = (2, 2.0) if fast else (TRIALS, DURATION)
    seeds = range(SEED, SEED + n)
    cells = [(*memory, seed, seconds) for memory in memories(fast) for seed in seeds]
    for name, spec, base, tuning in rivals(600 if fast else 6000):
        cells += [(name, spec, seed, seconds, (base, tuning)) for seed in seeds]
    rows = in_parallel(trial, cells, options.jobs)
    keys = ("memory", "neurons", "order", "dt", "feedback")
    table = average(rows, keys, ["spikes_per_s"], ["noise_nrmse"])
    known = [row for row in rows if row.get("predicted_noise_nrmse")]
    said = average(known, keys, ["predicted_noise_nrmse"], [])
    record = {"seeds": [SEED, SEED + n - 1], "memories": table, "predicted": said}
    parts = {"predictions": (prediction, 60), "signals": (signals, options.signals)}
    for name, (measure, cases) in parts.items():
        cells = [(k, fast) for k in range(4 if fast else cases)]
        record[name] = in_parallel(measure, cells, options.jobs)
    ratios = [row["ratio"] for row in record["signals"]]
    record["worst_ratio"] = max(ratios)
    record["worse"] = sum(ratio > WORSE for ratio in ratios)
    return record
