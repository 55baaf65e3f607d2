"""The screenshots of `docs/gallery.md`, in a real browser.

    python tests/gui/screenshots.py                  # all of them, into docs/figures
    python tests/gui/screenshots.py delay_line       # one of them

Each model runs from its start in headless Chromium until its claim is on the screen.
"""

import io
import sys
from pathlib import Path

import opened
from PIL import Image

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
SECONDS = {"online_readout": 9.5}  # it learns; 6 for all others
RAISED = {"delay_line": (3.8, "error feedback")}  # a slider, from that second on
COLOURS = 128  # in a picture: enough for lines on white, a third of the size


def main(models) -> None:
    """Play until the simulation's clock says so, take the picture."""
    if problem := opened.missing():
        sys.exit(problem)
    with opened.serving() as server, opened.chromium() as browser:
        for model in models or opened.MODELS:
            page = opened.Opened(browser, server, model)
            page.play()
            if model in RAISED:
                seconds, slider = RAISED[model]
                page.until(seconds)
                page.drag_to_top(slider)
            page.pause_at(SECONDS.get(model, 6.0))
            path = FIGURES / f"gallery_{model}.png"
            with Image.open(io.BytesIO(page.page.screenshot())) as picture:
                picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
            print(f"{path} ({path.stat().st_size // 1000} kB, {page.time:.1f} s)")
            if found := page.complaints():
                sys.exit(f"{model}: {found}")
            page.close()


if __name__ == "__main__":
    main(sys.argv[1:])
