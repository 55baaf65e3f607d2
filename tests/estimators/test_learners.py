import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("jax")
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier, RidgeCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lmu_spiking import LMUClassifier, LMUParams, LMURegressor, ValidationError
from lmu_spiking.lmu.forward import forward

SMALL = {"order": 6, "units": 40, "random_state": 0}


def products(n=400, steps=24, seed=0):
    """Classes by the sign of (first half) x (second half), which no line can part."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, steps)) + rng.choice([-1, 1], (n, 2)).repeat(
        steps // 2, axis=1
    )
    halves = x.reshape(n, 2, -1).mean(axis=2)
    return x, np.where(halves.prod(axis=1) > 0, "same", "other")


def test_a_classifier_learns_what_a_linear_one_cannot():
    """Of 200 sequences, chance is 0.5 with a standard error of 0.035."""
    x, y = products()
    made = LMUClassifier(**SMALL).fit(x[:200], y[:200])
    assert made.score(x[200:], y[200:]) > 0.85
    assert RidgeClassifier().fit(x[:200], y[:200]).score(x[200:], y[200:]) < 0.65
    assert list(made.classes_) == ["other", "same"]
    assert made.n_iter_ == made.best_epoch_ == len(made.loss_curve_) == 50


def test_what_is_learned_are_parameters_of_standardised_sequences():
    x, y = products()
    made = LMUClassifier(**SMALL, epochs=2).fit(x, y)
    assert isinstance(made.params_, LMUParams)
    assert "results" not in made.params_.header  # there was no test
    z = (x - x.mean()) / x.std()
    outputs = forward(made.params_, z[:, :, None], last=True)
    np.testing.assert_allclose(made.decision_function(x), outputs @ [-1, 1], atol=1e-9)
    p = made.predict_proba(x)
    np.testing.assert_allclose(np.log(p[:, 1] / p[:, 0]), outputs @ [-1, 1], atol=1e-9)


def test_units_and_offsets_of_channels_do_not_matter():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 20, 3))
    y = x[:, 10:, 1].sum(axis=1) > 0
    made = LMUClassifier(**SMALL, epochs=5).fit(x, y)
    other = LMUClassifier(**SMALL, epochs=5).fit(x * [1e3, 1, 1e-3] + [5, 0, 1], y)
    shifted = other.decision_function(x * [1e3, 1, 1e-3] + [5, 0, 1])
    np.testing.assert_allclose(shifted, made.decision_function(x), atol=1e-3)


def test_a_regressor_learns_several_values_in_their_units():
    x = np.random.default_rng(0).standard_normal((300, 20))
    y = np.stack([x[:, 10:].sum(axis=1), 1e3 + 50 * x[:, :10].sum(axis=1)], axis=1)
    made = LMURegressor(order=16, units=60, random_state=0).fit(x[:200], y[:200])
    assert made.predict(x[200:]).shape == (100, 2)
    assert made.score(x[200:], y[200:]) > 0.8
    z = (x - x[:200].mean()) / x[:200].std()
    outputs = forward(made.params_, z[:, :, None], last=True)
    np.testing.assert_allclose(made.predict(x), outputs, rtol=1e-9)
    one = LMURegressor(**SMALL, epochs=1).fit(x, y[:, 1])
    assert one.predict(x).shape == (300,)


def test_shorter_sequences_are_as_each_by_itself():
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((int(T), 2)) for T in rng.integers(10, 20, 40)]
    y = [each[:, 0].sum() > 0 for each in x]
    made = LMUClassifier(**SMALL, epochs=5).fit(x, y)
    together = made.decision_function(x)
    alone = [made.decision_function([each])[0] for each in x]
    np.testing.assert_allclose(together, alone, atol=1e-9)
    every = np.concatenate(x)
    np.testing.assert_allclose(made.mean_, every.mean(axis=0))
    np.testing.assert_allclose(made.scale_, every.std(axis=0))


def test_equal_seeds_give_equal_parameters():
    x, y = products(60)
    first, again = (LMUClassifier(**SMALL, epochs=3).fit(x, y) for _ in range(2))
    other = clone(first).set_params(random_state=1).fit(x, y)
    same = first.decision_function(x)
    np.testing.assert_array_equal(again.decision_function(x), same)
    assert not np.array_equal(other.decision_function(x), same)


def test_held_out_sequences_choose_the_epoch():
    x, _ = products(100)
    y = np.random.default_rng(1).integers(2, size=100)  # nothing that lasts
    settings = {"validation_fraction": 0.3, "patience": 3}
    made = LMUClassifier(**SMALL, epochs=40, **settings).fit(x, y)
    scores = [record["valid_accuracy"] for record in made.history_]
    assert scores[made.best_epoch_ - 1] == max(scores)
    assert made.n_iter_ < 40


def test_it_works_in_pipelines_grids_and_cross_validation():
    x, y = products(120)
    model = make_pipeline(StandardScaler(), LMUClassifier(**SMALL, epochs=20))
    assert np.mean(cross_val_score(model, x, y, cv=2)) > 0.6
    grid = {"lmuclassifier__epochs": [1, 30]}
    search = GridSearchCV(model, grid, cv=2).fit(x, y)
    assert search.best_params_ == {"lmuclassifier__epochs": 30}


def test_a_fitted_classifier_comes_back_from_a_file(tmp_path):
    x, y = products(60)
    made = LMUClassifier(**SMALL, epochs=2).fit(x, y)
    joblib.dump(made, tmp_path / "classifier.joblib")
    back = joblib.load(tmp_path / "classifier.joblib")
    np.testing.assert_array_equal(back.predict_proba(x), made.predict_proba(x))


def test_at_most_200_sequences_are_kept():
    x, y = products(450)
    series, codes = LMUClassifier(**SMALL, epochs=1).fit(x, y).calibration_
    assert series.x.shape == (200, 24, 1) and codes.shape == (200,)
    np.testing.assert_array_equal(series.x[[0, -1], :, 0], x[[0, -1]])


def test_a_regressor_learns_what_a_linear_one_cannot():
    """The frequency of waves of any phase, whose mean is 0 at every sample."""
    rng = np.random.default_rng(2)
    y = rng.uniform(0.02, 0.1, 300)
    turns = y[:, None] * np.arange(40) + rng.random((300, 1))
    x = np.sin(2 * np.pi * turns) + 0.1 * rng.standard_normal((300, 40))
    made = LMURegressor(order=12, units=100, random_state=0).fit(x[:200], y[:200])
    assert made.score(x[200:], y[200:]) > 0.8
    assert RidgeCV().fit(x[:200], y[:200]).score(x[200:], y[200:]) < 0.3


REFUSED = [
    (
        {"patience": 3},
        "LMUClassifier.patience: 3 needs sequences to judge by; "
        "set validation_fraction",
    ),
    (
        {"validation_fraction": 1.0},
        "LMUClassifier.validation_fraction: 1.0 must be a number from 0 to 0.9",
    ),
    ({"order": 1.5}, "LMUClassifier.order: 1.5 must be a whole number of at least 1"),
    (
        {"theta": "x"},
        "LMUClassifier.theta: 'x' must be a positive number (samples, or None)",
    ),
]


@pytest.mark.parametrize("given, message", REFUSED, ids=str)
def test_what_is_out_of_range_is_refused_in_a_line(given, message):
    with pytest.raises(ValidationError) as error:
        LMUClassifier(**given).fit(*products(20))
    assert str(error.value) == message


def test_targets_that_say_nothing_are_refused_in_a_line():
    x, _ = products(20)
    with pytest.raises(ValidationError, match="'a' has one class only; give two or"):
        LMUClassifier().fit(x, ["a"] * 20)
    with pytest.raises(ValidationError, match=r"LMURegressor.y: 3.0 does not vary"):
        LMURegressor().fit(x, [3] * 20)
    with pytest.raises(TypeError, match="sample_weight"):
        LMUClassifier().fit(x, np.arange(20) % 2, sample_weight=np.ones(20))
