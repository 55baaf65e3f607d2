"""One frozen description of a memory: what to build, which seeds, for which signal.

A spec is a value: equal specs build equal networks with equal spikes.  It goes to and
from TOML, and its `digest` names results.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import tomli_w

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    SignalFileError,
    ValidationError,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.files import one_line, read_toml, reason, write_atomically
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.design import ALL_TUNINGS, choose_tau
from lmu_spiking.neurons.curves import NEURON_TYPES
from lmu_spiking.neurons.population import shares

MOST_ORDER = 10_000
MOST_READ = 32  # the order up to which the search for the best synapse takes about 1 s
MOST_SEARCHED = 200  # the order up to which that search takes about 10 s
MOST_WAVES = 100  # periods of the bandwidth in a window, up to which it does


@dataclass(frozen=True)
class SignalSpec:
    """Band-limited white noise that a memory is meant for.

    Parameters
    ----------
    bandwidth : float
        Highest frequency, Hz.
    rms : float
    """

    bandwidth: float = 2.0
    rms: float = 0.5

    def __post_init__(self):
        for name in ("bandwidth", "rms"):
            value = check_positive(f"signal.{name}", getattr(self, name))
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class MemorySpec:
    """A memory, complete: two equal specs give the same spikes.

    Parameters
    ----------
    n_neurons : int
    order : int
    theta, dt : float
        Window and step, seconds.
    tau : float, optional
        Recurrent lowpass, seconds; .1, or what ``tuning`` finds best.
    neuron_type : str
        One of `population.NEURON_TYPES`.
    tuning : {"pairs", "recruited", "drawn", "balanced", "optimal"}, optional
        As in `LegendreMemory`: what suits the neurons by default.
    max_rate : float
        Rate at the radius, Hz.
    radii : float or tuple of float
        One for all dimensions, or one for each; for ``balanced`` and ``optimal``, which
        choose their own, 1.
    aggregated : bool
        Simulate each side of a pair as one Poisson variable.
    tuning_seed, noise_seed : int
        Draw the curves and the spikes.
    signal : SignalSpec
        The signal it is meant for.
    """

    n_neurons: int = 6000
    order: int = 6
    theta: float = 0.5
    tau: float | None = None
    dt: float = 0.001
    neuron_type: str = "poisson"
    tuning: str | None = None
    max_rate: float = 300.0
    radii: float | tuple[float, ...] = 1.0
    aggregated: bool = False
    tuning_seed: int = 0
    noise_seed: int = 0
    signal: SignalSpec = field(default_factory=SignalSpec)

    def __post_init__(self):
        checked = {
            "order": check_whole("MemorySpec.order", self.order, 1, MOST_ORDER),
            "aggregated": _one_of("aggregated", self.aggregated, (True, False)),
            "neuron_type": _one_of("neuron_type", self.neuron_type, NEURON_TYPES),
            "tuning": _one_of("tuning", self.tuning, (None, *ALL_TUNINGS)),
        }
        for name in ("theta", "dt", "max_rate"):  # 1 and 1.0 have one digest
            checked[name] = check_positive(f"MemorySpec.{name}", getattr(self, name))
        for name in ("tuning_seed", "noise_seed"):
            checked[name] = check_seed(f"MemorySpec.{name}", getattr(self, name))
        checked["n_neurons"] = int(shares(self.n_neurons, self.order).sum())
        checked["radii"] = _radii(self.radii, self.order)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.signal, SignalSpec):
            raise ValidationError(
                "MemorySpec.signal", self.signal, "must be a SignalSpec"
            )
        if self.dt > self.theta:
            raise ValidationError(
                "MemorySpec.dt",
                self.dt,
                f"is longer than the window theta of {self.theta:g} s",
                "use a shorter step",
            )
        if self.tuning in REALISED and self.radii != 1.0:
            raise ValidationError(
                "MemorySpec.radii",
                self.radii,
                f"are chosen by tuning='{self.tuning}'",
                "leave them out",
            )
        tau = self.tau
        if tau is None:
            _check_search(self)
            tau = choose_tau(
                self.ldn,
                self.dt,
                self.n_neurons,
                self.tuning,
                self.neuron_type,
                self.max_rate,
                self.signal,
            )
        object.__setattr__(self, "tau", check_positive("MemorySpec.tau", tau))

    @property
    def ldn(self) -> LDN:
        """The delay network it realises."""
        return LDN(self.order, self.theta)

    def arguments(self) -> dict:
        """Keyword arguments of `LegendreMemory`."""
        arguments = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        arguments["synapse"] = arguments.pop("tau")
        if self.tuning in REALISED:
            arguments.pop("radii")
        return arguments

    def replace(self, **changes) -> "MemorySpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    # -- files ------------------------------------------------------------------

    def to_dict(self) -> dict:
        """Plain values; fields that are None are left out."""
        items = dataclasses.asdict(self)
        return {key: value for key, value in items.items() if value is not None}

    @classmethod
    def from_dict(cls, items: dict, source: str = "spec") -> "MemorySpec":
        """Build a spec from plain values; unknown keys are refused by name."""
        if not isinstance(items, dict):
            raise ValidationError(source, items, "must be a table of fields")
        items = dict(items)
        signal = items.pop("signal", {})
        if not isinstance(signal, dict):
            raise ValidationError(f"{source}.signal", signal, "must be a table")
        _known(items, cls, source)
        _known(signal, SignalSpec, f"{source}.signal")
        try:
            searched = items.get("tuning") in REALISED and "tau" not in items
            if searched and items.get("order", 0) > MOST_READ:
                raise ValidationError(
                    f"{source}.order",
                    items["order"],
                    f"is above {MOST_READ}, where the search of "
                    f"tuning='{items['tuning']}' for tau is slow",
                    "give tau as well, seconds",
                )
            return cls(**items, signal=SignalSpec(**signal))
        except TypeError as error:
            raise ValidationError(
                source, items, f"has a value of a wrong type ({error})"
            ) from None

    def to_toml(self, path=None, *, asked: float | None = None) -> str:
        """TOML text; also written to ``path`` if given, whole or not at all.

        Parameters
        ----------
        path : path-like, optional
        asked : float, optional
            The error that the memory was planned for, NRMSE: kept beside the spec, in a
            table ``[plan]``, and no part of it.  `asked_error` reads it.
        """
        items = _toml(self.to_dict())
        if asked is not None:
            items["plan"] = {"error": check_positive("to_toml.asked", asked)}
        text = tomli_w.dumps(items)
        if path is not None:
            write_atomically(path, text.encode())
        return text

    @classmethod
    def from_toml(cls, path) -> "MemorySpec":
        """Read a spec from a TOML file.

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
        """Twelve hexadecimal digits that name this spec."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def asked_error(path) -> float | None:
    """The error, NRMSE, that the memory of a spec file was planned for, if it says it.

    Raises
    ------
    SignalFileError, ValidationError
        As `MemorySpec.from_toml`.
    """
    return _read(path)[1]


def _read(path) -> tuple[dict, float | None]:
    """The fields in a spec file, and the error asked for in its table ``[plan]``."""
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


def _toml(items: dict) -> dict:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in items.items()}


def _known(items: dict, kind: type, source: str) -> None:
    known = [f.name for f in dataclasses.fields(kind)]
    for key in items:
        if key not in known:
            raise ValidationError(
                f"{source}.{one_line(key, 60)}",
                items[key],
                "is not known",
                f"use {', '.join(known)}",
            )


def _one_of(name: str, value, allowed: tuple):
    """``value`` if it is one of ``allowed``, of the same type."""
    if any(value == known and type(value) is type(known) for known in allowed):
        return value
    words = ", ".join(str(known) for known in allowed if known is not None)
    raise ValidationError(
        f"MemorySpec.{name}", value, "is unknown", f"use one of {words}"
    )


def _check_search(spec: MemorySpec) -> None:
    """Refuse a search for the best synapse that would take minutes."""
    if spec.tuning not in REALISED:
        return
    for name, value, most in (
        ("order", spec.order, MOST_SEARCHED),
        ("signal.bandwidth", spec.signal.bandwidth, MOST_WAVES / spec.theta),
    ):
        if value > most:
            raise ValidationError(
                f"MemorySpec.{name}",
                value,
                f"is above {most:g}, where the search of tuning='{spec.tuning}' for "
                "tau takes too long",
                "give tau, or use tuning='pairs'",
            )


def _radii(radii, order: int) -> float | tuple[float, ...]:
    """One number as a float, several as a tuple, or a ValidationError."""
    name = "MemorySpec.radii"
    if isinstance(radii, (str, bytes)) or not isinstance(radii, Iterable):
        return check_positive(name, radii)
    several = tuple(check_positive(name, radius) for radius in radii)
    if len(several) != order:
        raise ValidationError(
            name, radii, f"must be one number, or one for each of {order} dimensions"
        )
    return several
