"""Pictures: functions that take and return an Axes, and the figures made of them.

Figures are `matplotlib.figure.Figure` without pyplot: no window, no global state.
Colours are Okabe and Ito's, which the colour-blind can tell apart.
"""

import io

import numpy as np

from lmu_spiking.errors import MissingPackageError
from lmu_spiking.ldn import LDN
from lmu_spiking.spec import write_atomically

BLACK, GREY = "#1b1b1b", "#9a9a9a"
BLUE, VERMILION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#cc79a7", "#56b4e9", BLACK)
MARKERS = "osD^vPX"
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.3,
    "lines.solid_capstyle": "round",
}
CAPTIONS = {
    "error-vs-neurons": "Error of the state against the number of neurons: trials "
    "(root mean square, 95 % interval) and what the law predicted for them (lines).",
    "measured-over-predicted": "Measured over predicted error of the state, with 95 % "
    "intervals over trials: 1 where the law is exact.",
    "error-vs-spikes": "Error of the state against what it costs in spikes; lines are "
    "the law, where there is one.",
}


# -- one run -----------------------------------------------------------------------


def plot_window(ax, result, n: int = 7):
    """The window decoded from spikes at ``n`` moments, over the true signal.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult
    n : int
        Moments, 1.25 windows apart, around the strongest sample.
    """
    ldn, dt = _ldn(result), result.row["dt"]
    shown = _section(result, 1.25 * n)
    n = max(1, round((shown.stop - shown.start) / _window(result) / 1.25))
    middles = np.linspace(shown.start, shown.stop, 2 * n + 1)[1::2]
    moments = np.minimum(middles + _window(result) / 2, shown.stop - 1).astype(int)
    half = dt / ldn.theta / 2  # from the newest sample to the oldest
    r = np.linspace(half, 1 - half, 200)
    ax.plot(result.time[shown], result.signal[shown], color=GREY, lw=3, label="input")
    for k, moment in enumerate(moments):
        label = "windows decoded from spikes, each held at its dot" if k == 0 else None
        w = result.state[moment] @ ldn.basis(r).T
        at = result.time[moment] - dt / 2 - r * ldn.theta
        color = (VERMILION, BLUE)[k % 2]
        ax.plot(at, w, color=color, label=label)
        ax.plot(at[0], w[0], "o", color=color, ms=4)
    return _over_time(ax, result, shown, "Input")


def plot_readout(ax, result, windows: float = 8.75):
    """The readout at delay theta over the true delayed input.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult
    windows : float
        How much of it, in windows, around the strongest sample.
    """
    shown = _section(result, windows)
    true, read, _ = _readouts(result)
    t = result.time[shown]
    ax.plot(t, true[shown], color=GREY, lw=3, label="input, delayed by θ")
    ax.plot(t, read[shown], color=VERMILION, label="decoded from spikes")
    return _over_time(ax, result, shown, "Delayed input")


def plot_error(ax, result, windows: float = 8.75):
    """The readout at delay theta less the exact LDN's, in the law's band."""
    shown = _section(result, windows)
    _, read, ideal = _readouts(result)
    ax.plot(result.time[shown], (read - ideal)[shown], color=VERMILION, lw=0.8)
    predicted = result.predicted.readout_rmse(result.row["theta"])
    if predicted is not None:
        band = 2 * float(predicted[0])
        ax.axhspan(-band, band, color=BLUE, alpha=0.15, lw=0, label="law, ± 2 rms")
    ax.axhline(0, color=BLACK, lw=0.5)
    return _over_time(ax, result, shown, "Error vs exact LDN")


def plot_error_vs_delay(ax, result, n: int = 60):
    """Rms error of each delay of the window, with the law's lines."""
    ldn, dt = _ldn(result), result.row["dt"]
    steps = np.unique(np.round(np.linspace(1, _window(result), n)).astype(int))
    weights = ldn.readout((steps - 1) * dt, dt)
    settled = slice(_window(result) + 1, None)
    read = result.state[settled] @ weights.T
    ideal = result.exact[settled] @ weights.T
    T = len(result.signal)
    true = np.stack(
        [result.signal[settled.start - s : T - s] for s in steps.tolist()], axis=1
    )
    law = result.predicted
    rows = (
        ("vs input", true, BLACK, lambda s: law.nrmse(s) * _rms(law.signal)),
        ("vs exact LDN", ideal, VERMILION, lambda s: law.readout_rmse(s)[0]),
    )
    for name, target, color, predicted in rows:
        error = np.sqrt(np.mean((read - target) ** 2, axis=0))
        ax.plot(steps * dt, error, "o", ms=2.6, color=color, label=name)
        if law.error is not None:
            line = [float(predicted(s)) for s in steps * dt]
            ax.plot(steps * dt, line, "-", lw=1, color=color)
    ax.set(xlabel="Delay in the window (s)", ylabel="RMS error", ylim=(0, None))
    ax.legend(title="dots measured, lines the law" if law.error is not None else None)
    return ax


def run_figure(result):
    """Windows, delayed readout, error in time and over the window, and the numbers."""
    with _style():
        figure = _figure(10, 5.6)
        left, right = figure.subfigures(1, 2, width_ratios=(1.6, 1), wspace=0.03)
        time = left.subplots(3, sharex=True, height_ratios=(1, 1, 0.7))
        plot_window(time[0], result)
        plot_readout(time[1], result)
        plot_error(time[2], result)
        for ax in time:
            ax.label_outer()
        above, below = right.subplots(2, height_ratios=(2, 1))
        plot_error_vs_delay(above, result)
        _numbers(below, result.row)
        figure.suptitle(_headline(result.row), x=0.01, ha="left", fontsize=11)
    return figure


# -- a study -----------------------------------------------------------------------


def plot_error_vs_neurons(ax, summary, levels=None):
    """Measured points with intervals, predicted lines, a colour for each order.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `summarise`, of one neuron type, tau and max_rate.
    levels : list, optional
        Orders that colours are given to; those in the summary by default.
    """
    _curves(ax, summary, "neurons", "order", levels, "d = {}")
    x = np.array([summary.neurons.min(), summary.neurons.max()], dtype=float)
    below = 0.7 * (summary.state_rmse * np.sqrt(summary.neurons)).min()
    ax.plot(x, below / np.sqrt(x), ":", color=GREY, label="slope −1/2")
    return _log(ax, "Neurons", "State RMSE")


def plot_ratio(ax, summary, levels=None):
    """Measured over predicted error against neurons, a colour for each order."""
    ax.axhline(1, color=GREY, lw=0.8)
    levels = levels or sorted(summary.order.unique())
    for order, cell in summary.groupby("order"):
        k = levels.index(order)
        _points(ax, cell, "neurons", "state_rmse_ratio", k, f"d = {order}")
    _log(ax, "Neurons", "Measured / predicted state RMSE")
    ax.set_yscale("linear")
    return ax


def plot_error_vs_spikes(ax, summary, levels=None):
    """Error against spikes per second, a colour for each neuron type.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    summary : DataFrame
        From `summarise`, of one order, tau and max_rate.
    levels : list, optional
        Neuron types that colours are given to; those in the summary by default.
    """
    _curves(ax, summary, "spikes_per_s", "neuron_type", levels, "{}")
    return _log(ax, "Spikes per second", "State RMSE")


def study_figures(summary) -> dict:
    """The figures of a study by name; `CAPTIONS` says what each shows.

    Memories without an error, such as those of rate neurons, are left out.
    """
    wrong = summary[summary.state_rmse > 1e-9]
    lawful = wrong[wrong.state_rmse_ratio.notna()]
    spiking = wrong[wrong.spikes_per_s > 0]
    by_type = ["neuron_type", "tau", "max_rate"], "order"
    figures = {}
    if len(wrong):
        figures["error-vs-neurons"] = _panels(plot_error_vs_neurons, wrong, *by_type)
    if len(lawful):
        figures["measured-over-predicted"] = _panels(plot_ratio, lawful, *by_type)
    if len(spiking):
        by_order = ["order", "tau", "max_rate"], "neuron_type"
        figures["error-vs-spikes"] = _panels(plot_error_vs_spikes, spiking, *by_order)
    return figures


# -- files -------------------------------------------------------------------------


def png(figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format="png", dpi=200)
    return buffer.getvalue()


def save_figure(figure, path) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    write_atomically(path, png(figure))


# -- within ------------------------------------------------------------------------


def _style():
    try:
        import matplotlib
    except ImportError:
        raise MissingPackageError("matplotlib", "all") from None
    return matplotlib.rc_context(STYLE)


def _figure(width: float, height: float):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _ldn(result) -> LDN:
    return LDN(result.row["order"], result.row["theta"])


def _rms(x) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def _window(result) -> int:
    return int(np.floor(result.row["theta"] / result.row["dt"] + 1e-9))


def _section(result, windows: float) -> slice:
    """So many windows of the settled signal around its strongest sample."""
    window, T = _window(result), len(result.signal)
    length = min(round(windows * window), T - window)
    strongest = window + int(np.argmax(np.abs(result.signal[window:])))
    start = min(max(strongest - length // 2, window), T - length)
    return slice(start, start + length)


def _readouts(result):
    """True, decoded and ideal input of theta seconds ago, (T,) each."""
    ldn, dt, window = _ldn(result), result.row["dt"], _window(result)
    c = ldn.readout(window * dt - dt, dt)
    true = np.concatenate(
        [np.zeros(window), result.signal[: len(result.signal) - window]]
    )
    return true, result.state @ c, result.exact @ c


def _over_time(ax, result, shown: slice, ylabel: str):
    ax.set(xlabel="Time (s)", ylabel=ylabel)
    ax.set_xlim(result.time[shown][0], result.time[shown][-1])
    if ax.get_legend_handles_labels()[0]:
        _legend_above(ax)
    return ax


def _legend_above(ax) -> None:
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.98),
        ncols=3,
        borderaxespad=0,
        handlelength=1.5,
        columnspacing=1.2,
    )


def _headline(row: dict) -> str:
    signal = {"white": "white noise", "ecg": "an ECG"}.get(row["input"], row["input"])
    neurons = f"{row['neurons']:,} {row['neuron_type']} neurons"
    return f"{neurons} remember {row['theta']:g} s of {signal} (order {row['order']})"


def _numbers(ax, row: dict) -> None:
    """A table of the run, measured beside predicted."""
    names = {
        "nrmse": "NRMSE at θ vs input",
        "noise_nrmse": "NRMSE at θ vs exact LDN",
        "window_noise_nrmse": "Window NRMSE vs exact LDN",
        "state_rmse": "State RMSE vs exact LDN",
        "spikes_per_s": "Spikes per second",
    }
    ax.axis("off")
    columns = (0.0, 0.79, 1.0)
    lines = [("", "measured", "law")]
    for key, name in names.items():
        values = (row[key], row[f"predicted_{key}"])
        form = "{:,.0f}" if key == "spikes_per_s" else "{:.4f}"
        lines.append((name, *("–" if v is None else form.format(v) for v in values)))
    for y, line in zip(np.linspace(0.9, 0.02, len(lines)), lines, strict=True):
        for x, text in zip(columns, line, strict=True):
            ax.text(x, y, text, ha="left" if x == 0 else "right", va="center")
    ax.plot([0, 1], [0.81, 0.81], color=BLACK, lw=0.7, clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 1))


def _points(ax, cell, x: str, y: str, k: int, label: str) -> None:
    ends = [cell[y] - cell[f"{y}_low"], cell[f"{y}_high"] - cell[y]]
    ax.errorbar(
        cell[x],
        cell[y],
        yerr=np.nan_to_num(ends),
        fmt=MARKERS[k % len(MARKERS)],
        color=COLORS[k % len(COLORS)],
        ms=4.5,
        mec="white",
        mew=0.5,
        lw=1,
        label=label,
    )


def _curves(ax, summary, x: str, by: str, levels, form: str) -> None:
    """Measured points and predicted lines of the state's error."""
    levels = levels or sorted(summary[by].unique())
    for name, cell in summary.sort_values(x).groupby(by):
        k = levels.index(name)
        _points(ax, cell, x, "state_rmse", k, form.format(name))
        law = cell[cell.predicted_state_rmse > 0]
        color = COLORS[k % len(COLORS)]
        ax.plot(law[x], law.predicted_state_rmse, "-", color=color, lw=1)
    if summary.predicted_state_rmse.notna().any():
        ax.plot([], [], "-", color=BLACK, lw=1, label="law")


def _log(ax, xlabel: str, ylabel: str):
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log", yscale="log")
    ax.legend()
    return ax


def _panels(plot, summary, by: list[str], colored: str):
    """One panel for each value of ``by`` in the summary: shared axes, one legend."""
    forms = {"tau": "τ = {:g} s", "max_rate": "{:g} Hz", "order": "d = {}"}
    varied = [name for name in by if summary[name].nunique() > 1]
    levels = sorted(summary[colored].unique())
    cells = list(summary.groupby(by))
    columns = min(3, len(cells))
    rows = -(-len(cells) // columns)
    with _style():
        figure = _figure(1.4 + max(3.6, 3.0 * columns), 3.4 * rows)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        legend = {}
        for ax, (key, cell) in zip(axes.flat, cells, strict=False):
            plot(ax, cell, levels)
            handles, labels = ax.get_legend_handles_labels()
            legend |= dict(zip(labels, handles, strict=True))
            ax.get_legend().remove()
            part = dict(zip(by, key, strict=True))
            title = (forms.get(k, "{} neurons").format(part[k]) for k in varied)
            ax.set_title(", ".join(title))
        for ax in axes.flat[len(cells) :]:
            ax.set_visible(False)
        for ax in axes.flat[: len(cells)]:
            ax.label_outer()
        names = sorted(legend, key=_natural)
        handles = [legend[name] for name in names]
        figure.legend(handles, names, loc="outside right upper")
    return figure


def _natural(label: str):
    """Guides last; numbers by their value."""
    number = label.removeprefix("d = ")
    return (
        label in ("law", "slope −1/2"),
        int(number) if number.isdecimal() else 0,
        label,
    )
