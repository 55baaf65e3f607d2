"""A memory, on Nengo, the chip's arithmetic, the emulator or a board: one call.

``deploy`` lays a memory out for the target (`layout`), checks that it fits the chips
(`budget`), runs it (`target`), reads its state from its spikes, and returns what was
lost and what it cost.

All neurons drive all by weights, or through few decode neurons (`relayed`), by what
fits the chips.  Decode neurons take fewer cores, and have the noise of so few neurons;
fewer neurons, all to all, do better.  So a change of structure is always reported.
"""

import json
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, singledispatch

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.loihi.chip.limits import CORES_PER_CHIP, weights_cores
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.mapping.curves import MAX_RATE, chip_neurons
from lmu_spiking.loihi.mapping.layout import Layout, lay_out
from lmu_spiking.loihi.mapping.relayed import lay_out_relayed
from lmu_spiking.loihi.poisson.memory import lay_out_noisy
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear
from lmu_spiking.loihi.run.advice import Advice, advice_table
from lmu_spiking.loihi.run.budget import Budget, budget
from lmu_spiking.loihi.run.energy import Energy, estimate
from lmu_spiking.loihi.run.target import Run, Target, run_on
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.metrics import relative_rms, rms
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.signals import Signal, as_signal
from lmu_spiking.theory.budget import ErrorBudget, window_delays
from lmu_spiking.theory.predict import LEAD, predict

STRUCTURES = ("auto", "weights", "decode")
HOPELESS = 0.5  # of the signal: a predicted error from which on a memory is no use
DURATION = 6.0  # seconds
CHIP_TYPE, NOISY = "if", "noisy"


@dataclass(frozen=True, eq=False)
class Deployment:
    """Result of a memory on a target.

    Parameters
    ----------
    target : Target
    layout : Layout
    budget : Budget or None
        Cores and their contents; None on core.
    run : Run
    energy : Energy or None
        Estimated, never measured; None where operations were not counted.
    predicted : ErrorBudget
        From the layout, before the run.
    time, signal : (T,) ndarray
        Seconds; the input.
    state, exact : (T, d) ndarray
        The state read from the spikes, and the exact LDN's.
    spikes_per_s : float
        While the signal was played, all neurons.
    chosen : tuple of Advice
        What `deploy` chose by itself, and inputs that it clipped.
    """

    target: Target
    layout: Layout
    budget: Budget | None
    run: Run
    energy: Energy | None
    predicted: ErrorBudget
    time: np.ndarray
    signal: np.ndarray
    state: np.ndarray
    exact: np.ndarray
    spikes_per_s: float
    chosen: tuple[Advice, ...] = ()

    __repr__ = brief

    @property
    def structure(self) -> str:
        """Return ``"weights"``, all to all, or ``"decode"``, by decode neurons."""
        return "decode" if len(self.layout.stages) > 1 else "weights"

    @property
    def advice(self) -> tuple[Advice, ...]:
        """Return what was chosen, and what NengoLoihi warned of."""
        return (*self.chosen, *self.run.advice)

    def readings(self, delays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the input of the past, as read and as it was, after one window.

        Parameters
        ----------
        delays : (n,) array_like
            Seconds.

        Returns
        -------
        read, ideal, past : (T, n) ndarray
            Of the state read from the spikes and of the exact one; the input itself.
        """
        ldn, dt = self.layout.ldn, self.layout.dt
        readout = ldn.readout(delays - dt, dt)
        at = np.arange(ldn.steps(dt) + 1, len(self.signal))
        lags = np.round(delays / dt).astype(int)
        past = np.stack([self.signal[at - s] for s in lags], axis=1)
        return self.state[at] @ readout.T, self.exact[at] @ readout.T, past

    @property
    def row(self) -> dict:
        """Return errors, as in the JSON of ``lmu-spiking run``, costs and advice."""
        layout, dt, predicted = self.layout, self.layout.dt, self.predicted
        delays = window_delays(layout)
        read, ideal, past = self.readings(delays)

        def per_second(name: str) -> float | None:
            total = getattr(self.run.counts, name, None)
            return None if total is None else total / (dt * len(self.run.trange))

        return {
            "target": str(self.target),
            "structure": self.structure,
            "nrmse": relative_rms(read[:, -1], past[:, -1]),
            "noise_nrmse": relative_rms(read[:, -1], ideal[:, -1]),
            "window_nrmse": relative_rms(read, past),
            "window_noise_nrmse": relative_rms(read, ideal),
            "predicted_nrmse": predicted.nrmse(),
            "predicted_noise_nrmse": predicted.noise_nrmse(),
            "predicted_window_nrmse": predicted.nrmse(delays),
            "predicted_window_noise_nrmse": predicted.window_noise_nrmse(),
            "state_rmse": rms(self.state - self.exact),
            "predicted_state_rmse": predicted.state_rmse,
            "neurons": layout.n_neurons,
            "order": layout.ldn.order,
            "theta": layout.ldn.theta,
            "tau": layout.tau,
            "dt": dt,
            "neuron_type": type(layout.curves.neurons).__name__,
            "spikes_per_s": self.spikes_per_s,
            "mean_rate": self.spikes_per_s / layout.n_neurons,
            "cores": None if self.budget is None else self.budget.cores,
            "synops_per_s": per_second("synops"),
            "synops_nonzero_per_s": per_second("synops_nonzero"),
            "estimated_dynamic_watts": self.energy and self.energy.dynamic_watts,
            "advice": advice_table(self.advice),
            "seconds_build": self.run.seconds_build,
            "seconds_run": self.run.seconds_run,
            "versions": dict(self.run.versions),
        }

    def to_json(self) -> str:
        """Return `row` as one line.

        Returns
        -------
        str
            JSON.
        """
        return json.dumps(self.row)


def deploy(
    memory,
    target: Target | str = Target.EMULATOR,
    *,
    signal=None,
    duration: float = DURATION,
    neuron_type=None,
    max_rate: float = MAX_RATE,
    input_range: float | None = None,
    chips: int = 1,
    structure: str = "auto",
    n_relays: int | None = None,
    options=None,
    seed: int | None = None,
    progress=None,
) -> Deployment:
    """Run a memory on a target and compare it with the exact delay network.

    Parameters
    ----------
    memory : MemorySpec, LegendreMemory or Layout
        Its order, theta, synapse, step, number of neurons and signal remain; its curves
        and weights are made anew for the target, alike on every target.
    target : {"core", "simreal", "emulator", "board"}
        ``"nengo"`` is another name of ``"core"``.
    signal : Signal or (T,) array_like, optional
        At the memory's ``dt``, longer than its window; by default ``duration`` seconds
        of the noise that the spec names.  A spec's decoders are measured on the signal
        given: for the error on one that they have not seen, give a `Layout` of another.
    duration : float
        Seconds, where no signal is given.
    neuron_type : {"if", "lif", "noisy"} or nengo.neurons.NeuronType, optional
        By default the memory's own where it is "if" or "lif", and "if" for a spec that
        has the default type; Poisson neurons cannot be on the chip.  "noisy" are
        `NoisyRectifiedLinear`: nearly Poisson, so in more error, and not for a board.
    max_rate : float
        Rate at the radius, Hz.
    input_range : float, optional
        Largest input.
    chips : int
        Number of chips available.
    structure : {"auto", "weights", "decode"}
        All neurons to all by ``weights``, or through few neurons that ``decode`` the
        memory (`relayed`), with the noise of so few; by default weights if they fit,
        else decode neurons, which `Deployment.advice` tells.
    n_relays : int, optional
        Number of decode neurons; see `relayed.lay_out_relayed`.
    options : mapping, optional
        For the board; see `target.run_on`.
    seed : int, optional
        Of the curves and the run; the spec's ``tuning_seed`` by default.
    progress : callable, optional
        Called with the steps done and their number.

    Returns
    -------
    Deployment
        The run, its prediction, errors and costs.

    Raises
    ------
    ValidationError
        If the memory does not fit the chips, or the target cannot run it.
    MissingPackageError
        If the target needs NengoLoihi and it is not installed.
    """
    target, asked = Target(target), request_of(memory)
    if seed is not None:
        asked = replace(asked, seed=check_seed("deploy.seed", seed))
    dt, ldn = asked.dt, asked.ldn
    played = _play(signal, duration, asked)
    lead = LEAD * ldn.steps(dt)
    u = played.led_in(lead)
    # neurons, weights and cores, and how wrong they are predicted to be
    layout, chosen = asked.layout, ()
    if layout is None:
        choice = {"max_rate": max_rate, "input_range": input_range}
        choice["signal"] = asked.signal if signal is None else played.samples
        choice["target"] = str(target)
        form = structure_of(structure, asked.n_neurons, target, chips)
        layout = _lay_out(asked, neuron_type, form, n_relays, choice)
        if structure == "auto" and form == "decode":
            chosen = (relays_advice(asked.n_neurons, layout.n_relays, chips),)
    elif layout.target != target:
        problem = f"is not what the layout is for ({layout.target})"
        raise ValidationError("deploy.target", str(target), problem, "lay it out again")
    predicted = predict(layout, u, lead=lead)
    chosen += clipped_advice(layout, u) + hopeless_advice(layout, predicted)
    # the run, if it fits the chips
    with nengo.Network(label="deployed", seed=asked.seed) as model:
        network = layout.network(u)
    cores = None
    if target is not Target.CORE:
        cores = budget(model, chips=chips, dt=dt).check()
    given = {"seed": asked.seed, "options": options, "progress": progress}
    run = run_on(model, target, len(u) * dt, dt=dt, **given)
    # the state from the spikes, and what they cost
    state = layout.read(network, run.data, u)
    rates = [run.data[p][lead:].mean() * p.size_in for p in network.spike_probes]
    counted = run.counts is not None and run.counts.synops is not None
    energy = estimate(run.counts, len(u) * dt) if counted else None
    samples = np.asarray(played.samples)
    time, exact = dt * np.arange(1, len(samples) + 1), predicted.states[:-1]
    exact = np.vstack([predicted.initial, exact])
    costs = layout, cores, run, energy, predicted
    errors = time, samples, state[lead:], exact
    return Deployment(target, *costs, *errors, float(sum(rates)), chosen)


# -- what is asked for -----------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """The properties that `deploy` takes over from a memory."""

    ldn: LDN
    n_neurons: int
    tau: float
    dt: float
    signal: SignalSpec
    neuron_type: object
    seed: int
    layout: Layout | None = None


@singledispatch
def request_of(memory) -> Request:
    """Return what `deploy` takes over from a memory, or raise a ValidationError.

    Parameters
    ----------
    memory : Layout

    Returns
    -------
    Request
    """
    problem = "must be a MemorySpec, LegendreMemory or layout"
    raise ValidationError("deploy.memory", memory, problem)


def _refuse_feedback(feedback) -> None:
    """Raise a ValidationError if a memory has error feedback, which is not laid out."""
    if feedback is not None:
        problem, remedy = "is not laid out for a chip", "deploy a memory without it"
        raise ValidationError("deploy.error_feedback", feedback, problem, remedy)


def _refuse_several(size_in: int) -> None:
    """Raise a ValidationError for a memory of several channels."""
    if size_in != 1:
        problem, remedy = "must be 1", "deploy a memory for each channel"
        raise ValidationError("deploy.memory.size_in", size_in, problem, remedy)


@request_of.register
def _(memory: MemorySpec) -> Request:
    _refuse_several(memory.size_in)
    _refuse_feedback(memory.error_feedback)
    if memory.initial_phases == "staggered":
        problem = "is lost on a chip, which sets neurons to 0 after a spike"
        attribute = "deploy.initial_phases"
        raise ValidationError(attribute, "staggered", problem, "leave it out")
    neurons = memory.signal, memory.neuron_type, memory.tuning_seed
    size = memory.ldn, memory.n_neurons
    return Request(*size, float(memory.tau), memory.dt, *neurons)


@request_of.register
def _(memory: LegendreMemory) -> Request:
    _refuse_several(memory.size_in)
    _refuse_feedback(memory.mapped.feedback)
    synapse = memory.mapped.synapse
    if type(synapse) is not nengo.Lowpass:
        remedy = "use a lowpass without extra delay: synapse=0.1"
        problem = "is none that the chip has"
        raise ValidationError("deploy.memory.synapse", synapse, problem, remedy)
    size = memory.ldn, memory.population.n_neurons
    neurons = SignalSpec(), memory.population.neurons, memory.tuning_seed
    return Request(*size, float(synapse.tau), memory.dt, *neurons)


@request_of.register
def _(memory: Layout) -> Request:
    neurons = memory.signal or SignalSpec(), memory.curves.neurons, 0
    size = memory.ldn, memory.n_neurons
    return Request(*size, float(memory.tau), memory.dt, *neurons, memory)


def _play(signal, duration, asked: Request) -> Signal:
    """Return the signal to play: the one given, or noise of the memory's band."""
    if signal is None:
        signal = asked.signal
        check_positive("deploy.duration", duration, "seconds")
    rest = {"least": asked.ldn.steps(asked.dt) + 2, "attribute": "deploy.signal"}
    return as_signal(signal, asked.dt, duration=duration, **rest)


def _lay_out(asked: Request, neuron_type, form: str, n_relays, choice: dict) -> Layout:
    """Return the layout of a memory in one structure, for neurons asked for or its own.

    Raises
    ------
    ValidationError
        If the chip does not have these neurons, or not in this structure.
    """
    # the neurons: those asked for, the memory's own, or the chip's for a default spec
    kind = asked.neuron_type if neuron_type is None else neuron_type
    if neuron_type is None and kind == "poisson":  # the default of a spec
        kind = CHIP_TYPE
    if isinstance(kind, str) and kind == NOISY:
        kind = NoisyRectifiedLinear()
    if neuron_type is None and isinstance(kind, nengo.PoissonSpiking):
        remedy = f"give neuron_type='{CHIP_TYPE}' to deploy, for neurons of the chip"
        problem, name = "cannot be simulated on Loihi", "deploy.memory.neuron_type"
        raise ValidationError(name, kind, problem, remedy)
    # the layout: noisy neurons have one of their own, without decode neurons
    make: Callable = lay_out
    if isinstance(kind, NoisyRectifiedLinear):
        make = lay_out_noisy
        if form == "decode":
            problem = f"has no decode neurons, and {asked.n_neurons} neurons need some"
            remedy = "use structure='weights' with fewer neurons or more chips, or 'if'"
            raise ValidationError("deploy.neuron_type", kind, problem, remedy)
    else:
        kind = chip_neurons(kind, choice["target"])
        if form == "decode":
            make = partial(lay_out_relayed, n_relays=n_relays)
    choice |= {"tau": asked.tau, "dt": asked.dt, "seed": asked.seed}
    return make(asked.ldn, asked.n_neurons, kind, **choice)


# -- structures, and what is told of them ----------------------------------------------


def structure_of(structure: str, n_neurons: int, target: str, chips: int = 1) -> str:
    """Return ``"weights"`` or ``"decode"``, as `deploy` takes it.

    Parameters
    ----------
    structure : {"auto", "weights", "decode"}
    n_neurons : int
        Of the memory.
    target : str
    chips : int
        Number of chips available.

    Returns
    -------
    str

    Raises
    ------
    ValidationError
        If weights are asked for and exceed the chips.
    """
    check_one_of("deploy.structure", structure, STRUCTURES, "is not a structure")
    check_whole("deploy.chips", chips, 1)
    fault = None if target == Target.CORE else _too_many(n_neurons, chips)
    if structure == "weights" and fault:
        raise fault
    return "decode" if structure == "decode" or fault else "weights"


def _too_many(n_neurons: int, chips: int) -> ValidationError | None:
    """Return why so many neurons do not fit, all to all, or None if they do."""
    try:
        cores = weights_cores(n_neurons, 2 * PAIRS)
    except ValidationError as fault:  # a core has too few axons
        return fault
    if cores <= chips * CORES_PER_CHIP:
        return None
    problem = f"takes {cores} cores, of the {_available(chips)}, all to all"
    remedy = "use more chips, fewer neurons or structure='decode'"
    return ValidationError("deploy.memory.n_neurons", n_neurons, problem, remedy)


def most_all_to_all(chips: int = 1) -> int:
    """Return the largest number of neurons that so many chips hold, all to all.

    Parameters
    ----------
    chips : int
        Number of chips available.

    Returns
    -------
    int
    """
    # bisection, for cores only grow with neurons
    more = range(2, 2**13)
    return 1 + bisect_left(more, True, key=lambda n: bool(_too_many(n, chips)))


def relays_advice(n_neurons: int, n_relays: int, chips: int = 1) -> Advice:
    """Return what it means that all to all did not fit, and decode neurons were taken.

    Parameters
    ----------
    n_neurons, n_relays : int
        Of the memory, and decode neurons.
    chips : int
        Number of chips available.

    Returns
    -------
    Advice
    """
    try:
        cores = weights_cores(n_neurons, 2 * PAIRS)
        needs = f"take {cores} cores, of the {_available(chips)}"
    except ValidationError:
        needs = "have more axons than a core takes, on any number of chips"
    text = (
        f"all to all, {n_neurons} neurons {needs}: they go through {n_relays} "
        "decode neurons (structure='decode'), with the error of so few; "
        f"{most_all_to_all(chips)} neurons, all to all, fit and do better"
    )
    return Advice("structure", 1, None, text)


def clipped_advice(layout: Layout, u: np.ndarray) -> tuple[Advice, ...]:
    """Return what it means that inputs ``u`` (T,) are beyond the range of a layout.

    Parameters
    ----------
    layout : Layout
    u : (T,) ndarray
        Samples of the input.

    Returns
    -------
    tuple[Advice, ...]
    """
    beyond = np.count_nonzero(np.abs(u) > layout.input_range * (1 + 1e-9))
    if not beyond or not layout.clips:
        return ()
    text = (
        f"{beyond / len(u):.2g} of the samples are beyond input_range "
        f"({layout.input_range:.3g}) and clipped, which no prediction knows of; "
        f"use input_range={np.abs(u).max():.3g}"
    )
    return (Advice("input", int(beyond), float(np.abs(u).max()), text),)


def hopeless_advice(layout: Layout, predicted: ErrorBudget) -> tuple[Advice, ...]:
    """Return advice where a memory is predicted not to hold its window.

    Parameters
    ----------
    layout : Layout
    predicted : ErrorBudget

    Returns
    -------
    tuple[Advice, ...]
    """
    error = predicted.nrmse(window_delays(layout))
    if error < HOPELESS:
        return ()
    text = (
        f"the window is predicted to be wrong by {error:.2g} of the signal: this "
        "memory does not hold it; use more neurons, a lower order, a longer theta or a "
        "higher max_rate"
    )
    return (Advice("error", 1, float(error), text),)


def _available(chips: int) -> str:
    """Return the number of cores on so many chips, in words."""
    return f"{chips * CORES_PER_CHIP} on {chips} chip{'s' * (chips > 1)}"
