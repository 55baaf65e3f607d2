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
are not zero.
"""

import warnings
from dataclasses import dataclass
from functools import partial

import nengo
import numpy as np
from scipy import stats
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.loihi.poisson.chip import (
    anchor,
    anchor_weight,
    check_noise,
    chip_lowpass,
    on_host,
    register,
)
from lmu_spiking.loihi.poisson.neuron import (
    KEPT,
    NoisyRectifiedLinear,
    drive_at,
    rate_of,
)
from lmu_spiking.theory.fixed_point import GAUSS, LEVELS, fixed_point

# --------------------------------------------------------------------------------------
# What noisy neurons do at constant drives: rates, intervals and counts, measured.
#
# Letters: ``k`` drives, ``n`` neurons at each, ``T`` steps.  Rates are in Hz, times in
# seconds.


TARGETS = {"core": None, "simreal": "simreal", "emulator": "sim"}
GROUPS = 10  # of neurons: statistics of each give the confidence interval


@dataclass(frozen=True, eq=False)
class SpikeStatistics:
    """Statistics of the spikes at each drive, with half-widths of 95 % intervals.

    Attributes
    ----------
    drives : (k,) ndarray
        Hz.
    rates, rates_ci : (k,) ndarray
        Spikes per second.
    cv, cv_ci : (k,) ndarray
        Coefficient of variation of the intervals between spikes: 1 for Poisson spikes.
    fano, fano_ci : (k,) ndarray
        Variance of counts in a window over their mean: 1 for Poisson spikes.
    """

    drives: np.ndarray
    rates: np.ndarray
    rates_ci: np.ndarray
    cv: np.ndarray
    cv_ci: np.ndarray
    fano: np.ndarray
    fano_ci: np.ndarray

    __repr__ = brief


def measure_tuning(
    drives,
    *,
    neuron_type: NoisyRectifiedLinear | None = None,
    target: str = "emulator",
    n_neurons: int = 40,
    duration: float = 20.0,
    tau: float = 0.1,
    dt: float = 0.001,
    window: float = 0.1,
    seed: int = 0,
) -> SpikeStatistics:
    """Run neurons at constant drives, and see how they spike.

    Parameters
    ----------
    drives : (k,) array_like
        Hz.
    neuron_type : NoisyRectifiedLinear, optional
    target : {"core", "simreal", "emulator"}
        Core Nengo, nengo-loihi in floats, or with the integers of the chip.
    n_neurons : int
        Neurons at each drive, at least 20.
    duration : float
        Seconds.
    tau : float
        Synapse of the block, which sets its scale on the chip.
    dt, window : float
        The step, and the window that spikes are counted in.
    seed : int
    """
    check_target(target)
    neuron_type = neuron_type or NoisyRectifiedLinear()
    drives = np.atleast_1d(np.asarray(drives, dtype=float))
    check_whole("measure_tuning.n_neurons", n_neurons, 2 * GROUPS)
    with nengo.Network(seed=seed) as network:
        n = len(drives) * n_neurons
        ensemble = nengo.Ensemble(
            n,
            1,
            neuron_type=neuron_type,
            encoders=np.ones((n, 1)),
            gain=np.ones(n),
            bias=np.repeat(drives, n_neurons),
        )
        if target != "core":
            anchor(ensemble, tau, dt)
        probe = nengo.Probe(ensemble.neurons)
    (spikes,) = run_spikes(network, [probe], round(duration / dt), target, dt, seed)
    parts = np.split(spikes, len(drives), axis=1)
    found = [spike_statistics(part, dt, window) for part in parts]
    return SpikeStatistics(drives, *np.array(found).T)


def run_spikes(network, probes, steps: int, target: str, dt: float, seed: int):
    """Spikes (T, n) as booleans that probes see of a network on one of `TARGETS`."""
    check_target(target)
    if target == "core":
        with nengo.Simulator(network, dt=dt, seed=seed, progress_bar=False) as sim:
            sim.run_steps(steps, progress_bar=False)
            return [sim.data[probe] > 0 for probe in probes]
    register()
    import nengo_loihi

    with warnings.catch_warnings():  # its arrays of integers begin as NaN
        warnings.filterwarnings("ignore", "invalid value encountered in cast")
        sim = nengo_loihi.Simulator(network, dt=dt, seed=seed, target=TARGETS[target])
    with sim:
        if target == "emulator":
            check_noise(sim)
        sim.run_steps(steps)
        return [sim.data[probe] > 0 for probe in probes]


def check_target(target: str) -> None:
    """Refuse what is not in `TARGETS`."""
    if target not in TARGETS:
        raise ValidationError("target", target, f"is not one of {', '.join(TARGETS)}")


def spike_statistics(spikes: np.ndarray, dt: float, window: float = 0.1) -> list[float]:
    """Rate, CV and Fano factor of equal neurons (T, n), each with its 95 % half-width.

    Neurons are taken together in ten groups; the interval is Student's over the groups.
    What needs more spikes than there were is NaN.
    """
    groups = np.array_split(np.arange(spikes.shape[1]), GROUPS)
    values = [_statistics(spikes[:, group], dt, window) for group in groups]
    mean, spread = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
    half = stats.t.ppf(0.975, GROUPS - 1) * spread / np.sqrt(GROUPS)
    return list(np.stack([mean, half], axis=1).ravel())


def _statistics(spikes: np.ndarray, dt: float, window: float):
    steps, n = round(window / dt), spikes.shape[1]
    intervals = [np.diff(np.flatnonzero(train)) for train in spikes.T]
    intervals = np.concatenate(intervals)
    if intervals.size < 2:
        return spikes.mean() / dt, np.nan, np.nan
    counts = spikes[: len(spikes) // steps * steps].reshape(-1, steps, n).sum(axis=1)
    cv, fano = intervals.std() / intervals.mean(), counts.var() / counts.mean()
    return spikes.mean() / dt, cv, fano


# --------------------------------------------------------------------------------------

RELAYS = 8  # neurons on the host that carry the input, on either side, at least
LARGEST = 127  # of a weight with sign, in steps of anchor_weight / 255
FULL = 0.8  # of it, and of a spike in every step, that relays go up to


@dataclass(frozen=True, eq=False)
class NoisyMemory:
    """A network, and what reads its state from its spikes.

    Attributes
    ----------
    network : nengo.Network
    spikes, relayed : nengo.Probe
        Of the memory's neurons, ``m`` and a silent one, and of those that relay the
        input.
    recurrent : (d, m + 1) ndarray
        ``K``, per spike over ``dt``.
    feed : (d, 2 R) ndarray
        ``K_u``, of ``R`` relays on either side.
    mapped : Mapped
        What ``K`` and ``K_u`` stand for.
    decoders : (d,) ndarray
        ``d_k`` of the neurons of each dimension, without sign.
    tops : (d,) ndarray
        Drive of a neuron, Hz, where its dimension is 1.
    target : str
        See `noise_tuning.TARGETS`.
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

    def state(self, spikes: np.ndarray, relayed: np.ndarray) -> np.ndarray:
        """The state (T, d) that drives the neurons, from spikes (T, n) as booleans."""
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
    """A memory that is fed the samples ``u`` (T,).

    Parameters
    ----------
    order, theta
        Of the `LDN`.
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
    target : {"core", "simreal", "emulator"}
        What it is built for: the chip's synapse is rounded.
    seed : int
        Of the noise.
    input_range : float, optional
        Largest input, beyond which it is clipped; by default that of ``u``.
    """
    u = np.asarray(u, dtype=float)
    loudest = np.abs(u).max() if input_range is None else input_range
    u = np.clip(u, -loudest, loudest)
    radii = np.broadcast_to(np.asarray(radii, dtype=float), order)
    if not np.all(radii > 0):
        raise ValidationError("build_noisy_memory.radii", radii, "must be positive")
    ldn, neuron_type = LDN(order, theta), NoisyRectifiedLinear(kept)
    scale = scale_of(ldn, n_neurons, tau, max_rate, kept, dt, target)
    mapped, side = scale.mapped, n_neurons // (2 * order)
    decoders = scale.decoder * radii
    signs = np.tile(np.repeat([1.0, -1.0], order), side)  # dimensions take turns
    dimensions = np.tile(np.arange(order), 2 * side)
    tops = scale.top / radii
    to_steps = tops[:, None] / scale.worth
    K = spread(mapped.A * decoders * to_steps, side)
    # so many spikes that the largest weight of a relay is near the largest there is
    gain = np.abs(mapped.B * to_steps).max() / (FULL * LARGEST)  # of a side
    relays = max(RELAYS, int(np.ceil(gain * loudest * dt / FULL)))
    K_u = spread(mapped.B * to_steps / gain, relays)
    _check_steps(K, n_neurons, order)

    encoders = np.zeros((n_neurons + 1, order))
    encoders[np.arange(n_neurons), dimensions] = signs
    encoders[-1, 0] = 1.0  # silent
    onto = encoders.copy()
    onto[-1] = 0.0
    recurrent = onto @ np.hstack([K, np.zeros((order, 1))])
    recurrent[:-1, -1] = LARGEST  # never used: it keeps the other weights' exponent
    # below the knee; much below, its bias would cost its block a bit of the weights
    silent = -1.1 * neuron_type.offset(dt) - 10
    with nengo.Network(seed=seed) as network:
        ensemble = nengo.Ensemble(
            n_neurons + 1,
            order,
            neuron_type=neuron_type,
            encoders=encoders,
            gain=np.ones(n_neurons + 1),  # Nengo scales what comes into neurons by it
            bias=np.append(np.zeros(n_neurons), silent),
            label="memory",
        )
        relay = _relays(u, gain / relays, relays, dt)
        for pre, weights in ((ensemble, recurrent), (relay, onto @ K_u)):
            nengo.Connection(
                pre.neurons,
                ensemble.neurons,
                transform=weights * scale.step,
                synapse=tau,
            )
        if target != "core":
            anchor(ensemble, tau, dt)
            on_host(relay)
        probes = [nengo.Probe(e.neurons, synapse=None) for e in (ensemble, relay)]
    K = np.hstack([K, np.zeros((order, 1))]) / to_steps
    return NoisyMemory(
        network, *probes, K, K_u / to_steps, mapped, decoders, tops, target, dt
    )


@dataclass(frozen=True, eq=False)
class Scale:
    """What weights are in whole steps, for radii of 1.

    Attributes
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
        """(d, d): sizes of the weights; of other radii, times ``rho_j / rho_i``."""
        return np.abs(self.mapped.A) * self.decoder * self.top / self.worth


def scale_of(
    ldn: LDN, n_neurons: int, tau, max_rate, kept, dt: float, target: str
) -> Scale:
    """The scale of `build_noisy_memory`."""
    side = _per_side(n_neurons, ldn.order)
    a, area = chip_lowpass(tau, dt)
    rounded = target == "emulator"
    mapped = map_onto(ldn, -dt / np.log(a) if rounded else tau, dt)
    # what one step of a weight adds to the drive, in Hz per spike over dt
    step = anchor_weight(tau, dt, kept) / 255
    worth = step / (1 - a) / area if rounded else step
    top = drive_at(max_rate, kept, dt).item()
    return Scale(mapped, _decoder(top, kept, dt) / side, top, step, worth)


def spread(weights: np.ndarray, side: int) -> np.ndarray:
    """Whole numbers (d, 2 side c) whose sums over either side are as wanted.

    ``weights`` (d, c) are the mean weights of the neurons of sign +1 of each of ``c``
    numbers; those of sign -1 have their negatives.  Neurons take turns, numbers first,
    then signs, and what rounding takes from one the next is given.
    """
    ends = np.round(np.arange(side + 1)[:, None, None] * weights)
    parts = np.diff(ends, axis=0)  # (side, d, c)
    both = np.stack([parts, -parts], axis=1)  # (side, sign, d, c)
    return both.transpose(2, 0, 1, 3).reshape(len(weights), -1)


def run_noisy_memory(memory: NoisyMemory, steps: int, seed: int = 0):
    """The state (T, d) of a memory that has run, and its spikes per second."""
    probes = [memory.spikes, memory.relayed]
    spikes, relayed = run_spikes(
        memory.network, probes, steps, memory.target, memory.dt, seed
    )
    return memory.state(spikes, relayed), spikes.sum() / (steps * memory.dt)


def noise_covariance(memory: NoisyMemory, states, tuning=None) -> np.ndarray:
    """``P`` (d, d) of `noise_law`."""
    return noise_law(memory, states, tuning)[0]


def noise_law(
    memory: NoisyMemory, states: np.ndarray, tuning: SpikeStatistics | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted ``P`` (d, d) and ``Sigma`` (d,) over exact states (T, d).

    Neurons see the noise of the state as well as the state: a fixed point.

    Parameters
    ----------
    tuning : SpikeStatistics, optional
        What was measured: its rates, and counts as variable as its Fano factors say.
        Without, the neurons' own curve and Poisson spikes.
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
    return fixed_point(memory.mapped, tables)


class _Typical:
    """Values a dimension takes, for means over them and over Gaussian noise."""

    def __init__(self, values, variance):
        self.values, self.variance = values, variance

    def mean(self, column: str, noise: float) -> float:
        """Mean of ``column``, which is the variance in a step."""
        return getattr(self, column)(
            np.add.outer(self.values, np.sqrt(noise) * GAUSS)
        ).mean()


def _decoder(top, kept, dt) -> float:
    """Value over rate that makes a pair of unit radius a line, by least squares."""
    x = np.linspace(0, 1, 1001)
    both = rate_of(top * x, kept, dt) - rate_of(-top * x, kept, dt)
    return float(both @ x / (both @ both))


def _relays(u, gain: float, side: int, dt: float) -> nengo.Ensemble:
    """Integrating neurons on the host, of the rate ``gain``, Hz, at ``|u| = 1``."""
    stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], dt))
    phases = (np.arange(side) + 0.5) / side
    ensemble = nengo.Ensemble(
        2 * side,
        1,
        # in turn: then all count like one that is so many times as fast
        neuron_type=nengo.SpikingRectifiedLinear(
            initial_state={"voltage": nengo.dists.Samples(np.repeat(phases, 2))}
        ),
        encoders=np.tile([[1.0], [-1.0]], (side, 1)),
        gain=np.full(2 * side, gain),
        bias=np.zeros(2 * side),
        label="relay",
    )
    nengo.Connection(stimulus, ensemble, synapse=None)
    return ensemble


def _per_side(n_neurons: int, order: int) -> int:
    check_whole("build_noisy_memory.n_neurons", n_neurons, 2 * order)
    side, odd = divmod(n_neurons, 2 * order)
    if odd:
        near = 2 * order * max(1, round(n_neurons / (2 * order)))
        raise ValidationError(
            "build_noisy_memory.n_neurons",
            n_neurons,
            f"is not a multiple of {2 * order}, twice the order",
            f"use {near}",
        )
    return side


def _check_steps(K: np.ndarray, n_neurons: int, order: int) -> None:
    largest = int(np.abs(K).max())
    if largest > LARGEST:
        pairs = -(-n_neurons * largest // (LARGEST * 2 * order))
        raise ValidationError(
            "build_noisy_memory.n_neurons",
            n_neurons,
            f"needs weights of {largest} steps, above the chip's {LARGEST}",
            f"use at least {2 * order * pairs} neurons, or a lower max_rate",
        )
