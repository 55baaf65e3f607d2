"""Twenty requests to `plan`, drawn at random, and whether the networks meet them.

Error 0.01 to 0.2, theta 0.05 to 5 s, bandwidth times theta 0.3 to 3, each uniform in
its logarithm, drawn with seed 20261122.  They are answered twice: by Poisson neurons
without error feedback (``requests``), and by the neuron type that takes the fewest
neurons, of all, with error feedback allowed (``of_all``).  With ``--in_turn`` each
neuron type answers some of them, too, with error feedback allowed: that takes hours.

Each network runs on white noise of 20 s, 200 windows or 60 cycles of the bandwidth,
whichever is longest; those of more than 3,000 Poisson neurons as sums of their spikes
(exact in distribution).  Spikes and signal have seeds that `plan` does not know.
``--draw SEED`` draws other requests, spikes and signals.
"""

import time

import numpy as np

from lmu_spiking import plan as plan_memory
from lmu_spiking import plots, white_noise
from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.records import in_parallel, kept
from lmu_spiking.neurons.population import NOISY
from lmu_spiking.studies.trial import run_trial
from lmu_spiking.theory.plan import PLANNED

SEED = 20261122
WASTE = 1.3  # the most that a target may be of the measured error
SUMMED = 3000  # Poisson neurons, above which they run as sums of their spikes
OFFSETS = {"requests": 0, "of_all": 2000, "in_turn": 1000}  # of the seeds that are run


def draw_requests(n: int, seed: int = SEED) -> list[dict]:
    """Return ``n`` requests: a target error, a window and a bandwidth."""
    rng = np.random.default_rng(seed)
    low, high = np.log([0.01, 0.05, 0.3]), np.log([0.2, 5.0, 3.0])
    drawn = []
    for k in range(n):
        error, theta, cycles = np.exp(rng.uniform(low, high)).tolist()
        drawn.append({"number": k, "error": error, "theta": theta})
        drawn[-1]["bandwidth"] = cycles / theta
    return drawn


def allowed(kind: str, number: int) -> dict:
    """Return what `plan` may use to answer a request."""
    if kind == "requests":
        return {}
    if kind == "of_all":
        return {"neuron_types": PLANNED, "error_feedback": "auto"}
    name = PLANNED[number % len(PLANNED)]
    return {"neuron_type": name, "error_feedback": "auto"}


def answer(kind: str, request: dict, seed: int, fast: bool) -> dict:
    """Return a request, the planned memory, and what it measured.

    A request that `plan` refuses is not met; its row has the refusal.
    """
    asked = allowed(kind, request["number"])
    start = time.perf_counter()
    try:
        made = plan_memory(
            *(request[k] for k in ("error", "theta", "bandwidth")), **asked
        )
    except ValidationError as refusal:
        took = time.perf_counter() - start
        told = {"neuron_type": asked.get("neuron_type", ""), "refusal": str(refusal)}
        return request | told | {"seconds_plan": took, "met": False, "waste": None}
    took = time.perf_counter() - start
    # spikes and a signal that nothing was tuned on
    seed += OFFSETS[kind] + request["number"]
    many = made.spec.n_neurons > SUMMED and made.spec.neuron_type in NOISY
    spec = made.spec.replace(noise_seed=seed, aggregated=many)
    white = spec.signal
    seconds = max(20.0, 200 * spec.theta, 60 / white.bandwidth)
    seconds = 4 * spec.theta if fast else seconds
    signal = white_noise(seconds, spec.dt, white.bandwidth, white.rms, seed)
    row = run_trial(spec, signal).row
    measured = {key: row[key] for key in ("spikes_per_s", "mean_rate", "duration")}
    measured |= {"nrmse": row["nrmse"], "met": row["nrmse"] <= request["error"]}
    # what is predicted for this very signal, and where 95 of 100 runs on it lie
    ends = ("predicted_nrmse", "predicted_nrmse_low", "predicted_nrmse_high")
    measured |= {f"signal_{key}": row[key] for key in ends}
    measured |= {"waste": request["error"] / row["nrmse"], "seconds_plan": took}
    return request | made.to_dict() | measured | {"refusal": None}


def plan(options):
    """Yield the rows of all requests, and how many were met without waste."""
    requests = draw_requests(3 if options.fast else options.requests, options.draw)
    record: dict = {"seed": options.draw}
    for kind in list(OFFSETS)[: None if options.in_turn else 2]:
        cells = [
            (options.parts, kind, request, options.draw, options.fast)
            for request in requests
        ]
        rows = in_parallel(answer_once, cells, options.jobs)
        met = sum(row["met"] for row in rows)
        lean = sum(bool(row["waste"]) and row["waste"] <= WASTE for row in rows)
        counts = {"met": met, "lean": lean}
        if kind != "requests":
            counts = {f"{name}_{kind}": n for name, n in counts.items()}
        record |= counts | {kind: rows}
        yield record


def answer_once(folder, kind: str, request: dict, seed: int, fast: bool) -> dict:
    """Return `answer`, of an earlier run if there was one."""
    about = {"request": request, "seed": seed, "fast": fast, "kind": kind}
    name = f"{kind}-{seed}-{request['number']}"
    return kept(folder, name, about, lambda: answer(kind, request, seed, fast))


def draw_plan(record: dict):
    """Return the measured error against the target."""
    of_all = [row for row in record.get("of_all", []) if not row["refusal"]]
    return plots.plan_figure(record["requests"], WASTE, of_all)
