"""Learning: digits in spikes, other steps, long sequences, a window, and its cost.

`learning_digits`: the recipe "digits" on each split, 360 digits to test; converted to
Poisson neurons at 10 and at 1 ms a pixel.  Seeds 0 to 4, as for the task's other
results; the recipe was found on validation parts.

`learning_feedback`: the same models at 10 ms a pixel in few neurons, Poisson ones with
error feedback of the memory, and staggered ones: the share of the units, and a lowpass
that outputs are read through.

`learning_spikes`: the same models in fewer neurons still, converted as they are
(*converted*), trained on for 15 epochs in rates (*rates*, the recipe's noise), and
through the spikes of those neurons (*spikes*), with the same batches and steps.

`learning_psmnist`: psMNIST of order 256 on the whole of MNIST (``--data``: your own
copy, ``mnist.npz`` of Keras or a folder of the IDX files), without and with error
feedback of the memory.  The recipe "psmnist" with a tenth of its epochs, since there
are 15 times as many digits; seed 0.  The synapse is searched without feedback, and the
feedback for it, once for each presentation, at one size.  Drops are
predicted for a range of sizes, and measured at some.  Beside it, predicted: how much
less noise memories of many orders, windows and steps have with feedback.

`learning_invariance`: trained with 2 samples a pixel; run with 4 and with 1, window and
weights the same, rate-based and as a million Poisson neurons (8 ms a pixel, simulated
at 0.5, 1 and 2 ms).  Beside it pixels averaged or dropped in pairs, which loses
information.  Seeds 0 to 4.

`learning_length`: the task `recall`, 200 sequences, of which 80 train, 20 choose and
100 test; order 40, 100 units, window as long as the sequence, 4,606 parameters, all
trained from random numbers.  Linear units, since the task is linear; relu and tanh ones
at 1,000 steps beside, which fit 80 sequences at the expense of others.  *every batch*
computes the memories of every batch of raw sequences anew, *once* computes them once.
An LSTM of as many parameters trains for the same seconds, up to 3,162 steps; it does
not converge and is not shown.  Run it alone: it measures time.  Seed 5700, not used to
choose anything.

`learning_nonlinear`: the tasks `events` (have two pulses of 10 steps the same sign, in
noise of 0.01; 2,100 sequences train, 300 choose, 600 test) and `product` (of the first
sample and the one half a sequence later; 3,500, 500 and 1,000) at 100 to 100,000 steps:
order 20, 100 rectified units, window as long as the sequence, 30 and 60 epochs, all
trained from random numbers.  Beside it the best linear readout of the same memory, by
least squares, and at 100 and 1,000 steps an LSTM of as many parameters with the same
optimiser, batches and schedule, for 100 and 30 epochs; its learning rate is that of
three which validates best on seed 101, in a third of them.  Finished parts are kept.
Settings were chosen on seed 101, but for the length of a pulse: with one of 5 steps
seeds 0 and 1 had reached 0.91 and 0.89 at 100,000 steps.  Seeds 10 to 14 are shown.

`learning_rates`: an electrocardiogram and, with ``--data fsdd.npz``, envelopes of
spoken digits, trained at one sampling rate and run at half, twice and four times it
(`lmu_spiking.experiments.learning.rates`): one cell of 200 units, with samples of the
middles of steps, and of their beginnings; an LSTM of as many parameters, as it is and
with its input resampled to its own rate, its learning rate chosen as above.  Settings
were chosen on seed 101; seeds 0 to 4 are shown.

`learning_theta_layers`: two cells in series, whose windows both begin at 0.4 s, where
the hidden ones are 0.1 and 1.6 s: plain training of both windows and all else but the
kernels, which are the mean of each window; the same with windows fixed where they
begin or at the hidden ones; and kernels trained as well.  Settings were chosen on seeds
101 to 113; seeds 0 to 9 are shown.

`learning_theta`: white noise of 5 Hz, order 24, dt 2 ms; only ``log theta`` is trained,
from coarse to fine (`lmu_spiking.experiments.learning.scales` says how and why).
Beside it the same epochs on the signal as it is (*plain*), and with the readout trained
along.  Seeds 5600 to 5609 were not used to find the recipe; each starts at a quarter
and at four times the hidden delay.

`learning_cost`: psMNIST of 5,000 digits, and Mackey-Glass 15 steps ahead; each model
trains for so many seconds, on one thread.  With ``--data``, spoken digits as well (see
`spoken_digits`), whose LSTM is read after the padding.  What LSTMs learn is recorded
and not shown: it has not converged.  Run it alone.  Seed 5800 chose nothing.
"""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np

from lmu_spiking.conversion import ConvertSettings, convert
from lmu_spiking.conversion.report import predict_loss
from lmu_spiking.experiments.figures import learning as figures
from lmu_spiking.experiments.learning import (
    cost,
    digits,
    lengths,
    rates,
    scales,
    spoken_digits,
)
from lmu_spiking.experiments.published.models import recipe_of, train_kept
from lmu_spiking.experiments.records import average, in_parallel, kept, run_alone
from lmu_spiking.memory.design import assemble
from lmu_spiking.signals import SignalSpec
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.training import TrainSettings, evaluate, train
from lmu_spiking.training.recipes import recipe_for

SEEDS = [0, 1, 2, 3, 4]

# -- digits --------------------------------------------------------------------------

NEURONS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
PRESENTATIONS = (0.001, 0.01)
MEANS = ("spiking_accuracy", "predicted_loss", "predicted_spread")
MEANS += ("spikes_per_inference", "synops_per_inference")


def digits_rows(seed: int, neurons, presentations, epochs=None, tests=None):
    """Return the row of a training, and the rows of its conversions to spikes."""
    params, data, rate = digits.trained_digits(seed, epochs=epochs)
    options = {"noise_seed": 100 * seed, "tests": tests}
    rows = [
        {"seed": seed} | digits.spiking_row(params, data, n, p, **options)
        for p in presentations
        for n in neurons
    ]
    return rate, rows


def learning_digits(options) -> dict:
    """Return accuracies, rate-based and in spikes, and the predicted accuracy drop."""
    cells = [(seed, NEURONS, PRESENTATIONS) for seed in SEEDS]
    if options.fast:
        cells = [(seed, NEURONS[::2], (0.001,), 3, 60) for seed in (101, 102)]
    found = in_parallel(digits_rows, cells, options.jobs)
    rates = [rate for rate, _ in found]
    rows = [row for _, several in found for row in several]
    mean, half = confidence([rate["rate_accuracy"] for rate in rates])
    summary = {"rate_accuracy": mean, "rate_accuracy_ci95": half}
    summary["spikes"] = average(rows, ("presentation", "n_neurons"), MEANS, ["loss"])
    settings = {"recipe": "digits", "neurons": NEURONS}
    record = {"seeds": SEEDS, "settings": settings, "summary": summary}
    return record | {"rates": rates, "rows": rows}


def draw_learning_digits(record: dict):
    """Return accuracy against neurons, and measured against predicted losses."""
    return figures.digits_figure(record["rows"], record["rates"])


# type, neurons, the share of them that are units, the lowpass of the output in seconds
FEW = (
    ("poisson", 10_000, 0.2, None),
    ("poisson", 10_000, 0.5, 0.003),
    ("poisson", 5_000, 0.5, 0.003),
    ("if", 3_000, 0.5, 0.003),
)


def feedback_rows(seed: int, epochs=None, tests=None) -> list[dict]:
    """Return the rows of a training's conversions, Poisson ones with error feedback."""
    params, data, _ = digits.trained_digits(seed, epochs=epochs)
    rows = []
    for kind, n, share, read in FEW:
        chosen = {"hidden_share": share, "readout_synapse": read, "neuron_type": kind}
        chosen["error_feedback"] = "auto" if kind == "poisson" else None
        options = {"noise_seed": 100 * seed, "tests": tests}
        row = digits.spiking_row(params, data, n, 0.01, **options, **chosen)
        rows.append({"seed": seed} | chosen | row)
    return rows


def learning_feedback(options) -> dict:
    """Return measured and predicted losses of few neurons with error feedback."""
    cells = [(seed, 3, 30) if options.fast else (seed,) for seed in SEEDS]
    found = in_parallel(
        feedback_rows, cells[: 2 if options.fast else None], options.jobs
    )
    rows = [row for several in found for row in several]
    keys = ("neuron_type", "n_neurons", "hidden_share", "readout_synapse")
    summary = average(rows, keys, MEANS, ["loss"])
    return {"seeds": SEEDS, "summary": summary, "rows": rows}


# -- trained on through spikes -------------------------------------------------------

SMALL = {"poisson": (3000,), "if": (600,)}  # neurons
ON = {"epochs": 15, "batch": 50, "learning_rate": 0.003, "schedule": "cosine"}


def spikes_rows(seed: int, epochs=None, tests=None) -> list[dict]:
    """Return a split's digits in few neurons, whose models are trained on."""
    params, data, _ = digits.trained_digits(seed, epochs=epochs)
    chosen, rows = recipe_of("digits", seed, None, epochs).data(data), []
    settings = TrainSettings(**ON, keep="last", seed=seed)
    settings = replace(settings, epochs=epochs or settings.epochs)
    in_rates = train(params, chosen, replace(settings, noise=0.4))
    for neuron_type, counts in SMALL.items():
        for m in counts:
            how = {"neuron_type": neuron_type, "presentation": 0.01}
            through = train(params, chosen, settings, spikes=ConvertSettings(m, **how))
            for model, of in (
                ("converted", params),
                ("rates", in_rates.params),
                ("spikes", through.params),
            ):
                row = digits.spiking_row(
                    of, data, m, noise_seed=seed, tests=tests, **how
                )
                row |= {"seed": seed, "neuron_type": neuron_type, "model": model}
                rows.append(row | {"epoch_seconds": through.seconds / settings.epochs})
    return rows


def learning_spikes(options) -> dict:
    """Return losses of few neurons, of models that are trained on through spikes."""
    cells = [(seed, 3, 30) if options.fast else (seed,) for seed in SEEDS]
    found = in_parallel(spikes_rows, cells[: 2 if options.fast else None], options.jobs)
    rows = [row for several in found for row in several]
    keys = ("neuron_type", "n_neurons", "model")
    summary = average(rows, keys, [*MEANS, "epoch_seconds"], ["loss"])
    return {"seeds": SEEDS, "settings": ON, "summary": summary, "rows": rows}


# -- psMNIST -------------------------------------------------------------------------

PSMNIST_SEED, PSMNIST_EPOCHS, DROPS = 0, 12, (0.02, 0.01, 0.005)
READ = {  # how outputs are read, by seconds a pixel
    0.001: {"hidden_share": 0.2, "readout_synapse": None},
    0.01: {"hidden_share": 0.5, "readout_synapse": 0.003},
}
# sizes that are predicted, by seconds a pixel and feedback, and those that are run
SIZES = {
    (0.001, None): (300_000, 600_000, 1_000_000, 1_700_000, 3_000_000),
    (0.001, "auto"): (600_000, 1_000_000, 1_700_000),
    (0.01, None): (80_000, 160_000, 320_000),
    (0.01, "auto"): (10_000, 20_000, 40_000),
}
RUN = {
    (0.001, None): (1_000_000, 3_000_000),
    (0.001, "auto"): (1_000_000,),
    (0.01, None): (80_000,),
    (0.01, "auto"): (20_000,),
}
# the size at which synapse and feedback are searched, and test digits
MIDDLE, TESTS = {0.001: 1_000_000, 0.01: 320_000}, {0.001: 500, 0.01: 100}
# orders, windows and steps, seconds, of memories whose gain is predicted
GAINS = [(d, theta, 0.001) for theta in (0.5, 0.1) for d in (3, 6, 12, 24, 48)]
GAINS += [(d, 0.5, dt) for dt in (0.0001, 0.005) for d in (6, 24)]
GAINS += [(d, 2.0, 0.001) for d in (6, 24)]
GAINS += [(96, 0.5, 0.001), (128, 0.392, 0.001)]


def search(params, data, presentation: float, feedback, m: int, synapse=None) -> dict:
    """Return the synapse and the feedback that a conversion chooses at a size."""
    options = {"n_neurons": m, "presentation": presentation, "synapse": synapse}
    options |= {"error_feedback": feedback} | READ[presentation]
    memory = convert(params, data.train.x, last=True, **options).memories[0]
    found = memory.mapped.feedback
    chosen = {"synapse": memory.mapped.synapse.tau, "n_neurons": m}
    chosen |= {"error_feedback": found and [found.rate, found.tau]}
    return chosen | {"memory_error": memory.basis.error}  # relative, of the readouts


def expect(params, data, n: int, presentation: float, tests: int, **settings) -> dict:
    """Return the predicted drop at a size, in accuracy of the first test digits."""
    options = {"n_neurons": n, "presentation": presentation}
    made = convert(params, data.train.x, last=True, **settings, **options)
    x, y = data.test.x[:tests], data.test.y[:tests]
    loss, spread = predict_loss(made, x, y, last=True)
    return options | {"loss": loss, "spread": spread}


def neurons_at(rows: list[dict], drop: float) -> float | None:
    """Return the size at which the predicted drop falls to ``drop``, interpolated."""
    rows = sorted(rows, key=lambda row: row["n_neurons"])
    for a, b in itertools.pairwise(rows):
        high, low = a["predicted_loss"], b["predicted_loss"]
        if high > drop >= low:
            part = (high - drop) / (high - low)
            return float(a["n_neurons"] * (b["n_neurons"] / a["n_neurons"]) ** part)
    return None


def gain_row(order: int, theta: float, dt: float) -> dict:
    """Return how much lower the noise of a balanced memory is with feedback."""
    band = SignalSpec(order / (4 * theta), 0.5)  # half of the memory's own
    options = {"synapse": None, "dt": dt, "tuning": "balanced", "signal": band}
    plain, fed_back = (
        assemble(1000 * order, order, theta, error_feedback=asked, **options)
        for asked in (None, "auto")
    )
    found = fed_back.mapped.feedback
    about = {"order": order, "theta": theta, "dt": dt, "steps": theta / (order * dt)}
    about |= {"rate": found and found.rate, "tau_f": found and found.tau}
    slow = 1 + found.gain if found else 1.0
    rule = (slow**-2 + 3 * dt / theta + (order * dt / theta) ** 2) ** -0.5
    gain = plain.basis.error / fed_back.basis.error
    return about | {"gain": gain, "rule": rule, "gain_over_rule": gain / rule}


def learning_psmnist(options):
    """Yield drops of psMNIST, predicted and measured, and where the gain ends."""
    if not options.data:
        raise SystemExit("learning_psmnist: give a copy of MNIST: --data mnist.npz")
    fast, out = options.fast, options.parts
    # train on all of MNIST but its test digits, and keep the model
    recipe = recipe_of("psmnist", PSMNIST_SEED, None, 1 if fast else PSMNIST_EPOCHS)
    task = load_task("psmnist", data=options.data, augment="shifts")
    data = recipe.data(task)
    made = train_kept(recipe, data, PSMNIST_SEED, out, "lmu")
    rate = evaluate(made.params, data.test, data.classes)
    model = {"rate_accuracy": rate, "digits": len(data.test), "order": recipe.order}
    model |= {"params": made.params.n_params, "trained_on": len(data.train)}
    model |= {"epochs": recipe.settings.epochs, "seconds": made.seconds}
    record = {"seeds": [PSMNIST_SEED], "model": model}
    record |= {"memories": [], "rows": [], "neurons": [], "gain": []}

    def part(name: str, make, *about) -> dict:
        key = {"about": about, "weights": float(np.abs(made.params.D).sum())}
        return kept(out, name, key, lambda: make(*about))

    # where the gain ends, whatever the task
    for cell in GAINS[::6] if fast else GAINS:
        record["gain"].append(part("gain-{}-{:g}-{:g}".format(*cell), gain_row, *cell))
        yield record
    synapses = {}
    for (presentation, feedback), sizes in SIZES.items():
        # the synapse is searched without feedback, and then the feedback for it
        way, tests = f"{presentation:g}-{feedback}", 20 if fast else TESTS[presentation]
        find, middle = partial(search, made.params, data), MIDDLE[presentation]
        synapse = [synapses[presentation]] if feedback else []
        found = part(f"search-{way}", find, presentation, feedback, middle, *synapse)
        synapses[presentation] = found["synapse"]
        pair = found["error_feedback"] and tuple(found["error_feedback"])
        chosen = READ[presentation] | {"error_feedback": pair}
        chosen["synapse"] = found["synapse"]
        about = {"presentation": presentation, "feedback": feedback or "off"}
        record["memories"].append(about | found)
        run = partial(digits.spiking_row, made.params, data, tests=tests, **chosen)
        say = partial(expect, made.params, data, **chosen)
        # the predicted drop at each size, and the measured one at some
        rows = []
        for n in sizes[::4] if fast else sizes:
            row = about | chosen | {"n_neurons": n}
            if n in RUN[presentation, feedback]:
                row |= part(f"run-{way}-{n}", run, n, presentation)
            else:
                told = part(f"expect-{way}-{n}", say, n, presentation, tests)
                row |= {"predicted_loss": told["loss"]}
                row |= {"predicted_spread": told["spread"], "sequences": tests}
            rows.append(row)
            record["rows"].append(row)
            yield record
        sizes = [{"drop": drop, "n_neurons": neurons_at(rows, drop)} for drop in DROPS]
        record["neurons"] += [about | size for size in sizes]
        yield record


# -- other steps ---------------------------------------------------------------------

PIXEL = 0.008  # seconds


def steps_rows(seed: int, neurons: int, fast: bool) -> tuple[list[dict], list[dict]]:
    """Return rows of one training at each step: rate-based, and in spikes."""
    epochs, tests = (3, 30) if fast else (None, None)
    trained = {"repeats": digits.TRAINED, "epochs": epochs}
    params, data, _ = digits.trained_digits(seed, **trained)
    options = {"pixel": PIXEL, "noise_seed": 100 * seed, "tests": tests}
    rates = digits.rate_rows(params, data)
    spikes = digits.spiking_rows(params, data, neurons, **options)
    return tuple([{"seed": seed} | row for row in rows] for rows in (rates, spikes))


def learning_invariance(options) -> dict:
    """Return what is lost at half and at double the step, and where pixels are lost."""
    seeds, fast = [101] if options.fast else SEEDS, options.fast
    cells = [(seed, 10**6, fast) for seed in seeds]
    found = in_parallel(steps_rows, cells, options.jobs)
    rates = [row for several, _ in found for row in several]
    spikes = [row for _, several in found for row in several]
    most = ["difference"]
    summary = {
        "rates": average(rates, ["step"], ["rate_accuracy"], ["lost"], most),
        "spikes": average(spikes, ["step"], ["spiking_accuracy"], ["lost"]),
    }
    settings = {"recipe": "digits", "neurons": 10**6, "pixel": PIXEL}
    record = {"seeds": seeds, "settings": settings, "summary": summary}
    return record | {"rates": rates, "spikes": spikes}


def draw_learning_invariance(record: dict):
    """Return the accuracy at each step."""
    return figures.invariance_figure(record["rates"], record["spikes"])


# -- other sampling rates ------------------------------------------------------------

RATE_EPOCHS = 25  # of LSTMs


def rates_part(out, task: str, data: str, seed: int, place: float) -> dict:
    """Return the rows of an LMU, which are kept."""

    def make():
        return {"rows": rates.lmu_rows(signal(task, data, seed), seed, place)}

    return kept(out, f"lmu-{task}-{seed}-{place}", shown(data), make)


def rates_lstm(
    out, task: str, data: str, seed: int, params: int, epochs: int, rate: float
) -> dict:
    """Return the rows of an LSTM, which are kept."""

    def make():
        made = rates.lstm_rows(signal(task, data, seed), seed, params, epochs, rate)
        return {"rows": made}

    about = shown(data) | {"params": params, "epochs": epochs}
    return kept(out, f"lstm-{task}-{seed}-{rate}", about, make)


def shown(data: str) -> dict:
    """Return what the sequences of other rates and their LMUs depend on."""
    names = ("PAST", "PHASES", "TEMPO", "LOUDNESS", "DRAWN", "HEART", "BEAT")
    names += ("SPEECH", "ENVELOPE", "BANDS", "ORDERS", "EASE")
    return {name: getattr(rates, name) for name in names} | {"data": data}


def signal(task: str, data: str, seed: int):
    """Return what makes the sequences of a task at a factor of its rate."""
    if task == "ecg":
        return partial(rates.heartbeats, seed)
    return partial(rates.spoken, rates.envelopes(data))


def learning_rates(options):
    """Yield what LMUs and LSTMs lose at other sampling rates of smooth signals."""
    jobs, out = options.jobs, options.parts
    seeds, epochs = (SEEDS[:1], 1) if options.fast else (SEEDS, RATE_EPOCHS)
    settings = {"learning_rates": lengths.RATES, "search_seed": SEARCH_SEED}
    settings |= {"heart": rates.HEART, "envelope": rates.ENVELOPE, "epochs": epochs}
    record = {"seeds": seeds, "settings": settings, "summary": []}
    record |= {"search": [], "rows": []}

    def add(parts) -> dict:
        record["rows"] += [row for part in parts for row in part["rows"]]
        keys = ("task", "model", "factor")
        record["summary"] = average(record["rows"], keys, ["params"], ["value", "lost"])
        return record

    tasks = ("ecg", "spoken") if options.data else ("ecg",)

    def lmus(place: float):
        for task in tasks:
            cells = [(out, task, options.data, seed, place) for seed in seeds]
            yield add(in_parallel(rates_part, cells, jobs))

    yield from lmus(rates.MIDDLE)
    for task in tasks:
        # an LSTM of as many parameters, whose learning rate another seed chooses
        size = next(row["params"] for row in record["rows"] if row["task"] == task)
        about = out, task, options.data, SEARCH_SEED, size, max(1, epochs // 3)
        cells = [(*about, rate) for rate in lengths.RATES]
        tried = [part["rows"][0] for part in in_parallel(rates_lstm, cells, jobs)]
        record["search"] += tried
        best = min(tried, key=lambda row: row["valid_loss"])["learning_rate"]
        cells = [(out, task, options.data, seed, size, epochs, best) for seed in seeds]
        yield add(in_parallel(rates_lstm, cells, jobs))
    yield from lmus(rates.BEGINNING)


def draw_learning_rates(record: dict):
    """Return what each model does at each rate."""
    return figures.rates_figure(record["rows"])


# -- long sequences ------------------------------------------------------------------

LENGTH_SEED, EPOCHS, BAR, LSTM_UP_TO = 5700, 60, 0.1, 3_162


def learning_length(options) -> dict:
    """Return errors, seconds and memory at each length, and their exponents."""
    steps = lengths.LENGTHS[:3] if options.fast else lengths.LENGTHS
    common = {"epochs": 10 if options.fast else EPOCHS, "seed": LENGTH_SEED}
    cells = [("every batch", n, {"lstm": n <= LSTM_UP_TO}) for n in steps]
    cells += [("once", n, {}) for n in steps]
    cells += [("once", steps[0], {"activation": name}) for name in ("relu", "tanh")]
    rows = [
        run_alone(lengths.train_at, n, projected=way, **common, **more)
        for way, n, more in cells
    ]
    linear = [row for row in rows if row["projected"] == "every batch"]
    least = 1_000 if options.fast else lengths.LONG
    settings = {"epochs": EPOCHS, "bar": BAR, "sensor": lengths.SENSOR}
    exponents = {
        "exponents": lengths.growth(linear, least),
        "exponents_from": least,
        "exponents_of_all": lengths.growth(linear, 0),
    }
    return {"seeds": [LENGTH_SEED], "settings": settings, **exponents, "rows": rows}


def draw_learning_length(record: dict):
    """Return error, seconds of an epoch and memory against length."""
    return figures.length_figure(record["rows"], record["exponents"])


# -- nonlinear functions of long sequences -------------------------------------------

LSTM_EPOCHS = {100: 100, 1_000: 30}  # by length
EVENTS = {"pulse": lengths.PULSE, "noise": lengths.SENSOR}
NONLINEAR_SEEDS = [10, 11, 12, 13, 14]
NONLINEAR_LENGTHS = (*LSTM_EPOCHS, 10_000, 100_000)
SEARCH_SEED = 101  # of the sequences on which the LSTM's learning rate was chosen


def nonlinear_part(out, task: str, steps: int, seed: int, *small) -> dict:
    """Return the row of an LMU, which is kept."""
    make = partial(lengths.nonlinear_row, task, steps, seed, *small)
    return kept(out, f"lmu-{task}-{steps}-{seed}", EVENTS | {"small": small}, make)


def lstm_part(out, task: str, steps: int, seed: int, epochs: int, rate: float) -> dict:
    """Return the row of an LSTM, which is kept."""
    name, about = f"lstm-{task}-{steps}-{seed}-{rate}", EVENTS | {"epochs": epochs}
    make = partial(lengths.lstm_row, task, steps, seed, epochs, rate)
    return kept(out, name, about, make)


def learning_nonlinear(options):
    """Yield what LMUs and LSTMs learn of two events, and of a product."""
    fast, jobs, out = options.fast, options.jobs, options.parts
    seeds, steps = NONLINEAR_SEEDS, NONLINEAR_LENGTHS
    seeds, steps = (seeds[:1], LSTM_EPOCHS) if fast else (seeds, steps)
    small = (300, 20) if fast else ()
    settings = EVENTS | {"epochs": LSTM_EPOCHS, "learning_rates": lengths.RATES}
    settings["search_seed"] = SEARCH_SEED
    record = {"seeds": seeds, "settings": settings, "summary": {}}
    record |= {"rows": [], "search": [], "lstm": []}
    keys = ("task", "steps")
    for T in steps:
        cells = [(out, task, T, s, *small) for task in lengths.NONLINEAR for s in seeds]
        record["rows"] += in_parallel(nonlinear_part, cells, jobs)
        means = ("chance", "params")
        found = average(record["rows"], keys, means, ["value", "linear"])
        record["summary"]["lmu"] = found
        yield record
    for T, epochs in LSTM_EPOCHS.items():
        epochs = 1 if fast else epochs
        for task in lengths.NONLINEAR:
            # the learning rate that validates best, and then each seed with it
            third = max(1, epochs // 3)
            about = out, task, T, SEARCH_SEED, third
            cells = [(*about, rate) for rate in lengths.RATES[:: 2 if fast else 1]]
            tried = in_parallel(lstm_part, cells, jobs)
            record["search"] += tried
            best = min(tried, key=lambda row: row["valid_loss"])["learning_rate"]
            cells = [(out, task, T, seed, epochs, best) for seed in seeds]
            record["lstm"] += in_parallel(lstm_part, cells, jobs)
            means = ("params", "epochs", "late_gain")
            found = average(record["lstm"], keys, means, ["value"])
            record["summary"]["lstm"] = found
            yield record


def draw_learning_nonlinear(record: dict):
    """Return accuracy and error against the length, beside a linear readout."""
    return figures.nonlinear_figure(record["rows"], record["lstm"])


# -- windows -------------------------------------------------------------------------

THETA_SEED, FACTORS = 5600, (0.25, 4.0)
RECIPES = {"coarse to fine": 10, "plain": 3, "readout too": 3}  # seeds of each
WITHIN = 0.05


def learning_theta(options) -> dict:
    """Return the windows that were learned, and how many came within 5 %."""
    cells = [
        (THETA_SEED + k, factor, recipe)
        for recipe, count in RECIPES.items()
        for k in range(1 if options.fast else count)
        for factor in FACTORS
    ]
    rows = in_parallel(scales.theta_row, cells, options.jobs)
    table = []
    for recipe in RECIPES:
        mine = [row for row in rows if row["recipe"] == recipe]
        errors = [abs(row["error"]) for row in mine]
        entry = {"recipe": recipe, "trainings": len(mine)}
        entry |= {"within_5_percent": sum(error <= WITHIN for error in errors)}
        entry |= {"worst_error": max(errors)}
        entry["seconds_each"] = sum(row["seconds"] for row in mine) / len(mine)
        table.append(entry | {"worst_nrmse": max(row["nrmse"] for row in mine)})
    names = ("DELAY", "BANDWIDTH", "DT", "ORDER", "SEQUENCES", "DURATION", "STAGES")
    settings = {name.lower(): getattr(scales, name) for name in names}
    seeds = [THETA_SEED, THETA_SEED + max(RECIPES.values()) - 1]
    record = {"seeds": seeds, "settings": settings | {"bar": WITHIN}}
    return record | {"summary": table, "rows": rows}


def draw_learning_theta(record: dict):
    """Return the paths of the windows, and their errors."""
    return figures.theta_figure(record["rows"], scales.DELAY)


LAYER_SEEDS, TENTH = range(10), 0.1


def learning_theta_layers(options) -> dict:
    """Return two windows that were learned, and what is gained over fixed ones."""
    seeds = [101] if options.fast else list(LAYER_SEEDS)
    more = (5,) if options.fast else ()
    cells = [(seed, way, *more) for way in scales.WAYS for seed in seeds]
    rows = in_parallel(scales.layers_row, cells, options.jobs)
    summary = average(rows, ["way"], ["fast", "slow"], ["nrmse"])
    for entry in summary:
        errors = [row["worst_error"] for row in rows if row["way"] == entry["way"]]
        entry |= {"trainings": len(errors), "worst_error": max(errors)}
        entry["within_10_percent"] = sum(error <= TENTH for error in errors)
    hidden = {"fast": scales.FAST, "slow": scales.SLOW, "start": scales.START}
    settings = {**hidden, **scales.LAYERS, "bar": TENTH}
    return {"seeds": seeds, "settings": settings, "summary": summary, "rows": rows}


def draw_learning_theta_layers(record: dict):
    """Return the paths of both windows, and the error with each choice of windows."""
    hidden = record["settings"]["fast"], record["settings"]["slow"]
    return figures.layers_figure(record["rows"], hidden)


# -- cost ----------------------------------------------------------------------------

COST_SEED = 5800


def learning_cost(options) -> dict:
    """Return learning curves of LMU and LSTM by the clock, and times of inference."""
    seconds = 5.0 if options.fast else options.seconds
    tasks = {"mackey-glass": {"n_series": 8, "steps": 1000}}
    tasks = tasks if options.fast else {"psmnist": {}, "mackey-glass": {}}
    cases = [(load_task(name, **how), recipe_for(name)) for name, how in tasks.items()]
    if options.data:
        spoken = spoken_digits.sequences(spoken_digits.load_spoken(options.data))
        cases.append((spoken, spoken_digits.recipe()))
    results = [cost.cost_of(*case, seconds, COST_SEED) for case in cases]
    settings = {"seconds": options.seconds}
    return {"seeds": [COST_SEED], "settings": settings, "results": results}


def draw_learning_cost(record: dict):
    """Return the LMU's learning curves, and times of inference."""
    return figures.cost_figure(record["results"])
