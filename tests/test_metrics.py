"""Errors, accuracies, intervals and versions against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lmu_spiking.errors import ValidationError
from lmu_spiking.metrics import (
    accuracy,
    half_interval,
    nrmse,
    paired_interval,
    relative_rms,
    target_variance,
    versions,
)


@given(
    means=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=3),
    seed=st.integers(0, 100),
    dtype=st.sampled_from([np.float32, np.float64]),
    every=st.booleans(),
)
def test_a_constant_scores_one_whatever_the_mean(means, seed, dtype, every):
    """The mean of each output, at the last step or at every one."""
    q, rng = len(means), np.random.default_rng(seed)
    y = means + 10 * rng.standard_normal((20, 5, q) if every else (20, q))
    y = y.astype(dtype)
    constant = np.broadcast_to(y.mean(axis=tuple(range(y.ndim - 1))), y.shape)
    assert nrmse(constant, y) == pytest.approx(1, rel=1e-4)
    assert nrmse(y, y) == 0
    halfway = (y + constant) / 2
    assert nrmse(halfway, y) == pytest.approx(0.5, rel=1e-3)


def test_one_axis_is_one_output():
    y = np.array([1.0, 2.0, 3.0])
    assert nrmse(y + 1, y) == pytest.approx(1 / np.std(y))


@pytest.mark.parametrize(
    "y", [np.zeros((4, 2)), np.full((4, 5, 1), 0.1), [[3.0, -1.0]] * 4, np.ones((1, 3))]
)
def test_a_target_that_does_not_vary_is_refused(y):
    message = "do not vary, so no error is relative to their standard deviation; use"
    with pytest.raises(ValidationError, match=f"nrmse.y: .* {message}"):
        nrmse(np.zeros(np.shape(y)), y)
    with pytest.raises(ValidationError, match=r"mine: '\d+ values' do not vary"):
        target_variance(y, "mine")


def test_errors_of_memories_are_relative_to_the_rms():
    assert relative_rms([1.0, 1.0], [2.0, 2.0]) == pytest.approx(0.5)
    assert np.isnan(relative_rms([1.0], [0.0]))


def test_accuracy_counts_the_largest_output():
    assert accuracy([[0.0, 1.0], [3.0, 2.0], [0.0, 1.0]], [1, 0, 0]) == 2 / 3


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_intervals_are_those_of_students_t(level):
    values = np.random.default_rng(0).standard_normal(7)
    error = stats.sem(values)
    low, high = stats.t.interval(level, 6, values.mean(), error)
    assert half_interval(values, level) == pytest.approx((high - low) / 2)
    assert np.isnan(half_interval([1.0]))


def test_what_is_lost_on_the_same_items_has_an_interval():
    """It covers the true loss as often as it says, also where it is rare."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        kind = rng.choice(4, 200, p=[0.9, 0.03, 0.01, 0.06])
        low, high = paired_interval(kind < 2, (kind == 0) | (kind == 2))
        inside += low <= 0.02 <= high
    assert 0.93 < inside / 2000 < 0.99
    low, high = paired_interval(np.ones(100, bool), np.ones(100, bool))
    assert low == -high and 0.01 < high < 0.05


def test_versions_of_packages_that_are_not_installed_are_unknown():
    found = versions(["numpy", "no_such_package"])
    assert found["numpy"] == np.__version__ and found["no_such_package"] == "?"
