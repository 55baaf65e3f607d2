r"""Digits, a pixel a step: trained rate-based, run in spikes, and at another step.

The trained weights are converted, and the accuracy drop in spikes is measured beside
the predicted one.

The same weights serve at another step, since a window is seconds, not samples.  A
memory with a zero-order hold ends at the same state however often the constant value
is sampled: ``exp(A dt/theta)`` composes, so that the same pixel as 1, 2 or 4 samples is
the same to rounding.  The networks are trained with 2 samples a pixel and run, weights
and window as they are, with 4 (half the step) and 1 (double the step).

Where the input itself is coarser, information is lost, and no invariance brings it
back: pixels averaged in pairs, or every second one dropped, are the harder test.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lmu_spiking.conversion import convert, report
from lmu_spiking.experiments.records import pick
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.metrics import accuracy
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.sequences import Part, Sequences

COPIED = ("rate_accuracy", "spiking_accuracy", "loss", "loss_low", "loss_high")
COPIED += ("predicted_loss", "predicted_spread", "chance", "sequences", "neurons")
COPIED += ("spikes_per_inference", "synops_per_inference", "clocked_per_inference")
COPIED += ("seconds_per_inference", "mean_rate")

# -- training and spikes -------------------------------------------------------------


def trained_digits(
    seed: int, *, repeats: int = 1, epochs: int | None = None
) -> tuple[LMUParams, Sequences, dict]:
    """Train on one split; return the parameters, the task, and a row of the training.

    Parameters
    ----------
    seed : int
        Of the split, the initial parameters, the batches and the noise.
    repeats : int
        Samples that each pixel is presented as; the window in seconds stays.
    epochs : int, optional
        Those of the recipe by default.

    Returns
    -------
    params : LMUParams
    data : Sequences
    row : dict
    """
    from lmu_spiking.experiments.published.models import recipe_of, train_kept
    from lmu_spiking.training import evaluate

    recipe = recipe_of("digits", seed, None, epochs)
    data = at_samples(load_task("digits", seed=seed), 1, repeats)
    chosen = recipe.data(data)
    made = train_kept(recipe, chosen, seed, None, "digits")
    row = {
        "seed": seed,
        "rate_accuracy": evaluate(made.params, data.test, data.classes),
        "trained_on": len(chosen.train),
        "epochs": len(made.history),
        "seconds": made.seconds,
        "params": made.params.n_params,
        "chance": data.chance,
    }
    return made.params, data, row


def spiking_row(
    params: LMUParams,
    data: Sequences,
    n_neurons: int,
    presentation: float,
    *,
    noise_seed: int = 0,
    tests: int | None = None,
    jobs: int = 1,
    columns: tuple[str, ...] = COPIED,
    **settings,
) -> dict:
    """Run the test digits in spikes, with the predicted loss beside the measured one.

    Parameters
    ----------
    params : LMUParams
    data : Sequences
        Each sequence is read at its own end.
    n_neurons : int
    presentation : float
        Seconds a sample.
    noise_seed : int
    tests : int, optional
        Digits to run, all by default.
    jobs : int
        Processes.
    columns : tuple of str
        Of the report, that the row has.
    **settings
        Of `ConvertSettings`.

    Returns
    -------
    dict
    """
    row: dict = {"n_neurons": n_neurons, "presentation": presentation}
    row["noise_seed"] = noise_seed
    train, test = data.train, data.test
    made = convert(params, train.x, last=True, lengths=train.lengths, **settings, **row)
    ends = None if test.lengths is None else test.lengths[:tests]
    x, y = test.x[:tests], test.y[:tests]
    measured = report(made, x, y, last=True, lengths=ends, jobs=jobs).to_dict()
    row["tau"] = made.memories[0].mapped.synapse.tau
    return row | {name: measured[name] for name in columns}


# -- another step --------------------------------------------------------------------

TRAINED = 2  # samples a pixel
STEPS = {"half": 4, "as trained": 2, "double": 1}  # samples a pixel


def map_inputs(data: Sequences, change: Callable, **fields) -> Sequences:
    """Return a task with other inputs, and other fields.

    Parameters
    ----------
    data : Sequences
    change : callable
        Takes inputs (n, T, c) and returns others.
    **fields
        Of `Sequences`.

    Returns
    -------
    Sequences
    """
    parts = pick(data, "train", "valid", "test")
    changed = {name: Part(change(part.x), part.y) for name, part in parts.items()}
    return replace(data, **changed, **fields)


def at_samples(data: Sequences, before: int, after: int) -> Sequences:
    """Return pixels of ``before`` samples as ``after``: the same signal, another step.

    Parameters
    ----------
    data : Sequences
    before, after : int
        Samples of a pixel.

    Returns
    -------
    Sequences
        Without shifts of the digits.
    """

    def change(x):
        return np.repeat(x[:, ::before], after, axis=1)

    return map_inputs(data, change, dt=data.dt * before / after, augment=None)


def coarser(data: Sequences, samples: int, how: str) -> Sequences:
    """Return two pixels as one value, constant for as long, in as many samples.

    Parameters
    ----------
    data : Sequences
    samples : int
        Of a pixel.
    how : {"averaged", "dropped"}
        The mean of both, or the second of them.

    Returns
    -------
    Sequences
    """

    def change(x):
        pixels = x[:, ::samples]
        pairs = pixels.reshape(len(pixels), -1, 2, pixels.shape[2])
        value = pairs.mean(axis=2) if how == "averaged" else pairs[:, :, 1]
        return np.repeat(value, 2 * samples, axis=1)

    return map_inputs(data, change)


def rate_rows(params: LMUParams, data: Sequences, trained: int = TRAINED) -> list[dict]:
    """Return the rate-based accuracy at each step, and the difference of the outputs.

    Parameters
    ----------
    params : LMUParams
    data : Sequences
    trained : int
        Samples a pixel, in training.

    Returns
    -------
    list of dict
        ``step, samples, dt, rate_accuracy``, ``lost`` against the step of training and
        ``difference`` of the outputs, relative to the largest.
    """
    variants = {k: (at_samples(data, trained, n), n) for k, n in STEPS.items()}
    for how in ("averaged", "dropped"):
        variants[f"pixels {how} in pairs"] = (coarser(data, trained, how), trained)
    # everything is compared with the step of training
    exact = forward(params, data.test.x, last=True)
    own, rows = accuracy(exact, data.test.y), []
    for name, (shown, samples) in variants.items():
        y = forward(replace(params, dt=shown.dt), shown.test.x, last=True)
        mine = accuracy(y, data.test.y)
        row = {"step": name, "samples": samples, "dt": shown.dt, "rate_accuracy": mine}
        difference = float(np.abs(y - exact).max() / np.abs(exact).max())
        rows.append(row | {"lost": own - mine, "difference": difference})
    return rows


def spiking_rows(
    params: LMUParams,
    data: Sequences,
    n_neurons: int,
    *,
    pixel: float = 0.008,
    trained: int = TRAINED,
    noise_seed: int = 0,
    tests: int | None = None,
) -> list[dict]:
    """Return rows in spikes at each step, which the simulator's step follows.

    Units are read for one step, so that at half the step they fire half as many spikes.

    Parameters
    ----------
    params : LMUParams
    data : Sequences
    n_neurons : int
    pixel : float
        Seconds that a pixel is shown for, at every step.
    trained : int
        Samples a pixel, in training.
    noise_seed : int
    tests : int, optional
        Digits to run, all by default.

    Returns
    -------
    list of dict
        As from `spiking_row`, with ``step, samples, dt`` and ``lost``.
    """
    rows = []
    for name, samples in STEPS.items():
        shown, dt = at_samples(data, trained, samples), 2e-3 / samples
        options = {"dt": dt, "noise_seed": noise_seed, "tests": tests}
        there = replace(params, dt=shown.dt)
        row = spiking_row(there, shown, n_neurons, pixel / samples, **options)
        rows.append({"step": name, "samples": samples, "dt": dt} | row)
    (exact,) = (r["spiking_accuracy"] for r in rows if r["samples"] == trained)
    return [row | {"lost": exact - row["spiking_accuracy"]} for row in rows]
