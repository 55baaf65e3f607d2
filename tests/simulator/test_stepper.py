"""Steps with code in between: trials, errors, other threads, and what ends a run."""

import random
import threading

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulatorClosed
from nengo.processes import WhiteNoise

from lmu_spiking import Simulator


class Counted(nengo.Process):
    """A process of a user's own: how long a list is."""

    def __init__(self, log):
        self.log = log
        super().__init__(default_size_in=0, default_size_out=1)

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t: len(self.log)


@pytest.mark.parametrize("trials", [1, 3])
def test_trials_share_what_has_no_input_and_repeat_what_has(trials):
    log = []
    with nengo.Network(seed=1) as net:
        neurons = nengo.PoissonSpiking(nengo.RectifiedLinear())
        ens = nengo.Ensemble(20, 1, neuron_type=neurons)
        u = nengo.Node(lambda t: random.random() + len(log), size_out=1)
        v = nengo.Node(Counted(log))
        nengo.Connection(u, ens)
        x = nengo.Node(
            lambda t, x: log.append(hold.n_steps) or x, size_in=1, size_out=1
        )
        nengo.Connection(ens, x)
        probes = [nengo.Probe(n) for n in (u, v, x)]
        sizes = nengo.Node(lambda t: len(hold.data.raw[probes[0]]), size_out=1)
        probes.append(nengo.Probe(sizes))
    with Simulator(net, progress_bar=False, trials=trials) as sim:
        hold = sim
        log.clear()
        sim.run_steps(9)
        u, v, x, sizes = (np.array(sim.data[p]) for p in probes)
    assert log == list(np.repeat(range(9), trials))
    assert np.array_equal(v[0, :, 0], trials * np.arange(9))
    for same in (u, v, sizes):
        assert same.shape == (trials, 9, 1) and (same == same[0]).all()
    assert np.array_equal(sizes[0, :, 0], np.arange(9))
    if trials > 1:
        assert not np.array_equal(x[0], x[1])


def test_an_error_in_code_keeps_what_was_simulated():
    with nengo.Network(seed=1) as net:
        ens = nengo.Ensemble(20, 1)

        def wrong(t, x):
            if hold.n_steps == 12 and not fixed:
                raise KeyError("mine")

        nengo.Connection(ens, nengo.Node(wrong, size_in=1, size_out=0))
        noise = nengo.Node(WhiteNoise(seed=1))
        probes = [nengo.Probe(ens), nengo.Probe(noise)]
    seen, fixed = [], True
    with Simulator(net, progress_bar=False) as hold:
        hold.run_steps(20)
        seen.append([np.array(hold.data[p]) for p in probes])
        hold.reset()
        fixed = False
        with pytest.raises(KeyError, match="mine"):
            hold.run_steps(20)
        assert hold.n_steps == 12 and len(hold.data[probes[0]]) == 12
        fixed = True
        hold.run_steps(8)  # the step that failed is taken again, with its noise
        seen.append([np.array(hold.data[p]) for p in probes])
    assert np.array_equal(seen[0][1], seen[1][1])
    assert len(seen[1][0]) == 20


def test_a_node_cannot_run_its_own_simulator():
    with nengo.Network() as net:
        nengo.Node(lambda t: hold.step(), size_out=0)
    with Simulator(net, progress_bar=False) as hold:
        with pytest.raises(ValueError, match="let no node"):
            hold.run_steps(3)


def test_a_node_can_close_its_simulator():
    with nengo.Network() as net:
        nengo.Ensemble(10, 1)
        nengo.Node(lambda t: hold.close() if hold.n_steps == 4 else None, size_out=0)
        probe = nengo.Probe(net.ensembles[0])
    for make in (nengo.Simulator, Simulator):
        hold = make(net, progress_bar=False)
        with pytest.raises((SimulatorClosed, TypeError)):
            hold.run_steps(9)
        assert len(hold.data[probe]) >= 4


def test_a_viewer_in_another_thread_takes_samples_away():
    """NengoGUI's plots of voltages do the same."""
    with nengo.Network(seed=1) as net:
        ens = nengo.Ensemble(10, 1)
        probe = nengo.Probe(ens.neurons, "voltage")
    taken, stop = [], threading.Event()
    with Simulator(net, progress_bar=False) as sim:
        raw = sim.data.raw[probe]

        def view():
            while not stop.is_set():
                data = raw[:]
                del raw[: len(data)]
                taken.extend(data)

        viewer = threading.Thread(target=view)
        viewer.start()
        for _ in range(400):
            sim.step()
        while not taken:  # it has its turn between two steps
            sim.step()
        n = sim.n_steps
        stop.set()
        viewer.join()
        taken.extend(raw)
        seen = np.array(taken)
        sim.reset()
        sim.run_steps(n)
        assert np.array_equal(seen, sim.data[probe])
