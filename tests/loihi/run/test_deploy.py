import json

import nengo
import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.run import target as module
from lmu_spiking.loihi.run.deploy import deploy
from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.signals import Signal, white_noise

SPEC = MemorySpec(n_neurons=32, order=2, theta=0.2, tau=0.05)
U = 0.5 * np.sin(0.006 * np.arange(900)) + 0.3 * np.sin(0.011 * np.arange(900))
KEYS = """target structure nrmse noise_nrmse window_nrmse window_noise_nrmse
predicted_nrmse predicted_noise_nrmse predicted_window_nrmse
predicted_window_noise_nrmse state_rmse predicted_state_rmse neurons order theta tau dt
neuron_type spikes_per_s mean_rate cores synops_per_s synops_nonzero_per_s
estimated_dynamic_watts advice seconds_build seconds_run versions""".split()


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return module.nengo_loihi()


def memory(**changes):
    keywords = {"synapse": 0.05, "neuron_type": nengo.LIF()} | changes
    with nengo.Network():
        return LegendreMemory(32, 2, 0.2, **keywords)


def without_time(row):
    return {k: v for k, v in row.items() if not k.startswith("seconds")}


def check_row(found, target):
    row = found.row
    assert set(KEYS) <= set(row)
    line = found.to_json()
    assert "\n" not in line and json.loads(line)["target"] == target == row["target"]
    said = {"neurons": 32, "order": 2, "theta": 0.2, "tau": 0.05, "dt": 0.001}
    assert {key: row[key] for key in said} == said
    assert row["mean_rate"] == row["spikes_per_s"] / 32
    assert row["neuron_type"] == "SpikingRectifiedLinear"
    for key in KEYS:
        if "rmse" in key:
            assert 0 < row[key] < 1, key
    assert found.state.shape == found.exact.shape == (len(found.signal), 2)
    assert len(found.time) == len(found.signal) and found.time[0] == 0.001
    error = np.sqrt(np.mean((found.state - found.exact) ** 2))
    assert row["state_rmse"] == pytest.approx(error)


@pytest.mark.parametrize("name", ["core", "nengo"])
def test_core_needs_no_chip(name):
    found = deploy(SPEC, name, signal=U)
    check_row(found, "core")
    assert found.layout.target == "core"
    assert found.budget is None is found.energy
    assert found.row["cores"] is None is found.row["synops_per_s"]
    np.testing.assert_array_equal(found.signal, U)


@pytest.mark.parametrize("target", ["simreal", "emulator"])
def test_on_the_chip(loihi, target):
    found = deploy(SPEC, target, signal=U)
    check_row(found, target)
    row = found.row
    assert row["cores"] == found.budget.cores >= 2
    assert row["synops_per_s"] > 0 and row["estimated_dynamic_watts"] > 0
    assert not [advice for advice in found.run.advice if advice.kind == "overflow"]


def test_the_same_seed_gives_the_same_row():
    first = deploy(SPEC, "core", signal=U, seed=3)
    again = deploy(SPEC, "core", signal=U, seed=3)
    other = deploy(SPEC, "core", signal=U, seed=4)
    assert without_time(first.row) == without_time(again.row)
    assert first.row["state_rmse"] != other.row["state_rmse"]


def test_the_seed_is_the_specs():
    spec = MemorySpec(n_neurons=32, order=2, theta=0.2, tau=0.05, tuning_seed=4)
    named = deploy(spec, "core", signal=U)
    given = deploy(SPEC, "core", signal=U, seed=4)
    assert without_time(named.row) == without_time(given.row)


def test_the_specs_signal_is_played():
    spec = MemorySpec(
        n_neurons=16, order=1, theta=0.1, tau=0.05, signal=SignalSpec(3.0, 0.2)
    )
    found = deploy(spec, "core", duration=1.0)
    assert len(found.signal) == 1000
    np.testing.assert_array_equal(
        found.signal, white_noise(1.0, 0.001, 3.0, 0.2, 0).samples
    )
    assert found.layout.signal == spec.signal


@pytest.mark.parametrize("kind", ["if", "lif"])
def test_memories_and_layouts_may_be_deployed(kind):
    of_memory = deploy(memory(), "core", signal=U, neuron_type=kind)
    again = deploy(of_memory.layout, "core", signal=U)
    assert again.layout is of_memory.layout
    assert again.row["predicted_state_rmse"] == of_memory.row["predicted_state_rmse"]
    assert (
        of_memory.row["neuron_type"] == type(of_memory.layout.curves.neurons).__name__
    )


def test_other_steps():
    spec = MemorySpec(n_neurons=32, order=2, theta=0.2, tau=0.05, dt=0.002)
    row = deploy(spec, "core", signal=U).row
    assert row["dt"] == 0.002 and 0 < row["state_rmse"] < 1


@pytest.mark.parametrize(
    "build, options, message",
    [
        (lambda: SPEC, {"target": "chip"}, "target: 'chip' is not a target"),
        (lambda: SPEC, {"neuron_type": "poisson"}, "cannot be simulated.*use 'if'"),
        (
            lambda: memory(neuron_type="poisson"),
            {},
            "deploy.memory.neuron_type: .*cannot be simulated.*neuron_type='if'",
        ),
        (
            lambda: SPEC,
            {"signal": Signal(U, 0.002, "u", "here")},
            "deploy.signal: .*has steps of 0.002 s, not of 0.001 s; use .resampled",
        ),
        (lambda: SPEC, {"signal": U[:200]}, "deploy.signal: .*use at least 202 steps"),
        (lambda: SPEC, {"signal": []}, "deploy.signal: .*must be finite"),
        (lambda: SPEC, {"signal": np.full(900, np.nan)}, "must be finite samples"),
        (lambda: SPEC, {"signal": np.zeros(900)}, "signal: .*not all of it 0"),
        (lambda: SPEC, {"duration": -1}, "deploy.duration: -1 must be a positive"),
        (lambda: SPEC, {"seed": -1}, "deploy.seed: -1"),
        (lambda: SPEC, {"input_range": -1.0}, "input_range: -1.0 must be a positive"),
        (lambda: SPEC, {"max_rate": 1e4}, "max_rate: .* use at most"),
        (
            lambda: SPEC,
            {"chips": "2"},
            "deploy.chips: '2' must be a whole number of at least 1",
        ),
        (lambda: "x", {}, "deploy.memory: 'x' must be a MemorySpec, LegendreMemory"),
        (
            lambda: memory(size_in=2),
            {},
            "deploy.memory.size_in: 2 must be 1; deploy a memory for each channel",
        ),
        (
            lambda: memory(synapse=nengo.Alpha(0.02)),
            {},
            "deploy.memory.synapse: Alpha.* is none that the chip has; use a lowpass",
        ),
        (
            lambda: memory(delay_steps=1, synapse=0.02),
            {},
            "deploy.memory.synapse: .* is none that the chip has; use a lowpass",
        ),
        (
            lambda: MemorySpec(n_neurons=12, order=2, theta=0.2, tau=0.05),
            {},
            "n_neurons: 12 is less than 8 per dimension .* use at least 16",
        ),
    ],
)
def test_what_is_refused(build, options, message):
    with pytest.raises(ValidationError, match=message):
        deploy(build(), **({"target": "core"} | options))


@pytest.mark.parametrize("structure", ["weights", "decode"])
def test_what_is_clipped_is_told(loihi, structure):
    laid = {"structure": structure, "signal": U, "n_relays": 16}
    found = deploy(SPEC, "simreal", input_range=0.2, **laid)
    (told,) = (a for a in found.advice if a.kind == "input")
    assert told.worst == np.abs(U).max()
    assert told.count >= np.count_nonzero(np.abs(U) > 0.2)
    assert "input_range (0.2) and clipped" in told.text
    assert not deploy(SPEC, "core", input_range=0.2, **laid).advice


def test_a_layout_is_for_its_target():
    laid_out = deploy(SPEC, "core", signal=U).layout
    with pytest.raises(ValidationError, match=r"deploy.target: .*; lay it out again"):
        deploy(laid_out, "emulator", signal=U)


def test_too_many_cores_name_the_way_out(loihi, monkeypatch):
    from lmu_spiking.loihi.run import budget

    found = deploy(SPEC, "emulator", signal=U)
    assert found.budget.cores < 128
    with pytest.raises(ValidationError, match="chips"):
        budget.Budget(found.budget.blocks * 80, 1).check()


@pytest.mark.parametrize("asked", ["auto", (200.0, 0.01)])
def test_error_feedback_is_not_dropped_in_silence(asked):
    for given in (
        SPEC.replace(error_feedback=asked),
        memory(neuron_type="poisson", error_feedback=asked),
    ):
        with pytest.raises(ValidationError, match=r"error_feedback: .* not laid out"):
            deploy(given, "core", duration=1.0)
