"""Figures of one run: windows and readouts beside the input, and predicted errors."""

from typing import Any

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.metrics import rms
from lmu_spiking.plots import style
from lmu_spiking.plots.style import BLACK, BLUE, GREEN, GREY, VERMILION
from lmu_spiking.signals.signal import LOST

BESIDE = (GREEN, BLUE)  # colours of other memories
WINDOWS = 8.75  # shown by default: seven moments, 1.25 windows apart
SIGNALS = {"white": "white noise", "ecg": "an ECG"}
NUMBERS = {
    "nrmse": "NRMSE at θ vs input",
    "noise_nrmse": "NRMSE at θ vs exact LDN",
    "window_noise_nrmse": "Window NRMSE vs exact LDN",
    "state_rmse": "State RMSE vs exact LDN",
    "spikes_per_s": "Spikes per second",
}


def plot_window(ax, result, n: int = 7):
    """Draw the window decoded from spikes at ``n`` moments, over the true signal.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult
    n : int
        Moments, 1.25 windows apart, around the strongest sample.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    ldn, dt, window = _window(result)
    shown = section_of(result, 1.25 * n)
    # as many moments as fit, each in the middle of its part
    n = max(1, round((shown.stop - shown.start) / window / 1.25))
    middles = np.linspace(shown.start, shown.stop, 2 * n + 1)[1::2]
    moments = np.minimum(middles + window / 2, shown.stop - 1).astype(int)
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
    return finish_in_time(ax, result, shown, "Input")


def plot_readout(ax, result, windows: float = WINDOWS):
    """Draw the readout at delay theta over the true delayed input.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult
    windows : float
        Length of what is shown, in windows, around the strongest sample.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    shown = section_of(result, windows)
    t, (true, read, _) = result.time[shown], readouts_of(result, shown)
    ax.plot(t, true, color=GREY, lw=3, label="input, delayed by θ")
    ax.plot(t, read, color=VERMILION, label="decoded from spikes")
    return finish_in_time(ax, result, shown, "Delayed input")


def plot_error(ax, result, windows: float = WINDOWS):
    """Draw the readout at delay theta less the exact LDN's, in the predicted band.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult
    windows : float
        Length of what is shown, in windows, around the strongest sample.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    shown = section_of(result, windows)
    _, read, ideal = readouts_of(result, shown)
    ax.plot(result.time[shown], read - ideal, color=VERMILION, lw=0.8)
    predicted = result.predicted.readout_rmse(result.row["theta"])
    if predicted is not None:
        band, label = 2 * float(predicted[0]), "predicted, ± 2 rms"
        ax.axhspan(-band, band, color=BLUE, alpha=0.15, lw=0, label=label)
    ax.axhline(0, color=BLACK, lw=0.5)
    return finish_in_time(ax, result, shown, "Error vs exact LDN")


def plot_error_vs_delay(ax, result, n: int = 60, others=()):
    """Draw the rms error of each delay of the window, measured and predicted.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult
    n : int
        Delays, at most.
    others : sequence of TrialResult
        Of other memories on the same signal: their errors against the exact LDN.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    _draw_delays(ax, result, n, {"vs input": BLACK, "vs exact LDN": VERMILION})
    for other, color in zip(others, BESIDE, strict=False):
        _draw_delays(ax, other, n, {"vs exact LDN": color}, _name_beside(other.row))
    ax.set(xlabel="Delay in the window (s)", ylabel="RMS error", ylim=(0, None))
    predicted = result.predicted.error is not None
    ax.legend(title="dots measured, lines predicted" if predicted else None)
    if others or result.predicted.bound_nrmse() is not None:  # that are far apart
        drawn = np.concatenate([line.get_ydata() for line in ax.lines])
        low, high = drawn[drawn > 0].min(), drawn.max()
        ax.set(yscale="log", ylim=(low / 2, high * 10))
    return ax


def _draw_delays(ax, result, n: int, colors: dict, name: str = "") -> None:
    """Draw the rms errors of at most ``n`` delays of the window of one memory."""
    (ldn, dt, window), u = _window(result), result.signal
    # the delays, in whole steps, and the readout of each
    steps = np.unique(np.round(np.linspace(1, window, n)).astype(int))
    weights = ldn.readout((steps - 1) * dt, dt)
    first = window + 1  # the first step of a window that is full
    read = result.state[first:] @ weights.T
    ideal = result.exact[first:] @ weights.T
    true = np.stack([u[first - s : len(u) - s] for s in steps.tolist()], axis=1)
    budget = result.predicted
    rows = (
        ("vs input", true, lambda s: budget.nrmse(s) * rms(budget.signal)),
        ("vs exact LDN", ideal, lambda s: budget.readout_rmse(s)[0]),
    )
    for against, target, predicted in rows:
        if against not in colors:
            continue
        color, error = colors[against], np.sqrt(np.mean((read - target) ** 2, axis=0))
        look = {"ms": 2.6, "color": color, "label": name or against}
        ax.plot(steps * dt, error, "o", **look)
        if against == "vs exact LDN" and budget.bound_nrmse() is not None:
            more = {"color": color, "lw": 1, "ls": "--", "label": "no input exceeds"}
            ax.plot(steps * dt, budget.bound(steps * dt), **more)
        if budget.error is not None:
            line = [float(predicted(s)) for s in steps * dt]
            ax.plot(steps * dt, line, "-", lw=1, color=color)


def run_figure(result, *others):
    """Draw windows, the delayed readout, errors in time and over the window, numbers.

    Of several channels the one of the largest error is drawn, and the errors of all.

    Parameters
    ----------
    result : TrialResult
    *others : TrialResult
        Of other memories on the same signal, at most two: their errors and numbers.

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    whole, others_whole = result, others
    if result.signal.ndim == 2:
        worst = worst_channel(result.row)
        result, others = result.channel(worst), [x.channel(worst) for x in others]
    width, left = (11.4 + len(others), 1.3) if others else (10, 1.6)
    with style.drawn(width, 5.6, _headline(result.row), 11) as figure:
        halves: Any = figure.subfigures(1, 2, width_ratios=(left, 1), wspace=0.03)
        left, right = halves
        time = left.subplots(3, sharex=True, height_ratios=(1, 1, 0.7))
        plot_window(time[0], result)
        plot_readout(time[1], result)
        for other, color in zip(others, BESIDE, strict=False):
            shown = section_of(result, WINDOWS)
            _, read, ideal = readouts_of(other, shown)
            label = _name_beside(other.row)
            look = {"color": color, "lw": 0.8, "label": label, "zorder": 3}
            time[2].plot(result.time[shown], read - ideal, **look)
        plot_error(time[2], result)
        for ax in time:
            ax.label_outer()
        above, below = right.subplots(2, height_ratios=(2, 1))
        if whole is result:
            plot_error_vs_delay(above, result, others=others)
        else:
            plot_channels(above, whole)
        _write_numbers(below, whole.row, [other.row for other in others_whole])
    figure.set_label(run_caption(whole.row))
    return figure


def worst_channel(row: dict) -> int:
    """Return the channel of the largest error at theta.

    Parameters
    ----------
    row : dict
        Of a trial of several channels.

    Returns
    -------
    int
        From 0.
    """
    return int(np.nanargmax([own["nrmse"] for own in row["channels"]]))


def plot_channels(ax, result):
    """Draw the NRMSE of each channel at theta, measured (dots) and predicted (lines).

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult
        Of several channels.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    each = result.row["channels"]
    at = np.arange(len(each))
    for key, color in (("nrmse", BLACK), ("noise_nrmse", VERMILION)):
        label = "vs input" if key == "nrmse" else "vs exact LDN"
        ax.plot(at, [own[key] for own in each], "o", ms=4, color=color, label=label)
        for k, own in enumerate(each):
            value = own[f"predicted_{key}"]
            ax.plot([k - 0.35, k + 0.35], [value, value], color=color, lw=1)
    shown = at[:: max(1, len(at) // 12)]
    names = [each[k]["channel"][:12] for k in shown]
    turned = {"rotation": 30, "ha": "right"} if max(map(len, names)) > 3 else {}
    ax.set_xticks(shown, names, **turned)
    ax.set(xlabel="Channel", ylabel="NRMSE at θ")
    ax.set_ylim(0, 1.15 * ax.get_ylim()[1])
    ax.legend(title="dots measured, lines predicted", loc="lower right")
    return ax


# -- parts of results, of runs and of deployments --------------------------------------


def _window(result) -> tuple[LDN, float, int]:
    """Return the exact delay network of a result, its step and the steps in theta."""
    ldn, dt = LDN(result.row["order"], result.row["theta"]), result.row["dt"]
    return ldn, dt, ldn.steps(dt)


def section_of(result, windows: float) -> slice:
    """Return the part around the strongest sample, after the first window.

    Parameters
    ----------
    result : TrialResult or Deployment
    windows : float
        Its length, in windows.

    Returns
    -------
    slice
    """
    (*_, window), T = _window(result), len(result.signal)
    length = min(round(windows * window), T - window)
    strongest = window + int(np.argmax(np.abs(result.signal[window:])))
    start = min(max(strongest - length // 2, window), T - length)
    return slice(start, start + length)


def readouts_of(result, shown: slice) -> tuple[np.ndarray, ...]:
    """Return true, decoded and ideal input of theta seconds ago, in a section.

    Parameters
    ----------
    result : TrialResult or Deployment
    shown : slice

    Returns
    -------
    true, decoded, ideal : (n,) ndarray
    """
    (ldn, dt, window), u = _window(result), result.signal
    c = ldn.readout(window * dt - dt, dt)
    true = np.concatenate([np.zeros(window), u[: len(u) - window]])
    return tuple(x[shown] for x in (true, result.state @ c, result.exact @ c))


def finish_in_time(ax, result, shown: slice, ylabel: str):
    """Name the axes of a section in time, and draw a legend over it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : TrialResult or Deployment
    shown : slice
    ylabel : str

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    ax.set(xlabel="Time (s)", ylabel=ylabel)
    ax.set_xlim(result.time[shown][0], result.time[shown][-1])
    if ax.get_legend_handles_labels()[0]:
        # in one line over the axes, to the right
        place = {"loc": "lower right", "bbox_to_anchor": (1, 0.98), "borderaxespad": 0}
        ax.legend(ncols=3, handlelength=1.5, columnspacing=1.2, **place)
    return ax


def run_caption(row: dict) -> str:
    """Return the caption of a run's figure, with all settings of the run.

    Parameters
    ----------
    row : dict
        Of a trial.

    Returns
    -------
    str
        In whole sentences.
    """
    channels = f", {row['size_in']} channels" if row["size_in"] > 1 else ""
    feedback = ""
    if row.get("feedback_rate"):
        feedback = f", error feedback {row['feedback_rate']:g}/s and "
        feedback += f"{row['feedback_tau']:g} s"
    within = ""
    if row["predicted_nrmse_low"] is not None:
        within = f" (95 of 100 runs: {row['predicted_nrmse_low']:.4f} to "
        within += f"{row['predicted_nrmse_high']:.4f})"
    return (
        f"A spiking memory of the last {row['theta']:g} s of {row['input']}{channels}: "
        f"order {row['order']}, {row['neurons']:,} {row['neuron_type']} neurons, "
        f"tuning {row['tuning']}, initial phases {row['initial_phases']}, synapse "
        f"{row['tau']:g} s, at most {row['max_rate']:g} Hz{feedback}, steps of "
        f"{row['dt']:g} s. Measured over {row['duration']:g} s (seed {row['seed']}): "
        f"NRMSE {row['nrmse']:.4f} of the input theta ago, predicted "
        f"{row['predicted_nrmse']:.4f}{within}; {row['spikes_per_s']:,.0f} spikes per "
        f"second. lmu_spiking {row['versions']['lmu_spiking']}, spec {row['spec']}."
    )


def _headline(row: dict) -> str:
    """Return the title of a run."""
    signal = SIGNALS.get(row["input"], str(row["input"]))
    if row.get("input_power_lost", 0) > LOST:
        signal += f", low-passed at {0.5 / row['dt']:g} Hz"
    neurons = f"{row['neurons']:,} {row['neuron_type']} neurons"
    return f"{neurons} remember {row['theta']:g} s of {signal} (order {row['order']})"


def _name_beside(row: dict) -> str:
    """Return what a memory is called beside the one that was asked for."""
    how = "fed back" if row.get("feedback_rate") else row["initial_phases"]
    return f"{row['neurons']:,} {how}"


def _write_numbers(ax, row: dict, others=()) -> None:
    """Write a table of the run, measured beside predicted, and of other runs."""

    def text(row: dict, key: str) -> str:
        value = row[key]
        if value is None:
            return "–"
        if not key.endswith("spikes_per_s"):
            return f"{value:.2g}" if 0 < value < 1e-3 else f"{value:.4f}"
        return f"{value:,.0f}" if value < 1e5 else f"{value / 1e3:,.0f} k"

    ax.axis("off")
    columns, lines, small = (0.0, 0.77, 1.0), [["", "measured", "predicted"]], {}
    lines += [
        [n, text(row, k), text(row, f"predicted_{k}")] for k, n in NUMBERS.items()
    ]
    if others:  # a column for each memory, predicted in brackets
        first, small = 0.64 if len(others) == 1 else 0.54, {"fontsize": 8}
        columns = np.append(0, np.linspace(first, 1, len(others) + 1))
        names = map(_name_beside, others)
        lines = [["measured (predicted)", f"{row['neurons']:,}", *names]]
        for key, name in NUMBERS.items():
            rows = (row, *others)
            pairs = [(text(r, key), text(r, f"predicted_{key}")) for r in rows]
            lines.append([name, *("{} ({})".format(*pair) for pair in pairs)])
    for y, line in zip(np.linspace(0.9, 0.02, len(lines)), lines, strict=True):
        for x, words in zip(columns, line, strict=True):
            place = {"ha": "left" if x == 0 else "right", "va": "center"}
            ax.text(x, y, words, **place, **small)
    ax.plot([0, 1], [0.81, 0.81], color=BLACK, lw=0.7, clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 1))
