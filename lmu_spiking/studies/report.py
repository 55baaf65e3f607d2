"""What a sweep says: errors beside predictions, exponents, figures and one page."""

from pathlib import Path

import numpy as np
import pandas as pd

from lmu_spiking import plots
from lmu_spiking.metrics import confidence, power_law
from lmu_spiking.studies.folder import write_all
from lmu_spiking.studies.page import error_table, exponent_table, html_page

CELL = ["neuron_type", "order", "neurons", "tau", "max_rate"]
MEASURES = ("state_rmse", "noise_nrmse")
EXPONENT_COLUMNS = [
    *("neuron_type", "tau", "max_rate", "against", "at"),
    *("trials", "exponent", "low", "high", "predicted"),
]
FITS = (  # of errors against what, at each value of what, and how that is written
    ("neurons", "order", "order {:g}"),
    ("order", "neurons_per_dimension", "{:g} a dimension"),
    ("order", "neurons", "{:g} neurons"),
)

TITLE = "Errors of spiking memories"
HEADING = "Errors of spiking memories, measured and predicted"
OF_EXPONENTS = (
    "Power laws of the state RMSE, fitted over trials (not over their means), with "
    "95 % intervals. “Predicted” is the exponent of the predictions for the same "
    "trials."
)
OF_ERRORS = (
    "State RMSE: against the exact delay network, over time, dimensions and trials. "
    "Noise NRMSE: of the readout at delay θ, against that of the exact network, over "
    "its rms. Ratios are measured over predicted. In brackets: 95 % intervals."
)


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

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.

    Returns
    -------
    DataFrame
        ``neuron_type, tau, max_rate, against, at`` (what is the same in the trials),
        ``trials, exponent, low, high`` (95 %) and ``predicted``: the exponent of the
        predictions over the same trials.
    """
    # each fit is over the trials that differ in one variable alone
    frame = frame.assign(neurons_per_dimension=frame.neurons / frame.order)
    rows = []
    for against, fixed, form in FITS:
        keys = ["neuron_type", "tau", "max_rate", fixed]
        for key, trials in frame.groupby(keys):
            if trials[against].nunique() < 2 or len(trials) < 3:
                continue
            row = dict(zip(keys, key, strict=True))
            row |= {"at": form.format(row.pop(fixed)), "against": against}
            measured = _fit(trials[against], trials.state_rmse)
            predicted = _fit(trials[against], trials.predicted_state_rmse)
            row |= {"trials": len(trials), "predicted": predicted["exponent"]}
            rows.append(row | measured)
    return pd.DataFrame(rows, columns=EXPONENT_COLUMNS)


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
        By name: ``report.html``, ``summary.parquet``, ``trials.parquet``, tables as CSV
        and figures as PNG and PDF.
        Figures of an earlier report that are not in this one are removed.
    """
    summary = summarise(frame)
    # all is made before the folder is locked
    figures = plots.study_figures(summary)
    pictures = {name: plots.png(figure) for name, figure in figures.items()}
    sections = (
        ("Exponents", OF_EXPONENTS, exponent_table(exponents(frame))),
        ("Errors", OF_ERRORS, error_table(summary)),
    )
    captioned = [(plots.CAPTIONS[name], data) for name, data in pictures.items()]
    text = html_page(TITLE, HEADING, frame, captioned, sections, command, missing)
    files: dict = {f"{name}.png": data for name, data in pictures.items()}
    files |= {f"{name}.pdf": plots.pdf(figure) for name, figure in figures.items()}
    files |= {"summary.parquet": summary, "trials.parquet": frame}
    files |= {"summary.csv": summary, "exponents.csv": exponents(frame)}
    files["report.html"] = text.encode()
    return write_all(out, "study", files, ("*.png",))


def within_intervals(frame: pd.DataFrame) -> tuple[int, int]:
    """Return how many trials measured a noise within the interval of a run.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.

    Returns
    -------
    within, known : int
        Trials within their interval, and trials that have one.
    """
    ends = [f"predicted_noise_nrmse_{end}" for end in ("low", "high")]
    if not set(ends) <= set(frame):  # trials of an earlier version
        return 0, 0
    known = frame.dropna(subset=ends)
    return int(known.noise_nrmse.between(*(known[e] for e in ends)).sum()), len(known)


def _summary(cell: pd.DataFrame) -> dict:
    """Return the errors over the trials of one combination, and those predicted."""
    row = {
        "neurons_per_dimension": cell.neurons.iloc[0] / cell.order.iloc[0],
        "trials": len(cell),
        "spikes_per_s": cell.spikes_per_s.mean(),
    }
    for name in MEASURES:
        measured, predicted = cell[name], cell[f"predicted_{name}"]
        # without a prediction there is no ratio
        ratio = (measured / predicted).where(predicted > 0)
        row |= interval(name, measured)
        row[f"predicted_{name}"] = np.sqrt(np.mean(predicted**2))
        row |= interval(f"{name}_ratio", ratio)
    return row


def interval(name: str, values: pd.Series) -> dict:
    """Return the root of the mean square, and its 95 % interval.

    Parameters
    ----------
    name : str
    values : Series

    Returns
    -------
    dict
        The root under ``name``, and the ends of the interval, which is symmetric in the
        logarithm, under ``name_low`` and ``name_high``: NaN for a single value.
    """
    mean, half = confidence(values**2)
    root = np.sqrt(mean)
    factor = np.exp(half / mean / 2) if len(values) > 1 and mean > 0 else np.nan
    return {name: root, f"{name}_low": root / factor, f"{name}_high": root * factor}


def _fit(x: pd.Series, y: pd.Series) -> dict:
    """Return an exponent and its interval, or NaN if an error is not positive."""
    if not (y > 0).all():
        return dict.fromkeys(("exponent", "low", "high"), np.nan)
    fit = power_law(x, y)
    return {"exponent": fit.exponent, "low": fit.low, "high": fit.high}
