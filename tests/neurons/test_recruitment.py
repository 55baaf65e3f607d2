import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr

from lmu_spiking.neurons.curves import LEVELS, Tuning
from lmu_spiking.neurons.population import build_population
from lmu_spiking.neurons.recruitment import (
    MEAN_RATE,
    allocate,
    beyond,
    mean_rate,
    proportions,
    reach,
    recruit,
    variance_factor,
)

levels = st.sampled_from([1, 2, 3, 5, LEVELS, 16])


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0, 3.35])
def test_beyond_is_the_integral_of_the_tail(y):
    assert beyond(y) == pytest.approx(quad(lambda t: 2 * ndtr(-t), y, 40)[0], rel=1e-9)
    assert beyond(np.inf) == 0


# -- how neurons are shared ------------------------------------------------------------


@given(
    n=st.integers(20, 10**6),
    weights=st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=9),
    least=st.integers(0, 2),
)
def test_allocation_is_proportional_and_whole(n, weights, least):
    counts = allocate(n, weights, least)
    spare = n - least * len(weights)
    wanted = least + spare * np.array(weights) / np.sum(weights)
    assert counts.sum() == n
    assert counts.min() >= least
    assert np.all(np.abs(counts - wanted) < 1 + 1e-6)


@given(n=st.integers(1, 500), asked=levels)
def test_every_level_has_neurons(n, asked):
    counts, edges = recruit(n, asked)
    assert counts.sum() == n
    assert counts.min() >= 1
    assert len(counts) == len(edges) - 1 <= asked
    assert (edges[0], edges[-1]) == (0.0, pytest.approx(1.0))
    assert np.all(np.diff(edges) > 0)


# -- the noise -------------------------------------------------------------------------


def test_one_level_is_a_rectifier_pair():
    """``E|x| R / (r_max (n/2))``, with ``E|x| = sqrt(2/pi)``."""
    published = np.sqrt(2 / np.pi) * reach(1) / (250 / 2)
    assert variance_factor(250.0, 1) == pytest.approx(published, rel=1e-9)
    assert mean_rate(250.0, 1) == pytest.approx(250 / reach(1) / np.sqrt(2 * np.pi))


@pytest.mark.parametrize(("kind", "n_levels"), [("pairs", 1), ("recruited", LEVELS)])
def test_factors_are_those_of_a_population(kind, n_levels):
    """Against the curves themselves, averaged over a normal distribution."""
    n, dt = 40_000, 1e-3
    population = build_population(n, [reach(n_levels)], tuning=Tuning(kind, 300.0))
    x = np.linspace(-8, 8, 4001)
    weight = np.exp(-(x**2) / 2)
    weight /= weight.sum()
    tables = population.tables(0, x, dt)
    assert tables["variance"] @ weight * n * dt == pytest.approx(
        variance_factor(300.0, n_levels), rel=2e-3
    )
    assert tables["rate"] @ weight / n == pytest.approx(
        mean_rate(300.0, n_levels), rel=2e-3
    )


def test_recruitment_lowers_the_noise_and_keeps_the_mean_rate():
    factors = [variance_factor(300.0, k) for k in (1, 3, 4, 8, 16, 32)]
    assert np.all(np.diff(factors) < 0)
    assert factors[3] < 0.8 * factors[0]
    assert variance_factor(300.0, LEVELS) < 1.04 * factors[-1]
    assert all(mean_rate(300.0, k) <= 300 * MEAN_RATE * 1.001 for k in (1, 4, 8, 32))


@given(shift=st.lists(st.floats(-0.5, 0.5), min_size=LEVELS, max_size=LEVELS))
def test_no_other_shares_do_better_at_the_same_mean_rate(shift):
    share, edges = proportions(LEVELS)
    width = np.diff(reach(LEVELS) * edges)
    area = beyond(reach(LEVELS) * edges[:-1]) - beyond(reach(LEVELS) * edges[1:])
    other = share * np.exp(shift)
    other /= other.sum()
    if other @ (area / width) <= share @ (area / width):
        noise = [np.sum(width * area / s) for s in (share, other)]
        assert noise[0] <= noise[1] * (1 + 1e-9)


@given(n=st.integers(2, 300), x=st.floats(-100.0, 100.0), radius=st.floats(0.01, 10))
def test_recruited_pairs_are_exact_everywhere(n, x, radius):
    population = build_population(n, [radius], tuning="recruited")
    decoded = population.rates(0, [x]) @ population.decoders
    np.testing.assert_allclose(decoded, x, rtol=1e-12, atol=1e-12 * radius)


def test_recruited_neurons_stay_below_the_ceiling():
    population = build_population(400, [1.0], tuning="recruited", max_rate=200.0)
    rates = population.rates(0, [0.05, 0.3, 1.0])[:, :200]
    assert rates.max() == pytest.approx(200.0)
    busy = (rates > 0).mean(axis=1)
    assert busy[0] < 0.3 < 0.5 < busy[1] < busy[2] == 1.0  # one level after the other
