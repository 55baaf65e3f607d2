"""Figures of noise-optimal memories, beside the plain one and against the order."""

import numpy as np

from lmu_spiking.experiments.figures import column, side_by_side
from lmu_spiking.experiments.records import group
from lmu_spiking.plots.style import COLORS, GREY, MARKERS, log_axes


def plot_tunings(ax, table: list[dict], measure: str = "noise_nrmse"):
    """Draw the error of each tuning at each order: bars measured, ticks predicted.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    table : list of dict
        ``order``, ``tuning``, ``measure``, ``measure_ci95``, ``predicted_measure``.
    measure : str
    """
    orders, tunings = list(group(table, "order")), group(table, "tuning")
    width = 0.85 / len(tunings)
    for k, (name, rows) in enumerate(tunings.items()):
        x = np.array([orders.index(row["order"]) for row in rows])
        x = x + (k - (len(tunings) - 1) / 2) * width
        look = {"color": GREY if k == 0 else COLORS[k - 1], "error_kw": {"lw": 1}}
        ends = column(rows, f"{measure}_ci95")
        ax.bar(x, column(rows, measure), 0.9 * width, yerr=ends, label=name, **look)
        predicted, half = column(rows, f"predicted_{measure}"), 0.45 * width
        label = "predicted" if k == len(tunings) - 1 else None
        ax.hlines(predicted, x - half, x + half, color="black", lw=1.6, label=label)
    ax.set(yscale="log", ylabel="Noise NRMSE at delay θ")
    ax.set_xticks(range(len(orders)), [f"d = {order}" for order in orders])
    ax.legend()
    return ax


def plot_growth(ax, law: list[dict], measured: list[dict], signal: str):
    """Draw error against order on one kind of signal: lines predicted, points measured.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    law, measured : list of dict
        ``signal``, ``tuning``, ``order``, ``predicted_noise_nrmse``, ``noise_nrmse``.
    signal : str
    """
    lines, points = (group(rows, "signal", "tuning") for rows in (law, measured))
    for k, name in enumerate(("plain", "optimal")):
        color = GREY if name == "plain" else COLORS[k]
        rows = lines[signal, name]
        x, y = (np.array(column(rows, n)) for n in ("order", "predicted_noise_nrmse"))
        ax.plot(x, y, color=color, label=f"{name}, predicted")
        rows = points[signal, name]
        look = {"color": color, "ms": 4, "mec": "white", "mew": 0.4}
        look["label"] = f"{name}, measured"
        ax.plot(column(rows, "order"), column(rows, "noise_nrmse"), MARKERS[k], **look)
    ax.plot(x, 0.8 * y[3] * x / x[3], ":", color=GREY, label="slope 1")
    log_axes(ax, "Order d", "Noise NRMSE at delay θ")
    ax.set_xticks([2, 4, 8, 16, 32, 64], ["2", "4", "8", "16", "32", "64"])
    ax.minorticks_off()
    return ax


def optimal_figure(table: list[dict], law: list[dict], measured: list[dict]):
    """Return tunings at each order, and growth with the order on two kinds of signal.

    Parameters
    ----------
    table, law, measured : list of dict
        As from ``python benchmarks optimal``.
    """
    few = min(row["neurons"] for row in law)
    law = group(law, "neurons")[few]

    def growth(ax, signal: str, title: str):
        plot_growth(ax, law, measured, signal).set_title(f"m = {few:,}, {title}")

    return side_by_side(
        *(11.0, 3.6),
        lambda ax: plot_tunings(ax, table).set_title("m = 6,000, θ = 0.5 s, 2 Hz"),
        lambda ax: growth(ax, "2 Hz", "2 Hz at every order"),
        lambda ax: growth(ax, "what d holds", "as fast as d holds"),
        width_ratios=(1.25, 1, 1),
    )
