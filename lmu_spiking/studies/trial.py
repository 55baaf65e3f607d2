"""One trial: a memory is built, run on a signal and compared with the prediction."""

import platform
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.curves import loop_caution
from lmu_spiking.signals import Signal
from lmu_spiking.simulator.targets import check_target, simulator
from lmu_spiking.studies.metrics import nrmse, rms
from lmu_spiking.theory.cost import synaptic_operations
from lmu_spiking.theory.predict import LEAD, ErrorBudget, budget_of, window_delays


@dataclass(frozen=True, eq=False)
class TrialResult:
    """What a trial measured.

    Attributes
    ----------
    row : dict
        The numbers, as in the JSON of ``lmu-spiking run``.
    time : (T,) ndarray
        Of the probe, seconds.
    signal : (T,) ndarray
        The input.
    state, exact : (T, d) ndarray
        The spiking state, and the exact LDN's at the same probe index.
    predicted : ErrorBudget
        What was predicted for the same signal, before the run.
    """

    row: dict
    time: np.ndarray
    signal: np.ndarray
    state: np.ndarray
    exact: np.ndarray
    predicted: ErrorBudget

    __repr__ = brief


def run_trial(
    spec: MemorySpec, signal: Signal, *, progress=False, target: str = "compiled"
) -> TrialResult:
    """Run ``spec`` on ``signal``.

    The memory hears two windows of signal beforehand (`Signal.led_in`), which are not
    measured: an input that begins with a jump rings on in any order for about as long.

    Parameters
    ----------
    spec : MemorySpec
    signal : Signal
        At ``spec.dt``, longer than the window.
    progress : bool or nengo.utils.progress.ProgressBar
        True for Nengo's own bar, which writes to standard output.
    target : {"compiled", "core"}
        `lmu_spiking.Simulator`, or `nengo.Simulator`: the same in distribution, and
        equal to rounding where nothing is drawn.

    Returns
    -------
    TrialResult

    Warns
    -----
    ValidityWarning
        As `predict`; `run_trials` only stores it in ``row["caution"]``.
    """
    done = run_trials([spec], [signal], progress=progress, target=target)[0]
    if caution := done.predicted.caution:
        warnings.warn(caution, ValidityWarning, stacklevel=2)
    return done


def run_trials(
    specs: list[MemorySpec],
    signals: list[Signal],
    *,
    progress=False,
    target: str = "compiled",
    threads: int = 1,
) -> list[TrialResult]:
    """Trials that differ in their spikes and signals alone, in one pass.

    Parameters
    ----------
    specs : list of MemorySpec
        Equal but for their ``noise_seed``.  Each trial has the spikes that it has by
        itself.
    signals : list of Signal
        One for each, of one length.
    progress, target
        As in `run_trial`; in Nengo's own simulator there can be only one.
    threads : int
        That the trials are shared among.
    """
    spec, signal = specs[0], signals[0]
    window, *_ = [_checked_window(s, x) for s, x in zip(specs, signals, strict=True)]
    _check_alike(specs, signals, target)
    dt, lead = spec.dt, LEAD * window  # so that no onset rings in what is measured
    heard = np.stack([x.led_in(lead) for x in signals])
    start = time.perf_counter()
    with nengo.Network(label="trial") as model:
        played = nengo.processes.PresentInput(heard[0][:, None], dt)
        stimulus = nengo.Node(played)
        memory = LegendreMemory.from_spec(spec, **_tuned_to(spec, signal))
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
        counted = spikes_of(memory)
    predicted = [budget_of(memory, x, lead=lead) for x in heard]
    many = {}
    if target == "compiled":
        seeds = [s.noise_seed for s in specs]
        many = {"trials": len(specs), "noise_seed": seeds, "threads": threads}
        many["inputs"] = {stimulus: heard[:, :, None]}
    with simulator(model, dt, target, exact=_is_exact(spec, memory), **many) as sim:
        built = time.perf_counter()
        sim.run_steps(heard.shape[1], progress_bar=progress)
        ran = time.perf_counter()
        shape = (len(specs), heard.shape[1], -1)
        states = np.asarray(sim.data[probe], dtype=float).reshape(shape)[:, lead:]
        spikes = [0] * len(specs)
        if counted is not None:
            samples = np.asarray(sim.data[counted]).reshape(shape)[:, lead:]
            spikes = [count(each, dt) for each in samples]
    seconds = (built - start) / len(specs), (ran - built) / len(specs)
    return [
        _result(target, memory, window, seconds, *each)
        for each in zip(specs, signals, predicted, states, spikes, strict=True)
    ]


def _result(target, memory, window, seconds, spec, signal, predicted, state, spikes):
    """What one trial measured; ``seconds`` to build and to run, its share of both."""
    u, dt = np.asarray(signal.samples, dtype=float), spec.dt
    exact = np.vstack([predicted.initial, predicted.states[:-1]])
    row = measure(spec, u, state, exact, window) | predicted_row(predicted)
    row["caution"] = loop_caution(memory.population.neurons) or predicted.caution
    row["beyond_radii"] = predicted.beyond
    cost = synaptic_operations(spec, spikes / signal.duration)
    row |= {
        "spikes": spikes,
        "spikes_per_s": spikes / signal.duration,
        "mean_rate": spikes / signal.duration / spec.n_neurons,
        "synops_per_s": cost.factored,
        "synops_per_s_full": cost.full,
        "neurons": spec.n_neurons,
        "order": spec.order,
        "theta": spec.theta,
        "tau": spec.tau,
        "dt": dt,
        "neuron_type": spec.neuron_type,
        "max_rate": spec.max_rate,
        "tuning": memory.assembly.tuning,
        "aggregated": spec.aggregated,
        "target": target,
        "input": signal.name,
        "input_power_lost": signal.power_lost,
        "duration": signal.duration,
        "seed": spec.noise_seed,
        "seconds_build": seconds[0],
        "seconds_run": seconds[1],
        "spec": spec.digest,
        "versions": versions(),
    }
    return TrialResult(row, dt * np.arange(1, len(u) + 1), u, state, exact, predicted)


def _check_alike(specs, signals, target: str) -> None:
    """One network must do for all."""
    check_target("target", target)
    if len(specs) == 1:
        return
    if len({s.replace(noise_seed=0) for s in specs}) > 1 or target != "compiled":
        raise ValidationError(
            "run_trials.specs",
            len(specs),
            "may differ in their noise_seed alone, and run in one pass only compiled",
        )
    if len({len(x.samples) for x in signals}) > 1 or _tuned_to(specs[0], signals[0]):
        raise ValidationError(
            "run_trials.signals",
            len(signals),
            "must have one length, and not be what the memory is tuned to",
        )


def _tuned_to(spec: MemorySpec, signal: Signal) -> dict:
    """A recording itself, where a memory is tuned to more than its spec's band."""
    recorded = spec.tuning in REALISED and signal.name != "white"
    return {"signal": signal.samples} if recorded else {}


def measure(spec: MemorySpec, u, state, exact, window: int) -> dict:
    """The errors of the contract; readouts from theta on, states from 0."""
    ldn, dt = spec.ldn, spec.dt
    c = ldn.readout(window * dt - dt, dt)
    read, ideal = state @ c, exact @ c
    settled = slice(window + 1, None)
    w = ldn.readout(window_delays(spec) - dt, dt)
    return {
        "nrmse": nrmse(read[settled], u[1:-window]),
        "noise_nrmse": nrmse(read[settled], ideal[settled]),
        "window_noise_nrmse": nrmse(state[settled] @ w.T, exact[settled] @ w.T),
        "state_rmse": rms(state - exact),
    }


def predicted_row(predicted) -> dict:
    """Return the same as predicted before the run; None where nothing is predicted."""
    parts = predicted.parts()
    return {
        **{f"predicted_{part}_nrmse": value for part, value in parts.items()},
        "predicted_nrmse": predicted.nrmse(),
        "predicted_noise_nrmse": predicted.noise_nrmse(),
        "predicted_window_noise_nrmse": predicted.window_noise_nrmse(),
        "predicted_state_rmse": predicted.state_rmse,
        "predicted_spikes_per_s": predicted.spikes_per_s,
    }


def spikes_of(memory: LegendreMemory) -> nengo.Probe | None:
    """A probe of the spikes of all neurons together; None where there are none."""
    if not memory.population.neurons.spiking:
        return None
    # sparse, since a dense row would wake every thread of the BLAS in every step
    n = len(memory.population.gain)
    every = np.column_stack([np.zeros(n, int), np.arange(n)])
    ones = nengo.Sparse((1, n), indices=every, init=1.0)
    node = nengo.Node(size_in=1, label="spike counter")
    nengo.Connection(memory.ensemble.neurons, node, transform=ones, synapse=None)
    return nengo.Probe(node, synapse=None)


def count(samples: np.ndarray, dt: float) -> int:
    """Spikes in what such a probe has seen."""
    return round(float(np.sum(samples, dtype=float)) * dt)


def _is_exact(spec: MemorySpec, memory: LegendreMemory) -> bool:
    """Whether single precision could be seen: nothing is noisy, or sums are huge."""
    return spec.aggregated or not memory.population.neurons.spiking


def versions() -> dict:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for package in ("lmu_spiking", "nengo", "numba", "numpy", "scipy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = getattr(sys.modules.get(package), "__version__", "?")
    return found


def _checked_window(spec: MemorySpec, signal: Signal) -> int:
    """Whole steps in theta; the signal must be longer and at the spec's step."""
    if not np.isclose(signal.dt, spec.dt, rtol=1e-9):
        raise ValidationError(
            "run_trial.signal.dt", signal.dt, f"is not the spec's dt of {spec.dt:g} s"
        )
    window = spec.ldn.steps(spec.dt)
    if len(signal.samples) < 2 * window:
        raise ValidationError(
            "duration",
            signal.duration,
            f"seconds are too short for a window of {spec.theta:g} s",
            f"use at least {2 * spec.theta:g} s",
        )
    return window
