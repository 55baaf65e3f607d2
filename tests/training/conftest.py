"""Small LMUs, and small tasks of the same shape as the real ones."""

import numpy as np
import pytest

from lmu_spiking.lmu import CellParams, LMUParams
from lmu_spiking.tasks.sequences import Part, Sequences


def _lmu(activations, connections="", memory_d=1, size_in=2, units=7, seed=1):
    """A cell for each activation, with all biases, none of them 0."""
    rng = np.random.default_rng(seed)
    cells = [
        {
            "units": units,
            "order": 6,
            "theta": 0.03 + 0.01 * i,
            "memory_d": memory_d,
            "activation": activation,
            "connections": connections,
            "bias": True,
        }
        for i, activation in enumerate(activations)
    ]
    drawn = LMUParams.draw(size_in, 3, cells, seed=seed)
    made = []
    for cell in drawn.cells:
        arrays = dict(cell.arrays())
        arrays |= {"b": 0.3 * rng.normal(size=units), "b_u": rng.normal(size=memory_d)}
        if cell.e_m is not None:
            arrays["e_m"] = 0.2 * rng.normal(size=cell.e_m.shape)
        kind = cell.activation
        made.append(CellParams(cell.order, cell.theta, **arrays, activation=kind))
    return LMUParams(tuple(made), drawn.D, rng.normal(size=3), drawn.dt)


def _task(classes=None, last=True, steps=20, augment=None, seed=0, n=24):
    """Random walks; the class is where they end, the values are moving means."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(3):
        x = rng.normal(size=(n, steps, 2)).cumsum(axis=1) / np.sqrt(steps)
        means = x.cumsum(axis=1) / np.arange(1, steps + 1)[:, None]
        y = np.concatenate([means, means[..., :1] - means[..., 1:]], axis=2)
        y = y[:, -1] if last else y
        parts.append(Part(x, y.argmax(axis=1) if classes else y))
    return Sequences("walks", *parts, 0.001, classes, last, "drawn here", augment)


@pytest.fixture(scope="session")
def lmu():
    """``lmu(activations, connections, memory_d)`` -> LMUParams, 2 inputs, 3 outputs."""
    return _lmu


@pytest.fixture(scope="session")
def task():
    """``task(classes, last, steps, augment)`` -> Sequences of 2 channels."""
    return _task
