import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lmu_spiking import plots
from lmu_spiking.experiments.figures import published as figures
from lmu_spiking.experiments.published import capacity
from lmu_spiking.experiments.published.result import Comparison, Reproduction
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.studies.report import exponents, summarise
from lmu_spiking.studies.sweep import grid, sweep


@pytest.fixture
def ax():
    return Figure().subplots()


def result(comparisons=(), **data):
    return Reproduction("name", "title", comparisons, (), (), data, {}, 0, True)


def labels(ax):
    return ax.get_legend_handles_labels()[1]


FED = pd.DataFrame(
    {"neurons": [100, 400], "rmse": [0.5, 0.25], "predicted_rmse": [0.55, 0.27]}
)


KINDS = ["Poisson", "with error feedback", "staggered"]


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    trials = [
        trial
        for m in (40, 80)
        for d in (1, 2)
        for trial in grid([d], [m // d], ["poisson"], 2, MemorySpec(theta=0.1), 1.0)
    ]
    return sweep(trials, tmp_path_factory.mktemp("memories"))


@pytest.fixture(scope="module")
def summary(frame):
    return summarise(frame)


@pytest.fixture(scope="module")
def rows():
    return pd.DataFrame(capacity.untrained(100, sequences=4))


def test_published_line_is_drawn_as_it_was(ax):
    assert figures.plot_feedforward(ax, FED) is ax
    (line,) = (line for line in ax.lines if "published" in line.get_label())
    np.testing.assert_allclose(line.get_ydata(), 5 / np.sqrt(line.get_xdata()))
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_factor_d_is_taken_at_the_largest_number(ax, summary):
    assert figures.plot_error_vs_order(ax, summary) is ax
    at = summary[summary.neurons == 80]
    (drawn,) = (line for line in ax.lines if line.get_label() == "predicted")
    np.testing.assert_allclose(drawn.get_ydata(), at.predicted_state_rmse)


def test_poisson_figure_has_six_panels(frame, summary):
    """The errors of memories, with and without feedback, on the same scale."""
    less = summary.copy()
    columns = [name for name in less if "state_rmse" in name and "ratio" not in name]
    less[columns] *= 0.1
    data = {"feedforward": FED, "memories": summary, "memories_fed_back": less}
    data["memories_staggered"] = less
    for end in ("", "_fed_back", "_staggered"):
        data[f"exponents{end}"] = exponents(frame)
    figure = figures.poisson_figure(result(**data))
    _, claimed, fed_back, staggered, slopes, by_order = figure.axes
    assert claimed.get_ylim() == fed_back.get_ylim()
    drawn = {line.get_label(): line for line in fed_back.lines}
    at = summary[summary.order == 1].sort_values("neurons")
    dashed = drawn["predicted without it"].get_ydata()
    np.testing.assert_allclose(dashed, at.predicted_state_rmse)
    assert "predicted for Poisson" in labels(staggered)
    # these do not fall as staggered neurons do, so that no guide says so
    assert "slope −1" not in labels(staggered)
    assert [name.split(":")[0] for name in labels(slopes)] == KINDS
    assert set(KINDS[1:]) <= set(labels(by_order))
    assert plots.png(figure).startswith(b"\x89PNG")


def test_capacity_draws_both_readouts(ax, rows):
    assert figures.plot_capacity(ax, rows, capacity.PUBLISHED) is ax
    assert {"T = 100", "published", "half-sample readout"} <= set(labels(ax))
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) == 5]
    assert any(np.array_equal(y, capacity.PUBLISHED[100]) for y in drawn)


@pytest.mark.parametrize("trained", [True, False])
def test_capacity_figure_shows_the_published_lstm_alone(rows, trained):
    lstm = pd.DataFrame([{"length": 25, "delay": np.nan, "mse": 0.1}] * trained)
    figure = figures.capacity_figure(
        result(untrained=rows, lstm=lstm, published=capacity.published())
    )
    assert "LSTM(100)" not in labels(figure.axes[1])
    assert "LSTM(100), published" in labels(figure.axes[1])
    assert plots.png(figure).startswith(b"\x89PNG")


def test_comparisons_are_drawn_in_their_order():
    both = Comparison("a", (0.1, 0.2), 0.15, 0.14, 0.16)
    found = (both, Comparison("b", (0.3, 0.4), say="not run here"))
    figure = figures.delay_network_figure(result(found))
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.yaxis_inverted()
    assert plots.png(figure).startswith(b"\x89PNG")
