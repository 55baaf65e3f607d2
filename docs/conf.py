"""How Sphinx builds these pages: `make docs`, without the network."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # autosummary imports training
HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import lmu_spiking  # noqa: E402

(_mathjax,) = find_spec("mathjax").submodule_search_locations
MATHJAX = Path(_mathjax, "static/mathjax/es5/tex-svg.js")

project = "lmu_spiking"
author = "the lmu_spiking developers"
copyright = "2026, the lmu_spiking developers"
release = version = lmu_spiking.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx.ext.mathjax",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "**/.ipynb_checkpoints"]

# Notebooks arrive executed (`make notebooks`), so that they run once, side by side.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # outputs have equations too
nb_output_stderr = "remove"  # kernels that are compiled once say so
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # types stand in the docstrings
numpydoc_show_class_members = False  # autoclass lists them, with what they say
# Every name of the reference says what it takes and returns, or the build fails.
numpydoc_validation_checks = set(
    "GL01 GL03 GL08 PR01 PR02 PR03 RT01 RT03 SS03 SS05".split()
)
# Enumerations take what Python gives them to take.
numpydoc_validation_exclude = {
    r"lmu_spiking\.Target$",
    r"\.stream\.(Decoded|Decisions)\.",  # fields, which the class describes
}

html_theme = "furo"
html_title = f"lmu_spiking {release}"
# MathJax in one file, from a package, so that readers need no network.
mathjax_path = "tex-svg.js"
html_static_path = ["_static", str(MATHJAX)]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"


def _take_notebooks() -> None:
    """Copy the executed notebooks to where Sphinx looks for its sources."""
    executed = sorted((ROOT / "build" / "notebooks").glob("*.ipynb"))
    if not executed:
        raise FileNotFoundError("build/notebooks has no notebooks; run: make notebooks")
    pages = HERE / "notebooks"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir()
    for notebook in executed:
        shutil.copy(notebook, pages)


_take_notebooks()


def setup(app) -> None:
    """Lead links to executed notebooks, and leave out what scikit-learn adds."""

    def moved(app, name, text):
        text[0] = text[0].replace("](../notebooks/", "](notebooks/")

    def skipped(app, what, name, thing, skip, options):
        # requests for metadata, which it gives to every estimator
        theirs = name.startswith("set_") and name.endswith("_request")
        return True if theirs else None

    app.connect("autodoc-skip-member", skipped)
    app.connect("source-read", moved)
