"""Figures of a training and of a conversion."""

import numpy as np

from lmu_spiking.plots import style
from lmu_spiking.plots.style import BLACK, BLUE, GREY, VERMILION

NAMES = {"accuracy": "Accuracy", "nrmse": "NRMSE"}
NAMED = 20  # classes whose names and numbers are all written
LABELS = {"valid": "validation", "seen": "sequences trained on"}


def plot_history(ax, history: list[dict]):
    """Draw the losses of training and validation, epoch by epoch.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    history : list of dict
        ``epoch``, ``loss``, ``valid_loss``; or ``seen_loss``, of sequences that were
        trained on and validate nothing.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    part, table = _part(history), _table(history)
    ax.plot(table.epoch, table.loss, color=BLUE, label="training")
    ax.plot(table.epoch, table[f"{part}_loss"], color=VERMILION, label=LABELS[part])
    ax.set(xlabel="Epoch", ylabel="Loss", yscale="log")
    ax.legend()
    return ax


def plot_metric(ax, history: list[dict], metric: str, best_epoch: int):
    """Draw the metric of validation, and the epoch whose weights were kept.

    If the history has no validation, it is the metric of sequences trained on.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    history : list of dict
        As for `plot_history`.
    metric : {"accuracy", "nrmse"}
    best_epoch : int

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    part, table = _part(history), _table(history).set_index("epoch")
    values = table[f"{part}_{metric}"]
    ax.plot(values.index, values, color=VERMILION, label=LABELS[part])
    best = values[best_epoch]
    ax.plot([best_epoch], [best], "o", color=BLACK, ms=5, label=f"kept: {best:.4g}")
    ax.set(xlabel="Epoch", ylabel=NAMES[metric])
    if metric == "nrmse":
        ax.set_yscale("log")
    ax.legend()
    return ax


def training_figure(record: dict, history: list[dict]):
    """Draw the loss and the metric of validation against epochs.

    Parameters
    ----------
    record : dict
        ``task``, ``n_params``, ``metric``, its value of the test part, ``best_epoch``.
    history : list of dict
        As for `plot_history`.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    metric = record["metric"]
    score = f"test {metric} {record['rate_' + metric]:.4g}"
    title = f"{record['task']}: {record['n_params']:,} parameters, {score}"
    with style.drawn(7.2, 3.0, title) as figure:
        left, right = figure.subplots(1, 2)
        plot_history(left, history)
        plot_metric(right, history, metric, record["best_epoch"])
        right.axhline(record["rate_" + metric], color=GREY, ls="--", label="test, once")
        right.legend()
    return figure


def plot_confusion(ax, confusion, names=None):
    """Draw how often each class (row) was taken for which (column), as shares of rows.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    confusion : (q, q) array_like of int
    names : sequence of str, optional
        Of the classes; their numbers by default.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    q = len(counts)
    at = np.arange(0, q, max(1, q // NAMED))  # not all names of many classes
    shown = [str(i) if names is None else str(names[i])[:12] for i in at]
    ax.set(xlabel="Answer", ylabel="Class", xticks=at, yticks=at)
    ax.set_xticklabels(shown, rotation=90 if max(map(len, shown)) > 2 else 0)
    ax.set_yticklabels(shown)
    if q <= NAMED:
        for (i, j), count in np.ndenumerate(counts):
            color = "white" if shares[i, j] > 0.5 else BLACK
            if count:
                ax.text(j, i, f"{count}", ha="center", va="center", color=color, size=7)
    return ax


def confusion_figure(confusions: dict, names=None):
    """Draw confusions of classes beside each other.

    Parameters
    ----------
    confusions : dict of str to (q, q) array_like
        By what is written above each.
    names : sequence of str, optional
        Of the classes.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    n = len(confusions)
    with style.drawn(3.6 * n, 3.6, "") as figure:
        every = np.atleast_1d(figure.subplots(1, n))
        for ax, (title, counts) in zip(every, confusions.items(), strict=True):
            plot_confusion(ax, counts, names).set_title(title, fontsize=9)
    return figure


def _table(rows: list[dict]):
    """Return rows as a DataFrame."""
    import pandas as pd  # slow to import, and commands that draw no training need none

    return pd.DataFrame(rows)


def _part(history: list[dict]) -> str:
    """Return ``valid``, or ``seen`` if the history has no validation."""
    return "valid" if "valid_loss" in history[0] else "seen"


def plot_against_neurons(ax, rows: list[dict]):
    """Draw the spiking metric against neurons: measured, predicted, and rate-based.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        As `ConversionReport.to_dict` has them.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    table, metric = _table(rows).sort_values("neurons"), rows[0]["metric"]
    sign = 1 if metric == "accuracy" else -1  # a loss lowers accuracy, raises an error
    rate = rows[0][f"rate_{metric}"]
    ax.axhline(rate, color=GREY, ls="--", label="rate model")
    if table.predicted_loss.notna().all():
        predicted = rate - sign * table.predicted_loss
        look = {"marker": "_", "ms": 14} if len(rows) == 1 else {}
        ax.plot(table.neurons, predicted, color=BLUE, label="predicted", **look)
    # below and above a point; a loss of accuracy is turned over
    ends = [table.loss_high - table.loss, table.loss - table.loss_low]
    look = {"fmt": "o", "color": VERMILION, "ms": 5, "lw": 1}
    look |= {"yerr": np.abs(ends[::sign]), "label": "spiking, measured"}
    ax.errorbar(table.neurons, table[f"spiking_{metric}"], **look)
    ax.set(xlabel="Neurons m", ylabel=NAMES[metric], xscale="log")
    if metric == "nrmse" and len(rows) > 1:
        ax.set_yscale("log")
    ax.legend()
    return ax


def plot_latency(ax, row: dict):
    """Draw the metric if the output is read earlier or later than it should be.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    row : dict
        As `ConversionReport.to_dict` has it.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    lags, values = np.array(row["latency"]).T
    ax.plot(lags * 1000, values, color=VERMILION)
    ax.axvline(0, color=GREY, lw=0.8)
    ax.set(xlabel="Read after the last sample, ms", ylabel=NAMES[row["metric"]])
    return ax


def conversion_figure(rows: list[dict], title: str = ""):
    """Draw the metric against neurons, and against the time at which it is read.

    Parameters
    ----------
    rows : list of dict
        As for `plot_against_neurons`.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    with style.drawn(7.2, 3.0, title) as figure:
        left, right = figure.subplots(1, 2)
        plot_against_neurons(left, rows)
        plot_latency(right, max(rows, key=lambda row: row["neurons"]))
    return figure
