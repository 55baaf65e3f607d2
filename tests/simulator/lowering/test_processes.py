"""Synapses and processes, step for step those of Nengo."""

import nengo
import numpy as np
import pytest

from lmu_spiking.networks.sample_and_hold import hold

SYNAPSES = {
    "none": None,
    "lowpass": nengo.Lowpass(0.02),
    "quick lowpass": nengo.Lowpass(1e-5),
    "zero lowpass": nengo.Lowpass(0),
    "alpha": nengo.Alpha(0.015),
    "passthrough": nengo.LinearFilter([1, 0.5], [0.02, 1]),
    "gain": nengo.LinearFilter([2.5], [1]),
    "discrete": nengo.LinearFilter([0.3, 0.1], [1, -0.6], analog=False),
    "discrete, direct": nengo.LinearFilter([1, 0.3], [1, -0.6], analog=False),
    "three": nengo.LinearFilter([1], [1e-6, 3e-4, 0.03, 1]),
    "five": nengo.synapses.LinearFilter(
        [1], np.poly([-100, -80, -60, -50 + 9j, -50 - 9j]) / 1.2e9, method="bilinear"
    ),
    "euler": nengo.LinearFilter([1], [0.02, 1], method="euler"),
    "triangle": nengo.synapses.Triangle(0.01),
}


@pytest.mark.parametrize("name", SYNAPSES)
def test_synapses(name, agree, optimize):
    synapse = SYNAPSES[name]
    with nengo.Network(seed=1) as net:
        source = nengo.Node(lambda t: np.sin(50 * t + np.arange(3)))
        target, ens = nengo.Node(size_in=3), nengo.Ensemble(40, 3)
        nengo.Connection(source, target, synapse=synapse)
        nengo.Connection(source[::2], target[:2], synapse=synapse, transform=0.3)
        nengo.Connection(source, ens, synapse=synapse)
        nengo.Connection(ens, target, synapse=synapse)
        nengo.Probe(target)
        nengo.Probe(target, synapse=synapse)
        nengo.Probe(ens.neurons, synapse=synapse)
        nengo.Probe(ens)
    agree(net, optimize=optimize)


def test_many_at_once(agree, optimize):
    with nengo.Network(seed=1) as net:
        source, target = nengo.Node(lambda t: np.cos(9 * t)), nengo.Node(size_in=1)
        for k, synapse in enumerate(SYNAPSES.values()):
            nengo.Connection(source, target, synapse=synapse, transform=1 / (k + 1))
        nengo.Connection(target, target, synapse=0.02, transform=-0.7)
        nengo.Probe(target)
    agree(net, optimize=optimize)


PROCESSES = {
    "signal": nengo.processes.WhiteSignal(0.031, high=80, rms=0.4),
    "seeded signal": nengo.processes.WhiteSignal(0.05, high=40, y0=0.1, seed=3),
    "noise": nengo.processes.WhiteNoise(nengo.dists.Gaussian(0, 0.1)),
    "plain noise": nengo.processes.WhiteNoise(nengo.dists.Uniform(-1, 2), scale=False),
    "choice": nengo.processes.WhiteNoise(nengo.dists.Choice([[1, -1], [0.5, 2]])),
    "filtered": nengo.processes.FilteredNoise(nengo.Alpha(0.01), seed=2),
    "brown": nengo.processes.BrownNoise(),
    "frames": nengo.processes.PresentInput([[1, 2], [3, 4], [-1, 0.5]], 0.004),
    "pieces": nengo.processes.Piecewise({0.01: [1, 2], 0.023: [0, -1]}),
}


@pytest.mark.parametrize("name", PROCESSES)
def test_processes(name, agree, optimize):
    process = PROCESSES[name]
    with nengo.Network(seed=6) as net:
        size = None if process.default_size_out != 1 else 2
        source = nengo.Node(process, size_out=size)
        other = nengo.Node(nengo.processes.WhiteNoise(seed=1), size_out=2)
        ens = nengo.Ensemble(30, 2)
        nengo.Connection(source, ens)
        nengo.Connection(other, ens, transform=1e-3)
        nengo.Probe(source)
        nengo.Probe(ens.neurons)
    agree(net, optimize=optimize, steps=[17, 40])
    agree(net, optimize=optimize, steps=20, seed=8)


def test_noise_in_ensembles(agree, optimize):
    # With seeds: Nengo's optimizer puts what has none in another order every time.
    gauss, even = nengo.dists.Gaussian(0, 0.1), nengo.dists.Uniform(-1, 2)
    with nengo.Network(seed=6) as net:
        for process in (
            nengo.processes.WhiteNoise(gauss, seed=1),
            nengo.processes.WhiteNoise(even, scale=False, seed=2),
            nengo.processes.WhiteSignal(0.04, high=60, seed=3),
            nengo.processes.FilteredNoise(nengo.Alpha(0.01), seed=4),
        ):
            ens = nengo.Ensemble(30, 1, noise=process)
            nengo.Probe(ens.neurons)
            nengo.Probe(ens.neurons, "input")
    agree(net, optimize=optimize)


def test_a_process_with_an_input(agree, optimize):
    with nengo.Network(seed=6) as net:
        source = nengo.Node(nengo.processes.WhiteSignal(0.1, high=50, seed=1))
        filtered = nengo.Node(nengo.Alpha(0.01), size_in=1, size_out=1)
        nengo.Connection(source, filtered, synapse=None)
        nengo.Probe(filtered)
    agree(net, optimize=optimize)


@pytest.mark.parametrize("averaged", [1, 3, 5])
def test_sample_and_hold(averaged, agree, optimize):
    with nengo.Network(seed=6) as net:
        source = nengo.Node(lambda t: [np.sin(90 * t), t])
        nengo.Probe(hold(source, 5, averaged))
    agree(net, optimize=optimize, steps=[13, 1, 20])
