"""The LMU paper's capacity task: how much of the past is held, without training.

Band-limited white noise of 2.5 T steps; the outputs are the input delayed by 0, T/4,
T/2, 3T/4 and T steps.  The published LMU reads them off with ``theta = T - 1/2`` and
``r = s / T``.  A zero-order hold system sees each sample half a step late, so that
sample ``s`` sits at ``r = (s + 1/2) / theta``: with ``theta = T + 1`` all are inside.

The published LSTM [1]_ is trained where TensorFlow is installed, as long as is wanted.

References
----------
.. [1] ``experiments/capacity.ipynb``, branch ``paper``, github.com/abr/neurips2019.
"""

import numpy as np
import pandas as pd

from lmu_spiking.experiments.published import capacity_lstm
from lmu_spiking.experiments.published.blocks import BlockReadout
from lmu_spiking.experiments.published.result import (
    Comparison,
    Reproduction,
    Silent,
    interval,
)
from lmu_spiking.experiments.published.sequences import capacity_sequences
from lmu_spiking.ldn import LDN
from lmu_spiking.tasks.capacity import OUTPUTS, Periodic, delays

ORDER = 100
LENGTHS = (100, 1000, 10_000, 100_000)
CHUNK = 4096  # steps whose inputs and outputs are held at once

# Mean squared errors of [1] at the five delays.  The notebook shows a figure without
# numbers: these are of its own settings in numpy, and lie on the points of that figure.
PUBLISHED = {
    100: (2.5e-4, 7.2e-3, 1.0e-2, 1.4e-2, 1.8e-2),
    1000: (3.1e-6, 7.4e-5, 1.1e-4, 1.5e-4, 2.0e-4),
    10_000: (3.3e-7, 7.8e-7, 1.1e-6, 1.6e-6, 2.8e-6),
}
PUBLISHED_LONGEST = (7e-9, 1e-6)  # T = 100,000: the range of the figure's points


def readouts(length: int) -> dict[str, tuple[LDN, np.ndarray]]:
    """The LDN and its weights (5, d): as in the paper, and half-sample correct."""
    dt, lags = 1 / length, delays(length)
    paper, ours = LDN(ORDER, (length - 0.5) * dt), LDN(ORDER, (length + 1) * dt)
    return {
        "paper": (paper, paper.basis(lags / length)),
        "half-sample": (ours, ours.readout(lags * dt, dt)),
    }


def mean_squared_errors(
    ldn: LDN, weights, sequences: Periodic, length: int, on_chunk=lambda _: None
) -> np.ndarray:
    """Error of each delay and sequence (5, c), over the steps from ``length`` on.

    Memory does not depend on the length: inputs and targets are made when needed.
    """
    readout = BlockReadout.of(ldn, 1 / length, weights)
    channels = sequences.harmonics.shape[1]
    m, total = np.zeros((ldn.order, channels)), np.zeros((len(weights), channels))
    for start in range(0, sequences.steps, CHUNK):
        stop = min(start + CHUNK, sequences.steps)
        u = sequences.block(start, stop)
        spare = -len(u) % readout.size
        y, m = readout.run(m, np.pad(u, ((0, spare), (0, 0))))
        first = max(length - start, 0)
        for k, lag in enumerate(delays(length)):
            if first < len(u):
                wanted = sequences.block(start + first - lag, stop - lag)
                total[k] += np.sum((y[first : len(u), k] - wanted) ** 2, axis=0)
        on_chunk(stop)
    return total / (sequences.steps - length)


def untrained(length: int, sequences: int = 100, seed: int = 0) -> list[dict]:
    """Rows of ``length, delay, readout, mse, low, high`` over test sequences."""
    drawn = capacity_sequences(length, sequences, seed)
    return [
        {"length": length, "delay": int(lag), "readout": name} | interval(errors)
        for name, (ldn, weights) in readouts(length).items()
        for lag, errors in zip(
            delays(length),
            mean_squared_errors(ldn, weights, drawn, length),
            strict=True,
        )
    ]


def reproduce(
    seed: int = 0,
    *,
    fast=False,
    jobs: int = 1,
    out=None,
    bar=Silent,
    lstm_minutes: float = capacity_lstm.MINUTES,
):
    """Run the capacity task.

    Parameters
    ----------
    seed : int
        Draws the sequences; the published ones have 0.
    fast : bool
        Up to T = 1,000, and no LSTM.
    jobs : int
        Not used: one process is quick.
    out : path-like, optional
        Not used.
    bar : callable
        Makes a progress bar from a name and a total; `Silent` by default.
    lstm_minutes : float
        For training the LSTM, shared by its lengths; 0 for none.

    Returns
    -------
    Reproduction
    """
    lengths = LENGTHS[:2] if fast else LENGTHS
    rows = []
    with bar("Lengths", len(lengths)) as progress:
        for length in lengths:
            rows += untrained(length, seed=seed)
            progress.advance(length)
    minutes = 0.0 if fast else lstm_minutes
    trained, why = capacity_lstm.train_all(minutes, seed, bar)
    return Reproduction(
        name="capacity",
        title="Mean squared error of the delayed input, order 100, no training",
        comparisons=(*_compare(rows), *capacity_lstm.compare(trained, why)),
        faults=FAULTS,
        notes=(
            "published: the notebook shows a figure; its own settings give these "
            "numbers, which lie on it",
            "rerun: the paper's readout, run here",
            "LSTM: mean of delays T/4, T/2, 3T/4; the paper trains it for 500 epochs, "
            + capacity_lstm.note(trained, minutes, why),
        ),
        data={
            "untrained": pd.DataFrame(rows),
            "lstm": pd.DataFrame(trained),
            "published": published(),
        },
        settings={
            "order": ORDER,
            "lengths": lengths,
            "test_sequences": 100,
            "lstm_minutes": minutes,
        },
        seed=seed,
        fast=fast,
        beside="rerun",
    )


FAULTS = (
    "theta = T - 1/2 and r = s / T read each delay half a step to a step too late in "
    "time; r = (s + 1/2) / (T + 1) mends it, with no training",
)


def published() -> pd.DataFrame:
    """What is known of the figure: rows of ``model, length, mse``."""
    rows = [("LMU", n, mse) for n, errors in PUBLISHED.items() for mse in errors]
    rows += [("LSTM", n, mse) for n, mse in capacity_lstm.PUBLISHED.items()]
    return pd.DataFrame(rows, columns=["model", "length", "mse"])


def _compare(rows: list[dict]) -> list[Comparison]:
    paper = [row for row in rows if row["readout"] == "paper"]
    ours = [row for row in rows if row["readout"] == "half-sample"]
    found = []
    for k, (theirs, mine) in enumerate(zip(paper, ours, strict=True)):
        known = PUBLISHED.get(mine["length"])
        theirs_then = known[k % OUTPUTS] if known else PUBLISHED_LONGEST
        what = f"T = {mine['length']:,}, delay {mine['delay']:,}"
        value = (mine["mse"], mine["low"], mine["high"], theirs["mse"])
        found.append(Comparison(what, theirs_then, *value))
    return found
