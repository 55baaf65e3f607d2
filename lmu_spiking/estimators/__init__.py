"""Estimators by scikit-learn's conventions, and the same in spikes.

What is fitted are arrays of plain numbers; ``to_spikes()`` of a fitted estimator is the
same estimator on spiking neurons, with its loss or its errors predicted.
"""

from lmu_spiking.estimators.features import LegendreFeatures
from lmu_spiking.estimators.learners import LMUClassifier, LMURegressor
from lmu_spiking.estimators.spiking import (
    SpikingClassifier,
    SpikingFeatures,
    SpikingRegressor,
)

__all__ = [
    "LMUClassifier",
    "LMURegressor",
    "LegendreFeatures",
    "SpikingClassifier",
    "SpikingFeatures",
    "SpikingRegressor",
]
