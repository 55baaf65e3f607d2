import numpy as np

from lmu_spiking.experiments.figures import speed as figures

LINES = {
    "Nengo": ([600, 6000], [60.0, 17.0]),
    "lmu_spiking": ([600, 6000], [1.0, 0.5]),
    "lmu_spiking, 32 trials": ([600], [0.4]),
    "C loop": ([600, 6000], [0.6, 0.3]),
}


def test_a_panel_for_each_network():
    figure = figures.speed_figure(
        {f"{kind}, order 6": LINES for kind in ("poisson", "lif", "regular")}
    )
    assert [ax.get_title("left") for ax in figure.axes] == [
        *("poisson, order 6", "lif, order 6", "regular, order 6"),
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(LINES)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["C loop"].get_linestyle() == "--"
    np.testing.assert_array_equal(lines["Nengo"].get_ydata(), [60, 17])
    ours, many = lines["lmu_spiking"], lines["lmu_spiking, 32 trials"]
    assert ours.get_color() == many.get_color() != lines["Nengo"].get_color()
    assert many.get_linestyle() == ":"
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["600", "6,000"]
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"


def test_panels_beyond_a_row_are_empty():
    figure = figures.speed_figure({str(k): LINES for k in range(5)})
    assert len(figure.axes) == 8
    assert sum(len(ax.lines) > 0 for ax in figure.axes) == 5
