"""Figures of a training and of a conversion."""

import numpy as np

from lmu_spiking.plots.style import BLACK, BLUE, GREY, VERMILION, new_figure, styled

NAMES = {"accuracy": "Accuracy", "nrmse": "NRMSE"}
LABELS = {"valid": "validation", "seen": "sequences trained on"}


def plot_history(ax, history: list[dict]):
    """Draw the losses of training and validation, epoch by epoch.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    history : list of dict
        ``epoch``, ``loss``, ``valid_loss``; or ``seen_loss``, of sequences that were
        trained on and validate nothing.
    """
    epochs, part = [record["epoch"] for record in history], _part(history)
    ax.plot(epochs, [r["loss"] for r in history], color=BLUE, label="training")
    ax.plot(
        epochs,
        [record[f"{part}_loss"] for record in history],
        color=VERMILION,
        label=LABELS[part],
    )
    ax.set(xlabel="Epoch", ylabel="Loss", yscale="log")
    ax.legend()
    return ax


def plot_metric(ax, history: list[dict], metric: str, best_epoch: int):
    """Draw the metric of validation, and the epoch that was kept.

    If the history has no validation, it is the metric of sequences trained on.
    """
    part = _part(history)
    values = [record[f"{part}_{metric}"] for record in history]
    epochs = [record["epoch"] for record in history]
    ax.plot(epochs, values, color=VERMILION, label=LABELS[part])
    kept = values[epochs.index(best_epoch)]
    ax.plot([best_epoch], [kept], "o", color=BLACK, ms=5, label=f"kept: {kept:.4g}")
    ax.set(xlabel="Epoch", ylabel=NAMES[metric])
    if metric == "nrmse":
        ax.set_yscale("log")
    ax.legend()
    return ax


def training_figure(record: dict, history: list[dict]):
    """Draw the loss and the metric of validation against epochs."""
    with styled():
        figure = new_figure(7.2, 3.0)
        left, right = figure.subplots(1, 2)
        plot_history(left, history)
        plot_metric(right, history, record["metric"], record["best_epoch"])
        figure.suptitle(
            f"{record['task']}: {record['n_params']:,} parameters, test "
            f"{record['metric']} {record['rate_' + record['metric']]:.4g}",
            x=0.01,
            ha="left",
            fontsize=10,
        )
    return figure


def _part(history: list[dict]) -> str:
    """Return ``valid``, or ``seen`` where the history validates nothing."""
    return "valid" if "valid_loss" in history[0] else "seen"


def plot_against_neurons(ax, rows: list[dict]):
    """The spiking metric against neurons: measured, predicted, and that of rates.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        As `ConversionReport.to_dict` has them.
    """
    metric = rows[0]["metric"]
    sign = 1 if metric == "accuracy" else -1
    rows = sorted(rows, key=lambda row: row["neurons"])
    neurons = np.array([row["neurons"] for row in rows])
    rate = rows[0][f"rate_{metric}"]
    ax.axhline(rate, color=GREY, ls="--", label="rate model")
    if all(row["predicted_loss"] is not None for row in rows):
        predicted = rate - sign * np.array([row["predicted_loss"] for row in rows])
        style = {"marker": "_", "ms": 14} if len(rows) == 1 else {}
        ax.plot(neurons, predicted, color=BLUE, label="predicted", **style)
    low = [abs(row["loss"] - row["loss_low"]) for row in rows]
    high = [abs(row["loss_high"] - row["loss"]) for row in rows]
    ax.errorbar(
        neurons,
        [row[f"spiking_{metric}"] for row in rows],
        yerr=[high, low] if sign > 0 else [low, high],
        fmt="o",
        color=VERMILION,
        ms=5,
        lw=1,
        label="spiking, measured",
    )
    ax.set(xlabel="Neurons m", ylabel=NAMES[metric], xscale="log")
    if metric == "nrmse" and len(rows) > 1:
        ax.set_yscale("log")
    ax.legend()
    return ax


def plot_latency(ax, row: dict):
    """The metric when the output is read earlier or later than it should be."""
    lags, values = np.array(row["latency"]).T
    ax.plot(lags * 1000, values, color=VERMILION)
    ax.axvline(0, color=GREY, lw=0.8)
    ax.set(xlabel="Read after the last sample, ms", ylabel=NAMES[row["metric"]])
    return ax


def conversion_figure(rows: list[dict], title: str = ""):
    """The metric against neurons, and against the time at which it is read."""
    with styled():
        figure = new_figure(7.2, 3.0)
        left, right = figure.subplots(1, 2)
        plot_against_neurons(left, rows)
        plot_latency(right, max(rows, key=lambda row: row["neurons"]))
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure
