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
    "pdf.fonttype": 42,  # letters stay letters, which journals ask for
}
PLAIN = 1e-3, 1e5  # between which numbers on axes are written without powers of ten


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


def log_axes(ax, xlabel: str, ylabel: str, title: str | None = None):
    """Make both axes logarithmic, name them, and draw a legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    xlabel, ylabel : str
    title : str, optional
        Of the legend.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    ax.legend(title=title)
    return readable_ticks(ax)


def readable_ticks(ax):
    """Give logarithmic axes a few ticks that can be read, however short they are.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With all that is drawn on it, since the ticks are those of its limits.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    from matplotlib.ticker import NullFormatter

    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        if axis.get_scale() == "log" and 0 < low < high:
            ticks = log_ticks(low, high)
            labels = [number(tick, ticks) for tick in ticks]
            axis.set_ticks(ticks, labels=labels)
            axis.set_minor_formatter(NullFormatter())
    return ax


def log_ticks(low: float, high: float) -> np.ndarray:
    """Return about two to six round numbers within the limits of a logarithmic axis.

    Parameters
    ----------
    low, high : float

    Returns
    -------
    (n,) ndarray
    """
    decades = np.log10(high / low)
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    if decades >= 2.5:
        ticks = 10.0 ** powers[:: int(np.ceil(decades / 6))]
    elif decades >= 0.7:
        ticks = np.outer(10.0**powers, (1, 3) if decades > 1.6 else (1, 2, 5)).ravel()
    else:  # so short that it is nearly linear
        unit = 10.0 ** np.floor(np.log10(high - low))
        step = next(k * unit for k in (0.2, 0.5, 1, 2, 5) if 5 * k * unit > high - low)
        ticks = step * np.arange(np.ceil(low / step), high / step + 1)
    return ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]


def number(value: float, beside) -> str:
    """Return a number for an axis: plain, or a power of ten if any beside it needs one.

    Parameters
    ----------
    value : float
    beside : (n,) array_like
        All numbers of the axis.

    Returns
    -------
    str
    """
    if min(beside) >= PLAIN[0] and max(beside) < PLAIN[1]:
        return f"{value:.6g}"
    power = int(np.floor(np.log10(value) + 1e-9))
    times = f"{value / 10.0**power:.4g}"
    return f"$10^{{{power}}}$" if times == "1" else f"${times}\\times10^{{{power}}}$"


def png(figure) -> bytes:
    """Return a figure as the bytes of a PNG file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Its label, if any, is kept as the description.

    Returns
    -------
    bytes
        At 200 dots per inch.
    """
    return _drawn_as(figure, "png", {"Description": figure.get_label()}, dpi=200)


def pdf(figure) -> bytes:
    """Return a figure as the bytes of a PDF file: vectors, and letters as letters.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Its label, if any, is kept as the subject.

    Returns
    -------
    bytes
        The same for the same figure, whenever it is drawn.
    """
    about = {"Subject": figure.get_label(), "CreationDate": None}
    return _drawn_as(figure, "pdf", about)


def _drawn_as(figure, kind: str, about: dict, **options) -> bytes:
    """Return a figure as the bytes of a file with what is known about it."""
    buffer = io.BytesIO()
    known = {name: text for name, text in about.items() if text != ""}
    with styled():
        figure.savefig(buffer, format=kind, metadata=known, **options)
    return buffer.getvalue()


def save_figure(figure, path) -> None:
    """Write a figure as a PNG or PDF file, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path-like
        A PDF file if it ends in ``.pdf``.
    """
    draw = pdf if str(path).lower().endswith(".pdf") else png
    write_atomically(path, draw(figure))
