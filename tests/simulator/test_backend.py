"""What other programs ask of a backend of Nengo: NengoGUI, for one."""

import importlib
import inspect
import threading
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import nengo
import numpy as np
import pytest

from lmu_spiking.simulator import Simulator


@pytest.mark.parametrize("name", ["lmu_spiking", "lmu_spiking.simulator"])
def test_a_module_with_a_simulator_is_a_backend(name):
    found = importlib.import_module(name).Simulator
    assert found is Simulator and issubclass(found, nengo.Simulator)
    assert "progress_bar" in inspect.signature(found.__init__).parameters


def test_the_project_names_it_as_a_backend():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    ((name, value),) = tomllib.loads(text)["project"]["entry-points"][
        "nengo.backends"
    ].items()
    assert EntryPoint(name, value, "nengo.backends").load() is Simulator


def test_single_steps_in_a_thread_are_a_run(compiled):
    """As NengoGUI runs it: step by step, with nodes that look on and override."""
    seen = []

    class Overridden(nengo.Process):
        """As a slider does: what another process says, or a value from outside."""

        def make_step(self, shape_in, shape_out, dt, rng, state=None):
            base = nengo.processes.WhiteSignal(1.0, high=5, seed=1)
            step = base.make_step(
                shape_in, shape_out, dt, rng, base.make_state(shape_in, shape_out, dt)
            )
            return lambda t: step(t) if t < 0.05 else np.full(shape_out, 0.5)

    with nengo.Network(seed=1) as model:
        signal = nengo.Node(Overridden(default_size_in=0, default_size_out=1))
        ensemble = nengo.Ensemble(50, 1)
        nengo.Connection(signal, ensemble)
        gathered = nengo.Node(lambda t, x: seen.append((t, *x)), size_in=1)
        nengo.Connection(ensemble, gathered, synapse=0.01)
        nengo.Node(lambda t: None, size_out=0)
        probe = nengo.Probe(ensemble, synapse=0.01)

    seen.clear()  # Nengo has called it once, to learn its size
    whole = compiled(model, 100)
    run = np.array(seen)
    seen.clear()
    sim = Simulator(model, dtype="float64", progress_bar=False)

    def steps():
        for _ in range(100):
            sim.step()

    thread = threading.Thread(target=steps)
    thread.start()
    thread.join()
    np.testing.assert_allclose(np.array(seen), run, rtol=1e-12)
    np.testing.assert_allclose(sim.data[probe], whole.data[probe], rtol=1e-12)
    np.testing.assert_allclose(run[:, 0], 0.001 * np.arange(1, 101), rtol=1e-12)
    sim.close()
