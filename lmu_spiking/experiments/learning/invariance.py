r"""The same weights at another step: a window is seconds, not samples.

A memory that holds its input (zero-order hold) ends at the same state however often the
held value is sampled: ``exp(A dt/theta)`` composes, so that the same pixel as 1, 2 or 4
samples is the same to rounding.  The networks are trained with 2 samples a pixel and
run, weights and window as they are, with 4 (half the step) and 1 (double the step).

Where the input itself is coarser, information is lost, and no invariance brings it
back: pixels averaged in pairs, or every second one dropped, are the harder test.
"""

from dataclasses import replace

import numpy as np

from lmu_spiking.conversion import convert, report
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.sequences import Part, Sequences

# --------------------------------------------------------------------------------------
# Digits, a pixel a step: trained in rates, run in spikes, the loss predicted.


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
    row |= {"noise_seed": noise_seed, "tau": made.memories[0].mapped.synapse.tau}
    return row | {name: found[name] for name in COPIED}


# --------------------------------------------------------------------------------------

TRAINED = 2  # samples a pixel
STEPS = {"half": 4, "as trained": 2, "double": 1}  # samples a pixel


def at_step(params: LMUParams, dt: float) -> LMUParams:
    """The same parameters, weights and window, at another step."""
    return replace(params, dt=dt)


def at_samples(data: Sequences, before: int, after: int) -> Sequences:
    """Pixels of ``before`` samples as ``after``: the same signal, another step."""

    def again(part: Part) -> Part:
        return Part(np.repeat(part.x[:, ::before], after, axis=1), part.y)

    train, valid, test = (again(p) for p in (data.train, data.valid, data.test))
    dt = data.dt * before / after
    return replace(data, train=train, valid=valid, test=test, dt=dt)


def coarser(data: Sequences, samples: int, how: str) -> Sequences:
    """Two pixels as one value held for as long, in as many samples.

    Parameters
    ----------
    samples : int
        Of a pixel.
    how : {"averaged", "dropped"}
        The mean of both, or the second of them.
    """

    def made(part: Part) -> Part:
        pixels = part.x[:, ::samples]
        pairs = pixels.reshape(len(pixels), -1, 2, pixels.shape[2])
        value = pairs.mean(axis=2) if how == "averaged" else pairs[:, :, 1]
        return Part(np.repeat(value, 2 * samples, axis=1), part.y)

    train, valid, test = (made(p) for p in (data.train, data.valid, data.test))
    return replace(data, train=train, valid=valid, test=test)


def rate_rows(params: LMUParams, data: Sequences, trained: int = TRAINED) -> list[dict]:
    """Accuracy in rates at each step, and how far outputs lie from those as trained."""
    exact = forward(params, data.test.x, last=True)
    accuracy = _accuracy(exact, data.test.y)
    variants = {
        name: (at_samples(data, trained, samples), samples)
        for name, samples in STEPS.items()
    }
    for how in ("averaged", "dropped"):
        variants[f"pixels {how} in pairs"] = (coarser(data, trained, how), trained)
    rows = []
    for name, (shown, samples) in variants.items():
        y = forward(at_step(params, shown.dt), shown.test.x, last=True)
        mine = _accuracy(y, data.test.y)
        rows.append(
            {
                "step": name,
                "samples": samples,
                "dt": shown.dt,
                "rate_accuracy": mine,
                "lost": accuracy - mine,
                "difference": float(np.abs(y - exact).max() / np.abs(exact).max()),
            }
        )
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
    """The same in spikes, the simulator's step going along with the sample's.

    Units are read for one step, so that at half the step they say half as many spikes.

    Parameters
    ----------
    pixel : float
        Seconds that a pixel is shown for, at every step.
    """
    rows = []
    for name, samples in STEPS.items():
        shown = at_samples(data, trained, samples)
        row = spiking_row(
            at_step(params, shown.dt),
            shown,
            n_neurons,
            pixel / samples,
            dt=2e-3 / samples,
            noise_seed=noise_seed,
            tests=tests,
        )
        rows.append({"step": name, "samples": samples, "dt": 2e-3 / samples} | row)
    exact = next(row for row in rows if row["samples"] == trained)
    return [
        row | {"lost": exact["spiking_accuracy"] - row["spiking_accuracy"]}
        for row in rows
    ]


def _accuracy(outputs: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(outputs.argmax(axis=1) == y))
