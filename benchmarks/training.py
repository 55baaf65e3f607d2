"""Training all times at once against step by step: an epoch of permuted MNIST.

    python benchmarks/training.py [--batches 3] [--epochs 5]

The paper's size, without recurrence from hidden units: order 256, theta of all 784
steps, 212 tanh units, 4,000 digits in batches of 100.  The same parameters, data, loss
and optimizer, in one process on one thread:

- ``parallel``: `ParallelEngine`, whole epochs;
- ``bptt``: `BPTTEngine`, the network of rate neurons in NengoDL;
- ``nodes``: NengoDL as its documentation writes an LMU, the memory a linear node and
  no neurons but the hidden units: ``Simulator.fit``.

The last two run a few batches of 100, and an epoch is taken to be 40 times the mean.
What is compiled or computed once is left out of an epoch and stated beside it.  Writes
benchmarks/results/training.json.
"""

import argparse
import os
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[name] = "1"

import nengo  # noqa: E402  after the number of threads
import numpy as np  # noqa: E402

from lmu_spiking.dynamics.ldn import LDN  # noqa: E402
from lmu_spiking.lmu import LMUParams  # noqa: E402
from lmu_spiking.studies.records import write_json  # noqa: E402
from lmu_spiking.tasks.mnist import psmnist  # noqa: E402
from lmu_spiking.training import TrainSettings  # noqa: E402
from lmu_spiking.training._keras import nengo_dl, tensorflow  # noqa: E402
from lmu_spiking.training.bptt import BPTTEngine  # noqa: E402
from lmu_spiking.training.loop import versions  # noqa: E402
from lmu_spiking.training.optimizers import Optimizer  # noqa: E402
from lmu_spiking.training.parallel_engine import ParallelEngine  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
DIGITS, BATCH, ORDER, UNITS, STEPS, DT = 4000, 100, 256, 212, 784, 0.001
SETTINGS = TrainSettings(batch=BATCH, learning_rate=0.001)
CELL = {"units": UNITS, "order": ORDER, "theta": STEPS * DT, "connections": ""}


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Those to train on and to choose by: 4,000 of the 5,000."""
    task = psmnist()
    parts = (task.train, task.valid)
    x, y = (np.concatenate([getattr(p, n) for p in parts]) for n in ("x", "y"))
    assert x.shape == (DIGITS, STEPS, 1)
    return x, y


class Descent:
    """Batches in order, through an engine and Adam."""

    def __init__(self, engine, params, y):
        self.engine, self.y = engine, y
        self.weights, self.optimizer = dict(params.arrays()), Optimizer(SETTINGS)

    def __call__(self, features: dict, batch: int) -> float:
        """Seconds that a batch took."""
        start = time.perf_counter()
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        some = {name: value[rows] for name, value in features.items()}
        _, gradients = self.engine.gradients(self.weights, some, self.y[rows])
        self.optimizer.update(self.weights, gradients, SETTINGS.learning_rate)
        return time.perf_counter() - start


def parallel(params: LMUParams, x, y, epochs: int) -> dict:
    start = time.perf_counter()
    engine = ParallelEngine(params, SETTINGS, 10, True)
    features = engine.features(x)
    projected = time.perf_counter() - start
    descend = Descent(engine, params, y)
    first = descend(features, 0)
    seconds = [
        sum(descend(features, batch) for batch in range(DIGITS // BATCH))
        for _ in range(epochs)
    ]
    return {
        "epoch_seconds": float(np.median(seconds)),
        "epochs": seconds,
        "first_batch_seconds": first,
        "projection_seconds": projected,
        "extrapolated": False,
    }


def bptt(params: LMUParams, x, y, batches: int) -> dict:
    start = time.perf_counter()
    engine = BPTTEngine(params, SETTINGS, 10, True, DIGITS)
    built = time.perf_counter() - start
    descend = Descent(engine, params, y)
    features = engine.features(x)
    first = descend(features, 0)
    seconds = [descend(features, 1 + batch) for batch in range(batches)]
    engine.close()
    return _extrapolated(seconds, first, built)


def nodes(params: LMUParams, x, y, batches: int) -> dict:
    dl, tf = nengo_dl(), tensorflow()
    Ad, Bd = LDN(ORDER, STEPS * DT).discretize(DT)
    start = time.perf_counter()
    with nengo.Network(seed=0) as model:
        dl.configure_settings(trainable=None, stateful=False, keep_history=False)
        stimulus = nengo.Node(np.zeros(1))
        u, m = nengo.Node(size_in=1), nengo.Node(size_in=ORDER)
        units = nengo.Ensemble(
            UNITS,
            1,
            neuron_type=nengo.Tanh(tau_ref=1),
            gain=np.ones(UNITS),
            bias=np.zeros(UNITS),
        ).neurons
        out = nengo.Node(size_in=10)
        cell = params.cells[0]
        nengo.Connection(stimulus, u, transform=cell.e_x, synapse=None)
        fixed = [
            nengo.Connection(m, m, transform=Ad, synapse=0),
            nengo.Connection(u, m, transform=Bd[:, None], synapse=None),
        ]
        nengo.Connection(m, units, transform=cell.W_m, synapse=None)
        nengo.Connection(units, out, transform=params.D, synapse=None)
        probe = nengo.Probe(out)
        for connection in fixed:
            model.config[connection].trainable = False
    seconds = []
    with dl.Simulator(
        model, dt=DT, minibatch_size=BATCH, device="/cpu:0", progress_bar=False, seed=0
    ) as simulator:
        simulator.compile(
            optimizer=tf.optimizers.Adam(SETTINGS.learning_rate),
            loss=tf.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        built = time.perf_counter() - start
        for batch in range(batches + 1):
            start = time.perf_counter()
            rows = slice(batch * BATCH, (batch + 1) * BATCH)
            target = {probe: y[rows, None, None]}
            simulator.fit({stimulus: x[rows]}, target, epochs=1, verbose=0)
            seconds.append(time.perf_counter() - start)
    return _extrapolated(seconds[1:], seconds[0], built)


def _extrapolated(seconds: list, first: float, built: float) -> dict:
    return {
        "epoch_seconds": DIGITS // BATCH * float(np.mean(seconds)),
        "batches": seconds,
        "first_batch_seconds": first,
        "build_seconds": built,
        "extrapolated": f"{DIGITS // BATCH} times the mean of {len(seconds)} batches",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", default=ROOT / "benchmarks/results/training.json")
    options = parser.parse_args()
    nengo_dl()  # so that no time below is that of its import
    x, y = digits()
    params = LMUParams.draw(1, 10, [CELL], seed=0)
    found = {"parallel": parallel(params, x, y, options.epochs)}
    print("parallel", found["parallel"]["epoch_seconds"], "s an epoch", flush=True)
    for way in (bptt, nodes):
        found[way.__name__] = way(params, x, y, options.batches)
        seconds = found[way.__name__]["epoch_seconds"]
        ratio = seconds / found["parallel"]["epoch_seconds"]
        found[way.__name__]["ratio"] = ratio
        print(f"{way.__name__} {seconds:.1f} s an epoch, {ratio:.0f} times", flush=True)
    found |= {"threads": 1, "compilation": "left out", "versions": versions("bptt")}
    found["task"] = {"digits": DIGITS, "batch": BATCH, "steps": STEPS, **CELL}
    write_json(options.out, found)


if __name__ == "__main__":
    main()
