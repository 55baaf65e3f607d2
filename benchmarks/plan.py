"""Twenty requests to `plan`, drawn at random, and whether the networks meet them.

Error 0.01 to 0.2, theta 0.05 to 5 s, bandwidth times theta 0.3 to 3, each uniform in
its logarithm, drawn with seed 20261122.  Each network runs on white noise of 20 s, 200
windows or 60 cycles of the bandwidth, whichever is longest; those of more than 3,000
neurons as sums of their spikes (exact in distribution).
"""

import numpy as np

from lmu_spiking import plan as plan_memory
from lmu_spiking import plots, white_noise
from lmu_spiking.experiments.records import in_parallel
from lmu_spiking.studies.trial import run_trial

SEED = 20261122
WASTE = 1.3  # the most that a target may be of the measured error


def draw_requests(n: int) -> list[dict]:
    """Return ``n`` requests: a target error, a window and a bandwidth."""
    rng = np.random.default_rng(SEED)
    low, high = np.log([0.01, 0.05, 0.3]), np.log([0.2, 5.0, 3.0])
    drawn = []
    for k in range(n):
        error, theta, cycles = np.exp(rng.uniform(low, high)).tolist()
        drawn.append({"number": k, "error": error, "theta": theta})
        drawn[-1]["bandwidth"] = cycles / theta
    return drawn


def answer(request: dict, fast: bool) -> dict:
    """Return a request, the planned memory, and what it measured."""
    made = plan_memory(request["error"], request["theta"], request["bandwidth"])
    seed, many = SEED + request["number"], made.spec.n_neurons > 3000
    spec = made.spec.replace(noise_seed=seed, aggregated=many)
    white = spec.signal
    seconds = max(20.0, 200 * spec.theta, 60 / white.bandwidth)
    seconds = 4 * spec.theta if fast else seconds
    signal = white_noise(seconds, spec.dt, white.bandwidth, white.rms, seed)
    row = run_trial(spec, signal).row
    measured = {key: row[key] for key in ("spikes_per_s", "mean_rate", "duration")}
    measured |= {"nrmse": row["nrmse"], "met": row["nrmse"] <= request["error"]}
    waste = request["error"] / row["nrmse"]
    return request | made.to_dict() | measured | {"waste": waste}


def plan(options) -> dict:
    """Return the rows of all requests, and how many were met without waste."""
    requests = draw_requests(3 if options.fast else options.requests)
    cells = [(request, options.fast) for request in requests]
    rows = in_parallel(answer, cells, options.jobs)
    met = sum(row["met"] for row in rows)
    lean = sum(row["waste"] <= WASTE for row in rows)
    return {"seed": SEED, "met": met, "lean": lean, "requests": rows}


def draw_plan(record: dict):
    """Return the measured error against the target."""
    return plots.plan_figure(record["requests"], WASTE)
