import json
import warnings
from types import SimpleNamespace

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip import limits
from lmu_spiking.loihi.chip.limits import (
    BOARDS,
    CORE,
    INTEGERS,
    BlockBudget,
    CoreLimits,
    axon_bits,
    fits,
    split,
    weights_cores,
)
from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.loihi.run.budget import Budget, budget

IF, LIF = nengo.SpikingRectifiedLinear(), nengo.LIF()


def set_up(network, ens, size=None, on_chip=None):
    """What nengo_loihi.add_params and BlockShape do, without nengo_loihi."""
    config = network.config[nengo.Ensemble]
    for name in ("block_shape", "on_chip"):
        if name not in config._extra_params:
            config.set_param(name, nengo.params.Parameter(name, None, optional=True))
    if size is not None:
        shape = SimpleNamespace(shape=(size,), ensemble_shape=(ens.n_neurons,))
        network.config[ens].block_shape = shape
    if on_chip is not None:
        network.config[ens].on_chip = on_chip


def counts(found):
    names = ("compartments", "in_axons", "out_axons", "synapse_bits")
    return [tuple(getattr(block, name) for name in names) for block in found.blocks]


def population(n, neuron_type=LIF, label=None, seed=0, dimensions=1):
    rng = np.random.default_rng(seed)
    gain, bias = rng.uniform(0.5, 2, n), rng.uniform(0.5, 2, n)
    return nengo.Ensemble(
        n, dimensions, neuron_type=neuron_type, gain=gain, bias=bias, label=label
    )


def recurrent(m, size=None, inputs=0, neuron_type=LIF, weights=None):
    """All to all, with on and off axons for ``inputs`` values, read on the host."""
    rng = np.random.default_rng(m)
    w = rng.standard_normal((m, m)) if weights is None else weights
    with nengo.Network(seed=0) as network:
        ens = population(m, neuron_type, label="memory")
        nengo.Connection(ens.neurons, ens.neurons, transform=w, synapse=0.1)
        if inputs:
            u, e = nengo.Node(np.zeros(inputs)), rng.standard_normal((m, inputs))
            nengo.Connection(u, ens.neurons, transform=e, synapse=None)
        out = nengo.Node(size_in=1)
        nengo.Connection(ens.neurons, out, transform=np.ones((1, m)))
        nengo.Probe(ens.neurons)
    set_up(network, ens, size)
    return network


# -- the same as NengoLoihi ----------------------------------------------------------


def built(network, **changes):
    """What NengoLoihi counts of each block, its own limits not enforced."""
    pytest.importorskip("nengo_loihi")
    package = nengo_loihi()
    from nengo_loihi.builder import Model
    from nengo_loihi.builder.builder import ValidationLevel

    for name, ens in enumerate(network.all_ensembles):
        given = getattr(network.config[ens], "block_shape", None)
        if isinstance(given, SimpleNamespace):
            changes[name] = package.BlockShape(given.shape, given.ensemble_shape)
    package.add_params(network)
    for name, shape in changes.items():
        network.config[network.all_ensembles[name]].block_shape = shape
    model = Model(dt=0.001)
    model.validation_level = ValidationLevel.NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of voltages, filters and precision
        model.build(network, discretize=False)
    return [tuple(u for u, _ in b.utilization().values()) for b in model.blocks]


def test_limits_are_those_of_nengo_loihi():
    block = pytest.importorskip("nengo_loihi.block")
    discretize = pytest.importorskip("nengo_loihi.builder.discretize")
    assert CORE == CoreLimits(
        block.MAX_COMPARTMENTS,
        block.MAX_IN_AXONS,
        block.MAX_OUT_AXONS,
        block.MAX_SYNAPSE_BITS,
    )
    assert INTEGERS.threshold_max == discretize.VTH_MAX
    assert INTEGERS.bias_max == discretize.BIAS_MAX
    assert INTEGERS.accumulator_bits == discretize.Q_BITS
    assert INTEGERS.current_bits == discretize.U_BITS


def test_bits_of_an_axon_are_those_of_nengo_loihi():
    pytest.importorskip("nengo_loihi")
    synapse = nengo_loihi().block.Synapse(1)
    synapse.set_weights(np.ones((1, 1)))
    theirs = [synapse.synapse_cfg.bits_per_axon(n) for n in range(1200)]
    assert [axon_bits(n) for n in range(1200)] == theirs


@pytest.mark.parametrize("neuron_type", [IF, LIF])
@pytest.mark.parametrize(
    ("m", "size"), [(100, None), (120, 50), (400, None), (400, 61)]
)
def test_recurrent_population(m, size, neuron_type):
    network = recurrent(m, size, 2, neuron_type)
    assert counts(budget(network)) == built(network)


@pytest.mark.slow
@pytest.mark.parametrize(("m", "size"), [(1000, None), (1000, 97), (1500, 69)])
def test_large_population(m, size):
    network = recurrent(m, size, 2)
    assert counts(budget(network)) == built(network)


def test_simulator_agrees():
    pytest.importorskip("nengo_loihi")
    network = recurrent(150, inputs=1)
    found = counts(budget(network))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with nengo_loihi().Simulator(network, target="sim") as sim:
            blocks = list(sim.model.blocks)
    assert found == [tuple(u for u, _ in b.utilization().values()) for b in blocks]


@pytest.mark.parametrize("size", [None, 50])
def test_zeros_are_stored_and_equal_weights_are_shared_after_a_cut(size):
    rng = np.random.default_rng(0)
    zeros = rng.standard_normal((400, 400)) * (rng.random((400, 400)) < 0.01)
    alike = np.repeat(rng.standard_normal((400, 4)), 100, axis=1)
    for weights in (zeros, alike):
        network = recurrent(400, size, weights=weights)
        assert counts(budget(network)) == built(network)
    if size:  # in-axons are many, rows in memory few
        bits = [block.synapse_bits for block in budget(network).blocks]
        assert bits == [4 * axon_bits(50)] * 8


def two_ensembles():
    rng = np.random.default_rng(1)
    with nengo.Network(seed=1) as network:
        relay = population(90, IF, "relay", 1)
        memory = population(200, LIF, "memory", 2, dimensions=3)
        host = population(40, LIF, "host", 3, dimensions=2)
        u = nengo.Node([0.1, 0.2])
        nengo.Connection(u, relay.neurons, transform=rng.standard_normal((90, 2)))
        for pre, post in [(relay, memory), (memory, relay), (host, memory)]:
            shape = post.n_neurons, pre.n_neurons
            w = rng.standard_normal(shape)
            nengo.Connection(pre.neurons, post.neurons, transform=w, synapse=None)
        w = rng.standard_normal((200, 3))
        nengo.Connection(relay.neurons[5:8], memory.neurons, transform=w)
        nengo.Connection(relay.neurons[[1, 9]], memory, transform=w[:3, :2])
        nengo.Connection(host, memory.neurons, transform=w[:, :2])
        nengo.Connection(memory.neurons, host, transform=np.ones((2, 200)))
    set_up(network, memory, 77)
    set_up(network, relay, 40)
    set_up(network, host, on_chip=False)
    return network


def decoded():
    with nengo.Network(seed=2) as network:
        a, b = nengo.Ensemble(100, 2, label="a"), nengo.Ensemble(80, 3, label="b")
        u, out = nengo.Node([0.1, 0.2]), nengo.Node(size_in=2, label="out")
        nengo.Connection(u, a)
        nengo.Connection(a, b, transform=np.ones((3, 2)))
        nengo.Connection(a, a, synapse=0.1)
        nengo.Connection(a, out)
        nengo.Connection(b[:2], out, function=lambda x: x**2)
        nengo.Connection(a, b.neurons, transform=np.ones((80, 2)))
        weights = nengo.solvers.LstsqL2(weights=True)
        nengo.Connection(b, a, function=lambda x: x[:2], solver=weights)
        for target in (out, a, b[1]):
            nengo.Probe(target)
        nengo.Probe(b, "input")
        nengo.Probe(b.neurons, "voltage")
    return network


def aligned():
    """Encoders along axes: parts of a cut see rows of zeros, which they share."""
    encoders = np.repeat(np.eye(6), 20, axis=0) * np.tile([[1], [-1]], (60, 1))
    gain, bias = np.tile([5.0, 3.0], 60), np.ones(120)
    with nengo.Network(seed=3) as network:
        e = nengo.Ensemble(120, 6, encoders=encoders, gain=gain, bias=bias)
        nengo.Connection(nengo.Node(np.zeros(6)), e)
        nengo.Connection(e, e, transform=np.ones((6, 6)), synapse=0.1)
    set_up(network, e, 20)
    return network


def sparse():
    rng = np.random.default_rng(4)
    with nengo.Network(seed=4) as network:
        a, b = population(64, IF), population(64, LIF, seed=1)
        nengo.Connection(a.neurons, b.neurons)
        nengo.Connection(a.neurons, b.neurons, transform=rng.integers(0, 2, 64))
        where = np.unique(rng.integers(0, 64, (150, 2)), axis=0)
        w = nengo.Sparse((64, 64), indices=where, init=2.0)
        nengo.Connection(a.neurons, b.neurons, transform=w)
        drawn = nengo.Dense((64, 64), init=nengo.dists.Uniform(-1, 1))
        nengo.Connection(b.neurons, a.neurons, transform=drawn)
        nengo.Connection(nengo.Node(np.zeros(64)), b.neurons)
    set_up(network, b, 10)
    shape = SimpleNamespace(shape=(3, 5), ensemble_shape=(8, 8))
    network.config[a].block_shape = shape
    return network


def learned():
    with nengo.Network(seed=5) as network:
        pre, post, error = (nengo.Ensemble(n, 1) for n in (60, 50, 40))
        conn = nengo.Connection(pre, post, learning_rule_type=nengo.PES())
        nengo.Connection(post, error)
        nengo.Connection(pre, error, transform=-1)
        nengo.Connection(error, conn.learning_rule)
    return network


@pytest.mark.parametrize("make", [two_ensembles, decoded, aligned, sparse, learned])
def test_kinds_of_connections(make):
    network = make()
    before = counts(budget(network))
    theirs = built(network)  # which puts nengo_loihi.BlockShape in place
    assert before == theirs
    assert counts(budget(network)) == theirs


def arrays():
    with nengo.Network(seed=6) as network:
        a = nengo.networks.EnsembleArray(50, 3)
        b = nengo.networks.EnsembleArray(40, 3)
        out = nengo.Node(size_in=2)
        nengo.Connection(nengo.Node(np.zeros(3)), a.input)
        w = np.tril(np.ones((3, 3)))
        nengo.Connection(a.output, a.input, transform=w, synapse=0.1)
        nengo.Connection(a.output, b.input, synapse=None)
        nengo.Connection(b.output[1:], out)
        nengo.Probe(a.output)
    return network


def nodes():
    """A loop of nodes without a function, which stays, and a chain, which goes."""
    with nengo.Network(seed=7) as network:
        a, b = nengo.Ensemble(50, 2), nengo.Ensemble(40, 2)
        p, q, r, s = (nengo.Node(size_in=2) for _ in range(4))
        nengo.Connection(a, p)
        nengo.Connection(p, q, synapse=None)
        nengo.Connection(q, p)
        nengo.Connection(q, b)
        nengo.Connection(a[::-1], r, synapse=None)
        nengo.Connection(r[1], s[0], synapse=None)
        nengo.Connection(s, b, synapse=None)
        nengo.Connection(a.neurons[:2], r, synapse=None)
        nengo.Probe(r)
    return network


@pytest.mark.parametrize("make", [arrays, nodes])
def test_nodes_without_a_function_are_replaced(make):
    network = make()
    before = len(network.all_connections)
    found = counts(budget(network))
    assert len(network.all_connections) == before
    assert sorted(found) == sorted(
        built(network)
    )  # NengoLoihi's order is that of a set


def test_weights_that_are_solved_for_are_bounded_and_cut_alike():
    with nengo.Network(seed=8) as network:  # of 60 dimensions: many neurons are silent
        ens = nengo.Ensemble(200, 60)
        nengo.Connection(ens, ens)
    ours, theirs = counts(budget(network)), built(network)
    assert [block[:3] for block in ours] == [block[:3] for block in theirs]
    assert all(a[3] >= b[3] for a, b in zip(ours, theirs, strict=True))


# -- what things take ----------------------------------------------------------------


def test_decoding_takes_cores_and_reading_spikes_none():
    found = budget(decoded())
    blocks = {block.name: block for block in found.blocks}
    assert blocks["a to a"].kind == "decode"
    assert blocks["a to a"].compartments == 20 * 2
    assert blocks["a to a"].out_axons == 2 * 2
    assert blocks["a to out"].kind == "readout"
    assert blocks["a to out"].compartments == 2 * 2
    assert [b.kind for b in found.blocks].count("neurons") == 2
    with nengo.Network() as network:
        ens = nengo.Ensemble(10, 1)
        nengo.Probe(ens.neurons)
    assert counts(budget(network)) == [(10, 0, 0, 0)]


def test_official_style_takes_48_cores():
    with nengo.Network() as network:  # as measured of NengoLoihi's example of an LMU
        memory = nengo.networks.EnsembleArray(100, 6)
        nengo.Connection(nengo.Node(0.0), memory.input, transform=np.ones((6, 1)))
        w = np.ones((6, 6))
        nengo.Connection(memory.output, memory.input, transform=w, synapse=0.1)
        nengo.Probe(memory.output)
    assert budget(network).cores == 48


def test_table_is_plain_and_in_order():
    rows = budget(recurrent(400)).table()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["core"] for row in rows] == [0, 1]
    assert [row["name"] for row in rows] == ["memory[0:200]", "memory[200:400]"]
    assert rows[0]["fullest"] == "synapse_bits"
    assert rows[0]["use"] == pytest.approx(400 * axon_bits(200) / 2**20)


# -- the even split ------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(1, 4096), st.integers(0, 600))
def test_split_is_the_fewest_equal_blocks_that_fit(m, inputs):
    def use(size):
        rows = m + inputs
        return CoreLimits(size, rows, size * -(-m // size), rows * axon_bits(size))

    if m + inputs > CORE.in_axons:
        with pytest.raises(ValidationError, match="structure='decode'"):
            split(m, inputs)
        return
    cores = weights_cores(m, inputs)
    assert fits(use(split(m, inputs)))
    assert cores == min(-(-m // s) for s in range(1, min(m, 1024) + 1) if fits(use(s)))
    assert split(m, inputs) == -(-m // cores)


@pytest.mark.parametrize(("m", "values"), [(80, 0), (361, 1), (586, 2), (751, 0)])
def test_split_is_exact_for_networks(m, values):
    size = split(m, 2 * values)
    found = budget(recurrent(m, size, values)).check()
    assert found.cores == weights_cores(m, 2 * values)
    if found.cores > 1:
        fewer = -(-m // (found.cores - 1))
        assert not budget(recurrent(m, fewer, values)).fits


def test_split_fits_where_the_automatic_cut_does_not():
    pytest.importorskip("nengo_loihi")
    with pytest.raises(ValidationError, match=r"memory\[0:196\].synapse_bits: 10"):
        budget(recurrent(586)).check()
    network = recurrent(586)
    assert max(block[3] for block in built(network)) > CORE.synapse_bits
    assert budget(recurrent(586, split(586))).fits


# -- refusals ------------------------------------------------------------------------


def refusal(network, **kwargs):
    with pytest.raises(ValidationError) as caught:
        budget(network, **kwargs).check()
    return str(caught.value)


def test_synapse_memory_is_refused_and_the_way_out_works():
    assert refusal(recurrent(500, 500)) == (
        "memory.synapse_bits: 2240000 exceeds the 1048576 synapse-bits of a core; "
        "put at most 230 neurons on a core (block_shape), or use structure='decode'"
    )
    assert budget(recurrent(500, 230)).fits
    assert not budget(recurrent(500, 231)).fits


def test_compartments_are_refused():
    with nengo.Network() as network:
        ens = nengo.Ensemble(1100, 1, label="relay")
    assert budget(network).cores == 2
    set_up(network, ens, 1100)
    assert refusal(network) == (
        "relay.compartments: 1100 exceeds the 1024 compartments of a core; "
        "put at most 1024 neurons on a core (block_shape)"
    )


def test_in_axons_are_refused():
    with nengo.Network() as network:
        ens = nengo.Ensemble(4, 1, label="memory")
        host = nengo.Ensemble(4097, 1)
        nengo.Connection(host.neurons, ens.neurons, transform=np.ones((4, 4097)))
    set_up(network, host, on_chip=False)
    set_up(network, ens, 4)
    assert refusal(network) == (
        "memory.in_axons: 4097 exceeds the 4096 in-axons of a core; "
        "let at most 4096 neurons project to it, or use structure='decode'"
    )


def test_out_axons_are_refused():
    with nengo.Network() as network:
        relay, memory = (nengo.Ensemble(n, 1, label=f"e{n}") for n in (1000, 50))
        w = np.ones((50, 1000))
        nengo.Connection(relay.neurons, memory.neurons, transform=w)
    set_up(network, memory, 10)
    assert refusal(network) == (
        "e1000.out_axons: 5000 exceeds the 4096 out-axons of a core; "
        "let its neurons project to fewer cores, one axon each, or use "
        "structure='decode'"
    )


def many_cores(cores):
    with nengo.Network() as network:
        ens = nengo.Ensemble(cores, 1)
    set_up(network, ens, 1)
    return network


def test_too_many_cores_are_refused():
    assert budget(many_cores(128)).fits
    assert refusal(many_cores(129)) == (
        "budget.cores: 129 exceeds the 128 cores of 1 chip; use chips=2 "
        "(a Kapoho Bay board has 2), fewer neurons or structure='decode'"
    )
    assert budget(many_cores(129), chips=2).check().chips_needed == 2
    assert "exceeds the 256 cores of 2 chips; use chips=3 (a Nahuku board has 8)" in (
        refusal(many_cores(257), chips=2)
    )
    block = BlockBudget("e", "e", "neurons", 1, 0, 0, 0)
    most = 128 * max(chips for _, chips in BOARDS)
    for cores, way in ((most, "use chips=32"), (most + 1, "no board has 33 chips")):
        assert way in str(Budget((block,) * cores).problems[0])


def test_every_problem_is_listed():
    found = budget(recurrent(700, 350))
    assert not found.fits
    assert [p.attribute for p in found.problems] == [
        "memory[0:350].synapse_bits",
        "memory[350:700].synapse_bits",
    ]


@pytest.mark.parametrize("quantity", ["in_axons", "out_axons", "synapse_bits"])
def test_decode_blocks_have_their_own_way_out(quantity):
    use = dict.fromkeys(("compartments", "in_axons", "out_axons", "synapse_bits"), 1)
    block = BlockBudget("a to b", "a to b", "decode", **use | {quantity: 2_000_000})
    assert str(block.problems[0]).endswith("or from fewer neurons, at a time")


def test_what_cannot_be_counted_is_refused():
    with nengo.Network() as network:
        a, b = nengo.Ensemble(16, 1, label="a"), nengo.Ensemble(36, 1, label="b")
        kernel = nengo.Convolution(1, (6, 6, 1))
        conn = nengo.Connection(b.neurons, a.neurons, transform=kernel)
    message = refusal(network)
    assert message.startswith("<Connection from <Neurons of <Ensemble")
    assert "'Convolution' is not counted; use a Dense or Sparse transform" in message
    network.connections.remove(conn)
    with network:
        nengo.Connection(b.neurons, a.neurons[:4], transform=np.ones((4, 36)))
    assert "cannot be a part of an ensemble on the chip; connect to all of it" in (
        refusal(network)
    )


def test_arguments():
    with nengo.Network(label="empty") as network:
        nengo.Node(0.0)
    assert "has no ensemble on the chip; leave on_chip unset" in refusal(network)
    assert "budget.network: 3 must be a nengo.Network" in refusal(3)
    network = many_cores(2)
    assert "budget.chips: 0 must be a whole number" in refusal(network, chips=0)
    assert "budget.dt: 0 must be a positive number" in refusal(network, dt=0)
    with pytest.raises(ValidationError, match=r"split\.m: 0 must be a whole number"):
        weights_cores(0)
    with pytest.raises(ValidationError, match=r"use structure='decode'$"):
        split(1, 4096)
    with pytest.raises(ValidationError, match="use at most 96 neurons, or structure="):
        split(97, 4000)


def test_most_on_core_fills_it_and_no_more():
    for axons in (1, 330, 2032, 4000):
        most = limits.most_on_core(axons)
        assert axons * limits.axon_bits(most) <= limits.CORE.synapse_bits
        full = axons * limits.axon_bits(most + 1) > limits.CORE.synapse_bits
        assert full or most == limits.CORE.compartments
