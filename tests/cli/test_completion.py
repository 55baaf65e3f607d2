"""What the Tab key offers, asked for as a shell asks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lmu_spiking
from lmu_spiking.cli import completion
from lmu_spiking.cli.known import NEURON_TYPES, REPRODUCED, RUNGS, TASKS
from lmu_spiking.cli.shell import status


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def offered(monkeypatch, capsys, *words):
    """What Bash would offer for the last of the words."""
    monkeypatch.setenv("_LMU_SPIKING_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["lmu-spiking", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    assert status([]) == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ru", ["run"]),
        ("run --neuron-type po", ["poisson", "poisson-lif"]),
        ("run --neuron-type = po", ["poisson", "poisson-lif"]),
        ("run --neuron-type =", list(NEURON_TYPES)),
        ("run --order 4 --tuning ba", ["balanced"]),
        ("run --inp", ["--input"]),
        ("run --input e", ["ecg"]),
        ("study --neuron-types poisson,lif,ada", ["poisson,lif,adaptive"]),
        ("reproduce ", list(REPRODUCED)),
        ("train ", list(TASKS)),
        ("deploy --target ", [*RUNGS, "nengo"]),
        ("bench ", ["simulator"]),
        ("bench simulator --peers nengo,c,b", ["nengo,c,brian2"]),
        ("run --order ", []),
        ("--show-completion z", ["zsh"]),
    ],
)
def test_names_are_offered(monkeypatch, capsys, line, found):
    assert offered(monkeypatch, capsys, *line.split(" ")) == found


def test_files_are_offered_by_their_kind(monkeypatch, capsys):
    Path("plans").mkdir()
    for name in ("plans/a.toml", "plans/b.npz", "c.toml", "d.csv"):
        Path(name).touch()
    assert offered(monkeypatch, capsys, "run", "--spec", "") == ["c.toml"]
    assert offered(monkeypatch, capsys, "run", "--spec", "plans/") == ["plans/a.toml"]
    assert offered(monkeypatch, capsys, "run", "--input", "d") == ["d.csv"]
    assert offered(monkeypatch, capsys, "convert", "plans/") == ["plans/b.npz"]
    # nothing: the shell then offers its own
    assert offered(monkeypatch, capsys, "run", "--spec", "nowhere/") == []
    assert offered(monkeypatch, capsys, "run", "--out", "pl") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_otherwise(monkeypatch, capsys, shell):
    monkeypatch.setenv("_LMU_SPIKING_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "lmu-spiking deploy --target em")
    assert status([]) == 0
    assert "emulator" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_script_is_shown_and_installed(shell, name, tmp_path, monkeypatch):
    code, out, error = shell("--show-completion", name)
    assert (code, error) == (0, "")
    assert f"_LMU_SPIKING_COMPLETE=complete_{name}" in out
    monkeypatch.setenv("HOME", str(tmp_path))
    code, out, _ = shell("--install-completion", name)
    assert code == 0
    assert Path(out.rsplit(": ", 1)[1].strip()).is_file()


def test_other_shells_are_refused(shell):
    code, out, error = shell("--show-completion", "tcsh")
    assert (code, out) == (2, "")
    assert "use one of bash, zsh, fish" in error


def test_without_a_shell_that_asks_nothing_is_touched():
    environment = {"COMP_WORDS": "a --b = c", "COMP_CWORD": "3"}
    completion.begin(environment)
    assert environment == {"COMP_WORDS": "a --b = c", "COMP_CWORD": "3"}


def test_nothing_heavy_is_imported_before_a_command_runs():
    """A word is completed, and a mistake refused, without Nengo."""
    root = str(Path(lmu_spiking.__file__).parents[1])
    code = (
        "import sys, json; from lmu_spiking.cli.shell import status\n"
        "status(['run', '--order=0']); status(['study', '--help'])\n"
        "heavy = 'nengo numpy scipy numba matplotlib pandas jax'.split()\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(found.stdout.splitlines()[-1]) == []


def test_front_door_has_a_place_for_every_name():
    assert set(lmu_spiking.__all__) == set(lmu_spiking._HOME)
    for name in lmu_spiking.__all__:
        assert getattr(lmu_spiking, name).__name__ == name
    assert lmu_spiking.theory.predict.predict is lmu_spiking.predict
    assert set(lmu_spiking.__all__) <= set(dir(lmu_spiking))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lmu_spiking.nothing
