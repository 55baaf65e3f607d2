"""Trained models of a reproduction: the LMU of a recipe, and its spiking networks.

psMNIST and Mackey-Glass are reproduced in the same steps: train an LMU, train rivals
for the same time, convert the LMU to spiking networks of several sizes.  Each step that
takes long is kept on disk and not done again.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from lmu_spiking.experiments.published.result import Silent
from lmu_spiking.experiments.records import in_parallel, kept
from lmu_spiking.training.loop import Trained, train
from lmu_spiking.training.recipes import Recipe, recipe_for, start


def recipe_of(name: str, seed: int, units: int | None, epochs: int | None) -> Recipe:
    """Return a recipe with a seed, and with other units and epochs where given.

    Parameters
    ----------
    name : str
    seed : int
    units, epochs : int or None

    Returns
    -------
    Recipe
    """
    recipe = recipe_for(name)
    epochs = epochs or recipe.settings.epochs
    settings = replace(recipe.settings, epochs=epochs, seed=seed)
    return replace(recipe, units=units or recipe.units, settings=settings)


def train_kept(recipe: Recipe, data, seed: int, out, name: str, bar=Silent) -> Trained:
    """Train a recipe, or read the finished training; interrupted, it goes on.

    Parameters
    ----------
    recipe : Recipe
    data : Sequences
    seed : int
        Draws the initial parameters.
    out : path-like or None
        Folder; its ``parts/NAME.npz`` is the checkpoint.
    name : str
    bar : callable
        Makes a progress bar from a name and a total.

    Returns
    -------
    Trained
    """
    # where training goes on from, if it is interrupted
    checkpoint = None
    if out is not None:
        checkpoint = Path(out) / "parts" / f"{name}.npz"
        checkpoint.parent.mkdir(parents=True, exist_ok=True)

    with bar(f"Epochs of {name}", recipe.settings.epochs) as progress:

        def advance(epoch, best, record) -> None:
            progress.advance(record)

        parameters = start(recipe, data, seed)
        options = {"checkpoint": checkpoint, "progress": advance}
        return train(parameters, data, recipe.settings, **options)


def describe(trained: Trained) -> dict:
    """Return size and course of a training, whose seconds count from the start.

    Parameters
    ----------
    trained : Trained

    Returns
    -------
    dict
        ``params, seconds, epochs, history``.
    """
    gone = np.cumsum([record["seconds"] for record in trained.history]).tolist()
    history = [
        record | {"seconds": seconds}
        for record, seconds in zip(trained.history, gone, strict=True)
    ]
    row = {"params": trained.params.n_params, "seconds": trained.seconds}
    return row | {"epochs": len(history), "history": history}


def text_of(name: str, params: float, seconds: float, epochs: float) -> str:
    """Return the size and cost of a model in words."""
    return f"{name} {params:,.0f} parameters, {seconds:.0f} s, {epochs:.3g} epochs"


def run_networks(
    sizes: Iterable[tuple[float, int, int]],
    out,
    name: str,
    about: dict,
    run: Callable[[float, int, int], dict],
    bar=Silent,
) -> list[dict]:
    """Return the rows of spiking networks, each kept on disk when it is finished.

    Parameters
    ----------
    sizes : iterable of (presentation, neurons, sequences)
    out : path-like or None
        Folder, for `kept`.
    name : str
        Of the trained model.
    about : dict
        What the rows depend on besides their size.
    run : callable
        Takes a size and returns its row.
    bar : callable
        Makes a progress bar from a name and a total.

    Returns
    -------
    list of dict
    """
    parts = []
    for presentation, m, n in sizes:
        # a part is found again by all that it depends on
        key = about | {"presentation": presentation, "m": m, "n": n}
        part = f"spikes-{name}-{round(presentation * 1e3)}ms-{m}"
        parts.append((out, part, key, partial(run, presentation, m, n)))
    with bar("Spiking networks", len(parts)) as progress:
        return in_parallel(kept, parts, 1, progress.advance)
