import numpy as np
import pytest

from lmu_spiking.experiments.published import mackey_glass
from lmu_spiking.experiments.published.mackey_glass import (
    FAST,
    PUBLISHED,
    Scale,
    reproduce,
    scores,
)

TINY = Scale(8, 300, 20, 4, (4,), (4, (4,)), 60, ((0.001, 10_000_000, 2),))


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr(mackey_glass, "SETTLED", 50)


def test_scores_are_nrmse_with_its_interval():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((40, 300, 1))
    found = scores(y + 0.1 * rng.standard_normal(y.shape), y)
    assert found["nrmse"] == pytest.approx(0.1, rel=0.05)
    assert found["low"] < found["nrmse"] < found["high"]
    late = y.copy()
    late[:, : mackey_glass.SETTLED] = 0
    assert scores(late, y)["nrmse_settled"] == 0
    assert scores(late, y)["nrmse"] > 0.5


def test_models_are_as_large_as_the_published():
    full, order = Scale(), 24
    assert full.units * (order + 2) + 2 == 17_942
    assert FAST != full


def test_short_run_and_what_is_kept(task, tmp_path):
    pytest.importorskip("jax")
    options = {"fast": True, "out": tmp_path, "scale": TINY, "lstm_minutes": 1e-3}
    found = reproduce(**options)
    ours = {one.what: one for one in found.comparisons}
    assert [ours[name].published for name in PUBLISHED] == [*PUBLISHED.values()]
    assert all(one.low <= one.ours <= one.high for one in found.comparisons)
    (spiking,) = found.data["spiking"].to_dict("records")
    rate = found.data["models"].set_index("model").nrmse["LMU"]
    assert spiking["series"] == 2
    assert spiking["samples"] == 285
    assert spiking["spiking_nrmse"] == pytest.approx(
        spiking["predicted_nrmse"], rel=0.15
    )
    assert rate > 0  # hardly trained
    assert list(found.data["example"])[:3] == ["t", "target", "rate"]
    again = reproduce(**options)
    assert again.comparisons == found.comparisons
    assert again.data["models"].equals(found.data["models"])


def test_no_minutes_no_lstm(task):
    pytest.importorskip("jax")
    found = reproduce(fast=True, scale=TINY, lstm_minutes=0)
    assert {one.say for one in found.comparisons if "LSTM" in one.what} == {"not run"}
