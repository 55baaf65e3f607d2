"""LIF memories whose lead is mapped out of the loop, with and without error feedback.

Order 6, theta 0.5 s, tau 0.1 s, dt 1 ms, radii of 1.5, white noise of rms 0.5 and 2 Hz,
and of 0.5 and 4 Hz for memories that were made for 2 Hz; 3 trials of 30 s.  The lead of
each dimension is measured outside the loop on another signal of 2 Hz, with the feedback
that the memory has, and mapped out by `experiments.spikes.sources.map_lead`.
"""

import dataclasses

import nengo
import numpy as np
from distortion import opened

from lmu_spiking import LegendreMemory, white_noise
from lmu_spiking.experiments.records import average, in_parallel
from lmu_spiking.experiments.runs import lowpass, run_probed
from lmu_spiking.experiments.spikes.sources import map_lead
from lmu_spiking.memory.design import assemble

SEED, TRIALS, DURATION = 7600, 3, 30.0
ORDER, THETA, TAU, DT, RADIUS = 6, 0.5, 0.1, 0.001, 1.5
SIZES, BANDS = (600, 6000), (2.0, 0.5, 4.0)


def lead_of(made, u: np.ndarray) -> np.ndarray:
    """Return the lead (d,) of what a memory decodes of the states of a signal."""
    states = made.ldn.simulate(u, DT)
    model, source, probe = opened(made)
    inputs = {source: states[None]}
    more = {"target": "compiled", "trials": 1, "noise_seed": SEED, "inputs": inputs}
    decoded = run_probed(model, DT, len(u), probe, **more)[0][0]
    # least squares behind the loop's synapse, of the error on the speed
    speed = np.gradient(states, DT, axis=0)
    error, speed = (lowpass(x, TAU, DT)[1000:] for x in (decoded - states, speed))
    return np.sum(error * speed, axis=0) / np.sum(speed**2, axis=0)


def memories(neurons: int, seconds: float) -> dict:
    """Return the memories of one size, and the lead that is mapped out of each."""
    u = white_noise(seconds, DT, 2.0, 0.5, SEED - 1).samples
    more = {"synapse": TAU, "dt": DT, "neuron_type": "lif", "radii": RADIUS}
    found = {}
    for asked in (None, "auto"):
        made = assemble(neurons, ORDER, THETA, **more, error_feedback=asked)
        lead = lead_of(made, u)
        A, B = map_lead(made.mapped, made.ldn, lead)
        mapped = dataclasses.replace(made.mapped, A=A, B=B)
        undone = dataclasses.replace(made, mapped=mapped)
        found[asked or "off", False] = made, lead
        found[asked or "off", True] = undone, lead
    return found


def trials(neurons: int, seeds, seconds: float) -> list[dict]:
    """Return the errors of the memories of one size."""
    rows = []
    for (asked, undone), (made, lead) in memories(neurons, seconds).items():
        feedback, window = made.mapped.feedback, made.ldn.steps(DT)
        c = made.ldn.readout((window - 1) * DT, DT).ravel()
        about = {"neurons": neurons, "feedback": asked, "lead_mapped": undone}
        about |= {"rate": feedback and feedback.rate, "tau": feedback and feedback.tau}
        about["lead_ms"] = float(1000 * lead.mean())
        for band in BANDS:
            for seed in seeds:
                u = white_noise(seconds, DT, band, 0.5, seed).samples
                with nengo.Network(seed=seed) as model:
                    process = nengo.processes.PresentInput(u[:, None], DT)
                    memory = LegendreMemory.from_design(made)
                    stimulus = nengo.Node(process)
                    nengo.Connection(stimulus, memory.input, synapse=None)
                    probe = nengo.Probe(memory.state, synapse=None)
                more = {"target": "compiled", "noise_seed": seed}
                state = run_probed(model, DT, len(u), probe, **more)[0]
                exact = made.ldn.simulate(u, DT)[window:-1]
                error = state[window + 1 :] - exact
                ratio = np.mean((error @ c) ** 2) / np.mean((exact @ c) ** 2)
                row = {"bandwidth": band, "noise_nrmse": float(np.sqrt(ratio))}
                row["state_rmse"] = float(np.sqrt(np.mean(error**2)))
                rows.append(about | row)
    return rows


def lead(options) -> dict:
    """Return errors with the lead in the loop and mapped out of it."""
    n, seconds = (2, 3.0) if options.fast else (TRIALS, DURATION)
    seeds = range(SEED, SEED + n)
    sizes = SIZES[:1] if options.fast else SIZES
    cells = [(neurons, seeds, seconds) for neurons in sizes]
    found = in_parallel(trials, cells, options.jobs)
    rows = [row for of_one in found for row in of_one]
    keys = ("neurons", "feedback", "rate", "tau", "lead_mapped", "bandwidth")
    table = average(rows, keys, ["lead_ms"], ["noise_nrmse", "state_rmse"])
    return {"seeds": [SEED, SEED + n - 1], "memories": table}
