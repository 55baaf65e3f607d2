"""Training beside its peers: an epoch of permuted MNIST, recurrent cells, all of MNIST.

The paper's size, order 256, theta of all 784 steps, 212 tanh units, 4,000 digits in
batches of 100, the same data and Adam.  Each way is a process of its own on one core
(`training_peers`), and what it compiles at first is left out.

- ``epochs``, without recurrence from hidden units: JAX, all times at once; the engine
  before it, TensorFlow; KerasLMU's layer that convolves by FFT; an LSTM of PyTorch of
  as many parameters; NengoTorch and NengoDL, their memory a linear node, a few batches.
- ``cells``, with such recurrence: JAX, and the reference engine in NengoDL, a batch; at
  order 40 with 100 units as well.
- ``whole``: all of MNIST (``--mnist mnist.npz``) with the recipe for it, on all cores,
  augmentation, noise and validation included.

Peers live in environments of their own, without which their rows are left out:
``--python keras_lmu=INTERPRETER``, also ``torch_lstm``, ``nengo_torch``, ``nengo_dl``
and ``bptt`` (NengoDL and this package), and ``earlier``: ``env PYTHONPATH=OLD PYTHON``,
with a checkout of commit 7a69624.  Where there is no interpreter, a row of an earlier
record is kept.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.lmu import LMUParams
from lmu_spiking.tasks.mnist import psmnist
from lmu_spiking.training import train
from lmu_spiking.training.recipes import recipe_for, start

DIGITS, BATCH, ORDER, UNITS, STEPS, DT = 4000, 100, 256, 212, 784, 0.001
PEERS = Path(__file__).with_name("training_peers.py")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
THREADS += ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")

# what is timed, and how many epochs or batches of it; JAX before and after the others
FEEDFORWARD = {
    "jax": 10,
    "earlier": 10,
    "keras_lmu": 1,
    "torch_lstm": 1,
    "nengo_torch": 2,
    "nengo_dl": 3,
}
ALL, SMALL = "e_x e_h e_m W_x W_h W_m", {"order": 40, "units": 100}
CELLS = {"W_h": ("e_x W_x W_h W_m", {}), "paper": (ALL, {}), "smaller": (ALL, SMALL)}


def task_of(
    connections: str, digits: int = DIGITS, order: int = ORDER, units: int = UNITS
) -> dict:
    """Return what a peer is given: digits, the memory, and the arrays of a cell."""
    task = psmnist()
    parts = (task.train, task.valid)
    x, y = (np.concatenate([getattr(p, n) for p in parts]) for n in ("x", "y"))
    cell = {"units": units, "order": order, "theta": STEPS * DT}
    params = LMUParams.draw(1, 10, [cell | {"connections": connections}], seed=0)
    Ad, Bd = LDN(order, STEPS * DT).discretize(DT)
    arrays = {name: getattr(params.cells[0], name) for name in ("e_x", "W_m")}
    given = {"x": x[:digits], "y": y[:digits], "Ad": Ad, "Bd": Bd, "D": params.D}
    return given | arrays | {"connections": connections}


def measured(way: str, python: str, task: dict, count: int) -> dict:
    """Return what a way took, from a process of its own on one core."""
    load, threads = os.getloadavg()[0], dict.fromkeys(THREADS, "1")
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.npz"
        np.savez(path, **task)
        command = [*shlex.split(python), "-P", str(PEERS), way, str(path), str(count)]
        run = subprocess.run(
            command, env=os.environ | threads | quiet, capture_output=True, text=True
        )
    if run.returncode:
        raise RuntimeError(f"{way}: {run.stderr[-2000:]}")
    found = json.loads(run.stdout.splitlines()[-1])
    # the least of epochs, and the mean of batches
    n = len(task["x"]) // BATCH
    if "epochs" in found:
        found["epoch_seconds"] = min(found["epochs"])
        found["extrapolated"] = "no"
    else:
        found["epoch_seconds"] = n * float(np.mean(found["batches"]))
        found["extrapolated"] = f"{n} x {len(found['batches'])} batches"
    return {"way": way, **found, "load": load}


def whole(mnist: str, epochs: int) -> dict:
    """Return the seconds of epochs of all of MNIST, as a user trains."""
    load, recipe = os.getloadavg()[0], recipe_for("psmnist-full")
    data = recipe.data(psmnist(mnist))
    settings = replace(recipe.settings, epochs=epochs)
    history = train(start(recipe, data), data, settings).history
    seconds = [record["seconds"] for record in history]
    size = {"digits": len(data.train.x), "order": recipe.order, "units": recipe.units}
    found = {"epoch_seconds": min(seconds[1:]), "epochs": seconds, **size}
    about = {"load": load, "load_after": os.getloadavg()[0], "cores": os.cpu_count()}
    return found | about


def rows_of(ways, pythons: dict, task: dict, was: list[dict], **about) -> list[dict]:
    """Return a row for each way, with its time over the least of JAX beside it.

    A way without an interpreter has its row of an earlier record, if there is one.
    """
    rows, kept = [], {row["way"]: row | {"kept": True} for row in was}
    for way, count in ways:
        if way in pythons:
            rows.append(about | measured(way, pythons[way], task, count))
        elif way in kept:
            rows.append(kept[way])
    ours = min(row["epoch_seconds"] for row in rows if row["way"] == "jax")
    for row in rows:
        if "kept" not in row:
            row["times_jax"] = row["epoch_seconds"] / ours
    return rows


def training(options):
    """Yield the record after each part."""
    pythons = {"jax": sys.executable}
    pythons |= dict(given.split("=", 1) for given in options.python)
    path = options.out and options.out / "training.json"
    before = json.loads(path.read_text()) if path and path.exists() else {}
    # not where interpreters and data are here
    how = "--python NAME=INTERPRETER ... --mnist mnist.npz"
    record: dict = {"command": f"python benchmarks training {how}"}
    record |= {"digits": DIGITS, "batch": BATCH, "steps": STEPS}
    record |= {"order": ORDER, "units": UNITS, "whole": before.get("whole")}
    record["earlier"] = "commit 7a69624"

    # an epoch without recurrence, JAX first and last
    ways = [(way, 1 if options.fast else n) for way, n in FEEDFORWARD.items()]
    was = before.get("epochs", [])
    found = rows_of([*ways, ways[0]], pythons, task_of("e_x W_m"), was)
    record["epochs"] = found
    record["left_out"] = sorted(FEEDFORWARD.keys() - {row["way"] for row in found})
    yield record

    # cells with recurrence: a batch
    record["cells"] = []
    for cell, (connections, size) in CELLS.items():
        was = [row for row in before.get("cells", []) if row["cell"] == cell]
        about, task = {"cell": cell, **size}, task_of(connections, BATCH, **size)
        ways = [("jax", 3), ("bptt", 1)]
        record["cells"] += rows_of(ways, pythons, task, was, **about)
        yield record

    # all of MNIST, on all cores
    if options.mnist:
        record["whole"] = whole(options.mnist, 2 if options.fast else 5)
        yield record
