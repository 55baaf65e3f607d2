"""Mackey-Glass of the LMU paper, 15 samples ahead: LMU, LSTM, hybrid, then spikes.

128 series of 5,000 samples, 32 to train, 32 to choose by and 64 to test, as in the
branch ``fix-mackey-glass`` [1]_; each model has about 18,000 parameters.  Ours is one
feedforward LMU.  The LSTM and the hybrid train for as long as it did, or as is wanted.

References
----------
.. [1] ``experiments/mackey-glass.ipynb``, github.com/abr/neurips2019.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from lmu_spiking.conversion import convert, predict_loss, present
from lmu_spiking.experiments.published.parts import kept, of_lmu, trained
from lmu_spiking.experiments.published.result import Comparison, Reproduction, Silent
from lmu_spiking.lmu.forward import forward
from lmu_spiking.metrics import nrmse, target_variance
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.training.recipes import Recipe, recipe_for

# --------------------------------------------------------------------------------------
# The trained LMU of Mackey-Glass in spikes: its NRMSE, measured and predicted.


GROUP = 8  # series whose activities are held at once
CALIBRATED = 8  # training series
PREDICTED = 8  # test series that the predicted loss is averaged over
TUNING, HIDDEN_SHARE = "optimal", 0.7  # least predicted loss, on validation series
SPIKES_SHOWN = 500


def in_groups(params, x: np.ndarray) -> np.ndarray:
    """Rate outputs (n, T, q), some series at a time."""
    groups = range(0, len(x), GROUP)
    return np.concatenate([forward(params, x[i : i + GROUP]) for i in groups])


def run_spiking(
    params, data, presentation: float, m: int, series: int, seed: int, jobs: int
) -> dict:
    """A conversion to ``m`` neurons on the first test series.

    Returns
    -------
    dict
        NRMSE of rates and spikes; the loss with its interval over series, and the
        predicted one; costs; ``example``, the end of the first series.
    """
    made = convert(
        params,
        data.train.x[:CALIBRATED],
        n_neurons=m,
        presentation=presentation,
        tuning=TUNING,
        hidden_share=HIDDEN_SHARE,
        noise_seed=seed,
        last=False,
    )
    x, y = data.test.x[:series].astype(float), data.test.y[:series].astype(float)
    few = min(PREDICTED, series)
    predicted, _ = predict_loss(made, x[:few], y[:few], last=False, runs=2)
    exact, shown = in_groups(params, x), present(made, x, jobs=jobs)
    rate, spiking = nrmse(exact, y), nrmse(shown.y, y)
    low, high = _interval(exact, shown.y, y, seed)
    # the predicted loss is of the first series: the same noise on the error of all
    of_few = nrmse(exact[:few], y[:few])
    noise = (of_few + predicted) ** 2 - of_few**2
    expected = float(np.sqrt(max(rate**2 + noise, 0.0)))
    seconds = (x.shape[1] + 1) * presentation
    per_second = float(shown.spikes.mean() / seconds)
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
        "example": shown.y[0, -SPIKES_SHOWN:, 0].tolist(),
    }


def compare(rows: list[dict]) -> list[Comparison]:
    """Return the spiking NRMSE beside the predicted one."""
    found = []
    for row in rows:
        steps = row["steps_a_sample"]
        what = f"spikes, m = {row['neurons']:,}, {steps} st."
        value = (row["spiking_nrmse"], row["low"], row["high"])
        found.append(Comparison(what, None, *value, beside=row["predicted_nrmse"]))
    return found


def notes(rows: list[dict]) -> list[str]:
    """What was run, in words."""
    each = [
        f"{row['steps_a_sample']} steps, {row['neurons']:,}: {row['series']} series "
        f"(rate {row['rate_nrmse']:.4f})"
        for row in rows
    ]
    return [
        "spikes: the LMU's weights, Poisson neurons, 1 or 10 steps of 1 ms a sample "
        f"(st.), {TUNING} tuning, {HIDDEN_SHARE:.0%} of the neurons for the units; "
        f"series of {rows[0]['samples']:,} samples; " + "; ".join(each),
        "predicted: NRMSE to expect, rates with the predicted noise on "
        f"{min(PREDICTED, rows[0]['series'])} of the series",
    ]


def _interval(exact, spiking, y, seed: int) -> tuple[float, float]:
    """Bootstrapped over series, 95 %, of the spiking NRMSE."""
    square = np.mean((spiking - y) ** 2, axis=(1, 2))
    drawn = np.random.default_rng(seed).integers(0, len(y), (5000, len(y)))
    spread = np.sqrt(square[drawn].mean(axis=1) / target_variance(y))
    low, high = np.quantile(spread, [0.025, 0.975])
    return float(low), float(high)


# --------------------------------------------------------------------------------------

PUBLISHED = {"LSTM": 0.0587, "LMU": 0.0487, "Hybrid": 0.0447}
SETTLED = 100  # samples, after which a memory has forgotten that it began from rest
SHOWN = 500  # samples of the first test series, in the figure


@dataclass(frozen=True)
class Scale:
    """Sizes of everything.

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
        (0.001, 1_000_000, 64),
        (0.001, 10_000_000, 64),
        (0.001, 100_000_000, 64),
        (0.01, 1_000_000, 16),
        (0.01, 10_000_000, 16),
        (0.01, 100_000_000, 16),
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
):
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
    ours = trained(_recipe(scale, seed), data, seed, out, f"lmu-{name}", bar)
    limit = ours.seconds if lstm_minutes is None else 60 * lstm_minutes
    y = data.test.y
    models = {"LMU": of_lmu(ours)}
    models["LMU"] |= scores(in_groups(ours.params, data.test.x), y)
    rivals = ("LSTM", "Hybrid") if limit else ()
    with bar("LSTM and hybrid", len(rivals)) as progress:
        for rival in rivals:
            models[rival] = kept(
                out,
                f"{rival.lower()}-{name}",
                about | {"limit": limit},
                lambda rival=rival: _rival(rival, data, scale, limit, seed),
            )
            progress.advance(rival)
    rows = []
    with bar("Spiking networks", len(scale.neurons)) as progress:
        for presentation, m, series in scale.neurons:
            about_it = {"scale": about, "of": ours.seconds, "m": m, "n": series}
            rows.append(
                kept(
                    out,
                    f"spikes-{name}-{round(presentation * 1e3)}ms-{m}",
                    about_it | {"presentation": presentation},
                    lambda given=(presentation, m, series): run_spiking(
                        ours.params, data, *given, seed, jobs
                    ),
                )
            )
            progress.advance(m)
    return Reproduction(
        name="mackey-glass",
        title="Mackey-Glass, 15 samples ahead: NRMSE on the test series",
        comparisons=(*_compare(models), *compare(rows)),
        faults=FAULTS,
        notes=tuple(_notes(models, rows, data, scale)),
        data={
            "models": pd.DataFrame(
                [
                    {"model": k}
                    | {n: v for n, v in row.items() if not isinstance(v, list)}
                    for k, row in models.items()
                ]
            ),
            "history": pd.DataFrame(
                [{"model": k} | h for k, row in models.items() for h in row["history"]]
            ),
            "spiking": pd.DataFrame(rows).drop(columns="example"),
            "example": _example(data, ours.params, rows),
            "published": pd.DataFrame(PUBLISHED.items(), columns=["model", "nrmse"]),
        },
        settings=about | {"lstm_seconds": limit, "settled": SETTLED},
        seed=seed,
        fast=fast,
        beside="predicted",
    )


FAULTS = (
    "branch paper predicts the past: inputs and targets are swapped",
    "branch fix-mackey-glass: `act(a + b + c + bias if include_bias else 0)` makes "
    "h = act(0) where include_bias=False, its default",
    "NRMSE .059, often cited for the LMU, is the LSTM's (.0587); the LMU's is .0487",
)


def scores(outputs: np.ndarray, y: np.ndarray, seed: int = 0) -> dict:
    """Return NRMSE with its 95 % interval, from the start and from step `SETTLED` on.

    Relative to the standard deviation; the paper's is to the rms, which is the same to
    four digits, since the mean of all series is removed.

    Intervals are bootstrapped over the series (n, T, 1).
    """
    found = {}
    for start, end in ((0, ""), (SETTLED, "_settled")):
        square = np.mean((outputs - y)[:, start:] ** 2, axis=(1, 2), dtype=float)
        power = target_variance(y[:, start:])
        drawn = np.random.default_rng(seed).integers(0, len(y), (5000, len(y)))
        spread = np.sqrt(square[drawn].mean(axis=1) / power)
        low, high = np.quantile(spread, [0.025, 0.975])
        found |= {f"nrmse{end}": float(np.sqrt(square.mean() / power))}
        found |= {f"low{end}": float(low), f"high{end}": float(high)}
    return found


def _recipe(scale: Scale, seed: int) -> Recipe:
    recipe = recipe_for("mackey-glass")
    settings = replace(recipe.settings, epochs=scale.epochs, seed=seed)
    return replace(recipe, units=scale.units, settings=settings)


def _rival(name: str, data, scale: Scale, seconds: float, seed: int) -> dict:
    from lmu_spiking.experiments.published.rivals import fit, hybrid_model, lstm_model

    if name == "LSTM":
        model = lstm_model(1, 1, scale.lstm, seed=seed)
    else:
        recipe, (units, layers) = recipe_for("mackey-glass"), scale.hybrid
        options = {"order": recipe.order, "theta": recipe.theta, "steps": data.steps}
        options |= {"units": units, "layers": layers, "seed": seed}
        options |= {"scale": 1 / float(np.std(data.train.x))}
        model = hybrid_model(1, 1, **options)
    (found,) = fit(model, data, (seconds,), batch=32, piece=scale.piece, seed=seed)
    row = {"params": found.n_params, "seconds": found.seconds, "epochs": found.epochs}
    row |= {"updates": found.updates, "history": found.history}
    return row | scores(found.outputs, data.test.y)


def _compare(models: dict) -> list[Comparison]:
    found = []
    for end, what in (("", ""), ("_settled", f", from step {SETTLED}")):
        for name in ("LMU", "LSTM", "Hybrid"):
            then = None if end else PUBLISHED[name]
            if name not in models:
                found.append(Comparison(name + what, then, say="not run"))
                continue
            row = models[name]
            value = (row[f"nrmse{end}"], row[f"low{end}"], row[f"high{end}"])
            found.append(Comparison(name + what, then, *value))
    return found


def _notes(models: dict, rows: list[dict], data, scale: Scale) -> list[str]:
    each = [
        f"{name} {row['params']:,} parameters, {row['seconds']:.0f} s, "
        f"{row['epochs']:.3g} epochs"
        for name, row in models.items()
    ]
    return [
        "; ".join(each) + "; published: about 18,000 parameters, 500 epochs",
        f"LMU: one feedforward cell of {scale.units} units; LSTM: layers of "
        f"{', '.join(map(str, scale.lstm))}, published four of 25; hybrid: an LMU cell "
        f"of {scale.hybrid[0]} units before an LSTM of "
        f"{', '.join(map(str, scale.hybrid[1]))}.  LSTM and hybrid train on "
        f"pieces of {scale.piece} steps, for many more updates than the published one "
        "an epoch; compilation is left out of their time; they are not tuned and have "
        "not converged: no comparison of models",
        "one training seed: intervals are over test series alone",
        "every series starts from rest, with nothing to predict from: most of the "
        f"LMU's error is that of its first steps; from step {SETTLED} on without it",
        *notes(rows),
        data.origin,
    ]


def _example(data, params, rows: list[dict]) -> pd.DataFrame:
    """The end of the first test series: target, rate and spiking predictions."""
    n = min(SHOWN, data.steps)
    table = {
        "t": np.arange(data.test.x.shape[1])[-n:] * data.dt,
        "target": data.test.y[0, -n:, 0],
        "rate": forward(params, data.test.x[:1])[0, -n:, 0],
    }
    for row in rows:
        table[row["label"]] = row["example"][-n:]
    return pd.DataFrame(table)
