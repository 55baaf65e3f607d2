import matplotlib.colors
import numpy as np
import pytest

from lmu_spiking import plots
from lmu_spiking.loihi.chip.limits import CORE, LIMITS, BlockBudget, Budget
from lmu_spiking.plots.style import BLACK, COLORS

RNG = np.random.default_rng(0)


def block(source, k=0, kind="neurons", **use):
    drawn = {name: int(RNG.integers(1, most)) for name, most in LIMITS.items()}
    return BlockBudget(f"{source}[{k}:{k + 1}]", source, kind, **drawn | use)


def made_of(cores, chips=1, sources=2):
    blocks = tuple(block(f"ensemble {k % sources}", k) for k in range(cores))
    return Budget(blocks, chips)


def bars(ax, quantity):
    (found,) = [c for c in ax.containers if c.get_label() == f"_{quantity}"]
    return found.patches


def words(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("cores", [1, 3, 9, 32, 64, 128, 140])
def test_bars_are_the_use_of_each_core(cores):
    found = made_of(cores, chips=3)
    ax = plots.layout(found)
    x0, y0 = 0.84 / 4, 0.84
    for k, name in enumerate(("synapse_bits", "compartments", "in_axons", "out_axons")):
        heights = [patch.get_height() / y0 for patch in bars(ax, name)]
        use = [b.use[name] for b in found.blocks]
        np.testing.assert_allclose(heights, use)
        offsets = {round(patch.get_x() % 1 / x0, 6) for patch in bars(ax, name)}
        assert offsets == {k}
    corners = {patch.get_xy() for patch in bars(ax, "synapse_bits")}
    assert len(corners) == cores  # a place for each
    assert ax.get_title("left") == f"{cores} core{'s' * (cores > 1)} of 384 on 3 chips"


def test_colours_are_of_sources_or_kinds():
    few = made_of(10, sources=3)
    colors = [
        patch.get_facecolor() for patch in bars(plots.layout(few), "synapse_bits")
    ]
    expected = [matplotlib.colors.to_rgba(COLORS[k % 3]) for k in range(10)]
    np.testing.assert_allclose(colors, expected)
    assert words(plots.layout(few))[:3] == [
        "ensemble 0: 4 cores",
        "ensemble 1: 3 cores",
        "ensemble 2: 3 cores",
    ]
    decode = tuple(block(f"to {k}", kind="decode") for k in range(3))
    many = Budget(made_of(10, sources=10).blocks + decode)
    assert words(plots.layout(many))[:2] == ["neurons: 10 cores", "decode: 3 cores"]


def test_what_does_not_fit_is_black_and_said():
    over = Budget((block("a"), block("b", out_axons=2 * CORE.out_axons)))
    ax = plots.layout(over)
    last = bars(ax, "out_axons")[-1]
    assert last.get_facecolor() == matplotlib.colors.to_rgba(BLACK)
    assert last.get_height() == pytest.approx(0.84)
    assert bars(ax, "out_axons")[0].get_facecolor() != last.get_facecolor()
    assert ax.get_title("left").endswith(": does not fit")
    assert words(ax)[-2:] == ["out-axons, at most 200%", "beyond the limit"]
    assert "200%" in [text.get_text() for text in ax.texts]


def test_chips_are_apart_and_named():
    ax = plots.layout(made_of(130))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[:2] == ["chip 0, core 0", "chip 0, core 16"]
    assert names[8] == "chip 1, core 0"
    rows = np.sort([patch.get_y() for patch in bars(ax, "in_axons")])
    assert rows[2] - rows[1] > 1  # the last of chip 0 and the first of chip 1


def test_axes_can_be_given():
    with plots.style.styled():
        ax = plots.style.new_figure(6, 3).subplots()
    assert plots.layout(made_of(5), ax) is ax


@pytest.mark.parametrize("cores", [1, 40])
def test_figure_is_a_picture(cores):
    assert plots.png(plots.layout_figure(made_of(cores))).startswith(b"\x89PNG")
