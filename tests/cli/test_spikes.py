import json

import pytest

from lmu_spiking.cli.shell import status

SPIKES = [
    *("spikes", "--neuron-types=poisson,if", "--orders=1", "--trials=2", "--jobs=1"),
    *("--neurons-per-dimension=20", "--budget=600", "--max-rates=100,300"),
    *("--duration=1", "--theta=0.2"),
]
TABLES = {f"{name}.parquet" for name in ("trials", "summary", "budgets", "sources")}
FIGURES = {
    f"spikes-{name}.png" for name in ("cost", "budget", "discrepancy", "sources")
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Everything happens in an empty folder, and pictures are not drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lmu_spiking.plots.png", lambda figure: b"\x89PNG" + bytes(30))


def test_spikes_writes_its_report(tmp_path, capsys):
    assert status([*SPIKES, "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    record = json.loads(out)
    assert {row["neuron_type"] for row in record["summary"]} == {"poisson", "if"}
    assert {row["budget"] for row in record["budgets"]} == {600}
    assert all(row["synops_per_s"] > 0 for row in record["summary"])
    assert all(row["verdict"] for row in record["sources"])
    assert set(record["files"]) == TABLES | FIGURES | {"report.html"}
    page = (tmp_path / "out" / "spikes" / "report.html").read_text()
    assert "Where the error comes from" in page
    assert page.count("<figure>") == len(FIGURES)


def test_spikes_prints_a_table_without_sources(capsys):
    assert status([*SPIKES, "--no-sources", "--neuron-types=poisson"]) == 0
    assert "synops/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--duration=0.5", "--duration: 0.5 is too short for a lead"),
        (
            "--neuron-types=rate",
            "--neuron-types: 'rate' is unknown; use one of",
        ),
        ("--neuron-types=lief", "--neuron-types: 'lief' is unknown; use one of"),
        ("--budget=5", "budget: 5.0 spikes per second are fewer than 2 poisson"),
        ("--budget=many", "--budget: 'many' must be numbers with commas between"),
        ("--trials=0", "--trials: 0 must be a whole number"),
    ],
)
def test_mistake_is_told_in_one_line(capsys, option, told):
    assert status([*SPIKES, option]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told in err
