r"""Drafts of the smallest memory that meets an error: what each order would take.

The error at delay theta, relative to the input, is

.. math:: e^2 = e_{truncation}(d)^2 + e_{noise}(d, n)^2, \qquad e_{noise}^2 \sim 1 / n .

Truncation falls with the order faster than any power once ``d`` is past
``2 theta bandwidth``; noise grows with it.  So each order asks for its own number of
neurons, and one order for the fewest.  Of several channels a draft is for their mean,
and for as many neurons as one of them has.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lmu_spiking.dynamics.feedback import make_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    check_positive,
    check_whole,
)
from lmu_spiking.memory.basis import balanced, band_states, best_tau, feedback_pair
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.curves import LEVELS
from lmu_spiking.neurons.recruitment import mean_rate
from lmu_spiking.signals import SignalSpec
from lmu_spiking.theory.cost import SynapticOperations, synaptic_operations
from lmu_spiking.theory.predict import predict_band, truncation

MARGIN = 0.9  # of the error asked for: runs differ by their signal and their spikes
MAX_ORDER = 100
LOWEST = 2  # on a lowpass of tau = theta, order 1 has no recurrence, so no neurons
STRIDES = 16  # a first order over the step from one order that is tried to the next
MIN_DT = 1e-5  # seconds, that steps are shortened to
MAX_NEURONS = 10**12
ASIDE = 0.0035  # of the log of a number, to have the least one between two that near
NEARLY = 0.995  # of the goal: what truncation must leave room for noise in
AGGREGATE = 10**6  # neurons, above which they are simulated as their sums
SPARE = 0.93  # of the goal: neurons whose error is less could fire less


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
    error, theta, dt, max_rate, tau, order, error_feedback
        As in `plan`.
    band : SignalSpec
        The noise that it is for.
    """

    def __init__(self, error, theta, band, dt, max_rate, tau, order, error_feedback):
        self.error_feedback = error_feedback
        self.error = check_positive("plan.error", error)
        if self.error >= 1:
            problem = "is no memory at all"
            raise ValidationError("plan.error", error, problem, "ask for less than 1")
        self.goal = MARGIN * self.error
        self.theta = check_positive("plan.theta", theta, "seconds")
        self.band: SignalSpec = band
        self.bandwidth, self.rms = band.bandwidth, band.rms
        self.max_rate = check_positive("plan.max_rate", max_rate, "Hz")
        self.tau = None if tau is None else check_positive("plan.tau", tau, "seconds")
        if order is not None:
            order = check_whole("plan.order", order, 1, MAX_ORDER)
        self.order = order
        step = _step(self.theta, self.bandwidth) if dt is None else dt
        self.dt = check_positive("plan.dt", step, "seconds")
        longest = min(self.theta, 0.5 / self.bandwidth)
        if self.dt > longest:
            problem = f"is too long for a window of {theta:g} s of {band.bandwidth:g} "
            remedy = f"use at most {longest:g} s"
            raise ValidationError("plan.dt", dt, problem + "Hz", remedy)
        flat = band.spectrum is None
        if flat and self.bandwidth * self.theta > MAX_ORDER / 2:  # two a cycle
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
        """Return the truncation error at delay theta over the input's rms.

        Parameters
        ----------
        order : int

        Returns
        -------
        float
        """
        return truncation_of(order, self.theta, self.band, self.dt)

    def orders(self) -> range:
        """Return the orders from the first whose truncation leaves room for noise.

        The last has two steps of the window for each coefficient.  High ones are a few
        apart: the fewest neurons hardly depend on which of them it is.
        """
        if self.order is not None:
            return range(self.order, self.order + 1)
        last = min(MAX_ORDER, LDN(1, self.theta).steps(self.dt) // 2)
        # the power of a recording that no order holds is soon known
        tried = () if self.band.spectrum is None else (last * 3 // 4, last)
        if tried and min(map(self.truncation, tried)) >= NEARLY * self.goal:
            return range(0)
        for order in range(LOWEST, last + 1):
            if self.truncation(order) < NEARLY * self.goal:
                return range(order, last + 1, max(1, order // STRIDES))
        return range(0)

    def drafts(self, tuning: str, staggered: bool = False) -> Iterator[Draft]:
        """Yield drafts of rising order, until three in a row have taken more neurons.

        Parameters
        ----------
        tuning : {"balanced", "optimal"}
        staggered : bool
            Of staggered neurons, in place of Poisson ones.
        """
        best, risen = np.inf, 0
        for order in self.orders():
            if self.truncation(order) >= NEARLY * self.goal:
                continue
            try:
                draft = self._draft(order, tuning, staggered)
            except MappingError:  # no number of neurons is enough
                continue
            yield draft
            risen = risen + 1 if draft.n_neurons > best else 0
            best = min(best, draft.n_neurons)
            if risen == 3:
                return

    def _draft(self, order: int, tuning: str, staggered: bool) -> Draft:
        """Return the fewest neurons with which an order keeps the error."""
        ldn, dt = LDN(order, self.theta), self.dt
        moments = band_states(ldn, dt, self.band)
        levels, max_rate = LEVELS if tuning == "optimal" else 1, self.max_rate
        options: dict[str, Any] = {"max_rate": max_rate / self.band.peak}
        options |= {"levels": levels, "staggered": staggered}
        if self.error_feedback is not None:  # few neurons, whose noise settles slowly
            options["tolerance"] = 1e-4
        last, missed = last_readout(ldn, dt), self.truncation(order)
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
        spikes = n * mean_rate(max_rate / self.band.peak, levels)
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
            fields["signal"] = self.band
            fields["error_feedback"] = draft.error_feedback
            spec = MemorySpec(*sizes, neuron_type, max_rate=max_rate, **fields)
            band, last = predict_band(spec), last_readout(spec.ldn, self.dt)
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


@lru_cache(maxsize=512)
def truncation_of(order: int, theta: float, band: SignalSpec, dt: float) -> float:
    """Return the truncation error at delay theta of a band, over its rms.

    Parameters
    ----------
    order : int
    theta : float
        Window, seconds.
    band : SignalSpec
    dt : float
        Step, seconds.

    Returns
    -------
    float
    """
    ldn = LDN(order, theta)
    frequency, power = band.lines(theta)
    delay, power = ldn.steps(dt) * dt, power / band.rms**2
    return float(truncation(ldn, frequency, power, delay, dt)[0])


def last_readout(ldn: LDN, dt: float) -> np.ndarray:
    """Return the readout (d,) at delay theta.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.

    Returns
    -------
    (d,) ndarray
    """
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


def is_within(
    n_neurons: float, spikes: float, limits: dict, slack: float = 1.0
) -> bool:
    """Return whether limits are kept, or exceeded by no more than ``slack``.

    Parameters
    ----------
    n_neurons, spikes : float
        Neurons, and spikes per second of all.
    limits : dict
        ``max_neurons`` and ``max_spikes_per_s``.
    slack : float

    Returns
    -------
    bool
    """
    most_neurons, most_spikes = (slack * limit for limit in limits.values())
    return n_neurons <= most_neurons and spikes <= most_spikes
