import warnings
from dataclasses import replace
from functools import cache

import nengo
import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.loihi.chip.replica import rows_in_integers
from lmu_spiking.loihi.chip.weights import BIAS, THRESHOLD, factors, grid_of, largest_of
from lmu_spiking.loihi.mapping.curves import chip_neurons
from lmu_spiking.loihi.mapping.layout import lay_out
from lmu_spiking.loihi.mapping.memory import ChipMemory
from lmu_spiking.loihi.mapping.stage import as_stored, round_to_grids
from lmu_spiking.loihi.run import target as module

CASES = [  # order, theta, tau, neurons, type, dt
    (1, 0.1, 0.02, 16, "if", 0.001),
    (2, 0.2, 0.05, 40, "if", 0.001),
    (2, 0.2, 0.05, 40, "lif", 0.001),
    (3, 0.5, 0.1, 60, "lif", 0.001),
    (3, 0.4, 0.2, 61, "if", 0.001),
    (2, 0.4, 0.2, 40, "lif", 0.001),
    (2, 0.2, 0.05, 41, "if", 0.002),
    (2, 0.2, 0.05, 40, "lif", 0.0005),
]


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return module.nengo_loihi()


@cache
def layout(order, theta, tau, n, kind, dt, seed=0, steps=6000):
    t = dt * np.arange(steps)
    u = np.sin(6 * t) + 0.5 * np.sin(11 * t)
    neurons = chip_neurons(kind, "emulator")
    options = {"target": "emulator", "tau": tau, "dt": dt, "seed": seed}
    return lay_out(LDN(order, theta), n, neurons, signal=u, **options)


def built(loihi, laid_out):
    """NengoLoihi's blocks of the memory, in whole numbers."""
    with nengo.Network() as net:
        u = nengo.Node(np.sin)
        memory = ChipMemory(laid_out)
        nengo.Connection(u, memory.input, synapse=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with loihi.Simulator(
            net, dt=laid_out.dt, target="sim", progress_bar=False
        ) as sim:
            return list(sim.model.blocks)


@pytest.mark.parametrize("case", CASES)
def test_grids_thresholds_and_biases_are_those_of_nengo_loihi(loihi, case):
    laid_out = layout(*case)
    blocks = built(loihi, laid_out)
    assert len(blocks) == len(laid_out.grids)
    scale, _, _ = factors(laid_out.curves.neurons, laid_out.tau, laid_out.dt)
    _, _, threshold, bias, _ = rows_in_integers(laid_out.stages[0], laid_out.dt)
    at = 0
    for block, grid in zip(blocks, laid_out.grids, strict=True):
        info = block.compartment.discretize_info
        rows = slice(at, at + block.compartment.n_compartments)
        at = rows.stop
        assert info["w_exp"] == grid.exponent
        assert info["w_max"] == pytest.approx(grid.anchor, rel=1e-5)
        v = scale * 255 / grid.anchor * 2.0 ** (6 + grid.exponent)
        assert info["v_scale"] == pytest.approx(v, rel=1e-5)
        np.testing.assert_array_equal(block.compartment.vth, threshold[rows])
        np.testing.assert_array_equal(block.compartment.bias, bias[rows])
    assert at == laid_out.n_neurons


@pytest.mark.parametrize("case", CASES)
def test_the_layout_holds_what_the_chip_will_hold(case):
    laid_out = layout(*case)
    weights, _, threshold, bias, _ = rows_in_integers(laid_out.stages[0], laid_out.dt)
    assert (threshold > 0).all() and (threshold <= THRESHOLD).all()
    assert (np.abs(bias) <= BIAS).all()
    scale = laid_out.curves.gain[:, None] / laid_out.dt
    for k, grid in enumerate(laid_out.grids):
        rows = slice(k * laid_out.block, (k + 1) * laid_out.block)
        whole = laid_out.weights[rows] * scale[rows] / grid.unit
        top = np.isclose(np.abs(whole), grid.anchor / grid.unit)
        np.testing.assert_allclose(whole[~top], np.round(whole[~top]), atol=1e-6)
        assert np.abs(np.round(whole[~top])).max(initial=0) <= grid.top
        assert np.count_nonzero(top) <= 1
        assert -2 <= grid.exponent <= 0
        end = np.where(whole < 0, grid.bottom, grid.top)
        unit = 2 ** (6 + max(1 + grid.exponent, 0))
        wanted = unit * np.where(top, end, whole.round())
        np.testing.assert_array_equal(weights[rows], wanted)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_held_of_weights_of_either_sign(case, sign):
    """A negative anchor that loses a bit is one unit more, and that is known."""
    dt = case[5]
    laid_out = layout(*case)
    curves, decoding = laid_out.curves, laid_out.decoding
    exact = sign * (
        curves.encoding @ (curves.T @ laid_out.mapped.A @ curves.U) @ decoding.decoders
    )
    stage, rng = replace(laid_out.stages[0], weights=exact), np.random.RandomState(0)
    real = round_to_grids(stage, decoding.parts, dt, rng)
    stage = replace(stage, weights=real)
    whole, *_ = rows_in_integers(stage, dt)
    kept = as_stored(stage, dt)
    for k, grid in enumerate(laid_out.grids):
        rows = slice(k * laid_out.block, (k + 1) * laid_out.block)
        units = curves.gain[rows, None] / dt / grid.unit
        on_chip = whole[rows] / 2 ** (6 + max(1 + grid.exponent, 0))
        np.testing.assert_allclose(kept[rows] * units, on_chip, atol=1e-6)
        changed = np.abs(real[rows] * units - on_chip) > 1e-6
        at = np.argmax(np.abs(exact[rows] * units))
        assert not np.delete(changed.ravel(), at).any()  # the anchor alone
        if changed.any():
            sunk = exact[rows].flat[at] < 0
            assert on_chip.flat[at] == (grid.bottom if sunk else grid.top)


@pytest.mark.parametrize("case", [*CASES[1:3], *CASES[4:6]])
def test_no_bits_are_lost_and_nothing_overflows(loihi, case):
    order, theta, tau, n, kind, dt = case
    laid_out = layout(order, theta, tau, 2 * n, kind, dt)
    u = np.sin(6 * dt * np.arange(400))
    with nengo.Network() as net:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], dt))
        memory = ChipMemory(laid_out)
        nengo.Connection(stimulus, memory.input, synapse=None)
    run = module.run_on(net, "emulator", 400 * dt, dt=dt)
    assert not [advice for advice in run.advice if advice.serious]
    assert {advice.kind for advice in run.advice} <= {"lost bits"}


def test_a_grid_is_as_fine_as_threshold_and_bias_allow():
    neurons, tau, dt = chip_neurons("if", "emulator"), 0.1, 0.001
    scale, threshold, membrane = factors(neurons, tau, dt)
    for size in 10.0 ** np.arange(-3, 4):
        for strongest in (0.0, 1.0, 100.0, 1000.0):
            grid = grid_of(size, 0.0, [strongest], neurons, tau, dt)
            v = scale * 255 / grid.anchor * 2.0 ** (6 + grid.exponent)
            assert threshold * v <= THRESHOLD and strongest * v * membrane <= BIAS
            assert grid.anchor >= size * (1 - 1e-9)
            if grid.exponent < 0:  # one more would not have fitted
                twice = scale * 255 / size * 2.0 ** (7 + grid.exponent)
                assert threshold * twice > THRESHOLD * (1 - 1e-5) or (
                    strongest * twice * membrane > BIAS * (1 - 1e-5)
                )
            assert grid.unit * grid.top <= grid.anchor * (1 + 1e-9)


def test_what_other_groups_bring_counts():
    neurons = chip_neurons("if", "emulator")
    plain = grid_of(10.0, 0.0, [0.0], neurons, 0.1, 0.001)
    louder = grid_of(10.0, 4 * plain.anchor, [0.0], neurons, 0.1, 0.001)
    assert 4 * plain.anchor < louder.anchor < 4.1 * plain.anchor


def test_an_outlier_is_clipped_and_a_whole_group_is_not():
    weights, groups = np.full((4, 50), 10.0), np.split(np.arange(50), 5)
    assert largest_of(weights, groups) == 10.0
    weights[0, 0] = 1e6
    assert largest_of(weights, groups[1:]) == 40.0
    assert largest_of(weights, groups) < 2e5
    weights[:, :10] = 1e3
    assert largest_of(weights, groups) == 1e3
    assert largest_of(0 * weights, groups) == 0.0
