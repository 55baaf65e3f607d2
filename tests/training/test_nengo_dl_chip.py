"""Rates of a chip in NengoDL networks, beside JAX and NengoExtras."""

import dataclasses
import importlib
import subprocess
import sys
import warnings

import nengo
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from lmu_spiking.lmu import CHIP_ACTIVATIONS, ChipUnits, forward
from lmu_spiking.training import TrainSettings
from lmu_spiking.training._jax import jax, precision_of
from lmu_spiking.training._keras import nengo_dl
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.engine import JaxEngine

CHIPS = [ChipUnits(), ChipUnits(150.0, 0.002, 0.03, 0.004)]


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
    with precision_of("float64"):
        h, back = jax.vjp(curve_of(activation, chip), jax.numpy.asarray(drives))
        of_h = np.asarray(back(jax.numpy.full_like(h, chip.max_rate))[0])
        h = np.asarray(h)
    np.testing.assert_allclose(h * chip.max_rate, y[:, 0], rtol=1e-12)
    np.testing.assert_allclose(of_h, slopes, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("connections", "last"), [("W_x", True), ("W_x W_h", False)])
def test_both_engines_agree(lmu, connections, last):
    """Outputs and gradients of two cells with other rates each."""
    from lmu_spiking.training.nengo_dl import NengoDLEngine

    params = lmu(CHIP_ACTIVATIONS, connections)
    cells = zip(params.cells, CHIPS, strict=True)
    cells = tuple(dataclasses.replace(cell, chip=chip) for cell, chip in cells)
    params = dataclasses.replace(params, cells=cells)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 15, 2))
    y = rng.normal(size=forward(params, x, last=last).shape)
    settings = TrainSettings(batch=4, precision="float64", rate_penalty=0.1)
    steps, arrays = NengoDLEngine(params, settings, None, last, 4), params.arrays()
    try:
        found = steps.outputs(arrays, steps.features(x))
        np.testing.assert_allclose(found, forward(params, x, last=last), atol=1e-9)
        loss, gradients = steps.gradients(arrays, steps.features(x), y)
    finally:
        steps.close()
    with precision_of("float64"):
        times = JaxEngine(params, settings, None, last)
        other, expected = times.gradients(arrays, times.features(x), y)
    assert loss == pytest.approx(float(other), rel=1e-9)
    for name, g in gradients.items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(g, expected[name], rtol=0, atol=1e-8 * scale)


def test_nengo_loihi_may_come_first():
    """NengoLoihi, imported first, does not keep NengoDL from being imported."""
    pytest.importorskip("nengo_loihi")
    code = """if True:
        import nengo_loihi
        from lmu_spiking.training import _keras
        print(_keras.nengo_dl().__name__)
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("nengo_dl\n")
