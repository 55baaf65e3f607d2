"""Error feedback: its loop, its limits, and the rate that is chosen."""

from dataclasses import replace

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.dynamics.covariance import closed_loop, stationary_covariance
from lmu_spiking.dynamics.feedback import (
    check_feedback,
    highest_rate,
    make_feedback,
    with_feedback,
)
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import MappingError, ValidationError

DT = 1e-3


def gain_alone(loop):
    """An error that the highest rate makes least."""
    return 1.0 if loop.feedback is None else 1 / (1 + loop.feedback.gain)


@given(
    tau=st.floats(0.002, 0.1),
    dt=st.sampled_from([1e-4, 1e-3]),
    share=st.floats(0.05, 1),
)
def test_without_delay_the_highest_rate_is_the_closed_form(tau, dt, share):
    p = np.exp(-dt / tau)
    most = highest_rate(tau, dt)
    assert most == pytest.approx((1 + p) / (1 - p) / tau, rel=1e-9)
    assert make_feedback(0.999 * share * most, tau, dt).gain > 0
    with pytest.raises(MappingError, match=r"is unstable .* use less than"):
        make_feedback(1.001 * most, tau, dt)


def test_delays_lower_the_highest_rate():
    most = [highest_rate(0.02, DT, steps) for steps in range(4)]
    assert np.all(np.diff(most) < 0)
    # a step of delay and no leak: the roots of z^2 - z + b leave the circle at b = 1
    assert highest_rate(1e3, DT, 1) * DT == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("delay_steps", [0, 1, 3])
@pytest.mark.parametrize("synapse", [0.1, nengo.Alpha(0.02)])
def test_the_loop_is_the_recursion_stepped_by_hand(synapse, delay_steps):
    """Neurons decode what they receive, and noise, through filters step by step."""
    order, steps, rng = 3, 60, np.random.default_rng(0)
    mapped = map_onto(LDN(order, 0.5), synapse, DT, delay_steps)
    feedback = make_feedback(250.0, 0.02, DT, delay_steps)
    eta = rng.standard_normal((steps, order))
    loop, own = mapped.loop, feedback.loop
    z, q = np.zeros((len(loop.F), order)), np.zeros((len(own.F), order))
    states, received = [], []
    for noise in eta:
        x, w = loop.C @ z, own.C @ q
        states.append(x)
        received.append(x + w)
        decoded = x + w + noise
        z = loop.F @ z + np.outer(loop.G, mapped.A @ decoded)
        q = own.F @ q + np.outer(own.G, x - decoded)
    K, L, C, N = closed_loop(replace(mapped, feedback=feedback))
    Z = np.zeros(len(K))
    for k, noise in enumerate(eta):
        np.testing.assert_allclose(C @ Z, states[k], atol=1e-9)
        np.testing.assert_allclose(N @ Z, received[k], atol=1e-9)
        Z = K @ Z + L @ noise


@given(tau_f=st.floats(0.005, 0.04), b=st.floats(0.05, 1.2), order=st.integers(1, 6))
def test_slow_errors_are_divided_by_one_plus_the_gain(tau_f, b, order):
    """A constant error of the spikes moves what is decoded by 1 / (1 + beta tau)."""
    feedback = make_feedback(b / DT, tau_f, DT)
    own = feedback.loop
    w = np.linalg.solve(np.eye(1) - own.F + np.outer(own.G, own.C), -own.G)
    assert 1 + own.C @ w == pytest.approx(1 / (1 + feedback.gain))
    # noise that the loop receives is the smaller for it
    mapped = map_onto(LDN(order, 0.5), 0.1, DT)
    errors = []
    for each in (mapped, replace(mapped, feedback=feedback)):
        K, L, C, _ = closed_loop(each)
        errors.append(np.trace(C @ stationary_covariance(K, L @ L.T) @ C.T))
    assert errors[1] < errors[0]


@pytest.mark.parametrize("delay_steps", [0, 3])
def test_the_synapse_of_the_connection_is_the_loop(delay_steps):
    feedback = make_feedback(200.0, 0.02, DT, delay_steps)
    kick = np.zeros((30, 1))
    kick[0] = 1
    found = feedback.gain * feedback.synapse.filt(kick, dt=DT, y0=0)[:, 0]
    own, q, wanted = feedback.loop, np.zeros(len(feedback.loop.F)), []
    for x in kick[:, 0]:
        q = own.F @ q + own.G * x  # of this step: Nengo's own delay is not in filt
        wanted.append(own.C @ q)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


# -- what is asked for -----------------------------------------------------------------


def test_automatic_feedback_has_the_rate_of_least_error():
    mapped = map_onto(LDN(6, 0.5), 0.1, DT)

    def error(loop):
        K, L, C, _ = closed_loop(loop)
        return np.sqrt(np.trace(C @ stationary_covariance(K, L @ L.T) @ C.T))

    chosen = with_feedback(mapped, "auto", DT, error=error)
    assert chosen.feedback.tau == 0.02
    rates = chosen.feedback.rate * np.array([0.5, 0.8, 1.0])
    fed_back = [with_feedback(mapped, (r, 0.02), DT, error=error) for r in rates]
    errors = [error(loop) for loop in fed_back]
    assert np.argmin(errors) == 2
    assert errors[2] < 0.2 * error(mapped)


def test_automatic_feedback_is_left_out_where_it_does_not_help():
    mapped = map_onto(LDN(2, 0.5), 0.1, DT)
    assert with_feedback(mapped, "auto", DT, error=lambda loop: 1.0) is mapped

    def without_bound(loop):
        raise MappingError("the noise feeds itself")

    assert with_feedback(mapped, "auto", DT, error=without_bound) is mapped


def test_it_is_quicker_than_the_memorys_own_synapse():
    mapped = map_onto(LDN(2, 0.1), 0.01, DT)
    chosen = with_feedback(mapped, "auto", DT, error=gain_alone)
    assert chosen.feedback.tau == pytest.approx(0.005)
    with pytest.raises(ValidationError, match=r"store the signal .* at most 0\.005 s"):
        with_feedback(mapped, (100.0, 0.02), DT, error=gain_alone)
    with pytest.raises(ValidationError, match="store the signal"):
        with_feedback(mapped, (100.0, 0.01), DT, error=gain_alone)


@pytest.mark.parametrize("asked", [None, "off"])
def test_no_feedback(asked):
    mapped = map_onto(LDN(2, 0.1), 0.01, DT)
    assert check_feedback("x", asked) is None
    assert with_feedback(mapped, None, DT, error=gain_alone) is mapped


@pytest.mark.parametrize(
    "asked",
    [
        "on",
        900.0,
        (900.0,),
        (900.0, 0.02, 1),
        {"rate": 1},
        True,
        b"auto",
        np.array("on"),
    ],
)
def test_what_is_no_feedback_is_refused(asked):
    with pytest.raises(ValidationError, match="must be 'auto', 'off', or a rate"):
        check_feedback("memory.error_feedback", asked)


@pytest.mark.parametrize("pair", [(0.0, 0.02), (900.0, -1.0), (np.nan, 0.02), ("a", 1)])
def test_numbers_that_are_none_are_refused(pair):
    with pytest.raises(ValidationError, match=r"memory\.error_feedback\.(rate|tau)"):
        check_feedback("memory.error_feedback", pair)
    assert check_feedback("x", [900, 0.02]) == (900.0, 0.02)
    assert check_feedback("x", np.array([900, 0.02])) == (900.0, 0.02)


def test_a_feedback_far_shorter_than_a_step_is_refused():
    with pytest.raises(ValidationError, match=r"far below the step .* use 0\.02"):
        make_feedback(900.0, 1e-300, DT)
