r"""How neurons carry numbers: one block of neurons for each dimension of the state.

Neuron ``k`` of dimension ``i`` fires at

.. math::

    r_k(x_i) = f(g_k\, e_k\, x_i / R_i + b_k), \qquad \hat x_i = \sum_k d_k\, r_k ,

with encoder ``e_k`` = +1 or -1, gain ``g_k``, bias ``b_k``, radius ``R_i`` and decoder
``d_k``.  *Rectifier pairs* take ``f = max(0, .)``, ``g = r_max`` and ``b = 0``: then
``d_k = e_k R_i / (r_max n_side)`` decodes ``x_i`` exactly, at every ``x_i``, and spikes
of those rates are unbiased.  *Drawn* curves (max_rates, intercepts, as in Nengo) have
decoders solved by least squares, which know how noisy the spikes are.

Letters: ``d`` order, ``m`` neurons, ``n`` neurons of one dimension, ``P`` points.
"""

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.neurons import NeuronType
from scipy.linalg import cho_factor, cho_solve

from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.tuning import (
    Tuning,
    averaged_variance,
    curves,
    is_rectified_linear,
    neuron_type,
    statistics,
    step_variance,
)

POINTS = 400  # evaluation points of one dimension; decoders cost O(POINTS^2 n)
CHUNK = 4096  # neurons whose curves are held at once


@dataclass(frozen=True, eq=False)
class Population:
    """The neurons of a memory, a block for each dimension.

    Attributes
    ----------
    neurons : nengo.neurons.NeuronType
    dimension : (m,) int ndarray
        The dimension that a neuron represents.
    encoders, gain, bias, decoders : (m,) ndarray
        Encoders are +1 or -1; decoders in units of the state per Hz.
    radii : (d,) ndarray
        Range of each dimension.
    per_unit : (m,) ndarray
        Neurons that one entry stands for: 1, or more where the population is
        aggregated.
    """

    neurons: NeuronType
    dimension: np.ndarray
    encoders: np.ndarray
    gain: np.ndarray
    bias: np.ndarray
    decoders: np.ndarray
    radii: np.ndarray
    per_unit: np.ndarray
    tuning: Tuning

    @property
    def order(self) -> int:
        """Dimensions, ``d``."""
        return len(self.radii)

    @property
    def n_neurons(self) -> int:
        """Neurons, ``m``; those that aggregated entries stand for are counted."""
        return int(self.per_unit.sum())

    def block(self, i: int) -> slice:
        """Where the neurons of dimension ``i`` stand."""
        return slice(*np.searchsorted(self.dimension, [i, i + 1]))

    def rates(self, i: int, x) -> np.ndarray:
        """Rates of dimension ``i``'s neurons at ``x`` (P,): (P, n), Hz."""
        at = self.block(i)
        drive = np.multiply.outer(np.asarray(x) / self.radii[i], self.encoders[at])
        return curves(self.neurons, drive, self.gain[at], self.bias[at])

    def tables(self, i: int, x, dt: float) -> dict[str, np.ndarray]:
        """What dimension ``i`` does at values ``x`` (P,), summed over its neurons.

        Returns
        -------
        dict of (P,) ndarray
            ``rate``, spikes per second; ``decoded``, the mean of the decoded value;
            ``variance``, of the decoded value in one step.
        """
        x = np.asarray(x, dtype=float)
        total = {key: np.zeros(len(x)) for key in ("rate", "decoded", "variance")}
        neurons, copies = self._distinct(i)
        for start in range(0, len(neurons), CHUNK):
            part, n = neurons[start : start + CHUNK], copies[start : start + CHUNK]
            drive = np.multiply.outer(x / self.radii[i], self.encoders[part])
            rates = curves(self.neurons, drive, self.gain[part], self.bias[part])
            d = self.decoders[part]
            total["rate"] += rates @ n
            total["decoded"] += rates @ (n * d)
            total["variance"] += step_variance(self.neurons, rates, dt) @ (n * d**2)
        return total

    def _distinct(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Neurons of dimension ``i`` that differ, and how many there are of each."""
        at = self.block(i)
        everyone = np.arange(at.start, at.stop)
        if self.tuning.kind != "pairs":
            return everyone, np.ones(len(everyone))
        up = int(np.sum(self.encoders[at] > 0))
        return everyone[[0, -1]], np.array([up, len(everyone) - up], dtype=float)


# -- building one ------------------------------------------------------------------


def build_population(
    n_neurons: int,
    radii,
    *,
    neurons="poisson",
    tuning=None,
    max_rate: float = 300.0,
    averaging: float = 0.1,
    aggregated: bool = False,
    rng: np.random.RandomState | None = None,
) -> Population:
    """Distribute ``n_neurons`` over the dimensions and choose their curves.

    Parameters
    ----------
    n_neurons : int
        Neurons in all, at least 2 a dimension; remainders go to the first dimensions.
    radii : (d,) array_like
        Range of each dimension.
    neurons : str or nengo.neurons.NeuronType
        See `neuron_type`.
    tuning : {"pairs", "drawn"} or Tuning, optional
        What suits the neurons by default.
    max_rate : float
        Rate at the radius, Hz.
    averaging : float
        Seconds over which spikes are averaged downstream; only drawn decoders use it.
    aggregated : bool
        Let one entry stand for all neurons of a side.  Sums of independent Poisson
        counts are Poisson: exact in distribution, at a cost independent of ``m``.
    rng : numpy.random.RandomState, optional
        Draws the curves.

    Returns
    -------
    Population
    """
    radii = _checked_radii(radii)
    neurons = neuron_type(neurons)
    tuning = Tuning.of(tuning, neurons, max_rate)
    counts = shares(n_neurons, len(radii))
    if not isinstance(aggregated, (bool, np.bool_)):
        raise ValidationError("aggregated", aggregated, "must be True or False")
    if aggregated:
        _check_aggregated(neurons, tuning)
    if tuning.kind == "drawn":
        rng = rng or np.random.RandomState(0)
        parts = [
            _drawn(n, radius, neurons, tuning, averaging, rng)
            for n, radius in zip(counts, radii, strict=True)
        ]
    else:
        _check_pairs(neurons)
        parts = [
            _pairs(n, radius, tuning, aggregated)
            for n, radius in zip(counts, radii, strict=True)
        ]
    dimension = np.repeat(np.arange(len(radii)), [len(p[0]) for p in parts])
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    encoders, gain, bias, decoders, per_unit = columns
    return Population(
        neurons, dimension, encoders, gain, bias, decoders, radii, per_unit, tuning
    )


def _pairs(n: int, radius: float, tuning: Tuning, aggregated: bool):
    """One dimension of rectifier pairs: columns of encoders ... per_unit."""
    sides = np.array([(n + 1) // 2, n // 2])
    repeat, each = (np.ones(2, int), sides) if aggregated else (sides, np.ones(2, int))
    sign = np.array([1.0, -1.0])
    decoder = sign * radius / (tuning.max_rates * sides)
    columns = (sign, tuning.max_rates * each, np.zeros(2), decoder, each)
    return tuple(np.repeat(column, repeat) for column in columns)


def _drawn(n: int, radius: float, neurons, tuning: Tuning, averaging: float, rng):
    """One dimension of drawn curves: columns of encoders ... per_unit."""
    encoders = rng.choice([-1.0, 1.0], size=n)
    max_rates = nengo.dists.get_samples(tuning.max_rates, n, rng=rng)
    intercepts = nengo.dists.get_samples(tuning.intercepts, n, rng=rng)
    try:
        gain, bias = neurons.gain_bias(max_rates, intercepts)
    except nengo.exceptions.ValidationError as error:
        reason = " ".join(str(error).split())
        raise ValidationError(
            "max_rate", tuning.max_rates, f"is too high ({reason})", "use a lower one"
        ) from None
    decoders = radius * solve_decoders(neurons, encoders, gain, bias, averaging)
    return encoders, gain, bias, decoders, np.ones(n, int)


def solve_decoders(neurons, encoders, gain, bias, averaging: float) -> np.ndarray:
    r"""Decoders of ``x`` on [-1, 1] that know the noise of the spikes, O(n).

    They minimise distortion plus spike noise,
    ``mean_p (x_p - sum_k d_k r_k(x_p))^2 + sum_k d_k^2 s_k``, with ``s_k`` the variance
    of neuron ``k`` averaged over ``averaging`` seconds.  By the push-through identity
    the ``n x n`` system becomes one over the ``P`` points,

    .. math:: d = S^{-1} R^T (R S^{-1} R^T + P I)^{-1} x .

    Returns
    -------
    d : (n,) ndarray
    """
    x = np.linspace(-1.0, 1.0, POINTS)
    gram, mean_rates = np.zeros((POINTS, POINTS)), np.empty(len(gain))
    spans = [slice(k, k + CHUNK) for k in range(0, len(gain), CHUNK)]

    def rates(part):
        drive = np.multiply.outer(x, encoders[part])
        return curves(neurons, drive, gain[part], bias[part])

    for part in spans:
        R = rates(part)
        mean_rates[part] = R.mean(axis=0)
        gram += (R / averaged_variance(neurons, mean_rates[part], averaging)) @ R.T
    dual = cho_solve(cho_factor(gram + POINTS * np.eye(POINTS)), x)
    d = [rates(part).T @ dual for part in spans]
    return np.concatenate(d) / averaged_variance(neurons, mean_rates, averaging)


def shares(n_neurons: int, order: int) -> np.ndarray:
    """Neurons of each dimension (d,); remainders go to the first."""
    n_neurons = check_whole("n_neurons", n_neurons)
    if n_neurons < 2 * order:
        raise ValidationError(
            "n_neurons",
            n_neurons,
            f"is less than 2 per dimension for order {order}",
            f"use at least {2 * order}",
        )
    return n_neurons // order + (np.arange(order) < n_neurons % order)


def _checked_radii(radii) -> np.ndarray:
    radii = np.atleast_1d(np.asarray(radii, dtype=float))
    if radii.ndim != 1 or not np.all(np.isfinite(radii) & (radii > 0)):
        raise ValidationError(
            "radii", radii, "must be positive, one for each dimension"
        )
    return radii


def _check_pairs(neurons) -> None:
    if not is_rectified_linear(neurons):
        raise ValidationError(
            "tuning",
            "pairs",
            f"need rectified-linear rates, which {type(neurons).__name__} has not",
            "use tuning='drawn'",
        )


def _check_aggregated(neurons, tuning: Tuning) -> None:
    if tuning.kind != "pairs" or statistics(neurons) != "poisson":
        raise ValidationError(
            "aggregated",
            True,
            "needs rectifier pairs of Poisson neurons",
            "use neuron_type='poisson' and tuning='pairs'",
        )


def radii_from(states, quantile: float = 1.0) -> np.ndarray:
    """Radii that cover a signal: the ``quantile`` of ``|m_i|`` over its states.

    Parameters
    ----------
    states : (T, d) array_like
        From `LDN.simulate` over the input to be expected.
    quantile : float
        1 for the largest value seen; less lets pairs (which do not saturate) spike
        more, and drawn curves clip.
    """
    radii = np.quantile(np.abs(np.asarray(states)), quantile, axis=0)
    return np.maximum(radii, 1e-9 + 1e-6 * radii.max())
