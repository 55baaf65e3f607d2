r"""The LMU paper's capacity task: how much of the past is held, without training.

Band-limited white noise of 2.5 T steps; the outputs are the input delayed by 0, T/4,
T/2, 3T/4 and T steps.  The published LMU reads them off with ``theta = T - 1/2`` and
``r = s / T``.  A zero-order hold system sees each sample half a step late, so that
sample ``s`` sits at ``r = (s + 1/2) / theta``: with ``theta = T + 1`` all are inside.

T is up to 100,000 steps.  So the noise is drawn as harmonics, of which any part is
computed when it is needed, and the LDN is read a block of ``b`` steps at a time: with
``m[k] = Ad m[k-1] + Bd u[k]``, the outputs of a block and its last state are linear in
the state before it and in its inputs,

.. math::

    y_i = C \bar A^{i+1} m + \sum_{j \le i} C \bar A^{i-j} \bar B u_j, \qquad
    m' = \bar A^b m + \sum_j \bar A^{b-1-j} \bar B u_j ,

one matrix product for all channels.  Memory is O(d) a channel, whatever the length.

The published LSTM [1]_ is trained where JAX is installed, as long as is wanted.

Letters: ``d`` order, ``q`` outputs, ``b`` steps a block, ``c`` channels, ``n`` steps.

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
from lmu_spiking.experiments.records import in_parallel
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

ORDER = 100
LENGTHS = (100, 1000, 10_000, 100_000)
LSTM_LENGTHS, MINUTES = (25, 100, 400, 1600), 4.0
NODES = 125  # samples that determine the 25 harmonics up to HIGH
TESTED = 100  # sequences
CHUNK = 4096  # steps whose inputs and outputs are in memory at once

# Mean squared errors of [1] at the five delays.  The notebook shows a figure without
# numbers: these are of its own settings in numpy, and lie on the points of that figure.
PUBLISHED = {
    100: (2.5e-4, 7.2e-3, 1.0e-2, 1.4e-2, 1.8e-2),
    1000: (3.1e-6, 7.4e-5, 1.1e-4, 1.5e-4, 2.0e-4),
    10_000: (3.3e-7, 7.8e-7, 1.1e-6, 1.6e-6, 2.8e-6),
}
PUBLISHED_LONGEST = (7e-9, 1e-6)  # T = 100,000: the range of the figure's points
PUBLISHED_LSTM = {1600: 0.13}  # read off the paper's figure
FAULTS = (
    "theta = T - 1/2 and r = s / T read each delay half a step to a step too late in "
    "time; r = (s + 1/2) / (T + 1) mends it, with no training",
)


def published() -> pd.DataFrame:
    """Return what is known of the figure: rows of ``model, length, mse``."""
    rows = [("LMU", n, mse) for n, errors in PUBLISHED.items() for mse in errors]
    rows += [("LSTM", n, mse) for n, mse in PUBLISHED_LSTM.items()]
    return pd.DataFrame(rows, columns=["model", "length", "mse"])


def reproduce(
    seed: int = 0,
    *,
    fast=False,
    jobs: int = 1,
    out=None,
    bar=Silent,
    lstm_minutes: float = MINUTES,
) -> Reproduction:
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
    cells = [(length, TESTED, seed) for length in lengths]
    with bar("Lengths", len(lengths)) as progress:
        found = in_parallel(untrained, cells, 1, progress.advance)
    rows = [row for several in found for row in several]
    minutes = 0.0 if fast else lstm_minutes
    lstms, why = train_all(minutes, seed, bar)
    epochs = {row["length"]: row["epochs"] for row in lstms}
    told = ", ".join(f"{n:.3g} (T = {length:,})" for length, n in epochs.items())
    told = f"here as many as fit into {minutes:g} minutes: {told}" if told else why
    return Reproduction(
        name="capacity",
        title="Mean squared error of the delayed input, order 100, no training",
        comparisons=(*compare(rows), *compare_lstms(lstms, why)),
        faults=FAULTS,
        notes=(
            "published: the notebook shows a figure; its own settings give these "
            "numbers, which lie on it",
            "rerun: the paper's readout, run here",
            "LSTM: mean of delays T/4, T/2, 3T/4; the paper trains it for 500 epochs, "
            + told,
        ),
        data={
            "untrained": pd.DataFrame(rows),
            "lstm": pd.DataFrame(lstms),
            "published": published(),
        },
        settings={
            "order": ORDER,
            "lengths": lengths,
            "test_sequences": TESTED,
            "lstm_minutes": minutes,
        },
        seed=seed,
        fast=fast,
        beside="rerun",
    )


# -- sequences -----------------------------------------------------------------------


def capacity_sequences(
    length: int, channels: int = DRAWS // 2, seed: int = 0
) -> Periodic:
    """Return the test half of the capacity task, for delays of up to ``length`` steps.

    It is what ``nengo.processes.WhiteSignal(period=2.5, high=10, y0=0)`` puts out in
    ``2.5 * length`` steps of ``1 / length``, over its largest magnitude: the draws
    after the first 100 of a random generator seeded with ``seed``.

    Parameters
    ----------
    length : int
        A multiple of 100.
    channels, seed : int

    Returns
    -------
    Periodic

    Raises
    ------
    ValidationError
        If the harmonics do not fit the length.
    """
    steps = int(PERIOD * length)
    if steps % (2 * NODES):  # Nengo's period is even
        problem = "must be a multiple of 100 steps"
        raise ValidationError("capacity.length", length, problem)
    rng, process = np.random.RandomState(seed), WhiteSignal(PERIOD, high=HIGH, y0=0)
    own = [process.get_rng(rng) for _ in range(DRAWS // 2 + channels)][DRAWS // 2 :]
    columns = [_harmonics(process, steps, 1 / length, each) for each in own]
    drawn, peak = Periodic(np.stack(columns, axis=1), steps), np.zeros(channels)
    for start in range(0, steps, CHUNK):
        part = drawn.block(start, min(start + CHUNK, steps))
        peak = np.maximum(peak, np.abs(part).max(axis=0))
    return Periodic(drawn.harmonics / peak, steps)


def _harmonics(process, steps: int, dt: float, rng) -> np.ndarray:
    """Return Fourier coefficients (K,) of one draw, from ``NODES`` of its samples."""
    state = process.make_state((0,), (1,), dt)
    step = process.make_step((0,), (1,), dt, rng, state)
    stride = steps // NODES
    samples = [step((j * stride + 1) * dt).item() for j in range(NODES)]
    coefficients = 2 * np.fft.rfft(samples) / NODES
    return coefficients[1 : int(PERIOD * HIGH) + 1]


# -- the untrained LMU ---------------------------------------------------------------


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
        """Return the readout for ``weights`` (q, d), such as `LDN.readout` gives."""
        (Ad, Bd), d = ldn.discretize(dt), ldn.order
        # states for each entry of the state before, and for one input at each step
        state, outputs = np.eye(d, d + size), []
        for i in range(size):
            state = Ad @ state
            state[:, d + i] = Bd
            outputs.append(weights @ state)
        return cls(np.vstack([state, *outputs]), d, size)

    def run(self, m: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the outputs after each input, and the last state.

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


def readouts(length: int) -> dict[str, tuple[LDN, np.ndarray]]:
    """Return the LDN and its weights (5, d): as in the paper, and half-sample correct.

    Parameters
    ----------
    length : int

    Returns
    -------
    dict of (LDN, ndarray)
    """
    dt, lags = 1 / length, delays(length)
    paper, ours = LDN(ORDER, (length - 0.5) * dt), LDN(ORDER, (length + 1) * dt)
    return {
        "paper": (paper, paper.basis(lags / length)),
        "half-sample": (ours, ours.readout(lags * dt, dt)),
    }


def mean_squared_errors(
    ldn: LDN, weights: np.ndarray, sequences: Periodic, length: int
) -> np.ndarray:
    """Return the error of each delay and sequence, over the steps from ``length`` on.

    Memory does not depend on the length: inputs and targets are made when needed.

    Parameters
    ----------
    ldn : LDN
    weights : (5, d) ndarray
    sequences : Periodic
        Of ``c`` channels.
    length : int

    Returns
    -------
    (5, c) ndarray
    """
    readout = BlockReadout.of(ldn, 1 / length, weights)
    channels = sequences.harmonics.shape[1]
    m, total = np.zeros((ldn.order, channels)), np.zeros((len(weights), channels))
    for start in range(0, sequences.steps, CHUNK):
        stop = min(start + CHUNK, sequences.steps)
        u = sequences.block(start, stop)
        # the last chunk is padded to whole blocks, whose outputs are not counted
        spare = -len(u) % readout.size
        y, m = readout.run(m, np.pad(u, ((0, spare), (0, 0))))
        first = max(length - start, 0)
        for k, lag in enumerate(delays(length)):
            if first < len(u):
                wanted = sequences.block(start + first - lag, stop - lag)
                total[k] += np.sum((y[first : len(u), k] - wanted) ** 2, axis=0)
    return total / (sequences.steps - length)


def untrained(length: int, sequences: int = TESTED, seed: int = 0) -> list[dict]:
    """Return rows of ``length, delay, readout, mse, low, high`` over test sequences.

    Parameters
    ----------
    length, sequences, seed : int

    Returns
    -------
    list of dict
    """
    drawn, rows = capacity_sequences(length, sequences, seed), []
    for name, (ldn, weights) in readouts(length).items():
        errors = mean_squared_errors(ldn, weights, drawn, length)
        for lag, each in zip(delays(length), errors, strict=True):
            row = {"length": length, "delay": int(lag), "readout": name}
            rows.append(row | interval(each))
    return rows


def compare(rows: list[dict]) -> list[Comparison]:
    """Return the half-sample readout, what was published, and that run here."""
    paper = [row for row in rows if row["readout"] == "paper"]
    ours = [row for row in rows if row["readout"] == "half-sample"]
    lines = []
    for k, (theirs, mine) in enumerate(zip(paper, ours, strict=True)):
        known = PUBLISHED.get(mine["length"])
        then = known[k % OUTPUTS] if known else PUBLISHED_LONGEST
        what = f"T = {mine['length']:,}, delay {mine['delay']:,}"
        value = (mine["mse"], mine["low"], mine["high"], theirs["mse"])
        lines.append(Comparison(what, then, *value))
    return lines


# -- the LSTM ------------------------------------------------------------------------


def train_all(minutes: float, seed: int, bar=Silent) -> tuple[list[dict], str]:
    """Return the rows of LSTMs of every length, or none and the reason why.

    Parameters
    ----------
    minutes : float
        Of training, for all lengths together.
    seed : int
    bar : callable
        Makes a progress bar from a name and a total.

    Returns
    -------
    rows : list of dict
    why : str
    """
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
    """Return rows of the published LSTM's error at each delay, after some seconds.

    It trains on half of the sequences as published (Adam, squared error, batches of 50
    in their order, at most 500 epochs, and 50 without a lower error).  The last row,
    without a delay, is the mean of T/4, T/2 and 3T/4.

    Parameters
    ----------
    length : int
    seconds : float
        Of training.
    seed : int

    Returns
    -------
    list of dict
    """
    from lmu_spiking.experiments.rivals import fit, recurrent_model
    from lmu_spiking.tasks.sequences import Part, Sequences

    x = whole_sequences(length, seed=seed)[..., None]
    y, half = delayed(x[..., 0], delays(length)), len(x) // 2
    train, test = Part(x[:half], y[:half]), Part(x[half:], y[half:])
    data = Sequences("capacity", train, train, test, 1 / length, None, False, "")
    model = recurrent_model("lstm", 1, OUTPUTS, (100,), seed=seed)
    published = {"batch": 50, "shuffle": False, "epochs": 500, "patience": 50}
    (made,) = fit(model, data, [seconds], seed=seed, **published)
    each = ((made.outputs - y[half:])[:, length:] ** 2).mean(axis=1)
    about = {"length": length, "epochs": made.epochs, "seconds": made.seconds}
    rows = [
        about | {"delay": int(s)} | interval(each[:, k])
        for k, s in enumerate(delays(length))
    ]
    inside = each[:, 1:-1].mean(axis=1)
    return [*rows, about | {"delay": None} | interval(inside)]


def _share(length: int) -> float:
    """Return the share of the remaining time, which goes as the root of the length."""
    return length**0.5 / sum(each**0.5 for each in LSTM_LENGTHS if each >= length)


def compare_lstms(rows: list[dict], why: str) -> list[Comparison]:
    """Return the mean error inside the window at each length, or why there is none."""
    means = {row["length"]: row for row in rows if row["delay"] is None}
    lines = []
    for length in LSTM_LENGTHS:
        what, row = f"LSTM(100), T = {length:,}", means.get(length, {})
        value = [row.get(name) for name in ("mse", "low", "high")]
        say, then = "" if row else why, PUBLISHED_LSTM.get(length)
        lines.append(Comparison(what, then, *value, say=say))
    return lines
