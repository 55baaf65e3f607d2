r"""The LMU paper's figure of Poisson neurons: as it was published, and as claimed.

The paper says that ``m`` recurrently connected Poisson neurons hold ``d`` dimensions
with an error of O(d / sqrt(m)).  The script behind its figure [1]_ runs a feed-forward
ensemble with ``d = 1`` and no memory, beside the line ``5 / sqrt(m)``, whose 5 it calls
a fudge factor.  Here are that run, and memories of ``d = 1 ... 24`` beside the
predicted error.

References
----------
.. [1] ``figures/poisson-performance.py``, branch ``paper``, github.com/abr/neurips2019.
"""

import tempfile

import numpy as np
import pandas as pd

from lmu_spiking.experiments.published.feedforward import (
    DT,
    NEURONS,
    STEPS,
    TAU,
    feedforward,
)
from lmu_spiking.experiments.published.result import (
    Comparison,
    Reproduction,
    Silent,
    in_parallel,
)
from lmu_spiking.spec import MemorySpec
from lmu_spiking.studies.metrics import confidence, power_law
from lmu_spiking.studies.report import exponents, summarise
from lmu_spiking.studies.sweep import grid, sweep

FUDGE, SLOPE = 5.0, -0.5  # of the published line
ORDERS = (1, 2, 3, 6, 12, 24)
# Every order divides these.
MEMORY_NEURONS = (480, 1920, 7680, 30_720, 122_880, 491_520)


def reproduce(seed: int = 0, *, fast=False, jobs: int = 1, out=None, bar=Silent):
    """Run the figure as published, and as claimed.

    Parameters
    ----------
    seed : int
        First of the feed-forward seeds, and of the memories'.
    fast : bool
        Fewer neurons, orders and trials.
    jobs : int
        Processes.
    out : path-like, optional
        Folder for the trials of the memories, which a later run takes up.
    bar : callable
        Makes a progress bar from a name and a total; `Silent` by default.

    Returns
    -------
    Reproduction
    """
    sizes, seeds = (NEURONS[:6], 3) if fast else (NEURONS, 5)
    runs = [(m, seed + k) for k in range(seeds) for m in sizes]
    with bar("Feed-forward runs", len(runs)) as progress:
        rows = in_parallel(feedforward, runs, jobs, progress.advance)
    fed = pd.DataFrame(rows)
    orders = ORDERS[::2] if fast else ORDERS
    sizes = MEMORY_NEURONS[::2] if fast else MEMORY_NEURONS
    repeats, duration = (3, 8.0) if fast else (6, 20.0)
    trials = memories(orders, sizes, repeats, duration, seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        bar("Memories", len(trials)) as progress,
    ):
        frame = sweep(trials, out or folder, n_jobs=jobs, on_done=progress.advance)
    fits, summary = exponents(frame), summarise(frame)
    return Reproduction(
        name="poisson-figure",
        title="RMSE of Poisson neurons against their number, and O(d / sqrt m)",
        comparisons=(*_compare_feedforward(fed), *_compare_memories(fits)),
        faults=FAULTS,
        notes=NOTES,
        data={"feedforward": fed, "memories": summary, "exponents": fits},
        settings={
            "feedforward": {"seeds": seeds, "steps": STEPS, "dt": DT, "tau": TAU},
            "memories": {
                "orders": orders,
                "neurons": sizes,
                "trials": repeats,
                "duration": duration,
                "base": MemorySpec().to_dict(),
            },
        },
        seed=seed,
        fast=fast,
        beside="predicted",
    )


FAULTS = (
    "the published figure has no recurrence and no memory, and d = 1: the claim for "
    "recurrent neurons and the factor d are not in it",
    "its line d / sqrt(m) is 5 / sqrt(m) with 5 a 'fudge factor' in the script",
)
NOTES = (
    "feed-forward: 1,000 decoding points on a grid in place of 2 m random ones; the "
    "same regularised least squares, in O(m) memory",
    "memories: rectifier pairs at 300 Hz, theta .5 s, tau .1 s, white noise of 2 Hz "
    "and rms .5; Poisson sums, exact in distribution",
)


def memories(orders, neurons, trials: int, duration: float, seed: int) -> list:
    """Trials of Poisson memories at each order with each number of neurons in all."""
    return [
        trial
        for m in neurons
        for order in orders
        for trial in grid(
            [order],
            [m // order],
            ["poisson"],
            trials,
            MemorySpec(),
            duration,
            seed,
            aggregated=True,
        )
    ]


def _compare_feedforward(fed: pd.DataFrame) -> list[Comparison]:
    measured = power_law(fed.neurons, fed.rmse)
    expected = power_law(fed.neurons, fed.predicted_rmse)
    root = np.sqrt(fed.neurons)
    mean, half = confidence(fed.rmse * root)
    predicted = float(np.mean(fed.predicted_rmse * root))
    slope = (measured.exponent, measured.low, measured.high, expected.exponent)
    return [
        Comparison("feed-forward: slope", SLOPE, *slope),
        Comparison(
            "feed-forward: RMSE sqrt(m)",
            FUDGE,
            mean,
            mean - half,
            mean + half,
            predicted,
        ),
    ]


def _compare_memories(fits: pd.DataFrame) -> list[Comparison]:
    rows = []
    for fit in fits[fits.against == "neurons"].itertuples():
        order = fit.at.removeprefix("order ")
        value = (fit.exponent, fit.low, fit.high, fit.predicted)
        rows.append(Comparison(f"memory, d = {order}: slope", SLOPE, *value))
    held = fits[(fits.against == "order") & fits["at"].str.endswith(" neurons")]
    if len(held):
        fit = held.iloc[held["at"].str.split().str[0].astype(float).argmax()]
        m = float(fit["at"].split()[0])
        value = (fit.exponent, fit.low, fit.high, fit.predicted)
        rows.append(Comparison(f"exponent of d at m = {m:,.0f}", 1.0, *value))
    return rows
