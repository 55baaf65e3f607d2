"""Figure of planned memories: what was asked for, and what was measured."""

import numpy as np

from lmu_spiking.plots.style import BLUE, GREY, log_axes, new_figure, styled


def plan_figure(rows: list[dict], waste: float):
    """Measured error against the error asked for, with the bounds of a good plan.

    Parameters
    ----------
    rows : list of dict
        ``error``, ``nrmse``, ``neurons``.
    waste : float
        Times that an error may be smaller than asked for.
    """
    with styled():
        figure = new_figure(4.6, 4.0)
        ax = figure.subplots()
        asked = np.array([0.8, 1.25]) * np.array(
            [min(r["error"] for r in rows), max(r["error"] for r in rows)]
        )
        ax.fill_between(asked, asked / waste, asked, color=GREY, alpha=0.25, lw=0)
        ax.plot(asked, asked, color=GREY, label="asked for")
        ax.plot(asked, asked / waste, ":", color=GREY, label=f"{waste} times better")
        ax.plot(
            [r["error"] for r in rows],
            [r["nrmse"] for r in rows],
            "o",
            color=BLUE,
            ms=5,
            mec="white",
            mew=0.5,
            label="measured",
        )
        log_axes(ax, "Error asked for (NRMSE)", "Error of the network (NRMSE)")
        fewest, most = (f(r["neurons"] for r in rows) for f in (min, max))
        ax.set_title(f"{len(rows)} random requests, {fewest:,} to {most:,} neurons")
    return figure
