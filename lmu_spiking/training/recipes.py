"""Recipes of the tasks: a model and settings for each that were found to do well.

They were chosen on validation parts alone.  All are feedforward, so that they train at
all times at once, and most train with noise on their states, as spikes will make it.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from lmu_spiking.errors import ValidationError, check_one_of
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.neurons.chip import LOIHI_RELU, ChipUnits
from lmu_spiking.tasks.sequences import Sequences, counted
from lmu_spiking.training.octaves import (
    fitted,
    kernels,
    order_for,
    pooling,
    sharpness,
    units_for,
)
from lmu_spiking.training.settings import TrainSettings

SEEN = 20  # sequences that the scale of the states is taken from
CHANNELS = 64  # the most memories of a model for a user's own sequences
UNITS, ORDER = 40, 3  # of the first cell of such a model, and of the second
KERNELS = 600  # units of kernels, where there are so many
FEW = 500  # training sequences, below which those to validate by are trained on, too
UPDATES = 3000  # steps of the optimizer for a user's own sequences
# of a user's model for a chip: memories at most, coefficients of all of them together,
# orders, hidden units, and neurons of a coefficient and in all at least
ON_CHIP, COEFFICIENTS, ORDERS, CHIP_UNITS, EACH = 32, 48, (3, 12), 64, (20, 1200)
CHIP_SECONDS = 1.0  # that a chip is shown the longest sequence in, about


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
    memories : int
        Memories of the first cell: 1 for all channels together, or as many as channels.
    front : tuple of (int, int, int), optional
        Order, units and window in steps of a cell before the one that ``order``,
        ``units`` and ``theta`` are of, which then has a memory for each of its units.
    normalised : bool
        Whether the model takes mean and scale of each channel from the training part.
    octaves : bool
        Whether the units are kernels of octaves, and a cell that adds up what they say
        is fitted behind them (`training.octaves`).
    layout : dict
        Of `loihi.mapping.cell.lay_out_cell`: what does well on a chip.
    """

    order: int
    units: int
    theta: float | None
    settings: TrainSettings
    conversion: dict[str, Any] = field(default_factory=dict)
    layout: dict[str, Any] = field(default_factory=dict, kw_only=True)
    merged: bool = False
    chip: ChipUnits | None = None
    memories: int = 1
    front: tuple[int, int, int] | None = None
    normalised: bool = False
    octaves: bool = False

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


def _layout(n_neurons: int, presentation: float, width: float) -> dict[str, Any]:
    """Return the settings of a layout on a chip that do well."""
    how = {"copies": 12, "width": width, "tau": 0.08, "max_rate": 240.0}
    return _spikes(n_neurons, presentation) | how


# Most learn at 0.001 or 0.003 that falls to 0.  Where the validation part is trained on
# as well, it cannot choose an epoch, and the last one is kept.
_slow = partial(TrainSettings, schedule="cosine")
_fast = partial(_slow, learning_rate=0.003)
_last = {"weight_decay": 0.01, "keep": "last"}

_DIGITS = _fast(epochs=120, batch=50, noise=0.4, **_last)
_noisy = partial(
    _fast,
    noise=0.3,
    late=0.1,
    stretch=0.01,
    trainable=("cell0.W_m", "cell0.b", "readout.D", "readout.c"),
    **_last,
)
_CHIP = _noisy(epochs=200, batch=50)
_PSMNIST = _slow(epochs=120, batch=100, noise=0.15, **_last)
_FULL = _slow(epochs=20, batch=100, noise=0.15, **_last)

_STAGGERED = _spikes(57_000, 0.001) | {"neuron_type": "if", "synapse": 0.016}
_STAGGERED["hidden_share"] = 0.4737  # rounding leaves 30 of each unit

RECIPES = {
    "digits": Recipe(48, 400, None, _DIGITS, _spikes(300_000, 0.01), True),
    # small enough for one chip, whose memory is noisy
    "digits-chip": Recipe(
        *(40, 128, None, _CHIP, _spikes(100_000, 0.02), True, ChipUnits()),
        layout=_layout(2000, 0.03, 0.015),
    ),
    "psmnist": Recipe(256, 400, None, _PSMNIST, _spikes(300_000, 0.01), True),
    # of the whole of MNIST: 30,000 neurons of the memory, and 30 of each unit
    "psmnist-full": Recipe(256, 900, None, _FULL, _STAGGERED, True),
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


def own_recipe(data: Sequences, *, chip: bool = False) -> Recipe:
    """Return a recipe for a user's own sequences, chosen by their shape alone.

    For labels or values of whole sequences, kernels of octaves: units that look at
    windows of all lengths, a cell that adds up what they say, and a readout that is
    fitted in closed form (`training.octaves`).

    For those of each step, two cells that are trained: the first sees a short window of
    each channel in a memory of its own, and the second remembers its units over the
    whole sequence.

    Beyond `CHANNELS` channels, groups of them share a memory.

    A Loihi chip takes one cell, whose memories have the whole sequence.

    Parameters
    ----------
    data : Sequences
    chip : bool
        The one for a chip.

    Returns
    -------
    Recipe
        Of trained cells, with as many epochs as give about `UPDATES` steps of the
        optimizer.

    Raises
    ------
    ValidationError
        If there is to be one for a chip, and the sequences have values or a label for
        each step, which no chip reads.
    """
    if data.last and not chip:
        return _octaves_recipe(data)
    n, memories, ends = len(data.train), min(data.size_in, CHANNELS), data.train.lengths
    typical = data.steps if ends is None else float(np.median(ends))
    short = int(np.clip(typical / 6, 3, 50))
    front = (min(4, short), UNITS, short)
    batch = int(np.clip(n // 10, 4, 50))
    epochs = int(np.clip(UPDATES / max(1, n // batch), 20, 400))
    if chip:
        if data.classes is None or not data.last:
            kind = "values" if data.classes is None else "labels of each step"
            problem = f"has no recipe for {kind}: a label is read at the end of each"
            remedy = "train without it, and convert"
            raise ValidationError("own_recipe.chip", chip, problem, remedy)
        return _own_on_chip(data, epochs, batch)
    settings = _fast(epochs=epochs, batch=batch, noise=0.1, **_last)
    coefficients = memories * front[0] + UNITS * ORDER
    spikes = _spikes(100 * max(100, coefficients), 0.01)
    how = {"memories": memories, "front": front, "normalised": True}
    return Recipe(ORDER, 2 * UNITS, None, settings, spikes, **how)


def _octaves_recipe(data: Sequences) -> Recipe:
    """Return a recipe for sequences that are told apart, or valued, as a whole."""
    n, order = len(data.train), order_for(data.steps)
    memories = min(data.size_in, CHANNELS)
    units = min(KERNELS, units_for(data.steps, memories))
    # `start` fits the readout; its bias alone is trained after it
    some = {"trainable": ("readout.c",), "keep": "last"}
    settings = _fast(epochs=5, batch=max(1, min(50, n)), **some)
    spikes = _spikes(400 * max(100, memories * order + units), 0.01)
    how = {"memories": memories, "normalised": True, "octaves": True, "merged": n < FEW}
    return Recipe(order, KERNELS, None, settings, spikes, **how)


def _own_on_chip(data: Sequences, epochs: int, batch: int) -> Recipe:
    """Return a recipe of one cell for a chip: a memory for each channel, if not many.

    Of more than `ON_CHIP` channels the mixture is learned: the cell's size on the chip
    is that of its memories' coefficients.
    """
    memories = min(data.size_in, ON_CHIP)
    order = min(int(np.clip(COEFFICIENTS // memories, *ORDERS)), data.steps)
    settings = _noisy(epochs=epochs, batch=batch)
    if data.size_in > memories:  # errors in samples would be of the first mixture alone
        names = ("cell0.e_x", *(settings.trainable or ()))
        settings = replace(settings, late=0.0, stretch=0.0, trainable=names)
    # neurons, and whole milliseconds of a sample
    neurons = max(EACH[0] * memories * order, EACH[1])
    milli = int(np.clip(round(1e3 * CHIP_SECONDS / data.steps), 1, 20))
    layout = _layout(neurons, milli / 1e3, max(milli, 15) / 1e3)
    how = {"memories": memories, "normalised": True, "layout": layout}
    spikes = _spikes(100 * max(100, memories * order), 0.01)
    return Recipe(order, CHIP_UNITS, None, settings, spikes, chip=ChipUnits(), **how)


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
        Cells without connections from units.
    """
    if recipe.octaves:
        return _fitted_octaves(recipe, data, seed)
    theta = (data.steps if recipe.theta is None else recipe.theta) * data.dt
    cells: list[dict[str, Any]] = []
    if recipe.front is not None:
        order, units, steps = recipe.front
        cells.append({"units": units, "order": order, "theta": steps * data.dt})
    cells.append({"units": recipe.units, "order": recipe.order, "theta": theta})
    memories = recipe.memories
    for cell in cells:
        cell |= {"activation": recipe.activation, "chip": recipe.chip}
        cell |= {"connections": "", "bias": True, "memory_d": memories}
        memories = cell["units"]
    about = {"task": data.name, "classes": data.classes, "last": data.last}
    if data.class_names is not None:
        about["class_names"] = list(data.class_names)
    params = LMUParams.draw(
        data.size_in, data.size_out, cells, dt=data.dt, seed=seed, **about
    )
    if recipe.normalised:
        mean, scale = channel_scales(data.train)
        params = replace(params, mean=mean, scale=scale)
    ends = None if data.train.lengths is None else data.train.lengths[:SEEN]
    x = params.normalised(data.train.x[:SEEN].astype(float))
    encoders = {}
    for i, cell in enumerate(params.cells):
        last = data.last and i == len(cells) - 1
        cell = _encoding_alike(cell, x, data.dt, last, ends)
        encoders[f"cell{i}.e_x"] = cell.e_x
        if i < len(cells) - 1:
            _, x = run_cell(cell, x, data.dt)
    params = params.updated(encoders)
    own = recipe.normalised and not data.classes
    return _fitted(params, data) if own else params


def _fitted_octaves(recipe: Recipe, data: Sequences, seed: int) -> LMUParams:
    """Return parameters of kernels of octaves, with a readout fitted to the data."""
    steps = data.steps if recipe.theta is None else recipe.theta
    mean, scale = channel_scales(data.train)
    x, ends, dt = data.train.x.astype(float), data.train.lengths, data.dt
    x = (x - mean) / scale
    k, order = recipe.memories, min(recipe.order, max(1, int(np.ceil(steps))))
    none = np.zeros((1, k * order))
    cell = CellParams(
        order, steps * dt, np.zeros((k, data.size_in)), none, activation="relu"
    )
    few = None if ends is None else ends[:SEEN]
    cell = _encoding_alike(cell, x[:SEEN], dt, False, few)
    cell = kernels(cell, x, dt, ends, recipe.units, seed)
    last = pooling(cell, data.steps, dt, data.size_out)
    y = data.train.y
    middle, spread = 0.0, 1.0
    if data.classes:
        Y = 2 * np.eye(data.classes)[y] - 1
    else:
        middle, spread = y.mean(axis=0), np.maximum(y.std(axis=0), 1e-12)
        Y = (y - middle) / spread
    last, fit = fitted(cell, last, x, dt, data.train, Y)
    about = {"task": data.name, "classes": data.classes, "last": data.last}
    about["seed"] = seed
    if data.class_names is not None:
        about["class_names"] = list(data.class_names)
    q = data.size_out
    D, c = spread * np.eye(q), np.zeros(q) + middle
    if data.classes:
        D = sharpness(fit.left_out, y) * D
        if np.bincount(y, minlength=data.classes).min() > 1:  # else one is unknown
            right = fit.left_out.argmax(axis=1) == y
            about["left_out_accuracy"] = float(np.mean(right))
    return LMUParams((cell, last), D, c, dt, about, mean, scale)


def _encoding_alike(cell: CellParams, x, dt: float, last: bool, ends) -> CellParams:
    """Return a cell with an input for each memory, of states of rms 1 on ``x``.

    More inputs than memories go to them in turn.
    """
    k, c = cell.memory_d, cell.size_in
    encoder = (np.arange(k)[:, None] == np.arange(c) % k) * 1.0
    m, _ = run_cell(replace(cell, e_x=encoder), x, dt, last=last, lengths=ends)
    m = m if last else counted(m, ends)
    rms = np.sqrt(np.mean(m**2))
    return replace(cell, e_x=encoder / max(rms, 1e-12))


def _fitted(params: LMUParams, data: Sequences) -> LMUParams:
    """Return parameters of values whose readout has their size on training data."""
    y = data.train.y if data.last else counted(data.train.y, data.train.lengths)
    spread = np.maximum(y.std(axis=0), 1e-12)[:, None]
    return params.updated({"readout.D": params.D * spread, "readout.c": y.mean(axis=0)})


def channel_scales(train) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel, within lengths.

    Parameters
    ----------
    train : Part
        The training part.

    Returns
    -------
    mean, scale : (c,) ndarray
        The scale of a channel that is constant is 1.
    """
    x = counted(train.x, train.lengths).astype(float)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    still = scale <= 1e-6 * np.maximum(np.abs(x).max(axis=0), 1e-30)
    return mean, np.where(still, 1.0, scale)
