import json
import sys
from pathlib import Path

import numpy as np
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


def _own(path, n=40, **more):
    """Save walks up and down, of different length, as a user would."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(6, 12, size=n)
    y = np.arange(n) % 2
    x = [
        rng.normal(size=(end, 2)) + (2 * y[i] - 1) * np.arange(end)[:, None] / 3
        for i, end in enumerate(lengths)
    ]
    names = np.array(["down", "up"])[y]
    np.savez(path, x=np.concatenate(x), lengths=lengths, y=names, dt=0.01, **more)


def test_own_sequences_are_trained_on_and_converted(shell):
    pytest.importorskip("jax")
    _own("mine.npz")
    line = ["train", "mine.npz", "--epochs=30", "--units=10", "--theta=0.2", "--json"]
    code, out, told = shell(*line)
    assert code == 0
    assert "40" not in told or "6 to 11 steps of 0.01 s" in told
    record = json.loads(out)
    assert record["class_names"] == ["down", "up"]
    assert np.trace(record["confusion"]) == round(8 * record["rate_accuracy"])
    assert record["rate_accuracy"] >= 0.875
    assert Path("out/mine/confusion.png").is_file()
    params = load_params("out/mine/model.npz")
    assert params.cells[0].theta == 0.2
    assert params.header["left_out_accuracy"] == record["left_out_accuracy"] > 0.8
    assert params.cells[0].memory_d == 2
    assert params.mean.shape == (2,)
    assert params.header["data"]["path"] == str(Path("mine.npz").resolve())
    # the folder is a model, and the model knows its data
    quick = ["--neurons=3000", "--neuron-type=if", "--presentation=.005", "--jobs=1"]
    code, out, told = shell("convert", "out/mine", *quick, "--json")
    assert code == 0
    assert "warning" not in told
    found = json.loads(out)
    assert found["rate_accuracy"] == record["rate_accuracy"]
    assert found["confusion"]["rate"] == record["confusion"]
    assert found["class_names"] == ["down", "up"]
    code, out, _ = shell("convert", "out/mine", *quick)
    assert code == 0
    assert "Classes (rows) and answers in spikes" in out
    # other data, and the same path with other data in it
    _own("more.npz", n=30)
    for more in (["--data=more.npz"], ["--task=more.npz"]):
        code, out, _ = shell("convert", "out/mine", *quick, *more, "--json")
        assert code == 0
        assert json.loads(out)["sequences"] == 6
    Path("more.npz").replace("mine.npz")
    code, _, told = shell("convert", "out/mine", *quick)
    assert code == 0
    assert "mine.npz has changed since the model was trained" in told
    Path("mine.npz").unlink()
    code, _, told = shell("convert", "out/mine", *quick)
    assert code == 2
    assert "which is there no more; name it with --data" in told.splitlines()[-1]


def test_own_sequences_for_a_chip_are_one_cell(shell):
    pytest.importorskip("jax")
    _own("mine.npz")
    code, out, _ = shell("train", "mine.npz", "--chip", "--epochs=2", "--units=6")
    assert code == 0
    assert out.splitlines()[-1] == "lmu-spiking deploy out/mine-chip/model.npz"
    (cell,) = load_params("out/mine-chip/model.npz").cells
    assert (cell.activation, cell.memory_d, cell.units) == ("loihi-relu", 2, 6)
    assert cell.theta == pytest.approx(0.11)  # the longest sequence
    values = np.random.default_rng(0).normal(size=40)
    with np.load("mine.npz") as file:
        np.savez("values.npz", **dict(file) | {"y": values})
    code, out, err = shell("train", "values.npz", "--chip")
    assert (code, out) == (2, "")
    assert "--chip: True has no recipe for values" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["none.npz"], "none.npz: no such file"),
        (["empty/"], "empty: holds no folder of sequences"),
        (["mine.npz", "--data=mine.npz"], "--data"),
        (["mine.npz", "--start-from=empty"], "is a folder without a model.npz"),
        (["mine.npz", "--theta=-1"], "--theta"),
        (["mine.npz", "--engine=nengo-dl"], "takes sequences of one length"),
    ],
)
def test_mistakes_with_own_sequences_are_told_in_one_line(shell, line, told):
    pytest.importorskip("jax")
    _own("mine.npz")
    Path("empty").mkdir()
    code, out, err = shell("train", *line, "--json")
    assert (code, out) == (2, "")
    assert told in err.splitlines()[-1]
    assert "Traceback" not in err
