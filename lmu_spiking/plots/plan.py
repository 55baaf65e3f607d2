"""Figure of planned memories: what was asked for, and what was measured.

(`benchmarks/plan.py` alone draws it; it stands here because matplotlib lives here.)
"""

import numpy as np

from lmu_spiking.plots.style import BLUE, EDGED, GREY, drawn, log_axes


def plan_figure(rows: list[dict], waste: float):
    """Draw measured errors against those asked for, with the bounds of a good plan.

    Parameters
    ----------
    rows : list of dict
        ``error``, ``nrmse``, ``neurons``.
    waste : float
        Factor by which an error may be smaller than asked for.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    errors, measured, neurons = zip(
        *((row["error"], row["nrmse"], row["neurons"]) for row in rows), strict=True
    )
    with drawn(4.6, 4.0) as figure:
        ax = figure.subplots()
        asked = np.array([0.8, 1.25]) * np.array([min(errors), max(errors)])
        ax.fill_between(asked, asked / waste, asked, color=GREY, alpha=0.25, lw=0)
        ax.plot(asked, asked, color=GREY, label="asked for")
        ax.plot(asked, asked / waste, ":", color=GREY, label=f"{waste} times better")
        ax.plot(errors, measured, "o", color=BLUE, ms=5, label="measured", **EDGED)
        log_axes(ax, "Error asked for (NRMSE)", "Error of the network (NRMSE)")
        fewest, most = min(neurons), max(neurons)
        ax.set_title(f"{len(rows)} random requests, {fewest:,} to {most:,} neurons")
    return figure
