"""Simulators go on where a copy was made."""

import pickle

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulatorClosed

from lmu_spiking import Simulator


def square(t, x):
    """A function that can be sent."""
    return x**2


def wave(t):
    """Another."""
    return np.sin(20 * t)


def network(python, noise):
    """With random spikes, an input signal and, if wanted, Python and noise."""
    with nengo.Network(seed=3) as model:
        u = nengo.Node(nengo.processes.WhiteSignal(0.2, high=20))
        v = nengo.Node(wave)
        ens = nengo.Ensemble(
            30, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()), noise=noise
        )
        nengo.Connection(u, ens)
        nengo.Connection(v, ens)
        nengo.Connection(ens, ens, synapse=nengo.Alpha(0.02))
        if python:
            nengo.Connection(ens, nengo.Node(square, size_in=1))
        nengo.Probe(ens, synapse=0.01)
        nengo.Probe(ens.neurons)
        nengo.Probe(v, sample_every=0.003)
    return model


def data(sim):
    """All that was probed."""
    return [sim.data[p].copy() for p in sim.model.probes]


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize("trials", [None, 3])
def test_a_copy_goes_on_alike(python, trials):
    model = network(python, None)
    own = np.random.default_rng(0).standard_normal((trials or 1, 40, 1))
    inputs = {model.nodes[1]: own if trials else own[0]}
    options = dict(trials=trials, noise_seed=4, inputs=inputs, dtype="float64")
    with Simulator(model, progress_bar=False, threads=2, **options) as sim:
        sim.run_steps(70)
        sent = pickle.dumps(sim)
        with pickle.loads(sent) as other:
            assert other.n_steps == 70 and other.time == sim.time
            assert (other.trials, other.threads, other.noise_seed) == (trials, 2, 4)
            for a, b in zip(data(sim), data(other), strict=True):
                assert np.array_equal(a, b)
            sim.run_steps(50)
            other.run_steps(50)
            for a, b in zip(data(sim), data(other), strict=True):
                assert np.array_equal(a, b)
            other.reset()
            other.run_steps(120)
            for a, b in zip(data(sim), data(other), strict=True):
                assert np.array_equal(a, b)


def test_a_copy_with_noise_in_an_ensemble_runs_on():
    """Its random numbers begin again, as those of Nengo's copies do."""
    model = network(False, nengo.processes.WhiteNoise())
    with Simulator(model, progress_bar=False, trials=2) as sim:
        sim.run_steps(20)
        with pickle.loads(pickle.dumps(sim)) as other:
            other.run_steps(20)
            assert data(other)[1].shape == (2, 40, 30)
            assert np.isfinite(data(other)[0]).all()


def test_copies_of_what_is_closed_are_closed():
    with Simulator(network(False, None), progress_bar=False) as sim:
        sim.run_steps(5)
    other = pickle.loads(pickle.dumps(sim))
    assert other.closed and data(other)[1].shape == (5, 30)
    with pytest.raises(SimulatorClosed):
        other.step()
