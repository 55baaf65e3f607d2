"""The page of a study: tables for reading, and HTML that needs nothing beside it."""

import base64
import html
from collections.abc import Iterable
from pathlib import Path
from string import Template

import pandas as pd

TITLES = {"state_rmse": "state RMSE", "noise_nrmse": "noise NRMSE"}
SHARED = {  # what the trials of a study have in common, in the order of its sentence
    "bandwidth": "white noise of {} Hz",
    "rms": "rms {}",
    "theta": "θ = {} s",
    "dt": "dt = {} s",
    "duration": "{} s each",
}
VARIED = {"tau": "τ = {} s", "max_rate": "{} Hz at the radius"}  # often not shared

PAGE = Template(Path(__file__).with_name("page.html").read_text("utf-8"))


def html_page(
    title: str,
    heading: str,
    frame: pd.DataFrame,
    figures: Iterable[tuple[str, bytes]],
    sections: Iterable[tuple[str, str, pd.DataFrame]],
    command: str,
    missing: int = 0,
) -> str:
    """Return one HTML page that needs nothing beside it.

    Parameters
    ----------
    title, heading : str
    frame : DataFrame
        The trials: the page says what they share, and which versions they ran with.
    figures : iterable of (str, bytes)
        A caption and a PNG file, of each figure.
    sections : iterable of (str, str, DataFrame)
        Heading, note and table of each section.
    command : str
        What made it.
    missing : int
        Trials that are not finished.

    Returns
    -------
    str
    """
    # sections, versions, then all into the template
    tables = (
        f'<h2>{name}</h2>\n<p class="note">{note}</p>\n{_table(table)}'
        for name, note, table in sections
    )
    columns = (name for name in frame if str(name).startswith("versions."))
    made_with = (
        f"{column.removeprefix('versions.')} {version}"
        for column in columns
        for version in sorted(frame[column].dropna().unique())
    )
    return PAGE.substitute(
        title=title,
        heading=heading,
        what=html.escape(_common(frame, missing)),
        command=html.escape(command),
        figures="\n".join(_figure(*each) for each in figures),
        sections="\n".join(tables),
        versions=html.escape(f"{', '.join(made_with)}."),
    )


def _common(frame: pd.DataFrame, missing: int) -> str:
    """Return a sentence on what all trials share, as far as they share it."""
    forms = SHARED | {k: form for k, form in VARIED.items() if frame[k].nunique() == 1}
    values = {name: sorted(frame[name].unique()) for name in forms}
    shared = [
        form.format(", ".join(f"{value:g}" for value in values[name]))
        for name, form in forms.items()
    ]
    if frame.aggregated.any():
        shared.append("Poisson neurons simulated as sums")
    rest = f" {missing} more trials are not finished." if missing else ""
    return f"{len(frame)} trials; {'; '.join(shared)}.{rest}"


def _figure(caption: str, data: bytes) -> str:
    """Return a picture within the page, at half its pixels, for screens of twice."""
    # bytes 16 to 19 of a PNG file are its width in pixels
    width = int.from_bytes(data[16:20], "big") // 2
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return (
        f'<figure><img alt="" width="{width}" src="{source}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _table(shown: pd.DataFrame) -> str:
    """Return a table in HTML."""
    if shown.empty:
        return "<p>Too few trials for a fit.</p>"
    return shown.to_html(index=False, border=0)


# -- tables for reading ----------------------------------------------------------------


def exponent_table(fits: pd.DataFrame) -> pd.DataFrame:
    """Return exponents for reading, with intervals in brackets.

    Parameters
    ----------
    fits : DataFrame
        From `exponents`.

    Returns
    -------
    DataFrame
        Of texts and whole numbers, without columns that do not vary.
    """
    shown = pd.DataFrame({"type": fits.neuron_type})
    _add_varied(shown, fits)
    shown["error against"] = fits.against
    shown["at"] = fits["at"]
    shown["trials"] = fits.trials
    shown["exponent"] = bracketed(fits, "exponent", "{:+.3f}", ("low", "high"))
    shown["predicted"] = texts(fits.predicted, "{:+.3f}")
    return shown


def error_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a summary for reading, with intervals in brackets.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`.

    Returns
    -------
    DataFrame
        Of texts and whole numbers, without columns that do not vary.
    """
    shown = pd.DataFrame({"type": summary.neuron_type})
    _add_varied(shown, summary)
    shown["order"] = summary.order
    shown["neurons"] = texts(summary.neurons, "{:,}")
    shown["trials"] = summary.trials
    shown["spikes/s"] = texts(summary.spikes_per_s, "{:,.0f}")
    for name, title in TITLES.items():
        shown[title] = bracketed(summary, name, "{:#.3g}")
        shown[f"{title}, predicted"] = texts(summary[f"predicted_{name}"], "{:#.3g}")
        shown[f"{title}, ratio"] = bracketed(summary, f"{name}_ratio", "{:.3f}")
    return shown


def texts(values: pd.Series, form: str) -> list[str]:
    """Return numbers as texts, and what is missing as a dash.

    Parameters
    ----------
    values : Series
    form : str
        A format, such as ``"{:.3f}"``.

    Returns
    -------
    list of str
    """
    return ["–" if pd.isna(value) else form.format(value) for value in values]


def bracketed(table: pd.DataFrame, name: str, form: str, ends=()) -> list[str]:
    """Return the numbers of a column as texts, with their intervals in brackets.

    Parameters
    ----------
    table : DataFrame
    name : str
        The column.
    form : str
        A format, such as ``"{:.3f}"``.
    ends : pair of str, optional
        Columns of the interval; by default the name with ``_low`` and ``_high``.

    Returns
    -------
    list of str
    """
    columns = (name, *(ends or (f"{name}_low", f"{name}_high")))
    # value, low and high of each row
    shown = (texts(table[column], form) for column in columns)
    return [
        v if a == "–" else f"{v} [{a}, {b}]" for v, a, b in zip(*shown, strict=True)
    ]


def _add_varied(shown: pd.DataFrame, table: pd.DataFrame) -> None:
    """Add the columns of a table that are often the same throughout, if they vary."""
    for name, title in (("tau", "τ (s)"), ("max_rate", "max rate (Hz)")):
        if table[name].nunique() > 1:
            shown[title] = texts(table[name], "{:g}")
