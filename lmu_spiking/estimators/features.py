r"""The state of a delay network as features of sequences, for scikit-learn.

With the impulse response ``H`` (T, d) of the delay network,

.. math::

    m_t = \sum_{s \le t} H_{t-s}\, u_s, \qquad f_i = m_i / \sqrt{2i + 1} ,

for each channel and window.  The squares of the features ``f`` of one window sum to
about the mean square of the sequence in it, whatever its units of time are, so that a
linear model that shrinks all weights alike treats all coefficients alike.
"""

import numbers

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_whole,
)
from lmu_spiking.estimators._sklearn import (
    BaseEstimator,
    TransformerMixin,
    check_is_fitted,
)
from lmu_spiking.estimators.series import Series, as_series

READOUTS = ("last", "mean", "std", "min", "max", "above", "every")
LEVELS = np.arange(1, 8) / 8  # quantiles of the states that "above" counts beyond
SHORTEST = 4  # samples of the shortest window of "octaves"
ROOM = 2**22  # numbers of the states that are held at once


class LegendreFeatures(TransformerMixin, BaseEstimator):
    r"""Legendre coefficients of sliding windows, as features of sequences.

    Exactly the states of `LDN`, from rest, each coefficient divided by
    ``sqrt(2i + 1)``: the squares of one window's features then sum to about the mean
    square of the sequence in it.

    Parameters
    ----------
    order : int
        Coefficients of each window, ``d``.
    theta : float, iterable of float, "octaves" or None
        Window or windows, in samples.  None is the whole sequence, as long as in the
        fit; "octaves" are the whole, a half, a quarter, down to four samples.
    readout : str or iterable of str
        What is read of each coefficient: ``"last"``, at the end of the sequence;
        ``"mean"``, ``"std"``, ``"min"`` and ``"max"`` over its samples; ``"above"``,
        the shares of samples at which it is above seven levels, the octiles of the
        states in the fit (at most 200 sequences); ``"every"``, after each sample.

    Attributes
    ----------
    thetas_ : tuple of float
        The windows, in samples.
    levels_ : list of (7, c, d) ndarray or None
        For each window the levels of ``"above"``.
    calibration_ : Series
        At most 200 sequences of the fit, which `to_spikes` takes ranges from.
    n_features_in_, n_channels_in_ : int
        Samples ``T`` and channels ``c`` in the fit.

    Notes
    -----
    For classes, ``LegendreFeatures(8, theta="octaves", readout=("last", "above"))``
    before a `StandardScaler` and a `RidgeClassifierCV` is a good start: features of all
    scales, most of which do not change when what counts is shifted in time.  The plain
    state suits sequences that begin at the same point.

    Sequences may be (n, T), (n, T, c) or a list of (T_i, c).  Those in 2-D have the
    ``T`` of the fit, others may have any.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((5, 50))
    >>> LegendreFeatures(order=6).fit_transform(X).shape
    (5, 6)
    """

    n_features_in_: int
    n_channels_in_: int

    def __init__(self, order=16, theta=None, readout="last"):
        self.order = order
        self.theta = theta
        self.readout = readout

    def fit(self, X, y=None):
        """Learn the length of the sequences, and levels where they are asked for.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.
        y : None
            Not used.

        Returns
        -------
        LegendreFeatures
            Itself.
        """
        series = as_series(self, X, reset=True)
        check_whole("LegendreFeatures.order", self.order, 1)
        readouts = self._readouts()
        self.thetas_ = windows(self.theta, series.x.shape[1])
        self.calibration_ = series.few()
        self.levels_ = None
        if "above" in readouts:
            size = series.x[0].size * self.order
            seen = self.calibration_.few(max(1, 4 * ROOM // size))
            of_each = (self.states(seen.x, w) for w in range(len(self.thetas_)))
            self.levels_ = [_levels(m[seen.inside]) for m in of_each]
        return self

    def transform(self, X) -> np.ndarray:
        """Return the features of sequences.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.

        Returns
        -------
        (n, f) ndarray
            Window by window, readout by readout, channel by channel.
        """
        check_is_fitted(self, "thetas_")
        series = as_series(self, X, reset=False)
        n, T, c = series.x.shape
        most = max(1, ROOM // (T * c * self.order))
        parts = [series.choose(slice(i, i + most)) for i in range(0, n, most)]
        found = [
            [self._windowed(part, w) for w in range(len(self.thetas_))]
            for part in parts
        ]
        features = np.concatenate([np.concatenate(row, axis=1) for row in found])
        return features.astype(series.x.dtype, copy=False)

    def states(self, x: np.ndarray, window: int) -> np.ndarray:
        """Return the scaled states (n, T, c, d) of one window after each sample.

        Parameters
        ----------
        x : (n, T, c) ndarray
        window : int
            Its number, from 0.

        Returns
        -------
        (n, T, c, d) ndarray
            In double precision.
        """
        (n, T, c), ldn = x.shape, LDN(self.order, self.thetas_[window])
        u = x.transpose(1, 0, 2).reshape(T, n * c)
        m = ldn.simulate(u, 1.0).reshape(T, n, c, -1)
        return m.transpose(1, 0, 2, 3) / scale(self.order)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the features.

        Parameters
        ----------
        input_features : array_like of str, optional
            As many as samples in the fit; they are not part of the names.

        Returns
        -------
        (f,) ndarray of str
            Such as ``theta100_last_m3``, or ``theta100_last_x2_m3`` of channel 2.
        """
        check_is_fitted(self, "thetas_")
        if input_features is not None and len(input_features) != self.n_features_in_:
            problem = "input_features should have length equal to number of features"
            raise ValueError(f"{problem}, {self.n_features_in_}")
        channels = self.n_channels_in_
        inner = [
            f"{'' if channels == 1 else f'x{j}_'}m{i}"
            for j in range(channels)
            for i in range(self.order)
        ]
        names = []
        for theta in self.thetas_:
            for readout in self._readouts():
                for part in self._parts(readout):
                    names += [f"theta{theta:g}_{readout}{part}_{x}" for x in inner]
        return np.array(names, dtype=object)

    def to_spikes(self, X=None, **settings):
        """Return the same features, from spiking memories.

        Parameters
        ----------
        X : array_like, optional
            Sequences like those to come, which the ranges are taken from; by default
            those of ``calibration_``.
        **settings
            Of `ConvertSettings`: ``n_neurons``, of all memories together (10,000),
            ``neuron_type`` (``"if"``), ``presentation`` (0.01 s a sample), ``dt``
            (0.001 s) and more.

        Returns
        -------
        SpikingFeatures
            A transformer, with its predicted error in ``error_``.
        """
        from lmu_spiking.estimators.spiking import SpikingFeatures

        check_is_fitted(self, "thetas_")
        series = self.calibration_ if X is None else as_series(self, X, reset=False)
        return SpikingFeatures.of(self, series.few(), settings)

    def pooled(self, m: np.ndarray, series: Series, window: int) -> np.ndarray:
        """Return what is read (n, f) of states of sequences.

        Parameters
        ----------
        m : (n, T, c, d) ndarray
            States of one window.
        series : Series
            The sequences.
        window : int
            Its number, from 0.

        Returns
        -------
        (n, f) ndarray
            Readout by readout, channel by channel.
        """
        levels = None if self.levels_ is None else self.levels_[window]
        readouts, T = self._readouts(), m.shape[1]
        if "every" in readouts and (series.ragged or T != self.n_features_in_):
            problem = f"needs sequences of one length, {self.n_features_in_} samples"
            raise ValidationError("LegendreFeatures.readout", "every", problem)
        # over a sequence's own samples, of all sequences of one length at a time
        found = None
        for length in np.unique(series.lengths):
            rows = np.flatnonzero(series.lengths == length)
            own = m[rows, T - length :]
            read = [_read(own, readout, levels) for readout in readouts]
            read = np.concatenate(read, axis=1)
            if found is None:
                found = np.empty((len(m), read.shape[1]))
            found[rows] = read
        assert found is not None
        return found

    def _windowed(self, series: Series, window: int) -> np.ndarray:
        """Return the features (n, f) of one window."""
        if self._readouts() != ("last",):
            return self.pooled(self.states(series.x, window), series, window)
        # the last state alone is one product
        x, impulse = series.x, np.zeros(series.x.shape[1])
        impulse[0] = 1
        H = LDN(self.order, self.thetas_[window]).simulate(impulse, 1.0)
        H = H[::-1] / scale(self.order)
        return np.einsum("ntc,td->ncd", x, H, optimize=True).reshape(len(x), -1)

    def _readouts(self) -> tuple[str, ...]:
        """Return the readouts that are asked for, or raise a ValidationError."""
        one = isinstance(self.readout, str)
        asked = (self.readout,) if one else tuple(self.readout)
        for readout in asked or ("",):
            check_one_of("LegendreFeatures.readout", readout, READOUTS)
        return asked

    def _parts(self, readout: str) -> list:
        """Return what distinguishes the several features of one readout."""
        if readout == "above":
            return list(range(1, len(LEVELS) + 1))
        return list(range(self.n_features_in_)) if readout == "every" else [""]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags


def windows(theta, steps: int) -> tuple[float, ...]:
    """Return the windows that are asked for, in samples.

    Parameters
    ----------
    theta : float, iterable of float, "octaves" or None
        As of `LegendreFeatures`.
    steps : int
        Of the sequences.

    Returns
    -------
    tuple of float
        The longest first, of octaves.
    """
    name = "LegendreFeatures.theta"
    if theta is None:
        return (float(steps),)
    if isinstance(theta, str):
        check_one_of(name, theta, ("octaves",))
        halved = int(np.log2(max(steps / SHORTEST, 1)))
        return tuple(steps / 2.0**k for k in range(halved + 1))
    several = (theta,) if isinstance(theta, numbers.Number) else tuple(theta)
    if not several:
        raise ValidationError(name, theta, "must be one window or more")
    return tuple(check_positive(name, value, "samples") for value in several)


def scale(order: int) -> np.ndarray:
    """Return ``sqrt(2i + 1)`` (d,), which coefficients are divided by.

    Parameters
    ----------
    order : int

    Returns
    -------
    (d,) ndarray
        From 1 on.
    """
    return np.sqrt(2.0 * np.arange(order) + 1)


def _levels(seen: np.ndarray) -> np.ndarray:
    """Return the levels (7, c, d) of states (S, c, d)."""
    # a state that is a level itself, as of constant signals, is not above it, however
    # its sum is rounded
    return np.quantile(seen, LEVELS, axis=0) + 1e-9 * np.sqrt(np.mean(seen**2, axis=0))


def _read(m: np.ndarray, readout: str, levels) -> np.ndarray:
    """Return one readout (n, f) of states (n, T, c, d) of sequences of one length."""
    if readout == "last":
        found = m[:, -1]
    elif readout == "above":
        found = np.stack([np.mean(m > level, axis=1) for level in levels], axis=1)
    elif readout == "every":
        found = m
    else:
        found = getattr(np, readout)(m, axis=1)
    return found.reshape(len(m), -1)
