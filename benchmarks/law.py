"""The error model: measured against predicted over orders, neurons and neuron types.

Real neurons throughout (nothing aggregated): theta 0.5 s, tau 0.1 s, dt 1 ms, white
noise of 2 Hz and rms 0.5, pairs of 300 Hz at radius 1, 8 trials of 60 s at each point
(20 s for the comparison of neuron types).
"""

import pandas as pd

from lmu_spiking import MemorySpec, plots
from lmu_spiking.experiments.records import count_cases
from lmu_spiking.metrics import rms
from lmu_spiking.studies.report import exponents, summarise
from lmu_spiking.studies.sweep import Trial, grid, sweep

FIRST_SEED = 20261121
NEURONS = (50, 160, 500, 1600, 5000)  # for each dimension


def trials_of(fast: bool) -> tuple[list[Trial], list[Trial]]:
    """Return trials of Poisson pairs at several orders, and of other neurons at d = 4.

    Heterogeneous tuning curves get a radius at which they do not saturate.
    """
    orders, neurons = ((2, 4), NEURONS[:3]) if fast else ((2, 4, 8, 16), NEURONS)
    repeats, seconds, fewer = (2, 2.0, 1.0) if fast else (8, 60.0, 20.0)
    run = repeats, MemorySpec(), seconds, FIRST_SEED
    poisson = grid(orders, neurons, ["poisson"], *run)
    # staggered neurons have a benchmark of their own
    run = repeats, MemorySpec(initial_phases="random"), fewer, FIRST_SEED
    others = grid([4], neurons[:4], ["stochastic", "regular", "if"], *run)
    run = repeats, MemorySpec(radii=1.5), fewer, FIRST_SEED
    others += grid([4], neurons[:4], ["lif"], *run)
    return sorted(poisson, key=lambda trial: trial.spec.n_neurons), others


def law(options) -> dict:
    """Return errors at each point beside their predictions, and exponents."""
    poisson, others = trials_of(options.fast)
    trials = [*poisson, *others]
    on_done = count_cases(len(trials))
    frame = sweep(trials, options.parts, n_jobs=options.jobs, on_done=on_done)
    runs = frame[: len(poisson)]
    points = summarise(runs)
    points["ratio"] = points.state_rmse / points.predicted_state_rmse
    # where the noise is small, what is linear in it is all of its effect
    share = runs.groupby(["order", "neurons"]).predicted_window_noise_nrmse
    share = share.apply(rms).rename("noise_share").reset_index()
    points, quiet = points.merge(share), runs.merge(share)
    quiet = exponents(quiet[quiet.noise_share < 0.1])
    types = frame[frame.order == 4]
    tables = {
        "points": points,
        "exponents": exponents(runs),
        "exponents_noise_under_a_tenth": quiet[quiet.against == "neurons"],
        "neuron_types": summarise(types),
        "neuron_type_exponents": exponents(types),
    }
    rows = {name: table.to_dict("records") for name, table in tables.items()}
    return {"first_seed": FIRST_SEED} | rows


def draw_law(record: dict) -> dict:
    """Return the error against neurons, and against spikes for each neuron type."""
    points, types = (pd.DataFrame(record[n]) for n in ("points", "neuron_types"))
    neurons = plots.study_figures(points)["error-vs-neurons"]
    spikes = plots.study_figures(types)["error-vs-spikes"]
    return {"error_against_neurons": neurons, "error_against_spikes": spikes}
