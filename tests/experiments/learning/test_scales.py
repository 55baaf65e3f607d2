from dataclasses import replace

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


@pytest.fixture
def quick(monkeypatch):
    small = scales.LAYERS | {"sequences": 8, "epochs": 120}
    monkeypatch.setattr(scales, "LAYERS", small)


def test_running_means_begin_at_rest():
    u = np.arange(6.0)[None]
    np.testing.assert_allclose(
        scales.running_mean(u, 2), [[0, 0.5, 1.5, 2.5, 3.5, 4.5]]
    )


def test_both_hidden_windows_are_those_that_fit_best(quick):
    data = scales.two_scales(3)

    def error(thetas):
        params = scales.two_cells(data, 3, thetas, kernels=False)
        # |m| = max(0, m) + max(0, -m), of the mean of the window
        gains = np.array([[1.0], [-1.0]]) * np.eye(1, 6)
        cells = (
            replace(params.cells[0], e_x=np.ones((1, 1)), W_m=gains, b=np.zeros(2)),
            replace(params.cells[1], e_x=np.ones((1, 2))),
        )
        y = forward(
            replace(params, cells=cells, D=np.ones((1, 1)), c=np.zeros(1)), data.test.x
        )
        return np.mean((y - data.test.y) ** 2)

    best = error((scales.FAST, scales.SLOW))
    assert best < 0.02 * np.var(data.test.y)
    for factor in (0.8, 1.25):
        assert best < 0.5 * error((factor * scales.FAST, scales.SLOW))
        assert best < 0.5 * error((scales.FAST, factor * scales.SLOW))


def test_two_cells_part_their_windows(quick):
    row = scales.layers_row(104, "learned")
    assert row["path"][0] == [scales.START, scales.START]
    assert row["fast"] < 0.5 * scales.START < 2.5 * scales.START < row["slow"]
    # the target's deviation is what windows that stay can hardly tell of
    assert row["nrmse"] < 0.5


def test_fixed_windows_stay(quick):
    row = scales.layers_row(104, "fixed at the truth", epochs=1)
    assert (row["fast"], row["slow"]) == (scales.FAST, scales.SLOW)
    assert row["worst_error"] == 0
    assert "path" not in row
