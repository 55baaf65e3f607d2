"""Order and tiles: networks put together at random, held to Nengo."""

import nengo
import numpy as np
import pytest

from lmu_spiking.neurons.types import RampLinear
from lmu_spiking.simulator.opcodes import TILE

TYPES = [
    nengo.LIF(),
    nengo.RectifiedLinear(),
    nengo.SpikingRectifiedLinear(),
    nengo.AdaptiveLIF(),
    RampLinear(200.0),
    nengo.RegularSpiking(nengo.RectifiedLinear()),
]
SYNAPSES = [None, 0.005, nengo.Alpha(0.01), nengo.LinearFilter([1, 0.4], [0.01, 1])]


def population(rng, n):
    d = int(rng.integers(1, 4))
    encoders = np.eye(d)[np.sort(rng.integers(d, size=n))]
    if rng.random() < 0.5:
        encoders = rng.normal(size=(n, d))
    return nengo.Ensemble(
        n,
        d,
        neuron_type=TYPES[rng.integers(len(TYPES))],
        gain=np.full(n, 3.0) if rng.random() < 0.3 else rng.uniform(1, 5, n),
        bias=rng.uniform(1.1, 3, n),
        encoders=encoders,
        normalize_encoders=False,
        noise=nengo.processes.WhiteNoise(seed=1) if rng.random() < 0.2 else None,
        eval_points=rng.uniform(-1, 1, (4, d)),
    )


def part(rng, n):
    """All of ``n`` entries, or some."""
    kind = rng.integers(4)
    if kind == 0 and n > 2:
        return slice(int(rng.integers(1, n)), None)
    if kind == 1 and n > 2:
        return slice(None, None, -2)
    return slice(None)


def weights(rng, m, n):
    """A transform from ``n`` entries to ``m``."""
    if m == n and rng.random() < 0.7:
        return 0.01 if rng.random() < 0.5 else rng.normal(0, 0.01, n)
    if max(m, n) > 100 and rng.random() < 0.5:
        made = np.zeros((m, n))
        made[
            np.arange(max(m, n)) * m // max(m, n), np.arange(max(m, n)) * n // max(m, n)
        ] = 0.1 / max(1, n // m)
        return made
    return rng.normal(0, 0.1 / n, (m, n))


def join(rng, pre, post, forward):
    """A connection; one that goes back needs a synapse."""
    pre, post = pre[part(rng, pre.size_out)], post[part(rng, post.size_in)]
    synapse = SYNAPSES[rng.integers(0 if forward else 1, 3 if not forward else 4)]
    transform = weights(rng, post.size_in, pre.size_out)
    nengo.Connection(pre, post, synapse=synapse, transform=transform)


def network(seed):
    rng = np.random.default_rng(seed)
    with nengo.Network(seed=1) as net:
        ends = []
        large = TILE + int(rng.integers(1, 30))
        for _ in range(rng.integers(3, 7)):
            kind = rng.integers(5)
            if kind == 0:
                node = nengo.Node(size_in=int(rng.choice([1, 3, large])))
                ends.append((node, node))
            elif kind == 1 and rng.random() < 0.4:
                node = nengo.Node(lambda t, x: np.cos(x + t), size_in=2)
                ends.append((node, node))
            else:
                ens = population(rng, int(rng.choice([12, large, large])))
                heard = ens if rng.random() < 0.5 else ens.neurons
                ends.append((heard, ens.neurons))
        n = int(rng.integers(1, 4))
        source = nengo.Node(lambda t: np.sin(70 * t + np.arange(n)))
        for k, (heard, _) in enumerate(ends):
            join(rng, source, heard, True)
            for other in range(len(ends)):
                if rng.random() < 0.35:
                    join(rng, ends[other][1], heard, other < k)
        for _, spoken in ends:
            if rng.random() < 0.6:
                nengo.Probe(spoken)
            if isinstance(spoken, nengo.ensemble.Neurons) and rng.random() < 0.4:
                nengo.Probe(spoken, str(rng.choice(spoken.probeable)), synapse=0.01)
        nengo.Probe(ends[-1][1])
    return net


@pytest.mark.parametrize("seed", range(24))
def test_networks_at_random(seed, agree):
    agree(network(seed), steps=25, optimize=bool(seed % 2))
