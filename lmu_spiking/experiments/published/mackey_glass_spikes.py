"""The trained LMU of Mackey-Glass in spikes: its NRMSE, measured and predicted."""

import numpy as np

from lmu_spiking.conversion import convert, predict_loss, present
from lmu_spiking.experiments.published.result import Comparison
from lmu_spiking.rates.forward import forward
from lmu_spiking.tasks.sequences import nrmse, target_variance

GROUP = 8  # series whose activities are held at once
CALIBRATED = 8  # training series
PREDICTED = 8  # test series that the predicted loss is averaged over
TUNING, HIDDEN_SHARE = "optimal", 0.7  # least predicted loss, on validation series
SHOWN = 500


def in_groups(params, x: np.ndarray) -> np.ndarray:
    """Rate outputs (n, T, q), some series at a time."""
    groups = range(0, len(x), GROUP)
    return np.concatenate([forward(params, x[i : i + GROUP]) for i in groups])


def run(
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
        "example": shown.y[0, -SHOWN:, 0].tolist(),
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
