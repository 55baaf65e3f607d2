"""Figures of noise-optimal memories, beside the plain one and against the order."""

import numpy as np

from lmu_spiking.plots.style import COLORS, GREY, MARKERS, log_axes, new_figure, styled


def plot_tunings(ax, table: list[dict], measure: str = "noise_nrmse"):
    """Error of each tuning at each order: bars measured, ticks predicted.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    table : list of dict
        ``order``, ``tuning``, ``measure``, ``measure_ci95``, ``predicted_measure``.
    measure : str
    """
    orders = list(dict.fromkeys(row["order"] for row in table))
    names = list(dict.fromkeys(row["tuning"] for row in table))
    width = 0.85 / len(names)
    for k, name in enumerate(names):
        rows = [row for row in table if row["tuning"] == name]
        x = np.array([orders.index(row["order"]) for row in rows])
        x = x + (k - (len(names) - 1) / 2) * width
        ax.bar(
            x,
            [row[measure] for row in rows],
            0.9 * width,
            yerr=[row[f"{measure}_ci95"] for row in rows],
            color=GREY if k == 0 else COLORS[k - 1],
            error_kw={"lw": 1},
            label=name,
        )
        predicted = [row[f"predicted_{measure}"] for row in rows]
        half = 0.45 * width
        label = "predicted" if k == len(names) - 1 else None
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
    """
    for k, name in enumerate(("plain", "optimal")):
        color = GREY if name == "plain" else COLORS[k]
        rows = [r for r in law if (r["signal"], r["tuning"]) == (signal, name)]
        x = [r["order"] for r in rows]
        y = np.array([r["predicted_noise_nrmse"] for r in rows])
        ax.plot(x, y, color=color, label=f"{name}, predicted")
        rows = [r for r in measured if (r["signal"], r["tuning"]) == (signal, name)]
        points = [r["noise_nrmse"] for r in rows]
        ax.plot(
            [r["order"] for r in rows],
            points,
            MARKERS[k],
            color=color,
            ms=4,
            mec="white",
            mew=0.4,
            label=f"{name}, measured",
        )
    x = np.array(x, dtype=float)
    ax.plot(x, 0.8 * y[3] * x / x[3], ":", color=GREY, label="slope 1")
    log_axes(ax, "Order d", "Noise NRMSE at delay θ")
    ax.set_xticks([2, 4, 8, 16, 32, 64], ["2", "4", "8", "16", "32", "64"])
    ax.minorticks_off()
    return ax


def optimal_figure(table: list[dict], law: list[dict], measured: list[dict]):
    """Tunings at three orders, and growth with the order on two kinds of signal."""
    few = min(row["neurons"] for row in law)
    law = [row for row in law if row["neurons"] == few]
    with styled():
        figure = new_figure(11.0, 3.6)
        axes = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
        plot_tunings(axes[0], table)
        axes[0].set_title("m = 6,000, θ = 0.5 s, 2 Hz")
        for ax, signal, title in zip(
            axes[1:],
            ("2 Hz", "what d holds"),
            ("2 Hz at every order", "as fast as d holds"),
            strict=True,
        ):
            plot_growth(ax, law, measured, signal)
            ax.set_title(f"m = {few:,}, {title}")
    return figure
