"""The design of a memory: everything about it that is known before it is built.

`design` turns a spec into a `Design`, from which errors are predicted and networks
built; `assemble` does the same for all that a `LegendreMemory` can be asked for.  Plain
memories carry the Legendre coefficients themselves.  The tunings ``balanced`` and
``optimal`` choose a basis, and shares of the neurons, for the signal to be expected;
see `basis`.
"""

import dataclasses
import warnings
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.feedback import check_feedback, with_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import (
    ValidationError,
    ValidityWarning,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.memory.basis import (
    FLOOR,
    REALISED,
    Realisation,
    balanced,
    band_states,
    basis_options,
    choose_tau,
    curve_kind,
    is_computed,
    pairs_error,
    peak_of,
    readout_weights,
    sensitivity,
    weights_of,
)
from lmu_spiking.memory.open_loop import is_few, measured_error
from lmu_spiking.memory.spec import MOST_ORDER, MemorySpec, check_step
from lmu_spiking.neurons import curves
from lmu_spiking.neurons.curves import NEURON_TYPES, Tuning
from lmu_spiking.neurons.population import (
    Population,
    build_population,
    one_each,
    shares,
)
from lmu_spiking.neurons.recruitment import allocate
from lmu_spiking.signals import Signal, SignalSpec, spectrum_of

CLIPPED = 10**6  # neurons, beyond which clipping would outweigh the noise
# signals that feedback is compared on, beside the one that it is for: a quiet and a
# loud one; and how much worse it may make them, with the power of what is beyond
SCALES, HARMLESS, STEEP = (1.0, 0.1, 4.0), 1.02, 10
LEAST_SPREAD = 0.03  # of a channel's largest coordinate, that any is made for
EXTREME = 3.29  # standard deviations that a normal |x| exceeds 0.1 % of the time


@dataclass(frozen=True, eq=False)
class Design:
    """A memory before it is built: dynamics, basis and neurons.

    Parameters
    ----------
    spec : MemorySpec or None
        What it was designed from; None if no spec describes it (a synapse other than a
        lowpass, custom neurons or tuning curves, a basis for samples).
    ldn : LDN
        The delay network of each input.
    mapped : Mapped
        The delay network on the recurrent synapse, in Legendre coordinates.
    basis : Realisation or None
        The basis that the neurons carry; None for the Legendre coefficients themselves.
    population : Population
        The neurons of all inputs.
    dt : float
        Step, seconds.
    tuning : str
        One of `basis.ALL_TUNINGS`.
    own_nrmse : float or None
        For a basis that is chosen for a signal, the noise predicted for that signal at
        delay theta, over the rms of the exact readout.
    """

    spec: MemorySpec | None
    ldn: LDN
    mapped: Mapped
    basis: Realisation | None
    population: Population
    dt: float
    tuning: str
    own_nrmse: float | None = None

    __repr__ = brief
    _told = ("tuning", "population", "U")

    @property
    def size_in(self) -> int:
        """Return the number of inputs."""
        return self.population.order // self.ldn.order

    @property
    def plain(self) -> bool:
        """Return whether the neurons carry the Legendre coefficients themselves."""
        return self.basis is None

    @cached_property
    def U(self) -> np.ndarray:
        """Return the basis (d, d): ``m = U x`` of what the neurons carry."""
        return np.eye(self.ldn.order) if self.basis is None else self.basis.U

    @cached_property
    def T(self) -> np.ndarray:
        """Return the inverse (d, d) of the basis: ``x = T m``."""
        return np.eye(self.ldn.order) if self.basis is None else self.basis.T

    @cached_property
    def loop(self) -> Mapped:
        """Return the mapping of one input in this basis: ``T A' U``, ``T B'``."""
        if self.basis is None:
            return self.mapped
        A = self.T @ self.mapped.A @ self.U
        return dataclasses.replace(self.mapped, A=A, B=self.T @ self.mapped.B)

    def channel(self, i: int) -> "Design":
        """Return the design of one input, with its own neurons.

        Parameters
        ----------
        i : int
            From 0.

        Returns
        -------
        Design
            Its ``spec`` is None if there are several.
        """
        if self.size_in == 1:
            return self
        d = self.ldn.order
        own = self.population.dimensions(i * d, (i + 1) * d)
        return dataclasses.replace(self, spec=None, population=own)

    def tiled(self, n: int) -> "Design":
        """Return the design of ``n`` times the inputs, each with neurons of its own.

        Parameters
        ----------
        n : int

        Returns
        -------
        Design
            Its ``spec`` is None if there are several.
        """
        if n == 1:
            return self
        return dataclasses.replace(self, spec=None, population=self.population.tiled(n))


def design(spec: MemorySpec, signal=None) -> Design:
    """Design the memory that a spec describes.

    Parameters
    ----------
    spec : MemorySpec
    signal : SignalSpec, Signal, (T,) or (T, order) array_like, optional
        What ``balanced`` and ``optimal`` choose their basis for, in place of the spec's
        own signal: a band, samples, or exact states.

    Returns
    -------
    Design
        With the spec's neurons, curve by curve.

    Examples
    --------
    >>> made = design(MemorySpec(n_neurons=600, order=6, theta=0.5))
    >>> made.population.n_neurons, made.spec.tau
    (600, 0.1)
    """
    arguments = spec.arguments()
    return assemble(**(arguments if signal is None else arguments | {"signal": signal}))


def assemble(
    n_neurons: int,
    order: int,
    theta: float,
    *,
    synapse=None,
    dt: float = 0.001,
    size_in: int = 1,
    neuron_type="poisson",
    tuning=None,
    max_rate: float = 300.0,
    radii: Any = None,
    signal=None,
    readouts=None,
    delay_steps: int = 0,
    aggregated: bool = False,
    tuning_seed: int = 0,
    noise_seed: int | None = None,
    error_feedback=None,
    initial_phases: str | None = None,
) -> Design:
    """Design a memory of any kind.

    Parameters
    ----------
    n_neurons, order, theta, synapse, dt, size_in, neuron_type, tuning, max_rate, radii
        As in `LegendreMemory`.
    signal, readouts, delay_steps, aggregated, tuning_seed, noise_seed
        As in `LegendreMemory`.
    error_feedback, initial_phases
        As in `LegendreMemory`.

    Returns
    -------
    Design
        With a ``spec`` where one describes it.

    Raises
    ------
    ValidationError
        If an argument is out of range.
    MappingError
        If the loop would be unstable.
    """
    # check all that nothing below checks
    ldn = LDN(order, theta)
    check_step("LegendreMemory.dt", dt, ldn.theta)
    tuning_seed = check_seed("LegendreMemory.tuning_seed", tuning_seed)
    if noise_seed is not None:
        noise_seed = check_seed("LegendreMemory.noise_seed", noise_seed)
    size_in = check_whole("LegendreMemory.size_in", size_in, 1)
    max_rate = check_positive("max_rate", max_rate, "Hz")
    counts = shares(n_neurons, size_in * ldn.order)
    neurons, error_feedback = _checked(neuron_type, error_feedback)
    signal = _of_channels(signal, size_in, ldn.theta)
    # feedback is part of what is optimised only where a formula gives the error with it
    at_once = error_feedback if is_computed(neurons, tuning) else None
    # map the delay network onto the synapse
    if synapse is None:
        asked = (max_rate, signal, size_in, readouts, error_feedback)
        aim = (tuning, neurons, *asked, initial_phases)
        synapse = choose_tau(ldn, dt, n_neurons, *aim)
    mapped = map_onto(ldn, synapse, dt, delay_steps)
    feed_back = partial(with_feedback, mapped, at_once, dt, delay_steps)
    # choose the basis, and then the neurons that carry it
    basis, own_nrmse, kind = None, None, tuning
    if tuning in REALISED:
        if radii is not None:
            problem = f"are chosen by tuning='{tuning}'"
            raise ValidationError("radii", radii, problem, "leave them out")
        aim = (ldn, dt, tuning, neurons, signal, readouts, initial_phases)
        moments, states, options = basis_options(*aim)
        more: dict[str, Any] = options | {"max_rate": max_rate}
        of_each = counts.reshape(size_in, -1).sum(axis=1)  # neurons of each input
        size = (dt, moments, of_each[0])
        more["max_rate"] = max_rate / peak_of(signal)
        mapped = feed_back(
            error=lambda loop: balanced(ldn, loop, *size, tolerance=1e-3, **more).error
        )
        basis = balanced(ldn, mapped, *size, **more)
        if isinstance(signal, tuple):  # channels share the neurons by their need
            need = (mapped, dt, signal, basis, readouts, options["staggered"])
            counts, ranges = _by_need(int(counts.sum()), ldn, *need)
        else:
            counts = np.concatenate([_resized(basis.counts, n) for n in of_each])
            ranges = np.tile(_cover(basis, states) * peak_of(signal), size_in)
        bounded = mapped.feedback is None and n_neurons <= CLIPPED
        kind = _tuning_of(tuning, neurons, max_rate, bounded)
        c = ldn.readout((ldn.steps(dt) - 1) * dt, dt).ravel()
        own_nrmse = float(np.sqrt(c @ basis.noise @ c / (c @ moments @ c)))
    else:
        given = 1.0 if radii is None else radii
        ranges = one_each("LegendreMemory.radii", given, len(counts))
        of_one = (counts[: ldn.order], ranges[: ldn.order], max_rate)
        error = pairs_error(ldn, dt, signal, readouts, *of_one)
        mapped = feed_back(error=error)
    more = {"neurons": neurons, "tuning": kind, "max_rate": max_rate}
    more |= {"averaging": ldn.theta, "aggregated": aggregated}
    more["initial_phases"] = initial_phases
    rng = np.random.RandomState(tuning_seed)
    population = build_population(counts, ranges, rng=rng, **more)
    if not is_computed(neurons, tuning):
        own_nrmse = None  # what was computed is that of Poisson neurons
        made = Design(None, ldn, mapped, basis, population, float(dt), "")
        mapped = fed_back(made, error_feedback, signal, readouts, delay_steps).mapped
    if mapped.feedback is not None and population.tuning.bounded:
        problem = "would wind up where neurons have ceilings"
        attribute, remedy = "LegendreMemory.error_feedback", "use bounded=False"
        raise ValidationError(attribute, mapped.feedback, problem, remedy)
    # the spec of the same memory, if it is one that specs describe
    spec = None
    if readouts is None and not delay_steps:
        several = radii is not None and np.ndim(radii)
        radii = tuple(ranges.tolist()) if several else radii
        fields = {"dt": dt, "tuning": tuning, "max_rate": max_rate, "signal": signal}
        fields |= {"radii": radii, "aggregated": bool(aggregated)}
        fields |= {"tuning_seed": tuning_seed, "noise_seed": noise_seed or 0}
        fields |= {"error_feedback": error_feedback, "initial_phases": initial_phases}
        fields["size_in"] = size_in
        spec = _spec_of(ldn, mapped.synapse, population, neuron_type, fields)
    if tuning not in REALISED:
        tuning = population.tuning.kind
    return Design(spec, ldn, mapped, basis, population, float(dt), tuning, own_nrmse)


def _spec_of(ldn: LDN, synapse: Any, population: Population, neurons, fields: dict):
    """Return the spec of a memory, or None if no spec describes it."""
    name, tuning, signal = name_of(neurons), fields["tuning"], fields["signal"]
    tau: Any = synapse.tau if isinstance(synapse, nengo.Lowpass) else 0.0
    if name is None or not tau > 0:  # which is no filter at all
        return None
    if not isinstance(tuning, str | None) or ldn.order > MOST_ORDER:
        return None
    if not isinstance(signal, (SignalSpec, tuple)):
        if tuning in REALISED or fields["error_feedback"] == "auto":
            return None
        fields["signal"] = SignalSpec()  # only those tunings use it
    fields["radii"] = 1.0 if fields["radii"] is None else fields["radii"]
    sizes = (population.n_neurons, ldn.order, ldn.theta, float(tau))
    return MemorySpec(*sizes, neuron_type=name, **fields)


def _checked(neuron_type, error_feedback):
    """Return neurons, and the error feedback that is asked for and has an effect."""
    asked = check_feedback("LegendreMemory.error_feedback", error_feedback)
    neurons = curves.neuron_type(neuron_type)
    if asked == "auto" and curves.is_exact(neurons):
        asked = None  # there is no error to feed back
    if asked is None and (caution := curves.loop_caution(neurons)):
        warnings.warn(caution, ValidityWarning, stacklevel=4)
    return neurons, asked


def fed_back(
    made: Design, asked, signal=None, readouts=None, delay_steps: int = 0
) -> Design:
    """Return a design with the error feedback of least measured error.

    It is compared on a stretch of the signal.  Feedback that makes a quiet signal or a
    loud one worse is held to be worse, however much it mends between them.  So few
    neurons with heterogeneous curves that single spikes drive them have none.

    Parameters
    ----------
    made : Design
        Of neurons whose error is measured.
    asked : "auto", (2,) tuple of float or None
        The feedback that is asked for.
    signal, readouts, delay_steps
        As in `LegendreMemory`.

    Returns
    -------
    Design
        The same, if no feedback lowers the error.
    """

    def errors_of(loop: Mapped) -> np.ndarray:
        tried = dataclasses.replace(made, mapped=loop)
        return measured_error(tried, signal, readouts, SCALES)

    if asked == "auto" and made.population.tuning.kind == "drawn":
        asked = None if is_few(made.population) else asked
    without = errors_of(made.mapped) if asked == "auto" else np.ones(len(SCALES))

    def error(loop: Mapped) -> float:
        if loop.feedback is None:
            return float(without[0])
        found = errors_of(loop)
        worse = max(1.0, *(found[1:] / without[1:] / HARMLESS))
        return float(found[0]) * worse**STEEP

    more: Any = {"error": error, "measured": True}
    mapped = with_feedback(made.mapped, asked, made.dt, delay_steps, **more)
    return dataclasses.replace(made, mapped=mapped)


def _tuning_of(tuning: str, neurons, max_rate: float, bounded: bool):
    """Return the tuning of the neurons that carry a chosen basis."""
    kind = curve_kind(tuning, neurons)
    if kind != "recruited":
        return kind
    # a ceiling keeps every rate below max_rate, but not with very many neurons, whose
    # noise is so low that clipping would be the larger error, nor with feedback
    return Tuning(kind, max_rate, bounded=bounded)


def name_of(neurons) -> str | None:
    """Return the name of a neuron type, or None if it has no name."""
    if isinstance(neurons, str):
        return neurons
    named = (name for name in NEURON_TYPES if curves.neuron_type(name) == neurons)
    return next(named, None)


def _cover(basis: Realisation, states) -> np.ndarray:
    """Return radii that cover states, which need not be normally distributed."""
    if states is None:
        return basis.radii
    seen = np.quantile(np.abs(states @ basis.T.T), 0.999, axis=0)
    return basis.radii * np.maximum(1, seen / EXTREME)


def _of_channels(signal, size_in: int, theta: float):
    """Return the signal that is expected, with a `SignalSpec` of each of several."""
    signal = SignalSpec() if signal is None else signal
    if isinstance(signal, Signal) and signal.samples.ndim == 2:
        signal = spectrum_of(signal, theta)
    if not isinstance(signal, tuple) or not signal:
        return signal
    if len(signal) != size_in:
        problem = f"has {len(signal)} channels, not the {size_in} of size_in"
        raise ValidationError("LegendreMemory.signal", signal, problem)
    return signal[0] if len(set(signal)) == 1 else signal


def _by_need(
    n: int, ldn: LDN, mapped, dt, signals, basis: Realisation, readouts, staggered: bool
):
    """Return the neurons and the radius of each coordinate of several channels.

    All carry one basis, that of their mean in units of their rms.  The mean square
    error of a channel, relative to its own readouts, is as in `basis` proportional to
    ``sum_i s_i^2 g_i / n_i``, or ``n_i^2`` of staggered neurons, with its own ``s_i``
    and ``g_i``.  Neurons are shared so that it is least, and the same for all.

    Returns
    -------
    counts : (size_in * d,) int ndarray
    radii : (size_in * d,) ndarray
    """
    each = [band_states(ldn, dt, signal) for signal in signals]
    mean = np.mean([M / s.rms**2 for M, s in zip(each, signals, strict=True)], axis=0)
    T, U, falls = basis.T, basis.U, 2 if staggered else 1
    # in units of the rms, neurons carry the noise of the basis as well
    noise = np.maximum(1 - np.diag(T @ mean @ T.T), 0)
    shares_, radii = [], []
    for M, signal in zip(each, signals, strict=True):
        M = M / signal.rms**2
        spread = np.sqrt(np.diag(T @ M @ T.T) + noise)
        spread = np.maximum(spread, LEAST_SPREAD * spread.max())
        W = readout_weights(ldn, dt, M) if readouts is None else weights_of(readouts, M)
        g = np.einsum("ki,kl,li->i", U, sensitivity(mapped, W, staggered), U)
        parts = spread**2 * g
        parts = np.maximum(parts, FLOOR * parts.max()) ** (1 / (1 + falls))
        shares_.append(parts * parts.sum() ** (1 / falls))
        radii.append(basis.radii * spread * signal.rms * signal.peak)
    counts = allocate(n, np.concatenate(shares_), least=2)
    return counts, np.concatenate(radii)


def _resized(counts: np.ndarray, total: int) -> np.ndarray:
    """Return the counts of another input, which may have a neuron less."""
    counts = counts.copy()
    counts[np.argmax(counts)] += total - counts.sum()
    return counts
