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


def several(activation="loihi-relu", faint=1.0):
    """A cell with three memories of four channels, and what normalises them.

    Their inputs differ, and the weights of the last one's states are ``faint``.
    """
    params = small(activation, memory_d=3)
    rng = np.random.default_rng(0)
    W = rng.standard_normal((5, 6)) * np.repeat([1, 1, faint], 2)
    arrays = {"cell0.e_x": rng.standard_normal((3, 4)) * [[1], [1], [5]]}
    params = params.updated(arrays | {"cell0.W_m": W})
    return replace(params, mean=[0.5] * 4, scale=[0.3] * 4)


def sequences(n=12, seed=0, channels=1):
    return np.random.default_rng(seed).uniform(0, 1, (n, SAMPLES, channels))


@pytest.mark.parametrize("faint", [1.0, 0.02])
@pytest.mark.parametrize("activation", ["loihi-relu", "loihi-lif"])
def test_replica_of_several_memories_is_the_emulator(activation, faint):
    """Spike for spike in all of them, on sequences of two lengths."""
    pytest.importorskip("nengo_loihi")
    from lmu_spiking.loihi.run.classify import network
    from lmu_spiking.loihi.run.target import run_on

    x, ends = sequences(channels=4), np.arange(12) % 4 + 5
    options = {"n_neurons": 100, "copies": 2, "presentation": 0.01, "tau": 0.04}
    layout = lay_out_cell(several(activation, faint), x, lengths=ends, **options)
    assert [memory.n_neurons for memory in layout.memories] == [34, 33, 33]
    u = layout.drive(x[2:4], ends[2:4])
    memories, units = replay_cell(layout, u)
    assert memories.any(axis=(0, 1)).all() and units.any()
    model = network(layout, u[0])
    run = run_on(model, "emulator", len(u[0]) * 0.001)
    seen = np.hstack([run.data[memory.spikes] for memory in model.cell.memories]) > 0
    assert np.array_equal(seen, memories[0])
    assert np.array_equal(run.data[model.cell.spikes] > 0, units[0])


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


def test_each_sequence_ends_in_its_own_blank():
    """Padding is 0, whatever it was: also where a bias is the drive of x = 0."""
    x, ends = sequences(4, channels=4), np.array([3, 8, 5, 8])
    options = {"n_neurons": 48, "copies": 1, "presentation": 0.005, "tau": 0.02}
    layout = lay_out_cell(several(), x, lengths=ends, **options)
    u = layout.drive(x, ends)
    for row, each, end in zip(u, x, ends, strict=True):
        alone = layout.drive(each[None, :end])[0]
        assert len(alone) == layout.window(end)[1]
        np.testing.assert_array_equal(row[: len(alone)], alone)
        assert not row[end * 5 :].any()
    first, end = layout.window(ends)
    assert first.tolist() == [layout.window(n)[0] for n in ends]
    assert end.tolist() == [layout.window(n)[1] for n in ends]


def test_rates_of_several_memories_are_the_models():
    """At each sequence's own end, on a long presentation."""
    x, ends = sequences(channels=4), np.arange(12) % 4 + 5
    options = {"n_neurons": 480, "copies": 4, "presentation": 0.05, "tau": 0.05}
    params = several()
    layout = lay_out_cell(params, x, lengths=ends, **options)
    _, fired = replay_cell(layout, layout.drive(x, ends))
    counts = [
        each[slice(*layout.window(end))].sum(axis=0)
        for each, end in zip(fired, ends, strict=True)
    ]
    h = layout.activities(np.array(counts))
    (cell,), x = params.cells, params.normalised(x)
    _, wanted = run_cell(cell, x, params.dt, last=True, lengths=ends)
    assert np.corrcoef(h.ravel(), wanted.ravel())[0, 1] > 0.98


def test_refuses_few_neurons_and_memories_that_hear_nothing():
    x = sequences(channels=4)
    with pytest.raises(ValidationError, match="use at least 48") as caught:
        lay_out_cell(several(), x, n_neurons=47)
    assert "\n" not in str(caught.value)
    deaf = several().updated({"cell0.e_x": np.eye(3, 4)})
    x[..., 1] = 0.5  # the mean, which is taken away
    with pytest.raises(ValidationError, match="1 hears nothing") as caught:
        lay_out_cell(deaf, x, n_neurons=60)
    assert "leave out channels that never change" in str(caught.value)


def test_two_cells_are_refused_with_the_command_that_trains_one():
    params = small()
    cell = params.cells[0]
    after = replace(cell, e_x=np.ones((1, cell.units)))
    two = replace(params, cells=(cell, after))
    with pytest.raises(ValidationError, match=r"cells: 2 are more") as caught:
        lay_out_cell(two, sequences())
    told = str(caught.value)
    assert "lmu-spiking train my.npz --chip" in told and "\n" not in told


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
