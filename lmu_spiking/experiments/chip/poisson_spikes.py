"""What noisy neurons do at constant drives: rates, intervals and counts, measured.

Letters: ``k`` drives, ``n`` neurons at each, ``T`` steps.  Rates are in Hz, times in
seconds.  `loihi.poisson.neuron` has the neurons and their own curve.
"""

from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import check_whole
from lmu_spiking.loihi.poisson.memory import check_target, run_spikes
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear, anchor
from lmu_spiking.metrics import half_interval
from lmu_spiking.neurons.bare_ensemble import driven

GROUPS = 10  # of neurons: statistics of each give the confidence interval


@dataclass(frozen=True, eq=False)
class SpikeStatistics:
    """Statistics of the spikes at each drive, with half-widths of 95 % intervals.

    Parameters
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
    """Run neurons at constant drives, and return statistics of their spikes.

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

    Returns
    -------
    SpikeStatistics

    Raises
    ------
    ValidationError
        If neurons are too few, or the target cannot run them.
    """
    neuron_type = neuron_type or NoisyRectifiedLinear()
    drives = np.atleast_1d(np.asarray(drives, dtype=float))
    check_whole("measure_tuning.n_neurons", n_neurons, 2 * GROUPS)
    with nengo.Network(seed=seed) as network:
        bias = np.repeat(drives, n_neurons)
        ensemble = driven(len(bias), neuron_type, bias=bias)
        if check_target(target) != "core":
            anchor(ensemble, tau, dt)
        probe = nengo.Probe(ensemble.neurons)
    (spikes,) = run_spikes(network, [probe], round(duration / dt), target, dt, seed)
    parts = np.split(spikes, len(drives), axis=1)
    found = [spike_statistics(part, dt, window) for part in parts]
    return SpikeStatistics(drives, *np.array(found).T)


def spike_statistics(spikes: np.ndarray, dt: float, window: float = 0.1) -> list[float]:
    """Return rate, CV and Fano factor of equal neurons, each with its half-width.

    Neurons are taken together in ten groups; the interval, of 95 %, is Student's over
    the groups.  What needs more spikes than there were is NaN.

    Parameters
    ----------
    spikes : (T, n) ndarray of bool
    dt, window : float
        The step, and the window that spikes are counted in, seconds.

    Returns
    -------
    list of float
    """
    groups = np.array_split(np.arange(spikes.shape[1]), GROUPS)
    values = [_statistics(spikes[:, group], dt, window) for group in groups]
    each = np.transpose(values)
    return [found for one in each for found in (one.mean(), half_interval(one))]


def _statistics(spikes: np.ndarray, dt: float, window: float):
    """Return rate, CV and Fano factor of one group of neurons (T, n)."""
    steps, n = round(window / dt), spikes.shape[1]
    trains = [np.diff(np.flatnonzero(train)) for train in spikes.T]
    intervals = np.concatenate(trains)
    if intervals.size < 2:
        return spikes.mean() / dt, np.nan, np.nan
    counts = spikes[: len(spikes) // steps * steps].reshape(-1, steps, n).sum(axis=1)
    cv, fano = intervals.std() / intervals.mean(), counts.var() / counts.mean()
    return spikes.mean() / dt, cv, fano
