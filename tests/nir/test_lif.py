"""Neurons of other programs integrate what they get; ours keep Nengo's floor."""

import nengo
import numpy as np
import pytest

from lmu_spiking import LegendreMemory, ValidationError, from_nir, to_nir
from lmu_spiking.nir import PromptLIF, SignedIF

nir = pytest.importorskip("nir")
ONE, DT = np.ones(1), 0.001
OURS = {"neurons": "if"}


def trains(network, signal, steps=1000):
    with nengo.Network(seed=1) as model:
        model.add(network)
        stimulus = nengo.Node(lambda t: signal[round(t / DT) - 1])
        nengo.Connection(stimulus, network.input, synapse=None)
        probe = nengo.Probe(network.output, synapse=None)
    with nengo.Simulator(model, progress_bar=False) as simulator:
        simulator.run_steps(steps)
    return simulator.data[probe][:, 0]


def alone(node, size=1, weight=None):
    weight = np.eye(1) if weight is None else weight
    named = {"in": nir.Input(np.array([size])), "w": nir.Linear(weight), "n": node}
    named["out"] = nir.Output(np.array([1]))
    return from_nir(nir.NIRGraph(named, [("in", "w"), ("w", "n"), ("n", "out")]))


def pulses():
    """Equal trains of 100 Hz, one after the other."""
    k = np.arange(1000)[:, None]
    return (k % 10 == [0, 5]).astype(float)


def test_inhibition_counts():
    weight = np.array([[300.0, -300.0]])
    silent = trains(alone(nir.IF(ONE, ONE), 2, weight), pulses())
    assert silent.sum() == 0
    floored = trains(alone(nir.IF(ONE, ONE, metadata=OURS), 2, weight), pulses())
    assert abs(floored.sum() - 30) <= 1  # what Nengo's neurons do


def test_integrate_and_fire_by_hand():
    """``v += r I dt``, less 1 for each spike, from 0."""
    signal = np.random.default_rng(5).normal(20.0, 300.0, (1000, 1))
    v, expected = 0.0, []
    for J in signal[:, 0]:
        v += J * DT
        spikes = max(np.floor(v), 0)
        v -= spikes
        expected.append(spikes)
    assert sum(expected) > 5
    assert np.array_equal(trains(alone(nir.IF(ONE, ONE)), signal), expected)


def test_leaky_neurons_fall_below_0():
    """Held down for 100 ms they take ``tau log((J + 4) / (J - 1))`` to fire."""
    signal = np.full((300, 1), 2.0)
    signal[:100] = -4.0
    values = {"tau": 0.02 * ONE, "r": ONE, "v_leak": 0 * ONE, "v_threshold": ONE}
    for metadata, low in (({}, -4 * (1 - np.exp(-5))), ({"neurons": "lif"}, 0.0)):
        spikes = trains(alone(nir.LIF(**values, metadata=metadata)), signal, 300)
        first = np.flatnonzero(spikes)[0] - 100
        assert abs(first * DT - 0.02 * np.log((2 - low) / (2 - 1))) <= 1.5 * DT


@pytest.mark.filterwarnings("ignore:to_nir")
@pytest.mark.parametrize(
    "neurons",
    [
        nengo.LIF(min_voltage=-1),
        nengo.LIF(min_voltage=-np.inf),
        PromptLIF(min_voltage=-0.5),
        PromptLIF(0.03, min_voltage=-np.inf),
        SignedIF(),
    ],
)
def test_the_floor_is_in_the_graph(neurons, tmp_path):
    options = {"neuron_type": neurons, "tuning": "drawn", "noise_seed": 3}
    made = LegendreMemory(240, 3, 0.5, add_to_container=False, **options)
    to_nir(made, tmp_path / "a.nir")
    k = np.arange(400)
    signal = 0.5 * np.sin(0.02 * k)[:, None]
    rebuilt = from_nir(tmp_path / "a.nir")
    (ensemble,) = rebuilt.neurons.values()
    assert ensemble.neuron_type.min_voltage == neurons.min_voltage
    assert type(ensemble.neuron_type) is type(neurons)
    for network in (made, rebuilt):
        network.output = network.state
    one, other = trains(made, signal, 400), trains(rebuilt, signal, 400)
    assert np.abs(one - other).max() < 1e-9 * np.abs(one).max()


def test_no_floor_is_lost_where_there_is_none(recwarn):
    options = {"tuning": "drawn", "add_to_container": False}
    for neurons in (SignedIF(), PromptLIF(min_voltage=-np.inf)):
        to_nir(LegendreMemory(60, 3, 0.5, neuron_type=neurons, **options))
    assert not recwarn.list


@pytest.mark.parametrize("tau", [0, -1, "x", np.nan])
def test_time_constants(tau):
    with pytest.raises(ValidationError, match=r"PromptLIF\.tau_rc.*positive number"):
        PromptLIF(tau)


@pytest.mark.filterwarnings("error")
def test_a_membrane_far_faster_than_a_step_fires_once_in_each():
    values = {"tau": 1e-9 * ONE, "r": 5 * ONE, "v_leak": 0 * ONE, "v_threshold": ONE}
    assert trains(alone(nir.LIF(**values)), np.ones((20, 1)), 20).sum() == 20
