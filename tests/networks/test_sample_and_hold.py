import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.networks.sample_and_hold import Held, hold


def held(x, steps, averaged=1, dt=1e-3):
    process = Held(steps, averaged)
    state = process.make_state(x.shape[1:], x.shape[1:], dt)
    step = process.make_step(x.shape[1:], x.shape[1:], dt, None, state)
    return np.array([step((k + 1) * dt, each).copy() for k, each in enumerate(x)])


@given(
    steps=st.integers(1, 9),
    share=st.floats(0, 1),
    n=st.integers(1, 60),
    dt=st.sampled_from([1e-3, 3e-4, 0.1, 1 / 3]),
)
def test_the_mean_up_to_the_last_presentation(steps, share, n, dt):
    averaged = max(1, round(share * steps))
    x = np.random.default_rng(n).standard_normal((n, 2))
    found = held(x, steps, averaged, dt)
    for k in range(n):
        end = k // steps * steps + 1
        expected = x[max(0, end - averaged) : end].mean(axis=0)
        np.testing.assert_allclose(found[k], expected, atol=1e-13)


def test_a_constant_is_held_as_it_is():
    np.testing.assert_allclose(held(np.full((50, 1), 3.0), 7, 7), 3.0)


def test_time_does_not_drift():
    """A million steps of a dt that binary fractions cannot say."""
    process = Held(10)
    state = process.make_state((1,), (1,), 1e-3)
    step = process.make_step((1,), (1,), 1e-3, None, state)
    for k in range(1_000_000 - 25, 1_000_000):
        seen = step((k + 1) * 1e-3, np.array([float(k)]))
        if k >= 1_000_000 - 20:
            assert seen[0] == k // 10 * 10


def test_hold_is_the_source_itself_where_a_step_is_a_sample(simulator):
    with nengo.Network() as model:
        source = nengo.Node(lambda t: [round(t * 1000), -1.0])
        assert hold(source, 1) is source
        node = hold(source, 4, 2)
        probe = nengo.Probe(node)
    with simulator(model) as sim:
        for _ in range(2):  # and again from the start
            sim.run_steps(10)
            seen = sim.data[probe][-10:].copy()
            wanted = [1, 1, 1, 1, 4.5, 4.5, 4.5, 4.5, 8.5, 8.5]
            np.testing.assert_allclose(seen[:, 0], wanted)
            np.testing.assert_allclose(seen[:, 1], -1)
            sim.reset()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_states_take_the_simulators_type(dtype):
    state = Held(3).make_state((2,), (2,), 1e-3, dtype)
    assert {array.dtype for array in state.values()} == {np.dtype(dtype)}
