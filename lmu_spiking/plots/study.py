"""Figures of a study: error against neurons and spikes, measured and predicted."""

import numpy as np

from lmu_spiking.metrics import power_law
from lmu_spiking.plots import style
from lmu_spiking.plots.style import COLORS, GREY

CAPTIONS = {
    "error-vs-neurons": "Error of the state against the number of neurons: trials "
    "(root mean square, 95 % interval) and what was predicted for them (lines).",
    "measured-over-predicted": "Measured over predicted error of the state, with 95 % "
    "intervals over trials: 1 where the prediction is exact.",
    "error-vs-spikes": "Error of the state against what it costs in spikes; lines are "
    "the predicted error, where there is one.",
}
FORMS = {"tau": "τ = {:g} s", "max_rate": "{:g} Hz", "order": "d = {}"}
SLOPES = {-0.5: "slope −1/2", -1.0: "slope −1"}  # of guides
GUIDES = tuple(SLOPES.values())  # labels that stand last in a legend
DRAWN = "dots measured,\nlines predicted"
FEWEST, SURE = 3, 0.4  # points that can tell a power law, and how well they must


def plot_error_vs_neurons(ax, summary, levels=None, slope: float | None = None):
    """Draw measured points with intervals, and predicted lines, against neurons.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `summarise`, of one neuron type, tau and max_rate.
    levels : list, optional
        Orders, each of which has its colour; those in the summary by default.
    slope : {-0.5, -1.0}, optional
        Of the guide: that of noisy neurons, or of staggered ones.  It is only drawn
        where the points have it; by default, the one that they have, if any.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    title = _curves(ax, summary, "neurons", "order", levels, "d = {}")
    slope = held_slope(summary, SLOPES if slope is None else (slope,))
    if slope is not None:  # a guide below all points
        x = np.array([summary.neurons.min(), summary.neurons.max()], dtype=float)
        below = 0.7 * (summary.state_rmse / summary.neurons**slope).min()
        style_of = {"ls": ":" if slope == -0.5 else "-.", "color": GREY}
        ax.plot(x, below * x**slope, label=SLOPES[slope], **style_of)
    return style.log_axes(ax, "Neurons", "State RMSE", title)


def held_slope(summary, slopes) -> float | None:
    """Return the slope that the errors of all orders have against neurons, if any.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`.
    slopes : iterable of float
        Those that are looked for.

    Returns
    -------
    float or None
        The nearest of those that lie in the 95 % interval of each fitted exponent.
    """
    fits = []
    for _, cell in summary.groupby("order"):
        if cell.neurons.nunique() >= FEWEST and (cell.state_rmse > 0).all():
            fits.append(power_law(cell.neurons, cell.state_rmse))
    if not fits:
        return None
    held = [s for s in slopes if all(fit.low <= s <= fit.high for fit in fits)]
    mean = np.mean([fit.exponent for fit in fits])
    nearest = min(held, key=lambda s: abs(s - mean), default=None)
    # an interval so wide says nothing
    sure = all(fit.high - fit.low < 2 * SURE for fit in fits)
    return nearest if sure and nearest is not None else None


def plot_ratio(ax, summary, levels=None):
    """Draw measured over predicted error against neurons, with a colour for each order.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `summarise`, of one neuron type, tau and max_rate.
    levels : list, optional
        Orders, each of which has its colour; those in the summary by default.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    ax.axhline(1, color=GREY, lw=0.8)
    levels = levels or sorted(summary.order.unique())
    for order, cell in summary.groupby("order"):
        k = levels.index(order)
        style.draw_points(ax, cell, "neurons", "state_rmse_ratio", k, f"d = {order}")
    ax.set(xlabel="Neurons", ylabel="Measured / predicted state RMSE", xscale="log")
    ax.legend()
    # the intervals of a few trials may be far wider than all points are apart
    top = max(2.0, 2.5 * float(summary.state_rmse_ratio.max()))
    ax.set_ylim(0, min(top, 1.05 * ax.dataLim.ymax))
    return style.readable_ticks(ax)


def plot_error_vs_spikes(ax, summary, levels=None):
    """Draw errors against spikes per second, with a colour for each neuron type.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `summarise`, of one order, tau and max_rate.
    levels : list, optional
        Neuron types, each of which has its colour; those in the summary by default.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    title = _curves(ax, summary, "spikes_per_s", "neuron_type", levels, "{}")
    return style.log_axes(ax, "Spikes per second", "State RMSE", title)


def study_figures(summary) -> dict:
    """Return the figures of a study by name; `CAPTIONS` says what each shows.

    Memories without an error, such as those of rate neurons, are left out.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`.

    Returns
    -------
    dict of str to matplotlib.figure.Figure
        For `save_figure`; fewer than three where there is nothing to show.
    """
    wrong = summary[summary.state_rmse > 1e-9]
    predicted = wrong[wrong.state_rmse_ratio.notna()]
    spiking = wrong[wrong.spikes_per_s > 0]
    by_type = ["neuron_type", "tau", "max_rate"], "order"
    by_order = ["order", "tau", "max_rate"], "neuron_type"
    shown = {
        "error-vs-neurons": (plot_error_vs_neurons, wrong, *by_type),
        "measured-over-predicted": (plot_ratio, predicted, *by_type),
        "error-vs-spikes": (plot_error_vs_spikes, spiking, *by_order),
    }
    drawn = {name: _panels(*each) for name, each in shown.items() if len(each[1])}
    for name, figure in drawn.items():
        figure.set_label(CAPTIONS[name])
    return drawn


def _curves(ax, summary, x: str, by: str, levels, form: str) -> str | None:
    """Draw measured points and predicted lines; return the title of their legend."""
    levels = levels or sorted(summary[by].unique())
    for name, cell in summary.sort_values(x).groupby(by):
        k = levels.index(name)
        style.draw_points(ax, cell, x, "state_rmse", k, form.format(name))
        predicted = cell[cell.predicted_state_rmse > 0]
        color = COLORS[k % len(COLORS)]
        ax.plot(predicted[x], predicted.predicted_state_rmse, "-", color=color, lw=1)
    return DRAWN if summary.predicted_state_rmse.notna().any() else None


def _panels(plot, summary, by: list[str], colored: str):
    """Draw a panel for each value of ``by`` in the summary: shared axes, one legend."""
    varied = [name for name in by if summary[name].nunique() > 1]
    levels = sorted(summary[colored].unique())
    cells = list(summary.groupby(by))
    # at most three panels in a row, and a place for the legend to the right
    columns = min(3, len(cells))
    rows = -(-len(cells) // columns)
    with style.drawn(1.4 + max(3.6, 3.0 * columns), 3.4 * rows) as figure:
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        legend, heading = {}, None
        for ax, (key, cell) in zip(axes.flat, cells, strict=False):
            plot(ax, cell, levels)
            handles, labels = ax.get_legend_handles_labels()
            legend |= dict(zip(labels, handles, strict=True))
            heading = heading or ax.get_legend().get_title().get_text()
            ax.get_legend().remove()
            part = dict(zip(by, key, strict=True))
            title = (FORMS.get(k, "{} neurons").format(part[k]) for k in varied)
            ax.set_title(", ".join(title))
            ax.label_outer()
        # places without a panel stay empty
        for ax in axes.flat[len(cells) :]:
            ax.set_visible(False)
        names = sorted(legend, key=_legend_order)
        handles = [legend[name] for name in names]
        for ax in axes.flat[: len(cells)]:  # whose limits are shared by now
            style.readable_ticks(ax)
        where: dict = {"loc": "outside right upper", "alignment": "left"}
        figure.legend(handles, names, title=heading, **where)
    return figure


def _legend_order(label: str) -> tuple:
    """Return a key that sorts guides last, and numbers by their value."""
    number = label.removeprefix("d = ")
    return label in GUIDES, int(number) if number.isdecimal() else 0, label
