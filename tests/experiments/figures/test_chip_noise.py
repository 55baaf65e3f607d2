import numpy as np
import pytest

from lmu_spiking import plots
from lmu_spiking.experiments.figures import chip as figures


def tuning():
    rows = []
    for target in ("core", "emulator"):
        for drive, rate in ((-20.0, 7.0), (0.0, 16.0), (100.0, 99.0), (150.0, 149.0)):
            row = {"target": target, "drive": drive, "rate": rate, "rate_ci95": 0.2}
            rows.append(row | {"cv": 1.02, "cv_ci95": 0.01, "fano": 0.97})
            rows[-1]["fano_ci95"] = 0.02
    return rows


MEMORIES = [(d, 1 / 8, m) for d in (3, 6) for m in (150, 300)] + [(6, 1 / 64, 300)]


def memories():
    return [
        {
            "order": order,
            "kept": kept,
            "neurons": m,
            "state_rmse": order / np.sqrt(m),
            "state_rmse_ci95": 0.01,
            "law_state_rmse": 0.97 * order / np.sqrt(m),
        }
        for order, kept, m in MEMORIES
    ]


@pytest.fixture
def ax():
    with plots.style.styled():
        return plots.style.new_figure(4, 3).subplots()


def test_the_tuning_has_a_series_for_each_target(ax):
    figures.plot_noisy_tuning(ax, [{"drive": 0, "rate": 16.0}], tuning())
    labels = ax.get_legend_handles_labels()[1]
    assert {"core", "emulator", "the curve"} <= set(labels)


def test_rates_too_low_for_statistics_are_left_out(ax):
    figures.plot_spike_statistics(ax, tuning()[4:])
    for container in ax.containers:
        np.testing.assert_array_equal(container[0].get_xdata(), [16, 99, 149])


def test_memories_stand_beside_their_law(ax):
    figures.plot_noisy_memory(ax, memories())
    lines = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert len(ax.containers) == 3
    heights = {tuple(line.get_ydata()) for line in lines}
    predicted = [row["law_state_rmse"] for row in memories() if row["order"] == 3]
    assert tuple(predicted) in heights
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_the_figure_has_three_panels():
    record = {
        "curve": [{"drive": 0.0, "rate": 16.0}, {"drive": 150.0, "rate": 149.0}],
        "tuning": tuning(),
        "memories": memories(),
    }
    figure = figures.loihi_noise_figure(record)
    assert len(figure.axes) == 3
    assert plots.png(figure)[:8] == b"\x89PNG\r\n\x1a\n"
