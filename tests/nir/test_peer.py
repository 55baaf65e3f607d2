"""Other simulators that read NIR, where they are installed."""

import importlib.util
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "nir_peer.py"


def benchmark():
    spec = importlib.util.spec_from_file_location("nir_peer", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("peer", ["norse", "sinabs"])
@pytest.mark.filterwarnings("ignore")  # the peers' own
def test_a_peer_is_as_right_as_we_are(peer):
    """One seed and 2 s; the benchmark has five seeds, and more memories."""
    for package in ("nir", "torch", "nirtorch", peer):
        pytest.importorskip(package)
    module = benchmark()
    (errors,) = module.compare(module.cases(True)[0], [7400], [peer], duration=2.0)
    assert 0.9 < errors[peer] / errors["ours"] < 1.1


def test_what_to_install_is_said(monkeypatch, capsys):
    pytest.importorskip("nir")
    module = benchmark()
    monkeypatch.setattr(module, "missing", lambda peer: [peer])
    with pytest.raises(SystemExit, match="2"):
        next(module.nir_peer(None))
    assert "pip install --no-deps norse sinabs" in capsys.readouterr().err
