"""Learning rules, step for step those of Nengo, with what they learned."""

import nengo
import numpy as np
import pytest

from lmu_spiking.simulator.opcodes import TILE

N = 30


def pair(rule, n=N, solver=None, neuron_type=None, weights=False, transform=None):
    """Two ensembles, an error for those rules that hear one, and all probes."""
    with nengo.Network(seed=5) as net:
        stimulus = nengo.Node(lambda t: [np.sin(40 * t), np.cos(30 * t)])
        kind = neuron_type or nengo.LIF()
        radius = {"gain": np.linspace(2, 5, n), "bias": np.linspace(1, 3, n)}
        pre = nengo.Ensemble(n, 2, neuron_type=kind, n_eval_points=200, **radius)
        post = nengo.Ensemble(N, 2, neuron_type=kind)
        nengo.Connection(stimulus, pre)
        if transform is not None:
            learned = nengo.Connection(
                pre.neurons, post.neurons, transform=transform, learning_rule_type=rule
            )
        else:
            known = {"solver": solver} if solver is not None else {}
            learned = nengo.Connection(
                pre, post, learning_rule_type=rule, synapse=0.01, **known
            )
        rules = learned.learning_rule
        for one in rules if isinstance(rules, list) else [rules]:
            if isinstance(one.learning_rule_type, nengo.PES | nengo.RLS):
                error = nengo.Node(size_in=one.size_in)
                if error.size_in == 2:
                    nengo.Connection(post, error)
                    nengo.Connection(stimulus, error, transform=-1)
                else:
                    nengo.Connection(post.neurons, error, transform=1e-3)
                nengo.Connection(error, one)
                nengo.Probe(one, "error")
            if isinstance(one.learning_rule_type, nengo.Voja):
                nengo.Connection(stimulus[0], one, synapse=None)
            for name in one.probeable:
                nengo.Probe(one, name, synapse=None)
        nengo.Probe(learned, "weights", sample_every=0.003)
        nengo.Probe(learned, "output")
        nengo.Probe(pre.neurons)
        nengo.Probe(post, synapse=0.01)
    return net


DECODED = {
    "pes": nengo.PES(1e-3),
    "pes, filtered": nengo.PES(1e-3, pre_synapse=nengo.Alpha(0.01)),
    "pes, unfiltered": nengo.PES(1e-3, pre_synapse=None),
    "rls": nengo.RLS(1e-3),
    "voja": nengo.Voja(learning_rate=1e-2, post_synapse=0.01),
    "voja, unfiltered": nengo.Voja(learning_rate=1e-2, post_synapse=None),
    "two": [nengo.PES(1e-3), nengo.Voja(1e-2)],
}
WEIGHTED = {
    "bcm": nengo.BCM(1e-9),
    "oja": nengo.Oja(1e-6),
    "oja, bcm": [nengo.Oja(1e-6, beta=0.5), nengo.BCM(1e-9)],
    "pes": nengo.PES(1e-4),
}


@pytest.mark.parametrize("name", DECODED)
@pytest.mark.parametrize("n", [N, TILE + 9])
def test_of_decoders_and_encoders(name, n, agree, optimize):
    if n > N and "rls" in name:
        n = 300  # it keeps a square matrix
    agree(pair(DECODED[name], n), optimize=optimize)


@pytest.mark.parametrize("name", WEIGHTED)
def test_of_weights(name, agree, optimize):
    solver = nengo.solvers.LstsqL2(weights=True)
    agree(pair(WEIGHTED[name], solver=solver), optimize=optimize)


@pytest.mark.parametrize("name", WEIGHTED)
def test_between_neurons(name, agree, optimize):
    transform = np.random.default_rng(2).normal(0, 2e-3, (N, N))
    agree(pair(WEIGHTED[name], transform=transform), optimize=optimize)


def test_of_rate_neurons(agree, optimize):
    for rule in (nengo.PES(1e-3), nengo.RLS(1e-3), nengo.Voja(1e-2)):
        kind = nengo.RectifiedLinear()
        agree(pair(rule, neuron_type=kind), optimize=optimize)


def test_many_learn_at_once(agree, optimize):
    with nengo.Network(seed=3) as net:
        stimulus = nengo.Node(lambda t: np.sin(20 * t + np.arange(3)))
        array = nengo.networks.EnsembleArray(25, 3)
        out, error = nengo.Node(size_in=3), nengo.Node(size_in=3)
        nengo.Connection(stimulus, array.input)
        for k, ens in enumerate(array.ensembles):
            learned = nengo.Connection(
                ens, out[k], function=lambda x: 0, learning_rule_type=nengo.PES(2e-3)
            )
            nengo.Connection(error[k], learned.learning_rule)
            nengo.Probe(learned, "weights")
        nengo.Connection(out, error)
        nengo.Connection(stimulus, error, transform=-1)
        nengo.Probe(out)
    agree(net, optimize=optimize, steps=100)
