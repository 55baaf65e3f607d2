import numpy as np
import pytest
from matplotlib.figure import Figure

from lmu_spiking.plots.training import (
    conversion_figure,
    plot_against_neurons,
    plot_history,
    plot_latency,
    plot_metric,
    training_figure,
)

HISTORY = [
    {"epoch": k, "loss": 1 / k, "valid_loss": 2 / k, "valid_accuracy": 1 - 1 / k}
    for k in (1, 2, 3)
]
RECORD = {"task": "digits", "n_params": 1234, "metric": "accuracy", "best_epoch": 2}


def converted(neurons, metric="accuracy", predicted=0.03, sign=1):
    return {
        "metric": metric,
        "neurons": neurons,
        f"rate_{metric}": 0.5,
        f"spiking_{metric}": 0.5 - sign * 0.04,
        "loss": 0.04,
        "loss_low": 0.01,
        "loss_high": 0.09,
        "predicted_loss": predicted,
        "latency": [(-0.001, 0.2), (0.0, 0.46), (0.001, 0.3)],
    }


@pytest.fixture
def ax():
    return Figure().subplots()


def line(ax, label):
    return next(drawn for drawn in ax.get_lines() if drawn.get_label() == label)


def test_history_shows_both_losses(ax):
    assert plot_history(ax, HISTORY) is ax
    assert line(ax, "training").get_ydata().tolist() == [1, 1 / 2, 1 / 3]
    assert line(ax, "validation").get_ydata().tolist() == [2, 1, 2 / 3]


def test_metric_marks_the_epoch_that_was_kept(ax):
    plot_metric(ax, HISTORY, "accuracy", 2)
    marked = next(d for d in ax.get_lines() if d.get_label().startswith("kept"))
    assert marked.get_xydata().tolist() == [[2, 0.5]]


def test_no_curve_of_what_was_trained_on_is_called_validation():
    seen = [{k.replace("valid", "seen"): v for k, v in r.items()} for r in HISTORY]
    figure = training_figure(RECORD | {"rate_accuracy": 0.9}, seen)
    for ax, last in zip(figure.axes, (2 / 3, 2 / 3), strict=True):
        assert line(ax, "sequences trained on").get_ydata()[-1] == pytest.approx(last)
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert not any("valid" in text for text in [*texts, ax.get_ylabel()])


def test_training_figure_has_two_panels():
    figure = training_figure(RECORD | {"rate_accuracy": 0.9}, HISTORY)
    assert len(figure.axes) == 2


@pytest.mark.parametrize(
    ("metric", "sign", "low", "high"),
    [("accuracy", 1, 0.41, 0.49), ("nrmse", -1, 0.51, 0.59)],
)
def test_interval_and_prediction_stand_where_loss_says(ax, metric, sign, low, high):
    rows = [converted(m, metric, sign=sign) for m in (1000, 100)]
    plot_against_neurons(ax, rows)
    assert line(ax, "predicted").get_ydata() == pytest.approx(0.5 - sign * 0.03)
    assert line(ax, "predicted").get_xdata().tolist() == [100, 1000]
    bars = ax.containers[0].lines[2][0].get_segments()
    assert sorted(np.array(bars)[0][:, 1]) == pytest.approx([low, high])


def test_no_prediction_no_line(ax):
    plot_against_neurons(ax, [converted(100, predicted=None)])
    labels = [drawn.get_label() for drawn in ax.get_lines()]
    assert "predicted" not in labels


def test_latency_is_in_milliseconds(ax):
    plot_latency(ax, converted(100))
    assert ax.get_lines()[0].get_xdata() == pytest.approx([-1, 0, 1])


def test_conversion_figure_has_two_panels():
    figure = conversion_figure([converted(100), converted(1000)], "digits")
    assert len(figure.axes) == 2
