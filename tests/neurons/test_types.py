import nengo
import numpy as np
import pytest
from scipy import stats

from lmu_spiking.neurons.curves import neuron_type
from lmu_spiking.neurons.types import (
    PoissonPopulation,
    RampLinear,
    RampTanh,
    StochasticPopulation,
)

DT = 1e-3


def spikes(neurons, rates, steps, seed=0):
    """Spikes in each step (steps, n) of neurons driven to ``rates``, Hz."""
    with nengo.Network(seed=seed) as model:
        n = len(rates)
        ensemble = nengo.Ensemble(
            n,
            1,
            neuron_type=neurons,
            gain=np.ones(n),
            bias=np.asarray(rates, dtype=float),
            encoders=np.ones((n, 1)),
        )
        probe = nengo.Probe(ensemble.neurons)
    with nengo.Simulator(model, dt=DT, progress_bar=False) as sim:
        sim.run_steps(steps, progress_bar=False)
    return np.round(sim.data[probe] * DT)


def p_value(counts, pmf):
    """Chi-squared goodness of fit, in bins that expect ten or more."""
    top = int(counts.max()) + 1
    expected = np.append(pmf(np.arange(top)), 0.0) * len(counts)
    expected[-1] = len(counts) - expected.sum()
    seen = np.bincount(counts.astype(int), minlength=top + 1).astype(float)
    bins = np.cumsum(expected) // 10
    bins = np.minimum(bins, bins.max() - 1) if bins.max() > 0 else bins
    expected, seen = (
        np.bincount(np.unique(bins, return_inverse=True)[1], x)
        for x in (expected, seen)
    )
    statistic = np.sum((seen - expected) ** 2 / expected)
    return stats.chi2.sf(statistic, len(expected) - 1)


# -- ceilings --------------------------------------------------------------------------


def test_rates_rise_to_the_ceiling():
    drive = np.array([-10.0, 0.0, 50.0, 299.0, 301.0, 1e9])
    out = np.empty(6)
    RampLinear(300.0).step(DT, drive, out)
    np.testing.assert_array_equal(out, [0, 0, 50, 299, 300, 300])
    RampLinear(np.array([1, 1, 10, np.inf, np.inf, 300])).step(DT, drive, out)
    np.testing.assert_array_equal(out, [0, 0, 10, 299, 301, 300])


@pytest.mark.parametrize("ceiling", [0, -1.0, np.nan, [300, 0]])
def test_ceilings_are_positive(ceiling):
    with pytest.raises(nengo.exceptions.ValidationError, match="must be positive"):
        RampLinear(ceiling)


def test_tanh_rates_are_one_side_of_tanh():
    drive, out = np.array([-1e9, -1.0, 0.0, 1e-9, 0.5, 1e9]), np.empty(6)
    RampTanh(200.0).step(DT, drive, out)
    np.testing.assert_array_equal(out[:3], 0)
    np.testing.assert_allclose(out, 200.0 * np.tanh(np.maximum(drive, 0)))


def test_two_sides_are_tanh():
    drive, up, down = np.linspace(-4, 4, 41), np.empty(41), np.empty(41)
    RampTanh(1.0).step(DT, drive, up)
    RampTanh(1.0).step(DT, -drive, down)
    np.testing.assert_allclose(up - down, np.tanh(drive), atol=1e-15)
    assert not np.any(up * down)


@pytest.mark.parametrize("ceiling", [0, -1.0, "high", None])
def test_ceilings_of_tanh_are_positive(ceiling):
    with pytest.raises(nengo.exceptions.ValidationError, match="ceiling"):
        RampTanh(ceiling)


def test_tanh_has_no_gain_and_bias_of_its_own():
    """An ensemble needs them given: rates and intercepts do not say which."""
    with nengo.Network() as model:
        nengo.Ensemble(3, 1, neuron_type=RampTanh())
    with pytest.raises(NotImplementedError, match="give gain and bias themselves"):
        nengo.Simulator(model, progress_bar=False)
    rates, starts = RampTanh(100.0).max_rates_intercepts(np.ones(2), np.array([0, 0.5]))
    np.testing.assert_allclose(rates, 100 * np.tanh([1, 1.5]))
    np.testing.assert_allclose(starts, [0, -0.5])


@pytest.mark.parametrize("n", [1, 40])
def test_tanh_neurons_count_by_the_poisson_law(n):
    drive, steps = 0.4, 4000
    kind = PoissonPopulation(RampTanh(300.0), n)
    together = spikes(kind, [drive], steps)[:, 0]
    alone = spikes(nengo.PoissonSpiking(RampTanh(300.0)), [drive] * n, steps, seed=1)
    law = stats.poisson(n * 300 * np.tanh(drive) * DT)
    for counts in (together, alone.sum(axis=1)):
        assert p_value(counts, law.pmf) > 1e-4


# -- populations -----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 7, 400])
def test_a_poisson_population_counts_as_its_neurons_do(n):
    rate, steps = 80.0, 4000
    together = spikes(PoissonPopulation(RampLinear(300), n), [rate], steps)[:, 0]
    alone = spikes(neuron_type("poisson"), [rate] * n, steps, seed=1).sum(axis=1)
    law = stats.poisson(n * rate * DT)
    assert p_value(together, law.pmf) > 1e-4
    assert p_value(alone, law.pmf) > 1e-4


@pytest.mark.parametrize(("n", "rate"), [(1, 80.0), (50, 80.0), (50, 1300.0)])
def test_a_stochastic_population_counts_as_its_neurons_do(n, rate):
    """A floor that is certain, and a binomial number of neurons that round up."""
    steps, whole = 4000, int(rate * DT)
    together = spikes(StochasticPopulation(RampLinear(1e4), n), [rate], steps)[:, 0]
    alone = spikes(neuron_type("stochastic"), [rate] * n, steps, seed=1).sum(axis=1)
    law = stats.binom(n, rate * DT - whole)
    for counts in (together, alone):
        assert p_value(counts - n * whole, law.pmf) > 1e-4


def test_each_entry_has_its_own_number_of_neurons():
    counts, rates = np.array([3, 10**4, 10**9]), np.array([200.0, 50.0, 5.0])
    seen = spikes(PoissonPopulation(RampLinear(300), counts), rates, 2000)
    mean = counts * rates * DT
    error = np.sqrt(mean / 2000)
    assert np.all(np.abs(seen.mean(axis=0) - mean) < 4 * error)
    assert np.all(np.abs(seen.var(axis=0) / mean - 1) < 4 * np.sqrt(2 / 2000 + 1e-3))
    assert np.all(np.abs(np.corrcoef(seen.T)[np.triu_indices(3, 1)]) < 4 / 2000**0.5)


def test_populations_are_not_merged_by_the_optimizer():
    """Merged, entries would meet the counts of others."""
    types = [PoissonPopulation(RampLinear(300), n) for n in (np.array([5, 6]), 1)]
    with nengo.Network(seed=0) as model:
        probes = [
            nengo.Probe(
                nengo.Ensemble(
                    2, 1, neuron_type=kind, bias=[200.0] * 2, gain=[1] * 2
                ).neurons
            )
            for kind in types
        ]
    with nengo.Simulator(model, progress_bar=False, optimize=True) as sim:
        sim.run_steps(3000, progress_bar=False)
    for probe, wanted in zip(probes, ([1000, 1200], [200, 200]), strict=True):
        error = np.sqrt(np.array(wanted) / 3.0)
        assert np.all(np.abs(sim.data[probe].mean(axis=0) - wanted) < 4 * error)


@pytest.mark.parametrize("counts", [0, -3, 1.5, np.nan, 2.0**60, [1, 0]])
def test_counts_are_whole_numbers(counts):
    with pytest.raises(nengo.exceptions.ValidationError, match="whole numbers from 1"):
        PoissonPopulation(RampLinear(300), counts)
