import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from lmu_spiking.cli.deploy import _chip_layout, _report
from lmu_spiking.lmu import CellParams, LMUParams, save_params
from lmu_spiking.loihi.run import target
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.tasks import load_task

TINY = ["--order=2", "--neurons=48", "--theta=0.1", "--tau=0.05", "--duration=0.5"]
CORE = ["deploy", "--target=core"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """In an empty folder, and pictures are not drawn."""
    monkeypatch.chdir(tmp_path)
    for place in ("plots", "plots.style"):
        monkeypatch.setattr(f"lmu_spiking.{place}.png", lambda figure: b"\x89PNG")
    monkeypatch.delenv("LMU_SPIKING_TRACEBACK", raising=False)


def refused(shell, *arguments):
    """The one line of a command that must fail for its user."""
    code, out, error = shell("deploy", *arguments)
    assert (code, out) == (2, "")
    assert error.count("\n") == 1
    return error


def test_core_needs_no_nengo_loihi(shell, tmp_path, monkeypatch):
    monkeypatch.setattr(target, "nengo_loihi", lambda: pytest.fail("asked for"))
    code, out, error = shell(*CORE, *TINY)
    assert (code, error) == (0, "")
    row = json.loads((tmp_path / "out" / "deploy" / "result.json").read_text())
    for key in ("nrmse", "predicted_nrmse", "window_nrmse", "state_rmse"):
        assert f"{row[key]:.4f}" in out
    assert f"{row['spikes_per_s']:,.0f} spikes/s" in out
    assert max(map(len, out.splitlines())) <= 80
    names = {path.name for path in (tmp_path / "out" / "deploy").glob("[!.]*")}
    assert names == {"result.json", "deployed.png", "deployed.pdf"}


@pytest.mark.parametrize("target", ["core", "nengo"])
def test_json_is_one_line(shell, tmp_path, target):
    line = ["deploy", f"--target={target}", *TINY]
    code, out, _ = shell(*line, "--seed=3", "--rms=0.3", "--json", "--out=a/b")
    assert code == 0 and out.count("\n") == 1
    row = json.loads(out)
    assert row == json.loads((tmp_path / "a" / "b" / "result.json").read_text())
    assert (row["target"], row["seed"], row["neurons"]) == ("core", 3, 48)
    assert row["duration"] == pytest.approx(0.5)
    assert row["files"] == {
        "result": "a/b/result.json",
        "readout": "a/b/deployed.png",
    }


def test_ladder_tells_the_steps(shell, tmp_path, capsys):
    code, out, _ = shell(*CORE, *TINY, "--ladder", "--trials=2", "--json")
    row = json.loads(out)
    assert code == 0
    assert [step["step"] for step in row["steps"]] == ["truncation", "spikes"]
    assert sum(s["window"] for s in row["steps"]) == pytest.approx(
        row["total"]["window"], rel=1e-12
    )
    assert [each["seed"] for each in row["rows"]] == [0, 1]
    assert (tmp_path / "out" / "deploy" / "ladder.png").exists()
    _report(row)  # what the command prints without --json
    out = capsys.readouterr().out
    assert "truncation" in out and "over 2 seeds" in out
    assert max(map(len, out.splitlines())) <= 80


def test_options_reach_the_memory(shell, tmp_path):
    spec = MemorySpec(n_neurons=40, order=2, theta=0.2, tau=0.05, dt=0.002)
    spec.to_toml(tmp_path / "memory.toml")
    arguments = ["--spec=memory.toml", "--neuron-type=lif", "--duration=0.8", "--json"]
    row = json.loads(shell(*CORE, *arguments)[1])
    assert (row["neurons"], row["theta"], row["dt"]) == (40, 0.2, 0.002)
    assert row["neuron_type"] == "LIF"
    rates = [
        json.loads(shell(*CORE, *TINY, f"--max-rate={r}", "--json")[1])["mean_rate"]
        for r in (60, 240)
    ]
    assert 3 < rates[1] / rates[0] < 5


def test_noisy_neurons_have_no_name_in_a_spec(shell):
    pytest.importorskip("nengo_loihi")
    arguments = ["--neuron-type=noisy", "--order=2", "--neurons=60", "--theta=0.2"]
    code, out, _ = shell(*CORE, *arguments, "--tau=0.05", "--duration=0.6")
    assert code == 0 and out.lstrip().startswith("60 noisy neurons, order 2")


def test_files_are_played(shell, tmp_path):
    lines = [f"{k % 37 / 37 - 0.5}" for k in range(500)]
    (tmp_path / "u.csv").write_text("\n".join(["u", *lines]))
    file = ["--input=u.csv", "--rate=1000", *TINY[:-1], "--json"]
    assert json.loads(shell(*CORE, *file)[1])["duration"] == pytest.approx(0.5)


@pytest.mark.slow
def test_ecg_is_played(shell):
    ecg = ["--input=ecg", "--neurons=200", "--duration=0.5", "--json"]
    row = json.loads(shell(*CORE, *ecg)[1])
    assert (row["input"], row["neurons"], row["theta"]) == ("ecg", 200, 0.1)


@pytest.mark.parametrize("kind", ["poisson", "stochastic", "relu"])
def test_poisson_neurons_are_refused(shell, kind):
    error = refused(shell, f"--neuron-type={kind}")
    assert f"'{kind}' cannot be on Loihi; use --neuron-type if, lif or noisy" in error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target=chip"], "'chip' is unknown; use core"),
        (["--chips=0"], "--chips"),
        (["--seed=-1"], "--seed"),
        (["--trials=2"], "is for --ladder only"),
        (["--neurons=60000"], "use at most"),
        (["--neurons=12"], "use at least 48"),
        (["--duration=0.1"], "too short"),
        (["--input=nothing"], "is not known"),
        (["--rate=5"], "is for a file"),
        (["--input=ecg", "--rms=1"], "is for --input white only"),
        (["--ordre=3"], "--help"),
    ],
)
def test_mistakes_are_one_line(shell, arguments, says):
    if not any(argument.startswith("--target") for argument in arguments):
        arguments = ["--target=core", *arguments]
    assert says in refused(shell, *arguments)


def test_without_nengo_loihi_it_says_what_to_install(shell, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "nengo_loihi" else real(name, *rest),
    )
    for rung in ("simreal", "emulator", "board"):
        error = refused(shell, f"--target={rung}")
        assert "nengo-loihi is not installed; run: pip install" in error


def test_emulator_tells_cores_and_energy(shell, tmp_path):
    pytest.importorskip("nengo_loihi")
    code, out, _ = shell("deploy", *TINY)
    assert code == 0
    assert "cores of 1 chip" in out and "(estimated)" in out
    assert max(map(len, out.splitlines())) <= 80
    row = json.loads((tmp_path / "out" / "deploy" / "result.json").read_text())
    assert row["cores"] > 1 and row["synops_per_s"] > 0
    assert (tmp_path / "out" / "deploy" / "layout.png").exists()


def test_board_names_the_way_out(shell):
    pytest.importorskip("nengo_loihi")
    assert "needs NxSDK" in refused(shell, "--target=board", *TINY)


# -- a trained model -------------------------------------------------------------------

SMALL = ["--presentation=0.005", "--neurons=72", "--copies=2", "--tau=0.04"]


def save_own(path="mine.npz", **cell):
    """Save sequences of two channels and three classes, and a cell for them."""
    rng, n = np.random.default_rng(0), 30
    ends, y = rng.integers(5, 10, n), np.arange(n) % 3
    x = [rng.normal(y[k], 1.0, (end, 2)) for k, end in enumerate(ends)]
    np.savez(path, x=np.concatenate(x), lengths=ends, y=np.array(list("abc"))[y])
    data = load_task(str(path))
    cell = {"units": 5, "order": 2, "theta": 9 * data.dt, "memory_d": 2} | cell
    cell = {"activation": "loihi-relu", "connections": "", "bias": True} | cell
    about = {"classes": 3, "last": True, "task": data.name, "class_names": list("abc")}
    about["data"] = {"path": str(Path(path).resolve()), "digest": data.digest}
    params = LMUParams.draw(2, 3, [cell], dt=data.dt, seed=1, **about)
    Path("out/mine-chip").mkdir(parents=True, exist_ok=True)
    e_x = np.eye(params.cells[0].memory_d, 2)
    save_params(params.updated({"cell0.e_x": e_x}), "out/mine-chip/model.npz")


def test_a_model_is_laid_out_and_its_test_part_run(shell):
    """The model is named by its folder, and results stand beside it."""
    pytest.importorskip("nengo_loihi")
    save_own()
    code, out, told = shell("deploy", "out/mine-chip", *SMALL)
    assert code == 0 and "warning" not in told
    row = json.loads(Path("out/mine-chip/result.json").read_text())
    for text in (f"{row['rate_accuracy']:.4f}", f"{row['spiking_accuracy']:.4f}"):
        assert text in out
    assert "2 memories of order 2, 5 ms a sample" in out
    assert "72 of memories, 10 of 5 units" in out
    assert f"{row['cores']} of the 128 of 1 chip" in out and "equal in 1" in out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert row["items"] == 6 and row["equal"] and row["class_names"] == ["a", "b", "c"]
    assert np.sum(row["confusion"]["spiking"]) == 6
    names = {path.name for path in Path("out/mine-chip").glob("[!.]*.*")}
    assert names >= {"model.npz", "result.json", "deployed.csv", "chip-confusion.png"}
    lines = Path("out/mine-chip/deployed.csv").read_text().splitlines()
    assert len(lines) == 2 and f"{row['spikes_per_inference']}" in lines[1]


def test_numbers_of_a_layout_are_the_recipes_unless_given(shell):
    """Also of --sequences and --emulated; a larger cell has more neurons."""
    pytest.importorskip("nengo_loihi")
    save_own()
    model = ["deploy", "out/mine-chip/model.npz", "--sequences=3", "--emulated=0"]
    line = [*model, "--json", "--presentation=0.002", "--neurons=80", "--out=there"]
    code, out, _ = shell(*line)
    assert code == 0 and out.count("\n") == 1
    row = json.loads(out)
    assert row == json.loads(Path("there/result.json").read_text())
    assert (row["memory_neurons"], row["copies"], row["tau"]) == (80, 12, 0.08)
    assert (row["items"], row["emulated"], row["presentation"]) == (3, 0, 0.002)
    data = load_task("mine.npz")
    sizes = []
    for order in (2, 9, 18):
        cell = CellParams(order, 0.1, np.eye(2), np.ones((1, 2 * order)))
        sizes.append(_chip_layout(data, cell)["n_neurons"])
    assert sizes == [1200, 1200, 2400]  # the recipe's order is 9


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["out/mine-chip", "--theta=0.1"], "--theta: 0.1 is for a memory alone"),
        (["out/mine-chip", "--ladder"], "--ladder: True is for a memory alone"),
        (["out/mine-chip", "--trials=2"], "--trials: 2 is for a memory alone"),
        (["out/mine-chip", "--input=ecg"], "--input: 'ecg' is for a memory alone"),
        (["out/mine-chip", "--target=core"], "--target: 'core' is for a memory alone"),
        (["out/mine-chip", "--neuron-type=noisy"], "use if or lif"),
        (["out/mine-chip", "--neurons=8"], "use at least 32"),
        (["out/mine-chip", "--task=digits"], "has 2 inputs and 3 outputs"),
        (["out/none"], "out/none: cannot be read"),
        (["out/mine-chip", "--neurons=9000"], "use at most 4032"),
        (["--copies=2"], "--copies: 2 is for a MODEL alone"),
        (["--presentation=.1"], "--presentation: 0.1 is for a MODEL alone"),
        (["--emulated=0"], "--emulated: 0 is for a MODEL alone"),
        (["--data=mine.npz"], "--data: 'mine.npz' is for a MODEL alone"),
    ],
)
def test_mistakes_with_models_are_one_line(shell, line, says):
    pytest.importorskip("nengo_loihi")
    save_own()
    code, out, told = shell("deploy", *line)
    assert (code, out) == (2, "")
    assert says in told.splitlines()[-1]


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ({"activation": "relu"}, "activation"),
        ({"connections": "W_x"}, "W_x"),
    ],
)
def test_models_that_the_chip_cannot_have_are_refused(shell, cell, named):
    """The line has the command that trains one that it can."""
    pytest.importorskip("nengo_loihi")
    save_own(**cell)
    error = refused(shell, "out/mine-chip")
    assert named in error and "lmu-spiking train my.npz --chip" in error
