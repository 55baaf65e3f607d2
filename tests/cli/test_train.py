import json
import sys
from pathlib import Path

import pytest

from lmu_spiking.lmu import load_params

QUICK = ["--order=4", "--units=6", "--epochs=2"]
KEYS = {
    *("rate_accuracy", "valid_accuracy", "chance", "n_params", "epochs", "best_epoch"),
    *("stopped", "engine", "train_seconds", "seed", "settings", "versions", "files"),
    *("task", "origin", "metric"),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lmu_spiking.plots.style.png", lambda figure: b"\x89PNG")
    monkeypatch.delenv("LMU_SPIKING_TRACEBACK", raising=False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["jazz"], "TASK: 'jazz' is unknown; use one of digits"),
        (
            ["ecg", "--chip"],
            "--chip: 'ecg' has no recipe for a chip; use one of digits",
        ),
        (["digits", "--data=mnist.npz"], "--data"),
        (["digits", "--epochs=0"], "epochs"),
        (["digits", "--learning-rate=-1"], "--learning-rate"),
        (["digits", "--noise=-1"], "noise"),
        (["digits", "--engine=magic"], "engine"),
        (["digits", "--start-from=model.npz", "--order=3"], "--order: 3 is that of"),
        (["digits", "--spikes=10"], "convert.n_neurons: 10 is too few"),
        (["digits", "--presentation=.01"], "--presentation: 0.01 says how"),
        (["digits", "--spikes=9000", "--noise=.1"], "--noise: 0.1 has no place"),
        (["digits", "--spikes=9000", "--engine=nengo-dl"], "--engine: "),
        (["digits", "--seed=-1"], "--seed"),
        (["digits", "--split=-1"], "--split"),
        (["ecg", "--split=1"], "--split"),
        (["digits", "--order=0"], "order"),
        (["digits", "--start-from=missing.npz"], "missing.npz"),
        (["psmnist", "--data=missing.npz"], "missing.npz"),
    ],
)
def test_mistake_is_told_in_one_line(shell, line, told):
    pytest.importorskip("sklearn")
    code, out, err = shell("train", *line, "--json")
    assert code == 2
    assert out == ""
    assert told in err.splitlines()[-1]
    assert "Traceback" not in err


def test_tasks_for_a_chip_are_those_with_a_recipe():
    from lmu_spiking.cli.train import ON_CHIP
    from lmu_spiking.training.recipes import RECIPES

    assert {f"{t}-chip" for t in ON_CHIP} == {n for n in RECIPES if "-chip" in n}


def test_missing_jax_names_the_extra(shell, monkeypatch):
    pytest.importorskip("sklearn")
    for name in ("engine", "model", "optimizers", "_jax"):
        monkeypatch.delitem(sys.modules, f"lmu_spiking.training.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "jax", None)
    code, _, err = shell("train", "digits", *QUICK)
    assert code == 2
    assert "lmu_spiking[train]" in err.splitlines()[-1]


def test_train_prints_and_keeps_the_contract(shell):
    pytest.importorskip("jax")
    code, out, told = shell("train", "digits", *QUICK, "--split=2", "--json")
    assert code == 0
    assert out.count("\n") == 1
    record = json.loads(out)
    assert record.keys() >= KEYS
    assert "seed 2" in told
    params = load_params(record["files"]["model"])
    assert params.header["task_options"] == {"seed": 2}
    assert params.cells[0].order == 4
    assert len(json.loads(Path("out/digits/training.json").read_text())["history"]) == 2


def test_what_is_trained_on_is_not_called_validation(shell, monkeypatch):
    """In figure, files, table; a recipe trains on it, unless it says when to stop."""
    pytest.importorskip("jax")
    drawn = []
    monkeypatch.setattr("lmu_spiking.plots.style.png", lambda f: drawn.append(f) or b"")
    for more, held_out in (([], False), (["--patience=2"], True)):
        code, out, _ = shell("train", "digits", *QUICK, *more, f"--out={held_out}")
        assert code == 0
        labels = [a.get_legend_handles_labels()[1] for a in drawn.pop().axes]
        assert ("validation" in labels[0], "validation" in labels[1]) == (held_out,) * 2
        assert ("validation" in out) == held_out
        told = json.loads(Path(f"{held_out}/training.json").read_text())
        assert (told["valid_accuracy"] is not None) == held_out
        assert ("valid_accuracy" in told["history"][0]) == held_out
        results = load_params(f"{held_out}/model.npz").header["results"]
        assert ("valid_accuracy" in results) == held_out


def test_a_start_that_knows_the_test_digits_is_told(shell):
    pytest.importorskip("jax")
    assert shell("train", "digits", *QUICK)[0] == 0
    line = ["--epochs=2", "--start-from=out/digits/model.npz", "--out=again"]
    assert "warning" not in shell("train", "digits", *line)[2]
    code, _, told = shell("train", "digits", *line, "--split=1", "--fresh")
    assert code == 0
    assert "warning: --start-from: its model was trained on other parts" in told


def test_the_same_command_goes_on_where_it_was(shell):
    pytest.importorskip("jax")
    code, first, _ = shell("train", "digits", *QUICK, "--json")
    assert code == 0
    model = Path("out/digits/model.npz").read_bytes()
    code, again, _ = shell("train", "digits", *QUICK, "--json")
    assert code == 0
    assert json.loads(again)["rate_accuracy"] == json.loads(first)["rate_accuracy"]
    assert Path("out/digits/model.npz").read_bytes() == model


def test_trained_model_is_converted(shell):
    pytest.importorskip("jax")
    assert shell("train", "digits", *QUICK)[0] == 0
    line = ["--neurons=2000", "--presentation=0.001", "--sequences=4", "--jobs=1"]
    code, out, _ = shell("convert", "out/digits/model.npz", *line, "--json")
    assert code == 0
    assert json.loads(out)["task"] == "digits"


def test_a_window_is_learned_on_request(shell):
    pytest.importorskip("jax")
    assert shell("train", "digits", *QUICK, "--train-theta")[0] == 0
    trained = load_params("out/digits/model.npz")
    assert trained.cells[0].theta != 0.064


def test_a_model_for_the_chip_is_told_apart(shell):
    pytest.importorskip("jax")
    assert shell("train", "digits", "--chip", *QUICK)[0] == 0
    trained = load_params("out/digits-chip/model.npz")
    assert trained.cells[0].activation == "loihi-relu"
    assert trained.cells[0].chip.max_rate == 200
    line = ["--neurons=2000", "--presentation=0.001", "--sequences=4", "--jobs=1"]
    assert shell("convert", "out/digits-chip/model.npz", *line)[0] == 0


def test_a_model_is_trained_on_through_spikes(shell):
    """The next command that is printed converts it to the same neurons."""
    pytest.importorskip("jax")
    assert shell("train", "digits", *QUICK)[0] == 0
    line = ["--start-from=out/digits/model.npz", "--spikes=900", "--epochs=1"]
    line += ["--presentation=.003", "--neuron-type=if", "--out=small"]
    code, out, _ = shell("train", "digits", *line)
    assert code == 0
    header = load_params("small/model.npz").header["training"]
    assert header["spikes"]["n_neurons"] == 900
    assert header["spikes"]["neuron_type"] == "if"
    last = out.splitlines()[-1]
    options = "--neurons 900 --presentation 0.003 --neuron-type if"
    assert last == f"lmu-spiking convert small/model.npz {options}"
    assert shell(*last.split()[1:], "--sequences=5", "--jobs=1")[0] == 0
