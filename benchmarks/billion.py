"""A billion Poisson neurons, as an ordinary run.

    python benchmarks/billion.py

Order 6, theta .5 s, white noise of 2 Hz and rms .5, 10 s: m = 10^9 neurons as sums of
their spikes, in plain and in noise-optimal coordinates.  Each in a process of its own,
so that its time (imports and build included) and its largest memory are its own.
Writes benchmarks/results/billion.json.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEURONS, DURATION, SEED = 10**9, 10.0, 6200
KEYS = ("neurons", "noise_nrmse", "predicted_noise_nrmse", "state_rmse")
KEYS += ("predicted_state_rmse", "spikes", "mean_rate", "tuning")


def one(tuning: str) -> dict:
    """A run, measured from within."""
    start = time.perf_counter()
    from lmu_spiking import MemorySpec, white_noise
    from lmu_spiking.studies.trial import run_trial

    spec = MemorySpec(NEURONS, tuning=tuning, aggregated=True, noise_seed=SEED)
    signal = white_noise(DURATION, spec.dt, 2.0, 0.5, SEED)
    row = run_trial(spec, signal).row
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {key: row[key] for key in KEYS} | {"seconds": seconds, "GiB": peak}


def main() -> None:
    if len(sys.argv) == 2:
        print(json.dumps(one(sys.argv[1])))
        return
    rows = []
    for tuning in ("pairs", "optimal"):
        command = [sys.executable, __file__, tuning]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(
            "{neurons:,} neurons, {tuning:8} {seconds:.1f} s, {GiB:.2f} GiB, "
            "{spikes:.3g} spikes; noise_nrmse {noise_nrmse:.3g}, predicted "
            "{predicted_noise_nrmse:.3g}; state_rmse {state_rmse:.3g}, predicted "
            "{predicted_state_rmse:.3g}".format(**rows[-1]),
            flush=True,
        )
    from lmu_spiking.studies.records import write_json
    from lmu_spiking.studies.trial import versions

    write_json(
        ROOT / "benchmarks" / "results" / "billion.json",
        {
            "command": "python benchmarks/billion.py",
            "seed": SEED,
            "results": rows,
            "versions": versions(),
        },
    )


if __name__ == "__main__":
    main()
