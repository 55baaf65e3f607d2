from dataclasses import replace

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_lyapunov

from lmu_spiking.dynamics.covariance import (
    closed_loop,
    readout_covariance,
    stationary_covariance,
)
from lmu_spiking.dynamics.feedback import make_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto


@given(
    order=st.integers(1, 20),
    theta=st.floats(0.05, 2.0),
    tau=st.floats(0.003, 0.3),
    dt=st.sampled_from([1e-4, 1e-3]),
)
def test_the_closed_loop_of_a_lowpass_is_the_published_one(order, theta, tau, dt):
    ldn, a = LDN(order, theta), np.exp(-dt / tau)
    K, L, C, _ = closed_loop(map_onto(ldn, tau, dt))
    Ad, _ = ldn.discretize(dt)
    # G and C may share the gain 1 - a as they like
    np.testing.assert_allclose(K, Ad, rtol=0, atol=1e-12 * np.abs(Ad).max())
    np.testing.assert_allclose(
        C @ L, Ad - a * np.eye(order), rtol=0, atol=1e-12 * np.abs(Ad).max()
    )


@pytest.mark.parametrize(
    ("synapse", "delay_steps"),
    [(nengo.Lowpass(0.05), 0), (nengo.Lowpass(0.05), 2), (nengo.Alpha(0.02), 1)],
)
def test_the_closed_loop_is_the_network_stepped_by_hand(synapse, delay_steps):
    """Noise into the neurons' output, through Nengo's own filter and its delay."""
    order, dt = 3, 1e-3
    mapped = map_onto(LDN(order, 0.5), synapse, dt, delay_steps)
    eta = np.random.default_rng(0).standard_normal((200, order))
    step = mapped.synapse.make_step(
        (order,), (order,), dt, None, mapped.synapse.make_state((order,), (order,), dt)
    )
    state, by_hand = np.zeros(order), []
    for k in range(200):
        by_hand.append(state)
        state = np.array(step(k * dt, mapped.A @ (state + eta[k])))
    K, L, C, _ = closed_loop(mapped)
    Z, found = np.zeros(len(K)), []
    for k in range(200):
        found.append(C @ Z)
        Z = K @ Z + L @ eta[k]
    np.testing.assert_allclose(found, by_hand, rtol=0, atol=1e-9)


@given(n=st.integers(1, 12), radius=st.floats(0.0, 0.9999), seed=st.integers(0, 10_000))
def test_stationary_covariance_solves_its_equation(n, radius, seed):
    rng = np.random.default_rng(seed)
    K, L = rng.standard_normal((2, n, n))
    K *= radius / np.abs(np.linalg.eigvals(K)).max()
    Q = L @ L.T
    P = stationary_covariance(K, Q)
    np.testing.assert_allclose(P, P.T)
    size = np.abs(P).max()
    np.testing.assert_allclose(P, K @ P @ K.T + Q, rtol=0, atol=1e-9 * size)
    wanted = solve_discrete_lyapunov(K, Q)
    np.testing.assert_allclose(P, wanted, rtol=0, atol=1e-6 * size)


@pytest.mark.parametrize("order", [1, 6, 24])
def test_stationary_covariance_of_a_memory(order):
    K, L, *_ = closed_loop(map_onto(LDN(order, 0.5), 0.1, 1e-3))
    P = stationary_covariance(K, L @ L.T)
    wanted = solve_discrete_lyapunov(K, L @ L.T)
    np.testing.assert_allclose(P, wanted, rtol=0, atol=1e-9 * np.abs(P).max())
    assert np.linalg.eigvalsh(P).min() > 0


@pytest.mark.parametrize("reader", [nengo.Lowpass(0.02), nengo.Alpha(0.03)])
def test_readout_covariance_is_that_of_a_long_run(reader):
    """The memory and a readout of its spikes, stepped with white decoding noise."""
    ldn, dt, copies = LDN(3, 0.2), 1e-3, 400
    mapped = map_onto(ldn, 0.05, dt)
    mapped_reader = map_onto(ldn, reader, dt, feedforward=True)
    sigma, weights = np.array([0.5, 1.0, 2.0]), ldn.readout([0.05, 0.15], dt)
    wanted = readout_covariance(mapped, sigma, weights, mapped_reader)
    assert wanted.shape == (2, 2)

    rng, shape = np.random.default_rng(1), (copies, 3)
    loop = mapped.synapse.make_step(
        shape, shape, dt, None, mapped.synapse.make_state(shape, shape, dt)
    )
    read = reader.make_step(shape, shape, dt, None, reader.make_state(shape, shape, dt))
    m, total = np.zeros(shape), np.zeros((2, 2))
    for k in range(2000):
        decoded = m + rng.standard_normal(shape) * np.sqrt(sigma)
        y = np.array(read(k * dt, decoded @ mapped_reader.A.T)) @ weights.T
        m = np.array(loop(k * dt, decoded @ mapped.A.T))
        if k >= 1000:
            total += y.T @ y / copies / 1000
    np.testing.assert_allclose(total, wanted, rtol=0.1, atol=0.05 * wanted.max())


@pytest.mark.parametrize(("order", "delay_steps"), [(1, 0), (6, 0), (40, 0), (6, 2)])
def test_stationary_covariance_of_a_memory_with_feedback(order, delay_steps):
    """It solves its equation, where the feedback is solved first and where not."""
    mapped = map_onto(LDN(order, 0.5), 0.1, 1e-3, delay_steps)
    own = make_feedback(300.0, 0.02, 1e-3, delay_steps)
    K, L, *_ = closed_loop(replace(mapped, feedback=own))
    Q = L @ np.diag(np.arange(1.0, order + 1)) @ L.T
    P = stationary_covariance(K, Q)
    atol = 1e-10 * np.abs(P).max()
    np.testing.assert_allclose(P, K @ P @ K.T + Q, rtol=0, atol=atol)
