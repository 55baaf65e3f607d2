"""Figures of the experiments: papers reproduced, rivals raced, benchmarks drawn.

Each file has functions that draw on an Axes and return it, and figures of several.
"""

from collections.abc import Callable, Iterable, Sequence

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


def in_rows(panels: Sequence[Callable], columns: int, size, key=None, **place):
    """Return a figure of panels in rows that share a legend of all their labels.

    Parameters
    ----------
    panels : sequence of callable
        Each draws on the Axes that it is given.
    columns : int
        At most.
    size : callable
        Takes the numbers of columns and of rows, and returns the inches of both sides.
    key : callable, optional
        Sorts the labels; they come as they were drawn by default.
    **place
        Of `matplotlib.figure.Figure.legend`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with styled():
        figure = new_figure(*size(columns, rows))
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
        legend: dict = {}
        for panel, ax in zip(panels, axes.flat, strict=False):
            panel(ax)
            for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
                legend.setdefault(name, handle)
            if ax not in axes[:, 0]:
                ax.set_ylabel("")
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        labels = sorted(legend, key=key) if key else list(legend)
        figure.legend([legend[name] for name in labels], labels, **place)
    return figure


def column(rows: Iterable[dict], name: str, scale: float = 1) -> list:
    """Return the values of a column, times a scale."""
    return [scale * row[name] for row in rows]


def mark(k: int, **more) -> dict:
    """Return the colour and marker of the ``k``-th series, for errorbar."""
    look = {"fmt": MARKERS[k % len(MARKERS)], "color": COLORS[k % len(COLORS)]}
    return look | POINT | {"lw": 1} | more
