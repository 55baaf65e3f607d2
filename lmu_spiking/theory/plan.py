r"""From the error that one can afford to the network: the error model, inverted.

The error at delay theta, relative to the input, is

.. math:: e^2 = e_{truncation}(d)^2 + e_{noise}(d, n)^2, \qquad e_{noise}^2 \sim 1 / n .

Truncation falls with the order faster than any power once ``d`` is past
``2 theta bandwidth``; noise grows with it.  So each order asks for its own number of
neurons, and one order for the fewest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial.legendre import leggauss

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.memory.basis import REALISED, balanced, band_moments, best_tau
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.neurons.curves import LEVELS
from lmu_spiking.neurons.recruitment import mean_rate
from lmu_spiking.theory.cost import SynapticOperations, synaptic_operations
from lmu_spiking.theory.predict import predict_band, truncation

# --------------------------------------------------------------------------------------
# What each order would take for an error: the first step of `theory.plan.plan`.


MARGIN = 0.9  # of the error asked for: runs differ by their signal and their spikes
MAX_ORDER = 100
LOWEST = 2  # on a lowpass of tau = theta, order 1 has no recurrence, so no neurons
MIN_DT = 1e-5  # seconds, that steps are shortened to
MAX_NEURONS = 10**12
ASIDE = 0.0035  # of the log of a number, to have the least one between two that near
NEARLY = 0.995  # of the goal: what truncation must leave room for noise in


@dataclass(frozen=True)
class Draft:
    """What an order would take, for normally distributed states and real numbers."""

    order: int
    tuning: str
    tau: float
    truncation: float
    n_neurons: int
    spikes_per_s: float

    def within(self, limits: dict, slack: float = 1.0) -> bool:
        """Whether it keeps the limits, or is beyond by no more than ``slack``."""
        return (
            self.n_neurons <= slack * limits["max_neurons"]
            and self.spikes_per_s <= slack * limits["max_spikes_per_s"]
        )


class Request:
    """What was asked of `plan`, checked, and what each order would take for it."""

    def __init__(self, error, theta, bandwidth, rms, dt, max_rate, tau, order):
        self._missed: dict[int, float] = {}
        self.error = check_positive("plan.error", error)
        if self.error >= 1:
            raise ValidationError(
                "plan.error", error, "is no memory at all", "ask for less than 1"
            )
        self.theta = check_positive("plan.theta", theta, "seconds")
        self.bandwidth = check_positive("plan.bandwidth", bandwidth, "Hz")
        self.rms = check_positive("plan.rms", rms)
        self.max_rate = check_positive("plan.max_rate", max_rate, "Hz")
        self.tau = None if tau is None else check_positive("plan.tau", tau, "seconds")
        self.order = None if order is None else check_whole("plan.order", order, 1)
        if self.order is not None and self.order > MAX_ORDER:
            raise ValidationError(
                "plan.order", order, f"is above {MAX_ORDER}", "use a lower one"
            )
        step = _step(self.theta, self.bandwidth) if dt is None else dt
        self.dt = check_positive("plan.dt", step, "seconds")
        if self.dt > min(self.theta, 0.5 / self.bandwidth):
            raise ValidationError(
                "plan.dt",
                dt,
                f"is too long for a window of {theta:g} s of {bandwidth:g} Hz",
                f"use at most {min(self.theta, 0.5 / self.bandwidth):g} s",
            )
        if self.bandwidth * self.theta > MAX_ORDER / 2:  # two coefficients a cycle
            raise self.refusal()
        # the edge of a window of steps is out by a share of a step, at any order
        while dt is None and self.dt > MIN_DT and not self._orders():
            self.dt = _next_step(self.dt / 2)
            self._missed.clear()

    def refusal(self) -> ValidationError:
        """That no order will do."""
        return ValidationError(
            "plan.bandwidth",
            self.bandwidth,
            f"times theta is beyond order {MAX_ORDER} for an error of {self.error:g}",
            "use a shorter window, a lower bandwidth or a shorter dt",
        )

    @property
    def goal(self) -> float:
        """The error that is aimed at."""
        return MARGIN * self.error

    @property
    def band(self) -> SignalSpec:
        """The signal."""
        return SignalSpec(self.bandwidth, self.rms)

    def truncation(self, order: int) -> float:
        """What an order cannot hold: error at delay theta over the input's rms."""
        if order not in self._missed:
            self._missed[order] = self._truncation(order)
        return self._missed[order]

    def _truncation(self, order: int) -> float:
        ldn = LDN(order, self.theta)
        nodes, weights = leggauss(32 + 8 * int(np.ceil(self.bandwidth * self.theta)))
        frequency = self.bandwidth * (nodes + 1) / 2
        delay = ldn.steps(self.dt) * self.dt
        return float(truncation(ldn, frequency, weights / 2, delay, self.dt)[0])

    def drafts(self, tuning: str) -> Iterator["Draft"]:
        """Drafts of rising order, until three in a row have taken more neurons."""
        best, risen = np.inf, 0
        for order in self._orders():
            missed = self.truncation(order)
            if missed >= NEARLY * self.goal:
                continue
            draft = self._draft(order, tuning, missed)
            if draft is not None:
                yield draft
                risen = risen + 1 if draft.n_neurons > best else 0
                best = min(best, draft.n_neurons)
            if risen == 3:
                return

    def _orders(self) -> range:
        """From the first that holds enough to two steps of the window a coefficient."""
        if self.order is not None:
            return range(self.order, self.order + 1)
        last = min(MAX_ORDER, LDN(1, self.theta).steps(self.dt) // 2)
        for order in range(LOWEST, last + 1):
            if self.truncation(order) < NEARLY * self.goal:
                return range(order, last + 1)
        return range(0)

    def _draft(self, order: int, tuning: str, missed: float) -> "Draft | None":
        """The fewest neurons with which an order keeps the error."""
        ldn = LDN(order, self.theta)
        moments = band_moments(ldn, self.dt, self.bandwidth, self.rms)
        levels = LEVELS if tuning == "optimal" else 1
        options = {"max_rate": self.max_rate, "levels": levels}
        last = ldn.readout((ldn.steps(self.dt) - 1) * self.dt, self.dt)
        goal = self.rms * np.sqrt(self.goal**2 - missed**2)

        def fewest(tau: float, start: float) -> float:
            mapped = map_onto(ldn, tau, self.dt)

            def excess(n: float) -> float:
                found = balanced(ldn, mapped, self.dt, moments, int(n), **options)
                return np.sqrt(max(last @ found.noise @ last, 0.0)) / goal

            return least(excess, max(start, 2.0 * order), 2.0 * order)

        try:
            n, tau = fewest(self.tau or self.theta, 1000.0), self.tau
            if tau is None:
                tau = best_tau(ldn, self.dt, moments, int(np.ceil(n)), **options)
                n = fewest(tau, n)
        except MappingError:
            return None
        n = int(np.ceil(n))
        return Draft(
            order, tuning, tau, missed, n, n * mean_rate(self.max_rate, levels)
        )


def least(excess: Callable[[float], float], start: float, low: float) -> float:
    """Return the least number of neurons, to 1 %, whose noise is at most the goal.

    Parameters
    ----------
    excess : callable
        Gives the noise of a number over the goal.  It falls about as one over the root
        of the number.  Too few neurons may have no error model at all (`MappingError`):
        they are not enough.
    start, low : float
        Where the search begins, and the least number that is asked about.

    Raises
    ------
    MappingError
        If `MAX_NEURONS` are not enough.
    """
    first, last = np.log(low), np.log(MAX_NEURONS)
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
            raise MappingError(f"{MAX_NEURONS:,} neurons are not enough")
        if good and bad:
            if good[0] - bad[0] <= np.log(1.01):
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
    """1 ms, or the next of 1, 2, 5 below a 50th of the window, a 10th of a cycle."""
    return _next_step(min(1e-3, theta / 50, 0.1 / bandwidth))


def _next_step(limit: float) -> float:
    """1, 2 or 5 times a power of ten, at most ``limit``."""
    unit = 10.0 ** np.floor(np.log10(limit) + 1e-9)
    return float(f"{unit * max(k for k in (1, 2, 5) if k * unit <= limit * 1.0001):g}")


# --------------------------------------------------------------------------------------

AGGREGATE = 10**6  # above which neurons are simulated as their sums
FINALISTS = 4  # drafts that are worked out
GOALS = ("neurons", "spikes")


@dataclass(frozen=True)
class Plan:
    """A memory that meets an error, and what it will cost.

    Attributes
    ----------
    spec : MemorySpec
    error : float
        Asked for: of the readout at delay theta, over the rms of the input.
    nrmse, truncation, noise : float
        Predicted: in all, from the order, and from the spikes.
    counts : tuple of int
        Neurons of each coordinate.
    spikes_per_s : float
        Predicted, of all neurons.
    """

    spec: MemorySpec
    error: float
    nrmse: float
    truncation: float
    noise: float
    counts: tuple[int, ...]
    spikes_per_s: float

    @property
    def synops(self) -> SynapticOperations:
        """Synaptic operations per second."""
        return synaptic_operations(self.spec, self.spikes_per_s)

    def to_dict(self) -> dict:
        """Plain values, on one level but for ``spec``."""
        return {
            "error": self.error,
            "predicted_nrmse": self.nrmse,
            "predicted_truncation_nrmse": self.truncation,
            "predicted_noise_nrmse": self.noise,
            "neurons": self.spec.n_neurons,
            "order": self.spec.order,
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
    noise_seed: int = 0,
) -> Plan:
    """Find the cheapest memory of an error, without running a neuron.

    Parameters
    ----------
    error : float
        Of the readout at delay theta against the input, over the input's rms.
    theta : float
        Window, seconds.
    bandwidth, rms : float
        White noise that it is meant for: highest frequency in Hz, and root mean square.
    minimise : {"neurons", "spikes"}
        What counts as cheap.
    max_neurons : int, optional
    max_rate : float
        That each neuron exceeds less than .1 % of the time, Hz.
    max_spikes_per_s : float, optional
        Of all neurons.
    order : int, optional
        To have it fixed.
    tau : float, optional
        To have it fixed, seconds; by default the least noisy lowpass.
    dt : float, optional
        Step, seconds; by default 1 ms, or less for fast signals and short windows.
    tuning : {"balanced", "optimal"}
        ``balanced``, the default, works for other signals as well; ``optimal`` needs
        fewer neurons and more spikes, and clips signals that exceed the one it is made
        for.
    neuron_type : {"poisson", "stochastic"}
        Those whose noise the error model describes.
    noise_seed : int
        Of the spec.

    Returns
    -------
    Plan

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
    _check_one_of("minimise", minimise, GOALS)
    _check_one_of("neuron_type", neuron_type, ("poisson", "stochastic"))
    _check_one_of("tuning", tuning, (None, *REALISED))
    limits = {"max_neurons": np.inf, "max_spikes_per_s": np.inf}
    if max_neurons is not None:
        limits["max_neurons"] = check_whole("plan.max_neurons", max_neurons, 2)
    if max_spikes_per_s is not None:
        limits["max_spikes_per_s"] = check_positive(
            "plan.max_spikes_per_s", max_spikes_per_s
        )
    noise_seed = check_seed("plan.noise_seed", noise_seed)
    request = Request(error, theta, bandwidth, rms, dt, max_rate, tau, order)
    drafts = list(request.drafts(tuning or "balanced"))
    if not drafts:
        raise _no_order(request)
    drafts.sort(key=lambda d: d.n_neurons if minimise == "neurons" else d.spikes_per_s)
    # the error of whole neurons has the last word on the best few
    near = [draft for draft in drafts if draft.within(limits, slack=1.2)]
    allowed: list[Plan] = []
    for tried, draft in enumerate(near):
        if tried >= FINALISTS and allowed:
            break
        found = _settled(request, draft, neuron_type)
        if (
            found is not None
            and found.spec.n_neurons <= limits["max_neurons"]
            and found.spikes_per_s <= limits["max_spikes_per_s"]
        ):
            allowed.append(found)
    if allowed:
        best = min(allowed, key=lambda p: _cost(p, minimise))
        return replace(best, spec=best.spec.replace(noise_seed=noise_seed))
    raise _too_dear(request, drafts, limits)


def _cost(found: Plan, minimise: str) -> tuple[float, float]:
    """What is to be least, and what comes second."""
    neurons, spikes = float(found.spec.n_neurons), found.spikes_per_s
    return (neurons, spikes) if minimise == "neurons" else (spikes, neurons)


def _settled(request: Request, draft: Draft, neuron_type: str) -> Plan | None:
    """Return the draft as whole neurons: the fewest predicted to meet the target.

    Where the fewest that there can be are too many, they fire less.
    """
    fewest, kept = 2 * draft.order, []
    goal = np.sqrt(request.goal**2 - draft.truncation**2)

    def excess(amount: float) -> float:
        n = max(int(np.ceil(amount)), fewest)
        max_rate = request.max_rate * min(1.0, amount / fewest)
        found = _worked_out(request, draft, n, max_rate, neuron_type)
        if found.noise / goal <= 1:
            kept.append(found)
        return found.noise / goal

    try:
        least(excess, float(draft.n_neurons), 0.02 * fewest)
    except MappingError:
        return None
    return min(kept, key=lambda p: _cost(p, "neurons"))


def _worked_out(
    request: Request, draft: Draft, n: int, max_rate: float, neuron_type: str
) -> Plan:
    """Return what is predicted of so many neurons."""
    spec = MemorySpec(
        n_neurons=n,
        order=draft.order,
        theta=request.theta,
        tau=draft.tau,
        dt=request.dt,
        neuron_type=neuron_type,
        tuning=draft.tuning,
        max_rate=max_rate,
        aggregated=n > AGGREGATE,
        signal=request.band,
    )
    band, dt = predict_band(spec), request.dt
    last = spec.ldn.readout((spec.ldn.steps(dt) - 1) * dt, dt)
    noise = float(np.sqrt(last @ band.noise @ last)) / request.rms
    return Plan(
        spec=spec,
        error=request.error,
        nrmse=float(np.hypot(noise, draft.truncation)),
        truncation=draft.truncation,
        noise=noise,
        counts=band.counts,
        spikes_per_s=band.spikes_per_s,
    )


def _check_one_of(name: str, value, allowed: tuple) -> None:
    if value not in allowed:
        words = ", ".join(str(known) for known in allowed if known is not None)
        raise ValidationError(f"plan.{name}", value, "is unknown", f"use {words}")


# -- refusals ----------------------------------------------------------------------


def _no_order(request: Request) -> ValidationError:
    """The order is what forbids it."""
    if request.order is not None:
        missed = request.truncation(request.order)
        return ValidationError(
            "plan.order",
            request.order,
            f"leaves an error of {missed:.3g} by truncation alone",
            f"use a higher order, or ask for more than {1.02 * missed / MARGIN:.3g}",
        )
    if request.tau is None:
        return request.refusal()
    return ValidationError(
        "plan.tau",
        request.tau,
        "lets the noise of any number of neurons grow without bound",
        "leave it out, for the least noisy one",
    )


def _too_dear(request: Request, drafts: list[Draft], limits: dict) -> ValidationError:
    """The limit that forbids it, what it would take, and what can be had."""
    fewest = min(drafts, key=lambda d: d.n_neurons)
    thriftiest = min(drafts, key=lambda d: d.spikes_per_s)
    if fewest.n_neurons > limits["max_neurons"]:
        name, needed = "max_neurons", fewest.n_neurons
    elif thriftiest.spikes_per_s > limits["max_spikes_per_s"]:
        name, needed = "max_spikes_per_s", thriftiest.spikes_per_s
    elif np.isfinite(limits["max_spikes_per_s"]):
        name, needed = "max_spikes_per_s", fewest.spikes_per_s
    elif np.isfinite(limits["max_neurons"]):
        name, needed = "max_neurons", 1.2 * fewest.n_neurons
    else:
        return ValidationError(
            "plan.error",
            request.error,
            "is kept by no number of neurons, whose noise feeds itself",
            "use a shorter dt, or leave tau and order out",
        )
    # noise alone, and a tenth more, since whole neurons go by jumps
    reached = 1.1 * request.error * np.sqrt(needed / limits[name])
    offer = f", or an error of about {reached:.2g}" if reached < 0.5 else ""
    return ValidationError(
        f"plan.{name}",
        limits[name],
        f"is too few for an error of {request.error:g}, which takes {needed:,.0f}",
        f"allow more{offer}",
    )
