"""How every figure looks, and its way into a file.

Colours are Okabe and Ito's, which the colour-blind can tell apart.
"""

import io

import numpy as np

from lmu_spiking.errors import MissingPackageError
from lmu_spiking.files import write_atomically

BLACK, GREY = "#1b1b1b", "#9a9a9a"
BLUE, VERMILION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#cc79a7", "#56b4e9", BLACK)
MARKERS = "osD^vPX"
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.3,
    "lines.solid_capstyle": "round",
}


def styled():
    """The style, within a ``with`` block."""
    try:
        import matplotlib
    except ImportError:
        raise MissingPackageError("matplotlib", "all") from None
    return matplotlib.rc_context(STYLE)


def new_figure(width: float, height: float):
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def legend_above(ax) -> None:
    """A legend in one line over the axes, to the right."""
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.98),
        ncols=3,
        borderaxespad=0,
        handlelength=1.5,
        columnspacing=1.2,
    )


def draw_points(ax, cell, x: str, y: str, k: int, label: str) -> None:
    """Points with their intervals ``_low`` to ``_high``, in the ``k``-th colour."""
    ends = [cell[y] - cell[f"{y}_low"], cell[f"{y}_high"] - cell[y]]
    ax.errorbar(
        cell[x],
        cell[y],
        yerr=np.nan_to_num(ends),
        fmt=MARKERS[k % len(MARKERS)],
        color=COLORS[k % len(COLORS)],
        ms=4.5,
        mec="white",
        mew=0.5,
        lw=1,
        label=label,
    )


def log_axes(ax, xlabel: str, ylabel: str):
    """Two logarithmic axes with their names and a legend."""
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    ax.legend()
    return ax


def png(figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=200)
    return buffer.getvalue()


def save_figure(figure, path) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    write_atomically(path, png(figure))
