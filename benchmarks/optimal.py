"""Noise-optimal memories beside the plain one, and how their error grows with order.

`optimal`: m = 6,000 Poisson neurons, theta 0.5 s, dt 1 ms, white noise of 2 Hz and rms
0.5, 4 trials of 60 s.  *plain*: on/off pairs of radius 1; *plain, scaled*: the one
radius with which no neuron exceeds 300 Hz more than 0.1 % of the time; *plain, each
scaled*: a radius for each dimension; *plain, tuned*: the synapse of *optimal* and as
many spikes, radii as a power of each dimension's standard deviation, the power of least
predicted error.  Rates are measured in each run: ``mean_rate`` over all neurons, and
``peak_rate``, the 99.9th percentile over time of the busiest neuron, both of the
highest of the trials.  *optimal* runs real neurons, the others their sums.

Then the predicted error alone, and runs beside it, for orders 2 to 64 at constant m: a
signal of 2 Hz, and one whose bandwidth is what each order can represent (truncation
error 1 %).  ``exponents`` has four errors: the readout at delay theta, that of the
newest sample, the window of 100 delays, and the norm of the state's error.

`off_signal`: memories with ceilings and other bent curves on signals that they were not
tuned to (2 Hz, rms 0.5), measured over predicted: `CASES`.  Then *balanced*, tuned to
the same noise, beside *plain* on each of the signals.  Speech is a file of recordings
at 8 kHz in an array ``audio``; one memory runs at that rate.
"""

import nengo
import numpy as np
from scipy.optimize import brentq

from lmu_spiking import (
    MemorySpec,
    Signal,
    SignalSpec,
    Tuning,
    ecg,
    white_noise,
)
from lmu_spiking.experiments.figures.optimal import optimal_figure
from lmu_spiking.experiments.records import average, in_parallel
from lmu_spiking.experiments.runs import run_probed, streamed
from lmu_spiking.memory.basis import band_moments
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.recruitment import reach
from lmu_spiking.neurons.types import RampLinear
from lmu_spiking.studies.metrics import confidence, power_law
from lmu_spiking.studies.trial import run_trial
from lmu_spiking.theory.plan import Request
from lmu_spiking.theory.predict import LEAD, budget_of, predict_band

SEED, TRIALS, DURATION = 5200, 4, 60.0
NEURONS, ORDERS = 6000, (6, 12, 24)
GROWTH = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
SHOWN = (2, 4, 8, 16, 32)  # orders that are run, not only predicted
POWERS = (0, 0.25, 0.5, 1)  # of the standard deviation, for the radii of *plain, tuned*
MEASURES = ("noise_nrmse", "window_noise_nrmse")
ERRORS = (*MEASURES, "newest_noise_nrmse", "state_noise_norm")


# -- tunings -------------------------------------------------------------------------


def specs(order: int, n_neurons: int) -> dict[str, MemorySpec]:
    """Return the memories that are compared at one order, by name."""
    plain = MemorySpec(n_neurons=n_neurons, order=order)
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


def trial(name: str, spec: MemorySpec, seed: int, duration: float) -> dict:
    """Run a memory on white noise; return its errors, predictions and rates."""
    signal = white_noise(duration, spec.dt, 2.0, 0.5, seed)
    # sums of spikes are exact in distribution: real neurons where it matters most
    spec = spec.replace(noise_seed=seed, aggregated=name != "optimal")
    result = run_trial(spec, signal)
    memory = LegendreMemory.from_spec(spec, add_to_container=False)
    population, peak = memory.population, 0.0
    # curves rise: a neuron's percentile of rate is its rate at the value's percentile
    for i, x in enumerate((result.state @ memory.assembly.T.T).T):
        rates = population.rates(i, np.quantile(x, [0.001, 0.999]))
        # entries of sums stand for many neurons
        peak = max(peak, (rates / population.per_unit[population.block(i)]).max())
    keys = (*MEASURES, *(f"predicted_{key}" for key in MEASURES))
    keys += ("mean_rate", "spikes_per_s", "order", "tau")
    row = {key: result.row[key] for key in keys}
    return {"tuning": name, "peak_rate": peak} | row


def compare(rows: list[dict]) -> list[dict]:
    """Return means over trials, and how much less the error is than the plain one's."""
    predicted = [f"predicted_{key}" for key in MEASURES]
    keys, most = ("order", "tuning", "tau"), ("mean_rate", "peak_rate")
    table = average(rows, keys, [*predicted, "spikes_per_s"], MEASURES, most)
    plain = {row["order"]: row for row in table if row["tuning"] == "plain"}
    for row in table:
        for key in MEASURES:
            row[f"{key}_less_than_plain"] = 1 - row[key] / plain[row["order"]][key]
    return table


# -- growth with the order -----------------------------------------------------------


def errors_of(spec: MemorySpec, bandwidth: float) -> dict[str, float]:
    """Return the predicted errors from spikes on noise of a bandwidth, rms 0.5."""
    noise = predict_band(spec).noise
    states = band_moments(spec.ldn, spec.dt, bandwidth, 0.5)

    def relative(*delays) -> float:
        c = np.atleast_2d([spec.ldn.readout(delay, spec.dt) for delay in delays])
        return float(np.sqrt(np.trace(c @ noise @ c.T) / np.trace(c @ states @ c.T)))

    last = spec.theta - spec.dt  # the network's own step makes it theta
    window = relative(*np.linspace(0, last, 100))
    norm = float(np.sqrt(np.trace(noise)))
    values = relative(last), window, relative(0.0), norm
    return dict(zip(ERRORS, values, strict=True))


def growth(n_neurons: int, orders) -> list[dict]:
    """Return the predicted errors of each order, plain and optimal."""
    rows = []
    for order in orders:
        bands = {"2 Hz": 2.0, "what d holds": bandwidth_of(order)}
        for signal, bandwidth in bands.items():
            band = SignalSpec(bandwidth, 0.5)
            plain = MemorySpec(n_neurons=n_neurons, order=order, signal=band)
            optimal = plain.replace(tuning="optimal", tau=None)
            for name, spec in (("plain", plain), ("optimal", optimal)):
                row = {"order": order, "signal": signal, "bandwidth": bandwidth}
                row |= {"neurons": n_neurons, "tuning": name, "tau": spec.tau}
                errors = errors_of(spec.replace(aggregated=True), bandwidth)
                row |= {f"predicted_{error}": value for error, value in errors.items()}
                rows.append(row)
    return rows


def bandwidth_of(order: int) -> float:
    """Return the bandwidth in Hz of which an order misses 1 % at delay theta."""

    def missed(log_bandwidth: float) -> float:
        band = float(np.exp(log_bandwidth))
        request = Request(0.5, 0.5, band, 0.5, 1e-3, 300.0, None, order)
        return request.truncation(order) - 0.01

    return float(np.exp(brentq(missed, np.log(0.02), np.log(90.0), xtol=1e-3)))


def measure_growth(row: dict, duration: float) -> dict:
    """Run a point of `growth`, its neurons as their sums."""
    band = row["bandwidth"]
    spec = MemorySpec(
        *(row["neurons"], row["order"]),
        tuning="optimal" if row["tuning"] == "optimal" else None,
        tau=row["tau"],
        aggregated=True,
        noise_seed=SEED,
        signal=SignalSpec(band, 0.5),
    )
    signal = white_noise(max(duration, 60 / band), spec.dt, band, 0.5, SEED)
    return row | {"noise_nrmse": run_trial(spec, signal).row["noise_nrmse"]}


def exponents(rows: list[dict]) -> list[dict]:
    """Fit the exponent of each predicted error against the order, from 4 on."""
    keys, table = ("signal", "tuning", "neurons"), []
    for entry in average(rows, keys):
        mine = [r for r in rows if r["order"] >= 4 and r.items() >= entry.items()]
        orders = [row["order"] for row in mine]
        for error in ERRORS:
            fit = power_law(orders, [row[f"predicted_{error}"] for row in mine])
            table.append(entry | {"error": error, "exponent": fit.exponent})
    return table


def optimal(options) -> dict:
    """Return the comparison of tunings, and the growth with the order."""
    orders, grown, trials, duration = ORDERS, GROWTH, TRIALS, DURATION
    neurons = 600 if options.fast else NEURONS
    if options.fast:
        orders, grown, trials, duration = (6,), (2, 4, 6, 8, 12), 2, 2.0
    law = [row for m in (60_000, 10**8) for row in growth(m, grown)]
    cells = [
        (name, spec, SEED + k, duration)
        for order in orders
        for name, spec in specs(order, neurons).items()
        for k in range(trials)
    ]
    rows = in_parallel(trial, cells, options.jobs)
    points = [row for row in law if row["neurons"] == 60_000 and row["order"] in SHOWN]
    cells = [(row, duration) for row in points]
    return {
        "seeds": [SEED, SEED + trials - 1],
        "comparison": compare(rows),
        "growth": law,
        "growth_measured": in_parallel(measure_growth, cells, options.jobs),
        "exponents": exponents(law),
    }


def draw_optimal(record: dict):
    """Return tunings at each order, and the growth with the order."""
    names = ("comparison", "growth", "growth_measured")
    return optimal_figure(*(record[name] for name in names))


# -- off the signal that a memory was tuned to -----------------------------------------

OWN = SignalSpec(2.0, 0.5)
OFF_SEED, OFF_TRIALS, MORE_TRIALS, OFF_SECONDS = 7000, 8, 32, 12.0
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
# cases whose errors scatter more from run to run
SCATTERED = {("bounded", "band 0.5"), ("bounded", "sine 0.5")}
SCATTERED |= {("ramp", "band 2"), ("ramp", "ecg")}


def signal_of(name: str, speech=None, seconds: float = OFF_SECONDS):
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
    made = {"order": 6, "theta": 0.5, "dt": dt, "signal": OWN, "n_neurons": 6000}
    if dt < 5e-4:
        made |= {"order": 12, "theta": 0.02, "n_neurons": 60_000}
        made["signal"] = SignalSpec(200.0, OWN.rms)
    if tuning.startswith("drawn"):
        neurons = "poisson-lif" if tuning == "drawn-lif" else "poisson"
        own = {"n_neurons": 600, "tuning": "drawn", "radii": 1.5}
        return made | own | {"neuron_type": neurons}
    if tuning == "ramp":  # pairs of neurons that stop at the rate of the radius
        neurons = nengo.PoissonSpiking(RampLinear(300.0))
        own = {"n_neurons": 600, "tuning": "pairs", "radii": 1.0}
        return made | own | {"neuron_type": neurons}
    kinds = {"plain": None, "bounded": Tuning("recruited", bounded=True)}
    return made | {"tuning": kinds.get(tuning, tuning), "aggregated": True}


def measure_off(tuning: str, name: str, speech=None, trials=OFF_TRIALS, **more) -> dict:
    """Return the error at delay theta against the exact LDN, measured and predicted."""
    u, dt = signal_of(name, speech, **more)
    memory = LegendreMemory(**off_memory(tuning, dt), add_to_container=False)
    window = memory.ldn.steps(dt)
    heard = np.pad(u, (LEAD * window, 0), "reflect")
    model, probe = streamed(memory, heard, OFF_SEED)
    budget = budget_of(memory, heard, lead=LEAD * window)
    seeds = [OFF_SEED + k for k in range(trials)]
    run = {"target": "compiled", "trials": trials, "noise_seed": seeds}
    (states,) = run_probed(model, dt, len(heard), probe, **run)
    state = states[:, LEAD * window + 1 :]
    c = memory.ldn.readout((window - 1) * dt, dt).ravel()
    exact = budget.states[:-1] @ c
    squares = np.mean((state @ c - exact)[:, window:] ** 2, axis=1)
    error = np.sqrt(squares.mean() / np.mean(exact[window:] ** 2))
    ratio = float(error / budget.noise_nrmse())
    half = confidence(squares / squares.mean())[1] / 2 * ratio  # of a root
    row = {"tuning": tuning, "signal": name, "noise_nrmse": float(error)}
    row |= {"seeds": [seeds[0], seeds[-1]]}
    row |= {"predicted_noise_nrmse": budget.noise_nrmse(), "ratio": ratio}
    return row | {"ratio_ci95": half, "beyond_radii": budget.beyond}


def off_signal(options) -> dict:
    """Return all cases, and *balanced* beside *plain* on each signal."""
    speech = None
    if options.speech:
        speech = np.load(options.speech)["audio"].astype(float)
    cases = [case for case in CASES if speech is not None or "speech" not in case[1]]
    cases = cases[:2] if options.fast else cases
    signals = dict.fromkeys(signal for _, signal in cases)
    both = [(tuning, signal) for signal in signals for tuning in ("plain", "balanced")]
    cells = []
    for case in [*cases, *both]:
        trials = MORE_TRIALS if case in SCATTERED else OFF_TRIALS
        cells.append((*case, speech, 2 if options.fast else trials))
    rows = in_parallel(measure_off, cells, options.jobs)
    rows, beside = rows[: len(cases)], rows[len(cases) :]
    errors = [row["noise_nrmse"] for row in beside]
    ratios = np.divide(errors[1::2], errors[::2]).tolist()
    return {
        "seeds": [OFF_SEED, OFF_SEED + MORE_TRIALS - 1],
        "rows": rows,
        "plain_and_balanced": beside,
        "balanced_over_plain": dict(zip(signals, ratios, strict=True)),
    }
