import dataclasses

import nengo
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.run.counts import BlockCounts, Counts
from lmu_spiking.loihi.run.energy import (
    KERAS_SPIKING,
    LOIHI,
    Figure,
    compare,
    estimate,
    operations,
)
from lmu_spiking.loihi.run.target import nengo_loihi, run_on

BLOCK = BlockCounts("x", 100, 100_000, 5_000, 10_000, 2_000_000, 1_500_000, 40_000)
COUNTS = Counts(1_000, {}, (BLOCK,), host_spikes=500, host_messages=1_000)


def twice(counts):
    """All that happens twice as often, in as many steps."""
    often = ("updates", "spikes", "messages", "synops", "synops_nonzero", "synapses")
    blocks = tuple(
        dataclasses.replace(b, **{name: 2 * getattr(b, name) for name in often})
        for b in counts.blocks
    )
    return dataclasses.replace(
        counts, blocks=blocks, host_messages=2 * counts.host_messages
    )


def test_by_hand():
    """2e6 synops of 23.6 pJ, 1e5 updates of 81, 11e3 messages of 1.7 + 3 + 4 pJ."""
    energy = estimate(COUNTS, 2.0, seconds_per_inference=0.1)
    dynamic = 2e6 * 23.6e-12 + 1e5 * 81e-12 + 11e3 * 8.7e-12
    assert energy.dynamic == pytest.approx(dynamic, rel=1e-12)
    assert energy.idle == pytest.approx(dynamic - 1e5 * 29e-12, rel=1e-12)
    assert energy.dynamic_watts == pytest.approx(dynamic / 2)
    assert energy.dynamic_per_step == pytest.approx(dynamic / 1000)
    assert energy.dynamic_per_inference == pytest.approx(dynamic / 20)
    assert (energy.static_watts, energy.static) == (0.104, 0.208)
    assert energy.static_per_inference == pytest.approx(0.0104)


def test_dimensions():
    """Energies scale with what is done, static ones with time and chips."""
    once, more = estimate(COUNTS, 1.0), estimate(twice(COUNTS), 1.0)
    assert more.dynamic == pytest.approx(2 * once.dynamic)
    assert more.idle == pytest.approx(2 * once.idle)
    assert more.static == once.static
    slow = estimate(COUNTS, 3.0, seconds_per_inference=3.0)
    assert slow.dynamic == once.dynamic == pytest.approx(slow.dynamic_per_inference)
    assert slow.dynamic_watts == pytest.approx(once.dynamic_watts / 3)
    assert slow.static == pytest.approx(3 * once.static)
    assert estimate(COUNTS, 1.0, chips=4).static == pytest.approx(4 * once.static)
    assert estimate(COUNTS, 1.0, hops=(0, 0)).dynamic < once.dynamic
    assert once.dynamic_per_inference is None is once.static_per_inference


def test_chips_hold_128_cores():
    for cores, chips in ((1, 1), (128, 1), (129, 2)):
        counts = dataclasses.replace(COUNTS, blocks=(BLOCK,) * cores)
        assert estimate(counts, 1.0).chips == chips


def test_every_figure_has_a_citation_and_a_unit():
    for device in (LOIHI, *KERAS_SPIKING.values()):
        for name, figure in device.items():
            assert figure.value > 0 and "20" in figure.source, name  # a year
            assert figure.unit == ("W" if name == "static power" else "J")
    assert all("IEEE Micro 38(1)" in LOIHI[name].source for name in list(LOIHI)[:6])
    assert "Frady" in LOIHI["static power"].source


def test_published_figures():
    """Davies et al. 2018, table 2; keras-spiking 0.3.0, model_energy.py."""
    picojoules = [round(figure.value * 1e12, 6) for figure in LOIHI.values()][:6]
    assert picojoules == [23.6, 81, 52, 1.7, 3.0, 4.0]
    assert LOIHI["static power"].value == 0.104
    assert KERAS_SPIKING["cpu"]["synapse in every step"].value == 8.6e-9
    assert KERAS_SPIKING["gpu"]["synapse in every step"].value == 0.3e-9
    assert KERAS_SPIKING["loihi"]["synaptic operation"].value == 27.1e-12  # + 3.5
    with pytest.raises(TypeError):
        LOIHI["update"] = None


def test_rows_say_that_they_are_estimates():
    energy = estimate(COUNTS, 2.0, seconds_per_inference=0.5)
    rows = {row["part"]: row for row in energy.rows()}
    assert list(rows)[-3:] == ["dynamic", "dynamic, all idle", "static"]
    parts = [row for name, row in rows.items() if name in LOIHI]
    assert sum(row["estimated_J"] for row in parts) == pytest.approx(energy.dynamic)
    for row in rows.values():
        assert row["source"] and "measured" not in " ".join(row)
        assert row["estimated_W"] == pytest.approx(row["estimated_J"] / 2)
        assert row["estimated_J_per_step"] == pytest.approx(row["estimated_J"] / 1000)
        per_inference = row["estimated_J_per_inference"]
        assert per_inference == pytest.approx(row["estimated_W"] / 2)
        assert {name for name in row if name.startswith("estimated_")} == {
            "estimated_J",
            "estimated_W",
            "estimated_J_per_step",
            "estimated_J_per_inference",
        }
    assert "static" not in [
        r["part"] for r in estimate(COUNTS, 1.0, device=KERAS_SPIKING["loihi"]).rows()
    ]


def test_comparison_with_processors():
    """They compute 4e4 synapses and 100 neurons in each of 1000 steps, at 8.6 nJ."""
    rows = {row["device"]: row for row in compare(COUNTS, 2.0)}
    assert set(rows) == set(KERAS_SPIKING)
    cpu = (40_000 * 1000 + 100_000) * 8.6e-9
    assert rows["cpu"]["estimated_W"] == pytest.approx(cpu / 2)
    loihi = 2e6 * 27.1e-12 + 1e5 * 81e-12
    assert rows["loihi"]["estimated_J_per_step"] == pytest.approx(loihi / 1000)
    assert all(row["source"] for row in rows.values())


@pytest.mark.parametrize(
    "device, said",
    [
        (
            {"spike": Figure(1e-12, "J", "x")},
            "'spike' is nothing that is counted; use one of s",
        ),
        ({"update": Figure(1e-12, "W", "x")}, r"\['update'\].unit: 'W' must be 'J'"),
        ({"static power": Figure(1.0, "J", "x")}, "'J' must be 'W'"),
        ({"update": Figure(1e-12, "J", "")}, "must cite where the figure comes from"),
    ],
)
def test_devices_of_ones_own_are_checked(device, said):
    with pytest.raises(ValidationError, match=said):
        estimate(COUNTS, 1.0, device=device)


def test_arguments_are_checked():
    with pytest.raises(ValidationError, match=r"estimate.seconds: 0 must be"):
        estimate(COUNTS, 0)
    with pytest.raises(ValidationError, match="seconds_per_inference"):
        estimate(COUNTS, 1.0, seconds_per_inference=-1)
    with pytest.raises(ValidationError, match=r"estimate.chips: 0 must be"):
        estimate(COUNTS, 1.0, chips=0)


def test_spikes_alone_are_no_estimate():
    with nengo.Network() as net:
        nengo.Ensemble(10, 1)
    counts = run_on(net, "core", 0.01).counts
    for given in (counts, None):
        with pytest.raises(
            ValidationError, match=r"hold spikes alone or nothing.*; run"
        ):
            estimate(given, 0.01)


def test_of_a_run_on_the_emulator():
    pytest.importorskip("nengo_loihi")
    nengo_loihi()
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(50, 1)
        nengo.Connection(a, a)
    counts = run_on(net, "emulator", 0.1).counts
    done = operations(counts)
    assert done["synaptic operation"] == counts.synops > 0
    energy = estimate(counts, 0.1)
    assert 0 < energy.idle < energy.dynamic < energy.static
