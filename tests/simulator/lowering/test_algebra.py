"""Copies and products, as Nengo makes them of connections and transforms."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lmu_spiking.simulator.opcodes import TILE

RNG = np.random.default_rng(11)


def waves(n):
    """A node of ``n`` sines."""
    return nengo.Node(lambda t: np.sin(50 * t + np.arange(n)))


def scattered(m, n, density=0.2):
    return sparse.random(m, n, density, random_state=5, format="csr")


TRANSFORMS = {
    "scalar": (6, 6, -1.7),
    "diagonal": (6, 6, RNG.normal(size=6)),
    "dense": (4, 6, RNG.normal(size=(4, 6))),
    "wide": (3, 400, RNG.normal(size=(3, 400))),
    "tall": (400, 3, RNG.normal(size=(400, 3))),
    "large": (150, 140, RNG.normal(size=(150, 140))),
    "one row": (1, 90, RNG.normal(size=(1, 90))),
    "one column": (90, 1, RNG.normal(size=(90, 1))),
    "zero": (5, 6, np.zeros((5, 6))),
    "nearly zero": (120, 100, scattered(120, 100, 0.05).toarray()),
    "encoders": (200, 4, np.eye(4)[RNG.integers(4, size=200)] * 1.5),
    "decoders": (4, 200, np.eye(4)[np.arange(200) // 50].T / 7),
    "blocks": (64, 64, np.kron(np.eye(8), RNG.normal(size=(8, 8)))),
    "scipy": (30, 40, nengo.Sparse((30, 40), init=scattered(30, 40))),
    "sparse": (
        4,
        5,
        nengo.Sparse((4, 5), indices=[[0, 4], [2, 1], [3, 3]], init=[1.0, -2.0, 0.5]),
    ),
    "sparse drawn": (
        3,
        3,
        nengo.Sparse((3, 3), indices=[[0, 2], [1, 1]], init=nengo.dists.Gaussian(0, 1)),
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name, agree, optimize):
    m, n, transform = TRANSFORMS[name]
    with nengo.Network(seed=1) as net:
        source, target = waves(n), nengo.Node(size_in=m)
        nengo.Connection(source, target, transform=transform, synapse=None)
        nengo.Connection(source, target, transform=transform, synapse=0.01)
        nengo.Probe(target)
    agree(net, optimize=optimize)


CONVOLUTIONS = {
    "kernel 1": nengo.Convolution(3, (4, 4, 2), kernel_size=(1, 1)),
    "kernel 3": nengo.Convolution(2, (5, 6, 2), padding="same"),
    "strides": nengo.Convolution(2, (6, 6, 1), strides=(2, 2)),
    "strides, kernel 1": nengo.Convolution(
        2, (6, 6, 1), kernel_size=(1, 1), strides=(2, 2)
    ),
    "channels first": nengo.Convolution(
        2, (3, 4, 4), kernel_size=(1, 1), channels_last=False
    ),
    "one axis": nengo.Convolution(4, (7, 3), kernel_size=(1,), strides=(1,)),
    "groups": nengo.Convolution(4, (3, 3, 4), kernel_size=(1, 1), groups=2),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, agree, optimize):
    transform = CONVOLUTIONS[name]
    with nengo.Network(seed=2) as net:
        target = nengo.Node(size_in=transform.output_shape.size)
        source = waves(transform.input_shape.size)
        nengo.Connection(source, target, transform=transform, synapse=None)
        nengo.Probe(target)
    agree(net, optimize=optimize, steps=10)


def test_a_transposed_convolution(agree):
    transform = nengo.ConvolutionTranspose(2, (3, 3, 2))
    with nengo.Network(seed=2) as net:
        target = nengo.Node(size_in=transform.output_shape.size)
        source = waves(transform.input_shape.size)
        nengo.Connection(source, target, transform=transform, synapse=None)
        nengo.Probe(target)
    agree(net, steps=10)


SLICES = [
    (slice(1, 4), slice(2, 5)),
    (slice(None, None, -1), slice(None)),
    (slice(None, None, 2), slice(3, 0, -1)),
    ([0, 0, 5, 2], [3, 1, 5, 0]),
    ([-1, -2], [0, 4]),
    (4, 1),
    (slice(5, None, -2), [0, 3, 4]),
]


@pytest.mark.parametrize("pre, post", SLICES)
def test_slices(pre, post, agree, optimize):
    with nengo.Network(seed=1) as net:
        source, target = waves(6), nengo.Node(size_in=6)
        again = nengo.Node(size_in=6)
        nengo.Connection(source[pre], target[post], synapse=None)
        nengo.Connection(target[post], again[post], synapse=0.01, transform=0.5)
        nengo.Connection(source[pre], again[post], synapse=0.02)
        nengo.Probe(target)
        nengo.Probe(again)
        nengo.Probe(source[pre])
        nengo.Probe(again[post], synapse=0.01)
    agree(net, optimize=optimize, steps=10)


@given(st.data())
@settings(max_examples=30)
def test_any_slices(agree, data):
    n = data.draw(st.integers(1, 7))
    of = data.draw(st.slices(n).filter(lambda s: len(range(*s.indices(n))) > 0))
    size = len(range(*of.indices(n)))
    m = data.draw(st.integers(size, 8))
    to = data.draw(
        st.lists(st.integers(-m, m - 1), min_size=size, max_size=size).filter(
            lambda entries: len({e % m for e in entries}) == size
        )
    )
    twice = data.draw(st.lists(st.integers(0, n - 1), min_size=m, max_size=m))
    with nengo.Network(seed=1) as net:
        source, target = waves(n), nengo.Node(size_in=m)
        nengo.Connection(source[of], target[to], synapse=None)
        nengo.Connection(source[twice], target, synapse=None, transform=0.3)
        nengo.Probe(target)
        nengo.Probe(source[of])
    agree(net, steps=3, optimize=data.draw(st.booleans()))


def test_neurons_hear_slices_of_neurons(agree, optimize):
    with nengo.Network(seed=7) as net:
        stimulus = waves(1)
        a, b = nengo.Ensemble(50, 1), nengo.Ensemble(40, 1)
        nengo.Connection(stimulus, a)
        nengo.Connection(a.neurons[::-2], b.neurons[10:35], synapse=0.005)
        nengo.Connection(a.neurons[3], b.neurons[[1, 7]], transform=[[0.1], [0.2]])
        nengo.Connection(stimulus, b.neurons[:30], transform=np.ones((30, 1)))
        nengo.Probe(b.neurons)
        nengo.Probe(b.neurons[5:20:3])
        nengo.Probe(b.neurons[:10], "voltage")
    agree(net, optimize=optimize)


WEIGHTS = {
    "dense": RNG.normal(0, 2e-4, (TILE + 60, TILE + 60)),
    "sparse": nengo.Sparse(
        (TILE + 60,) * 2, init=scattered(TILE + 60, TILE + 60, 0.01) * 1e-2
    ),
    "scalar": 1e-3,
    "diagonal": RNG.normal(0, 1e-3, TILE + 60),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_large_populations_hear_themselves(name, agree, optimize):
    n = TILE + 60
    with nengo.Network(seed=3) as net:
        ens = nengo.Ensemble(
            n,
            1,
            gain=RNG.uniform(1, 3, n),
            bias=RNG.uniform(0.5, 2, n),
            encoders=np.where(np.arange(n) % 2, 1, -1)[:, None],
        )
        nengo.Connection(waves(1), ens, synapse=None)
        nengo.Connection(
            ens.neurons, ens.neurons, transform=WEIGHTS[name], synapse=0.01
        )
        out = nengo.Node(size_in=2)
        decoders = RNG.normal(size=(2, n)) / n
        nengo.Connection(ens.neurons, out, transform=decoders, synapse=0.005)
        nengo.Connection(
            out[0], ens.neurons[TILE - 3 : TILE + 9], transform=[[0.1]] * 12
        )
        nengo.Probe(out)
        nengo.Probe(ens.neurons)
        nengo.Probe(ens.neurons, "input")
        nengo.Probe(ens.neurons[TILE - 2 : TILE + 2], "voltage")
    agree(net, optimize=optimize, steps=40)


def test_large_populations_speak_to_each_other(agree, optimize):
    n = 2 * TILE + 5
    with nengo.Network(seed=3) as net:
        a, b = (
            nengo.Ensemble(
                n,
                2,
                neuron_type=kind,
                gain=RNG.uniform(20, 90, n),
                bias=RNG.uniform(-9, 30, n),
                encoders=np.eye(2)[np.arange(n) * 2 // n],
            )
            for kind in (nengo.SpikingRectifiedLinear(), nengo.RectifiedLinear())
        )
        nengo.Connection(waves(2), a, synapse=None)
        nengo.Connection(a.neurons, b.neurons, synapse=0.01, transform=0.03)
        nengo.Connection(a.neurons, b.neurons, synapse=None, transform=0.01)
        decoders = np.eye(2)[:, np.arange(n) * 2 // n] / n
        out = nengo.Node(size_in=2)
        for source in (a, b):
            nengo.Connection(source.neurons, out, transform=decoders, synapse=None)
        nengo.Connection(out, a, synapse=0.05)
        nengo.Probe(out)
        nengo.Probe(b.neurons)
    agree(net, optimize=optimize, steps=30)
