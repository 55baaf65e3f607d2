"""Figures of learning: windows, long sequences, digits, steps, and cost."""

import numpy as np
import pandas as pd

from lmu_spiking.experiments.figures import POINT, SMALL, column, mark, side_by_side
from lmu_spiking.experiments.records import group
from lmu_spiking.metrics import confidence
from lmu_spiking.plots.style import BLACK, COLORS, GREY, MARKERS, log_axes

# -- the window --------------------------------------------------------------------


def plot_theta_paths(ax, rows: list[dict], recipe: str, delay: float):
    """Draw windows against epochs, one line a training; the hidden delay dashed.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``recipe``, ``start``, ``path``.
    recipe : str
    delay : float
        Seconds.
    """
    rows = group(rows, "recipe")[recipe]
    starts = sorted({row["start"] for row in rows})
    for row in rows:
        color = COLORS[starts.index(row["start"])]
        ax.plot(row["path"], color=color, lw=0.9, alpha=0.8)
    ax.axhline(delay, color=BLACK, ls="--", lw=0.9)
    ax.set(yscale="log", xlabel="Epoch", ylabel="Window θ (s)", title=recipe)
    return ax


def plot_theta_errors(ax, rows: list[dict], bar: float = 0.05):
    """Draw relative errors of the windows that were learned, and the bar.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``recipe``, ``error``.
    bar : float
    """
    groups = group(rows, "recipe")
    for k, mine in enumerate(groups.values()):
        y = [max(abs(row["error"]), 1e-6) for row in mine]
        ax.plot(_spread(k, mine, 0.25), y, MARKERS[k], color=COLORS[k], **POINT)
    ax.axhline(bar, color=GREY, ls="--", lw=0.9, label=f"{bar:.0%}")
    ax.set(yscale="log", ylabel="|θ / delay - 1|", title="error of the window")
    ax.set_xticks(range(len(groups)), groups)
    ax.legend()
    return ax


def theta_figure(rows: list[dict], delay: float):
    """Return paths of the coarse-to-fine and the plain recipe, and errors of all.

    Parameters
    ----------
    rows : list of dict
        From `experiments.learning.scales.theta_row`.
    delay : float
        Seconds.
    """
    return side_by_side(
        *(10.5, 3.2),
        lambda ax: plot_theta_paths(ax, rows, "coarse to fine", delay),
        lambda ax: plot_theta_paths(ax, rows, "plain", delay),
        lambda ax: plot_theta_errors(ax, rows),
    )


def plot_layers(ax, rows: list[dict], hidden: tuple[float, float]):
    """Draw both windows against epochs, two lines a training; the hidden ones dashed.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``path``, of pairs.
    hidden : (float, float)
        Seconds.
    """
    for i, (name, true) in enumerate(zip(("first", "second"), hidden, strict=True)):
        for k, row in enumerate(rows):
            label = f"{name} cell" if k == 0 else None
            theta = [each[i] for each in row["path"]]
            ax.plot(theta, color=COLORS[i], lw=0.9, alpha=0.8, label=label)
        ax.axhline(true, color=BLACK, ls="--", lw=0.9)
    ax.set(yscale="log", xlabel="Epoch", ylabel="Window θ (s)")
    ax.legend()
    return ax


def layers_figure(rows: list[dict], hidden: tuple[float, float]):
    """Return paths of two windows that are learned, and the error of all choices.

    Parameters
    ----------
    rows : list of dict
        From `experiments.learning.scales.layers_row`.
    hidden : (float, float)
        Seconds.
    """
    ways = group(rows, "way")

    def paths(ax):
        plot_layers(ax, ways["learned"], hidden).set_title("two cells, one start")

    def errors(ax):
        for k, mine in enumerate(ways.values()):
            y = column(mine, "nrmse")
            ax.plot(y, _spread(k, mine, 0.25), MARKERS[k], color=COLORS[k], **POINT)
        ax.set_yticks(range(len(ways)), [way.replace(", ", ",\n") for way in ways])
        ax.invert_yaxis()
        ax.set(xlim=(0, None), xlabel="NRMSE, held out", title="windows")

    return side_by_side(8.4, 3.4, paths, errors)


# -- long sequences ----------------------------------------------------------------


def plot_lengths(ax, rows: list[dict], name: str, ylabel: str, scale: float = 1.0):
    """Draw a measure against the length, one line a way of training.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``steps``, ``projected``, ``activation`` and ``name``.
    name, ylabel : str
    scale : float
        Of the values.
    """
    ways = group(rows, "projected", "activation")
    for k, ((projected, activation), mine) in enumerate(ways.items()):
        steps = dict(sorted(group(mine, "steps").items()))
        y = [np.mean(column(cell, name, scale)) for cell in steps.values()]
        label = f"{activation}, projected {projected}"
        ax.plot(list(steps), y, f"{MARKERS[k]}-", color=COLORS[k], label=label, **POINT)
    return log_axes(ax, "Steps", ylabel)


def length_figure(rows: list[dict], exponents: dict[str, float]):
    """Return error, seconds of an epoch and memory against length.

    Parameters
    ----------
    rows : list of dict
        From `experiments.learning.lengths.train_at`.
    exponents : dict of float
        Of ``seconds_per_epoch`` and ``bytes``.
    """

    def errors(ax):
        plot_lengths(ax, rows, "nrmse", "NRMSE, held out")
        ax.axhline(0.1, color=GREY, ls="--", lw=0.9)
        ax.axhline(1.0, color=GREY, ls=":", lw=0.9)
        ax.set(title="error (dashed: .1; dotted: chance)")

    def growth(ax, name: str, what: str, ylabel: str, scale=1.0):
        plot_lengths(ax, rows, name, ylabel, scale).get_legend().remove()
        ax.set_title(f"{what}: exponent {exponents[name]:.2f} from 10,000 steps")

    time = "seconds_per_epoch", "time", "Seconds per epoch"
    memory = "bytes", "memory", "Peak memory added (MB)", 1e-6
    growths = [lambda ax: growth(ax, *time), lambda ax: growth(ax, *memory)]
    return side_by_side(10.5, 3.2, errors, *growths)


def nonlinear_figure(rows: list[dict], lstm: list[dict]):
    """Return what is learned of two events, and of a product, against the length.

    Parameters
    ----------
    rows, lstm : list of dict
        From `experiments.learning.lengths.nonlinear_row` and `lstm_row`.
    """

    def panel(ax, task: str):
        mine, rival = (group(each, "task").get(task, []) for each in (rows, lstm))
        correct = task == "events"
        scale = 100 if correct else 1
        series = {
            "LMU": (mine, "value"),
            "best linear readout": (mine, "linear"),
            "LSTM of as many parameters": (rival, "value"),
        }
        series = {label: each for label, each in series.items() if each[0]}
        for k, (label, (several, name)) in enumerate(series.items()):
            steps = dict(sorted(group(several, "steps").items()))
            found = [confidence(column(cell, name, scale)) for cell in steps.values()]
            mean, half = np.transpose(found)
            look = mark(k, fmt=f"{MARKERS[k]}-", label=label)
            ax.errorbar(list(steps), mean, half, **look)
        chance = np.mean(column(mine, "chance", scale))
        ax.axhline(chance, color=GREY, ls=":", lw=0.9, label="a constant")
        ax.axhline(95 if correct else 0.1, color=GREY, ls="--", lw=0.9)
        ax.set(xscale="log", xlabel="Steps", yscale="linear" if correct else "log")
        ax.set_ylabel("Accuracy (%)" if correct else "NRMSE")
        ax.set_title("equal signs of two events" if correct else "a product")
        if correct:
            ax.legend(**SMALL)
        return ax

    panels = [lambda ax, task=task: panel(ax, task) for task in group(rows, "task")]
    return side_by_side(9.0, 3.4, *panels)


# -- digits ------------------------------------------------------------------------


def plot_accuracy(ax, rows: list[dict], rates: list[dict]):
    """Draw accuracy against neurons, measured and predicted, for each presentation.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``presentation``, ``n_neurons``, ``spiking_accuracy``, ``rate_accuracy``,
        ``predicted_loss``.
    rates : list of dict
        ``rate_accuracy`` of each seed.
    """
    groups = sorted(group(rows, "presentation").items())
    for k, (presentation, mine) in enumerate(groups):
        label, table = f"{1e3 * presentation:g} ms a pixel", pd.DataFrame(mine)
        table["predicted"] = table.rate_accuracy - table.predicted_loss
        sizes = table.groupby("n_neurons")
        predicted, seen = 100 * sizes.predicted.mean(), sizes.spiking_accuracy
        ax.plot(predicted, color=COLORS[k], label=f"{label}, predicted")
        mean, error = 100 * seen.mean(), 100 * seen.std(ddof=0) / np.sqrt(seen.count())
        ax.errorbar(mean.index, mean, error, label=label, **mark(k))
    rate = np.mean(column(rates, "rate_accuracy", 100))
    ax.axhline(rate, color=BLACK, ls="--", lw=0.9, label="rates")
    ax.set(xscale="log", xlabel="Neurons m", ylabel="Accuracy (%)")
    ax.legend()
    return ax


def plot_losses(ax, rows: list[dict]):
    """Draw measured against predicted loss, in points, with the predicted spread.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``presentation``, ``loss``, ``predicted_loss``, ``predicted_spread``.
    """
    names = ("predicted_loss", "loss", "predicted_spread")
    groups = sorted(group(rows, "presentation").items())
    for k, (presentation, mine) in enumerate(groups):
        x, y, spread = (column(mine, name, 100) for name in names)
        look = {"label": f"{1e3 * presentation:g} ms a pixel", "alpha": 0.8, "lw": 0.7}
        ax.errorbar(x, y, xerr=spread, **mark(k, **look))
    ax.plot([-1, 100], [-1, 100], color=GREY, lw=0.9, ls="--")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="Predicted loss (points)", ylabel="Measured loss (points)")
    ax.legend()
    return ax


def digits_figure(rows: list[dict], rates: list[dict]):
    """Return accuracy against neurons, and measured against predicted losses.

    Parameters
    ----------
    rows, rates : list of dict
        As `plot_accuracy` takes them.
    """
    return side_by_side(
        *(8.4, 3.4),
        lambda ax: plot_accuracy(ax, rows, rates),
        lambda ax: plot_losses(ax, rows),
    )


# -- steps -------------------------------------------------------------------------


def plot_steps(ax, rows: list[dict], name: str, title: str):
    """Draw accuracy at each step, a point a seed and a bar for the mean.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``step`` and ``name``.
    name, title : str
    """
    steps = group(rows, "step")
    for k, mine in enumerate(steps.values()):
        y = column(mine, name, 100)
        ax.hlines(np.mean(y), k - 0.3, k + 0.3, color=COLORS[0], lw=2)
        ax.plot(_spread(k, mine, 0.15), y, "o", color=GREY, ms=3.5)
    names = [step.replace(" in ", "\nin ") for step in steps]
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel="Accuracy (%)", title=title)
    return ax


def invariance_figure(rates: list[dict], spikes: list[dict]):
    """Return accuracy, rate-based and in spikes, at half and double the step.

    Parameters
    ----------
    rates, spikes : list of dict
        From `experiments.learning.digits`.
    """
    return side_by_side(
        *(9.5, 3.2),
        lambda ax: plot_steps(ax, rates, "rate_accuracy", "rates"),
        lambda ax: plot_steps(ax, spikes, "spiking_accuracy", "spikes"),
        width_ratios=(1.6, 1),
    )


def rates_figure(rows: list[dict]):
    """Return what each model does at each rate, of each signal.

    Parameters
    ----------
    rows : list of dict
        From `experiments.learning.rates`.
    """

    def panel(ax, task: str):
        models = group(group(rows, "task")[task], "model")
        for k, (model, several) in enumerate(models.items()):
            factors = dict(sorted(group(several, "factor").items()))
            found = [confidence(column(c, "value", 100)) for c in factors.values()]
            mean, half = np.transpose(found)
            look = mark(k, fmt=f"{MARKERS[k]}-", label=model)
            ax.errorbar(list(factors), mean, half, **look)
        ax.set(xscale="log", xlabel="Sampling rate, times that of training")
        ax.set_xticks(list(factors), [f"{factor:g}" for factor in factors])
        ax.xaxis.set_minor_formatter("")
        ax.set(ylabel="Accuracy (%)", title=task)
        ax.legend(**SMALL)
        return ax

    panels = [lambda ax, task=task: panel(ax, task) for task in group(rows, "task")]
    return side_by_side(9.0, 3.4, *panels)


def rivals_figure(rows: list[dict], name: str, ylabel: str):
    """Return validation errors against epochs of training, one line a seed.

    Parameters
    ----------
    rows : list of dict
        ``model``, and ``history`` with ``epochs`` and the error: from ``python
        benchmarks rivals_mackey_glass`` or ``rivals_psmnist``.
    name : str
        Of the error in the history; an accuracy is drawn as errors.
    ylabel : str
    """
    trained = [row for row in rows if row["history"]]

    def panel(ax):
        for k, (model, seeds) in enumerate(group(trained, "model").items()):
            look = mark(k, lw=0.9, ms=3)
            look["marker"] = look.pop("fmt")
            for i, row in enumerate(seeds):
                at, y = (column(row["history"], n) for n in ("epochs", name))
                if "accuracy" in name:
                    y = [100 * (1 - value) for value in y]
                ax.plot(at, y, label="" if i else model, **look)
        ax.set(xlabel="Epoch", ylabel=ylabel, yscale="log")
        if trained:
            ax.legend(**SMALL)
        return ax

    return side_by_side(5.0, 3.8, panel)


def _spread(k: int, rows: list, half: float):
    """Return places for points about the ``k``-th tick."""
    return k + np.linspace(-half, half, len(rows)) if len(rows) > 1 else [k]


# -- cost --------------------------------------------------------------------------


def plot_curves(ax, result: dict):
    """Draw the validation metric of the LMU against seconds of training.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : dict
        From `experiments.learning.cost.cost_of`.
    """
    rows = group(result["curves"], "model")["LMU"]
    x, y = column(rows, "seconds"), column(rows, "value")
    label = f"LMU, {result['params']:,} parameters"
    ax.plot(x, y, f"{MARKERS[0]}-", color=COLORS[0], label=label, **POINT)
    ax.axhline(result["chance"], color=GREY, ls=":", lw=0.9, label="chance")
    correct = result["metric"] == "accuracy"
    name, scale = ("accuracy", "linear") if correct else ("NRMSE", "log")
    ax.set(xlabel="Seconds of training", xscale="log", yscale=scale)
    ax.xaxis.set_minor_formatter("")  # less than a decade has room for its ends
    ax.set(ylabel=f"Validation {name}", title=result["task"])
    ax.legend()
    return ax


def plot_inference(ax, results: list[dict]):
    """Draw microseconds a step and sequence, by way and batch.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    results : list of dict
        From `experiments.learning.cost.cost_of`.
    """
    tables = [pd.DataFrame(r["inference"]).assign(task=r["task"]) for r in results]
    table = pd.concat(tables, ignore_index=True)
    times = 1e6 * table.seconds_per_step / table.batch
    how = table.way.str.replace(r", a \w+", "", regex=True)
    texts = table.task + ", " + how + ", batch "
    y, ways = pd.factorize(texts + table.batch.astype(str))
    for k, model in enumerate(("LMU", "LSTM")):
        mine = table.model == model
        look = {"color": COLORS[k], "label": model, **POINT}
        ax.plot(times[mine], y[mine], MARKERS[k], **look)
    ax.set_yticks(range(len(ways)), ways)
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="µs a step of a sequence", title="inference")
    ax.set_xlim(0.5 * times.min(), 2 * times.max())
    ax.xaxis.set_minor_formatter("")
    ax.legend()
    return ax


def cost_figure(results: list[dict]):
    """Return the LMU's learning curve on each task, and the cost of inference.

    The cost of inference is shown beside an LSTM's, since it does not depend on what
    was learned.  The LSTM's learning curve is in the result and not in the figure,
    because it has not converged.

    Parameters
    ----------
    results : list of dict
        From `experiments.learning.cost.cost_of`.
    """
    curves = [lambda ax, one=one: plot_curves(ax, one) for one in results]
    width = 3.6 * (len(results) + 1) + 1.4
    return side_by_side(width, 3.3, *curves, lambda ax: plot_inference(ax, results))


# -- psMNIST -----------------------------------------------------------------------

NAMES = {"if": "staggered", "poisson": "Poisson"}


def plot_spiking_errors(ax, rows: list[dict], name: str, xlabel: str):
    """Draw the share of wrong labels in spikes against a cost, and the predicted one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``model``, ``neuron_type``, ``presentation``, ``spiking_accuracy``,
        ``rate_accuracy``, ``predicted_loss``, ``loss_low``, ``loss_high`` and ``name``.
    name, xlabel : str
        Column of the cost, and its label.
    """
    ways = group(rows, "model", "neuron_type", "presentation")
    for k, ((model, kind, presentation), mine) in enumerate(ways.items()):
        mine = sorted(mine, key=lambda row: row[name])
        x = column(mine, name)
        y = [100 * (1 - row["spiking_accuracy"]) for row in mine]
        half = [50 * (row["loss_high"] - row["loss_low"]) for row in mine]
        label = f"{model}, {NAMES[kind]}, {1e3 * presentation:g} ms a pixel"
        ax.errorbar(x, y, half, label=label, **mark(k))
        said = [
            100 * (1 - row["rate_accuracy"] + row["predicted_loss"]) for row in mine
        ]
        ax.plot(x, said, "_", color=COLORS[k % len(COLORS)], ms=11, mew=1.6)
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="Wrong test digits (%)")
    ax.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter("")
    return ax


def psmnist_figure(rows: list[dict], rates: list[dict], others: dict[str, float]):
    """Return errors of spiking psMNIST against memory neurons, and against spikes.

    Parameters
    ----------
    rows, rates : list of dict
        From ``python benchmarks psmnist``.
    others : dict of str to float
        Published accuracies of spiking networks, per cent, drawn as lines.
    """
    # the permutation of the spiking rows
    ways = group([r for r in rates if r["permutation"] == 0], "model", "images")

    def draw(ax, name, xlabel):
        plot_spiking_errors(ax, rows, name, xlabel)
        for (model, images), mine in ways.items():
            if images == "warps":
                wrong = 100 - np.mean(column(mine, "accuracy", 100))
                line = {"ls": "-" if model == "large" else "--", "color": BLACK}
                ax.axhline(wrong, lw=0.9, label=f"{model}, rate-based", **line)
        for k, (system, accuracy) in enumerate(others.items()):
            line = {"ls": (0, (1, 1 + k)), "color": GREY, "label": system}
            ax.axhline(100 - accuracy, lw=0.9, **line)
        return ax

    return side_by_side(
        *(10, 4.2),
        lambda ax: draw(ax, "memory_neurons", "Neurons of the memory").legend(
            loc="upper right", title="bar: predicted"
        ),
        lambda ax: draw(ax, "spikes_per_inference", "Spikes of a digit"),
    )
