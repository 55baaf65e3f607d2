"""One frozen description of a memory: what to build, which seeds, for which signal.

A spec is a value: equal specs build equal networks with equal spikes.  It goes to and
from TOML, and its `digest` names results.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tomli_w

from lmu_spiking.dynamics.feedback import check_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    SignalFileError,
    ValidationError,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.files import one_line, read_toml, reason, write_atomically
from lmu_spiking.memory.basis import ALL_TUNINGS, REALISED, choose_tau
from lmu_spiking.neurons.curves import NEURON_TYPES
from lmu_spiking.neurons.population import NOISY, PHASES, STAGGERED, shares
from lmu_spiking.signals import Signal, SignalSpec

MOST_CHANNELS = 10_000
MOST_ORDER = 10_000  # the order up to which the matrices of a memory fit into 1 GB
MOST_READ = 32  # the order up to which the search for the best synapse takes about 1 s
MOST_SEARCHED = 200  # the order up to which that search takes about 10 s
MOST_WAVES = 100  # periods of the bandwidth in a window, up to which it does


class _Lowpass:
    """The field ``tau`` of a spec; the search for the best one runs when it is read."""

    def __get__(self, spec, owner=None):
        """Return the time constant, seconds; of the class, the field's default."""
        if spec is None:
            return None
        fields = vars(spec)
        if fields["tau"] is None:
            sizes, neurons = (spec.ldn, spec.dt, spec.n_neurons), spec.neuron_type
            more = (spec.tuning, neurons, spec.max_rate, spec.signal)
            asked: dict = {"feedback": spec.error_feedback}
            asked["initial_phases"] = spec.initial_phases
            fields["tau"] = choose_tau(*sizes, *more, **asked)
        return fields["tau"]

    def __set__(self, spec, value) -> None:
        """Keep what the user gave; the spec itself is frozen."""
        if value is not None:
            value = check_positive("MemorySpec.tau", value)
        vars(spec)["tau"] = value


@dataclass(frozen=True)
class MemorySpec:
    """A complete description of a memory: two equal specs give the same spikes.

    Parameters
    ----------
    n_neurons : int
        Neurons in all.
    order : int
        Legendre coefficients of each channel.
    theta : float
        Window, seconds.
    tau : float, optional
        Recurrent lowpass, seconds; 0.1 by default, or for ``balanced`` and ``optimal``
        the one of least noise, which is searched for when it is first asked for.
    dt : float
        Step, seconds.
    neuron_type : str
        One of `neurons.curves.NEURON_TYPES`.
    tuning : {"pairs", "recruited", "drawn", "balanced", "optimal"}, optional
        As in `LegendreMemory`: what suits the neurons by default.
    max_rate : float
        Rate at the radius, Hz.
    radii : float or tuple of float
        One for all dimensions, or one for each (channel by channel); for ``balanced``
        and ``optimal``, which choose their own, 1.
    aggregated : bool
        Simulate each side of a pair as one variable.
    tuning_seed, noise_seed : int
        Draw the curves and the spikes.
    signal : SignalSpec or tuple of SignalSpec
        The signal it is meant for; one for all channels, or one for each.
    error_feedback : "auto" or (2,) tuple of float, optional
        As in `LegendreMemory`.
    initial_phases : {"staggered", "random"}, optional
        As in `LegendreMemory`: staggered by default where neurons can be.
    size_in : int
        Channels of the signal; each has a window of its own.

    Raises
    ------
    ValidationError
        If a value is out of range.
    """

    n_neurons: int = 6000
    order: int = 6
    theta: float = 0.5
    tau: float | None = _Lowpass()  # type: ignore[assignment]
    dt: float = 0.001
    neuron_type: str = "poisson"
    tuning: str | None = None
    max_rate: float = 300.0
    radii: float | tuple[float, ...] = 1.0
    aggregated: bool = False
    tuning_seed: int = 0
    noise_seed: int = 0
    signal: SignalSpec | tuple[SignalSpec, ...] = field(default_factory=SignalSpec)
    error_feedback: str | tuple[float, float] | None = None
    initial_phases: str | None = None
    size_in: int = 1

    def __post_init__(self):
        # numbers of one type each, so that equal specs have equal digests
        order = check_whole("MemorySpec.order", self.order, 1, MOST_ORDER)
        size_in = check_whole("MemorySpec.size_in", self.size_in, 1, MOST_CHANNELS)
        checked: dict[str, Any] = {"order": order, "size_in": size_in}
        for name in ("theta", "dt", "max_rate"):
            checked[name] = check_positive(f"MemorySpec.{name}", getattr(self, name))
        for name in ("tuning_seed", "noise_seed"):
            checked[name] = check_seed(f"MemorySpec.{name}", getattr(self, name))
        # words and values
        _check_names(self)
        if not isinstance(self.aggregated, bool):
            problem = "must be True or False"
            raise ValidationError("MemorySpec.aggregated", self.aggregated, problem)
        checked["signal"] = _signal(self.signal, size_in)
        checked["n_neurons"] = int(shares(self.n_neurons, order * size_in).sum())
        checked["radii"] = _radii(self.radii, order * size_in)
        asked = check_feedback("MemorySpec.error_feedback", self.error_feedback)
        checked["error_feedback"] = asked
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        # what does not go together
        _check_phases(self)
        check_step("MemorySpec.dt", self.dt, self.theta)
        if self.tuning in REALISED:
            if self.radii != 1.0:
                problem = f"are chosen by tuning='{self.tuning}'"
                remedy = "leave them out"
                raise ValidationError("MemorySpec.radii", self.radii, problem, remedy)
            if vars(self)["tau"] is None:
                _check_search(self)

    @property
    def ldn(self) -> LDN:
        """Return the delay network of the memory."""
        return LDN(self.order, self.theta)

    @property
    def signals(self) -> tuple[SignalSpec, ...]:
        """Return the signal of each channel."""
        if isinstance(self.signal, SignalSpec):
            return (self.signal,) * self.size_in
        return self.signal

    def draw(self, duration: float, seed: int | None = None) -> Signal:
        """Draw a signal that the memory is meant for, of all its channels.

        Parameters
        ----------
        duration : float
            Seconds.
        seed : int, optional
            ``noise_seed`` by default; further channels have seeds of their own.

        Returns
        -------
        Signal
            At the memory's step; of one channel its samples are (T,).
        """
        seed = self.noise_seed if seed is None else check_seed("draw.seed", seed)
        if self.size_in == 1:
            return self.signals[0].draw(duration, self.dt, seed)
        drawn = np.random.SeedSequence(seed).generate_state(self.size_in) >> 1
        seeds = [seed, *map(int, drawn[1:])]
        pairs = zip(self.signals, seeds, strict=True)
        each = [signal.draw(duration, self.dt, own) for signal, own in pairs]
        samples = np.column_stack([one.samples for one in each])
        source = f"{each[0].source}, and further channels with seeds of their own"
        return Signal(samples, self.dt, each[0].name, source, periodic=True)

    @property
    def has_sums(self) -> bool:
        """Return whether neurons that are alike can be aggregated, which is exact."""
        staggered = self.neuron_type in STAGGERED and self.initial_phases != "random"
        return self.tuning != "drawn" and (self.neuron_type in NOISY or staggered)

    def arguments(self) -> dict:
        """Return the keyword arguments of `LegendreMemory`.

        Returns
        -------
        dict
            Names and values.
        """
        arguments = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        arguments["synapse"] = arguments.pop("tau")
        if self.tuning in REALISED:
            arguments.pop("radii")
        return arguments

    def replace(self, **changes) -> "MemorySpec":
        """Return a copy with some fields changed.

        Parameters
        ----------
        **changes
            New values of fields.

        Returns
        -------
        MemorySpec
            The changed copy.
        """
        return dataclasses.replace(self, **changes)

    # -- files ------------------------------------------------------------------

    def to_dict(self) -> dict:
        """Return the fields as plain values, without those that are None.

        Returns
        -------
        dict
            The signal is a dict of its own, or a list of one for each channel.
        """
        items = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        each = [signal.to_dict() for signal in self.signals]
        items["signal"] = each[0] if isinstance(self.signal, SignalSpec) else each
        return {key: value for key, value in items.items() if value is not None}

    @classmethod
    def from_dict(cls, items: dict, source: str = "spec") -> "MemorySpec":
        """Return the spec of plain values.

        Parameters
        ----------
        items : dict
            The fields; those of the signal in a dict of their own.
        source : str
            What the message of an error begins with.

        Returns
        -------
        MemorySpec
            The checked spec.

        Raises
        ------
        ValidationError
            If a key is unknown, or a value out of range.
        """
        # refuse unknown keys by name, and a search that reading a file should not start
        _check_keys(items, cls, source)
        items = dict(items)
        signal = items.pop("signal", {})
        several = signal if isinstance(signal, list) else [signal]
        for each in several:
            _check_keys(each, SignalSpec, f"{source}.signal")
        try:
            tuning, order = items.get("tuning"), items.get("order", 0)
            if tuning in REALISED and "tau" not in items and order > MOST_READ:
                problem = f"is above {MOST_READ}, where the search of tuning="
                problem += f"'{tuning}' for tau is slow"
                remedy = "give tau as well, seconds"
                raise ValidationError(f"{source}.order", order, problem, remedy)
            made = tuple(SignalSpec(**each) for each in several)
            return cls(**items, signal=made if signal is several else made[0])
        except TypeError as error:
            problem = f"has a value of a wrong type ({error})"
            raise ValidationError(source, items, problem) from None

    def to_toml(self, path=None, *, asked: float | None = None) -> str:
        """Return the spec as TOML, and write it to a file.

        Parameters
        ----------
        path : path-like, optional
            The file, written whole or not at all.
        asked : float, optional
            The error that the memory was planned for, NRMSE: it goes into a table
            ``[plan]`` beside the spec, and is no part of it.  `asked_error` reads it.

        Returns
        -------
        str
            The text.
        """
        items = self.to_dict()
        for name in ("radii", "error_feedback"):
            if isinstance(items.get(name), tuple):
                items[name] = list(items[name])
        if asked is not None:
            items["plan"] = {"error": check_positive("to_toml.asked", asked)}
        text = tomli_w.dumps(items)
        if path is not None:
            write_atomically(path, text.encode())
        return text

    @classmethod
    def from_toml(cls, path) -> "MemorySpec":
        """Return the spec in a TOML file.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        MemorySpec
            The checked spec.

        Raises
        ------
        SignalFileError
            If the file is missing, unreadable or not TOML.
        ValidationError
            If a key is unknown or a value out of range.
        """
        items, _ = _read(path)
        return cls.from_dict(items, source=str(path))

    @property
    def digest(self) -> str:
        """Return twelve hexadecimal digits that name this spec."""
        items = self.to_dict()
        if items["size_in"] == 1:  # as in results of before there were several
            del items["size_in"]
        if self.neuron_type in STAGGERED and self.tuning != "drawn":
            # by default staggered, which they were not in results of before
            items.setdefault("initial_phases", "staggered")
        text = json.dumps(items, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def asked_error(path) -> float | None:
    """Return the error, NRMSE, that the memory of a spec file was planned for.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    float or None
        None if the file does not say.

    Raises
    ------
    SignalFileError, ValidationError
        As `MemorySpec.from_toml`.
    """
    return _read(path)[1]


def _read(path) -> tuple[dict, float | None]:
    """Return the fields in a spec file, and the error in its table ``[plan]``."""
    try:
        items = read_toml(path)
    except Exception as error:  # of tomllib, beside its own: ValueError, RecursionError
        raise SignalFileError(f"spec {path}: cannot be read: {reason(error)}") from None
    if "plan" not in items:
        return items, None
    planned = items.pop("plan")
    if not isinstance(planned, dict) or set(planned) != {"error"}:
        raise ValidationError(f"{path}.plan", planned, "must be a table of one: error")
    return items, check_positive(f"{path}.plan.error", planned["error"])


def _check_names(spec: MemorySpec) -> None:
    """Raise a ValidationError for a name that is unknown."""
    check_one_of("MemorySpec.neuron_type", spec.neuron_type, NEURON_TYPES)
    for name, known in (("tuning", ALL_TUNINGS), ("initial_phases", PHASES)):
        if getattr(spec, name) is not None:
            check_one_of(f"MemorySpec.{name}", getattr(spec, name), known)


def _check_phases(spec: MemorySpec) -> None:
    """Raise a ValidationError if neurons cannot begin so, or not be summed then."""
    name, value = "MemorySpec.initial_phases", spec.initial_phases
    possible = spec.neuron_type in STAGGERED and spec.tuning != "drawn"
    if value == "staggered" and not possible:
        problem = "needs on/off pairs of neurons that reset by subtraction"
        remedy = "use neuron_type='if' or 'regular', or 'random'"
        raise ValidationError(name, value, problem, remedy)
    if value == "random" and possible and spec.aggregated:
        problem, remedy = "leaves no sums that are known", "use aggregated=False"
        raise ValidationError(name, value, problem, remedy)


def _check_keys(items: dict, kind: type, source: str) -> None:
    """Raise a ValidationError for the first key that is no field of a dataclass."""
    if not isinstance(items, dict):
        raise ValidationError(source, items, "must be a table of fields")
    known = [f.name for f in dataclasses.fields(kind)]
    for key in items:
        if key not in known:
            name, remedy = f"{source}.{one_line(key, 60)}", f"use {', '.join(known)}"
            raise ValidationError(name, items[key], "is not known", remedy)


def check_step(attribute: str, dt: float, theta: float) -> None:
    """Raise a ValidationError if a step is not positive, or longer than the window."""
    if check_positive(attribute, dt, "seconds") > theta:
        problem = f"is longer than the window theta of {theta:g} s"
        raise ValidationError(attribute, dt, problem, "use a shorter step")


def _check_search(spec: MemorySpec) -> None:
    """Raise a ValidationError if the search for the best synapse would take minutes."""
    most_hz = MOST_WAVES / spec.theta
    flat = [one.bandwidth for one in spec.signals if one.spectrum is None]
    bandwidth = max(flat, default=0.0)
    for name, value, most in (
        ("order", spec.order, MOST_SEARCHED),
        ("signal.bandwidth", bandwidth, most_hz),
    ):
        if value > most:
            problem = f"is above {most:g}, where the search of tuning='{spec.tuning}' "
            problem += "for tau takes too long"
            remedy = "give tau, or use tuning='pairs'"
            raise ValidationError(f"MemorySpec.{name}", value, problem, remedy)


def _signal(signal, size_in: int):
    """Return a signal of all channels, or those of each as a tuple; refuse all else."""
    name = "MemorySpec.signal"
    if isinstance(signal, SignalSpec):
        return signal
    several = tuple(signal) if isinstance(signal, Iterable) else ()
    if not several or not all(isinstance(each, SignalSpec) for each in several):
        raise ValidationError(name, signal, "must be a SignalSpec, or several")
    if len(several) != size_in:
        problem = f"must be one for all channels, or one for each of {size_in}"
        raise ValidationError(name, len(several), problem)
    return several[0] if len(set(several)) == 1 else several


def _radii(radii, order: int) -> float | tuple[float, ...]:
    """Return one number as a float and several as a tuple; refuse all else."""
    name = "MemorySpec.radii"
    if isinstance(radii, (str, bytes)) or not isinstance(radii, Iterable):
        return check_positive(name, radii)
    several = tuple(check_positive(name, radius) for radius in radii)
    if len(several) != order:
        problem = f"must be one number, or one for each of {order} dimensions"
        raise ValidationError(name, radii, problem)
    return several
