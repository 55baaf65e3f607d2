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

from lmu_spiking.experiments.learning.digits import spiking_row
from lmu_spiking.rates.forward import forward
from lmu_spiking.rates.params import LMUParams
from lmu_spiking.tasks.sequences import Part, Sequences

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
