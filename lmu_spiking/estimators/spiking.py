"""Fitted estimators on spiking neurons, with their loss or their errors predicted.

They are fitted when they are made, from an estimator that is: `fit` returns them as
they are, and scikit-learn does not clone them.
"""

from dataclasses import replace
from functools import cached_property
from typing import Any

import nengo
import numpy as np

from lmu_spiking.conversion.conversion import Conversion, convert, draw_seeds
from lmu_spiking.conversion.predict import cell_noise, noisy_forward
from lmu_spiking.conversion.report import ConversionReport, predict_loss, report
from lmu_spiking.conversion.run import present
from lmu_spiking.conversion.settings import PREDICTABLE
from lmu_spiking.errors import ValidationError
from lmu_spiking.estimators._sklearn import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    TransformerMixin,
    check_consistent_length,
    column_or_1d,
)
from lmu_spiking.estimators.features import scale
from lmu_spiking.estimators.learners import decisions, probabilities
from lmu_spiking.estimators.series import Series, as_series, standardised
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.memory.design import Design
from lmu_spiking.memory.open_loop import FEW_ROUNDS, measure_errors
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.simulator.targets import simulator

DEFAULTS = {"n_neurons": 10_000, "neuron_type": "if"}
ENTRIES = 2**22  # numbers of states that are recorded at once
NOISELESS = 1e12  # spikes of a unit, so that its noise is none
PREDICTED_ON = 50  # sequences that the errors of features are predicted on
PREDICTED_STEPS = 200_000  # of all of these and their channels, about
DRAWS = 4  # of the noise, for each of them


class _Spiking(BaseEstimator):
    """A fitted estimator on spiking neurons."""

    def fit(self, X, y=None):
        """Return itself: it is fitted.

        Parameters
        ----------
        X, y : object
            Not used.

        Returns
        -------
        _Spiking
            Itself.
        """
        return self

    def __sklearn_clone__(self):
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True  # spikes depend on what is run beside them
        return tags


class _SpikingModel(_Spiking):
    """The common part of spiking classifiers and regressors.

    Parameters
    ----------
    estimator : LMUClassifier or LMURegressor
        That it is made of.
    conversion : Conversion
        Its network: neurons, settings and designs.
    """

    def __init__(self, estimator, conversion: Conversion):
        self.estimator = estimator
        self.conversion = conversion

    @classmethod
    def of(cls, estimator, x: np.ndarray, settings: dict):
        """Return a fitted estimator in spikes, converted for standardised sequences.

        Parameters
        ----------
        estimator : LMUClassifier or LMURegressor
        x : (n, T, c) ndarray
        settings : dict
            Of `ConvertSettings`, beside `DEFAULTS`.

        Returns
        -------
        _SpikingModel
            Of this class.
        """
        made = convert(estimator.params_, x, last=True, **(DEFAULTS | settings))
        return cls(estimator, made)

    @cached_property
    def predicted_loss(self) -> float | None:
        """Return the loss that is predicted on the sequences kept from the fit.

        Accuracy lost, or NRMSE added; None for neurons whose noise the error model does
        not predict.  `report` predicts it for other sequences.
        """
        series, y = self.estimator.calibration_
        x = standardised(series, self.estimator.mean_, self.estimator.scale_)
        return predict_loss(self.conversion, x, y, last=True)[0]

    def report(self, X, y, **options) -> ConversionReport:
        """Run sequences, and account for what the spikes lose and cost.

        Parameters
        ----------
        X : array_like
            Sequences, as in the fit.
        y : array_like
            Their labels or values.
        **options
            Of `lmu_spiking.conversion.present`, such as ``jobs=-1``.

        Returns
        -------
        ConversionReport
            Predicted and measured.
        """
        x = self.estimator._inputs(X)
        check_consistent_length(x, y)
        return report(self.conversion, x, self._targets(y), last=True, **options)

    def _outputs(self, X) -> np.ndarray:
        """Return the outputs (n, q) of the spikes."""
        return present(self.conversion, self.estimator._inputs(X), last=True).y

    def _targets(self, y) -> np.ndarray:
        """Return targets as the network has them."""
        raise NotImplementedError


class SpikingClassifier(ClassifierMixin, _SpikingModel):
    """A classifier on spiking neurons, made by `LMUClassifier.to_spikes`.

    ``report(X, y)`` runs sequences and returns a `ConversionReport`: the loss that is
    predicted for them and the one that is measured, spikes and operations.

    Parameters
    ----------
    estimator : LMUClassifier
        That it is made of.
    conversion : Conversion
        Its network: neurons, settings and designs.

    Attributes
    ----------
    predicted_loss : float or None
        That is predicted on the sequences kept from the fit, which the estimator was
        trained on; None for neurons whose noise the error model does not predict.
    """

    @property
    def classes_(self) -> np.ndarray:
        """Return the labels."""
        return self.estimator.classes_

    def decision_function(self, X) -> np.ndarray:
        """Return the outputs of the spikes, as `LMUClassifier.decision_function` does.

        Parameters
        ----------
        X : array_like
            Sequences, as in the fit.

        Returns
        -------
        (n, q) ndarray, or (n,) for two classes
            Of two classes, the second output less the first.
        """
        return decisions(self._outputs(X))

    def predict_proba(self, X) -> np.ndarray:
        """Return the softmax of the outputs of the spikes.

        Parameters
        ----------
        X : array_like
            Sequences, as in the fit.

        Returns
        -------
        (n, q) ndarray
            In the order of ``classes_``.
        """
        return probabilities(self._outputs(X))

    def predict(self, X) -> np.ndarray:
        """Return the class of each sequence that the spikes tell.

        Parameters
        ----------
        X : array_like
            Sequences, as in the fit.

        Returns
        -------
        (n,) ndarray
            Labels.
        """
        return self.classes_[self._outputs(X).argmax(axis=1)]

    def _targets(self, y) -> np.ndarray:
        labels = column_or_1d(y)
        unknown = ~np.isin(labels, self.classes_)
        if unknown.any():
            label, problem = str(labels[unknown][0]), "is no class of the fit"
            raise ValidationError("SpikingClassifier.report.y", label, problem)
        return np.searchsorted(self.classes_, labels)


class SpikingRegressor(RegressorMixin, _SpikingModel):
    """A regressor on spiking neurons, made by `LMURegressor.to_spikes`.

    ``report(X, y)`` runs sequences and returns a `ConversionReport`: the loss that is
    predicted for them and the one that is measured, spikes and operations.

    Parameters
    ----------
    estimator : LMURegressor
        That it is made of.
    conversion : Conversion
        Its network: neurons, settings and designs.

    Attributes
    ----------
    predicted_loss : float or None
        That is predicted on the sequences kept from the fit, which the estimator was
        trained on; None for neurons whose noise the error model does not predict.
    """

    def predict(self, X) -> np.ndarray:
        """Return the values of sequences that the spikes tell.

        Parameters
        ----------
        X : array_like
            Sequences, as in the fit.

        Returns
        -------
        (n,) or (n, q) ndarray
            As the values of the fit.
        """
        y = self._outputs(X)
        return y[:, 0] if self.estimator._one_value else y

    def _targets(self, y) -> np.ndarray:
        return np.asarray(y, dtype=float).reshape(len(y), -1)


class SpikingFeatures(TransformerMixin, _Spiking):
    """Features from spiking memories, made by `LegendreFeatures.to_spikes`.

    Parameters
    ----------
    features : LegendreFeatures
        That they are made of.
    conversions : list of Conversion
        One for each window, of which the memory is used.
    gain : (c,) ndarray
        What each channel is multiplied by before it enters.
    calibration : Series
        Sequences that errors are predicted on.
    """

    def __init__(self, features, conversions, gain, calibration):
        self.features = features
        self.conversions = conversions
        self.gain = gain
        self.calibration = calibration

    @classmethod
    def of(cls, features, series: Series, settings: dict) -> "SpikingFeatures":
        """Return fitted features in spikes.

        Parameters
        ----------
        features : LegendreFeatures
        series : Series
            That ranges are taken from.
        settings : dict
            Of `ConvertSettings`, beside `DEFAULTS`.

        Returns
        -------
        SpikingFeatures
            With memories that share the neurons alike.
        """
        chosen = DEFAULTS | settings
        d, thetas, c = features.order, features.thetas_, series.x.shape[2]
        size = np.abs(series.x.astype(float)).max(axis=(0, 1))
        gain = 1 / np.where(size > 0, size, 1.0)
        x = series.x * gain
        made = []
        for theta in thetas:
            # scaled coefficients as they are, by units that are not built
            W = np.diag(np.tile(1 / scale(d), c))
            cell = CellParams(d, theta, np.eye(c), W, activation="linear")
            params = LMUParams((cell,), np.eye(c * d), np.zeros(c * d), dt=1.0)
            own = chosen["n_neurons"] // len(thetas) + 2 * c * d
            share = {"n_neurons": own, "hidden_share": 1e-9}
            made.append(convert(params, x, last=False, **(chosen | share)))
        return cls(features, made, gain, series)

    @property
    def n_neurons(self) -> int:
        """Return the neurons of all memories."""
        return sum(sum(each.counts) for each in self.conversions)

    @cached_property
    def error_(self) -> np.ndarray:
        """Return the predicted error (f,) of each feature, its root mean square.

        In the units of the features, against the exact ones, on sequences that were
        kept from the fit.
        """
        found = []
        for w, each in enumerate(self.conversions):
            of_one = self.calibration.x[0].size * each.settings.steps
            few = min(PREDICTED_ON, max(2, PREDICTED_STEPS // of_one))
            series = self.calibration.few(few)
            states = self.features.states(series.x, w)
            exact = self.features.pooled(states, series, w)
            squares = [
                np.mean((self.features.pooled(states + e, series, w) - exact) ** 2, 0)
                for e in map(self._scaled, _errors(each, series.x * self.gain))
            ]
            found.append(np.sqrt(np.mean(squares, axis=0)))
        return np.concatenate(found)

    def transform(self, X) -> np.ndarray:
        """Return the features of sequences, from spikes.

        Parameters
        ----------
        X : array_like
            Sequences, as in the fit.

        Returns
        -------
        (n, f) ndarray
            As `LegendreFeatures.transform` returns them.
        """
        series = as_series(self.features, X, reset=False)
        found = []
        for w, each in enumerate(self.conversions):
            size = self.features.order * series.x[0].size * each.settings.steps
            most, parts = max(1, ENTRIES // size), []
            starts = range(0, len(series.x), most)
            seeds = draw_seeds(each.settings.noise_seed + w, len(starts))
            for i, seed in zip(starts, seeds, strict=True):
                part = series.choose(slice(i, i + most))
                m = self._scaled(_run(each, part.x * self.gain, seed))
                parts.append(self.features.pooled(m, part, w))
            found.append(np.concatenate(parts))
        return np.concatenate(found, axis=1).astype(series.x.dtype, copy=False)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the features, as `LegendreFeatures` has them.

        Parameters
        ----------
        input_features : array_like of str, optional
            As many as samples in the fit.

        Returns
        -------
        (f,) ndarray of str
            Window by window.
        """
        return self.features.get_feature_names_out(input_features)

    def _scaled(self, m: np.ndarray) -> np.ndarray:
        """Return states (n, T, c, d) in units of the input, of outputs (n, T, c d)."""
        m = m.reshape(*m.shape[:2], len(self.gain), -1)
        return m / self.gain[:, None]


def _errors(conversion: Conversion, x: np.ndarray) -> np.ndarray:
    """Return errors (runs, n, T, c d) of scaled states that are predicted."""
    (n, T, c), s, design = x.shape, conversion.settings, conversion.memories[0]
    if s.neuron_type in PREDICTABLE:  # drawn from the error model
        none: dict = {}
        noise = cell_noise(conversion, x)[0]
        for name in ("unit_spikes", "read_spikes"):
            none[name] = np.full(len(getattr(noise, name)), NOISELESS)
        exact, rng = forward(conversion.params, x), np.random.default_rng(s.noise_seed)
        drawn = [replace(noise, **none)]
        return np.stack(
            [noisy_forward(conversion, x, drawn, rng) - exact for _ in range(DRAWS)]
        )
    # measured from neurons outside the loop, which see one sequence after the other
    u = np.repeat(x, s.steps, axis=1).transpose(1, 0, 2).reshape(-1, n * c)
    m = design.ldn.simulate(u, s.dt).reshape(len(u), n, c, -1)
    few: dict = {"rounds": FEW_ROUNDS, "most_runs": DRAWS}
    found = []
    for j in range(c):
        carried = m[:, :, j].transpose(1, 0, 2).reshape(n * len(u), -1) @ design.T.T
        one = _of_channel(design, j)
        errors = measure_errors(one, carried, 0, design.U, **few).errors @ design.U.T
        found.append(errors[:, s.steps - 1 :: s.steps].reshape(-1, n, T, one.ldn.order))
    runs = min(map(len, found))
    errors = np.stack([each[:runs] for each in found], axis=3)
    return (errors / scale(design.ldn.order)).reshape(runs, n, T, -1)


def _of_channel(made: Design, j: int) -> Design:
    """Return the design of one channel's memory."""
    d, p = made.ldn.order, made.population
    own = slice(p.block(j * d).start, p.block((j + 1) * d - 1).stop)
    one = p.subset(own, 1.0)
    own = {"dimension": one.dimension - j * d, "radii": p.radii[j * d : (j + 1) * d]}
    return replace(made, population=replace(one, **own))


def _run(conversion: Conversion, x: np.ndarray, seed: int) -> np.ndarray:
    """Return the scaled states (n, T, c d) of a spiking memory, after each sample."""
    (n, T, c), s = x.shape, conversion.settings
    design, steps = conversion.memories[0], s.steps
    # the state after a sample is there a step later, which a probe in each presentation
    # meets if the samples begin late
    shown = np.repeat(x, steps, axis=1)
    shown = np.pad(shown, ((0, 0), (steps - 1, 1), (0, 0)))
    with nengo.Network(seed=seed, add_to_container=False) as model:
        samples: Any = nengo.processes.PresentInput(shown[0], s.dt)
        node = nengo.Node(samples)
        memory = LegendreMemory.from_design(design, noise_seed=seed)
        plain: dict = {"synapse": None}
        nengo.Connection(node, memory.input, **plain)
        plain["sample_every"] = s.presentation
        probe = nengo.Probe(memory.state, **plain)
    options: dict = {"trials": n, "inputs": {node: shown}, "noise_seed": seed}
    options["exact"] = s.simulates_sums
    with simulator(model, s.dt, "compiled", **options) as sim:
        sim.run_steps(shown.shape[1], progress_bar=False)
        m = np.asarray(sim.data[probe], dtype=float).reshape(n, -1, c, design.ldn.order)
    return (m[:, 1 : T + 1] / scale(design.ldn.order)).reshape(n, T, -1)
