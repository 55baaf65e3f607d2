"""The doctor: what it finds wrong, and the way out that it names."""

import json
import sys

import pytest

from lmu_spiking.cli import checks
from lmu_spiking.cli.checks import CHECKS, Check, try_out
from lmu_spiking.errors import ValidationError

THERE = {check.extra: {"installed": True} for check in CHECKS}
BY_NAME = {check.name: check for check in CHECKS}


def versions(monkeypatch, **known):
    known = {name.replace("_", "-"): found for name, found in known.items()}
    real = checks.version
    monkeypatch.setattr(checks, "version", lambda n: known.get(n) or real(n))


@pytest.mark.parametrize(
    ("name", "installed", "said"),
    [
        ("nengo-dl", {"numpy": "2.0.0", "tensorflow": "2.15.1"}, "'numpy<2.0'"),
        ("nengo-dl", {"numpy": "1.26.4", "tensorflow": "2.16.1"}, "'tensorflow<2.16'"),
        ("pytest", {"pytest": "9.0.1"}, "-m pip install 'pytest<9'"),
    ],
)
def test_versions_that_do_not_go_together(monkeypatch, name, installed, said):
    versions(monkeypatch, **installed)
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    found = try_out(BY_NAME[name], THERE)
    assert (found["state"], found["base"]) == ("wrong", False)
    assert said in found["say"]
    assert sys.executable in found["say"]


def test_nengo_dl_needs_an_older_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    assert "Python 3.11" in try_out(BY_NAME["nengo-dl"], THERE)["say"]


def test_training_takes_a_step():
    pytest.importorskip("optax")
    assert try_out(BY_NAME["train"], THERE)["state"] == "works"


def test_a_wrong_step_is_told(monkeypatch):
    optax = pytest.importorskip("optax")
    monkeypatch.setattr(optax, "apply_updates", lambda x, step: x)
    found = try_out(BY_NAME["train"], THERE)
    assert (found["state"], found["base"]) == ("wrong", False)
    assert "optax" in found["say"]


def test_what_is_not_installed_is_not_tried():
    check = Check("it", "it", lambda: pytest.fail("tried"), "nir")
    assert try_out(check, {"nir": {"installed": False}})["state"] == "missing"


def test_what_works_says_what_was_found():
    found = try_out(BY_NAME["spikes"], THERE)
    assert found["state"] == "works"
    assert 0.5 < found["value"] < 2


def broken(*_):
    raise ValidationError("it", 3, "is broken")


def test_status_is_0_unless_the_base_is_broken(shell, monkeypatch):
    one = Check("extra", "an extra", broken, "nir")
    other = Check("simulator", "the base", broken, base=True)
    monkeypatch.setattr("lmu_spiking.cli.doctor._version", lambda name: "1.0")
    monkeypatch.setattr("lmu_spiking.cli.doctor.CHECKS", (one,))
    code, out, error = shell("doctor")
    assert (code, error) == (0, "")
    assert "Wrong:\n- an extra: it: 3 is broken" in out
    monkeypatch.setattr("lmu_spiking.cli.doctor.CHECKS", (one, other))
    code, out, error = shell("doctor", "--json")
    assert code == 2
    assert error.startswith("lmu-spiking: the base is broken: it: 3 is broken")
    assert error.count("\n") == 1
    found = json.loads(out)
    assert found["checks"]["simulator"]["state"] == "wrong"
    assert len(found["problems"]) == 2


def test_one_command_installs_what_is_missing(shell, monkeypatch):
    there = {"lmu_spiking": "0.3", "nengo-loihi": "1.1.0"}
    monkeypatch.setattr("lmu_spiking.cli.doctor._version", there.get)
    monkeypatch.setattr("lmu_spiking.cli.doctor.CHECKS", ())
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    (line,) = json.loads(shell("doctor", "--json")[1])["install"]
    assert line.startswith(
        (sys.executable, f"uv pip install --python {sys.executable}")
    )
    assert line.endswith("'lmu_spiking[train,data,recordings,dask,nir,gui]'")
    # on its Python NengoDL is not advised either, as it brings numpy 1
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    assert json.loads(shell("doctor", "--json")[1])["install"] == [line]
    del there["lmu_spiking"]
    (line,) = json.loads(shell("doctor", "--json")[1])["install"]
    assert " -e '/" in line
