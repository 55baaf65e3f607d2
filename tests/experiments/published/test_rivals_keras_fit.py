import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.tasks.sequences import Part, Sequences

pytest.importorskip("tensorflow")
from lmu_spiking.experiments.published import rivals as keras_fit
from lmu_spiking.experiments.published.rivals import (
    _batches,
    fit,
    hybrid_model,
    lstm_model,
    memory,
)


def task(steps=24, classes=None):
    """Echo of the step before, or the sign of the first sample."""
    rng, parts = np.random.RandomState(0), []
    for n in (40, 10, 10):
        x = rng.uniform(-1, 1, (n, steps, 1))
        echo = np.concatenate([np.zeros((n, 1, 1)), x[:, :-1]], axis=1)
        parts.append(Part(x, (x[:, 0, 0] > 0).astype(int) if classes else echo))
    return Sequences("echo", *parts, 0.001, classes, bool(classes), "drawn")


def test_memory_is_the_delay_networks():
    ldn, u = LDN(5, 12.0), np.random.RandomState(0).randn(2, 30, 1).astype("f")
    impulse = np.eye(40)[0]
    found = memory(u, ldn.simulate(impulse, 1.0).astype("f"))
    wanted = np.stack([ldn.simulate(one[:, 0], 1.0) for one in u])
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_sizes_are_as_published():
    assert lstm_model(1, 1).count_params() == 18_026
    assert lstm_model(1, 10, (160,), last=True).count_params() == 105_290


@pytest.fixture
def clock(monkeypatch):
    """A tenth of a second from look to look."""
    ticks = itertools.count()
    look = SimpleNamespace(perf_counter=lambda: next(ticks) / 10)
    monkeypatch.setattr(keras_fit, "time", look)


def test_each_limit_gives_its_best(clock):
    data = task()
    options = {"order": 4, "theta": 6, "units": 8, "layers": (6,), "steps": 24}
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
