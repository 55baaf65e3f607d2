"""Figures of one run: windows and readouts beside the input, and predicted errors."""

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.plots.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILION,
    legend_above,
    new_figure,
    styled,
)
from lmu_spiking.signals.signal import LOST


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
    """Draw the readout at delay theta less the exact LDN's, in the predicted band."""
    shown = _section(result, windows)
    _, read, ideal = _readouts(result)
    ax.plot(result.time[shown], (read - ideal)[shown], color=VERMILION, lw=0.8)
    predicted = result.predicted.readout_rmse(result.row["theta"])
    if predicted is not None:
        band, label = 2 * float(predicted[0]), "predicted, ± 2 rms"
        ax.axhspan(-band, band, color=BLUE, alpha=0.15, lw=0, label=label)
    ax.axhline(0, color=BLACK, lw=0.5)
    return _over_time(ax, result, shown, "Error vs exact LDN")


def plot_error_vs_delay(ax, result, n: int = 60):
    """Draw the rms error of each delay of the window, measured and predicted."""
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
    budget = result.predicted
    rows = (
        ("vs input", true, BLACK, lambda s: budget.nrmse(s) * _rms(budget.signal)),
        ("vs exact LDN", ideal, VERMILION, lambda s: budget.readout_rmse(s)[0]),
    )
    for name, target, color, predicted in rows:
        error = np.sqrt(np.mean((read - target) ** 2, axis=0))
        ax.plot(steps * dt, error, "o", ms=2.6, color=color, label=name)
        if budget.error is not None:
            line = [float(predicted(s)) for s in steps * dt]
            ax.plot(steps * dt, line, "-", lw=1, color=color)
    ax.set(xlabel="Delay in the window (s)", ylabel="RMS error", ylim=(0, None))
    told = "dots measured, lines predicted" if budget.error is not None else None
    ax.legend(title=told)
    return ax


def run_figure(result):
    """Windows, delayed readout, error in time and over the window, and the numbers."""
    with styled():
        figure = new_figure(10, 5.6)
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
        legend_above(ax)
    return ax


def _headline(row: dict) -> str:
    signal = {"white": "white noise", "ecg": "an ECG"}.get(row["input"], row["input"])
    if row.get("input_power_lost", 0) > LOST:
        signal += f", low-passed at {0.5 / row['dt']:g} Hz"
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
    columns = (0.0, 0.77, 1.0)
    lines = [("", "measured", "predicted")]
    for key, name in names.items():
        values = (row[key], row[f"predicted_{key}"])
        form = _count if key == "spikes_per_s" else "{:.4f}".format
        lines.append((name, *("–" if v is None else form(v) for v in values)))
    for y, line in zip(np.linspace(0.9, 0.02, len(lines)), lines, strict=True):
        for x, text in zip(columns, line, strict=True):
            ax.text(x, y, text, ha="left" if x == 0 else "right", va="center")
    ax.plot([0, 1], [0.81, 0.81], color=BLACK, lw=0.7, clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 1))


def _count(n: float) -> str:
    """A number that fits its column, in thousands where it is large."""
    return f"{n:,.0f}" if n < 1e5 else f"{n / 1e3:,.0f} k"
