"""The interval of a run: how often it holds what runs of random memories measure.

200 memories (``--memories``) at random, half of them of Poisson or stochastic neurons,
the others of integrate-and-fire, LIF or adaptive ones: order 1 to 16, 8 to 2,000
neurons a coefficient (and at most 3,000 in all of the latter), theta 0.05 to 2 s, dt
0.3 to 2 ms, tau 0.1 to 0.5 theta, all tunings, with error feedback and without.  Each
has a signal of 3 to 60 s (noise, a sine, steps, or the electrocardiogram; 20 s for the
latter), and four runs of other spikes.
"""

import warnings
from itertools import count

import numpy as np

from lmu_spiking import MemorySpec, white_noise
from lmu_spiking.errors import MappingError, ValidityWarning
from lmu_spiking.experiments.records import in_parallel
from lmu_spiking.memory.design import design
from lmu_spiking.metrics import rms
from lmu_spiking.signals import Signal, SignalSpec, ecg
from lmu_spiking.studies.trial import run_trial

SEED, RUNS = 20261201, 4
LEVELS = (0.95, 0.5)


def draw_memory(rng) -> tuple[MemorySpec, str, float]:
    """Return a random memory, the kind of its signal, and seconds of it."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    order, each, theta = round(between(1, 16)), between(8, 2000), between(0.05, 2)
    dt = float(f"{min(between(3e-4, 2e-3), theta / 25):.2g}")
    seconds = max(between(3, 60), 3 * theta)
    band = min(order / (2 * theta) * rng.uniform(0.4, 1), 0.1 / dt, 20.0)
    noisy = bool(rng.randint(2))
    kinds = ["poisson", "stochastic"] if noisy else ["if", "lif", "adaptive"]
    kind = str(rng.choice(kinds))
    tunings = ["pairs", "recruited", "balanced", "optimal"]
    if not noisy:
        tunings = ["pairs" if kind == "if" else "drawn", "balanced"]
        seconds = min(seconds, max(20, 3 * theta))
    tuning, n = str(rng.choice(tunings)), max(int(order * each), 2 * order)
    spec = MemorySpec(
        n_neurons=n if noisy else min(n, 3000),
        order=order,
        theta=theta,
        tau=theta * rng.uniform(0.1, 0.5),
        dt=dt,
        neuron_type=kind,
        tuning=tuning,
        radii=1.5 if tuning == "drawn" else 1.0,
        aggregated=kind == "poisson",
        initial_phases="random" if kind == "if" and n % 2 else None,
        signal=SignalSpec(max(band, 2 / seconds), 0.5),
        error_feedback=[None, "auto"][rng.randint(2)],
    )
    return spec, str(rng.choice(["white", "white", "sine", "steps", "ecg"])), seconds


def make_signal(kind: str, spec: MemorySpec, seconds: float, seed: int) -> Signal:
    """Return a signal of a kind."""
    band, t = spec.signal.bandwidth, np.arange(round(seconds / spec.dt)) * spec.dt
    if kind == "white":
        return white_noise(len(t) * spec.dt, spec.dt, band, 0.5, seed)
    if kind == "ecg":
        return ecg(len(t) * spec.dt, spec.dt)
    held = (t / (1.7 * spec.theta)).astype(int)
    levels = 0.5 * np.random.RandomState(seed).randn(held[-1] + 1)
    u = 0.7 * np.sin(np.pi * band * t) if kind == "sine" else levels[held]
    return Signal(u, spec.dt, kind, "made for this comparison")


def memory(k: int, fast: bool) -> dict:
    """Return what runs of one memory measured, and the intervals of a run."""
    for attempt in count():
        spec, kind, seconds = draw_memory(np.random.RandomState([SEED, k, attempt]))
        seconds = max(1.0, 3 * spec.theta) if fast else seconds
        signal = make_signal(kind, spec, seconds, SEED + k)
        with warnings.catch_warnings():  # the row has them
            warnings.simplefilter("ignore", ValidityWarning)
            try:  # so few neurons, or so fast a loop, that there is no error model
                seeds = range(RUNS * k, RUNS * (k + 1))
                given = design(spec).mapped.feedback
                if given and spec.neuron_type in ("if", "lif", "adaptive"):
                    pair = (given.rate, given.tau)  # chosen once
                    spec = spec.replace(error_feedback=pair)
                runs = [run_trial(spec.replace(noise_seed=s), signal) for s in seeds]
            except MappingError:
                continue
        break
    row, budget = runs[0].row, runs[0].predicted
    fields = ("order", "neurons", "theta", "dt", "tuning", "neuron_type", "duration")
    about = {name: row[name] for name in fields} | {"signal": kind}
    measured = [run.row["noise_nrmse"] for run in runs]
    asked = "auto" if spec.error_feedback else "off"
    about |= {"feedback": asked, "caution": bool(budget.caution)}
    predicted = row["predicted_noise_nrmse"]
    about |= {"predicted": predicted, "measured": measured}
    about["ratio"] = rms(measured) / predicted
    for level in LEVELS:
        ends = budget.interval(level=level)
        low, high = ends or (np.nan, np.nan)  # of an error that has not settled
        about[f"width_{level:g}"] = (high - low) / predicted
        about[f"within_{level:g}"] = sum(low <= each <= high for each in measured)
    return about


def coverage(rows: list[dict], **wanted) -> dict:
    """Return how many runs of some memories are within their intervals."""
    chosen = [r for r in rows if all(r[key] == v for key, v in wanted.items())]
    found = wanted | {"memories": len(chosen), "runs": RUNS * len(chosen)}
    for level in LEVELS if chosen else ():
        within = sum(row[f"within_{level:g}"] for row in chosen)
        found[f"within_{level:g}"] = within / found["runs"]
        widths = [row[f"width_{level:g}"] for row in chosen]
        found[f"median_width_{level:g}"] = float(np.nanmedian(widths))
    return found


def intervals(options) -> dict:
    """Return the share of runs within intervals, with and without error feedback."""
    n = 8 if options.fast else options.memories
    rows = in_parallel(memory, [(k, options.fast) for k in range(n)], options.jobs)
    noisy = ("poisson", "stochastic")
    for row in rows:
        row["neurons_of"] = "noise" if row["neuron_type"] in noisy else "membranes"
    kinds = [(f, c) for f in ("off", "auto") for c in (False, True)]
    table = [
        coverage(rows, neurons_of=of, feedback=f, caution=c)
        for of in ("noise", "membranes")
        for f, c in kinds
    ]
    table.append(coverage(rows))
    return {"seed": SEED, "coverage": table, "memories": rows}
