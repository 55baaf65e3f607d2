"""The loss of models whose stages hear each other, measured and predicted.

Two and three feed-forward cells, and single cells with ``W_h`` and with ``e_h``, of
relu units: eight models of each, weights drawn with seeds 0 to 7, readouts by ridge
regression.  The task with values is a past value of white noise and the product of two
(NRMSE), that with classes the digits of scikit-learn, a row a sample (accuracy).
Samples are presented for 1 to 20 steps of 1 ms.  With 10^9 Poisson neurons, as sums,
each model runs an eighth of the test sequences: the loss is zero within its 95 %
interval over models where conversion has no bias.  With 30,000 each runs all of them,
and the mean loss stands over the mean predicted one; the interval is that of the ratio
of two means over the same models.  Spikes are drawn with the model's seed, and four
times for single cells on digits, whose losses are small.
"""

import itertools
import time
from dataclasses import replace

import numpy as np

from lmu_spiking.conversion import convert, predict_loss, present
from lmu_spiking.conversion.report import metric_of
from lmu_spiking.files import read_json
from lmu_spiking.lmu.forward import forward, run_cell
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.tasks.digits import digits

MODELS = {
    "two cells": ("W_x", 2),
    "three cells": ("W_x", 3),
    "W_h": ("W_x W_h", 1),
    "e_h": ("e_h e_m", 1),
}
TASKS = ("noise", "digits")
STEPS = (1, 2, 5, 10, 20)  # of 1 ms a sample
MANY, FEW = 10**9, 30_000
SEEDS = range(8)  # of the weights and of the spikes
RUNS, DRAWS = 6, 4  # of the predicted loss, and of the spikes of single digits cells
SEQUENCES, SAMPLES, AT = 32, 60, (5, 12)  # and the past values that are multiplied


def values(seed: int):
    """Return sequences (n, T, 1) of white noise, and the product of two past values."""
    noise = white_noise(4 * SEQUENCES * SAMPLES * 0.01, 0.01, 5.0, 0.5, seed).samples
    x = noise.reshape(-1, SAMPLES, 1)
    late, later = (np.pad(x, ((0, 0), (k, 0), (0, 0)))[:, :SAMPLES] for k in AT)
    return x, late + 2 * late * later


def classes():
    """Return the training and test parts of the digits, eight pixels a sample."""
    data = digits()
    parts = data.train, data.test
    return [(np.asarray(p.x, float).reshape(len(p.x), 8, 8), p.y) for p in parts]


def model(kind: str, x, y, last: bool, seed: int) -> LMUParams:
    """Draw cells, scale them to their input, and solve for a readout (ridge)."""
    connections, n_cells = MODELS[kind]
    cell = {"units": 40, "order": 6, "theta": 0.08 if last else 0.15}
    cell |= {"connections": connections, "activation": "relu", "bias": True}
    q, dt = int(y.max()) + 1 if last else y.shape[-1], 0.01
    header = {"classes": q} if last else {}
    drawn = LMUParams.draw(x.shape[2], q, [cell] * n_cells, dt=dt, seed=seed, **header)
    rng, cells, h = np.random.default_rng(1000 + seed), [], x
    for each in drawn.cells:
        # an input of rms 1, units whose thresholds differ, and weak feedback
        gain = 1 / np.sqrt(np.mean(np.square(h @ each.e_x.T)))
        more = {"b": 0.5 * rng.standard_normal(each.units)}
        if each.e_h is not None:
            more |= {"e_h": 0.3 * each.e_h, "e_m": -0.05 * np.ones((1, 6))}
        if each.W_h is not None:
            more |= {"W_h": 0.5 * each.W_h}
        W_m = 2 * each.W_m / np.sqrt(2 * np.arange(each.order) + 1)
        each = replace(each, e_x=gain * each.e_x, W_m=W_m, **more)
        h = run_cell(each, h, dt)[1]
        cells.append(each)
    # ridge regression of the targets on the units, with a constant
    read = h[:, -1] if last else h.reshape(-1, h.shape[-1])
    goal = np.eye(q)[y] if last else y.reshape(len(read), q)
    ones = np.column_stack([read, np.ones(len(read))])
    gram = ones.T @ ones
    ridge = 3e-2 * np.trace(gram) / len(gram) * np.eye(len(gram))
    solved = np.linalg.solve(gram + ridge, ones.T @ goal)
    return replace(drawn, cells=tuple(cells), D=solved[:-1].T, c=solved[-1])


def measure(params: LMUParams, data, steps: int, last: bool, seed: int, jobs: int):
    """Return the accuracy or NRMSE of one model, its losses and the predicted loss."""
    x, test_x, test_y = data
    score, sign = metric_of(test_y), -1 if last else 1
    common = {"presentation": steps * 1e-3, "last": last}
    run = {"last": last, "noise_seed": seed, "around": 0.0, "jobs": jobs}

    def loss(converted, part, draws=1):
        x, y = (np.concatenate([a[part]] * draws) for a in (test_x, test_y))
        exact = score(forward(params, x, last=last), y)
        return exact, sign * (score(present(converted, x, **run).y, y) - exact)

    # very many neurons: what remains is the bias of the conversion
    converted = convert(params, x, n_neurons=MANY, **common)
    _, many = loss(converted, slice(seed, None, len(SEEDS)))
    converted = convert(params, x, n_neurons=FEW, **common)
    draws = DRAWS if last and len(params.cells) == 1 else 1
    predicted, _ = predict_loss(converted, test_x, test_y, last=last, runs=RUNS * draws)
    exact, few = loss(converted, slice(None), draws)
    return exact, many, few, predicted


def study(kind: str, task: str, steps: int, jobs: int, seeds=SEEDS) -> dict:
    """Measure eight models at one presentation, with very many neurons and with few."""
    last, start = task == "digits", time.perf_counter()
    (x, y), (test_x, test_y) = classes() if last else (values(1), values(2))
    if not last:
        test_x, test_y = test_x[:SEQUENCES], test_y[:SEQUENCES]
    rows = [
        measure(model(kind, x, y, last, k), (x, test_x, test_y), steps, last, k, jobs)
        for k in seeds
    ]
    exact, many, few, predicted = np.array(rows).T
    row = {"model": kind, "task": task, "steps": steps}
    row |= {"metric": metric_of(test_y).__name__, "rate": exact.mean()}
    for name, losses in (("loss_many", many), ("loss_few", few)):
        row[name], row[f"{name}_ci95"] = confidence(losses)
    ratio = few.mean() / predicted.mean()
    row |= {"predicted_few": predicted.mean(), "ratio": ratio}
    row["ratio_ci95"] = confidence(few - ratio * predicted)[1] / predicted.mean()
    row["losses_few"], row["losses_predicted"] = few.tolist(), predicted.tolist()
    return row | {"seconds": time.perf_counter() - start}


def conversion(options):
    """Yield the record after each row; rows that are in the file are not run again."""
    settings = {"neurons": [MANY, FEW], "seeds": list(SEEDS), "runs": RUNS}
    settings |= {"draws": DRAWS, "dt": 1e-3, "sequences": SEQUENCES, "samples": SAMPLES}
    cells, rows, seeds = itertools.product(TASKS, MODELS, STEPS), [], SEEDS
    if options.fast:
        cells, seeds = [("noise", "two cells", 1)], SEEDS[:2]
    if options.out and (path := options.out / "conversion.json").exists():
        rows = read_json(path)["rows"]
    done = {(row["task"], row["model"], row["steps"]) for row in rows}
    for task, kind, steps in cells:
        wanted = options.only in kind and options.task in ("", task)
        if wanted and (task, kind, steps) not in done:
            rows.append(study(kind, task, steps, options.jobs, seeds))
            yield {"settings": settings, "rows": rows}
