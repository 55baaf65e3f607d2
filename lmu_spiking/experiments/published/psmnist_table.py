"""The table of psMNIST: published accuracies, and ours over splits."""

import numpy as np
import pandas as pd
from scipy import stats

from lmu_spiking.experiments.published.result import Comparison

# Per cent on the 10,000 test digits of MNIST.
PUBLISHED = {
    "LMU": 97.15,  # psMNIST-standard.ipynb, branch paper, abr/neurips2019
    "parallel LMU": 98.49,  # Chilkuri, Eliasmith 2021
    "NRU": 95.38,  # table of the LMU paper
    "LSTM": 89.86,  # the same
    "pytorch-lmu": 96.9,  # README of hrshtv/pytorch-lmu, validation
}


def published() -> pd.DataFrame:
    """Rows of ``model, accuracy``, in per cent, on the whole of MNIST."""
    return pd.DataFrame(PUBLISHED.items(), columns=["model", "accuracy"])


def compare(models: pd.DataFrame, spiking: pd.DataFrame, whole: bool):
    """Return rate models, and spiking networks beside the prediction, in per cent."""
    known = {"LMU": "parallel LMU" if whole else "LMU", "LSTM, same time": "LSTM"}
    known["LSTM, longer"] = "LSTM"
    found = []
    for name, cell in models.groupby("model", sort=False):
        then = PUBLISHED.get(known.get(name))
        ends = _over_splits(100 * cell.test.to_numpy())
        what = f"{name}, rates" if name == "LMU" else name
        found.append(Comparison(what, then, *ends))
    for name in ("NRU", "pytorch-lmu"):
        found.append(Comparison(name, PUBLISHED[name], say="not run here"))
    for (seconds, m), cell in spiking.groupby(["presentation", "neurons"], sort=True):
        what = f"{seconds * 1e3:g} ms, m = {m:,}"
        loss = (cell.rate_accuracy - cell.predicted_loss).mean()
        rate, spikes = 100 * cell.rate_accuracy.mean(), 100 * cell.loss.mean()
        half = 100 * np.sqrt((((cell.loss_high - cell.loss_low) / 2) ** 2).sum())
        half /= len(cell)
        ends = rate - spikes, rate - spikes - half, rate - spikes + half
        found.append(Comparison(what, None, *map(float, ends), float(100 * loss)))
    return found


def notes(
    models: pd.DataFrame, spiking: pd.DataFrame, origin: str, whole: bool
) -> list[str]:
    """What was run, on what, at which cost."""
    splits = models.split.nunique()
    each = [
        f"{name} {cell.params.iloc[0]:,} parameters, {cell.seconds.mean():.0f} s, "
        f"{cell.epochs.mean():.3g} epochs"
        for name, cell in models.groupby("model", sort=False)
    ]
    costs = []
    for (seconds, m), cell in spiking.groupby(["presentation", "neurons"]):
        costs.append(
            f"{seconds * 1e3:g} ms, {m:,}: {cell.spikes_per_inference.mean():.3g} "
            f"spikes, {cell.synops_per_inference.mean():.3g} operations"
        )
    data = (
        "the published are of the same test set"
        if whole
        else (
            "the published are of the whole of MNIST, with 12 times as many digits to "
            "train on: beside them, not against them"
        )
    )
    digits = "/".join(f"{n:,}" for n in sorted({*spiking.sequences}))
    return [
        f"rates: mean of {splits} split{'s' * (splits > 1)}, interval of t over them; "
        f"{data}",
        "; ".join(each) + "; compilation of LSTMs is left out of their time; models "
        "trained for a set time have not converged, and only the LMU was tuned: no "
        "comparison of models",
        f"spikes: ms a pixel, on {digits} test digits of each split that was run; the "
        "interval is that of the paired loss around the rate accuracy of these digits; "
        "predicted: rate accuracy less the predicted loss",
        "an inference: " + "; ".join(costs),
        origin,
    ]


def _over_splits(values: np.ndarray) -> tuple[float, float | None, float | None]:
    """Mean with the 95 % interval of t, or none of one split."""
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return mean, None, None
    half = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return mean, float(mean - half), float(mean + half)
