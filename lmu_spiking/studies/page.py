"""The page of a study: tables for reading, and HTML that needs nothing beside it."""

import base64
import html
import itertools

import pandas as pd

from lmu_spiking.plots import CAPTIONS

TITLES = {"state_rmse": "state RMSE", "noise_nrmse": "noise NRMSE"}

STYLE = """
body { font: 16px/1.55 Georgia, "Times New Roman", serif; color: #1b1b1b;
       max-width: 62rem; margin: 3rem auto; padding: 0 1.5rem; }
h1, h2 { font-weight: normal; line-height: 1.2; } h2 { margin-top: 2.5rem; }
table { border-collapse: collapse; font: 14px/1.4 system-ui, sans-serif;
        font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th { font-weight: 600; border-bottom: 1.5px solid #1b1b1b; }
th, td { padding: .3rem .9rem .3rem 0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tbody tr { border-bottom: 1px solid #e4e4e4; }
img { max-width: 100%; height: auto; } figure { margin: 1.5rem 0; }
figcaption, .note { color: #555; font-size: 15px; }
pre { background: #f5f5f2; padding: .8rem 1rem; overflow-x: auto; }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Errors of spiking memories</title>
<style>{style}</style>
</head>
<body>
<h1>Errors of spiking memories, measured and predicted</h1>
<p>{what}</p>
<pre>{command}</pre>
{figures}
<h2>Exponents</h2>
<p class="note">Power laws of the state RMSE, fitted over trials (not over their means),
with 95 % intervals. “Predicted” is the exponent of the predictions for the same
trials.</p>
{exponents}
<h2>Errors</h2>
<p class="note">State RMSE: against the exact delay network, over time, dimensions and
trials. Noise NRMSE: of the readout at delay θ, against that of the exact network, over
its rms. Ratios are measured over predicted. In brackets: 95 % intervals.</p>
{errors}
<h2>Made with</h2>
<p>{versions}</p>
</body>
</html>
"""


def page(
    frame, summary, fits, pictures: dict[str, bytes], command: str, missing: int = 0
) -> str:
    """One HTML page that needs nothing beside it.

    Parameters
    ----------
    frame, summary, fits : DataFrame
        Trials, and what `report.summarise` and `report.exponents` make of them.
    pictures : dict of bytes
        PNG files by name.
    command : str
        What made it.
    missing : int
        Trials that are not finished.
    """
    figures = "\n".join(
        _figure(CAPTIONS[name.removesuffix(".png")], data)
        for name, data in pictures.items()
    )
    return PAGE.format(
        style=STYLE,
        what=html.escape(_what(frame, missing)),
        command=html.escape(command),
        figures=figures,
        exponents=_table(exponent_table(fits)),
        errors=_table(error_table(summary)),
        versions=html.escape(_versions(frame)),
    )


def _figure(caption: str, data: bytes) -> str:
    """A picture within the page, at half its pixels, for screens that have them."""
    width = int.from_bytes(data[16:20], "big") // 2
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return (
        f'<figure><img alt="" width="{width}" src="{source}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def exponent_table(fits: pd.DataFrame) -> pd.DataFrame:
    """Exponents for reading: text, intervals in brackets, constant columns left out."""
    shown = pd.DataFrame({"type": fits.neuron_type})
    _if_varied(shown, fits)
    shown["error against"] = fits.against
    shown["at"] = fits["at"]
    shown["trials"] = fits.trials
    shown["exponent"] = _bracketed(fits.exponent, fits.low, fits.high, "{:+.3f}")
    shown["predicted"] = _text(fits.predicted, "{:+.3f}")
    return shown


def error_table(summary: pd.DataFrame) -> pd.DataFrame:
    """A summary for reading, likewise."""
    shown = pd.DataFrame({"type": summary.neuron_type})
    _if_varied(shown, summary)
    shown["order"] = summary.order
    shown["neurons"] = _text(summary.neurons, "{:,}")
    shown["trials"] = summary.trials
    shown["spikes/s"] = _text(summary.spikes_per_s, "{:,.0f}")
    for name, title in TITLES.items():
        ends = (summary[f"{name}{end}"] for end in ("", "_low", "_high"))
        ratio = (summary[f"{name}_ratio{end}"] for end in ("", "_low", "_high"))
        shown[title] = _bracketed(*ends, "{:#.3g}")
        predicted = summary[f"predicted_{name}"]
        shown[f"{title}, predicted"] = _text(predicted, "{:#.3g}")
        shown[f"{title}, ratio"] = _bracketed(*ratio, "{:.3f}")
    return shown


def _if_varied(shown: pd.DataFrame, table: pd.DataFrame) -> None:
    for name, title in (("tau", "τ (s)"), ("max_rate", "max rate (Hz)")):
        if table[name].nunique() > 1:
            shown[title] = _text(table[name], "{:g}")


def _text(values: pd.Series, form: str) -> list[str]:
    return ["–" if pd.isna(value) else form.format(value) for value in values]


def _bracketed(value, low, high, form: str) -> list[str]:
    texts = (_text(column, form) for column in (value, low, high))
    return [
        v if a == "–" else f"{v} [{a}, {b}]" for v, a, b in zip(*texts, strict=True)
    ]


def _table(shown: pd.DataFrame) -> str:
    if shown.empty:
        return "<p>Too few trials for a fit.</p>"
    return shown.to_html(index=False, border=0)


def _what(frame: pd.DataFrame, missing: int) -> str:
    """One sentence on what all trials share, as far as they share it."""
    names = {
        "bandwidth": "white noise of {} Hz",
        "rms": "rms {}",
        "theta": "θ = {} s",
        "dt": "dt = {} s",
        "duration": "{} s each",
    }
    if frame.tau.nunique() == 1:
        names["tau"] = "τ = {} s"
    if frame.max_rate.nunique() == 1:
        names["max_rate"] = "{} Hz at the radius"
    shared = [
        form.format(", ".join(f"{value:g}" for value in sorted(frame[name].unique())))
        for name, form in names.items()
    ]
    if frame.aggregated.any():
        shared.append("Poisson neurons simulated as sums")
    rest = f" {missing} more trials are not finished." if missing else ""
    return f"{len(frame)} trials; {'; '.join(shared)}.{rest}"


def _versions(frame: pd.DataFrame) -> str:
    """Every version found among the trials."""
    columns = [name for name in frame if name.startswith("versions.")]
    found = {name: sorted(frame[name].dropna().unique()) for name in columns}
    pairs = itertools.chain.from_iterable(
        (f"{name.removeprefix('versions.')} {version}" for version in versions)
        for name, versions in found.items()
    )
    return ", ".join(pairs) + "."
