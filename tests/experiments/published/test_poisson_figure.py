import numpy as np
import pytest

from lmu_spiking.cli.reproduce import report
from lmu_spiking.experiments.published import poisson_figure as module
from lmu_spiking.experiments.published.poisson_figure import (
    NEURONS,
    draw,
    feedforward,
    feedforward_law,
    memories,
    reproduce,
)
from lmu_spiking.neurons.curves import neuron_type
from lmu_spiking.studies.report import exponents
from lmu_spiking.studies.sweep import sweep


@pytest.mark.parametrize("neurons", [30, 1500])
def test_decoders_solve_the_regularised_system(neurons):
    """Fewer neurons than points, or more."""
    drawn, kind = draw(neurons, 3), neuron_type("poisson-lif")
    x = np.linspace(-1, 1, 2001)[1::2]
    R = kind.rates(np.outer(x, drawn.encoders), drawn.gain, drawn.bias)
    ridge = len(x) * (0.1 * R.max()) ** 2
    wanted = np.linalg.solve(R.T @ R + ridge * np.eye(neurons), R.T @ x)
    np.testing.assert_allclose(drawn.decoders, wanted, rtol=1e-6, atol=1e-12)


def test_sizes_are_the_published_ones():
    assert (NEURONS[0], NEURONS[-1], len(NEURONS)) == (100, 20_010, 11)


def test_law_of_the_feedforward_run_holds():
    """Mean square over seeds; one run has some 50 independent samples."""
    rows = [feedforward(200, seed) for seed in range(10)]
    ratio = np.array([(row["rmse"] / row["predicted_rmse"]) ** 2 for row in rows])
    assert abs(ratio.mean() - 1) < 4 * ratio.std(ddof=1) / np.sqrt(len(ratio))


def test_law_falls_as_the_root():
    few, many = feedforward_law(draw(500, 0)), feedforward_law(draw(8000, 0))
    assert few / many == pytest.approx(4, rel=0.05)


def test_memories_have_the_same_number_at_each_order():
    trials = memories(module.ORDERS, module.MEMORY_NEURONS, 2, 4.0, 0)
    assert {trial.spec.n_neurons for trial in trials} == set(module.MEMORY_NEURONS)
    assert all(trial.spec.aggregated for trial in trials)
    assert len({trial.digest for trial in trials}) == len(trials)


def test_staggered_memories_fall_as_one_over_m(tmp_path):
    """The fitted exponent is -1, where that of Poisson neurons is -1/2."""
    trials = memories((2,), (480, 1920, 7680), 2, 4.0, 0, module.STAGGERED)
    assert {trial.spec.neuron_type for trial in trials} == {"if"}
    assert all(trial.spec.aggregated for trial in trials)
    found = exponents(sweep(trials, tmp_path))
    (fit,) = found[found.against == "neurons"].itertuples()
    assert fit.exponent == pytest.approx(-1, abs=0.1)
    assert fit.predicted == pytest.approx(-1, abs=0.05)


def test_comparisons_can_be_printed(monkeypatch):
    """Numbers are Python's, also where one is taken from a table's row."""
    monkeypatch.setattr(module, "NEURONS", (100, 150, 200))
    monkeypatch.setattr(module, "ORDERS", (1, 2, 3))
    monkeypatch.setattr(module, "MEMORY_NEURONS", (480, 960))
    found = reproduce(5, fast=True)
    what = {one.what for one in found.comparisons}
    assert "exponent of d at m = 480" in what
    assert "staggered: exponent of d at m = 480" in what
    assert len(report(found)) > len(found.comparisons)


def test_tiny_reproduction(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "NEURONS", (100, 150, 200))
    monkeypatch.setattr(module, "ORDERS", (1, 2))
    monkeypatch.setattr(module, "MEMORY_NEURONS", (480, 960, 1920))
    found = reproduce(5, fast=True, out=tmp_path)
    assert {one.what: one.published for one in found.comparisons} == {
        "feed-forward: slope": -0.5,
        "feed-forward: RMSE sqrt(m)": 5.0,
        "memory, d = 1: slope": -0.5,
        "with error feedback, d = 1: slope": None,
        "RMSE with error feedback over without, d = 1": None,
        "staggered, d = 1: slope": None,
        "RMSE staggered over Poisson, d = 1": None,
    }
    assert all(one.low < one.ours < one.high for one in found.comparisons)
    assert found.fast and found.seed == 5
    assert len(list((tmp_path / "trials").glob("*.json"))) == 18
    without, with_it, staggered = (
        found.data[name].set_index("neurons").state_rmse
        for name in ("memories", "memories_fed_back", "memories_staggered")
    )
    assert (with_it < 0.3 * without).all()
    assert (staggered < 0.1 * with_it).all()
    ours = {one.what: one.ours for one in found.comparisons}
    of_feedback = ours["RMSE with error feedback over without, d = 1"]
    assert of_feedback == pytest.approx(with_it[1920] / without[1920])
    assert found.comparisons[-1].ours == pytest.approx(staggered[1920] / without[1920])
    assert list(found.data["feedforward"].seed.unique()) == [5, 6, 7]


@pytest.mark.slow
def test_slopes_are_minus_one_half():
    found = {one.what: one for one in reproduce(1).comparisons}
    assert found["feed-forward: slope"].ours == pytest.approx(-0.5, abs=0.03)
    for name, one in found.items():
        if name.endswith("slope") and not name.startswith("feed-forward"):
            width = one.high - one.ours  # two standard errors
            assert abs(one.ours - one.beside) < 2 * width + 0.01
        if name.startswith("staggered") and name.endswith("slope"):
            assert one.ours == pytest.approx(-1, abs=0.03)
