"""Figures of staggered neurons: error against neurons, the bound, what breaks it."""

import numpy as np

from lmu_spiking.experiments.figures import (
    POINT,
    SMALL,
    column,
    in_rows,
    side_by_side,
)
from lmu_spiking.experiments.records import group
from lmu_spiking.plots.style import BLACK, COLORS, GREY, MARKERS, log_axes

# what is drawn of the kinds of neurons, in this order of colours
SHOWN = (
    "Poisson",
    "Poisson, feedback",
    "random if",
    "staggered if",
    "staggered regular",
    "staggered if, balanced",
    "staggered if, feedback",
)


def plot_kinds(ax, rows: list[dict], order: int):
    """Draw the error of each kind of neurons against their number, at one order.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    rows : list of dict
        ``kind``, ``order``, ``neurons``, ``mean_nrmse``, ``predicted_noise_nrmse`` and
        ``bound_nrmse``.
    order : int

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    kinds = group([row for row in rows if row["order"] == order], "kind")
    for k, name in enumerate(SHOWN):
        cells = kinds.get(name, [])
        if not cells:
            continue
        look = {"marker": MARKERS[k], "color": COLORS[k], "lw": 1, "label": name}
        # two kinds of staggered neurons are the same: one shows behind the other
        hollow = {"mfc": "none", "ms": 8, "mew": 1, "ls": "none"}
        look |= hollow if name == "staggered regular" else POINT
        ax.plot(column(cells, "neurons"), column(cells, "mean_nrmse"), **look)
    said = [row for row in kinds["staggered if"] if "predicted_noise_nrmse" in row]
    look = {"ls": "none", "marker": "_", "ms": 11, "color": BLACK, "mew": 1.2}
    y = column(said, "predicted_noise_nrmse")
    ax.plot(column(said, "neurons"), y, label="staggered, predicted", **look)
    y = column(said, "bound_nrmse")
    look = {"ls": "--", "lw": 1, "color": GREY, "label": "staggered, bound"}
    ax.plot(column(said, "neurons"), y, **look)
    log_axes(ax, "Neurons m", "Noise NRMSE at delay θ").get_legend().remove()
    ax.set_title(f"d = {order}")
    return ax


def staggered_figure(record: dict):
    """Return errors against neurons at each order, in one row with one legend.

    Parameters
    ----------
    record : dict
        Of ``python benchmarks staggered``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = record["kinds"]
    panels = [
        lambda ax, order=order: plot_kinds(ax, rows, order)
        for order in group(rows, "order")
    ]
    return in_rows(
        panels,
        4,
        lambda columns, rows: (1.9 + 2.7 * columns, 3.4 * rows),
        loc="outside right center",
        **SMALL,
    )


def bounds_figure(record: dict):
    """Return the largest error of random memories over its bound.

    Parameters
    ----------
    record : dict
        Of ``python benchmarks bounds``.

    Returns
    -------
    matplotlib.figure.Figure
        Against the neurons of a side, and as a distribution.
    """
    rows = record["memories"]
    kinds, ticks = ("all inputs", "not made to break it"), (0.05, 0.1, 0.2, 0.5, 1)

    def against(ax) -> None:
        for k, (name, cells) in enumerate(sorted(group(rows, "feedback").items())):
            look = {"color": COLORS[k], "label": f"error feedback {name}"} | POINT
            x, y = (column(cells, key) for key in ("per_side", "share"))
            ax.plot(x, y, MARKERS[k], **look)
        log_axes(ax, "Neurons of a side", "Largest error / bound")
        ax.set_ylim(0.05, 1)
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.yaxis.set_minor_formatter("")
        ax.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    def distribution(ax) -> None:
        both = column(rows, "share"), [row["worst"]["plain"] for row in rows]
        for k, (name, values) in enumerate(zip(kinds, both, strict=True)):
            y = np.arange(1, len(values) + 1) / len(values)
            look = {"color": COLORS[k], "ls": ("-", "--")[k], "label": name}
            ax.step(np.sort(values), y, where="post", **look)
        ax.axvline(0.1, ls=":", color=GREY, label="a tenth of the bound")
        ax.set(xscale="log", xlabel="Largest error / bound", ylabel="Share of memories")
        ax.set_xticks([0.02, *ticks], [f"{tick:g}" for tick in (0.02, *ticks)])
        ax.xaxis.set_minor_formatter("")
        ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), **SMALL)

    return side_by_side(8.4, 3.4, against, distribution)


def name_of(fault: str, size: float) -> str:
    """Return the name of a fault of a size, noise in thresholds per root of a second.

    Parameters
    ----------
    fault : str
    size : float

    Returns
    -------
    str
    """
    if fault == "voltage noise":
        return f"{fault} {size:g} / √s"
    return f"{fault} {100 * size:g} %" if size else fault


def mismatch_figure(record: dict):
    """Return the error that each fault leaves, at the end of the run.

    Parameters
    ----------
    record : dict
        Of ``python benchmarks mismatch``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each number of neurons.
    """

    def panel(ax, n: int, rows: list[dict]) -> None:
        faults = group(rows, "fault", "size")
        names = [name_of(*fault) for fault in faults]
        shift, first = (-0.22, 0.0, 0.22), True
        for y, cells in enumerate(faults.values()):
            for k, row in enumerate(cells):
                look = {"color": COLORS[k], **POINT}
                label = f"error feedback {row['feedback']}" if first else None
                at = y + shift[k]
                ax.plot(row["last"], at, MARKERS[k], label=label, **look)
                if row["predicted"] is not None:
                    said = {"color": BLACK, "ms": 7, "mew": 1.2}
                    label = "predicted" if first and k == len(cells) - 1 else None
                    ax.plot(row["predicted"], at, "|", label=label, **said)
            first = False
        ax.set(xscale="log", xlabel="Noise NRMSE at the end", title=f"m = {n:,}")
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.4, -0.6)  # the first at the top
        ax.grid(axis="y", lw=0.3)

    panels = [
        lambda ax, n=n, rows=rows: panel(ax, n, rows)
        for n, rows in group(record["faults"], "neurons").items()
    ]
    return in_rows(
        panels,
        2,
        lambda columns, rows: (1.8 + 3.6 * columns, 5.2 * rows),
        loc="outside lower center",
        ncols=4,
        **SMALL,
    )
