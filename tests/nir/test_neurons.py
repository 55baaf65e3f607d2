"""Neurons of other programs integrate what they get; ours keep Nengo's floor."""

import nengo
import numpy as np
import pytest

from lmu_spiking import LegendreMemory, ValidationError, from_nir, to_nir
from lmu_spiking.nir import PromptLIF, SignedIF

nir = pytest.importorskip("nir")
ONE, DT = np.ones(1), 0.001
OURS = {"neurons": "if"}


def trains(network, signal, steps=1000, read="output"):
    with nengo.Network(seed=1) as model:
        model.add(network)
        stimulus = nengo.Node(lambda t: signal[round(t / DT) - 1])
        nengo.Connection(stimulus, network.input, synapse=None)
        probe = nengo.Probe(getattr(network, read), synapse=None)
    with nengo.Simulator(model, progress_bar=False) as simulator:
        simulator.run_steps(steps)
    return simulator.data[probe][:, 0]


def alone(node, size=1, weight=None):
    weight = np.eye(1) if weight is None else weight
    named = {"in": nir.Input(np.array([size])), "w": nir.Linear(weight), "n": node}
    named["out"] = nir.Output(np.array([1]))
    graph = nir.NIRGraph(named, [("in", "w"), ("w", "n"), ("n", "out")])
    return from_nir(graph, dt=DT)


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
    one, other = (trains(n, signal, 400, "state") for n in (made, rebuilt))
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


def leaky(kind, tau, **metadata):
    """A node whose current is the membrane's own, or filtered and gone in a step."""
    rest = {"r": ONE, "v_leak": 0 * ONE, "v_threshold": ONE, "metadata": metadata}
    if kind == "LIF":
        return nir.LIF(tau=tau * ONE, **rest)
    return nir.CubaLIF(tau_syn=1e-5 * ONE, tau_mem=tau * ONE, w_in=ONE, **rest)


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
def test_pulses_keep_what_exceeds_the_threshold(kind):
    """One pulse reaches 1.46; 125 is what steps of 10 us give, 100 if it is lost."""
    signal = 30.0 * (np.arange(1001) % 10 == 0)[:, None]
    signal[-1] = 0  # the filter's spikes are a step late
    spikes = trains(alone(leaky(kind, 0.02)), signal, 1001)
    assert spikes.sum() == 125
    assert spikes.max() == 2


def counts(neurons, currents, parts=1):
    """Spikes of each step, which is made in so many parts."""
    voltage, output, found = np.zeros(1), np.zeros(1), []
    for J in np.repeat(currents, parts):
        neurons.step(DT / parts, np.array([J]), output, voltage)
        found.append(output[0] * DT / parts)
    return np.reshape(found, (-1, parts)).sum(axis=1)


K = np.arange(200)
CURRENTS = {
    "constant": np.full(200, 6.5),
    "little above": np.full(200, 1.001),
    "pulses": 60.0 * (K % 7 == 0) - 8.0 * (K % 7 == 3),
    "ramp": np.linspace(-30.0, 90.0, 200),
    "many thresholds in a step": 500.0 * (K % 20 == 0) - 100.0 * (K % 20 == 10),
    "noise": np.random.default_rng(3).normal(1.0, 40.0, 200),
}


@pytest.mark.parametrize("tau", [0.05, 0.02, 0.002, 0.0005])
@pytest.mark.parametrize("name", CURRENTS)
def test_steps_are_exact_for_any_current(name, tau):
    """Parts of a step give the same spikes: nothing is lost where one ends."""
    neurons = PromptLIF(tau, min_voltage=-np.inf)
    whole = counts(neurons, CURRENTS[name])
    parts = counts(neurons, CURRENTS[name], 13)
    assert np.abs(np.cumsum(whole) - np.cumsum(parts)).max() < 1 + 1e-9
    assert abs(whole.sum() - parts.sum()) < 1e-9 * (1 + whole.sum())


def test_a_first_voltage_above_the_threshold_is_one_spike():
    for J in (-2.0, 0.0, 1.0, 1.02):
        voltage, output = np.array([5.0]), np.zeros(1)
        PromptLIF().step(DT, np.array([J]), output, voltage)
        assert output[0] * DT == pytest.approx(1)
        assert voltage[0] == pytest.approx(max(-J * np.expm1(-0.05), 0), abs=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("tau", [1e-4, 3.2e-5, 2.8e-5, 2e-5, 1e-5, 1e-6, 1e-9, 1e-15])
@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
def test_a_membrane_far_faster_than_a_step_fires_once_in_each(kind, tau):
    late = int(kind == "CubaLIF")  # the filter's step
    for J, each in ((5.0, 1), (1.5, 1), (0.99, 0), (-5.0, 0)):
        spikes = trains(alone(leaky(kind, tau)), np.full((20, 1), J), 20)
        assert spikes.tolist() == [0] * late + [each] * (20 - late)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("tau", [3e-5, 2.5e-5, 1e-5, 1e-9])
def test_fast_membranes_of_graphs_of_ours(tau):
    """Nengo's LIF, with its refractory time: every second step."""
    node = leaky("LIF", tau, neurons="lif", tau_ref=0.002)
    assert trains(alone(node), np.full((20, 1), 5.0), 20).sum() == 10
