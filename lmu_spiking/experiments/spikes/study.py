"""The report of a spike study: costs, budgets and sources of error on one page."""

from pathlib import Path

import pandas as pd

from lmu_spiking import plots
from lmu_spiking.experiments.figures.spikes import CAPTIONS, spikes_figures
from lmu_spiking.metrics import power_law
from lmu_spiking.studies.folder import write_all
from lmu_spiking.studies.page import bracketed, html_page, texts

TITLE = "What spikes are worth"
HEADING = "Spiking memories: errors, and what they cost"
COST = "State RMSE against the exact delay network, with 95 % intervals over trials."
BUDGET = "As many neurons as fire the budget; exponents against the rate are below."
SOURCES = (
    "State RMSE of the neurons, of regular spikes and of exact rates of the same "
    "curves; the floor that the membranes' lead explains, and the error with it mapped "
    "out. D over null is 1 where the neurons fire independently."
)


def rate_exponents(frame: pd.DataFrame, planned: dict) -> pd.DataFrame:
    """Return power laws of ``state_rmse`` against ``max_rate`` at each budget.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.
    planned : dict
        From `spike_budget_trials`.

    Returns
    -------
    DataFrame
        ``neuron_type, order, budget, trials, exponent, low, high``.
    """
    columns = ["neuron_type", "order", "budget", "trials", "exponent", "low", "high"]
    rows = []
    for budget, trials in planned.items():
        spent = frame[frame.digest.isin({trial.digest for trial in trials})]
        for (kind, order), cell in spent.groupby(["neuron_type", "order"]):
            enough = len(cell) > 2 and cell.max_rate.nunique() > 1
            if enough and (cell.state_rmse > 0).all():
                fit = power_law(cell.max_rate, cell.state_rmse)
                ends = (fit.exponent, fit.low, fit.high)
                rows.append([kind, order, budget, len(cell), *ends])
    return pd.DataFrame(rows, columns=columns)


def write_spikes_report(
    frame, summary, budgets, fits, sources, out, command: str
) -> dict[str, Path]:
    """Write tables, figures and one self-contained page.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.
    summary, budgets, fits, sources : DataFrame
        From `costs`, `budget_costs`, `rate_exponents` and `summarise_sources`.
    out : path-like
        Folder.
    command : str
        What made it.

    Returns
    -------
    dict of Path
        By name.
    """
    # pictures, and tables for reading
    drawn = spikes_figures(summary, budgets, sources)
    pictures = {name: plots.png(figure) for name, figure in drawn.items()}
    tables = {"summary": summary, "budgets": budgets, "sources": sources}
    tables["trials"] = frame
    shown = (
        ("Neurons and their cost", COST, cost_table(summary)),
        ("Equal spikes", BUDGET, budget_table(budgets)),
        ("Exponents against the rate, at equal spikes", "", exponent_table(fits)),
    )
    if len(sources):
        shown += (("Where the error comes from", SOURCES, source_table(sources)),)
    captioned = [(CAPTIONS[name], data) for name, data in pictures.items()]
    text = html_page(TITLE, HEADING, frame, captioned, shown, command)
    files: dict = {f"{name}.png": data for name, data in pictures.items()}
    files |= {f"{name}.parquet": table for name, table in tables.items()}
    files["report.html"] = text.encode()
    return write_all(out, "spikes", files, ("*.png",))


# -- tables for reading ------------------------------------------------------------


def cost_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return errors and costs of each neuron type, order and number of neurons.

    Parameters
    ----------
    summary : DataFrame
        From `costs`.

    Returns
    -------
    DataFrame of str
    """
    shown = _keys(summary, "order", "neurons", "trials")
    shown["spikes/s"] = texts(summary.spikes_per_s, "{:,.0f}")
    shown["synops/s"] = texts(summary.synops_per_s, "{:.3g}")
    shown["synops/s, full"] = texts(summary.synops_per_s_full, "{:.3g}")
    return _with_errors(shown, summary)


def budget_table(budgets: pd.DataFrame) -> pd.DataFrame:
    """Return errors at equal spikes, for each rate.

    Parameters
    ----------
    budgets : DataFrame
        From `budget_costs`.

    Returns
    -------
    DataFrame of str
    """
    shown = _keys(budgets, "order", "max_rate", "neurons", "trials")
    shown["spikes/s"] = texts(budgets.spikes_per_s, "{:,.0f}")
    shown = shown.rename(columns={"max_rate": "max rate (Hz)"})
    return _with_errors(shown, budgets)


def exponent_table(fits: pd.DataFrame) -> pd.DataFrame:
    """Return exponents against the rate.

    Parameters
    ----------
    fits : DataFrame
        From `rate_exponents`.

    Returns
    -------
    DataFrame of str
    """
    shown = _keys(fits, "order", "budget", "trials")
    shown["exponent"] = bracketed(fits, "exponent", "{:+.3f}", ("low", "high"))
    return shown


def source_table(sources: pd.DataFrame) -> pd.DataFrame:
    """Return sources of error, the lead in milliseconds, and the verdict on phases.

    Parameters
    ----------
    sources : DataFrame
        From `summarise_sources`.

    Returns
    -------
    DataFrame of str
    """
    shown = _keys(sources, "order", "neurons")
    titles = {"state_rmse": "state RMSE", "regular_rmse": "regular"}
    titles |= {"static_rmse": "exact rates", "lead_rmse": "lead alone"}
    for name, title in (titles | {"mended_rmse": "lead mapped out"}).items():
        shown[title] = texts(sources[name], "{:#.3g}")
    shown["lead (ms)"] = texts(1e3 * sources.lead, "{:.2f}")
    shown["D / null"] = texts(sources.discrepancy_ratio, "{:.3f}")
    shown["phases"] = sources.verdict
    return shown


def _keys(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return the neuron type and other columns, as the first of a table to read."""
    return table[["neuron_type", *names]].rename(columns={"neuron_type": "type"})


def _with_errors(shown: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table to read with the state's error, and the predicted one."""
    shown["state RMSE"] = bracketed(table, "state_rmse", "{:#.3g}")
    shown["predicted"] = texts(table.predicted_state_rmse, "{:#.3g}")
    return shown
