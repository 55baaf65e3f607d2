"""Pictures: functions that take and return an Axes, and the figures made of them.

Figures are `matplotlib.figure.Figure` without pyplot: no window, no global state.
"""

from lmu_spiking.plots.run import (
    plot_error,
    plot_error_vs_delay,
    plot_readout,
    plot_window,
    run_figure,
)
from lmu_spiking.plots.study import (
    CAPTIONS,
    plot_error_vs_neurons,
    plot_error_vs_spikes,
    plot_ratio,
    study_figures,
)
from lmu_spiking.plots.style import png, save_figure

__all__ = [
    "CAPTIONS",
    "plot_error",
    "plot_error_vs_delay",
    "plot_error_vs_neurons",
    "plot_error_vs_spikes",
    "plot_ratio",
    "plot_readout",
    "plot_window",
    "png",
    "run_figure",
    "save_figure",
    "study_figures",
]
