import tracemalloc

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nengo.dists import Choice, Uniform

from lmu_spiking.errors import ValidationError
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.curves import (
    NEURON_TYPES,
    Tuning,
    averaged_variance,
    neuron_type,
    step_variance,
)
from lmu_spiking.neurons.population import (
    build_population,
    radii_from,
    solve_decoders,
    spaced,
)

radii = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=7)


def decoded(population, i, x):
    at = population.block(i)
    return population.rates(i, x) @ population.decoders[at]


# -- how neurons are shared ------------------------------------------------------------


@given(order=st.integers(1, 20), more=st.integers(0, 100))
def test_dimensions_share_the_neurons(order, more):
    n = 2 * order + more
    population = build_population(n, np.ones(order))
    shares = np.bincount(population.dimension, minlength=order)
    assert (population.order, population.n_neurons, shares.sum()) == (order, n, n)
    assert shares.max() - shares.min() <= 1
    assert np.all(np.diff(shares) <= 0)  # remainders go to the first
    assert np.all(np.diff(population.dimension) >= 0)
    for i in range(order):
        assert np.all(population.dimension[population.block(i)] == i)
        signs = population.encoders[population.block(i)]
        assert abs(signs.sum()) <= 1  # as many up as down, an odd one up
        assert signs.sum() >= 0


@given(order=st.integers(1, 6), more=st.integers(0, 50))
def test_aggregated_neurons_are_counted(order, more):
    n = 2 * order + more
    population = build_population(n, np.ones(order), aggregated=True)
    assert population.n_neurons == n
    assert len(population.gain) == 2 * order


@pytest.mark.parametrize(
    ("kind", "tuning", "remedy"),
    [
        ("poisson", None, "use aggregated=True"),
        ("stochastic", "recruited", "use aggregated=True"),
        ("poisson", "drawn", "use fewer"),
        ("lif", None, "use fewer"),
    ],
)
def test_too_many_to_build_are_refused_before_they_are(kind, tuning, remedy):
    tracemalloc.start()
    said = f"^n_neurons: 1000000000 is more than 50,000,000 one by one; {remedy}"
    with pytest.raises(ValidationError, match=said):
        build_population(10**9, np.ones(6), neurons=kind, tuning=tuning)
    with pytest.raises(ValidationError, match=said):
        LegendreMemory(10**9, 6, 0.5, neuron_type=kind, tuning=tuning)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**22


# -- rectifier pairs -------------------------------------------------------------------


@given(
    radii=radii,
    more=st.integers(0, 9),
    max_rate=st.floats(1.0, 1000.0),
    name=st.sampled_from(["poisson", "stochastic", "regular", "rate", "if"]),
    x=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5),
)
def test_pairs_are_exact_everywhere(radii, more, max_rate, name, x):
    n = 2 * len(radii) + more
    population = build_population(n, radii, neurons=name, max_rate=max_rate)
    for i in range(len(radii)):
        np.testing.assert_allclose(decoded(population, i, x), x, 1e-12, 1e-300)


@given(radii=radii, more=st.integers(0, 9), x=st.floats(-1e4, 1e4))
def test_an_aggregated_entry_stands_for_all_neurons_of_a_side(radii, more, x):
    n = 2 * len(radii) + more
    alone, together = (
        build_population(n, radii, aggregated=flag) for flag in (False, True)
    )
    for i in range(len(radii)):
        np.testing.assert_allclose(decoded(together, i, [x]), x, 1e-12, 1e-300)
        one, other = (p.tables(i, [x], 1e-3) for p in (alone, together))
        for key in ("rate", "decoded", "variance"):
            np.testing.assert_allclose(one[key], other[key], rtol=1e-12)


def test_pairs_fire_at_the_maximum_at_the_radius():
    population = build_population(10, [2.0], max_rate=250.0)
    np.testing.assert_allclose(population.rates(0, [2.0])[0], [250.0] * 5 + [0] * 5)
    np.testing.assert_allclose(population.rates(0, [-4.0])[0], [0] * 5 + [500.0] * 5)


@given(
    n=st.integers(2, 40),
    radius=st.floats(0.1, 10.0),
    max_rate=st.floats(10.0, 400.0),
    x=st.floats(-5.0, 5.0),
)
def test_the_variance_of_pairs_is_the_published_one(n, radius, max_rate, x):
    """``|x| R / (r_max n_side dt)``, with the neurons on x's side."""
    population = build_population(n, [radius], max_rate=max_rate)
    side = (n + 1) // 2 if x > 0 else n // 2
    wanted = abs(x) * radius / (max_rate * side * 1e-3)
    found = population.tables(0, [x], 1e-3)["variance"]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


# -- tables ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEURON_TYPES)
def test_tables_are_sums_over_the_neurons(name):
    population = build_population(50, [1.0, 0.5, 2.0], neurons=name)
    x, dt = np.linspace(-3, 3, 13), 1e-3
    for i in range(3):
        d, rates = population.decoders[population.block(i)], population.rates(i, x)
        table = population.tables(i, x, dt)
        np.testing.assert_allclose(table["rate"], rates.sum(axis=1))
        np.testing.assert_allclose(table["decoded"], rates @ d, atol=1e-12)
        variance = step_variance(population.neurons, rates, dt) @ d**2
        np.testing.assert_allclose(table["variance"], variance, atol=1e-15)


# -- drawn curves ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "bound"), [("rate-lif", 0.005), ("lif", 0.02), ("poisson-lif", 0.08)]
)
def test_drawn_curves_distort_little(name, bound):
    """Least squares accept distortion only where spikes are noisier than it."""
    population = build_population(400, [2.0, 0.5], neurons=name, tuning="drawn")
    for i, radius in enumerate(population.radii):
        x = radius * np.linspace(-1, 1, 201)
        error = decoded(population, i, x) - x
        assert np.sqrt(np.mean(error**2)) < bound * radius


def test_more_drawn_neurons_distort_less():
    x, errors = np.linspace(-1, 1, 101), []
    for n in (40, 400, 4000):
        population = build_population(n, [1.0], neurons="poisson", tuning="drawn")
        errors.append(np.sqrt(np.mean((decoded(population, 0, x) - x) ** 2)))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


@pytest.mark.parametrize("name", ["poisson", "lif", "rate-lif", "stochastic-lif"])
@pytest.mark.parametrize("n", [1, 7, 60])
def test_decoders_are_those_of_the_direct_solution(name, n):
    """Minimise ``mean (x - R d)^2 + d^T S d`` by its n x n normal equations."""
    neurons, rng = neuron_type(name), np.random.RandomState(n)
    encoders = rng.choice([-1.0, 1.0], n)
    gain, bias = neurons.gain_bias(rng.uniform(100, 300, n), rng.uniform(-0.9, 0.9, n))
    x = np.linspace(-1, 1, 400)
    R = neurons.rates(np.outer(x, encoders), gain, bias)
    S = np.diag(averaged_variance(neurons, R.mean(axis=0), 0.1))
    direct = np.linalg.solve(R.T @ R / len(x) + S, R.T @ x / len(x))
    found = solve_decoders(neurons, encoders, gain, bias, averaging=0.1)
    np.testing.assert_allclose(
        found, direct, rtol=1e-6, atol=1e-9 * np.abs(direct).max()
    )


def test_noisier_spikes_are_averaged_over_more_neurons():
    quick, slow = (
        build_population(100, [1.0], neurons="poisson-lif", averaging=averaging)
        for averaging in (0.01, 1.0)
    )
    assert np.linalg.norm(quick.decoders) < np.linalg.norm(slow.decoders)


def test_drawn_curves_are_those_that_were_asked_for():
    tuning = Tuning("drawn", Choice([120.0]), Uniform(0.0, 0.5))
    population = build_population(80, [2.0], neurons="lif", tuning=tuning)
    rates, intercepts = population.neurons.max_rates_intercepts(
        population.gain, population.bias
    )
    np.testing.assert_allclose(rates, 120.0)
    assert 0 <= intercepts.min() <= intercepts.max() <= 0.5
    assert set(population.encoders) == {-1.0, 1.0}
    at_radius = population.rates(0, [2.0])[0][population.encoders > 0]
    np.testing.assert_allclose(at_radius, 120.0)


@pytest.mark.parametrize("name", ["poisson", "lif"])
def test_the_same_seed_draws_the_same_curves(name):
    def columns(seed):
        rng = np.random.RandomState(seed)
        p = build_population(50, np.ones(3), neurons=name, tuning="drawn", rng=rng)
        return np.stack([p.encoders, p.gain, p.bias, p.decoders])

    np.testing.assert_array_equal(columns(3), columns(3))
    assert np.abs(columns(3) - columns(4)).max() > 0.1


def test_building_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    build_population(50, np.ones(3), tuning="drawn")
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def peak(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("tuning", ["pairs", "drawn"])
def test_memory_grows_with_the_neurons_and_not_with_their_square(tuning):
    few, many = (
        peak(lambda n=n: build_population(n, np.ones(2), tuning=tuning))
        for n in (8_000, 32_000)
    )
    assert many < 4.5 * few
    assert many < 32_000 * 4000  # bytes; a matrix of decoders would take 2 GB


# -- radii -----------------------------------------------------------------------------


def test_radii_cover_the_states():
    states = np.array([[0.1, -3.0, 0.0], [-0.2, 1.0, 0.0]])
    found = radii_from(states)
    np.testing.assert_allclose(found[:2], [0.2, 3.0])
    assert 0 < found[2] < 1e-5
    build_population(12, found)


def test_radii_of_a_quantile():
    states = np.linspace(-1, 1, 1001)[:, None] * [1.0, 2.0]
    np.testing.assert_allclose(radii_from(states, 0.9), [0.9, 1.8], atol=0.01)


# -- refusals --------------------------------------------------------------------------

REFUSED = [
    ({"n_neurons": 11}, "n_neurons: 11 is less than 2 per dimension for order 6; "),
    ({"n_neurons": 11}, "use at least 12"),
    ({"n_neurons": 0}, "n_neurons: 0 "),
    ({"n_neurons": -12}, "n_neurons: -12 "),
    ({"n_neurons": 12.0}, "n_neurons: 12.0 must be a whole number"),
    ({"n_neurons": True}, "n_neurons: True must be a whole number"),
    ({"n_neurons": "12"}, "n_neurons: '12' must be a whole number"),
    ({"n_neurons": None}, "n_neurons: None must be a whole number"),
    ({"radii": np.zeros(6)}, "must be positive, one for each dimension"),
    ({"radii": [1, 1, 1, 1, 1, -1]}, "must be positive, one for each dimension"),
    ({"radii": [1, 1, 1, 1, 1, np.nan]}, "must be positive, one for each dimension"),
    ({"radii": np.ones((2, 3))}, "must be positive, one for each dimension"),
    ({"neurons": "lif", "tuning": "pairs"}, "needs rectified-linear rates, which LIF"),
    ({"neurons": "poisson-lif", "tuning": "pairs"}, "use tuning='drawn'"),
    (
        {"neurons": "regular", "aggregated": True, "initial_phases": "random"},
        "needs on/off pairs of Poisson",
    ),
    ({"tuning": "drawn", "aggregated": True}, "needs on/off pairs of Poisson"),
    ({"initial_phases": "evenly"}, "initial_phases: 'evenly' is unknown"),
    ({"initial_phases": "staggered"}, "integrate their input and reset by subtraction"),
    (
        {"neurons": "lif", "initial_phases": "staggered"},
        "integrate their input and reset by subtraction",
    ),
    (
        {"neurons": "if", "tuning": "drawn", "initial_phases": "staggered"},
        "needs neurons that are alike",
    ),
    (
        {
            "neurons": nengo.SpikingRectifiedLinear(initial_state={"voltage": [0.5]}),
            "initial_phases": "staggered",
        },
        "that have an initial_state",
    ),
    ({"max_rate": -1.0}, "max_rate: -1.0 must be a positive number"),
    ({"neurons": "spiking"}, "neuron_type: 'spiking' is unknown"),
    ({"tuning": "mixed"}, "tuning: 'mixed' is unknown"),
    ({"neurons": "lif", "max_rate": 600.0}, "max_rate"),
    ({"neurons": nengo.LIF(tau_ref=0.01), "max_rate": 100.0}, "max_rate"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_refusals(change, message):
    arguments = {"n_neurons": 12, "radii": np.ones(6)} | change
    with pytest.raises(ValidationError) as error:
        build_population(**arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "tuning", [("pair", 300.0), ("pairs", Uniform(100, 200)), ("pairs", -300.0)]
)
def test_tunings_that_mean_nothing(tuning):
    with pytest.raises(ValidationError):
        build_population(12, np.ones(6), tuning=Tuning(*tuning))


# -- staggered neurons -----------------------------------------------------------------


@given(
    counts=st.integers(1, 60),
    rates=st.lists(st.floats(0, 2000), min_size=1, max_size=60),
)
def test_staggered_neurons_are_one_accumulator(counts, rates):
    """They spike as their sum does, and within one half of the integral."""
    one = nengo.SpikingRectifiedLinear()
    voltage, dt = spaced(counts), 0.001
    summed, spikes, total, integral = np.array([0.5]), 0.0, 0.0, 0.0
    for rate in rates:
        each, whole = np.empty(counts), np.empty(1)
        one.step(dt, np.full(counts, rate), each, voltage)
        one.step(dt, np.array([counts * rate]), whole, summed)
        spikes, total = spikes + each.sum() * dt, total + whole.item() * dt
        integral += counts * rate * dt
        assert abs(spikes - integral) <= 0.5 + 1e-6
        # where a neuron is just at its threshold, rounding decides
        assert abs(spikes - total) < 1e-6 or np.isclose(integral % 1, 0.5, atol=1e-6)


@pytest.mark.parametrize("kind", ["if", "regular"])
@pytest.mark.parametrize("tuning", ["pairs", "recruited"])
def test_sums_of_staggered_neurons_are_those_of_single_ones(kind, tuning):
    states = []
    for aggregated in (False, True):
        with nengo.Network(seed=1) as model:
            stimulus = nengo.Node(lambda t: np.sin(9 * t))
            fields = {"neuron_type": kind, "tuning": tuning, "aggregated": aggregated}
            memory = LegendreMemory(121, 3, 0.2, **fields)
            nengo.Connection(stimulus, memory.input, synapse=None)
            probe = nengo.Probe(memory.state)
        with nengo.Simulator(model, progress_bar=False) as sim:
            sim.run(0.5)
        states.append(sim.data[probe].copy())
    assert memory.population.n_neurons == 121
    assert len(memory.population.gain) < 121
    np.testing.assert_allclose(*states, atol=1e-9)


def test_each_group_is_spaced_evenly():
    made = build_population([7, 4], [1.0, 2.0], neurons="if")
    assert made.initial_phases == "staggered"
    for n, at in ((4, slice(0, 4)), (3, slice(4, 7)), (2, slice(7, 9))):
        np.testing.assert_allclose(made.voltage[at], spaced(n))
    summed = build_population([7, 4], [1.0, 2.0], neurons="if", aggregated=True)
    np.testing.assert_allclose(summed.one_by_one().voltage, made.voltage)
    tiled = made.tiled(2)
    np.testing.assert_allclose(tiled.voltage, np.tile(made.voltage, 2))


@pytest.mark.parametrize(
    ("neurons", "more"),
    [
        ("poisson", {}),
        ("lif", {}),
        ("if", {"initial_phases": "random"}),
        ("if", {"tuning": "drawn"}),
        (nengo.SpikingRectifiedLinear(initial_state={"voltage": Choice([0.0])}), {}),
    ],
)
def test_other_neurons_begin_anywhere(neurons, more):
    made = build_population(20, [1.0], neurons=neurons, **more)
    assert made.initial_phases == "random" and np.isnan(made.voltage).all()
