"""Pictures of a memory on a target, and of where its error arose."""

import numpy as np

from lmu_spiking.plots import run, style
from lmu_spiking.plots.style import BLACK, BLUE, COLORS, GREY, ORANGE, VERMILION

NAMES = {
    "truncation": "truncation\n(order)",
    "spikes": "spikes,\ncurves",
    "structure": "chip\nstructure",
    "quantisation": "whole\nnumbers",
    "board": "board",
}
SHADES = dict(zip(NAMES, (GREY, BLUE, ORANGE, VERMILION, COLORS[4]), strict=True))
TITLES = {"delay": "Readout at delay θ", "window": "The whole window"}
PLACES = {
    "core": "Nengo",
    "simreal": "the chip in floating point",
    "emulator": "the emulator",
    "board": "the board",
}
NEURONS = {"SpikingRectifiedLinear": "IF", "NoisyRectifiedLinear": "noisy"}
WIDTH = 0.62  # of a bar, when the next one is at 1


def plot_ladder(ax, ladder, measure: str = "delay"):
    """Draw what each rung adds to the error, and what was predicted.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    ladder : lmu_spiking.loihi.run.ladder.Ladder
    measure : {"delay", "window"}

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    steps, total = ladder.steps(), ladder.total()
    n = len(steps)
    tops = np.cumsum([step[measure] for step in steps])
    bases = tops - [step[measure] for step in steps]
    predicted = np.cumsum([step[f"predicted_{measure}"] for step in steps])
    # each bar begins where the last one ends; a line carries its end to the next
    for k, step in enumerate(steps):
        color = SHADES[step["step"].split(" + ")[-1]]
        ax.bar(k, step[measure], WIDTH, bases[k], color=color, zorder=2)
        ax.plot([k - WIDTH / 2, k + 1 + WIDTH / 2], [tops[k]] * 2, color=GREY, lw=0.7)
        _label(ax, k, max(bases[k], predicted[k]), tops[k], step, measure)
    ax.bar(n, total[measure], WIDTH, color=BLACK, zorder=2)
    mark = total[f"predicted_{measure}"]
    _label(ax, n, mark, total[measure], total, measure)
    # white marks, edged in black, for what was predicted
    at, marks = np.arange(n + 1), [*predicted, mark]
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


def plot_delayed(ax, deployment, windows: float = run.WINDOWS):
    """Draw the readout at delay theta, the exact delay network's, and the true input.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    deployment : lmu_spiking.loihi.run.deploy.Deployment
    windows : float
        Length of what is shown, in windows, around the strongest sample.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    shown = run.section_of(deployment, windows)
    t, (true, read, exact) = deployment.time[shown], run.readouts_of(deployment, shown)
    ax.plot(t, true, color=GREY, lw=3.5, label="input, delayed by θ")
    ax.plot(t, exact, color=BLACK, lw=1, ls="--", label="exact LDN")
    ax.plot(t, read, color=VERMILION, lw=1, label=str(deployment.target))
    return run.finish_in_time(ax, deployment, shown, "Delayed input")


def plot_loss(ax, deployment, windows: float = run.WINDOWS):
    """Draw the readout at delay theta less the exact delay network's, as `plot_error`.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    deployment : lmu_spiking.loihi.run.deploy.Deployment
    windows : float
        Length of what is shown, in windows, around the strongest sample.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given.
    """
    return run.plot_error(ax, deployment, windows)


def ladder_figure(ladder):
    """Draw `plot_ladder` for the readout at delay theta and for the window.

    Parameters
    ----------
    ladder : lmu_spiking.loihi.run.ladder.Ladder

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    n = len(ladder.seeds)
    seeds = f", {n} seeds, 95 % intervals" if n > 1 else ""
    title = f"{_memory(ladder.rows[-1])}{seeds}; white marks: predicted before the run"
    with style.drawn(10, 3.9, title, 11) as figure:
        for ax, measure in zip(figure.subplots(1, 2), TITLES, strict=True):
            plot_ladder(ax, ladder, measure)
    return figure


def deployed(deployment):
    """Draw the delayed readout of a memory on its target, its error, and its costs.

    Parameters
    ----------
    deployment : lmu_spiking.loihi.run.deploy.Deployment

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    row = deployment.row
    title = f"{_memory(row)} on {PLACES[row['target']]}"
    with style.drawn(10, 4.4, title, 11) as figure:
        above, below = figure.subplots(2, sharex=True, height_ratios=(1.6, 1))
        plot_delayed(above, deployment)
        plot_loss(below, deployment)
        above.label_outer()
        figure.supxlabel(_costs(row), x=0.01, ha="left", fontsize=9)
    return figure


def _label(ax, x: float, base: float, top: float, step: dict, measure: str) -> None:
    """Draw interval and number over a bar, above its base and its mark."""
    # the interval stands on the bar's end, the number above both
    value, low, high = (step[f"{measure}{end}"] for end in ("", "_low", "_high"))
    highest = max(base, top)
    if low is not None:
        ends = [[value - low], [high - value]]
        ax.errorbar(x, top, yerr=ends, color="#555555", lw=1, capsize=3, zorder=6)
        highest = max(highest, top - value + high)
    place = {"xytext": (0, 4), "textcoords": "offset points", "zorder": 7}
    where = x, max(highest, 0.0)
    ax.annotate(f"{value:.2g}", where, ha="center", va="bottom", **place)


def _memory(row: dict) -> str:
    """Return window, neurons and order of a memory in words."""
    kind = NEURONS.get(row["neuron_type"], row["neuron_type"])
    neurons = f"{row['neurons']:,} {kind} neurons"
    return f"{row['theta']:g} s in {neurons}, order {row['order']}"


def _costs(row: dict) -> str:
    """Return error, cores, spikes and power in a line."""
    costs = [f"NRMSE {row['nrmse']:.4f} (predicted {row['predicted_nrmse']:.4f})"]
    if row["cores"] is not None:
        costs.append(f"{row['cores']} core{'s' * (row['cores'] > 1)}")
    costs.append(f"{row['spikes_per_s']:,.0f} spikes/s")
    if row["estimated_dynamic_watts"] is not None:
        milli = 1e3 * row["estimated_dynamic_watts"]
        costs.append(f"dynamic power {milli:.3g} mW, estimated")
    return ",  ".join(costs)
