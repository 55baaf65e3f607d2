"""The capacity task's white noise, as harmonics: any part of it, when it is needed."""

import numpy as np
from nengo.processes import WhiteSignal

from lmu_spiking.errors import ValidationError
from lmu_spiking.tasks.capacity import DRAWS, HIGH, PERIOD, Periodic

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
