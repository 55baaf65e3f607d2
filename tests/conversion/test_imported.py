"""Models that keras-lmu trained, as rate networks and as spikes."""

import sys
import zipfile
from pathlib import Path

import nengo
import numpy as np
import pytest

from lmu_spiking.conversion import convert, present
from lmu_spiking.lmu import forward
from lmu_spiking.lmu.importers import import_params
from lmu_spiking.networks.stack import LMUNetwork

pytest.importorskip("h5py")

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    unpacked = tmp_path_factory.mktemp("models")
    with zipfile.ZipFile(DATA / "keras_lmu-0.9.0-keras3.zip") as packed:
        packed.extractall(unpacked)
    return unpacked


@pytest.fixture(scope="module")
def inputs():
    sys.path.insert(0, str(DATA))
    try:
        from make_keras_lmu import inputs
    finally:
        sys.path.remove(str(DATA))
    return inputs


def run(params, x):
    """Outputs of the rate network at every step, all sequences side by side."""
    n, T, _ = x.shape
    with nengo.Network() as model:
        network = LMUNetwork(params, copies=n)
        shown = x.transpose(1, 0, 2).reshape(T, -1)
        shown = nengo.processes.PresentInput(shown, params.dt)
        nengo.Connection(nengo.Node(shown), network.input, synapse=None)
        output = nengo.Probe(network.output)
    with nengo.Simulator(model, dt=params.dt, progress_bar=False) as sim:
        sim.run_steps(network.read_step(T - 1) + 1)
    y = sim.data[output].reshape(-1, n, params.size_out)
    return y[[network.read_step(t) for t in range(T)]].transpose(1, 0, 2)


@pytest.mark.parametrize("name", ["recurrent", "feedforward", "theta", "stacked"])
def test_rate_network_equals_keras_lmu(folder, inputs, name):
    params = import_params(folder / f"{name}.keras")
    with np.load(folder / "expected.npz") as file:
        expected = file[name]
    y = run(params, inputs(params.size_in))
    y = y if expected.ndim == 3 else y[:, -1]
    if params.header["source"]["readout_activation"] == "softmax":
        y = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)
    assert len(y) == 100
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["recurrent", "feedforward", "stacked"])
def test_it_spikes_with_noise_that_falls_with_neurons(folder, inputs, name):
    params = import_params(folder / f"{name}.keras")
    x = inputs(params.size_in)[:16]
    exact = forward(params, x)
    errors = []
    for m in (10**6, 10**8):
        made = convert(params, x, n_neurons=m, presentation=0.001, last=False)
        errors.append(np.std(present(made, x).y - exact))
    assert errors[1] < 0.15 * errors[0]  # 1/10 is predicted
    assert errors[1] < 0.1 * np.std(exact)
