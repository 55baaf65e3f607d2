"""Figures of reproductions: what was published beside what is measured here."""

import numpy as np

from lmu_spiking.plots.study import plot_error_vs_neurons
from lmu_spiking.plots.style import (
    BLACK,
    BLUE,
    COLORS,
    GREY,
    MARKERS,
    VERMILION,
    draw_points,
    log_axes,
    new_figure,
    styled,
)

PUBLISHED = {"color": BLACK, "marker": "x", "ls": "", "ms": 5, "zorder": 3}


# -- poisson-figure ----------------------------------------------------------------


def plot_feedforward(ax, runs, fudge: float = 5.0):
    """Draw the RMSE of the published network, what is predicted and the published line.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    runs : DataFrame
        ``neurons, rmse, predicted_rmse``, a row for each run.
    fudge : float
        Of the published line, ``fudge / sqrt(m)``.
    """
    ax.plot(runs.neurons, runs.rmse, "o", ms=3, color=VERMILION, label="each run")
    mean = runs.groupby("neurons").predicted_rmse.mean()
    ax.plot(mean.index, mean, color=BLUE, label="predicted, nothing fitted")
    line = fudge / np.sqrt(mean.index.to_numpy())
    ax.plot(mean.index, line, "--", color=GREY, label=f"published line, {fudge:g}/√m")
    return log_axes(ax, "Neurons m", "RMSE of the decoded sinusoid")


def plot_error_vs_order(ax, summary):
    """Draw state RMSE against order, measured and predicted, at the most neurons."""
    at = summary[summary.neurons == summary.neurons.max()].sort_values("order")
    draw_points(ax, at, "order", "state_rmse", 0, "measured")
    ax.plot(at.order, at.predicted_state_rmse, color=COLORS[0], label="predicted")
    guide = 0.75 * at.state_rmse.iloc[-1] * at.order / at.order.iloc[-1]
    ax.plot(at.order, guide, ":", color=GREY, label="slope 1")
    log_axes(ax, "Dimensions d", "State RMSE")
    ax.set_xticks(at.order, [str(d) for d in at.order])
    ax.set_xticks([], minor=True)
    return ax


def poisson_figure(result):
    """As published: one ensemble, d = 1; as claimed: memories of many d."""
    summary = result.data["memories"]
    with styled():
        figure = new_figure(11, 3.9)
        left, middle, right = figure.subplots(1, 3)
        plot_feedforward(left, result.data["feedforward"])
        left.set_title("As published: feed-forward, d = 1, no memory")
        plot_error_vs_neurons(middle, summary)
        middle.legend(fontsize=7.5, ncols=2)
        middle.set_title("As claimed: recurrent Poisson memories")
        plot_error_vs_order(right, summary)
        right.set_title(f"The factor d, at m = {summary.neurons.max():,}")
    return figure


# -- capacity ----------------------------------------------------------------------


def plot_capacity(ax, rows, published: dict | None = None):
    """Squared error against delay: published setting dashed, half-sample solid.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : DataFrame
        ``length, delay, readout, mse, low, high``.
    published : dict, optional
        Errors at the five delays by length, drawn as crosses.
    """
    for k, (length, cell) in enumerate(rows.groupby("length")):
        color = COLORS[k % len(COLORS)]
        for name, style in (("paper", "--"), ("half-sample", "-")):
            part = cell[cell.readout == name]
            label = f"T = {length:,}" if name == "half-sample" else None
            ax.plot(
                part.delay / length,
                part.mse,
                style,
                marker=MARKERS[k],
                ms=4,
                color=color,
                label=label,
                mfc=color if style == "-" else "white",
            )
        if published and length in published:
            x = np.linspace(0, 1, len(published[length]))
            ax.plot(x, published[length], **PUBLISHED)
    ax.plot([], [], "--", color=BLACK, label="paper's readout, here")
    ax.plot([], [], "-", color=BLACK, label="half-sample readout")
    if published:
        ax.plot([], [], **PUBLISHED, label="published")
    ax.set(yscale="log", xlabel="Delay / T", ylabel="Mean squared error")
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.legend(ncols=2, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.17))
    return ax


def plot_capacity_vs_length(ax, rows, lstm=None, published_lstm: dict | None = None):
    """Draw the mean error of T/4, T/2 and 3T/4 against T, and an LSTM's if given."""
    inside = rows[(rows.delay > 0) & (rows.delay < rows.length)]
    names = (("paper", "paper's readout", "o--"), ("half-sample", "half-sample", "s-"))
    for k, (name, label, style) in enumerate(names):
        mean = inside[inside.readout == name].groupby("length").mse.mean()
        ax.plot(mean.index, mean, style, ms=4, color=COLORS[k], label=f"LMU, {label}")
    if lstm is not None and len(lstm):
        mean = lstm[lstm.delay.isna()]
        ax.plot(mean.length, mean.mse, "D-", ms=4, color=COLORS[2], label="LSTM(100)")
    if published_lstm:
        x, y = zip(*published_lstm.items(), strict=True)
        ax.plot(x, y, **PUBLISHED, label="LSTM(100), published")
    log_axes(ax, "Longest delay T (steps)", "Mean squared error at T/4 to 3T/4")
    ax.legend(fontsize=7.5, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.17))
    return ax


def capacity_figure(result):
    """Draw the error over the delays of each length, and over the lengths.

    An LSTM that was trained here is in the result and not in the figure, because it has
    not converged after minutes; the paper's was trained for 500 epochs.
    """
    rows, published = result.data["untrained"], result.data["published"]
    lmu = published[published.model == "LMU"]
    known = {n: cell.mse.tolist() for n, cell in lmu.groupby("length")}
    lstm = published[published.model == "LSTM"].set_index("length").mse.to_dict()
    with styled():
        figure = new_figure(9, 4.6)
        left, right = figure.subplots(1, 2)
        here = set(rows.length)
        plot_capacity(left, rows, {n: y for n, y in known.items() if n in here})
        left.set_title("LMU of order 100, no training: error by delay")
        plot_capacity_vs_length(right, rows, published_lstm=lstm)
        right.set_title("Delays T/4, T/2, 3T/4 together")
    return figure


# -- delay-network -----------------------------------------------------------------


def plot_comparisons(ax, comparisons, xlabel: str):
    """Each comparison in a row: published interval grey, ours a point with its own."""
    for y, one in enumerate(comparisons):
        if one.published is not None:
            low, high = np.broadcast_to(one.published, 2)
            ax.barh(y, high - low, left=low, height=0.6, color=GREY)
        if one.ours is not None:
            ends = [[one.ours - one.low], [one.high - one.ours]]
            ax.errorbar(one.ours, y, xerr=ends, fmt="o", ms=4, color=VERMILION)
            text = f"{one.ours:.3f}"
            ax.annotate(
                text, (one.high, y), (5, 0), textcoords="offset points", va="center"
            )
    ax.barh(0, 0, color=GREY, label="published, 95 % interval")
    ax.errorbar([], [], xerr=[], fmt="o", ms=4, color=VERMILION, label="run here, 95 %")
    ax.set_yticks(range(len(comparisons)), [one.what for one in comparisons])
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, xlim=(0, None))
    ax.legend(loc="center right")
    return ax


def delay_network_figure(result):
    """The benchmark's backends and our memories, below each other."""
    with styled():
        figure = new_figure(7.5, 3.8)
        ax = figure.subplots()
        plot_comparisons(ax, result.comparisons, "NRMSE of the window")
        ax.set_title("A window of 0.1 s in 384 neurons, order 3, input of 3 Hz")
    return figure
