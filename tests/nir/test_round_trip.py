"""A graph gives the network it was drawn from: states equal to rounding."""

from dataclasses import replace

import nengo
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lmu_spiking import (
    LegendreMemory,
    LMUCell,
    LMUNetwork,
    LMUParams,
    MappingError,
    MemorySpec,
    ValidationError,
    convert,
    from_nir,
    to_nir,
)
from lmu_spiking.networks.hidden import Hidden
from lmu_spiking.neurons.population import spaced
from lmu_spiking.nir import PromptLIF, tonic

pytest.importorskip("nir")
# what is lost elsewhere is tested in test_export.py
pytestmark = pytest.mark.filterwarnings("ignore:to_nir")

DT = 0.001
BOUND = 1e-6  # asked for; seen are 1e-13 and less


def run(network, probed, u, dt=DT):
    with nengo.Network() as model:
        model.add(network)
        u = np.atleast_2d(u.T).T
        signal = nengo.Node(lambda t: u[round(t / dt) - 1])
        nengo.Connection(signal, network.input, synapse=None)
        probe = nengo.Probe(probed, synapse=None)
    with nengo.Simulator(model, dt=dt, progress_bar=False) as simulator:
        simulator.run_steps(len(u))
    return simulator.data[probe]


def signal(steps=400, size=1, seed=0):
    rng = np.random.default_rng(seed)
    return np.repeat(rng.standard_normal((steps // 10, size)), 10, axis=0)


def memory(n_neurons=None, order=6, theta=0.5, **options):
    n_neurons = n_neurons or 4 * options.get("size_in", 1) * order
    return LegendreMemory(n_neurons, order, theta, add_to_container=False, **options)


@pytest.mark.parametrize("steps", ["exact", "euler", "continuous"])
@pytest.mark.parametrize("order", range(1, 13))
def test_rates_of_every_order(order, steps):
    """Also the exact delay network's, by pairs that are linear."""
    made = memory(order=order, neuron_type="rate")
    u = signal()
    x = run(made, made.state, u)
    rebuilt = from_nir(to_nir(made, steps=steps))
    y = run(rebuilt, rebuilt.state, u)
    assert np.abs(x - y).max() < BOUND
    assert np.abs(y[1:] - made.ldn.simulate(u[:, 0], DT)[:-1]).max() < BOUND


@settings(max_examples=10, deadline=None)
@given(
    order=st.integers(1, 12),
    theta=st.floats(0.02, 2.0),
    tau=st.floats(0.002, 0.3),
    tuning=st.sampled_from(["pairs", "drawn", "balanced", "optimal"]),
    steps=st.sampled_from(["exact", "euler", "continuous"]),
    size_in=st.integers(1, 2),
)
def test_rates_of_any_memory(order, theta, tau, tuning, steps, size_in):
    options = {"synapse": tau, "tuning": tuning, "size_in": size_in}
    each = 30 if tuning == "drawn" else 100  # whose decoders are solved for
    options |= {"n_neurons": each * size_in * order, "neuron_type": "rate"}
    try:
        made = memory(order=order, theta=theta, **options)
    except MappingError:  # too noisy to be balanced
        assume(False)
    u = signal(100, size_in)
    x = run(made, made.state, u)
    rebuilt = from_nir(to_nir(made, steps=steps))
    y = run(rebuilt, rebuilt.state, u)
    assert np.abs(x - y).max() < BOUND * max(1, np.abs(x).max())


@pytest.mark.parametrize("tuning", ["pairs", tonic()])
def test_spikes_are_the_same(tuning):
    """The seed of the first voltages is in the graph."""
    made = memory(600, neuron_type="if", tuning=tuning, noise_seed=3)
    u = signal()
    x = run(made, made.state, u)
    rebuilt = from_nir(to_nir(made))
    assert np.abs(x - run(rebuilt, rebuilt.state, u)).max() < 1e-9


@pytest.mark.parametrize("neurons", [PromptLIF(), nengo.LIF(), "rate-lif"])
def test_leaky_neurons(neurons):
    made = memory(600, neuron_type=neurons, noise_seed=3)
    u = signal()
    x = run(made, made.state, u)
    for steps in ("exact", "euler", "continuous"):
        rebuilt = from_nir(to_nir(made, steps=steps))
        assert np.abs(x - run(rebuilt, rebuilt.state, u)).max() < 1e-9


@pytest.mark.parametrize("tuning", ["pairs", "balanced"])
@pytest.mark.parametrize("steps", ["exact", "euler", "continuous"])
def test_neurons_that_filter_their_own_currents(steps, tuning):
    """The filter is linear, so it may stand before the encoders or behind."""
    made = memory(neuron_type="rate", tuning=tuning)
    u = signal()
    x = run(made, made.output, u)
    rebuilt = from_nir(to_nir(made, steps=steps, drawing="neurons"))
    assert rebuilt.state is None
    assert np.abs(x - run(rebuilt, rebuilt.output, u)).max() < BOUND


def test_filtered_bias_settles():
    """A bias passes the filter, too: it is there after some time constants."""
    made = memory(neuron_type="rate", tuning=tonic(), theta=0.1, synapse=0.02)
    u = signal(1000)
    x = run(made, made.output, u)
    rebuilt = from_nir(to_nir(made, drawing="neurons"))
    y = run(rebuilt, rebuilt.output, u)
    assert np.abs(x - y)[700:].max() < BOUND


def test_continuous_graphs_serve_any_step():
    made = memory(neuron_type="rate")
    fine = from_nir(to_nir(made, steps="continuous"), dt=DT / 4)
    u = signal()
    y = run(fine, fine.state, np.repeat(u, 4, axis=0), DT / 4)
    exact = made.ldn.simulate(u[:, 0], DT)
    assert np.abs(y[4::4] - exact[:-1]).max() < BOUND


def test_without_neurons_it_is_the_delay_network():
    spec = MemorySpec(600_000_000, order=8, aggregated=True)
    rebuilt = from_nir(to_nir(spec, neurons="none"))
    u = signal()
    y = run(rebuilt, rebuilt.state, u)
    assert not rebuilt.neurons
    assert np.abs(y[1:] - spec.ldn.simulate(u[:, 0], DT)[:-1]).max() < BOUND


def test_poisson_neurons_as_others_of_the_same_mean():
    """Within the radii: tonic neurons clip beyond them, pairs do not."""
    spec = MemorySpec(1200, aggregated=True)
    u = 0.2 * signal()
    exact = spec.ldn.simulate(u[:, 0], DT)[:-1]
    for neurons, error in (("if", 1e-6), ("tonic", 2e-2)):
        graph = to_nir(spec, neurons=neurons)
        assert graph.nodes["neurons"].r.shape == (1200,)
        rebuilt = from_nir(graph, neurons="rate")
        y = run(rebuilt, rebuilt.state, u)[1:]
        assert np.abs(y - exact).max() < error * np.abs(exact).max()


CELL = {"units": 8, "order": 4, "theta": 0.02, "bias": True}


@pytest.mark.parametrize("steps", ["exact", "continuous"])
@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("connections", ["", "W_x", "e_m W_x"])
def test_cells_in_rates(connections, activation, steps):
    cell = CELL | {"connections": connections, "activation": activation}
    params = LMUParams.draw(2, 3, [cell | {"memory_d": 2}], seed=1)
    rng = np.random.default_rng(2)
    drawn = {
        name: 0.3 * rng.standard_normal(array.shape)
        for name, array in params.arrays().items()
        if name.endswith((".b", ".c", ".e_m"))
    }
    made = LMUNetwork(params.updated(drawn), dt=DT, add_to_container=False)
    u = signal(200, 2)
    x = run(made, made.output, u)
    rebuilt = from_nir(to_nir(made, steps=steps))
    y = run(rebuilt, rebuilt.output, u)
    assert np.abs(x - y)[1:].max() < BOUND  # a bias waits for the first sample


def test_cells_in_series():
    """The second cell's bias does not wait for its first sample; it is forgotten."""
    made = LMUNetwork(
        LMUParams.draw(1, 2, [CELL | {"connections": "", "activation": "relu"}] * 2),
        dt=DT,
        add_to_container=False,
    )
    u = signal(200)
    x = run(made, made.output, u)
    rebuilt = from_nir(to_nir(made))
    assert np.abs(x - run(rebuilt, rebuilt.output, u)).max() < BOUND


def test_a_network_that_normalises_its_input():
    params = LMUParams.draw(2, 3, [CELL | {"activation": "relu", "connections": ""}])
    params = replace(params, mean=[2.0, -1.0], scale=[0.5, 3.0])
    made = LMUNetwork(params, dt=DT, add_to_container=False)
    u = 2 + signal(200, 2)
    x = run(made, made.output, u)
    rebuilt = from_nir(to_nir(made))
    assert np.abs(x - run(rebuilt, rebuilt.output, u)).max() < BOUND


def test_spikes_of_hidden_units_are_the_same():
    """The seeds of memory and units are in the graph."""
    params = LMUParams.draw(1, 2, [CELL | {"connections": "", "activation": "relu"}])
    hidden = Hidden(noise_seed=5, per_unit=3, aggregated=False)
    options = {"neuron_type": "if", "hidden": hidden, "memory": {"noise_seed": 4}}
    made = LMUCell(params.cells[0], 160, **options, add_to_container=False)
    u = signal(200)
    x = run(made, made.hidden, u)
    rebuilt = from_nir(to_nir(made))
    assert x.any()
    assert np.abs(x - run(rebuilt, rebuilt.output, u)).max() < 1e-9 * np.abs(x).max()


@pytest.mark.parametrize("neurons", ["if", "tonic"])
def test_conversions_keep_their_mean(neurons):
    cell = CELL | {"connections": "", "activation": "relu"}
    params = LMUParams.draw(1, 2, [cell], seed=3)
    x = np.random.default_rng(4).standard_normal((5, 40, 1))
    made = convert(params, x, n_neurons=2000, presentation=0.01)
    graph = to_nir(made, neurons=neurons)
    rebuilt = from_nir(graph, neurons="rate")
    y = run(rebuilt, rebuilt.output, np.repeat(x[0], 10, axis=0))
    rates = LMUNetwork(params, dt=DT, presentation=0.01, add_to_container=False)
    exact = run(rates, rates.output, np.repeat(x[0], 10, axis=0))
    read = slice(20, None, 10)  # at the ends of presentations: NIR holds nothing
    assert np.abs(y - exact)[read].max() < 0.05 * np.abs(exact).max()


def test_a_cell_alone_reads_its_hidden_units():
    params = LMUParams.draw(1, 2, [CELL | {"connections": "", "activation": "relu"}])
    with nengo.Network(add_to_container=False):
        made = LMUCell(params.cells[0], add_to_container=False)
    u = signal(200)
    x = run(made, made.hidden, u)
    rebuilt = from_nir(to_nir(made))
    assert rebuilt.output.size_out == 8
    assert np.abs(x - run(rebuilt, rebuilt.output, u)).max() < BOUND


FED_BACK = {"error_feedback": (200.0, 0.02)}


@pytest.mark.parametrize("steps", ["exact", "euler", "continuous"])
@pytest.mark.parametrize("size_in", [1, 2])
def test_error_feedback_is_read_back(size_in, steps):
    """Curves that distort, since exact ones leave nothing to feed back."""
    options = {"neuron_type": "rate", "tuning": "drawn", "size_in": size_in}
    made = memory(60 * size_in, 3, **options, **FED_BACK)
    u = signal(size=size_in)
    x = run(made, made.state, u)
    rebuilt = from_nir(to_nir(made, steps=steps))
    assert np.abs(x - run(rebuilt, rebuilt.state, u)).max() < BOUND
    without = memory(60 * size_in, 3, **options)
    assert np.abs(x - run(without, without.state, u)).max() > 100 * BOUND


@pytest.mark.parametrize("tuning", ["pairs", "balanced"])
def test_spikes_with_error_feedback_are_the_same(tuning, tmp_path):
    options = {"neuron_type": "if", "tuning": tuning, "noise_seed": 3}
    made = memory(600, **options, **FED_BACK)
    u = signal()
    x = run(made, made.state, u)
    to_nir(made, tmp_path / "memory.nir")
    rebuilt = from_nir(tmp_path / "memory.nir")
    assert np.abs(x - run(rebuilt, rebuilt.state, u)).max() < 1e-9


def test_cells_keep_the_error_feedback_of_their_memories():
    params = LMUParams.draw(1, 2, [CELL | {"connections": "", "activation": "relu"}])
    about = {"neuron_type": "rate", "tuning": "drawn"}
    about["error_feedback"] = (200.0, 0.0002)
    made = LMUCell(params.cells[0], 80, memory=about, add_to_container=False)
    u = signal(200)
    x = run(made, made.memory.state, u)
    rebuilt = from_nir(to_nir(made))
    assert np.abs(x - run(rebuilt, rebuilt.state, u)).max() < BOUND
    assert "feedback" in rebuilt.parts


def read_as_stated(graph, u):
    """Step a graph of rate neurons as to_nir says of readers; return the state."""
    nodes, dt = graph.nodes, graph.metadata["dt"]
    late = {("recurrent", "state"), ("error", "feedback")}
    into = {n: [a for a, b in graph.edges if b == n] for n in nodes}
    order = "input", "input_weights", "feedback", "state", "encode", "neurons"
    order += "decode", "minus", "error", "recurrent"
    value = {n: np.zeros(nodes[n].output_type["output"]) for n in order}
    states = []
    for sample in u:
        before = dict(value)
        for name in order:
            node, kind = nodes[name], type(nodes[name]).__name__
            ends = [(a, before if (a, name) in late else value) for a in into[name]]
            total = sum(values[a] for a, values in ends)
            if kind == "Input":
                value[name] = sample
            elif kind in ("Linear", "Affine"):
                value[name] = node.weight @ total + getattr(node, "bias", 0)
            elif kind == "LI":
                decay = np.exp(-dt / node.tau)
                value[name] = decay * before[name] + (1 - decay) * node.r * total
            else:  # charges of a step, of neurons that fire at that rate
                value[name] = dt * np.maximum(node.r * total, 0)
        states.append(value["state"])
    return np.array(states)


def test_a_reader_that_steps_as_stated_has_the_same_state():
    made = memory(60, 3, neuron_type="rate", tuning="drawn", **FED_BACK)
    u = signal()
    x = run(made, made.state, u)
    y = read_as_stated(to_nir(made), np.concatenate([[[0.0]], u[:-1]]))
    assert np.abs(x - y).max() < BOUND


def test_a_step_that_makes_error_feedback_unstable_is_refused(tmp_path):
    made = memory(60, 3, neuron_type="if", error_feedback=(900.0, 0.02))
    file = tmp_path / "memory.nir"
    for source in (to_nir(made, file, steps="continuous"), file):
        from_nir(source, dt=0.002)
        with pytest.raises(MappingError, match=r"900 per second is unst.*0\.003 s"):
            from_nir(source, dt=0.003)


@pytest.mark.parametrize("kind", ["if", "regular"])
def test_staggered_voltages_are_read_back(kind, tmp_path):
    spec = MemorySpec(40, 2, 0.2, neuron_type=kind, aggregated=True)
    to_nir(spec, tmp_path / "a.nir", neurons="if")
    built = from_nir(tmp_path / "a.nir")
    (ensemble,) = built.all_ensembles
    begin = ensemble.neuron_type.initial_state["voltage"]
    np.testing.assert_allclose(begin, np.tile(spaced(10), 4))
    graph = to_nir(spec, neurons="if")
    graph.nodes["neurons"].metadata["voltage"] = np.zeros(3)
    with pytest.raises(ValidationError, match=r"metadata\.voltage"):
        from_nir(graph)
