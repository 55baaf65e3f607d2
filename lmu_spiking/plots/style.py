"""How every figure looks, and its way into a file.

Colours are Okabe and Ito's, which the colour-blind can tell apart.
"""

import io
from contextlib import contextmanager
from typing import Any

import numpy as np

from lmu_spiking.errors import needs
from lmu_spiking.files import write_atomically

BLACK, GREY = "#1b1b1b", "#9a9a9a"
BLUE, VERMILION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#cc79a7", "#56b4e9", BLACK)
MARKERS = "osD^vPX"
EDGED = {"mec": "white", "mew": 0.5}  # points that stand apart where they overlap
STYLE: dict[Any, Any] = {
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
    """Return a context in which matplotlib has our style."""
    with needs("matplotlib", "all"):
        import matplotlib
    return matplotlib.rc_context(STYLE)


def new_figure(width: float, height: float):
    """Return an empty figure.

    Parameters
    ----------
    width, height : float
        Inches.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


@contextmanager
def drawn(width: float, height: float, title: str = "", size: float = 10):
    """Give an empty figure to draw on in our style, under a title.

    Parameters
    ----------
    width, height : float
        Inches.
    title : str
    size : float
        Of the title, points.

    Yields
    ------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    with styled():
        figure = new_figure(width, height)
        if title:  # in the upper left corner
            figure.suptitle(title, x=0.01, ha="left", fontsize=size)
        yield figure


def draw_points(ax, cell, x: str, y: str, k: int, label: str) -> None:
    """Draw points with their intervals ``_low`` to ``_high``, in the ``k``-th colour.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    cell : DataFrame
    x, y : str
        Columns.
    k : int
        Number of the colour and marker.
    label : str
    """
    # lengths below and above; NaN, of a single trial, is none
    ends = [cell[y] - cell[f"{y}_low"], cell[f"{y}_high"] - cell[y]]
    look = {"fmt": MARKERS[k % len(MARKERS)], "color": COLORS[k % len(COLORS)]}
    look |= {"ms": 4.5, "lw": 1, "label": label} | EDGED
    ax.errorbar(cell[x], cell[y], yerr=np.nan_to_num(ends), **look)


def log_axes(ax, xlabel: str, ylabel: str):
    """Make both axes logarithmic, name them, and draw a legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    xlabel, ylabel : str

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    ax.legend()
    return ax


def png(figure) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    bytes
        At 200 dots per inch.
    """
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=200)
    return buffer.getvalue()


def save_figure(figure, path) -> None:
    """Write a figure as a PNG file, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path-like
    """
    write_atomically(path, png(figure))
