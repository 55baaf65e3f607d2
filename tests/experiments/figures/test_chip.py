import matplotlib
import numpy as np
import pandas as pd
import pytest

from lmu_spiking.experiments.figures import chip as figures

matplotlib.use("Agg")


@pytest.fixture
def figure():
    sizes = [50, 100, 200]
    peers = {"this memory, if": 0.04, "best known, if": 0.11, "official": 0.3}
    summary = pd.DataFrame(
        {
            "peer": peer,
            "n_per_dimension": n,
            "chip_spikes_per_s": 100.0 * n,
            "nrmse": np.nan if (peer, n) == ("official", 200) else value,
            "low": 0.9 * value,
            "high": 1.1 * value,
        }
        for peer, value in peers.items()
        for n in sizes
    )
    table = pd.DataFrame(
        {
            "label": ["one", "two"],
            "core": [0.05, 0.06],
            "emulator": [0.055, 0.06],
            "peer_core": [0.2, 0.3],
            "peer_emulator": [0.25, 0.4],
        }
    )
    found = pd.DataFrame(
        {
            "neuron_type": ["if", "lif", "if"],
            "predicted_window_noise_nrmse": [0.02, 0.05, 0.2],
            "window_noise_nrmse": [0.021, 0.048, 0.21],
        }
    )
    return figures.loihi_figure(summary, table, found)


def test_peers_stand_beside_the_memory(figure):
    window, table, predicted = figure.axes
    names = [text.get_text() for text in window.get_legend().get_texts()]
    assert names == ["this memory, if", "LMU notebook, if", "NengoLoihi's example"]
    official = window.containers[2].lines[0]
    np.testing.assert_array_equal(official.get_ydata(), [0.3, 0.3])  # none refused
    np.testing.assert_array_equal(official.get_xdata(), [5000, 10_000])  # equal spikes
    assert [tick.get_text() for tick in table.get_yticklabels()] == ["one", "two"]
    points = {line.get_label(): line for line in predicted.lines}
    np.testing.assert_array_equal(points["IF"].get_ydata(), [0.021, 0.21])
    np.testing.assert_array_equal(points["LIF"].get_xdata(), [0.05])
    assert predicted.get_title("left").startswith("3 random memories")


def test_digits_show_what_may_be_lost():
    rows = [
        {
            "seed": seed,
            "rate_accuracy": 0.97,
            "spiking_accuracy": 0.963 - 0.01 * seed,
            "lost_ci95": 0.01,
        }
        for seed in range(3)
    ]
    (axes,) = figures.loihi_digits_figure(rows).axes
    heights = [line.get_ydata()[0] for line in axes.lines]
    assert heights.count(0.97) == 3
    assert sum(np.isclose(heights, 0.97 - figures.BAR)) == 3
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "1", "2"]
