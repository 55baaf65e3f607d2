"""Twenty requests to `plan`, drawn at random, and whether the networks meet them.

    python benchmarks/plan.py [--jobs 2] [--requests 20]

Error 0.01 to 0.2, theta 0.05 to 5 s, bandwidth times theta 0.3 to 3, each uniform in
its logarithm, drawn with seed 20261122.  Each network runs on white noise of 20 s, 200
windows or 60 cycles of the bandwidth, whichever is longest; those of more than 3,000
neurons as sums of their spikes (exact in distribution).  A few minutes on 2 cores
(three on one).  Writes benchmarks/results/plan.json and docs/figures/plan.png.
"""

import argparse
from pathlib import Path

import numpy as np

from lmu_spiking import plan, plots, white_noise
from lmu_spiking.processes import in_processes
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import run_trial, versions

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261122
WASTE = 1.3  # times better than asked for


def requests(n: int) -> list[dict]:
    rng = np.random.default_rng(SEED)
    drawn = []
    for k in range(n):
        error, theta, cycles = np.exp(
            rng.uniform(np.log([0.01, 0.05, 0.3]), np.log([0.2, 5.0, 3.0]))
        )
        drawn.append(
            {
                "number": k,
                "error": float(error),
                "theta": float(theta),
                "bandwidth": float(cycles / theta),
            }
        )
    return drawn


def answer(request: dict) -> dict:
    found = plan(request["error"], request["theta"], request["bandwidth"])
    spec = found.spec.replace(
        noise_seed=SEED + request["number"], aggregated=found.spec.n_neurons > 3000
    )
    white = spec.signal
    seconds = max(20.0, 200 * spec.theta, 60 / white.bandwidth)
    signal = white_noise(seconds, spec.dt, white.bandwidth, white.rms, spec.noise_seed)
    row = run_trial(spec, signal).row
    kept = {"nrmse": row["nrmse"], "met": row["nrmse"] <= request["error"]}
    kept["waste"] = request["error"] / row["nrmse"]
    keys = ("spikes_per_s", "mean_rate", "duration")
    return request | found.to_dict() | kept | {key: row[key] for key in keys}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--requests", type=int, default=20)
    options = parser.parse_args()
    rows = []
    asked = ((request,) for request in requests(options.requests))
    for row in in_processes(answer, asked, options.jobs):
        rows.append(row)
        print(
            "{number:2} error {error:.4f} theta {theta:.3f} bandwidth "
            "{bandwidth:6.2f}: order {order:2} neurons {neurons:9,} tau {tau:.3g} "
            "predicted {predicted_nrmse:.4f} measured {nrmse:.4f} "
            "(asked / measured {waste:.2f})".format(**row),
            flush=True,
        )
    met = sum(row["met"] for row in rows)
    lean = sum(row["waste"] <= WASTE for row in rows)
    print(f"{met} of {len(rows)} meet the error, {lean} by no more than {WASTE} times")
    plots.save_figure(plots.plan_figure(rows, WASTE), ROOT / "docs/figures/plan.png")
    write_json(
        ROOT / "benchmarks" / "results" / "plan.json",
        {
            "command": "python benchmarks/plan.py",
            "seed": SEED,
            "met": met,
            "lean": lean,
            "requests": rows,
            "versions": versions(),
        },
    )


if __name__ == "__main__":
    main()
