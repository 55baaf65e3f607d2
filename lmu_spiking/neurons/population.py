r"""How neurons carry numbers: one block of neurons for each dimension of the state.

Neuron ``k`` of dimension ``i`` fires at

.. math::

    r_k(x_i) = f(g_k\, e_k\, x_i / R_i + b_k), \qquad \hat x_i = \sum_k d_k\, r_k ,

with encoder ``e_k`` = +1 or -1, gain ``g_k``, bias ``b_k``, radius ``R_i`` and decoder
``d_k``.  *Rectifier pairs* take ``f = max(0, .)``, ``g = r_max`` and ``b = 0``: then
``d_k = e_k R_i / (r_max n_side)`` decodes ``x_i`` exactly, at every ``x_i``, and spikes
of those rates are unbiased.  *Recruited* pairs share the way to the radius between
levels of neurons, each of which rises from 0 to ``r_max`` in its turn; they are as
exact and less noisy (see `recruitment`).  *Drawn* curves (max_rates, intercepts, as in
Nengo) have decoders solved by least squares, which know how noisy the spikes are.

*Staggered* neurons are alike, integrate, reset by subtraction, and begin at the evenly
spaced voltages ``(k + 1/2) / K``, for ``k`` from 0 to ``K - 1``.  All take the same
current, so they keep that spacing for ever (a splay state): with ``Phi`` the integral
of a neuron's rate, they have fired

.. math:: \sum_k \lfloor \Phi + (k + 1/2) / K \rfloor = \lfloor K \Phi + 1/2 \rfloor

times in all.  That is one accumulator, whose count is within one half of ``K Phi``.

Letters: ``d`` order, ``m`` neurons, ``n`` neurons of one dimension, ``P`` points.
"""

from dataclasses import dataclass, replace
from typing import Any

import nengo
import numpy as np
from nengo.neurons import NeuronType
from scipy.linalg import cho_factor, cho_solve

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_one_of, check_shape, check_whole
from lmu_spiking.neurons.curves import (
    Tuning,
    averaged_variance,
    is_rectified_linear,
    neuron_type,
    step_cumulant,
    step_variance,
)
from lmu_spiking.neurons.recruitment import recruit
from lmu_spiking.neurons.types import (
    POPULATIONS,
    RampLinear,
    accumulator,
    begin_at,
    may_stagger,
    population_of,
)

POINTS = 400  # evaluation points of one dimension; decoders cost O(POINTS^2 n)
CHUNK = 4096  # neurons whose curves are held at once
MOST = 10**15  # neurons, that counts and rates of whole numbers hold
MOST_ENTRIES = 5 * 10**7  # one by one: 6 GB when built, 17 GB in the compiled simulator
NOISY = ("poisson", "stochastic")  # spikes that are independent in every step
MOMENTS = ("rate", "decoded", "variance", "fourth")  # that are tabulated
STAGGERED = ("if", "regular")  # that integrate their rate and reset by subtraction
PHASES = ("staggered", "random")
# the arrays of a population that have an entry for each neuron
COLUMNS = ("dimension", "encoders", "gain", "bias", "decoders", "per_unit", "ceiling")
COLUMNS += ("voltage",)


@dataclass(frozen=True, eq=False)
class Population:
    """The neurons of a memory, a block for each dimension.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
        The type of one neuron.
    dimension : (m,) int ndarray
        The dimension that a neuron represents.
    encoders, gain, bias, decoders : (m,) ndarray
        Encoders are +1 or -1; decoders in units of the state per Hz.
    radii : (d,) ndarray
        Range of each dimension.
    per_unit : (m,) ndarray
        Neurons that one entry stands for: 1, or more where the population is
        aggregated.
    ceiling : (m,) ndarray
        Largest rate of a neuron, Hz; infinite where there is none.
    voltage : (m,) ndarray
        Where staggered neurons begin, in thresholds; NaN for neurons that begin
        anywhere, and for those without a voltage.
    tuning : Tuning
        How the curves were chosen.
    """

    neurons: Any  # a nengo.neurons.NeuronType
    dimension: np.ndarray
    encoders: np.ndarray
    gain: np.ndarray
    bias: np.ndarray
    decoders: np.ndarray
    radii: np.ndarray
    per_unit: np.ndarray
    ceiling: np.ndarray
    voltage: np.ndarray
    tuning: Tuning

    __repr__ = brief
    _told = ("n_neurons", "order", "neurons")

    @property
    def order(self) -> int:
        """Return the number of dimensions, ``d``."""
        return len(self.radii)

    @property
    def n_neurons(self) -> int:
        """Return the number of neurons, those of aggregated entries included."""
        return int(self.per_unit.sum())

    def block(self, i: int) -> slice:
        """Return the slice of the neurons of dimension ``i``."""
        return slice(*np.searchsorted(self.dimension, [i, i + 1]))

    @property
    def initial_phases(self) -> str:
        """Return "staggered", or "random" for neurons that begin anywhere."""
        return PHASES[bool(np.isnan(self.voltage).any())]

    @property
    def currents(self) -> dict[str, np.ndarray]:
        """Return gain and bias of the entries as Nengo simulates them.

        An entry that stands for ``K`` neurons which integrate is one accumulator of
        ``K`` times their rate.
        """
        times = self.per_unit if may_stagger(self.neurons) else 1
        return {"gain": self.gain * times, "bias": self.bias * times}

    @property
    def model(self) -> NeuronType:
        """Return the neurons as Nengo simulates them: with ceilings and counts."""
        neurons: Any = self.neurons
        if not may_stagger(neurons):
            if np.isfinite(self.ceiling).any():
                neurons = type(neurons)(RampLinear(self.ceiling))
            if np.any(self.per_unit > 1):
                neurons = population_of(neurons, self.per_unit)
            return neurons
        if np.isfinite(self.ceiling).any():
            neurons = nengo.RegularSpiking(RampLinear(self.ceiling * self.per_unit))
        begin = self.voltage if self.initial_phases == "staggered" else None
        if np.any(self.per_unit > 1):
            return accumulator(neurons, self.per_unit, begin)
        return neurons if begin is None else begin_at(neurons, begin)

    def tiled(self, n: int) -> "Population":
        """Return ``n`` such populations side by side.

        Parameters
        ----------
        n : int

        Returns
        -------
        Population
            Of ``n`` times the dimensions.
        """
        columns = {name: np.tile(getattr(self, name), n) for name in COLUMNS}
        shift = self.order * np.arange(n)
        columns["dimension"] += np.repeat(shift, len(self.dimension))
        return replace(self, radii=np.tile(self.radii, n), **columns)

    def dimensions(self, start: int, stop: int) -> "Population":
        """Return the population of some dimensions, counted from 0 in it.

        Parameters
        ----------
        start, stop : int

        Returns
        -------
        Population
        """
        at = slice(self.block(start).start, self.block(stop - 1).stop)
        columns = {name: getattr(self, name)[at] for name in COLUMNS}
        columns["dimension"] = columns["dimension"] - start
        return replace(self, radii=self.radii[start:stop], **columns)

    def subset(self, keep, stands_for) -> "Population":
        """Return the population of some of the neurons, which stand for all.

        Parameters
        ----------
        keep : slice or (n,) int array_like
            The neurons that are kept, in order: of all dimensions, or of the first.
        stands_for : float or (n,) array_like
            Neurons that each of them stands for: its decoder grows as many times.

        Returns
        -------
        Population
        """
        columns = {name: getattr(self, name)[keep] for name in COLUMNS}
        columns["decoders"] = columns["decoders"] * stands_for
        radii = self.radii[: columns["dimension"][-1] + 1]
        return replace(self, radii=radii, **columns)

    def rates(self, i: int, x) -> np.ndarray:
        """Return the spikes per second of one dimension's entries.

        Parameters
        ----------
        i : int
            The dimension.
        x : (P,) array_like
            Its values.

        Returns
        -------
        (P, n) ndarray
            Hz; of all neurons that an entry stands for.
        """
        at = self.block(i)
        return self._rates(i, np.arange(at.start, at.stop), x) * self.per_unit[at]

    def _rates(self, i: int, which, x) -> np.ndarray:
        """Return rates (P, n), Hz, of single neurons of the entries ``which`` (n,)."""
        drive = np.multiply.outer(np.asarray(x) / self.radii[i], self.encoders[which])
        rates = self.neurons.rates(drive, self.gain[which], self.bias[which])
        return np.minimum(rates, self.ceiling[which])

    def tables(self, i: int, x, dt: float) -> dict[str, np.ndarray]:
        """Return what the neurons of one dimension do, summed over them.

        Parameters
        ----------
        i : int
            The dimension.
        x : (P,) array_like
            Its values.
        dt : float
            Step, seconds.

        Returns
        -------
        dict of (P,) ndarray
            ``rate``, spikes per second; ``decoded``, the mean of the decoded value;
            ``variance`` and ``fourth`` cumulant of the decoded value in one step.
        """
        x = np.asarray(x, dtype=float)
        total = {key: np.zeros(len(x)) for key in MOMENTS}
        # neurons that are alike are computed once
        entries, copies = self.groups(i)
        for start in range(0, len(entries), CHUNK):
            part, n = entries[start : start + CHUNK], copies[start : start + CHUNK]
            rates, d = self._rates(i, part, x), self.decoders[part]
            total["rate"] += rates @ n
            total["decoded"] += rates @ (n * d)
            total["variance"] += step_variance(self.neurons, rates, dt) @ (n * d**2)
            total["fourth"] += step_cumulant(self.neurons, rates, dt) @ (n * d**4)
        return total

    def one_by_one(self) -> "Population":
        """Return the same neurons with an entry for each."""
        of = np.repeat(np.arange(len(self.gain)), self.per_unit)
        columns = {name: getattr(self, name)[of] for name in COLUMNS}
        columns["per_unit"] = np.ones(len(of), int)
        if np.any(self.per_unit > 1) and self.initial_phases == "staggered":
            columns["voltage"] = np.concatenate([spaced(k) for k in self.per_unit])
        return replace(self, **columns)

    def groups(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the entries of a dimension that differ, and the size of each group.

        Neurons that are alike stand side by side.

        Parameters
        ----------
        i : int
            The dimension.

        Returns
        -------
        first, copies : (n,) ndarray
            The first entry of each group, and the neurons in it.
        """
        at = self.block(i)
        # an entry is new where one of its numbers differs from that of the one before
        new = np.zeros(at.stop - at.start, bool)
        new[:1] = True
        for column in (self.encoders, self.gain, self.bias, self.decoders):
            new[1:] |= np.diff(column[at]) != 0
        first = np.flatnonzero(new)
        return at.start + first, np.add.reduceat(self.per_unit[at], first).astype(float)


# -- building one ------------------------------------------------------------------


def build_population(
    n_neurons,
    radii,
    *,
    neurons: Any = "poisson",
    tuning=None,
    max_rate: float = 300.0,
    averaging: float = 0.1,
    aggregated: bool = False,
    initial_phases: str | None = None,
    rng: np.random.RandomState | None = None,
) -> Population:
    """Distribute ``n_neurons`` over the dimensions and choose their curves.

    Parameters
    ----------
    n_neurons : int or (d,) array_like of int
        Neurons in all, at least 2 a dimension; or the neurons of each dimension.
    radii : (d,) array_like
        Range of each dimension.
    neurons : str or nengo.neurons.NeuronType
        See `neuron_type`.
    tuning : {"pairs", "recruited", "drawn"} or Tuning, optional
        What suits the neurons by default.
    max_rate : float
        Rate at the radius, Hz.
    averaging : float
        Seconds over which spikes are averaged downstream; only drawn decoders use it.
    aggregated : bool
        Let one entry stand for all neurons that are alike (see `neurons`): exact, in
        distribution or for staggered neurons spike by spike, at a cost independent of
        ``m``.
    initial_phases : {"staggered", "random"}, optional
        Where neurons begin; staggered by default where they can be.
    rng : numpy.random.RandomState, optional
        Draws the curves.

    Returns
    -------
    Population
        Curves and decoders of all neurons.
    """
    radii = np.atleast_1d(radii)
    what = "positive, one for each dimension,"
    radii = check_shape("radii", radii, ("d",), what)
    if not np.all(radii > 0):
        raise ValidationError("radii", radii, f"must be {what} of shape (d,)")
    neurons = neuron_type(neurons)
    tuning = Tuning.of(tuning, neurons, max_rate)
    counts = shares(n_neurons, len(radii))
    staggered = is_staggered(neurons, tuning.kind, initial_phases)
    _check(neurons, tuning, aggregated, staggered, int(counts.sum()))
    # a block of neurons for each dimension, in the order of `COLUMNS`
    blocks = []
    rng = rng or np.random.RandomState(0)
    for i, (n, radius) in enumerate(zip(counts, radii, strict=True)):
        if tuning.kind == "drawn":
            blocks.append(_drawn(i, n, radius, neurons, tuning, averaging, rng))
            continue
        for sign, count in ((1.0, (n + 1) // 2), (-1.0, n // 2)):
            side = (i, sign, count, radius, tuning, aggregated, staggered)
            blocks.append(_side(*side))
    joined = map(np.concatenate, zip(*blocks, strict=True))
    columns = dict(zip(COLUMNS, joined, strict=True))
    return Population(neurons=neurons, radii=radii, tuning=tuning, **columns)


def _side(i, sign: float, n: int, radius, tuning: Tuning, aggregated, staggered):
    """Return the columns of the ``n`` neurons of one sign of dimension ``i``.

    Level ``l`` rises from 0 at ``y_l`` to ``r_max`` at ``y_{l+1}`` (in radii) and stays
    there; the last one rises on without end, so that nothing is ever clipped, unless
    the tuning is bounded.
    """
    counts, edges = recruit(n, tuning.levels)
    levels, width, rate = len(counts), np.diff(edges), tuning.max_rates
    gain, ceiling = rate / width, np.full(levels, rate)
    if not tuning.bounded:
        ceiling[-1] = np.inf
    decoders = sign * radius * width / (rate * counts)
    one = np.ones_like(counts)
    repeat, per_unit = (one, counts) if aggregated else (counts, one)
    columns = (np.full(levels, i), np.full(levels, sign), gain, -gain * edges[:-1])
    columns += (decoders, per_unit, ceiling)
    # the neurons of a level share a current, which they divide evenly
    begin = np.concatenate(
        [spaced(k) for k in ([1] * levels if aggregated else counts)]
    )
    voltage = begin if staggered else np.full(len(begin), np.nan)
    return (*(np.repeat(column, repeat) for column in columns), voltage)


def spaced(n: int) -> np.ndarray:
    """Return ``n`` voltages that are evenly spaced between 0 and the threshold of 1.

    Parameters
    ----------
    n : int

    Returns
    -------
    (n,) ndarray
        ``(k + 1/2) / n``.
    """
    return (np.arange(n) + 0.5) / n


def _drawn(i: int, n: int, radius: float, neurons, tuning: Tuning, averaging, rng):
    """Return the columns of ``n`` neurons with heterogeneous tuning curves."""
    encoders = rng.choice([-1.0, 1.0], size=n)
    max_rates = nengo.dists.get_samples(tuning.max_rates, n, rng=rng)
    intercepts = nengo.dists.get_samples(tuning.intercepts, n, rng=rng)
    try:
        gain, bias = neurons.gain_bias(max_rates, intercepts)
    except nengo.exceptions.ValidationError as error:
        problem = f"is too high ({' '.join(str(error).split())})"
        remedy = "use a lower one"
        raise ValidationError("max_rate", tuning.max_rates, problem, remedy) from None
    decoders = radius * solve_decoders(neurons, encoders, gain, bias, averaging)
    ones, none = np.ones(n, int), np.full(n, np.inf)
    return np.full(n, i), encoders, gain, bias, decoders, ones, none, none * np.nan


def solve_decoders(neurons, encoders, gain, bias, averaging: float) -> np.ndarray:
    r"""Return decoders of ``x`` on [-1, 1] that know the noise of the spikes, O(n).

    They minimise distortion plus spike noise,
    ``mean_p (x_p - sum_k d_k r_k(x_p))^2 + sum_k d_k^2 s_k``, with ``s_k`` the variance
    of neuron ``k`` averaged over ``averaging`` seconds.  By the push-through identity
    the ``n x n`` system becomes one over the ``P`` points,

    .. math:: d = S^{-1} R^T (R S^{-1} R^T + P I)^{-1} x .

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    encoders, gain, bias : (n,) ndarray
    averaging : float
        Seconds over which spikes are averaged downstream.

    Returns
    -------
    d : (n,) ndarray
        Decoders, per Hz.
    """
    x = np.linspace(-1.0, 1.0, POINTS)
    gram, mean_rates = np.zeros((POINTS, POINTS)), np.empty(len(gain))
    spans = [slice(k, k + CHUNK) for k in range(0, len(gain), CHUNK)]

    def rates(part):
        drive = np.multiply.outer(x, encoders[part])
        return neurons.rates(drive, gain[part], bias[part])

    # the curves at all points do not fit into memory at once: sum over their parts
    for part in spans:
        R = rates(part)
        mean_rates[part] = R.mean(axis=0)
        gram += (R / averaged_variance(neurons, mean_rates[part], averaging)) @ R.T
    dual = cho_solve(cho_factor(gram + POINTS * np.eye(POINTS)), x)
    d = [rates(part).T @ dual for part in spans]
    return np.concatenate(d) / averaged_variance(neurons, mean_rates, averaging)


def one_each(attribute: str, value, n: int) -> np.ndarray:
    """Return a positive number for each of several, from one or all of them.

    Parameters
    ----------
    attribute : str
        Name of the argument, for messages.
    value : float or (n,) array_like
    n : int

    Returns
    -------
    (n,) ndarray
        A copy.
    """
    try:
        values = np.broadcast_to(np.asarray(value, dtype=float), (n,)).copy()
    except (TypeError, ValueError):
        values = np.full(n, np.nan)
    if not np.all(np.isfinite(values) & (values > 0)):
        problem = f"must be positive, one number or {n} of them"
        raise ValidationError(attribute, value, problem)
    return values


def shares(n_neurons, order: int) -> np.ndarray:
    """Return the neurons of each dimension; remainders go to the first.

    Parameters
    ----------
    n_neurons : int or (order,) array_like of int
        Neurons in all, or of each dimension.
    order : int
        Number of dimensions.

    Returns
    -------
    (order,) int ndarray
        They sum to all neurons.

    Raises
    ------
    ValidationError
        If there are fewer than two for a dimension, or too many.
    """
    if np.ndim(n_neurons):
        counts = np.array([check_whole("n_neurons", n, 2) for n in n_neurons])
        if len(counts) != order:
            problem = f"must be one number, or one for each of {order}"
            raise ValidationError("n_neurons", n_neurons, problem)
        return counts
    n_neurons = check_whole("n_neurons", n_neurons, most=MOST)
    if n_neurons < 2 * order:
        problem = f"is less than 2 per dimension for order {order}"
        remedy = f"use at least {2 * order}"
        raise ValidationError("n_neurons", n_neurons, problem, remedy)
    return n_neurons // order + (np.arange(order) < n_neurons % order)


def is_staggered(neurons, kind: str, asked: str | None) -> bool:
    """Return whether neurons are staggered; refuse what cannot be.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    kind : {"pairs", "recruited", "drawn"}
        Of their tuning curves.
    asked : {"staggered", "random"}, optional
        What is asked for; by default, staggered where neurons can be.

    Returns
    -------
    bool

    Raises
    ------
    ValidationError
        If it is asked of neurons that cannot be.
    """
    if asked is not None:
        check_one_of("initial_phases", asked, PHASES)
    given = getattr(neurons, "initial_state", None)
    possible = may_stagger(neurons) and kind != "drawn" and not given
    if asked != "staggered" or possible:
        return possible and asked != "random"
    problem = "needs neurons that integrate their input and reset by subtraction"
    remedy = "use neuron_type='if' or 'regular', or 'random'"
    if may_stagger(neurons) and given:
        problem, remedy = "is asked of neurons that have an initial_state", "give one"
    elif may_stagger(neurons):
        problem = "needs neurons that are alike, which heterogeneous curves are not"
        remedy = "use tuning='pairs', or 'random'"
    raise ValidationError("initial_phases", asked, problem, remedy)


def _check(neurons, tuning: Tuning, aggregated, staggered: bool, n: int) -> None:
    """Raise a ValidationError if neurons cannot have a tuning, or not one by one."""
    drawn, name = tuning.kind == "drawn", type(neurons).__name__
    summed = not drawn and (type(neurons) in POPULATIONS or staggered)
    if not isinstance(aggregated, (bool, np.bool_)):
        raise ValidationError("aggregated", aggregated, "must be True or False")
    if aggregated and not summed:
        problem = "needs on/off pairs of Poisson, stochastic or staggered neurons"
        remedy = "use neuron_type='poisson' and tuning='pairs'"
        if may_stagger(neurons) and not drawn:
            remedy = "use initial_phases='staggered'"
        raise ValidationError("aggregated", True, problem, remedy)
    if not aggregated and n > MOST_ENTRIES:  # before anything is allocated
        problem = f"is more than {MOST_ENTRIES:,} one by one"
        remedy = "use fewer, or Poisson pairs, which can be aggregated"
        if summed:
            remedy = "use aggregated=True, where one entry stands for many"
        raise ValidationError("n_neurons", n, problem, remedy)
    if not drawn and not is_rectified_linear(neurons):
        problem = f"needs rectified-linear rates, which {name} has not"
        raise ValidationError("tuning", tuning.kind, problem, "use tuning='drawn'")
    if tuning.kind == "recruited" and not summed:
        problem = f"serves Poisson noise or staggered neurons, which {name} is not"
        remedy = "use neuron_type='poisson', or tuning='pairs'"
        if may_stagger(neurons):
            problem = "serves staggered neurons, which those of random phases are not"
        raise ValidationError("tuning", tuning.kind, problem, remedy)


def radii_from(states, quantile: float = 1.0) -> np.ndarray:
    """Return radii that cover a signal: a quantile of ``|m_i|`` over its states.

    Parameters
    ----------
    states : (T, d) array_like
        From `LDN.simulate` over the input to be expected.
    quantile : float
        1 for the largest value; less lets on/off pairs (which do not saturate) spike
        more, and heterogeneous curves clip.

    Returns
    -------
    (d,) ndarray
        One for each coefficient.
    """
    radii = np.quantile(np.abs(np.asarray(states)), quantile, axis=0)
    return np.maximum(radii, 1e-9 + 1e-6 * radii.max())
