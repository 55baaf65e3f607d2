from functools import cache

import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.pulses import PAIRS, sizes
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear
from lmu_spiking.memory.spec import SignalSpec

DT = 0.001
U = 0.5 * np.sin(6 * DT * np.arange(4000)) + 0.3 * np.sin(11 * DT * np.arange(4000))
TARGETS = ["core", "simreal", "emulator", "board"]


def lay(target="emulator", order=2, n=40, theta=0.2, kind="if", **changes):
    keywords = {"target": target, "tau": 0.05, "dt": DT, "signal": U} | changes
    return lay_out(LDN(order, theta), n, chip_neurons(kind, "emulator"), **keywords)


laid = cache(lay)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", ["if", "lif"])
def test_weights_are_encoding_dynamics_and_decoding(target, kind):
    laid_out = laid(target, kind=kind)
    curves, mapped = laid_out.curves, laid_out.mapped
    decoders = laid_out.decoding.decoders
    exact = curves.encoding @ curves.T @ mapped.A @ curves.U @ decoders
    if not laid_out.grids:
        np.testing.assert_allclose(laid_out.weights, exact)
        assert not laid_out.rounding.any()
        return
    assert (laid_out.weights != exact).any() and laid_out.rounding.any()
    # what rounding changes is far less on what the neurons do than weight by weight
    gap = laid_out.weights - exact
    together = laid_out.decoding.activities @ gap.T
    apart = np.sqrt(laid_out.decoding.activities**2 @ (gap**2).T)
    assert np.sqrt(np.mean(together**2)) < 0.7 * np.sqrt(np.mean(apart**2))


@pytest.mark.parametrize("kind", ["if", "lif"])
def test_the_input_weighs_as_much_on_every_target(kind):
    core, chip = laid("core", kind=kind), laid("simreal", n=400, kind=kind)
    np.testing.assert_allclose(
        core.inputs, core.curves.encoding @ core.curves.T @ core.mapped.B
    )
    width = chip.inputs.shape[1]
    assert len(chip.inputs) == 400 and width >= 2 * PAIRS
    np.testing.assert_array_equal(chip.inputs[:, ::2], -chip.inputs[:, 1::2])
    column = (chip.curves.encoding @ chip.curves.T @ chip.mapped.B)[:, 0]
    each = chip.inputs[:, ::2] / sizes(width // 2)
    np.testing.assert_allclose(each.sum(axis=1), column * chip.input_range * chip.dt)


def test_a_faint_input_reaches_every_neuron():
    """Where weights are too faint for the core, pulses are rarer and no neuron deaf."""
    faint = laid(n=40, tau=0.2, input_range=0.05)
    assert faint.inputs.shape[1] > 2 * PAIRS
    assert (faint.inputs != 0).any(axis=1).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n, kind, input_range", [(16, "lif", 3), (40, "lif", 10)])
def test_no_weight_is_above_the_anchor_of_its_core(n, kind, input_range, seed):
    for theta, tau in ((0.4, 0.2), (0.1, 0.05)):
        laid_out = lay(
            n=n, kind=kind, theta=theta, tau=tau, input_range=input_range, seed=seed
        )
        for k, grid in enumerate(laid_out.grids):
            rows = slice(k * laid_out.block, (k + 1) * laid_out.block)
            scale = laid_out.curves.gain[rows, None] / DT
            groups = laid_out.weights[rows], laid_out.inputs[rows]
            largest = max(np.abs(group * scale).max() for group in groups)
            assert largest == pytest.approx(grid.anchor, rel=1e-6)


@pytest.mark.parametrize("n, order", [(8, 1), (9, 1), (41, 2), (60, 3)])
def test_cores_are_as_even_as_can_be(n, order):
    laid_out = laid(n=n, order=order)
    assert laid_out.block % 2 == 0 and laid_out.n_neurons == n
    assert len(laid_out.grids) == -(-n // laid_out.block)
    assert len(laid_out.grids) >= order
    assert laid_out.weights.shape == (n, n)
    assert np.isfinite(laid_out.weights).all() and np.isfinite(laid_out.inputs).all()


@pytest.mark.parametrize("block", [1, 3, 20])
def test_blocks_may_be_chosen(block):
    assert len(lay(block=block).grids) == -(-40 // block)


def test_a_seed_tells_the_layout():
    one, same, other = lay(seed=1), lay(seed=1), lay(seed=2)
    np.testing.assert_array_equal(one.weights, same.weights)
    np.testing.assert_array_equal(one.inputs, same.inputs)
    assert (one.weights != other.weights).any()


def test_the_input_range_is_the_signals_reach():
    assert laid().input_range == np.abs(U).max()
    assert lay(input_range=3.0).input_range == 3.0
    band = lay("core", signal=SignalSpec(2.0, 0.4), n=16, order=1)
    assert band.input_range == pytest.approx(1.6)
    assert band.signal == SignalSpec(2.0, 0.4) and laid().signal is None


@pytest.mark.parametrize(
    "signal", [np.ones(1000), 1e-6 * U, U[:201], 5 + 0.01 * U], ids=str
)
def test_any_signal_longer_than_a_window_will_do(signal):
    laid_out = lay(signal=signal)
    assert np.isfinite(laid_out.weights).all()
    assert laid_out.spikes_per_s > 0


@pytest.mark.parametrize("dt", [0.0005, 0.002])
def test_other_steps(dt):
    laid_out = lay(dt=dt)
    assert np.isfinite(laid_out.weights).all() and len(laid_out.grids) == 2


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"target": "chip"}, "^target: 'chip' is not a target; use one of 'core'"),
        ({"dt": -0.001}, "^dt: -0.001 must be a positive number"),
        ({"dt": np.nan}, "^dt: nan must be a positive number"),
        ({"theta": 0.0005}, "^dt: 0.001 is longer than the window theta of 0.0005 s"),
        ({"n": 40.0}, "^n_neurons: 40.0 must be a whole number"),
        ({"n": 15}, "^n_neurons: 15 is less than 8 per dimension.*use at least 16"),
        ({"tau": 5.0}, "^synapse: 5.0 decays by less than .*; use at most 1.37 s"),
        ({"tau": 0.0001}, "use more neurons, a lower order or a higher max_rate"),
        ({"block": 0}, "^block: 0 must be a whole number of at least 1"),
        ({"block": 2.5}, "^block: 2.5 must be a whole number of at least 1"),
        ({"block": 21}, "^block: 21 is more than 40 neurons .*; use at most 20"),
        ({"seed": -1}, "^seed: -1 must be a whole number from 0"),
        ({"max_rate": 1e4}, "^max_rate: 10000.0 is more than .*; use at most 833 Hz"),
        ({"max_rate": np.nan}, "^max_rate: nan must be a positive number"),
        ({"input_range": -1.0}, "^input_range: -1.0 must be a positive number"),
        ({"signal": []}, "^signal: .* must be finite samples"),
        ({"signal": np.zeros(1000)}, "^signal: .*not all of it 0"),
        ({"signal": U[:200]}, "^signal: .*use at least 201 steps"),
        ({"signal": [np.nan] * 1000}, "^signal: .* must be finite samples"),
        ({"signal": np.ones((30, 2))}, "^signal: .* must be finite samples"),
        ({"signal": "ecg"}, "^signal: 'ecg' must be finite samples"),
        ({"readouts": [1.0, 2.0]}, "^readouts: "),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        lay(**changes)
    assert issubclass(ValidationError, ValueError)


def test_neurons_are_types_that_this_layout_is_for():
    for kind, way_out in (("if", "chip_neurons"), (NoisyRectifiedLinear(), "noisy")):
        with pytest.raises(ValidationError, match=f"neurons: .*{way_out}"):
            lay_out(LDN(2, 0.1), 48, kind, target="core", tau=0.1, dt=0.001)
