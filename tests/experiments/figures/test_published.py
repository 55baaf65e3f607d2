import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lmu_spiking import plots
from lmu_spiking.experiments.figures import published as figures
from lmu_spiking.experiments.published.result import Reproduction


@pytest.fixture
def ax():
    return Figure().subplots()


def result(**data):
    return Reproduction("name", "title", (), (), (), data, {}, 0, True)


EXAMPLE = pd.DataFrame(
    {"t": [0, 1], "target": [0, 1.0], "rate": [0, 0.9], "m = 1e6": [0.1, 1]}
)
MODELS = pd.DataFrame(
    {
        "model": ["LMU", "LSTM"],
        "nrmse": [0.03, 0.3],
        "low": [0.02, 0.2],
        "high": [0.04, 0.4],
        "nrmse_settled": [0.01, 0.2],
        "seconds": [10.0, 10.0],
    }
)
SPIKING = pd.DataFrame(
    {
        "steps_a_sample": [1, 1, 10],
        "neurons": [100, 1000, 100],
        "spiking_nrmse": [0.3, 0.1, 0.2],
        "low": [0.2, 0.09, 0.1],
        "high": [0.4, 0.11, 0.3],
        "predicted_nrmse": [0.31, 0.1, 0.2],
        "rate_nrmse": 0.05,
    }
)
KNOWN = pd.DataFrame({"model": ["LMU", "LSTM"], "nrmse": [0.0487, 0.0587]})
DIGITS = pd.DataFrame(
    {
        "split": [0, 0, 1],
        "presentation": [0.001, 0.01, 0.001],
        "neurons": 1000,
        "rate_accuracy": [0.96, 0.96, 0.98],
        "loss": [0.02, 0.0, 0.04],
        "loss_low": [0.01, np.nan, 0.03],
        "loss_high": [0.03, np.nan, 0.05],
        "predicted_loss": [0.03, 0.0, 0.03],
    }
)


def test_law_is_a_line_for_each_presentation(ax):
    assert figures.plot_spiking_errors(ax, SPIKING) is ax
    predicted = [line for line in ax.lines if line.get_label() == "predicted"]
    assert [len(line.get_xdata()) for line in predicted] == [2, 1]


def test_accuracy_is_the_mean_of_splits(ax):
    assert figures.plot_accuracy_vs_neurons(ax, DIGITS) is ax
    (dashed,) = (line for line in ax.lines if line.get_label() == "rate-based")
    assert dashed.get_ydata()[0] == pytest.approx(97)
    predicted = next(line for line in ax.lines if line.get_label() == "predicted")
    np.testing.assert_allclose(predicted.get_ydata(), [94])


def shown(figure) -> set[str]:
    """All that a figure's legends and ticks name."""
    found = set()
    for ax in figure.axes:
        found |= {*ax.get_legend_handles_labels()[1]}
        found |= {text.get_text() for text in ax.get_yticklabels()}
    return found


def test_mackey_glass_figure_shows_no_model_that_has_not_converged():
    data = {"example": EXAMPLE, "models": MODELS, "published": KNOWN}
    figure = figures.mackey_glass_figure(result(**data, spiking=SPIKING))
    assert len(figure.axes) == 2
    assert not any("LSTM" in name for name in shown(figure))
    assert plots.png(figure).startswith(b"\x89PNG")


def test_psmnist_figure_shows_no_model_that_has_not_converged():
    history = pd.DataFrame(
        {"split": 0, "model": ["LMU", "LSTM"], "seconds": 1.0, "valid_accuracy": 0.5}
    )
    models = pd.DataFrame({"model": ["LMU", "linear, raw pixels"], "test": [0.9, 0.8]})
    latency = pd.DataFrame(
        {
            "split": 0,
            "presentation": 0.001,
            "neurons": 10,
            "lag": [-0.01, 0],
            "accuracy": 0.5,
        }
    )
    figure = figures.psmnist_figure(
        result(history=history, models=models, latency=latency, spiking=DIGITS)
    )
    assert len(figure.axes) == 2
    assert not any("LSTM" in name or "pixels" in name for name in shown(figure))
    assert plots.png(figure).startswith(b"\x89PNG")
