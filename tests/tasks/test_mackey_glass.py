from collections import deque

import numpy as np
import pytest

from lmu_spiking.tasks import mackey_glass
from lmu_spiking.tasks.mackey_glass import mackey_glass_series


def one_by_one(random, steps, tau=17, substeps=10):
    """The equation, a number at a time, from uniform numbers (10 tau,)."""
    history, x, samples = deque(1.2 + 0.2 * (random - 0.5)), 1.2, []
    for _ in range(steps):
        for _ in range(substeps):
            late = history.popleft()
            history.append(x)
            x += (0.2 * late / (1 + late**10) - 0.1 * x) / substeps
        samples.append(x)
    assert len(history) == substeps * tau
    return samples


@pytest.mark.parametrize(("tau", "steps"), [(17, 300), (17, 17), (17, 18), (3, 100)])
def test_series_are_the_equation(tau, steps):
    random = np.random.RandomState(4).rand(3, 10 * tau)
    expected = [one_by_one(row, steps, tau) for row in random]
    found = mackey_glass_series(3, steps, 4, tau)
    # chaos multiplies rounding by some e^(0.006 steps)
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_a_series_does_not_depend_on_the_others_after_it():
    few, many = mackey_glass_series(2, 500, 0), mackey_glass_series(5, 500, 0)
    np.testing.assert_array_equal(few, many[:2])


def test_no_delay_to_speak_of_comes_to_rest():
    # x = 1 is where 0.2 / (1 + x^10) = 0.1, and stable up to a delay of 4.7
    np.testing.assert_allclose(mackey_glass_series(2, 2000, 0, 1), 1.0, atol=0.2)
    np.testing.assert_allclose(mackey_glass_series(2, 2000, 0, 1)[:, -1], 1.0)


@pytest.fixture(scope="module")
def task():
    return mackey_glass()


def test_is_the_papers(task):
    parts = task.train, task.valid, task.test
    assert [part.x.shape for part in parts] == [
        (32, 4985, 1),
        (32, 4985, 1),
        (64, 4985, 1),
    ]
    assert [part.y.shape for part in parts] == [part.x.shape for part in parts]
    for part in parts:
        np.testing.assert_array_equal(part.x[:, 15:], part.y[:, :-15])
    assert (task.dt, task.classes, task.last, task.chance) == (1e-3, None, False, 1)
    for words in ("tau 17", "seed 0", "15 ahead", "32/32/64"):
        assert words in task.origin


def test_error_of_no_change_is_the_published_one(task):
    """Published 162.4 % of the rms; seeds differ by some 0.0005."""
    x, y = (a.astype(float) for a in (task.test.x, task.test.y))
    assert np.sqrt(np.mean((y - x) ** 2) / np.mean(y**2)) == pytest.approx(
        1.624, abs=0.003
    )


def test_the_mean_is_removed(task):
    samples = np.concatenate([p.x for p in (task.train, task.valid, task.test)])
    assert abs(samples.mean(dtype=float)) < 1e-3
    assert 0.1 < samples.std() < 0.5


def test_series_of_a_task_differ(task):
    ends = task.train.x[:, -1, 0]
    assert len(np.unique(ends)) == len(ends)


def test_options_are_those_of_the_series():
    task = mackey_glass(seed=2, n_series=9, steps=50, ahead=5, tau=4)
    sizes = [len(part) for part in (task.train, task.valid, task.test)]
    assert (sizes, task.steps) == ([2, 2, 5], 45)
    raw = np.tanh(mackey_glass_series(9, 150, 2, 4)[:, 100:] - 1)
    expected = raw[:2, :45] - raw.mean()
    np.testing.assert_allclose(task.train.x[:, :, 0], expected, rtol=1e-5, atol=1e-7)
