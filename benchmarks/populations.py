"""Error feedback in ordinary Nengo models: their errors with and without it.

Models as in Nengo's examples, with Nengo's own tuning curves and decoders: a
communication channel of two ensembles, the square of an ensemble's input, an integrator
(200 neurons, tau 0.1 s, three steps of input in its first second, then 18 s of none), a
two-dimensional oscillator of 1 Hz (10 s), an EnsembleArray of eight integrators, and a
circular convolution, whose ensembles compute squares.  The exact values are those of
the same model in Nengo's direct mode.  Errors are rms errors over the rms of the exact
values, both behind a lowpass of 20 ms (``nrmse``) and of 5 ms, and intervals are over 5
seeds of tuning curves, spikes and signals.

*for ever*: the integrator with a feedback that does not leak, in which the synapse and
not the spikes remember.  *beyond*: an input of twice the radius for a second, and the
time until what is decoded is back to 0.1.
"""

import warnings

import nengo
import numpy as np

from lmu_spiking import Simulator, add_error_feedback
from lmu_spiking.errors import ValidityWarning
from lmu_spiking.experiments.records import average, in_parallel
from lmu_spiking.experiments.runs import lowpass
from lmu_spiking.neurons.curves import unmerged

SEED, TRIALS = 7300, 5
REMEMBERED = 0.1  # lowpass of recurrent synapses, seconds
READ = {"nrmse": 0.02, "nrmse_5ms": 0.005}  # lowpass of readouts, seconds
GIVEN, FASTER, FOR_EVER = (200.0, 0.02), (500.0, 0.02), (200.0, 1e4)
NEURONS = {
    "poisson": nengo.PoissonSpiking(nengo.LIFRate()),
    "lif": nengo.LIF(),
    "adaptive": nengo.AdaptiveLIF(),
}


def channel(seed: int):
    """Add two ensembles in series; return the output, what is fed back, and seconds."""
    signal = nengo.processes.WhiteSignal(10.0, high=2.0, rms=0.4, seed=seed)
    first, second = nengo.Ensemble(100, 1), nengo.Ensemble(100, 1)
    nengo.Connection(nengo.Node(signal), first, synapse=None)
    nengo.Connection(first, second)
    return second, [first, second], 10.0


def square(seed: int):
    """Add the square of a signal; return the output, what is fed back, and seconds."""
    signal = nengo.processes.WhiteSignal(10.0, high=2.0, rms=0.4, seed=seed)
    ens, output = nengo.Ensemble(100, 1), nengo.Node(size_in=1)
    nengo.Connection(nengo.Node(signal), ens, synapse=None)
    nengo.Connection(ens, output, function=np.square, synapse=None)
    return output, [ens], 10.0


def steps(t: float) -> float:
    """Return the input of integrators: three steps, and then none."""
    return (1.5, -1.0, 0.7, 0.0)[min(int(t / 0.3), 3)]


def integrator(seed: int):
    """Add an integrator; return the output, what is fed back, and seconds."""
    ens = nengo.Ensemble(200, 1)
    nengo.Connection(nengo.Node(steps), ens, transform=REMEMBERED, synapse=REMEMBERED)
    nengo.Connection(ens, ens, synapse=REMEMBERED)
    return ens, [ens], 19.0


def oscillator(seed: int):
    """Add an oscillator of 1 Hz; return the output, what is fed back, and seconds."""
    ens, turn = nengo.Ensemble(400, 2), 2 * np.pi * REMEMBERED
    kick = nengo.Node(lambda t: [8.0 * (t <= 0.1), 0.0])
    nengo.Connection(kick, ens, transform=REMEMBERED, synapse=REMEMBERED)
    around = [[1, -turn], [turn, 1]]
    nengo.Connection(ens, ens, transform=around, synapse=REMEMBERED)
    return ens, [ens], 10.0


def array(seed: int):
    """Add an array of integrators; return the output, what is fed back, and seconds."""
    made = nengo.networks.EnsembleArray(100, 8)
    sizes = np.random.RandomState(seed).uniform(-1, 1, (8, 1))
    source = nengo.Node(steps)
    nengo.Connection(
        source, made.input, transform=REMEMBERED * sizes, synapse=REMEMBERED
    )
    nengo.Connection(made.output, made.input, synapse=REMEMBERED)
    return made.output, [made], 10.0


def convolution(seed: int):
    """Add a convolution; return the output, what is fed back, and seconds."""
    made, sources = nengo.networks.CircularConvolution(100, 8), []
    for k, into in enumerate((made.input_a, made.input_b)):
        rms = 1 / np.sqrt(8)
        own = nengo.processes.WhiteSignal(5.0, high=2.0, rms=rms, seed=2 * seed + k)
        sources.append(nengo.Node(own, size_out=8))
        nengo.Connection(sources[-1], into, synapse=None)
    return made.output, [made], 5.0


MODELS = (channel, square, integrator, oscillator, array, convolution)


def run(make, kind, feedback, seed: int) -> tuple[np.ndarray, float]:
    """Return the output of a model (T, n), and the mean rate of its neurons, Hz."""
    with nengo.Network(seed=seed) as model:
        model.config[nengo.Ensemble].neuron_type = unmerged(kind)
        output, targets, seconds = make(seed)
        for target in targets if feedback else ():
            with warnings.catch_warnings():  # of the one that is to remember
                warnings.simplefilter("ignore", ValidityWarning)
                add_error_feedback(target, *feedback)
        probe = nengo.Probe(output, synapse=None)
        spiking = [] if isinstance(kind, nengo.Direct) else model.all_ensembles
        spikes = [nengo.Probe(ens.neurons) for ens in spiking]
    with Simulator(model, progress_bar=False) as sim:
        sim.run(seconds)
        rates = [np.mean(sim.data[each]) for each in spikes]
        return np.array(sim.data[probe]), float(np.mean(rates)) if rates else 0.0


def trial(make, kind: str, feedback, seed: int) -> dict:
    """Return the error of one run of a model."""
    exact, _ = run(make, nengo.Direct(), None, seed)
    decoded, rate = run(make, NEURONS[kind], feedback, seed)
    errors = {}
    for name, tau in READ.items():
        x, y = (lowpass(each, tau, 0.001) for each in (exact, decoded))
        errors[name] = float(np.sqrt(np.mean((y - x) ** 2) / np.mean(x**2)))
    told = {None: "off", FOR_EVER: "for ever"}
    given = told.get(feedback) or f"{feedback[0]:g}, {feedback[1]:g}"
    return {
        "model": make.__name__,
        "neurons": kind,
        "feedback": given,
        "rate": rate,
    } | errors


def beyond(kind: str, feedback, seed: int) -> dict:
    """Return what an input of twice the radius does."""
    with nengo.Network(seed=seed) as model:
        stimulus = nengo.Node(lambda t: 2.0 if 1 < t <= 2 else 0.0)
        ens = nengo.Ensemble(500, 1, neuron_type=NEURONS[kind])
        nengo.Connection(stimulus, ens, synapse=None)
        if feedback:
            add_error_feedback(ens, *feedback)
        probe = nengo.Probe(ens, synapse=0.005)
        spikes = nengo.Probe(ens.neurons)
    with Simulator(model, progress_bar=False) as sim:
        sim.run(3.0)
        decoded, rates = np.array(sim.data[probe])[:, 0], np.array(sim.data[spikes])
    back = np.flatnonzero(decoded[2000:] < 0.1)[0]
    return {
        "neurons": kind,
        "feedback": f"{feedback[0]:g}, {feedback[1]:g}" if feedback else "off",
        "decoded": float(decoded[1500:2000].mean()),
        "rate": float(rates[1500:2000].mean()),
        "back_ms": float(back),
    }


def populations(options) -> dict:
    """Return errors of models with and without feedback."""
    n = 2 if options.fast else TRIALS
    seeds = range(SEED, SEED + n)
    cells = []
    for make in MODELS[:1] if options.fast else MODELS:
        asked = [None, GIVEN, FASTER] + [FOR_EVER] * (make is integrator)
        each = [(make, kind, one) for kind in NEURONS for one in asked]
        cells += [(*cell, seed) for cell in each for seed in seeds]
    rows = in_parallel(trial, cells, options.jobs)
    keys = ("model", "neurons", "feedback")
    record = {"seeds": [SEED, SEED + n - 1]}
    record["models"] = average(rows, keys, ["rate"], [*READ])
    cells = [(kind, one, s) for kind in NEURONS for one in (None, GIVEN) for s in seeds]
    rows = in_parallel(beyond, cells, options.jobs)
    record["beyond"] = average(rows, keys[1:], ["decoded", "rate", "back_ms"], [])
    return record
