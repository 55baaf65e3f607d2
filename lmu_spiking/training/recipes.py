"""Recipes of the tasks: a model and settings for each that were found to do well.

They were chosen on validation parts alone.  All are feedforward, so that they train at
all times at once, and most train with noise on their states, as spikes will make it.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from lmu_spiking.errors import check_one_of
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.neurons.chip import LOIHI_RELU, ChipUnits
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training.settings import TrainSettings

SEEN = 20  # sequences that the scale of the states is taken from


@dataclass(frozen=True)
class Recipe:
    """A model for a task, and how to train it.

    Parameters
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
        """Return the activation of the units."""
        return "relu" if self.chip is None else LOIHI_RELU

    def data(self, data: Sequences) -> Sequences:
        """Return the sequences that it trains on.

        Parameters
        ----------
        data : Sequences
            The task.

        Returns
        -------
        Sequences
            With the validation part in training where it is merged.
        """
        return data.merged() if self.merged else data


def _spikes(n_neurons: int, presentation: float) -> dict[str, Any]:
    """Return the settings of a conversion that do well."""
    return {"n_neurons": n_neurons, "presentation": presentation}


# Most learn at 0.001 or 0.003 that falls to 0.  Where the validation part is trained on
# as well, it cannot choose an epoch, and the last one is kept.
_slow = partial(TrainSettings, schedule="cosine")
_fast = partial(_slow, learning_rate=0.003)
_last = {"weight_decay": 0.01, "keep": "last"}

_DIGITS = _fast(epochs=120, batch=50, noise=0.4, **_last)
_CHIP = _fast(
    epochs=200,
    batch=50,
    noise=0.3,
    late=0.1,
    stretch=0.01,
    trainable=("cell0.W_m", "cell0.b", "readout.D", "readout.c"),
    **_last,
)
_PSMNIST = _slow(epochs=120, batch=100, noise=0.15, **_last)
_FULL = _slow(epochs=60, batch=100, noise=0.15, weight_decay=0.01)

RECIPES = {
    "digits": Recipe(48, 400, None, _DIGITS, _spikes(300_000, 0.01), True),
    # small enough for one chip, whose memory is noisy
    "digits-chip": Recipe(
        40, 128, None, _CHIP, _spikes(100_000, 0.02), True, ChipUnits(max_rate=200.0)
    ),
    "psmnist": Recipe(256, 400, None, _PSMNIST, _spikes(300_000, 0.01), True),
    # of the whole of MNIST: order as in Chilkuri 2021
    "psmnist-full": Recipe(468, 512, None, _FULL, _spikes(3_000_000, 0.01)),
    "mackey-glass": Recipe(
        24, 600, 40, _fast(epochs=60, batch=2, noise=0.05), _spikes(10_000_000, 0.001)
    ),
    "capacity": Recipe(
        40, 100, None, _fast(epochs=50, batch=10), _spikes(1_000_000, 0.001)
    ),
    "recall": Recipe(
        40, 100, None, _fast(epochs=200, batch=20), _spikes(1_000_000, 0.001)
    ),
    "ecg": Recipe(
        24, 100, 72, _fast(epochs=500, batch=1, noise=0.02), _spikes(1_000_000, 0.002)
    ),
}


def recipe_for(task: str, *, chip: bool = False) -> Recipe:
    """Return the recipe of a task.

    Parameters
    ----------
    task : str
        Its name.
    chip : bool
        The one for a Loihi chip: ``f"{task}-chip"``.

    Returns
    -------
    Recipe
        The one of that name in `RECIPES`.

    Raises
    ------
    ValidationError
        If the task has none; the message names those that exist.
    """
    task = f"{task}-chip" if chip else task
    return RECIPES[check_one_of("recipe_for.task", task, RECIPES, "has none")]


def start(recipe: Recipe, data: Sequences, seed: int = 0) -> LMUParams:
    """Return initial parameters of a recipe for its data.

    The encoder is scaled so that the states have rms 1 on training data.

    Parameters
    ----------
    recipe : Recipe
    data : Sequences
    seed : int
        Draws the kernels.

    Returns
    -------
    LMUParams
        One cell, without connections from units.
    """
    theta = (data.steps if recipe.theta is None else recipe.theta) * data.dt
    cell: dict[str, Any] = {"units": recipe.units, "order": recipe.order}
    cell |= {"theta": theta, "activation": recipe.activation, "chip": recipe.chip}
    cell |= {"connections": "", "bias": True}
    about = {"task": data.name, "classes": data.classes, "last": data.last}
    params = LMUParams.draw(
        data.size_in, data.size_out, [cell], dt=data.dt, seed=seed, **about
    )
    plain = replace(params.cells[0], e_x=np.ones((1, data.size_in)))
    m, _ = run_cell(plain, data.train.x[:SEEN].astype(float), data.dt, last=data.last)
    rms = np.sqrt(np.mean(m**2))
    encoder = np.full((1, data.size_in), 1 / max(rms, 1e-12))
    return params.updated({"cell0.e_x": encoder})
