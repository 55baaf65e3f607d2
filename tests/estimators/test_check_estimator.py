"""The checks of scikit-learn, none of which is expected to fail."""

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("jax")
from sklearn.utils.estimator_checks import parametrize_with_checks

from lmu_spiking import LegendreFeatures, LMUClassifier, LMURegressor

EVERY = ("last", "mean", "std", "min", "max", "above", "every")


@parametrize_with_checks(
    [
        LegendreFeatures(),
        LegendreFeatures(4, theta="octaves", readout=EVERY),
        LMUClassifier(),
        LMURegressor(),
    ]
)
def test_scikit_learn_accepts_the_estimator(estimator, check):
    check(estimator)
