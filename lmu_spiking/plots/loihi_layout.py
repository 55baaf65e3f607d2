"""Picture of a network on the cores of Loihi: what each core holds, and how full."""

from textwrap import shorten

import numpy as np

from lmu_spiking.loihi.chip.limits import CORES_PER_CHIP
from lmu_spiking.plots.style import BLACK, COLORS, GREY, new_figure, styled

QUANTITIES = {
    "synapse_bits": "synapse memory",
    "compartments": "compartments",
    "in_axons": "in-axons",
    "out_axons": "out-axons",
}
WHITENESS = (0.0, 0.3, 0.5, 0.68)  # of the bars, from the left
PAPER = 0.93  # of the cells
HOLDERS = COLORS[:6]  # black is for what does not fit
SIDE = 0.84  # of a core, when the next one is at 1
CHIP_COLUMNS = 16
GAP = 0.9  # between chips


def layout(budget, ax=None):
    """Draw cores as cells, coloured by what they hold; full bars are at the limits.

    Colours are for ensembles, connections and probes if there are few of them, else for
    neurons, decode neurons and readouts.  Cores are numbered in the order in which
    blocks are made.  What exceeds its limit is a full black bar.

    Parameters
    ----------
    budget : lmu_spiking.loihi.run.budget.Budget
    ax : matplotlib.axes.Axes, optional
        By default of a new figure, large enough for the cores.

    Returns
    -------
    matplotlib.axes.Axes
        The one that was given, or a new one.
    """
    with styled():
        columns = _columns(budget.cores)
        x, y = _places(budget.cores, columns)
        if ax is None:
            ax = _new_axes(columns, -y.min())
        holders = _holders(budget.blocks)
        palette = dict(zip(dict.fromkeys(holders), HOLDERS, strict=False))
        colors = [palette[name] for name in holders]
        _draw_cores(ax, budget, x, y, colors, columns)
        _write_use(ax, budget, x, y)
        _write_numbers(ax, budget, columns)
        _add_legend(ax, budget, holders, palette)
    return ax


def layout_figure(budget):
    """Draw `layout` as a figure of its own.

    Parameters
    ----------
    budget : lmu_spiking.loihi.run.budget.Budget

    Returns
    -------
    matplotlib.figure.Figure
        For `save_figure`.
    """
    return layout(budget).figure


def _columns(cores: int) -> int:
    """Return the columns of the grid: those of a whole chip from half a chip on."""
    if 2 * cores > CORES_PER_CHIP:
        return CHIP_COLUMNS
    return cores if cores <= 4 else int(np.ceil(np.sqrt(2 * cores)))


def _places(cores: int, columns: int):
    """Return left and lower ends of the cells (cores,): rows downwards, chips apart."""
    chip, core = np.divmod(np.arange(cores), CORES_PER_CHIP)
    rows = -(-CORES_PER_CHIP // columns)
    return core % columns, -1.0 - core // columns - (rows + GAP) * chip


def _new_axes(columns: int, rows: float):
    """Return the axes of a new figure that is large enough for the cells."""
    inches = float(np.clip(7.2 / columns, 0.45, 1.3))
    size = columns * inches + 3.1, max(rows * inches + 0.5, 2.3)
    figure = new_figure(*size)
    figure.set_layout_engine("compressed")  # constrained, with a fixed aspect
    return figure.subplots()


def _holders(blocks) -> list[str]:
    """Return what each block is counted under: its source, or its kind if many."""
    sources = [block.source for block in blocks]
    few = len(set(sources)) <= len(HOLDERS)
    return sources if few else [block.kind for block in blocks]


def _shade(colors, white: float):
    """Return colours (cores, 3), mixed with white."""
    from matplotlib.colors import to_rgb

    return np.array([to_rgb(color) for color in colors]) * (1 - white) + white


def _draw_cores(ax, budget, x, y, colors, columns: int) -> None:
    """Draw free cores in outline, and the others with a bar for each quantity."""
    if columns == CHIP_COLUMNS:
        free = _places(CORES_PER_CHIP * budget.chips_needed, columns)
        _boxes(ax, *free, SIDE, SIDE, facecolor="none", edgecolor="#dcdcdc", lw=0.6)
    _boxes(ax, x, y, SIDE, SIDE, facecolor=_shade(colors, PAPER))
    width = SIDE / len(QUANTITIES)
    # bars beyond the limit are black and no higher than the cell
    for k, (name, white) in enumerate(zip(QUANTITIES, WHITENESS, strict=True)):
        use = np.array([block.use[name] for block in budget.blocks])
        shades = np.where(use[:, None] > 1, _shade([BLACK], 0), _shade(colors, white))
        height = SIDE * np.minimum(use, 1)
        _boxes(ax, x + k * width, y, height, width, facecolor=shades, label=f"_{name}")
    edges = [BLACK if block.problems else GREY for block in budget.blocks]
    _boxes(ax, x, y, SIDE, SIDE, facecolor="none", edgecolor=edges, lw=0.7)


def _boxes(ax, x, y, height, width, **style):
    """Draw rectangles, given by their lower left corners."""
    ax.bar(x, height, width, y, align="edge", **({"zorder": 2, "lw": 0} | style))


def _write_use(ax, budget, x, y) -> None:
    """Write what a core holds, and per cent over each bar, where there is room."""
    if budget.cores > 32:
        return
    roomy = budget.cores <= 10
    for left, low, block in zip(x, y, budget.blocks, strict=True):
        part = block.name.removeprefix(block.source).strip("[]")
        name = shorten(block.name, 22, placeholder="...") if roomy else part
        where = left + SIDE / 2, low + SIDE + 0.01
        ax.text(*where, name, ha="center", va="bottom", fontsize=6.5, color="#555555")
        for k, name in enumerate(QUANTITIES if roomy else ()):
            use, width = block.use[name], SIDE / len(QUANTITIES)
            inside = use > 0.85  # no room above the bar
            place = {"ha": "center", "va": "top" if inside else "bottom"}
            place["color"] = "white" if inside and (use > 1 or k == 0) else BLACK
            height = SIDE * min(use, 1) + (-0.02 if inside else 0.01)
            at = left + (k + 0.5) * width, low + height
            ax.text(*at, f"{100 * use:.0f}%", fontsize=6.5, **place)


def _write_numbers(ax, budget, columns: int) -> None:
    """Write the first core of each row to its left, and the cores in use above."""
    shown = max(budget.chips_needed, 1)
    # the rows of whole chips, or those in use of a small grid
    first = np.arange(0, budget.cores, columns)
    if columns == CHIP_COLUMNS:
        first = np.arange(0, CORES_PER_CHIP * shown, columns)
    rows = _places(CORES_PER_CHIP * shown, columns)[1]
    names = [f"core {k % CORES_PER_CHIP}" for k in first]
    if shown > 1:
        chip = first // CORES_PER_CHIP
        names = [f"chip {k}, {name}" for k, name in zip(chip, names, strict=True)]
    ax.set_yticks(rows[first] + SIDE / 2, names)
    ylim = rows[first[-1]] - 0.1, 0.1
    ax.set(xticks=[], aspect="equal", xlim=(-0.1, columns), ylim=ylim)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    cores, chips = _counted(budget.cores, "core"), _counted(budget.chips, "chip")
    title = f"{cores} of {budget.chips * CORES_PER_CHIP} on {chips}"
    ax.set_title(title + ("" if budget.fits else ": does not fit"))


def _counted(n: int, thing: str) -> str:
    """Return a number of things in words."""
    return f"{n} {thing}" + "s" * (n != 1)


def _add_legend(ax, budget, holders, palette: dict) -> None:
    """Draw what colours and bars stand for, and the fullest bars, to the right."""
    from matplotlib.patches import Patch

    keys = []
    # the holders of blocks, then the bars, and black if a limit is exceeded
    for name, color in palette.items():
        words = shorten(name, 32, placeholder="...")
        words += ": " + _counted(holders.count(name), "core")
        keys.append(Patch(color=color, label=words))
    keys += [Patch(alpha=0, label=""), Patch(alpha=0, label="bars, full at the limit:")]
    for (name, words), white in zip(QUANTITIES.items(), WHITENESS, strict=True):
        most = max(block.use[name] for block in budget.blocks)
        shade = _shade(["#404040"], white)[0]
        keys.append(Patch(color=shade, label=f"{words}, at most {100 * most:.0f}%"))
    if any(block.problems for block in budget.blocks):
        keys.append(Patch(color=BLACK, label="beyond the limit"))
    place = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.02), "borderaxespad": 0}
    ax.legend(handles=keys, handlelength=1, handleheight=1, **place)
