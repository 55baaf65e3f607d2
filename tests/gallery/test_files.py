"""What NengoGUI asks of a file: a global ``model`` and a layout that fits it."""

import ast
import itertools
import re
from pathlib import Path

import nengo
import pytest

NAMES = sorted(p.stem for p in (Path(__file__).parents[2] / "networks").glob("*.py"))
COMPONENT = re.compile(r"(_viz_\d+) = nengo_gui\.components\.(\w+)\((.+)\)")
SETTING = re.compile(r"_viz_config\[(.+?)\]\.(\w+) ?= ?(.+)")
PLOTS = {"Slider", "Value", "XYValue", "Raster"}


def layout(text):
    """Components by name, (class, expression), and settings by (object, key)."""
    components, settings = {}, {}
    for line in text.splitlines():
        if found := COMPONENT.fullmatch(line):
            components[found[1]] = found[2], found[3]
        elif found := SETTING.fullmatch(line):
            settings[found[1], found[2]] = ast.literal_eval(found[3])
        else:
            assert re.fullmatch(r"_viz_\w+ = nengo_gui\.components\.\w+\(\)", line)
    return components, settings


def test_there_are_six():
    assert NAMES == [
        "delay_line",
        "lmu_cell",
        "online_readout",
        "phase_amplitude",
        "time_cells",
        "window_function",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_model_and_says_what_to_do_and_see(name, opened, gallery):
    assert isinstance(opened(name)["model"], nengo.Network)
    said = ast.get_docstring(ast.parse((gallery / f"{name}.py").read_text()))
    assert said.splitlines()[0].endswith("?")
    assert "\nDo: press play" in said and "\nSee: " in said


@pytest.mark.parametrize("name", NAMES)
def test_its_layout_shows_what_is_in_the_model(name, opened, gallery):
    terms = opened(name)
    components, settings = layout((gallery / f"{name}.py.cfg").read_text())
    kinds = [kind for kind, _ in components.values()]
    assert set(kinds) <= PLOTS and {"Slider", "Value", "Raster"} <= set(kinds)
    inside = {*terms["model"].all_objects, *terms["model"].all_networks}
    inside.add(terms["model"])
    for kind, expression in components.values():
        shown = eval(expression, terms)
        assert shown in inside
        assert kind != "Raster" or isinstance(shown, nengo.Ensemble)
        assert kind != "Slider" or (shown.size_in == 0 and shown.size_out == 1)
    for (of, key), value in settings.items():
        assert of in components or of.startswith("_viz_") or eval(of, terms) in inside
        if key == "legend_labels" and value:
            assert len(value) == eval(components[of][1], terms).size_out


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_its_layout_overlaps(name, gallery):
    components, settings = layout((gallery / f"{name}.py.cfg").read_text())
    boxes = {}
    for of in components:
        x, y, w, h = (settings[of, key] for key in ("x", "y", "width", "height"))
        right = x + w + (0.1 if settings.get((of, "show_legend")) else 0)  # a legend's
        boxes[of] = (x - w, right, y - h, y + h)
        assert x - w >= 0 and right <= 1 and y - h >= 0 and y + h <= 1
    for a, b in itertools.combinations(boxes.values(), 2):
        apart_x = a[1] <= b[0] + 1e-9 or b[1] <= a[0] + 1e-9
        assert apart_x or a[3] <= b[2] + 1e-9 or b[3] <= a[2] + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_name_it(name, gallery):
    for page in (gallery / "README.md", gallery.parent / "docs" / "gallery.md"):
        assert f"{name}.py" in page.read_text()
    assert (gallery.parent / "docs" / "figures" / f"gallery_{name}.png").exists()
