import re

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.synapses import LinearFilter

from lmu_spiking.dynamics.covariance import closed_loop
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import as_synapse, discrete, map_onto
from lmu_spiking.errors import LMUSpikingError, MappingError, ValidationError


def double(tau1, tau2):
    return LinearFilter([1.0], np.polymul([tau1, 1.0], [tau2, 1.0]))


SYNAPSES = {
    "lowpass": (nengo.Lowpass(0.1), 0),
    "alpha .1": (nengo.Alpha(0.1), 0),
    "alpha .02": (nengo.Alpha(0.02), 0),
    "double .1 .02": (double(0.1, 0.02), 0),
    "double .05 .005": (double(0.05, 0.005), 0),
    "lowpass +1": (nengo.Lowpass(0.1), 1),
    "lowpass +2": (nengo.Lowpass(0.1), 2),
    "lowpass +3": (nengo.Lowpass(0.1), 3),
}
# theta .5 s, dt 1 ms: radius of the hidden modes of what has no stable loop
RADII = {
    ("alpha .1", 12): 1.0108,
    ("alpha .1", 64): 1.377,
    ("alpha .02", 64): 1.286,
    ("double .1 .02", 64): 1.331,
    ("double .05 .005", 64): 1.163,
}
ORDERS = (1, 2, 6, 12, 64)
# max |Re lambda(A)|: poles of the Pade approximant, from exact coefficients
SLOWEST = {1: 1.0, 2: 2.0, 3: 3.637834, 6: 7.490638, 12: 15.500399}


def largest(x):
    return np.abs(x).max()


# -- the network is the LDN, to rounding -----------------------------------------------


def rate_error(stream, u, order, dt, synapse, theta=0.5, **keywords):
    """Of two rate neurons a dimension, relative to the largest state."""
    state = stream(
        u,
        dt=dt,
        n_neurons=2 * order,
        order=order,
        theta=theta,
        synapse=synapse,
        neuron_type="rate",
        **keywords,
    )
    exact = LDN(order, theta).simulate(u, dt)
    assert largest(state[0]) == 0.0
    return largest(state[1:] - exact[:-1]) / largest(exact)


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", SYNAPSES)
def test_a_rate_network_is_the_ldn(stream, white, name, order, dt):
    if (name, order) in RADII:
        pytest.skip("no stable loop, see test_refuses_the_unstable")
    synapse, delay_steps = SYNAPSES[name]
    steps = 5000 if name == "lowpass" else 1200
    u = white(steps, dt, high=10.0)
    error = rate_error(stream, u, order, dt, synapse, delay_steps=delay_steps)
    assert error < 1e-9


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
@pytest.mark.parametrize(("name", "order"), RADII)
def test_refuses_the_unstable(name, order, dt):
    synapse, delay_steps = SYNAPSES[name]
    with pytest.raises(MappingError, match=r"radius [\d.]+ >= 1 in a memory of order"):
        map_onto(LDN(order, 0.5), synapse, dt, delay_steps)


@pytest.mark.parametrize(("name", "order"), RADII)
def test_says_the_radius_that_it_refuses(name, order):
    synapse, delay_steps = SYNAPSES[name]
    with pytest.raises(MappingError) as error:
        map_onto(LDN(order, 0.5), synapse, 1e-3, delay_steps)
    radius = float(re.search(r"radius ([\d.]+)", str(error.value))[1])
    # at order 64 rounding moves the modes, differently in every LAPACK
    assert radius == pytest.approx(RADII[name, order], abs=1e-4 if order < 64 else 0.02)


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
@pytest.mark.parametrize("part", [0.9, 0.99])
def test_a_rate_network_is_the_ldn_up_to_the_limit(stream, white, part, dt):
    tau = part * 2 * 0.5 / SLOWEST[12]  # 2 / tau = max |Re lambda| / theta
    u = white(5000, dt, high=8.0)
    assert rate_error(stream, u, 12, dt, nengo.Alpha(tau)) < 1e-6


ODD = {
    "a number": 0.03,
    "a fast lowpass": nengo.Lowpass(1e-4),
    "no filter at all": nengo.Lowpass(0),
    "pass-through": LinearFilter([0.02, 1], [0.1, 1]),
    "pass-through, two poles": LinearFilter(
        [1e-5, 0.02, 1], np.polymul([0.02, 1], [0.005, 1])
    ),
    "a zero": LinearFilter([0.004, 1], np.polymul([0.05, 1], [0.02, 1])),
    "a zero on the right": LinearFilter([-0.03, 1], np.polymul([0.1, 1], [0.02, 1])),
    "three poles": LinearFilter(
        [1], np.polymul(np.polymul([0.02, 1], [0.002, 1]), [0.001, 1])
    ),
    "complex poles": LinearFilter([1], [0.0001, 0.004, 1]),
    "discrete": LinearFilter([0.01], [1, -0.99], analog=False),
    "discrete, two poles": LinearFilter([0.0005], np.poly([0.99, 0.95]), analog=False),
    "an average of two": LinearFilter([0.5, 0.5], [1, 0], analog=False),
    "a pure delay": LinearFilter([1], [1, 0], analog=False),
    "gain and sign": LinearFilter([-2], [0.1, 1]),
    "bilinear": LinearFilter([1], [0.1, 1], method="bilinear"),
    "euler": LinearFilter([1], np.polymul([0.02, 1], [0.02, 1]), method="euler"),
}


@pytest.mark.parametrize("delay_steps", [0, 2])
@pytest.mark.parametrize("name", ODD)
def test_any_linear_filter_will_do(stream, white, name, delay_steps):
    u = white(1000, high=8.0)
    error = rate_error(stream, u, 3, 1e-3, ODD[name], delay_steps=delay_steps)
    assert error < 1e-9


@pytest.mark.parametrize("delay_steps", [5, 10, 20])
def test_long_delays_in_the_loop(stream, white, delay_steps):
    u = white(2000, high=8.0)
    assert rate_error(stream, u, 6, 1e-3, 0.1, delay_steps=delay_steps) < 1e-9


@pytest.mark.parametrize(
    ("order", "theta", "dt"),
    [(1, 0.1, 0.001), (6, 0.1234567, 0.001), (6, 0.01, 0.01), (3, 1.0, 0.3)],
)
def test_any_theta_and_step(stream, white, order, theta, dt):
    """tau = theta at order 1, theta between two steps, a window of one step."""
    u = white(500, dt, high=0.2 / dt)
    assert rate_error(stream, u, order, dt, 0.1, theta) < 1e-12


# -- the loop as the simulator runs it -------------------------------------------------


def impulse(loop, steps):
    z, out = np.zeros(loop.size), []
    for k in range(steps):
        out.append(loop.C @ z)
        z = loop.F @ z + loop.G * (k == 0)
    return np.array(out)


@pytest.mark.parametrize("delay_steps", [0, 1, 3])
@pytest.mark.parametrize("name", ODD)
def test_the_loop_is_the_filter_one_step_late(name, delay_steps):
    synapse = as_synapse(ODD[name])
    x = np.eye(60)[0]
    filtered = synapse.filt(x[:, None], dt=1e-3, y0=0)[:, 0]
    found = impulse(discrete(synapse, 1e-3, delay_steps), 60)
    late = 1 + delay_steps
    np.testing.assert_allclose(found[:late], 0, atol=1e-15)
    np.testing.assert_allclose(found[late:], filtered[:-late], rtol=1e-9, atol=1e-13)


@given(
    order=st.integers(1, 12),
    theta=st.floats(0.1, 2.0),
    tau=st.floats(0.001, 0.5),
    dt=st.sampled_from([1e-4, 1e-3, 5e-3]),
)
def test_a_lowpass_has_the_published_transforms(order, theta, tau, dt):
    ldn = LDN(order, theta)
    mapped, (Ad, Bd) = map_onto(ldn, tau, dt), ldn.discretize(dt)
    a = np.exp(-dt / tau)
    A = (Ad - a * np.eye(order)) / (1 - a)
    scale = largest(Ad) / (1 - a)  # of what cancels
    np.testing.assert_allclose(mapped.A, A, rtol=0, atol=1e-10 * scale)
    np.testing.assert_allclose(mapped.B[:, 0], Bd / (1 - a), rtol=1e-9)
    assert mapped.hidden_radius == 0.0
    assert mapped.input_filter == (mapped.synapse,) == (nengo.Lowpass(tau),)


@pytest.mark.parametrize("name", [name for name in SYNAPSES if name != "alpha .1"])
@pytest.mark.parametrize("order", [1, 2, 6])
def test_the_loop_keeps_the_modes_of_the_ldn_and_adds_the_hidden_ones(name, order):
    ldn = LDN(order, 0.5)
    mapped = map_onto(ldn, SYNAPSES[name][0], 1e-3, SYNAPSES[name][1])
    modes = np.linalg.eigvals(closed_loop(mapped)[0])
    for wanted in np.linalg.eigvals(ldn.discretize(1e-3)[0]):
        nearest = np.argmin(np.abs(modes - wanted))
        assert modes[nearest] == pytest.approx(wanted, abs=1e-6)
        modes = np.delete(modes, nearest)
    assert largest(np.append(modes, 0)) == pytest.approx(mapped.hidden_radius, abs=1e-4)


# -- the hidden modes ------------------------------------------------------------------


@settings(max_examples=60)
@given(
    order=st.sampled_from([1, 2, 3, 6, 12]),
    theta=st.floats(0.2, 2.0),
    share=st.floats(0.02, 0.98),
    part=st.one_of(st.floats(0.5, 0.97), st.floats(1.03, 2.0)),
)
def test_two_poles_are_stable_below_the_closed_form(order, theta, share, part):
    """``max |Re lambda(A)| / theta < 1 / tau1 + 1 / tau2``: the trace of the loop."""
    speed = SLOWEST[order] / theta / part  # 1 / tau1 + 1 / tau2
    synapse = double(1 / (share * speed), 1 / ((1 - share) * speed))
    dt = 1e-3 / speed
    growth = SLOWEST[order] / theta - speed
    if part > 1:
        with pytest.raises(MappingError, match=">= 1 in a memory"):
            map_onto(LDN(order, theta), synapse, dt)
    else:
        radius = map_onto(LDN(order, theta), synapse, dt).hidden_radius
        assert np.log(radius) / dt == pytest.approx(growth, rel=0.01)


def noisy_state(simulator, ldn, synapse, steps, delay_steps=0):
    """The state of the bare loop, noise added to what returns."""
    mapped = map_onto(ldn, synapse, 1e-3, delay_steps, feedforward=True)
    noise = nengo.processes.WhiteNoise(
        nengo.dists.Gaussian(0, 1e-3), scale=False, seed=0
    )
    with nengo.Network(seed=0) as model:
        state = nengo.Node(size_in=ldn.order)
        source = nengo.Node(noise, size_out=ldn.order)
        for sender in (state, source):
            nengo.Connection(sender, state, transform=mapped.A, synapse=mapped.synapse)
        probe = nengo.Probe(state, synapse=None)
    with simulator(model) as sim:
        sim.run_steps(steps)
        return sim.data[probe].copy()


def test_beyond_the_limit_a_noisy_loop_diverges_at_the_radius(simulator):
    state = noisy_state(simulator, LDN(12, 0.5), nengo.Alpha(0.1), 3500)
    size = np.linalg.norm(state, axis=1)
    steps = np.arange(1500, 3500)
    slope = np.polyfit(steps, np.log(size[steps]), 1)[0]
    assert np.exp(slope) == pytest.approx(RADII["alpha .1", 12], abs=5e-4)
    assert size[-1] > 1e6


def test_within_the_limit_it_does_not(simulator):
    state = noisy_state(simulator, LDN(12, 0.5), nengo.Alpha(0.02), 3000)
    assert largest(state[-1000:]) < 2 * largest(state[1000:2000])


@pytest.mark.parametrize(
    ("order", "synapse", "delay_steps", "dt"),
    [
        (12, nengo.Alpha(0.1), 0, 1e-3),
        (12, nengo.Alpha(0.1), 0, 1e-4),
        (64, nengo.Alpha(0.02), 0, 1e-3),
        (64, double(0.1, 0.02), 0, 1e-3),
        (12, nengo.Alpha(0.08), 3, 1e-3),
        (12, LinearFilter([0.02, 1], [0.1, 1]), 0, 1e-3),
        (12, LinearFilter([1], [0.0004, 0.004, 1]), 0, 1e-3),
        (12, nengo.Lowpass(0.1), 10, 1e-2),
        (12, LinearFilter([2e-6], np.poly([0.999, 0.998]), analog=False), 0, 1e-3),
    ],
)
def test_the_way_out_of_a_refusal_works(order, synapse, delay_steps, dt):
    with pytest.raises(MappingError) as error:
        map_onto(LDN(order, 0.5), synapse, dt, delay_steps)
    text = str(error.value)
    advised = dict(
        re.findall(r"(theta|tau|time constants) (?:of at \w+ )?([\d.e-]+)", text)
    )
    assert advised and "\n" not in text
    if "theta" in advised:
        theta = float(advised["theta"].rstrip("."))
        assert theta > 0.5
        assert map_onto(LDN(order, theta), synapse, dt, delay_steps).hidden_radius < 1
    if "tau" in advised:
        quicker = type(synapse)(float(advised["tau"]))
        assert map_onto(LDN(order, 0.5), quicker, dt, delay_steps).hidden_radius < 1
    if "time constants" in advised:
        factor = float(advised["time constants"])
        num, den = (
            np.asarray(p) * factor ** np.arange(len(p) - 1.0, -1, -1)
            for p in (synapse.num, synapse.den)
        )
        quicker = LinearFilter(num, den)
        assert map_onto(LDN(order, 0.5), quicker, dt, delay_steps).hidden_radius < 1
    assert "a lowpass without delay, which always works" in text
    assert map_onto(LDN(order, 0.5), 0.1, dt).hidden_radius == 0


def test_a_readout_closes_no_loop_and_is_never_refused():
    mapped = map_onto(LDN(12, 0.5), nengo.Alpha(0.1), 1e-3, feedforward=True)
    assert mapped.hidden_radius == 0.0
    assert (mapped.A.shape, mapped.B.shape) == ((12, 12), (12, 2))


# -- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "synapse",
    [
        None,
        0,
        0.0,
        -0.1,
        np.nan,
        np.inf,
        True,
        "0.1",
        [0.1],
        nengo.synapses.Triangle(0.1),
    ],
)
def test_what_is_no_synapse(synapse):
    with pytest.raises(
        ValidationError, match=r"^map_onto\.synapse: .* must be a nengo"
    ):
        map_onto(LDN(6, 0.5), synapse, 1e-3)


@pytest.mark.parametrize("delay_steps", [-1, 1.0, True, "1", None, np.nan])
def test_what_is_no_delay(delay_steps):
    with pytest.raises(ValidationError, match=r"^map_onto\.delay_steps: .* must be"):
        map_onto(LDN(6, 0.5), 0.1, 1e-3, delay_steps)


@pytest.mark.parametrize("dt", [0, -0.001, np.nan, np.inf, True, "0.001", None])
def test_what_is_no_step(dt):
    with pytest.raises(ValidationError, match=r"dt: .* must be a positive number"):
        map_onto(LDN(6, 0.5), nengo.Alpha(0.1), dt)


def test_a_synapse_that_stops_a_mode():
    """A filter with a zero on a mode of the LDN loses that mode for ever."""
    mode = np.exp(np.linalg.eigvals(LDN(1, 0.5).A) * 1e-3 / 0.5)[0].real
    stopped = LinearFilter([1.0, -mode], np.poly([0.9, 0.8]), analog=False)
    with pytest.raises(MappingError, match="passes nothing of a mode"):
        map_onto(LDN(1, 0.5), stopped, 1e-3)


@pytest.mark.parametrize(
    "synapse",
    [LinearFilter([1], [0.1, -1]), LinearFilter([1], np.polymul([0.1, -1], [0.02, 1]))],
)
def test_a_synapse_that_is_itself_unstable(synapse):
    with pytest.raises(MappingError):
        map_onto(LDN(2, 0.5), synapse, 1e-3)


@pytest.mark.filterwarnings("ignore:Badly conditioned filter coefficients")
def test_a_synapse_that_passes_nothing():
    with pytest.raises(MappingError):
        map_onto(LDN(2, 0.5), LinearFilter([0.0], [0.1, 1]), 1e-3)


def test_a_tau_far_below_the_step():
    assert np.isfinite(map_onto(LDN(2, 0.5), 1e-6, 1e-3).A).all()
    with pytest.raises(LMUSpikingError):  # Nengo's own filter is NaN there
        map_onto(LDN(2, 0.5), 1e-9, 1e-3)
