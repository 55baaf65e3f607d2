"""The memory and the signal that options mean, for `run` and `deploy`."""

from dataclasses import replace
from pathlib import Path

from lmu_spiking.cli.console import tell
from lmu_spiking.cli.known import BESIDE
from lmu_spiking.errors import ValidationError, check_memory
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.population import NOISY
from lmu_spiking.signals import Signal, ecg, load_signal
from lmu_spiking.signals.ecg import PERIOD
from lmu_spiking.signals.files import READERS
from lmu_spiking.studies.presets import ORDERS, ecg_spec, fitted_radii

DURATION = 20.0
LARGE = 10**6


def choose_spec(
    file: Path | None, source: str, fields: dict, white: dict
) -> MemorySpec:
    """Return the spec of a file, of the ECG or the default, with what the user gave.

    Parameters
    ----------
    file : Path or None
        A spec in TOML.
    source : str
        ``--input``.
    fields, white : dict
        Fields of the spec and of its signal; those that are None were not given.

    Returns
    -------
    MemorySpec
    """
    # only what the user gave replaces what the file or the preset says
    given = {key: value for key, value in fields.items() if value is not None}
    white = {key: value for key, value in white.items() if value is not None}
    if white and source != "white":
        option = next(iter(white))
        raise ValidationError(f"--{option}", white[option], "is for --input white only")
    refit = False  # the radii of the ECG's preset are for its own order and window
    if file is not None:
        base = MemorySpec.from_toml(file)
    elif source == "ecg":
        # the preset of least predicted error for the user's step and neurons
        wanted = {key: given[key] for key in ("dt", "n_neurons") if key in given}
        if "n_neurons" in wanted:  # too few are refused below, with the whole spec
            least = 2 * min(ORDERS)
            wanted["n_neurons"] = min(max(wanted["n_neurons"], least), LARGE)
        base = ecg_spec(**wanted)
        refit = not {"order", "theta"}.isdisjoint(given)
    else:
        base = MemorySpec()
    if given.get("tuning") in REALISED:  # they choose radii and synapse themselves
        given = ({} if file else {"tau": None}) | given | {"radii": 1.0}
        refit = False
    elif refit:
        given["radii"] = 1.0
    spec = base.replace(**given, signal=replace(base.signal, **white))
    if refit:
        spec = fitted_radii(spec, ecg(2 * PERIOD, spec.dt).samples)
    return _aggregated(spec)


def compared(spec: MemorySpec) -> dict[str, MemorySpec]:
    """Return the memories that ``--compare`` runs beside the one that was asked for.

    Both have a tenth of the neurons and are ``balanced``: one has error feedback, the
    other one integrate-and-fire neurons that are staggered.

    Parameters
    ----------
    spec : MemorySpec

    Returns
    -------
    dict of MemorySpec
        By the names of `BESIDE`.
    """
    if spec.neuron_type not in NOISY or spec.error_feedback is not None:
        given = spec.neuron_type
        if spec.error_feedback is not None:
            given = "a memory with error feedback"
        problem = "needs poisson or stochastic neurons without error feedback, to which"
        problem += " it adds a run with it and one of staggered neurons"
        remedy = f"leave it out with {given}"
        raise ValidationError("--compare", True, problem, remedy)
    other: dict = {"tuning": "balanced", "tau": None, "radii": 1.0}
    other["initial_phases"] = None
    fewest = min(spec.n_neurons, 2 * spec.order)
    balanced = spec.replace(n_neurons=max(spec.n_neurons // 10, fewest), **other)
    fed_back = balanced.replace(error_feedback="auto")
    both = fed_back, balanced.replace(neuron_type="if")
    return dict(zip(BESIDE, both, strict=True))


def choose_signal(
    source: str, spec: MemorySpec, duration: float | None, column, rate
) -> Signal:
    """Return the signal that ``--input`` names, at the spec's step.

    Parameters
    ----------
    source : str
        ``--input``.
    spec : MemorySpec
    duration : float or None
        Seconds; a file is cut or repeated to them.
    column, rate
        Of a file: ``--column``, and ``--rate`` in Hz.

    Returns
    -------
    Signal
    """
    if source in ("white", "ecg"):
        refuse_file_options(column, rate)
        seconds = DURATION if duration is None else duration
        check_duration(spec, seconds)
        if source == "ecg":
            return ecg(seconds, spec.dt)
        return spec.signal.draw(seconds, spec.dt, spec.noise_seed)
    # neither a known kind of file, nor there at all
    if Path(source).suffix.lower() not in READERS and not Path(source).exists():
        remedy = f"use ecg, white or a file ({', '.join(READERS)})"
        raise ValidationError("--input", source, "is not known", remedy)

    def warn_of_no_rate() -> None:
        step = f"{1000 * spec.dt:g} ms"
        tell(f"{source} says no rate: taken as one sample each {step}; use --rate HZ")

    signal = load_signal(source, spec.dt, column, rate, untimed=warn_of_no_rate)
    check_duration(spec, signal.duration if duration is None else duration)
    return signal if duration is None else fitted(signal, duration)


def refuse_file_options(column, rate) -> None:
    """Raise a ValidationError if an option is given that only a file can have."""
    for option, value in (("--column", column), ("--rate", rate)):
        if value is not None:
            raise ValidationError(option, value, "is for a file as --input only")


def fitted(signal: Signal, duration: float) -> Signal:
    """Cut or repeat a recording to a duration, and write a line about it.

    Parameters
    ----------
    signal : Signal
    duration : float
        Seconds.

    Returns
    -------
    Signal
    """
    name, length = signal.name, signal.duration
    if duration < length - signal.dt / 2:
        tell(f"the first {duration:g} s of {name} are taken, of {length:g} s")
    elif duration > length + signal.dt / 2:
        first, last = float(signal.samples[0]), float(signal.samples[-1])
        seam = "" if signal.periodic else f", with a jump of {first - last:.3g} between"
        tell(f"{name} lasts {length:g} s: it is repeated to {duration:g} s{seam}")
    return signal.looped(duration)


def _aggregated(spec: MemorySpec) -> MemorySpec:
    """Return a spec that simulates very many neurons as their sums, where exact."""
    n = spec.n_neurons
    if n <= LARGE or spec.aggregated:
        return spec
    if not spec.has_sums:
        problem = f"is above {LARGE:,}, where only on/off pairs of noisy or staggered "
        remedy = "use --neuron-type poisson, stochastic or if, not drawn nor of random "
        remedy += "phases, or fewer"
        raise ValidationError(
            "--neurons", n, problem + "neurons can be aggregated", remedy
        )
    return spec.replace(aggregated=True)


def check_duration(spec: MemorySpec, duration: float) -> None:
    """Refuse less than two windows, and more states than fit into memory.

    Parameters
    ----------
    spec : MemorySpec
    duration : float
        Seconds.
    """
    least = 2 * spec.theta
    if duration < least * (1 - 1e-9):
        problem = f"is too short for a window of {spec.theta:g} s"
        remedy = f"use at least {least:g}, or a shorter --theta"
        raise ValidationError("--duration", duration, problem, remedy)
    needed = 8 * 6 * (spec.order + 4) * max(duration / spec.dt, 0)
    remedy = f"use a shorter one, a smaller --order than {spec.order} or a longer --dt "
    check_memory("--duration", duration, needed, f"{remedy}than {spec.dt:g}")


def model_file(path: Path, option: str = "MODEL") -> Path:
    """Return the file of a model: the one given, or that in a folder of ``train``.

    Parameters
    ----------
    path : Path
        A file, or the folder that ``train --out`` wrote.
    option : str
        What an error names.

    Returns
    -------
    Path
        ``model.npz`` of a folder.

    Raises
    ------
    ValidationError
        If there is a folder without one.
    """
    if not path.is_dir():
        return path
    file = path / "model.npz"
    if not file.is_file():
        problem, remedy = "is a folder without a model.npz", "train writes one there"
        raise ValidationError(option, str(path), problem, remedy)
    return file


def described_classes(confusion, names) -> list[list[str]]:
    """Return the rows of a table of what was taken for what, with names.

    Parameters
    ----------
    confusion : (q, q) array_like of int
    names : sequence of str or None
        Of the classes; their numbers by default.

    Returns
    -------
    list of list of str
        The first row has the names of the columns.
    """
    named = [str(i) for i in range(len(confusion))] if names is None else list(names)
    shown = [name if len(name) <= 8 else f"{name[:7]}." for name in named]
    rows = zip(shown, confusion, strict=True)
    return [["", *shown], *([name, *map(str, row)] for name, row in rows)]
