import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import MappingError
from lmu_spiking.memory.basis import balanced, band_moments, best_tau, readout_weights
from lmu_spiking.neurons.recruitment import variance_factor
from lmu_spiking.signals import white_noise

DT, THETA = 1e-3, 0.5
orders = st.integers(1, 10)


def case(order, n=6000, tau=0.1, **options):
    ldn = LDN(order, THETA)
    moments = band_moments(ldn, DT, 2.0, 0.5)
    mapped = map_onto(ldn, tau, DT)
    return ldn, moments, balanced(ldn, mapped, DT, moments, n, **options)


def error_of(ldn, moments, tau, U, share, n):
    """The squared error of any coordinates and shares, by another solver, noise small.

    For a lowpass: ``P = Ad P Ad^T + (Ad - aI) Sigma (Ad - aI)^T``.
    """
    Ad, _ = ldn.discretize(DT)
    L = Ad - np.exp(-DT / tau) * np.eye(ldn.order)
    spread2 = np.diag(np.linalg.solve(U, moments) @ np.linalg.inv(U).T)
    c = variance_factor(300.0, 1) / DT
    sigma = (U * (c * spread2 / (n * share))) @ U.T
    P = solve_discrete_lyapunov(Ad, L @ sigma @ L.T)
    return np.sum(readout_weights(ldn, DT, moments) * P)


@given(order=orders)
def test_coordinates_have_unit_variance_and_are_equivalent(order):
    _, moments, found = case(order)
    np.testing.assert_allclose(found.T @ found.U, np.eye(order), atol=1e-8)
    variance = found.T @ (moments + found.noise) @ found.T.T
    np.testing.assert_allclose(variance, np.eye(order), atol=1e-5)
    assert found.counts.sum() == 6000
    assert found.counts.min() >= 2
    assert np.all(np.diff(found.sigma) <= 0)


@pytest.mark.parametrize("order", [1, 2, 4, 6])
def test_the_least_error_is_the_sum_of_hankel_singular_values(order):
    """``(c / n) (sum sigma)^2``, where the noise is too small to feed itself."""
    n = 10**10
    ldn, moments, found = case(order, n)
    wanted = variance_factor(300.0, 1) / DT / n * found.sigma.sum() ** 2
    assert found.error**2 == pytest.approx(wanted, rel=1e-3)
    share = found.sigma / found.sigma.sum()
    other = error_of(ldn, moments, 0.1, found.U, share, n)
    assert found.error**2 == pytest.approx(other, rel=1e-3)


@given(order=st.integers(2, 6), seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_no_other_coordinates_or_shares_do_better(order, seed):
    n, rng = 10**10, np.random.default_rng(seed)
    ldn, moments, found = case(order, n)
    turn = np.linalg.qr(rng.standard_normal((order, order)))[0]
    best = found.sigma / found.sigma.sum()
    share = rng.dirichlet(np.ones(order)) + 1e-3
    for U, s in ((found.U @ turn, best), (found.U, share / share.sum())):
        assert error_of(ldn, moments, 0.1, U, s, n) >= found.error**2 * 0.999
    near = found.U @ np.linalg.qr(np.eye(order) + 0.05 * turn)[0]
    assert error_of(ldn, moments, 0.1, near, best, n) >= found.error**2 * 0.999


@pytest.mark.parametrize(("order", "most"), [(3, 0.8), (6, 0.6), (12, 0.45)])
def test_less_noise_than_equal_shares_of_legendre_coordinates(order, most):
    n = 10**10
    ldn, moments, found = case(order, n)
    plain = error_of(ldn, moments, 0.1, np.eye(order), np.ones(order) / order, n)
    assert found.error**2 < most * plain


@pytest.mark.parametrize(("bandwidth", "order"), [(0.5, 3), (2.0, 6), (8.0, 8)])
def test_moments_are_those_of_the_states(bandwidth, order):
    ldn, seconds = LDN(order, THETA), 120.0
    u = white_noise(seconds, DT, bandwidth, 0.5, 3).samples
    states = ldn.simulate(u * 0.5 / np.sqrt(np.mean(u**2)), DT)[500:]
    found = np.sqrt(np.mean(states**2, axis=0))
    wanted = np.sqrt(np.diag(band_moments(ldn, DT, bandwidth, 0.5)))
    spread = 4 / np.sqrt(4 * bandwidth * seconds)  # four standard errors of an rms
    np.testing.assert_allclose(found, wanted, rtol=2 * spread, atol=1e-6)


@pytest.mark.parametrize("order", [2, 6, 12])
def test_the_best_synapse_has_no_better_neighbours(order):
    ldn = LDN(order, THETA)
    moments = band_moments(ldn, DT, 2.0, 0.5)
    tau = best_tau(ldn, DT, moments, 6000)
    errors = [
        balanced(ldn, map_onto(ldn, tau * k, DT), DT, moments, 6000).error
        for k in (1, 0.6, 1.7)
    ]
    assert errors[0] == min(errors)


def test_an_alpha_synapse_is_no_better():
    """Its loop's hidden modes carry noise, which no input excites."""
    ldn = LDN(6, THETA)
    moments = band_moments(ldn, DT, 2.0, 0.5)

    def error(synapse):
        return balanced(ldn, map_onto(ldn, synapse, DT), DT, moments, 6000).error

    lowpass = error(best_tau(ldn, DT, moments, 6000))
    alphas = [error(nengo.Alpha(tau)) for tau in (0.02, 0.03, 0.04, 0.05, 0.06, 0.08)]
    assert min(alphas) > 1.1 * lowpass


def test_the_fixed_point_counts_its_own_noise():
    """At few neurons the error is above what ``1 / sqrt(n)`` says from many."""
    few, many = (case(12, n)[2].error for n in (600, 10**10))
    assert few > 1.05 * many * np.sqrt(10**10 / 600)


def test_too_few_neurons_are_refused():
    with pytest.raises(MappingError, match="120 neurons feed their own noise"):
        case(60, 120)
