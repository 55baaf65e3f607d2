from dataclasses import replace
from functools import partial

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("pywt")

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.experiments.learning import rates


def test_series_have_their_samples_and_no_more_than_their_band():
    t = np.arange(50) / 50
    u = 0.3 + np.sin(2 * np.pi * 3 * t) + 0.5 * np.cos(2 * np.pi * 8 * t)
    whole = rates.harmonics(u, 50.0, 10.0)
    np.testing.assert_allclose(rates.at_times(whole, 1.0, t), u, atol=1e-12)
    slow = rates.at_times(rates.harmonics(u, 50.0, 5.0), 1.0, t)
    np.testing.assert_allclose(slow, 0.3 + np.sin(2 * np.pi * 3 * t), atol=1e-12)


def test_rates_are_of_the_same_signal(monkeypatch):
    # the middle of a step is the middle of the second of three
    monkeypatch.setattr(rates, "DRAWN", (4, 4, 20))
    monkeypatch.setattr(rates, "PAST", 1.0)
    once, thrice = rates.heartbeats(7), rates.heartbeats(7, 3)
    np.testing.assert_allclose(thrice.test.x[:, 1::3], once.test.x, atol=1e-5)
    np.testing.assert_array_equal(thrice.test.y, once.test.y)


def test_a_beat_begins_with_its_tallest_wave(monkeypatch):
    monkeypatch.setattr(rates, "DRAWN", (4, 4, 200))
    data = rates.heartbeats(8, 2)
    # the last sample is 4 ms old: tall within a tenth of a beat after it began, or
    # just before it does
    tall = np.flatnonzero(data.test.x[:, -1, 0] > 3)
    assert len(tall) > 3
    assert set(data.test.y[tall]) <= {0, rates.PHASES - 1}
    # all phases of beats take as long
    counts = np.bincount(data.test.y, minlength=rates.PHASES)
    assert counts.min() > 40 - 5 * np.sqrt(32)


@pytest.mark.parametrize(("place", "order"), [(rates.MIDDLE, 2), (rates.BEGINNING, 1)])
def test_error_of_holding_falls_as_the_step_or_its_square(place, order):
    series = rates.harmonics(np.random.default_rng(0).standard_normal(64), 64.0, 6.0)
    ldn = LDN(4, 0.25)

    def state(steps: int) -> np.ndarray:
        dt = 1 / steps
        times = (np.arange(steps) + place) * dt
        return ldn.simulate(rates.at_times(series, 1.0, times), dt)[-1]

    exact = state(2**14)
    errors = [np.linalg.norm(state(n) - exact) for n in (256, 512, 1024)]
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    np.testing.assert_allclose(slopes, order, atol=0.15)


@pytest.fixture
def speech(tmp_path):
    """A file as of spoken digits: loud, quiet and hardly any noise, 15 of each."""
    rng, length = np.random.default_rng(0), np.full(45, 4000)
    digit, index = np.repeat([0, 1, 2], 15), np.tile(np.arange(15), 3)
    size = np.repeat([3000, 30, 1], 15)[:, None]
    audio = (size * rng.standard_normal((45, 4000))).astype(np.int16).ravel()
    about = {"length": length, "digit": digit, "index": index, "rate": 8000}
    np.savez(tmp_path / "speech.npz", audio=audio, **about)
    return rates.envelopes(tmp_path / "speech.npz")


def test_envelopes_tell_loud_from_quiet_at_every_rate(speech):
    data = rates.spoken(speech)
    assert data.train.x.shape == (15, 100, rates.BANDS)
    assert [len(part) for part in (data.valid, data.test)] == [15, 15]
    np.testing.assert_allclose(data.train.x.std(axis=(0, 1)), 1, rtol=0.3)
    for factor in rates.FACTORS:
        x = rates.spoken(speech, factor).test.x
        assert x.shape[1] == 100 * factor
        # while it is said, which is half of the second
        level = x[:, : x.shape[1] // 2].mean(axis=(1, 2))
        assert level[:5].min() > level[5:10].max()


def test_both_models_run_at_every_rate(speech, monkeypatch):
    make = partial(rates.spoken, speech)
    recipe = rates.recipe_of(make(), 0)
    short = replace(recipe, settings=replace(recipe.settings, epochs=2, batch=5))
    monkeypatch.setattr(rates, "recipe_of", lambda data, seed: short)
    monkeypatch.setattr(rates, "FACTORS", (1, 2))
    rows = rates.lmu_rows(make, 0)
    rows += rates.lstm_rows(make, 0, 2000, 2, 0.01)
    assert [row["factor"] for row in rows] == 3 * list(rates.FACTORS)
    assert all(row["lost"] == 0 for row in rows if row["factor"] == 1)
    resampled = [row["value"] for row in rows if row["model"] == "LSTM, resampled"]
    assert max(resampled) - min(resampled) < 0.35
