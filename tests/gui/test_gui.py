"""Every model opens in NengoGUI, plays, and its plots move: with both simulators."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.gui
NAMES = sorted(p.stem for p in (Path(__file__).parents[2] / "networks").glob("*.py"))
WHICH = """
import nengo

with nengo.Network() as model:
    ensemble = nengo.Ensemble(10, 1)


def on_start(sim):
    with open("started", "w") as f:
        f.write(type(sim).__module__)
"""


@pytest.fixture
def opened(gui, server, browser):
    """Open a model: ``opened(name)``; closed in the end."""
    pages = []

    def start(name):
        pages.append(gui.Opened(browser, server, name))
        return pages[-1]

    yield start
    for page in pages:
        page.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_click_on_play_moves_every_plot(name, opened):
    page = opened(name)
    assert page.time == 0 and not any(plot["samples"] for plot in page.plots())
    page.play()
    page.until(0.2)
    page.until_moved()
    page.pause()
    assert page.complaints() == []
    assert page.time > 0.2
    plots = page.plots()
    assert len(plots) >= 4
    for plot in plots:
        assert plot["samples"] > 100 and plot["moved"] > 0, plot["label"]
        assert plot["drawn"] > 0, plot["label"]


def test_a_slider_is_the_signal(opened):
    page = opened("delay_line")
    page.play()
    page.until(0.1)
    page.drag_to_top("signal")
    page.page.wait_for_function(
        """() => {
            const plot = Nengo.Component.components.find(
                c => c.axes2d && c.label.textContent == 'half a second ago');
            const [exact, decoded] = plot.data_store.data.map(line => line.slice(-50));
            return exact.every(x => x == 1) && decoded.every(x => x > 0.7 && x < 1.3);
        }""",
        polling=200,
    )
    assert page.complaints() == []


def test_the_server_runs_the_backend_that_it_was_told(opened, server):
    (server.directory / "which.py").write_text(WHICH)
    page = opened("which")
    page.play()
    page.until(0.05)
    found = (server.directory / "started").read_text()
    assert found.split(".")[0] == server.backend


def test_it_stops_cleanly(gui, browser):
    with gui.serving("lmu_spiking.simulator") as server:
        page = gui.Opened(browser, server, "delay_line")
        page.play()
        page.until(0.05)
        page.close()
        assert server.stop() == 0
        assert "Traceback" not in server.errors()
