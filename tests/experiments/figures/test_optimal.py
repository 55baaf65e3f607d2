import numpy as np
import pytest

from lmu_spiking import plots
from lmu_spiking.experiments.figures import optimal as figures


def comparison():
    return [
        {
            "order": order,
            "tuning": tuning,
            "noise_nrmse": error,
            "noise_nrmse_ci95": 0.1 * error,
            "predicted_noise_nrmse": 1.05 * error,
        }
        for order in (6, 12)
        for tuning, error in (("plain", 0.03 * order), ("optimal", 0.01 * order))
    ]


def growth():
    rows = [
        {
            "order": order,
            "signal": signal,
            "tuning": tuning,
            "neurons": 60_000,
            "predicted_noise_nrmse": 0.01 * order,
        }
        for order in (2, 3, 4, 8)
        for signal in ("2 Hz", "what d holds")
        for tuning in ("plain", "optimal")
    ]
    return rows, [row | {"noise_nrmse": 0.011 * row["order"]} for row in rows]


def test_bars_stand_at_the_errors_and_ticks_at_the_law():
    with plots.style.styled():
        ax = plots.style.new_figure(4, 3).subplots()
    figures.plot_tunings(ax, comparison())
    heights = sorted(bar.get_height() for bar in ax.patches)
    assert heights == pytest.approx(sorted(r["noise_nrmse"] for r in comparison()))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["d = 6", "d = 12"]
    assert ax.get_yscale() == "log"


def test_growth_shows_the_law_and_what_was_measured():
    law, measured = growth()
    ax = plots.style.new_figure(4, 3).subplots()
    figures.plot_growth(ax, law, measured, "2 Hz")
    lines = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_allclose(
        lines["optimal, predicted"][:, 1], [0.02, 0.03, 0.04, 0.08]
    )
    np.testing.assert_allclose(
        lines["plain, measured"][:, 1], [0.022, 0.033, 0.044, 0.088]
    )


def test_figures_are_pictures():
    law, measured = growth()
    rows = [{"error": e, "nrmse": 0.9 * e, "neurons": 10} for e in (0.01, 0.1)]
    for figure in (
        figures.optimal_figure(comparison(), law, measured),
        plots.plan_figure(rows, 1.3),
        plots.plan_figure(rows, 1.3, rows[:1]),
    ):
        assert plots.png(figure).startswith(b"\x89PNG")
