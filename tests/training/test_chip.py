import dataclasses
import importlib
import subprocess
import sys
import warnings

import nengo
import numpy as np
import pytest

from lmu_spiking.lmu import CHIP_ACTIVATIONS, ChipUnits, LMUParams, forward
from lmu_spiking.lmu.forward import activations
from lmu_spiking.neurons.chip import chip_activities, smooth_rates
from lmu_spiking.training import TrainSettings, train
from lmu_spiking.training._keras import nengo_dl
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.parallel_engine import ParallelEngine

tf = pytest.importorskip("tensorflow")
CHIPS = [ChipUnits(), ChipUnits(150.0, 0.002, 0.03, 0.004)]
DRIVES = np.random.default_rng(0).uniform(-1, 5, 4000)


def smooth(activation, chip, a):
    gain, bias = chip.gain_bias(activation)
    return smooth_rates(activation, chip, gain * a + bias) / chip.max_rate


def loihi_builders():
    """NengoExtras' builders of the chip's neurons, also if NengoLoihi came first.

    NengoLoihi, alone, fails to import NengoDL and keeps that from NengoExtras.
    """
    nengo_dl()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of all that it looks for
        builders = importlib.import_module("nengo_extras.loihi_training")
        reqs = importlib.import_module("nengo_extras.reqs")
        if not reqs.HAS_NENGO_DL:
            importlib.reload(reqs)
            importlib.reload(builders)
    names = ("LoihiLIF", "LoihiSpikingRectifiedLinear")
    return {name: getattr(builders, f"{name}Builder") for name in names}


def with_chips(params, chips):
    """Other chips in its cells."""
    cells = zip(params.cells, chips, strict=True)
    cells = tuple(dataclasses.replace(c, chip=chip) for c, chip in cells)
    return dataclasses.replace(params, cells=cells)


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_forward_is_the_staircase_and_backward_the_smooth_curve(activation, chip):
    """Slopes are those of central differences."""
    a = tf.constant(DRIVES)
    with tf.GradientTape() as tape:
        tape.watch(a)
        h = curve_of(activation, chip)(a)
    expected = chip_activities(activation, chip, DRIVES)
    steps = 1 / (expected[expected > 0] * chip.max_rate * chip.dt)
    np.testing.assert_allclose(steps, np.round(steps), rtol=1e-9)
    np.testing.assert_allclose(h, expected, rtol=1e-12)
    step = 1e-6
    slope = smooth(activation, chip, DRIVES + step)
    slope = (slope - smooth(activation, chip, DRIVES - step)) / (2 * step)
    clear = np.abs(DRIVES) > 2 * step  # of the corner of the curve
    found = tape.gradient(h, a).numpy()
    np.testing.assert_allclose(found[clear], slope[clear], rtol=1e-6, atol=1e-8)
    assert not found[DRIVES < 0].any()


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_single_precision_steps_at_the_same_drives(activation):
    """But for those within rounding of a step, one in 10^4 at most."""
    chip = ChipUnits()
    h = curve_of(activation, chip)(tf.constant(DRIVES, tf.float32)).numpy()
    expected = chip_activities(activation, chip, DRIVES)
    assert np.mean(np.abs(h - expected) > 1e-6 * expected.max()) <= 1e-3
    extreme = tf.constant([-1e30, -1e-30, 0.0, 1e-30, 1e30])
    with tf.GradientTape() as tape:
        tape.watch(extreme)
        h = curve_of(activation, chip)(extreme)
    assert np.isfinite(h).all()
    assert np.isfinite(tape.gradient(h, extreme)).all()


@pytest.mark.parametrize("activation", CHIP_ACTIVATIONS)
def test_it_is_what_nengo_dl_trains_the_chips_own_neurons_with(activation, monkeypatch):
    """A network of NengoLoihi's neurons, outputs and gradients, in NengoDL."""
    loihi = pytest.importorskip("nengo_loihi")
    dl, chip = nengo_dl(), ChipUnits(180.0, tau_rc=0.03, tau_ref=0.003)
    known = dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    for name, builder in loihi_builders().items():
        monkeypatch.setitem(known, getattr(loihi.neurons, name), builder)
    kind = loihi.neurons.LoihiSpikingRectifiedLinear()
    if activation == "loihi-lif":
        kind = loihi.neurons.LoihiLIF(tau_rc=0.03, tau_ref=0.003)
    gain, bias = chip.gain_bias(activation)
    with nengo.Network(seed=0) as model:
        dl.configure_settings(dtype="float64", stateful=False)
        dl.configure_settings(lif_smoothing=None)
        node = nengo.Node(np.zeros(40))
        ensemble = nengo.Ensemble(
            40, 1, neuron_type=kind, gain=np.ones(40), bias=np.full(40, bias)
        )
        nengo.Connection(node, ensemble.neurons, transform=gain, synapse=None)
        nengo.Probe(ensemble.neurons)
    drives = np.random.default_rng(1).uniform(-1, 4, (3, 40))
    with dl.Simulator(model, minibatch_size=3, progress_bar=False) as sim:
        x = tf.constant(drives[:, None])
        inputs = [x, tf.ones((3, 1), tf.int32)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = sim.keras_model(inputs, training=True)[0]
        slopes = tape.gradient(y, x).numpy()[:, 0]
    own = tf.constant(drives)
    with tf.GradientTape() as tape:
        tape.watch(own)
        h = curve_of(activation, chip)(own)
    np.testing.assert_allclose(h * chip.max_rate, y[:, 0], rtol=1e-12)
    of_h = tape.gradient(h, own) * chip.max_rate
    np.testing.assert_allclose(of_h, slopes, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("connections", "last"), [("W_x", True), ("W_x W_h", False)])
def test_all_times_at_once_are_the_reference(lmu, connections, last):
    params = with_chips(lmu(CHIP_ACTIVATIONS, connections), CHIPS)
    x = np.random.default_rng(2).normal(size=(5, 80, 2))
    engine = ParallelEngine(params, TrainSettings(precision="float64"), None, last)
    found = engine.outputs(params.arrays(), engine.features(x))
    expected = forward(params, x, last=last)
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize(("connections", "last"), [("W_x", True), ("W_x W_h", False)])
def test_step_by_step_in_nengo_dl_agrees(lmu, connections, last):
    """Outputs and gradients of two cells with other rates each."""
    from lmu_spiking.training.bptt import BPTTEngine

    params = with_chips(lmu(CHIP_ACTIVATIONS, connections), CHIPS)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 15, 2))
    y = rng.normal(size=forward(params, x, last=last).shape)
    settings = TrainSettings(batch=4, precision="float64", rate_penalty=0.1)
    times = ParallelEngine(params, settings, None, last)
    steps = BPTTEngine(params, settings, None, last, 4)
    try:
        arrays = params.arrays()
        found = steps.outputs(arrays, steps.features(x))
        np.testing.assert_allclose(found, forward(params, x, last=last), atol=1e-9)
        loss, gradients = steps.gradients(arrays, steps.features(x), y)
    finally:
        steps.close()
    other, expected = times.gradients(arrays, times.features(x), y)
    assert loss == pytest.approx(other, rel=1e-9)
    for name, g in gradients.items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(g, expected[name], rtol=0, atol=1e-8 * scale)


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


def test_nengo_loihi_may_come_first():
    """NengoLoihi, imported first, does not keep NengoDL from being imported."""
    pytest.importorskip("nengo_loihi")
    code = """if True:
        import nengo_loihi, tensorflow as tf
        from lmu_spiking.lmu import ChipUnits
        from lmu_spiking.training import chip, _keras
        print(chip.curve_of("loihi-lif", ChipUnits(150.0))(tf.constant([2.0]))[0])
        print(_keras.nengo_dl().__name__)
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("nengo_dl\n")


def test_other_activations_are_tensorflows_own():
    a = np.linspace(-2, 2, 9)
    for name in ("tanh", "relu", "linear"):
        np.testing.assert_allclose(curve_of(name, None)(a), activations(name, a))
