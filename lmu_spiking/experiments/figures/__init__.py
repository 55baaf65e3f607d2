"""Figures of the experiments: papers reproduced, rivals raced, benchmarks drawn.

Each file has functions that draw on an Axes and return it, and figures of several.
"""

from collections.abc import Callable, Iterable

from lmu_spiking.plots.style import COLORS, MARKERS, new_figure, styled

# markers with a thin white edge, so that neighbours can be told apart
POINT = {"ms": 4.5, "mec": "white", "mew": 0.5}
SMALL = {"fontsize": 7.5}
# a legend in rows below an Axes
BELOW = {"loc": "lower center", "bbox_to_anchor": (0.5, -0.36), **SMALL}


def side_by_side(width: float, height: float, *panels: Callable, **options):
    """Return a figure of panels beside each other.

    Parameters
    ----------
    width, height : float
        Inches.
    *panels : callable
        Each draws on the Axes that it is given.
    **options
        Of `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(width, height)
        axes = figure.subplots(1, len(panels), squeeze=False, **options)
        for panel, ax in zip(panels, axes.flat, strict=True):
            panel(ax)
    return figure


def column(rows: Iterable[dict], name: str, scale: float = 1) -> list:
    """Return the values of a column, times a scale."""
    return [scale * row[name] for row in rows]


def mark(k: int, **more) -> dict:
    """Return the colour and marker of the ``k``-th series, for errorbar."""
    look = {"fmt": MARKERS[k % len(MARKERS)], "color": COLORS[k % len(COLORS)]}
    return look | POINT | {"lw": 1} | more
