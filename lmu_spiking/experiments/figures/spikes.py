"""Pictures of spikes: what they cost, how they are spread, and whether they agree."""

import numpy as np

from lmu_spiking.experiments.figures import POINT, in_rows
from lmu_spiking.plots import style

X = {
    "neurons": "Neurons",
    "spikes_per_s": "Spikes per second",
    "synops_per_s": "Synaptic operations per second, factored",
    "synops_per_s_full": "Synaptic operations per second, full",
}
RANDOM = ("poisson", "stochastic")  # without a voltage: neither a lead nor a start
GUIDES = ("slope −1/2", "independent", "lead alone")
CAPTIONS = {
    "spikes-cost": "Error of the state against neurons, spikes and synaptic operations "
    "(spikes times the weights they drive; factored as built, and as full m by m "
    "weights): trials with 95 % intervals; lines are the predicted error, where there "
    "is one.",
    "spikes-budget": "The same number of spikes per second, from many slow neurons "
    "(left) or a few fast ones (right). Poisson noise does not care; regular spikes at "
    "independent phases gain with the root of the rate.",
    "spikes-discrepancy": "How unevenly neurons stand between their spikes "
    "(Kolmogorov-Smirnov distance of phases), against the neurons that fire on one "
    "side of a dimension. On the line they are independent; hollow: all neurons start "
    "at voltage zero.",
    "spikes-sources": "Where the error comes from: the same curves and decoders with "
    "exact rates, with regular spikes, with the neurons themselves, and with the lead "
    "of their membranes mapped out; the line is what that lead explains.",
}


def plot_error_by_type(ax, summary, x: str = "neurons", levels=None):
    """Draw error against neurons or a cost, a colour for each neuron type.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `budget.costs`, of one order and max_rate.
    x : str
        A column of the summary: one of `X`.
    levels : list, optional
        Neuron types that colours are given to; those in the summary by default.
    """
    for k, name, cell in _by_type(summary.sort_values(x), levels):
        style.draw_points(ax, cell, x, "state_rmse", k, name)
        # not every neuron type has a prediction
        predicted = cell[cell.predicted_state_rmse > 0]
        color = style.COLORS[k]
        ax.plot(predicted[x], predicted.predicted_state_rmse, color=color, lw=1)
    return style.log_axes(ax, X[x], "State RMSE")


def plot_error_vs_rate(ax, summary, levels=None):
    """Draw error against the rate at the radius, at one budget of spikes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `budget.budget_costs`, of one budget and order.
    levels : list, optional
        Neuron types that colours are given to; those in the summary by default.
    """
    for k, name, cell in _by_type(summary.sort_values("max_rate"), levels):
        style.draw_points(ax, cell, "max_rate", "state_rmse", k, name)
        ax.plot(cell.max_rate, cell.state_rmse, color=style.COLORS[k], lw=0.8)
    # a guide below all points
    ends = np.array([summary.max_rate.min(), summary.max_rate.max()])
    below = 0.75 * (summary.state_rmse * np.sqrt(summary.max_rate)).min()
    ax.plot(ends, below / np.sqrt(ends), ":", color=style.GREY, label="slope −1/2")
    return style.log_axes(ax, "Rate at the radius (Hz)", "State RMSE")


def plot_discrepancy(ax, sources, levels=None):
    """Draw the discrepancy of phases against the neurons firing, beside the null.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    sources : DataFrame
        From `summarise_sources`, of one order.
    levels : list, optional
        Neuron types that colours are given to; those in the summary by default.
    """
    ordered = sources.sort_values("group_neurons")
    for k, name, cell in _by_type(ordered, levels):
        style.draw_points(ax, cell, "group_neurons", "discrepancy", k, name)
        if name.startswith(RANDOM):
            continue
        look = {"marker": style.MARKERS[k], "color": style.COLORS[k], "ls": ":"}
        look |= {"mfc": "white", "ms": 4.5, "lw": 0.8}
        label = f"{name}, from one voltage"
        ax.plot(cell.group_neurons, cell.in_step_discrepancy, label=label, **look)
    null = ordered[["group_neurons", "discrepancy_null"]].to_numpy().T
    ax.plot(*null, color=style.BLACK, lw=0.8, zorder=0, label="independent")
    xlabel = "Neurons firing in a group"
    return style.log_axes(ax, xlabel, "Kolmogorov-Smirnov distance")


def plot_sources(ax, sources):
    """Draw errors of one neuron type and of its relatives against neurons.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    sources : DataFrame
        From `summarise_sources`, of one neuron type and order.
    """
    sources = sources.sort_values("neurons")
    shown = (
        ("state_rmse", "as they are", style.VERMILION),
        ("mended_rmse", "lead mapped out", style.GREEN),
        ("regular_rmse", "regular spikes, same curves", style.BLUE),
        ("static_rmse", "exact rates, same curves", style.GREY),
    )
    for k, (column, label, color) in enumerate(shown):
        cell = sources[sources[column] > 1e-9]
        if len(cell):
            y, low, high = (cell[f"{column}{end}"] for end in ("", "_low", "_high"))
            look = {"fmt": f"{style.MARKERS[k]}-", "color": color, "lw": 1}
            ends = np.nan_to_num([y - low, high - y])
            ax.errorbar(cell.neurons, y, ends, label=label, **look, **POINT)
    lead = {"ls": "--", "color": style.BLACK, "lw": 1, "label": "lead alone"}
    ax.plot(sources.neurons, sources.lead_rmse, **lead)
    return style.log_axes(ax, "Neurons", "State RMSE")


def spikes_figures(summary, budgets, sources) -> dict:
    """Return the figures by name; `CAPTIONS` says what each shows.

    Parameters
    ----------
    summary, budgets, sources : DataFrame
        From `budget.costs`, `budget.budget_costs` and `summarise_sources`; each may
        be empty.
    """
    # one colour for a neuron type in all figures
    tables = (table for table in (summary, budgets, sources) if len(table))
    levels = {"levels": sorted({name for t in tables for name in t.neuron_type})}
    figures = {}
    if len(summary):
        panels = [
            (plot_error_by_type, f"order {d}", cell, {"x": x, **levels})
            for d, cell in summary.groupby("order")
            for x in X
        ]
        figures["spikes-cost"] = _grid(panels, len(X))
    if len(budgets):
        title = "{:,.0f} spikes per second, order {}".format
        panels = [
            (plot_error_vs_rate, title(*key), cell, levels)
            for key, cell in budgets.groupby(["budget", "order"])
        ]
        figures["spikes-budget"] = _grid(panels, 3)
    if len(sources):
        panels = [
            (plot_discrepancy, f"order {d}", cell, levels)
            for d, cell in sources.groupby("order")
        ]
        figures["spikes-discrepancy"] = _grid(panels, 3)
        panels = [
            (plot_sources, f"{name}, order {d}", cell, {})
            for (name, d), cell in sources.groupby(["neuron_type", "order"])
            if not name.startswith(RANDOM)
        ]
        if panels:
            figures["spikes-sources"] = _grid(panels, 3)
    return figures


def _by_type(table, levels):
    """Yield the number of each neuron type, its name and its rows."""
    levels = levels or sorted(table.neuron_type.unique())
    for name, cell in table.groupby("neuron_type"):
        yield levels.index(name) % len(style.COLORS), name, cell


def _grid(panels, columns: int):
    """Return panels in rows, with one legend of all their labels, guides last."""

    def draw(ax, plot, title, cell, options):
        plot(ax, cell, **options).get_legend().remove()
        ax.set_title(title)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_formatter("")

    return in_rows(
        [lambda ax, panel=panel: draw(ax, *panel) for panel in panels],
        columns,
        lambda columns, rows: (1.6 + max(3.8, 3.0 * columns), 3.4 * rows),
        lambda name: (name in GUIDES, name),
        loc="outside right upper",
    )
