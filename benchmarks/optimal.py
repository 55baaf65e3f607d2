"""Noise-optimal memories beside the plain one, and how their error grows with order.

    python benchmarks/optimal.py [--jobs 2]

m = 6,000 Poisson neurons, theta 0.5 s, dt 1 ms, white noise of 2 Hz and rms 0.5, 4
trials of 60 s.  *plain*: on/off pairs of radius 1; *plain, scaled*: the one radius
with which no neuron exceeds 300 Hz more than 0.1 % of the time; *plain, each scaled*: a
radius for each dimension; *plain, tuned*: the synapse of *optimal* and as many spikes,
radii as a power of each dimension's standard deviation, the power of least predicted
error.  Rates are measured in each run: ``mean_rate`` over all neurons, and
``peak_rate``, the 99.9th percentile over time of the busiest neuron, both of the
highest of the trials.  *optimal* runs real neurons, the others their sums.

Then the predicted error alone, and runs beside it, for orders 2 to 64 at constant m: a
signal of 2 Hz, and one whose bandwidth is what each order can hold (truncation error
1 %).  ``exponents`` has four errors: the readout at delay theta, that of the newest
sample, the window of 100 delays, and the norm of the state's error.
A few minutes on 2 cores (three on one).  Writes benchmarks/results/optimal.json and
docs/figures/optimal.png.

    python benchmarks/optimal.py --off-signal [--speech fsdd.npz]

Memories with ceilings and other bent curves on signals that they were not tuned to
(2 Hz, rms .5), measured over predicted: `CASES`.  Then *balanced*, tuned to the same
noise, beside *plain* on each of the signals.  Speech is a file of recordings at 8 kHz
in an array ``audio``; one memory hears it at that rate.  About 5 minutes; writes
benchmarks/results/off_signal.json.
"""

import argparse
from pathlib import Path

import nengo
import numpy as np
from scipy.optimize import brentq

from lmu_spiking import (
    MemorySpec,
    Signal,
    SignalSpec,
    Simulator,
    Tuning,
    ecg,
    white_noise,
)
from lmu_spiking.experiments.figures import optimal_figure
from lmu_spiking.memory.basis import band_moments
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.recruitment import reach
from lmu_spiking.neurons.types import RampLinear
from lmu_spiking.plots import save_figure
from lmu_spiking.processes import in_processes
from lmu_spiking.studies.metrics import confidence, power_law
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import run_trial, versions
from lmu_spiking.theory.plan import Request
from lmu_spiking.theory.predict import LEAD, budget_of, predict_band

ROOT = Path(__file__).resolve().parent.parent
SEED, TRIALS, DURATION = 5200, 4, 60.0
NEURONS, ORDERS = 6000, (6, 12, 24)
GROWTH = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
SHOWN = (2, 4, 8, 16, 32)  # orders that are run, not only predicted
POWERS = (0, 0.25, 0.5, 1)  # of the standard deviation, for the radii of *plain, tuned*
MEASURES = ("noise_nrmse", "window_noise_nrmse")
ERRORS = (*MEASURES, "newest_noise_nrmse", "state_noise_norm")


def specs(order: int) -> dict[str, MemorySpec]:
    """What is compared."""
    plain = MemorySpec(n_neurons=NEURONS, order=order)
    spread = np.sqrt(np.diag(band_moments(plain.ldn, plain.dt, 2.0, 0.5)))
    # its own noise widens the state: one more turn of the fixed point
    radii = np.ones(order)
    for _ in range(20):
        noise = predict_band(plain.replace(radii=tuple(radii))).noise
        radii = reach(1) * np.sqrt(spread**2 + np.diag(noise))
    optimal = plain.replace(tuning="optimal", tau=None)
    return {
        "plain": plain,
        "plain, scaled": plain.replace(radii=float(radii.max())),
        "plain, each scaled": plain.replace(radii=tuple(radii)),
        "plain, tuned": tuned(plain.replace(tau=optimal.tau), optimal, spread),
        "balanced": plain.replace(tuning="balanced", tau=None),
        "optimal": optimal,
    }


def tuned(plain: MemorySpec, rival: MemorySpec, spread: np.ndarray) -> MemorySpec:
    """Return the on/off pairs of least error that spend as many spikes as ``rival``."""
    spikes, drafts = predict_band(rival).spikes_per_s, []
    for power in POWERS:
        scale, noise = 1.0, np.zeros(len(spread))
        for _ in range(20):  # noise makes spikes, too: a fixed point
            radii = scale * (spread**2 + noise) ** (power / 2)
            spec = plain.replace(radii=tuple(radii))
            band = predict_band(spec)
            scale, noise = scale * band.spikes_per_s / spikes, np.diag(band.noise)
        drafts.append((errors_of(spec, 2.0)["noise_nrmse"], spec))
    return min(drafts, key=lambda draft: draft[0])[1]


def trial(name: str, spec: MemorySpec, number: int) -> dict:
    signal = white_noise(DURATION, spec.dt, 2.0, 0.5, SEED + number)
    spec = spec.replace(noise_seed=SEED + number)
    # sums of spikes are exact in distribution: real neurons where it matters most
    spec = spec.replace(aggregated=name != "optimal")
    result = run_trial(spec, signal)
    memory = LegendreMemory.from_spec(spec, add_to_container=False)
    carried = result.state @ memory.assembly.T.T
    # curves rise: a neuron's percentile of rate is its rate at the value's percentile
    peaks = [
        _single(memory.population, i, np.quantile(x, [0.001, 0.999])).max()
        for i, x in enumerate(carried.T)
    ]
    row = result.row
    keys = (*MEASURES, *(f"predicted_{key}" for key in MEASURES))
    keys += ("mean_rate", "spikes_per_s", "order", "tau")
    return {"tuning": name, "peak_rate": max(peaks)} | {key: row[key] for key in keys}


def _single(population, i: int, x) -> np.ndarray:
    """Rates of single neurons, also where entries stand for many."""
    return population.rates(i, x) / population.per_unit[population.block(i)]


def compare(rows: list[dict]) -> list[dict]:
    """Means over trials, and what is gained on the plain memory."""
    table, plain = [], {}
    for order, name in dict.fromkeys((row["order"], row["tuning"]) for row in rows):
        mine = [r for r in rows if (r["order"], r["tuning"]) == (order, name)]
        entry = {"order": order, "tuning": name, "tau": mine[0]["tau"]}
        for key in MEASURES:
            entry[key], entry[f"{key}_ci95"] = confidence([r[key] for r in mine])
            entry[f"predicted_{key}"] = float(
                np.mean([r[f"predicted_{key}"] for r in mine])
            )
            entry[f"{key}_less_than_plain"] = 1 - entry[key] / plain.setdefault(
                (order, key), entry[key]
            )
        entry["mean_rate"] = max(r["mean_rate"] for r in mine)
        entry["peak_rate"] = max(r["peak_rate"] for r in mine)
        entry["spikes_per_s"] = float(np.mean([r["spikes_per_s"] for r in mine]))
        table.append(entry)
        print(
            "d={order:2} {tuning:19} tau {tau:4.2f}  theta {noise_nrmse:.4f} "
            "(predicted {predicted_noise_nrmse:.4f}, "
            "{noise_nrmse_less_than_plain:4.0%} less)  window {window_noise_nrmse:.4f} "
            "({predicted_window_noise_nrmse:.4f}, "
            "{window_noise_nrmse_less_than_plain:4.0%} less)  mean {mean_rate:.1f} "
            "peak {peak_rate:.0f} Hz".format(**entry),
            flush=True,
        )
    return table


def errors_of(spec: MemorySpec, bandwidth: float) -> dict[str, float]:
    """Return the predicted errors from spikes on noise of a bandwidth, rms 0.5."""
    noise = predict_band(spec).noise
    states = band_moments(spec.ldn, spec.dt, bandwidth, 0.5)

    def relative(*delays) -> float:
        c = np.atleast_2d([spec.ldn.readout(delay, spec.dt) for delay in delays])
        return float(np.sqrt(np.trace(c @ noise @ c.T) / np.trace(c @ states @ c.T)))

    last = spec.theta - spec.dt  # the network's own step makes it theta
    values = (
        relative(last),
        relative(*np.linspace(0, last, 100)),
        relative(0.0),
        float(np.sqrt(np.trace(noise))),
    )
    return dict(zip(ERRORS, values, strict=True))


def growth(n_neurons: int) -> list[dict]:
    """Return the predicted errors of each order, plain and optimal."""
    rows = []
    for order in GROWTH:
        for signal, bandwidth in (("2 Hz", 2.0), ("what d holds", held(order))):
            band = SignalSpec(bandwidth, 0.5)
            spec = MemorySpec(n_neurons=n_neurons, order=order, signal=band)
            for name in ("plain", "optimal"):
                row = {"order": order, "signal": signal, "bandwidth": bandwidth}
                row |= {"neurons": n_neurons, "tuning": name}
                if name == "optimal":
                    spec = spec.replace(tuning="optimal", tau=None)
                found = errors_of(spec.replace(aggregated=True), bandwidth)
                row |= {f"predicted_{error}": value for error, value in found.items()}
                rows.append(row | {"tau": spec.tau})
    return rows


def held(order: int) -> float:
    """Bandwidth, Hz, of which the order misses 1 % at delay theta."""

    def missed(log_bandwidth: float) -> float:
        band = float(np.exp(log_bandwidth))
        request = Request(0.5, 0.5, band, 0.5, 1e-3, 300.0, None, order)
        return request.truncation(order) - 0.01

    return float(np.exp(brentq(missed, np.log(0.02), np.log(90.0), xtol=1e-3)))


def measured(row: dict, number: int) -> dict:
    """A run of a point of `growth`, its neurons as their sums."""
    tuning = "optimal" if row["tuning"] == "optimal" else None
    spec = MemorySpec(
        n_neurons=row["neurons"],
        order=row["order"],
        tuning=tuning,
        tau=row["tau"],
        aggregated=True,
        noise_seed=SEED + number,
        signal=SignalSpec(row["bandwidth"], 0.5),
    )
    duration = max(DURATION, 60 / row["bandwidth"])
    signal = white_noise(duration, spec.dt, row["bandwidth"], 0.5, SEED + number)
    return row | {"noise_nrmse": run_trial(spec, signal).row["noise_nrmse"]}


def exponents(rows: list[dict]) -> list[dict]:
    """Fit the exponent of each predicted error against the order, from 4 on."""
    table = []
    for key in dict.fromkeys((r["signal"], r["tuning"], r["neurons"]) for r in rows):
        mine = [r for r in rows if (r["signal"], r["tuning"], r["neurons"]) == key]
        mine = [r for r in mine if r["order"] >= 4]
        entry = dict(zip(("signal", "tuning", "neurons"), key, strict=True))
        for error in ERRORS:
            law = power_law(
                [r["order"] for r in mine], [r[f"predicted_{error}"] for r in mine]
            )
            table.append(entry | {"error": error, "exponent": law.exponent})
            print(
                "{signal:13} {tuning:8} m={neurons:,}: {error} grows as "
                "d^{exponent:.2f}".format(**table[-1])
            )
    return table


# -- off the signal that a memory was tuned to -----------------------------------------

OWN = SignalSpec(2.0, 0.5)
OFF_SEED, OFF_TRIALS, OFF_SECONDS = 7000, 8, 12.0
CASES = tuple(
    (tuning, signal)
    for signal, tunings in {
        "band 0.5": ("bounded",),
        "band 1.25": ("optimal",),
        "band 2": ("optimal", "ramp"),
        "band 4": ("optimal", "bounded", "drawn-lif"),
        "loud 0.3": ("optimal", "drawn-lif"),
        "loud 3": ("optimal", "bounded", "ramp", "drawn", "drawn-lif"),
        "sine 0.5": ("bounded",),
        "sine 2": ("optimal",),
        "ecg": ("optimal", "ramp"),
        "speech": ("optimal", "bounded"),
        "speech 8 kHz": ("optimal",),
    }.items()
    for tuning in tunings
)


# errors that scatter more from run to run
MORE_TRIALS = {
    ("bounded", "band 0.5"): 32,
    ("bounded", "sine 0.5"): 32,
    ("ramp", "band 2"): 32,
    ("ramp", "ecg"): 32,
}


def off_signal(name: str, speech=None, seconds: float = OFF_SECONDS):
    """Return a signal (T,) that is not white noise of `OWN`, and its step (s)."""
    kind, _, factor = name.partition(" ")
    t = 1e-3 * np.arange(round(seconds / 1e-3))
    if kind == "speech":
        recorded = Signal(speech[: round(8000 * seconds)], 1 / 8000, "speech", "")
        dt = recorded.dt if factor else 1e-3
        u = recorded.resampled(dt).samples
        return OWN.rms * u / u.std(), dt
    if kind == "ecg":
        u = ecg(seconds, 1e-3).samples
        return OWN.rms * u / u.std(), 1e-3
    factor = float(factor)
    if kind == "sine":
        tone = np.sin(2 * np.pi * factor * OWN.bandwidth * t)
        return OWN.rms * np.sqrt(2) * tone, 1e-3
    band, loud = (factor, 1.0) if kind == "band" else (1.0, factor)
    noise = white_noise(seconds, 1e-3, band * OWN.bandwidth, loud * OWN.rms, OFF_SEED)
    return noise.samples, 1e-3


def off_memory(tuning: str, dt: float) -> dict:
    """Return arguments of a memory of 0.5 s, or of 20 ms and 200 Hz at fast steps."""
    slow = dt > 5e-4
    made = {"n_neurons": 6000, "order": 6 if slow else 12, "dt": dt, "signal": OWN}
    made["theta"] = 0.5 if slow else 0.02
    if not slow:
        made |= {"signal": SignalSpec(200.0, OWN.rms), "n_neurons": 60_000}
    if tuning in ("optimal", "balanced", "plain", "bounded"):
        kind = {"plain": None, "bounded": Tuning("recruited", bounded=True)}
        made |= {"tuning": kind.get(tuning, tuning), "aggregated": True}
        return made
    made |= {"n_neurons": 600, "tuning": "drawn", "radii": 1.5}
    if tuning == "ramp":  # pairs of neurons that stop at the rate of the radius
        neurons = nengo.PoissonSpiking(RampLinear(300.0))
        made |= {"tuning": "pairs", "radii": 1.0, "neuron_type": neurons}
    elif tuning == "drawn-lif":
        made["neuron_type"] = "poisson-lif"
    return made


def measure_off(tuning: str, name: str, speech=None, trials=OFF_TRIALS, **more) -> dict:
    """Return the error at delay theta against the exact LDN, measured and predicted."""
    u, dt = off_signal(name, speech, **more)
    with nengo.Network(seed=OFF_SEED) as model:
        memory = LegendreMemory(**off_memory(tuning, dt))
        window = memory.ldn.steps(dt)
        heard = np.pad(u, (LEAD * window, 0), "reflect")
        stimulus = nengo.Node(nengo.processes.PresentInput(heard[:, None], dt))
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    budget = budget_of(memory, heard, lead=LEAD * window)
    seeds = [OFF_SEED + k for k in range(trials)]
    with Simulator(
        model, dt, progress_bar=False, trials=trials, noise_seed=seeds, threads=1
    ) as sim:
        sim.run_steps(len(heard))
        state = np.asarray(sim.data[probe])[:, LEAD * window + 1 :]
    c = memory.ldn.readout((window - 1) * dt, dt).ravel()
    exact = budget.states[:-1] @ c
    squares = np.mean((state @ c - exact)[:, window:] ** 2, axis=1)
    found = np.sqrt(squares.mean() / np.mean(exact[window:] ** 2))
    ratio = float(found / budget.noise_nrmse())
    half = confidence(squares / squares.mean())[1] / 2 * ratio  # of a root
    row = {"tuning": tuning, "signal": name, "noise_nrmse": float(found)}
    row |= {"seeds": [seeds[0], seeds[-1]]}
    row |= {"predicted_noise_nrmse": budget.noise_nrmse(), "ratio": ratio}
    return row | {"ratio_ci95": half, "beyond_radii": budget.beyond}


def off_signals(speech, jobs: int) -> None:
    """Measure all cases; print them and write them to a file."""
    cases = [case for case in CASES if speech is not None or "speech" not in case[1]]
    signals = dict.fromkeys(signal for _, signal in cases)
    both = [(tuning, signal) for signal in signals for tuning in ("plain", "balanced")]
    each = (
        (*case, speech, MORE_TRIALS.get(case, OFF_TRIALS)) for case in [*cases, *both]
    )
    rows = list(in_processes(measure_off, each, jobs))
    for row in rows:
        print(
            "{tuning:9} {signal:12} {noise_nrmse:.4f} predicted "
            "{predicted_noise_nrmse:.4f} ratio {ratio:.3f} ± {ratio_ci95:.3f}".format(
                **row
            )
        )
    beside = iter(rows[len(cases) :])
    gains = {
        plain["signal"]: balanced["noise_nrmse"] / plain["noise_nrmse"]
        for plain, balanced in zip(beside, beside, strict=True)
    }
    print("balanced over plain:", {name: round(g, 3) for name, g in gains.items()})
    write_json(
        ROOT / "benchmarks" / "results" / "off_signal.json",
        {
            "command": "python benchmarks/optimal.py --off-signal --speech fsdd.npz",
            "seeds": [OFF_SEED, OFF_SEED + max(MORE_TRIALS.values()) - 1],
            "rows": rows[: len(cases)],
            "plain_and_balanced": rows[len(cases) :],
            "balanced_over_plain": gains,
            "versions": versions(),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--off-signal", action="store_true")
    parser.add_argument("--speech", metavar="NPZ")
    options = parser.parse_args()
    jobs = options.jobs
    if options.off_signal:
        speech = None
        if options.speech:
            speech = np.load(options.speech)["audio"].astype(float)
        off_signals(speech, jobs)
        return
    cells = [
        (name, spec, number)
        for order in ORDERS
        for name, spec in specs(order).items()
        for number in range(TRIALS)
    ]
    law = [row for m in (60_000, 10**8) for row in growth(m)]
    slopes = exponents(law)
    points = [row for row in law if row["neurons"] == 60_000 and row["order"] in SHOWN]
    rows = list(in_processes(trial, cells, jobs))
    grown = list(in_processes(measured, ((row, 0) for row in points), jobs))
    table = compare(rows)
    save_figure(optimal_figure(table, law, grown), ROOT / "docs/figures/optimal.png")
    write_json(
        ROOT / "benchmarks" / "results" / "optimal.json",
        {
            "command": "python benchmarks/optimal.py",
            "seeds": [SEED, SEED + TRIALS - 1],
            "comparison": table,
            "growth": law,
            "growth_measured": grown,
            "exponents": slopes,
            "versions": versions(),
        },
    )


if __name__ == "__main__":
    main()
