"""Which edge takes a step, whatever the order of nodes and edges."""

import itertools

import nengo
import numpy as np
import pytest

from lmu_spiking import from_nir

nir = pytest.importorskip("nir")
ONE = np.ones(1)
LIF = {"tau": 0.02 * ONE, "r": 5 * ONE, "v_leak": 0 * ONE, "v_threshold": ONE}


def half():
    return nir.Scale(scale=0.5 * ONE)


def graph(edges, reverse=False, **nodes):
    nodes |= {"in": nir.Input(np.array([1])), "out": nir.Output(np.array([1]))}
    names = sorted(nodes, reverse=reverse)
    edges = sorted(edges, reverse=reverse)
    return nir.NIRGraph({name: nodes[name] for name in names}, edges)


def late(network):
    """Edges with a step of delay, by the names of their nodes."""
    names = {out: name for name, out in network.parts.items()}
    return {
        names[c.pre_obj]
        for c in network.connections
        if c.synapse is not None and c.pre_obj in names
    }


def run(source):
    with nengo.Network() as model:
        network = from_nir(source, dt=0.001, seed=3)
        constant = nengo.Node([1.0])
        nengo.Connection(constant, network.input, synapse=None)
        probe = nengo.Probe(network.output, synapse=None)
    with nengo.Simulator(model, progress_bar=False) as simulator:
        simulator.run_steps(60)
    return simulator.data[probe]


LOOPS = {
    "itself": ([("in", "a"), ("a", "a"), ("a", "out")], {"a": half()}, {"a"}),
    "two": (
        [("in", "b"), ("b", "a"), ("a", "b"), ("b", "out")],
        {"a": half(), "b": half()},
        {"a"},
    ),
    "back into Input": (
        [("in", "a"), ("a", "out"), ("a", "in")],
        {"a": half()},
        {"a"},
    ),
    "neurons": (
        [("in", "fc"), ("fc", "lif"), ("lif", "a"), ("a", "lif"), ("a", "out")],
        {"fc": half(), "a": half(), "lif": nir.LIF(**LIF)},
        {"a"},
    ),
    "behind a leak": (
        [("in", "m"), ("m", "z"), ("z", "b"), ("b", "z"), ("b", "out")],
        {"m": nir.LI(0.02 * ONE, ONE, 0 * ONE), "z": half(), "b": half()},
        {"b"},
    ),
    "a delay of none": (
        [("in", "a"), ("a", "d"), ("d", "a"), ("a", "out")],
        {"a": half(), "d": nir.Delay(0 * ONE)},
        {"d"},
    ),
    "one delay that waits for itself": (
        [("in", "d"), ("d", "d"), ("d", "out")],
        {"d": nir.Delay(0 * ONE)},
        {"d"},
    ),
    "a diamond": (
        [
            ("in", "z"),
            ("z", "b"),
            ("z", "a"),
            ("b", "a"),
            ("a", "out"),
            ("a", "z"),
        ],
        {"z": half(), "a": half(), "b": half()},
        {"a"},
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_objects_and_files_are_the_same(name, tmp_path):
    """A file gives its nodes back by name; seeds of first voltages follow, too."""
    edges, nodes, expected = LOOPS[name]
    results = []
    for reverse in (False, True):
        made = graph(edges, reverse, **nodes)
        nir.write(tmp_path / "loop.nir", made)
        for source in (made, tmp_path / "loop.nir"):
            assert late(from_nir(source, dt=0.001)) - {"m"} == expected
            results.append(run(source))
    for one, other in itertools.pairwise(results):
        assert np.array_equal(one, other)
    assert results[0].any()


def test_what_takes_a_step_needs_no_other():
    for slow in (
        nir.Delay(0.001 * ONE),
        nir.LI(0.02 * ONE, ONE, 0 * ONE),
        nir.CubaLIF(tau_syn=0.01 * ONE, tau_mem=0.02 * ONE, **without("tau")),
    ):
        made = graph(
            [("in", "a"), ("a", "s"), ("s", "a"), ("a", "out")], a=half(), s=slow
        )
        assert not late(from_nir(made, dt=0.001))
        run(made)


def without(name):
    return {key: value for key, value in LIF.items() if key != name}
