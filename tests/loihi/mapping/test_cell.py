"""A trained cell on the chip: the same spikes as NengoLoihi, the same rates as trained.

Laws: the replica is the emulator; units fire as the rate model says; what the chip
cannot hold is refused in one line.
"""

from dataclasses import replace

import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import LMUParams, run_cell
from lmu_spiking.loihi.chip.replica import replay_cell
from lmu_spiking.loihi.mapping.cell import lay_out_cell

SAMPLES = 8


def small(
    activation="loihi-relu", connections="", order=2, memory_d=1, units=5, seed=3
):
    """A cell that nobody trained, its states about 1."""
    cell = {
        "units": units,
        "order": order,
        "theta": SAMPLES * 0.001,
        "activation": activation,
        "connections": connections,
        "memory_d": memory_d,
        "bias": True,
    }
    about = {"classes": 3, "last": True}
    params = LMUParams.draw(1, 3, [cell], dt=0.001, seed=seed, **about)
    rng = np.random.default_rng(seed)
    arrays = {
        "cell0.e_x": np.ones((memory_d, 1)),
        "cell0.W_m": rng.standard_normal((units, memory_d * order)),
        "cell0.b": 0.3 * np.ones(units),
    }
    return params.updated(arrays)


def sequences(n=12, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (n, SAMPLES, 1))


@pytest.mark.parametrize("activation", ["loihi-relu", "loihi-lif"])
def test_replica_is_the_emulator(activation):
    """Spike for spike, on two sequences."""
    pytest.importorskip("nengo_loihi")
    from lmu_spiking.loihi.run.classify import network
    from lmu_spiking.loihi.run.target import run_on

    x = sequences()
    layout = lay_out_cell(
        small(activation), x, n_neurons=64, copies=2, presentation=0.02, tau=0.04
    )
    u = layout.drive(x[:2])
    memory, units = replay_cell(layout, u)
    assert memory.any() and units.any()
    for i in range(2):
        model = network(layout, u[i])
        run = run_on(model, "emulator", len(u[i]) * 0.001)
        seen = run.data[model.cell.memories[0].spikes] > 0
        assert np.array_equal(seen, memory[i])
        assert np.array_equal(run.data[model.cell.spikes] > 0, units[i])


def test_rates_are_the_models():
    """On a long presentation units fire as trained, within the state's noise."""
    x = sequences()
    params = small()
    layout = lay_out_cell(
        params,
        x,
        n_neurons=400,
        copies=8,
        presentation=0.05,
        tau=0.05,
        start=-0.025,
        width=0.05,
    )
    _, fired = replay_cell(layout, layout.drive(x))
    first, end = layout.window(SAMPLES)
    h = layout.activities(fired[:, first:end].sum(axis=1))
    _, wanted = run_cell(params.cells[0], x, params.dt, last=True)
    assert np.corrcoef(h.ravel(), wanted.ravel())[0, 1] > 0.95
    # a state moves by a few hundredths within the window, and spikes count in wholes
    assert np.sqrt(np.mean((h - wanted) ** 2)) < 0.15 * wanted.max()


def test_drive_is_held_and_ends_blank():
    x = sequences(3)
    layout = lay_out_cell(
        small(),
        x,
        n_neurons=32,
        copies=1,
        presentation=0.005,
        tau=0.02,
        start=0.0,
        width=0.01,
    )
    u = layout.drive(x)
    assert u.shape == (3, SAMPLES * 5 + 10, 1)
    assert np.array_equal(u[:, 7], x[:, 1])
    assert not u[:, SAMPLES * 5 :].any()


def test_activities_are_means_over_copies():
    """Gains apart are made good: at the rates of one activity, all copies say it."""
    layout = lay_out_cell(
        small(), sequences(), n_neurons=32, copies=3, presentation=0.005, tau=0.02
    )
    units = layout.units
    h = np.linspace(0, 1, 5)
    counts = h[units.unit] * units.apart * 200 * layout.width
    np.testing.assert_allclose(layout.activities(counts[None]), h[None], atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"connections": "e_h"}, "e_h"),
        ({"connections": "e_m"}, "e_m"),
        ({"connections": "W_h"}, "W_h"),
        ({"connections": "W_x"}, "W_x"),
        ({"activation": "relu"}, "activation"),
    ],
)
def test_refuses_what_the_chip_cannot_hold(changes, named):
    with pytest.raises(ValidationError) as caught:
        lay_out_cell(small(**changes), sequences())
    told = str(caught.value)
    assert named in told and "train" in told and "\n" not in told


def test_what_normalises_the_input_is_in_the_drive():
    """Before and after a sequence it is 0, as of a cell that is given normalised x."""
    x = sequences(3)
    params = replace(small(), mean=[0.5], scale=[0.2])
    options = {"n_neurons": 32, "copies": 1, "presentation": 0.005, "tau": 0.02}
    u = lay_out_cell(params, x, **options).drive(x)
    plain = lay_out_cell(small(), (x - 0.5) / 0.2, **options)
    np.testing.assert_allclose(u, plain.drive((x - 0.5) / 0.2), atol=1e-12)
