"""What noisy neurons do at constant drives: rates, intervals and counts, measured.

Letters: ``k`` drives, ``n`` neurons at each, ``T`` steps.  Rates are in Hz, times in
seconds.
"""

import warnings
from dataclasses import dataclass

import nengo
import numpy as np
from scipy import stats

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.loihi.noise import NoisyRectifiedLinear
from lmu_spiking.loihi.noise_chip import anchor, check_noise, register

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
