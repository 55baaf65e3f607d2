"""What `benchmarks/rivals.py` makes of its rows."""

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.metrics import nrmse
from lmu_spiking.tasks.mackey_glass import mackey_glass


@cache
def benchmark():
    path = Path(__file__).parents[3] / "benchmarks" / "rivals.py"
    spec = importlib.util.spec_from_file_location("rivals_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_longest_is_between_two_lengths_on_logarithms():
    longest, bar = benchmark().longest, benchmark().BAR
    # a power law through the bar at 50
    lengths = np.array([20.0, 40.0, 80.0])
    found = longest(lengths, bar * (lengths / 50) ** 3)
    assert found == (pytest.approx(50), "")
    assert longest(lengths, [bar / 2] * 3) == (80, "at least")
    assert longest(lengths, [bar * 2] * 3) == (20, "below")


def test_the_summary_says_how_many_times_a_rival_is_outlasted():
    rows = [
        {"model": name, "length": n, "seed": seed, "mse": mse}
        for name, errors in (("ours", (1e-6, 1e-6)), ("its", (1e-4, 1.0)))
        for seed in (0, 1)
        for n, mse in zip((10, 1_000), errors, strict=True)
    ]
    ours, its = benchmark().longest_of(rows)
    assert (ours["bound"], its["bound"], its["seeds"]) == ("at least", "", 2)
    assert its["longest"] == pytest.approx(100)
    assert its["ours_over_it"] == pytest.approx(10)


def test_the_summary_is_of_all_seeds_and_the_largest_late_gain():
    rows = [
        {"model": "gru", "params": 9, "nrmse": e, "nrmse_settled": e / 2}
        | {"late_gain": e / 4}
        for e in (0.2, 0.4)
    ]
    rows.append({"model": "esn", "params": 3, "nrmse": 0.1, "nrmse_settled": 0.1})
    gru, esn = benchmark().summary_of(rows)
    assert (gru["nrmse"], gru["nrmse_settled"]) == pytest.approx((0.3, 0.15))
    assert (gru["late_gain"], gru["seeds"]) == (0.1, 2)
    # two seeds: the t value of one degree of freedom
    assert gru["nrmse_ci95"] == pytest.approx(12.706 * 0.1, rel=1e-4)
    assert (esn["model"], esn["late_gain"], esn["seeds"]) == ("esn", 0, 1)


def test_a_row_takes_the_place_of_its_own_run_alone(tmp_path):
    path, about = tmp_path / "rivals_psmnist.json", {"model": "gru", "seed": 1}
    assert benchmark().others(path, about) == []
    rows = [{"model": "gru", "seed": seed, "epochs": 0.5} for seed in (0, 1)]
    path.write_text(json.dumps({"rows": rows}))
    assert benchmark().others(path, about) == rows[:1]


def test_models_that_are_not_known_are_refused():
    options = SimpleNamespace(fast=True, parts=None, only=["lstm"], epochs=1)
    with pytest.raises(SystemExit, match=r"no model \['lstm'\]; use .*LSTM; "):
        next(benchmark().rivals_mackey_glass(options))
    options = SimpleNamespace(fast=True, data="", model="LSTM", seed=0)
    with pytest.raises(SystemExit, match=r"no model LSTM; use lstm, "):
        next(benchmark().rivals_psmnist(options))


def test_drawn_kernels_predict_a_series():
    data = mackey_glass(0, 8, 400)
    how = {"order": 12, "theta": 30.0, "scale": 0.5}
    error, outputs = benchmark().kernels(how, 60, 0, data.train, data.valid, data.test)
    assert error < 0.2
    assert nrmse(outputs, data.test.y) < 0.2


def test_white_states_are_of_deviation_1_but_for_noise():
    rng = np.random.default_rng(0)
    sources = rng.standard_normal((400, 3)) * [1, 1e-3, 1e-9]
    states = 5 + sources @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    mean, white = benchmark().whitening(states)
    found = np.cov(((states - mean) @ white).T)
    np.testing.assert_allclose(np.diag(found), [0, 1, 1], atol=1e-3)
    np.testing.assert_allclose(found, np.diag(np.diag(found)), atol=1e-6)
