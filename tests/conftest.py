"""What many tests use: signals with a seed, and Nengo without caches or bars."""

import nengo
import numpy as np
import pytest
from hypothesis import settings
from nengo.builder import Model
from nengo.cache import NoDecoderCache

from lmu_spiking.networks.memory import LegendreMemory

# The same examples in every run: a failure is a fault, never bad luck.
settings.register_profile("law", deadline=None, derandomize=True, database=None)
settings.load_profile("law")


def _white(steps, dt=0.001, high=4.0, rms=0.5, seed=0):
    process = nengo.processes.WhiteSignal(steps * dt, high=high, rms=rms, seed=seed)
    return process.run_steps(steps, d=1, dt=dt)[:, 0]


def _simulator(model, dt=0.001, **kwargs):
    fresh = Model(dt=dt, decoder_cache=NoDecoderCache())
    return nengo.Simulator(model, dt=dt, model=fresh, progress_bar=False, **kwargs)


def _stream(u, *, dt=0.001, probe=(), delays=(), optimize=True, **memory):
    u = np.asarray(u, dtype=float).reshape(len(u), -1)
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u, dt))
        memory = LegendreMemory(dt=dt, size_in=u.shape[1], **memory)
        nengo.Connection(stimulus, memory.input, synapse=None)
        nodes = [memory.state, *(getattr(memory, name) for name in probe)]
        nodes += [memory.add_output(**keywords) for keywords in delays]
        probes = [nengo.Probe(node, synapse=None) for node in nodes]
    with _simulator(model, dt, optimize=optimize) as sim:
        sim.run_steps(len(u))
        seen = [sim.data[p].copy() for p in probes]
    return seen if probe or delays else seen[0]


@pytest.fixture(scope="session")
def white():
    """White noise: ``white(steps, dt, high, rms, seed)`` -> (steps,)."""
    return _white


@pytest.fixture(scope="session")
def simulator():
    """Nengo's simulator, without the decoder cache that parallel tests would lock."""
    return _simulator


@pytest.fixture(scope="session")
def stream():
    """Stream samples (T,) or (T, c) through a new memory: its state, as probed.

    With ``probe`` (names of the memory's nodes) or ``delays`` (arguments of
    ``add_output``) a list, the state first.
    """
    return _stream
