"""Pictures of a memory on a target, and of where its error arose."""

import numpy as np

from lmu_spiking.plots.run import _over_time, _readouts, _section
from lmu_spiking.plots.style import (
    BLACK,
    BLUE,
    COLORS,
    GREY,
    ORANGE,
    VERMILION,
    new_figure,
    styled,
)

NAMES = {
    "truncation": "truncation\n(order)",
    "spikes": "spikes,\ncurves",
    "structure": "chip\nstructure",
    "quantisation": "whole\nnumbers",
    "board": "board",
}
SHADES = dict(zip(NAMES, (GREY, BLUE, ORANGE, VERMILION, COLORS[4]), strict=True))
TITLES = {"delay": "Readout at delay θ", "window": "The whole window"}
WIDTH = 0.62


def plot_ladder(ax, ladder, measure: str = "delay"):
    """What each rung adds to the error, and what was predicted.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    ladder : lmu_spiking.loihi.run.ladder.Ladder
    measure : {"delay", "window"}
    """
    steps = ladder.steps()
    tops = np.cumsum([step[measure] for step in steps])
    bases = tops - [step[measure] for step in steps]
    guesses = np.cumsum([step[f"predicted_{measure}"] for step in steps])
    total = ladder.total()
    for k, step in enumerate(steps):
        color = SHADES[step["step"].split(" + ")[-1]]
        ax.bar(k, step[measure], WIDTH, bases[k], color=color, zorder=2)
        ax.plot([k - WIDTH / 2, k + 1 + WIDTH / 2], [tops[k]] * 2, color=GREY, lw=0.7)
        _label(ax, k, max(bases[k], guesses[k]), tops[k], step, measure)
    n = len(steps)
    ax.bar(n, total[measure], WIDTH, color=BLACK, zorder=2)
    mark = total[f"predicted_{measure}"]
    _label(ax, n, mark, total[measure], total, measure)
    at, marks = np.arange(n + 1), [*guesses, mark]
    ax.hlines(marks, at - 0.42, at + 0.42, color=BLACK, lw=2.6, zorder=3)
    ax.hlines(marks, at - 0.42, at + 0.42, color="white", lw=1, zorder=4)
    words = ["\n+ ".join(NAMES[p] for p in s["step"].split(" + ")) for s in steps]
    ax.set_xticks(at, [*words, total["step"]])
    ax.tick_params(axis="x", length=0)
    ax.axhline(0, color=BLACK, lw=0.7, zorder=5)
    ax.set(title=TITLES[measure], ylabel="Mean square error over signal's, NRMSE²")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.08 * (high - low))
    return ax


def plot_delayed(ax, deployment, windows: float = 8.75):
    """The readout at delay theta, the exact delay network's, and the true input.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    deployment : lmu_spiking.loihi.run.deploy.Deployment
    windows : float
        How much of it, in windows, around the strongest sample.
    """
    shown = _section(deployment, windows)
    true, read, exact = (x[shown] for x in _readouts(deployment))
    t = deployment.time[shown]
    ax.plot(t, true, color=GREY, lw=3.5, label="input, delayed by θ")
    ax.plot(t, exact, color=BLACK, lw=1, ls="--", label="exact LDN")
    ax.plot(t, read, color=VERMILION, lw=1, label=str(deployment.target))
    return _over_time(ax, deployment, shown, "Delayed input")


def plot_loss(ax, deployment, windows: float = 8.75):
    """The readout at delay theta less the exact delay network's, beside predicted."""
    shown = _section(deployment, windows)
    _, read, exact = _readouts(deployment)
    t = deployment.time[shown]
    band = 2 * float(deployment.predicted.readout_rmse(deployment.row["theta"])[0])
    ax.axhspan(-band, band, color=BLUE, alpha=0.15, lw=0, label="predicted, ± 2 rms")
    ax.plot(t, (read - exact)[shown], color=VERMILION, lw=0.8)
    ax.axhline(0, color=BLACK, lw=0.5)
    return _over_time(ax, deployment, shown, "Error vs exact LDN")


def ladder_figure(ladder):
    """`plot_ladder` for the readout at delay theta and for the window."""
    with styled():
        figure = new_figure(10, 3.9)
        for ax, measure in zip(figure.subplots(1, 2), TITLES, strict=True):
            plot_ladder(ax, ladder, measure)
        row, n = ladder.rows[-1], len(ladder.seeds)
        seeds = f", {n} seeds, 95 % intervals" if n > 1 else ""
        title = f"{_memory(row)}{seeds}; white marks: predicted before the run"
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def deployed(deployment):
    """The delayed readout of a memory on its target, its error, and what it costs."""
    with styled():
        figure = new_figure(10, 4.4)
        above, below = figure.subplots(2, sharex=True, height_ratios=(1.6, 1))
        plot_delayed(above, deployment)
        plot_loss(below, deployment)
        above.label_outer()
        row = deployment.row
        figure.suptitle(
            f"{_memory(row)} on {_place(row)}", x=0.01, ha="left", fontsize=11
        )
        figure.supxlabel(_costs(row), x=0.01, ha="left", fontsize=9)
    return figure


def _label(ax, x: float, base: float, top: float, step: dict, measure: str) -> None:
    """Interval and number over a bar, and over what it stands or is marked at."""
    low, high = step[f"{measure}_low"], step[f"{measure}_high"]
    offset = top - step[measure]
    highest = max(base, top)
    if low is not None:
        ends = [[step[measure] - low], [high - step[measure]]]
        ax.errorbar(x, top, yerr=ends, color="#555555", lw=1, capsize=3, zorder=6)
        highest = max(highest, offset + high)
    ax.annotate(
        f"{step[measure]:.2g}",
        (x, max(highest, 0.0)),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        zorder=7,
    )


def _memory(row: dict) -> str:
    kind = {"SpikingRectifiedLinear": "IF", "NoisyRectifiedLinear": "noisy"}
    kind = kind.get(row["neuron_type"], row["neuron_type"])
    return (
        f"{row['theta']:g} s in {row['neurons']:,} {kind} neurons, order {row['order']}"
    )


def _place(row: dict) -> str:
    places = {"core": "Nengo", "simreal": "the chip in floating point"}
    places |= {"emulator": "the emulator", "board": "the board"}
    return places[row["target"]]


def _costs(row: dict) -> str:
    costs = [f"NRMSE {row['nrmse']:.4f} (predicted {row['predicted_nrmse']:.4f})"]
    if row["cores"] is not None:
        costs.append(f"{row['cores']} core{'s' * (row['cores'] > 1)}")
    costs.append(f"{row['spikes_per_s']:,.0f} spikes/s")
    watts = row["estimated_dynamic_watts"]
    if watts is not None:
        costs.append(f"dynamic power {1e3 * watts:.3g} mW, estimated")
    return ",  ".join(costs)
