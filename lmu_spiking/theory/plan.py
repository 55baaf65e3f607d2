r"""The smallest memory that meets an error: the error model, inverted.

The error at delay theta, relative to the input, is

.. math:: e^2 = e_{truncation}(d)^2 + e_{noise}(d, n)^2, \qquad e_{noise}^2 \sim 1 / n .

Truncation falls with the order faster than any power once ``d`` is past
``2 theta bandwidth``; noise grows with it.  So each order asks for its own number of
neurons, and one order for the fewest.

The file is long because drafts, what works them out and the refusals that name their
limits are one search.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss

from lmu_spiking.dynamics.feedback import check_feedback, make_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    ValidityWarning,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.memory.basis import (
    REALISED,
    balanced,
    band_moments,
    best_tau,
    feedback_pair,
    is_computed,
)
from lmu_spiking.memory.design import design
from lmu_spiking.memory.open_loop import FEW
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons import curves
from lmu_spiking.neurons.curves import LEVELS
from lmu_spiking.neurons.population import STAGGERED
from lmu_spiking.neurons.recruitment import mean_rate
from lmu_spiking.signals import SignalSpec, white_noise
from lmu_spiking.theory.budget import whole_steps
from lmu_spiking.theory.cost import SynapticOperations, synaptic_operations
from lmu_spiking.theory.guarantee import fewest_bounded
from lmu_spiking.theory.predict import LEAD, budget_of, predict_band, truncation

MARGIN = 0.9  # of the error asked for: runs differ by their signal and their spikes
MAX_ORDER = 100
LOWEST = 2  # on a lowpass of tau = theta, order 1 has no recurrence, so no neurons
MIN_DT = 1e-5  # seconds, that steps are shortened to
MAX_NEURONS = 10**12
MOST_MEASURED = 10**5  # neurons whose error is measured, at most
ASIDE = 0.0035  # of the log of a number, to have the least one between two that near
NEARLY = 0.995  # of the goal: what truncation must leave room for noise in
AGGREGATE = 10**6  # neurons, above which they are simulated as their sums
FINALISTS = 4  # drafts that are worked out in whole neurons
GOALS = ("neurons", "spikes")
ENOUGH = 100  # neurons a dimension, whose curves distort as little as those of more
FEW_FINALISTS = 2  # drafts that are worked out by measurements
SPARE = 0.93  # of the goal: neurons whose error is less could fire less
HOPELESS = 2.0  # times what neurons may add to the error, on a short stretch
GUESSED = 0.4, 0.05  # rate per step and seconds, of feedback that is good for most
SURE = 1.645  # standard deviations, that 95 of 100 are below
CONFIRMED = 8  # times that a memory is grown until another signal confirms it
OTHER_SIGNAL = 271_828  # seed of that signal
SLOWEST = 0.1  # of the highest rate, that measured neurons are given
PLANNED = ("poisson", "stochastic", "regular", "if", "lif", "adaptive")
# of the predicted error, that a run should be within to check it; the latter where that
# comes from measurements
NEAR, NEAR_MEASURED = 0.1, 0.2
CYCLES, WINDOWS = 200, 100  # of noise, from which it is known how runs differ
MOST_STEPS = 200_000  # of it
MISSES = 6  # orders that would need too many neurons, until no higher one is tried
STAYS = 0.97  # of the distance left by a run twice as long, when it falls no more


@dataclass(frozen=True)
class Plan:
    """A memory that meets an error, and what it will cost.

    Parameters
    ----------
    spec : MemorySpec
    error : float
        Error that is asked for: of the readout at delay theta, over the input's rms.
    nrmse, truncation, noise : float
        Predicted error in all, from the order, and from the spikes.
    counts : tuple of int
        Neurons of each coordinate.
    spikes_per_s : float
        Predicted spikes per second of all neurons.
    bound : float or None
        The largest error of the readout against the exact LDN that any input causes,
        over the rms of the noise that was asked for; None where nothing is guaranteed.
    """

    spec: MemorySpec
    error: float
    nrmse: float
    truncation: float
    noise: float
    counts: tuple[int, ...]
    spikes_per_s: float
    bound: float | None = None

    @property
    def synops(self) -> SynapticOperations:
        """Return the synaptic operations per second."""
        return synaptic_operations(self.spec, self.spikes_per_s)

    @property
    def _cost(self) -> tuple[float, float]:
        """Return neurons and spikes per second, by which plans are compared."""
        return float(self.spec.n_neurons), self.spikes_per_s

    def to_dict(self) -> dict:
        """Return plain values, on one level but for ``spec``.

        Returns
        -------
        dict
            For JSON.
        """
        return {
            "error": self.error,
            "predicted_nrmse": self.nrmse,
            "predicted_truncation_nrmse": self.truncation,
            "predicted_noise_nrmse": self.noise,
            "bound_noise_nrmse": self.bound,
            "neurons": self.spec.n_neurons,
            "order": self.spec.order,
            "neuron_type": self.spec.neuron_type,
            "tau": self.spec.tau,
            "tuning": self.spec.tuning,
            "max_rate": self.spec.max_rate,
            "neurons_per_coordinate": list(self.counts),
            "predicted_spikes_per_s": self.spikes_per_s,
            "predicted_mean_rate": self.spikes_per_s / self.spec.n_neurons,
            "predicted_synops_per_s": self.synops.by_spikes,
            "predicted_full_synops_per_s": self.synops.full,
            "spec": self.spec.to_dict(),
        }


def plan(
    error: float,
    theta: float,
    bandwidth: float,
    *,
    rms: float = 0.5,
    minimise: str = "neurons",
    max_neurons: int | None = None,
    max_rate: float = 300.0,
    max_spikes_per_s: float | None = None,
    order: int | None = None,
    tau: float | None = None,
    dt: float | None = None,
    tuning: str | None = None,
    neuron_type: str = "poisson",
    neuron_types: Iterable[str] | None = None,
    noise_seed: int = 0,
    error_feedback=None,
    guarantee: bool = False,
) -> Plan:
    """Find the cheapest memory of an error, before it is run.

    Parameters
    ----------
    error : float
        Error of the readout at delay theta against the input, over the input's rms.
    theta : float
        Window, seconds.
    bandwidth, rms : float
        White noise that it is meant for: highest frequency in Hz, and root mean square.
    minimise : {"neurons", "spikes"}
        What counts as cheap.
    max_neurons : int, optional
        Most neurons that are allowed.
    max_rate : float
        Rate that each neuron exceeds less than 0.1 % of the time, Hz.
    max_spikes_per_s : float, optional
        Most spikes per second of all neurons that are allowed.
    order : int, optional
        A fixed order.
    tau : float, optional
        A fixed lowpass, seconds; by default the least noisy one.
    dt : float, optional
        Step, seconds; by default 1 ms, or less for fast signals and short windows.
    tuning : {"balanced", "optimal"}
        ``balanced``, the default, works for other signals as well; ``optimal`` needs
        fewer neurons and more spikes, and clips signals that exceed the one it is made
        for.
    neuron_type : str
        One of `PLANNED`.  Poisson and stochastic neurons are planned in a second or
        two; the error of all others is measured, for some ten seconds.
    neuron_types : iterable of str, optional
        Several, of which the cheapest is taken.  It takes up to a few minutes.
    noise_seed : int
        Seed of the spikes in the spec.
    error_feedback : "auto" or (2,) tuple of float, optional
        As in `LegendreMemory`: a memory of Poisson neurons then needs a tenth of them,
        or less.  Other neurons have ``"auto"`` or none; ``"auto"`` leaves it out where
        fewer of them do without.
    guarantee : bool
        Whether no input at all may push the error further: of the noise that is asked
        for, truncation included, and of every other input against the exact LDN.  Its
        neurons are staggered: ``"if"``, or ``"regular"``.  ``"auto"`` is the feedback
        of least bound, and needs about a fifth of the neurons.

    Returns
    -------
    Plan
        The cheapest memory, and its predicted error.

    Raises
    ------
    ValidationError
        If no memory meets the request: names the limit that forbids it.

    Examples
    --------
    >>> found = plan(error=0.05, theta=0.5, bandwidth=2.0)
    >>> found.spec.order, found.nrmse < 0.05
    (5, True)
    """
    check_one_of("plan.minimise", minimise, GOALS)
    check_one_of("plan.neuron_type", neuron_type, PLANNED)
    tuning = "balanced" if tuning is None else tuning
    check_one_of("plan.tuning", tuning, REALISED)
    if guarantee:
        neuron_type = _staggered(neuron_type, neuron_types)
        neuron_types = None
    if neuron_types is not None:
        if neuron_type != "poisson":
            problem, remedy = "is given beside neuron_types", "give one of the two"
            raise ValidationError("plan.neuron_type", neuron_type, problem, remedy)
        asked: dict = {"rms": rms, "minimise": minimise, "max_neurons": max_neurons}
        asked |= {"max_rate": max_rate, "max_spikes_per_s": max_spikes_per_s}
        asked |= {"order": order, "tau": tau, "dt": dt, "tuning": tuning}
        asked |= {"noise_seed": noise_seed, "error_feedback": error_feedback}
        return _cheapest(neuron_types, error, theta, bandwidth, asked)
    limits = _limits(max_neurons, max_spikes_per_s)
    noise_seed = check_seed("plan.noise_seed", noise_seed)
    error_feedback = check_feedback("plan.error_feedback", error_feedback)
    computed = guarantee or _check_pair(neuron_type, tuning, error_feedback)
    fixed = (tau, order, error_feedback if computed else None)
    request = Request(error, theta, bandwidth, rms, dt, max_rate, *fixed)
    if guarantee:
        best = _guaranteed(request, neuron_type, tuning, minimise, limits)
        return replace(best, spec=best.spec.replace(noise_seed=noise_seed))
    # draft a memory of each order, the cheapest first
    drafts = list(request.drafts(tuning))
    if not drafts:
        raise _no_order(request)
    drafts.sort(key=lambda d: d.n_neurons if minimise == "neurons" else d.spikes_per_s)
    if computed:
        allowed = _worked_out(request, drafts, neuron_type, limits)
    else:
        how = (neuron_type, error_feedback, minimise)
        allowed = [_measured_out(request, drafts, *how, limits)]
    best = min(allowed, key=_by(minimise))
    return replace(best, spec=best.spec.replace(noise_seed=noise_seed))


def _worked_out(request, drafts, neuron_type: str, limits: dict) -> list[Plan]:
    """Return plans of the best drafts: whole neurons have the last word on them."""
    allowed: list[Plan] = []
    near = (
        d for d in drafts if _within(d.n_neurons, d.spikes_per_s, limits, slack=1.2)
    )
    for tried, draft in enumerate(near):
        if tried >= FINALISTS and allowed:
            break
        found = request.work_out(draft, neuron_type)
        if found and _within(found.spec.n_neurons, found.spikes_per_s, limits):
            allowed.append(found)
    if not allowed:
        raise _too_dear(request, drafts, limits)
    return allowed


def _measured_out(
    request, drafts, neuron_type, feedback, minimise: str, limits: dict
) -> Plan:
    """Return the plan of the best draft for neurons whose error is measured.

    Neurons that are alike are exact in the mean, so that few of them may need no error
    feedback; with it they must be many.  So both are tried, the simpler one first, and
    each that follows has to be cheaper.
    """
    alike = curves.is_rectified_linear(curves.neuron_type(neuron_type))
    tried = (None, feedback) if alike and feedback else (feedback,)
    best, left = None, limits
    # neurons that might not carry a memory are not warned of, and what grows without
    # bound is only tried
    with warnings.catch_warnings(), np.errstate(invalid="ignore", over="ignore"):
        warnings.simplefilter("ignore", ValidityWarning)
        for asked in tried:
            pair = asked  # is chosen for the first draft that needs it
            for draft in drafts[:FEW_FINALISTS]:
                search = MeasuredSearch(request, draft, neuron_type, pair, left)
                found = search.plan()
                pair = search.feedback
                if found:
                    best, left = found, _cheaper_than(found, limits, minimise)
    if best is None:
        raise _not_met(request, neuron_type, feedback, limits)
    return best


def _staggered(neuron_type: str, neuron_types) -> str:
    """Return the staggered neurons whose error is to have a bound."""
    names = [neuron_type] if neuron_types is None else list(neuron_types)
    known = [name for name in names if name in STAGGERED]
    if known or names == ["poisson"]:  # which is what was not asked for
        return known[0] if known else STAGGERED[0]
    problem = "have no bound, which staggered neurons have"
    remedy = "use 'if' or 'regular'"
    raise ValidationError("plan.neuron_type", ", ".join(names), problem, remedy)


def _guaranteed(request, neuron_type: str, tuning: str, minimise, limits) -> Plan:
    """Return the plan of staggered neurons that no input can push beyond the error.

    Raises
    ------
    ValidationError
        If no order meets it, or not within the limits.
    """
    made: list[tuple[int, float, MemorySpec, float]] = []
    band, risen = SignalSpec(request.bandwidth, request.rms), 0
    fields = {"neuron_type": neuron_type, "tuning": tuning, "signal": band}
    fields |= {"max_rate": request.max_rate, "tau": request.tau or request.theta}
    fields["error_feedback"] = request.error_feedback
    most = min(limits["max_neurons"], MAX_NEURONS)
    for order in request.orders():
        missed = request.truncation(order)
        if missed >= request.goal:
            continue
        spec = MemorySpec(2 * order, order, request.theta, dt=request.dt, **fields)
        left = (request.error - missed) * request.rms
        bounded = fewest_bounded(spec, left, most, choose_tau=request.tau is None)
        if bounded is not None:
            spec, bound = bounded
            spec = spec.replace(aggregated=spec.n_neurons > AGGREGATE)
            made.append((spec.n_neurons, missed, spec, bound))
        # orders that take more neurons follow upon the best one
        best = bounded is not None and min(each[0] for each in made) == made[-1][0]
        risen = 0 if best else risen + 1
        if risen == (2 if made else MISSES):
            break
    # what is expected of the noise that is asked for
    found = []
    seconds = max(CYCLES / 4 / request.bandwidth, WINDOWS / 4 * request.theta)
    made.sort(key=lambda each: each[0])
    for _, missed, spec, bound in made[: 1 if minimise == "neurons" else None]:
        budget = budget_of(spec, duration=seconds)
        noise = float(budget.readout_rmse(whole_steps(spec) * request.dt)[0])
        counts = np.bincount(design(spec).population.dimension).tolist()
        errors = (budget.nrmse(), missed, noise / request.rms)
        rate, bound = budget.spikes_per_s, bound / request.rms
        expected = (*errors, tuple(counts), rate, bound)
        found.append(Plan(spec, request.error, *expected))
    allowed = [p for p in found if _within(p.spec.n_neurons, p.spikes_per_s, limits)]
    if allowed:
        return min(allowed, key=_by(minimise))
    if not request.orders():
        raise _no_order(request)
    kept = ", ".join(f"{k} {v:,.0f}" for k, v in limits.items() if np.isfinite(v))
    problem = "is guaranteed by no memory" + (f" within {kept}" if kept else "")
    remedy = "allow more, ask for a larger error, or use error_feedback='auto'"
    raise ValidationError("plan.guarantee", request.error, problem, remedy)


def _check_pair(neuron_type: str, tuning: str, error_feedback) -> bool:
    """Return whether the error of neurons is computed, as it must be for a pair."""
    computed = is_computed(curves.neuron_type(neuron_type), tuning)
    if not computed and not isinstance(error_feedback, str | None):
        problem = f"is chosen for {neuron_type} neurons"
        attribute, remedy = "plan.error_feedback", "use 'auto'"
        raise ValidationError(attribute, error_feedback, problem, remedy)
    return computed


def _by(minimise: str) -> Callable[[Plan], tuple]:
    """Return the key by which plans are compared."""
    return lambda plan: plan._cost[:: 1 if minimise == "neurons" else -1]


def _cheaper_than(found: Plan, limits: dict, minimise: str) -> dict:
    """Return limits within which a plan is cheaper than one that is known."""
    n, spikes = found._cost
    if minimise == "neurons":
        return limits | {"max_neurons": min(limits["max_neurons"], int(n) - 1)}
    return limits | {"max_spikes_per_s": min(limits["max_spikes_per_s"], spikes)}


def _cheapest(neuron_types, error, theta, bandwidth, asked: dict) -> Plan:
    """Return the cheapest plan of several neuron types, of those that have one.

    Each that follows has to be cheaper than the best so far, so that it is soon known
    not to be.
    """
    best, refusals, minimise = None, [], asked["minimise"]
    for name in _named(neuron_types, asked):
        given = asked
        if best is not None:
            limits = _limits(asked["max_neurons"], asked["max_spikes_per_s"])
            limits = _cheaper_than(best, limits, minimise)
            if limits["max_neurons"] < 2 * LOWEST:
                break
            limits = {k: None if v == np.inf else v for k, v in limits.items()}
            given: dict = asked | limits
        try:
            found = plan(error, theta, bandwidth, neuron_type=name, **given)
        except ValidationError as refusal:
            refusals.append(refusal)
        else:
            best = found if best is None else min(best, found, key=_by(minimise))
    if best is None:
        raise refusals[0]
    return best


def _named(neuron_types, asked: dict) -> list[str]:
    """Return the checked neuron types that are named.

    Those whose error is computed come first, and those with heterogeneous curves last.
    """
    if isinstance(neuron_types, str):
        problem, remedy = "must be several names", f"use ({neuron_types!r},)"
        raise ValidationError("plan.neuron_types", neuron_types, problem, remedy)
    names = list(dict.fromkeys(neuron_types))
    if not names:
        raise ValidationError("plan.neuron_types", names, "is empty", "name one")
    for name in names:
        check_one_of("plan.neuron_types", name, PLANNED)
        _check_pair(name, asked["tuning"], asked["error_feedback"])
    if {"regular", "if"} <= set(names):  # their spikes are the same
        names.remove("regular")
    return sorted(names, key=PLANNED.index)


def check_duration(spec: MemorySpec) -> tuple[float, float]:
    """Return how long a run must be to check the error predicted for a spec.

    Of runs of that length, each on noise of its own, 95 of 100 measure an error at
    delay theta, against the input, that is near the predicted one.

    Parameters
    ----------
    spec : MemorySpec

    Returns
    -------
    seconds : float
        Of two digits.
    near : float
        What is near, relative: `NEAR`, or `NEAR_MEASURED` where the prediction comes
        from measurements.
    """
    # so much noise of the band that its own scatter is known
    window, step = whole_steps(spec), spec.dt
    seconds = max(CYCLES / spec.signal.bandwidth, WINDOWS * spec.theta)
    steps = min(seconds / step, max(MOST_STEPS, 4 * window))
    budget = budget_of(spec, duration=steps * step)
    expected: Any = budget.nrmse()
    limit = NEAR if budget.runs is None else NEAR_MEASURED

    def apart(duration: float) -> float:
        ends: Any = budget.nrmse_interval(duration)
        return max(ends[1] - expected, expected - ends[0]) / expected

    # double the time until runs are near, then halve where the limit may lie
    near, before = 2 * (window + 2) * step, np.inf
    while (now := apart(near)) > limit:
        if now > STAYS * before:  # it is the prediction that is not surer than that
            limit = np.ceil(100 * now) / 100
            break
        near, before = 2 * near, now
    far = near / 2
    while near / far > 1.01:
        middle = np.sqrt(near * far)
        near, far = (middle, far) if apart(middle) <= limit else (near, middle)
    unit = 10.0 ** (np.floor(np.log10(near)) - 1)
    return float(f"{unit * np.ceil(near / unit):.2g}"), limit


def _limits(max_neurons, max_spikes_per_s) -> dict:
    """Return the checked limits of neurons and spikes; infinite for none."""
    limits = {"max_neurons": np.inf, "max_spikes_per_s": np.inf}
    if max_neurons is not None:
        limits["max_neurons"] = check_whole("plan.max_neurons", max_neurons, 2)
    if max_spikes_per_s is not None:
        most = check_positive("plan.max_spikes_per_s", max_spikes_per_s)
        limits["max_spikes_per_s"] = most
    return limits


def _within(n_neurons: float, spikes: float, limits: dict, slack: float = 1.0) -> bool:
    """Return whether limits are kept, or exceeded by no more than ``slack``."""
    most_neurons, most_spikes = (slack * limit for limit in limits.values())
    return n_neurons <= most_neurons and spikes <= most_spikes


# -- what each order would take --------------------------------------------------------


class Draft(NamedTuple):
    """A memory of one order, sized for normal states and in real numbers."""

    order: int
    tuning: str
    tau: float
    truncation: float
    n_neurons: int
    spikes_per_s: float
    error_feedback: tuple[float, float] | None


class Request:
    """A checked request to `plan`, with the memory that each order needs for it.

    Parameters
    ----------
    error, theta, bandwidth, rms, dt, max_rate, tau, order, error_feedback
        As in `plan`.
    """

    def __init__(
        self,
        error,
        theta,
        bandwidth,
        rms,
        dt,
        max_rate,
        tau,
        order,
        error_feedback,
    ):
        self.error_feedback = error_feedback
        self.error = check_positive("plan.error", error)
        if self.error >= 1:
            problem = "is no memory at all"
            raise ValidationError("plan.error", error, problem, "ask for less than 1")
        self.goal = MARGIN * self.error
        self.theta = check_positive("plan.theta", theta, "seconds")
        self.bandwidth = check_positive("plan.bandwidth", bandwidth, "Hz")
        self.rms = check_positive("plan.rms", rms)
        self.max_rate = check_positive("plan.max_rate", max_rate, "Hz")
        self.tau = None if tau is None else check_positive("plan.tau", tau, "seconds")
        if order is not None:
            order = check_whole("plan.order", order, 1, MAX_ORDER)
        self.order = order
        step = _step(self.theta, self.bandwidth) if dt is None else dt
        self.dt = check_positive("plan.dt", step, "seconds")
        longest = min(self.theta, 0.5 / self.bandwidth)
        if self.dt > longest:
            problem = f"is too long for a window of {theta:g} s of {bandwidth:g} Hz"
            raise ValidationError("plan.dt", dt, problem, f"use at most {longest:g} s")
        if self.bandwidth * self.theta > MAX_ORDER / 2:  # two coefficients a cycle
            raise self.beyond()
        if isinstance(error_feedback, tuple):
            rate, tau_f = error_feedback
            make_feedback(rate, tau_f, self.dt)  # refuses what is unstable
        # the edge of a window of steps is out by a share of a step, at any order
        while dt is None and self.dt > MIN_DT and not self.orders():
            self.dt = _next_step(self.dt / 2)

    def beyond(self) -> ValidationError:
        """Return the error that no order will do."""
        problem = f"times theta is beyond order {MAX_ORDER} for an error {self.error:g}"
        remedy = "use a shorter window, a lower bandwidth or a shorter dt"
        return ValidationError("plan.bandwidth", self.bandwidth, problem, remedy)

    def truncation(self, order: int) -> float:
        """Return the truncation error at delay theta over the input's rms."""
        return _truncation(order, self.theta, self.bandwidth, self.dt)

    def orders(self) -> range:
        """Return the orders from the first whose truncation leaves room for noise.

        The last has two steps of the window for each coefficient.
        """
        if self.order is not None:
            return range(self.order, self.order + 1)
        last = min(MAX_ORDER, LDN(1, self.theta).steps(self.dt) // 2)
        for order in range(LOWEST, last + 1):
            if self.truncation(order) < NEARLY * self.goal:
                return range(order, last + 1)
        return range(0)

    def drafts(self, tuning: str) -> Iterator[Draft]:
        """Yield drafts of rising order, until three in a row have taken more neurons.

        Parameters
        ----------
        tuning : {"balanced", "optimal"}
        """
        best, risen = np.inf, 0
        for order in self.orders():
            if self.truncation(order) >= NEARLY * self.goal:
                continue
            try:
                draft = self._draft(order, tuning)
            except MappingError:  # no number of neurons is enough
                continue
            yield draft
            risen = risen + 1 if draft.n_neurons > best else 0
            best = min(best, draft.n_neurons)
            if risen == 3:
                return

    def _draft(self, order: int, tuning: str) -> Draft:
        """Return the fewest neurons with which an order keeps the error."""
        ldn, dt = LDN(order, self.theta), self.dt
        moments = band_moments(ldn, dt, self.bandwidth, self.rms)
        levels = LEVELS if tuning == "optimal" else 1
        options: dict[str, Any] = {"max_rate": self.max_rate, "levels": levels}
        if self.error_feedback is not None:  # few neurons, whose noise settles slowly
            options["tolerance"] = 1e-4
        last, missed = _last_readout(ldn, dt), self.truncation(order)
        goal = self.rms * np.sqrt(self.goal**2 - missed**2)

        def fewest(tau: float, start: float, feedback) -> float:
            mapped = map_onto(ldn, tau, dt)
            if feedback is not None:
                rate, tau_f = feedback
                mapped = replace(mapped, feedback=make_feedback(rate, tau_f, dt))

            def excess(n: float) -> float:
                noise = balanced(ldn, mapped, dt, moments, int(n), **options).noise
                return np.sqrt(max(last @ noise @ last, 0.0)) / goal

            return least(excess, max(start, 2.0 * order), 2.0 * order)

        # the best synapse and feedback depend on the number of neurons, though little
        tau = self.tau or self.theta
        feedback = self._feedback(ldn, tau, moments, 100.0 * order, options)
        n = fewest(tau, 1000.0, feedback)
        feedback = self._feedback(ldn, tau, moments, n, options)
        if self.tau is None:
            some = int(np.ceil(n))
            tau = best_tau(ldn, dt, moments, some, feedback=feedback, **options)
            feedback = self._feedback(ldn, tau, moments, n, options)
        n = int(np.ceil(fewest(tau, n, feedback)))
        spikes = n * mean_rate(self.max_rate, levels)
        return Draft(order, tuning, tau, missed, n, spikes, feedback)

    def _feedback(self, ldn: LDN, tau: float, moments, n: float, options: dict):
        """Return the feedback that is asked for, of least error for so many neurons."""
        size = (self.dt, moments, int(np.ceil(n)))
        return feedback_pair(ldn, tau, *size, self.error_feedback, **options)

    def work_out(self, draft: Draft, neuron_type: str) -> Plan | None:
        """Return the plan of a draft: the fewest whole neurons that meet the target.

        Where the fewest that there can be are too many, they fire less.

        Parameters
        ----------
        draft : Draft
        neuron_type : {"poisson", "stochastic"}

        Returns
        -------
        Plan or None
            None if no number of neurons meets it.
        """
        fewest, met = 2 * draft.order, []
        goal = np.sqrt(self.goal**2 - draft.truncation**2)

        def work(n: int, share: float) -> Plan:
            max_rate = self.max_rate * share
            sizes = (n, draft.order, self.theta, draft.tau, self.dt)
            fields = {"tuning": draft.tuning, "aggregated": n > AGGREGATE}
            fields["signal"] = SignalSpec(self.bandwidth, self.rms)
            fields["error_feedback"] = draft.error_feedback
            spec = MemorySpec(*sizes, neuron_type, max_rate=max_rate, **fields)
            band, last = predict_band(spec), _last_readout(spec.ldn, self.dt)
            noise = float(np.sqrt(last @ band.noise @ last)) / self.rms
            nrmse = float(np.hypot(noise, draft.truncation))
            errors = (self.error, nrmse, draft.truncation, noise)
            made = Plan(spec, *errors, band.counts, band.spikes_per_s)
            if noise / goal <= 1:
                met.append(made)
            return made

        def excess(amount: float) -> float:
            n = max(int(np.ceil(amount)), fewest)
            return work(n, min(1.0, amount / fewest)).noise / goal

        try:
            least(excess, float(draft.n_neurons), 0.02 * fewest)
        except MappingError:
            return None
        best = min(met, key=lambda p: p._cost)
        # of a dozen neurons one more is a jump of the error: they may fire less
        n, spare = best.spec.n_neurons, best.noise / goal
        if n > fewest and spare < SPARE:
            least(lambda share: work(n, share).noise / goal, spare**2, 0.1, 1.0)
        return min(met, key=lambda p: p._cost)


class Measured(NamedTuple):
    """A memory whose error was measured.

    Parameters
    ----------
    plan : Plan
    over : float
        What its neurons add to the error, over what they may add.
    bent : float
        The part of its error that curves make, over the input's rms.
    """

    plan: Plan
    over: float
    bent: float


class MeasuredSearch:
    """The search for the fewest neurons of a draft, by their measured error.

    Parameters
    ----------
    request : Request
    draft : Draft
        For Poisson neurons, of which it takes order and synapse.
    neuron_type : str
    feedback : "auto", (2,) tuple of float or None
        The error feedback; ``"auto"`` is chosen once, and is the pair from then on.
    limits : dict
        Of neurons and spikes per second; beyond them nothing is measured.
    """

    def __init__(self, request: Request, draft: Draft, neuron_type, feedback, limits):
        self.request, self.draft, self.limits = request, draft, limits
        self.neuron_type, self.feedback = neuron_type, feedback
        band = SignalSpec(request.bandwidth, request.rms)
        self.fields: dict[str, Any] = {"tuning": draft.tuning, "signal": band}
        self.sizes = (draft.order, request.theta, draft.tau, request.dt, neuron_type)
        self.goal = np.sqrt(request.goal**2 - draft.truncation**2)
        cycles, windows = CYCLES / 4 / request.bandwidth, WINDOWS / 4 * request.theta
        self.seconds = max(cycles, windows)
        self.alike = curves.is_rectified_linear(curves.neuron_type(neuron_type))
        few = 2 if self.alike and feedback is None else FEW
        self.fewest = few * draft.order
        # the errors of curves that are drawn are no smooth function of their number
        self.near = 1.03 if self.alike else 1.1
        self.known: dict[tuple[int, float], Measured] = {}  # on the search's signal

    def plan(self) -> Plan | None:
        """Return the plan of the draft.

        Returns
        -------
        Plan or None
            None if no number of neurons within the limits, which can be simulated one
            by one, meets the target.
        """
        most = min(self.limits["max_neurons"], MOST_MEASURED)
        if self.fewest > most:
            return None
        start = max(self.fewest, self.draft.n_neurons // 10)
        # as many as may fire so much, or half more, since rates depend on curves
        each = self.draft.spikes_per_s / self.draft.n_neurons
        enough = min(most, 1.5 * self.limits["max_spikes_per_s"] / each)
        if enough < MOST_MEASURED and self._is_hopeless(max(int(enough), self.fewest)):
            return None
        if self.feedback == "auto":
            self._choose_feedback(int(min(start, most)))
        if not self.alike:
            # what curves and membranes distort falls with no number of neurons
            n = int(min(max(ENOUGH * self.draft.order, self.fewest), most))
            made = self.measure(n)
            if made.bent > self.goal and n < most:
                return None
            start = n * made.over**2
            most = n if made.over <= 1 else most
        start = min(max(start, self.fewest), most)
        try:
            least(self._excess, start, float(self.fewest), float(most), self.near)
        except MappingError:
            return None
        # the fewest, that fire no more than they need to
        n = min(n for (n, share), made in self.known.items() if made.over <= 1)
        found = self._confirmed(n, self._fire_less(n))
        return found if found and _within(*found._cost, self.limits) else None

    def measure(self, n: int, share: float = 1.0) -> Measured:
        """Return a memory as it is measured on the signal of the search.

        Parameters
        ----------
        n : int
            Its neurons.
        share : float
            Of the highest rate that is allowed, that neurons have.
        """
        if (n, share) not in self.known:
            spec = self._spec(n, share)
            budget = budget_of(spec, duration=self.seconds)
            self.known[n, share] = self._read(spec, budget)
        return self.known[n, share]

    def _spec(self, n: int, share: float) -> MemorySpec:
        """Return the memory of so many neurons, at a share of the highest rate."""
        rate = share * self.request.max_rate
        pair = None if self.feedback == "auto" else self.feedback
        more = self.fields | {"max_rate": rate, "error_feedback": pair}
        return MemorySpec(n, *self.sizes, **more)

    def _read(self, spec: MemorySpec, budget) -> Measured:
        """Return what a budget says of a memory."""
        request, missed = self.request, self.draft.truncation
        window = whole_steps(spec)
        last, c = window * request.dt, _last_readout(spec.ldn, request.dt)
        noise = float(budget.readout_rmse(last)[0]) / request.rms
        bent = float(np.sqrt(c @ budget.distortion @ c)) / request.rms
        # what curves distort may be in line with the truncation error, and add to it
        seen = float(budget.truncation_rmse(last)[0]) / request.rms
        added = np.sqrt(max(noise**2, budget.nrmse() ** 2 - seen**2))
        nrmse = float(np.hypot(added, missed))
        # initial voltages may be good or bad for as long as a run lasts
        each = np.sqrt(np.mean((budget.runs[:, window:] @ c) ** 2, axis=1))
        unlucky = 1 + SURE * np.std(each, ddof=1) / np.mean(each)
        left = np.sqrt(request.error**2 - missed**2)
        over = max(added / self.goal, added * unlucky / left)
        counts = np.bincount(design(spec).population.dimension)
        errors = (request.error, nrmse, missed, noise)
        made = Plan(spec, *errors, tuple(counts.tolist()), budget.spikes_per_s)
        return Measured(made, float(over), bent)

    def _excess(self, amount: float) -> float:
        """Return how many times too much a number of neurons adds to the error.

        Where too few of them fire too much already, more of them will not do.
        """
        made = self.measure(max(int(np.ceil(amount - 1e-9)), self.fewest))
        most = self.limits["max_spikes_per_s"]
        if made.over > 1 and made.plan.spikes_per_s > most:
            raise MappingError("more neurons would fire more than is allowed")
        return made.over

    def _confirmed(self, n: int, share: float) -> Plan | None:
        """Return the plan of a memory that meets the target on another signal, too.

        The search takes the memory that happens to do best on its own signal, so that
        what it found there is too good on the whole.  Where another signal of twice the
        length says so, neurons fire more, or there are more of them.
        """
        request = self.request
        lead = LEAD * LDN(1, request.theta).steps(request.dt)
        length = (2 * self.seconds, request.dt, request.bandwidth, request.rms)
        samples = white_noise(*length, OTHER_SIGNAL).led_in(lead)
        for _ in range(CONFIRMED):
            spec = self._spec(n, share)
            made = self._read(spec, budget_of(spec, samples, lead=lead))
            if made.over <= 1:
                return made.plan
            amount = n * share * max(made.over**2, 1.03)
            share = min(1.0, round(amount / n, 3))
            n = max(n, int(np.ceil(amount - 1e-9)))
            if n > min(self.limits["max_neurons"], MOST_MEASURED):
                return None
        return None

    def _is_hopeless(self, n: int) -> bool:
        """Return whether the most neurons that are allowed are far from the target.

        So it is soon known of neurons that are no match for others, on a short stretch
        and with feedback that is good for most, before theirs is chosen.
        """
        guess = (GUESSED[0] / self.request.dt, min(GUESSED[1], self.draft.tau / 2))
        seconds = max(self.seconds / 5, 4 * self.request.theta)
        least_over = np.inf
        for pair in (None, guess) if self.feedback == "auto" else (self.feedback,):
            spec = self._spec(n, 1.0).replace(error_feedback=pair)
            made = self._read(spec, budget_of(spec, duration=seconds))
            least_over = min(least_over, made.over)
        return least_over > HOPELESS

    def _choose_feedback(self, n: int) -> None:
        """Choose the error feedback of so many neurons."""
        more: dict = self.fields | {"max_rate": self.request.max_rate}
        some = MemorySpec(n, *self.sizes, error_feedback="auto", **more)
        found = design(some).mapped.feedback
        self.feedback = found and (found.rate, found.tau)

    def _fire_less(self, n: int) -> float:
        """Return the share of the highest rate that so many neurons need.

        The fewest neurons that there can be may be more than enough, and the errors of
        a few are no smooth function of their number.
        """
        spare = self.measure(n).over
        if spare > SPARE:
            return 1.0
        least(
            lambda share: self.measure(n, round(share, 3)).over,
            max(spare**2, SLOWEST),
            SLOWEST,
            1.0,
            self.near,
        )
        known = self.known.items()
        return min(share for (m, share), made in known if m == n and made.over <= 1)


@lru_cache(maxsize=512)
def _truncation(order: int, theta: float, bandwidth: float, dt: float) -> float:
    """Return the truncation error at delay theta of a band, over its rms."""
    ldn = LDN(order, theta)
    nodes, weights = leggauss(32 + 8 * int(np.ceil(bandwidth * theta)))
    frequency, delay = bandwidth * (nodes + 1) / 2, ldn.steps(dt) * dt
    return float(truncation(ldn, frequency, weights / 2, delay, dt)[0])


def _last_readout(ldn: LDN, dt: float) -> np.ndarray:
    """Return the readout (d,) at delay theta."""
    return ldn.readout((ldn.steps(dt) - 1) * dt, dt)


def least(
    excess: Callable[[float], float],
    start: float,
    low: float,
    most: float = MAX_NEURONS,
    near: float = 1.01,
) -> float:
    """Return the least number of neurons whose noise is at most the goal.

    Parameters
    ----------
    excess : callable
        Gives the noise of a number over the goal.  It falls about as one over the root
        of the number.  Too few neurons may have no error model at all (`MappingError`):
        they are not enough.
    start, low : float
        Where the search begins, and the least number that is asked about.
    most, near : float
        The largest number, and how near the result is.

    Raises
    ------
    MappingError
        If ``most`` are not enough.
    """
    first, last = np.log(low), np.log(most)
    n = max(start, low)
    x, step, tries = np.log(n), 0.0, 0
    bad = good = None  # the nearest on either side: log of the number, of its excess
    while True:
        try:
            y = np.log(max(excess(n), 1e-300))
        except MappingError:
            y = np.inf
        y = np.inf if np.isnan(y) else y
        tries += 1
        bad, good = (bad, (x, y)) if y <= 0 else ((x, y), good)
        if good and good[0] <= first:
            return low
        if bad and bad[0] >= last:
            raise MappingError(f"{most:,.0f} neurons are not enough")
        if good and bad:
            if good[0] - bad[0] <= np.log(near):
                return np.exp(good[0])
            x = _between(bad, good, halve=tries > 10)
        else:
            # by the root, a little beyond, and further each time that it is too near
            wanted = np.log(4) if np.isinf(y) else 2 * abs(y)
            step = max(wanted + ASIDE, 2 * step)
            x = max(x - step, first) if good else min(x + step, last)
        n = low if x == first else np.exp(x)


def _between(bad: tuple, good: tuple, halve: bool) -> float:
    """Return where to ask next: just beyond the zero of the chord, on its far side."""
    (x0, y0), (x1, y1) = bad, good
    if halve or np.isinf(y0):
        return (x0 + x1) / 2
    zero = x0 + (x1 - x0) * y0 / (y0 - y1)
    zero += -ASIDE if zero - x0 > x1 - zero else ASIDE
    return float(np.clip(zero, x0 + ASIDE, x1 - ASIDE))


def _step(theta: float, bandwidth: float) -> float:
    """Return 1 ms, or the next of 1, 2, 5 below a 50th window and a 10th cycle."""
    return _next_step(min(1e-3, theta / 50, 0.1 / bandwidth))


def _next_step(limit: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at most ``limit``."""
    unit = 10.0 ** np.floor(np.log10(limit) + 1e-9)
    return float(f"{unit * max(k for k in (1, 2, 5) if k * unit <= limit * 1.0001):g}")


# -- refusals --------------------------------------------------------------------------


def _no_order(request: Request) -> ValidationError:
    """Return the error that names what forbids every order."""
    if request.order is not None:
        missed = request.truncation(request.order)
        problem = f"leaves an error of {missed:.3g} by truncation alone"
        possible = 1.02 * missed / MARGIN
        remedy = f"use a higher order, or ask for more than {possible:.3g}"
        return ValidationError("plan.order", request.order, problem, remedy)
    if request.tau is None:
        return request.beyond()
    problem = "lets the noise of any number of neurons grow without bound"
    remedy = "leave it out, for the least noisy one"
    return ValidationError("plan.tau", request.tau, problem, remedy)


def _not_met(request: Request, neuron_type, feedback, limits: dict) -> ValidationError:
    """Return the error that neurons whose error is measured do not meet a request."""
    kept = ", ".join(f"{k} {v:,.0f}" for k, v in limits.items() if np.isfinite(v))
    problem = f"is not met by {neuron_type} neurons, up to {MOST_MEASURED:,.0f}"
    problem += f" and within {kept}" if kept else ""
    others = "'poisson' or 'if' neurons"
    remedy = f"use {others}" if feedback else f"use error_feedback='auto', or {others}"
    remedy = "allow more" if kept and neuron_type in STAGGERED else remedy
    return ValidationError("plan.error", request.error, problem, remedy)


def _too_dear(request: Request, drafts: list[Draft], limits: dict) -> ValidationError:
    """Return the error that names the limit, what it would take, and what is allowed.

    The limit is the one that all drafts exceed, or else the one that is set.
    """
    fewest = min(drafts, key=lambda d: d.n_neurons)
    least_spikes = min(d.spikes_per_s for d in drafts)
    if fewest.n_neurons > limits["max_neurons"]:
        name, needed = "max_neurons", fewest.n_neurons
    elif least_spikes > limits["max_spikes_per_s"]:
        name, needed = "max_spikes_per_s", least_spikes
    elif np.isfinite(limits["max_spikes_per_s"]):
        name, needed = "max_spikes_per_s", fewest.spikes_per_s
    elif np.isfinite(limits["max_neurons"]):
        name, needed = "max_neurons", 1.2 * fewest.n_neurons
    else:
        problem = "is met by no number of neurons, whose noise feeds itself"
        remedy = "use a shorter dt, or leave tau and order out"
        return ValidationError("plan.error", request.error, problem, remedy)
    # noise alone, and a tenth more, since whole neurons go by jumps
    reached = 1.1 * request.error * np.sqrt(needed / limits[name])
    known = reached < 0.5 and request.error_feedback is None
    offer = f", or an error of about {reached:.2g}" if known else ""
    problem = f"is too few for an error of {request.error:g}, which takes {needed:,.0f}"
    remedy = f"allow more{offer}"
    return ValidationError(f"plan.{name}", limits[name], problem, remedy)
