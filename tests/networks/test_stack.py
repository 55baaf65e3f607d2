import itertools
from dataclasses import replace

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import forward
from lmu_spiking.networks.hidden import Hidden
from lmu_spiking.networks.stack import LMUNetwork

NAMES = ["e_h", "e_m", "W_x", "W_h"]
SUBSETS = [s for n in range(5) for s in itertools.combinations(NAMES, n)]


def outputs(params, x, *, steps=1, dt=None, **options):
    """Outputs (n, T, q) of a network for sequences (n, T, c), side by side."""
    n, T, c = x.shape
    dt = params.dt if dt is None else dt
    shown = np.vstack([x.transpose(1, 0, 2).reshape(T, n * c), np.zeros((9, n * c))])
    with nengo.Network(seed=0) as model:
        net = LMUNetwork(params, copies=n, presentation=steps * dt, dt=dt, **options)
        stimulus = nengo.Node(nengo.processes.PresentInput(shown, steps * dt))
        nengo.Connection(stimulus, net.input, synapse=None)
        probe = nengo.Probe(net.output)
    with nengo.Simulator(model, dt=dt, progress_bar=False, optimize=False) as sim:
        sim.run_steps(net.read_step(T - 1) + 1)
        y = sim.data[probe].reshape(-1, n, params.size_out)
    return y[[net.read_step(t) for t in range(T)]].transpose(1, 0, 2)


def sequences(params, n, T, seed=0):
    return np.random.default_rng(seed).standard_normal((n, T, params.size_in))


def assert_equal(found, exact):
    scale = max(1.0, np.abs(exact).max())
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-10 * scale)


# -- in rates: the equations -----------------------------------------------------------


@pytest.mark.parametrize(
    ("connections", "steps"),
    [*((s, 3) for s in SUBSETS), ((), 1), (tuple(NAMES), 1)],
    ids=lambda p: "+".join(p) if isinstance(p, tuple) else str(p),
)
def test_rates_are_forward_for_every_subset_of_connections(lmu, connections, steps):
    params = lmu(connections, n_cells=2, memory_d=2, order=2)
    x = sequences(params, 2, 6)
    assert_equal(outputs(params, x, steps=steps), forward(params, x))


@given(
    connections=st.sets(st.sampled_from(NAMES)),
    activation=st.sampled_from(["tanh", "relu", "linear"]),
    n_cells=st.integers(1, 3),
    memory_d=st.integers(1, 2),
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 5)),
    copies=st.sampled_from([1, 3]),
    T=st.integers(1, 6),
    steps=st.integers(1, 5),
    dts=st.sampled_from([(1e-3, 1e-3), (1e-3, 3e-4), (0.02, 1e-3), (1e-3, 0.5)]),
    bias=st.booleans(),
)
@settings(max_examples=10)
def test_rates_are_forward(
    lmu, connections, activation, n_cells, memory_d, sizes, copies, T, steps, dts, bias
):
    size_in, size_out, order = sizes
    params = lmu(
        connections,
        activation=activation,
        n_cells=n_cells,
        memory_d=memory_d,
        size_in=size_in,
        size_out=size_out,
        order=order,
        theta=8 * dts[0],
        dt=dts[0],
        bias=bias,
    )
    x = sequences(params, copies, T)
    assert_equal(outputs(params, x, steps=steps, dt=dts[1]), forward(params, x))


@pytest.mark.parametrize("averaging", [None, 0.0, 0.002, 0.0035, 1.0])
def test_presenting_longer_changes_nothing(lmu, averaging):
    """Averages over any part of a presentation are of settled values."""
    params = lmu("e_h e_m W_x W_h", memory_d=2, n_cells=2)
    x = sequences(params, 2, 10)
    one = outputs(params, x)
    for steps in (2, 7):
        assert_equal(outputs(params, x, steps=steps, averaging=averaging), one)


def test_large_models_in_which_all_maps_are_convolutions(lmu):
    params = lmu("e_h e_m W_x W_h", order=16, units=20, theta=0.03, memory_d=2)
    x = sequences(params, 20, 5)
    with nengo.Network() as model:
        LMUNetwork(params, copies=20)
    kinds = {type(c.transform) for c in model.all_connections}
    assert nengo.Convolution in kinds
    assert_equal(outputs(params, x, steps=2), forward(params, x))


def test_any_memory_options_give_the_same_rates(lmu):
    params = lmu("e_h W_h", order=4)
    x = sequences(params, 2, 8)
    signal = np.random.default_rng(0).standard_normal((500, 4))
    for options in (
        {"synapse": 0.05},
        {"synapse": nengo.Alpha(0.002)},
        {"radii": [0.2, 1.0, 3.0, 0.5]},
        {"tuning": "balanced", "signal": signal, "readouts": np.eye(4)[:2]},
    ):
        found = outputs(params, x, steps=2, n_neurons=800, memory=options)
        np.testing.assert_allclose(found, forward(params, x), rtol=0, atol=1e-8)


# -- in spikes -------------------------------------------------------------------------


@pytest.mark.parametrize("aggregated", [True, False])
@pytest.mark.parametrize("connections", ["", "e_h e_m W_x W_h"])
def test_the_mean_of_a_linear_model_is_the_rate_models(lmu, connections, aggregated):
    """Over copies, within 4 standard errors of every output; no nonlinearity."""
    params = lmu(connections, activation="linear", size_out=1, order=2, n_cells=2)
    copies = 400 if aggregated else 60
    x = np.repeat(sequences(params, 1, 6), copies, axis=0)
    y = outputs(
        params,
        x,
        steps=2,
        n_neurons=40,
        neuron_type="poisson",
        hidden=Hidden(per_unit=4, aggregated=aggregated),
        memory={"aggregated": aggregated},
    )
    error = (y - forward(params, x)).mean(axis=0) / (y.std(axis=0) / np.sqrt(copies))
    assert np.all(y.std(axis=0) > 0)
    assert np.abs(error).max() < 4


@pytest.mark.parametrize(
    ("name", "activation"),
    [("regular", "tanh"), ("regular", "relu"), ("if", "relu"), ("poisson", "tanh")],
)
def test_more_neurons_come_closer(lmu, name, activation):
    """Of any kind; those that are not Poisson have drawn curves, to be out of step."""
    params = lmu("W_x", activation=activation, theta=0.02, units=2, size_out=1)
    x = sequences(params, 1, 40)
    tuning = "pairs" if name == "poisson" else "drawn"
    errors = []
    for n in (10, 150):
        y = outputs(
            params,
            x,
            steps=10,
            n_neurons=3 * n,
            neuron_type=name,
            hidden=Hidden(per_unit=n, top=3.0, aggregated=False),
            memory={"radii": 2.0, "tuning": tuning, "synapse": 0.05},
        )
        errors.append(np.sqrt(np.mean((y - forward(params, x)) ** 2)))
    assert errors[1] < 0.8 * errors[0]


def test_seeds(lmu):
    def spikes(memory_seed, hidden_seed):
        params = lmu("W_x")
        return outputs(
            params,
            sequences(params, 2, 10),
            n_neurons=6000,
            neuron_type="poisson",
            hidden=Hidden(per_unit=200, noise_seed=hidden_seed),
            memory={"noise_seed": memory_seed},
        )

    one = spikes(1, 2)
    np.testing.assert_array_equal(one, spikes(1, 2))
    assert np.any(one != spikes(3, 2))
    assert np.any(one != spikes(1, 3))


# -- in Nengo --------------------------------------------------------------------------


def test_it_is_made_of_what_it_says(lmu):
    params = lmu("e_h e_m W_x W_h", n_cells=2, size_in=2, size_out=4)
    with nengo.Network() as model:
        net = LMUNetwork(params, copies=3, label="mine", seed=5)
        other = LMUNetwork(params, add_to_container=False)
    assert model.networks == [net]
    assert (net.label, net.seed, other.label) == ("mine", 5, None)
    assert (net.input.size_in, net.output.size_out) == (6, 12)
    assert [cell.label for cell in net.cells] == ["cell0", "cell1"]
    assert set(net.parameters) == set(params.arrays())
    assert [net.read_step(t) for t in (0, 5)] == [2, 7]


def test_drops_into_a_model(lmu):
    """Between an ensemble and another, inside a network with a seed of its own."""
    params = lmu("e_h W_x")
    with nengo.Network(seed=1) as model:
        sender = nengo.Ensemble(50, 1)
        with nengo.Network(seed=7):
            net = LMUNetwork(
                params, 100, neuron_type="poisson", hidden=Hidden(per_unit=10)
            )
        receiver = nengo.Ensemble(50, 2)
        nengo.Connection(sender, net.input, synapse=0.01)
        nengo.Connection(net.output, receiver, synapse=0.01)
        probe = nengo.Probe(receiver, synapse=0.02)
    with nengo.Simulator(model, progress_bar=False) as sim:
        sim.run_steps(100)
        assert np.isfinite(sim.data[probe]).all()
    with nengo.Network() as alone:
        pass
    assert LMUNetwork(params) not in alone.networks


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"copies": 0}, "LMUNetwork.copies: 0 must be a whole number of at least 1"),
        ({"copies": "2"}, "LMUNetwork.copies: '2' must be a whole number"),
        ({"dt": "x"}, "LMUNetwork.dt: 'x' must be a positive number"),
        ({"dt": 0}, "LMUNetwork.dt: 0 must be a positive number"),
        ({"presentation": 0.0015}, "presentation: 0.0015 must be a whole number of"),
        ({"averaging": "x"}, "averaging: 'x' must be"),
        (
            {"n_neurons": [60]},
            "LMUNetwork.n_neurons: 1 must be one for each of 2 cells",
        ),
        (
            {"hidden": [None] * 3},
            "LMUNetwork.hidden: 3 must be one for each of 2 cells",
        ),
        ({"memory": ()}, "LMUNetwork.memory: 0 must be one for each of 2 cells"),
        ({"neuron_type": "poisson"}, "n_neurons: None must be given for poisson"),
        ({"neuron_type": "poisson", "n_neurons": [60, 5]}, "n_neurons: 5 is less"),
    ],
)
def test_refusals_leave_nothing_behind(lmu, changes, message):
    if "n_neurons" in changes and "neuron_type" in changes:
        changes = changes | {"hidden": Hidden(per_unit=2)}
    with nengo.Network() as model:
        with pytest.raises(ValidationError, match=message):
            LMUNetwork(lmu("", n_cells=2), **changes)
    assert model.networks == []


@pytest.mark.parametrize("steps", [1, 3])
def test_the_network_normalises_its_input(lmu, steps):
    """Every copy for itself, as `forward` does."""
    params = lmu(NAMES, n_cells=2, memory_d=2, order=2, size_in=2)
    params = replace(params, mean=[3.0, -1.0], scale=[2.0, 0.5])
    x = sequences(params, 2, 6)
    exact = forward(params, x)
    assert_equal(outputs(params, x, steps=steps), exact)
    assert_equal(outputs(params.folded(), x, steps=steps), exact)
