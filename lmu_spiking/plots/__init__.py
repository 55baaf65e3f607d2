"""Figures, and functions that take and return an Axes, of which they are made.

Figures are `matplotlib.figure.Figure` without pyplot: no window, no global state.
"""
# ruff: noqa: F401 (these are the names that users import from here)

from lmu_spiking.plots.loihi_ladder import (
    deployed,
    ladder_figure,
    plot_delayed,
    plot_ladder,
    plot_loss,
)
from lmu_spiking.plots.loihi_layout import layout, layout_figure
from lmu_spiking.plots.plan import plan_figure
from lmu_spiking.plots.run import (
    plot_error,
    plot_error_vs_delay,
    plot_readout,
    plot_window,
    run_caption,
    run_figure,
)
from lmu_spiking.plots.study import (
    CAPTIONS,
    plot_error_vs_neurons,
    plot_error_vs_spikes,
    plot_ratio,
    study_figures,
)
from lmu_spiking.plots.style import pdf, png, save_figure
from lmu_spiking.plots.training import (
    confusion_figure,
    conversion_figure,
    plot_against_neurons,
    plot_confusion,
    plot_history,
    plot_latency,
    plot_metric,
    training_figure,
)
