r"""A window that is learned: the time scale of a signal, from its delayed copy.

The model is a delay of its own window, ``y = sum_i m_i``, since ``P_i(1) = 1``; all
that is trained is ``log theta``.  Between noise of bandwidth ``f`` and its copy a lag
``s`` away the mean square error is ``2 - 2 sinc(2 f s)``: flat, and with side lobes
that lead away, beyond ``s = 1 / (2 f)``, .1 s at 5 Hz.  Gradient descent from a factor
of 4 away stalls or ends in a lobe.

The way out is from coarse to fine.  Any filter commutes with a delay, so the same
lowpass on input and target leaves the answer where it was; one pole at ``f_c`` makes
the correlation ``exp(-2 pi f_c |s|)``, which falls on all sides.  Each stage raises
``f_c``, starts where the last one ended, and takes smaller steps; the last one trains
on the signal as it is.

Samples are taken in the middle of a step, which a memory that holds its input stands
for, and targets at its end: then the delay of ``theta`` is exact.

Two windows, of two cells one behind the other, are both learned by plain descent in
another task: the mean over `SLOW` seconds of the absolute value of the mean over `FAST`
seconds (`two_scales`).  Means of white noise over windows ``a < b`` that end together
correlate by ``sqrt(a / b)``, which falls on both sides and has no lobes, so that the
loss leads home from a factor of 4 away.  The kernels of both memories say "the mean of
the window"; all else is trained from random numbers.  Kernels that are trained along
can say "the last quarter of the window", and hold the first window back.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.signal import lfilter

from lmu_spiking.experiments.records import pick
from lmu_spiking.lmu.forward import run_cell
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.metrics import rms
from lmu_spiking.signals import white_noise
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training import TrainSettings, train

DT, BANDWIDTH, DELAY = 2e-3, 5.0, 0.2
DURATION, SEQUENCES = 3.0, 12  # seconds of each, and how many train
ORDER = 24
STAGES = ((0.3, 40, 0.08), (1.0, 25, 0.04), (3.0, 25, 0.02), (None, 30, 0.01))
"""Of each stage: pole of the lowpass (Hz), epochs, learning rate of ``log theta``."""


def delayed_noise(
    seed: int,
    delay: float = DELAY,
    *,
    sequences: int = SEQUENCES,
    duration: float = DURATION,
    bandwidth: float = BANDWIDTH,
    dt: float = DT,
) -> Sequences:
    """Return white noise, and the same ``delay`` seconds later, 0 before it begins.

    Parameters
    ----------
    seed : int
        Draws all sequences: as many to test as to train, and half as many to choose by.
    delay, duration, dt : float
        Seconds.
    sequences : int
        That train.
    bandwidth : float
        Hz.

    Returns
    -------
    Sequences
    """
    counts = sequences, max(sequences // 2, 1), sequences
    steps, lag = round(duration / dt), round(2 * delay / dt)
    rng = np.random.default_rng(seed)
    x = np.empty((sum(counts), steps, 1))
    y = np.empty_like(x)
    for i, each in enumerate(rng.integers(2**31, size=len(x))):
        # twice as many samples: middles and ends of steps
        u = white_noise(duration, dt / 2, bandwidth, 1.0, int(each)).samples
        u = np.concatenate([np.zeros(lag), u, u[:1]])
        x[i, :, 0] = u[lag + 1 :: 2][:steps]
        y[i, :, 0] = u[2::2][:steps]
    ends = np.cumsum(counts)[:2]
    parts = map(Part, np.split(x, ends), np.split(y, ends))
    origin = f"white noise of {bandwidth:g} Hz and its copy {delay:g} s later"
    return Sequences("delay", *parts, dt, None, False, origin)


def lowpassed(data: Sequences, pole: float | None) -> Sequences:
    """Return inputs and targets through the same lowpass of one pole, to rms 1.

    Parameters
    ----------
    data : Sequences
    pole : float or None
        Hz; None for the signals as they are.

    Returns
    -------
    Sequences
    """
    if pole is None:
        return data
    a = np.exp(-2 * np.pi * pole * data.dt)

    def filtered(values):
        return np.asarray(lfilter([1 - a], [1, -a], values.astype(float), axis=1))

    # one scale for inputs and targets of all parts
    size, parts = rms(filtered(data.train.x)), pick(data, "train", "valid", "test")
    for name, part in parts.items():
        parts[name] = Part(filtered(part.x) / size, filtered(part.y) / size)
    return replace(data, **parts)


def delay_of_theta(theta: float, order: int = ORDER, dt: float = DT) -> LMUParams:
    """Return a memory whose readout is its input ``theta`` seconds ago.

    Parameters
    ----------
    theta, dt : float
        Seconds.
    order : int

    Returns
    -------
    LMUParams
    """
    one, ones = np.ones((1, 1)), np.ones((1, order))
    cell = CellParams(order, theta, one, ones, activation="linear")
    return LMUParams((cell,), one, np.zeros(1), dt=dt, header={"task": "delay"})


def learn_theta(
    data: Sequences,
    theta: float,
    *,
    order: int = ORDER,
    stages=STAGES,
    readout: bool = False,
    seed: int = 0,
) -> tuple[LMUParams, list[dict]]:
    """Return parameters with the window that was learned, and the way there.

    Parameters
    ----------
    data : Sequences
    theta : float
        To start from, seconds.
    order : int
    stages : sequence of (pole, epochs, learning rate)
    readout : bool
        Whether the readout of the window is trained along.
    seed : int

    Returns
    -------
    params : LMUParams
    path : list of dict
        Of each epoch ``stage``, ``theta``, ``loss``, ``seconds``; the start first.
    """
    params = delay_of_theta(theta, order, data.dt)
    path = [{"stage": 0, "theta": theta, "loss": None, "seconds": 0.0}]
    common = {"batch": len(data.train), "schedule": "cosine", "seed": seed}
    common |= {"trainable": ("cell0.W_m",) if readout else (), "trainable_theta": True}
    # each stage starts where the last one ended
    for number, (pole, epochs, rate) in enumerate(stages, 1):
        settings = TrainSettings(epochs=epochs, learning_rate=rate, **common)
        made = train(params, lowpassed(data, pole), settings)
        params = made.params
        for record in made.history:
            row = {name: record[name] for name in ("loss", "seconds")}
            path.append({"stage": number, "theta": record["cell0.theta"]} | row)
    return params, path


def theta_row(seed: int, factor: float, recipe: str, **options) -> dict:
    """Return the row of one training from ``factor`` times the hidden delay.

    Parameters
    ----------
    seed : int
    factor : float
    recipe : {"coarse to fine", "plain", "readout too"}
        *plain* trains on the signal as it is for as many epochs; *readout too* trains
        the readout along, from coarse to fine.
    **options
        Of `delayed_noise`.

    Returns
    -------
    dict
    """
    from lmu_spiking.training import evaluate

    data, stages = delayed_noise(seed, **options), STAGES
    if recipe == "plain":
        stages = ((None, sum(epochs for _, epochs, _ in STAGES), STAGES[0][2]),)
    how = {"stages": stages, "readout": recipe == "readout too", "seed": seed}
    params, path = learn_theta(data, factor * DELAY, **how)
    theta = params.cells[0].theta
    return {
        "seed": seed,
        "recipe": recipe,
        "start": factor * DELAY,
        "theta": theta,
        "error": theta / DELAY - 1,
        "nrmse": evaluate(params, data.test),
        "epochs": len(path) - 1,
        "seconds": sum(row["seconds"] for row in path),
        "path": [row["theta"] for row in path],
    }


# -- two windows, one behind the other -----------------------------------------------

FAST, SLOW, START = 0.1, 1.6, 0.4  # seconds: both hidden windows, and where both begin
LAYERS: dict[str, Any] = {"dt": 0.01, "bandwidth": 25.0, "duration": 10.0}
LAYERS |= {"sequences": 32}
LAYERS |= {"orders": (6, 6), "units": 16, "epochs": 150, "rate": 0.03, "batch": 8}
# of each way: windows to begin with, whether they are trained, and whether kernels are
WAYS = {
    "learned": ((START, START), True, False),
    "fixed at the start": ((START, START), False, False),
    "fixed at the truth": ((FAST, SLOW), False, False),
    "fixed at the start, kernels trained": ((START, START), False, True),
    "learned, kernels trained": ((START, START), True, True),
}


def two_scales(seed: int) -> Sequences:
    """Return white noise, and the slow mean of the size of its fast mean.

    Parameters
    ----------
    seed : int
        Draws all sequences: as many to test as to train, and a quarter to choose by.

    Returns
    -------
    Sequences
        The target is that of a signal of 0 before the sequences begin.
    """
    dt, n = LAYERS["dt"], LAYERS["sequences"]
    counts, about = (n, n // 4, n), (LAYERS["duration"], dt, LAYERS["bandwidth"], 1.0)
    each = np.random.default_rng(seed).integers(2**31, size=sum(counts))
    u = np.stack([white_noise(*about, int(one)).samples for one in each])
    y = running_mean(np.abs(running_mean(u, round(FAST / dt))), round(SLOW / dt))
    ends = np.cumsum(counts)[:2]
    parts = map(Part, np.split(u[..., None], ends), np.split(y[..., None], ends))
    origin = f"white noise, its means over {FAST:g} and {SLOW:g} s, by seed {seed}"
    return Sequences("two scales", *parts, dt, None, False, origin)


def running_mean(u, steps: int) -> np.ndarray:
    """Return the mean of each step and those before it, 0 before the first.

    Parameters
    ----------
    u : (n, T) ndarray
    steps : int
        That the mean is over.

    Returns
    -------
    (n, T) ndarray
    """
    ones = np.ones(steps) / steps
    return np.asarray(lfilter(ones, [1.0], u, axis=1))


def two_cells(data: Sequences, seed: int, thetas, kernels: bool) -> LMUParams:
    """Return two cells in series, drawn but for kernels that say what is read.

    Parameters
    ----------
    data : Sequences
        By which encoder and readout are scaled: the first memory has rms 1, and
        outputs begin at the mean of the targets, and are no larger than they are.  If
        the first gradients were, Adam would divide by them for a thousand steps.
    seed : int
    thetas : (float, float)
        Seconds.
    kernels : bool
        Whether kernels are drawn, too; else each is the mean of its window.

    Returns
    -------
    LMUParams
        Rectified units of one memory of the input, and a linear one of a memory of
        theirs.
    """
    fast, slow = LAYERS["orders"]
    common = {"connections": "", "bias": True}
    cells = [
        {"units": LAYERS["units"], "order": fast, "activation": "relu"},
        {"units": 1, "order": slow, "activation": "linear"},
    ]
    cells = [c | common | {"theta": t} for c, t in zip(cells, thetas, strict=True)]
    about = {"dt": LAYERS["dt"], "seed": seed, "task": "two scales"}
    params = LMUParams.draw(1, 1, cells, **about)
    first = params.cells[0]
    m, _ = run_cell(first, data.train.x.astype(float), data.dt)
    y = data.train.y.astype(float)
    scaled = {"readout.D": params.D * y.std(), "readout.c": [y.mean()]}
    params = params.updated({"cell0.e_x": first.e_x / rms(m)} | scaled)
    if kernels:
        return params
    # the first coefficient is the mean; its weights are drawn, both signs of each
    gains = np.random.default_rng(seed).standard_normal((LAYERS["units"] // 2, 1))
    gains = np.concatenate([gains, -gains]) * np.eye(1, fast)
    return params.updated({"cell0.W_m": gains, "cell1.W_m": np.eye(1, slow)})


def layers_row(seed: int, way: str, epochs: int | None = None) -> dict:
    """Return the row of a training of two cells in series.

    Parameters
    ----------
    seed : int
        Of the sequences, the initial parameters and the batches.
    way : str
        One of `WAYS`.
    epochs : int, optional
        Those of `LAYERS` by default.

    Returns
    -------
    dict
        ``errors`` are those of both windows, relative to the hidden ones.
    """
    from lmu_spiking.training import evaluate

    data, (thetas, moving, kernels) = two_scales(seed), WAYS[way]
    params = two_cells(data, seed, thetas, kernels)
    names = [n for n in params.arrays() if kernels or not n.endswith("W_m")]
    settings = TrainSettings(
        epochs=epochs or LAYERS["epochs"],
        batch=LAYERS["batch"],
        learning_rate=LAYERS["rate"],
        schedule="cosine",
        trainable=names,
        trainable_theta=moving,
        seed=seed,
    )
    made = train(params, data, settings)
    found = [cell.theta for cell in made.params.cells]
    row = {"seed": seed, "way": way, "fast": found[0], "slow": found[1]}
    row["errors"] = [t / true - 1 for t, true in zip(found, (FAST, SLOW), strict=True)]
    row |= {"worst_error": max(map(abs, row["errors"]))}
    row |= {"nrmse": evaluate(made.params, data.test), "params": params.n_params}
    row["epochs"] = len(made.history)
    if moving:
        names = ("cell0.theta", "cell1.theta")
        row["path"] = [list(thetas)]
        row["path"] += [[each[name] for name in names] for each in made.history]
    return row
