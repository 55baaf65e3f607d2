"""What many tests use: signals with a seed, and Nengo without caches or bars."""

import dataclasses
from functools import partial

import nengo
import numpy as np
import pytest
from hypothesis import settings
from nengo.builder import Model
from nengo.cache import NoDecoderCache

from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.simulator import Simulator

# The same examples in every run: a failure is a fault, never bad luck.
settings.register_profile("law", deadline=None, derandomize=True, database=None)
settings.load_profile("law")

# One file that all workers would lock; nothing here solves for decoders twice.
nengo.rc.set("decoder_cache", "enabled", "False")


def _white(steps, dt=0.001, high=4.0, rms=0.5, seed=0):
    process = nengo.processes.WhiteSignal(steps * dt, high=high, rms=rms, seed=seed)
    return process.run_steps(steps, d=1, dt=dt)[:, 0]


def _simulator(model, dt=0.001, **kwargs):
    fresh = Model(dt=dt, decoder_cache=NoDecoderCache())
    return nengo.Simulator(model, dt=dt, model=fresh, progress_bar=False, **kwargs)


def _stream(
    u, *, dt=0.001, probe=(), delays=(), optimize=True, compiled=False, **memory
):
    u = np.asarray(u, dtype=float).reshape(len(u), -1)
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u, dt))
        memory = LegendreMemory(dt=dt, size_in=u.shape[1], **memory)
        nengo.Connection(stimulus, memory.input, synapse=None)
        nodes = [memory.state, *(getattr(memory, name) for name in probe)]
        nodes += [memory.add_output(**keywords) for keywords in delays]
        probes = [nengo.Probe(node, synapse=None) for node in nodes]
    options = {"optimize": optimize}
    if compiled:
        simulate, options = Simulator, {"dt": dt, "progress_bar": False}
    else:
        simulate = partial(_simulator, dt=dt)
    with simulate(model, **options) as sim:
        sim.run_steps(len(u))
        seen = [sim.data[p].copy() for p in probes]
    return seen if probe or delays else seen[0]


def _lmu(
    connections="",
    *,
    size_in=1,
    size_out=2,
    units=3,
    order=3,
    theta=0.01,
    n_cells=1,
    bias=True,
    dt=0.001,
    seed=0,
    header=None,
    **cell,
):
    rng = np.random.default_rng(seed)
    cells = []
    for _ in range(n_cells):
        c = CellParams.draw(
            size_in, units, order, theta, connections=connections, rng=rng, **cell
        )
        changes = {}
        if c.e_m is not None:
            changes["e_m"] = 0.2 * rng.standard_normal(c.e_m.shape)
        if bias:
            changes["b"] = 0.3 * rng.standard_normal(units)
            changes["b_u"] = 0.3 * rng.standard_normal(c.memory_d)
        cells.append(dataclasses.replace(c, **changes))
        size_in = units
    D = rng.standard_normal((size_out, units))
    return LMUParams(cells, D, rng.standard_normal(size_out), dt, header or {})


@pytest.fixture(scope="session")
def lmu():
    """Small random LMUs with every array in use: ``lmu("e_h W_x", n_cells=2)``."""
    return _lmu


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
    ``add_output``) a list, the state first.  Nengo's own simulator runs it; with
    ``compiled`` ours, for statistics of many steps.
    """
    return _stream


@pytest.fixture(autouse=True)
def no_lines_on_progress(monkeypatch):
    """Keep away the lines that commands write on a busy machine."""
    for name in ("FIRST", "EVERY"):
        monkeypatch.setattr(f"lmu_spiking.cli.console.{name}", 1e6)


@pytest.fixture
def shell(capsys):
    """Run a command line in this process: status, standard output and error."""
    from lmu_spiking.cli.shell import status

    def run(*arguments):
        code = status([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run
