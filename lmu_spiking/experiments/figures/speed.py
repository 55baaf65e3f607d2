"""How fast simulators are: time per neuron and step against the number of neurons."""

from lmu_spiking.experiments.figures import in_rows
from lmu_spiking.plots import style

LIMIT = "C loop"
LINES = {  # a colour for each simulator in every panel
    "lmu_spiking": style.VERMILION,
    "Nengo": style.BLUE,
    "NengoDL": style.GREEN,
    "NengoOCL": style.ORANGE,
    "Brian2": style.COLORS[4],
    LIMIT: style.BLACK,
}


def plot_speed(ax, lines: dict, title: str):
    """Draw nanoseconds per neuron and step, one line for each simulator.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    lines : dict of str to (sequence, sequence)
        Neurons and nanoseconds by simulator; what follows a comma, as in ``"Brian2, 2
        threads"``, is drawn dotted in its colour.  The limit is ``"C loop"``.
    title : str
    """
    for name, (neurons, ns) in lines.items():
        simulator, *side = name.split(",")
        number = [*LINES, simulator].index(simulator)
        marker = style.MARKERS[number % len(style.MARKERS)]
        look = {"color": LINES.get(simulator, style.GREY), "ms": 4, "label": name}
        look |= {"lw": 1.1 if number else 1.8, "mfc": "white" if side else None}
        look |= {"ls": ":" if side else "-", "marker": marker}
        limit = {"ls": "--", "marker": None} if name == LIMIT else {}
        ax.loglog(neurons, ns, **look | limit)
    sizes = sorted({m for neurons, _ in lines.values() for m in neurons})
    ax.set(xlabel="Neurons m", ylabel="ns per neuron and step", title=title)
    ax.set_xticks(sizes, [f"{m:,}" for m in sizes])
    ax.minorticks_off()
    return ax


def speed_figure(panels: dict):
    """Return a panel for each network, and one legend.

    Parameters
    ----------
    panels : dict of str to dict
        Titles, and the lines of `plot_speed`.
    """
    return in_rows(
        [lambda ax, one=one: plot_speed(ax, one[1], one[0]) for one in panels.items()],
        4,
        lambda columns, rows: (2.9 * columns + 0.4, 2.6 * rows + 0.7),
        **{"loc": "outside lower center", "ncols": 4},
    )
