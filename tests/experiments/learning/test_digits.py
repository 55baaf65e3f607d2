import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("sklearn")

from dataclasses import replace

from lmu_spiking.experiments.learning import digits
from lmu_spiking.lmu import forward


@pytest.fixture(scope="module")
def trained():
    return digits.trained_digits(7, repeats=2, epochs=3)


def test_trains_far_above_chance_on_held_pixels(trained):
    params, data, row = trained
    assert row["rate_accuracy"] > 4 * row["chance"]
    np.testing.assert_array_equal(data.test.x[:, ::2], data.test.x[:, 1::2])
    # the window in seconds is that of 64 pixels
    assert params.cells[0].theta == pytest.approx(64 * 2 * data.dt)


def test_held_values_end_the_same_at_any_step(trained):
    params, data, _ = trained
    exact = forward(params, data.test.x, last=True)
    for row in digits.rate_rows(params, data)[:3]:
        assert row["difference"] < 1e-8
        assert row["lost"] == 0
    finer = digits.at_samples(data, 2, 7)
    y = forward(replace(params, dt=finer.dt), finer.test.x, last=True)
    np.testing.assert_allclose(y, exact, atol=1e-8 * np.abs(exact).max())


def test_coarser_pixels_are_lost(trained):
    params, data, _ = trained
    rows = {row["step"]: row for row in digits.rate_rows(params, data)}
    assert rows["pixels dropped in pairs"]["difference"] > 1e-3
    mean = digits.coarser(data, 2, "averaged").test.x
    assert mean.shape == data.test.x.shape
    pairs = data.test.x.reshape(len(mean), -1, 4).mean(axis=2)
    np.testing.assert_allclose(mean[:, ::4, 0], pairs, atol=1e-6)


def test_spikes_at_any_step_keep_what_the_law_says(trained):
    params, data, _ = trained
    rows = digits.spiking_rows(params, data, 10**9, pixel=0.004, tests=10)
    assert [row["samples"] for row in rows] == list(digits.STEPS.values())
    for row in rows:
        # 10 digits and next to no noise: at most one on the edge
        assert abs(row["loss"]) <= 0.1 + 1e-9
        assert abs(row["predicted_loss"]) <= 0.1
        assert row["seconds_per_inference"] == pytest.approx(64 * 0.004, rel=0.02)
