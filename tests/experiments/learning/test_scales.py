import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.experiments.learning import scales
from lmu_spiking.lmu import forward

SMALL = {"sequences": 4, "duration": 2.0}


@pytest.fixture(scope="module")
def data():
    return scales.delayed_noise(3, **SMALL)


def test_the_hidden_delay_is_the_window_that_fits_best(data):
    def error(theta):
        y = forward(scales.delay_of_theta(theta), data.test.x)
        return np.mean((y - data.test.y) ** 2)

    best = error(scales.DELAY)
    assert best < 0.01 * np.mean(data.test.y**2)
    # to much less than a step
    shift = scales.DT / 8
    assert best < min(error(scales.DELAY + shift), error(scales.DELAY - shift))


def test_a_lowpass_leaves_the_delay_where_it_was(data):
    low = scales.lowpassed(data, 1.0)
    y = forward(scales.delay_of_theta(scales.DELAY), low.test.x)
    error = np.mean((y - low.test.y) ** 2) / np.mean(low.test.y**2)
    assert error < 0.01
    assert np.mean(low.train.x.astype(float) ** 2) == pytest.approx(1, rel=1e-5)
    assert scales.lowpassed(data, None) is data


def test_only_the_lowpassed_error_leads_home_from_afar():
    data = scales.delayed_noise(3)

    def errors(task):
        thetas = scales.DELAY * np.array([2.0, 3.0, 4.0])
        made = (forward(scales.delay_of_theta(t), task.train.x) for t in thetas)
        return [np.mean((y - task.train.y) ** 2) for y in made]

    pole = scales.STAGES[0][0]
    assert np.all(np.diff(errors(scales.lowpassed(data, pole))) > 0)
    assert not np.all(np.diff(errors(data)) > 0)


def test_learns_the_window_from_half_of_it():
    stages = ((1.0, 15, 0.08), (None, 15, 0.02))
    data = scales.delayed_noise(4, **SMALL)
    made, path = scales.learn_theta(data, 0.1, order=12, stages=stages)
    assert made.cells[0].theta == pytest.approx(scales.DELAY, rel=0.05)
    assert path[0]["theta"] == 0.1
    assert [row["stage"] for row in path[1:]] == [1] * 15 + [2] * 15
    # nothing else was trained
    np.testing.assert_array_equal(made.cells[0].W_m, np.ones((1, 12)))
