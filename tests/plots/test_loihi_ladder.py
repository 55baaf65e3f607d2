from itertools import pairwise

import numpy as np
import pytest

from lmu_spiking import plots
from lmu_spiking.loihi.run.deploy import deploy
from lmu_spiking.loihi.run.ladder import MEASURES, Ladder
from lmu_spiking.loihi.run.target import Target
from lmu_spiking.memory.spec import MemorySpec
from lmu_spiking.plots.style import new_figure

FALL = {"core": 0.4, "simreal": 0.3, "emulator": 0.5}  # the second step is negative


def ladder(seeds=1, targets=tuple(FALL)):
    rng = np.random.default_rng(1)
    common = {"theta": 0.1, "neurons": 48, "order": 2, "neuron_type": "LIF"}
    rows = []
    for seed in range(seeds):
        for target in targets:
            row = {"target": target, "seed": seed} | common
            for name in (f"{p}{m}" for p in ("", "predicted_") for m in MEASURES):
                row |= {f"{name}_truncation": 0.1}
                row |= {f"{name}_error": FALL[target] + 0.01 * seed * rng.random()}
            rows.append(row)
    wanted = tuple(map(Target, targets))
    return Ladder(tuple(rows), wanted, tuple(range(seeds)), last=None)


@pytest.fixture(scope="module")
def deployment():
    return deploy(
        MemorySpec(n_neurons=48, order=2, theta=0.1, tau=0.05), "core", duration=0.5
    )


def test_bars_hang_from_one_another():
    found = ladder()
    ax = plots.plot_ladder(new_figure(4, 3).subplots(), found)
    *steps, total = (bar for c in ax.containers for bar in c.patches)
    ends = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in steps]
    assert ends[0][0] == 0
    for (_, top), (base, _) in pairwise(ends):
        assert base == pytest.approx(top)
    assert ends[-1][1] == pytest.approx(total.get_height()) == pytest.approx(0.5)
    assert steps[2].get_height() == pytest.approx(-0.1)
    names = [text.get_text() for text in ax.get_xticklabels()]
    assert names[-1] == "emulator" and names[1] == "spikes,\ncurves"
    assert [text.get_text() for text in ax.texts] == [
        "0.1",
        "0.3",
        "-0.1",
        "0.2",
        "0.5",
    ]


def test_predicted_marks_add_up():
    found = ladder(targets=("core", "emulator"))
    ax = plots.plot_ladder(new_figure(4, 3).subplots(), found, "window")
    marks = [line[0, 1] for line in ax.collections[-1].get_segments()]
    assert marks == pytest.approx([0.1, 0.4, 0.5, 0.5])
    assert "\n+ " in ax.get_xticklabels()[2].get_text()


def test_figures_are_drawn(deployment):
    many = plots.ladder_figure(ladder(seeds=3))
    assert "3 seeds" in many.get_suptitle()
    assert len(many.axes) == 2
    for figure in (many, plots.ladder_figure(ladder())):
        assert plots.png(figure).startswith(b"\x89PNG")
    drawn = plots.deployed(deployment)
    assert "order 2 on Nengo" in drawn.get_suptitle()
    assert "spikes/s" in drawn.get_supxlabel()
    assert "cores" not in drawn.get_supxlabel()
    assert plots.png(drawn).startswith(b"\x89PNG")


def test_readout_is_of_theta(deployment):
    ax = plots.plot_delayed(new_figure(4, 3).subplots(), deployment)
    true, exact, read = ax.lines
    lagged = np.interp(true.get_xdata() - 0.1, deployment.time, deployment.signal)
    np.testing.assert_allclose(true.get_ydata(), lagged, atol=1e-9)
    gap = np.sqrt(np.mean((exact.get_ydata() - true.get_ydata()) ** 2))
    assert gap < np.sqrt(np.mean((read.get_ydata() - true.get_ydata()) ** 2))
