"""Figures of the chip benchmarks: against peers, Nengo and the predicted error."""

import numpy as np

from lmu_spiking.plots.style import (
    BLACK,
    BLUE,
    COLORS,
    GREY,
    MARKERS,
    VERMILION,
    new_figure,
    styled,
)

SMALL = {"fontsize": 7.5}
SOURCES = {"best known": "LMU notebook", "official": "NengoLoihi's example"}


def plot_window(ax, summary):
    """Draw the window NRMSE against spikes per second, on the emulator.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        ``peer, n_per_dimension, chip_spikes_per_s, nrmse, low, high``; the spikes are
        those of all neurons on the chip.
    """
    ours = [peer for peer in summary.peer.unique() if "memory" in peer]
    others = [peer for peer in summary.peer.unique() if peer not in ours]
    for k, peer in enumerate([*ours, *others]):
        rows = summary[(summary.peer == peer) & summary.nrmse.notna()]
        rows = rows.sort_values("n_per_dimension")
        ends = [rows.nrmse - rows.low, rows.high - rows.nrmse]
        color = VERMILION if peer in ours else COLORS[(0, 2, 3, 4, 5)[k % 5]]
        ax.errorbar(
            rows.chip_spikes_per_s,
            rows.nrmse,
            yerr=np.nan_to_num(ends),
            color=color,
            marker=MARKERS[k % len(MARKERS)],
            ms=4.5,
            lw=1.6 if peer in ours else 0.9,
            label=_sourced(peer),
        )
    ax.set(xscale="log", yscale="log", xlabel="Spikes per second")
    ax.set(ylabel="Window NRMSE, emulator", title="theta 1 s, 1 Hz, tau .1 s")
    ticks = (5000, 10_000, 20_000, 50_000)
    ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
    ax.minorticks_off()
    ax.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5], [".02", ".05", ".1", ".2", ".5"])
    ax.set_ylim(bottom=0.009)  # room for the legend
    ax.legend(loc="lower left", **SMALL)
    return ax


def _sourced(peer: str) -> str:
    """Return the source of a peer, with its neurons."""
    recipe, *neurons = peer.split(", ")
    return ", ".join([SOURCES.get(recipe, recipe), *neurons])


def plot_table(ax, table):
    """Draw emulator beside Nengo, ours and a recipe with a relay, row by row.

    ``table`` has ``label, core, emulator, peer_core, peer_emulator``.
    """
    y = np.arange(len(table))[::-1]
    for a, b, color, name, shift in (
        ("peer_core", "peer_emulator", BLUE, "weights and relay", 0.15),
        ("core", "emulator", VERMILION, "this memory", -0.15),
    ):
        ax.hlines(y + shift, table[a], table[b], color=GREY, lw=1)
        ax.plot(table[a], y + shift, "o", color=color, mfc="white", ms=5)
        ax.plot(table[b], y + shift, "o", color=color, ms=5, label=name)
    ax.plot([], [], "o", color=BLACK, mfc="white", ms=5, label="in core Nengo")
    ax.set_yticks(y, table.label, **SMALL)
    ax.set(xscale="log", xlabel="NRMSE at delay theta", title="100 neurons a dimension")
    ax.set_xticks([0.05, 0.1, 0.2, 0.4], [".05", ".1", ".2", ".4"])
    ax.minorticks_off()
    ax.legend(**SMALL)
    return ax


def plot_predicted(ax, frame):
    """Measured against predicted spike and rounding error, one point a memory."""
    ends = np.array([0.6, 1.6]) * [
        frame.predicted_window_noise_nrmse.min(),
        frame.predicted_window_noise_nrmse.max(),
    ]
    ax.fill_between(ends, 0.75 * ends, 1.25 * ends, color=GREY, alpha=0.25, lw=0)
    ax.plot(ends, ends, color=GREY, lw=0.8)
    for kind, marker, color in (("if", "o", VERMILION), ("lif", "s", BLUE)):
        rows = frame[frame.neuron_type == kind]
        x, y = rows.predicted_window_noise_nrmse, rows.window_noise_nrmse
        ax.plot(x, y, marker, color=color, ms=4.5, label=kind.upper())
    ax.set(xscale="log", yscale="log", xlabel="Predicted", ylabel="Measured")
    ax.set_title(f"{len(frame)} random memories, ±25 %")
    ax.legend(**SMALL)
    return ax


def loihi_figure(summary, table, predictions):
    """Draw the three panels side by side."""
    with styled():
        figure = new_figure(11.5, 3.9)
        axes = figure.subplots(1, 3, width_ratios=[1, 1.15, 1])
        plot_window(axes[0], summary)
        plot_table(axes[1], table)
        plot_predicted(axes[2], predictions)
    return figure
