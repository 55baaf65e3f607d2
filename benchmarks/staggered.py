"""Staggered neurons: their error, the bound that holds for every input, and its limits.

`staggered`: theta 0.5 s, tau 0.1 s, dt 1 ms, white noise of 2 Hz and rms 0.5, 300 Hz; 8
trials of 20 s, whose signals nothing was tuned on.  *kinds*: the error at delay theta
of several kinds of neurons, against their number, at four orders; *slopes* of it in the
neurons, where the noise is under a tenth of the signal, over trials, and in the order;
*as_fast*: the same with a band of d/2 Hz, half of what each order holds.  *delays*:
loops with steps of delay beyond Nengo's own.  *points*: staggered memories at random
(order 2 to 32, 8 to 5,000 neurons a coefficient, theta 0.05 to 2 s, 0 to 3 steps of
delay).  Predictions are made of the first trial's signal, and compared as absolute
errors of the readout.

`bounds`: 250 random memories, each on 40 inputs of four windows: white noise, square
waves, chirps, impulses, noise 100 times too loud, silence, random walks, and inputs
that are made to break the bound.  These are: the sign of the readout's response,
reversed in time; two rounds of random changes to the worst input so far; and inputs
that know the neurons' voltages, and choose in each step, of 24 values, the one whose
rounding errors add most to the error at the end (*steered*).  *violations* counts runs
in which a readout or a coordinate exceeds its bound by more than rounding.

`mismatch`: 600 and 3,000 neurons at order 6, one by one, with what breaks the spacing:
unequal gains, noise in the voltages, spikes that are lost or late, neurons that die, a
reset to zero, and single precision; each without and with error feedback.  Beside them
is what the error model says: of spikes lost or late, the noise of thinning and the mean
that is missed; of neurons that die, that mean; of unequal gains, the error of neurons
that begin anywhere, which is the limit of mismatch.
"""

import warnings
from dataclasses import replace
from itertools import count, pairwise

import nengo
import numpy as np
from numba import njit

from lmu_spiking import LegendreMemory, MemorySpec, design, predict, white_noise
from lmu_spiking.dynamics.covariance import (
    closed_loop,
    rounding_covariance,
    stationary_covariance,
)
from lmu_spiking.errors import MappingError, ValidityWarning
from lmu_spiking.experiments.figures import column
from lmu_spiking.experiments.figures.staggered import (
    bounds_figure,
    mismatch_figure,
    staggered_figure,
)
from lmu_spiking.experiments.records import group, in_parallel
from lmu_spiking.experiments.runs import run_probed
from lmu_spiking.memory.basis import Realisation
from lmu_spiking.memory.design import assemble
from lmu_spiking.metrics import power_law
from lmu_spiking.signals import SignalSpec
from lmu_spiking.theory.bound import largest_error

SEED, TRIALS, DURATION = 8_800_000, 8, 20.0
LEAD = 2  # windows of signal before what counts
ORDERS, SIZES = (
    (2, 6, 12, 24),
    (120, 300, 600, 1200, 3000, 6000, 12_000, 30_000, 60_000),
)
SPARSE = (120, 600, 3000, 12_000, 60_000)
KINDS: dict[str, dict] = {
    "staggered if": {"neuron_type": "if"},
    "staggered regular": {"neuron_type": "regular"},
    "staggered if, balanced": {"neuron_type": "if", "tuning": "balanced", "tau": None},
    "staggered if, feedback": {"neuron_type": "if", "error_feedback": "auto"},
    "random if": {"neuron_type": "if", "initial_phases": "random"},
    "Poisson": {},
    "Poisson, feedback": {"error_feedback": "auto"},
}
SMALL = 0.1  # NRMSE of noise, below which all of its effect is linear
KEYS = ("kind", "order", "neurons", "delay_steps")


# -- error against neurons -----------------------------------------------------------


def signals_of(made, seconds: float, band: float, trials: int) -> np.ndarray:
    """Return samples (trials, T) of white noise, led in by `LEAD` windows."""
    lead = LEAD * made.ldn.steps(made.dt)
    drawn = (white_noise(seconds, made.dt, band, 0.5, SEED + k) for k in range(trials))
    return np.stack([signal.led_in(lead) for signal in drawn])


def errors_of(made, u: np.ndarray, **options) -> np.ndarray:
    """Return the state's error (trials, T - 1, d) on inputs (trials, T)."""
    with nengo.Network(seed=0) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[0][:, None], made.dt))
        memory = LegendreMemory.from_design(made)
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    many = {"trials": len(u), "inputs": {stimulus: u[:, :, None]}, "target": "compiled"}
    many |= {"noise_seed": [SEED + k for k in range(len(u))], "exact": True} | options
    state = run_probed(model, made.dt, u.shape[1], probe, **many)[0]
    state = state.reshape(*u.shape, -1)
    exact = np.stack([made.ldn.simulate(each, made.dt)[:-1] for each in u])
    return state[:, 1:] - exact


def measured(made, u: np.ndarray, predicted: bool) -> dict:
    """Return the errors of a memory's trials at delay theta, and what is predicted."""
    dt, window = made.dt, made.ldn.steps(made.dt)
    c, first = made.ldn.readout((window - 1) * dt, dt).ravel(), LEAD * window
    errors = errors_of(made, u)[:, first:] @ c
    exact = np.stack([made.ldn.simulate(each, dt)[first:-1] @ c for each in u])
    each, power = (np.sqrt(np.mean(x**2, axis=1)) for x in (errors, exact))
    row = {"noise_nrmse": (each / power).tolist(), "largest": float(abs(errors).max())}
    if predicted:
        with warnings.catch_warnings():  # of memories that noise overwhelms
            warnings.simplefilter("ignore", ValidityWarning)
            budget = predict(made, u[0], lead=first)
        found = float(budget.readout_rmse(window * dt)[0])
        row["predicted_noise_nrmse"] = found / float(power[0])
        row["ratio"] = float(np.sqrt(np.mean(each**2))) / found
        if (bound := budget.bound_nrmse()) is not None:
            row["bound_nrmse"] = bound
            row["largest_over_bound"] = row["largest"] / float(budget.bound()[0])
    return row


def kind(name: str, order: int, n: int, fast: bool, band: float = 2.0) -> dict:
    """Return the errors of neurons of a kind, with the prediction of staggered ones."""
    more = KINDS[name] | {"signal": SignalSpec(band, 0.5)}
    sums = more.get("initial_phases") != "random"
    made = design(MemorySpec(n_neurons=n, order=order, aggregated=sums, **more))
    trials, seconds = (2, 3.0) if fast else (TRIALS, DURATION)
    u = signals_of(made, seconds, band, trials)
    said = name == "staggered if" and n in SPARSE
    about = dict(zip(KEYS, (name, order, n, 0), strict=True))
    fed = made.mapped.feedback
    about |= {"rate": fed.rate if fed else 0.0, "tau": made.spec.tau}
    about["bandwidth"] = band
    return about | measured(made, u, said)


def delayed(steps: int, n: int, fast: bool) -> dict:
    """Return the errors of a memory of order 6 with steps of delay in its loop."""
    options = {"neuron_type": "if", "aggregated": True, "delay_steps": steps}
    made = assemble(n, 6, 0.5, synapse=0.1, **options)
    trials, seconds = (2, 3.0) if fast else (TRIALS, DURATION)
    about = dict(zip(KEYS, ("staggered if", 6, n, steps), strict=True))
    return about | measured(made, signals_of(made, seconds, 2.0, trials), True)


def point(k: int, fast: bool) -> dict:
    """Return the measured and the predicted error of a random staggered memory."""
    for attempt in count():
        rng = np.random.RandomState([SEED, k, attempt])
        drawn = draw(rng, (2, 32), (8, 5000), (0.05, 2.0))
        try:
            made = built(drawn)
        except MappingError:  # a loop that is not stable
            continue
        window, dt = made.ldn.steps(made.dt), made.dt
        steps = 6 * window if fast else int(np.clip(40 * window, 8000, 20_000))
        band = drawn["order"] / (2 * drawn["theta"]) * rng.uniform(0.5, 1)
        band = max(min(band, 0.2 / dt), 2 / (steps * dt))
        u = signals_of(made, steps * dt, band, 2 if fast else TRIALS)
        return drawn | {"bandwidth": band} | measured(made, u, True)
    raise AssertionError


def draw(rng, orders, each, thetas) -> dict:
    """Return settings of a random memory, log-uniform within the ranges given."""

    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    order, theta = round(between(*orders)), between(*thetas)
    n = max(int(order * between(*each)), 2 * order)
    drawn = {"kind": "staggered if", "order": order, "neurons": n, "theta": theta}
    drawn |= {"delay_steps": int(rng.choice([0, 0, 1, 2, 3]))}
    drawn |= {"tau": theta * rng.uniform(0.1, 0.4), "max_rate": between(100, 400)}
    return drawn | {"dt": min(0.001, theta / 100)}


def built(drawn: dict, **options):
    """Return the design of the settings of `draw`."""
    sizes = (drawn["neurons"], drawn["order"], drawn["theta"])
    options = {"neuron_type": "if", "aggregated": True, "dt": drawn["dt"]} | options
    options |= {"synapse": drawn["tau"], "max_rate": drawn["max_rate"]}
    return assemble(*sizes, delay_steps=drawn["delay_steps"], **options)


def slopes(rows: list[dict]) -> list[dict]:
    """Return the slope of each kind and order in its neurons, where noise is small."""
    table = []
    for (name, order), cells in group(rows, "kind", "order").items():
        quiet = [row for row in cells if np.mean(row["noise_nrmse"]) < SMALL]
        if len(quiet) < 3:
            continue
        x = [row["neurons"] for row in quiet for _ in row["noise_nrmse"]]
        fit = power_law(x, np.concatenate([row["noise_nrmse"] for row in quiet]))
        found = {"slope": fit.exponent, "low": fit.low, "high": fit.high}
        table.append({"kind": name, "order": order, "sizes": len(quiet)} | found)
    return table


def order_slopes(rows: list[dict]) -> list[dict]:
    """Return the slope of each kind in the order, at the most neurons."""
    table = []
    for (name, n), cells in group(rows, "kind", "neurons").items():
        quiet = [row for row in cells if np.mean(row["noise_nrmse"]) < SMALL]
        if len(quiet) < 3:
            continue
        x = [row["order"] for row in quiet for _ in row["noise_nrmse"]]
        fit = power_law(x, np.concatenate([row["noise_nrmse"] for row in quiet]))
        found = {"slope": fit.exponent, "low": fit.low, "high": fit.high}
        orders = ", ".join(str(row["order"]) for row in quiet)
        table.append({"kind": name, "neurons": n, "orders": orders} | found)
    return table


def staggered(options):
    """Yield errors against neurons of all kinds, and how good predictions are."""
    fast, record = options.fast, {"seeds": [SEED, SEED + TRIALS - 1]}
    cells = []
    for name in KINDS:
        sizes = SIZES if name == "staggered if" else SPARSE
        orders: tuple = ORDERS
        if name == "staggered if, feedback":  # which is searched for at length
            sizes, orders = (600, 6000, 60_000), ORDERS[:3]
        if fast:
            sizes, orders = (600, 1200, 6000), (2, 6)
        cells += [(name, d, m, fast) for d in orders for m in sizes]
    record["kinds"] = in_parallel(kind, cells, options.jobs)
    # half of the band that each order holds, in place of 2 Hz at all orders
    cells = [
        (name, d, 12_000, fast, d / 2)
        for name in ("staggered if", "staggered if, balanced", "random if", "Poisson")
        for d in ((2, 6, 12) if fast else ORDERS)
    ]
    record["as_fast"] = in_parallel(kind, cells, options.jobs)
    for row in record["kinds"] + record["as_fast"]:
        row["mean_nrmse"] = float(np.mean(row["noise_nrmse"]))
    record["slopes"] = slopes(record["kinds"])
    record["slopes_in_order"] = order_slopes(record["kinds"])
    record["slopes_in_order_as_fast"] = order_slopes(record["as_fast"])
    yield record
    cells = [(k, m, fast) for k in (0, 1, 3) for m in (600, 6000, 60_000)]
    record["delays"] = in_parallel(delayed, cells[:2] if fast else cells, options.jobs)
    yield record
    cells = [(k, fast) for k in range(3 if fast else 44)]
    record["points"] = in_parallel(point, cells, options.jobs)
    # how many predictions are within 7 %
    parts = ("kinds", "as_fast", "delays", "points")
    known = [row for part in parts for row in record[part]]
    ratios = [row["ratio"] for row in known if "ratio" in row]
    quiet = [r["ratio"] for r in known if r.get("predicted_noise_nrmse", 1) < SMALL]
    record |= {"predictions": len(ratios), "predictions_small": len(quiet)}
    record["within"] = sum(0.93 <= ratio <= 1.07 for ratio in ratios)
    record["within_small"] = sum(0.93 <= ratio <= 1.07 for ratio in quiet)
    record |= {"lowest_ratio": min(ratios), "highest_ratio": max(ratios)}
    yield record


def draw_staggered(record: dict):
    """Return the figure of errors against neurons and predictions."""
    return staggered_figure(record)


# -- the bound -----------------------------------------------------------------------


def random_memory(k: int):
    """Return a random staggered memory of any kind, and its settings."""
    for attempt in count():
        rng = np.random.RandomState([SEED, 2, k, attempt])
        drawn = draw(rng, (1, 32), (2, 1000), (0.05, 2.0))
        drawn["tuning"] = str(rng.choice(["pairs", "balanced", "random basis"]))
        fed = (rng.uniform(0.05, 0.9) / drawn["dt"], rng.uniform(0.005, 0.02))
        drawn["feedback"] = fed if rng.rand() < 0.5 else None
        tuning = "balanced" if drawn["tuning"] == "balanced" else "pairs"
        try:
            made = built(drawn, tuning=tuning, error_feedback=drawn["feedback"])
        except ValueError:  # a loop that is not stable, or too few neurons for a basis
            continue
        if drawn["tuning"] == "random basis":
            d = drawn["order"]
            U = np.eye(d) + rng.randn(d, d) / np.sqrt(d)
            # no more of a basis is used than its two matrices
            unused = (np.zeros(d, int), made.population.radii, np.zeros(d), 0 * U, 0.0)
            basis = Realisation(U, np.linalg.inv(U), *unused)
            made = replace(made, basis=basis)
        return made, drawn
    raise AssertionError


def unfriendly(name: str, steps: int, window: int, response, rng) -> np.ndarray:
    """Return an input (T,) of a kind; ``response`` (T,) is that of the readout."""
    t, kind = np.arange(steps) / window, name.split()[0]  # in windows
    loud = 10 ** rng.uniform(-1, 1)
    if kind == "white":
        band, seed = rng.uniform(2 / steps, 0.2), rng.randint(2**31)
        return loud * white_noise(float(steps), 1.0, band, 0.5, seed).samples
    if kind == "square":
        return loud * np.sign(
            np.sin(2 * np.pi * (rng.uniform(0.2, 8) * t + rng.rand()))
        )
    if kind == "chirp":
        return loud * np.sin(2 * np.pi * (0.2 + rng.uniform(1, 20) * t / t[-1]) * t)
    if kind == "impulses":
        struck = rng.rand(steps) < rng.uniform(0.001, 0.05)
        return 50 * loud * struck * rng.choice([-1, 1], steps)
    if kind == "loud":
        return 100 * rng.randn(steps)
    if kind == "walk":
        return loud * np.cumsum(rng.randn(steps)) / np.sqrt(window)
    if kind == "reversed":
        return 10 ** rng.uniform(-1, 2) * np.sign(response[::-1])
    return np.zeros(steps)


PLAIN = {"white": 5, "square": 5, "chirp": 4, "impulses": 4, "loud": 3, "silence": 1}
PLAIN |= {"walk": 4, "reversed": 4}
MADE = ("reversed", "steered", "changed")  # to break the bound
STEERED, CHANGED, CHOICES = 4, (3, 3), 24  # inputs, in two rounds; values tried a step


def steered(made, c: np.ndarray, steps: int, loud: float, rng) -> np.ndarray:
    """Return an input (T,) chosen so that rounding errors of readout ``c`` add up."""
    K, L, C, N = closed_loop(made.loop)
    # what a rounding error of each coordinate does to the readout at the end
    response, weights = c @ made.U @ C, np.zeros((steps, len(made.T)))
    before = np.zeros(len(made.T))
    for j in range(steps - 1):  # what the last step decodes is seen no more
        H = response @ L
        weights[steps - 2 - j], before, response = H - before, H, response @ K
    # one step of the exact state, as it is carried
    Ad, Bd = made.ldn.discretize(made.dt)
    Ad, Bd = made.T @ Ad @ made.U, made.T @ np.ravel(Bd)
    population, dt = made.population, made.dt
    of = population.dimension
    gain = population.currents["gain"] * population.encoders / population.radii[of]
    tried = loud * rng.uniform(-1, 1, (steps, CHOICES))
    worth = population.decoders / dt
    K, L, N, Ad = map(np.ascontiguousarray, (K, L, N, Ad))
    more = (weights, tried, gain * dt, worth, of)
    return _steer(K, L, N, Ad, np.ascontiguousarray(Bd), *more)


@njit(cache=True)
def _steer(K, L, N, Ad, Bd, weights, tried, gain, worth, of):
    """Return the inputs chosen, from values ``tried`` (T, choices)."""
    steps, choices = tried.shape
    d, entries = len(Ad), len(gain)
    V, Z, x = np.full(entries, 0.5), np.zeros(len(K)), np.zeros(d)
    u = np.zeros(steps)
    for k in range(1, steps):
        base, own, best, chosen = Ad @ x, N @ Z, -np.inf, 0
        for n in range(choices):
            # the rounding error of each coordinate, and what it is worth at the end
            D = np.zeros(d)
            for j in range(entries):
                i = of[j]
                v = V[j] + max(gain[j] * (base[i] + Bd[i] * tried[k, n] + own[i]), 0.0)
                D[i] -= worth[j] * (v - np.floor(v) - 0.5)
            score = weights[k] @ D
            if score > best:
                best, chosen = score, n
        u[k - 1] = tried[k, chosen]
        x = base + Bd * u[k - 1]
        received, decoded = x + own, np.zeros(d)
        for j in range(entries):
            V[j] += max(gain[j] * received[of[j]], 0.0)
            spikes = np.floor(V[j])
            V[j] -= spikes
            decoded[of[j]] += worth[j] * spikes
        Z = K @ Z + L @ (decoded - received)
    return u


def bound_of(k: int, fast: bool) -> dict:
    """Return the largest errors of a random memory over their bounds, on 40 inputs."""
    made, drawn = random_memory(k)
    rng, dt, window = (
        np.random.RandomState([SEED, 3, k]),
        made.dt,
        made.ldn.steps(made.dt),
    )
    steps = 4 * window
    # readouts of five delays, theta the last, and the coordinates that are carried
    delays = np.linspace(0, window - 1, 5) * dt
    c = np.vstack([made.ldn.readout(delays, dt), made.T])
    limits, at = largest_error(made, c), len(delays) - 1
    response = made.ldn.simulate(np.eye(1, steps)[0], dt) @ c[at]
    worst: dict[str, float] = {}
    found = {"runs": 0, "violations": 0, "share": 0.0, "any_share": 0.0}

    def run(names: list[str], u: np.ndarray) -> np.ndarray:
        """Return each input's largest error at delay theta over its bound."""
        errors = np.abs(errors_of(made, u) @ c.T).max(axis=1)
        rounding = 1e-9 * (1 + np.abs(u).max(axis=1))[:, None]
        over = np.any(errors > limits * (1 + 1e-6) + rounding, axis=1)
        shares = np.maximum(errors - rounding, 0) / limits
        found["runs"] += len(u)
        # an error that is not a number is a violation, too
        found["violations"] += int(np.sum(over | ~np.isfinite(errors).all(axis=1)))
        found["any_share"] = max(found["any_share"], float(shares.max()))
        for name, share in zip(names, shares[:, at], strict=True):
            worst[name] = max(worst.get(name, 0.0), float(share))
        return shares[:, at]

    names = [name for name, n in PLAIN.items() for _ in range(n)]
    u = [unfriendly(name, steps, window, response, rng) for name in names]
    names += ["steered"] * STEERED
    for loud in (0.1, 1.0, 10.0, 100.0)[:STEERED]:
        u.append(steered(made, c[at], steps, loud, rng))
    u = np.stack(u)
    shares = run(names, u)
    # random changes to the worst input so far
    for n in CHANGED:
        best = u[np.argmax(shares)]
        scale = np.abs(best).max() * 10.0 ** rng.uniform(-4, 0, (n, 1))
        u = np.concatenate([best[None], best + scale * rng.randn(n, steps)])
        shares = np.concatenate([[shares.max()], run(["changed"] * n, u[1:])])
    found["share"] = max(worst.values())
    worst["plain"] = max(v for name, v in worst.items() if name not in MADE)
    drawn["feedback"] = "off" if drawn["feedback"] is None else "on"
    return drawn | found | {"bound": float(limits[at]), "worst": worst}


def bounds(options) -> dict:
    """Return how often the bound is broken, and how near to it errors come."""
    n = 6 if options.fast else options.memories
    rows = in_parallel(bound_of, [(k, options.fast) for k in range(n)], options.jobs)
    record: dict = {name: sum(r[name] for r in rows) for name in ("runs", "violations")}
    # within a factor of ten: of all inputs, and of those not made to break it
    share = np.array([row["share"] for row in rows])
    plain = np.array([row["worst"]["plain"] for row in rows])
    record["within_ten"] = float(np.mean(share >= 0.1))
    record["within_ten_plain"] = float(np.mean(plain >= 0.1))
    record["largest_share"] = float(max(row["any_share"] for row in rows))
    levels = (0, 5, 25, 50, 75, 95, 100)
    record["quantiles"] = [
        {"percent": p, "all": np.percentile(share, p), "plain": np.percentile(plain, p)}
        for p in levels
    ]
    kinds = [
        {"input": name, "share": r["worst"][name]} for r in rows for name in r["worst"]
    ]
    record["inputs"] = [
        {"input": name, "median": float(np.median(column(cells, "share")))}
        | {"largest": max(column(cells, "share"))}
        for name, cells in group(kinds, "input").items()
    ]
    parts = {"order": (1, 2, 4, 8, 16, 33), "per_side": (1, 3, 10, 32, 100, 500)}
    for row in rows:
        row["per_side"] = row["neurons"] / (2 * row["order"])
    record["groups"] = [
        {"of": name, "from": low, "below": high, "memories": len(cells)}
        | {"median_share": float(np.median(cells))}
        | {"within_ten": float(np.mean(np.array(cells) >= 0.1))}
        for name, edges in parts.items()
        for low, high in pairwise(edges)
        if (cells := [r["share"] for r in rows if low <= r[name] < high])
    ]
    return record | {"memories": rows}


def draw_bounds(record: dict):
    """Return the figure of the largest errors over their bound."""
    return bounds_figure(record)


# -- what breaks it ------------------------------------------------------------------

FEEDBACKS = {"off": None, "900/s": (900.0, 0.02), "300/s": (300.0, 0.02)}
FAULTS = [("none", 0.0), ("begin anywhere", 0.0)]
FAULTS += [("gain mismatch", size) for size in (1e-4, 1e-3, 1e-2)]
FAULTS += [("voltage noise", size) for size in (1e-3, 1e-2, 1e-1)]
FAULTS += [("lost spikes", size) for size in (1e-4, 1e-3, 1e-2)]
FAULTS += [("late spikes", size) for size in (1e-4, 1e-3, 1e-2)]
FAULTS += [("dead neurons", 0.01), ("reset to zero", 0.0), ("single precision", 0.0)]
# seconds of a run, and the parts of it whose error is taken: the last one counts
PARTS = {"gain mismatch": ((2, 10), (50, 60), (590, 600))}
PARTS["single precision"] = ((2, 10), (50, 60), (3590, 3600))
USUAL = ((2, 10), (50, 60))


def broken(name: str, size: float, n: int, fed: str, fast: bool) -> dict:
    """Return the error of a memory with a fault, in parts of the run."""
    parts = ((2, 4), (5, 6)) if fast else PARTS.get(name, USUAL)
    more: dict = {"synapse": 0.1, "neuron_type": "if", "error_feedback": FEEDBACKS[fed]}
    made = assemble(n, 6, 0.5, **more)
    dt, window, seed = made.dt, made.ldn.steps(made.dt), [SEED, n, round(1e6 * size)]
    # the same noise goes on for as long as the run: 60 s of it, again and again
    period = white_noise(float(min(parts[-1][1], 60)), dt, 2.0, 0.5, SEED).samples
    u = np.resize(period, round(parts[-1][1] / dt))
    c = made.ldn.readout((window - 1) * dt, dt).ravel()
    exact = made.ldn.simulate(u, dt) @ c
    if name == "single precision":  # of real neurons in the compiled simulator
        error, lost = errors_of(made, u[None], exact=False)[0] @ c, np.zeros(12)
    else:
        error, lost = faulty(made, u, c, name, size, np.random.RandomState(seed))
    row = {"fault": name, "size": size, "neurons": n, "feedback": fed}
    nrmse = [
        float(np.sqrt(np.mean(error[a:b] ** 2) / np.mean(exact[a:b] ** 2)))
        for a, b in ((round(a / dt), round(b / dt) - 1) for a, b in parts)
    ]
    row |= {"first": nrmse[0], "minute": nrmse[1], "last": nrmse[-1]}
    row |= {"until": parts[-1][1], "parts": nrmse}
    return row | {"predicted": said_of(made, u, c, name, size, lost)}


def faulty(made, u: np.ndarray, c, name: str, size: float, rng):
    """Return the readout's error (T,) with a fault, and the share of each side lost."""
    K, L, C, N = map(np.ascontiguousarray, closed_loop(made.loop))
    states = made.ldn.simulate(u, made.dt)
    states = np.concatenate([np.zeros((1, 6)), states[:-1]])
    # a row for each side of each dimension, of neurons that begin evenly spaced
    population = made.population
    V = population.voltage.reshape(12, -1).copy()
    gains = np.ones_like(V)
    if name == "begin anywhere":
        V = rng.rand(*V.shape)
    if name == "gain mismatch":  # that decoders know of
        gains += size * rng.randn(*V.shape)
        gains /= gains.mean(axis=1, keepdims=True)
    dead = np.zeros(V.shape, bool)
    if name == "dead neurons":
        dead.flat[rng.choice(V.size, round(size * V.size), replace=False)] = True
    rates = (name == x for x in ("voltage noise", "lost spikes", "late spikes"))
    noise, lost, late = (size * chosen for chosen in rates)
    worth = abs(population.decoders[0]) / made.dt
    gain = population.gain[0] * made.dt
    # neurons die at a quarter of the run
    when = (
        len(u) // 4,
        name == "reset to zero",
        np.random.default_rng(rng.randint(2**31)),
    )
    chances = (noise * np.sqrt(made.dt), lost, late)
    loop = (K, L, N, np.ascontiguousarray(c @ C))
    error = _run(states, *loop, V, gains, dead, gain, worth, *chances, *when)
    return error[1:], dead.mean(axis=1)


@njit(cache=True)
def _run(
    states, K, L, N, c, V, gains, dead, gain, worth, noise, lost, late, dies, zero, rng
):
    """Return the error (T,) of a readout of faulty neurons, one by one."""
    d, sides, n = states.shape[1], len(V), V.shape[1]
    Z, waiting, errors = np.zeros(len(K)), np.zeros(d), np.zeros(len(states))
    for k in range(len(states)):
        errors[k] = c @ Z
        x = states[k] + N @ Z
        decoded, waiting = waiting, np.zeros(d)
        for g in range(sides):
            i, sign = g // 2, 1.0 - 2 * (g % 2)
            current = max(sign * x[i] * gain, 0.0)
            for j in range(n):
                if k >= dies and dead[g, j]:
                    continue
                V[g, j] += current * gains[g, j]
                if noise > 0:
                    V[g, j] += noise * rng.standard_normal()
                if V[g, j] < 1:
                    continue
                spikes = np.floor(V[g, j])
                V[g, j] = 0.0 if zero else V[g, j] - spikes
                if lost > 0 and rng.random() < lost:
                    continue
                if late > 0 and rng.random() < late:
                    waiting[i] += sign * worth * spikes
                else:
                    decoded[i] += sign * worth * spikes
        Z = K @ Z + L @ (decoded - x)
    return errors


def said_of(made, u, c, name: str, size: float, lost):
    """Return the NRMSE that the error model says a fault leaves, or None."""
    if name in ("reset to zero", "voltage noise"):
        return None
    dt, window = made.dt, made.ldn.steps(made.dt)
    # the last part of the run, and two windows before
    u = u[-2 * window - round(10 / dt) :]
    spec = made.spec
    if name in ("gain mismatch", "begin anywhere"):
        spec = spec.replace(initial_phases="random")
    with warnings.catch_warnings():  # of feedback that has few neurons
        warnings.simplefilter("ignore", ValidityWarning)
        budget = predict(spec, u, lead=2 * window)
    square = float(budget.readout_rmse(window * dt)[0]) ** 2
    K, L, C, N = closed_loop(made.loop)
    states = made.ldn.simulate(u, dt)
    # the variance in one step of the spikes that are lost or late: a share of Poisson's
    q = 2 * 6 / (made.population.n_neurons * 300.0 * dt)
    Q = np.diag(size * np.mean(np.abs(states), axis=0) * q)
    if name == "lost spikes":
        P = stationary_covariance(K, L @ Q @ L.T)
        square += c @ C @ P @ C.T @ c
        lost = np.full(12, size)
    if name == "late spikes":  # they come a step later: its difference
        P = rounding_covariance(K, L, Q)
        square += c @ C @ P @ C.T @ c
    # the mean of what is not decoded, or a step later, goes round the loop
    Z, x, errors = np.zeros(len(K)), np.zeros(6), np.zeros(len(u))
    late = size if name == "late spikes" else 0.0
    for k in range(1, len(u)):
        errors[k] = c @ C @ Z
        before, x = x, states[k - 1] + N @ Z
        missed = np.where(x > 0, lost[::2], lost[1::2]) * x + late * (x - before)
        Z = K @ Z - L @ missed
    after = slice(2 * window, None)
    square += np.mean(errors[after] ** 2)
    return float(np.sqrt(square / np.mean((states[after] @ c) ** 2)))


def mismatch(options):
    """Yield the errors of memories with faults, without and with error feedback."""
    sizes, rows = (600,) if options.fast else (600, 3000), []
    for name, size in FAULTS:
        cells = [(name, size, n, fed, options.fast) for n in sizes for fed in FEEDBACKS]
        rows += in_parallel(broken, cells, options.jobs)
        yield {"seeds": [SEED], "faults": rows}


def draw_mismatch(record: dict):
    """Return the figure of errors with each fault."""
    return mismatch_figure(record)
