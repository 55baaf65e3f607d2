"""Memories that are streamed a signal: their network, its run, and their state."""

import nengo
import numpy as np
from scipy.signal import lfilter

from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.simulator.targets import simulator


def streamed(memory: LegendreMemory, u, seed: int | None = None):
    """Return a network in which a memory is given a signal, and its state's probe.

    Parameters
    ----------
    memory : LegendreMemory
        In no network yet.
    u : (T,) array_like
        One sample for each of the memory's steps.
    seed : int, optional
        Of the network.

    Returns
    -------
    nengo.Network
    nengo.Probe
    """
    with nengo.Network(seed=seed) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], memory.dt))
        model.add(memory)
        nengo.Connection(stimulus, memory.input, synapse=None)
        probe = nengo.Probe(memory.state, synapse=None)
    return model, probe


def run_probed(model: nengo.Network, dt: float, steps: int, *probes, **options) -> list:
    """Return what probes of a network see in so many steps.

    Parameters
    ----------
    model : nengo.Network
    dt : float
        Step, seconds.
    steps : int
    *probes : nengo.Probe
    **options
        Of `simulator`.

    Returns
    -------
    list of (steps, n) ndarray
    """
    with simulator(model, dt, **options) as sim:
        sim.run_steps(steps, progress_bar=False)
        return [np.array(sim.data[probe]) for probe in probes]


def lowpass(x, tau: float, dt: float) -> np.ndarray:
    """Return ``x`` filtered in time, its present sample included.

    Parameters
    ----------
    x : (T, ...) array_like
    tau, dt : float
        Seconds.

    Returns
    -------
    (T, ...) ndarray
    """
    a = np.exp(-dt / tau)
    return lfilter([1 - a], [1, -a], np.asarray(x, dtype=float), axis=0)


def state_of(decoded, u, A, B, tau: float, dt: float) -> np.ndarray:
    r"""Return the state behind the synapse, from unfiltered spikes and the input.

    .. math:: \hat m = h * (A' \tilde m + B' u)

    with the lowpass ``h`` of ``tau``: what the memory's neurons receive, were its input
    not spiked and its weights not rounded.

    Parameters
    ----------
    decoded : (T, d) array_like
    u : (T,) array_like
    A, B : (d, d), (d,) array_like
        Transforms of Principle 3.
    tau, dt : float
        Seconds.

    Returns
    -------
    (T, d) ndarray
    """
    return lowpass(np.asarray(decoded) @ np.asarray(A).T + np.outer(u, B), tau, dt)
