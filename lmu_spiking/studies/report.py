"""What a sweep says: errors beside predictions, exponents, figures and one page."""

from pathlib import Path

import numpy as np
import pandas as pd

from lmu_spiking import plots
from lmu_spiking.studies.folder import Folder
from lmu_spiking.studies.metrics import confidence, power_law
from lmu_spiking.studies.page import page
from lmu_spiking.studies.records import write_kept, write_parquet

CELL = ["neuron_type", "order", "neurons", "tau", "max_rate"]
MEASURES = ("state_rmse", "noise_nrmse")


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each combination: errors over its trials, and those predicted.

    Errors are roots of the mean over trials of squares, as are predictions (each trial
    has its own, for its own signal) and their ratios.  ``_low`` and ``_high`` end the
    95 % interval of Student's t over trials; NaN for a single trial.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.

    Returns
    -------
    DataFrame
        ``neuron_type, order, neurons, tau, max_rate, neurons_per_dimension, trials,
        spikes_per_s``, and for ``state_rmse`` and ``noise_nrmse`` the measured value,
        ``predicted_...`` and ``..._ratio``, measured over predicted.
    """
    return pd.DataFrame(
        [
            dict(zip(CELL, key, strict=True)) | _summary(cell)
            for key, cell in frame.groupby(CELL)
        ]
    )


def exponents(frame: pd.DataFrame) -> pd.DataFrame:
    """Fit power laws to ``state_rmse`` over trials, and to the predicted errors.

    Against neurons at each order; against order at each number of neurons per
    dimension, and at each number of neurons in all, where the grid has them.

    Returns
    -------
    DataFrame
        ``neuron_type, tau, max_rate, against, at`` (what is held), ``trials, exponent,
        low, high`` (95 %) and ``predicted``: the exponent of the predictions over the
        same trials.
    """
    frame = frame.assign(neurons_per_dimension=frame.neurons / frame.order)
    fits = (
        ("neurons", "order", "order {:g}"),
        ("order", "neurons_per_dimension", "{:g} a dimension"),
        ("order", "neurons", "{:g} neurons"),
    )
    rows = []
    for against, held, form in fits:
        keys = ["neuron_type", "tau", "max_rate", held]
        for key, trials in frame.groupby(keys):
            if trials[against].nunique() < 2 or len(trials) < 3:
                continue
            what = dict(zip(keys, key, strict=True))
            at = form.format(what.pop(held))
            rows.append(
                what | {"against": against, "at": at} | _exponent(trials, against)
            )
    return pd.DataFrame(rows, columns=EXPONENT_COLUMNS)


EXPONENT_COLUMNS = [
    *("neuron_type", "tau", "max_rate", "against", "at"),
    *("trials", "exponent", "low", "high", "predicted"),
]


def write_report(
    frame: pd.DataFrame, out, command: str, missing: int = 0
) -> dict[str, Path]:
    """Write tables, figures and one self-contained page to the folder ``out``.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.
    out : path-like
    command : str
        What made it, so that it can be made again.
    missing : int
        Trials that should be there and are not finished: the page says so.

    Returns
    -------
    dict of Path
        By name: ``report.html``, ``summary.parquet``, ``trials.parquet`` and figures.
        Figures of an earlier report that are not in this one are removed.
    """
    out, summary = Path(out), summarise(frame)
    pictures = {
        f"{name}.png": plots.png(figure)
        for name, figure in plots.study_figures(summary).items()
    }
    text = page(frame, summary, exponents(frame), pictures, command, missing)
    tables = {"summary.parquet": summary, "trials.parquet": frame}
    with Folder(out, "study") as folder:
        names = (*pictures, *tables, "report.html")
        files = {name: folder.claim(name) for name in names}
        for name, data in pictures.items():
            write_kept(files[name], data)
        for name, table in tables.items():
            write_parquet(files[name], table)
        write_kept(files["report.html"], text.encode())
        folder.clear("*.png")
    return files


def _summary(cell: pd.DataFrame) -> dict:
    row = {
        "neurons_per_dimension": cell.neurons.iloc[0] / cell.order.iloc[0],
        "trials": len(cell),
        "spikes_per_s": cell.spikes_per_s.mean(),
    }
    for name in MEASURES:
        measured, predicted = cell[name], cell[f"predicted_{name}"]
        ratio = (measured / predicted).where(predicted > 0)
        row |= interval(name, measured)
        row[f"predicted_{name}"] = np.sqrt(np.mean(predicted**2))
        row |= interval(f"{name}_ratio", ratio)
    return row


def interval(name: str, values: pd.Series) -> dict:
    """Root of the mean square, with an interval symmetric in its logarithm."""
    mean, half = confidence(values**2)
    root = np.sqrt(mean)
    factor = np.exp(half / mean / 2) if len(values) > 1 and mean > 0 else np.nan
    return {name: root, f"{name}_low": root / factor, f"{name}_high": root * factor}


def _exponent(trials: pd.DataFrame, against: str) -> dict:
    measured = _fit(trials[against], trials.state_rmse)
    predicted = _fit(trials[against], trials.predicted_state_rmse)
    return {
        "trials": len(trials),
        "exponent": measured.exponent if measured else np.nan,
        "low": measured.low if measured else np.nan,
        "high": measured.high if measured else np.nan,
        "predicted": predicted.exponent if predicted else np.nan,
    }


def _fit(x: pd.Series, y: pd.Series):
    """A power law, or None where there is no error to have one."""
    return power_law(x, y) if (y > 0).all() else None
