"""Equal builds are equal, whatever addresses their operators have."""

import nengo
import numpy as np
import pytest
from nengo.builder.operator import SimPyFunc
from nengo.utils.simulator import operator_dependency_graph

from lmu_spiking import Simulator
from lmu_spiking.simulator.optimization import merge_operators


def sums(neuron_type=nengo.LIFRate()):  # noqa: B008 - frozen
    """A network in which many sums have many terms."""
    with nengo.Network(seed=1) as net:
        wave = nengo.Node(lambda t: np.sin(20 * t))
        options = {"neuron_type": neuron_type, "n_eval_points": 40}
        ensembles = [nengo.Ensemble(20, 1, **options) for _ in range(6)]
        both = nengo.Node(size_in=2)
        for k, ens in enumerate(ensembles):
            nengo.Connection(wave, ens, synapse=None)
            nengo.Connection(ens, both[k % 2], synapse=1e-3 * (1 + k), transform=k + 1)
            nengo.Connection(ens, ensembles[k - 5], synapse=0.003)
            nengo.Connection(ens, ensembles[k - 4], synapse=0.004 + 0.001 * k)
            nengo.Connection(both, ens, transform=[[0.01, 0.02]], synapse=0.001 * k)
        net.probe = nengo.Probe(both)
    return net


@pytest.mark.filterwarnings("ignore:Extra state has been modified")  # by Nengo
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "neuron_type", [nengo.LIFRate(), nengo.PoissonSpiking(nengo.LIFRate())]
)
def test_equal_builds_are_equal_bit_for_bit(neuron_type, dtype):
    found, kept = [], []
    for k in range(4):
        kept.append([object() for _ in range(1000 * k + 7)])  # other addresses
        net = sums(neuron_type)
        with Simulator(net, dtype=dtype, progress_bar=False) as sim:
            sim.run_steps(100)
        found.append(sim.data[net.probe])
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_as_much_is_merged_as_by_nengo():
    net = sums()
    with nengo.Simulator(net, progress_bar=False) as theirs:
        pass
    with nengo.Simulator(net, progress_bar=False, optimize=False) as plain:
        model = plain.model
        before = len(model.operators)
        graph = merge_operators(model, operator_dependency_graph(model.operators))
    assert list(graph) == model.operators
    assert len(graph) <= len(theirs.model.operators) < before


def test_a_network_without_operators_to_merge():
    with nengo.Network() as net:
        node = nengo.Node(lambda t: t)
        probe = nengo.Probe(node)
    with Simulator(net, progress_bar=False) as sim:
        sim.run_steps(3)
        assert sum(isinstance(op, SimPyFunc) for op in sim.model.operators) == 1
    np.testing.assert_allclose(sim.data[probe][:, 0], [1e-3, 2e-3, 3e-3], rtol=1e-6)
