"""Loihi's emulator: memories beside their peers, digits, and Poisson-like neurons.

`loihi`: window (theta 1 s, order 6, 1 Hz, tau 0.1 s; seeds 0 to 9), the thesis's delay
network (cases 1 to 10), the eleven rows of theta, band and synapse (seeds 0 to 9;
peers, 0 to 2), and 30 memories drawn at random.  On the window ours runs with as many
neurons as its peers, and with as many spikes.  Ours runs on the emulator's replica,
which gives the same spikes as NengoLoihi's emulator (tests/loihi/test_replica.py);
--emulator runs ours on the emulator itself, hours more.  Needs NengoLoihi; most of the
time is the peers'.

`loihi_digits`: the recipe "digits-chip" is trained on each split (two minutes), laid
out as it is and shown all 360 digits of the test part.  They run on the emulator's
arithmetic, `--emulated` of the first split on NengoLoihi itself, where spikes must be
equal and operations are counted.  The layout was chosen by predicted errors of readouts
and on split 5.

`loihi_noise`: neurons at constant drives: rate, coefficient of variation of the
intervals between spikes and Fano factor of counts in 100 ms, 20 neurons for 20 s a
seed, in a block with synapses of 0.1 s.  Memories: theta 0.5 s, tau 0.1 s, dt 1 ms,
white noise of 2 Hz and rms 0.5, 6 s a seed, 150 Hz at radius 1; the state from the
spikes against the exact delay network, from t = theta on.  ``law`` is the error
predicted for Poisson spikes at the neurons' rates; ``law_measured`` has the measured
rates and Fano factors.  Intervals are Student's over seeds.
"""

from functools import partial
from itertools import product

import numpy as np
import pandas as pd

from lmu_spiking import LDN, MemorySpec, predict, white_noise
from lmu_spiking.experiments.chip import peer_networks as peers
from lmu_spiking.experiments.chip import peers as rivals
from lmu_spiking.experiments.chip.ours import Ours, run_ours, run_predictions
from lmu_spiking.experiments.chip.poisson_spikes import SpikeStatistics, measure_tuning
from lmu_spiking.experiments.chip.signals import TABLE, THESIS, WINDOW
from lmu_spiking.experiments.figures import chip as figures
from lmu_spiking.experiments.published.delay_network import OUR_RATE, OUR_TAU
from lmu_spiking.experiments.published.models import train_kept
from lmu_spiking.experiments.records import average, in_parallel, kept
from lmu_spiking.loihi.poisson import memory as poisson
from lmu_spiking.loihi.poisson.neuron import KEPT, drive_at, rate_of
from lmu_spiking.loihi.run.classify import classify
from lmu_spiking.metrics import confidence, half_interval, rms
from lmu_spiking.tasks.digits import digits
from lmu_spiking.training.recipes import recipe_for

# -- memories ------------------------------------------------------------------------

EQUAL_SPIKES = (20, 41, 83)  # a dimension: the spikes of the notebook's 50, 100, 200


def our_cases(emulator: bool, fast: bool) -> list[Ours]:
    """Return runs of our memory: windows, the thesis's network and the table."""
    seeds = range(1 if fast else 10)
    neurons = EQUAL_SPIKES[:1] if fast else (*WINDOW.neurons, *EQUAL_SPIKES)
    rows = TABLE[:1] if fast else TABLE
    replica = not emulator
    each = product(seeds, neurons)
    cases = [Ours(WINDOW, n, seed, replica=replica) for seed, n in each]
    lif = "lif", OUR_RATE, OUR_TAU
    for target, quick in (("emulator", replica), ("core", False)):
        cases += [Ours(THESIS, 128, 1 + k, target, *lif, quick) for k in seeds]
        each = product(seeds, rows)
        cases += [Ours(row, 100, seed, target, replica=quick) for seed, row in each]
    return cases


def peer_cases(fast: bool) -> list[rivals.Case]:
    """Return runs of the peers on the same benchmarks."""
    if fast:
        return rivals.table_cases(1)[:3]
    recipes = (peers.best_known(), peers.official(), peers.best_known("lif"))
    return [
        *rivals.thesis_cases(10),
        *rivals.window_cases(10, (50, 100), recipes),
        *rivals.window_cases(10, (50,), [peers.weights_relay()]),
        *rivals.table_cases(3),
        *rivals.window_cases(10, (200,), [peers.official(), peers.best_known()]),
    ]


def compare_table(mine: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return a line for each row of the table, ours and a peer: means over seeds."""
    row = ["theta", "bandwidth", "tau"]

    def means(frame, value: str, name: str) -> pd.DataFrame:
        table = frame.pivot_table(value, row, "target", sort=False)
        return table.rename(columns={"core": name + "core", "sim": name + "emulator"})

    own = mine[mine.benchmark == "table"]
    other = known[(known.benchmark == "table") & (known.peer == "weights and relay")]
    parts = [means(own, "nrmse", ""), means(own, "state_nrmse", "state_")]
    table = pd.concat([*parts, means(other, "nrmse", "peer_")], axis=1).reset_index()
    table["ratio"] = table.emulator / table.core
    form = "{0.theta:g} s, {0.bandwidth:g} Hz, {0.tau:g}".format
    return table.assign(label=[form(one) for one in table.itertuples()])


def loihi(options) -> dict:
    """Return errors of all memories with their peers', and the predicted ones."""
    mine = run_ours(our_cases(options.emulator, options.fast), options.parts)
    known = rivals.run_cases(peer_cases(options.fast), options.parts)
    drawn = run_predictions(range(2 if options.fast else 30), options.parts)
    mean, half = confidence(drawn.ratio)
    return {
        "summary": rivals.summarise(pd.concat([mine, known])).to_dict("records"),
        "table": compare_table(mine, known).to_dict("records"),
        "predictions": drawn.to_dict("records"),
        "measured_over_predicted": mean,
        "measured_over_predicted_ci95": half,
        "within_25_percent": int((abs(drawn.ratio - 1) <= 0.25).sum()),
    }


def draw_loihi(record: dict):
    """Return windows against spikes, the table, and the predictions."""
    names = ("summary", "table", "predictions")
    summary, table, predictions = (pd.DataFrame(record[name]) for name in names)
    window = summary[(summary.benchmark == "window") & (summary.target == "sim")]
    return figures.loihi_figure(window, table, predictions)


# -- digits --------------------------------------------------------------------------

LAYOUT = recipe_for("digits", chip=True).layout
MEANS = ("rate_accuracy", "spiking_accuracy", "lost", "spikes_per_inference")
MEANS += ("synops_per_inference", "estimated_joules_per_inference")


def digits_row(about: dict, parts) -> dict:
    """Train for a split, or read what was trained, and classify."""
    seed = about["seed"]
    recipe, data = recipe_for("digits", chip=True), digits(seed=seed)
    name = f"digits-chip-{seed}"
    params = train_kept(recipe, recipe.data(data), seed, parts, name).params
    return {"seed": seed} | classify(params, data, **about, **LAYOUT)


def loihi_digits(options) -> dict:
    """Return a row for each split, and means with intervals where there are several."""
    rows = []
    for seed in options.seeds[:1] if options.fast else options.seeds:
        items = 3 if options.fast else options.items or None
        emulated = options.emulated if seed == options.seeds[0] else 0
        about = {"items": items, "emulated": emulated, "seed": seed}
        make = partial(digits_row, about, options.parts)
        rows.append(kept(options.parts, f"digits-{seed}", about | LAYOUT, make))
    summary = {}
    for name in MEANS:
        if values := [row[name] for row in rows if name in row]:
            # the interval of one split is written as null
            summary[name] = {"mean": np.mean(values), "ci95": half_interval(values)}
    return {"rows": rows, "summary": summary, "layout": LAYOUT}


def draw_loihi_digits(record: dict):
    """Return the accuracy of each split, rate-based and on the chip."""
    return figures.loihi_digits_figure(record["rows"])


# -- Poisson-like neurons ------------------------------------------------------------

SEED, DURATION, MAX_RATE = 5100, 6.0, 150.0
THETA, TAU, DT = 0.5, 0.1, 1e-3
WANTED = drive_at([20.0, 35.0, 50.0, 75.0, 100.0, 125.0, 150.0])  # rates, Hz
DRIVES = np.concatenate([[-50.0, -30.0, -15.0, 0.0], WANTED, [200.0, 300.0]])
MEMORIES = [(3, m, KEPT) for m in (72, 156, 300)]
MEMORIES += [(6, m, KEPT) for m in (156, 300, 600)] + [(6, 600, 1 / 64)]


def tuning(target: str, seed: int) -> SpikeStatistics:
    """Measure rates and spike statistics at all drives."""
    return measure_tuning(DRIVES, target=target, n_neurons=20, seed=seed)


def tuning_rows(target: str, runs: list[SpikeStatistics]) -> list[dict]:
    """Return a row for each drive, means over seeds."""
    each = [
        {"target": target, "drive": drive, "lawful_rate": rate_of(drive).item()}
        | {"rate": run.rates[k], "cv": run.cv[k], "fano": run.fano[k]}
        for k, drive in enumerate(DRIVES)
        for run in runs
    ]
    return average(each, ["target", "drive", "lawful_rate"], (), ["rate", "cv", "fano"])


def noisy_memory(
    order: int, neurons: int, decay: float, seed: int, measured: SpikeStatistics
) -> dict:
    """Run a memory of noisy neurons; return its error beside the predicted ones."""
    u = white_noise(DURATION, DT, 2.0, 0.5, seed).samples
    ldn, about = LDN(order, THETA), {"order": order, "neurons": neurons, "kept": decay}
    options = {"order": order, "theta": THETA, "n_neurons": neurons, "tau": TAU}
    options |= {"max_rate": MAX_RATE, "kept": decay, "dt": DT, "seed": seed}
    built = poisson.build_noisy_memory(u, **options)
    state, spikes = poisson.run_noisy_memory(built, len(u), seed)
    # the state at a probe's index is that before its input
    exact = np.pad(ldn.simulate(u, DT)[:-1], ((1, 0), (0, 0)))
    window, readout = ldn.steps(DT), ldn.readout(THETA - DT, DT)
    scale, error = rms(exact[window:] @ readout), (state - exact)[window:]
    row = {"state_rmse": rms(error), "noise_nrmse": rms(error @ readout) / scale}
    row |= {"rate": spikes / neurons}
    # predicted for Poisson spikes, and with measured statistics
    curves = {"law": None} | ({"law_measured": measured} if decay == KEPT else {})
    for name, curve in curves.items():
        P = poisson.predict_noise(built, exact, curve)[0]
        row[f"{name}_state_rmse"] = np.sqrt(np.trace(P) / order)
        row[f"{name}_noise_nrmse"] = np.sqrt(readout @ P @ readout) / scale
        row[f"over_{name}"] = row["state_rmse"] / row[f"{name}_state_rmse"]
    return about | row


def loihi_noise(options) -> dict:
    """Return spike statistics at each drive, and errors of the memories."""
    seeds = [SEED + k for k in range(1 if options.fast else options.seeds)]
    rows: list[dict] = []
    for target in ("core", "emulator"):
        cells = [(target, seed) for seed in seeds]
        runs = in_parallel(tuning, cells, options.jobs)
        rows += tuning_rows(target, runs)
    # the emulator's statistics, the mean of all seeds
    means = np.mean([list(vars(run).values()) for run in runs], axis=0)
    measured, memories = SpikeStatistics(*means), []
    for which in MEMORIES[:2] if options.fast else MEMORIES:
        cells = [(*which, seed, measured) for seed in seeds]
        runs = in_parallel(noisy_memory, cells, options.jobs)
        keys = ["order", "neurons", "kept"]
        (row,) = average(runs, keys, (), [n for n in runs[0] if n not in keys])
        spec = MemorySpec(row["neurons"], row["order"], THETA, TAU, max_rate=MAX_RATE)
        row["poisson_pairs_noise_nrmse"] = predict(spec).noise_nrmse()
        memories.append(row)
    return {"seeds": [seeds[0], seeds[-1]], "tuning": rows, "memories": memories}


def draw_loihi_noise(record: dict):
    """Return tuning, statistics and memories side by side."""
    drives = np.linspace(DRIVES[0], 160, 221)
    rates = rate_of(drives)
    curve = [{"drive": x, "rate": y} for x, y in zip(drives, rates, strict=True)]
    shown = [row for row in record["tuning"] if row["drive"] <= 160]
    return figures.loihi_noise_figure(record | {"curve": curve, "tuning": shown})
