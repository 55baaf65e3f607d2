import json

import nengo
import numpy as np
import pandas as pd
import pytest

from lmu_spiking.experiments.spikes.budget import neuron_trials
from lmu_spiking.experiments.spikes.sources import (
    SOURCES,
    CurveRate,
    error_sources,
    source_trials,
    summarise_sources,
)
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.neurons.curves import neuron_type

BASE = MemorySpec(n_neurons=60, order=3, theta=0.2)


@pytest.mark.parametrize("name", ["lif", "if", "adaptive", "poisson"])
def test_curve_rates_are_the_curve(name):
    neurons = neuron_type(name)
    curve, J = CurveRate(neurons), np.linspace(-1, 5, 7)
    output = np.empty(7)
    curve.step(1e-3, J, output)
    wanted = neurons.rates(J[None], np.ones(7), np.zeros(7))[0]
    np.testing.assert_array_equal(output, wanted)
    assert not curve.spiking
    assert nengo.RegularSpiking(curve).spiking


@pytest.fixture(scope="module")
def lif(white):
    spec = BASE.replace(n_neurons=1500, neuron_type="lif", radii=1.5)
    return error_sources(spec, white(2000), training=white(2000, seed=1))


def test_sources_of_lif_neurons(lif):
    # many LIF neurons: curves and regular spikes leave little, the lead makes the floor
    assert lif["static_rmse"] < 0.1 * lif["state_rmse"]
    assert lif["regular_rmse"] < 0.6 * lif["state_rmse"]
    total = np.hypot(lif["regular_rmse"], lif["lead_rmse"])
    assert total == pytest.approx(lif["state_rmse"], rel=0.25)
    assert lif["mended_rmse"] < 0.7 * lif["state_rmse"]
    # they forget their voltages: starting all alike changes nothing
    assert lif["in_step_rmse"] == pytest.approx(lif["state_rmse"], rel=0.1)


def test_phases_of_lif_neurons_are_independent(lif):
    assert lif["verdict"] == "independent"
    assert lif["discrepancy_ratio"] == pytest.approx(1, abs=0.15)


def test_integrators_are_regular_spikes(white):
    spec = BASE.replace(neuron_type="if", initial_phases="random")
    found = error_sources(spec, white(1000))
    assert found["state_rmse"] == pytest.approx(found["regular_rmse"], rel=1e-9)
    assert found["static_rmse"] < 1e-9
    assert found["in_step_rmse"] > 2 * found["state_rmse"]
    assert found["in_step_discrepancy"] > 2 * found["discrepancy"]


def test_trials_are_summarised(tmp_path, monkeypatch):
    trials = neuron_trials([1], [20, 30], ["if"], 2, BASE, 1.0)
    seen = []
    frame = source_trials(trials, tmp_path, on_done=seen.append)
    assert len(frame) == len(seen) == 4
    monkeypatch.setattr("lmu_spiking.experiments.spikes.sources.error_sources", None)
    pd.testing.assert_frame_equal(source_trials(trials, tmp_path), frame)
    summary = summarise_sources(frame)
    assert list(summary.neurons) == [20, 30]
    for name in SOURCES:
        cell = frame[frame.neurons == 20][name]
        row = summary.iloc[0]
        assert row[name] == pytest.approx(np.sqrt(np.mean(cell**2)))
    assert summarise_sources(pd.DataFrame()).empty


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A trial, its file and the table of it."""
    folder = tmp_path_factory.mktemp("ran")
    (trial,) = neuron_trials([1], [20], ["if"], 1, BASE, 1.0)
    frame = source_trials([trial], folder)
    return trial, folder / "sources" / f"{trial.digest}.json", frame


def run_again(ran, folder, text):
    trial, path, frame = ran
    (folder / "sources").mkdir()
    (folder / "sources" / path.name).write_text(text)
    pd.testing.assert_frame_equal(source_trials([trial], folder), frame)
    written = json.loads((folder / "sources" / path.name).read_text())
    assert written["row"] == json.loads(path.read_text())["row"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "[" * 100_000, '{"version": "x"}'],
    ids=["empty", "cut", "list", "number", "deep", "version"],
)
def test_a_damaged_file_is_run_again(ran, tmp_path, text):
    run_again(ran, tmp_path, text)


@pytest.mark.parametrize(
    "change", [{"order": "one"}, {"state_rmse": []}, {"lead": "x"}, {"verdict": 3}]
)
def test_a_row_of_a_wrong_type_is_run_again(ran, tmp_path, change):
    record = json.loads(ran[1].read_text())
    record["row"] |= change
    run_again(ran, tmp_path, json.dumps(record))
