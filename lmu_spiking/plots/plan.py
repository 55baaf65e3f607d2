"""Figure of planned memories: what was asked for, and what was measured.

(`benchmarks/plan.py` alone draws it; it stands here because matplotlib lives here.)
"""

import numpy as np

from lmu_spiking.plots.style import BLUE, EDGED, GREY, VERMILION, drawn, log_axes


def plan_figure(rows: list[dict], waste: float, of_all: list[dict] | None = None):
    """Draw measured errors against those asked for, with the bounds of a good plan.

    Parameters
    ----------
    rows : list of dict
        ``error``, ``nrmse``, ``neurons`` of Poisson neurons.
    waste : float
        Factor by which an error may be smaller than asked for.
    of_all : list of dict, optional
        The same of the cheapest of all neuron types.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    errors = [row["error"] for row in rows]
    with drawn(4.6, 4.0) as figure:
        ax = figure.subplots()
        asked = np.array([0.8, 1.25]) * np.array([min(errors), max(errors)])
        ax.fill_between(asked, asked / waste, asked, color=GREY, alpha=0.25, lw=0)
        ax.plot(asked, asked, color=GREY, label="asked for")
        ax.plot(asked, asked / waste, ":", color=GREY, label=f"{waste} times better")
        _points(ax, rows, "o", BLUE, "Poisson" if of_all else "measured")
        if of_all:
            _points(ax, of_all, "s", VERMILION, "of all, error feedback")
        log_axes(ax, "Error asked for (NRMSE)", "Error of the network (NRMSE)")
        ax.set_title(f"{len(rows)} random requests")
    return figure


def _points(ax, rows: list[dict], marker: str, color: str, label: str) -> None:
    """Draw the error of each memory, with the range of their numbers of neurons."""
    errors, measured, neurons = zip(
        *((row["error"], row["nrmse"], row["neurons"]) for row in rows), strict=True
    )
    label = f"{label}, {min(neurons):,} to {max(neurons):,} neurons"
    ax.plot(errors, measured, marker, color=color, ms=5, label=label, **EDGED)
