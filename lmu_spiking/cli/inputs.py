"""The memory and the signal that options mean, for `run` and `deploy`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lmu_spiking.cli.console import tell
from lmu_spiking.cli.known import BESIDE, SIGNALS
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError, check_memory
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.population import NOISY
from lmu_spiking.signals import Signal, ecg, load_signal
from lmu_spiking.signals.ecg import PERIOD
from lmu_spiking.signals.files import READERS
from lmu_spiking.signals.spec import mean_of
from lmu_spiking.studies.presets import ORDERS, ecg_spec, fitted_radii
from lmu_spiking.theory.draft import truncation_of
from lmu_spiking.theory.recording import memory_for, refuse_short, step_of

DURATION = 20.0
DECODED = ".csv", ".npz", ".wav"
MOST_CELLS = 10**6  # of a decoded signal as text
LOST = 0.3  # truncation error, NRMSE, above which a line says so before the run
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
    refuse_white(white, source)
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
    if white:  # noise of a band, also where the file has a spectrum
        known = [replace(one, spectrum=None, peak=1.0) for one in base.signals]
        given["signal"] = tuple(replace(one, **white) for one in known)
    spec = base.replace(**given)
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


def refuse_white(white: dict, source: str) -> None:
    """Raise a ValidationError if an option is given that only white noise has.

    Parameters
    ----------
    white : dict
        ``bandwidth`` and ``rms``; those that are None were not given.
    source : str
        ``--input``.
    """
    for option, value in white.items():
        if value is not None and source != "white":
            raise ValidationError(f"--{option}", value, "is for --input white only")


def decoded_name(source: str, signal: Signal) -> str:
    """Return the name of the file of the decoded signal: of the input's own kind.

    Parameters
    ----------
    source : str
        ``--input``.
    signal : Signal

    Returns
    -------
    str
    """
    kinds = {".wav": ".wav", ".flac": ".wav", ".csv": ".csv"}
    kind = kinds.get(Path(source).suffix.lower(), ".npz")
    many = kind == ".csv" and signal.samples.size > MOST_CELLS
    return f"decoded{'.npz' if many else kind}"


def decoded_signal(result, path) -> Signal:
    """Return what a run decoded, beside the input of theta ago unless it is a sound.

    Parameters
    ----------
    result : TrialResult
    path : Path
        Of the file that it is for.

    Returns
    -------
    Signal
    """
    u, dt = result.signal.reshape(len(result.signal), -1), result.row["dt"]
    read = result.decoded().reshape(u.shape)
    names = result.channels if u.shape[1] > 1 else ("input",)
    if path.suffix == ".wav":
        return Signal(read, dt, "decoded", "run", channels=names)
    window = LDN(1, result.row["theta"]).steps(dt)
    late = np.concatenate([np.zeros((window, u.shape[1])), u[: len(u) - window]])
    names = (*names, *(f"{name} decoded" for name in names))
    return Signal(np.hstack([late, read]), dt, "decoded", "run", channels=names)


def is_file(source: str) -> bool:
    """Return whether ``--input`` names a file; refuse what is neither that nor known.

    Parameters
    ----------
    source : str

    Returns
    -------
    bool
    """
    if source in SIGNALS:
        return False
    # neither a known kind of file, nor there at all
    if Path(source).suffix.lower() not in READERS and not Path(source).exists():
        remedy = f"use ecg, white or a file ({', '.join(READERS)})"
        raise ValidationError("--input", source, "is not known", remedy)
    return True


def load_file(source: str, dt, duration, column, rate, centre: bool = False) -> Signal:
    """Return the recording in a file, at its own step.

    Parameters
    ----------
    source : str
        ``--input``.
    dt : float or None
        Its step, seconds, where neither the file nor ``--rate`` says it; 1 ms if None.
    duration : float or None
        Seconds that it is cut or repeated to.
    column, rate
        ``--column``, and ``--rate`` in Hz.
    centre : bool
        Whether the mean of each channel is taken away.

    Returns
    -------
    Signal
    """

    def step() -> float:
        each = dt or MemorySpec.dt
        said = f"taken as one sample each {1000 * each:g} ms"
        tell(f"{source} says no rate: {said}; use --rate HZ")
        return each

    signal = load_signal(source, None, column, rate, untimed=step)
    signal = signal if duration is None else fitted(signal, duration)
    return about_mean(signal, centre)


def about_mean(signal: Signal, centre: bool) -> Signal:
    """Return a recording less its mean, or a line on a mean that is large.

    Parameters
    ----------
    signal : Signal
    centre : bool
        ``--centre``: whether the mean of each channel is taken away.

    Returns
    -------
    Signal
    """
    if centre:
        return signal.centred()
    samples = signal.samples.reshape(len(signal.samples), -1)
    means, varies = samples.mean(axis=0), samples.std(axis=0)
    i = int(np.argmax(np.abs(means) - varies))
    if abs(means[i]) > varies[i]:
        which = "" if len(means) == 1 else f", {signal.channels[i]}"
        tell(
            f"{signal.name}{which}: its mean of {means[i]:.3g} is larger than what "
            f"varies about it ({varies[i]:.3g}), and errors are relative to both; "
            "--centre takes the mean of each channel away"
        )
    return signal


def recorded_memory(recorded: Signal, fields: dict) -> tuple[MemorySpec, Signal]:
    """Return the memory of least error for a recording, and the recording at its step.

    Parameters
    ----------
    recorded : Signal
        At its own step.
    fields : dict
        Of the spec; those that are None were not given.

    Returns
    -------
    spec : MemorySpec
    signal : Signal
    """
    given = {key: value for key, value in fields.items() if value is not None}
    theta = given.pop("theta", MemorySpec.theta)
    refuse_short(recorded, theta)
    signal = recorded.resampled(given.pop("dt", None) or step_of(recorded, theta))
    check_memory_of(signal, theta, given.get("order", 2))
    n_neurons = given.pop("n_neurons", MemorySpec.n_neurons)
    spec = memory_for(signal, theta, n_neurons, **given)
    describe(signal, spec)
    return _aggregated(spec), signal


def describe(signal: Signal, spec: MemorySpec) -> None:
    """Write a line about a recording, and one if a memory's order does not hold it.

    Parameters
    ----------
    signal : Signal
        At the step of the memory.
    spec : MemorySpec
    """
    band, theta, order = mean_of(spec.signals), spec.theta, spec.order
    of = "" if spec.size_in == 1 else f"{spec.size_in} channels of "
    tell(
        f"{signal.name}: {of}{signal.duration:.4g} s, 99 % of the power below "
        f"{band.bandwidth:.3g} Hz, taken in steps of {spec.dt:.4g} s"
    )
    if truncation_of(order, theta, band, spec.dt) > LOST:
        frequency, power = band.lines(theta)
        held = order / (2 * theta)  # two coefficients a cycle
        beyond = power[frequency > held].sum() / power.sum()
        tell(
            f"order {order} does not hold it: {beyond:.0%} of its power is above "
            f"{held:.3g} Hz; use a shorter --theta, more --neurons, or its envelope or "
            "features, which are slower"
        )


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
    if not is_file(source):
        refuse_file_options(column, rate)
        seconds = DURATION if duration is None else duration
        check_duration(spec, seconds)
        if source == "white":
            return spec.draw(seconds)
        if spec.size_in > 1:
            problem = f"has one channel, not the {spec.size_in} of the memory"
            raise ValidationError("--input", source, problem)
        return ecg(seconds, spec.dt)

    def warn_of_no_rate() -> None:
        step = f"{1000 * spec.dt:g} ms"
        tell(f"{source} says no rate: taken as one sample each {step}; use --rate HZ")

    if column is None and spec.size_in > 1:
        column = "all"
    signal = load_signal(source, spec.dt, column, rate, untimed=warn_of_no_rate)
    if len(signal.channels) != spec.size_in:
        given, wanted = len(signal.channels), spec.size_in
        problem = f"gives {given} channel{'s' * (given > 1)} "
        problem += f"({', '.join(signal.channels[:8])}), and the memory takes {wanted}"
        raise ValidationError("--column", column, problem, "name as many columns")
    check_duration(spec, signal.duration if duration is None else duration)
    return signal if duration is None else fitted(signal, duration)


def refuse_file_options(column, rate, centre: bool = False) -> None:
    """Raise a ValidationError if an option is given that only a file can have."""
    given = {"--column": column, "--rate": rate, "--centre": centre or None}
    for option, value in given.items():
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
        jump = float(np.abs(signal.samples[0] - signal.samples[-1]).max())
        seam = "" if signal.periodic else f", with a jump of {jump:.3g} between"
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
    states = spec.size_in * (spec.order + 4)
    needed = 8 * 6 * states * max(duration / spec.dt, 0)
    remedy = f"use a shorter one, a smaller --order than {spec.order} or a longer --dt "
    check_memory("--duration", duration, needed, f"{remedy}than {spec.dt:g}")


def check_memory_of(signal: Signal, theta: float, order: int) -> None:
    """Refuse a recording whose states do not fit into memory.

    Parameters
    ----------
    signal : Signal
        At the step of the memory.
    theta : float
        Window, seconds.
    order : int
        The least that the memory has.
    """
    spec = MemorySpec(order=order, theta=theta, dt=signal.dt, n_neurons=2 * order)
    check_duration(spec, signal.duration * len(signal.channels))
