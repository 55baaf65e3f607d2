import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.experiments.published.capacity import capacity_sequences
from lmu_spiking.tasks import capacity, recall
from lmu_spiking.tasks.capacity import Periodic, delayed, delays


def test_delays_are_even_from_0_to_the_longest():
    assert delays(1000).tolist() == [0, 250, 500, 750, 1000]
    assert delays(99_999).tolist() == [0, 24_999, 49_999, 74_999, 99_999]


def test_delayed_is_the_input_some_steps_before():
    x = np.arange(1.0, 11.0).reshape(2, 5)
    y = delayed(x, [0, 2, 5])
    np.testing.assert_array_equal(y[0].T, [x[0], [0, 0, 1, 2, 3], np.zeros(5)])
    np.testing.assert_array_equal(y[1].T, [x[1], [0, 0, 6, 7, 8], np.zeros(5)])


def test_periodic_is_its_sum_of_waves():
    rng = np.random.RandomState(0)
    harmonics = rng.randn(3, 2) + 1j * rng.randn(3, 2)
    found, n = Periodic(harmonics, 40).block(5, 60), np.arange(5, 60)
    waves = [
        h * np.exp(2j * np.pi * k * n / 40)[:, None] for k, h in enumerate(harmonics, 1)
    ]
    np.testing.assert_allclose(found, np.sum(waves, axis=0).real, atol=1e-12)


@pytest.mark.parametrize("length", [20, 100, 333])
def test_capacity_targets_are_late_inputs(length):
    task = capacity(length, draws=10)
    sizes = [len(part) for part in (task.train, task.valid, task.test)]
    assert (sizes, task.steps, task.size_out) == ([4, 1, 5], int(2.5 * length), 5)
    for part in (task.train, task.valid, task.test):
        for k, lag in enumerate(delays(length)):
            late = part.x[:, : task.steps - lag, 0]
            np.testing.assert_array_equal(part.y[:, lag:, k], late)
            assert not part.y[:, :lag, k].any()
        np.testing.assert_allclose(np.abs(part.x).max(axis=1), 1, rtol=1e-6)


def test_capacity_tests_on_what_the_paper_tests_on():
    task = capacity(100)
    assert [len(p) for p in (task.train, task.valid, task.test)] == [80, 20, 100]
    published = capacity_sequences(100).block(0, 250).T
    np.testing.assert_allclose(task.test.x[:, :, 0], published, atol=1e-6)
    assert (task.dt, task.classes, task.last, task.chance) == (1e-3, None, False, 1)


@pytest.mark.parametrize("steps", [20, 1001, 5000])
def test_recall_asks_for_the_very_first_and_last(steps):
    task = recall(steps, n=20)
    assert (task.steps, task.size_out, task.last) == (steps, 5, True)
    assert [len(p) for p in (task.train, task.valid, task.test)] == [8, 2, 10]
    for part in (task.train, task.valid, task.test):
        np.testing.assert_array_equal(part.y[:, -1], part.x[:, 0, 0])
        np.testing.assert_array_equal(part.y[:, 0], part.x[:, -1, 0])
        middle = part.x[:, steps - 1 - (steps - 1) // 2, 0]
        np.testing.assert_array_equal(part.y[:, 2], middle)
        np.testing.assert_allclose(np.abs(part.x).max(axis=1), 1, rtol=1e-6)


def test_recall_is_smooth_and_goes_on_across_its_chunks():
    x = recall(10_000, n=4).train.x[:, :, 0].astype(float)
    steepest = 2 * np.pi * 4 / 10_000 * np.sqrt(10)  # ten waves, each of rms 1
    assert np.abs(np.diff(x)).max() < 3 * steepest


def test_recall_targets_tell_nothing_of_each_other():
    y = recall(401, n=4000).test.y
    standard_error = 1 / np.sqrt(len(y))
    off = np.corrcoef(y.T)[~np.eye(5, dtype=bool)]
    assert np.abs(off).max() < 5 * standard_error


def test_recall_has_the_same_shape_at_any_length():
    short, long = recall(101, n=6, seed=5), recall(10_001, n=6, seed=5)
    np.testing.assert_allclose(long.test.x[:, ::100], short.test.x, atol=0.01)


def test_recall_is_within_reach_of_a_linear_memory():
    """A delay network of 40 dimensions, a readout fitted to train: 20 waves suffice."""
    task, dt = recall(501, n=300), 1 / 500
    ldn = LDN(40, 502 * dt)

    def states(part):
        return ldn.simulate(part.x[:, :, 0].T.astype(float), dt)[-1]

    weights = np.linalg.lstsq(states(task.train), task.train.y, rcond=None)[0]
    error = states(task.test) @ weights - task.test.y
    assert np.all(error.std(axis=0) < 1e-3 * task.test.y.std(axis=0))
