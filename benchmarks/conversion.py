"""The loss of models whose stages hear each other, measured and predicted.

    python benchmarks/conversion.py [--only two] [--jobs 2]

Two and three feed-forward cells, and single cells with ``W_h`` and with ``e_h``, of
relu units: eight models of each, weights drawn with seeds 0 to 7, readouts by ridge
regression.  The task with values is a past value of white noise and the product of two
(NRMSE), that with classes the digits of scikit-learn, a row a sample (accuracy).
Samples are presented for 1 to 20 steps of 1 ms.  With 10^9 Poisson neurons, as sums,
each model runs an eighth of the test sequences: the loss is zero within its 95 %
interval over models where conversion has no bias.  With 30,000 each runs all of them,
and the mean loss stands over the mean predicted one; the interval is that of the ratio
of two means over the same models.  Spikes are drawn with the model's seed, and four
times for single cells on digits, whose losses are small.  About 20 minutes on one core.
Writes benchmarks/results/conversion.json; rows that are there are kept.
"""

import argparse
import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from lmu_spiking.conversion import convert, predict_loss, present
from lmu_spiking.conversion.report import metric_of
from lmu_spiking.lmu.forward import forward, run_cell
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import versions
from lmu_spiking.tasks.digits import digits

RESULTS = Path(__file__).parent / "results" / "conversion.json"
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
    return [
        (np.asarray(p.x, float).reshape(len(p.x), 8, 8), p.y)
        for p in (data.train, data.test)
    ]


def model(kind: str, x, y, last: bool, seed: int) -> LMUParams:
    """Draw cells, scale them to their input, and solve for a readout (ridge)."""
    connections, n_cells = MODELS[kind]
    cell = {"units": 40, "order": 6, "theta": 0.08 if last else 0.15}
    cell |= {"connections": connections, "activation": "relu", "bias": True}
    q = int(y.max()) + 1 if last else y.shape[-1]
    dt = 0.01
    header = {"classes": q} if last else {}
    cells = [cell] * n_cells
    drawn = LMUParams.draw(x.shape[2], q, cells, dt=dt, seed=seed, **header)
    rng, cells, h = np.random.default_rng(1000 + seed), [], x
    for each in drawn.cells:
        gain = 1 / np.sqrt(np.mean(np.square(h @ each.e_x.T)))
        e_x = gain * each.e_x
        more = {"b": 0.5 * rng.standard_normal(each.units)}
        if each.e_h is not None:
            more |= {"e_h": 0.3 * each.e_h, "e_m": -0.05 * np.ones((1, 6))}
        if each.W_h is not None:
            more |= {"W_h": 0.5 * each.W_h}
        W_m = 2 * each.W_m / np.sqrt(2 * np.arange(each.order) + 1)
        each = replace(each, e_x=e_x, W_m=W_m, **more)
        h = run_cell(each, h, dt)[1]
        cells.append(each)
    settled = h[:, -1] if last else h.reshape(-1, h.shape[-1])
    goal = np.eye(q)[y] if last else y.reshape(len(settled), q)
    ones = np.column_stack([settled, np.ones(len(settled))])
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

    _, many = loss(
        convert(params, x, n_neurons=MANY, **common), slice(seed, None, len(SEEDS))
    )
    converted = convert(params, x, n_neurons=FEW, **common)
    draws = DRAWS if last and len(params.cells) == 1 else 1
    predicted, _ = predict_loss(converted, test_x, test_y, last=last, runs=RUNS * draws)
    exact, few = loss(converted, slice(None), draws)
    return exact, many, few, predicted


def study(kind: str, task: str, steps: int, jobs: int) -> dict:
    """Measure eight models at one presentation, with very many neurons and with few."""
    last = task == "digits"
    (x, y), (test_x, test_y) = classes() if last else (values(1), values(2))
    if not last:
        test_x, test_y = test_x[:SEQUENCES], test_y[:SEQUENCES]
    start = time.perf_counter()
    found = [
        measure(model(kind, x, y, last, k), (x, test_x, test_y), steps, last, k, jobs)
        for k in SEEDS
    ]
    exact, many, few, predicted = np.array(found).T
    ratio = few.mean() / predicted.mean()
    row = {"model": kind, "task": task, "steps": steps}
    row |= {"metric": metric_of(test_y).__name__, "rate": exact.mean()}
    row["loss_many"], row["loss_many_ci95"] = confidence(many)
    row["loss_few"], row["loss_few_ci95"] = confidence(few)
    row["predicted_few"] = predicted.mean()
    row |= {"ratio": ratio}
    row["ratio_ci95"] = confidence(few - ratio * predicted)[1] / predicted.mean()
    row["losses_few"], row["losses_predicted"] = few.tolist(), predicted.tolist()
    row["seconds"] = time.perf_counter() - start
    print(
        "{model:11} {task:6} {steps:2} steps: rate {rate:.4f}; 10^9 neurons "
        "{loss_many:+.1e} +- {loss_many_ci95:.1e}; 30,000 {loss_few:.4f} +- "
        "{loss_few_ci95:.4f}, predicted {predicted_few:.4f}, ratio {ratio:.3f} +- "
        "{ratio_ci95:.3f}; {seconds:.0f} s".format(**row),
        flush=True,
    )
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="models whose name has this")
    parser.add_argument("--task", choices=TASKS, default=None)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    rows = []
    if asked.out.exists():
        rows = json.loads(asked.out.read_text())["rows"]
    done = {(row["model"], row["task"], row["steps"]) for row in rows}
    settings = {
        "neurons": [MANY, FEW],
        "seeds": list(SEEDS),
        "runs": RUNS,
        "draws": DRAWS,
    }
    settings |= {"dt": 1e-3, "sequences": SEQUENCES, "samples": SAMPLES}
    for task, kind, steps in itertools.product(TASKS, MODELS, STEPS):
        wanted = asked.only in kind and asked.task in (None, task)
        if wanted and (kind, task, steps) not in done:
            rows.append(study(kind, task, steps, asked.jobs))
            record = {"versions": versions(), "settings": settings, "rows": rows}
            write_json(asked.out, record)


if __name__ == "__main__":
    main()
