import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lmu_spiking.experiments.figures.spikes import (
    CAPTIONS,
    X,
    plot_discrepancy,
    plot_error_by_type,
    plot_error_vs_rate,
    plot_sources,
    spikes_figures,
)


@pytest.fixture
def ax():
    return Figure().subplots()


def with_ends(table, *names):
    for name in names:
        table[f"{name}_low"] = table[name] / 1.1
        table[f"{name}_high"] = table[name] * 1.1
    return table


@pytest.fixture(scope="module")
def summary():
    rows = [
        {
            "neuron_type": kind,
            "order": 4,
            "neurons": n,
            "max_rate": rate,
            "budget": 4e4,
            "spikes_per_s": 40.0 * n,
            "synops_per_s": 1e3 * n,
            "synops_per_s_full": 40.0 * n**2,
            "state_rmse": 1 / np.sqrt(n),
            "predicted_state_rmse": 1 / np.sqrt(n) if kind == "poisson" else np.nan,
        }
        for kind in ("poisson", "lif")
        for n, rate in ((80, 300.0), (800, 30.0))
    ]
    return with_ends(pd.DataFrame(rows), "state_rmse")


@pytest.fixture(scope="module")
def sources():
    columns = ("state_rmse", "mended_rmse", "regular_rmse", "static_rmse")
    rows = [
        {"neuron_type": kind, "order": 4, "neurons": n, "lead_rmse": 0.01}
        | dict.fromkeys(columns, 1 / n)
        | {"group_neurons": n / 8, "discrepancy": 0.1, "discrepancy_null": 0.1}
        | {"in_step_discrepancy": 0.7}
        for kind in ("poisson", "lif")
        for n in (80, 800)
    ]
    return with_ends(pd.DataFrame(rows), *columns, "discrepancy")


@pytest.mark.parametrize("x", X)
def test_errors_stand_over_what_they_cost(ax, summary, x):
    assert plot_error_by_type(ax, summary, x) is ax
    _, labels = ax.get_legend_handles_labels()
    assert labels == ["lif", "poisson"]
    lines = [
        line for line in ax.lines if len(line.get_xdata()) and line.get_ls() == "-"
    ]
    poisson = summary[summary.neuron_type == "poisson"]
    assert any(list(line.get_xdata()) == list(poisson[x]) for line in lines)


def test_errors_at_equal_spikes(ax, summary):
    assert plot_error_vs_rate(ax, summary) is ax
    (guide,) = (line for line in ax.lines if line.get_label() == "slope −1/2")
    x, y = guide.get_data()
    assert y[1] / y[0] == pytest.approx((x[1] / x[0]) ** -0.5)


def test_discrepancies_stand_beside_the_null(ax, sources):
    assert plot_discrepancy(ax, sources) is ax
    _, labels = ax.get_legend_handles_labels()
    assert "independent" in labels
    assert "lif, from one voltage" in labels


def test_sources_of_one_type(ax, sources):
    assert plot_sources(ax, sources[sources.neuron_type == "lif"]) is ax
    _, labels = ax.get_legend_handles_labels()
    assert len(labels) == 5


def test_every_figure_has_a_caption(summary, sources):
    figures = spikes_figures(summary, summary, sources)
    assert set(figures) == set(CAPTIONS)
    assert len(figures["spikes-cost"].axes) == len(X)
    assert len(figures["spikes-sources"].axes) == 1  # Poisson neurons have no membrane
    nothing = pd.DataFrame()
    assert spikes_figures(nothing, nothing, nothing) == {}
