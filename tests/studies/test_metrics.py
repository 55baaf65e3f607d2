import numpy as np
import pytest

from lmu_spiking.metrics import accuracy, versions
from lmu_spiking.studies.metrics import confidence, nrmse, power_law, rms


def test_rms_is_over_all_entries():
    assert rms([[3.0, -4.0], [0.0, 0.0]]) == pytest.approx(2.5)


def test_nrmse_is_relative_to_the_target():
    target = np.array([1.0, -1.0, 2.0])
    assert nrmse(1.1 * target, target) == pytest.approx(0.1)
    assert nrmse(target, target) == 0
    assert nrmse([8.0, 8.0], np.array([6.0, 10.0])) == pytest.approx(2 / 68**0.5)


def test_power_law_finds_an_exact_one():
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    law = power_law(x, 0.3 * x**-0.5)
    assert law.exponent == pytest.approx(-0.5)
    assert law.constant == pytest.approx(0.3)
    assert law.low <= law.exponent <= law.high


def test_interval_of_an_exponent_holds_it_in_95_of_100_fits():
    rng = np.random.RandomState(0)
    x = np.repeat([10.0, 100.0, 1000.0], 4)
    fits = [power_law(x, x**-0.5 * np.exp(0.1 * rng.randn(12))) for _ in range(1000)]
    held = np.mean([fit.low <= -0.5 <= fit.high for fit in fits])
    assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 1000)


def test_interval_of_a_mean_holds_it_in_95_of_100_samples():
    rng = np.random.RandomState(1)
    found = [confidence(2 + rng.randn(5)) for _ in range(2000)]
    held = np.mean([abs(mean - 2) <= half for mean, half in found])
    assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2000)


def test_one_trial_has_no_interval():
    assert confidence([3.0]) == (3.0, 0.0)


def test_accuracy_is_the_share_of_right_classes():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    assert accuracy(outputs, [1, 1, 1]) == pytest.approx(2 / 3)


def test_versions_are_of_python_and_packages():
    found = versions(["numpy", "no-such-package"])
    assert list(found) == ["python", "numpy", "no-such-package"]
    assert found["numpy"] == np.__version__
    assert found["no-such-package"] == "?"
