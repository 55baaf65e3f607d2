"""What learning costs: LMU and LSTM of as many parameters, by the clock.

Both see the same sequences and the same batches' size on one thread.  The LMU follows
its recipe, and its seconds count validation; the LSTM's do not.  Inference is timed two
ways: a step of a stream in numpy, state in, state out; and whole sequences in
TensorFlow, the LMU at all times at once, the LSTM step by step as it must.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lmu_spiking.experiments.learning.baseline import Timed, lstm_units, timed_lstm
from lmu_spiking.lmu.forward import activations
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.tasks.catalogue import load_task
from lmu_spiking.tasks.sequences import Sequences

TASKS = ("psmnist", "mackey-glass")
BATCHES = (1, 100)
REPEATS = 5  # of a timing, of which the shortest counts


def cost_of(task: str, seconds: float, seed: int = 0, **options) -> dict:
    """Curves, and seconds of an epoch and of a step, of both on one task.

    Parameters
    ----------
    task : str
    seconds : float
        That each may train for; the first epoch of the LMU is never cut.
    **options
        Of the task.

    Returns
    -------
    dict
        ``task``, ``metric``, ``chance``, ``params``, ``lstm_params``, ``curves`` (rows
        with ``model``, ``seconds``, ``epochs``, ``loss``, ``value``), ``epochs``
        (seconds by model) and ``inference`` (rows with ``model``, ``way``, ``batch``,
        ``seconds_per_step``).
    """
    data = load_task(task, **options)
    made, times = lmu_curve(data, seconds, seed)
    units = lstm_units(made.n_params, data.size_in, data.size_out)
    fitted = timed_lstm(data, units, seconds, batch=_batch(task), seed=seed)
    name = "valid_accuracy" if data.classes else "valid_nrmse"
    curves = [row | {"model": "LMU", "value": row[name]} for row in times]
    curves += [row | {"model": "LSTM", "value": row[name]} for row in fitted.history]
    each = np.diff([0.0] + [row["seconds"] for row in times])
    return {
        "task": task,
        "seed": seed,
        "metric": name.removeprefix("valid_"),
        "chance": data.chance,
        "params": made.n_params,
        "lstm_params": fitted.params,
        "lstm_units": units,
        "curves": curves,
        "seconds_per_epoch": {
            "LMU": float(np.median(each[1:] if len(each) > 1 else each)),
            "LSTM": fitted.seconds_per_epoch,
        },
        "inference": inference(made, fitted, data),
    }


def _batch(task: str) -> int:
    from lmu_spiking.training.recipes import recipe_for

    return recipe_for(task).settings.batch


def lmu_curve(data: Sequences, seconds: float, seed: int = 0):
    """Parameters of the recipe after so many seconds, and rows by the clock."""
    from lmu_spiking.training import train
    from lmu_spiking.training.recipes import recipe_for, start

    recipe = recipe_for(data.name)
    settings = replace(recipe.settings, seconds=seconds, seed=seed)
    made = train(start(recipe, data, seed), data, settings)
    gone = np.cumsum([record["seconds"] for record in made.history])
    rows = [
        record | {"seconds": float(at), "epochs": record["epoch"]}
        for record, at in zip(made.history, gone, strict=True)
    ]
    return made.params, rows


# -- inference ---------------------------------------------------------------------


def inference(params: LMUParams, fitted: Timed, data: Sequences) -> list[dict]:
    """Seconds of a step of a sequence, by model, way and batch; all on one thread."""
    rows = []
    for batch in BATCHES:
        lmu, lstm = lmu_step(params, batch), lstm_step(fitted.weights, batch)
        u = np.zeros((batch, data.size_in), np.float32)
        x = np.resize(data.test.x, (batch, *data.test.x.shape[1:]))
        ways = (
            ("LMU", "numpy, a step", _stream_time(lmu, u)),
            ("LSTM", "numpy, a step", _stream_time(lstm, u)),
            ("LMU", "TensorFlow, a sequence", _lmu_time(params, data, x)),
            ("LSTM", "TensorFlow, a sequence", _time(fitted.predict, x) / data.steps),
        )
        for model, way, seconds in ways:
            row = {"model": model, "way": way, "batch": batch}
            rows.append(row | {"seconds_per_step": seconds})
    return rows


def lmu_step(params: LMUParams, batch: int) -> Callable:
    """A step in float32 of one feedforward cell: its outputs for inputs (n, c).

    Hidden units and readout are computed at every step.
    """
    (cell,) = params.cells
    Ad, Bd = (a.astype(np.float32) for a in cell.ldn.discretize(params.dt))
    own = {name: a.astype(np.float32) for name, a in cell.arrays().items()}
    D, c = params.D.astype(np.float32), params.c.astype(np.float32)
    m = np.zeros((batch * cell.memory_d, cell.order), np.float32)

    def step(x):
        nonlocal m
        u = x @ own["e_x"].T
        m = m @ Ad.T + u.reshape(-1, 1) * Bd
        J = m.reshape(batch, -1) @ own["W_m"].T
        if "b" in own:
            J = J + own["b"]
        return activations(cell.activation, J) @ D.T + c

    return step


def lstm_step(weights: dict[str, np.ndarray], batch: int) -> Callable:
    """A step in float32 of the LSTM: its outputs for inputs (n, c)."""
    units = len(weights["recurrent"])
    h, s = np.zeros((2, batch, units), np.float32)

    def step(x):
        nonlocal h, s
        z = x @ weights["kernel"] + h @ weights["recurrent"] + weights["bias"]
        i, f, g, o = np.split(z, 4, axis=1)  # the order of Keras
        s = _sigmoid(f) * s + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(s)
        return h @ weights["D"].T + weights["c"]

    return step


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return (1 + np.tanh(x / 2)) / 2


def _stream_time(step: Callable, u: np.ndarray, steps: int = 200) -> float:
    def stream(u):
        for _ in range(steps):
            step(u)

    return _time(stream, u) / steps


def _lmu_time(params: LMUParams, data: Sequences, x: np.ndarray) -> float:
    """Of raw sequences: the projection is part of it."""
    from lmu_spiking.training.engine import engine_for
    from lmu_spiking.training.settings import TrainSettings

    engine, arrays = engine_for(params, TrainSettings(), data), params.arrays()
    return _time(lambda x: engine.outputs(arrays, {"x": x}), x) / data.steps


def _time(function: Callable, *arguments) -> float:
    """Seconds of a call, the shortest of a few after a first."""
    function(*arguments)
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function(*arguments)
        took.append(time.perf_counter() - start)
    return min(took)
