import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import (
    CHIP_ACTIVATIONS,
    CellParams,
    ChipUnits,
    LMUParams,
    forward,
    load_params,
    save_params,
)
from lmu_spiking.lmu.forward import activations
from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.neurons.chip import (
    chip_activities,
    chip_rates,
    smooth_rates,
    smooth_slopes,
)

chips = st.builds(
    ChipUnits,
    max_rate=st.floats(10, 240),
    dt=st.sampled_from([0.001, 0.002]),
    tau_rc=st.floats(0.01, 0.5),
    tau_ref=st.sampled_from([0.0, 0.001, 0.002, 0.004]),
)
names = st.sampled_from(CHIP_ACTIVATIONS)


def neuron(loihi, activation, chip):
    """NengoLoihi's own, as they are configured, and what it computes their rates by."""
    if activation == "loihi-relu":
        return loihi.LoihiSpikingRectifiedLinear()
    return loihi.LoihiLIF(tau_rc=chip.tau_rc, tau_ref=chip.tau_ref)


@given(activation=names, chip=chips, seed=st.integers(0, 100))
def test_rates_are_those_of_nengo_loihi(activation, chip, seed):
    """To the last bit."""
    pytest.importorskip("nengo_loihi")
    loihi = nengo_loihi().neurons
    drives = np.random.default_rng(seed).uniform(-1, 5, 300)
    gain, bias = chip.gain_bias(activation)
    kind = neuron(loihi, activation, chip)
    J = gain * drives + bias
    expected = loihi.loihi_rates(kind, J[:, None], 1.0, 0.0, chip.dt)[:, 0]
    np.testing.assert_array_equal(chip_rates(activation, chip, J), expected)
    h = activations(activation, drives, chip)
    np.testing.assert_array_equal(h, expected / chip.max_rate)


@given(activation=names, chip=chips)
def test_the_smooth_curve_goes_through_the_staircase(activation, chip):
    """Intervals are within half a step of it; at 1 that of ``max_rate``, at 0 none."""
    drives = np.linspace(-1, 4, 1001)
    gain, bias = chip.gain_bias(activation)
    J = gain * drives + bias
    stair, curve = (f(activation, chip, J) for f in (chip_rates, smooth_rates))
    assert not stair[drives <= 0].any()
    assert not curve[drives <= 0].any()
    fires = drives > 0
    apart = 1 / stair[fires] - 1 / curve[fires]
    assert np.abs(apart).max() <= chip.dt / 2 * (1 + 1e-6) + 1e-9 / curve[fires].min()
    exact = 1 / smooth_rates(activation, chip, gain + bias) - chip.dt / 2
    assert exact == pytest.approx(1 / chip.max_rate)
    assert np.all(np.diff(stair) >= 0)
    assert np.all(np.diff(curve) >= 0)


@given(activation=names, chip=chips)
def test_slopes_are_those_of_differences(activation, chip):
    gain, bias = chip.gain_bias(activation)
    drives, step = np.linspace(0.05, 4, 200), 1e-6

    def h(a):
        return smooth_rates(activation, chip, gain * a + bias) / chip.max_rate

    expected = (h(drives + step) - h(drives - step)) / (2 * step)
    found = smooth_slopes(activation, chip, h(drives))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert smooth_slopes(activation, chip, [0.0, 0.0]).tolist() == [0, 0]


def test_a_relu_is_what_slow_steps_leave():
    """Steps that are nothing beside the intervals make the staircase a line."""
    fine = ChipUnits(max_rate=100.0, dt=1e-7, tau_rc=1e-5)
    drives = np.linspace(-2, 3, 101)
    np.testing.assert_allclose(
        chip_activities("loihi-relu", fine, drives),
        activations("relu", drives),
        rtol=1e-4,
    )


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_a_file_keeps_the_chip(tmp_path, activation):
    chip = ChipUnits(123.0, 0.002, 0.04, 0.002)
    cell = {"units": 9, "order": 4, "theta": 0.01, "activation": activation}
    params = LMUParams.draw(1, 2, [cell | {"chip": chip, "bias": True}], seed=3)
    save_params(params, tmp_path / "model.npz")
    found = load_params(tmp_path / "model.npz")
    assert found.cells[0].chip == chip
    assert found.cells[0].activation == activation
    x = np.random.default_rng(0).normal(size=(3, 20, 1))
    np.testing.assert_array_equal(forward(found, x), forward(params, x))
    other = dataclasses.replace(params.cells[0], chip=None)
    assert other.chip == ChipUnits()
    other = dataclasses.replace(params, cells=(other,))
    assert np.any(forward(other, x) != forward(params, x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_rate": 0.0}, "ChipUnits.max_rate: 0.0 must be a positive number"),
        ({"max_rate": 1000.0}, "max_rate: 1000.0 leaves no time .* less than 1000 Hz"),
        ({"max_rate": 300.0, "tau_ref": 0.004}, "use less than 250 Hz"),
        ({"dt": -1.0}, "ChipUnits.dt: -1.0 must be a positive number"),
        ({"tau_rc": 100.0}, "tau_rc: 100.0 is no leak of the chip's 12 bits .* 4.095"),
        ({"tau_rc": 1e-5}, "tau_rc: 1e-05 is no leak"),
        ({"tau_ref": -0.001}, "ChipUnits.tau_ref: -0.001 must be a positive number"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValidationError, match=message):
        ChipUnits(**options)


def test_a_chip_is_for_its_activations():
    with pytest.raises(ValidationError, match=r"chip: ChipUnits.* nothing to relu un"):
        CellParams.draw(1, 2, 3, 0.1, activation="relu", chip=ChipUnits())
    assert CellParams.draw(1, 2, 3, 0.1).chip is None
