import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.memory.basis import choose_tau, signal_moments, weights_of
from lmu_spiking.memory.design import assemble, design
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.signals import white_noise
from lmu_spiking.studies.trial import run_trial
from lmu_spiking.theory.fixed_point import fixed_point, tabulate
from lmu_spiking.theory.predict import predict

DT = 1e-3
BAND = SignalSpec(2.0, 0.5)


def assembly(order=4, n=200, tuning="balanced", tau=0.1, signal=BAND, **options):
    options = {"synapse": tau, "dt": DT, "tuning": tuning, "signal": signal} | options
    return assemble(n, order, 0.5, **options)


def state_of(memory, model, u, size=1):
    """Probe of a memory's state over an input (T, size)."""
    with model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u.reshape(-1, size), DT))
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(len(u), progress_bar=False)
    return sim.data[probe]


# -- the same system in other coordinates ----------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 6, 12])
@pytest.mark.parametrize("synapse", [None, 0.05, nengo.Alpha(0.02)])
def test_rate_neurons_are_the_exact_system_in_any_coordinates(order, synapse):
    u = white_noise(2.0, DT, 2.0, 0.5, 4).samples
    with nengo.Network() as model:
        memory = LegendreMemory(
            4 * order,
            order,
            0.5,
            synapse=synapse,
            neuron_type="rate",
            tuning="balanced",
        )
    exact = memory.ldn.simulate(u, DT)
    found = state_of(memory, model, u)
    np.testing.assert_allclose(found[1:], exact[:-1], atol=1e-9)


def test_each_input_has_a_window_of_its_own():
    u = np.stack([white_noise(2.0, DT, 2.0, 0.5, k).samples for k in (1, 2)], axis=1)
    with nengo.Network() as model:
        memory = LegendreMemory(
            51, 5, 0.5, size_in=2, neuron_type="rate", tuning="balanced"
        )
    assert memory.population.n_neurons == 51
    exact = memory.ldn.simulate(u, DT).reshape(len(u), -1)
    found = state_of(memory, model, u, 2)
    np.testing.assert_allclose(found[1:], exact[:-1], atol=1e-9)


def test_readouts_through_a_synapse_are_not_late():
    u = white_noise(3.0, DT, 2.0, 0.5, 4).samples
    with nengo.Network() as model:
        memory = LegendreMemory(48, 12, 0.5, neuron_type="rate", tuning="balanced")
        direct = nengo.Probe(memory.add_output(delay=0.3), synapse=None)
        own = nengo.Probe(memory.add_output(delay=0.3, synapse=0.02), synapse=None)
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        nengo.Connection(stimulus, memory.input, synapse=None)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(len(u), progress_bar=False)
    np.testing.assert_allclose(sim.data[own], sim.data[direct], atol=1e-8)


@given(
    order=st.integers(1, 8),
    more=st.integers(0, 400),
    tuning=st.sampled_from(["balanced", "optimal"]),
)
@settings(deadline=None, max_examples=30)
def test_all_neurons_are_used(order, more, tuning):
    n = 40 * order + more
    found = assembly(order, n, tuning)
    assert found.population.n_neurons == n
    np.testing.assert_allclose(found.T @ found.U, np.eye(order), atol=1e-8)
    assert not found.plain


# -- the error model holds in them -----------------------------------------------------


@pytest.mark.parametrize(("tuning", "order"), [("balanced", 6), ("optimal", 12)])
def test_the_law_holds(tuning, order):
    """Within the sampling of 20 s: some 80 independent stretches of noise."""
    spec = MemorySpec(n_neurons=3000, order=order, tuning=tuning, aggregated=True)
    row = run_trial(spec, white_noise(20.0, DT, 2.0, 0.5, 9)).row
    for key in ("state_rmse", "noise_nrmse", "window_noise_nrmse"):
        assert row[key] == pytest.approx(row[f"predicted_{key}"], rel=0.25)
    assert row["spikes_per_s"] == pytest.approx(row["predicted_spikes_per_s"], rel=0.02)


def test_optimal_is_less_noisy_than_balanced_than_plain():
    errors = [
        predict(MemorySpec(order=12, tuning=tuning), duration=20.0).window_noise_nrmse()
        for tuning in ("pairs", "balanced", "optimal")
    ]
    assert errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.9 * errors[1]


@pytest.mark.parametrize("tuning", ["balanced", "optimal"])
def test_no_neuron_exceeds_the_rate_for_long(tuning):
    """Signal and noise: their extremes in the long run, by the normal law."""
    spec = MemorySpec(n_neurons=3000, order=4, tuning=tuning, max_rate=150.0)
    budget = predict(spec)
    found = assembly(4, 3000, tuning, spec.tau, max_rate=150.0)
    moments, _ = signal_moments(spec.ldn, DT, BAND)
    spread = np.sqrt(np.diag(found.T @ (moments + budget.noise) @ found.T.T))
    for i, s in enumerate(spread):
        rates = found.population.rates(i, [-3.09 * s, 3.09 * s])
        assert 0.3 * 150.0 < rates.max() < 150.0 * (1 + 1e-9)
    if tuning == "optimal":  # whatever comes
        assert found.population.rates(0, [-1e9, 1e9]).max() == pytest.approx(150.0)
    assert budget.spikes_per_s / spec.n_neurons < 0.2 * 150.0


def test_a_population_of_stochastic_neurons_aggregates_too():
    spec = MemorySpec(n_neurons=600, order=3, neuron_type="stochastic", aggregated=True)
    row = run_trial(spec, white_noise(10.0, DT, 2.0, 0.5, 9)).row
    assert row["state_rmse"] == pytest.approx(row["predicted_state_rmse"], rel=0.2)


# -- what it is tuned to ---------------------------------------------------------------


def test_samples_serve_as_well_as_their_band():
    u = white_noise(60.0, DT, 2.0, 0.5, 1).samples
    moments, states = signal_moments(LDN(4, 0.5), DT, u)
    band, none = signal_moments(LDN(4, 0.5), DT, BAND)
    assert none is None
    assert len(states) == len(u) - 500
    np.testing.assert_allclose(moments, band, atol=0.25 * np.abs(band).max())


def test_radii_cover_what_is_not_normally_distributed():
    rare = np.zeros(20_000)
    rare[::2000] = 100.0  # far beyond 3.35 standard deviations
    found = assembly(3, 300, signal=rare)
    _, states = signal_moments(LDN(3, 0.5), DT, rare)
    extreme = np.quantile(np.abs(states @ found.T.T), 0.999, axis=0)
    assert np.all(found.population.radii >= extreme)


def test_the_default_synapse_is_the_best_for_tunings_that_choose():
    assert MemorySpec().tau == 0.1
    ldn = LDN(6, 0.5)
    best = choose_tau(ldn, DT, 6000, "balanced", "poisson", 300.0, BAND)
    assert MemorySpec(tuning="balanced").tau == best != 0.1
    assert MemorySpec(tuning="balanced", tau=0.02).tau == 0.02
    with nengo.Network():
        memory = LegendreMemory(6000, 6, 0.5, tuning="balanced")
    assert memory.mapped.synapse == nengo.Lowpass(best)


def noise_of(found, readouts, moments):
    """Predict the mean square error of readouts, on states of these moments."""
    x = np.random.default_rng(0).multivariate_normal(
        np.zeros(len(moments)), moments, 5000, method="eigh"
    )
    P, *_ = fixed_point(found.loop, tabulate(found.population, x @ found.T.T, DT))
    return np.trace(readouts @ found.U @ P @ found.U.T @ readouts.T)


@given(order=st.integers(2, 6), p=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=12)
def test_readouts_asked_for_are_less_noisy_than_by_default(order, p, seed):
    """Whichever they are; .5 % for counts that are whole and moments from samples."""
    readouts = np.random.default_rng(seed).standard_normal((p, order))
    moments, _ = signal_moments(LDN(order, 0.5), DT, BAND)
    default, asked, plain = (
        noise_of(found, readouts, moments)
        for found in (
            assembly(order, 4000),
            assembly(order, 4000, readouts=readouts),
            assembly(order, 4000, tuning="pairs"),
        )
    )
    assert asked <= 1.005 * default
    assert asked < plain


def test_a_single_readout_gains_much():
    """The last coefficient, of which delay and window say little."""
    readouts = np.eye(6)[-1:]
    moments, _ = signal_moments(LDN(6, 0.5), DT, BAND)
    default, asked = (
        noise_of(assembly(6, 6000, readouts=r), readouts, moments)
        for r in (None, readouts)
    )
    assert asked < 0.9 * default


def test_readouts_count_by_what_they_span():
    """Scaled or turned they ask for the same; ``W`` is relative to their power."""
    rng = np.random.default_rng(1)
    readouts = rng.standard_normal((3, 4))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    moments, _ = signal_moments(LDN(4, 0.5), DT, BAND)
    W = weights_of(readouts, moments)
    np.testing.assert_allclose(weights_of(7 * turn @ readouts, moments), W, atol=1e-12)
    assert np.sum(W * moments) == pytest.approx(1)


@pytest.mark.parametrize("tuning", ["balanced", "optimal"])
def test_states_serve_as_the_samples_they_are_of(tuning):
    u = white_noise(4.0, DT, 2.0, 0.5, 1).samples
    states = LDN(4, 0.5).simulate(u, DT)[500:]
    one, other = (assembly(4, 300, tuning, signal=s) for s in (u, states))
    np.testing.assert_array_equal(one.U, other.U)
    np.testing.assert_array_equal(one.loop.A, other.loop.A)
    for name in ("gain", "bias", "decoders", "radii", "dimension"):
        a, b = (getattr(found.population, name) for found in (one, other))
        np.testing.assert_array_equal(a, b)
    taus = [
        choose_tau(LDN(4, 0.5), DT, 300, tuning, "poisson", 300.0, s)
        for s in (u, states)
    ]
    assert taus[0] == taus[1]


def test_a_memory_takes_readouts_and_states():
    u = white_noise(2.0, DT, 2.0, 0.5, 1).samples
    exact = LDN(4, 0.5).simulate(u, DT)
    with nengo.Network() as model:
        memory = LegendreMemory(
            400,
            4,
            0.5,
            neuron_type="rate",
            tuning="balanced",
            signal=exact[500:],
            readouts=np.eye(4)[:1],
        )
    np.testing.assert_allclose(state_of(memory, model, u)[1:], exact[:-1], atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radii": np.ones(4)}, "radii: .* are chosen by tuning='balanced'"),
        ({"n": 7}, "n_neurons: 7 is less than 2 per dimension"),
        ({"signal": [1.0, np.nan]}, "signal: .* finite samples"),
        ({"signal": np.ones(100)}, "use at least 501 steps"),
        ({"signal": np.zeros(1000)}, "is silent; use samples not all of them 0"),
        ({"signal": "ecg"}, "must be finite"),
        ({"signal": np.ones((600, 3))}, r"signal: .* states of shape \(T, 4\)"),
        ({"signal": np.full((600, 4), np.nan)}, "signal: .* finite states"),
        ({"signal": np.ones((0, 4))}, "signal: .* finite states"),
        (
            {"readouts": np.ones(4)},
            r"readouts: \(4,\) must be finite .*\(readouts, 4\)",
        ),
        ({"readouts": np.ones((2, 3))}, r"readouts: \(2, 3\) must be finite"),
        ({"readouts": np.zeros((2, 4))}, "and not all 0"),
        ({"readouts": [[np.inf] * 4]}, "readouts: .* must be finite"),
        ({"max_rate": -1.0}, "max_rate: -1.0 must be a positive number"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValidationError, match=message):
        assembly(**options)


def test_a_spec_leaves_radii_to_the_tuning():
    with pytest.raises(ValidationError, match="are chosen by tuning='optimal'"):
        MemorySpec(tuning="optimal", radii=2.0)


# -- the design as a value -------------------------------------------------------------


@pytest.mark.parametrize("tuning", [None, "optimal", "drawn"])
def test_a_design_is_what_its_memory_is_built_of(tuning):
    spec = MemorySpec(300, 3, 0.2, tuning=tuning, noise_seed=4, tuning_seed=2)
    made = design(spec)
    assert made.spec == spec
    with nengo.Network():
        one = LegendreMemory.from_spec(spec)
    with nengo.Network():
        other = LegendreMemory.from_design(made, label="mine")
    assert other.design is made
    assert one.spec == other.spec == spec
    assert one.ensemble.seed == other.ensemble.seed == 4
    assert (other.label, other.theta, other.dt) == ("mine", 0.2, DT)
    for name in ("gain", "bias", "decoders", "radii"):
        a, b = (getattr(m.population, name) for m in (one, other))
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.design.loop.A, made.loop.A)
    budgets = [predict(x, duration=1.0) for x in (spec, made, one)]
    for budget in budgets[1:]:
        np.testing.assert_allclose(budget.noise, budgets[0].noise, rtol=1e-9)


def test_a_design_can_be_tuned_to_another_signal():
    spec = MemorySpec(300, 3, 0.2, tuning="balanced", tau=0.1)
    wide = design(spec, SignalSpec(20.0, 0.5))
    assert wide.spec == spec.replace(signal=SignalSpec(20.0, 0.5))
    assert np.abs(wide.U - design(spec).U).max() > 1e-3
    recorded = design(spec, white_noise(2.0, DT, 20.0, 0.5, 0))
    assert recorded.spec is None
    assert recorded.size_in == 1


def test_a_design_of_several_inputs_is_tiled():
    made = assemble(120, 3, 0.2, size_in=2)
    assert (made.size_in, made.spec.size_in) == (2, 2)
    assert made.tiled(3).spec is None
    with nengo.Network():
        memory = LegendreMemory(120, 3, 0.2, size_in=6, assembly=made)
    assert memory.size_in == 6
    assert memory.population.n_neurons == 360


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"theta": 0.3}, "assembly: .* is of order 3, theta 0.2 s and dt 0.001 s"),
        ({"order": 4}, "is of order 3.*from_design"),
        ({"dt": 0.002}, "is of order 3"),
        ({"size_in": 3}, "has 2 inputs, which do not divide 3"),
    ],
)
def test_a_design_of_another_memory_is_refused(changes, message):
    made = assemble(120, 3, 0.2, size_in=2)
    sizes = {"n_neurons": 120, "order": 3, "theta": 0.2, "size_in": 2} | changes
    with pytest.raises(ValidationError, match=message):
        LegendreMemory(**sizes, assembly=made)


# -- populations as one entry ----------------------------------------------------------


def stationary(aggregated, tuning, copies=20, steps=5000, every=100):
    """States (N, 2) and spikes of a step (N,) of copies of one memory, N independent.

    The input is constant; ``every`` steps are two synapses and one window.
    """
    with nengo.Network(seed=7) as model:
        memory = LegendreMemory(
            80 * copies,
            2,
            0.05,
            synapse=0.05,
            size_in=copies,
            tuning=tuning,
            aggregated=aggregated,
            noise_seed=3 + aggregated,
        )
        stimulus = nengo.Node(np.full(copies, 0.4))
        nengo.Connection(stimulus, memory.input, synapse=None)
        state = nengo.Probe(memory.state, synapse=None, sample_every=every * DT)
        fired = nengo.Probe(memory.ensemble.neurons, sample_every=every * DT)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(steps, progress_bar=False)
    whose = memory.population.dimension // 2
    counts = np.round(sim.data[fired][3:] * DT) @ (whose[:, None] == range(copies))
    return sim.data[state][3:].reshape(-1, 2), counts.ravel()


@pytest.mark.parametrize("tuning", ["pairs", "optimal"])
def test_a_population_as_one_entry_is_its_neurons_one_by_one(tuning):
    """Means, covariances and the distribution of spike counts."""
    together, alone = (stationary(flag, tuning) for flag in (True, False))
    n = len(together[1])
    for samples in (together, alone):
        assert samples[0].shape == (n, 2)
    means = [s.mean(axis=0) for s, _ in (together, alone)]
    covariances = [np.cov(s.T) for s, _ in (together, alone)]
    variance = np.diag(sum(covariances))
    assert np.all(np.abs(means[0] - means[1]) < 4 * np.sqrt(variance / n))
    # a sample covariance has variance (s_ij^2 + s_ii s_jj) / n
    pooled = sum(covariances) / 2
    error = np.sqrt((pooled**2 + np.outer(*[np.diag(pooled)] * 2)) * 2 / n)
    assert np.all(np.abs(covariances[0] - covariances[1]) < 4 * error)
    edges = np.quantile(np.concatenate([together[1], alone[1]]), np.linspace(0, 1, 9))
    edges = np.unique(edges)[1:-1]
    table = [np.bincount(np.digitize(c, edges)) for _, c in (together, alone)]
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_synapse_of_few_neurons_with_feedback_is_as_good_as_any():
    """Rate and synapse are chosen together: one rate for all would mislead."""
    found = MemorySpec(100, 6, 0.5, tuning="balanced", error_feedback="auto")
    other = found.replace(tau=0.3)
    assert design(found).own_nrmse < 1.05 * design(other).own_nrmse
    pair = MemorySpec(600, 3, 0.1, tuning="balanced", error_feedback=(100, 0.02))
    assert pair.tau > 0.03
