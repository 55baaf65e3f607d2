"""NengoGUI in a real browser: a server of the gallery, its pages in Chromium."""

import contextlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

GALLERY = Path(__file__).parents[2] / "networks"
MODELS = sorted(path.stem for path in GALLERY.glob("*.py"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
)
SIZE = {"width": 1280, "height": 800}
CLICK = 5_000  # ms until a click that did nothing is made again
PATIENCE = 60_000  # ms until a condition is given up: only a failure takes so long

# Where the handle of a slider and its line are, and whether it is held at its top.
SLIDER = """label => {
    const slider = Nengo.Component.components.find(
        c => c.sliders && c.label.textContent == label);
    const boxes = ['.btn', '.guideline'].map(part => {
        const box = slider.div.querySelector(part).getBoundingClientRect();
        return [box.left + box.width / 2, box.top, box.bottom];
    });
    const [control] = slider.sliders;
    return [...boxes, control.fixed && control.value == control.scale.domain()[0]];
}"""

# Plots, as the page keeps them; a slider has no axes, a raster keeps lists of neurons.
PLOTTED = """() => Nengo.Component.components
    .filter(c => c.data_store && c.axes2d)
    .map(c => {
        const times = c.data_store.times;
        const lines = c.data_store.data.map(line =>
            line.map(x => typeof x == 'number' ? x : x.length));
        const moved = lines.filter(line => Math.max(...line) > Math.min(...line));
        return {
            label: c.label.textContent,
            samples: times.length,
            end: times.length ? times[times.length - 1] : null,
            lines: lines.length,
            moved: moved.length,
            drawn: [...c.div.querySelectorAll('path.line')].filter(path =>
                (path.getAttribute('d') || '').length > 10).length,
        };
    })"""
# What the button shows, for a message: cog while it builds, remove where that failed.
STATE = """() => `button ${document.querySelector('#pause_button_icon').className},` +
    ` paused ${sim.paused}, time ${sim.time}`"""
MOVED = f"() => ({PLOTTED})().every(plot => plot.moved > 0 && plot.drawn > 0)"
LEVEL = f"""() => {{
    const ends = ({PLOTTED})().map(plot => plot.end);
    return ends.every(end => end == ends[0]);
}}"""
# NengoGUI 0.6 itself: a raster is drawn once before its axis has a range.
KNOWN = 'attribute transform: Trailing garbage, "translate(0,NaN)"'


def missing() -> str | None:
    """What the browser tests need and do not find, in a line."""
    for module, extra in (("nengo_gui", "gui"), ("playwright", "dev")):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed; pip install 'lmu_spiking[{extra}]'"
    if chromium_path() is None:
        return (
            "no Chromium found; install it (apt install chromium) or name it in "
            "LMU_SPIKING_CHROMIUM"
        )
    return None


def chromium_path() -> str | None:
    """The system's Chromium."""
    named = os.environ.get("LMU_SPIKING_CHROMIUM")
    return (
        shutil.which(named)
        if named
        else next(filter(None, map(shutil.which, BROWSERS)), None)
    )


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """``nengo`` on a copy of the gallery, for NengoGUI saves layouts beside models."""

    def __init__(self, directory: Path, backend: str = "nengo"):
        self.directory = directory / "networks"
        shutil.copytree(GALLERY, self.directory)
        self.port = _free_port()
        command = [sys.executable, "-W", "ignore", "-u", "-c"]
        command += ["from nengo_gui.main import main; main()"]
        command += ["--no-browser", "--auto-shutdown", "0", "-P", str(self.port)]
        command += ["-b", backend, f"{MODELS[0]}.py"]
        self.log = open(directory / "nengo.log", "w+")
        self.process = subprocess.Popen(
            command,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.token = self._token()

    def _token(self) -> str:
        """From the address that the server prints when it is ready."""
        for line in self.process.stdout:
            if found := re.search(r"token=([\w%.+/=-]+)", line):
                return found[1]
        raise RuntimeError(f"nengo did not start:\n{self.errors()}")

    def url(self, action: str = "", **query) -> str:
        """An address of the server."""
        query = "&".join(f"{k}={v}" for k, v in query.items())
        return f"http://localhost:{self.port}/{action}?token={self.token}&{query}"

    def errors(self) -> str:
        """What it wrote to standard error."""
        return Path(self.log.name).read_text()

    def stop(self) -> int:
        """Ask it to end, if it runs; its exit status."""
        if self.process.poll() is None:
            with contextlib.suppress(OSError):  # it may end before it has answered
                urllib.request.urlopen(self.url("shutdown"), timeout=10).read()
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.log.close()


@contextlib.contextmanager
def serving(backend: str = "nengo"):
    """A server of the gallery until the block ends."""
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory), backend)
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def chromium():
    """Headless Chromium until the block ends."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=list(FLAGS)
        )
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A model of the gallery, open in a page of its own."""

    def __init__(self, browser, server: Server, model: str, editor: bool = False):
        self.errors: list[str] = []
        self.context = browser.new_context(viewport=SIZE)
        self.context.set_default_timeout(PATIENCE)
        if not editor:
            self.context.add_init_script("localStorage.setItem('ng.hide_editor', true)")
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)
        # with NengoDL installed, NengoGUI imports TensorFlow before the first page
        self.page.goto(server.url(filename=f"{model}.py"), timeout=4 * PATIENCE)
        self.page.wait_for_function("() => typeof sim != 'undefined'")

    def _console(self, message) -> None:
        if message.type == "error" and KNOWN not in message.text:
            self.errors.append(message.text)

    def play(self) -> None:
        """Click on the button, wait until it runs.

        A click that a busy page loses is made again, as a person would.
        """
        from playwright.sync_api import TimeoutError

        self.page.wait_for_function("() => sim.ws.readyState == WebSocket.OPEN")
        until = time.monotonic() + PATIENCE / 1000
        while True:
            if self.page.evaluate("() => sim.paused"):
                self.page.click("#pause_button")
            try:
                self.page.wait_for_selector(
                    "#pause_button_icon.glyphicon-pause, .modal.in", timeout=CLICK
                )
                return
            except TimeoutError:
                if time.monotonic() > until:
                    raise AssertionError(
                        f"{self.page.evaluate(STATE)}, {self.errors}"
                    ) from None

    def pause(self) -> None:
        """Click on the button again; wait until all plots have come to one time."""
        self.page.click("#pause_button")
        self._level()

    def _level(self) -> None:
        """Wait until it has paused and its plots have come to one time; draw them."""
        self.page.wait_for_selector("#pause_button_icon.glyphicon-play")
        self.page.wait_for_function(LEVEL, polling=200)
        self.page.evaluate(
            "() => Nengo.Component.components.forEach(c => c.axes2d && c.update())"
        )

    def drag_to_top(self, label: str) -> None:
        """Drag the handle of a slider to its largest value, as a hand would.

        The handle moves with the signal until it is held, so that a hand on a slow page
        may miss it for ever: pause the simulation meanwhile.
        """
        self.page.wait_for_selector("[data-object-type=slider_handle]")
        self.pause()
        for _ in range(50):
            (x, top, bottom), (_, highest, _), held = self.page.evaluate(SLIDER, label)
            if held:
                self.play()
                return
            self.page.mouse.move(x, (top + bottom) / 2)
            self.page.mouse.down()
            self.page.mouse.move(x, highest - 10, steps=8)
            self.page.mouse.up()
        raise AssertionError(f"{label}: the slider did not stay at its top")

    def pause_at(self, seconds: float) -> None:
        """The page itself stops as soon as its clock says so."""
        self.page.evaluate(
            """t => {
                const watch = setInterval(() => {
                    if (sim.time >= t) {
                        clearInterval(watch);
                        sim.pause();
                    }
                }, 5);
            }""",
            seconds,
        )
        self._level()

    def until(self, seconds: float) -> None:
        """Wait for the simulation's clock, not for the wall's; a dialog ends it."""
        self.page.wait_for_function(
            "t => sim.time >= t || document.querySelector('.modal.in')",
            arg=seconds,
            polling=50,
        )

    def until_moved(self) -> None:
        """Wait until every plot has values that differ, and draws them."""
        self.page.wait_for_function(MOVED, polling=200)

    @property
    def time(self) -> float:
        """The clock that the page shows, seconds."""
        return float(self.page.text_content("#ticks_tr td"))

    def plots(self) -> list[dict]:
        """Label, number of samples, data and lines drawn, plot by plot."""
        return self.page.evaluate(PLOTTED)

    def complaints(self) -> list[str]:
        """Errors in the console, dialogs, and what the model's own console says."""
        dialog = self.page.query_selector(".modal.in")
        said = [self.page.text_content("#console_error") or ""]
        said += [dialog.text_content()] if dialog else []
        return self.errors + [text.strip() for text in said if text.strip()]

    def close(self) -> None:
        """Close the page, which ends its simulation."""
        self.context.close()
