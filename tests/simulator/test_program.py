"""Whole networks: compiled stretches, and what Nengo steps in between."""

import nengo
import numpy as np
import pytest
from nengo.networks import (
    AssociativeMemory,
    BasalGanglia,
    CircularConvolution,
    EnsembleArray,
    InputGatedMemory,
    Product,
    Thalamus,
)


def waves(n):
    return nengo.Node(lambda t: np.sin(50 * t + np.arange(n)))


def array():
    made = EnsembleArray(20, 4, neuron_type=nengo.LIF())
    made.add_neuron_input()
    made.add_neuron_output()
    nengo.Connection(waves(4), made.input)
    out = made.add_output("square", [np.square, np.sin, np.cos, np.abs])
    nengo.Probe(out, synapse=0.01)
    nengo.Probe(made.neuron_output)
    return made.output


def product():
    made = Product(30, 2)
    nengo.Connection(waves(2), made.input_a)
    nengo.Connection(waves(2), made.input_b, transform=0.5)
    return made.output


def convolution():
    made = CircularConvolution(20, 4)
    nengo.Connection(waves(4), made.input_a)
    nengo.Connection(waves(4), made.input_b)
    return made.output


def selection():
    made, thalamus = BasalGanglia(3, 20), Thalamus(3, 20)
    nengo.Connection(waves(3), made.input)
    nengo.Connection(made.output, thalamus.input)
    nengo.Probe(made.output)
    return thalamus.output


def gated():
    made = InputGatedMemory(30, 2)
    nengo.Connection(waves(2), made.input)
    nengo.Connection(waves(1), made.gate)
    return made.output


def associative():
    made = AssociativeMemory(np.eye(3), n_neurons=20)
    made.add_wta_network(1.5)
    nengo.Connection(waves(3), made.input)
    return made.output


@pytest.mark.parametrize(
    "build",
    [array, product, convolution, selection, gated, associative],
)
def test_networks_of_nengo(build, agree, optimize):
    with nengo.Network(seed=2) as net:
        out = build()
        nengo.Probe(out)
        nengo.Probe(out, synapse=nengo.Alpha(0.01))
    agree(net, optimize=optimize)


def test_what_probes_see(agree, optimize):
    with nengo.Network(seed=2) as net:
        ens = nengo.Ensemble(30, 2)
        link = nengo.Connection(waves(2), ens, synapse=0.01)
        back = nengo.Connection(ens, ens[0], function=lambda x: x[0] * x[1])
        for target in (ens, ens[1], ens.neurons, ens.neurons[::-3], link, back):
            nengo.Probe(target)
            nengo.Probe(target, synapse=0.02, sample_every=0.004)
        nengo.Probe(ens, "scaled_encoders", sample_every=0.01)
        nengo.Probe(ens, "input")
        nengo.Probe(back, "weights")
        for name in ens.neurons.probeable:
            nengo.Probe(ens.neurons, name, sample_every=0.002)
    agree(net, optimize=optimize)


@pytest.mark.parametrize("period", [0.001, 0.0015, 0.0027, 0.003, 0.05])
def test_samples_every_so_often(period, agree):
    with nengo.Network(seed=2) as net:
        nengo.Probe(waves(2), sample_every=period)
    agree(net, steps=[7, 1, 64])


def test_nodes_of_all_kinds(agree, optimize):
    """Time alone, inputs, both, nothing; in a row, and side by side."""
    seen = []
    with nengo.Network(seed=2) as net:
        constant = nengo.Node([0.3, -0.2])
        sines = waves(2)
        relay = nengo.Node(size_in=2)
        square = nengo.Node(lambda t, x: x**2 + t, size_in=2)
        swap = nengo.Node(lambda t, x: np.sin(x[::-1]), size_in=2)
        sink = nengo.Node(lambda t, x: seen.append((t, *x)), size_in=2)
        ens = nengo.Ensemble(30, 2)
        for pre, post in [
            (constant, relay),
            (sines, relay),
            (relay, square),
            (square, swap),
            (swap, sink),
            (square, ens),
        ]:
            nengo.Connection(pre, post, synapse=None)
        nengo.Connection(ens, square, synapse=0.01)
        nengo.Connection(swap, relay, synapse=0.005)
        for node in (constant, sines, relay, square, swap, ens.neurons):
            nengo.Probe(node)
    agree(net, optimize=optimize, steps=[30, 5])
    theirs, ours = np.array(seen[-35:]), np.array(seen[-70:-35])
    assert np.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_nodes_keep_their_own_state(agree):
    def counter():
        count = [0]

        def step(t):
            count[0] += 1
            return count[0]

        return step

    for extra in (None, lambda t, x: 2 * x):
        with nengo.Network() as ours:
            node = nengo.Node(lambda t: round(1000 * t))
            if extra is not None:
                other = nengo.Node(extra, size_in=1)
                nengo.Connection(node, other, synapse=None)
                nengo.Probe(other)
            nengo.Probe(node)
        agree(ours, steps=[4, 5])


def test_a_function_of_time_is_called_once_a_step(compiled):
    times = []
    with nengo.Network() as net:
        node = nengo.Node(lambda t: times.append(t) or t)
        probe = nengo.Probe(node)
    sim = compiled(net, [5, 60, 3])
    assert np.allclose(times[-68:], np.arange(1, 69) * 0.001)
    assert len(times) <= 69  # one to find the size of the output
    assert np.allclose(sim.data[probe][:, 0], times[-68:])


def test_the_clock_of_nodes_in_between(compiled):
    """Steps of Nengo between compiled stretches see the time that it is."""
    seen = []
    with nengo.Network(seed=2) as net:
        node = nengo.Node(lambda t, x: seen.append(t), size_in=1)
        nengo.Connection(nengo.Ensemble(10, 1), node)
    compiled(net, [10, 7])
    assert np.allclose(seen[-17:], np.arange(1, 18) * 0.001)


def test_merged_operators_beside_nodes(agree):
    """Operators without a kernel, and functions of time, in one network."""
    with nengo.Network(seed=2) as net:
        stimulus = nengo.Node(lambda t: np.sin(50 * t))
        for _ in range(3):
            pre, post = nengo.Ensemble(20, 1), nengo.Ensemble(20, 1)
            nengo.Connection(stimulus, pre)
            link = nengo.Connection(pre, post, learning_rule_type=nengo.PES())
            error = nengo.Node(size_in=1)
            nengo.Connection(post, error)
            nengo.Connection(error, link.learning_rule)
            nengo.Probe(post)
    agree(net)


def test_an_empty_network(compiled):
    sim = compiled(nengo.Network(), 5)
    assert sim.n_steps == 5 and np.isclose(sim.time, 0.005)
