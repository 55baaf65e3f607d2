"""What a user passes as ``X``, as sequences of one shape.

scikit-learn's arrays (n, T) are sequences of one channel; (n, T, c) are sequences of
several, and a list has one array (T_i, c) for each.  Shorter sequences begin later:
they have zeros in front, at which a memory stays at rest, so that what it holds at the
end is exactly what it would hold without them.
"""

from typing import Any, NamedTuple

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.estimators._sklearn import check_array, validate_data

CALIBRATED_ON = 200  # sequences at most that a fitted estimator keeps
KINDS = [np.float64, np.float32]
OPTIONS: dict[str, Any] = {"dtype": KINDS, "allow_nd": True}


class Series(NamedTuple):
    """Sequences side by side, which end together.

    Parameters
    ----------
    x : (n, T, c) ndarray
        With zeros in front of those that are shorter than ``T``.
    lengths : (n,) ndarray of int
        Samples of each.
    """

    x: np.ndarray
    lengths: np.ndarray

    def choose(self, rows) -> "Series":
        """Return some of the sequences.

        Parameters
        ----------
        rows : slice or array of int
            Which.

        Returns
        -------
        Series
            In that order.
        """
        return Series(self.x[rows], self.lengths[rows])

    def few(self, most: int = CALIBRATED_ON) -> "Series":
        """Return at most so many of the sequences, evenly spread over all.

        Parameters
        ----------
        most : int
            At least 1.

        Returns
        -------
        Series
            In their order.
        """
        return self.choose(spread(len(self.x), most))

    @property
    def inside(self) -> np.ndarray:
        """Return which samples (n, T) are those of a sequence."""
        T = self.x.shape[1]
        return np.arange(T) >= T - self.lengths[:, None]

    @property
    def ragged(self) -> bool:
        """Return whether lengths differ."""
        return bool((self.lengths < self.x.shape[1]).any())


def as_series(estimator, X, *, reset: bool) -> Series:
    """Return what a user passes as sequences, checked as scikit-learn does.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_`` and ``n_channels_in_`` in a fit.
    X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
        Sequences.
    reset : bool
        Whether this is a fit.

    Returns
    -------
    Series
        In single precision if they are so, else in double.

    Raises
    ------
    ValueError
        As scikit-learn's own estimators.
    """
    X, lengths = _padded(estimator, X) if _is_sequences(X) else (X, None)
    if not reset and getattr(X, "ndim", 2) == 3:  # of any length
        x = check_array(X, estimator=estimator, input_name="X", **OPTIONS)
    else:
        x = validate_data(estimator, X, reset=reset, **OPTIONS)
    return _series(estimator, x, lengths, reset)


def as_labelled(estimator, X, y, **options) -> tuple[Series, np.ndarray]:
    """Return sequences and their targets of a fit, checked as scikit-learn does.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_`` and ``n_channels_in_``.
    X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
        Sequences.
    y : (n,) or (n, q) array_like
        Their targets.
    **options
        Of scikit-learn's ``validate_data``.

    Returns
    -------
    Series, ndarray
        Sequences and targets.

    Raises
    ------
    ValueError
        As scikit-learn's own estimators.
    """
    X, lengths = _padded(estimator, X) if _is_sequences(X) else (X, None)
    x, y = validate_data(estimator, X, y, reset=True, **OPTIONS, **options)
    return _series(estimator, x, lengths, True), y


def _series(estimator, x: np.ndarray, lengths, reset: bool) -> Series:
    """Return sequences of the channels that were fitted, or a ValidationError."""
    name = f"{type(estimator).__name__}.X"
    if x.ndim > 3 or 0 in x.shape:
        problem = "must be (n, T), (n, T, c) or a list of (T_i, c)"
        raise ValidationError(name, x.shape, problem)
    x = x if x.ndim == 3 else x[:, :, None]
    if reset:
        estimator.n_channels_in_ = x.shape[2]
    elif x.shape[2] != estimator.n_channels_in_:
        problem = f"has {x.shape[2]} channels, and {estimator.n_channels_in_} in fit"
        raise ValidationError(name, x.shape, problem)
    return Series(x, np.full(len(x), x.shape[1]) if lengths is None else lengths)


def spread(n: int, most: int = CALIBRATED_ON) -> np.ndarray:
    """Return at most so many of the numbers from 0 to ``n - 1``, evenly spread.

    Parameters
    ----------
    n, most : int
        At least 1.

    Returns
    -------
    ndarray of int
        In their order.
    """
    return np.linspace(0, n - 1, min(n, most)).astype(int)


def scales_of(series: Series) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel, over all its samples.

    Parameters
    ----------
    series : Series

    Returns
    -------
    mean, scale : (c,) ndarray
        The scale of a channel that is constant is 1.
    """
    samples = series.x[series.inside].astype(float)
    mean, scale = samples.mean(axis=0), samples.std(axis=0)
    # a constant is not zero to rounding
    constant = scale <= 1e-12 * np.maximum(np.abs(mean), np.abs(samples).max(axis=0))
    return mean, np.where(constant, 1.0, scale)


def standardised(series: Series, mean, scale) -> np.ndarray:
    """Return sequences (n, T, c) of mean 0 and deviation 1, and zeros before them.

    Parameters
    ----------
    series : Series
    mean, scale : (c,) ndarray
        Of each channel.

    Returns
    -------
    (n, T, c) ndarray
        In double precision.
    """
    z = (series.x.astype(float) - mean) / scale
    return np.where(series.inside[:, :, None], z, 0.0) if series.ragged else z


def _is_sequences(X) -> bool:
    """Return whether ``X`` is a list of sequences, and not the rows of one array."""
    if not isinstance(X, list | tuple) or not len(X):
        return False
    try:
        shapes = [np.shape(each) for each in X]
    except ValueError:  # a sequence whose rows differ in length; refused below
        return True
    return any(len(s) == 2 for s in shapes) or len({s[:1] for s in shapes}) > 1


def _padded(estimator, X) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of different lengths as one array, and their lengths."""
    name = f"{type(estimator).__name__}.X"
    checked: list[np.ndarray] = []
    for i, each in enumerate(X):
        each = np.asarray(each)
        options: dict = {"ensure_2d": False, "dtype": KINDS}
        each = check_array(each, estimator=estimator, input_name=f"X[{i}]", **options)
        each = each[:, None] if each.ndim == 1 else each
        if each.shape[1] != (checked or [each])[0].shape[1]:
            problem = f"is of sequence {i}; all must have the channels of the first"
            raise ValidationError(name, each.shape, problem)
        checked.append(each)
    lengths = np.array([len(each) for each in checked])
    T, c = lengths.max(), checked[0].shape[1]
    x = np.zeros((len(X), T, c), dtype=np.result_type(*checked))
    for row, each in zip(x, checked, strict=True):
        row[T - len(each) :] = each
    return x, lengths
