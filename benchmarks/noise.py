"""Spike noise of a memory beside plain Nengo's, untuned and tuned, in one run.

Order 6, theta 0.5 s, dt 1 ms, white noise of 2 Hz and rms 0.5, 8 trials of 60 s; the
same mapping, signals and readout for all.  Plain Nengo is an EnsembleArray of Poisson
neurons with decoders by LstsqL2, built by Nengo and run, as ours are, in the compiled
simulator: `nengo.Simulator` draws other spikes of the same statistics.  *default* has
Nengo's own tuning, max_rates U(200, 400) and intercepts U(-1, 0.9); *intercepts 0* has
``intercepts=Choice([0]), max_rates=Choice([300])``, one line of tuning; *tuned* has,
beside that line, the synapse of the noise-optimal memory and the rate at which it fires
as many spikes.  All others but the noise-optimal ones have tau 0.1 s.
"""

import nengo
import numpy as np
from nengo.dists import Choice

from lmu_spiking import MemorySpec, map_onto, white_noise
from lmu_spiking.experiments.records import average, in_parallel
from lmu_spiking.experiments.runs import run_probed
from lmu_spiking.studies.trial import measure, run_trial
from lmu_spiking.theory.predict import predict_band

SEED, TRIALS, DURATION = 4200, 8, 60.0


def ours(fast: bool) -> list[tuple]:
    """Return our memories: the plain one has tau 0.1 s, a noise-optimal one its own."""
    plain = MemorySpec(n_neurons=600 if fast else 6000)
    sizes = (600,) if fast else (600, 6000, 60_000)
    memories = [("lmu_spiking", plain.replace(n_neurons=m)) for m in sizes]
    for tuning in ("balanced", "optimal"):
        memories.append((tuning, plain.replace(tuning=tuning, tau=None)))
    return [(name, spec, None, {}) for name, spec in memories]


def rivals(n_neurons: int) -> list[tuple]:
    """Return plain Nengo's memories, rate neurons and arguments of ensembles."""
    spec = MemorySpec(n_neurons=n_neurons)
    best = spec.replace(tuning="optimal", tau=None)
    slow = spec.replace(tau=best.tau)
    share = predict_band(best).spikes_per_s / predict_band(slow).spikes_per_s
    zero, relu = {"intercepts": Choice([0])}, nengo.RectifiedLinear
    return [
        ("Nengo default, ReLU", spec, relu, {}),
        ("Nengo default, LIF", spec, nengo.LIFRate, {}),
        ("Nengo, intercepts 0", spec, relu, zero | {"max_rates": Choice([300])}),
        ("Nengo, tuned", slow, relu, zero | {"max_rates": Choice([300 * share])}),
    ]


def trial(name: str, spec: MemorySpec, base, tuning: dict, seed, duration) -> dict:
    """Return the row of one run: of ours, or of plain Nengo with neurons ``base``."""
    signal = white_noise(duration, spec.dt, 2.0, 0.5, seed)
    if base is None:
        row = run_trial(spec.replace(noise_seed=seed), signal).row
    else:
        row = plain_nengo(spec, base, tuning, signal.samples, seed)
    return row | {"tuning": name, "neurons": spec.n_neurons, "tau": spec.tau}


def plain_nengo(spec: MemorySpec, base, tuning: dict, u: np.ndarray, seed: int) -> dict:
    """Run the same memory as one would write it in plain Nengo."""
    mapped = map_onto(spec.ldn, spec.tau, spec.dt)
    d, connect = spec.order, nengo.Connection
    neurons = nengo.PoissonSpiking(base())
    with nengo.Network(seed=seed) as model:
        stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], spec.dt))
        state = nengo.networks.EnsembleArray(
            spec.n_neurons // d, d, neuron_type=neurons, **tuning
        )
        connect(stimulus, state.input, transform=mapped.B, synapse=spec.tau)
        connect(state.output, state.input, transform=mapped.A, synapse=spec.tau)
        probe = nengo.Probe(state.input, synapse=None)
        spikes = nengo.Node(size_in=1)
        for ensemble in state.ensembles:
            ones = np.ones((1, ensemble.n_neurons))
            connect(ensemble.neurons, spikes, transform=ones, synapse=None)
        rate = nengo.Probe(spikes, synapse=None)
    run = {"target": "compiled", "optimize": False}
    measured, spikes = run_probed(model, spec.dt, len(u), probe, rate, **run)
    # a probe has the state before the input of its step
    exact = np.pad(spec.ldn.simulate(u, spec.dt)[:-1], ((1, 0), (0, 0)))
    row = measure(spec, u, measured, exact, spec.ldn.steps(spec.dt))
    return row | {"spikes_per_s": float(spikes.mean())}


def noise(options) -> dict:
    """Return the noise of each memory with its interval over trials."""
    trials, duration = (2, 2.0) if options.fast else (TRIALS, DURATION)
    memories = ours(options.fast) + rivals(600 if options.fast else 6000)
    seeds = range(SEED, SEED + trials)
    cells = [(*memory, seed, duration) for memory in memories for seed in seeds]
    rows = in_parallel(trial, cells, options.jobs)
    keys = ("tuning", "neurons", "tau")
    table = average(rows, keys, ["spikes_per_s"], ["noise_nrmse"])
    for row in table:
        row |= {"ci95": row.pop("noise_nrmse_ci95"), "trials": trials}
    return {"seeds": [SEED, SEED + trials - 1], "results": table}
