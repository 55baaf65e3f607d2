"""A memory, on Nengo, the chip's arithmetic, the emulator or a board: one call.

``deploy`` lays a memory out for the target (`layout`), checks that it fits the chips
(`budget`), runs it (`target`), reads its state from its spikes, and says what was lost
and what it cost.
"""

import json
from dataclasses import dataclass
from functools import partial

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.loihi.chip.limits import CORES_PER_CHIP, weights_cores
from lmu_spiking.loihi.mapping.curves import MAX_RATE, chip_neurons
from lmu_spiking.loihi.mapping.input_weights import PAIRS
from lmu_spiking.loihi.mapping.layout import Layout, lay_out
from lmu_spiking.loihi.mapping.memory import (
    ChipMemory,
    RelayedMemory,
    read_relayed,
    read_state,
)
from lmu_spiking.loihi.mapping.relayed import RelayedLayout, lay_out_relayed
from lmu_spiking.loihi.poisson.layout import NoisyLayout, lay_out_noisy
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear
from lmu_spiking.loihi.run.advice import Advice, advice_table
from lmu_spiking.loihi.run.budget import Budget, budget
from lmu_spiking.loihi.run.energy import Energy, estimate
from lmu_spiking.loihi.run.target import Run, Target, run_on
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.signals import Signal, white_noise
from lmu_spiking.theory.predict import LEAD, ErrorBudget, predict, window_delays

# --------------------------------------------------------------------------------------
# All neurons to all by weights, or through few relays: what fits the chips.
#
# Relays take fewer cores, and have the noise of so few neurons (`relayed`); fewer
# neurons, all to all, do better.  So a change of structure is never made in silence.


STRUCTURES = ("auto", "weights", "decode")
HOPELESS = 0.5  # of the signal, an error that is told before the run


def structure_of(structure: str, n_neurons: int, target: str, chips: int = 1) -> str:
    """``"weights"`` or ``"decode"``, as `deploy` takes it.

    Raises
    ------
    ValidationError
        If weights are asked for and exceed the chips.
    """
    if structure not in STRUCTURES:
        raise ValidationError(
            "deploy.structure",
            structure,
            "is not a structure",
            f"use one of {', '.join(map(repr, STRUCTURES))}",
        )
    check_whole("deploy.chips", chips, 1)
    if structure == "decode" or target == Target.CORE:
        return "decode" if structure == "decode" else "weights"
    try:
        cores = weights_cores(n_neurons, 2 * PAIRS)
        if cores > chips * CORES_PER_CHIP:
            raise ValidationError(
                "deploy.memory.n_neurons",
                n_neurons,
                f"takes {cores} cores, of the {_there(chips)}, all to all",
                "use more chips, fewer neurons or structure='decode'",
            )
    except ValidationError:
        if structure == "weights":
            raise
        return "decode"
    return "weights"


def relays_advice(n_neurons: int, n_relays: int, chips: int = 1) -> Advice:
    """What it means that all to all did not fit, and relays were taken.

    Parameters
    ----------
    n_neurons, n_relays : int
        Of the memory.
    chips : int
        That there are.
    """
    try:
        cores = weights_cores(n_neurons, 2 * PAIRS)
        needs = f"take {cores} cores, of the {_there(chips)}"
    except ValidationError:
        needs = "have more axons than a core takes, on any number of chips"
    text = (
        f"all to all, {n_neurons} neurons {needs}: they go through {n_relays} relays "
        "(structure='decode'), with the error of so few; "
        f"{most_all_to_all(chips)} neurons, all to all, fit and do better"
    )
    return Advice("structure", 1, None, text)


def clipped_advice(layout, u: np.ndarray) -> tuple[Advice, ...]:
    """What it means that inputs ``u`` (T,) are beyond the range of a layout.

    On core nothing is clipped, but for noisy neurons, whose relays are made for it.
    """
    beyond = np.count_nonzero(np.abs(u) > layout.input_range * (1 + 1e-9))
    if not beyond or (
        layout.target == Target.CORE and not isinstance(layout, NoisyLayout)
    ):
        return ()
    text = (
        f"{beyond / len(u):.2g} of the samples are beyond input_range "
        f"({layout.input_range:.3g}) and clipped, which no prediction knows of; "
        f"use input_range={np.abs(u).max():.3g}"
    )
    return (Advice("input", int(beyond), float(np.abs(u).max()), text),)


def foreseen(layout, u: np.ndarray, predicted) -> tuple[Advice, ...]:
    """What is known to go wrong before inputs ``u`` (T,) are run."""
    return clipped_advice(layout, u) + hopeless_advice(layout, predicted)


def hopeless_advice(layout, predicted) -> tuple[Advice, ...]:
    """That a memory will not hold its window, by its prediction."""
    error = predicted.nrmse(window_delays(layout))
    if error < HOPELESS:
        return ()
    text = (
        f"the window is predicted to be wrong by {error:.2g} of the signal: this "
        "memory does not hold it; use more neurons, a lower order, a longer theta or a "
        "higher max_rate"
    )
    return (Advice("error", 1, float(error), text),)


def most_all_to_all(chips: int = 1) -> int:
    """The most neurons that so many chips hold, all to all."""
    least, most = 1, 2**13
    while most - least > 1:
        middle = (least + most) // 2
        try:
            cores = weights_cores(middle, 2 * PAIRS)
        except ValidationError:
            cores = CORES_PER_CHIP * chips + 1
        if cores > chips * CORES_PER_CHIP:
            most = middle
        else:
            least = middle
    return least


def _there(chips: int) -> str:
    return f"{chips * CORES_PER_CHIP} on {chips} chip{'s' * (chips > 1)}"


# --------------------------------------------------------------------------------------

DURATION = 6.0  # seconds
NEURONS = 600
CHIP_TYPE, NOISY = "if", "noisy"
LAYOUTS = Layout | RelayedLayout | NoisyLayout


@dataclass(frozen=True, eq=False)
class Deployment:
    """What came of a memory on a target.

    Attributes
    ----------
    target : Target
    layout : Layout, RelayedLayout or NoisyLayout
    budget : Budget or None
        Cores and what they hold; None on core.
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
    layout: LAYOUTS
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
        """``"weights"``, all to all, or ``"decode"``, through relays."""
        return "decode" if isinstance(self.layout, RelayedLayout) else "weights"

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What was chosen, and what NengoLoihi warned of."""
        return (*self.chosen, *self.run.advice)

    @property
    def row(self) -> dict:
        """The numbers: errors as in the JSON of ``lmu-spiking run``, costs, advice."""
        layout, counts = self.layout, self.run.counts
        steps, dt = layout.ldn.steps(layout.dt), layout.dt
        delays = window_delays(layout)
        window = layout.ldn.readout(delays - dt, dt)
        settled = slice(steps + 1, None)
        read, ideal = self.state[settled] @ window.T, self.exact[settled] @ window.T
        lags = np.round(delays / dt).astype(int)
        at = np.arange(steps + 1, len(self.signal))
        past = np.stack([self.signal[at - s] for s in lags], axis=1)
        predicted = self.predicted
        seconds = dt * len(self.run.trange)
        return {
            "target": str(self.target),
            "structure": self.structure,
            "nrmse": _nrmse(read[:, -1], past[:, -1]),
            "noise_nrmse": _nrmse(read[:, -1], ideal[:, -1]),
            "window_nrmse": _nrmse(read, past),
            "window_noise_nrmse": _nrmse(read, ideal),
            "predicted_nrmse": predicted.nrmse(),
            "predicted_noise_nrmse": predicted.noise_nrmse(),
            "predicted_window_nrmse": predicted.nrmse(delays),
            "predicted_window_noise_nrmse": predicted.window_noise_nrmse(),
            "state_rmse": float(np.sqrt(np.mean((self.state - self.exact) ** 2))),
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
            "synops_per_s": _each(counts, "synops", seconds),
            "synops_nonzero_per_s": _each(counts, "synops_nonzero", seconds),
            "estimated_dynamic_watts": self.energy and self.energy.dynamic_watts,
            "advice": advice_table(self.advice),
            "seconds_build": self.run.seconds_build,
            "seconds_run": self.run.seconds_run,
            "versions": dict(self.run.versions),
        }

    def to_json(self) -> str:
        """`row` as one line."""
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
    memory : MemorySpec, LegendreMemory, Layout, RelayedLayout or NoisyLayout
        Its order, theta, synapse, step, number of neurons and signal are kept; its
        curves and weights are made anew for the target, alike on every target.
    target : {"core", "simreal", "emulator", "board"}
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
        Chips that there are.
    structure : {"auto", "weights", "decode"}
        All neurons to all by ``weights``, or through few relays that ``decode`` the
        memory (`relayed`), with the noise of so few; by default weights if they fit,
        else relays, which `Deployment.advice` tells.
    n_relays : int, optional
        With relays, how many; see `relayed.lay_out_relayed`.
    options : mapping, optional
        For the board; see `target.run_on`.
    seed : int, optional
        Of the curves and the run; the spec's ``tuning_seed`` by default.

    Raises
    ------
    ValidationError
        If the memory does not fit the chips, or the target cannot run it.
    MissingPackageError
        If the target needs NengoLoihi and it is not installed.
    """
    target = Target(target)
    wanted = _wanted(memory)
    dt, ldn = wanted["dt"], wanted["ldn"]
    played = _played(signal, duration, wanted)
    lead = LEAD * ldn.steps(dt)
    heard = played.led_in(lead)
    seed = wanted["seed"] if seed is None else check_seed("deploy.seed", seed)
    chosen: tuple[Advice, ...] = ()
    if isinstance(memory, LAYOUTS):
        layout = _of_target(memory, target)
    else:
        band = wanted["signal"] if signal is None else played.samples
        kind = _type(neuron_type, wanted["neuron_type"])
        form = structure_of(structure, wanted["n_neurons"], target, chips)
        make = lay_out
        if isinstance(kind, NoisyRectifiedLinear):
            make = lay_out_noisy
            _check_all_to_all(form, wanted["n_neurons"], kind)
        elif form == "decode":
            make = partial(lay_out_relayed, n_relays=n_relays)
        layout = make(
            ldn,
            wanted["n_neurons"],
            kind if make is lay_out_noisy else chip_neurons(kind, target),
            target=str(target),
            tau=wanted["tau"],
            dt=dt,
            signal=band,
            max_rate=max_rate,
            input_range=input_range,
            seed=seed,
        )
        if structure == "auto" and form == "decode":
            asked = wanted["n_neurons"]
            chosen = (relays_advice(asked, layout.n_relays, chips),)
    predicted = predict(layout, heard, lead=lead)
    chosen += foreseen(layout, heard, predicted)
    with nengo.Network(label="deployed", seed=seed) as model:
        network = _put(layout, heard)
    held = None
    if target is not Target.CORE:
        held = budget(model, chips=chips, dt=dt).check()
    run = run_on(
        model,
        target,
        len(heard) * dt,
        dt=dt,
        seed=seed,
        options=options,
        progress=progress,
    )
    state, rate = _read(layout, network, run.data, heard, lead)
    counted = run.counts is not None and run.counts.synops is not None
    return Deployment(
        target,
        layout,
        held,
        run,
        estimate(run.counts, len(heard) * dt) if counted else None,
        predicted,
        dt * np.arange(1, len(played.samples) + 1),
        np.asarray(played.samples),
        state[lead:],
        np.vstack([predicted.initial, predicted.states[:-1]]),
        rate,
        chosen,
    )


def _put(layout, heard):
    """The memory, as a part of the network that is being made, and its input."""
    if isinstance(layout, NoisyLayout):
        return layout.build(heard)
    stimulus = nengo.Node(nengo.processes.PresentInput(heard[:, None], layout.dt))
    kind = RelayedMemory if isinstance(layout, RelayedLayout) else ChipMemory
    network = kind(layout, label="memory")
    nengo.Connection(stimulus, network.input, synapse=None)
    return network


def _read(layout, network, data, heard, lead: int) -> tuple[np.ndarray, float]:
    """The state (T, d), and spikes per second after the lead."""
    spikes = data[network.spikes]
    rate = spikes[lead:].mean() * spikes.shape[1]
    if isinstance(layout, NoisyLayout):
        return network.state(spikes > 0, data[network.relayed] > 0), float(rate)
    if isinstance(layout, RelayedLayout):
        spikes = data[network.relayed]
        rate += spikes[lead:].mean() * spikes.shape[1]
        return read_relayed(layout, spikes, heard), float(rate)
    return read_state(layout, spikes, heard), float(rate)


def _wanted(memory) -> dict:
    """What is kept of a memory."""
    if isinstance(memory, MemorySpec):
        keep = {"n_neurons": memory.n_neurons, "signal": memory.signal}
        tau, kind, seed = memory.tau, memory.neuron_type, memory.tuning_seed
    elif isinstance(memory, LegendreMemory):
        if memory.size_in != 1:
            raise ValidationError(
                "deploy.memory.size_in",
                memory.size_in,
                "must be 1",
                "deploy a memory for each input",
            )
        keep = {"n_neurons": memory.population.n_neurons, "signal": SignalSpec()}
        synapse = memory.mapped.synapse
        tau = synapse.tau if type(synapse) is nengo.Lowpass else None
        kind, seed = memory.population.neurons, memory.tuning_seed
    elif isinstance(memory, LAYOUTS):
        keep = {"n_neurons": memory.n_neurons, "signal": memory.signal or SignalSpec()}
        tau, kind, seed = memory.tau, memory.curves.neurons, 0
    else:
        raise ValidationError(
            "deploy.memory", memory, "must be a MemorySpec, LegendreMemory or layout"
        )
    if tau is None:
        raise ValidationError(
            "deploy.memory.synapse",
            memory.mapped.synapse,
            "is none that the chip has",
            "use a lowpass without extra delay: synapse=0.1",
        )
    ldn = memory.ldn
    return keep | {
        "ldn": ldn,
        "tau": float(tau),
        "dt": memory.dt,
        "neuron_type": kind,
        "seed": seed,
    }


def _played(signal, duration, wanted) -> Signal:
    dt = wanted["dt"]
    if signal is None:
        seconds = check_positive("deploy.duration", duration, "seconds")
        band = wanted["signal"]
        signal = white_noise(seconds, dt, band.bandwidth, band.rms, 0)
    elif not isinstance(signal, Signal):
        signal = Signal(signal, dt, "given", "given")
    if not np.isclose(signal.dt, dt):
        raise ValidationError(
            "deploy.signal.dt", signal.dt, f"is not the memory's {dt:g} s", "resample"
        )
    if len(signal.samples) <= wanted["ldn"].steps(dt) + 1:
        raise ValidationError(
            "deploy.duration",
            signal.duration,
            f"is not longer than the window of {wanted['ldn'].theta:g} s",
            "use a longer signal",
        )
    return signal


def _type(asked, own):
    """The neurons to use: those asked for, the memory's own, or the chip's default."""
    if asked is not None:
        named = isinstance(asked, str) and asked == NOISY
        return NoisyRectifiedLinear() if named else asked
    if isinstance(own, str):
        return CHIP_TYPE if own == "poisson" else own
    if isinstance(own, nengo.PoissonSpiking):
        raise ValidationError(
            "deploy.memory.neuron_type",
            own,
            "cannot be simulated on Loihi",
            f"give neuron_type='{CHIP_TYPE}' to deploy: the same memory of neurons "
            "that the chip has",
        )
    return own


def _check_all_to_all(form: str, n_neurons: int, kind) -> None:
    if form == "decode":
        raise ValidationError(
            "deploy.neuron_type",
            kind,
            f"has no relays, and {n_neurons} neurons are to go through them",
            "use structure='weights' with fewer neurons or more chips, or 'if' neurons",
        )


def _of_target(layout, target: Target):
    if layout.target != target:
        raise ValidationError(
            "deploy.target",
            str(target),
            f"is not what the layout is for ({layout.target})",
            "lay it out again",
        )
    return layout


def _nrmse(actual, ideal) -> float:
    return float(np.sqrt(np.mean((actual - ideal) ** 2) / np.mean(ideal**2)))


def _each(counts, name: str, seconds: float) -> float | None:
    total = None if counts is None else getattr(counts, name)
    return None if total is None else total / seconds
