"""Spike noise of a memory beside plain Nengo's, untuned and tuned, in one run.

    python benchmarks/noise.py [--jobs 2]

Order 6, theta 0.5 s, dt 1 ms, white noise of 2 Hz and rms 0.5, 8 trials of 60 s; the
same mapping, signals and readout for all.  Plain Nengo is an EnsembleArray of Poisson
neurons with decoders by LstsqL2, built by Nengo and run, as ours are, in the compiled
simulator: `nengo.Simulator` draws other spikes of the same statistics.  *default* has
Nengo's own tuning, max_rates U(200, 400) and intercepts U(-1, 0.9); *intercepts 0* has
``intercepts=Choice([0]), max_rates=Choice([300])``, one line of tuning; *tuned* has,
beside that line, the synapse of the noise-optimal memory and the rate at which it fires
as many spikes.  All others but the noise-optimal ones have tau 0.1 s.
A few minutes on 2 cores (four on one).  Writes benchmarks/results/noise.json.
"""

import argparse
from pathlib import Path

import nengo
import numpy as np
from nengo.dists import Choice

from lmu_spiking import MemorySpec, map_onto, white_noise
from lmu_spiking.processes import in_processes
from lmu_spiking.simulator.targets import simulator
from lmu_spiking.studies.metrics import confidence
from lmu_spiking.studies.records import write_json
from lmu_spiking.studies.trial import measure, run_trial, versions
from lmu_spiking.theory.predict import predict_band

ROOT = Path(__file__).resolve().parent.parent
SEED, TRIALS, DURATION = 4200, 8, 60.0
OURS = {  # tuning, and neurons
    "lmu_spiking": (None, (600, 6000, 60_000)),
    "balanced": ("balanced", (6000,)),
    "optimal": ("optimal", (6000,)),
}


def memory(n_neurons: int, tuning: str | None) -> MemorySpec:
    """Return our memory: the plain one has tau 0.1 s, a noise-optimal one its own."""
    plain = MemorySpec(n_neurons=n_neurons)
    return plain.replace(tuning=tuning, tau=None) if tuning else plain


def ours(spec: MemorySpec, number: int) -> dict:
    signal = white_noise(DURATION, spec.dt, 2.0, 0.5, SEED + number)
    return run_trial(spec.replace(noise_seed=SEED + number), signal).row


def rivals(n_neurons: int) -> dict[str, tuple[MemorySpec, type, dict]]:
    """Return plain Nengo's memories, rate neurons and arguments of ensembles."""
    spec = MemorySpec(n_neurons=n_neurons)
    best = spec.replace(tuning="optimal", tau=None)
    slow = spec.replace(tau=best.tau)
    share = predict_band(best).spikes_per_s / predict_band(slow).spikes_per_s
    zero, relu = {"intercepts": Choice([0])}, nengo.RectifiedLinear
    return {
        "Nengo default, ReLU": (spec, relu, {}),
        "Nengo default, LIF": (spec, nengo.LIFRate, {}),
        "Nengo, intercepts 0": (spec, relu, zero | {"max_rates": Choice([300])}),
        "Nengo, tuned": (slow, relu, zero | {"max_rates": Choice([300 * share])}),
    }


def plain_nengo(spec: MemorySpec, base, tuning: dict, number: int) -> dict:
    """Run the same memory as one would write it in plain Nengo."""
    u = white_noise(DURATION, spec.dt, 2.0, 0.5, SEED + number).samples
    mapped = map_onto(spec.ldn, spec.tau, spec.dt)
    with nengo.Network(seed=SEED + number) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], spec.dt))
        state = nengo.networks.EnsembleArray(
            spec.n_neurons // spec.order,
            spec.order,
            neuron_type=nengo.PoissonSpiking(base()),
            **tuning,
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
    with simulator(model, spec.dt, "compiled", optimize=False) as sim:
        sim.run_steps(len(u), progress_bar=False)
        measured, per_s = sim.data[probe].copy(), float(sim.data[rate].mean())
    exact = np.zeros_like(measured)
    exact[1:] = spec.ldn.simulate(u, spec.dt)[:-1]
    window = round(spec.theta / spec.dt)
    row = measure(spec, u, measured, exact, window)
    return row | {"spikes_per_s": per_s, "tau": spec.tau}


def run(function, *arguments) -> dict:
    """Return the row of one trial, by `ours` or `plain_nengo`."""
    return function(*arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    jobs = [
        (name, m, ours, memory(m, tuning), k)
        for name, (tuning, sizes) in OURS.items()
        for m in sizes
        for k in range(TRIALS)
    ]
    jobs += [
        (name, 6000, plain_nengo, *rival, k)
        for name, rival in rivals(6000).items()
        for k in range(TRIALS)
    ]
    rows = list(in_processes(run, (job[2:] for job in jobs), options.jobs))

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
                "tau": mine[0]["tau"],
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
