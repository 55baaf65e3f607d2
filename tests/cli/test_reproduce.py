import json

import pandas as pd
import pytest

from lmu_spiking.cli.reproduce import NAMES, report, text
from lmu_spiking.cli.shell import status
from lmu_spiking.experiments.published.result import Comparison, Reproduction


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["capacty"], "NAME: 'capacty' is not known; use one of poisson-figure,"),
        (
            ["capacity", "--jobs=0"],
            "--jobs: 0 must be a whole number: 1 to",
        ),
        (["capacity", "--seed=-1"], "--seed: -1 must be a whole number: 0 to"),
        (["delay-network", "--lstm-minutes=1"], "--lstm-minutes: 1.0 is for capacity"),
        (
            ["capacity", "--lstm-minutes=-1"],
            "--lstm-minutes: -1.0 must be a number",
        ),
        (["capacity", "--lstm-minutes=nan"], "--lstm-minutes: nan must be a number"),
        (["capacity", "--splits=2"], "--splits: 2 is for psmnist only"),
        (["psmnist", "--splits=0"], "--splits: 0 must be a whole number: 1 to"),
        (["mackey-glass", "--data=x.npz"], "--data: 'x.npz' is for psmnist only"),
        (["psmnist", "--data=x.npz"], "--data: 'x.npz' no such file or folder"),
        (["mackey-glass", "--lstm-minutes=-1"], "--lstm-minutes: -1.0 must be"),
        ([], "Missing"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, line, capsys, tmp_path):
    assert status(["reproduce", *arguments]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert line in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_line_and_the_file(capsys, tmp_path):
    assert status(["reproduce", "capacity", "--fast", "--json", "--out=here"]) == 0
    out, error = capsys.readouterr()
    assert (out.count("\n"), error) == (1, "")
    record = json.loads(out)
    assert json.loads((tmp_path / "here" / "result.json").read_text()) == record
    assert record["name"] == "capacity"
    assert record["fast"] is True
    assert record["seed"] == 0
    assert {"command", "versions", "seconds", "settings", "faults"} <= record.keys()
    row = record["comparisons"][0]
    assert row["low"] < row["ours"] < row["high"]
    assert record["comparisons"][-1]["ours"] is None
    names = {path.name for path in (tmp_path / "here").glob("[!.]*")}
    assert names == {"result.json", "capacity.png", "capacity.pdf"}
    assert (tmp_path / "here" / "capacity.png").read_bytes().startswith(b"\x89PNG")


def test_table_fits_and_says_that_it_is_short(capsys, tmp_path):
    assert status(["reproduce", "capacity", "--fast"]) == 0
    out, _ = capsys.readouterr()
    assert (tmp_path / "out" / "capacity" / "result.json").exists()
    assert "short version" in out
    assert "Upstream:" in out
    assert max(map(len, out.splitlines())) <= 80


def test_widest_table_fits():
    """Numbers as wide as they come."""
    one = Comparison("x" * 28, (0.055, 0.059), 1.23e-10, 1.23e-10, 1.24e-10, -0.123)
    missing = Comparison("y" * 28, None, say="not run: install lmu_spiking[train]")
    result = Reproduction(
        *("name", "title " * 20, (one, missing), ("fault " * 30,), ("note " * 30,)),
        *({"t": pd.DataFrame()}, {}, 0, False, "predicted"),
    )
    assert max(map(len, report(result))) <= 80


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0571, "0.0571"),
        (-0.5, "-0.5"),
        (5.0, "5"),
        (7.94e-6, "7.94e-6"),
        (1.2e-15, "1.2e-15"),
        ((0.055, 0.059), "0.055 to 0.059"),
        ([1.0, 2.0], "1 to 2"),
        (97.15, "97.15"),
        ((None, None), "-"),
    ],
)
def test_numbers_are_short(value, shown):
    assert text(value) == shown


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_in_the_help(name, capsys):
    assert status(["reproduce", "--help"]) == 0
    assert name in capsys.readouterr().out
