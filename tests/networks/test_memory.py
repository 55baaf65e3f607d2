import copy
import pickle
import warnings

import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import MappingError, ValidationError
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.curves import Tuning

SMALL = {"n_neurons": 60, "order": 3, "theta": 0.2}


def build(**changes):
    with nengo.Network():
        return LegendreMemory(**(SMALL | changes))


def spike_times(simulator, build_memory, *, steps=300, optimize=True, network_seed=0):
    with nengo.Network(seed=network_seed) as model:
        stimulus = nengo.Node(lambda t: np.sin(20 * t))
        memory = build_memory()
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.ensemble.neurons)
    with simulator(model, optimize=optimize) as sim:
        sim.run_steps(steps)
        return sim.data[probe].copy()


# -- what it is made of ----------------------------------------------------------------


def test_attributes():
    memory = build(size_in=2, n_neurons=61, label="window", seed=7)
    assert isinstance(memory, nengo.Network)
    assert (memory.label, memory.seed) == ("window", 7)
    assert (memory.input.size_in, memory.state.size_in) == (2, 6)
    assert memory.output.size_out == 6
    assert memory.ensemble.n_neurons == memory.population.n_neurons == 61
    assert memory.ldn == LDN(3, 0.2)
    assert (memory.dt, memory.size_in, memory.functions) == (1e-3, 2, {})
    assert [node.label for node in memory.nodes] == ["input", "state", "output"]
    assert len(memory.ensembles) == 1


def test_defaults():
    memory = build()
    assert memory.population.neurons == nengo.PoissonSpiking(nengo.RectifiedLinear())
    assert memory.population.tuning.kind == "pairs"
    np.testing.assert_array_equal(memory.population.radii, np.ones(3))
    assert memory.mapped.synapse == nengo.Lowpass(0.1)


def test_an_aggregated_memory_counts_its_neurons():
    memory = build(n_neurons=10**9 + 1, aggregated=True)
    assert memory.ensemble.n_neurons == 6
    assert memory.population.n_neurons == 10**9 + 1


def test_add_to_container():
    with nengo.Network() as model:
        inside = LegendreMemory(**SMALL)
        outside = LegendreMemory(**SMALL, add_to_container=False)
    assert model.networks == [inside]
    with model:
        model.add(outside)
    assert model.networks == [inside, outside]


def test_stands_alone(simulator):
    memory = LegendreMemory(**SMALL)
    with memory:
        nengo.Connection(nengo.Node(1.0), memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    with simulator(memory) as sim:
        sim.run_steps(1000)
        assert sim.data[probe][-500:, 0].mean() == pytest.approx(1.0, abs=0.1)


@pytest.mark.filterwarnings("ignore:'Node.size_out' is being overwritten")  # Nengo's
def test_can_be_copied(simulator):
    memory = LegendreMemory(**SMALL, noise_seed=1)
    twin = copy.deepcopy(memory)
    assert twin.ldn == memory.ldn

    def spikes(network):
        with network:
            probe = nengo.Probe(network.ensemble.neurons)
        with simulator(network) as sim:
            sim.run_steps(50)
            return sim.data[probe].copy()

    np.testing.assert_array_equal(spikes(memory), spikes(twin))


def test_from_spec_is_what_the_spec_says():
    spec = MemorySpec(
        n_neurons=50,
        order=4,
        theta=0.3,
        tau=0.05,
        dt=0.002,
        neuron_type="stochastic-lif",
        max_rate=150.0,
        radii=(1.0, 0.5, 0.3, 0.2),
        tuning_seed=3,
        noise_seed=4,
    )
    with nengo.Network():
        memory = LegendreMemory.from_spec(spec, label="mine")
        twin = LegendreMemory.from_spec(spec)
        other = LegendreMemory.from_spec(spec, tuning_seed=5)
    assert (memory.ldn, memory.label, memory.dt) == (spec.ldn, "mine", 0.002)
    assert memory.mapped.synapse == nengo.Lowpass(0.05)
    assert memory.ensemble.seed == 4
    assert memory.population.tuning.max_rates == nengo.dists.Uniform(100, 200)
    np.testing.assert_array_equal(memory.population.radii, spec.radii)
    np.testing.assert_array_equal(memory.population.gain, twin.population.gain)
    assert np.any(memory.population.gain != other.population.gain)


# -- what it does ----------------------------------------------------------------------


def test_the_state_at_k_is_the_one_after_input_k_minus_one(stream):
    u = np.eye(50)[10]
    state = stream(u, **SMALL, neuron_type="rate")
    assert np.all(state[:11] == 0)
    np.testing.assert_allclose(state[11], LDN(3, 0.2).discretize(1e-3)[1])
    np.testing.assert_allclose(
        state[1:], LDN(3, 0.2).simulate(u, 1e-3)[:-1], atol=1e-12
    )


@pytest.mark.parametrize("size_in", [2, 3])
def test_inputs_do_not_touch_each_other(stream, white, size_in):
    u = np.stack([white(600, seed=s) * 10**s for s in range(size_in)], axis=1)
    keywords = SMALL | {"n_neurons": 6 * size_in, "neuron_type": "rate"}
    state = stream(u, **keywords).reshape(600, size_in, 3)
    exact = LDN(3, 0.2).simulate(u, 1e-3)
    for channel in range(size_in):
        np.testing.assert_allclose(
            state[1:, channel],
            exact[:-1, channel],
            rtol=0,
            atol=1e-12 * np.abs(exact[:, channel]).max(),
        )


def test_spikes_of_one_input_leave_the_other_alone(stream, white):
    u = np.stack([white(500), np.zeros(500)], axis=1)
    state = stream(u, **SMALL)
    assert np.all(state[:, 3:] == 0)  # silent: pairs do not fire at zero
    assert np.abs(state[:, :3]).max() > 0.1


def test_radii_of_each_dimension_do_not_change_the_mean(stream, white):
    u = white(800)
    keywords = SMALL | {"neuron_type": "rate"}
    one = stream(u, **keywords)
    other = stream(u, **keywords, radii=[0.3, 2.0, 0.1])
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_the_output_is_the_state_as_the_spikes_say_it(stream, white):
    state, output = stream(white(2000, high=2.0), **SMALL, probe=["output"])
    smooth = nengo.Lowpass(0.05)
    error = smooth.filt(output - state, dt=1e-3)
    assert np.sqrt(np.mean(error**2)) < 0.3 * np.sqrt(np.mean(state**2))
    assert np.std(output - state) > 3 * np.std(error)


def test_aggregated_and_single_neurons_are_one_in_distribution(stream, white):
    """Two sample means of the squared error over 40 memories each."""
    u, power = np.repeat(white(2000, high=2.0)[:, None], 40, axis=1), []
    exact = LDN(3, 0.2).simulate(u[:, 0], 1e-3)
    for aggregated in (True, False):
        keywords = SMALL | {"n_neurons": 40 * 60, "aggregated": aggregated}
        state = stream(u, **keywords, noise_seed=3).reshape(2000, 40, 3)
        power.append(np.mean((state[1:] - exact[:-1, None]) ** 2, axis=(0, 2)))
    gap = np.mean(power[0]) - np.mean(power[1])
    assert abs(gap) < 3 * np.sqrt((np.var(power[0]) + np.var(power[1])) / 40)


def test_noise_of_distinct_dimensions_is_uncorrelated(stream):
    u = np.full(4000, 0.5)
    state, output = stream(u, n_neurons=120, order=6, theta=0.1, probe=["output"])
    noise = (output - state)[300:]
    correlation = np.corrcoef(noise.T) - np.eye(6)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(noise))


@pytest.mark.parametrize("tuning", ["pairs", "drawn"])
@pytest.mark.parametrize("name", ["poisson", "stochastic", "regular", "if", "rate"])
def test_remembers_with_any_neurons(stream, white, name, tuning):
    u = white(1500, high=2.0)
    state = stream(
        u, n_neurons=1200, order=3, theta=0.2, neuron_type=name, tuning=tuning
    )
    exact = LDN(3, 0.2).simulate(u, 1e-3)
    error = np.std(state[1:] - exact[:-1]) / np.std(exact)
    assert error < (0.15 if tuning == "pairs" else 0.3)


# -- seeds -----------------------------------------------------------------------------


def test_the_same_seeds_give_the_same_spikes(simulator):
    def memory():
        return LegendreMemory(**SMALL, tuning_seed=1, noise_seed=2)

    one = spike_times(simulator, memory)
    np.testing.assert_array_equal(one, spike_times(simulator, memory, network_seed=9))
    assert one.any()


@pytest.mark.parametrize("aggregated", [False, True])
def test_the_optimizer_changes_no_spike(simulator, aggregated):
    def memory():
        return LegendreMemory(**SMALL, aggregated=aggregated)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = (
            spike_times(simulator, memory, optimize=flag) for flag in (True, False)
        )
    np.testing.assert_array_equal(one, other)


def test_a_noise_seed_draws_spikes_and_leaves_the_tuning(simulator):
    memories = [build(tuning="drawn", noise_seed=seed) for seed in (1, 2)]
    for name in ("encoders", "gain", "bias", "decoders"):
        one, other = (getattr(memory.population, name) for memory in memories)
        np.testing.assert_array_equal(one, other)
    one, other = (
        spike_times(simulator, lambda s=seed: LegendreMemory(**SMALL, noise_seed=s))
        for seed in (1, 2)
    )
    assert np.any(one != other)


def test_a_tuning_seed_draws_the_curves():
    one, twin, other = (build(tuning="drawn", tuning_seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.population.gain, twin.population.gain)
    assert np.any(one.population.gain != other.population.gain)


@pytest.mark.parametrize("where", ["memory", "network"])
def test_without_a_noise_seed_the_seeds_of_nengo_draw_the_spikes(simulator, where):
    def spikes(seed):
        mine = {"seed": seed} if where == "memory" else {}
        return spike_times(
            simulator,
            lambda: LegendreMemory(**SMALL, **mine),
            network_seed=seed if where == "network" else 0,
        )

    np.testing.assert_array_equal(spikes(1), spikes(1))
    assert np.any(spikes(1) != spikes(2))


def test_two_memories_without_seeds_have_noise_of_their_own(simulator):
    with nengo.Network(seed=0) as model:
        stimulus = nengo.Node(0.5)
        memories = [LegendreMemory(**SMALL) for _ in range(2)]
        for memory in memories:
            nengo.Connection(stimulus, memory.input, synapse=None)
        probes = [nengo.Probe(memory.ensemble.neurons) for memory in memories]
    with simulator(model) as sim:
        sim.run_steps(200)
        assert np.any(sim.data[probes[0]] != sim.data[probes[1]])


# -- in Nengo --------------------------------------------------------------------------


def test_config_chooses_the_neurons():
    with nengo.Network() as model:
        model.config[nengo.Ensemble].neuron_type = nengo.LIF(tau_rc=0.05)
        configured = LegendreMemory(**SMALL)
        asked = LegendreMemory(**SMALL, neuron_type="poisson")
    assert configured.population.neurons == nengo.LIF(tau_rc=0.05)
    assert configured.ensemble.neuron_type == nengo.LIF(tau_rc=0.05)
    assert configured.population.tuning.kind == "drawn"
    assert isinstance(asked.ensemble.neuron_type, nengo.PoissonSpiking)


def test_config_of_an_outer_network_counts_too():
    with nengo.Network() as model:
        model.config[nengo.Ensemble].neuron_type = nengo.SpikingRectifiedLinear()
        with nengo.Network():
            memory = LegendreMemory(**SMALL)
    assert isinstance(memory.ensemble.neuron_type, nengo.SpikingRectifiedLinear)
    assert memory.population.tuning.kind == "pairs"


def test_other_defaults_in_config_change_nothing(simulator):
    """Radius, rates, synapses and dimensions belong to the memory, not to its host."""

    def spikes(configure):
        with nengo.Network(seed=0) as model:
            if configure:
                ensemble = model.config[nengo.Ensemble]
                ensemble.radius, ensemble.intercepts = 3.0, nengo.dists.Choice([0.5])
                ensemble.max_rates = nengo.dists.Choice([50.0])
                ensemble.normalize_encoders = False
                model.config[nengo.Connection].synapse = nengo.Alpha(0.3)
                model.config[nengo.Probe].synapse = 0.1
            memory = LegendreMemory(**SMALL, noise_seed=1)
            node = memory.add_output(delay=0.1)
            nengo.Connection(nengo.Node(0.5), memory.input, synapse=None)
            probe = nengo.Probe(node, synapse=None)
        with simulator(model) as sim:
            sim.run_steps(200)
            return sim.data[probe].copy()

    np.testing.assert_array_equal(spikes(False), spikes(True))


def test_drops_into_a_model(simulator):
    """Between an ensemble and another, its output sliced and decoded further."""
    with nengo.Network(seed=0) as model:
        stimulus = nengo.Node(lambda t: 0.8 * np.sin(4 * t))
        sender = nengo.Ensemble(50, 1)
        memory = LegendreMemory(600, order=4, theta=0.2)
        receiver = nengo.Ensemble(50, 2)
        nengo.Connection(stimulus, sender)
        nengo.Connection(sender, memory.input, synapse=None)
        nengo.Connection(memory.output[:2], receiver, synapse=0.02)
        nengo.Connection(memory.state[3], receiver[0], transform=0.1, synapse=None)
        probes = [
            nengo.Probe(receiver, synapse=0.02),
            nengo.Probe(memory.ensemble.neurons[:5]),
            nengo.Probe(memory.output[::2]),
        ]
    with simulator(model) as sim:
        sim.run(0.5)
        assert [sim.data[p].shape[1] for p in probes] == [2, 5, 2]
        assert np.isfinite(sim.data[probes[0]]).all()
    assert model.n_neurons == 700


# -- refusals --------------------------------------------------------------------------

REFUSED = [
    ({"n_neurons": 5}, "n_neurons: 5 is less than 2 per dimension for order 3; use at"),
    ({"n_neurons": "60"}, "n_neurons: '60' must be a whole number"),
    ({"order": 0}, "LDN.order: 0 must be"),
    ({"order": 3.0}, "LDN.order: 3.0 must be"),
    ({"theta": np.nan}, "LDN.theta: nan must be"),
    ({"synapse": "x"}, "synapse: 'x' must be a nengo.LinearFilter"),
    ({"synapse": 0}, "synapse: 0 must be"),
    ({"dt": 0.0}, "dt: 0.0 must be a positive number"),
    ({"dt": np.nan}, "dt: nan must be a positive number"),
    ({"dt": "0.001"}, "dt: '0.001' must be a positive number"),
    ({"size_in": 0}, "LegendreMemory.size_in: 0 must be a whole number"),
    ({"size_in": True}, "LegendreMemory.size_in: True must be"),
    ({"size_in": 1.0}, "LegendreMemory.size_in: 1.0 must be"),
    ({"size_in": 11}, "n_neurons: 60 is less than 2 per dimension"),
    ({"neuron_type": "spiking"}, "neuron_type: 'spiking' is unknown"),
    ({"neuron_type": nengo.Direct()}, "has no neurons"),
    ({"neuron_type": "lif", "tuning": "pairs"}, "needs rectified-linear rates"),
    ({"tuning": "nice"}, "tuning: 'nice' is unknown"),
    ({"max_rate": 0.0}, "max_rate: 0.0 must be"),
    ({"radii": 0.0}, "radii"),
    (
        {"radii": [1.0, 1.0]},
        "LegendreMemory.radii: [1.0, 1.0] must be positive, one number or 3",
    ),
    (
        {"radii": "wide"},
        "LegendreMemory.radii: 'wide' must be positive, one number or 3",
    ),
    ({"radii": [1.0, np.nan, 1.0]}, "radii"),
    ({"delay_steps": -1}, "delay_steps: -1 must be a whole number"),
    ({"delay_steps": 0.5}, "delay_steps: 0.5 must be a whole number"),
    (
        {"aggregated": True, "neuron_type": "lif"},
        "aggregated: True needs on/off pairs",
    ),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_refusals_leave_no_half_made_network(change, message):
    with nengo.Network() as model:
        with pytest.raises(ValidationError) as error:
            LegendreMemory(**(SMALL | change))
    assert message in str(error.value)
    assert model.all_objects == model.networks == []


@pytest.mark.parametrize("name", ["tuning_seed", "noise_seed"])
@pytest.mark.parametrize("seed", [-1, 1.5, "1", np.nan])
def test_seeds_are_refused_before_nengo_sees_them(name, seed):
    with nengo.Network() as model:
        with pytest.raises(ValidationError, match=name):
            LegendreMemory(**SMALL, **{name: seed})
    assert model.all_objects == model.networks == []


def test_an_unstable_loop_leaves_no_half_made_network():
    with nengo.Network() as model:
        with pytest.raises(MappingError, match="unstable"):
            LegendreMemory(60, 12, 0.2, synapse=nengo.Alpha(0.1))
    assert model.networks == []


def test_a_tuning_of_ones_own():
    memory = build(tuning=Tuning("pairs", 120.0))
    assert memory.population.rates(0, [1.0]).max() == pytest.approx(120.0)


# -- what it says of itself ------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    (
        "theta order tau spec dt n_neurons synapse neuron_type input state ensemble "
        "population assembly ldn functions"
    ).split(),
)
def test_nothing_can_be_set_that_would_do_nothing(name):
    memory = build()
    with pytest.raises(ValidationError, match=rf"^LegendreMemory\.{name}: .*another"):
        setattr(memory, name, 0.3)
    with pytest.raises(ValidationError, match=r"cannot be deleted after .*another"):
        delattr(memory, name)
    assert (memory.theta, memory.order, memory.tau, memory.dt) == (0.2, 3, 0.1, 1e-3)


@pytest.mark.filterwarnings("ignore:'Node.size_out' is being overwritten")  # Nengo's
def test_labels_seeds_and_names_of_the_users_can_be_set():
    memory = build()
    memory.label, memory.seed, memory.mine = "past", 3, "own"
    assert (memory.label, memory.seed, memory.mine) == ("past", 3, "own")
    memory.other = 1
    del memory.other
    assert not hasattr(memory, "other")
    for twin in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
        assert (twin.theta, twin.mine) == (0.2, "own")
        with pytest.raises(ValidationError, match="cannot be set"):
            twin.theta = 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"order": 4, "tau": 0.05, "dt": 0.002, "neuron_type": "lif", "max_rate": 100.0},
        {"tuning": "optimal", "signal": SignalSpec(1.0, 0.3), "noise_seed": 5},
        {"neuron_type": "regular", "radii": (1.0, 0.5, 0.2, 0.1), "order": 4},
        {"aggregated": True, "tuning": "recruited", "tuning_seed": 3},
    ],
)
def test_the_spec_of_a_memory_is_what_it_was_built_from(changes):
    spec = MemorySpec(**({"n_neurons": 120, "order": 3, "theta": 0.2} | changes))
    with nengo.Network():
        assert LegendreMemory.from_spec(spec).spec == spec


def test_a_memory_without_a_spec_of_its_own_tells_one():
    memory = build(neuron_type=nengo.LIF(), tau=0.05)
    assert memory.spec == MemorySpec(**SMALL, tau=0.05, neuron_type="lif")


@pytest.mark.parametrize(
    "changes",
    [
        {"synapse": nengo.Alpha(0.05)},
        {"delay_steps": 1},
        {"neuron_type": nengo.LIF(tau_rc=0.05)},
        {"neuron_type": "lif", "tuning": Tuning("drawn", 200.0)},
        {"tuning": "balanced", "signal": np.sin(np.arange(1000) / 50)},
    ],
)
def test_what_no_spec_says_has_none(changes):
    assert build(**changes).spec is None


def test_tau_is_a_lowpass_as_in_a_spec():
    assert build(tau=0.03).mapped.synapse == nengo.Lowpass(0.03)
    assert build(synapse=nengo.Alpha(0.03)).tau is None
    with pytest.raises(ValidationError, match="beside synapse; give one"):
        build(tau=0.03, synapse=0.03)
    with pytest.raises(ValidationError, match=r"^LegendreMemory\.tau: -1"):
        build(tau=-1)


def test_it_says_what_it_is():
    assert repr(build(label="past", tau=0.03)) == (
        '<LegendreMemory "past": order 3, theta 0.2 s, 60 poisson neurons, pairs, '
        "tau 0.03 s, dt 0.001 s>"
    )
    assert "2 inputs" in str(build(size_in=2))
    fed_back = build(tau=0.03, error_feedback=(500, 0.01))
    assert "tau 0.03 s, error feedback 500/s, 0.01 s, dt" in repr(fed_back)


# -- error feedback --------------------------------------------------------------------

BUSY = {"n_neurons": 120, "order": 3, "theta": 0.2, "noise_seed": 0}


@pytest.mark.parametrize(
    "changes",
    [
        {"neuron_type": "rate"},
        {"neuron_type": "rate", "tuning": "balanced", "delay_steps": 2},
        {"neuron_type": "rate", "synapse": nengo.Alpha(0.01)},
    ],
)
def test_feedback_changes_nothing_in_neurons_that_make_no_error(stream, white, changes):
    u = np.stack([white(600, seed=k) for k in range(2)], 1)
    rate = 150.0 if "delay_steps" in changes else 400.0
    memory = BUSY | changes | {"error_feedback": (rate, 0.005)}
    state = stream(u, **memory)
    exact = LDN(3, 0.2).simulate(u, 1e-3).reshape(len(u), -1)
    np.testing.assert_allclose(state[1:], exact[:-1], atol=1e-9)


def test_both_simulators_agree_on_feedback(stream, white):
    memory = BUSY | {"error_feedback": (200, 0.01), "neuron_type": "lif"}
    a, b = (stream(white(300), compiled=c, **memory) for c in (0, 1))
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("tuning", ["pairs", "balanced", "optimal"])
@pytest.mark.parametrize("loud", [1.0, 5.0])
def test_feedback_makes_no_poisson_memory_worse(stream, white, tuning, loud):
    """Nor where neurons without it have ceilings, which a loud signal exceeds."""
    u = loud * white(6000, high=2.0, seed=4)
    exact = LDN(6, 0.5).simulate(u, 1e-3)[:-1]
    memory = {"n_neurons": 600, "order": 6, "theta": 0.5, "noise_seed": 1, "tau": 0.1}
    errors = {}
    for asked in (None, "auto"):
        options = {"tuning": tuning, "aggregated": True, "error_feedback": asked}
        state = stream(u, compiled=True, **memory, **options)
        errors[asked] = np.sqrt(np.mean((state[1:] - exact)[500:] ** 2))
    assert errors["auto"] < 1.05 * errors[None]
    assert errors["auto"] < 0.4 * errors[None]


@pytest.mark.parametrize(
    "changes",
    [
        {"neuron_type": "lif"},
        {"neuron_type": "if"},
        {"tuning": "drawn"},
        {"neuron_type": nengo.Sigmoid(tau_ref=0.0005)},
    ],
)
def test_feedback_is_chosen_by_measurements_where_no_formula_says_how(changes):
    many = {"n_neurons": 100 * SMALL["order"], "error_feedback": "auto"}
    feedback = build(**(many | changes)).mapped.feedback
    assert 5 <= feedback.rate <= 1000
    few = build(error_feedback="auto", **changes)
    assert few.mapped.feedback is None or few.population.tuning.kind != "drawn"
    assert build(error_feedback=(200, 0.01), **changes).mapped.feedback.rate == 200
    assert build(error_feedback="auto", neuron_type="rate").mapped.feedback is None


def test_measurements_leave_the_users_model_alone():
    asked = {"neuron_type": "if", "error_feedback": "auto", "seed": 1}
    alone = build(**asked)
    with nengo.Network(seed=0) as model:
        model.config[nengo.Probe].sample_every = 0.01
        model.config[nengo.Connection].synapse = 0.5
        model.config[nengo.Connection].learning_rule_type = nengo.PES()
        model.config[nengo.Connection].learning_rule_type = None
        memory = LegendreMemory(**(SMALL | asked))
        budget = memory.predict(np.sin(np.arange(1000) / 50))
    assert model.networks == [memory]
    assert not model.probes and not model.ensembles and not model.nodes
    assert memory.mapped.feedback.rate == alone.mapped.feedback.rate
    assert (
        budget.noise_nrmse()
        == alone.predict(np.sin(np.arange(1000) / 50)).noise_nrmse()
    )


def test_feedback_leaves_out_the_ceilings_and_refuses_those_of_a_user():
    with_it, without = (
        build(tuning="optimal", error_feedback=asked).population.ceiling
        for asked in ("auto", None)
    )
    assert np.isinf(with_it).any()
    assert np.isfinite(without).all()
    with pytest.raises(ValidationError, match="would wind up where neurons have ceil"):
        build(tuning=Tuning("recruited", bounded=True), error_feedback="auto")


def test_feedback_is_part_of_a_design():
    with pytest.raises(ValidationError, match="is part of the design"):
        LegendreMemory.from_design(build().design, error_feedback="auto")


def test_a_band_alone_names_the_automatic_feedback():
    u = 0.02 * np.random.RandomState(0).standard_normal(2000)
    assert build(signal=u).spec is not None
    assert build(signal=u, error_feedback="auto").spec is None


def test_designs_and_specs_keep_the_feedback():
    memory = build(tau=0.03, error_feedback="auto")
    assert memory.spec.error_feedback == "auto"
    with nengo.Network():
        same = LegendreMemory.from_design(memory.design)
        again = LegendreMemory.from_spec(memory.spec)
    for other in (same, again):
        assert other.mapped.feedback.rate == memory.mapped.feedback.rate
    assert build(error_feedback="off").spec == build().spec


def test_which_neuron_is_for_what(simulator):
    """The order of a raster: dimension by dimension, and + before - in each."""
    with nengo.Network() as model:
        stimulus = nengo.Node([1.0, -1.0])
        memory = LegendreMemory(38, 3, 0.2, size_in=2, neuron_type="rate")
        nengo.Connection(stimulus, memory.input, synapse=None)
        rates = nengo.Probe(memory.ensemble.neurons)
        state = nengo.Probe(memory.state, synapse=None)
    with simulator(model) as sim:
        sim.run_steps(150)
        of, sign = memory.population.dimension, memory.population.encoders
        seen = sim.data[rates][-1] > 1e-9
        np.testing.assert_array_equal(seen, sim.data[state][-1][of] * sign > 1e-9)
    order = np.lexsort((-sign, of))
    np.testing.assert_array_equal(order, np.arange(38))
    np.testing.assert_array_equal(np.bincount(of), [7, 7, 6, 6, 6, 6])


def test_memories_of_one_model_have_spikes_of_their_own():
    """Nengo draws equal spikes from equal seeds; one memory alone keeps the spec's."""
    spec = MemorySpec(n_neurons=60, order=3, noise_seed=4)
    with nengo.Network():
        first, second = (LegendreMemory.from_spec(spec) for _ in range(2))
        given = LegendreMemory.from_spec(spec, noise_seed=4)
    seeds = [m.ensemble.seed for m in (first, second, given)]
    assert seeds[0] == seeds[2] == 4 != seeds[1]
    with nengo.Network():
        again = [LegendreMemory.from_spec(spec).ensemble.seed for _ in range(2)]
    assert again == seeds[:2]
