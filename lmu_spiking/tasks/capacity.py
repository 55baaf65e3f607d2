"""The capacity task: band-limited noise, to be repeated after a delay.

Letters: ``n`` sequences, ``T`` the longest delay in steps.
"""

from dataclasses import dataclass

import numpy as np
from nengo.processes import WhiteSignal

from lmu_spiking.brief import brief
from lmu_spiking.errors import check_memory, check_seed, check_whole
from lmu_spiking.tasks.sequences import Part, Sequences, lengths

PERIOD, HIGH = 2.5, 10.0  # in units of the longest delay T, which is 1 s
DRAWS = 200  # the first half trains, the second tests
OUTPUTS = 5
DT = 1e-3
CYCLES = 4  # of recall's fastest wave in a sequence: 10 harmonics of PERIOD
CHUNK = 4096  # samples of recall that are made at a time
COPIES = 3  # of the sequences, at most, while they are made


def delays(length: int) -> np.ndarray:
    """Return the five delays (5,), steps: evenly from 0 to ``length``.

    Parameters
    ----------
    length : int
        Longest delay T, steps.

    Returns
    -------
    (5,) ndarray of int
        Steps.
    """
    return np.linspace(0, length, OUTPUTS).astype(int)


def delayed(x: np.ndarray, lags) -> np.ndarray:
    """Return sequences (n, steps) after delays, (n, steps, q), 0 before their start.

    Parameters
    ----------
    x : (n, steps) ndarray
    lags : iterable of int
        Delays, steps.

    Returns
    -------
    (n, steps, q) ndarray
        The last axis is the delay.
    """
    steps = x.shape[1]
    return np.stack([np.pad(x, ((0, 0), (s, 0)))[:, :steps] for s in lags], 2)


def whole_sequences(length: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Draw all sequences of the capacity task, training half first.

    They are what ``nengo.processes.WhiteSignal(period=2.5, high=10, y0=0)`` puts out in
    ``2.5 * length`` steps of ``1 / length``, over its largest magnitude.

    Parameters
    ----------
    length : int
        Longest delay T, steps.
    draws : int
        Number of sequences.
    seed : int
        Draws them.

    Returns
    -------
    (draws, 2.5 length) ndarray
        Each from -1 to 1.
    """
    rng, process = np.random.RandomState(seed), WhiteSignal(PERIOD, high=HIGH, y0=0)
    run = {"n_steps": int(PERIOD * length), "d": 1, "dt": 1 / length, "rng": rng}
    each = [process.run_steps(**run)[:, 0] for _ in range(draws)]
    return np.stack([x / np.abs(x).max() for x in each])


@dataclass(frozen=True, eq=False)
class Periodic:
    """Periodic signals, of which any part is made when it is needed.

    Parameters
    ----------
    harmonics : (K, c) complex ndarray
        Of ``exp(2 pi i k n / steps)``, k from 1.
    steps : int
        Of a period.
    """

    harmonics: np.ndarray
    steps: int

    __repr__ = brief

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return samples ``start`` to ``stop``: (stop - start, c).

        Parameters
        ----------
        start, stop : int
            Steps, from 0 or from any later period.

        Returns
        -------
        (stop - start, c) ndarray
            The samples.
        """
        n, k = np.arange(start, stop), np.arange(1, len(self.harmonics) + 1)
        angle = 2 * np.pi * (np.outer(n, k) % self.steps) / self.steps
        waves = np.hstack([np.cos(angle), -np.sin(angle)])
        return waves @ np.vstack([self.harmonics.real, self.harmonics.imag])


def capacity(length: int = 1000, draws: int = DRAWS, seed: int = 0) -> Sequences:
    """Return the task to repeat the input after 0, T/4, T/2, 3T/4 and T steps.

    The capacity task of the LMU paper, at every step: `whole_sequences`, whose second
    half tests.  Of the first half, the last fifth is to choose by.  The paper measures
    from step ``length`` on; before its delay is over, a target is 0.

    Parameters
    ----------
    length : int
        Longest delay T, steps; the sequences are 2.5 times as long.
    draws : int
        Number of sequences.
    seed : int
        Draws them; the published ones have 0.

    Returns
    -------
    Sequences
        The three parts of the task.

    Raises
    ------
    ValidationError
        If an argument is out of range.
    """
    length = check_whole("capacity.length", length, least=20)  # Nyquist of HIGH
    draws = check_whole("capacity.draws", draws, least=4)
    seed = check_seed("capacity.seed", seed)
    needed, remedy = PERIOD * length * draws, f"use less, or fewer than {draws} draws"
    needed *= 4 * COPIES * (1 + OUTPUTS)
    check_memory("capacity.length", length, needed, remedy)
    x = whole_sequences(length, draws, seed).astype(np.float32)
    y = delayed(x, delays(length))
    parts = [Part(x[i, :, None], y[i]) for i in _halves(draws)]
    origin = (
        "generated: WhiteSignal(2.5, high=10, y0=0) over its peak, the longest delay "
        f"of {length} steps being 1 s; {lengths(parts)} sequences by seed {seed}"
    )
    return Sequences("capacity", *parts, dt=DT, classes=None, last=False, origin=origin)


def passages(steps: int, n: int, seed: int = 0) -> np.ndarray:
    """Return parts, ``1 / PERIOD``, of periods of 10 harmonics, each over its peak.

    Parameters
    ----------
    steps, n : int
        Of each, and how many.
    seed : int
        Draws their coefficients, which are normal.

    Returns
    -------
    (n, steps, 1) ndarray of float32
        From -1 to 1.
    """
    drawn = np.random.RandomState(seed).randn(n, 2, int(PERIOD * CYCLES))
    waves = Periodic((drawn[:, 0] + 1j * drawn[:, 1]).T, round(PERIOD * (steps - 1)))
    x = np.empty((n, steps, 1), np.float32)
    # a part of all sequences at a time: the waves of a whole one would not fit
    for start in range(0, steps, CHUNK):
        stop = min(start + CHUNK, steps)
        x[:, start:stop, 0] = waves.block(start, stop).T
    for row in x:  # no copy of them all
        row /= np.abs(row).max()
    return x


def recall(steps: int = 100_000, n: int = DRAWS, seed: int = 0) -> Sequences:
    """Return the task to say at the last step what came before.

    Each sequence is a part, ``1 / 2.5``, of a period of 10 harmonics with normal
    coefficients, so of up to 4 cycles, over its peak.  The targets are its samples 0,
    ``T/4``, ``T/2``, ``3T/4`` and ``T = steps - 1``, the last one first.  Over ``T/4``
    and its multiples ten such harmonics are uncorrelated: one target tells nothing of
    another.

    Parameters
    ----------
    steps : int
        Length of the sequences.
    n : int
        Number of sequences: half of them test, a fifth of the rest is to choose by.
    seed : int
        Draws them.

    Returns
    -------
    Sequences
        The three parts of the task.

    Raises
    ------
    ValidationError
        If an argument is out of range.
    """
    steps = check_whole("recall.steps", steps, least=20)
    n = check_whole("recall.n", n, least=4)
    seed = check_seed("recall.seed", seed)
    remedy = f"use fewer, or fewer than n={n} sequences"
    check_memory("recall.steps", steps, 4 * COPIES * n * steps, remedy)
    x = passages(steps, n, seed)
    # the last sample first
    y = x[:, steps - 1 - delays(steps - 1), 0]
    parts = [Part(x[i], y[i]) for i in _halves(n)]
    origin = (
        f"generated: noise of up to {CYCLES} cycles in {steps} steps, over its peak; "
        f"{lengths(parts)} sequences by seed {seed}"
    )
    return Sequences("recall", *parts, dt=DT, classes=None, last=True, origin=origin)


def _halves(n: int) -> tuple[slice, slice, slice]:
    """Return training, validation and test sequences: 4, 1 and 5 tenths."""
    half = n // 2
    train = half - max(half // 5, 1)
    return slice(train), slice(train, half), slice(half, n)
