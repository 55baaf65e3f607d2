"""Static distortion of tuning curves, with and without error feedback.

The groups of a memory of order 6, theta 0.5 s, tau 0.1 s and dt 1 ms, radii of 1.5, are
taken out of its loop and driven with constant states: 9 within 0.8 of the radius, 2 at
the radius and 4 beyond it, up to 1.2 times as far.  The distortion is the mean over
time of ``decoded - x`` after a quarter of the time, with the feedback off, with the one
that ``"auto"`` chooses, and with 900 per second and 20 ms.

*curves*: of neurons that do not spike and are always on the tuning curves.  *spikes*:
of the neurons themselves.  Two runs differ by their initial voltages; products of the
two have no noise of spikes in the mean.  *distortion* is the root mean square over
dimensions and states, *times_less* that without feedback over it, *noise* what the two
runs differ by, and *expected* is ``1 + beta tau_f``.
"""

import dataclasses

import nengo
import numpy as np

from lmu_spiking import LegendreMemory
from lmu_spiking.experiments.records import in_parallel
from lmu_spiking.experiments.runs import run_probed
from lmu_spiking.experiments.spikes.sources import CurveRate
from lmu_spiking.memory.design import assemble

SEED, ORDER, THETA, TAU, DT, RADIUS = 7500, 6, 0.5, 0.1, 0.001, 1.5
STATES = {
    "within": np.linspace(-0.8, 0.8, 9),
    "radius": np.array([-1.0, 1.0]),
    "beyond": np.array([-1.2, -1.1, 1.1, 1.2]),
}
GIVEN = (900.0, 0.02)  # the highest rate of Poisson pairs at a step of 1 ms
MOST_CURVES = 6000  # neurons on curves, which Nengo steps
ON_CURVES = 1.0  # seconds at each state, of neurons that do not spike
# neurons, and seconds at each state
MEMORIES = (("lif", 600, 16.0), ("lif", 6000, 16.0), ("lif", 60_000, 4.0))
MEMORIES += (("adaptive", 6000, 16.0),)


def opened(made) -> tuple[nengo.Network, nengo.Node, nengo.Probe]:
    """Return a memory out of its loop, the node of its states, and what it decodes."""
    with nengo.Network(seed=0) as model:
        memory = LegendreMemory.from_design(made)
        # nothing arrives at the state but what the node gives
        kept = [c for c in memory.connections if c.post_obj is not memory.state]
        memory.connections[:] = kept
        states = nengo.Node(nengo.processes.PresentInput(np.zeros((1, ORDER)), DT))
        nengo.Connection(states, memory.state, synapse=None)
        probe = nengo.Probe(memory.output, synapse=None)
    return model, states, probe


def mean_errors(made, at: np.ndarray, seconds: float, seed: int) -> np.ndarray:
    """Return the mean error (n, d) of what is decoded at each of ``n`` states."""
    model, states, probe = opened(made)
    steps = int(seconds / DT)
    x = np.broadcast_to(at[:, None, None], (len(at), steps, ORDER))
    more = {"target": "compiled", "trials": len(at), "noise_seed": seed}
    decoded = run_probed(model, DT, steps, probe, inputs={states: x}, **more)[0]
    return decoded[:, steps // 4 :].mean(axis=1) - at[:, None]


def curve_errors(made, at: np.ndarray) -> np.ndarray:
    """Return the error (n, d) of neurons on their curves, one state after the other."""
    model, states, probe = opened(made)
    (ensemble,) = model.all_ensembles
    ensemble.neuron_type = CurveRate(made.population.neurons)
    each = int(ON_CURVES / DT)
    states.output = nengo.processes.PresentInput(
        np.repeat(at[:, None], ORDER, axis=1), ON_CURVES
    )
    decoded = run_probed(model, DT, each * len(at), probe, target="core")[0]
    # where a curve is steep the feedback goes to and fro, so the mean here, too
    later = decoded.reshape(len(at), each, ORDER)[:, each // 4 :]
    return later.mean(axis=1) - at[:, None]


def rms(both: np.ndarray) -> float:
    """Return the root mean square of what two runs (2, ...) share."""
    return float(np.sqrt(max(np.mean(both[0] * both[1]), 0.0)))


def distortions(kind: str, neurons: int, seconds: float, fast: bool) -> list[dict]:
    """Return the distortion with each feedback."""
    at = RADIUS * np.concatenate(list(STATES.values()))
    where = np.repeat(list(STATES), [len(one) for one in STATES.values()])
    more = {"synapse": TAU, "dt": DT, "neuron_type": kind, "radii": RADIUS}
    chosen = assemble(neurons, ORDER, THETA, **more, error_feedback="auto")
    made = assemble(neurons, ORDER, THETA, **more, error_feedback=GIVEN)
    fed = {"auto": chosen.mapped, "given": made.mapped}
    loops = {"off": dataclasses.replace(made.mapped, feedback=None)} | fed
    rows, none = [], {}
    for name, mapped in loops.items():
        again, feedback = dataclasses.replace(made, mapped=mapped), mapped.feedback
        time = 1.0 if fast else seconds
        runs = [mean_errors(again, at, time, SEED + k) for k in range(2)]
        found = {"spikes": np.stack(runs)}
        if neurons <= MOST_CURVES:
            found["curves"] = np.stack([curve_errors(again, at)] * 2)
        none = none or found
        about = {"neuron_type": kind, "neurons": neurons, "asked": name}
        about |= {"rate": feedback and feedback.rate, "tau": feedback and feedback.tau}
        about["expected"] = 1 + feedback.gain if feedback else 1.0
        for source, both in found.items():
            for place in STATES:
                mine, off = (x[:, where == place] for x in (both, none[source]))
                size, spread = rms(mine), np.std(mine[0] - mine[1]) / np.sqrt(2)
                row = {"of": source, "where": place, "distortion": size}
                row["times_less"] = rms(off) / size if size else None
                rows.append(about | row | {"noise": float(spread)})
    return rows


def distortion(options) -> dict:
    """Return the static distortion of memories with and without feedback."""
    fast = options.fast
    cells = [(*each, fast) for each in (MEMORIES[:1] if fast else MEMORIES)]
    found = in_parallel(distortions, cells, options.jobs)
    rows = [row for of_one in found for row in of_one]
    return {"seeds": [SEED, SEED + 1], "distortion": rows}
