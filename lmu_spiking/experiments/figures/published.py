"""Figures of reproductions: what was published, beside what is measured here."""

import numpy as np

from lmu_spiking.experiments.figures import BELOW, SMALL, side_by_side
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
SHOWN = 300  # last samples of a prediction
NEAR = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "ncols": 2, **SMALL}

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


def plot_error_vs_order(ax, summary, fed_back=None, staggered=None):
    """Draw state RMSE against order, measured and predicted, at the most neurons.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `summarise`.
    fed_back : DataFrame, optional
        The same of memories with error feedback.
    staggered : DataFrame, optional
        The same of memories of staggered neurons.
    """
    at = summary[summary.neurons == summary.neurons.max()].sort_values("order")
    draw_points(ax, at, "order", "state_rmse", 0, "measured")
    ax.plot(at.order, at.predicted_state_rmse, color=COLORS[0], label="predicted")
    others = (fed_back, "with error feedback"), (staggered, "staggered")
    for k, (table, label) in enumerate(others, 1):
        if table is not None:
            ours = table[table.neurons == table.neurons.max()].sort_values("order")
            draw_points(ax, ours, "order", "state_rmse", k, label)
            ax.plot(ours.order, ours.predicted_state_rmse, color=COLORS[k])
    guide = 0.75 * at.state_rmse.iloc[-1] * at.order / at.order.iloc[-1]
    ax.plot(at.order, guide, ":", color=GREY, label="slope 1")
    log_axes(ax, "Dimensions d", "State RMSE")
    ax.set_xticks(at.order, [str(d) for d in at.order])
    ax.set_xticks([], minor=True)
    return ax


def plot_fed_back(ax, summary, fed_back, *, without="without it", slope: float = -0.5):
    """Draw state RMSE with error feedback against neurons, over that without.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary, fed_back : DataFrame
        From `summarise`, without and with error feedback, or of other neurons.
    without : str
        What the first are called.
    slope : {-0.5, -1.0}
        Of the guide.
    """
    for k, (_, cell) in enumerate(summary.sort_values("neurons").groupby("order")):
        label = f"predicted {without}" if k == 0 else None
        look = {"color": COLORS[k % len(COLORS)], "lw": 1, "label": label}
        ax.plot(cell.neurons, cell.predicted_state_rmse, "--", **look)
    return plot_error_vs_neurons(ax, fed_back, slope=slope)


def plot_slopes(ax, kinds: dict, order: int):
    """Draw state RMSE against neurons at one order, and the power law of each kind.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    kinds : dict of (DataFrame, DataFrame)
        By name, from `summarise` and from `exponents`.
    order : int
    """
    for k, (name, (summary, fits)) in enumerate(kinds.items()):
        cell = summary[summary.order == order].sort_values("neurons")
        (slope,) = fits[fits["at"] == f"order {order}"].exponent
        # the fitted line passes through the points' centre
        x, y = np.log(cell.neurons), np.log(cell.state_rmse)
        line = np.exp(y.mean() + slope * (x - x.mean()))
        label = f"{name}: $m^{{{slope:.2f}}}$"
        draw_points(ax, cell, "neurons", "state_rmse", k, label)
        ax.plot(cell.neurons, line, color=COLORS[k], lw=1)
    return log_axes(ax, "Neurons m", "State RMSE")


def poisson_figure(result):
    """Return, as published, one ensemble; as claimed, and in ours, many memories.

    Parameters
    ----------
    result : Reproduction
    """
    fed, data = result.data["feedforward"], result.data
    names = {"Poisson": "", "with error feedback": "_fed_back"}
    names["staggered"] = "_staggered"
    kinds = {
        name: (data[f"memories{end}"], data[f"exponents{end}"])
        for name, end in names.items()
    }
    summary, fed_back, staggered = (each for each, _ in kinds.values())
    # the order whose slopes are compared
    shown = sorted(summary.order.unique())
    middle = shown[len(shown) // 2]
    with styled():
        figure = new_figure(14, 8)
        above, below = figure.subplots(2, 3)
        plot_feedforward(above[0], fed)
        above[0].set_title("As published: feed-forward, d = 1, no memory")
        plot_error_vs_neurons(above[1], summary)
        above[1].set_title("As claimed: recurrent Poisson memories")
        plot_fed_back(above[2], summary, fed_back)
        above[2].set_title("Ours: the same memories with error feedback")
        of_poisson = {"without": "for Poisson", "slope": -1.0}
        plot_fed_back(below[0], summary, staggered, **of_poisson)
        below[0].set_title("Ours: the same memories of staggered neurons")
        plot_slopes(below[1], kinds, middle)
        below[1].set_title(f"The exponent of m, fitted, at d = {middle}")
        plot_error_vs_order(below[2], summary, fed_back, staggered)
        below[2].set_title(f"The factor d, at m = {summary.neurons.max():,}")
        for ax in (*above[1:], below[0]):
            ax.legend(fontsize=7.5, ncols=2)
        below[0].set_ylim(below[0].get_ylim()[0] / 100)  # room for the legend
    # the same errors at the same height
    both = [ax.get_ylim() for ax in above[1:]]
    shared = min(low for low, _ in both), max(high for _, high in both)
    for ax in above[1:]:
        ax.set_ylim(shared)
    return figure


# -- capacity ----------------------------------------------------------------------


def plot_capacity(ax, rows, published: dict):
    """Draw squared error against delay: published setting dashed, half-sample solid.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : DataFrame
        ``length, delay, readout, mse, low, high``.
    published : dict
        Errors at the five delays by length, drawn as crosses.
    """
    for k, (length, cell) in enumerate(rows.groupby("length")):
        look = {"color": COLORS[k % len(COLORS)], "marker": MARKERS[k], "ms": 4}
        paper, ours = (cell[cell.readout == name] for name in ("paper", "half-sample"))
        ax.plot(paper.delay / length, paper.mse, "--", mfc="white", **look)
        ax.plot(ours.delay / length, ours.mse, label=f"T = {length:,}", **look)
        if length in published:
            x = np.linspace(0, 1, len(published[length]))
            ax.plot(x, published[length], **PUBLISHED)
    ax.plot([], [], "--", color=BLACK, label="paper's readout, here")
    ax.plot([], [], "-", color=BLACK, label="half-sample readout")
    ax.plot([], [], **PUBLISHED, label="published")
    ax.set(yscale="log", xlabel="Delay / T", ylabel="Mean squared error")
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.legend(**NEAR)
    return ax


def plot_capacity_vs_length(ax, rows, published_lstm: dict):
    """Draw the mean error of T/4, T/2 and 3T/4 against T, and a published LSTM's.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : DataFrame
        ``length, delay, readout, mse``.
    published_lstm : dict
        Errors by length.
    """
    inside = rows[(rows.delay > 0) & (rows.delay < rows.length)]
    names = (("paper", "paper's readout", "o--"), ("half-sample", "half-sample", "s-"))
    for k, (name, label, style) in enumerate(names):
        mean = inside[inside.readout == name].groupby("length").mse.mean()
        ax.plot(mean.index, mean, style, ms=4, color=COLORS[k], label=f"LMU, {label}")
    x, y = zip(*published_lstm.items(), strict=True)
    ax.plot(x, y, **PUBLISHED, label="LSTM(100), published")
    log_axes(ax, "Longest delay T (steps)", "Mean squared error at T/4 to 3T/4")
    ax.legend(**NEAR)
    return ax


def capacity_figure(result):
    """Return the error over the delays of each length, and over the lengths.

    An LSTM that was trained here is in the result and not in the figure, because it has
    not converged after minutes; the paper's was trained for 500 epochs.

    Parameters
    ----------
    result : Reproduction
    """
    rows, published = result.data["untrained"], result.data["published"]
    lmu = published[published.model == "LMU"].groupby("length").mse
    known = {n: y.tolist() for n, y in lmu if n in set(rows.length)}
    lstm = published[published.model == "LSTM"].set_index("length").mse.to_dict()
    by_delay = "LMU of order 100, no training: error by delay"
    by_length = "Delays T/4, T/2, 3T/4 together"
    return side_by_side(
        *(9, 4.6),
        lambda ax: plot_capacity(ax, rows, known).set_title(by_delay),
        lambda ax: plot_capacity_vs_length(ax, rows, lstm).set_title(by_length),
    )


# -- delay-network -----------------------------------------------------------------


def plot_comparisons(ax, comparisons, xlabel: str):
    """Draw each comparison in a row: published grey, ours a point with its interval.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    comparisons : sequence of Comparison
    xlabel : str
    """
    point = {"fmt": "o", "ms": 4, "color": VERMILION}
    for y, one in enumerate(comparisons):
        if one.published is not None:
            low, high = np.broadcast_to(one.published, 2)
            ax.barh(y, high - low, left=low, height=0.6, color=GREY)
        if one.ours is not None:
            ends = [[one.ours - one.low], [one.high - one.ours]]
            ax.errorbar(one.ours, y, xerr=ends, **point)
            beside = {"textcoords": "offset points", "va": "center"}
            ax.annotate(f"{one.ours:.3f}", (one.high, y), (5, 0), **beside)
    ax.barh(0, 0, color=GREY, label="published, 95 % interval")
    ax.errorbar([], [], xerr=[], label="run here, 95 %", **point)
    ax.set_yticks(range(len(comparisons)), [one.what for one in comparisons])
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, xlim=(0, None))
    ax.legend(loc="center right")
    return ax


def delay_network_figure(result):
    """Return the benchmark's backends and our memories, below each other.

    Parameters
    ----------
    result : Reproduction
    """

    def panel(ax):
        plot_comparisons(ax, result.comparisons, "NRMSE of the window")
        ax.set_title("A window of 0.1 s in 384 neurons, order 3, input of 3 Hz")

    return side_by_side(7.5, 3.8, panel)


# -- mackey-glass ------------------------------------------------------------------


def plot_prediction(ax, example):
    """Draw the series to come, and its predictions, rate-based and in spikes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    example : DataFrame
        ``t, target, rate`` and a column for each spiking network.
    """
    shown = example.iloc[-SHOWN:]
    t = np.arange(len(shown))
    ax.plot(t, shown.target, color=GREY, lw=3.5, label="series")
    ax.plot(t, shown.rate, color=BLACK, lw=1, label="rate-based")
    spiking = shown.drop(columns=["t", "target", "rate"]).iloc[:, 0]  # the first
    ax.plot(t, spiking, color=VERMILION, lw=0.7, label=spiking.name)
    ax.set(xlabel="Sample", ylabel="tanh(x - 1), mean removed")
    ax.legend(ncols=3, **BELOW)
    return ax


def plot_spiking_errors(ax, spiking):
    """Draw NRMSE against neurons: measured, predicted, and the rate-based model's.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spiking : DataFrame
        ``steps_a_sample, neurons, spiking_nrmse, low, high, predicted_nrmse,
        rate_nrmse``.
    """
    for k, (steps, cell) in enumerate(spiking.groupby("steps_a_sample")):
        cell = cell.sort_values("neurons")
        error, label = cell.spiking_nrmse, f"{steps} step{'s' * (steps > 1)} a sample"
        look = {"fmt": MARKERS[k], "color": COLORS[k], "ms": 5, "label": label}
        ends = [error - cell.low, cell.high - error]
        ax.errorbar(cell.neurons, error, ends, **look)
        ax.plot(cell.neurons, cell.predicted_nrmse, color=COLORS[k], label="predicted")
    rate = spiking.rate_nrmse.iloc[0]
    ax.axhline(rate, ls="--", color=BLACK, lw=1, label="rate-based")
    from matplotlib.ticker import LogLocator

    ax.set(xscale="log", yscale="log", xlabel="Neurons m", ylabel="NRMSE")
    # ticks at 1, 2 and 5, as plain numbers
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    ax.legend(ncols=3, **BELOW)
    return ax


def mackey_glass_figure(result):
    """Return a prediction, and the spiking network's error against its neurons.

    Other models that were trained for the same time are in the result and not in the
    figure, because they have not converged.

    Parameters
    ----------
    result : Reproduction
    """
    example, spiking = result.data["example"], result.data["spiking"]
    series = "Mackey-Glass, 15 samples ahead: end of a test series"
    spikes = "The LMU in Poisson spikes, one training seed"
    return side_by_side(
        *(9, 3.9),
        lambda ax: plot_prediction(ax, example).set_title(series),
        lambda ax: plot_spiking_errors(ax, spiking).set_title(spikes),
    )


# -- psmnist -----------------------------------------------------------------------


def plot_accuracy_vs_neurons(ax, spiking):
    """Draw accuracy against neurons: measured, predicted, and the rate-based model's.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spiking : DataFrame
        ``presentation, neurons, rate_accuracy, loss, loss_low, loss_high,
        predicted_loss``, a row for each split.
    """
    for k, (seconds, cell) in enumerate(spiking.groupby("presentation")):
        mean = cell.groupby("neurons").mean(numeric_only=True)
        rate, accuracy = mean.rate_accuracy, 100 * (mean.rate_accuracy - mean.loss)
        ends = np.nan_to_num([mean.loss_high - mean.loss, mean.loss - mean.loss_low])
        label = f"{seconds * 1e3:g} ms a pixel"
        look = {"fmt": MARKERS[k], "color": COLORS[k], "ms": 5, "label": label}
        ax.errorbar(mean.index, accuracy, 100 * np.maximum(ends, 0), **look)
        predicted = 100 * (rate - mean.predicted_loss)
        ax.plot(mean.index, predicted, color=COLORS[k], label="predicted")
    rates = 100 * spiking.groupby("split").rate_accuracy.first().mean()
    ax.axhline(rates, ls="--", color=BLACK, lw=1, label="rate-based")
    ax.set(xscale="log", xlabel="Neurons m", ylabel="Accuracy, %")
    ax.legend(ncols=3, **BELOW)
    return ax


def plot_accuracy_vs_lag(ax, latency):
    """Draw accuracy of the output read before and after the last pixel's end.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    latency : DataFrame
        ``split, presentation, neurons, lag, accuracy``.
    """
    first = latency[latency.split == latency.split.min()]
    for k, (seconds, cell) in enumerate(first.groupby("presentation")):
        cell = cell[cell.neurons == cell.neurons.max()].sort_values("lag")
        label = f"{seconds * 1e3:g} ms a pixel, m = {cell.neurons.iloc[0]:,}"
        ax.plot(1e3 * cell.lag, 100 * cell.accuracy, color=COLORS[k], label=label)
    ax.axvline(0, ls=":", color=GREY, lw=1)
    ax.set(xlabel="Read so many ms after the last pixel", ylabel="Accuracy, %")
    ax.legend(**BELOW)
    return ax


def psmnist_figure(result):
    """Return the accuracy in spikes against neurons, and against the time of reading.

    Other models that were trained for the same time are in the result and not in the
    figure, because they have not converged.

    Parameters
    ----------
    result : Reproduction
    """
    spiking, latency = result.data["spiking"], result.data["latency"]
    spikes = "The LMU in Poisson spikes, not retrained"
    lag = "When the spiking output is read"
    return side_by_side(
        *(9, 3.9),
        lambda ax: plot_accuracy_vs_neurons(ax, spiking).set_title(spikes),
        lambda ax: plot_accuracy_vs_lag(ax, latency).set_title(lag),
    )
