"""What to train on each task: a model and settings that were found to do well.

They were chosen on validation parts alone.  All are feedforward, so that they train at
all times at once, and all train with noise on their states, as spikes will make it.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.neurons.chip import LOIHI_RELU, ChipUnits
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training.settings import TrainSettings

SEEN = 20  # sequences that the scale of the states is taken from


@dataclass(frozen=True)
class Recipe:
    """A model for a task, and how to train it.

    Attributes
    ----------
    order, units : int
    theta : float or None
        Window in steps; None for the length of a sequence.
    settings : TrainSettings
    conversion : dict
        Of `ConvertSettings`: neurons and presentation that do well.
    merged : bool
        Whether the validation part, by which all this was chosen, is trained on, too.
    chip : ChipUnits, optional
        Units with the rates that a chip's integrating neurons have; relu without.
    """

    order: int
    units: int
    theta: float | None
    settings: TrainSettings
    conversion: dict[str, Any] = field(default_factory=dict)
    merged: bool = False
    chip: ChipUnits | None = None

    @property
    def activation(self) -> str:
        """Of the units."""
        return "relu" if self.chip is None else LOIHI_RELU

    def data(self, data: Sequences) -> Sequences:
        """What of a task it trains on."""
        return data.merged() if self.merged else data


RECIPES = {
    "digits": Recipe(
        48,
        400,
        None,
        TrainSettings(
            epochs=120,
            batch=50,
            learning_rate=0.003,
            schedule="cosine",
            noise=0.4,
            weight_decay=0.01,
            keep="last",
        ),
        {"n_neurons": 300_000, "presentation": 0.01},
        merged=True,
    ),
    "digits-chip": Recipe(  # small enough for one chip, whose memory is noisy
        40,
        128,
        None,
        TrainSettings(
            epochs=200,
            batch=50,
            learning_rate=0.003,
            schedule="cosine",
            noise=0.3,
            late=0.1,
            stretch=0.01,
            weight_decay=0.01,
            trainable=("cell0.W_m", "cell0.b", "readout.D", "readout.c"),
            keep="last",
        ),
        {"n_neurons": 100_000, "presentation": 0.02},
        merged=True,
        chip=ChipUnits(max_rate=200.0),
    ),
    "psmnist": Recipe(
        256,
        400,
        None,
        TrainSettings(
            epochs=120,
            batch=100,
            schedule="cosine",
            noise=0.15,
            weight_decay=0.01,
            keep="last",
        ),
        {"n_neurons": 300_000, "presentation": 0.01},
        merged=True,
    ),
    "psmnist-full": Recipe(  # of the whole of MNIST: order as in Chilkuri 2021
        468,
        512,
        None,
        TrainSettings(
            epochs=60, batch=100, schedule="cosine", noise=0.15, weight_decay=0.01
        ),
        {"n_neurons": 3_000_000, "presentation": 0.01},
    ),
    "mackey-glass": Recipe(
        24,
        600,
        40,
        TrainSettings(
            epochs=60, batch=2, learning_rate=0.003, schedule="cosine", noise=0.05
        ),
        {"n_neurons": 10_000_000, "presentation": 0.001},
    ),
    "capacity": Recipe(
        40,
        100,
        None,
        TrainSettings(epochs=50, batch=10, learning_rate=0.003, schedule="cosine"),
        {"n_neurons": 1_000_000, "presentation": 0.001},
    ),
    "recall": Recipe(
        40,
        100,
        None,
        TrainSettings(epochs=200, batch=20, learning_rate=0.003, schedule="cosine"),
        {"n_neurons": 1_000_000, "presentation": 0.001},
    ),
    "ecg": Recipe(
        24,
        100,
        72,
        TrainSettings(
            epochs=500, batch=1, learning_rate=0.003, schedule="cosine", noise=0.02
        ),
        {"n_neurons": 1_000_000, "presentation": 0.002},
    ),
}


def recipe_for(task: str, *, chip: bool = False) -> Recipe:
    """The recipe of a task, or a ValidationError that names those there are.

    Parameters
    ----------
    chip : bool
        The one for a Loihi chip: ``f"{task}-chip"``.
    """
    task = f"{task}-chip" if chip else task
    if task not in RECIPES:
        raise ValidationError(
            "recipe_for.task", task, "has none", f"use one of {', '.join(RECIPES)}"
        )
    return RECIPES[task]


def start(recipe: Recipe, data: Sequences, seed: int = 0) -> LMUParams:
    """Initial parameters of a recipe for its data.

    The encoder is scaled so that the states have rms 1 on training data.
    """
    theta = (data.steps if recipe.theta is None else recipe.theta) * data.dt
    cell = {
        "units": recipe.units,
        "order": recipe.order,
        "theta": theta,
        "activation": recipe.activation,
        "chip": recipe.chip,
        "connections": "",
        "bias": True,
    }
    about = {"task": data.name, "classes": data.classes, "last": data.last}
    params = LMUParams.draw(
        data.size_in, data.size_out, [cell], dt=data.dt, seed=seed, **about
    )
    plain = replace(params.cells[0], e_x=np.ones((1, data.size_in)))
    seen = data.train.x[:SEEN].astype(float)
    m, _ = run_cell(plain, seen, data.dt, last=data.last)
    rms = np.sqrt(np.mean(m**2))
    encoder = np.full((1, data.size_in), 1 / max(rms, 1e-12))
    return params.updated({"cell0.e_x": encoder})
