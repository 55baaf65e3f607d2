"""Figures of the experiments: papers reproduced, rivals raced, benchmarks drawn."""

from lmu_spiking.experiments.figures.learning import (
    cost_figure,
    digits_figure,
    invariance_figure,
    length_figure,
    theta_figure,
)
from lmu_spiking.experiments.figures.loihi_benchmark import loihi_figure
from lmu_spiking.experiments.figures.loihi_digits import loihi_digits_figure
from lmu_spiking.experiments.figures.loihi_noise import (
    loihi_noise_figure,
    plot_noisy_memory,
    plot_noisy_tuning,
    plot_spike_statistics,
)
from lmu_spiking.experiments.figures.optimal import (
    optimal_figure,
    plot_growth,
    plot_tunings,
)
from lmu_spiking.experiments.figures.published import (
    capacity_figure,
    delay_network_figure,
    mackey_glass_figure,
    plot_accuracy_vs_lag,
    plot_accuracy_vs_neurons,
    plot_capacity,
    plot_capacity_vs_length,
    plot_comparisons,
    plot_error_vs_order,
    plot_feedforward,
    plot_learning,
    plot_model_errors,
    plot_prediction,
    plot_spiking_errors,
    poisson_figure,
    psmnist_figure,
)
from lmu_spiking.experiments.figures.speed import plot_speed, speed_figure

__all__ = [
    "capacity_figure",
    "cost_figure",
    "delay_network_figure",
    "digits_figure",
    "invariance_figure",
    "length_figure",
    "loihi_digits_figure",
    "loihi_figure",
    "loihi_noise_figure",
    "mackey_glass_figure",
    "optimal_figure",
    "plot_accuracy_vs_lag",
    "plot_accuracy_vs_neurons",
    "plot_capacity",
    "plot_capacity_vs_length",
    "plot_comparisons",
    "plot_error_vs_order",
    "plot_feedforward",
    "plot_growth",
    "plot_learning",
    "plot_model_errors",
    "plot_noisy_memory",
    "plot_noisy_tuning",
    "plot_prediction",
    "plot_speed",
    "plot_spike_statistics",
    "plot_spiking_errors",
    "plot_tunings",
    "poisson_figure",
    "psmnist_figure",
    "speed_figure",
    "theta_figure",
]
