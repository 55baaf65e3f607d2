import numpy as np
import pandas as pd
import pytest

from lmu_spiking.experiments.published import psmnist
from lmu_spiking.experiments.published import psmnist as psmnist_table
from lmu_spiking.experiments.published.psmnist import FAST, Scale, reproduce
from lmu_spiking.tasks.sequences import Part, Sequences

TINY = Scale(
    "digits", 12, 3, 4, first=((0.001, 300_000, 20),), other=((0.001, 300_000, 20),)
)


def few(data=None, split=0, augment=None):
    """Stand-ins for digits: ten patterns of 16 pixels, with noise."""
    patterns = np.random.RandomState(0).uniform(0, 1, (10, 16, 1))
    rng, parts = np.random.RandomState(split), []
    for n in (100, 20, 30):
        y = rng.randint(0, 10, n)
        parts.append(Part(patterns[y] + 0.05 * rng.randn(n, 16, 1), y))
    return Sequences("psmnist", *parts, 0.001, 10, True, "drawn")


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr(psmnist, "psmnist", few)


def test_short_run_and_what_is_kept(task, tmp_path):
    pytest.importorskip("jax")
    pytest.importorskip("sklearn")
    options = {"fast": True, "out": tmp_path, "scale": TINY, "splits": 1}
    found = reproduce(**options, lstm_minutes=1e-3)
    models = found.data["models"]
    assert set(models.split) == {0}
    assert {"LMU", "LSTM", "linear, raw pixels"} <= {*models.model}
    linear = models[models.model == "linear, raw pixels"]
    assert (linear.test > 0.6).all()
    assert set(found.data["history"].model) == {"LMU", "LSTM"}
    spiking = found.data["spiking"]
    assert len(spiking) == 1
    assert np.allclose(
        spiking.rate_accuracy - spiking.spiking_accuracy, spiking.loss, atol=1e-12
    )
    assert set(found.data["latency"].neurons) == {300_000}
    again = reproduce(**options, lstm_minutes=1e-3)
    assert again.comparisons == found.comparisons


def test_no_minutes_no_lstm(task):
    pytest.importorskip("jax")
    pytest.importorskip("sklearn")
    found = reproduce(fast=True, scale=TINY, lstm_minutes=0, splits=2)
    assert set(found.data["models"].split) == {0, 1}
    assert len(found.data["spiking"]) == 2
    assert not any("LSTM" in one.what for one in found.comparisons)


def test_scales_are_told_apart():
    assert Scale().recipe == FAST.recipe == "psmnist"
    assert psmnist.WHOLE.recipe == "psmnist-full"


def test_spiking_row_is_the_rate_less_the_loss():
    models = pd.DataFrame([{"model": "LMU", "test": 0.97, "split": 0}])
    row = {"presentation": 0.001, "neurons": 1000, "rate_accuracy": 0.97}
    row |= {"loss": 0.02, "loss_low": 0.01, "loss_high": 0.03, "predicted_loss": 0.015}
    found = psmnist_table.compare(models, pd.DataFrame([row]), whole=False)
    spikes = found[-1]
    assert (spikes.ours, spikes.low, spikes.high) == pytest.approx((95, 94, 96))
    assert spikes.beside == pytest.approx(95.5)
