"""Digits, a pixel a step: trained in rates, run in spikes, the loss predicted."""

from dataclasses import replace

import numpy as np

from lmu_spiking.conversion import convert, report
from lmu_spiking.rates.params import LMUParams
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.sequences import Sequences

COPIED = (
    "rate_accuracy",
    "spiking_accuracy",
    "loss",
    "loss_low",
    "loss_high",
    "predicted_loss",
    "predicted_spread",
    "chance",
    "sequences",
    "neurons",
    "spikes_per_inference",
    "synops_per_inference",
    "clocked_per_inference",
    "seconds_per_inference",
    "mean_rate",
)


def trained_digits(
    seed: int, *, repeats: int = 1, epochs: int | None = None
) -> tuple[LMUParams, Sequences, dict]:
    """Parameters, the task, and how the training went.

    Parameters
    ----------
    seed : int
        Of the split, the initial parameters, the batches and the noise.
    repeats : int
        Samples that each pixel is presented as; the window in seconds stays.
    epochs : int, optional
        Those of the recipe by default.
    """
    from lmu_spiking.training import evaluate, train
    from lmu_spiking.training.recipes import recipe_for, start

    recipe = recipe_for("digits")
    data = _repeated(load_task("digits", seed=seed), repeats)
    settings = replace(recipe.settings, seed=seed)
    if epochs is not None:
        settings = replace(settings, epochs=epochs)
    heard = recipe.data(data)
    made = train(start(recipe, heard, seed), heard, settings)
    row = {
        "seed": seed,
        "rate_accuracy": evaluate(made.params, data.test, data.classes),
        "trained_on": len(heard.train),
        "epochs": len(made.history),
        "seconds": made.seconds,
        "params": made.params.n_params,
        "chance": data.chance,
    }
    return made.params, data, row


def _repeated(data: Sequences, repeats: int) -> Sequences:
    """Each pixel as so many samples, without shifts."""
    parts = {
        name: replace(part, x=np.repeat(part.x, repeats, axis=1))
        for name, part in (
            ("train", data.train),
            ("valid", data.valid),
            ("test", data.test),
        )
    }
    return replace(data, **parts, dt=data.dt / repeats, augment=None)


def spiking_row(
    params: LMUParams,
    data: Sequences,
    n_neurons: int,
    presentation: float,
    *,
    noise_seed: int = 0,
    tests: int | None = None,
    **settings,
) -> dict:
    """Run the test digits in spikes, with the predicted loss beside the measured one.

    Parameters
    ----------
    n_neurons : int
    presentation : float
        Seconds a sample.
    tests : int, optional
        Digits to run, all by default.
    **settings
        Of `ConvertSettings`.
    """
    made = convert(
        params,
        data.train.x,
        n_neurons=n_neurons,
        presentation=presentation,
        noise_seed=noise_seed,
        last=True,
        **settings,
    )
    found = report(made, data.test.x[:tests], data.test.y[:tests], last=True).to_dict()
    row = {"n_neurons": n_neurons, "presentation": presentation}
    row |= {"noise_seed": noise_seed, "tau": made.memories[0]["synapse"]}
    return row | {name: found[name] for name in COPIED}
