"""Spike noise of a memory beside Nengo's default tuning, in one run.

    python benchmarks/noise.py [--jobs 2]

Order 6, theta .5 s, tau .1 s, dt 1 ms, white noise of 2 Hz and rms .5, 8 trials of
60 s; the same mapping, signals and readout for all.  Nengo's default: EnsembleArray
of Poisson neurons: max_rates U(200, 400), intercepts U(-1, .9), decoders by LstsqL2.
About half an hour on 2 cores.  Writes benchmarks/results/noise.json.
"""

import argparse
from pathlib import Path

import joblib
import nengo
import numpy as np

from lmu_spiking import MemorySpec, map_onto, white_noise
from lmu_spiking.simulator.targets import simulator
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import measure, run_trial, versions

ROOT = Path(__file__).resolve().parent.parent
SEED, TRIALS, DURATION = 4200, 8, 60.0
BASES = {
    "Nengo default, ReLU": nengo.RectifiedLinear,
    "Nengo default, LIF": nengo.LIFRate,
}


def ours(spec: MemorySpec, number: int) -> dict:
    signal = white_noise(DURATION, spec.dt, 2.0, 0.5, SEED + number)
    return run_trial(spec.replace(noise_seed=SEED + number), signal).row


def nengo_default(spec: MemorySpec, base, number: int) -> dict:
    """The same memory as one would write it in plain Nengo."""
    u = white_noise(DURATION, spec.dt, 2.0, 0.5, SEED + number).samples
    mapped = map_onto(spec.ldn, spec.tau, spec.dt)
    with nengo.Network(seed=SEED + number) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], spec.dt))
        state = nengo.networks.EnsembleArray(
            spec.n_neurons // spec.order,
            spec.order,
            neuron_type=nengo.PoissonSpiking(base()),
        )
        nengo.Connection(stimulus, state.input, transform=mapped.B, synapse=spec.tau)
        nengo.Connection(
            state.output, state.input, transform=mapped.A, synapse=spec.tau
        )
        probe = nengo.Probe(state.input, synapse=None)
        spikes = nengo.Node(size_in=1)
        for ensemble in state.ensembles:
            n = ensemble.n_neurons
            nengo.Connection(
                ensemble.neurons, spikes, transform=np.ones((1, n)), synapse=None
            )
        rate = nengo.Probe(spikes, synapse=None)
    with simulator(model, spec.dt, optimize=False) as sim:
        sim.run_steps(len(u), progress_bar=False)
        measured, per_s = sim.data[probe].copy(), float(sim.data[rate].mean())
    exact = np.zeros_like(measured)
    exact[1:] = spec.ldn.simulate(u, spec.dt)[:-1]
    window = round(spec.theta / spec.dt)
    return measure(spec, u, measured, exact, window) | {"spikes_per_s": per_s}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    jobs = [
        ("lmu_spiking", m, joblib.delayed(ours)(MemorySpec(n_neurons=m), k))
        for m in (600, 6000, 60_000)
        for k in range(TRIALS)
    ]
    jobs += [
        (name, m, joblib.delayed(nengo_default)(MemorySpec(n_neurons=m), base, k))
        for name, base in BASES.items()
        for m in (600, 6000)
        for k in range(TRIALS)
    ]
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        rows = joblib.Parallel(n_jobs=options.jobs)(job for _, _, job in jobs)

    results: list[dict] = []
    for name, m in dict.fromkeys(job[:2] for job in jobs):
        mine = [
            row for row, job in zip(rows, jobs, strict=True) if job[:2] == (name, m)
        ]
        mean, half = confidence([row["noise_nrmse"] for row in mine])
        results.append(
            {
                "tuning": name,
                "neurons": m,
                "noise_nrmse": mean,
                "ci95": half,
                "spikes_per_s": float(np.mean([row["spikes_per_s"] for row in mine])),
                "trials": len(mine),
            }
        )
        print(
            "{tuning:22} m={neurons:6} noise_nrmse {noise_nrmse:.4f} +- {ci95:.4f} "
            "spikes/s {spikes_per_s:.3g}".format(**results[-1])
        )
    write_json(
        ROOT / "benchmarks" / "results" / "noise.json",
        {
            "command": "python benchmarks/noise.py",
            "seeds": [SEED, SEED + TRIALS - 1],
            "results": results,
            "versions": versions(),
        },
    )


if __name__ == "__main__":
    main()
