"""What each order would take for an error: the first step of `planner.plan`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss

from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    check_positive,
    check_whole,
)
from lmu_spiking.ldn import LDN
from lmu_spiking.realisation import balanced, band_moments, best_tau
from lmu_spiking.recruitment import mean_rate
from lmu_spiking.spec import SignalSpec
from lmu_spiking.synapse import map_onto
from lmu_spiking.theory import truncation
from lmu_spiking.tuning import LEVELS

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
