import nengo
import numpy as np
import pytest

from lmu_spiking.lmu import CHIP_ACTIVATIONS, ChipUnits, forward
from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.networks.hidden import Hidden, add_units
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons.chip import ChipIF, ChipLIF, ChipRate, chip_activities

CHIP = ChipUnits(180.0, tau_rc=0.03, tau_ref=0.002)
DRIVES = np.linspace(-0.5, 2.5, 31)


def activities(simulator, hidden, activation, steps):
    with nengo.Network() as model:
        J, h, ensemble = add_units(hidden, activation, len(DRIVES), 1, CHIP)
        nengo.Connection(nengo.Node(DRIVES), J, synapse=None)
        probe = nengo.Probe(h, synapse=None)
    with simulator(model) as sim:
        sim.run_steps(steps)
        return sim.data[probe], ensemble


def chip_rate(activation):
    h = chip_activities(activation, CHIP, DRIVES)
    return h, h * CHIP.max_rate * CHIP.dt


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_rates_are_the_staircase(simulator, activation):
    h, ensemble = activities(simulator, Hidden(), activation, 2)
    expected, _ = chip_rate(activation)
    np.testing.assert_allclose(h, [expected] * 2, rtol=1e-12)
    assert isinstance(ensemble.neuron_type, ChipRate)


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_poisson_spikes_have_the_staircase_for_their_mean(simulator, activation):
    """Whatever rate is asked for: it is the one of the training.  Within 5 s.e."""
    hidden = Hidden("poisson", 40, max_rate=77.0, top=3.0, noise_seed=1)
    h, _ = activities(simulator, hidden, activation, 2000)
    expected, per_step = chip_rate(activation)
    error = 5 * expected / np.sqrt(np.maximum(40 * 2000 * per_step, 1))
    assert np.all(np.abs(h.mean(axis=0) - expected) <= error)


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_integrating_neurons_spike_as_the_chips_do(simulator, activation):
    """At constant drives a spike in every interval, a whole number of steps."""
    hidden, steps = Hidden("if", 1, aggregated=False), 3000
    h, ensemble = activities(simulator, hidden, activation, steps)
    kind = ChipIF if activation == "loihi-relu" else ChipLIF
    assert isinstance(ensemble.neuron_type, kind)
    assert ensemble.n_neurons == len(DRIVES)
    _, per_step = chip_rate(activation)
    counts = h.sum(axis=0) * CHIP.max_rate * CHIP.dt
    assert np.abs(counts - np.round(counts)).max() < 1e-6
    # a drive whose interval is a whole number but for rounding may take a step more
    slower = per_step / (1 + per_step)
    low, high = np.floor(slower * steps) - 1, np.ceil(per_step * steps) + 1
    assert np.all((low <= counts) & (counts <= high))
    assert np.mean(np.abs(counts - per_step * steps) <= 1) > 0.9


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_steps_are_those_of_nengo_loihi(activation):
    """Spikes and states at drives that change, to the last bit."""
    pytest.importorskip("nengo_loihi")
    loihi = nengo_loihi().neurons
    rng = np.random.default_rng(0)
    if activation == "loihi-relu":
        own, its, scale = ChipIF(), loihi.LoihiSpikingRectifiedLinear(), 300.0
        states = [{"voltage": np.zeros(50)} for _ in range(2)]
    else:
        own = ChipLIF(tau_rc=CHIP.rc, tau_ref=CHIP.ref)
        its, scale = loihi.LoihiLIF(tau_rc=0.03, tau_ref=0.002), 4.0
        names = ("voltage", "refractory_time")
        states = [{name: np.zeros(50) for name in names} for _ in range(2)]
    outputs = [np.zeros(50), np.zeros(50)]
    total = 0
    for _ in range(500):
        J = scale * rng.uniform(-0.5, 1.5, 50)
        own.step(0.001, J, outputs[0], **states[0])
        its.step(0.001, J, outputs[1], **states[1])
        np.testing.assert_array_equal(outputs[0], outputs[1])
        for name, value in states[0].items():
            np.testing.assert_array_equal(value, states[1][name])
        total += outputs[0].sum() * 0.001
    assert total > 1000


def test_a_whole_model_in_rates_is_the_reference(simulator, lmu):
    params = lmu("W_x W_h", activation="loihi-relu", n_cells=2, units=5)
    x = np.random.default_rng(4).normal(size=(30, 1))
    with nengo.Network() as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(x, params.dt))
        net = LMUNetwork(params)
        nengo.Connection(stimulus, net.input, synapse=None)
        probe = nengo.Probe(net.output)
    with simulator(model, params.dt) as sim:
        sim.run_steps(len(x) + 2)
        y = sim.data[probe][2:]
    np.testing.assert_allclose(y, forward(params, x[None])[0], atol=1e-10)
