from functools import cache

import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.replica import replay
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory, read_state
from lmu_spiking.loihi.run import target as module
from lmu_spiking.loihi.run.target import run_on

DT = 0.001
U = 0.5 * np.sin(6 * DT * np.arange(4000)) + 0.3 * np.sin(11 * DT * np.arange(4000))


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return module.nengo_loihi()


@cache
def layout(target, order=2, n=100, kind="if", dt=DT):
    neurons = chip_neurons(kind, target)
    ldn = LDN(order, 0.2)
    return lay_out(ldn, n, neurons, target=target, tau=0.05, dt=dt, signal=U)


def lags(state, exact, reach=30):
    """How late the state is, in steps: where its error is least."""
    middle = slice(500, len(exact) - reach)
    errors = [
        np.mean((np.roll(state, -s, axis=0) - exact)[middle] ** 2)
        for s in range(-reach, reach + 1)
    ]
    return int(np.argmin(errors)) - reach, np.sqrt(min(errors))


@pytest.mark.parametrize("target", ["core", "simreal", "emulator"])
@pytest.mark.parametrize("dt", [0.001, 0.002])
@pytest.mark.parametrize("order", [1, 3])
def test_exact_spikes_are_read_as_the_exact_state(order, dt, target):
    laid_out = layout(target, order=order, dt=dt)
    exact = laid_out.ldn.simulate(U[:400], dt)
    # spikes of step k answer to what came until k - 1, and decode the state after it
    before = np.vstack([np.zeros(order), exact[:-1]])
    wanted = before @ laid_out.curves.T.T
    spikes = wanted @ np.linalg.pinv(laid_out.decoding.decoders).T
    state = read_state(laid_out, spikes, U[:400])
    np.testing.assert_allclose(state, before, atol=1e-9 * np.abs(exact).max())


def test_the_state_on_core_is_not_late():
    laid_out = layout("core")
    with nengo.Network() as net:
        u = nengo.Node(nengo.processes.PresentInput(U[:3000, None], DT))
        memory = ChipMemory(laid_out)
        nengo.Connection(u, memory.input, synapse=None)
    assert memory.pulses is None
    run = run_on(net, "core", 3.0)
    state = read_state(laid_out, run.data[memory.spikes], U[:3000])
    exact = laid_out.ldn.simulate(U[:3000], DT)
    late, error = lags(state[1:], exact[:-1])
    assert abs(late) <= 2
    assert error < 0.2 * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize("kind", ["if", "lif"])
def test_the_state_on_the_chip_is_not_late(kind):
    laid_out = layout("emulator", kind=kind)
    spikes = replay(laid_out, U[:3000]) / DT
    state = read_state(laid_out, spikes, U[:3000])
    exact = laid_out.ldn.simulate(U[:3000], DT)
    late, error = lags(state[1:], exact[:-1])
    assert abs(late) <= 2
    assert error < 0.2 * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize("target", ["simreal", "emulator"])
def test_the_chip_hears_no_more_than_its_range(target):
    laid_out = layout(target)
    spikes = np.zeros((50, 100))
    r = laid_out.input_range
    loud, clipped = np.full(50, 3 * r), np.full(50, r)
    np.testing.assert_array_equal(
        read_state(laid_out, spikes, loud), read_state(laid_out, spikes, clipped)
    )
    core = layout("core")
    assert (
        read_state(core, spikes, loud)[1:] != read_state(core, spikes, clipped)[1:]
    ).all()


def test_spikes_are_of_every_neuron_at_every_step():
    laid_out = layout("core")
    for shape, steps in (((10, 100), 9), ((10, 99), 10), ((10,), 10)):
        with pytest.raises(
            ValidationError, match=r"read_state\.spikes: .* must be 100"
        ):
            read_state(laid_out, np.zeros(shape), np.zeros(steps))
    assert read_state(laid_out, np.zeros((0, 100)), []).shape == (0, 2)


def test_the_network_honours_what_every_network_does():
    laid_out = layout("core")
    with nengo.Network() as net:
        inside = ChipMemory(laid_out, label="window", seed=3)
        outside = ChipMemory(laid_out, add_to_container=False)
    assert inside.label == "window" and inside.seed == 3
    assert net.networks == [inside] and outside not in net.networks


@pytest.mark.parametrize("name", ["layout", "input", "neurons", "pulses", "spikes"])
def test_nothing_can_be_set_that_would_do_nothing(name):
    memory = ChipMemory(layout("core"))
    with pytest.raises(ValidationError, match=rf"^ChipMemory\.{name}: 3 cannot be set"):
        setattr(memory, name, 3)
    memory.label, memory.mine = "past", 1
    assert (memory.label, memory.mine) == ("past", 1)


def test_the_structure_of_the_chip_in_floating_point(loihi):
    laid_out = layout("simreal", n=40)
    u = U[:1000]
    with nengo.Network() as net:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], DT))
        memory = ChipMemory(laid_out)
        nengo.Connection(stimulus, memory.input, synapse=None)
    run = run_on(net, "simreal", 1.0)
    state = read_state(laid_out, run.data[memory.spikes], u)
    late, error = lags(state[1:], laid_out.ldn.simulate(u, DT)[:-1])
    assert abs(late) <= 4
    assert error < 0.3 * np.sqrt(np.mean(laid_out.ldn.simulate(u, DT) ** 2))


def test_spikes_that_are_counted_are_refused():
    laid_out = layout("core")
    counted = np.zeros((len(U), laid_out.n_neurons))
    counted[5, 3] = 1
    with pytest.raises(ValidationError, match=r"1/dt = 1000; divide what replay gives"):
        read_state(laid_out, counted, U)
    assert read_state(laid_out, counted / DT, U).any()
