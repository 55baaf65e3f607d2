"""Trials are independent realisations of one network; each is as predicted."""

import math

import nengo
import numpy as np
import pytest
from nengo.processes import FilteredNoise, WhiteNoise, WhiteSignal
from scipy import stats

from lmu_spiking import LegendreMemory, Simulator, predict
from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator.trials import noise_of

LEAST = 1e-4  # p-values below which a law is broken


def network(neurons=None, n=50, rate=200.0, seed=1, **ensemble):
    """Neurons at one rate, by their bias, and a probe of their spikes."""
    neurons = neurons or nengo.PoissonSpiking(nengo.RectifiedLinear())
    with nengo.Network(seed=seed) as model:
        ens = nengo.Ensemble(
            n,
            1,
            neuron_type=neurons,
            gain=np.ones(n),
            bias=np.full(n, rate),
            **ensemble,
        )
        model.ens, model.spikes = ens, nengo.Probe(ens.neurons)
    return model


def run(model, steps=200, probe=None, **options):
    """What a probe saw."""
    with Simulator(model, progress_bar=False, **options) as sim:
        sim.run_steps(steps)
        return sim.data[probe or model.spikes]


def together(x, y):
    """p-value of a chi-square test that counts are independent."""
    x, y = (np.minimum(np.round(np.ravel(v) * 0.001), 2).astype("u1") for v in (x, y))
    table = np.bincount(3 * x + y, minlength=9).reshape(3, 3)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def correlation(x, y):
    """Correlation in standard errors of none."""
    r = np.corrcoef(np.ravel(x), np.ravel(y))[0, 1]
    return r * math.sqrt(np.size(x))


POISSON = nengo.PoissonSpiking(nengo.RectifiedLinear())
ROUNDED = nengo.StochasticSpiking(nengo.RectifiedLinear())
BOTH = pytest.mark.parametrize("neurons", [POISSON, ROUNDED])


@BOTH
def test_trials_are_independent(neurons):
    """Each pair of eight trials, 10^6 neuron-steps each."""
    x = run(network(neurons, n=500, rate=300.0), steps=2000, trials=8)
    assert x.shape == (8, 2000, 500)
    pairs = [(i, j) for i in range(8) for j in range(i)]
    p = [together(x[i], x[j]) for i, j in pairs]
    assert min(p) > LEAST / len(pairs)
    assert stats.kstest(p, "uniform").pvalue > LEAST
    r = np.corrcoef(x.reshape(8, -1)) * math.sqrt(x[0].size)  # in standard errors
    z = [r[i, j] for i, j in pairs]
    assert max(map(abs, z)) < 5 and abs(np.mean(z)) * math.sqrt(len(z)) < 4.5
    if neurons is POISSON:
        counts = np.bincount(np.round(x * 0.001).astype(int).ravel(), minlength=6)
        expected = stats.poisson(0.3).pmf(np.arange(6)) * x.size
        expected[5] = stats.poisson(0.3).sf(4) * x.size
        counts[5] = counts[5:].sum()
        assert stats.chisquare(counts[:6], expected, sum_check=False).pvalue > LEAST


# Nengo's optimizer says this of all that has random numbers and is merged
@pytest.mark.filterwarnings("ignore:Extra state has been modified")
@pytest.mark.parametrize("optimize", [True, False])
@BOTH
def test_ensembles_of_one_seed_spike_independently(neurons, optimize):
    with nengo.Network(seed=1) as model:
        probes = []
        for _ in range(3):
            bias = np.full(500, 300.0)
            ens = nengo.Ensemble(
                500, 1, neuron_type=neurons, gain=np.ones(500), bias=bias, seed=7
            )
            probes.append(nengo.Probe(ens.neurons))
    with Simulator(model, progress_bar=False, optimize=optimize) as sim:
        sim.run_steps(2000)
        x, y, z = (sim.data[p] for p in probes)
    for a, b in ((x, y), (x, z), (y, z)):
        assert together(a, b) > LEAST and abs(correlation(a, b)) < 4.5


def test_different_seeds_and_noise_seeds_are_independent():
    base = run(network(n=500, rate=300.0), 1000)
    others = [
        run(network(n=500, rate=300.0, seed=2), 1000),
        run(network(n=500, rate=300.0), 1000, noise_seed=0),
        run(network(n=500, rate=300.0), 1000, noise_seed=1),
        run(network(n=500, rate=300.0), 1000, noise_seed=2**31 - 1),
    ]
    for i, x in enumerate([base, *others]):
        for y in others[i:]:
            assert together(x, y) > LEAST and abs(correlation(x, y)) < 4.5


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_spikes_do_not_depend_on_how_the_run_is_cut(neurons, dtype):
    model = network(neurons, n=60)
    whole = run(model, 300, trials=3, dtype=dtype, threads=1)
    assert np.array_equal(run(model, 300, trials=3, dtype=dtype, threads=2), whole)
    with Simulator(model, progress_bar=False, trials=3, dtype=dtype) as sim:
        for n in (1, 7, 92, 100):
            sim.run_steps(n)
        for _ in range(50):
            sim.step()
        sim.run(0.05)
        assert np.array_equal(sim.data[model.spikes], whole)
        sim.reset()
        assert sim.data[model.spikes].shape == (3, 0, 60)
        sim.run_steps(300)
        assert np.array_equal(sim.data[model.spikes], whole)
    one = run(model, 300, dtype=dtype)
    assert one.shape == (300, 60) and np.array_equal(one, whole[0])
    assert np.array_equal(run(model, 300, dtype=dtype, trials=1), whole[:1])


def test_trials_of_large_populations_too():
    """That run tile by tile: 2500 neurons."""
    model = network(n=2500)
    whole = run(model, 40, trials=2, threads=1)
    assert np.array_equal(run(model, 40, trials=2, threads=2), whole)
    assert np.array_equal(run(model, 40), whole[0])
    x = run(model, 1000, trials=2)
    assert together(x[0], x[1]) > LEAST


def test_noise_seeds_vary_noise_alone():
    """What has no noise stays, however the noise is drawn."""
    with nengo.Network(seed=3) as model:
        u = nengo.Node(WhiteSignal(1.0, high=10, rms=0.5, seed=4))
        ens = nengo.Ensemble(40, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(u, ens)
        fixed = nengo.Ensemble(
            20,
            1,
            neuron_type=nengo.LIF(
                initial_state={"voltage": nengo.dists.Choice([0.25])}
            ),
        )
        nengo.Connection(u, fixed)
        probes = [nengo.Probe(ens, synapse=0.01), nengo.Probe(fixed.neurons)]
    for probe in probes:
        base = run(model, 300, probe)
        assert base.any()
        assert np.array_equal(run(model, 300, probe, noise_seed=5), base)
        x = run(model, 300, probe, trials=3, noise_seed=0)
        assert all(np.array_equal(row, base) for row in x)


def test_initial_states_differ_by_trial_and_by_noise_seed():
    model = network(nengo.LIF(), rate=5.0)
    with Simulator(model, progress_bar=False, trials=4) as sim:
        assert sim.data[model.spikes].shape == (4, 0, 50)
    x = run(model, 200, trials=4)
    assert not any(np.array_equal(x[0], row) for row in x[1:])
    assert np.array_equal(run(model, 200), x[0])
    again = run(model, 200, trials=4, noise_seed=1)
    assert not any(np.array_equal(a, b) for a, b in zip(x, again, strict=True))


def test_initial_states_of_trials_differ_by_the_seed_of_the_network():
    neurons = nengo.LIF()
    x = run(network(neurons, rate=5.0, seed=1), 200, trials=3)
    y = run(network(neurons, rate=5.0, seed=2), 200, trials=3)
    assert not any(np.array_equal(a, b) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("process", [WhiteNoise(), FilteredNoise(synapse=0.01)])
def test_noise_in_ensembles_differs_by_trial(process):
    model = network(nengo.RectifiedLinear(), n=40, noise=process)
    first = run(model, 500)
    x = run(model, 500, trials=3)
    assert np.array_equal(x[0], first)
    for i in range(3):
        for j in range(i):
            assert not np.array_equal(x[i], x[j])
    white = [np.diff(row, axis=0) for row in x]
    assert abs(correlation(white[0], white[1])) < 6
    again = run(model, 500, trials=3, noise_seed=0)
    assert not any(np.array_equal(a, b) for a, b in zip(x, again, strict=True))


def test_injected_noise_has_the_moments_of_its_distribution():
    model = network(
        nengo.RectifiedLinear(),
        n=100,
        rate=1000.0,
        noise=WhiteNoise(nengo.dists.Gaussian(0, 10.0), scale=False),
    )
    x = run(model, 2000, trials=5, dtype="float64") - 1000
    assert abs(x.mean()) / 10 * math.sqrt(x.size) < 4.5
    assert abs(x.var() / 100 - 1) / math.sqrt(2 / x.size) < 4.5
    assert abs(correlation(x[:, 1:], x[:, :-1])) < 4.5
    assert abs(correlation(x[0], x[1])) < 4.5


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("kind", [WhiteSignal, WhiteNoise])
def test_input_signals_are_the_same_in_all_trials(kind, seed):
    """Also beside ensembles with noise of their own."""
    process = kind(0.5, high=20, seed=seed) if kind is WhiteSignal else kind(seed=seed)
    model = network(n=20, noise=WhiteNoise())
    with model:
        u = nengo.Node(process)
        nengo.Connection(u, model.ens)
        probe = nengo.Probe(u)
    x = run(model, 600, probe, trials=3)
    assert all(np.array_equal(row, x[0]) for row in x)
    assert np.array_equal(run(model, 600, probe, noise_seed=3), x[0])


def test_functions_of_time_are_called_once_for_all_trials():
    """Also where trials have input of their own."""
    called = []
    model = network(n=20, noise=WhiteNoise())
    with model:
        u = nengo.Node(lambda t: called.append(t) or len(called))
        probe = nengo.Probe(u)
    with Simulator(model, progress_bar=False, trials=3) as sim:
        called.clear()
        sim.run_steps(50)
        x = sim.data[probe]
    assert called == pytest.approx(0.001 * np.arange(1, 51))
    assert np.array_equal(x, np.broadcast_to(np.arange(1.0, 51)[:, None], (3, 50, 1)))


def test_the_memory_of_all_trials_has_the_covariance_of_the_law():
    """32 trials side by side: errors within five standard errors of P."""
    t = 0.001 * np.arange(4000)
    u = 0.4 * np.sin(10 * t) + 0.4 * np.sin(23 * t)
    with nengo.Network(seed=5) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], 0.001))
        memory = LegendreMemory(600, 3, 0.1, neuron_type=POISSON)
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    budget = predict(memory, u)
    x = run(model, 4000, probe, trials=32).astype(float)
    error = (x[:, 1:] - budget.states[:-1])[:, 200:]
    seen = np.einsum("nti,ntj->nij", error, error) / error.shape[1]
    spread = seen.std(axis=0, ddof=1) / math.sqrt(32)
    z = (seen.mean(0) - budget.error) / spread
    assert np.abs(z).max() < 5, z
    assert np.all(spread < 0.05 * np.sqrt(np.outer(*2 * [np.diag(budget.error)])))
    # and no trial has anything to do with another
    between = np.einsum("nti,mti->nm", error, error) / error.shape[1]
    r = between / np.sqrt(np.outer(np.diag(between), np.diag(between)))
    pairs = r[np.triu_indices(32, 1)]
    # 3.8 s hold about a hundred independent errors: each r is known to .1
    assert np.sqrt(np.mean(pairs**2)) < 0.15
    assert abs(np.mean(pairs)) < 5 * 0.1 / math.sqrt(len(pairs))


@pytest.mark.parametrize("kind", ["poisson", "population", "rounded", "own"])
def test_any_random_neuron_repeats_and_differs_by_trial(kind):
    """Also those that run in Nengo's own steps."""
    from lmu_spiking.neurons.types import PoissonPopulation, StochasticPopulation

    class Own(nengo.PoissonSpiking):
        def step(self, dt, J, output, rng, **state):
            super().step(dt, J, output, rng, **state)

    base = nengo.RectifiedLinear()
    neurons = {
        "poisson": nengo.PoissonSpiking(base),
        "population": PoissonPopulation(base, counts=3),
        "rounded": StochasticPopulation(base, counts=3),
        "own": Own(base),
    }[kind]
    model = network(neurons, n=20)
    with Simulator(model, progress_bar=False, trials=3) as sim:
        sim.run_steps(100)
        x = sim.data[model.spikes].copy()
        sim.reset()
        sim.run_steps(100)
        assert np.array_equal(sim.data[model.spikes], x)
    for i in range(3):
        for j in range(i):
            assert abs(correlation(x[i], x[j])) < 4.5
    assert np.array_equal(run(model, 100, trials=3), x)
    assert np.array_equal(run(model, 100, trials=2), x[:2])
    assert not np.array_equal(run(model, 100, noise_seed=1), x[0])


@pytest.mark.parametrize("seeds", [[1.5], ["a"], [-1], [True]])
def test_each_noise_seed_is_a_whole_number(seeds):
    with pytest.raises(ValidationError, match=r"noise_seed: .* must be a whole number"):
        noise_of(1, seeds)


@pytest.mark.parametrize("trials", [10**6 + 1, 10**9, 10**30])
def test_more_trials_than_a_simulator_can_hold_are_refused_at_once(trials):
    with nengo.Network() as model:
        nengo.Ensemble(2, 1)
    with pytest.raises(ValidationError, match=r"Simulator\.trials.*at most 1000000"):
        Simulator(model, trials=trials)
