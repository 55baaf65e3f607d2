import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.experiments import rivals
from lmu_spiking.experiments.rivals import _batches, fit, hybrid_model, lstm_model
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training._jax import jax, precision_of


def task(steps=24, classes=None):
    """Echo of the step before, or the sign of the first sample."""
    rng, parts = np.random.RandomState(0), []
    for n in (40, 10, 10):
        x = rng.uniform(-1, 1, (n, steps, 1))
        echo = np.concatenate([np.zeros((n, 1, 1)), x[:, :-1]], axis=1)
        parts.append(Part(x, (x[:, 0, 0] > 0).astype(int) if classes else echo))
    return Sequences("echo", *parts, 0.001, classes, bool(classes), "drawn")


def by_steps(arrays, x, depth, last=False):
    """Outputs of LSTM layers, a step and a gate at a time."""

    def logistic(z):
        return 1 / (1 + np.exp(-z))

    for k in range(depth):
        W, U, b = (np.asarray(arrays[f"lstm{k}.{name}"], float) for name in "WUb")
        h = s = np.zeros((len(x), len(U)))
        every = []
        for t in range(x.shape[1]):
            i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=1)
            s = logistic(f) * s + logistic(i) * np.tanh(g)
            h = logistic(o) * np.tanh(s)
            every.append(h)
        x = np.stack(every, axis=1)
    return (x[:, -1] if last else x) @ arrays["readout.W"] + arrays["readout.b"]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("layers", [(7,), (6, 5)])
def test_lstm_is_that_of_its_equations(layers, last):
    x = np.random.default_rng(0).standard_normal((3, 20, 2))
    model = lstm_model(2, 4, layers, last=last, seed=1)
    outputs = model.outputs(model.arrays, x.astype("f"))
    wanted = by_steps(model.arrays, x, len(layers), last)
    np.testing.assert_allclose(outputs, wanted, atol=1e-6)


@pytest.mark.parametrize("last", [False, True])
def test_slopes_are_those_of_small_differences(last):
    rng = np.random.default_rng(0)
    model = lstm_model(2, 3, (5, 4), last=last)
    arrays = {name: a.astype(float) for name, a in model.arrays.items()}
    away = {name: rng.standard_normal(a.shape) for name, a in arrays.items()}
    x = rng.standard_normal((3, 15, 2))

    def loss(arrays, x):
        return (model.outputs(arrays, x) ** 2).sum()

    def moved(sign):
        near = {name: a + sign * 1e-5 * away[name] for name, a in arrays.items()}
        return float(loss(near, x + sign * 1e-5))

    # in double precision: along one direction in all arrays and inputs
    with precision_of("float64"):
        slopes, by_x = jax.grad(loss, (0, 1))(arrays, x)
        along = sum(np.sum(slopes[name] * away[name]) for name in arrays)
        along += np.sum(by_x)
        assert along == pytest.approx((moved(1) - moved(-1)) / 2e-5, rel=1e-7)


def test_hybrid_has_the_memory_of_the_delay_network():
    ldn, x = LDN(5, 12.0), np.random.default_rng(0).standard_normal((2, 30, 1))
    options = {"order": 5, "theta": 12, "units": 8, "layers": (6,), "scale": 0.7}
    model = hybrid_model(1, 2, **options)
    m = np.stack([ldn.simulate(0.7 * one[:, 0], 1.0) for one in x])
    h = np.maximum(0, m @ model.arrays["cell.W"] + model.arrays["cell.b"])
    found = model.outputs(model.arrays, x.astype("f"))
    np.testing.assert_allclose(found, by_steps(model.arrays, h, 1), atol=1e-5)


def test_weights_are_drawn_as_keras_draws_them():
    arrays = lstm_model(3, 2, (50,)).arrays
    W, U, b = (arrays[f"lstm0.{name}"] for name in "WUb")
    limit = np.sqrt(6 / (3 + 200))
    assert 0.95 * limit < np.abs(W).max() <= limit
    np.testing.assert_allclose(U @ U.T, np.eye(50), atol=1e-5)
    np.testing.assert_array_equal(b.reshape(4, 50), np.outer([0, 1, 0, 0], np.ones(50)))
    assert not arrays["readout.b"].any()


def test_each_gradient_is_clipped_by_its_own_norm():
    slopes = {"long": np.float32([3, 4]), "short": np.float32([0.3]), "none": [0.0]}
    clipped, _ = rivals._clipped_each(1.0).update(slopes, None)
    np.testing.assert_allclose(clipped["long"], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(clipped["short"], [0.3], rtol=1e-6)
    assert clipped["none"] == [0.0]


def test_sizes_are_as_published():
    assert lstm_model(1, 1).n_params == 18_026
    assert lstm_model(1, 10, (160,), last=True).n_params == 105_290


@pytest.fixture
def clock(monkeypatch):
    """A tenth of a second from look to look."""
    ticks = itertools.count()
    look = SimpleNamespace(perf_counter=lambda: next(ticks) / 10)
    monkeypatch.setattr(rivals, "time", look)


def test_each_limit_gives_its_best(clock):
    data = task()
    options = {"order": 4, "theta": 6, "units": 8, "layers": (6,)}
    model = hybrid_model(1, 1, **options)
    first, second = fit(model, data, (0.35, 1.05), batch=8, piece=12)
    assert (first.updates, second.updates) == (3, 7)
    assert second.history[: len(first.history)] == first.history
    assert second.outputs.shape == data.test.y.shape
    assert second.test < 1.2
    assert second.history[-1]["seconds"] <= second.seconds
    assert "valid_nrmse" in second.history[0]


def test_classes_are_read_at_the_end(clock):
    (only,) = fit(lstm_model(1, 2, (4,), last=True), task(classes=2), (0.1,), batch=8)
    assert (only.updates, only.outputs.shape) == (2, (10, 2))
    assert only.history[0].keys() >= {"valid_accuracy", "loss"}


def test_digits_trained_on_are_not_called_validation(clock):
    data = task(classes=2).merged()
    (only,) = fit(lstm_model(1, 2, (4,), last=True), data, (0.1,), batch=8)
    assert only.history[0].keys() >= {"seen_accuracy", "seen_loss"}
    assert not any("valid" in name for name in only.history[0])


def test_pieces_keep_input_and_target_together():
    data = task(steps=25)
    batches = _batches(data, np.random.default_rng(0), 16, 12)
    for _ in range(10):
        x, y, share = next(batches)
        assert x.shape == y.shape == (16, 12, 1)
        np.testing.assert_array_equal(y[:, 1:], x[:, :-1])
        assert share == 0.2


def echoes():
    """Sequences that are trained and chosen by, and the same one step later."""
    data = task(steps=12)
    return replace(data, valid=data.train)


def test_learns_to_delay_by_a_step():
    options = {"epochs": 150, "batch": 10, "shuffle": False}
    (only,) = fit(lstm_model(1, 1, (16,)), echoes(), [np.inf], **options)
    assert only.epochs == pytest.approx(150)
    x, y = echoes().train.x, echoes().train.y
    assert only.history[-1].keys() >= {"seen_nrmse"}
    assert only.predict(x).shape == y.shape
    assert np.mean((only.predict(x) - y) ** 2) < 0.3 * np.mean(y**2)


def test_seed_decides():
    losses = [
        fit(lstm_model(1, 1, (4,), seed=seed), echoes(), [np.inf], epochs=2, seed=seed)
        for seed in (0, 0, 1)
    ]
    losses = [only.history[-1]["loss"] for (only,) in losses]
    assert losses[0] == pytest.approx(losses[1])
    assert losses[0] != pytest.approx(losses[2])
