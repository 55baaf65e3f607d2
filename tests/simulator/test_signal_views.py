"""Signals that a user reads and changes, and those that are refused in one line."""

import nengo
import numpy as np
import pytest

from lmu_spiking import Simulator


@pytest.mark.parametrize("key", ["encoders", "bias", "weights"])
def test_what_nengo_keeps_from_nodes_is_refused_in_a_line(key):
    with nengo.Network(seed=1) as net:
        ens = nengo.Ensemble(12, 1)
        link = nengo.Connection(ens, ens)
        thing = {"encoders": ens, "bias": ens.neurons, "weights": link}[key]

        def write(t):
            hold.signals[hold.model.sig[thing][key]][...] = 1.0

        nengo.Node(write, size_out=0)
    for make in (nengo.Simulator, Simulator):
        with make(net, progress_bar=False) as sim:
            hold = sim
            with pytest.raises(ValueError) as e:
                sim.run_steps(5)
            assert sim.n_steps == 0
    assert "\n" not in str(e.value) and "learning rule" in str(e.value)


def test_what_a_user_changes_between_steps_has_effect_in_the_next():
    seen = []
    with nengo.Network(seed=1) as net:
        u, v = nengo.Node([0.0]), nengo.Node(size_in=1)
        nengo.Connection(u, v, synapse=None)
        ens = nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
        link = nengo.Connection(u, ens, synapse=None)
        learnt = nengo.Connection(ens, v, learning_rule_type=nengo.PES(0))
        nengo.Connection(v, learnt.learning_rule)
        probes = [nengo.Probe(v), nengo.Probe(ens.neurons), nengo.Probe(u)]
    assert link.synapse is None
    for make, options in ((nengo.Simulator, {}), (Simulator, {"dtype": "float64"})):
        with make(net, progress_bar=False, **options) as sim:
            sig = sim.model.sig
            for k in range(12):
                sim.step()
                sim.signals[sig[u]["out"]][...] = k % 4
                sim.signals[sig[learnt]["weights"]] = 1e-3 * k
                if k == 5:
                    sim.signals[sim.model.step][...] = 50
            assert sim.n_steps == 56 and sim.time == pytest.approx(0.056)
            seen.append([np.array(sim.data[p]) for p in probes])
            sim.reset()
            sim.run_steps(2)
            seen[-1] += [np.array(sim.data[p]) for p in probes]
    for a, b in zip(*seen, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)
    assert seen[1][0][-1] != 0


def test_the_way_of_a_constant_that_is_compiled_in():
    with nengo.Network(seed=1) as net:
        ens = nengo.Ensemble(20, 1)
        u = nengo.Node([0.5, 0.2])
        ones = np.ones((20, 2))
        link = nengo.Connection(u, ens.neurons, transform=ones, synapse=None)
        probe = nengo.Probe(ens.neurons)
    with Simulator(net, progress_bar=False) as sim:
        encoders = sim.signals[sim.model.sig[ens]["encoders"]]
        for write in (
            lambda: encoders.__setitem__(..., 1.0),
            lambda: np.multiply(encoders, 2.0, out=encoders),
            lambda: encoders.__imul__(2),
            lambda: encoders.setflags(write=True),
            lambda: sim.signals.__setitem__(sim.model.sig[ens]["encoders"], 1.0),
            lambda: encoders[:2].__setitem__(0, 1.0),
        ):
            with pytest.raises(ValueError, match=r"cannot be changed.*learning rule"):
                write()
        doubled = encoders * 2
        doubled[0] = 1.0  # which is its reader's own
        copied = encoders.copy()
        copied[...] = 0
        assert type(doubled) is np.ndarray and np.sum(encoders) != 0
        gains = next(
            s for op in sim.model.operators for s in op.reads if "gains" in s.name
        )
        with pytest.raises(ValueError, match="optimize=False"):
            sim.signals[gains][...] = 2.0
        with pytest.raises(ValueError, match=r"not computed.*probe it.*optimize=False"):
            sim.signals[sim.model.sig[link]["weighted"]]
    seen = []
    for make in (nengo.Simulator, Simulator):
        with make(net, progress_bar=False, optimize=False) as sim:
            signals = (s for op in sim.model.operators for s in op.reads)
            gains = next(s for s in signals if "gains" in s.name)
            sim.signals[gains][...] = 40.0
            sim.run_steps(20)
            assert np.any(sim.signals[sim.model.sig[link]["weighted"]])
            seen.append(sim.data[probe].sum())
    assert seen[0] == pytest.approx(seen[1], rel=1e-6) and seen[0] > 0


def test_large_populations_say_where_their_currents_are():
    with nengo.Network(seed=1) as net:
        ens = nengo.Ensemble(1500, 1, neuron_type=nengo.LIF(), n_eval_points=50)
        nengo.Probe(ens)
    with Simulator(net, progress_bar=False) as sim:
        sim.run_steps(3)
        with pytest.raises(ValueError, match="optimize=False"):
            sim.signals[sim.model.sig[ens.neurons]["in"]]
        assert sim.model.sig[ens.neurons]["in"] not in sim.signals
        assert sim.signals[sim.model.sig[ens.neurons]["voltage"]].any()
