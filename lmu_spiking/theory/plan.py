r"""The smallest memory that meets an error: the error model, inverted.

The error at delay theta, relative to the input, is

.. math:: e^2 = e_{truncation}(d)^2 + e_{noise}(d, n)^2, \qquad e_{noise}^2 \sim 1 / n .

Truncation falls with the order faster than any power once ``d`` is past
``2 theta bandwidth``; noise grows with it.  So each order asks for its own number of
neurons, and one order for the fewest.
"""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from lmu_spiking.dynamics.feedback import check_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    ValidationError,
    ValidityWarning,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.memory.basis import REALISED, is_computed
from lmu_spiking.memory.design import design
from lmu_spiking.memory.open_loop import is_measured
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons import curves
from lmu_spiking.neurons.population import STAGGERED, is_staggered
from lmu_spiking.signals import Signal, SignalSpec, spectrum_of
from lmu_spiking.signals.spec import mean_of
from lmu_spiking.theory.budget import whole_steps
from lmu_spiking.theory.draft import (
    AGGREGATE,
    LOWEST,
    MARGIN,
    MAX_NEURONS,
    MAX_ORDER,
    Draft,
    Plan,
    Request,
    is_within,
)
from lmu_spiking.theory.guarantee import fewest_bounded
from lmu_spiking.theory.measured_search import (
    CYCLES,
    MOST_MEASURED,
    WINDOWS,
    MeasuredSearch,
)
from lmu_spiking.theory.predict import budget_of
from lmu_spiking.theory.recording import (
    expected_on,
    fit,
    refuse_short,
    step_of,
    too_fast,
)

FINALISTS = 4  # drafts that are worked out in whole neurons
GOALS = ("neurons", "spikes")
FEW_FINALISTS = 2  # drafts that are worked out by measurements
PLANNED = ("poisson", "stochastic", "regular", "if", "lif", "adaptive")
# of the predicted error, that a run should be within to check it; the latter where that
# comes from measurements
NEAR, NEAR_MEASURED = 0.1, 0.2
MOST_STEPS = 200_000  # of noise, from which it is known how runs differ
MISSES = 6  # orders that would need too many neurons, until no higher one is tried
STAYS = 0.97  # of the distance left by a run twice as long, when it falls no more
FINER = 3  # times that the step of a recording is halved for a short window


def plan(
    error: float,
    theta: float,
    bandwidth: float | None = None,
    *,
    rms: float = 0.5,
    signal: Signal | None = None,
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
    signal : Signal, optional
        A recording that it is meant for instead, of one or several channels.  Spectrum,
        radii and step are the recording's, several channels share the neurons by need,
        and the error is met on the recording itself, by 97.5 of 100 runs.  Of several
        channels it is the root mean square of what each has relative to its own rms.
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
        Step, seconds; by default 1 ms, or less for fast signals and short windows; for
        a recording its own, or about 1 ms where that keeps 99.99 % of its power.
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
    if (bandwidth is None) == (signal is None):
        problem = "is for noise, and signal for a recording"
        raise ValidationError("plan.bandwidth", bandwidth, problem, "give one of them")
    if signal is not None:
        signal = _recording(signal, theta, guarantee)
    if neuron_types is not None:
        if neuron_type != "poisson":
            problem, remedy = "is given beside neuron_types", "give one of the two"
            raise ValidationError("plan.neuron_type", neuron_type, problem, remedy)
        asked: dict = {"rms": rms, "minimise": minimise, "max_neurons": max_neurons}
        asked |= {"max_rate": max_rate, "max_spikes_per_s": max_spikes_per_s}
        asked |= {"order": order, "tau": tau, "dt": dt, "tuning": tuning}
        asked |= {"noise_seed": noise_seed, "error_feedback": error_feedback}
        asked["signal"] = signal
        return _cheapest(neuron_types, error, theta, bandwidth, asked)
    limits = _limits(max_neurons, max_spikes_per_s)
    noise_seed = check_seed("plan.noise_seed", noise_seed)
    error_feedback = check_feedback("plan.error_feedback", error_feedback)
    computed = guarantee or _check_pair(neuron_type, tuning, error_feedback)
    fixed = (max_rate, tau, order, error_feedback if computed else None)
    how = (neuron_type, tuning, error_feedback, minimise)
    search = partial(_guaranteed if guarantee else _search, how=how)
    if signal is not None:
        if not computed:
            search = partial(_drafted, how=how)
        best = _of_recording(signal, error, theta, dt, fixed, limits, search)
    else:
        bandwidth = check_positive("plan.bandwidth", bandwidth, "Hz")
        band = SignalSpec(bandwidth, check_positive("plan.rms", rms))
        best = search(Request(error, theta, band, dt, *fixed), limits)
    return replace(best, spec=best.spec.replace(noise_seed=noise_seed))


def _search(request: Request, limits: dict, how) -> Plan:
    """Return the cheapest plan of a request that is not guaranteed."""
    neuron_type, tuning, feedback, minimise = how
    # draft a memory of each order, the cheapest first
    drafts = list(request.drafts(tuning))
    if not drafts:
        raise _no_order(request)
    drafts.sort(key=lambda d: d.n_neurons if minimise == "neurons" else d.spikes_per_s)
    if is_computed(curves.neuron_type(neuron_type), tuning):
        allowed = _worked_out(request, drafts, neuron_type, limits)
    else:
        how = (neuron_type, feedback, minimise)
        allowed = [_measured_out(request, drafts, *how, limits)]
    return min(allowed, key=_by(minimise))


def _drafted(request: Request, limits: dict, how) -> Plan:
    """Return the best draft, whose error is then measured on the recording itself."""
    neuron_type, tuning, feedback, minimise = how
    staggered = is_staggered(curves.neuron_type(neuron_type), "pairs", None)
    drafts = list(request.drafts(tuning, staggered))
    if not drafts:
        raise _no_order(request)
    key = "n_neurons" if minimise == "neurons" else "spikes_per_s"
    draft = min(drafts, key=lambda draft: getattr(draft, key))
    sizes = (draft.n_neurons, draft.order, request.theta, draft.tau, request.dt)
    fields = {"tuning": tuning, "signal": request.band, "max_rate": request.max_rate}
    fields |= {"error_feedback": feedback, "neuron_type": neuron_type}
    spec, goal = MemorySpec(*sizes, **fields), request.goal
    return Plan(spec, request.error, goal, draft.truncation, goal, (), 0.0)


def _recording(signal, theta: float, guarantee: bool) -> Signal:
    """Return a checked recording; one of a single column is one of one channel."""
    theta = check_positive("plan.theta", theta, "seconds")
    if not isinstance(signal, Signal):
        problem, remedy = "must be a Signal", "use load_signal, or Signal(x, dt, ...)"
        raise ValidationError("plan.signal", type(signal).__name__, problem, remedy)
    if signal.samples.ndim == 2 and signal.samples.shape[1] == 1:
        signal = replace(signal, samples=signal.samples[:, 0])
    if guarantee and signal.samples.ndim == 2:
        problem = "is for one channel, whose neurons have one bound"
        raise ValidationError("plan.guarantee", True, problem, "plan each channel")
    refuse_short(signal, theta)
    return signal


def _of_recording(signal, error, theta, dt, fixed, limits: dict, search) -> Plan:
    """Return the plan for a recording: for noise like it, then for itself."""
    step = step_of(signal, theta) if dt is None else dt
    for _ in range(FINER):
        recorded = signal.resampled(step)
        signals = spectrum_of(recorded, theta)
        request = Request(error, theta, mean_of(signals), step, *fixed)
        # in a window of few steps no order is high enough
        few = LDN(1, theta).steps(step) < 2 * MAX_ORDER
        if dt is not None or not few or request.orders():
            break
        step /= 2
    if not request.orders():
        raise _no_order(request) if request.order else too_fast(recorded, request)
    channels = len(signals)
    of_one = {name: limit / channels for name, limit in limits.items()}
    found = search(request, of_one)
    if found.bound is not None:
        return expected_on(found, recorded)
    return fit(found, recorded, signals, request, limits)


def _worked_out(request, drafts, neuron_type: str, limits: dict) -> list[Plan]:
    """Return plans of the best drafts: whole neurons have the last word on them."""
    allowed: list[Plan] = []
    near = (
        d for d in drafts if is_within(d.n_neurons, d.spikes_per_s, limits, slack=1.2)
    )
    for tried, draft in enumerate(near):
        if tried >= FINALISTS and allowed:
            break
        found = request.work_out(draft, neuron_type)
        if found and is_within(found.spec.n_neurons, found.spikes_per_s, limits):
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


def _guaranteed(request: Request, limits: dict, how) -> Plan:
    """Return the plan of staggered neurons that no input can push beyond the error.

    Raises
    ------
    ValidationError
        If no order meets it, or not within the limits.
    """
    made: list[tuple[int, float, MemorySpec, float]] = []
    (neuron_type, tuning, _, minimise), risen = how, 0
    fields = {"neuron_type": neuron_type, "tuning": tuning, "signal": request.band}
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
    allowed = [p for p in found if is_within(p.spec.n_neurons, p.spikes_per_s, limits)]
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
    bandwidth = min(signal.bandwidth for signal in spec.signals)
    seconds = max(CYCLES / bandwidth, WINDOWS * spec.theta)
    steps = min(seconds / step, max(MOST_STEPS, 4 * window))
    budget = budget_of(spec, duration=steps * step)
    expected: Any = budget.nrmse()
    limit = NEAR_MEASURED if is_measured(design(spec).population.neurons) else NEAR

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
