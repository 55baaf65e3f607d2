import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.experiments import rivals
from lmu_spiking.experiments.learning import cost
from lmu_spiking.lmu import LMUParams, forward
from lmu_spiking.tasks import load_task
from lmu_spiking.training.recipes import recipe_for


@pytest.fixture(scope="module")
def data():
    return load_task("mackey-glass", n_series=4, steps=120)


@pytest.fixture(scope="module")
def fitted(data):
    return cost.timed_lstm(data, 150, 0.5, batch=1)


@pytest.mark.parametrize("params", [300, 4606, 106_811])
def test_an_lstm_of_as_many_parameters(data, params):
    def size(u):
        return 4 * u * (u + 2) + u + 1

    model = rivals.lstm_for(data, params)
    units = len(model.arrays["lstm0.U"])
    assert size(units) == model.n_params <= params < size(units + 1)


def test_history_ends_with_the_time(fitted):
    gone = [row["seconds"] for row in fitted.history]
    assert gone == sorted(gone)
    assert gone[-1] >= 0.5 > [0.0, *gone][-2]
    assert fitted.params == 4 * 5 * (5 + 2) + 5 + 1


def test_a_step_in_numpy_is_that_of_jax(fitted, data):
    x = data.test.x[:2, :20]
    step = cost.lstm_step(fitted.weights, 2)
    stream = np.stack([step(x[:, t]) for t in range(20)], axis=1)
    np.testing.assert_allclose(stream, fitted.predict(x), atol=1e-5)


def test_a_step_of_the_lmu_is_that_of_its_equations():
    cell = {"units": 7, "order": 5, "theta": 0.02, "activation": "relu"}
    cell |= {"connections": "", "bias": True, "memory_d": 2}
    params = LMUParams.draw(3, 4, [cell], seed=1)
    x = np.random.default_rng(0).standard_normal((2, 30, 3))
    step = cost.lmu_step(params, 2)
    stream = np.stack([step(x[:, t].astype(np.float32)) for t in range(30)], axis=1)
    np.testing.assert_allclose(stream, forward(params, x), atol=1e-4)


@pytest.mark.parametrize("model", ["LMU", "LSTM"])
def test_a_step_that_is_not_read_moves_the_state_alike(fitted, model):
    cells = [{"units": 4, "order": 3, "theta": 0.02, "connections": ""}] * 2
    params = LMUParams.draw(1, 1, cells, seed=1)
    x = np.random.default_rng(0).standard_normal((9, 2, 1)).astype(np.float32)
    outputs = []
    for read in (True, False):
        if model == "LMU":
            step = cost.lmu_step(params, 2)
        else:
            step = cost.lstm_step(fitted.weights, 2)
        before = [step(each, read) for each in x[:-1]]
        assert all((y is None) != read for y in before)
        outputs.append(step(x[-1]))
    np.testing.assert_array_equal(*outputs)
    if model == "LMU":
        exact = forward(params, x.swapaxes(0, 1))[:, -1]
        np.testing.assert_allclose(outputs[0], exact, atol=1e-4)


def test_cost_tells_curves_and_times_of_both():
    data = load_task("mackey-glass", n_series=4, steps=120)
    found = cost.cost_of(data, recipe_for("mackey-glass"), 0.5)
    assert {row["model"] for row in found["curves"]} == {"LMU", "LSTM"}
    assert found["lstm_params"] == pytest.approx(found["params"], rel=0.05)
    assert len(found["inference"]) == 8
    assert all(row["seconds_per_step"] > 0 for row in found["inference"])
