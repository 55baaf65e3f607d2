"""Training all times at once against step by step: an epoch of permuted MNIST.

The paper's size, without recurrence from hidden units: order 256, theta of all 784
steps, 212 tanh units, 4,000 digits in batches of 100.  The same parameters, data, loss
and optimizer, in one process on one thread:

- ``parallel``: `ParallelEngine`, whole epochs;
- ``bptt``: `BPTTEngine`, the network of rate neurons in NengoDL;
- ``nodes``: NengoDL as its documentation writes an LMU, the memory a linear node and
  no neurons but the hidden units: ``Simulator.fit``.

The last two run a few batches of 100, and an epoch is taken to be 40 times the mean.
What is compiled or computed once is left out of an epoch and stated beside it.
"""

import time

import nengo
import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.lmu import LMUParams
from lmu_spiking.tasks.mnist import psmnist
from lmu_spiking.training import TrainSettings
from lmu_spiking.training._keras import nengo_dl, tensorflow
from lmu_spiking.training.bptt import BPTTEngine
from lmu_spiking.training.loop import versions
from lmu_spiking.training.optimizers import Optimizer
from lmu_spiking.training.parallel_engine import ParallelEngine

DIGITS, BATCH, ORDER, UNITS, STEPS, DT = 4000, 100, 256, 212, 784, 0.001
SETTINGS = TrainSettings(batch=BATCH, learning_rate=0.001)
CELL = {"units": UNITS, "order": ORDER, "theta": STEPS * DT, "connections": ""}


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the digits to train on and to choose by: 4,000 of the 5,000."""
    task = psmnist()
    parts = (task.train, task.valid)
    x, y = (np.concatenate([getattr(p, n) for p in parts]) for n in ("x", "y"))
    assert x.shape == (DIGITS, STEPS, 1)
    return x, y


class Descent:
    """Batches in order, through an engine and Adam."""

    def __init__(self, engine, params, x, y):
        self.engine, self.features, self.y = engine, engine.features(x), y
        self.weights, self.optimizer = dict(params.arrays()), Optimizer(SETTINGS)

    def __call__(self, batch: int) -> float:
        """Train on one batch; return the seconds that it took."""
        start = time.perf_counter()
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        some = {name: value[rows] for name, value in self.features.items()}
        _, gradients = self.engine.gradients(self.weights, some, self.y[rows])
        self.optimizer.update(self.weights, gradients, SETTINGS.learning_rate)
        return time.perf_counter() - start


def parallel(params: LMUParams, x, y, epochs: int) -> dict:
    """Time whole epochs at all times at once."""
    start = time.perf_counter()
    descend = Descent(ParallelEngine(params, SETTINGS, 10, True), params, x, y)
    projected = time.perf_counter() - start
    first = descend(0)
    seconds = [sum(map(descend, range(DIGITS // BATCH))) for _ in range(epochs)]
    return {
        "epoch_seconds": float(np.median(seconds)),
        "epochs": seconds,
        "first_batch_seconds": first,
        "projection_seconds": projected,
        "extrapolated": False,
    }


def bptt(params: LMUParams, x, y, batches: int) -> dict:
    """Time batches of the network of rate neurons, step by step in NengoDL."""
    start = time.perf_counter()
    engine = BPTTEngine(params, SETTINGS, 10, True, DIGITS)
    built = time.perf_counter() - start
    descend = Descent(engine, params, x, y)
    seconds = list(map(descend, range(batches + 1)))
    engine.close()
    return _extrapolated(seconds, built)


def nodes(params: LMUParams, x, y, batches: int) -> dict:
    """Time batches of an LMU as NengoDL's documentation writes it."""
    dl, tf = nengo_dl(), tensorflow()
    Ad, Bd = LDN(ORDER, STEPS * DT).discretize(DT)
    start = time.perf_counter()
    # the memory is a linear node, whose matrix is not trained
    with nengo.Network(seed=0) as model:
        dl.configure_settings(trainable=None, stateful=False, keep_history=False)
        stimulus = nengo.Node(np.zeros(1))
        u, m = nengo.Node(size_in=1), nengo.Node(size_in=ORDER)
        tanh = {"neuron_type": nengo.Tanh(tau_ref=1), "gain": np.ones(UNITS)}
        units = nengo.Ensemble(UNITS, 1, bias=np.zeros(UNITS), **tanh).neurons
        out, cell, connect = nengo.Node(size_in=10), params.cells[0], nengo.Connection
        connect(stimulus, u, transform=cell.e_x, synapse=None)
        fixed = [
            connect(m, m, transform=Ad, synapse=0),
            connect(u, m, transform=Bd[:, None], synapse=None),
        ]
        connect(m, units, transform=cell.W_m, synapse=None)
        connect(units, out, transform=params.D, synapse=None)
        probe = nengo.Probe(out)
        for connection in fixed:
            model.config[connection].trainable = False
    seconds = []
    options = {"minibatch_size": BATCH, "device": "/cpu:0", "progress_bar": False}
    with dl.Simulator(model, dt=DT, seed=0, **options) as simulator:
        loss = tf.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = tf.optimizers.Adam(SETTINGS.learning_rate)
        simulator.compile(optimizer=optimizer, loss=loss)
        built = time.perf_counter() - start
        # the first batch is compiled
        for batch in range(batches + 1):
            start = time.perf_counter()
            rows = slice(batch * BATCH, (batch + 1) * BATCH)
            target = {probe: y[rows, None, None]}
            simulator.fit({stimulus: x[rows]}, target, epochs=1, verbose=0)
            seconds.append(time.perf_counter() - start)
    return _extrapolated(seconds, built)


def _extrapolated(seconds: list[float], built: float) -> dict:
    """Return an epoch's seconds from those of batches, the first one left out."""
    first, *others = seconds
    return {
        "epoch_seconds": DIGITS // BATCH * float(np.mean(others)),
        "batches": others,
        "first_batch_seconds": first,
        "build_seconds": built,
        "extrapolated": f"{DIGITS // BATCH} times the mean of {len(others)} batches",
    }


def training(options):
    """Yield the seconds of an epoch of each way, and its ratio to all times at once."""
    nengo_dl()  # so that no time below is that of its import
    batches, epochs = (1, 1) if options.fast else (options.batches, options.epochs)
    x, y = digits()
    params = LMUParams.draw(1, 10, [CELL], seed=0)
    record: dict = {"parallel": parallel(params, x, y, epochs)}
    task = {"digits": DIGITS, "batch": BATCH, "steps": STEPS, **CELL}
    about = {"compilation": "left out", "engines": versions("bptt"), "task": task}
    # step by step, beside all times at once
    for way in (bptt, nodes):
        row = way(params, x, y, batches)
        ratio = row["epoch_seconds"] / record["parallel"]["epoch_seconds"]
        record[way.__name__] = row | {"ratio": ratio}
        yield record | about
