import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("jax")
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from lmu_spiking import (
    LegendreFeatures,
    LMUClassifier,
    LMURegressor,
    ValidationError,
)

SMALL = {"order": 6, "units": 30, "random_state": 0}
FAST = {"presentation": 0.004, "dt": 0.002}


@pytest.fixture(scope="module")
def task():
    """Sequences of two channels, whose class is which has the larger late mean."""
    x = np.random.default_rng(0).standard_normal((300, 16, 2)) * [1, 30] + [0, 100]
    late = (x[:, 8:] - [0, 100]).sum(axis=1) / [1, 30]
    return x, np.array(["first", "second"])[late.argmax(axis=1)], late


@pytest.fixture(scope="module")
def classifier(task):
    x, y, _ = task
    return LMUClassifier(**SMALL).fit(x[:200], y[:200])


@pytest.fixture(scope="module")
def spiking(classifier):
    return classifier.to_spikes(n_neurons=2000, neuron_type="poisson", **FAST)


def test_the_loss_is_the_one_that_was_predicted(task, spiking):
    x, y, _ = task
    found = spiking.report(x[200:], y[200:])
    assert found.rate > 0.85 > found.chance + 0.2
    # of 100 sequences, three standard errors of the difference and of the prediction
    half = (found.loss_high - found.loss_low) / 2
    assert abs(found.loss - found.predicted_loss) < (
        1.5 * half + 3 * found.predicted_spread + 0.02
    )
    assert 0 <= spiking.predicted_loss < 0.2
    assert found.neurons == spiking.conversion.n_neurons == 2000


def test_many_neurons_say_what_the_rates_say(task, classifier):
    x, y, _ = task
    made = classifier.to_spikes(n_neurons=10**7, **FAST)
    exact = classifier.decision_function(x[:20])
    # their rounding is 1e-3 of the outputs or less
    np.testing.assert_allclose(
        made.decision_function(x[:20]), exact, atol=0.02 * np.abs(exact).max()
    )
    assert made.score(x[:20], y[:20]) == classifier.score(x[:20], y[:20])
    np.testing.assert_allclose(
        made.predict_proba(x[:20]), classifier.predict_proba(x[:20]), atol=0.1
    )
    assert list(made.classes_) == list(classifier.classes_)


def test_a_spiking_estimator_is_fitted_and_stays_as_it_is(tmp_path, task, spiking):
    x, y, _ = task
    check_is_fitted(spiking)
    assert clone(spiking) is spiking and spiking.fit(x, y) is spiking
    joblib.dump(spiking, tmp_path / "spiking.joblib")
    back = joblib.load(tmp_path / "spiking.joblib")
    np.testing.assert_array_equal(
        back.decision_function(x[:4]), spiking.decision_function(x[:4])
    )


def test_labels_that_were_not_learned_are_refused_in_a_line(task, spiking):
    x, _, _ = task
    with pytest.raises(ValidationError, match=r"report.y: 'third' is no class of the"):
        spiking.report(x[:2], ["first", "third"])


def test_a_regressor_in_spikes_keeps_the_units_of_its_values(task):
    x, _, late = task
    y = 1000 + 10 * (late[:, 0] - late[:, 1])
    made = LMURegressor(**SMALL).fit(x[:200], y[:200])
    spikes = made.to_spikes(x[:50], n_neurons=10**7, **FAST)
    np.testing.assert_allclose(
        spikes.predict(x[:10]), made.predict(x[:10]), atol=0.02 * y.std()
    )
    found = spikes.report(x[200:240], y[200:240])
    assert found.metric == "nrmse" and abs(found.loss) < 0.02


@pytest.mark.parametrize("neuron_type", ["if", "poisson"])
def test_features_have_the_predicted_error(neuron_type):
    """Over 8 coefficients of 60 sequences, within 25 % as a whole."""
    x = np.random.default_rng(0).standard_normal((160, 20, 2)) * [1, 30]
    exact = LegendreFeatures(4, theta=(20, 8), readout=("last", "std")).fit(x[:100])
    made = exact.to_spikes(n_neurons=4000, neuron_type=neuron_type, **FAST)
    error = made.transform(x[100:]) - exact.transform(x[100:])
    measured = np.sqrt(np.mean(error**2, axis=0))
    assert measured.shape == made.error_.shape == (32,)
    last = [i for i, n in enumerate(exact.get_feature_names_out()) if "last" in n]
    ratio = np.sqrt(np.mean((measured[last] / made.error_[last]) ** 2))
    assert 0.75 < ratio < 1.25
    # the error is in the units of each channel, and far below the features
    assert (made.error_ < 0.3 * exact.transform(x[100:]).std(axis=0)).all()
    assert made.n_neurons == 4000
    assert list(made.get_feature_names_out()) == list(exact.get_feature_names_out())


def test_features_in_spikes_are_exact_in_the_limit():
    x = np.random.default_rng(1).standard_normal((30, 20))
    exact = LegendreFeatures(4, readout=("last", "every")).fit(x)
    made = exact.to_spikes(n_neurons=10**8, **FAST)
    np.testing.assert_allclose(made.transform(x), exact.transform(x), atol=1e-4)


def test_sequences_of_different_lengths_run_in_spikes():
    rng = np.random.default_rng(1)
    x = [rng.standard_normal((int(T), 2)) for T in rng.integers(10, 20, 20)]
    exact = LegendreFeatures(4, theta=8, readout=("last", "mean")).fit(x)
    made = exact.to_spikes(n_neurons=10**8, **FAST)
    np.testing.assert_allclose(made.transform(x), exact.transform(x), atol=1e-3)
