"""One trial: a memory is built, run on a signal and compared with the prediction."""

import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError, ValidityWarning
from lmu_spiking.memory.basis import REALISED
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.metrics import relative_rms as nrmse
from lmu_spiking.metrics import rms, versions
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons.curves import loop_caution
from lmu_spiking.signals import Signal, as_signal
from lmu_spiking.simulator.targets import check_target, simulator
from lmu_spiking.theory.budget import ErrorBudget, window_delays
from lmu_spiking.theory.channels import ChannelBudgets, together
from lmu_spiking.theory.cost import synaptic_operations
from lmu_spiking.theory.predict import LEAD, budget_of

# what a row takes from its spec
FIELDS = ("order", "theta", "tau", "dt", "neuron_type", "max_rate", "size_in")


@dataclass(frozen=True, eq=False)
class TrialResult:
    """Measurements of a trial, and what was predicted for it.

    Parameters
    ----------
    row : dict
        The numbers, as in the JSON of ``lmu-spiking run``.
    time : (T,) ndarray
        Of the probe, seconds.
    signal : (T,) or (T, size_in) ndarray
        The input.
    state, exact : (T, size_in * d) ndarray
        The spiking state, and the exact LDN's at the same probe index, channel by
        channel.
    predicted : ErrorBudget or ChannelBudgets
        What was predicted for the same signal, before the run.
    """

    row: dict
    time: np.ndarray
    signal: np.ndarray
    state: np.ndarray
    exact: np.ndarray
    predicted: ErrorBudget | ChannelBudgets

    __repr__ = brief

    @property
    def channels(self) -> tuple[str, ...]:
        """Return the names of the channels."""
        return tuple(own["channel"] for own in self.row.get("channels", ())) or ("0",)

    def channel(self, i: int) -> "TrialResult":
        """Return the result of one of several channels, with its own errors.

        Parameters
        ----------
        i : int
            From 0.

        Returns
        -------
        TrialResult
            Of one channel, as if it had been run alone.
        """
        if self.signal.ndim == 1:
            return self
        d = self.row["order"]
        own = slice(i * d, (i + 1) * d)
        row = {k: v for k, v in self.row.items() if k != "channels"}
        row |= self.row["channels"][i] | {"size_in": 1}
        row["input"] = f"{row['input']}, {row['channel']}"
        parts = (self.signal[:, i], self.state[:, own], self.exact[:, own])
        return TrialResult(row, self.time, *parts, self.predicted.each[i])

    def decoded(self) -> np.ndarray:
        """Return what the memory says at the end of the run of theta seconds ago.

        Returns
        -------
        (T,) or (T, size_in) ndarray
            At probe index ``k`` the decoded sample ``k - theta / dt``, rounded to whole
            steps; 0 before the first window is full.
        """
        ldn, dt = LDN(self.row["order"], self.row["theta"]), self.row["dt"]
        window = ldn.steps(dt)
        c = ldn.readout((window - 1) * dt, dt).ravel()
        read = self.state.reshape(len(self.state), -1, ldn.order) @ c
        read[:window] = 0
        return read[:, 0] if self.signal.ndim == 1 else read


def run_trial(
    spec: MemorySpec, signal: Signal, *, progress: Any = False, target: str = "compiled"
) -> TrialResult:
    """Run a memory on a signal, and compare it with the prediction.

    The memory gets two windows of signal beforehand (`Signal.led_in`), which are not
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
        What was measured and predicted.

    Warns
    -----
    ValidityWarning
        As `predict`; `run_trials` only stores it in ``row["caution"]``.
    """
    result = run_trials([spec], [signal], progress=progress, target=target)[0]
    if caution := result.predicted.caution:
        warnings.warn(caution, ValidityWarning, stacklevel=2)
    return result


def run_trials(
    specs: list[MemorySpec],
    signals: list[Signal],
    *,
    progress: Any = False,
    target: str = "compiled",
    threads: int = 1,
) -> list[TrialResult]:
    """Run trials that differ in their spikes and signals alone, in one pass.

    Parameters
    ----------
    specs : list of MemorySpec
        Equal but for their ``noise_seed``.  Each trial has the spikes that it has by
        itself.
    signals : list of Signal
        One for each, of one length.
    progress, target
        As in `run_trial`; in Nengo's own simulator there can be only one trial.
    threads : int
        Threads that share the trials.

    Returns
    -------
    list of TrialResult
        One for each spec.
    """
    spec = specs[0]
    dt, window = spec.dt, spec.ldn.steps(spec.dt)
    signals = [_played(x, s, 2 * window) for s, x in zip(specs, signals, strict=True)]
    _check_alike(specs, signals, target)
    lead = LEAD * window  # so that no onset rings in what is measured
    played = np.stack([x.led_in(lead) for x in signals])
    start = time.perf_counter()
    # one network for all trials: stimulus, memory, and probes of state and spikes
    with nengo.Network(label="trial") as model:
        shown = played[0].reshape(played.shape[1], -1)
        stimulus = nengo.Node(nengo.processes.PresentInput(shown, dt))
        memory = LegendreMemory.from_spec(spec, **_tuned_to(spec, signals[0]))
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
        counted = spikes_of(memory)
    # trials of one signal have one prediction
    known = {id(x): budget_of(memory, u, lead=lead) for x, u in _once(signals, played)}
    predicted = [known[id(x)] for x in signals]
    # single precision would be seen where nothing is noisy, or where sums are huge
    exact = spec.aggregated or not memory.population.neurons.spiking
    many: dict = {}
    if target == "compiled":
        seeds = [s.noise_seed for s in specs]
        many = {"trials": len(specs), "noise_seed": seeds, "threads": threads}
        many["inputs"] = {stimulus: played.reshape(*played.shape[:2], -1)}
    with simulator(model, dt, target, exact=exact, **many) as sim:
        built = time.perf_counter()
        sim.run_steps(played.shape[1], progress_bar=progress)
        ran = time.perf_counter()
        shape = (len(specs), played.shape[1], -1)
        states = np.asarray(sim.data[probe], dtype=float).reshape(shape)[:, lead:]
        spikes = [0] * len(specs)
        if counted is not None:
            samples = np.asarray(sim.data[counted]).reshape(shape)[:, lead:]
            spikes = [round(float(np.sum(each, dtype=float)) * dt) for each in samples]
    clock = {"seconds_build": (built - start) / len(specs)}
    clock |= {"seconds_run": (ran - built) / len(specs)}
    about = {"tuning": memory.assembly.tuning, "target": target} | clock
    if specs[0].error_feedback is not None:  # "auto" may have left it out
        feedback = memory.design.loop.feedback
        rate, tau = (feedback.rate, feedback.tau) if feedback else (0.0, 0.0)
        about |= {"feedback_rate": rate, "feedback_tau": tau}
    caution = loop_caution(memory.population.neurons)
    return [
        _result(window, about, caution, *each)
        for each in zip(specs, signals, predicted, states, spikes, strict=True)
    ]


def _result(window, about, caution, spec, signal, predicted, state, spikes):
    """Return the result of one trial, whose row takes ``about`` as it is."""
    u, dt, duration = np.asarray(signal.samples, float), spec.dt, signal.duration
    exact = np.vstack([predicted.initial, predicted.states[:-1]])
    row = measure(spec, u, state, exact, window)
    if isinstance(predicted, ChannelBudgets):
        predicted = replace(predicted, names=signal.channels)
        for own, name, budget in zip(
            row["channels"], predicted.names, predicted.each, strict=True
        ):
            own |= {"channel": name} | predicted_row(budget)
            own |= {"caution": budget.caution, "beyond_radii": budget.beyond}
    row |= predicted_row(predicted)
    cost = synaptic_operations(spec, spikes / duration)
    row |= {
        "caution": predicted.caution or caution,
        "beyond_radii": predicted.beyond,
        "spikes": spikes,
        "spikes_per_s": spikes / duration,
        "mean_rate": spikes / duration / spec.n_neurons,
        "synops_per_s": cost.factored,
        "synops_per_s_full": cost.full,
        "neurons": spec.n_neurons,
        **{name: getattr(spec, name) for name in FIELDS},
        "aggregated": spec.aggregated,
        "initial_phases": predicted.made.population.initial_phases,
        "input": signal.name,
        "input_power_lost": signal.power_lost,
        "duration": duration,
        "seed": spec.noise_seed,
        **about,
        "spec": spec.digest,
        "versions": versions(),
    }
    return TrialResult(row, dt * np.arange(1, len(u) + 1), u, state, exact, predicted)


def _played(x, spec: MemorySpec, least: int) -> Signal:
    """Return the checked signal of a trial: one channel (T,), or several."""
    several = {} if spec.size_in == 1 else {"channels": spec.size_in}
    return as_signal(x, spec.dt, least=least, attribute="run_trial.signal", **several)


def _once(signals, played):
    """Return each signal with its samples, and those that are the same once."""
    return {id(x): (x, u) for x, u in zip(signals, played, strict=True)}.values()


def _check_alike(specs, signals, target: str) -> None:
    """Refuse trials that one network cannot run."""
    check_target("target", target)
    n = len(specs)
    if n == 1:
        return
    if len({s.replace(noise_seed=0) for s in specs}) > 1 or target != "compiled":
        problem = "may differ in their noise_seed alone, and run in one pass only "
        raise ValidationError("run_trials.specs", n, f"{problem}compiled")
    if len({len(x.samples) for x in signals}) > 1 or _tuned_to(specs[0], signals[0]):
        problem = "must have one length, and not be what the memory is tuned to"
        raise ValidationError("run_trials.signals", n, problem)


def _tuned_to(spec: MemorySpec, signal: Signal) -> dict:
    """Return a recording, if the memory is tuned to more than its spec's band."""
    known = signal.name == "white" or spec.signals[0].spectrum is not None
    if spec.tuning not in REALISED or known:
        return {}
    return {"signal": signal if signal.samples.ndim == 2 else signal.samples}


def measure(spec: MemorySpec, u, state, exact, window: int) -> dict:
    """Return the errors of a run: of readouts from theta on, of states from 0.

    Parameters
    ----------
    spec : MemorySpec
    u : (T,) or (T, size_in) ndarray
        The input.
    state, exact : (T, size_in * d) ndarray
        The spiking state, and the exact LDN's at the same probe index.
    window : int
        Steps in theta.

    Returns
    -------
    dict of float
        Of several channels, the root mean square over them, and in ``channels`` a dict
        for each.
    """
    if u.ndim == 2:
        one, d = spec.replace(size_in=1, signal=spec.signals[0], radii=1.0), spec.order
        parts = ((u[:, i], slice(i * d, (i + 1) * d)) for i in range(spec.size_in))
        each = [measure(one, x, state[:, k], exact[:, k], window) for x, k in parts]
        row: dict = {name: together([own[name] for own in each]) for name in each[0]}
        return row | {"channels": each}
    ldn, dt = spec.ldn, spec.dt
    after = slice(window + 1, None)
    c = ldn.readout(window * dt - dt, dt)
    read, ideal = state @ c, exact @ c
    w = ldn.readout(window_delays(spec) - dt, dt)
    return {
        "nrmse": nrmse(read[after], u[1:-window]),
        "noise_nrmse": nrmse(read[after], ideal[after]),
        "window_noise_nrmse": nrmse(state[after] @ w.T, exact[after] @ w.T),
        "state_rmse": rms(state - exact),
    }


def predicted_row(predicted: ErrorBudget) -> dict:
    """Return the same errors as predicted; None where nothing is predicted.

    Parameters
    ----------
    predicted : ErrorBudget

    Returns
    -------
    dict of float or None
        With the ends of the intervals in which 95 of 100 runs lie.
    """
    parts = predicted.parts()
    low, high = predicted.nrmse_interval() or (None, None)
    noise_low, noise_high = predicted.interval() or (None, None)
    return {
        **{f"predicted_{part}_nrmse": value for part, value in parts.items()},
        "predicted_nrmse": predicted.nrmse(),
        "predicted_nrmse_low": low,
        "predicted_nrmse_high": high,
        "predicted_noise_nrmse": predicted.noise_nrmse(),
        "predicted_noise_nrmse_low": noise_low,
        "predicted_noise_nrmse_high": noise_high,
        "bound_noise_nrmse": predicted.bound_nrmse(),
        "predicted_window_noise_nrmse": predicted.window_noise_nrmse(),
        "predicted_state_rmse": predicted.state_rmse,
        "predicted_spikes_per_s": predicted.spikes_per_s,
    }


def spikes_of(memory: LegendreMemory) -> nengo.Probe | None:
    """Return a probe of the spikes of all neurons together; None without spikes.

    Parameters
    ----------
    memory : LegendreMemory

    Returns
    -------
    nengo.Probe or None
    """
    if not memory.population.neurons.spiking:
        return None
    # sparse, since a dense row would wake every thread of the BLAS in every step
    n = len(memory.population.gain)
    every = np.column_stack([np.zeros(n, int), np.arange(n)])
    ones = nengo.Sparse((1, n), indices=every, init=1.0)
    node = nengo.Node(size_in=1, label="spike counter")
    nengo.Connection(memory.ensemble.neurons, node, transform=ones, synapse=None)
    return nengo.Probe(node, synapse=None)
