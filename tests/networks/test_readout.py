import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.networks.memory import LegendreMemory

DT = 1e-3
RATE = {"neuron_type": "rate", "order": 6, "theta": 0.2, "n_neurons": 12}
SYNAPSES = {
    "the state": None,
    "lowpass": 0.01,
    "slow lowpass": nengo.Lowpass(0.2),
    "alpha": nengo.Alpha(0.02),
    "alpha that no loop would take": nengo.Alpha(0.5),
    "double": nengo.LinearFilter([1], np.polymul([0.05, 1], [0.005, 1])),
    "pass-through": nengo.LinearFilter([0.02, 1], [0.05, 1]),
    "discrete": nengo.LinearFilter([0.1], [1, -0.9], analog=False),
}


def memory(**changes):
    with nengo.Network():
        return LegendreMemory(**(RATE | changes))


@pytest.mark.parametrize("name", SYNAPSES)
@pytest.mark.parametrize("loop", [0.1, nengo.Alpha(0.02)])
def test_shows_the_right_delay(stream, white, name, loop):
    """No shift of the input by other steps is nearer."""
    u, lags = white(3000, high=2.0), [1, 40, 110, 200]
    outputs = [{"delay": np.array(lags) * DT, "synapse": SYNAPSES[name]}]
    _, read = stream(u, **RATE, synapse=loop, delays=outputs)
    for lag, y in zip(lags, read.T, strict=True):
        shifts = range(max(lag - 8, 0), lag + 9)
        gaps = [np.sum((y[300:] - u[300 - s : len(u) - s]) ** 2) for s in shifts]
        assert shifts[int(np.argmin(gaps))] == lag


@pytest.mark.parametrize("name", SYNAPSES)
@pytest.mark.parametrize("loop", [0.1, nengo.Alpha(0.02)])
def test_every_synapse_shows_what_the_state_holds(stream, white, name, loop):
    """From spikes through a synapse: the same in the mean, and no later."""
    u, delay = white(1500, high=8.0), np.array([0.001, 0.07, 0.2])
    outputs = [{"delay": delay}, {"delay": delay, "synapse": SYNAPSES[name]}]
    state, direct, read = stream(u, **RATE, synapse=loop, delays=outputs)
    weights = LDN(6, 0.2).readout(delay - DT, DT)
    np.testing.assert_allclose(direct, state @ weights.T, atol=1e-12)
    np.testing.assert_allclose(read, direct, rtol=0, atol=1e-8)


@pytest.mark.parametrize("degree", range(6))
def test_polynomials_come_back_in_time(stream, degree):
    t = DT * np.arange(-3000, 0) + DT
    outputs = [{"delay": [0.001, 0.05, 0.2]}]
    _, read = stream((1 + t) ** degree, **RATE, delays=outputs)
    # at probe index k a delay of s steps shows input k - s
    np.testing.assert_allclose(
        read[-1], [0.999**degree, 0.95**degree, 0.8**degree], atol=2e-4
    )


def test_delay_theta_is_the_default(stream, white):
    u = white(800)
    _, default, theta = stream(u, **RATE, delays=[{}, {"delay": 0.2}])
    np.testing.assert_array_equal(default, theta)


def test_every_input_has_its_delays_side_by_side(stream, white):
    u = np.stack([white(600, seed=1), white(600, seed=2)], axis=1)
    keywords = RATE | {"n_neurons": 24}
    for synapse in (None, 0.02):
        outputs = [{"delay": [0.05, 0.1], "synapse": synapse}]
        _, read = stream(u, **keywords, delays=outputs)
        for channel in range(2):
            _, alone = stream(u[:, channel], **RATE, delays=outputs)
            np.testing.assert_allclose(
                read[:, 2 * channel : 2 * channel + 2], alone, atol=1e-9
            )


def test_delays_come_in_the_order_given():
    one = memory(size_in=2, n_neurons=24)
    node = one.add_output(delay=[0.2, 0.05, 0.1])
    rows = LDN(6, 0.2).readout(np.array([0.2, 0.05, 0.1]) - DT, DT)
    (read,) = (c for c in one.connections if c.post_obj is node)
    np.testing.assert_allclose(read.transform.init, np.kron(np.eye(2), rows))


def test_is_a_node_of_the_memory():
    one = memory()
    node = one.add_output(delay=[0.1, 0.2], label="past")
    assert isinstance(node, nengo.Node)
    assert (node.size_out, node.label) == (2, "past")
    assert node in one.nodes
    assert one.add_output(delay=0.1).label == "delay"


def test_spikes_show_the_delay_too(stream, white):
    u = white(4000, high=2.0)
    outputs = [{"delay": 0.15}, {"delay": 0.15, "synapse": 0.02}]
    keywords = RATE | {
        "neuron_type": "poisson",
        "n_neurons": 30_000,
        "aggregated": True,
    }
    _, *reads = stream(u, **keywords, delays=outputs)
    for read in reads:
        gap = read[500:, 0] - u[500 - 150 : -150]
        assert np.std(gap) < 0.1 * np.std(u)


@pytest.mark.parametrize("theta", [0.2, 0.2004, 0.2006, 0.1 * 3, 0.001])
@pytest.mark.parametrize("dt", [1e-3, 1e-4])
def test_both_ends_of_the_window_can_be_read(theta, dt):
    one = memory(theta=theta, dt=dt)
    assert one.add_output(delay=[dt, theta]).size_out == 2


@pytest.mark.parametrize(
    "delay",
    [0.0, 0.0009, 0.2001, -0.1, np.nan, np.inf, [0.1, 0.3], [], [[0.1]]],
)
def test_delays_outside_the_window(delay):
    one = memory()
    before = list(one.all_objects)
    with pytest.raises(ValidationError) as error:
        one.add_output(delay=delay)
    assert "add_output.delay: " in str(error.value)
    assert "must lie between dt = 0.001 and theta = 0.2 s" in str(error.value)
    assert one.all_objects == before


@pytest.mark.parametrize("delay", ["late", "0.1", [0.1, [0.2, 0.3]], 0.1j, True])
def test_delays_that_are_no_numbers(delay):
    with pytest.raises(ValidationError, match=r"^add_output\.delay"):
        memory().add_output(delay=delay)


@pytest.mark.parametrize(
    "synapse", [0, -0.1, "fast", np.nan, nengo.synapses.Triangle(0.1)]
)
def test_synapses_that_are_none(synapse):
    one = memory()
    before = list(one.all_objects)
    with pytest.raises(ValidationError, match="must be a nengo"):
        one.add_output(delay=0.1, synapse=synapse)
    assert one.all_objects == before
