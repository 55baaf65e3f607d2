r"""A memory of noisy neurons for Loihi, in plain Nengo, and its predicted error.

Neurons come in pairs of encoders +1 and -1 without bias, and all drive all through
whole-numbered weights.  With ``K`` the weights of ``m`` neurons onto ``d`` dimensions
and ``s`` the spikes over ``dt``,

.. math::

    x[k+1] = a\,x[k] + (1 - a) (K s[k] + K_u s_u[k]), \qquad K s \approx A' x,

which is Principle 3: ``A' = (Ad - a I) / (1 - a)``.  Poisson spikes of rates ``r`` then
scatter the state about the exact one with the covariance

.. math::

    P = \bar A P \bar A^T + (\bar A - a I) \Sigma (\bar A - a I)^T, \qquad
    \Sigma_{ii} = \sum_k d_k^2\, r_k / dt,

where ``d_k`` are the decoders and ``r_k`` the rates of noisy neurons, which at zero
are not zero.  So nothing is measured before a run: `PoissonStage` is laid out for
`deploy` by this error model.  Neurons may fire faster than ``max_rate``, and nearly in
proportion: radii cover what each dimension mostly takes, the signal's part and the
noise's,

.. math:: \rho_i = 3 \sqrt{E x_i^2 + P_{ii}} ,

and more of it where weights ``A'_ij rho_j / rho_i`` would be above the largest.

The file is long because each step of the layout needs the noise that the one before
leaves: scale, radii, covariance and weights are one computation.
"""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import nengo
import numpy as np
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import (
    ValidationError,
    ValidityWarning,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.loihi.chip.integers import TARGETS, target_name
from lmu_spiking.loihi.chip.limits import split
from lmu_spiking.loihi.chip.upstream import place
from lmu_spiking.loihi.mapping.curves import MAX_RATE, Curves
from lmu_spiking.loihi.mapping.layout import Layout, expect
from lmu_spiking.loihi.mapping.memory import connect
from lmu_spiking.loihi.mapping.stage import Stage
from lmu_spiking.loihi.poisson.neuron import (
    KEPT,
    NoisyRectifiedLinear,
    anchor,
    anchor_weight,
    chip_lowpass,
    drive_at,
    rate_of,
)
from lmu_spiking.loihi.run.target import run_on
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.theory.fixed_point import GAUSS, LEVELS, fixed_point

SENDERS = 8  # neurons on the host that send the input, on either side, at least
LARGEST = 127  # of a weight with sign, in steps of anchor_weight / 255
FULL = 0.8  # of it, and of a spike in every step, that senders go up to
REACH = 3.0  # standard deviations of a dimension at its radius


@dataclass(frozen=True, eq=False)
class NoisyMemory:
    """A network, and what reads its state from its spikes.

    Parameters
    ----------
    network : nengo.Network
    spikes, relayed : nengo.Probe
        Of the memory's neurons, ``m`` and a silent one, and of those that send the
        input.
    recurrent : (d, m + 1) ndarray
        ``K``, per spike over ``dt``.
    feed : (d, 2 R) ndarray
        ``K_u``, of ``R`` senders on either side.
    mapped : Mapped
        What ``K`` and ``K_u`` stand for.
    decoders : (d,) ndarray
        ``d_k`` of the neurons of each dimension, without sign.
    tops : (d,) ndarray
        Drive of a neuron, Hz, where its dimension is 1.
    target : str
        The name of a `Target`.
    dt : float
        Step, seconds.
    """

    network: nengo.Network
    spikes: nengo.Probe
    relayed: nengo.Probe
    recurrent: np.ndarray
    feed: np.ndarray
    mapped: Mapped
    decoders: np.ndarray
    tops: np.ndarray
    target: str
    dt: float

    __repr__ = brief

    @property
    def spike_probes(self) -> tuple[nengo.Probe, ...]:
        """Return the probes of the memory's neurons."""
        return (self.spikes,)

    def state(self, spikes: np.ndarray, relayed: np.ndarray) -> np.ndarray:
        """Return the state that drives the neurons.

        Parameters
        ----------
        spikes, relayed : (T, n) ndarray of bool
            What the probes saw.

        Returns
        -------
        (T, d) ndarray
            At index ``k``, the state after input ``k - 1``.
        """
        pushed = spikes @ self.recurrent.T + relayed @ self.feed.T
        a = self.mapped.loop.F.item()
        return lfilter([0, (1 - a) / self.dt], [1, -a], pushed, axis=0)


def build_noisy_memory(
    u,
    *,
    order: int,
    theta: float,
    n_neurons: int,
    tau: float = 0.1,
    max_rate: float = 150.0,
    radii=1.0,
    kept: float = KEPT,
    dt: float = 0.001,
    target: str = "emulator",
    seed: int = 0,
    input_range: float | None = None,
) -> NoisyMemory:
    """Build a memory of noisy neurons that is fed samples.

    Parameters
    ----------
    u : (T,) array_like
        Samples of the input.
    order : int
    theta : float
        Order and window of the `LDN`, seconds.
    n_neurons : int
        A multiple of twice the order.
    tau : float
        Lowpass synapse of the memory and of its input, seconds.
    max_rate : float
        Rate of a neuron where its dimension is at its radius, Hz.
    radii : float or (d,) array_like
        Of the dimensions, or of all alike.
    kept : float
        Of `NoisyRectifiedLinear`.  With less, neurons are quieter at zero and more
        regular than Poisson neurons at high rates, and the error is smaller.
    dt : float
        Step, seconds.
    target : {"core", "simreal", "emulator"}
        What it is built for: the chip's synapse is rounded.
    seed : int
        Of the noise.
    input_range : float, optional
        Largest input, beyond which it is clipped; by default that of ``u``.

    Returns
    -------
    NoisyMemory
        Its network, and what reads the state.

    Raises
    ------
    ValidationError
        If the neurons do not come in pairs, or their weights are too large.
    """
    target = target_name(target)
    u = np.asarray(u, dtype=float)
    loudest = np.abs(u).max() if input_range is None else input_range
    u = np.clip(u, -loudest, loudest)
    radii = np.broadcast_to(np.asarray(radii, dtype=float), order)
    if not np.all(radii > 0):
        raise ValidationError("build_noisy_memory.radii", radii, "must be positive")
    # neurons in pairs, and their weights in whole steps
    ldn, neuron_type = LDN(order, theta), NoisyRectifiedLinear(kept)
    scale = scale_of(ldn, n_neurons, tau, max_rate, kept, dt, target)
    mapped, side = scale.mapped, n_neurons // (2 * order)
    decoders, tops = scale.decoder * radii, scale.top / radii
    signs, dimensions = _pairs(order, side)
    to_steps = tops[:, None] / scale.worth
    K = spread(mapped.A * decoders * to_steps, side)
    # so many spikes that the largest weight of a sender is near the largest there is
    gain = np.abs(mapped.B * to_steps).max() / (FULL * LARGEST)  # of a side
    senders = max(SENDERS, int(np.ceil(gain * loudest * dt / FULL)))
    K_u = spread(mapped.B * to_steps / gain, senders)
    _check_steps(K, n_neurons, order)
    # the last neuron is silent
    onto = np.zeros((n_neurons + 1, order))
    onto[np.arange(n_neurons), dimensions] = signs
    K = np.hstack([K, np.zeros((order, 1))])
    recurrent = onto @ K
    recurrent[:-1, -1] = LARGEST  # never used: it keeps the other weights' exponent
    # below the knee; much below, its bias would cost its block a bit of the weights
    silent = -1.1 * neuron_type.offset(dt) - 10
    bias = np.append(np.zeros(n_neurons), silent)
    with nengo.Network(seed=seed) as network:
        ensemble = driven(n_neurons + 1, neuron_type, bias=bias, label="memory")
        sender = _send(u, gain / senders, senders, dt)
        for pre, weights in ((ensemble, recurrent), (sender, onto @ K_u)):
            connect(pre.neurons, ensemble, weights * scale.step, tau)
        if target != "core":
            anchor(ensemble, tau, dt)
            place(sender, on_chip=False)
        probes = [nengo.Probe(e.neurons, synapse=None) for e in (ensemble, sender)]
    rest = mapped, decoders, tops, target, dt
    return NoisyMemory(network, *probes, K / to_steps, K_u / to_steps, *rest)


@dataclass(frozen=True, eq=False)
class Scale:
    """Sizes of weights in whole steps, for radii of 1.

    Parameters
    ----------
    mapped : Mapped
        The memory on the target's synapse.
    decoder : float
        Of a neuron.
    top : float
        Drive of a neuron where its dimension is 1, Hz.
    step, worth : float
        A step of a weight, as a transform and in Hz per spike over ``dt``.
    """

    mapped: Mapped
    decoder: float
    top: float
    step: float
    worth: float

    __repr__ = brief

    @property
    def steps(self) -> np.ndarray:
        """Return the sizes of the weights (d, d), times ``rho_i / rho_j``."""
        return np.abs(self.mapped.A) * self.decoder * self.top / self.worth


def scale_of(
    ldn: LDN, n_neurons: int, tau, max_rate, kept, dt: float, target: str
) -> Scale:
    """Return the scale of `build_noisy_memory`, whose parameters these are.

    Parameters
    ----------
    ldn : LDN
    n_neurons : int
    tau : float
        Synapse, seconds.
    max_rate : float
        Hz.
    kept : float
        ``lambda``.
    dt : float
        Step, seconds.
    target : str
        Name of a `Target`.

    Returns
    -------
    Scale
    """
    check_whole("build_noisy_memory.n_neurons", n_neurons, 2 * ldn.order)
    side, odd = divmod(n_neurons, 2 * ldn.order)
    if odd:
        problem = f"is not a multiple of {2 * ldn.order}, twice the order"
        remedy = f"use {2 * ldn.order * max(1, round(n_neurons / (2 * ldn.order)))}"
        raise ValidationError(
            "build_noisy_memory.n_neurons", n_neurons, problem, remedy
        )
    a, area = chip_lowpass(tau, dt)
    rounded = target == "emulator"
    mapped = map_onto(ldn, -dt / np.log(a) if rounded else tau, dt)
    # what one step of a weight adds to the drive, in Hz per spike over dt
    step = anchor_weight(tau, dt, kept) / 255
    worth = step / (1 - a) / area if rounded else step
    top = drive_at(max_rate, kept, dt).item()
    # value over rate that makes a pair of unit radius a line, by least squares
    x = np.linspace(0, 1, 1001)
    both = rate_of(top * x, kept, dt) - rate_of(-top * x, kept, dt)
    return Scale(mapped, float(both @ x / (both @ both)) / side, top, step, worth)


def spread(weights: np.ndarray, side: int) -> np.ndarray:
    """Return whole numbers (d, 2 side c) whose sums over either side are as wanted.

    ``weights`` (d, c) are the mean weights of the neurons of sign +1 of each of ``c``
    numbers; those of sign -1 have their negatives.  Neurons take turns, numbers first,
    then signs, and what rounding takes from one the next is given.

    Parameters
    ----------
    weights : (d, c) ndarray
        Mean weights.
    side : int
        Neurons of either sign.

    Returns
    -------
    ndarray
    """
    ends = np.round(np.arange(side + 1)[:, None, None] * weights)
    parts = np.diff(ends, axis=0)  # (side, d, c)
    both = np.stack([parts, -parts], axis=1)  # (side, sign, d, c)
    return both.transpose(2, 0, 1, 3).reshape(len(weights), -1)


def _pairs(order: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return signs and dimensions (m,) of neurons, which take turns in both."""
    signs = np.tile(np.repeat([1.0, -1.0], order), side)
    return signs, np.tile(np.arange(order), 2 * side)


def _send(u, gain: float, side: int, dt: float) -> nengo.Ensemble:
    """Return integrating neurons of the host, of the rate ``gain``, Hz, at 1 or -1."""
    stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], dt))
    # in turn: then all count like one that is so many times as fast
    phases = nengo.dists.Samples(np.repeat((np.arange(side) + 0.5) / side, 2))
    kind = nengo.SpikingRectifiedLinear(initial_state={"voltage": phases})
    signs = np.tile([1.0, -1.0], side)
    ensemble = driven(2 * side, kind, encoders=signs, gain=gain, label="relay")
    nengo.Connection(stimulus, ensemble, synapse=None)
    return ensemble


def _check_steps(K: np.ndarray, n_neurons: int, order: int) -> None:
    """Raise a ValidationError if a weight is above the chip's largest."""
    largest = int(np.abs(K).max())
    if largest > LARGEST:
        pairs = -(-n_neurons * largest // (LARGEST * 2 * order))
        problem = f"needs weights of {largest} steps, above the chip's {LARGEST}"
        remedy = f"use at least {2 * order * pairs} neurons, or a lower max_rate"
        name = "build_noisy_memory.n_neurons"
        raise ValidationError(name, n_neurons, problem, remedy)


def run_spikes(network, probes, steps: int, target: str, dt: float, seed: int):
    """Return the spikes (T, n), as booleans, that probes see of a network.

    Parameters
    ----------
    network : nengo.Network
    probes : sequence of nengo.Probe
    steps : int
    target : {"core", "simreal", "emulator"}
    dt : float
        Step, seconds.
    seed : int

    Returns
    -------
    list of (T, n) ndarray
    """
    run = run_on(network, check_target(target), steps * dt, dt=dt, seed=seed)
    for advice in run.advice:
        warnings.warn(advice.text, ValidityWarning, stacklevel=2)
    return [run.data[probe] > 0 for probe in probes]


def check_target(target: str) -> str:
    """Return the name of a target that noisy neurons run on, or raise an error.

    Parameters
    ----------
    target : str
        Name of a `Target`.

    Returns
    -------
    str
    """
    problem = "is not for noisy neurons, whose noise is checked on the emulator alone"
    return check_one_of("target", target_name(target), TARGETS, problem)


def run_noisy_memory(memory: NoisyMemory, steps: int, seed: int = 0):
    """Run a memory.

    Parameters
    ----------
    memory : NoisyMemory
    steps : int
    seed : int

    Returns
    -------
    state : (T, d) ndarray
    spikes_per_s : float
    """
    probes, rest = [memory.spikes, memory.relayed], (memory.target, memory.dt, seed)
    spikes, relayed = run_spikes(memory.network, probes, steps, *rest)
    return memory.state(spikes, relayed), spikes.sum() / (steps * memory.dt)


def predict_noise(
    memory: NoisyMemory, states: np.ndarray, tuning=None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted ``P`` (d, d) and ``Sigma`` (d,) over exact states.

    Neurons see the noise of the state as well as the state: a fixed point.

    Parameters
    ----------
    memory : NoisyMemory
    states : (T, d) ndarray
    tuning : optional
        What was measured, ``drives``, ``rates`` in Hz and Fano factors ``fano`` (k,):
        counts are as variable as these tell.  Without, the neurons' own curve and
        Poisson spikes.

    Returns
    -------
    P : (d, d) ndarray
    Sigma : (d,) ndarray
    """
    kept = memory.network.ensembles[0].neuron_type.kept
    d, dt = len(memory.tops), memory.dt
    side = (memory.recurrent.shape[1] - 1) // (2 * d)
    if tuning is None:
        drives = np.arange(-100.0, 1 / dt)
        curve = drives, rate_of(drives, kept, dt)
    else:
        # few spikes have no Fano factor, and are Poisson spikes
        curve = tuning.drives, np.nan_to_num(tuning.fano, nan=1.0) * tuning.rates

    def variance(i, x):
        J = memory.tops[i] * x
        both = np.interp(J, *curve, left=0.0) + np.interp(-J, *curve, left=0.0)
        return memory.decoders[i] ** 2 * side * both / dt

    values = np.quantile(states, LEVELS, axis=0).T
    tables = [_Typical(values[i], partial(variance, i)) for i in range(d)]
    noise, sigma, _ = fixed_point(memory.mapped, tables)
    return noise, sigma


class _Typical:
    """Values a dimension takes, for means over them and over Gaussian noise."""

    def __init__(self, values, variance):
        self.values, self.variance = values, variance

    def mean(self, column: str, noise: float) -> float:
        """Return the mean of ``column``, which is the variance in a step."""
        return getattr(self, column)(
            np.add.outer(self.values, np.sqrt(noise) * GAUSS)
        ).mean()


# -- laid out for a target -------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class PoissonStage(Stage):
    """Noisy neurons of a `Layout`, whose errors the error model predicts.

    Parameters
    ----------
    curves, tau
        As of `Stage`: of the state itself, pairs without bias.
    made : dict
        Arguments of `build_noisy_memory`, all but the input.
    noise : (d, d) ndarray
        Predicted covariance of the state's error.
    sigma : (d,) ndarray
        Variance of the decoded value in one step.
    """

    always_clips: ClassVar[bool] = True  # senders are made for the input's range
    made: dict
    noise: np.ndarray
    sigma: np.ndarray

    __repr__ = brief

    def build(self, layout, u):
        """Return the memory that is fed the samples ``u`` (T,), in cores that fit.

        Parameters
        ----------
        layout : Layout
        u : (T,) ndarray
            Samples of the input.

        Returns
        -------
        nengo.Network
        """
        memory = build_noisy_memory(u, **self.made)
        if layout.target != "core":
            # so many neurons on a core as senders, the anchor and its synapses fit
            block = split(layout.n_neurons + 1, memory.feed.shape[1] + 1)
            with memory.network:
                place(memory.network.ensembles[0], block=block)
        return memory

    def read(self, layout, memory, data, u):
        """Return the state (T, d) from what the probes of its network saw.

        Parameters
        ----------
        layout : Layout
        memory : NoisyMemory
        data : mapping of nengo.Probe to ndarray
        u : (T,) ndarray
            Samples of the input.

        Returns
        -------
        (T, d) ndarray
        """
        return memory.state(data[memory.spikes] > 0, data[memory.relayed] > 0)

    def predict(self, layout, states, start: int) -> dict:
        """Return the terms of an `ErrorBudget`: the same noise, on any signal.

        What whole-number weights add is not told: they are spread so that it is small.

        Parameters
        ----------
        layout : Layout
        states : (T, d) array_like
            Exact states.
        start : int
            First step that counts.

        Returns
        -------
        dict
        """
        return {
            "sigma": self.sigma,
            "noise": self.noise,
            "distortion": np.zeros_like(self.noise),
            "quantisation": None,
            "spikes_per_s": layout.spikes_per_s,
        }


def lay_out_noisy(
    ldn: LDN,
    n_neurons: int,
    neurons: NoisyRectifiedLinear,
    *,
    target: str,
    tau: float,
    dt: float,
    signal=None,
    max_rate: float = MAX_RATE,
    input_range: float | None = None,
    seed: int = 0,
) -> Layout:
    """Lay a memory of noisy neurons out.

    NengoLoihi is needed on every target: its formula scales the weights.

    Parameters
    ----------
    ldn, n_neurons, neurons, target, tau, dt, signal, max_rate, input_range, seed
        As in `layout.lay_out`.

    Returns
    -------
    Layout
        Of a `PoissonStage`.

    Raises
    ------
    ValidationError
        On a board, where the noise cannot be checked; where weights are too large.
    """
    target = check_target(target)
    check_positive("max_rate", max_rate, "Hz")
    n_neurons = check_whole("n_neurons", n_neurons, 2 * ldn.order)
    seed, d = check_seed("seed", seed), ldn.order
    (states, *_), input_range, band = expect(ldn, dt, signal, input_range)
    states = states[ldn.steps(dt) :]
    power = np.mean(states**2, axis=0)
    made = {"order": d, "theta": ldn.theta, "n_neurons": n_neurons, "target": target}
    made |= {"tau": tau, "dt": dt, "max_rate": max_rate, "seed": seed}
    made |= {"input_range": input_range, "kept": neurons.kept}
    scale = scale_of(ldn, n_neurons, tau, max_rate, neurons.kept, dt, target)
    noise = np.zeros((d, d))
    for _ in range(2):  # for the signal alone, then with the noise
        radii = fitting(REACH * np.sqrt(power + np.diag(noise)), scale.steps)
        made["radii"] = radii
        memory = build_noisy_memory([0.0], **made)
        noise, sigma = predict_noise(memory, states)
    side = n_neurons // (2 * d)
    signs, dimension = _pairs(d, side)
    gain, eye = np.tile(memory.tops * radii, 2 * side), np.eye(d)
    rest = np.zeros(n_neurons), eye, eye, radii, dimension, signs
    # spikes per second of one pair of each dimension, over the states and the noise
    deviation = np.sqrt(np.diag(noise))[:, None]
    x = np.quantile(states, LEVELS, axis=0)[..., None] + deviation * GAUSS
    J = memory.tops[:, None] * x
    both = rate_of(J, neurons.kept, dt) + rate_of(-J, neurons.kept, dt)
    spikes = side * d * float(both.mean())
    told = {"made": made, "noise": noise, "sigma": sigma}
    stage = PoissonStage(curves=Curves(neurons, gain, *rest), tau=tau, **told)
    header = target, ldn, memory.mapped, dt, input_range
    return Layout(*header, (stage,), spikes, band)


def fitting(radii: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return radii (d,), the least raised, with which no weight is above the largest.

    ``steps`` (d, d) are the weights at radii of 1.  If there are none, weights are
    refused as they are built.

    Parameters
    ----------
    radii : (d,) ndarray
    steps : (d, d) ndarray
        Weights at radii of 1.

    Returns
    -------
    ndarray
    """
    for _ in radii:
        radii = np.maximum(radii, (steps * radii).max(axis=1) / (LARGEST - 1))
    return radii
