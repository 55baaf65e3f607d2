r"""From the error that one can afford to the network: the error model, inverted.

The error at delay theta, relative to the input, is

.. math:: e^2 = e_{truncation}(d)^2 + e_{noise}(d, n)^2, \qquad e_{noise}^2 \sim 1 / n .

Truncation falls with the order faster than any power once ``d`` is past
``2 theta bandwidth``; noise grows with it.  So each order asks for its own number of
neurons, and one order for the fewest.
"""

from dataclasses import dataclass, replace

import numpy as np

from lmu_spiking.cost import SynapticOperations, synaptic_operations
from lmu_spiking.drafts import MARGIN, Draft, Request, least
from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.realisation import REALISED
from lmu_spiking.spec import MemorySpec
from lmu_spiking.theory import predict_band

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
