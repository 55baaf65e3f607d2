import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import forward
from lmu_spiking.training import TrainSettings
from lmu_spiking.training.optimizers import Optimizer
from lmu_spiking.training.parallel_engine import ParallelEngine

pytest.importorskip("tensorflow")


@pytest.fixture
def bptt():
    """An engine, closed at the end."""
    from lmu_spiking.training.bptt import BPTTEngine

    made = []

    def make(params, last, sequences=4, classes=None, **settings):
        settings = TrainSettings(batch=sequences, **settings)
        made.append(BPTTEngine(params, settings, classes, last, sequences))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def _values(engine):
    cells = engine.params.cells
    return {
        **engine.params.arrays(),
        **{n: cells[int(n[4])].theta for n in engine.thetas},
    }


@pytest.mark.parametrize(
    ("cells", "connections", "memory_d", "last", "precision", "within"),
    [
        (["relu"], "W_x", 1, False, "float32", 1e-4),
        (["tanh", "relu"], "W_x W_h", 2, True, "float64", 1e-11),
    ],
)
def test_both_ways_agree(
    lmu, bptt, cells, connections, memory_d, last, precision, within
):
    """Outputs, loss, and gradients of every array and window."""
    params = lmu(cells, connections, memory_d)
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, 20, 2))
    y = rng.normal(size=forward(params, x, last=last).shape)
    settings = {"precision": precision, "trainable_theta": True, "rate_penalty": 0.1}
    steps = bptt(params, last, **settings)
    times = ParallelEngine(params, TrainSettings(**settings), None, last)
    values = _values(times)
    expected = times.outputs(values, times.features(x))
    found = steps.outputs(values, steps.features(x[:3]))  # not a whole batch
    np.testing.assert_allclose(found, expected[:3], atol=within * np.ptp(expected))
    loss, gradients = steps.gradients(values, steps.features(x), y)
    other, expected = times.gradients(values, times.features(x), y)
    assert loss == pytest.approx(other, rel=within)
    assert list(gradients) == list(expected)
    for name, g in gradients.items():
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(g, expected[name], rtol=0, atol=within * scale)


def test_recurrent_cells_are_those_of_the_reference(lmu, bptt):
    """And their gradients those of differences, along a direction in each array."""
    params = lmu(["tanh", "relu"], "e_h e_m W_x W_h", 2)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 12, 2))
    expected = forward(params, x)
    y = rng.normal(size=expected.shape)
    engine = bptt(params, False, 3, precision="float64", trainable_theta=(0,))
    values = _values(engine)
    found = engine.outputs(values, engine.features(x))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    _, gradients = engine.gradients(values, engine.features(x), y)

    def loss(name, step):
        moved = params.updated({name: values[name] + step})
        return np.mean((forward(moved, x) - y) ** 2)

    for name, g in gradients.items():
        toward = 1e-6 * rng.normal(size=np.shape(values[name]))
        toward *= values[name] if name.endswith("theta") else 1.0
        slope = (loss(name, toward) - loss(name, -toward)) / 2
        assert np.sum(g * toward) == pytest.approx(slope, rel=1e-4, abs=1e-13)


def test_a_memory_at_rest_lets_gradients_pass(bptt):
    """Encoders of 0 and 1, which a simplification must not remove."""
    from lmu_spiking.lmu import LMUParams

    cell = {"units": 4, "order": 3, "theta": 0.01, "connections": ""}
    params = LMUParams.draw(1, 2, [cell], seed=1)
    x, y = np.ones((2, 8, 1)), np.ones((2, 2))
    steps = bptt(params, True, 2, precision="float64")
    times = ParallelEngine(params, TrainSettings(precision="float64"), None, True)
    for encoder in (0.0, 1.0):
        values = {**params.arrays(), "cell0.e_x": np.array([[encoder]])}
        found = steps.gradients(values, steps.features(x), y)[1]["cell0.e_x"]
        expected = times.gradients(values, times.features(x), y)[1]["cell0.e_x"]
        assert expected != 0
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_both_ways_descend_alike(lmu, bptt):
    """The same losses over 20 steps of gradient descent, within 1e-3."""
    params = lmu(["relu"])
    settings = TrainSettings(optimizer="sgd", learning_rate=0.05, batch=4)
    rng = np.random.default_rng(4)
    batches = [
        (rng.normal(size=(4, 15, 2)), rng.integers(3, size=4)) for _ in range(20)
    ]
    curves = []
    for engine in (
        ParallelEngine(params, settings, 3, True),
        bptt(params, True, classes=3),
    ):
        weights, optimizer, curve = dict(params.arrays()), Optimizer(settings), []
        for x, y in batches:
            loss, gradients = engine.gradients(weights, engine.features(x), y)
            optimizer.update(weights, gradients, settings.learning_rate)
            curve.append(loss)
        curves.append(curve)
    assert curves[0][0] != curves[0][-1]
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-3)


@pytest.mark.parametrize("settings", [{"noise": 0.1}, {"late": 0.1}, {"crop": 5}])
def test_what_needs_all_times_at_once_is_refused(lmu, bptt, settings):
    with pytest.raises(ValidationError, match="parallel mode"):
        bptt(lmu(["relu"]), True, **settings)
