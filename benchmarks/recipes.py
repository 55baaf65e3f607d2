"""Train every recipe from several seeds, beside the engine before JAX.

A seed draws the parts of the task where it has several, the first kernels, the batches
and the noise.  A row is one training, scored on its test part.  The record keeps rows
of other engines.  Those of TensorFlow were made with a checkout of commit 7a69624:
``PYTHONPATH=OLD PYTHON benchmarks recipes``, in an environment that it works in.

Recall is of 1,000 steps, and Mackey-Glass of 32 series of 2,000 steps; psMNIST trains
on shifted images, as it did then.
"""

import inspect
import json
from dataclasses import replace
from importlib.metadata import version

from lmu_spiking.experiments.records import average, group, kept
from lmu_spiking.metrics import confidence
from lmu_spiking.tasks import TASKS, load_task
from lmu_spiking.training import train
from lmu_spiking.training.recipes import RECIPES, recipe_for, start

CUT = {"recall": {"steps": 1000}, "mackey-glass": {"n_series": 32, "steps": 2000}}
CUT["psmnist"] = {"augment": "shifts"}


def engine() -> str:
    """Return what trains here: JAX, or TensorFlow before it."""
    try:
        from lmu_spiking.training.engine import JaxEngine

        return f"jax {version('jax')} ({JaxEngine.__name__})"
    except ImportError:
        from lmu_spiking.training.parallel_engine import ParallelEngine

        return f"tensorflow {version('tensorflow')} ({ParallelEngine.__name__})"


def trained(recipe_name: str, seed: int, fast: bool) -> dict:
    """Return test accuracy or NRMSE of a recipe from a seed, and how long it took."""
    task = recipe_name.removesuffix("-chip")
    # the parts of the task, which the seed draws
    known = inspect.signature(TASKS[task]).parameters
    drawn = {n: seed for n in ("split", "seed") if n in known}
    recipe = recipe_for(recipe_name)
    data = recipe.data(load_task(task, **drawn, **CUT.get(task, {})))
    # train, and score on the test part
    epochs = 2 if fast else recipe.settings.epochs
    settings = replace(recipe.settings, seed=seed, epochs=epochs)
    model = train(start(recipe, data, seed), data, settings)
    ((metric, score),) = (
        (name.removeprefix("test_"), value)
        for name, value in model.params.header["results"].items()
        if name.startswith("test_")
    )
    took = model.params.header["training"]["seconds"]
    return {"metric": metric, "test": score, "epochs": epochs, "seconds": took}


def compared(rows: list[dict]) -> list[dict]:
    """Return, for each recipe, JAX less the earlier engine over the same seeds."""
    table = []
    for name, mine in group(rows, "recipe").items():
        new = {r["seed"]: r["test"] for r in mine if r["engine"].startswith("jax")}
        old = {r["seed"]: r["test"] for r in mine if not r["engine"].startswith("jax")}
        both = sorted(new.keys() & old.keys())
        if len(both) > 1:
            mean, half = confidence([new[s] - old[s] for s in both])
            entry = {"recipe": name, "metric": mine[0]["metric"], "seeds": len(both)}
            table.append(entry | {"jax_less_earlier": mean, "ci95": half})
    return table


def recipes(options):
    """Yield the rows of all recipes and seeds, with their means and differences."""
    # rows of another engine are kept
    here, path = engine(), options.out and options.out / "recipes.json"
    rows = json.loads(path.read_text())["rows"] if path and path.exists() else []
    rows = [row for row in rows if row["engine"] != here]
    names = options.only or [name for name in RECIPES if name != "psmnist-full"]
    for name in names:
        for seed in options.seeds[: 1 if options.fast else None]:
            about = {"recipe": name, "seed": seed, "engine": here}
            part = f"{name}-{here.split()[0]}-{seed}"
            more = about | {"cut": CUT.get(name), "fast": options.fast}
            found = kept(
                *(options.parts, part, more),
                lambda name=name, seed=seed: trained(name, seed, options.fast),
            )
            rows.append(about | found)
        means = ("recipe", "engine", "metric"), ["seconds"], ["test"]
        yield {
            "left_out": "psmnist-full, and Mackey-Glass at its full size",
            "means": average(rows, *means),
            "differences": compared(rows),
            "rows": rows,
        }
