import itertools

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import LMUParams, forward
from lmu_spiking.training import TrainSettings, train
from lmu_spiking.training._jax import precision_of
from lmu_spiking.training.engine import JaxEngine
from lmu_spiking.training.optimizers import Descent

OPTIONAL = ("e_h", "e_m", "W_x", "W_h")
SUBSETS = [
    " ".join(names)
    for size in range(len(OPTIONAL) + 1)
    for names in itertools.combinations(OPTIONAL, size)
]
QUICK = ("W_x", "e_h W_h", "e_h e_m W_x W_h")  # the others are as slow to build


@pytest.fixture
def nengo_dl():
    """An engine, closed at the end."""
    from lmu_spiking.training.nengo_dl import NengoDLEngine

    made = []

    def make(params, last, sequences=4, classes=None, **settings):
        settings = TrainSettings(batch=sequences, **settings)
        made.append(NengoDLEngine(params, settings, classes, last, sequences))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def _weights(engine):
    cells = engine.params.cells
    windows = {n: np.log(cells[int(n[4])].theta) for n in engine.thetas}
    return engine.params.arrays() | windows


def _same(found, expected, within):
    scale = np.abs(np.asarray(expected)).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=within * scale)


WITHIN = {"float32": 1e-4, "float64": 1e-10}
CELLS = {"float32": ["tanh"], "float64": ["tanh", "relu"]}  # that are quick enough


def _case(connections, cells, precision):
    quick = connections in QUICK and CELLS[precision] == cells
    marks = () if quick else pytest.mark.slow
    return pytest.param(connections, cells, precision, marks=marks)


@pytest.mark.parametrize(
    ("connections", "cells", "precision"),
    [_case(*each) for each in itertools.product(SUBSETS, CELLS.values(), WITHIN)],
)
def test_both_engines_agree(lmu, nengo_dl, connections, cells, precision):
    """Outputs, loss, and gradients of every array and window, of every subset."""
    params, last = lmu(cells, connections, 2), len(cells) == 2
    within = WITHIN[precision]
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, 12, 2))
    y = rng.normal(size=forward(params, x, last=last).shape)
    settings = {"precision": precision, "trainable_theta": True, "rate_penalty": 0.1}
    steps = nengo_dl(params, last, **settings)
    weights = _weights(steps)
    with precision_of(precision):
        times = JaxEngine(params, TrainSettings(**settings), None, last)
        expected = times.outputs(weights, times.features(x))
        other, of_jax = times.gradients(weights, times.features(x), y)
    found = steps.outputs(weights, steps.features(x[:3]))  # not a whole batch
    np.testing.assert_allclose(found, expected[:3], atol=within * np.ptp(expected))
    loss, gradients = steps.gradients(weights, steps.features(x), y)
    assert loss == pytest.approx(float(other), rel=within)
    assert list(gradients) == list(of_jax)
    for name, g in gradients.items():
        _same(of_jax[name], g, within)


def test_a_memory_at_rest_lets_gradients_pass(nengo_dl):
    """Encoders of 0 and 1, which a simplification must not remove."""
    cell = {"units": 4, "order": 3, "theta": 0.01, "connections": ""}
    params = LMUParams.draw(1, 2, [cell], seed=1)
    x, y = np.ones((2, 8, 1)), np.ones((2, 2))
    steps = nengo_dl(params, True, 2, precision="float64")
    for encoder in (0.0, 1.0):
        weights = {**params.arrays(), "cell0.e_x": np.array([[encoder]])}
        found = steps.gradients(weights, steps.features(x), y)[1]["cell0.e_x"]
        with precision_of("float64"):
            times = JaxEngine(params, TrainSettings(precision="float64"), None, True)
            expected = times.gradients(weights, times.features(x), y)[1]["cell0.e_x"]
        assert expected != 0
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("connections", ["", "e_h e_m W_x W_h"])
def test_both_engines_descend_alike(lmu, nengo_dl, connections):
    """Both have the same losses over 20 steps of gradient descent, within 1e-3."""
    params = lmu(["relu"], connections)
    settings = TrainSettings(optimizer="sgd", learning_rate=0.05, batch=4)
    rng = np.random.default_rng(4)
    batches = [
        (rng.normal(size=(4, 15, 2)), rng.integers(3, size=4)) for _ in range(20)
    ]
    curves = []
    for engine in (
        JaxEngine(params, settings, 3, True),
        nengo_dl(params, True, classes=3),
    ):
        descent = Descent(params.arrays(), settings, engine.names, 20, params.dt)
        curve = []
        for x, y in batches:
            features = engine.features(x)
            loss, gradients = engine.gradients(descent.weights, features, y)
            descent.move(gradients)
            curve.append(float(loss))
        curves.append(curve)
    assert curves[0][0] != curves[0][-1]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)


def test_a_training_of_either_engine_is_the_same(lmu, task):
    """Epochs, validation, trained windows and all; the header names the engine."""
    params, data = lmu(["tanh"], "W_x W_h"), task(classes=3, steps=10)
    settings = TrainSettings(
        epochs=2, batch=8, trainable_theta=True, precision="float64", weight_decay=0.1
    )
    trained = {e: train(params, data, settings, engine=e) for e in ("jax", "nengo-dl")}
    for name, one in trained.items():
        assert one.engine == one.params.header["training"]["engine"] == name
        assert ("nengo_dl" in one.params.header["versions"]) == (name == "nengo-dl")
    one, other = (trained[name].params for name in trained)
    for name, array in one.arrays().items():
        _same(array, other.arrays()[name], 1e-8)
    assert one.cells[0].theta == pytest.approx(other.cells[0].theta, rel=1e-8)
    assert one.cells[0].theta != params.cells[0].theta


@pytest.mark.parametrize("settings", [{"noise": 0.1}, {"late": 0.1}, {"crop": 5}])
def test_what_the_network_has_no_place_for_is_refused(lmu, nengo_dl, settings):
    with pytest.raises(ValidationError, match=r"nengo-dl; set it to 0, or use jax"):
        nengo_dl(lmu(["relu"]), True, **settings)


def test_parameters_go_into_a_simulator_and_come_back(lmu):
    """A program of NengoDL's own trains them."""
    import nengo

    from lmu_spiking.training._keras import nengo_dl, tensorflow
    from lmu_spiking.training.nengo_dl import nengo_dl_network, read_params

    params, dl = lmu(["tanh", "relu"], "e_h W_x W_h", 2), nengo_dl()
    with nengo.Network(seed=0) as model:
        dl.configure_settings(trainable=False, dtype="float64", stateful=False)
        stimulus = nengo.Node(np.zeros(2))
        network = nengo_dl_network(params)
        nengo.Connection(stimulus, network.input, synapse=None)
        probe = nengo.Probe(network.output)
        for connection in network.parameters.values():
            model.config[connection].trainable = True
    x = np.random.default_rng(0).normal(size=(4, 9, 2))
    y = np.random.default_rng(1).normal(size=(4, 9, 3))
    with dl.Simulator(model, minibatch_size=4, progress_bar=False) as simulator:
        kept = read_params(simulator, network)
        optimizer = tensorflow().optimizers.SGD(0.1)
        simulator.compile(optimizer=optimizer, loss="mse")
        simulator.fit({stimulus: x}, {probe: y}, epochs=1, verbose=0)
        trained = read_params(simulator, network)
        found = simulator.predict({stimulus: x})[probe]
    for name, array in params.arrays().items():
        np.testing.assert_array_equal(kept.arrays()[name], array)
        assert not np.array_equal(trained.arrays()[name], array), name
    late = len(params.cells)
    expected = forward(trained, x)[:, :-late]
    np.testing.assert_allclose(found[:, late:], expected, atol=1e-9)
