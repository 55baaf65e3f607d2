r"""The error model: how wrong a spiking memory will be, before it runs.

A memory's decoded state carries spike noise ``eta`` of covariance ``Sigma`` in every
step, which the recurrent synapse feeds back.  For a lowpass,

.. math::

    m[k+1] = \bar A m[k] + \bar B u[k] + (\bar A - aI)\,\eta[k], \qquad
    P = \bar A P \bar A^T + (\bar A - aI)\,\Sigma\,(\bar A - aI)^T ,

and in general ``P`` is the state block of the closed loop's covariance, the synapse's
own states included.  For Poisson rectifier pairs of ``n`` neurons a dimension,

.. math:: \Sigma_{ii} = E|x_i|\, R_i / (r_{max}\, (n/2)\, dt) ,

where ``x`` includes its own noise: ``P`` is a fixed point.  A readout ``c`` then has
the error ``sqrt(c^T P c)``; with which power of ``d`` it grows depends on the readout
and on the signal (docs/laws.md).
To this are added what order ``d`` cannot hold of the input's spectrum (truncation), and
the static distortion of drawn curves, run through the same loop.

The file is long because what computes a budget and the cautions that it comes with are
one thing to read.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import nengo
import numpy as np
from scipy.special import ndtri

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import closed_loop, stationary_covariance
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    ValidationError,
    ValidityWarning,
    check_whole,
)
from lmu_spiking.memory.basis import signal_moments
from lmu_spiking.memory.design import Design, design, fed_back
from lmu_spiking.memory.open_loop import (
    READOUTS,
    UPDATES,
    is_few,
    is_measured,
    measure_errors,
    measured_error,
)
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.population import Population
from lmu_spiking.signals import SignalSpec, as_signal
from lmu_spiking.theory.budget import ErrorBudget, whole_steps
from lmu_spiking.theory.channels import ChannelBudgets
from lmu_spiking.theory.fixed_point import (
    LEVELS,
    Course,
    Table,
    along,
    are_apart,
    are_straight,
    fixed_point,
    tabulate,
)
from lmu_spiking.theory.interval import DOUBT, Correlation, Sampled
from lmu_spiking.theory.own_spikes import owns, slow_noise

GROWN = 1.2  # warn if the error is so many times that on a fitting signal
RARELY, OFTEN = 1e-4, 0.02  # shares of time beyond the radii that need no warning
FEWEST = 15  # measured neurons a dimension, below which `predict` warns in any case
DOUBT_OF_FEW = 0.25  # its standard error then, relative
DRIVEN = 0.6  # standard error, relative, with feedback that is all of the signal
SMALL = 0.02  # relative error, up to which few staggered neurons are as sure as many
TRIED_RATE, TRIED_TAU = 0.4, 0.05  # per step and seconds, of feedback that may mend
CANNOT = 0.3  # warn if measured neurons make so large an error, NRMSE
ROUGH = 0.15  # warn if the prediction is rough for more than this share of the noise
LEAD = 2  # windows of signal before what counts: an onset rings for about as long


@dataclass(frozen=True, eq=False)
class BandLaw:
    """The predicted error on a whole band of noise; see `predict_band`.

    Parameters
    ----------
    noise : (d, d) ndarray
        Covariance of the state's error from spikes.
    spikes_per_s : float
        Spikes per second of all neurons.
    counts : tuple of int
        Neurons of each coordinate.
    """

    noise: np.ndarray
    spikes_per_s: float
    counts: tuple[int, ...]

    __repr__ = brief


def predict(spec, signal=None, *, duration: float = 60.0, lead: int = 0):
    """Predict the error budget of a memory on a signal, without running the memory.

    Parameters
    ----------
    spec : MemorySpec, Design, LegendreMemory or loihi.mapping.layout.Layout
        A memory; one that is laid out for a chip has one input, and brings the errors
        that its neurons make of this signal, one by one, and its whole-number weights.
    signal : (T,) or (T, size_in) array_like, Signal or SignalSpec, optional
        The input at the memory's ``dt``; by default ``duration`` seconds of the noise
        that the spec names (seed 0; one of its own for each channel).
    duration : float
        Length of white noise, seconds.
    lead : int
        Number of samples at the beginning that do not count: an onset rings in them.

    Returns
    -------
    ErrorBudget or ChannelBudgets
        The errors, by their source; of each channel and of all, if there are several.

    Warns
    -----
    ValidityWarning
        If the signal is not what the memory was tuned to, or is silent.

    Examples
    --------
    >>> budget = predict(MemorySpec(n_neurons=6000, order=6, theta=0.5))
    >>> 0.02 < budget.noise_nrmse(delay=0.5) < 0.04
    True
    """
    budget = budget_of(spec, signal, duration=duration, lead=lead)
    if budget.caution:
        warnings.warn(budget.caution, ValidityWarning, stacklevel=2)
    return budget


def budget_of(
    spec, signal=None, *, duration: float = 60.0, lead: int = 0, updates: int = UPDATES
):
    """Return what `predict` does, with its warning in ``caution`` alone.

    Neurons whose error is measured take about so many ``updates`` in each round.
    """
    lead = check_whole("predict.lead", lead, 0)
    if getattr(spec, "size_in", 1) != 1:
        return _budgets_of(spec, signal, duration, lead, updates)
    # the input, with a lead before it; the default is the noise that a spec names
    ldn, dt, window = spec.ldn, spec.dt, whole_steps(spec)
    named = {"dt": dt, "duration": duration, "attribute": "predict.signal"}
    if signal is None:
        lead, owner = LEAD * window, spec.spec if isinstance(spec, Design) else spec
        band = getattr(owner, "signal", None)
        u = as_signal(band, least=window + 1, **named).led_in(lead)
    else:
        u = as_signal(signal, least=window + lead + 1, **named).samples
    # the exact states on it
    entire = ldn.simulate(u, dt)
    states = entire[lead:]
    settled = states[window:]
    moments = settled.T @ settled / len(settled)
    common = {"spec": spec, "moments": moments, "signal": u[lead:], "states": states}
    common["initial"] = entire[lead - 1] if lead else np.zeros(ldn.order)
    predict_errors = getattr(spec, "errors", None)  # of a layout for a chip
    if predict_errors is not None:
        return ErrorBudget(**common, **predict_errors(entire, lead + window))
    # what the neurons make of what they carry, along the signal
    common["made"] = made = design_of(spec)
    carried = entire @ made.T.T
    tables = tabulate(made.population, carried, dt, mapped=made.loop)
    measured, course = is_measured(made.population.neurons), None
    if not measured or not are_straight(tables):
        course = along(made.loop, tables, carried, window, lead)
    ranges = _ranges(made.population, tables)
    if course is None or measured:
        common |= _measured(made, carried, course, lead, window, updates)
    else:
        bias, distortion = None, np.zeros_like(course.noise)
        if course.bias is not None:
            bias = course.bias[lead:] @ made.U.T
            distortion = _second_moment(bias[window:])
        noise = made.U @ course.noise @ made.U.T
        common |= {"noise": noise, "distortion": distortion, "bias": bias}
        common |= {"sigma": course.sigma, "spikes_per_s": float(course.rate)}
        along_signal = (course.steps - window, course.variances)
        more = _beyond_normal(made, tables, course.sigma)
        common["correlation"] = Correlation(made.loop, made.U, *along_signal, *more)
    if not made.population.neurons.spiking:
        common["spikes_per_s"] = 0.0
    beyond = float(np.mean(np.abs(carried[lead:]) > ranges, axis=0).max())
    budget = ErrorBudget(**common, beyond=beyond)
    if budget.runs is not None:
        caution = _measured_caution(made, budget, course)
    else:
        rough = _rough_share(made, budget, tables, budget.sigma)
        caution = _caution(made, budget, rough)
    return replace(budget, caution=caution)


def _budgets_of(
    memory, signal, duration: float, lead: int, updates: int
) -> ChannelBudgets:
    """Return the budgets of the channels of a memory, each on its own samples."""
    owner = memory.spec if not isinstance(memory, MemorySpec) else memory
    made, dt, window = design_of(memory), memory.dt, whole_steps(memory)
    if signal is None or isinstance(signal, SignalSpec):
        owner = owner or MemorySpec(2 * made.size_in, 1, size_in=made.size_in, dt=dt)
        owner = owner if signal is None else owner.replace(signal=signal)
        drawn, lead = owner.draw(duration, seed=0), LEAD * window
        u, names = drawn.led_in(lead), drawn.channels
    else:
        least = {"least": window + lead + 1, "channels": made.size_in}
        found = as_signal(signal, dt, **least, attribute="predict.signal")
        u, names = found.samples, found.channels
    each: dict = {"lead": lead, "updates": updates // made.size_in}
    channels = range(made.size_in)
    budgets: Any = [budget_of(made.channel(i), u[:, i], **each) for i in channels]
    return ChannelBudgets(tuple(budgets), names, made)


def _measured(
    made: Design, carried, course: Course | None, lead: int, window: int, updates: int
) -> dict:
    """Return the terms of a budget that are measured from neurons outside the loop.

    What the runs have in common is the distortion, and the rest is noise.  Neurons that
    are exact in the mean have no ``course``.
    """
    delays = made.dt * np.linspace(0, whole_steps(made) - 1, READOUTS)
    c = made.ldn.readout(delays, made.dt) @ made.U
    # static curves are a good start, but with feedback far from one beyond the radii
    start = None
    if course is not None and made.mapped.feedback is None:
        start = course.received
    found = measure_errors(made, carried, lead, c, start=start, updates=updates)
    errors = found.errors[:, lead:] @ made.U.T
    total, n = _second_moment(errors[:, window:]), len(errors)
    states = carried[lead + window :] @ made.U.T
    terms = {"sigma": found.sigma, "spikes_per_s": found.rate, "runs": errors}
    # what neurons make of a large error is less sure
    error, signal = np.trace(total), np.trace(_second_moment(states))
    doubt = DOUBT * (1 + 2 * np.sqrt(min(error, signal) / signal if signal else 1.0))
    staggered = made.population.initial_phases == "staggered"
    if _is_few(made) and not (staggered and error < SMALL**2 * signal):
        doubt = DOUBT_OF_FEW
    # with feedback, neurons are driven by their own spikes where these are large
    if made.mapped.feedback is not None and signal:
        doubt = max(doubt, DRIVEN * min(1.0, error / signal) ** 0.25)
    # an error that has not settled has no interval
    sampled = Sampled(errors[:, window:], doubt) if found.settled else None
    terms |= {"settled": found.settled, "correlation": sampled}
    if course is None:
        return terms | {"noise": total, "distortion": 0 * total}
    bias = errors.mean(axis=0)
    noise = _second_moment(errors[:, window:] - bias[window:]) * n / (n - 1)
    return terms | {"noise": noise, "distortion": total - noise, "bias": bias}


def _second_moment(errors: np.ndarray) -> np.ndarray:
    """Return the mean of ``e e^T`` (d, d) over errors (..., d)."""
    errors = errors.reshape(-1, errors.shape[-1])
    return errors.T @ errors / len(errors)


def _beyond_normal(made: Design, tables: list[Table], sigma: np.ndarray):
    """Return what `Correlation` asks for of noise that makes noise.

    How variances (d,) in one step grow, fourth cumulants (d,) in one, and what noise
    (d, z) of the loop's state they grow with.
    """
    K, L, C, N = loop = closed_loop(made.loop)
    whole, seen = stationary_covariance(K, (L * sigma) @ L.T), N
    received = np.diag(N @ whole @ N.T)
    if are_apart(tables):
        received, seen = slow_noise(loop, whole), C
    less, more = 0.9 * received, 1.1 * received
    ends = zip(tables, less, more, strict=True)
    rise = [t.mean("variance", b) - t.mean("variance", a) for t, a, b in ends]
    fourth = [t.mean("fourth", v) for t, v in zip(tables, received, strict=True)]
    growth = np.array(rise) / np.maximum(more - less, 1e-300)
    return growth, np.array(fourth), seen


def _ranges(population: Population, tables: list[Table]) -> np.ndarray:
    """Return values (d,) up to which decoding is valid: radii, or lower ceilings."""
    if population.tuning.kind == "drawn":
        return population.radii
    each = zip(tables, population.radii, strict=True)
    wrong = [(t.x[np.abs(t.columns["decoded"] - t.x) > 1e-3 * r], r) for t, r in each]
    return np.array([np.abs(x).min(initial=r) for x, r in wrong])


def _rough_share(made: Design, budget: ErrorBudget, tables, sigma) -> float:
    """Return the share of the noise's variance that may be predicted too high.

    Error feedback gives neurons their own noise at once.  Where that is larger than the
    signal, and neurons are recruited in levels of a few, it is far from normal.
    """
    if made.loop.feedback is None or made.population.tuning.levels == 1:
        return 0.0
    K, L, _, N = closed_loop(made.loop)
    heard = np.diag(N @ stationary_covariance(K, (L * sigma) @ L.T) @ N.T)
    large = heard > [np.mean(t.typical**2) for t in tables]
    c = budget._weights(None) @ made.U
    if not large.any() or not sigma.any():
        return 0.0
    parts = [_error_power(made, c, s) for s in (sigma * large, sigma)]
    return parts[0] / parts[1]


def _error_power(made: Design, c: np.ndarray, sigma: np.ndarray) -> float:
    """Return the variance of readouts ``c`` (n, d) of what is carried."""
    K, L, C, _ = closed_loop(made.loop)
    P = C @ stationary_covariance(K, (L * sigma) @ L.T) @ C.T
    return float(np.trace(c @ P @ c.T))


def _caution(made: Design, budget: ErrorBudget, rough: float) -> str:
    """Return a sentence if the memory is not made for the signal, else an empty one."""
    if not budget.moments.any():
        return "the signal is silent: errors relative to it (NRMSE) are undefined"
    bent, own = budget.bias is not None, made.own_nrmse
    where = f"{100 * budget.beyond:.3g} % of the samples are beyond the radii"
    noise, added = budget._share(budget.noise), budget._share(budget.distortion)
    # neurons that clip their own noise
    if bent and noise > 1:
        return (
            f"the spikes alone make an error of {noise:.2g} NRMSE, so that neurons "
            "clip their own noise and the prediction is rough; use more neurons, a "
            "lower order or tuning='balanced'"
        )
    # noise that neurons get back at once, and that is larger than what they carry
    if rough > ROUGH:
        return (
            f"{rough:.0%} of the predicted noise is that of neurons to which error "
            "feedback gives more noise than signal: the prediction may be too high; "
            "use more neurons or tuning='balanced'"
        )
    # a basis that was chosen for another signal
    if own:
        grown = budget._share(budget.error) / own
        if grown < GROWN or budget.beyond < (RARELY if bent else OFTEN):
            return ""
        what, remedy = "neurons fire above max_rate", "give the memory that signal"
        if bent:
            what, remedy = "neurons clip", f"{remedy}, or use tuning='balanced'"
        return (
            f"the signal is not what tuning='{made.tuning}' was made for: {where}, "
            f"where {what}, and the predicted error is {grown:.3g} times that on its "
            f"own signal; {remedy}"
        )
    return _beyond_radii(made, budget, noise, added)


def _measured_caution(made: Design, budget: ErrorBudget, course: Course | None) -> str:
    """Return what `_caution` does, for neurons whose error is measured."""
    if not budget.moments.any():
        return "the signal is silent: errors relative to it (NRMSE) are undefined"
    error, name = budget.noise_nrmse(), type(made.population.neurons).__name__
    # what the static curves alone do
    bias = 0.0
    if course is not None and course.bias is not None:
        bent = course.bias[-len(budget.states) :][whole_steps(made) :] @ made.U.T
        bias = budget._share(_second_moment(bent))
    beyond = _beyond_radii(made, budget, 0.0, bias)
    if beyond and bias > error / 2:
        return beyond
    # neurons that cannot carry the memory: would feedback mend it?
    says = f"{name} neurons make an error of {error:.2g} NRMSE in this memory"
    if error > CANNOT and made.mapped.feedback is None:
        return f"{says}; {_mend(made, budget)}"
    if error > CANNOT:
        return f"{says}; use more neurons, or less error feedback"
    if not budget.settled:
        return f"{says}, which does not settle as it goes round the loop: it is rough"
    each = made.population.n_neurons / made.population.order
    drawn, fed = made.population.tuning.kind == "drawn", made.mapped.feedback
    if drawn and _is_few(made) and (fed is not None or each < FEWEST):
        return (
            f"with only {each:.0f} {name} neurons a dimension, single spikes drive "
            "the neurons that made them: the error may be twice that predicted "
            f"({error:.2g} NRMSE); use more neurons"
        )
    return ""


def _mend(made: Design, budget: ErrorBudget) -> str:
    """Return what error feedback would do for neurons that cannot carry a memory."""
    longest = made.mapped.mean_delay(made.dt) / 2
    if isinstance(made.mapped.synapse, nengo.Lowpass):  # a loop without delay
        pair = (TRIED_RATE / made.dt, min(TRIED_TAU, float(f"{longest:.2g}")))
        signal, c = budget.signal, budget._weights(None)
        again = fed_back(made, pair)
        before, after = (measured_error(x, signal, c).item() for x in (made, again))
        if after < before / 2:
            return (
                f"error feedback of {pair[0]:g} per second and {pair[1]:g} s would "
                f"leave about {after / before:.1g} of that"
            )
    if made.population.initial_phases == "staggered":
        return "use more neurons, a higher max_rate or tuning='balanced'"
    return "use other neurons, such as 'if' or 'poisson'"


def _is_few(made: Design) -> bool:
    """Return whether neurons are so few that each is driven by its own spikes."""
    population = made.population
    alone = made.mapped.feedback is not None or population.tuning.kind == "drawn"
    return alone and is_few(population)


def _beyond_radii(made: Design, budget: ErrorBudget, noise, added: float) -> str:
    """Return a sentence if the signal exceeds the radii, where curves are not linear.

    ``added`` is the error of the curves, and ``noise`` that of the spikes, 0 where it
    is not known.
    """
    grown = np.hypot(noise, added) / noise if noise else np.inf
    if not added or grown < GROWN or budget.beyond < (RARELY if noise else OFTEN):
        return ""
    where = f"{100 * budget.beyond:.3g} % of the samples are beyond the radii"
    effect = f"the tuning curves alone make an error of {added:.2g} NRMSE"
    if noise:
        effect = f"the predicted error is {grown:.3g} times that of the spikes alone"
    remedy = "give larger radii (radii_from)" if made.plain else "give it that signal"
    return (
        f"the signal exceeds the radii: {where}, where decoding is not linear, and "
        f"{effect}; {remedy}"
    )


def predict_band(spec: MemorySpec) -> BandLaw:
    """Predict the error on the spec's whole band of noise, not on one stretch of it.

    It holds for rectifier pairs of Poisson or stochastic neurons, on states that are
    normally distributed.

    Parameters
    ----------
    spec : MemorySpec

    Returns
    -------
    BandLaw
        Noise, spikes, and neurons of each coordinate.
    """
    made = design_of(spec)
    population = made.population
    if is_measured(population.neurons):
        problem, remedy = "have no formula for their error", "use predict"
        kind = spec.neuron_type
        raise ValidationError("predict_band.spec.neuron_type", kind, problem, remedy)
    moments, _ = signal_moments(spec.ldn, spec.dt, spec.signal)
    spread = np.sqrt(np.maximum(np.diag(made.T @ moments @ made.T.T), 0.0))
    normal = ndtri(LEVELS)
    normal /= normal.std()
    each = enumerate(zip(spread, owns(made.loop), strict=True))
    tables = [
        Table(population, i, s * normal, 4 * s, spec.dt, own) for i, (s, own) in each
    ]
    noise, _, received = fixed_point(made.loop, tables)
    rates = sum(t.mean("rate", v) for t, v in zip(tables, received, strict=True))
    counts = np.bincount(population.dimension, population.per_unit).astype(int)
    return BandLaw(made.U @ noise @ made.U.T, float(rates), tuple(counts.tolist()))


def design_of(memory) -> Design:
    """Return the design of a spec or memory, in which equal neurons may be one entry.

    Neurons that are alike are summed where that is exact, so that the prediction costs
    the same however many there are.
    """
    if isinstance(memory, Design):
        return memory
    if not isinstance(memory, MemorySpec):
        return memory.design
    return design(memory.replace(aggregated=memory.has_sums))


def truncation(ldn: LDN, frequency, power, delay, dt: float) -> np.ndarray:
    r"""Return the truncation error of readouts on a spectrum: rms.

    ``sqrt(sum_f S(f) |c G(f) - exp(-2 pi i f s)|^2)`` with ``G`` the LDN's frequency
    response and ``s`` the delay: a function of ``theta f`` and ``d`` where dt is small.

    Parameters
    ----------
    ldn : LDN
    frequency, power : (F,) array_like
        Hz, and mean square at each; see `spectrum`.
    delay : float or (n,) array_like
        Seconds, ``dt`` to ``theta``.
    dt : float
        Step, seconds.

    Returns
    -------
    (n,) ndarray
        One for each delay.
    """
    lag = np.atleast_1d(delay) - dt
    shifted = np.exp(-2j * np.pi * np.outer(frequency, lag))
    response = ldn.frequency_response(frequency, dt) @ ldn.readout(lag, dt).T
    return np.sqrt(np.asarray(power) @ np.abs(response - shifted) ** 2)
