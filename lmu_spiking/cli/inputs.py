"""From options to the memory and the signal that are meant."""

from dataclasses import replace
from pathlib import Path

from lmu_spiking.cli.console import tell
from lmu_spiking.errors import ValidationError, check_memory
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.population import NOISY, radii_from
from lmu_spiking.signals import Signal, ecg, load_signal, white_noise
from lmu_spiking.signals.ecg import PERIOD
from lmu_spiking.signals.files import READERS
from lmu_spiking.studies.presets import ORDERS, ecg_spec

DURATION = 20.0
LARGE = 10**6


def choose_spec(
    file: Path | None, source: str, fields: dict, white: dict
) -> MemorySpec:
    """The spec of a file, of the ECG or the default one, with what the user gave.

    Parameters
    ----------
    file : Path or None
        A spec in TOML.
    source : str
        ``--input``.
    fields, white : dict
        Fields of the spec and of its signal; those that are None were not given.
    """
    given = {key: value for key, value in fields.items() if value is not None}
    white = {key: value for key, value in white.items() if value is not None}
    if white and source != "white":
        option = next(iter(white))
        raise ValidationError(f"--{option}", white[option], "is for --input white only")
    refit = False
    if file is not None:
        base = MemorySpec.from_toml(file)
    elif source == "ecg":
        base = _ecg_spec(given)
        refit = not {"order", "theta"}.isdisjoint(given)
    else:
        base = MemorySpec()
    if given.get("tuning") in REALISED:  # which choose radii and synapse themselves
        given = ({} if file else {"tau": None}) | given | {"radii": 1.0}
        refit = False
    elif refit:
        given["radii"] = 1.0
    spec = base.replace(**given, signal=replace(base.signal, **white))
    return _aggregated(_refitted(spec) if refit else spec)


def choose_signal(
    source: str, spec: MemorySpec, duration: float | None, column, rate
) -> Signal:
    """The signal that ``--input`` names, at the spec's step."""
    if source in ("white", "ecg"):
        for option, value in (("--column", column), ("--rate", rate)):
            if value is not None:
                raise ValidationError(option, value, "is for a file as --input only")
        seconds = DURATION if duration is None else duration
        check_duration(spec, seconds)
        if source == "ecg":
            return ecg(seconds, spec.dt)
        white = spec.signal
        return white_noise(
            seconds, spec.dt, white.bandwidth, white.rms, spec.noise_seed
        )
    if Path(source).suffix.lower() not in READERS and not Path(source).exists():
        kinds = ", ".join(READERS)
        raise ValidationError(
            "--input", source, "is not known", f"use ecg, white or a file ({kinds})"
        )

    def untimed() -> None:
        step = f"{1000 * spec.dt:g} ms"
        tell(f"{source} says no rate: taken as one sample each {step}; use --rate HZ")

    signal = load_signal(source, spec.dt, column, rate, untimed=untimed)
    check_duration(spec, signal.duration if duration is None else duration)
    return signal if duration is None else fitted(signal, duration)


def fitted(signal: Signal, duration: float) -> Signal:
    """Cut or repeat a recording to a duration, and write a line about it."""
    name, length = signal.name, signal.duration
    if duration < length - signal.dt / 2:
        tell(f"the first {duration:g} s of {name} are taken, of {length:g} s")
    elif duration > length + signal.dt / 2:
        first, last = float(signal.samples[0]), float(signal.samples[-1])
        seam = "" if signal.periodic else f", with a jump of {first - last:.3g} between"
        tell(f"{name} lasts {length:g} s: it is repeated to {duration:g} s{seam}")
    return signal.looped(duration)


def _ecg_spec(given: dict) -> MemorySpec:
    """Return the preset of least predicted error for the user's step and neurons."""
    wanted = {key: given[key] for key in ("dt", "n_neurons") if key in given}
    if "n_neurons" in wanted:  # too few are refused later, with the spec as it then is
        wanted["n_neurons"] = min(max(wanted["n_neurons"], 2 * min(ORDERS)), LARGE)
    return ecg_spec(**wanted)


def _refitted(spec: MemorySpec) -> MemorySpec:
    """Radii for the ECG at an order or window that the preset was not made for."""
    states = spec.ldn.simulate(ecg(2 * PERIOD, spec.dt).samples, spec.dt)
    return spec.replace(radii=tuple(radii_from(states, 0.99).tolist()))


def _aggregated(spec: MemorySpec) -> MemorySpec:
    """Very many neurons are simulated as their sums, where that is exact."""
    if spec.n_neurons <= LARGE or spec.aggregated:
        return spec
    if spec.neuron_type not in NOISY or spec.tuning == "drawn":
        raise ValidationError(
            "--neurons",
            spec.n_neurons,
            f"is above {LARGE:,}, where only pairs of noisy neurons can be aggregated",
            "use --neuron-type poisson or stochastic, not drawn, or fewer neurons",
        )
    return spec.replace(aggregated=True)


def check_duration(spec: MemorySpec, duration: float) -> None:
    """Refuse less than two windows, and more states than fit into memory."""
    if duration < 2 * spec.theta * (1 - 1e-9):
        raise ValidationError(
            "--duration",
            duration,
            f"is too short for a window of {spec.theta:g} s",
            f"use at least {2 * spec.theta:g}, or a shorter --theta",
        )
    check_memory(
        "--duration",
        duration,
        8 * 6 * (spec.order + 4) * max(duration / spec.dt, 0),
        f"use a shorter one, a smaller --order than {spec.order} or a longer --dt than "
        f"{spec.dt:g}",
    )
