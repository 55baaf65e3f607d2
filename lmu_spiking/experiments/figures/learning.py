"""Figures of learning: windows, long sequences, digits, steps, and cost."""

import numpy as np

from lmu_spiking.plots.style import (
    BLACK,
    COLORS,
    GREY,
    MARKERS,
    log_axes,
    new_figure,
    styled,
)

POINT = {"ms": 4.5, "mec": "white", "mew": 0.5}


# -- the window --------------------------------------------------------------------


def plot_theta_paths(ax, rows: list[dict], recipe: str, delay: float):
    """Windows against epochs, one line a training; the hidden delay dashed.

    Parameters
    ----------
    rows : list of dict
        ``recipe``, ``start``, ``path``.
    delay : float
        Seconds.
    """
    rows = [row for row in rows if row["recipe"] == recipe]
    starts = sorted({row["start"] for row in rows})
    for row in rows:
        color = COLORS[starts.index(row["start"])]
        ax.plot(row["path"], color=color, lw=0.9, alpha=0.8)
    ax.axhline(delay, color=BLACK, ls="--", lw=0.9)
    ax.set(yscale="log", xlabel="Epoch", ylabel="Window θ (s)", title=recipe)
    return ax


def plot_theta_errors(ax, rows: list[dict], bar: float = 0.05):
    """Relative errors of the windows that were learned, and the bar."""
    names = list(dict.fromkeys(row["recipe"] for row in rows))
    for k, name in enumerate(names):
        mine = [row for row in rows if row["recipe"] == name]
        x = k + np.linspace(-0.25, 0.25, len(mine)) if len(mine) > 1 else [k]
        y = [max(abs(row["error"]), 1e-6) for row in mine]
        ax.plot(x, y, MARKERS[k], color=COLORS[k], **POINT)
    ax.axhline(bar, color=GREY, ls="--", lw=0.9, label=f"{bar:.0%}")
    ax.set(yscale="log", ylabel="|θ / delay - 1|", title="error of the window")
    ax.set_xticks(range(len(names)), names)
    ax.legend()
    return ax


def theta_figure(rows: list[dict], delay: float):
    """Paths of the coarse-to-fine and the plain recipe, and errors of all."""
    with styled():
        figure = new_figure(10.5, 3.2)
        axes = figure.subplots(1, 3)
        for ax, recipe in zip(axes, ("coarse to fine", "plain"), strict=False):
            plot_theta_paths(ax, rows, recipe, delay)
        plot_theta_errors(axes[2], rows)
    return figure


# -- long sequences ----------------------------------------------------------------


def plot_lengths(ax, rows: list[dict], name: str, ylabel: str, scale: float = 1.0):
    """A measure against the length, one line a way of training.

    Parameters
    ----------
    rows : list of dict
        ``steps``, ``projected``, ``activation`` and ``name``.
    """
    keys = dict.fromkeys((r["projected"], r["activation"]) for r in rows)
    for k, (projected, activation) in enumerate(keys):
        mine = [
            r
            for r in rows
            if (r["projected"], r["activation"]) == (projected, activation)
        ]
        steps = sorted({r["steps"] for r in mine})
        y = [scale * np.mean([r[name] for r in mine if r["steps"] == s]) for s in steps]
        label = f"{activation}, projected {projected}"
        ax.plot(steps, y, f"{MARKERS[k]}-", color=COLORS[k], label=label, **POINT)
    return log_axes(ax, "Steps", ylabel)


def length_figure(rows: list[dict], exponents: dict[str, float]):
    """Error, seconds of an epoch and memory against length."""
    with styled():
        figure = new_figure(10.5, 3.2)
        axes = figure.subplots(1, 3)
        plot_lengths(axes[0], rows, "nrmse", "NRMSE, held out")
        axes[0].axhline(0.1, color=GREY, ls="--", lw=0.9)
        axes[0].axhline(1.0, color=GREY, ls=":", lw=0.9)
        axes[0].set(title="error (dashed: .1; dotted: chance)")
        plot_lengths(axes[1], rows, "seconds_per_epoch", "Seconds per epoch")
        plot_lengths(axes[2], rows, "bytes", "Peak memory added (MB)", 1e-6)
        for ax, name, what in zip(
            axes[1:], ("seconds_per_epoch", "bytes"), ("time", "memory"), strict=True
        ):
            ax.set_title(f"{what}: exponent {exponents[name]:.2f} from 10,000 steps")
            ax.get_legend().remove()
    return figure


# -- digits ------------------------------------------------------------------------


def plot_accuracy(ax, rows: list[dict], rates: list[dict]):
    """Draw accuracy against neurons, measured and predicted, for each presentation.

    Parameters
    ----------
    rows : list of dict
        ``presentation``, ``n_neurons``, ``spiking_accuracy``, ``rate_accuracy``,
        ``predicted_loss``.
    rates : list of dict
        ``rate_accuracy`` of each seed.
    """
    for k, presentation in enumerate(sorted({r["presentation"] for r in rows})):
        mine = [r for r in rows if r["presentation"] == presentation]
        m = sorted({r["n_neurons"] for r in mine})
        cells = [[r for r in mine if r["n_neurons"] == n] for n in m]
        predicted = [
            100 * np.mean([r["rate_accuracy"] - r["predicted_loss"] for r in cell])
            for cell in cells
        ]
        seen = [[100 * r["spiking_accuracy"] for r in cell] for cell in cells]
        error = [np.std(y) / np.sqrt(len(y)) for y in seen]
        label = f"{1e3 * presentation:g} ms a pixel"
        ax.plot(m, predicted, color=COLORS[k], label=f"{label}, predicted")
        ax.errorbar(
            m,
            [np.mean(y) for y in seen],
            yerr=error,
            fmt=MARKERS[k],
            color=COLORS[k],
            label=label,
            lw=1,
            **POINT,
        )
    rate = 100 * np.mean([r["rate_accuracy"] for r in rates])
    ax.axhline(rate, color=BLACK, ls="--", lw=0.9, label="rates")
    ax.set(xscale="log", xlabel="Neurons m", ylabel="Accuracy (%)")
    ax.legend()
    return ax


def plot_losses(ax, rows: list[dict]):
    """Draw measured against predicted loss, in points, with the predicted spread."""
    for k, presentation in enumerate(sorted({r["presentation"] for r in rows})):
        mine = [r for r in rows if r["presentation"] == presentation]
        ax.errorbar(
            [100 * r["predicted_loss"] for r in mine],
            [100 * r["loss"] for r in mine],
            xerr=[100 * r["predicted_spread"] for r in mine],
            fmt=MARKERS[k],
            color=COLORS[k],
            lw=0.7,
            alpha=0.8,
            label=f"{1e3 * presentation:g} ms a pixel",
            **POINT,
        )
    ends = [-1, 100]
    ax.plot(ends, ends, color=GREY, lw=0.9, ls="--")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="Predicted loss (points)", ylabel="Measured loss (points)")
    ax.legend()
    return ax


def digits_figure(rows: list[dict], rates: list[dict]):
    """Draw accuracy against neurons, and measured against predicted losses."""
    with styled():
        figure = new_figure(8.4, 3.4)
        axes = figure.subplots(1, 2)
        plot_accuracy(axes[0], rows, rates)
        plot_losses(axes[1], rows)
    return figure


# -- steps -------------------------------------------------------------------------


def plot_steps(ax, rows: list[dict], name: str, title: str):
    """Accuracy at each step, a point a seed and a bar for the mean."""
    names = list(dict.fromkeys(row["step"] for row in rows))
    for k, step in enumerate(names):
        y = [100 * row[name] for row in rows if row["step"] == step]
        ax.hlines(np.mean(y), k - 0.3, k + 0.3, color=COLORS[0], lw=2)
        x = k + np.linspace(-0.15, 0.15, len(y)) if len(y) > 1 else [k]
        ax.plot(x, y, "o", color=GREY, ms=3.5)
    ax.set_xticks(range(len(names)), [step.replace(" in ", "\nin ") for step in names])
    ax.set(ylabel="Accuracy (%)", title=title)
    return ax


def invariance_figure(rates: list[dict], spikes: list[dict]):
    """Accuracy in rates and in spikes at half, the same and double the step."""
    with styled():
        figure = new_figure(9.5, 3.2)
        axes = figure.subplots(1, 2, width_ratios=(1.6, 1), sharey=False)
        plot_steps(axes[0], rates, "rate_accuracy", "rates")
        plot_steps(axes[1], spikes, "spiking_accuracy", "spikes")
    return figure


# -- cost --------------------------------------------------------------------------


def plot_curves(ax, result: dict):
    """Draw the validation metric of the LMU against seconds of training."""
    rows = [row for row in result["curves"] if row["model"] == "LMU"]
    x, y = [r["seconds"] for r in rows], [r["value"] for r in rows]
    label = f"LMU, {result['params']:,} parameters"
    ax.plot(x, y, f"{MARKERS[0]}-", color=COLORS[0], label=label, **POINT)
    ax.axhline(result["chance"], color=GREY, ls=":", lw=0.9, label="chance")
    scale = "linear" if result["metric"] == "accuracy" else "log"
    ax.set(xlabel="Seconds of training", xscale="log", yscale=scale)
    ax.xaxis.set_minor_formatter("")  # less than a decade has room for its ends
    name = "accuracy" if result["metric"] == "accuracy" else "NRMSE"
    ax.set(ylabel=f"Validation {name}", title=result["task"])
    ax.legend()
    return ax


def plot_inference(ax, results: list[dict]):
    """Microseconds a step and sequence, by way and batch."""
    labels, lows = [], []
    for result in results:
        for row in result["inference"]:
            key = (result["task"], row["way"], row["batch"])
            if key not in labels:
                labels.append(key)
            k = ("LMU", "LSTM").index(row["model"])
            y, value = labels.index(key), 1e6 * row["seconds_per_step"] / row["batch"]
            shown = ax.get_legend_handles_labels()[1]
            label = None if row["model"] in shown else row["model"]
            ax.plot(value, y, MARKERS[k], color=COLORS[k], label=label, **POINT)
            lows.append(value)
    texts = [
        f"{task}, {way.split(',')[0]}, batch {batch}" for task, way, batch in labels
    ]
    ax.set_yticks(range(len(texts)), texts)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="µs a step of a sequence", title="inference")
    ax.set_xlim(0.5 * min(lows), 2 * max(lows))
    ax.xaxis.set_minor_formatter("")
    ax.legend()
    return ax


def cost_figure(results: list[dict]):
    """Draw the LMU's learning curve on each task, and the cost of inference.

    The cost of inference is shown beside an LSTM's, since it does not depend on what
    was learned.  The LSTM's learning curve is in the result and not in the figure,
    because it has not converged.
    """
    with styled():
        figure = new_figure(3.6 * (len(results) + 1) + 1.4, 3.3)
        axes = figure.subplots(1, len(results) + 1)
        for ax, result in zip(axes, results, strict=False):
            plot_curves(ax, result)
        plot_inference(axes[-1], results)
    return figure
