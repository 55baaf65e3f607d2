import numpy as np
import pytest

from lmu_spiking.lmu import forward
from lmu_spiking.training import TrainSettings, parallel_engine
from lmu_spiking.training.parallel_engine import ParallelEngine

pytest.importorskip("tensorflow")


def _values(engine):
    cells = engine.params.cells
    windows = {n: cells[int(n[4])].theta for n in engine.thetas}
    return {**engine.params.arrays(), **windows}


def _of(params, x, last, **settings):
    engine = ParallelEngine(params, TrainSettings(**settings), None, last)
    return engine, _values(engine), engine.features(x)


@pytest.mark.parametrize(
    ("precision", "within"), [("float32", 1e-5), ("float64", 1e-12)]
)
@pytest.mark.parametrize(
    ("cells", "connections", "memory_d", "last", "steps"),
    [
        (["relu"], "W_x", 1, True, 150),
        (["tanh"], "W_x", 2, False, 150),  # blocks, the last one not full
        (["relu", "tanh"], "W_x", 2, True, 150),
        (["tanh", "linear"], "W_x", 1, False, 40),  # less than a block
        (["relu", "tanh"], "W_x W_h", 2, True, 70),
    ],
)
def test_outputs_are_those_of_the_reference(
    lmu, precision, within, cells, connections, memory_d, last, steps
):
    params = lmu(cells, connections, memory_d)
    x = np.random.default_rng(2).normal(size=(5, steps, 2))
    expected = forward(params, x, last=last)
    for theta in (False, True):  # with states that are kept, and without
        engine, values, features = _of(
            params, x, last, precision=precision, trainable_theta=theta
        )
        assert ("states" in features) is not theta
        error = engine.outputs(values, features, batch=2) - expected
        assert np.abs(error).max() < within * np.abs(expected).max()


@pytest.mark.parametrize("last", [True, False])
def test_kept_states_change_nothing(lmu, monkeypatch, last):
    params = lmu(["relu", "tanh"] if not last else ["tanh"], "W_x")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(5, 70, 2)), rng.normal(size=(5, 3) if last else (5, 70, 3))
    engine, values, features = _of(params, x, last, precision="float64")
    kept = engine.gradients(values, features, y)
    monkeypatch.setattr(parallel_engine, "ROOM", 0)
    engine, values, features = _of(params, x, last, precision="float64")
    assert "states" not in features
    loss, gradients = engine.gradients(values, features, y)
    assert loss == pytest.approx(kept[0], rel=1e-13)
    for name, g in gradients.items():
        np.testing.assert_allclose(g, kept[1][name], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(
    ("cells", "connections", "last"),
    [
        (["tanh"], "W_x", True),
        (["tanh", "linear"], "W_x", False),
        (["tanh"], "W_h", True),
    ],
)
def test_gradients_are_those_of_differences(lmu, cells, connections, last):
    """Along a random direction in all arrays and windows; of the numpy reference."""
    params = lmu(cells, connections, 2)
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4, 90, 2))
    engine, values, features = _of(
        params, x, last, precision="float64", trainable_theta=True
    )
    y = rng.normal(size=forward(params, x, last=last).shape)
    _, gradients = engine.gradients(values, features, y)

    def loss(name, step):
        moved = params.updated({name: values[name] + step})
        return np.mean((forward(moved, x, last=last) - y) ** 2)

    assert set(gradients) == {*params.arrays(), *engine.thetas}
    for name, g in gradients.items():
        toward = rng.normal(size=np.shape(values[name]))
        toward *= 1e-5 * (values[name] if name.endswith("theta") else 1.0)
        slope = (loss(name, toward) - loss(name, -toward)) / 2
        assert np.sum(g * toward) == pytest.approx(slope, rel=1e-5, abs=1e-12)


def test_noise_is_drawn_in_units_of_the_states(lmu):
    """Its share of a linear cell's loss is the variance that it adds, within 5 s.e."""
    params = lmu(["linear"])
    x = np.random.default_rng(5).normal(size=(4000, 30, 2))
    y = forward(params, x, last=True)
    engine, values, features = _of(params, x, True, noise=0.3, precision="float64")
    loss, _ = engine.gradients(values, features, y, rng=np.random.default_rng(6))
    to_y = params.D @ params.cells[0].W_m
    m = np.einsum("kc,ncd->nkd", params.cells[0].e_x, features["states"][:, :2])
    m += params.cells[0].b_u[:, None] * features["states"][:, 2:]
    covariance = np.diag(0.3**2 * np.mean(m**2, axis=(0, 1)))
    expected = np.trace(to_y @ covariance @ to_y.T) / 3
    assert loss == pytest.approx(expected, rel=5 * np.sqrt(2 / 4000))
    settings = {"noise_covariance": covariance, "precision": "float64"}
    engine, values, features = _of(params, x, True, **settings)
    loss, _ = engine.gradients(values, features, y, rng=np.random.default_rng(7))
    assert loss == pytest.approx(expected, rel=5 * np.sqrt(2 / 4000))
    assert engine.gradients(values, features, y)[0] < 1e-20  # no rng, no noise


def test_a_penalty_is_the_mean_activity(lmu):
    params = lmu(["linear"]).updated({"cell0.W_m": np.zeros((7, 6))})
    x = np.ones((3, 10, 2))
    y = forward(params, x, last=True)
    engine, values, features = _of(params, x, True, rate_penalty=2.0)
    expected = 2 * np.mean(np.abs(params.cells[0].b))
    assert engine.gradients(values, features, y)[0] == pytest.approx(expected, rel=1e-6)
