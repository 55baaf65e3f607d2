import importlib
import sys

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy.linalg import expm
from scipy.signal import lfilter, ss2tf
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lmu_spiking import LDN, LegendreFeatures, MissingPackageError, ValidationError

D, T = 5, 40
SCALE = np.sqrt(2 * np.arange(D) + 1)
OVER_TIME = ("mean", "std", "min", "max")


def series(n=7, channels=2, seed=0):
    return np.random.default_rng(seed).standard_normal((n, T, channels))


def states_by_scipy(x, theta):
    """States of one channel (n, T, D), by the transfer function of each coefficient."""
    i, j = np.ogrid[:D, :D]
    A = (2.0 * i + 1) * np.where(i < j, -1.0, (-1.0) ** (i - j + 1)) / theta
    B = ((2.0 * i + 1) * (-1.0) ** i) / theta
    block = expm(np.block([[A, B], [np.zeros((1, D + 1))]]))
    Ad, Bd = block[:D, :D], block[:D, D:]
    numerators, denominator = ss2tf(Ad, Bd, Ad, Bd)  # the state after its input
    return np.stack([lfilter(b, denominator, x, axis=1) for b in numerators], axis=-1)


@pytest.mark.parametrize("theta", [None, 12.5])
def test_the_features_are_the_exact_states(theta):
    x = series()
    made = LegendreFeatures(D, theta=theta).fit_transform(x).reshape(len(x), 2, D)
    window = T if theta is None else theta
    for k, each in enumerate(x):
        exact = LDN(D, window).simulate(each, 1.0)[-1]
        np.testing.assert_allclose(made[k] * SCALE, exact, rtol=1e-9, atol=1e-11)
    by_scipy = np.stack([states_by_scipy(x[:, :, j], window)[:, -1] for j in (0, 1)], 1)
    np.testing.assert_allclose(made * SCALE, by_scipy, rtol=1e-6, atol=1e-8)


def test_readouts_are_those_of_all_states():
    x = series(channels=1)
    m = states_by_scipy(x[:, :, 0], 10) / SCALE
    made = LegendreFeatures(D, theta=10, readout=OVER_TIME).fit_transform(x)
    found = np.split(made, len(OVER_TIME), axis=1)
    for name, values in zip(OVER_TIME, found, strict=True):
        np.testing.assert_allclose(values, getattr(np, name)(m, axis=1), atol=1e-9)
    every = LegendreFeatures(D, theta=10, readout="every").fit_transform(x)
    np.testing.assert_allclose(every.reshape(m.shape), m, atol=1e-9)


def test_shares_above_the_octiles_of_the_fit_are_the_octiles():
    x = series(n=30)
    made = LegendreFeatures(D, theta=10, readout="above").fit_transform(x)
    shares = made.reshape(30, 7, -1).mean(axis=(0, 2))
    np.testing.assert_allclose(shares, np.arange(7, 0, -1) / 8, atol=1 / T)


def test_features_of_one_window_have_the_power_of_the_sequence():
    """A smooth sequence is its coefficients, and P_i has the power 1 / (2i + 1)."""
    t = (np.arange(400) + 0.5) / 400
    x = np.stack([np.cos(3 * t + phase) * np.sin(np.pi * t) ** 2 for phase in range(4)])
    f = LegendreFeatures(10).fit_transform(x)
    np.testing.assert_allclose((f**2).sum(axis=1), (x**2).mean(axis=1), rtol=1e-3)


def test_windows_of_octaves_end_at_four_samples():
    made = LegendreFeatures(D, theta="octaves").fit(series())
    assert made.thetas_ == (40.0, 20.0, 10.0, 5.0)
    assert LegendreFeatures(D, theta="octaves").fit(series()[:, :3]).thetas_ == (3.0,)


def test_names_tell_window_readout_channel_and_coefficient():
    made = LegendreFeatures(2, theta=(40, 10), readout=("last", "above")).fit(series())
    names = list(made.get_feature_names_out())
    assert len(names) == made.transform(series()).shape[1] == len(set(names))
    assert names[:4] == [f"theta40_last_x{j}_m{i}" for j in (0, 1) for i in (0, 1)]
    assert names[-1] == "theta10_above7_x1_m1"


def test_pandas_comes_out_where_it_is_asked_for():
    made = LegendreFeatures(3).set_output(transform="pandas")
    frame = made.fit_transform(series()[:, :, 0])
    assert list(frame.columns) == [f"theta40_last_m{i}" for i in range(3)]


@pytest.mark.parametrize("readout", ["last", ("mean", "max")])
def test_sequences_of_different_lengths_are_as_each_by_itself(readout):
    x = series()
    ragged = [each[: T - 3 * k] for k, each in enumerate(x)]
    made = LegendreFeatures(D, theta=15, readout=readout).fit(ragged)
    together = made.transform(ragged)
    for each, row in zip(ragged, together, strict=True):
        alone = LegendreFeatures(D, theta=15, readout=readout).fit_transform(each[None])
        np.testing.assert_allclose(row, alone[0], rtol=1e-9, atol=1e-11)


def test_features_of_all_scales_tell_what_the_plain_state_cannot():
    """Waves of two lengths and of any phase, whose mean is 0 at every sample.

    Of 100 sequences, chance is 0.5 with a standard error of 0.05.
    """
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    turns = np.arange(80) / np.where(y, 11, 8)[:, None] + rng.random((200, 1))
    x = np.sin(2 * np.pi * turns) + 0.5 * rng.standard_normal((200, 80))

    def score(features):
        model = make_pipeline(features, StandardScaler(), RidgeClassifierCV())
        return model.fit(x[:100], y[:100]).score(x[100:], y[100:])

    assert score(LegendreFeatures(16)) < 0.7
    assert score(LegendreFeatures(8, theta="octaves", readout=("std", "above"))) > 0.9


def test_the_order_is_found_by_a_grid_search():
    """The mean over the last half of a sequence needs more than one coefficient."""
    x = np.random.default_rng(1).standard_normal((120, 32))
    y = x[:, 16:].sum(axis=1) > 0
    model = make_pipeline(LegendreFeatures(), RidgeClassifierCV())
    search = GridSearchCV(model, {"legendrefeatures__order": [1, 12]}, cv=3).fit(x, y)
    assert search.best_params_ == {"legendrefeatures__order": 12}


def test_a_fitted_transformer_comes_back_from_a_file(tmp_path):
    made = LegendreFeatures(D, theta="octaves", readout="above").fit(series())
    joblib.dump(made, tmp_path / "features.joblib")
    back = joblib.load(tmp_path / "features.joblib")
    np.testing.assert_array_equal(back.transform(series()), made.transform(series()))


REFUSED = [
    ({"order": 0}, "LegendreFeatures.order: 0 must be a whole number of at least 1"),
    (
        {"theta": -1},
        "LegendreFeatures.theta: -1 must be a positive number (samples)",
    ),
    ({"theta": ()}, "LegendreFeatures.theta: () must be one window or more"),
    (
        {"theta": "all"},
        "LegendreFeatures.theta: 'all' is unknown; use one of octaves",
    ),
    (
        {"readout": "first"},
        "LegendreFeatures.readout: 'first' is unknown; use one of last, mean, std, "
        "min, max, above, every",
    ),
]


@pytest.mark.parametrize("given, message", REFUSED, ids=str)
def test_what_is_out_of_range_is_refused_in_a_line(given, message):
    with pytest.raises(ValidationError) as error:
        LegendreFeatures(**given).fit(series())
    assert str(error.value) == message


def test_sequences_that_do_not_fit_are_refused_in_a_line():
    made = LegendreFeatures(D, readout="every").fit(series())
    with pytest.raises(ValidationError, match="has 3 channels, and 2 in fit"):
        made.transform(series(channels=3))
    with pytest.raises(ValidationError, match="needs sequences of one length, 40"):
        made.transform(series()[:, :30])
    with pytest.raises(ValidationError, match="of sequence 1; all must have the chan"):
        made.fit([series()[0], series(channels=3)[0]])
    with pytest.raises(ValueError, match=r"Input X\[1\] contains NaN"):
        made.fit([series()[0], np.full((3, 2), np.nan)])
    with pytest.raises(ValidationError, match=r"must be \(n, T\), \(n, T, c\)"):
        made.fit(series()[None])


def test_without_scikit_learn(monkeypatch):
    LegendreFeatures()  # its module is there, whichever test comes first
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "lmu_spiking.estimators._sklearn")
    with pytest.raises(MissingPackageError, match=r"scikit-learn .*\[train\]"):
        importlib.import_module("lmu_spiking.estimators._sklearn")
