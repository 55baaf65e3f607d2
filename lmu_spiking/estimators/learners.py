"""LMUs that learn classes or values of sequences, by scikit-learn's conventions.

One cell without recurrent units: a memory of each channel, units that see all memories,
and a linear readout at the last sample.  `training.train` does the work.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from lmu_spiking.errors import (
    ValidationError,
    ValidityWarning,
    check_between,
    check_positive,
    check_whole,
)
from lmu_spiking.estimators._sklearn import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    check_classification_targets,
    check_is_fitted,
    check_random_state,
    column_or_1d,
    train_test_split,
)
from lmu_spiking.estimators.series import (
    Series,
    as_labelled,
    as_series,
    scales_of,
    spread,
    standardised,
)
from lmu_spiking.lmu.forward import forward, run_cell
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training.loop import train
from lmu_spiking.training.settings import TrainSettings

SEEN = 20  # sequences that are followed while training, where none are held out
STATES = 200  # sequences that the scale of the states is taken from


class _LMUEstimator(BaseEstimator):
    """The common part of classifier and regressor."""

    def __init__(
        self,
        order=32,
        units=200,
        theta=None,
        *,
        epochs=50,
        batch=32,
        learning_rate=0.003,
        noise=0.2,
        weight_decay=0.01,
        validation_fraction=0.0,
        patience=None,
        random_state=None,
    ):
        self.order = order
        self.units = units
        self.theta = theta
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.noise = noise
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    # -- fit -------------------------------------------------------------------------

    def _fit(self, series: Series, y: np.ndarray, classes: int | None):
        """Learn targets ``y``, classes (n,) from 0 or values (n, q) of deviation 1."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        settings, held_out = self._settings(seed), self._held_out(y, classes, seed)
        self.mean_, self.scale_ = scales_of(series)
        x = standardised(series, self.mean_, self.scale_)
        # some sequences are held out, or a few of those that are trained on are shown
        chosen = np.setdiff1d(np.arange(len(x)), held_out)
        shown = held_out if len(held_out) else spread(len(x), SEEN)
        own, other = (Part(x[rows], y[rows]) for rows in (chosen, shown))
        origin = f"{type(self).__name__}.fit"
        data = Sequences("sequences", own, other, other, 1.0, classes, True, origin)
        begin = self._begin(x[spread(len(x), STATES)], data, seed)
        with warnings.catch_warnings():  # equal sequences are the user's own affair
            warnings.filterwarnings("ignore", "train: of the task", ValidityWarning)
            trained = train(begin, data, settings)
        # what is learned, without results on parts that are no test
        header = {**trained.params.header}
        header.pop("results")
        self.params_ = replace(trained.params, header=header)
        self.history_ = trained.history
        self.loss_curve_ = [record["loss"] for record in trained.history]
        self.n_iter_ = len(trained.history)
        self.best_epoch_ = trained.best_epoch
        return self

    def _settings(self, seed: int) -> TrainSettings:
        """Return the settings of the training."""
        fraction, name = self.validation_fraction, type(self).__name__
        check_between(f"{name}.validation_fraction", fraction, 0, 0.9)
        if self.patience is not None and not fraction:
            problem, remedy = "needs sequences to judge by", "set validation_fraction"
            raise ValidationError(f"{name}.patience", self.patience, problem, remedy)
        return TrainSettings(
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            schedule="cosine",
            noise=self.noise,
            weight_decay=self.weight_decay,
            patience=self.patience,
            keep="best" if fraction else "last",
            seed=seed,
        )

    def _held_out(self, y: np.ndarray, classes: int | None, seed: int) -> np.ndarray:
        """Return which sequences are held out to validate, of all classes alike."""
        if not self.validation_fraction:
            return np.arange(0)
        options: dict[str, Any] = {"test_size": self.validation_fraction}
        options |= {"random_state": seed, "stratify": y if classes else None}
        return np.asarray(train_test_split(np.arange(len(y)), **options)[1])

    def _begin(self, x: np.ndarray, data: Sequences, seed: int) -> LMUParams:
        """Return initial parameters, whose memories have states of rms 1."""
        name = type(self).__name__
        order = check_whole(f"{name}.order", self.order, 1)
        theta = x.shape[1] if self.theta is None else self.theta
        theta = check_positive(f"{name}.theta", theta, "samples, or None")
        # a window of so many samples has no more coefficients
        order = min(order, max(1, int(np.ceil(theta))))
        c = data.size_in
        cell: dict[str, Any] = {"units": self.units, "order": order, "theta": theta}
        cell |= {"memory_d": c, "connections": "", "bias": True, "activation": "relu"}
        about = {"task": data.name, "classes": data.classes, "last": True}
        params = LMUParams.draw(c, data.size_out, [cell], dt=1.0, seed=seed, **about)
        one = CellParams(order, theta, np.eye(c), np.zeros((1, c * order)))
        m, _ = run_cell(one, x, 1.0, last=True)
        rms = np.sqrt(np.mean(m.reshape(-1, c, order) ** 2, axis=(0, 2)))
        encoders = np.diag(1 / np.where(rms > 1e-9, rms, 1.0))
        return params.updated({"cell0.e_x": encoders})

    # -- predict ---------------------------------------------------------------------

    def _outputs(self, X) -> np.ndarray:
        """Return the outputs (n, q) for sequences."""
        check_is_fitted(self, "params_")
        return forward(self.params_, self._inputs(X), last=True)

    def _inputs(self, X) -> np.ndarray:
        """Return the sequences (n, T, c) that the parameters are for."""
        series = as_series(self, X, reset=False)
        return standardised(series, self.mean_, self.scale_)

    def _keep(self, series: Series, y: np.ndarray) -> None:
        """Keep a few sequences and their targets, to convert by."""
        few = spread(len(series.x))
        self.calibration_ = (series.choose(few), y[few])

    def _to_spikes(self, kind, X, settings: dict):
        """Return the spiking estimator of a kind."""
        check_is_fitted(self, "params_")
        series = self.calibration_[0] if X is None else as_series(self, X, reset=False)
        x = standardised(series.few(), self.mean_, self.scale_)
        return kind.of(self, x, settings)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags


class LMUClassifier(ClassifierMixin, _LMUEstimator):
    """A Legendre Memory Unit that tells classes of sequences apart.

    A memory of each channel, units that see all memories, and a linear readout at the
    last sample; trained with JAX (``pip install 'lmu_spiking[train]'``), and run in
    spikes by `to_spikes` without being trained again.

    Parameters
    ----------
    order : int
        Legendre coefficients of each channel's memory; no more than the samples of its
        window are used.
    units : int
        Rectified units.
    theta : float, optional
        Window, in samples; by default the whole sequence, as long as in the fit.
    epochs, batch : int
        Sequences that do not fill a last batch are left out of the epoch.
    learning_rate : float
        Of Adam; it falls to 0 over all epochs, as a cosine.
    noise : float
        Gaussian noise on the states while training, in units of their rms: against
        overfitting, and for spikes.
    weight_decay : float
        Of matrices.
    validation_fraction : float
        Share of the sequences that is held out; parameters of the epoch that does best
        on them are kept.  With 0 all are trained on, and the last epoch is kept.
    patience : int, optional
        Epochs without a better validation after which the training ends.
    random_state : int, RandomState or None
        Draws initial kernels, batches and noise.  Equal numbers give equal parameters
        on one machine.

    Attributes
    ----------
    classes_ : (q,) ndarray
        The labels.
    params_ : LMUParams
        What is learned, for sequences of mean 0 and deviation 1, with a clock of one
        second a sample.
    mean_, scale_ : (c,) ndarray
        Mean and deviation of each channel in the fit, which sequences are standardised
        by.
    history_ : list of dict
        Of each epoch, as `Trained.history`.
    loss_curve_ : list of float
        Of each epoch, its mean loss.
    n_iter_, best_epoch_ : int
        Epochs, and the one whose parameters were kept, from 1.
    calibration_ : (Series, ndarray)
        At most 200 sequences of the fit and their classes as numbers, which `to_spikes`
        takes ranges from; they are kept and pickled with the estimator.
    n_features_in_, n_channels_in_ : int
        Samples ``T`` and channels ``c`` in the fit.

    Notes
    -----
    Sequences may be (n, T), (n, T, c) or a list of (T_i, c).  Those in 2-D have the
    ``T`` of the fit, others may have any.  There are no sample weights, and no
    ``partial_fit``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=60)
    >>> X = np.cumsum(rng.standard_normal((60, 30)) + 0.5 * y[:, None], axis=1)
    >>> LMUClassifier(order=4, units=20, random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """

    def fit(self, X, y):
        """Learn the classes of sequences.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.
        y : (n,) array_like
            Their labels.

        Returns
        -------
        LMUClassifier
            Itself.

        Raises
        ------
        ValueError
            If sequences, labels or settings are not as they must be.
        """
        series, y = as_labelled(self, X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(column_or_1d(y), return_inverse=True)
        if len(self.classes_) < 2:
            problem, only = "has one class only", str(self.classes_[0])
            raise ValidationError("LMUClassifier.y", only, problem, "give two or more")
        self._fit(series, codes, len(self.classes_))
        self._keep(series, codes)
        return self

    def decision_function(self, X) -> np.ndarray:
        """Return the outputs of sequences, before a softmax.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.

        Returns
        -------
        (n, q) ndarray, or (n,) for two classes
            Of two classes, the second output less the first.
        """
        return decisions(self._outputs(X))

    def predict_proba(self, X) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.

        Returns
        -------
        (n, q) ndarray
            In the order of ``classes_``.
        """
        return probabilities(self._outputs(X))

    def predict(self, X) -> np.ndarray:
        """Return the most probable class of each sequence.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.

        Returns
        -------
        (n,) ndarray
            Labels.
        """
        chosen = self._outputs(X).argmax(axis=1)
        return self.classes_[chosen]

    def to_spikes(self, X=None, **settings):
        """Return the same classifier on spiking neurons, of the same mean.

        Parameters
        ----------
        X : array_like, optional
            Sequences like those to come, which ranges and rates are taken from; by
            default those of ``calibration_``.
        **settings
            Of `ConvertSettings`: ``n_neurons`` (10,000), ``neuron_type`` (``"if"``),
            ``presentation`` (0.01 s a sample), ``dt`` (0.001 s) and more.

        Returns
        -------
        SpikingClassifier
            With the predicted loss in ``predicted_loss``.
        """
        from lmu_spiking.estimators.spiking import SpikingClassifier

        return self._to_spikes(SpikingClassifier, X, settings)


class LMURegressor(RegressorMixin, _LMUEstimator):
    """A Legendre Memory Unit that predicts values of sequences.

    As `LMUClassifier`, with one or several values in place of classes.

    Parameters
    ----------
    order, units : int
        Of the memories, and of what reads them, as of `LMUClassifier`.
    theta : float, optional
        Window, in samples.
    epochs, batch : int
        Of the training.
    learning_rate, noise, weight_decay : float
        Of the training.
    validation_fraction : float
        Share of the sequences that is held out.
    patience : int, optional
        Epochs without a better validation after which the training ends.
    random_state : int, RandomState or None
        As of `LMUClassifier`.

    Attributes
    ----------
    params_ : LMUParams
        What is learned, for sequences of mean 0 and deviation 1 and for values in their
        own units, with a clock of one second a sample.
    mean_, scale_, history_, loss_curve_, n_iter_, best_epoch_
        As of `LMUClassifier`; the losses are relative to the variance of the values.
    calibration_ : (Series, ndarray)
        At most 200 sequences of the fit and their values (n, q).
    n_features_in_, n_channels_in_ : int
        Samples ``T`` and channels ``c`` in the fit.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((200, 30))
    >>> y = X[:, 20:].sum(axis=1)
    >>> LMURegressor(random_state=0).fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.5
    True
    """

    def fit(self, X, y):
        """Learn values of sequences.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.
        y : (n,) or (n, q) array_like
            Their values.

        Returns
        -------
        LMURegressor
            Itself.

        Raises
        ------
        ValueError
            If sequences, values or settings are not as they must be.
        """
        options: dict[str, Any] = {"multi_output": True, "y_numeric": True}
        series, y = as_labelled(self, X, y, ensure_min_samples=2, **options)
        self._one_value = y.ndim == 1
        y = np.asarray(y, dtype=float).reshape(len(y), -1)
        # values of deviation 1 are learned, and the readout has their units
        middle, spread_ = y.mean(axis=0), y.std(axis=0)
        if not spread_.any():
            problem = "does not vary, so there is nothing to learn"
            raise ValidationError("LMURegressor.y", float(middle[0]), problem)
        spread_ = np.where(spread_ > 0, spread_, 1.0)
        self._fit(series, (y - middle) / spread_, None)
        p = self.params_
        self.params_ = replace(p, D=p.D * spread_[:, None], c=p.c * spread_ + middle)
        self._keep(series, y)
        return self

    def predict(self, X) -> np.ndarray:
        """Return the values of sequences.

        Parameters
        ----------
        X : (n, T) or (n, T, c) array_like, or list of (T_i, c) array_like
            Sequences.

        Returns
        -------
        (n,) or (n, q) ndarray
            As the values of the fit.
        """
        y = self._outputs(X)
        return y[:, 0] if self._one_value else y

    def to_spikes(self, X=None, **settings):
        """Return the same regressor on spiking neurons, of the same mean.

        Parameters
        ----------
        X : array_like, optional
            As of `LMUClassifier.to_spikes`.
        **settings
            Of `ConvertSettings`, as of `LMUClassifier.to_spikes`.

        Returns
        -------
        SpikingRegressor
            With the predicted loss in ``predicted_loss``.
        """
        from lmu_spiking.estimators.spiking import SpikingRegressor

        return self._to_spikes(SpikingRegressor, X, settings)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def decisions(outputs: np.ndarray) -> np.ndarray:
    """Return decision values, as scikit-learn has them, of outputs.

    Parameters
    ----------
    outputs : (n, q) ndarray

    Returns
    -------
    (n, q) ndarray, or (n,) for two classes
        Of two classes, the second output less the first.
    """
    return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return the softmax of outputs.

    Parameters
    ----------
    outputs : (n, q) ndarray

    Returns
    -------
    (n, q) ndarray
        Rows sum to 1.
    """
    size = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return size / size.sum(axis=1, keepdims=True)
