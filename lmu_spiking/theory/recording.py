"""The memory of a recording: its step, and how many neurons it needs on what it is for.

A recording is planned for as noise of its spectrum (`theory.plan`).  What its bursts
and silences make of that is known here: the error is predicted on the recording itself,
as it will be run, and neurons are added or taken away until it is met.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import MappingError, ValidationError
from lmu_spiking.memory.basis import REALISED, balanced, band_states
from lmu_spiking.memory.design import design
from lmu_spiking.memory.open_loop import is_measured
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.curves import is_rectified_linear, neuron_type
from lmu_spiking.neurons.population import STAGGERED, radii_from
from lmu_spiking.signals import Signal, spectrum_of
from lmu_spiking.signals.spec import mean_of, spectrum
from lmu_spiking.theory.draft import (
    AGGREGATE,
    MARGIN,
    MAX_NEURONS,
    MAX_ORDER,
    SPARE,
    Plan,
    Request,
    is_within,
    last_readout,
    truncation_of,
)
from lmu_spiking.theory.measured_search import ENOUGH, MOST_MEASURED
from lmu_spiking.theory.predict import LEAD, budget_of

LONGEST = 1e-3, 1 / 5000, 1 / 50  # steps: seconds, or of the window, and never above
PLENTY = 1e-4  # share of the power that a longer step than the recording's may lose
FLAT = 0.42  # of one over the step, up to which resampling keeps all
TENTH = 0.1  # of a cycle of the bandwidth, the longest step
SEARCHED = 60_000  # steps of all channels in an excerpt, by which neurons are counted
COARSE = 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100  # orders that are tried first
COUNTED = 10**7  # updates of neurons in a round, where their error is measured
TRIED, AIM = 8, 0.985  # numbers of neurons, at most; of the error, what is aimed at
MUCH = 0.005  # of the power, that explains why an order does not hold a recording
HIGHER = 1, 2, 4  # orders above the first, that are tried if truncation is too large


def step_of(signal: Signal, theta: float) -> float:
    """Return the step at which a memory carries a recording, seconds.

    It is the recording's own, or a whole multiple of it that keeps all but 0.01 % of
    the power; and a part of it where its own is too long for spikes and for the window.

    Parameters
    ----------
    signal : Signal
    theta : float
        Window, seconds.

    Returns
    -------
    float
        Seconds.
    """
    own = signal.dt
    seconds, few, most = LONGEST
    longest = min(max(seconds, few * theta), most * theta)
    if own > longest:
        return own / int(np.ceil(own / longest - 1e-9))
    held, band = 0.0, 0.0  # frequencies with all but a little, and most, of the power
    samples = signal.samples.reshape(len(signal.samples), -1)
    for u in samples.T:
        if np.ptp(u):
            frequency, power = spectrum(np.concatenate([u, u[::-1]]), own)
            total = np.cumsum(np.where(frequency > 0, power, 0.0))
            ends = np.searchsorted(total, [total[-1] * s for s in (1 - PLENTY, 0.99)])
            held, band = np.maximum([held, band], frequency[ends])
    times = [longest / own]
    times += [FLAT / (own * held), TENTH / (own * band)] if held else []
    return own * max(1, int(min(times) + 1e-9))


def memory_for(
    recorded: Signal, theta: float, n_neurons: int, order: int | None = None, **fields
) -> MemorySpec:
    """Return the memory of a recording of least predicted error with so many neurons.

    A higher order holds more of the signal and carries more noise.

    Parameters
    ----------
    recorded : Signal
        At the step of the memory.
    theta : float
        Window, seconds.
    n_neurons : int
        Of all channels.
    order : int, optional
        By default the best.
    **fields
        Further fields of the spec; ``tuning`` is ``balanced`` unless it is given.
        Plain tunings have radii that the states exceed 1 % of the time.

    Returns
    -------
    MemorySpec
        For the spectrum of each channel.
    """
    signals: Any = spectrum_of(recorded, theta)
    dt = recorded.dt
    several = signals if len(signals) > 1 else signals[0]
    fields = {"tuning": "balanced", "dt": dt, **fields, "signal": several}
    fields["size_in"] = len(signals)
    if order is None:
        order = _best_order(mean_of(signals), theta, n_neurons // len(signals), fields)
    if fields["tuning"] not in REALISED and "radii" not in fields:
        samples = recorded.samples.reshape(len(recorded.samples), -1).T
        states = np.hstack([LDN(order, theta).simulate(u, dt) for u in samples])
        fields["radii"] = tuple(radii_from(states, 0.99).tolist())
    return MemorySpec(n_neurons, order, theta, **fields)


def _best_order(band, theta: float, n: int, fields: dict) -> int:
    """Return the order of least predicted error of a channel of ``n`` neurons."""
    dt, kind = fields["dt"], fields.get("neuron_type", "poisson")
    rate = fields.get("max_rate", 300.0) / band.peak
    phases = fields.get("initial_phases")
    more: dict = {"staggered": kind in STAGGERED and phases != "random"}
    errors: dict[int, float] = {}

    def error(order: int) -> float:
        if order not in errors:
            ldn = LDN(order, theta)
            moments, last = band_states(ldn, dt, band), last_readout(ldn, dt)
            missed = truncation_of(order, theta, band, dt)
            options = {"max_rate": rate, "tolerance": 1e-3, **more}
            try:
                made = balanced(
                    ldn, map_onto(ldn, theta, dt), dt, moments, n, **options
                )
                noise = float(last @ made.noise @ last) / band.rms**2
            except MappingError:  # so few neurons feed their own noise
                noise = np.inf
            errors[order] = np.hypot(missed, np.sqrt(max(noise, 0.0)))
        return errors[order]

    most = min(MAX_ORDER, LDN(1, theta).steps(dt) // 2, n // 2)
    tried = [d for d in COARSE if d <= most] or [max(1, most)]
    best = min(tried, key=error)
    # and every order between its neighbours
    at = tried.index(best)
    low, high = tried[max(at - 1, 0)], tried[min(at + 1, len(tried) - 1)]
    return min(range(low, high + 1), key=error)


def refuse_short(signal: Signal, theta: float) -> None:
    """Raise a ValidationError if a recording does not suit a window.

    Parameters
    ----------
    signal : Signal
    theta : float
        Window, seconds.
    """
    if signal.duration < 2 * theta:
        problem = f"is too long for {signal.name} of {signal.duration:.4g} s"
        remedy = f"use at most {signal.duration / 2:.4g} s"
        raise ValidationError("plan.theta", theta, problem, remedy)
    if 2 * signal.dt > theta:
        problem = f"holds less than two samples of {signal.name}, one each "
        problem += f"{signal.dt:g} s"
        remedy = f"use at least {2 * signal.dt:g} s, and ten times that for its course"
        remedy += "; give the rate if its times are no seconds"
        raise ValidationError("plan.theta", theta, problem, remedy)


def too_fast(signal: Signal, request: Request) -> ValidationError:
    """Return the error that no order holds a recording in the window.

    Parameters
    ----------
    signal : Signal
    request : Request

    Returns
    -------
    ValidationError
        With the share of the power that is beyond, and what would do.
    """
    theta, error = request.theta, request.error
    most = min(MAX_ORDER, LDN(1, theta).steps(request.dt) // 2)
    frequency, power = request.band.lines(theta)
    held = most / (2 * theta)  # two coefficients a cycle
    beyond = power[frequency > held].sum() / power.sum()
    missed = request.truncation(most)
    # the longest window whose highest order holds it
    short = theta
    while short > 4 * request.dt and _missed(short, request) > request.goal:
        short /= 1.5
    remedy = f"ask for more than {1.1 * missed:.2g}"
    if short > 4 * request.dt:
        remedy = f"use a window of {short:.2g} s, {remedy}"
    remedy += ", or give its envelope or features, which are slower"
    problem = f"is met by no order up to {most} for {signal.name} in a window of "
    problem += f"{theta:g} s: "
    if beyond > MUCH:
        problem += f"{beyond:.0%} of its power is above {held:.3g} Hz, which no such "
        problem += "order holds"
    else:
        problem += f"its highest frequencies are close to {held:.3g} Hz, up to which "
        problem += f"order {most} holds them roughly, with an error of {missed:.2g}"
    return ValidationError("plan.error", error, problem, remedy)


def _missed(theta: float, request: Request) -> float:
    """Return the truncation error of the highest order in a shorter window."""
    most = min(MAX_ORDER, max(2, LDN(1, theta).steps(request.dt) // 2))
    return truncation_of(most, theta, request.band, request.dt)


def fit(found: Plan, recorded: Signal, signals, request: Request, limits: dict) -> Plan:
    """Return the plan for a recording, from the plan of one channel of noise like it.

    Parameters
    ----------
    found : Plan
        The memory of one channel, for noise of the mean spectrum.
    recorded : Signal
        At its step.
    signals : tuple of SignalSpec
        What specs say of its channels.
    request : Request
    limits : dict
        Of all neurons and their spikes.

    Returns
    -------
    Plan
        Of the fewest neurons with which 97.5 of 100 runs on the recording meet the
        error.

    Raises
    ------
    ValidationError
        If no number of neurons, or none within the limits, does.
    """
    first = found.spec.order
    orders = [first + more for more in (0, *HIGHER)]
    orders = orders[:1] if request.order is not None else orders
    order = first
    for order in orders:
        spec = found.spec.replace(order=order, aggregated=False)
        made, missed = _fitted(spec, found, recorded, signals, request, limits)
        if made is not None:
            return made
        if missed < request.error / 2:  # a higher order holds little more
            break
    neurons = found.spec.neuron_type
    tried = f"{first}" if order == first else f"{first} to {order}"
    problem = f"is met by no {neurons} neurons of order {tried} on {recorded.name} "
    problem += "itself"
    if np.isfinite(list(limits.values())).any():
        problem += ", within the limits that are set"
    others = [f"'{name}'" for name in ("poisson", "if") if name != neurons]
    remedy = f"ask for a larger error, allow more, or use {' or '.join(others)} neurons"
    raise ValidationError("plan.error", request.error, problem, remedy)


def expected_on(found: Plan, recorded: Signal) -> Plan:
    """Return a plan with the errors and spikes that are expected on a recording.

    Parameters
    ----------
    found : Plan
        For noise like it.
    recorded : Signal
        At its step, of one channel.

    Returns
    -------
    Plan
        Of the same memory, with the same bound.
    """
    lead = LEAD * found.spec.ldn.steps(found.spec.dt)
    budget = budget_of(found.spec, recorded.led_in(lead), lead=lead, updates=COUNTED)
    return replace(found, **_expected(budget))


def _expected(budget) -> dict:
    """Return the fields of a plan that a budget says."""
    parts, rate = budget.parts(), budget.spikes_per_s
    noise = float(np.hypot(parts["spikes"], parts["curves"]))
    errors = {"nrmse": budget.nrmse(), "truncation": parts["truncation"]}
    return errors | {"noise": noise, "spikes_per_s": rate}


def _fitted(
    spec: MemorySpec, found, recorded, signals, request, limits
) -> tuple[Plan | None, float]:
    """Return the plan of one order, None if there is none, and its truncation error."""
    channels, window = len(signals), spec.ldn.steps(spec.dt)
    of_all: dict = {"size_in": channels}
    of_all["signal"] = signals if channels > 1 else signals[0]
    low = 2 * spec.order * channels
    most = min(limits["max_neurons"], MAX_NEURONS)
    n = max(found.spec.n_neurons * channels, low)
    kind = neuron_type(spec.neuron_type)
    if is_measured(kind) and not is_rectified_linear(kind):
        # of curves that distort, so many say soon whether more would do
        most = min(most, MOST_MEASURED * channels)
        n = min(n, ENOUGH * spec.order * channels)
    met: Any = None
    falls = 2 if spec.neuron_type in STAGGERED else 1
    # an excerpt says how many it takes, and the whole recording has the last word
    for part in dict.fromkeys((_excerpt(recorded, window), recorded)):
        played, lead = part.led_in(LEAD * window), LEAD * window

        def budget(n: int, played=played, lead=lead):
            whole = spec.replace(n_neurons=n, **of_all)
            return budget_of(whole, played, lead=lead, updates=COUNTED)

        met, missed = _fewest(budget, n, low, most, request.error, falls)
        if met is None:
            return None, missed
        n = met[0]
    budgets = met[1]
    whole = spec.replace(n_neurons=n, aggregated=_is_sum(spec, n), **of_all)
    counts = np.bincount(design(whole).population.dimension).tolist()
    expected = _expected(budgets)
    made = Plan(whole, request.error, counts=tuple(counts), **expected)
    allowed = is_within(n, made.spikes_per_s, limits)
    return made if allowed else None, made.truncation


def _fewest(budget_at: Callable, n: int, low: int, most: float, error: float, falls):
    """Return about the fewest neurons that meet an error, and their budget; or None.

    Beside them is the truncation error of the last budget.  The square of what is not
    truncation falls as this power of the neurons, so that a few budgets lead there.
    """
    best, tried, missed = None, set(), np.inf
    while n not in tried and len(tried) < TRIED and n <= most:
        tried.add(n)
        try:
            budget = budget_at(n)
        except MappingError:  # so few neurons feed their own noise
            n *= 4
            continue
        missed = budget.parts()["truncation"]
        total, ends = budget.nrmse(), budget.nrmse_interval()
        over = (total / MARGIN if ends is None else ends[1]) / error
        if over <= 1 and (best is None or n < best[0]):
            best = n, budget
        if best and n == best[0] and (over > SPARE or n == low):
            break
        # so much smaller, or larger, may be what is left beside truncation
        noise, left = total**2 - missed**2, (AIM * total / over) ** 2 - missed**2
        if left <= 0 or not noise > 0:
            break
        n = max(low, int(np.ceil(n * (noise / left) ** (1 / falls))))
        if best and n >= best[0]:  # neurons whose error is no smooth function of them
            n = int(np.ceil((n + best[0]) / 2)) if n > best[0] else best[0] - 1
    return best, missed


def _is_sum(spec: MemorySpec, n: int) -> bool:
    """Return whether so many neurons are simulated as their sums."""
    return n > AGGREGATE and spec.has_sums


def _excerpt(recorded: Signal, window: int) -> Signal:
    """Return the middle of a long recording."""
    most = max(SEARCHED // len(recorded.channels), 20 * window)
    if len(recorded.samples) <= most:
        return recorded
    start = (len(recorded.samples) - most) // 2
    part = recorded.samples[start : start + most]
    return replace(recorded, samples=part, periodic=False)
