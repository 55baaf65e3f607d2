"""Figures of Loihi's emulator: memories and peers, digits, Poisson-like neurons."""

import numpy as np

from lmu_spiking.experiments.figures import SMALL, column, mark, side_by_side
from lmu_spiking.experiments.records import group
from lmu_spiking.plots.style import (
    BLACK,
    BLUE,
    COLORS,
    GREY,
    MARKERS,
    VERMILION,
    log_axes,
)

# -- memories beside their peers -----------------------------------------------------

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
        ends = np.nan_to_num([rows.nrmse - rows.low, rows.high - rows.nrmse])
        color = VERMILION if peer in ours else COLORS[(0, 2, 3, 4, 5)[k % 5]]
        look = {"marker": MARKERS[k % len(MARKERS)], "ms": 4.5, "color": color}
        look["lw"] = 1.6 if peer in ours else 0.9
        # the source of a recipe, and its neurons
        recipe, *neurons = peer.split(", ")
        label = ", ".join([SOURCES.get(recipe, recipe), *neurons])
        ax.errorbar(rows.chip_spikes_per_s, rows.nrmse, ends, label=label, **look)
    ax.set(xscale="log", yscale="log", xlabel="Spikes per second")
    ax.set(ylabel="Window NRMSE, emulator", title="theta 1 s, 1 Hz, tau .1 s")
    ticks = (5000, 10_000, 20_000, 50_000)
    ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
    ax.minorticks_off()
    ax.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5], [".02", ".05", ".1", ".2", ".5"])
    ax.set_ylim(bottom=0.009)  # room for the legend
    ax.legend(loc="lower left", **SMALL)
    return ax


def plot_table(ax, table):
    """Draw emulator beside Nengo, ours and a recipe with a relay, row by row.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    table : DataFrame
        ``label, core, emulator, peer_core, peer_emulator``.
    """
    y = np.arange(len(table))[::-1]
    peer, ours = ("peer_", BLUE, "weights and relay"), ("", VERMILION, "this memory")
    for (prefix, color, name), shift in ((peer, 0.15), (ours, -0.15)):
        core, emulator = table[f"{prefix}core"], table[f"{prefix}emulator"]
        ax.hlines(y + shift, core, emulator, color=GREY, lw=1)
        ax.plot(core, y + shift, "o", color=color, mfc="white", ms=5)
        ax.plot(emulator, y + shift, "o", color=color, ms=5, label=name)
    ax.plot([], [], "o", color=BLACK, mfc="white", ms=5, label="in core Nengo")
    ax.set_yticks(y, table.label, **SMALL)
    ax.set(xscale="log", xlabel="NRMSE at delay theta", title="100 neurons a dimension")
    ax.set_xticks([0.05, 0.1, 0.2, 0.4], [".05", ".1", ".2", ".4"])
    ax.minorticks_off()
    ax.legend(**SMALL)
    return ax


def plot_predicted(ax, frame):
    """Draw measured against predicted spike and rounding error, one point a memory.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    frame : DataFrame
        From `experiments.chip.ours.run_predictions`.
    """
    predicted = frame.predicted_window_noise_nrmse
    ends = np.array([0.6 * predicted.min(), 1.6 * predicted.max()])
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
    """Return windows against spikes, the table, and the predictions.

    Parameters
    ----------
    summary, table, predictions : DataFrame
    """
    return side_by_side(
        *(11.5, 3.9),
        lambda ax: plot_window(ax, summary),
        lambda ax: plot_table(ax, table),
        lambda ax: plot_predicted(ax, predictions),
        width_ratios=[1, 1.15, 1],
    )


# -- digits --------------------------------------------------------------------------

BAR = 0.02  # accuracy that spikes may lose


def plot_chip_accuracy(ax, rows: list[dict]):
    """Draw rates and spikes beside each other, and what may be lost.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
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
    """Return `plot_chip_accuracy` as a figure.

    Parameters
    ----------
    rows : list of dict
    """
    return side_by_side(4.5, 3.2, lambda ax: plot_chip_accuracy(ax, rows))


# -- Poisson-like neurons ------------------------------------------------------------

ALLOWED = {"cv": (0.9, 1.1), "fano": (0.9, 1.15)}  # of what passes for Poisson here
NAMES = {"cv": "CV of intervals", "fano": "Fano factor of 100 ms"}


def plot_noisy_tuning(ax, curve: list[dict], measured: list[dict]):
    """Draw rate against drive: the neurons' own curve, and what was measured.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    curve : list of dict
        ``drive``, ``rate``, Hz.
    measured : list of dict
        ``target``, ``drive``, ``rate``, ``rate_ci95``.
    """
    ax.axline((0, 0), slope=1, color=GREY, lw=0.8, ls=":", label="rate = drive")
    line = column(curve, "drive"), column(curve, "rate")
    ax.plot(*line, color=BLACK, lw=1, label="the curve")
    for k, (target, rows) in enumerate(group(measured, "target").items()):
        _points(ax, rows, "drive", "rate", k, target, ms=4 if k else 8)
    ax.set(xlabel="Drive (Hz)", ylabel="Rate (Hz)", title="Noisy neurons: tuning")
    ax.legend()
    return ax


def plot_spike_statistics(ax, measured: list[dict], least_rate: float = 10.0):
    """Draw CV and Fano factor against rate, between the bounds that both may reach.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measured : list of dict
        ``rate``, and ``cv``, ``fano`` with their ``_ci95``.
    least_rate : float
        Rates below, Hz, are left out.
    """
    rows = [row for row in measured if row["rate"] >= least_rate]
    rows.sort(key=lambda row: row["rate"])
    for k, (name, color) in enumerate((("cv", BLUE), ("fano", VERMILION))):
        _points(ax, rows, "rate", name, k, NAMES[name])
        for bound in ALLOWED[name]:
            ax.hlines(bound, 20, 150, color=color, lw=0.8, ls="--")
    ax.axhline(1, color=GREY, lw=0.8, ls=":", label="Poisson")
    ax.set(xlabel="Rate (Hz)", ylabel="Ratio to Poisson", ylim=(0.75, 1.25))
    ax.set_title("Spikes on the emulator")
    ax.legend(loc="lower left")
    return ax


def plot_noisy_memory(ax, memories: list[dict]):
    """Draw error of memories against their neurons: points measured, lines predicted.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    memories : list of dict
        ``order``, ``kept``, ``neurons``, ``state_rmse``, ``state_rmse_ci95``,
        ``law_state_rmse``.
    """
    groups = group(memories, "order", "kept")
    for k, ((order, decay), rows) in enumerate(groups.items()):
        name = f"d = {order}, λ = 1/{1 / decay:.0f}"
        _points(ax, rows, "neurons", "state_rmse", k, name)
        m, predicted = np.array([[r["neurons"], r["law_state_rmse"]] for r in rows]).T
        if len(rows) > 1:
            label = None if k else "predicted"
            ax.plot(m, predicted, color=BLACK, lw=1, label=label)
        else:
            ax.hlines(predicted, 0.92 * m, 1.08 * m, color=BLACK, lw=1)
    log_axes(ax, "Neurons", "State RMSE").set_title("A memory of them")
    neurons = sorted({row["neurons"] for row in memories})
    ax.set_xticks(neurons, [str(n) for n in neurons])
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter("{x:.2g}")
    ax.yaxis.set_minor_formatter("{x:.2g}")
    ax.set_ylim(top=2.5 * max(column(memories, "state_rmse")))  # for the legend
    return ax


def loihi_noise_figure(record: dict):
    """Return tuning, statistics and memories, side by side.

    Parameters
    ----------
    record : dict
        ``curve``, ``tuning`` and ``memories``, as ``python benchmarks loihi_noise``
        writes.
    """
    emulated = group(record["tuning"], "target")["emulator"]
    curve, tuning, memories = (record[n] for n in ("curve", "tuning", "memories"))
    return side_by_side(
        *(10.5, 3.3),
        lambda ax: plot_noisy_tuning(ax, curve, tuning),
        lambda ax: plot_spike_statistics(ax, emulated),
        lambda ax: plot_noisy_memory(ax, memories),
    )


def _points(ax, rows, x: str, y: str, k: int, label: str, **look) -> None:
    """Draw points with their 95 % intervals."""
    ends = column(rows, f"{y}_ci95")
    ax.errorbar(column(rows, x), column(rows, y), ends, label=label, **mark(k, **look))
