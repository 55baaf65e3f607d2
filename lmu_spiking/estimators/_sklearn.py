"""What is used of scikit-learn, imported in one place, which tells if it is missing."""

from typing import Any

from lmu_spiking.errors import needs

with needs("scikit-learn", "train"):
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        RegressorMixin,
        TransformerMixin,
    )
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_array, check_consistent_length, check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        check_is_fitted,
        column_or_1d,
    )
    from sklearn.utils.validation import validate_data as _validate_data

validate_data: Any = _validate_data  # whose arrays are strings, by their defaults

__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "RegressorMixin",
    "TransformerMixin",
    "check_array",
    "check_classification_targets",
    "check_consistent_length",
    "check_is_fitted",
    "check_random_state",
    "column_or_1d",
    "train_test_split",
    "validate_data",
]
