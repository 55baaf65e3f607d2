import nengo
import numpy as np
import pytest

from lmu_spiking.loihi.run import target as module
from lmu_spiking.loihi.run.counts import BlockCounts, Counts, fan_out
from lmu_spiking.loihi.run.target import nengo_loihi, run_on

N = 30  # neurons of a; b has 20, the host 10


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return nengo_loihi()


def network(split=None):
    """a -> a sparsely stored, a[:10] -> b dense with zeros, host -> a dense."""
    rng = np.random.default_rng(0)
    with nengo.Network(seed=0) as net:
        nengo_loihi().add_params(net)
        a, b = nengo.Ensemble(N, 1, label="a"), nengo.Ensemble(20, 1, label="b")
        host = nengo.Ensemble(10, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        net.config[host].on_chip = False
        if split:
            net.config[b].block_shape = nengo_loihi().BlockShape((split,), (20,))
        net.loop = [(i, j) for i in range(N) for j in range(N) if rng.random() < 0.3]
        loop = nengo.Sparse((N, N), indices=net.loop, init=1e-4)
        net.forward = 1e-3 * (rng.random((20, 10)) < 0.5)
        nengo.Connection(a.neurons, a.neurons, transform=loop)
        nengo.Connection(a.neurons[:10], b.neurons, transform=net.forward)
        nengo.Connection(host.neurons, a.neurons, transform=np.full((N, 10), 1e-4))
        net.a, net.b, net.host = a, b, host
        net.seen = [nengo.Probe(each.neurons) for each in (a, b, host)]
    return net


def probed(net, run):
    """Spikes of each neuron; the host tells of one in a step and no more."""
    return [(run.data[probe] > 0).sum(axis=0) for probe in net.seen]


@pytest.mark.parametrize("split", [None, 10])
@pytest.mark.parametrize("target", ["simreal", "emulator"])
def test_synaptic_operations_are_those_of_the_matrices(
    loihi, target, split, monkeypatch
):
    monkeypatch.setattr(module, "CHUNK", 33)
    net = network(split)
    run = run_on(net, target, 0.3)
    a, b, host = probed(net, run)
    assert a[:10].sum() > 20 and b.sum() > 20 and host.sum() > 100
    loop = np.zeros((N, N))
    loop[tuple(np.transpose(net.loop))] = 1
    counts, cores = run.counts, 1 if split is None else 2
    stored = a @ loop.sum(axis=0) + 20 * a[:10].sum() + N * host.sum()
    nonzero = stored - a[:10] @ (net.forward == 0).sum(axis=0)
    assert counts.synops == stored
    assert counts.synops_nonzero == nonzero
    assert counts.spikes == a.sum() + b.sum()
    assert counts.spikes_of == {net.a: a.sum(), net.b: b.sum()}
    assert counts.host_spikes == counts.host_messages == host.sum()
    assert counts.messages == a.sum() + cores * a[:10].sum() + host.sum()
    assert counts.updates == 300 * (N + 20) and counts.steps == 300
    assert counts.synapses == len(net.loop) + 20 * 10 + N * 10
    assert counts.cores == 1 + cores


def test_operations_are_counted_where_they_are_done(loihi):
    net = network()
    run = run_on(net, "emulator", 0.2)
    a, b, _ = probed(net, run)
    first, second = run.counts.blocks
    assert "'a'" in first.label and "'b'" in second.label
    assert second == BlockCounts(
        second.label,
        compartments=20,
        updates=200 * 20,
        spikes=b.sum(),
        messages=0,
        synops=20 * a[:10].sum(),
        synops_nonzero=a[:10] @ (net.forward > 0).sum(axis=0),
        synapses=200,
    )
    assert first.synops + second.synops == run.counts.synops
    assert first.messages == a.sum() + a[:10].sum()


def test_rows_end_in_their_sum(loihi):
    rows = run_on(network(), "emulator", 0.05).counts.rows()
    assert len(rows) == 3 and rows[-1]["label"] == "sum"
    for name in rows[0]:
        if name != "label":
            assert rows[-1][name] == rows[0][name] + rows[1][name]


def test_decoders_and_what_decodes_them_count(loihi):
    """A spike reaches the 20 neurons that decode a dimension, and each of them all."""
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(40, 1)
        nengo.Connection(a, a, synapse=0.1)
    counts = run_on(net, "emulator", 0.2).counts
    own, decode = counts.blocks
    assert (own.compartments, decode.compartments) == (40, 20)
    assert decode.synops == 20 * own.spikes and own.synops == 40 * decode.spikes
    assert counts.spikes == own.spikes + decode.spikes > counts.spikes_of[a] > 0


def test_a_silent_network_only_updates(loihi):
    with nengo.Network() as net:
        nengo.Ensemble(10, 1, gain=np.ones(10), bias=np.full(10, 0.5))
    counts = run_on(net, "emulator", 0.1).counts
    assert counts.updates == 1000
    assert counts.spikes == counts.synops == counts.messages == counts.host_spikes == 0


def test_core_counts_what_spikes():
    """Several in a step, spikes of another height; rates and Direct have none."""
    with nengo.Network(seed=0) as net:
        kinds = (
            nengo.PoissonSpiking(nengo.RectifiedLinear()),
            nengo.LIF(amplitude=0.1),
            nengo.Izhikevich(),
        )
        spiking = [nengo.Ensemble(20, 1, neuron_type=kind) for kind in kinds]
        spiking[0].gain, spiking[0].bias = np.ones(20), np.full(20, 3000.0)
        nengo.Ensemble(20, 1, neuron_type=nengo.LIFRate())
        nengo.Ensemble(20, 1, neuron_type=nengo.Direct())
        probes = [nengo.Probe(each.neurons) for each in spiking]
    run = run_on(net, "core", 0.1)
    heights = 1000, 100, 1000
    sums = [run.data[p].sum() / h for p, h in zip(probes, heights, strict=True)]
    assert list(run.counts.spikes_of) == spiking
    np.testing.assert_allclose(list(run.counts.spikes_of.values()), sums, rtol=1e-12)
    assert sums[0] > 5000  # three in a step
    assert run.counts.rows() == [] and run.counts.cores is None


def test_an_axon_may_lead_nowhere(loihi):
    from nengo_loihi.block import Axon, Synapse

    synapse = Synapse(2)
    synapse.set_weights(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]], dtype=np.float32))
    axon = Axon(2)
    axon.target = synapse
    axon.set_compartment_axon_map(np.array([1, -1, 0]))
    there, stored, nonzero = fan_out(axon, 3)
    assert there.tolist() == [True, False, True]
    assert stored.tolist() == [3, 0, 3] and nonzero.tolist() == [1, 0, 2]
    synapse.axon_compartment_bases = [0, -1]
    assert fan_out(axon, 3)[0].tolist() == [False, False, True]


def test_counts_of_core_have_nothing_of_a_chip():
    counts = Counts(10, {})
    assert counts.spikes == 0
    for name in ("synops", "synops_nonzero", "updates", "messages", "synapses"):
        assert getattr(counts, name) is None
