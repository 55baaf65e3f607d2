"""What learning costs: LMU and LSTM of as many parameters, by the clock.

Both see the same sequences and the same batches' size on one thread.  The LMU follows
its recipe; seconds count training and validation.  Inference is timed two ways: a step
of a stream in numpy, state in, state out; and whole sequences in JAX, the LMU at
all times at once, the LSTM step by step as it must.

A task that is read at its end wants no output before: a step then leaves out the
readout and, in the LMU, the units that nothing else receives, which the LSTM cannot.  A
step that is read as well is timed beside (*read*).
"""

import timeit
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lmu_spiking.experiments.rivals import Fitted, fit, lstm_for
from lmu_spiking.lmu.forward import activations
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training.evaluation import validation_name

BATCHES = (1, 100)
STEPS = 200  # of a stream that is timed
REPEATS = 5  # of a timing, of which the shortest counts


def cost_of(data: Sequences, recipe, seconds: float, seed: int = 0) -> dict:
    """Return learning curves, and seconds of an epoch and of a step, on one task.

    Parameters
    ----------
    data : Sequences
    recipe : Recipe
        Of the LMU.
    seconds : float
        That each may train for; the first epoch of the LMU is never cut.
    seed : int

    Returns
    -------
    dict
        ``task``, ``metric``, ``chance``, ``params``, ``lstm_params``, ``curves`` (rows
        with ``model``, ``seconds``, ``epochs``, ``loss``, ``value``), ``epochs``
        (seconds by model) and ``inference`` (rows with ``model``, ``way``, ``batch``,
        ``seconds_per_step``).
    """
    params, rows = lmu_curve(data, recipe, seconds, seed)
    fitted = timed_lstm(data, params.n_params, seconds, recipe.settings.batch, seed)
    name, part = "accuracy" if data.classes else "nrmse", validation_name(data)
    curves = [
        row | {"model": model, "value": row[f"{part}_{name}"]}
        for model, history in (("LMU", rows), ("LSTM", fitted.history))
        for row in history
    ]
    # the first epoch of the LMU compiles
    each = np.diff([0.0] + [row["seconds"] for row in rows])
    pace = float(np.median(each[1:] if len(each) > 1 else each))
    return {
        "task": data.name,
        "seed": seed,
        "metric": name,
        "chance": data.chance,
        "params": params.n_params,
        "lstm_params": fitted.params,
        "lstm_units": len(fitted.weights["lstm0.U"]),
        "curves": curves,
        "seconds_per_epoch": {"LMU": pace, "LSTM": fitted.seconds_per_epoch},
        "inference": inference(params, fitted, data),
    }


def timed_lstm(
    data: Sequences, params: int, seconds: float, batch: int, seed=0, validations=10
) -> Fitted:
    """Return an LSTM of one layer, trained for so many seconds.

    Parameters
    ----------
    data : Sequences
    params : int
        The most that it has.
    seconds : float
    batch : int
    seed : int
        Draws weights and batches.
    validations : int
        The most while it trains.

    Returns
    -------
    Fitted
    """
    model = lstm_for(data, params, seed)
    options = {"batch": batch, "seed": seed, "validations": validations}
    return fit(model, data, (seconds,), clipnorm=1.0, **options)[0]


def lmu_curve(data: Sequences, recipe, seconds: float, seed: int = 0):
    """Return the parameters of a recipe after so many seconds, and rows by the clock.

    Parameters
    ----------
    data : Sequences
    recipe : Recipe
    seconds : float
    seed : int

    Returns
    -------
    params : LMUParams
    rows : list of dict
    """
    from lmu_spiking.experiments.published.models import describe
    from lmu_spiking.training import train
    from lmu_spiking.training.recipes import start

    settings = replace(recipe.settings, seconds=seconds, seed=seed)
    made = train(start(recipe, data, seed), data, settings)
    rows = [row | {"epochs": row["epoch"]} for row in describe(made)["history"]]
    return made.params, rows


# -- inference ---------------------------------------------------------------------


def inference(params: LMUParams, fitted: Fitted, data: Sequences) -> list[dict]:
    """Return seconds of a step of a sequence, by model, way and batch, on one thread.

    Parameters
    ----------
    params : LMUParams
    fitted : Fitted
    data : Sequences

    Returns
    -------
    list of dict
    """
    rows = []
    for batch in BATCHES:
        x = np.resize(data.test.x, (batch, *data.test.x.shape[1:]))
        x = x.astype(np.float32)
        # a step of a stream, and whole sequences, of the same inputs
        ways = [
            ("LMU", "JAX, a sequence", _lmu_time(params, data, x)),
            ("LSTM", "JAX, a sequence", _time(fitted.predict, x) / data.steps),
        ]
        steps = {"LMU": lmu_step(params, batch)}
        steps["LSTM"] = lstm_step(fitted.weights, batch)
        for model, step in steps.items():
            gone = _stream_time(step, x, not data.last)
            ways.append((model, "numpy, a step", gone))
            if data.last:
                gone = _stream_time(step, x, True)
                ways.append((model, "numpy, a step, read", gone))
        for model, way, seconds in ways:
            row = {"model": model, "way": way, "batch": batch}
            rows.append(row | {"seconds_per_step": seconds})
    return rows


def lmu_step(params: LMUParams, batch: int) -> Callable:
    """Return a step in float32 of feedforward cells: outputs for inputs (n, c).

    Parameters
    ----------
    params : LMUParams
    batch : int
        Sequences side by side.

    Returns
    -------
    callable
        Of inputs, and whether outputs are wanted; if not, the last cell's units are
        left out.
    """
    cells, states = [], []
    for cell in params.cells:
        Ad, Bd = (a.astype(np.float32) for a in cell.ldn.discretize(params.dt))
        own = {name: a.astype(np.float32) for name, a in cell.arrays().items()}
        cells.append((cell.activation, Ad.T.copy(), Bd, own))
        states.append(np.zeros((batch * cell.memory_d, cell.order), np.float32))
    D, c = params.D.astype(np.float32), params.c.astype(np.float32)

    def step(x, read=True):
        for i, (activation, A, B, own) in enumerate(cells):
            u = x @ own["e_x"].T
            m = states[i] = states[i] @ A + u.reshape(-1, 1) * B
            if i == len(cells) - 1 and not read:
                return None
            J = m.reshape(batch, -1) @ own["W_m"].T
            x = activations(activation, J + own["b"] if "b" in own else J)
        return x @ D.T + c

    return step


def lstm_step(weights: dict[str, np.ndarray], batch: int) -> Callable:
    """Return a step in float32 of the LSTM: its outputs for inputs (n, c).

    Parameters
    ----------
    weights : dict of str to ndarray
        Of one layer and its readout, by name.
    batch : int
        Sequences side by side.

    Returns
    -------
    callable
        Of inputs, and whether outputs are wanted.
    """
    W, U, b = (weights[f"lstm0.{name}"] for name in "WUb")
    D, c = weights["readout.W"], weights["readout.b"]
    h, s = np.zeros((2, batch, len(U)), np.float32)

    def step(x, read=True):
        nonlocal h, s
        i, f, g, o = np.split(x @ W + h @ U + b, 4, axis=1)
        s = _sigmoid(f) * s + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(s)
        return h @ D + c if read else None

    return step


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the logistic function."""
    return (1 + np.tanh(x / 2)) / 2


def _stream_time(step: Callable, x: np.ndarray, read: bool) -> float:
    """Return the seconds of a step of a stream."""
    inputs = [x[:, t % x.shape[1]].copy() for t in range(STEPS)]

    def stream():
        for u in inputs:
            step(u, read)

    return _time(stream) / STEPS


def _lmu_time(params: LMUParams, data: Sequences, x: np.ndarray) -> float:
    """Return the seconds of a step of raw sequences, projection included."""
    from lmu_spiking.training.loop import engine_for
    from lmu_spiking.training.settings import TrainSettings

    engine = engine_for(params, TrainSettings(), data)
    outputs = engine.predictor(params.arrays())
    return _time(lambda x: outputs({"x": x}), x) / data.steps


def _time(function: Callable, *arguments) -> float:
    """Return the seconds of a call, the shortest of a few after a first."""
    function(*arguments)
    return min(timeit.repeat(lambda: function(*arguments), number=1, repeat=REPEATS))
