"""What a spike study says: costs, budgets and sources of error on one page."""

from pathlib import Path

import pandas as pd

from lmu_spiking import plots
from lmu_spiking.experiments.figures.spikes import CAPTIONS, spikes_figures
from lmu_spiking.metrics import power_law
from lmu_spiking.studies.page import bracketed, html_page, texts
from lmu_spiking.studies.report import write_files

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
    """Power laws of ``state_rmse`` against ``max_rate`` at each budget, over trials.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.
    planned : dict
        From `spike_budget_trials`.
    """
    rows = []
    for budget, trials in planned.items():
        spent = frame[frame.digest.isin({trial.digest for trial in trials})]
        for (kind, order), cell in spent.groupby(["neuron_type", "order"]):
            some = len(cell) > 2 and cell.max_rate.nunique() > 1
            if not some or not (cell.state_rmse > 0).all():
                continue
            fit = power_law(cell.max_rate, cell.state_rmse)
            rows.append(
                {
                    "neuron_type": kind,
                    "order": order,
                    "budget": budget,
                    "trials": len(cell),
                    "exponent": fit.exponent,
                    "low": fit.low,
                    "high": fit.high,
                }
            )
    columns = ["neuron_type", "order", "budget", "trials", "exponent", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def write_spikes_report(
    frame, summary, budgets, fits, sources, out, command: str
) -> dict[str, Path]:
    """Tables, figures and one self-contained page in the folder ``out``.

    Parameters
    ----------
    frame : DataFrame
        Of trials, from `sweep`.
    summary, budgets, fits, sources : DataFrame
        From `costs`, `budget_costs`, `rate_exponents` and `summarise_sources`.
    out : path-like
    command : str
        What made it.

    Returns
    -------
    dict of Path
        By name.
    """
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
    return write_files(out, "spikes", pictures, tables, text)


# -- tables for reading ------------------------------------------------------------


def cost_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Errors and costs of each neuron type, order and number of neurons."""
    shown = summary[["neuron_type", "order", "neurons", "trials"]].copy()
    shown["spikes/s"] = texts(summary.spikes_per_s, "{:,.0f}")
    shown["synops/s"] = texts(summary.synops_per_s, "{:.3g}")
    shown["synops/s, full"] = texts(summary.synops_per_s_full, "{:.3g}")
    shown["state RMSE"] = bracketed(summary, "state_rmse", "{:#.3g}")
    shown["predicted"] = texts(summary.predicted_state_rmse, "{:#.3g}")
    return shown.rename(columns={"neuron_type": "type"})


def budget_table(budgets: pd.DataFrame) -> pd.DataFrame:
    """Errors at equal spikes, for each rate."""
    shown = budgets[["neuron_type", "order", "max_rate", "neurons", "trials"]].copy()
    shown["spikes/s"] = texts(budgets.spikes_per_s, "{:,.0f}")
    shown["state RMSE"] = bracketed(budgets, "state_rmse", "{:#.3g}")
    shown["predicted"] = texts(budgets.predicted_state_rmse, "{:#.3g}")
    return shown.rename(columns={"neuron_type": "type", "max_rate": "max rate (Hz)"})


def exponent_table(fits: pd.DataFrame) -> pd.DataFrame:
    """Exponents against the rate."""
    shown = fits[["neuron_type", "order", "budget", "trials"]].copy()
    shown["exponent"] = bracketed(fits, "exponent", "{:+.3f}", ("low", "high"))
    return shown.rename(columns={"neuron_type": "type"})


def source_table(sources: pd.DataFrame) -> pd.DataFrame:
    """Sources of error, the lead in milliseconds, and the verdict on phases."""
    shown = sources[["neuron_type", "order", "neurons"]].copy()
    titles = {
        "state_rmse": "state RMSE",
        "regular_rmse": "regular",
        "static_rmse": "exact rates",
        "lead_rmse": "lead alone",
        "mended_rmse": "lead mapped out",
    }
    for name, title in titles.items():
        shown[title] = texts(sources[name], "{:#.3g}")
    shown["lead (ms)"] = texts(1e3 * sources.lead, "{:.2f}")
    shown["D / null"] = texts(sources.discrepancy_ratio, "{:.3f}")
    shown["phases"] = sources.verdict
    return shown.rename(columns={"neuron_type": "type"})
