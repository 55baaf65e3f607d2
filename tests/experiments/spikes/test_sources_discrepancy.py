import numpy as np
import pytest
from scipy.stats import kstest, kstwo

from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.spikes.sources import (
    Discrepancy,
    discrepancy,
    distance_from_even,
    expected_distance,
    independent_neurons,
)
from lmu_spiking.neurons.population import build_population


@pytest.mark.parametrize("n", [2, 3, 10, 100, 3000])
def test_null_is_the_mean_of_the_exact_law(n):
    # the correction is within 1.1 % of the exact mean
    assert expected_distance(n) == pytest.approx(kstwo(n).mean(), rel=0.011)


@pytest.mark.parametrize("n", [1, 7, 200])
def test_distance_is_that_of_scipy(n):
    phases = np.random.RandomState(n).rand(n)
    assert distance_from_even(phases) == pytest.approx(
        kstest(phases, "uniform").statistic
    )


@pytest.mark.parametrize("n", [5, 50, 500])
def test_independent_phases_are_at_the_null(n):
    phases = np.random.RandomState(0).rand(2000, n)
    seen = [distance_from_even(row) for row in phases]
    # the deviation of D is about 0.26 / sqrt(n): 0.7 % of the null, to 3 sigma and 1 %
    assert np.mean(seen) == pytest.approx(expected_distance(n), rel=0.032)


@pytest.mark.parametrize("n", [1, 3, 40, 1000])
def test_effective_neurons_invert_the_null(n):
    assert independent_neurons(float(expected_distance(n))) == pytest.approx(n)


def test_one_phase_for_all_is_in_step():
    phases = np.repeat(np.random.RandomState(0).rand(4000), 200).reshape(4000, 200)
    seen = np.mean([distance_from_even(row) for row in phases])
    assert seen == pytest.approx(0.75, abs=0.01)  # the mean of max(phi, 1 - phi)
    assert independent_neurons(seen) == pytest.approx(1, abs=0.1)
    assert distance_from_even(np.full(50, 1e-9)) == pytest.approx(1)


def test_a_distance_between_the_null_and_one_is_partly_in_step():
    found = Discrepancy(float(expected_distance(25)), 0.0868, 100.0, 10)
    assert found.effective_neurons == pytest.approx(25)
    assert found.verdict == "partly in step"


def test_silent_neurons_have_no_discrepancy():
    population = build_population(20, [1.0, 1.0])
    with pytest.raises(ValidationError, match="3 samples have no group of 2 neurons"):
        discrepancy(population, np.full((3, 20), np.nan))


def test_groups_are_sides_of_dimensions():
    # one group in step, three silent, and one neuron that nobody can be compared with
    population = build_population(20, [1.0, 1.0])
    phases = np.full((4, 20), np.nan)
    phases[:, :5], phases[:, 12] = 0.25, 0.5
    found = discrepancy(population, phases)
    assert (found.samples, found.neurons) == (4, 5)
    assert found.distance == pytest.approx(0.75)
    assert found.verdict == "in step"
