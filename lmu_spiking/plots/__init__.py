"""Pictures: functions that take and return an Axes, and the figures made of them.

Figures are `matplotlib.figure.Figure` without pyplot: no window, no global state.
"""

from lmu_spiking.plots.learning import (
    cost_figure,
    digits_figure,
    invariance_figure,
    length_figure,
    theta_figure,
)
from lmu_spiking.plots.loihi_benchmark import loihi_figure
from lmu_spiking.plots.loihi_digits import loihi_digits_figure
from lmu_spiking.plots.loihi_ladder import (
    deployed,
    ladder_figure,
    plot_delayed,
    plot_ladder,
    plot_loss,
)
from lmu_spiking.plots.loihi_layout import layout, layout_figure
from lmu_spiking.plots.loihi_noise import (
    loihi_noise_figure,
    plot_noisy_memory,
    plot_noisy_tuning,
    plot_spike_statistics,
)
from lmu_spiking.plots.optimal import optimal_figure, plot_growth, plot_tunings
from lmu_spiking.plots.plan import plan_figure
from lmu_spiking.plots.reproduce import (
    capacity_figure,
    delay_network_figure,
    plot_capacity,
    plot_capacity_vs_length,
    plot_comparisons,
    plot_error_vs_order,
    plot_feedforward,
    poisson_figure,
)
from lmu_spiking.plots.run import (
    plot_error,
    plot_error_vs_delay,
    plot_readout,
    plot_window,
    run_figure,
)
from lmu_spiking.plots.speed import plot_speed, speed_figure
from lmu_spiking.plots.study import (
    CAPTIONS,
    plot_error_vs_neurons,
    plot_error_vs_spikes,
    plot_ratio,
    study_figures,
)
from lmu_spiking.plots.style import png, save_figure
from lmu_spiking.plots.trained import (
    mackey_glass_figure,
    plot_accuracy_vs_lag,
    plot_accuracy_vs_neurons,
    plot_learning,
    plot_model_errors,
    plot_prediction,
    plot_spiking_errors,
    psmnist_figure,
)
from lmu_spiking.plots.training import (
    conversion_figure,
    plot_against_neurons,
    plot_history,
    plot_latency,
    plot_metric,
    training_figure,
)

__all__ = [
    "CAPTIONS",
    "capacity_figure",
    "conversion_figure",
    "cost_figure",
    "delay_network_figure",
    "deployed",
    "digits_figure",
    "invariance_figure",
    "ladder_figure",
    "layout",
    "layout_figure",
    "length_figure",
    "loihi_digits_figure",
    "loihi_figure",
    "loihi_noise_figure",
    "mackey_glass_figure",
    "optimal_figure",
    "plan_figure",
    "plot_accuracy_vs_lag",
    "plot_accuracy_vs_neurons",
    "plot_against_neurons",
    "plot_capacity",
    "plot_capacity_vs_length",
    "plot_comparisons",
    "plot_delayed",
    "plot_error",
    "plot_error_vs_delay",
    "plot_error_vs_neurons",
    "plot_error_vs_order",
    "plot_error_vs_spikes",
    "plot_feedforward",
    "plot_growth",
    "plot_history",
    "plot_ladder",
    "plot_latency",
    "plot_learning",
    "plot_loss",
    "plot_metric",
    "plot_model_errors",
    "plot_noisy_memory",
    "plot_noisy_tuning",
    "plot_prediction",
    "plot_ratio",
    "plot_readout",
    "plot_speed",
    "plot_spike_statistics",
    "plot_spiking_errors",
    "plot_tunings",
    "plot_window",
    "png",
    "poisson_figure",
    "psmnist_figure",
    "run_figure",
    "save_figure",
    "speed_figure",
    "study_figures",
    "theta_figure",
    "training_figure",
]
