"""The search for the fewest neurons of a memory whose error is measured, not known."""

from typing import Any, NamedTuple

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import MappingError
from lmu_spiking.memory.design import design
from lmu_spiking.memory.open_loop import FEW
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons import curves
from lmu_spiking.theory.budget import whole_steps
from lmu_spiking.theory.draft import (
    SPARE,
    Draft,
    Plan,
    Request,
    is_within,
    last_readout,
    least,
)
from lmu_spiking.theory.predict import LEAD, budget_of

MOST_MEASURED = 10**5  # neurons whose error is measured, at most
ENOUGH = 100  # neurons a dimension, whose curves distort as little as those of more
HOPELESS = 2.0  # times what neurons may add to the error, on a short stretch
GUESSED = 0.4, 0.05  # rate per step and seconds, of feedback that is good for most
SURE = 1.645  # standard deviations, that 95 of 100 are below
CONFIRMED = 8  # times that a memory is grown until another signal confirms it
OTHER_SIGNAL = 271_828  # seed of that signal
SLOWEST = 0.1  # of the highest rate, that measured neurons are given
CYCLES, WINDOWS = 200, 100  # of noise, from which it is known how runs differ


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
        self.fields: dict[str, Any] = {"tuning": draft.tuning, "signal": request.band}
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
        return found if found and is_within(*found._cost, self.limits) else None

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
        last, c = window * request.dt, last_readout(spec.ldn, request.dt)
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
        drawn = request.band.draw(2 * self.seconds, request.dt, OTHER_SIGNAL)
        samples = drawn.led_in(lead)
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
