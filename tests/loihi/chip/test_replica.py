from functools import cache

import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.replica import _wrapped, replay
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory
from lmu_spiking.loihi.run import target as module

DT = 0.001
U = 0.5 * np.sin(6 * DT * np.arange(6000)) + 0.3 * np.sin(11 * DT * np.arange(6000))


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return module.nengo_loihi()


@cache
def layout(order=2, n=40, kind="if", tau=0.05, target="emulator", dt=DT, **options):
    neurons = chip_neurons(kind, target)
    keywords = {"target": target, "tau": tau, "dt": dt, "signal": U}
    return lay_out(LDN(order, 0.2), n, neurons, **keywords, **options)


def emulated(laid_out, u):
    with nengo.Network() as net:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], laid_out.dt))
        memory = ChipMemory(laid_out)
        nengo.Connection(stimulus, memory.input, synapse=None)
    run = module.run_on(net, "emulator", len(u) * laid_out.dt, dt=laid_out.dt)
    return run.data[memory.spikes] * laid_out.dt


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kind": "lif"},
        {"tau": 0.2},
        {"tau": 0.2, "kind": "lif"},
        {"order": 1, "block": 40},  # one core
        {"order": 1, "block": 17},
        {"order": 3, "n": 61, "kind": "lif", "seed": 3},
        {"dt": 0.002},
        {"dt": 0.0005, "kind": "lif"},
        {"input_range": 0.4},  # clipped
        {"tau": 0.2, "input_range": 0.05},  # coarse pulses
        {"tau": 0.15, "kind": "lif", "n": 24},
        {"order": 2, "tau": 0.2, "kind": "lif", "seed": 82, "input_range": 3.0},
    ],
)
def test_every_spike_is_the_emulators(loihi, options):
    laid_out = layout(**options)
    u = U[:500]
    spikes = replay(laid_out, u)
    assert spikes.any(axis=0).all()
    np.testing.assert_allclose(emulated(laid_out, u), spikes, atol=1e-9)


@pytest.mark.parametrize("least", [-0.3, -1.0, -np.inf])
def test_voltages_below_zero_are_the_emulators(loihi, least):
    """Far from the drives that the neurons are for, some are pushed below 0."""
    still = {"voltage": nengo.dists.Choice([0])}
    u = np.sign(U[:500]) * 0.9
    options = {"tau": 0.05, "dt": DT, "signal": 0.3 * U, "input_range": 0.9}
    found = []
    for kind in (nengo.LIF(min_voltage=least, initial_state=still), "lif"):
        neurons = chip_neurons(kind, "emulator")
        laid_out = lay_out(LDN(2, 0.2), 40, neurons, target="emulator", **options)
        found.append(replay(laid_out, u))
        np.testing.assert_allclose(emulated(laid_out, u), found[-1], atol=1e-9)
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize("kind", ["if", "lif"])
def test_a_batch_is_its_inputs_alone(kind):
    laid_out = layout(kind=kind)
    batch = np.stack([U[:300], -U[:300], U[300:600]])
    together = replay(laid_out, batch)
    assert together.shape == (3, 300, 40) and together.dtype == bool
    for one, spikes in zip(batch, together, strict=True):
        np.testing.assert_array_equal(spikes, replay(laid_out, one))


def test_the_past_does_not_know_the_future():
    laid_out = layout()
    later = U[:300].copy()
    later[200:] = 0.0
    whole, changed = replay(laid_out, U[:300]), replay(laid_out, later)
    np.testing.assert_array_equal(whole[:201], changed[:201])
    assert (whole[201:] != changed[201:]).any()


def test_what_is_refused():
    for target in ("core", "simreal"):
        with pytest.raises(ValidationError, match="no whole numbers; use 'emulator'"):
            replay(layout(target=target), U)
    for u in ([], [np.nan], np.zeros((2, 0)), np.zeros((2, 3, 4)), 1.0):
        with pytest.raises(ValidationError, match=r"replay\.u: .* must be finite"):
            replay(layout(), u)


def test_overflow_wraps_as_in_the_emulator():
    discretize = pytest.importorskip("nengo_loihi.builder.discretize")
    x = np.array([0, 5, -5, 2**21 - 1, 2**21, -(2**21), -(2**21) - 1, 3 * 2**21 + 7])
    for bits in (21, 23):
        expected, _ = discretize.overflow_signed(x, bits=bits)
        np.testing.assert_array_equal(_wrapped(x, bits), expected)
