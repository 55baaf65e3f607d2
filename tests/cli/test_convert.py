import json
from pathlib import Path

import numpy as np
import pytest

from lmu_spiking.lmu import LMUParams, save_params
from lmu_spiking.tasks import load_task

pytest.importorskip("sklearn")

QUICK = ["--neurons=2000", "--presentation=0.001", "--sequences=6", "--jobs=1"]
KEYS = {
    *("rate_accuracy", "spiking_accuracy", "loss", "predicted_loss", "neurons"),
    *("spikes_per_inference", "synops_per_inference", "seed", "versions", "task"),
    *("latency", "chance", "presentation", "neuron_type", "origin", "model", "synapse"),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lmu_spiking.plots.style.png", lambda figure: b"\x89PNG")
    monkeypatch.delenv("LMU_SPIKING_TRACEBACK", raising=False)


def save(path="model.npz", size_in=1, size_out=10, **header):
    cell = {"units": 12, "order": 6, "theta": 0.064, "connections": "", "bias": True}
    params = LMUParams.draw(
        size_in, size_out, [cell | {"activation": "relu"}], classes=10, **header
    )
    save_params(params, path)
    return path


def test_convert_prints_and_keeps_the_contract(shell):
    save(task="digits", last=True, task_options={"seed": 3})
    code, out, told = shell("convert", "model.npz", *QUICK, "--json")
    assert code == 0
    assert out.count("\n") == 1
    record = json.loads(out)
    assert record.keys() >= KEYS
    assert record["neurons"] == 2000
    assert "seed 3" in record["origin"]  # the split that the model was trained on
    assert "digits" in told
    kept = json.loads(Path("conversion.json").read_text())
    assert kept["spiking_accuracy"] == record["spiking_accuracy"]
    assert Path("conversion.png").read_bytes() == b"\x89PNG"


def test_several_counts_make_a_curve(shell):
    save(task="digits", last=True)
    line = ["convert", "model.npz", *QUICK[1:], "--neurons=4000,1000"]
    code, out, _ = shell(*line, "--json")
    assert code == 0
    assert [row["neurons"] for row in json.loads(out)["rows"]] == [1000, 4000]
    code, out, _ = shell(*line)
    assert code == 0
    assert all(len(text) <= 80 for text in out.splitlines())
    assert "4,000" in out


def test_same_seed_same_spikes_other_seed_others(shell):
    save(task="digits", last=True)
    spikes = [
        json.loads(shell("convert", "model.npz", *QUICK, "--seed", s, "--json")[1])
        for s in (0, 0, 1)
    ]
    first, again, other = (one["spikes_per_inference"] for one in spikes)
    assert first == again != other


def test_integrating_neurons_have_no_prediction_unless_staggered(shell):
    save(task="digits", last=True)
    line = ["convert", "model.npz", *QUICK, "--neuron-type=if"]
    assert json.loads(shell(*line, "--json")[1])["predicted_loss"] is not None
    line.append("--initial-phases=random")
    assert json.loads(shell(*line, "--json")[1])["predicted_loss"] is None
    assert shell(*line)[0] == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["missing.npz"], "missing.npz"),
        (["model.npz", "--neurons=ten"], "--neurons"),
        (["model.npz", "--neurons=0"], "--neurons"),
        (["model.npz", "--neurons=20"], "use at least"),
        (["model.npz", "--neurons=inf"], "--neurons"),
        (["model.npz", "--presentation=0.0015"], "presentation"),
        (["model.npz", "--presentation=-1"], "presentation"),
        (["model.npz", "--neuron-type=lif"], "--neuron-type: 'lif' is unknown"),
        (["model.npz", "--tuning=drawn"], "--tuning"),
        (["model.npz", "--jobs=0"], "--jobs"),
        (["model.npz", "--sequences=0"], "--sequences"),
        (["model.npz", "--task=jazz"], "jazz"),
        (["model.npz", "--data=mnist.npz"], "--data"),
        (["model.npz", "--seed=-1"], "--seed"),
        (["model.npz", "--hidden-share=1"], "--hidden-share"),
        (["nameless.npz"], "--task"),
        (["wide.npz"], "inputs"),
        (["text.npz"], "text.npz: is not a parameter file"),
        (["text.keras"], "text.keras"),
    ],
)
def test_mistake_is_told_in_one_line(shell, line, told):
    save(task="digits", last=True)
    save("nameless.npz")
    save("wide.npz", size_in=2, task="digits")
    for name in ("text.npz", "text.keras"):
        Path(name).write_text("no model")
    code, out, err = shell("convert", *line, "--json")
    assert code == 2
    assert out == ""
    assert told in err.splitlines()[-1]
    assert "Traceback" not in err


def test_values_have_an_error_in_place_of_an_accuracy(shell):
    pytest.importorskip("pywt")
    cell = {"units": 8, "order": 4, "theta": 0.05, "connections": "", "bias": True}
    params = LMUParams.draw(1, 1, [cell], dt=1 / 360, task="ecg")
    save_params(params.updated({"readout.D": np.zeros((1, 8))}), "model.npz")
    code, out, _ = shell(
        "convert", "model.npz", "--neurons=2000", "--presentation=0.001", "--json"
    )
    assert code == 0
    y = load_task("ecg").test.y
    about_the_mean = np.sqrt(np.mean(y**2)) / np.std(y)
    assert json.loads(out)["rate_nrmse"] == pytest.approx(about_the_mean)
