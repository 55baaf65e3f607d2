"""Digits on Loihi's emulator: accuracy of each split, in rates and on the chip."""

import numpy as np

from lmu_spiking.plots.style import BLACK, COLORS, GREY, new_figure, styled

BAR = 0.02  # that spikes may lose


def plot_chip_accuracy(ax, rows: list[dict]):
    """Rates and spikes beside each other, and what may be lost.

    Parameters
    ----------
    rows : list of dict
        Of `loihi.run.classify`, with ``seed``.
    """
    for k, row in enumerate(rows):
        rate, spiking = row["rate_accuracy"], row["spiking_accuracy"]
        ax.plot([k - 0.3, k + 0.3], [rate - BAR] * 2, color=GREY, ls="--", lw=0.9)
        ax.plot(k - 0.1, rate, "o", color=BLACK, ms=4.5)
        half = row["lost_ci95"]
        ax.errorbar(k + 0.1, spiking, half, fmt="s", color=COLORS[0], ms=4.5)
    ax.set_xticks(np.arange(len(rows)), [str(row["seed"]) for row in rows])
    title = "rates (circles), chip (squares), 2 points less (dashes)"
    ax.set(xlabel="Split", ylabel="Accuracy", title=title)
    return ax


def loihi_digits_figure(rows: list[dict]):
    """`plot_chip_accuracy` as a figure."""
    with styled():
        figure = new_figure(4.5, 3.2)
        plot_chip_accuracy(figure.subplots(), rows)
    return figure
