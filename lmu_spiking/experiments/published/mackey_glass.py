"""Mackey-Glass of the LMU paper, 15 samples ahead: LMU, LSTM, hybrid, then spikes.

128 series of 5,000 samples, 32 to train, 32 to choose by and 64 to test, as in the
branch ``fix-mackey-glass`` [1]_; each model has about 18,000 parameters.  Ours is one
feedforward LMU.  The LSTM and the hybrid train for as long as it did, or as is wanted.

Errors are relative to the standard deviation; the paper's are to the rms, which is the
same to four digits, since the mean of all series is removed.

References
----------
.. [1] ``experiments/mackey-glass.ipynb``, github.com/abr/neurips2019.
"""

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import pandas as pd

from lmu_spiking.conversion import convert, predict_loss, present
from lmu_spiking.experiments.published import models as trained
from lmu_spiking.experiments.published.result import (
    Comparison,
    Reproduction,
    Silent,
    bootstrapped,
)
from lmu_spiking.experiments.records import in_parallel, kept, pick
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.metrics import nrmse, target_variance
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training.recipes import recipe_for

PUBLISHED = {"LSTM": 0.0587, "LMU": 0.0487, "Hybrid": 0.0447}
FAULTS = (
    "branch paper predicts the past: inputs and targets are swapped",
    "branch fix-mackey-glass: `act(a + b + c + bias if include_bias else 0)` makes "
    "h = act(0) where include_bias=False, its default",
    "NRMSE .059, often cited for the LMU, is the LSTM's (.0587); the LMU's is .0487",
)
SETTLED = 100  # samples, after which a memory has forgotten that it began from rest
SHOWN = 500  # last samples of the first test series, in the figure
GROUP = 8  # series whose activities are in memory at once, and that calibrate
PREDICTED = 8  # test series that the predicted loss is averaged over
TUNING, HIDDEN_SHARE = "optimal", 0.7  # least predicted loss, on validation series


@dataclass(frozen=True)
class Scale:
    """Sizes of the task, the models and the spiking networks.

    Attributes
    ----------
    series, steps : int
        Of the task.
    units, epochs : int
        Of the LMU, at the recipe's order.
    lstm : tuple of int
        Layers of the LSTM.
    hybrid : (units of its LMU, layers of its LSTM)
    piece : int
        Steps that LSTM and hybrid are trained on at a time.
    neurons : tuple of (presentation, neurons, test series)
    """

    series: int = 128
    steps: int = 5000
    units: int = 690
    epochs: int = 60
    lstm: tuple[int, ...] = (25, 25, 25, 25)
    hybrid: tuple[int, tuple[int, ...]] = (60, (40,))
    piece: int = 250
    neurons: tuple[tuple[float, int, int], ...] = (
        *((0.001, 1_000_000, 64), (0.001, 10_000_000, 64), (0.001, 100_000_000, 64)),
        *((0.01, 1_000_000, 16), (0.01, 10_000_000, 16), (0.01, 100_000_000, 16)),
    )


FAST = Scale(32, 1000, 300, 100, (8,), (10, (8,)), 100, ((0.001, 10_000_000, 8),))


def reproduce(
    seed: int = 0,
    *,
    fast=False,
    jobs: int = 1,
    out=None,
    bar=Silent,
    lstm_minutes: float | None = None,
    scale: Scale | None = None,
) -> Reproduction:
    """Train the three models, and convert ours to spikes.

    Parameters
    ----------
    seed : int
        Draws the series, the models, their batches and the spikes; the published
        series have 0.
    fast : bool
        Few short series and small models.
    jobs : int
        Processes of the spiking networks.
    out : path-like, optional
        Keeps parts as they are finished; with the same settings they are not done
        again.
    bar : callable
        Makes a progress bar from a name and a total; `Silent` by default.
    lstm_minutes : float, optional
        For the LSTM, and the same for the hybrid; as long as the LMU took by default,
        0 for none.
    scale : Scale, optional
        In place of what ``fast`` says.

    Returns
    -------
    Reproduction
    """
    scale = scale or (FAST if fast else Scale())
    data = mackey_glass(seed, scale.series, scale.steps)
    name = f"{'short' if fast else 'long'}-seed{seed}"
    about = asdict(scale) | {"seed": seed}
    # our LMU
    recipe = trained.recipe_of("mackey-glass", seed, scale.units, scale.epochs)
    ours = trained.train_kept(recipe, data, seed, out, f"lmu-{name}", bar)
    errors = scores(in_groups(ours.params, data.test.x), data.test.y)
    models = {"LMU": trained.describe(ours) | errors}
    # its rivals, for the same time
    limit = ours.seconds if lstm_minutes is None else 60 * lstm_minutes
    rivals = ("LSTM", "Hybrid") if limit else ()
    key, task = about | {"limit": limit}, (data, scale, limit, seed)
    parts = [
        (out, f"{rival.lower()}-{name}", key, partial(train_rival, rival, *task))
        for rival in rivals
    ]
    with bar("LSTM and hybrid", len(rivals)) as progress:
        found = in_parallel(kept, parts, 1, progress.advance)
    models |= zip(rivals, found, strict=True)
    # and the LMU in spikes
    run = partial(run_spiking, ours.params, data, seed=seed, jobs=jobs)
    key = {"scale": about, "of": ours.seconds}
    rows = trained.run_networks(scale.neurons, out, name, key, run, bar)
    table = pd.DataFrame([{"model": model} | row for model, row in models.items()])
    histories = [
        {"model": model} | record
        for model, row in models.items()
        for record in row["history"]
    ]
    return Reproduction(
        name="mackey-glass",
        title="Mackey-Glass, 15 samples ahead: NRMSE on the test series",
        comparisons=compare(models, rows),
        faults=FAULTS,
        notes=describe(models, rows, data, scale),
        data={
            "models": table.drop(columns="history"),
            "history": pd.DataFrame(histories),
            "spiking": pd.DataFrame(rows).drop(columns="example"),
            "example": example(data, ours.params, rows),
            "published": pd.DataFrame(PUBLISHED.items(), columns=["model", "nrmse"]),
        },
        settings=about | {"lstm_seconds": limit, "settled": SETTLED},
        seed=seed,
        fast=fast,
        beside="predicted",
    )


# -- rate-based models ---------------------------------------------------------------


def in_groups(params: LMUParams, x: np.ndarray) -> np.ndarray:
    """Return rate-based outputs (n, T, q), computed for some series at a time.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) ndarray

    Returns
    -------
    (n, T, q) ndarray
    """
    groups = range(0, len(x), GROUP)
    return np.concatenate([forward(params, x[i : i + GROUP]) for i in groups])


def train_rival(
    name: str, data: Sequences, scale: Scale, seconds: float, seed: int
) -> dict:
    """Return the row of an LSTM or a hybrid that trained for so many seconds."""
    from lmu_spiking.experiments.rivals import fit, hybrid_model, recurrent_model

    if name == "LSTM":
        model = recurrent_model("lstm", 1, 1, scale.lstm, seed=seed)
    else:
        recipe, (units, layers) = recipe_for("mackey-glass"), scale.hybrid
        options = {"order": recipe.order, "theta": recipe.theta, "seed": seed}
        options |= {"units": units, "layers": layers}
        options |= {"scale": 1 / float(np.std(data.train.x))}
        model = hybrid_model(1, 1, **options)
    (made,) = fit(model, data, (seconds,), batch=32, piece=scale.piece, seed=seed)
    row = pick(made, "params", "seconds", "epochs", "updates", "history")
    return row | scores(made.outputs, data.test.y)


def scores(outputs: np.ndarray, y: np.ndarray, seed: int = 0) -> dict:
    """Return NRMSE with its 95 % interval, from the start and from `SETTLED` on.

    Intervals are bootstrapped over the series.

    Parameters
    ----------
    outputs, y : (n, T, 1) ndarray
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``nrmse, low, high``, and the same with ``_settled``.
    """
    row = {}
    for start, end in ((0, ""), (SETTLED, "_settled")):
        found = nrmse_over_series(outputs[:, start:], y[:, start:], seed)
        names = (f"{name}{end}" for name in ("nrmse", "low", "high"))
        row |= zip(names, found, strict=True)
    return row


def nrmse_over_series(outputs, y, seed: int) -> list[float]:
    """Return the NRMSE and its 95 % interval over series."""
    square = np.mean((outputs - y) ** 2, axis=(1, 2), dtype=float)
    return np.sqrt(np.array(bootstrapped(square, seed)) / target_variance(y)).tolist()


# -- in spikes -----------------------------------------------------------------------


def run_spiking(
    params: LMUParams,
    data: Sequences,
    presentation: float,
    m: int,
    series: int,
    seed: int,
    jobs: int,
) -> dict:
    """Convert to ``m`` neurons and run the first test series.

    Parameters
    ----------
    params : LMUParams
    data : Sequences
    presentation : float
        Seconds a sample.
    m, series, seed, jobs : int

    Returns
    -------
    dict
        NRMSE of rates and spikes; the loss with its interval over series, and the
        predicted one; costs; ``example``, the end of the first series.
    """
    options = {"n_neurons": m, "presentation": presentation, "tuning": TUNING}
    options |= {"hidden_share": HIDDEN_SHARE, "noise_seed": seed, "last": False}
    made = convert(params, data.train.x[:GROUP], **options)
    x, y = data.test.x[:series].astype(float), data.test.y[:series].astype(float)
    exact, shown = in_groups(params, x), present(made, x, jobs=jobs)
    rate, (spiking, low, high) = nrmse(exact, y), nrmse_over_series(shown.y, y, seed)
    # the predicted loss is of the first series: the same noise on the error of all
    few = min(PREDICTED, series)
    predicted, _ = predict_loss(made, x[:few], y[:few], last=False, runs=2)
    of_few = nrmse(exact[:few], y[:few])
    noise = (of_few + predicted) ** 2 - of_few**2
    expected = float(np.sqrt(max(rate**2 + noise, 0.0)))
    per_second = float(shown.spikes.mean() / ((x.shape[1] + 1) * presentation))
    return {
        "label": f"spikes, m = {m:,}, {1e3 * presentation:g} ms a sample",
        "presentation": presentation,
        "steps_a_sample": round(presentation / made.settings.dt),
        "neurons": m,
        "series": series,
        "samples": int(x.shape[1]),
        "rate_nrmse": rate,
        "spiking_nrmse": spiking,
        "low": low,
        "high": high,
        "loss": spiking - rate,
        "predicted_nrmse": expected,
        "predicted_loss": expected - rate,
        "spikes_per_s": per_second,
        "mean_rate": per_second / m,
        "example": shown.y[0, -SHOWN:, 0].tolist(),
    }


def example(data: Sequences, params: LMUParams, rows: list[dict]) -> pd.DataFrame:
    """Return the end of the first test series: target, and predictions of all."""
    n = min(SHOWN, data.steps)
    table = {
        "t": np.arange(data.test.x.shape[1])[-n:] * data.dt,
        "target": data.test.y[0, -n:, 0],
        "rate": forward(params, data.test.x[:1])[0, -n:, 0],
    }
    return pd.DataFrame(table | {row["label"]: row["example"][-n:] for row in rows})


# -- in words ------------------------------------------------------------------------


def compare(models: dict, rows: list[dict]) -> tuple[Comparison, ...]:
    """Return the NRMSE of each model, and in spikes beside the predicted one."""
    lines = []
    for end, what in (("", ""), ("_settled", f", from step {SETTLED}")):
        for name in ("LMU", "LSTM", "Hybrid"):
            then, row = None if end else PUBLISHED[name], models.get(name, {})
            value = [row.get(f"{key}{end}") for key in ("nrmse", "low", "high")]
            say = "" if row else "not run"
            lines.append(Comparison(name + what, then, *value, say=say))
    for row in rows:
        what = f"spikes, m = {row['neurons']:,}, {row['steps_a_sample']} st."
        value = row["spiking_nrmse"], row["low"], row["high"], row["predicted_nrmse"]
        lines.append(Comparison(what, None, *value))
    return tuple(lines)


def describe(
    models: dict, rows: list[dict], data: Sequences, scale: Scale
) -> tuple[str, ...]:
    """Return what was run, in words."""
    cost = ("params", "seconds", "epochs")
    each = [trained.text_of(k, *(row[n] for n in cost)) for k, row in models.items()]
    lstm, hybrid = (", ".join(map(str, n)) for n in (scale.lstm, scale.hybrid[1]))
    networks = [
        f"{row['steps_a_sample']} steps, {row['neurons']:,}: {row['series']} series "
        f"(rate {row['rate_nrmse']:.4f})"
        for row in rows
    ]
    return (
        "; ".join(each) + "; published: about 18,000 parameters, 500 epochs",
        f"LMU: one feedforward cell of {scale.units} units; LSTM: layers of "
        f"{lstm}, published four of 25; hybrid: an LMU cell "
        f"of {scale.hybrid[0]} units before an LSTM of "
        f"{hybrid}.  LSTM and hybrid train on "
        f"pieces of {scale.piece} steps, for many more updates than the published one "
        "an epoch; compilation is left out of their time; they are not tuned and have "
        "not converged: no comparison of models",
        "one training seed: intervals are over test series alone",
        "every series starts from rest, with nothing to predict from: most of the "
        f"LMU's error is that of its first steps; from step {SETTLED} on without it",
        "spikes: the LMU's weights, Poisson neurons, 1 or 10 steps of 1 ms a sample "
        f"(st.), {TUNING} tuning, {HIDDEN_SHARE:.0%} of the neurons for the units; "
        f"series of {rows[0]['samples']:,} samples; " + "; ".join(networks),
        "predicted: NRMSE to expect, rates with the predicted noise on "
        f"{min(PREDICTED, rows[0]['series'])} of the series",
        data.origin,
    )
