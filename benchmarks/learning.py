"""Learning: digits in spikes, other steps, long sequences, a window, and its cost.

`learning_digits`: the recipe "digits" on each split, 360 digits to test; converted to
Poisson neurons at 10 and at 1 ms a pixel.  Seeds 0 to 4, as for the task's other
results; the recipe was found on validation parts.

`learning_feedback`: the same models at 10 ms a pixel in few neurons, with error
feedback of the memory: the share of the units, and a lowpass that outputs are read
through.

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

`learning_theta`: white noise of 5 Hz, order 24, dt 2 ms; only ``log theta`` is trained,
from coarse to fine (`lmu_spiking.experiments.learning.scales` says how and why).
Beside it the same epochs on the signal as it is (*plain*), and with the readout trained
along.  Seeds 5600 to 5609 were not used to find the recipe; each starts at a quarter
and at four times the hidden delay.

`learning_cost`: psMNIST of 5,000 digits, and Mackey-Glass 15 steps ahead; each model
trains for so many seconds, on one thread.  What the LSTM learns in them is recorded and
not shown: it has not converged.  Run it alone.  Seed 5800, not used to choose anything.
"""

from lmu_spiking.experiments.figures import learning as figures
from lmu_spiking.experiments.learning import cost, digits, lengths, scales
from lmu_spiking.experiments.records import average, in_parallel, run_alone
from lmu_spiking.studies.metrics import confidence

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


# of neurons, those that are units, and the lowpass of the output, seconds
FEW = ((10_000, 0.2, None), (10_000, 0.5, 0.003), (5_000, 0.5, 0.003))


def feedback_rows(seed: int, epochs=None, tests=None) -> list[dict]:
    """Return the rows of a training's conversions with error feedback."""
    params, data, _ = digits.trained_digits(seed, epochs=epochs)
    rows = []
    for n, share, read in FEW:
        chosen = {"hidden_share": share, "readout_synapse": read}
        options = {"noise_seed": 100 * seed, "tests": tests, "error_feedback": "auto"}
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
    keys = ("n_neurons", "hidden_share", "readout_synapse")
    summary = average(rows, keys, MEANS, ["loss"])
    return {"seeds": SEEDS, "summary": summary, "rows": rows}


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


# -- a window ------------------------------------------------------------------------

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


# -- cost ----------------------------------------------------------------------------

COST_SEED = 5800


def learning_cost(options) -> dict:
    """Return learning curves of LMU and LSTM by the clock, and times of inference."""
    seconds = 5.0 if options.fast else options.seconds
    tasks = {"mackey-glass": {"n_series": 8, "steps": 1000}}
    tasks = tasks if options.fast else {name: {} for name in cost.TASKS}
    results = [cost.cost_of(t, seconds, COST_SEED, **more) for t, more in tasks.items()]
    settings = {"seconds": options.seconds}
    return {"seeds": [COST_SEED], "settings": settings, "results": results}


def draw_learning_cost(record: dict):
    """Return the LMU's learning curves, and times of inference."""
    return figures.cost_figure(record["results"])
