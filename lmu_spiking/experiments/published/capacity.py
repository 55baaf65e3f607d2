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

from dataclasses import dataclass

import numpy as np
import pandas as pd
from nengo.processes import WhiteSignal

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.experiments.published.result import (
    Comparison,
    Reproduction,
    Silent,
    interval,
)
from lmu_spiking.tasks.capacity import (
    DRAWS,
    HIGH,
    OUTPUTS,
    PERIOD,
    Periodic,
    delayed,
    delays,
    whole_sequences,
)

# --------------------------------------------------------------------------------------
# The capacity task's white noise, as harmonics: any part of it, when it is needed.


NODES = 125  # samples that determine the 25 harmonics up to HIGH


def capacity_sequences(
    length: int, channels: int = DRAWS // 2, seed: int = 0
) -> Periodic:
    """The test half of the capacity task, for delays of up to ``length`` steps.

    What ``nengo.processes.WhiteSignal(period=2.5, high=10, y0=0)`` puts out in
    ``2.5 * length`` steps of ``1 / length``, over its largest magnitude: the draws
    after the first 100 of a random generator seeded with ``seed``.
    """
    steps = int(PERIOD * length)
    if steps % (2 * NODES):  # Nengo's period is even
        raise ValidationError(
            "capacity.length", length, "must be a multiple of 100 steps"
        )
    rng, process = np.random.RandomState(seed), WhiteSignal(PERIOD, high=HIGH, y0=0)
    own = [process.get_rng(rng) for _ in range(DRAWS // 2 + channels)]
    columns = [
        _harmonics(process, steps, 1 / length, each) for each in own[DRAWS // 2 :]
    ]
    drawn = Periodic(np.stack(columns, axis=1), steps)
    peak = np.zeros(channels)
    for start in range(0, steps, 4096):
        part = drawn.block(start, min(start + 4096, steps))
        peak = np.maximum(peak, np.abs(part).max(axis=0))
    return Periodic(drawn.harmonics / peak, steps)


def _harmonics(process, steps: int, dt: float, rng) -> np.ndarray:
    """Fourier coefficients (K,) of one draw, from ``NODES`` of its samples."""
    state = process.make_state((0,), (1,), dt)
    step = process.make_step((0,), (1,), dt, rng, state)
    stride = steps // NODES
    samples = [step((j * stride + 1) * dt).item() for j in range(NODES)]
    coefficients = 2 * np.fft.rfft(samples) / NODES
    return coefficients[1 : int(PERIOD * HIGH) + 1]


# --------------------------------------------------------------------------------------
# Readouts of an LDN over very many steps, a block of steps at a time.
#
# With ``m[k] = Ad m[k-1] + Bd u[k]`` the ``b`` states of a block need not be held: its
# outputs and its last state are linear in the state before it and the block's inputs,
#
# .. math::
#
#     y_i = C \bar A^{i+1} m + \sum_{j \le i} C \bar A^{i-j} \bar B u_j, \qquad
#     m' = \bar A^b m + \sum_j \bar A^{b-1-j} \bar B u_j ,
#
# one matrix product for all channels.  Memory is O(d) a channel, whatever the length.
#
# Letters: ``d`` order, ``q`` outputs, ``b`` steps a block, ``c`` channels, ``n`` steps.


@dataclass(frozen=True, eq=False)
class BlockReadout:
    """Outputs of an LDN by blocks.

    Attributes
    ----------
    matrix : (d + b q, d + b) ndarray
        From the state before a block and its inputs to the state after it and its
        outputs, step by step.
    order, size : int
        ``d`` and ``b``.
    """

    matrix: np.ndarray
    order: int
    size: int

    __repr__ = brief

    @classmethod
    def of(cls, ldn: LDN, dt: float, weights: np.ndarray, size: int = 64):
        """For ``weights`` (q, d), such as `LDN.readout` gives."""
        Ad, Bd = ldn.discretize(dt)
        d, q = ldn.order, len(weights)
        state, impulse = np.eye(d), []  # Ad^i and Ad^i Bd
        matrix = np.zeros((d + size * q, d + size))
        for i in range(size):
            impulse.append(state @ Bd)
            state = Ad @ state
            rows = slice(d + i * q, d + (i + 1) * q)
            matrix[rows, :d] = weights @ state
            matrix[rows, d : d + i + 1] = weights @ np.stack(impulse[::-1], axis=1)
        matrix[:d, :d] = state
        matrix[:d, d:] = np.stack(impulse[::-1], axis=1)
        return cls(matrix, d, size)

    def run(self, m: np.ndarray, u: np.ndarray):
        """Outputs after each input, and the last state.

        Parameters
        ----------
        m : (d, c) ndarray
            State before the first input.
        u : (n, c) ndarray
            A whole number of blocks.

        Returns
        -------
        y : (n, q, c) ndarray
        m : (d, c) ndarray
        """
        outputs = []
        for start in range(0, len(u), self.size):
            both = self.matrix @ np.vstack([m, u[start : start + self.size]])
            m = both[: self.order]
            outputs.append(both[self.order :])
        return np.concatenate(outputs).reshape(len(u), -1, u.shape[1]), m


# --------------------------------------------------------------------------------------
# The LSTM of the capacity task: trained for so long, where TensorFlow is installed.


LSTM_LENGTHS = (25, 100, 400, 1600)
PUBLISHED_LSTM = {1600: 0.13}  # mean squared error, read off the paper's figure
MINUTES = 4.0


def train_all(minutes: float, seed: int, bar=Silent) -> tuple[list[dict], str]:
    """LSTM rows of every length, or none and the reason why."""
    if minutes <= 0:
        return [], "not run"
    rows, left = [], 60 * minutes
    try:
        with bar("LSTMs", len(LSTM_LENGTHS)) as progress:
            for length in LSTM_LENGTHS:  # longer ones get what shorter ones leave
                rows += lstm(length, left * _share(length), seed)
                left -= rows[-1]["seconds"]
                progress.advance(length)
    except MissingPackageError:
        return [], "not run: install lmu_spiking[train]"
    return rows, ""


def lstm(length: int, seconds: float, seed: int = 0) -> list[dict]:
    """The published LSTM, trained for so long: rows of its error at each delay.

    The last row, without a delay, is the mean of T/4, T/2 and 3T/4.
    """
    from lmu_spiking.experiments.published.rivals import fit_lstm

    x = whole_sequences(length, seed=seed)
    y = delayed(x, delays(length))
    half = len(x) // 2
    fitted = fit_lstm(x[:half, :, None], y[:half], seconds=seconds, seed=seed)
    error = (fitted.predict(x[half:, :, None]) - y[half:])[:, length:] ** 2
    what = {"length": length, "epochs": fitted.epochs, "seconds": fitted.seconds}
    each = error.mean(axis=1)
    rows = [
        what | {"delay": int(s)} | interval(each[:, k])
        for k, s in enumerate(delays(length))
    ]
    inside = each[:, 1:-1].mean(axis=1)
    return [*rows, what | {"delay": None} | interval(inside)]


def compare(rows: list[dict], why: str) -> list[Comparison]:
    """The mean error inside the window at each length, or why there is none."""
    means = {row["length"]: row for row in rows if row["delay"] is None}
    found = []
    for length in LSTM_LENGTHS:
        what, then = f"LSTM(100), T = {length:,}", PUBLISHED_LSTM.get(length)
        if length in means:
            row = means[length]
            value = (row["mse"], row["low"], row["high"])
            found.append(Comparison(what, then, *value))
        else:
            found.append(Comparison(what, then, say=why))
    return found


def note(rows: list[dict], minutes: float, why: str) -> str:
    """How many epochs there were at each length, in words."""
    found = {row["length"]: row["epochs"] for row in rows}
    epochs = ", ".join(f"{n} (T = {length:,})" for length, n in found.items())
    return f"here as many as fit into {minutes:g} minutes: {epochs}" if rows else why


def _share(length: int) -> float:
    """Of the time that is left; in all, time goes as the root of the length."""
    return length**0.5 / sum(each**0.5 for each in LSTM_LENGTHS if each >= length)


# --------------------------------------------------------------------------------------

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
    lstm_minutes: float = MINUTES,
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
    trained, why = train_all(minutes, seed, bar)
    return Reproduction(
        name="capacity",
        title="Mean squared error of the delayed input, order 100, no training",
        comparisons=(*_compare(rows), *compare(trained, why)),
        faults=FAULTS,
        notes=(
            "published: the notebook shows a figure; its own settings give these "
            "numbers, which lie on it",
            "rerun: the paper's readout, run here",
            "LSTM: mean of delays T/4, T/2, 3T/4; the paper trains it for 500 epochs, "
            + note(trained, minutes, why),
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
    rows += [("LSTM", n, mse) for n, mse in PUBLISHED_LSTM.items()]
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
