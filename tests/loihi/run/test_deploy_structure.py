import json

import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.limits import CORE, weights_cores
from lmu_spiking.loihi.run import deploy as module
from lmu_spiking.loihi.run.deploy import (
    deploy,
    most_all_to_all,
    relays_advice,
    structure_of,
)
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.signals import white_noise

INPUTS = 32


def test_weights_are_taken_where_they_fit_and_else_relays():
    assert structure_of("auto", 600, "emulator") == "weights"
    assert structure_of("auto", 6000, "emulator", chips=2) == "decode"
    assert structure_of("auto", 6000, "core") == "weights"
    assert structure_of("decode", 600, "core") == "decode"
    with pytest.raises(ValidationError, match="structure='decode'"):
        structure_of("weights", 6000, "emulator")
    with pytest.raises(ValidationError, match=r"cores, .*structure='decode'"):
        structure_of("weights", CORE.in_axons - 32, "emulator")
    with pytest.raises(ValidationError, match="auto, weights, decode"):
        structure_of("relays", 600, "core")


@pytest.mark.parametrize("chips", [1, 2])
def test_the_most_that_fit_all_to_all(chips):
    most = most_all_to_all(chips)
    assert structure_of("auto", most, "emulator", chips) == "weights"
    assert structure_of("auto", most + 1, "emulator", chips) == "decode"


def test_advice_says_what_all_to_all_needs_and_what_there_is():
    most = most_all_to_all()
    cores = weights_cores(most + 1, INPUTS)
    said = relays_advice(most + 1, 480)
    assert said.kind == "structure" and not said.serious and "\n" not in said.text
    assert f"{most + 1} neurons take {cores} cores, of the 128 on 1 chip" in said.text
    assert (
        "through 480 decode neurons" in said.text
        and f"{most} neurons, all to" in said.text
    )
    assert "on any number of chips" in relays_advice(6000, 750, 32).text


def test_relays_that_were_not_asked_for_are_told(monkeypatch):
    pytest.importorskip("nengo_loihi")
    monkeypatch.setattr(module, "CORES_PER_CHIP", 0)
    keywords = {"signal": white_noise(0.5, 0.001, 2.0, 0.3, 7), "n_relays": 32}
    spec = MemorySpec(n_neurons=96, order=2, theta=0.2, tau=0.05)
    chosen = deploy(spec, "simreal", **keywords)
    cores = weights_cores(96, INPUTS)
    assert chosen.structure == chosen.row["structure"] == "decode"
    assert chosen.advice[0].kind == "structure" and chosen.advice[1:] == ()
    said = json.loads(chosen.to_json())["advice"][0]["text"]
    assert f"96 neurons take {cores} cores, of the 0 on 1 chip" in said
    assert "32 decode neurons" in said
    asked = deploy(spec, "core", structure="decode", **keywords)
    assert asked.row["structure"] == "decode" and asked.advice == ()


@pytest.mark.parametrize("n, hopeless", [(48, True), (600, False)])
def test_a_memory_that_cannot_hold_its_window_is_told(n, hopeless):
    spec = MemorySpec(n_neurons=n, order=6, theta=0.1, tau=0.05)
    done = deploy(spec, "core", neuron_type="if", duration=1.0)
    told = [each.text for each in done.advice if each.kind == "error"]
    assert bool(told) == hopeless
    if hopeless:
        assert "does not hold it; use more neurons" in told[0]
