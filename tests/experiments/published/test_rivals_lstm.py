import sys

import numpy as np
import pytest

from lmu_spiking.errors import MissingPackageError
from lmu_spiking.experiments.published.rivals import fit_lstm


def test_missing_tensorflow_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingPackageError, match=r"lmu_spiking\[train\]"):
        fit_lstm(np.zeros((2, 3, 1)), np.zeros((2, 3, 1)))


@pytest.fixture
def echo():
    """Sequences, and the same one step later."""
    pytest.importorskip("tensorflow")
    x = np.random.RandomState(0).uniform(-1, 1, (20, 12, 1))
    return x, np.concatenate([np.zeros((20, 1, 1)), x[:, :-1]], axis=1)


def test_learns_to_delay_by_a_step(echo):
    x, y = echo
    fitted = fit_lstm(x, y, units=16, epochs=150, batch=10)
    assert fitted.epochs == len(fitted.losses) == 150
    assert fitted.losses[-1] < 0.2 * fitted.losses[0]
    assert fitted.predict(x).shape == y.shape
    assert np.mean((fitted.predict(x) - y) ** 2) < 0.3 * np.mean(y**2)


def test_stops_in_time(echo):
    x, y = echo
    assert fit_lstm(x, y, units=4, epochs=500, seconds=1e-3).epochs == 1


def test_seed_decides(echo):
    x, y = echo
    losses = [fit_lstm(x, y, units=4, epochs=2, seed=s).losses for s in (0, 0, 1)]
    assert losses[0] == pytest.approx(losses[1])
    assert losses[0] != pytest.approx(losses[2])
