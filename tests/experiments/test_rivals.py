import itertools
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import MissingPackageError
from lmu_spiking.experiments import rivals
from lmu_spiking.experiments.rivals import (
    _batches,
    fit,
    hybrid_model,
    lstm_model,
    memory,
)
from lmu_spiking.tasks.sequences import Part, Sequences


def test_missing_tensorflow_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[train\]"):
        lstm_model(1, 1)


@pytest.fixture(scope="module", autouse=True)
def installed():
    pytest.importorskip("tensorflow")


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
    monkeypatch.setattr(rivals, "time", look)


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
