"""Runs one after the other, `reset`, and the same run again."""

import pickle

import nengo
import numpy as np
import pytest

from lmu_spiking.neurons.types import RampLinear
from lmu_spiking.simulator import Simulator
from lmu_spiking.simulator.opcodes import TILE


def network(stochastic=False, n=40):
    kind = nengo.PoissonSpiking(RampLinear()) if stochastic else nengo.LIF()
    known = {"gain": np.full(n, 50.0), "bias": np.full(n, 50.0)}
    with nengo.Network(seed=9) as net:
        stimulus = nengo.Node(nengo.processes.WhiteSignal(0.2, high=30))
        ens = nengo.Ensemble(n, 1, neuron_type=kind, n_eval_points=100, **known)
        nengo.Connection(stimulus, ens)
        nengo.Connection(ens, ens, synapse=0.02)
        nengo.Probe(stimulus)
        nengo.Probe(ens.neurons)
        nengo.Probe(ens, synapse=0.01, sample_every=0.003)
    return net


def data(sim):
    return [sim.data[probe].copy() for probe in sim.model.probes]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("n", [40, TILE + 40])
def test_parts_make_the_whole(stochastic, n, compiled):
    net = network(stochastic, n)
    whole = compiled(net, 90)
    assert same(data(whole), data(compiled(net, [1, 30, 2, 57])))
    with Simulator(net, progress_bar=False, dtype="float64") as steps:
        for _ in range(90):
            steps.step()
        assert same(data(whole), data(steps))


@pytest.mark.parametrize("stochastic", [False, True])
def test_reset_begins_anew(stochastic):
    with Simulator(network(stochastic), progress_bar=False, dtype="float64") as sim:
        sim.run_steps(50)
        first = data(sim)
        sim.reset()
        assert sim.n_steps == 0 and all(len(d) == 0 for d in data(sim))
        sim.run_steps(50)
        assert same(first, data(sim))
        sim.clear_probes()
        sim.run_steps(10)
        assert [len(d) for d in data(sim)] == [10, 10, 4]


def test_several_runs_equal_those_of_nengo(agree, optimize):
    agree(network(), steps=[1, 40, 17, 2], optimize=optimize)


def test_copies_go_on_where_they_were_made(optimize):
    """Wherever the copy keeps its numbers: Nengo's order is another each time."""
    with nengo.Network(seed=1) as net:
        last = nengo.Node(nengo.processes.WhiteSignal(1.0, high=5, seed=1))
        for k in range(5):
            ens = nengo.Ensemble(20 + k, 1)
            nengo.Connection(last, ens, function=np.square, synapse=0.01 * k or None)
            nengo.Probe(ens, synapse=nengo.Alpha(0.01 + 0.01 * k))
            nengo.Probe(last, synapse=0.01)
            last = ens
    known = {"dtype": "float64", "progress_bar": False, "optimize": optimize}
    with Simulator(net, **known) as sim:
        sim.run_steps(30)
        copies = [pickle.dumps(sim) for _ in range(4)]
        sim.run_steps(30)
        whole = data(sim)
    for copy in map(pickle.loads, copies):
        with copy:
            copy.run_steps(30)
            for a, b in zip(data(copy), whole, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_reset_as_nengo_does():
    """What was learned is forgotten, and a seed is taken."""
    with nengo.Network(seed=4) as net:
        noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        ens, out = nengo.Ensemble(20, 1), nengo.Node(size_in=1)
        nengo.Connection(noise, ens)
        link = nengo.Connection(ens, out, learning_rule_type=nengo.PES())
        nengo.Connection(out, link.learning_rule)
        nengo.Probe(link, "weights")
        nengo.Probe(noise)
    seen = []
    for kind, known in ((nengo.Simulator, {}), (Simulator, {"dtype": "float64"})):
        with kind(net, progress_bar=False, **known) as sim:
            for seed in (None, None, 12):
                sim.reset(seed=seed)
                sim.run_steps(20)
                seen.append(data(sim))
    for theirs, ours in zip(seen[:3], seen[3:], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    assert same(seen[3], seen[4]) and not same(seen[4], seen[5])


def test_single_precision_is_close(compiled):
    """To the rounding of sums; rates, because a spike may move by a step."""
    with nengo.Network(seed=9) as net:
        ens = nengo.Ensemble(200, 2, neuron_type=nengo.LIFRate())
        nengo.Connection(nengo.Node([0.4, -0.3]), ens)
        nengo.Connection(ens, ens, synapse=0.1)
        probe = nengo.Probe(ens, synapse=0.01)
    single, double = (compiled(net, 200, dtype=d) for d in ("float32", "float64"))
    assert single.data[probe].dtype == np.float32
    assert np.allclose(single.data[probe], double.data[probe], atol=1e-4)
