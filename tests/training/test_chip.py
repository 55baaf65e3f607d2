import dataclasses

import numpy as np
import pytest

from lmu_spiking.lmu import CHIP_ACTIVATIONS, ChipUnits, LMUParams, forward
from lmu_spiking.lmu.forward import activations
from lmu_spiking.neurons.chip import chip_activities, smooth_rates
from lmu_spiking.training import TrainSettings, train
from lmu_spiking.training.chip import curve_of

jax = pytest.importorskip("jax")

from lmu_spiking.training._jax import precision_of
from lmu_spiking.training.engine import JaxEngine

CHIPS = [ChipUnits(), ChipUnits(150.0, 0.002, 0.03, 0.004)]
DRIVES = np.random.default_rng(0).uniform(-1, 5, 4000)


def smooth(activation, chip, a):
    gain, bias = chip.gain_bias(activation)
    return smooth_rates(activation, chip, gain * a + bias) / chip.max_rate


def with_chips(params, chips):
    """Other chips in its cells."""
    cells = zip(params.cells, chips, strict=True)
    cells = tuple(dataclasses.replace(c, chip=chip) for c, chip in cells)
    return dataclasses.replace(params, cells=cells)


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_forward_is_the_staircase_and_backward_the_smooth_curve(activation, chip):
    """Slopes are those of central differences."""
    with precision_of("float64"):
        h, back = jax.vjp(curve_of(activation, chip), jax.numpy.asarray(DRIVES))
        found = np.asarray(back(jax.numpy.ones_like(h))[0])
    expected = chip_activities(activation, chip, DRIVES)
    steps = 1 / (expected[expected > 0] * chip.max_rate * chip.dt)
    np.testing.assert_allclose(steps, np.round(steps), rtol=1e-9)
    np.testing.assert_allclose(h, expected, rtol=1e-12)
    step = 1e-6
    slope = smooth(activation, chip, DRIVES + step)
    slope = (slope - smooth(activation, chip, DRIVES - step)) / (2 * step)
    clear = np.abs(DRIVES) > 2 * step  # of the corner of the curve
    np.testing.assert_allclose(found[clear], slope[clear], rtol=1e-6, atol=1e-8)
    assert not found[DRIVES < 0].any()


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_single_precision_steps_at_the_same_drives(activation):
    """But for those within rounding of a step, one in 10^4 at most."""
    chip = ChipUnits()
    h = np.asarray(curve_of(activation, chip)(jax.numpy.asarray(DRIVES, "float32")))
    expected = chip_activities(activation, chip, DRIVES)
    assert np.mean(np.abs(h - expected) > 1e-6 * expected.max()) <= 1e-3
    extreme = jax.numpy.asarray([-1e30, -1e-30, 0.0, 1e-30, 1e30], "float32")
    h, back = jax.vjp(curve_of(activation, chip), extreme)
    assert np.isfinite(h).all()
    assert np.isfinite(back(jax.numpy.ones_like(h))[0]).all()


@pytest.mark.parametrize(
    ("connections", "last"), [("W_x", True), ("W_x W_h", False), ("e_h e_m", False)]
)
def test_outputs_are_those_of_the_reference(lmu, connections, last):
    params = with_chips(lmu(CHIP_ACTIVATIONS, connections), CHIPS)
    x = np.random.default_rng(2).normal(size=(5, 80, 2))
    with precision_of("float64"):
        engine = JaxEngine(params, TrainSettings(precision="float64"), None, last)
        found = engine.outputs(params.arrays(), engine.features(x))
    expected = forward(params, x, last=last)
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_a_staircase_trains(task, activation):
    """Walks are told apart about as well as by rectified units."""
    chip = ChipUnits(120.0)
    cell = {"units": 20, "order": 6, "theta": 0.02, "connections": "", "bias": True}
    settings = TrainSettings(epochs=30, batch=20, learning_rate=0.02, keep="last")
    data = task(classes=3, n=200)
    metric = {}
    for name, of in ((activation, chip), ("relu", None)):
        cells = [cell | {"activation": name, "chip": of}]
        params = train(LMUParams.draw(2, 3, cells), data, settings).params
        metric[name] = params.header["results"]["test_accuracy"]
        assert params.cells[0].chip == of
    assert metric["relu"] > 0.7  # a third by chance
    assert metric[activation] > metric["relu"] - 0.1


def test_other_activations_are_jaxs_own():
    a = np.linspace(-2, 2, 9)
    for name in ("tanh", "relu", "linear"):
        np.testing.assert_allclose(curve_of(name, None)(a), activations(name, a))
