import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.integers import (
    Target,
    effective_tau,
    is_leaky,
    membrane_decay,
    rounded,
    spikes_of,
    synaptic_decay,
    target_name,
)
from lmu_spiking.loihi.run import target as module
from lmu_spiking.neurons.bare_ensemble import driven

STILL = {"voltage": nengo.dists.Choice([0])}
KINDS = {
    "if": nengo.SpikingRectifiedLinear(initial_state=STILL),
    "lif": nengo.LIF(initial_state=STILL),
    "slow lif": nengo.LIF(tau_rc=0.05, tau_ref=0.004, initial_state=STILL),
}
STEPS = 300


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return module.nengo_loihi()


def halfway(neurons, dt, target):
    """Currents that cross the threshold half a step after steps 1, 2, ..., 30."""
    n = np.arange(1, 31) + 0.5
    if not is_leaky(neurons):
        return 1 / (n * dt)
    return 1 / (1 - (1 - membrane_decay(neurons.tau_rc, dt, target)) ** n)


# -- against NengoLoihi --------------------------------------------------------------


@pytest.mark.parametrize("dt", [0.0005, 0.001, 0.002])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["simreal", "emulator"])
def test_neurons_on_their_own_spike_as_on_the_target(loihi, target, kind, dt):
    neurons = KINDS[kind]
    currents = halfway(neurons, dt, target)
    with nengo.Network() as net:
        ens = driven(30, neurons, bias=currents)
        probe = nengo.Probe(ens.neurons)
    seen = module.run_on(net, target, STEPS * dt, dt=dt).data[probe] * dt
    expected = spikes_of(neurons, np.tile(currents, (STEPS, 1)), dt, target, None)
    np.testing.assert_allclose(seen, expected, atol=1e-9)


@pytest.mark.parametrize("dt", [0.0005, 0.001, 0.002])
@pytest.mark.parametrize("tau", [0.005, 0.02, 0.05, 0.1, 0.2, 0.5])
def test_a_current_decays_as_in_the_emulator(loihi, tau, dt):
    from nengo_loihi.block import LoihiBlock
    from nengo_loihi.builder.discretize import decay_int, discretize_compartment

    compartment = LoihiBlock(1).compartment
    compartment.configure_relu(dt=dt)
    compartment.configure_filter(tau, dt=dt)
    discretize_compartment(compartment, 1.0)
    start = 2**30  # so large that rounding does not count
    current, steps = np.array([start]), round(tau / dt)
    for _ in range(steps):
        current = decay_int(current.astype(np.int64), compartment.decay_u, offset=1)
    a = 1 - (compartment.decay_u[0] + 1) / 4096
    assert synaptic_decay(tau, dt, "emulator") == a
    left = np.exp(-steps * dt / effective_tau(tau, dt, "emulator"))
    assert current[0] / start == pytest.approx(left, rel=1e-5)


# -- laws ----------------------------------------------------------------------------


@given(st.floats(0.002, 0.5), st.sampled_from([0.0005, 0.001, 0.002]))
def test_taus_are_rounded_to_the_nearest_level(tau, dt):
    for target in ("core", "simreal"):
        assert effective_tau(tau, dt, target) == pytest.approx(tau, rel=1e-9)
    for target in ("emulator", "board"):
        exact = -np.expm1(-dt / tau)
        # half a level, and 4095 of them where there are 4096
        gap = abs(1 - synaptic_decay(tau, dt, target) - exact)
        assert gap <= (0.5 + exact) / 4096 + 1e-12
        if dt / tau * 4096 > 1.5:
            assert effective_tau(tau, dt, target) > 0


def test_a_hundred_milliseconds_are_less():
    assert effective_tau(0.1, 0.001, "emulator") == pytest.approx(0.0994, abs=5e-5)


@pytest.mark.parametrize("dt", [0.0005, 0.001, 0.002])
def test_what_is_refused_names_a_tau_that_works(dt):
    with pytest.raises(ValidationError, match=r"levels in .*; use at most") as caught:
        synaptic_decay(10_000 * dt, dt, "emulator")
    tau = float(str(caught.value).split("use at most ")[1].split()[0])
    assert 0 < synaptic_decay(tau, dt, "emulator") < 1
    assert 0 < synaptic_decay(10_000 * dt, dt, "simreal") < 1


@pytest.mark.parametrize("tau", [0, -0.1, np.nan, np.inf, None, "x"])
@pytest.mark.parametrize("target", ["core", "emulator"])
def test_a_tau_is_positive(tau, target):
    with pytest.raises(ValidationError, match=r"^synapse: .* must be a positive"):
        synaptic_decay(tau, 0.001, target)


@pytest.mark.parametrize("target", ["simreal", "emulator", "board"])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_are_whole_steps_and_the_rest_is_lost(kind, target):
    neurons, dt = KINDS[kind], 0.001
    currents = np.tile(halfway(neurons, dt, target), (STEPS, 1))
    spikes = spikes_of(neurons, currents, dt, target, None)
    hold = round(neurons.tau_ref / dt) if is_leaky(neurons) else 0
    for n, train in enumerate(spikes.T, start=1):
        intervals = np.diff(np.flatnonzero(train))
        np.testing.assert_array_equal(intervals, n + 1 + hold)


@pytest.mark.parametrize("target", ["core", "simreal", "emulator"])
@pytest.mark.parametrize("kind", KINDS)
def test_neurons_below_threshold_are_silent(kind, target):
    currents = np.full((200, 4), 0.99 if is_leaky(KINDS[kind]) else 0.0)
    rng = np.random.RandomState(0)
    assert not spikes_of(KINDS[kind], currents, 0.001, target, rng).any()
    assert not spikes_of(KINDS[kind], -currents, 0.001, target, rng).any()


def test_core_is_nengo(simulator):
    currents = np.random.RandomState(0).uniform(0, 200, (200, 5))
    neurons = KINDS["if"]
    with nengo.Network() as net:
        u = nengo.Node(nengo.processes.PresentInput(currents, 0.001))
        ens = driven(5, neurons)
        nengo.Connection(u, ens.neurons, synapse=None)
        probe = nengo.Probe(ens.neurons)
    with simulator(net) as sim:
        sim.run_steps(200)
    rng = np.random.RandomState(0)
    expected = spikes_of(neurons, currents, 0.001, "core", rng)
    np.testing.assert_allclose(sim.data[probe] * 0.001, expected, atol=1e-6)


def test_what_is_rounded_and_what_leaks():
    assert [rounded(t) for t in ("core", "simreal", "emulator", "board")] == [
        False,
        False,
        True,
        True,
    ]
    assert is_leaky(nengo.LIF()) and is_leaky(nengo.RegularSpiking(nengo.LIFRate()))
    assert not is_leaky(nengo.SpikingRectifiedLinear())
    assert not is_leaky(nengo.RegularSpiking(nengo.RectifiedLinear()))


def test_nengo_is_another_name_of_core():
    assert Target("nengo") is Target.CORE
    assert target_name("nengo") == target_name(Target.CORE) == "core"
    assert type(target_name("board")) is str
    with pytest.raises(ValidationError, match="target: 'brian' is not a target; use"):
        target_name("brian")
