"""Time one way to train on a task: ``PYTHON training_peers.py WAY TASK.npz COUNT``.

Each way is a function that needs no more than its own library, so that it runs where
that is installed, on one core.  A task has digits ``x`` (n, 784, 1) and their classes
``y``, the memory's ``Ad`` and ``Bd``, the arrays ``e_x``, ``W_m`` and ``D`` that models
begin with, and the connections of the cell.  The seconds of whole epochs, or of single
batches, are printed as JSON with the versions; what is compiled at first is left out.
"""

import json
import os
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np

BATCH, RATE, DT = 100, 0.001, 0.001


def timed(step, task, count: int) -> list[float]:
    """Return the seconds of each step, which is given the rows of its batch."""
    seconds = []
    for begin in range(0, count * BATCH, BATCH):
        start = time.perf_counter()
        step(slice(begin % len(task["x"]), begin % len(task["x"]) + BATCH))
        seconds.append(time.perf_counter() - start)
    return seconds


def seconds_of(step, task, count: int, whole: bool) -> dict:
    """Return the seconds of epochs, or of batches, after a first batch."""
    first = timed(step, task, 1)[0]
    if whole:
        epoch = len(task["x"]) // BATCH
        found = {"epochs": [sum(timed(step, task, epoch)) for _ in range(count)]}
    else:
        found = {"batches": timed(step, task, count)}
    return found | {"first_batch_seconds": first}


# -- this package, now and before ------------------------------------------------------


def drawn(task):
    """Return the parameters of the task's cell, and settings to train them with."""
    from lmu_spiking.lmu import LMUParams
    from lmu_spiking.training import TrainSettings

    theta, (units, order) = task["x"].shape[1] * DT, task["W_m"].shape
    cell = {"units": units, "order": order, "theta": theta}
    cell["connections"] = str(task["connections"])
    settings = TrainSettings(batch=BATCH, learning_rate=RATE)
    return LMUParams.draw(1, 10, [cell], seed=0), settings


def through(engine, move, weights, task):
    """Return a function that trains on the rows of a batch, through an engine."""
    features, y = engine.features(task["x"]), task["y"]

    def step(rows):
        some = {name: value[rows] for name, value in features.items()}
        loss, gradients = engine.gradients(weights(), some, y[rows])
        move(gradients)
        float(loss)  # waits until it is computed

    return step


def descended(engine, params, settings, task, count, whole) -> dict:
    """Time the training of this package through one of its engines."""
    from lmu_spiking.training.optimizers import Descent

    descent = Descent(params.arrays(), settings, engine.names, 1000, DT)
    step = through(engine, descent.move, lambda: descent.weights, task)
    return seconds_of(step, task, count, whole)


def jax(task, count: int) -> dict:
    """Time the engine of this package, JAX."""
    from lmu_spiking.training.engine import JaxEngine

    params, settings = drawn(task)
    engine, whole = JaxEngine(params, settings, 10, True), params.is_feedforward
    found = descended(engine, params, settings, task, count, whole)
    return found | {"parameters": params.n_params}


def bptt(task, count: int) -> dict:
    """Time the reference of this package: the network of rate neurons in NengoDL."""
    from lmu_spiking.training.nengo_dl import NengoDLEngine

    params, settings = drawn(task)
    engine = NengoDLEngine(params, settings, 10, True, len(task["x"]))
    found = descended(engine, params, settings, task, count, False)
    return found | {"parameters": params.n_params}


def earlier(task, count: int) -> dict:
    """Time the engine before JAX, TensorFlow, in a checkout of commit 7a69624."""
    from lmu_spiking.training.optimizers import Optimizer  # noqa: I001
    from lmu_spiking.training.parallel_engine import ParallelEngine

    params, settings = drawn(task)
    optimizer, weights = Optimizer(settings), dict(params.arrays())
    step = through(
        ParallelEngine(params, settings, 10, True),
        lambda slopes: optimizer.update(weights, slopes, RATE),
        lambda: weights,
        task,
    )
    return seconds_of(step, task, count, True) | {"parameters": params.n_params}


# -- others ----------------------------------------------------------------------------


def keras_lmu(task, count: int) -> dict:
    """Time a whole epoch of KerasLMU's layer that convolves by FFT."""
    import keras
    import keras_lmu

    order, units = len(task["Ad"]), len(task["W_m"])
    cell = keras.layers.Dense(units, activation="tanh", use_bias=False)
    memory = keras_lmu.LMUFeedforward(1, order, len(task["x"][0]), cell)
    model = keras.Sequential(
        [keras.layers.Input(task["x"].shape[1:]), memory, keras.layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE), loss)
    x, y, how = task["x"], task["y"], {"batch_size": BATCH, "verbose": 0}
    model.fit(x[:BATCH], y[:BATCH], **how)  # compiles
    start = time.perf_counter()
    model.fit(x, y, **how)
    return {"epochs": [time.perf_counter() - start], "parameters": model.count_params()}


def torch_lstm(task, count: int) -> dict:
    """Time a whole epoch of PyTorch's LSTM, of no more parameters than the LMU."""
    import torch

    torch.set_num_threads(1)

    def parameters(n):
        return 4 * n * (n + 3) + 10 * (n + 1)

    allowed = 10 + sum(task[name].size for name in ("e_x", "W_m", "D"))
    units = max(n for n in range(1, 1000) if parameters(n) <= allowed)
    lstm, out = torch.nn.LSTM(1, units, batch_first=True), torch.nn.Linear(units, 10)
    weights = [*lstm.parameters(), *out.parameters()]
    descend = torch_step(torch, lambda x: out(lstm(x)[0][:, -1]), weights, task)
    found = seconds_of(descend, task, 1, True)
    return found | {"parameters": parameters(units), "units": units}


def torch_step(torch, outputs, weights, task):
    """Return a function that trains on the rows of a batch, in PyTorch."""
    adam = torch.optim.Adam(weights, RATE)
    x, y = torch.tensor(task["x"]).float(), torch.tensor(task["y"]).long()

    def descend(rows):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(outputs(x[rows]), y[rows]).backward()
        adam.step()

    return descend


def network(nengo, task, a: float = 0.0):
    """Return an LMU as NengoDL's documentation writes it: a memory without neurons.

    Its loop delays by a step; with ``a`` it is a lowpass that forgets to ``a`` in one.
    """
    units, order = task["W_m"].shape
    A, B = (task["Ad"] - a * np.eye(order)) / (1 - a), task["Bd"][:, None] / (1 - a)
    loop = -DT / np.log(a) if a else 0
    with nengo.Network(seed=0) as model:
        stimulus, u = nengo.Node(np.zeros(1)), nengo.Node(size_in=1)
        m, connect = nengo.Node(size_in=order), nengo.Connection
        tanh = {"neuron_type": nengo.Tanh(tau_ref=1), "gain": np.ones(units)}
        hidden = nengo.Ensemble(units, 1, bias=np.zeros(units), **tanh).neurons
        out = nengo.Node(size_in=10)
        fixed = [
            connect(m, m, transform=A, synapse=loop),
            connect(u, m, transform=B, synapse=loop or None),
        ]
        trained = [
            connect(stimulus, u, transform=task["e_x"], synapse=None),
            connect(m, hidden, transform=task["W_m"], synapse=None),
            connect(hidden, out, transform=task["D"], synapse=None),
        ]
        probe = nengo.Probe(out)
    return model, stimulus, probe, fixed, trained


def nengo_torch(task, count: int) -> dict:
    """Time batches of that network in NengoTorch, which has no delay of a step."""
    import nengo
    import nengo_torch
    import torch

    torch.set_num_threads(1)
    model, stimulus, probe, _, trained = network(nengo, task, 0.5)
    options = {"minibatch_size": BATCH, "progress_bar": False, "mode": "train"}
    options["trainable"] = {connection: ["weights"] for connection in trained}
    with nengo_torch.Simulator(model, dt=DT, seed=0, **options) as simulator:

        def outputs(x):
            return simulator.forward({stimulus: x}, n_steps=x.shape[1])[probe][:, -1]

        weights = list(simulator.parameters())
        step = torch_step(torch, outputs, weights, task)
        found = seconds_of(step, task, count, False)
    return found | {"parameters": sum(w.numel() for w in weights)}


def nengo_dl(task, count: int) -> dict:
    """Time batches of that network in NengoDL, step by step."""
    import nengo

    from lmu_spiking.training._keras import nengo_dl, tensorflow

    dl, tf = nengo_dl(), tensorflow()
    model, stimulus, probe, fixed, _ = network(nengo, task)
    with model:
        dl.configure_settings(trainable=None, stateful=False, keep_history=False)
    for connection in fixed:
        model.config[connection].trainable = False
    options = {"minibatch_size": BATCH, "device": "/cpu:0", "progress_bar": False}
    with dl.Simulator(model, dt=DT, seed=0, **options) as simulator:
        loss = tf.losses.SparseCategoricalCrossentropy(from_logits=True)
        simulator.compile(optimizer=tf.optimizers.Adam(RATE), loss=loss)

        def descend(rows):
            target = {probe: task["y"][rows, None, None]}
            simulator.fit({stimulus: task["x"][rows]}, target, epochs=1, verbose=0)

        return seconds_of(descend, task, count, False)


OURS = "lmu_spiking numpy"
PACKAGES = {
    jax: f"{OURS} jax optax",
    bptt: f"{OURS} nengo-dl tensorflow",
    earlier: f"{OURS} tensorflow",
    keras_lmu: "keras-lmu keras tensorflow tensorflow-cpu",
    torch_lstm: "torch",
    nengo_torch: "nengo-torch torch nengo",
    nengo_dl: "nengo-dl tensorflow nengo",
}


def main(way: str, path: str, count: str) -> None:
    """Print seconds and versions of a way, on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    run = globals()[way]
    found = run(dict(np.load(path)), int(count))
    for name in PACKAGES[run].split():
        try:
            found.setdefault("versions", {})[name] = version(name)
        except PackageNotFoundError:  # it has the other name
            continue
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
