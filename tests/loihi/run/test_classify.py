"""A task on the chip: its row, and that the numbers in it agree with each other."""

import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu import LMUParams, forward
from lmu_spiking.loihi.mapping.cell import lay_out_cell
from lmu_spiking.loihi.run.classify import answer, classify
from lmu_spiking.tasks.sequences import Part, Sequences

SAMPLES = 8
LAYOUT = {"n_neurons": 64, "copies": 2, "presentation": 0.02, "tau": 0.04}


def small():
    """A cell that nobody trained."""
    cell = {"units": 5, "order": 2, "theta": SAMPLES * 0.001, "connections": ""}
    cell |= {"activation": "loihi-relu", "bias": True}
    params = LMUParams.draw(1, 3, [cell], dt=0.001, seed=3, classes=3, last=True)
    b = 0.3 * np.ones(5)
    return params.updated({"cell0.e_x": np.ones((1, 1)), "cell0.b": b})


def sequences(n=12, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (n, SAMPLES, 1))


def task(params):
    """Classes that the rate model is always right about."""
    parts = []
    for seed in range(3):
        x = sequences(6, seed).astype(np.float32)
        labels = forward(params, x.astype(float), last=True).argmax(axis=1)
        parts.append(Part(x, labels))
    return Sequences("made up", *parts, 0.001, 3, True, "drawn")


def test_row():
    pytest.importorskip("nengo_loihi")
    params = small()
    row = classify(params, task(params), **LAYOUT)
    assert row["rate_accuracy"] == 1.0 and row["items"] == 6
    assert row["lost"] == pytest.approx(1 - row["spiking_accuracy"])
    assert row["emulated"] == 1 and row["equal"]
    assert row["seconds_per_inference"] == pytest.approx(SAMPLES * 0.02 + 0.01)
    assert row["synops_per_inference"] > row["spikes_per_inference"]
    # an update of every compartment in every step is the least that it can cost
    least = 52e-12 * row["neurons"] * row["seconds_per_inference"] / 0.001
    assert row["estimated_joules_per_inference"] > least


def test_nengo_loihi_runs_what_takes_it_minutes_only_if_asked(monkeypatch):
    monkeypatch.setattr("lmu_spiking.loihi.run.classify.QUICK", 0)
    params = small()
    assert classify(params, task(params), items=2, **LAYOUT)["emulated"] == 0


def test_sequences_together_are_as_alone():
    x = sequences(3)
    layout = lay_out_cell(small(), x, **LAYOUT)
    together, alone = answer(layout, x), answer(layout, x[1:2])
    assert np.array_equal(together.counts[1:2], alone.counts)
    assert together.memory_spikes[1] == alone.memory_spikes[0]


def test_sequences_are_read_at_their_own_ends():
    """A padded one answers as if it were alone, whatever stands in its padding."""
    x, ends = sequences(4), np.array([8, 3, 8, 5])
    layout = lay_out_cell(small(), x, lengths=ends, **LAYOUT)
    together = answer(layout, x, ends)
    for i, end in enumerate(ends):
        alone = answer(layout, x[i : i + 1, :end])
        assert np.array_equal(together.counts[i], alone.counts[0])
        assert together.memory_spikes[i] == alone.memory_spikes[0]
        assert together.unit_spikes[i] == alone.unit_spikes[0]
    assert len({together.memory_spikes[0], together.memory_spikes[1]}) == 2


def test_row_of_sequences_of_different_lengths():
    pytest.importorskip("nengo_loihi")
    params, parts = small(), []
    for seed in range(3):
        x, ends = sequences(6, seed), np.array([8, 4, 6, 8, 3, 5])
        y = forward(params, x, last=True, lengths=ends).argmax(axis=1)
        parts.append(Part(x, y, ends))
    data = Sequences("made up", *parts, 0.001, 3, True, "drawn")
    row = classify(params, data, emulated=2, **LAYOUT)
    assert row["rate_accuracy"] == 1.0 and row["equal"] and row["emulated"] == 2
    seconds = data.test.lengths * 0.02 + 0.01
    assert row["seconds_per_inference"] == pytest.approx(seconds.mean())
    assert row["emulated_seconds_per_inference"] == pytest.approx(seconds[:2].mean())
    assert row["lost_low"] <= row["lost"] <= row["lost_high"]
    assert np.trace(row["confusion"]["spiking"]) == round(6 * row["spiking_accuracy"])
    assert np.sum(row["confusion"]["rate"]) == 6


@pytest.mark.parametrize("kind", ["values", "a label for each step"])
def test_refuses_what_is_not_read_at_the_end(kind):
    params, parts = small(), []
    for seed in range(3):
        x = sequences(6, seed)
        values = np.zeros((6, 3)), np.zeros((6, SAMPLES), int)
        parts.append(Part(x, values[kind != "values"]))
    about = (None, True) if kind == "values" else (3, False)
    data = Sequences("made up", *parts, 0.001, *about, "drawn")
    with pytest.raises(ValidationError, match=kind) as caught:
        classify(params, data, **LAYOUT)
    assert "convert" in str(caught.value) and "\n" not in str(caught.value)


def test_a_cell_of_too_many_cores_is_refused_before_it_runs(monkeypatch):
    """The one line says what this model can do about it."""
    pytest.importorskip("nengo_loihi")
    monkeypatch.setattr("lmu_spiking.loihi.chip.limits.CORES_PER_CHIP", 2)
    monkeypatch.setattr("lmu_spiking.loihi.run.classify.CORES_PER_CHIP", 2)
    monkeypatch.setattr("lmu_spiking.loihi.run.classify.answer", None)
    params = small()
    with pytest.raises(ValidationError, match="n_neurons: 64 of memories") as caught:
        classify(params, task(params), **LAYOUT)
    told = str(caught.value)
    assert "more chips" in told and "decode" not in told and "\n" not in told


def test_refuses_targets_without_whole_numbers():
    params = small()
    with pytest.raises(ValidationError, match="whole numbers"):
        classify(params, task(params), target="simreal", **LAYOUT)
