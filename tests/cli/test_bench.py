import json

import pytest

from lmu_spiking.cli.shell import status
from lmu_spiking.experiments.speed import run

BENCH = ["bench", "simulator", "--neurons=600,6000", "--types=poisson,rate"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Nothing is timed, and everything happens in an empty folder."""

    def measure(peer, file, threads, python):
        if peer.name == "nengo_ocl":
            return {"status": "cannot", "reason": "Unsupported neuron type"}
        if peer.name == "brian2":
            return {"status": "not installed", "reason": "No module named 'brian2'"}
        best = 1e-6 * (1 + len(peer.name))
        return {"status": "measured", "best": best, "median": best, "version": "1"}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr("lmu_spiking.plots.style.png", lambda figure: b"\x89PNG")


def test_bench_writes_json_and_figure(tmp_path, capsys):
    assert status([*BENCH, "--json", "--seed=4"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    record = json.loads(out)
    assert record["seed"] == 4
    assert record["cpu"]
    assert {row["peer"] for row in record["rows"]} == set(run.PEERS)
    assert sum(row["peer"] == "brian2" for row in record["rows"]) == 1
    ours = [r for r in record["rows"] if r.get("times_limit")]
    assert all(row["ns"] > 0 and row["times_nengo"] > 0 for row in ours)
    kept = json.loads((tmp_path / "out" / "bench" / "simulator.json").read_text())
    assert kept == record
    assert set(record["files"]) == {"simulator.json", "simulator.png"}


def test_table_fits_a_terminal(capsys):
    neurons = "--neurons=600,6000,60000,600000"
    assert status([*BENCH, neurons]) == 0
    out = capsys.readouterr().out
    assert "poisson, order 6" in out
    assert "brian2: not installed\n  pip install brian2" in out
    assert "nengo_ocl, rate: Unsupported neuron type" in out
    shown = [line.rstrip() for line in out.splitlines()]
    tables = [line for line in shown if not line.startswith("nengo_ocl")]
    assert max(len(line) for line in tables) <= 80


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--types=lief", "--types: 'lief' is unknown; use one of poisson"),
        ("--peers=neuron", "--peers: 'neuron' is unknown; use one of nengo"),
        ("--neurons=5", "--neurons: 5 is less than 2 per dimension for order 6"),
        ("--orders=many", "--orders: 'many' must be whole numbers with commas"),
        ("--seconds=0", "--seconds: 0.0 must be a number: above 0"),
        ("--python=brian2", "--python: 'brian2' must be PEER=PATH"),
    ],
)
def test_mistake_is_told_in_one_line(capsys, option, told):
    assert status([*BENCH, option]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told in err


def test_bench_alone_says_what_it_has(capsys):
    assert status(["bench"]) == 0
    assert "lmu-spiking bench simulator" in capsys.readouterr().out
