"""The capacity task's white noise, as harmonics: any part of it, when it is needed."""

from dataclasses import dataclass

import numpy as np
from nengo.processes import WhiteSignal

from lmu_spiking.errors import ValidationError

PERIOD, HIGH = 2.5, 10.0  # in units of the longest delay T, which is 1 s
NODES = 125  # samples that determine the 25 harmonics up to HIGH
DRAWS = 200  # the first half trains, the second tests
OUTPUTS = 5


def delays(length: int) -> np.ndarray:
    """The five delays (5,), steps."""
    return np.linspace(0, length, OUTPUTS).astype(int)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Periodic signals, each with peak 1.

    Attributes
    ----------
    harmonics : (K, c) complex ndarray
        Of ``exp(2 pi i k n / steps)``, k from 1.
    steps : int
        Of a period.
    """

    harmonics: np.ndarray
    steps: int

    def block(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start`` to ``stop``: (stop - start, c)."""
        n, k = np.arange(start, stop), np.arange(1, len(self.harmonics) + 1)
        angle = 2 * np.pi * (np.outer(n, k) % self.steps) / self.steps
        waves = np.hstack([np.cos(angle), -np.sin(angle)])
        return waves @ np.vstack([self.harmonics.real, self.harmonics.imag])


def capacity_sequences(
    length: int, channels: int = DRAWS // 2, seed: int = 0
) -> Sequences:
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
    drawn = Sequences(np.stack(columns, axis=1), steps)
    peak = np.zeros(channels)
    for start in range(0, steps, 4096):
        part = drawn.block(start, min(start + 4096, steps))
        peak = np.maximum(peak, np.abs(part).max(axis=0))
    return Sequences(drawn.harmonics / peak, steps)


def _harmonics(process, steps: int, dt: float, rng) -> np.ndarray:
    """Fourier coefficients (K,) of one draw, from ``NODES`` of its samples."""
    state = process.make_state((0,), (1,), dt)
    step = process.make_step((0,), (1,), dt, rng, state)
    stride = steps // NODES
    samples = [step((j * stride + 1) * dt).item() for j in range(NODES)]
    coefficients = 2 * np.fft.rfft(samples) / NODES
    return coefficients[1 : int(PERIOD * HIGH) + 1]


def whole_sequences(length: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """All draws of a short task, (draws, 2.5 length): training half first."""
    rng, process = np.random.RandomState(seed), WhiteSignal(PERIOD, high=HIGH, y0=0)
    steps = int(PERIOD * length)
    each = [
        process.run_steps(steps, d=1, dt=1 / length, rng=rng)[:, 0]
        for _ in range(draws)
    ]
    return np.stack([x / np.abs(x).max() for x in each])
