"""How fast simulators are: time per neuron and step against the number of neurons."""

from lmu_spiking.plots.style import (
    BLACK,
    COLORS,
    MARKERS,
    VERMILION,
    new_figure,
    styled,
)

OURS, LIMIT = "lmu_spiking", "C loop"


def plot_speed(ax, lines: dict, title: str):
    """Nanoseconds per neuron and step, one line for each simulator.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    lines : dict of str to (sequence, sequence)
        Neurons and nanoseconds by simulator; the limit is ``"C loop"``.
    title : str
    """
    others = (color for color in COLORS * 3 if color not in (VERMILION, BLACK))
    for k, (name, (neurons, ns)) in enumerate(lines.items()):
        ours = name.startswith(OURS)
        side = name != OURS and "," in name  # all cores, or many trials
        color = VERMILION if ours else BLACK if name == LIMIT else next(others)
        ax.loglog(
            neurons,
            ns,
            color=color,
            ls="--" if name == LIMIT else ":" if side else "-",
            lw=1.8 if ours else 1.1,
            marker=None if name == LIMIT else MARKERS[k % len(MARKERS)],
            ms=4,
            label=name,
        )
    ax.set(xlabel="Neurons m", title=title)
    return ax


def speed_figure(panels: dict):
    """A panel for each network, and one legend.

    Parameters
    ----------
    panels : dict of str to dict
        Titles, and the lines of `plot_speed`.
    """
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    with styled():
        figure = new_figure(2.75 * columns + 0.4, 2.6 * rows + 0.7)
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for ax, (title, lines) in zip(axes.flat, panels.items(), strict=False):
            plot_speed(ax, lines, title)
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        for ax in axes[:, 0]:
            ax.set_ylabel("ns per neuron and step")
        found = {}
        for ax in axes.flat:
            for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
                found.setdefault(name, handle)
        figure.legend(found.values(), found.keys(), loc="outside lower center", ncols=4)
    return figure
