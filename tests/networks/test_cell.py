import copy
import dataclasses

import nengo
import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import CellParams
from lmu_spiking.networks.cell import LMUCell, one_from, steps_of
from lmu_spiking.networks.hidden import Hidden

ALL = "e_h e_m W_x W_h"
PARAMS = CellParams.draw(1, 3, 2, 0.01, bias=True)
POISSON = {"neuron_type": "poisson", "hidden": Hidden(per_unit=20)}


def run(simulator, x, params, *, steps=1, **options):
    """States and activities at every step of sequences (n, T, c), presented."""
    n, T, c = x.shape
    dt = options.setdefault("dt", 1e-3)
    shown = x.transpose(1, 0, 2).reshape(T, n * c)
    with nengo.Network() as model:
        cell = LMUCell(params, copies=n, presentation=steps * dt, **options)
        stimulus = nengo.Node(nengo.processes.PresentInput(shown, steps * dt))
        nengo.Connection(stimulus, cell.input, synapse=None)
        probes = [nengo.Probe(node) for node in (cell.state, cell.hidden)]
    with simulator(model, dt) as sim:
        sim.run_steps((T + 1) * steps)
        return [sim.data[p].reshape(len(sim.data[p]), n, -1).copy() for p in probes]


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_state_and_hidden_are_the_equations(simulator, lmu, activation, steps):
    """Sample ``t`` ends at index ``(t + 1) p``, one step after its last input."""
    cell = lmu(ALL, activation=activation, memory_d=2, size_in=2).cells[0]
    x = np.random.default_rng(0).standard_normal((3, 12, 2))
    m, h = run_cell(cell, x, 1e-3)
    found = run(simulator, x, cell, steps=steps, sample_dt=1e-3)
    for exact, seen in zip((m, h), found, strict=True):
        ends = seen[steps * np.arange(1, 13)].transpose(1, 0, 2)
        np.testing.assert_allclose(ends, exact, rtol=0, atol=1e-10)
    # what hears the units for a presentation hears the same value throughout
    every = found[1][steps : 12 * steps].reshape(11, steps, 3, -1)
    settled = h[:, :11].transpose(1, 0, 2)[:, None]
    np.testing.assert_allclose(every, np.broadcast_to(settled, every.shape), atol=1e-10)


def test_it_is_made_of_what_it_says():
    with nengo.Network() as model:
        cell = LMUCell(PARAMS, 40, copies=2, label="mine", seed=3, **POISSON)
    assert model.networks == [cell]
    assert (cell.label, cell.seed) == ("mine", 3)
    assert (cell.input.size_in, cell.encoded.size_in) == (2, 2)
    assert (cell.state.size_out, cell.hidden.size_out) == (4, 6)
    assert cell.memory.population.n_neurons == 80
    assert cell.units.n_neurons == 2 * 3 * 2  # aggregated: a side is one
    assert set(cell.parameters) == set(PARAMS.arrays())
    for name, connection in cell.parameters.items():
        assert connection in cell.connections
        given = np.asarray(connection.transform.init)
        np.testing.assert_array_equal(
            given.ravel()[0], getattr(PARAMS, name).ravel()[0]
        )


def test_what_is_not_there_is_not_connected():
    cell = LMUCell(CellParams.draw(1, 3, 2, 0.01, connections=""))
    assert set(cell.parameters) == {"e_x", "W_m"}
    linear = CellParams.draw(1, 3, 2, 0.01, activation="linear")
    assert LMUCell(linear).units is None


@pytest.mark.parametrize("first", [0, 3, 1000])
@pytest.mark.parametrize("dt", [1e-3, 1 / 3])
def test_a_bias_begins_with_the_first_sample(simulator, first, dt):
    with nengo.Network() as model:
        probe = nengo.Probe(one_from(first, dt))
    with simulator(model, dt) as sim:
        sim.run_steps(first + 3)
        np.testing.assert_array_equal(sim.data[probe][:, 0], [0] * first + [1] * 3)


@pytest.mark.parametrize(
    ("presentation", "dt", "steps"),
    [
        (None, 0.1, 1),
        (0.3, 0.1, 3),
        (0.01, 1e-3, 10),
        (7.0, 1e-3, 7000),
        (1e-3, 1e-3, 1),
    ],
)
def test_steps(presentation, dt, steps):
    assert steps_of(presentation, dt) == steps


# -- in Nengo --------------------------------------------------------------------------


def spikes(simulator, *, network_seed=0, configure=None, steps=60, **options):
    with nengo.Network(seed=network_seed) as model:
        if configure is not None:
            configure(model.config)
        with nengo.Network(seed=network_seed):
            cell = LMUCell(PARAMS, 200, **(POISSON | options))
        nengo.Connection(nengo.Node(0.5), cell.input, synapse=None)
        sources = (cell.memory.ensemble.neurons, cell.units.neurons, cell.hidden)
        probes = [nengo.Probe(source, synapse=None) for source in sources]
    with simulator(model) as sim:
        sim.run_steps(steps)
        return np.hstack([sim.data[p] for p in probes])


def test_defaults_in_config_change_nothing(simulator):
    def other(config):
        ensemble = config[nengo.Ensemble]
        ensemble.radius, ensemble.intercepts = 3.0, nengo.dists.Choice([0.5])
        ensemble.max_rates = nengo.dists.Choice([50.0])
        ensemble.neuron_type = nengo.LIF(tau_rc=0.05)
        ensemble.normalize_encoders = False
        config[nengo.Connection].synapse = nengo.Alpha(0.3)
        config[nengo.Probe].synapse = 0.1

    seeded = {
        "memory": {"noise_seed": 1},
        "hidden": Hidden(per_unit=20, noise_seed=2),
    }
    one = spikes(simulator, **seeded)
    assert one.any()
    np.testing.assert_array_equal(one, spikes(simulator, configure=other, **seeded))
    np.testing.assert_array_equal(one, spikes(simulator, network_seed=9, **seeded))


def test_its_seed_or_its_hosts_draws_the_spikes(simulator):
    np.testing.assert_array_equal(spikes(simulator, seed=1), spikes(simulator, seed=1))
    np.testing.assert_array_equal(spikes(simulator), spikes(simulator))
    assert np.any(spikes(simulator, seed=1) != spikes(simulator, seed=2))
    assert np.any(spikes(simulator) != spikes(simulator, network_seed=1))


@pytest.mark.parametrize("optimize", [True, False])
def test_the_optimizer_changes_no_spike(simulator, optimize):
    with nengo.Network(seed=0) as model:
        cell = LMUCell(PARAMS, 40, **POISSON)
        nengo.Connection(nengo.Node(0.5), cell.input, synapse=None)
        probe = nengo.Probe(cell.hidden)
    seen = []
    for flag in (optimize, True):
        with simulator(model, optimize=flag) as sim:
            sim.run_steps(40)
            seen.append(sim.data[probe].copy())
    np.testing.assert_array_equal(*seen)


@pytest.mark.filterwarnings("ignore:'Node.size_out' is being overwritten")  # Nengo's
def test_can_be_copied():
    cell = LMUCell(PARAMS)
    twin = copy.deepcopy(cell)
    assert twin.n_neurons == cell.n_neurons
    assert twin.params.order == PARAMS.order


@pytest.mark.parametrize("asked", [None, True, False])
def test_add_to_container(asked):
    with nengo.Network() as model:
        cell = LMUCell(PARAMS, add_to_container=asked)
    assert model.networks == ([] if asked is False else [cell])


# -- refusals --------------------------------------------------------------------------

REFUSED = [
    ({"copies": 0}, "LMUCell.copies: 0 must be a whole number of at least 1"),
    ({"copies": 2.0}, "LMUCell.copies: 2.0 must be a whole number"),
    ({"dt": 0}, "LMUCell.dt: 0 must be a positive number"),
    ({"dt": "1ms"}, "LMUCell.dt: '1ms' must be a positive number"),
    ({"sample_dt": 0}, "LMUCell.sample_dt: 0 must be a positive number"),
    ({"presentation": 0.0}, "LMUCell.presentation: 0.0 must be a positive number"),
    ({"presentation": 0.0015}, "0.0015 must be a whole number of steps .* use 0.002"),
    ({"presentation": 1e-5}, "1e-05 must be a whole number of steps .* use 0.001"),
    ({"averaging": -1.0}, "LMUCell.averaging: -1.0 must be a positive number"),
    ({"averaging": np.nan}, "LMUCell.averaging: nan must be"),
    ({"late": -1}, "LMUCell.late: -1 must be a whole number of at least 0"),
    ({"neuron_type": "lif"}, "Hidden.neuron_type: 'lif' cannot be"),
    ({"neuron_type": "poisson"}, "n_neurons: None must be given .* use at least 4"),
    (POISSON | {"n_neurons": 3}, "n_neurons: 3 is less than 2 per dimension"),
    (POISSON | {"n_neurons": 40.0}, "n_neurons: 40.0 must be a whole number"),
    ({"sample_dt": 1.0}, "LegendreMemory.dt: 0.001 is longer than the window"),
    (
        {
            "n_neurons": 40,
            "neuron_type": "regular",
            "hidden": Hidden("regular", per_unit=4, initial_phases="random"),
        },
        "use aggregated=False",
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_refusals_leave_nothing_behind(changes, message):
    with nengo.Network() as model:
        with pytest.raises(ValidationError, match=message):
            LMUCell(PARAMS, **changes)
    assert model.networks == []
    assert len(nengo.Network.context) == 0


def test_the_number_that_the_error_gives_is_enough():
    params = dataclasses.replace(PARAMS, activation="relu")
    with pytest.raises(ValidationError, match="use at least 4"):
        LMUCell(params, copies=3, neuron_type="poisson")
    LMUCell(params, 4, copies=3, neuron_type="poisson")


def test_cells_of_one_model_have_spikes_of_their_own():
    params = CellParams.draw(1, units=4, order=3, theta=0.1)
    options = {"neuron_type": "poisson", "memory": {"noise_seed": 3}}
    with nengo.Network() as model:
        for _ in range(2):
            LMUCell(params, 60, hidden=Hidden(per_unit=2, noise_seed=3), **options)
    seeds = [ensemble.seed for ensemble in model.all_ensembles]
    assert len(set(seeds)) == len(seeds) == 4
    assert 3 in seeds
