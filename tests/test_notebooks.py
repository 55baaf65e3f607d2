"""Notebooks as they are committed: what they must have, and that nothing was run.

`make notebooks` executes them.
"""

import ast
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def test_all_ten_are_there():
    numbers = sorted(int(path.name.split("_")[0]) for path in NOTEBOOKS)
    assert numbers == list(range(1, 11))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def text(cell: dict) -> str:
    return "".join(cell["source"])


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def headings(notebook: dict) -> list[tuple[int, str]]:
    """Headings and the cells that they are in."""
    return [
        (k, title)
        for k, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "markdown"
        for title in HEADING.findall(text(cell))
    ]


def test_it_is_a_valid_notebook(notebook):
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(notebook)


def test_it_is_of_format_4_with_cell_ids(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"] >= 5) == (4, True)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


def test_nothing_of_a_run_is_kept(notebook):
    for cell in code_cells(notebook):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_metadata_name_the_kernel_and_no_machine(notebook):
    metadata = notebook["metadata"]
    assert set(metadata) == {"kernelspec", "language_info"}
    assert metadata["kernelspec"]["name"] == "python3"
    assert set(metadata["kernelspec"]) <= {"display_name", "language", "name"}
    assert metadata["language_info"] == {"name": "python"}
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"tags"}


def test_first_cell_has_a_title_and_a_question(notebook):
    first = notebook["cells"][0]
    assert first["cell_type"] == "markdown"
    assert text(first).startswith("# ")
    assert "?" in text(first)


def test_it_ends_with_what_was_seen_computed_in_the_run(notebook):
    at, title = headings(notebook)[-1]
    assert title == "What was seen"
    after = notebook["cells"][at + 1 :]
    assert after and {cell["cell_type"] for cell in after} == {"code"}
    said = "".join(map(text, after))
    assert "Markdown(" in said and said.count("{") >= 3


def test_it_has_a_fast_mode(notebook):
    assert "LMU_SPIKING_FAST" in "".join(map(text, code_cells(notebook)))


def test_code_is_python_without_paths_of_a_machine(notebook):
    for cell in code_cells(notebook):
        ast.parse(re.sub(r"^%\w+ .*$", "", text(cell), flags=re.MULTILINE))  # magic
        assert not re.search(
            r"""["'](/(home|root|work|tmp|Users)|[A-Z]:\\)""", text(cell)
        )


def test_the_list_has_every_notebook():
    listed = set(
        re.findall(r"\((\d+_\w+\.ipynb)\)", (FOLDER / "README.md").read_text())
    )
    assert {path.name for path in NOTEBOOKS} <= listed


@pytest.mark.parametrize("number", range(1, 11))
def test_each_question_of_the_list_is_one(number):
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| [{number} ")]
    assert row.rstrip(" |").endswith("?")
