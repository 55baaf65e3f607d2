"""Pictures of noisy neurons on Loihi: their spikes, and a memory's error."""

import numpy as np

from lmu_spiking.plots.style import (
    BLACK,
    BLUE,
    COLORS,
    GREY,
    MARKERS,
    VERMILION,
    log_axes,
    new_figure,
    styled,
)

ALLOWED = {"cv": (0.9, 1.1), "fano": (0.9, 1.15)}  # of what passes for Poisson here
NAMES = {"cv": "CV of intervals", "fano": "Fano factor of 100 ms"}


def plot_noisy_tuning(ax, curve: list[dict], measured: list[dict]):
    """Rate against drive: the neurons' own curve, and what was measured.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    curve : list of dict
        ``drive``, ``rate``, Hz.
    measured : list of dict
        ``target``, ``drive``, ``rate``, ``rate_ci95``.
    """
    ax.axline((0, 0), slope=1, color=GREY, lw=0.8, ls=":", label="rate = drive")
    ax.plot(
        [row["drive"] for row in curve],
        [row["rate"] for row in curve],
        color=BLACK,
        lw=1,
        label="the curve",
    )
    for k, (target, rows) in enumerate(_by(measured, "target").items()):
        _points(ax, rows, "drive", "rate", k, target, 4 if k else 8)
    ax.set(xlabel="Drive (Hz)", ylabel="Rate (Hz)")
    ax.legend()
    return ax


def plot_spike_statistics(ax, measured: list[dict], least_rate: float = 10.0):
    """CV and Fano factor against rate, between the bounds that both may reach.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measured : list of dict
        ``rate``, and ``cv``, ``fano`` with their ``_ci95``.
    least_rate : float
        Rates below, Hz, are left out.
    """
    rows = sorted(
        (row for row in measured if row["rate"] >= least_rate),
        key=lambda row: row["rate"],
    )
    for k, (name, color) in enumerate((("cv", BLUE), ("fano", VERMILION))):
        _points(ax, rows, "rate", name, k, NAMES[name])
        for bound in ALLOWED[name]:
            ax.hlines(bound, 20, 150, color=color, lw=0.8, ls="--")
    ax.axhline(1, color=GREY, lw=0.8, ls=":", label="Poisson")
    ax.set(xlabel="Rate (Hz)", ylabel="Ratio to Poisson", ylim=(0.75, 1.25))
    ax.legend(loc="lower left")
    return ax


def plot_noisy_memory(ax, memories: list[dict]):
    """Draw error of memories against their neurons: points measured, lines predicted.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    memories : list of dict
        ``order``, ``kept``, ``neurons``, ``state_rmse``, ``state_rmse_ci95``,
        ``law_state_rmse``.
    """
    named = [
        row | {"name": f"d = {row['order']}, λ = 1/{1 / row['kept']:.0f}"}
        for row in memories
    ]
    for k, (name, rows) in enumerate(_by(named, "name").items()):
        neurons = np.array([row["neurons"] for row in rows])
        _points(ax, rows, "neurons", "state_rmse", k, name)
        predicted = np.array([row["law_state_rmse"] for row in rows])
        label = None if k else "predicted"
        if len(rows) > 1:
            ax.plot(neurons, predicted, color=BLACK, lw=1, label=label)
        else:
            ax.hlines(predicted, 0.92 * neurons, 1.08 * neurons, color=BLACK, lw=1)
    log_axes(ax, "Neurons", "State RMSE")
    neurons = sorted({row["neurons"] for row in memories})
    ax.set_xticks(neurons, [str(n) for n in neurons])
    ax.xaxis.set_minor_formatter("")
    for formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
        formatter("{x:.2g}")
    ax.set_ylim(top=2.5 * max(row["state_rmse"] for row in memories))  # for the legend
    return ax


def loihi_noise_figure(record: dict):
    """Tuning, statistics and memories, side by side.

    Parameters
    ----------
    record : dict
        ``curve``, ``tuning`` and ``memories``, as `benchmarks/loihi_noise.py` writes.
    """
    emulated = [row for row in record["tuning"] if row["target"] == "emulator"]
    with styled():
        figure = new_figure(10.5, 3.3)
        left, middle, right = figure.subplots(1, 3)
        plot_noisy_tuning(left, record["curve"], record["tuning"])
        left.set_title("Noisy neurons: tuning")
        plot_spike_statistics(middle, emulated)
        middle.set_title("Spikes on the emulator")
        plot_noisy_memory(right, record["memories"])
        right.set_title("A memory of them")
    return figure


def _by(rows: list[dict], key: str) -> dict:
    return {
        value: [row for row in rows if row[key] == value] for value in _of(rows, key)
    }


def _of(rows: list[dict], key: str) -> list:
    return list(dict.fromkeys(row[key] for row in rows))


def _points(ax, rows, x: str, y: str, k: int, label: str, size=4.5) -> None:
    ax.errorbar(
        [row[x] for row in rows],
        [row[y] for row in rows],
        yerr=[row[f"{y}_ci95"] for row in rows],
        fmt=MARKERS[k % len(MARKERS)],
        color=COLORS[k % len(COLORS)],
        ms=size,
        mec="white",
        mew=0.5,
        lw=1,
        label=label,
    )
