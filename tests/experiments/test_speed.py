import shutil

import nengo
import numpy as np
import pytest
from scipy import stats

from lmu_spiking import ValidationError
from lmu_spiking.experiments.speed import run, table
from lmu_spiking.experiments.speed.peers import __main__ as timing
from lmu_spiking.experiments.speed.peers import core, limit, network
from lmu_spiking.experiments.speed.run import (
    DT,
    KINDS,
    Case,
    arrays,
    memory,
    model,
    stimulus,
)

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
STEPS = 600


def states(built, steps=STEPS):
    """States (steps, d) of a network and its probe, in Nengo."""
    graph, probe = built
    with nengo.Simulator(graph, dt=DT, progress_bar=False) as simulator:
        simulator.run_steps(steps, progress_bar=False)
        return simulator.data[probe]


# -- the networks ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lif", "regular", "rate"])
def test_arrays_rebuild_the_memory(kind):
    case = Case(kind, 3, 90, seed=3)
    expected = states(model(case))
    found = states(network.model(arrays(case)))
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_poisson_memory_is_rebuilt_with_its_spikes():
    case = Case("poisson", 3, 90, seed=3)
    found = states(network.model(arrays(case)))
    np.testing.assert_allclose(found, states(model(case)), atol=1e-11)


def test_array_carries_the_same_state():
    case = Case("lif-array", 2, 200, seed=5)
    exact = memory(case).ldn.simulate(stimulus(case)[:STEPS], DT)
    found = states(model(case))
    assert len(model(case)[0].all_ensembles) == 2
    assert np.corrcoef(found[1:, 0], exact[:-1, 0])[0, 1] > 0.95


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("lief", 6, 600), "--types: 'lief' is unknown; use one of poisson, lif"),
        (("lif", 6, 11), "--neurons: 11 is less than 2 per dimension for order 6"),
        (("lif", 0, 600), "--orders: 0 must be a whole number of at least 1"),
        (("lif", 6, 600, -1), "--seed: -1 must be a whole number from 0"),
    ],
)
def test_mistakes_are_told(given, told):
    with pytest.raises(ValidationError, match=told):
        Case(*given)


# -- the limit ---------------------------------------------------------------------


@needs_cc
def test_limit_leaves_subnormal_numbers_to_others():
    limit.compiled()
    assert np.float64(2.3e-308) / 4 > 0


def test_limit_is_the_exact_memory_with_rates():
    case = Case("rate", 6, 120)
    found = limit.build(arrays(case))(STEPS)
    exact = memory(case).ldn.simulate(stimulus(case)[:STEPS], DT)
    np.testing.assert_allclose(found[1:], exact[:-1], atol=3e-6)  # single precision


@needs_cc
@pytest.mark.parametrize("kind", ["regular", "lif", "poisson", "poisson-drawn"])
def test_limit_errs_like_nengo(kind):
    # rms over 2 s and d = 3 of errors that decorrelate within a synapse, twice drawn:
    # some 60 free numbers each, so their ratio spreads by sqrt(2 / 60) = .18
    case = Case(kind, 3, 600, seed=1)
    exact = memory(case).ldn.simulate(stimulus(case)[:2000], DT)[:-1]
    errors = [
        np.sqrt(np.mean((found[1:] - exact) ** 2))
        for found in (limit.build(arrays(case))(2000), states(model(case), 2000))
    ]
    assert 0.5 < errors[0] / errors[1] < 2


@needs_cc
@pytest.mark.parametrize("mean", [0.03, 0.3, 1.0, 6.0])
def test_limit_draws_poisson_counts(mean):
    n = 10**6
    counts = limit.draw(n, mean, seed=7, step=3).astype(int)
    most = int(stats.poisson.isf(20 / n, mean))  # 20 expected beyond it
    expected = n * stats.poisson.pmf(np.arange(most + 1), mean)
    seen = np.bincount(np.minimum(counts, most + 1), minlength=most + 2)
    expected = np.append(expected, n - expected.sum())
    assert stats.chisquare(seen, expected).pvalue > 1e-4


@needs_cc
def test_limit_draws_steps_independently():
    a, b = (limit.draw(10**6, 0.3, seed=7, step=k) for k in (3, 4))
    assert abs(np.corrcoef(a, b)[0, 1]) < 5e-3  # 5 standard errors
    assert abs(np.corrcoef(a[1:], a[:-1])[0, 1]) < 5e-3
    np.testing.assert_array_equal(a, limit.draw(10**6, 0.3, seed=7, step=3))


@needs_cc
def test_limit_goes_on_where_it_was():
    case = arrays(Case("poisson", 3, 90))
    whole, parts = limit.build(case), limit.build(case)
    found = np.concatenate([parts(40), parts(60)])
    np.testing.assert_array_equal(found, whole(100))


# -- timing ------------------------------------------------------------------------


class Pretended:
    """Takes a microsecond a step, and ten the first time of each length."""

    multiple, version = 50, "1"

    def __init__(self):
        self.lengths = []

    def seconds(self, steps):
        new = steps not in self.lengths
        self.lengths.append(steps)
        return (10e-6 if new else 1e-6) * steps


def test_first_run_of_each_length_does_not_count():
    pretended = Pretended()
    found = timing.measured(pretended, 0.3, repeats=3)
    assert found["best"] == pytest.approx(1e-6)
    assert found["median"] == pytest.approx(1e-6)
    assert found["steps"] * found["best"] >= 0.3
    assert all(steps % 50 == 0 for steps in pretended.lengths)
    assert pretended.lengths.count(found["steps"]) == 4  # and three that count


def test_nengo_runs_so_many_steps():
    case = Case("rate", 2, 20)
    going = core.build({"model": lambda: model(case), "dt": DT})
    found = np.concatenate([going(20), going(30)])
    going.close()
    np.testing.assert_allclose(found, states(model(case), 50), atol=1e-12)


# -- measuring ---------------------------------------------------------------------


def measured(ns, peer, n=600):
    return {"status": "measured", "best": ns * n * 1e-9, "median": ns * n * 1e-9}


def test_rows_have_their_ratios(monkeypatch):
    times = {"nengo": 60.0, "lmu_spiking": 2.0, "c": 0.5}
    monkeypatch.setattr(
        run, "measure", lambda peer, *_: measured(times[peer.name], peer)
    )
    rows = run.compare(run.grid(["rate"], [6], [600]), run.chosen(times))
    ours, many = [row for row in rows if row["peer"] == "lmu_spiking"]
    assert ours["times_nengo"] == pytest.approx(30)
    assert ours["times_limit"] == pytest.approx(4)
    assert ours["seconds_per_simulated_second"] == pytest.approx(2e-9 * 600 / DT)
    assert many["trials"] == 32
    assert many["ns"] == pytest.approx(2 / 32)
    (title, (header, lines)) = next(iter(table.tables(rows).items()))
    assert title == "rate, order 6"
    assert header == ["simulator", "m=600"]
    assert lines[1] == ["lmu_spiking", "2 (30x)"]
    assert table.panels(rows)[title]["C loop"] == ([600], [pytest.approx(0.5)])


def test_what_cannot_be_measured_is_a_row_with_its_reason(monkeypatch):
    asked = []

    def measure(peer, *_):
        asked.append(peer.name)
        if peer.name == "brian2":
            return {"status": "not installed", "reason": "No module named 'brian2'"}
        return {"status": "cannot", "reason": "no such neurons"}

    monkeypatch.setattr(run, "measure", measure)
    cases = run.grid(["poisson", "lif"], [6], [600, 6000])
    rows = run.compare(cases, run.chosen(["nengo", "brian2"]))
    assert asked.count("brian2") == 1  # for good
    assert asked.count("nengo") == 2  # for each type
    assert [row["peer"] for row in rows].count("brian2") == 1
    assert [row["peer"] for row in rows].count("nengo") == 4
    assert table.reasons(rows)[1].startswith("brian2: not installed\n  pip install")
    assert table.panels(rows) == {}


def test_measurements_are_processes(tmp_path):
    peers = run.chosen(["nengo"])
    rows = run.compare(run.grid(["rate"], [2], [20]), peers, seconds=0.001, repeats=1)
    assert rows[0]["status"] == "measured"
    assert rows[0]["version"] == nengo.__version__
    assert rows[0]["ns"] > 0
    failed = tmp_path / "python"
    failed.write_text("#!/bin/sh\necho no such thing >&2\nexit 3\n")
    failed.chmod(0o755)
    pythons = run.interpreters([f"nengo={failed}"])
    (row,) = run.compare(run.grid(["rate"], [2], [20]), peers, pythons=pythons)
    assert (row["status"], row["reason"]) == ("failed", "no such thing")


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["nengo_dl", "nengo_ocl", "brian2", "c"])
def test_peers_run_or_say_why(peer):
    asked = run.chosen([peer])
    rows = run.compare(run.grid(["lif"], [2], [40]), asked, seconds=0.001, repeats=1)
    assert {row["status"] for row in rows} <= {"measured", "not installed"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nengo", "--python: 'nengo' must be PEER=PATH"),
        ("nengoo=/bin/sh", "--python: 'nengoo=/bin/sh' must be PEER=PATH"),
        ("nengo=/no/such", "--python: '/no/such' is no program that can be run"),
    ],
)
def test_interpreters_are_checked(given, told):
    with pytest.raises(ValidationError, match=told):
        run.interpreters([given])


def test_every_kind_has_its_arrays():
    for kind in KINDS:
        given = arrays(Case(kind, 2, 40))
        sizes = {len(given[name]) for name in ("gain", "bias", "decoders", "encoders")}
        assert sizes == {40}
        assert str(given["structure"]) == ("array" if "array" in kind else "memory")
