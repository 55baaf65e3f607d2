"""Every block of code in README and docs runs, page by page, in the order it stands in.

Python blocks of a page share their names, as in a session. Lines for the shell are run
at small sizes where a command is ours, and otherwise held against what they name: a
target of the Makefile, a script and its options, an extra. All else fails.
"""

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import lmu_spiking
from lmu_spiking import MissingPackageError
from lmu_spiking.cli import app, main

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "docs/reference/*.md", "*/README.md")
    for path in ROOT.glob(pattern)
    if not path.relative_to(ROOT).parts[0].startswith(".")
)
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Options that make a command small; the last of an option said twice counts.
SMALL = {
    "run": ["--duration=3"],
    "study": ["--duration=2", "--trials=1", "--jobs=1"],
    "train": ["--epochs=1"],
    "convert": ["--sequences=20"],
    "deploy": ["--duration=1.5", "--neurons=48", "--order=3", "--trials=1"],
    "deploy a model": ["--sequences=3", "--emulated=0"],
}
# Minutes at any size, or on another machine: the command line is parsed, not run.
LONG = ("reproduce", "bench", "spikes", "--scheduler", "psmnist", "board")
# What brings a reader to where the commands are.
AROUND = ("cd", ".", "git", "#")
# Extras by what they install.
WANTED = {
    "train": "optax",
    "loihi": "nengo_loihi",
    "nir": "nir",
    "dask": "distributed",
}


# Pages that go through everything: run where all of it is installed.
WHOLE = ("README.md", "docs/cli.md", "docs/loihi.md")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    wanted = [name for name, m in WANTED.items() if not importlib.util.find_spec(m)]
    if wanted and str(page) in WHOLE:
        pytest.skip(f"needs lmu_spiking[{','.join(wanted)}]")
    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    for folder in ("networks", "loihi"):  # pages speak from the root
        (tmp_path / folder).symlink_to(ROOT / folder)
    t = np.arange(0, 6, 0.01)
    np.savetxt("mine.csv", np.c_[t, np.sin(4 * t)], delimiter=",", header="time,u")
    names, missing = {"__name__": "__main__"}, []
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        language, code = block.groups()
        code = "\n" * text.count("\n", 0, block.start(2)) + code  # for tracebacks
        try:
            if language == "python":
                run_python(code, names, page)
            else:
                for line in lines_of(code):
                    run_line(line)
        except MissingPackageError as error:
            missing.append(str(error))
    if missing:
        pytest.skip(missing[0])


def test_the_reference_has_every_public_name():
    pages = "".join(p.read_text() for p in (ROOT / "docs/reference").glob("*.md"))
    listed = set(re.findall(r"^   (\w+)$", pages, re.MULTILINE))
    assert set(lmu_spiking.__all__) <= listed


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" in link:
                continue
            assert (ROOT / page.parent / link).exists(), f"{page}: {link}"


def test_the_picture_of_the_rooms_is_that_of_the_imports():
    """`docs/rooms.py` drew it; ``make rooms`` draws it again."""
    spec = importlib.util.spec_from_file_location("rooms", ROOT / "docs/rooms.py")
    rooms = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rooms)
    assert rooms.PICTURE.read_text(encoding="utf-8") == rooms.picture()


def test_the_architecture_names_what_exists():
    """Files of each room, and in the files to change the names that stand in them."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table, _, changes = text.partition("## Which file to change")
    package = ROOT / "lmu_spiking"
    rooms = re.findall(r"^\| `(\w+)/` \|.*\| ([^|]*) \|$", table, re.MULTILINE)
    assert {room for room, _ in rooms} == {
        p.parent.name for p in package.glob("*/*.py")
    }
    for room, first in rooms:
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", first):
            assert (package / room / name).exists(), f"{room}/{name}"
    for row in changes.partition("\n## ")[0].splitlines():
        words = re.findall(r"`([^`]+)`", row)
        places = {word: [package / word, ROOT / word] for word in words}
        files = {w: p for w in words for p in places[w] if p.exists()}
        code = "".join(p.read_text("utf-8") for p in files.values() if p.is_file())
        for word in words:
            known = word in files or ("/" not in word and word in code)
            assert known or word.startswith("--"), f"{word}: {row}"


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {lmu_spiking.__version__}\n" in text


def run_python(code: str, names: dict, page: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(code, str(page), "exec"), names)


def lines_of(code: str) -> list[list[str]]:
    """Commands as words; a quoted text may go over several lines."""
    code = re.sub(r"(^|\s)#.*$", "", code.replace("\\\n", " "), flags=re.MULTILINE)
    words = shlex.shlex(code, posix=True, punctuation_chars="\n;&|")
    words.whitespace, words.whitespace_split = " \t\r", True
    commands = [[]]
    for word in words:
        if word != "|" and set(word) <= set("\n;&|"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def run_line(words: list[str]) -> None:
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    command, *rest = words
    if command in AROUND:
        return
    if {"|", ">"} & set(words):
        return piped(words)
    known = {
        "lmu-spiking": ours,
        "make": target,
        "python": script,
        "pip": extra,
        "nengo": lambda names: exists(names[-1]),
        "jupyter": lambda names: exists(names[-1]),
        "pytest": lambda names: None,
        ".venv/bin/pre-commit": lambda names: exists(".pre-commit-config.yaml"),
    }
    assert command in known, f"no way to check {' '.join(words)}"
    known[command](rest)


def piped(words: list[str]) -> None:
    """Commands whose output goes on, in a shell that has ours and this Python."""
    line = " ".join(w if w in "|>" else shlex.quote(w) for w in words)
    here = shlex.quote(sys.executable)
    ours = (
        f'lmu-spiking() {{ {here} -m lmu_spiking "$@"; }}; python() {{ {here} "$@"; }}'
    )
    subprocess.run(["bash", "-eo", "pipefail", "-c", f"{ours}\n{line}"], check=True)


def ours(words: list[str]) -> None:
    command = words[0]
    if command.startswith("--") or "--help" in words or "completion" in " ".join(words):
        words = [*words]
    elif any(long in words for long in LONG):
        return parsed(words)
    else:
        model = command == "deploy" and words[1:] and not words[1].startswith("-")
        words = [*words, *SMALL.get("deploy a model" if model else command, ())]
    with pytest.raises(SystemExit) as ended:
        main(words)
    if ended.value.code == 2:
        for name, module in WANTED.items():
            if importlib.util.find_spec(module) is None:
                raise MissingPackageError(module, name)
    assert not ended.value.code, " ".join(words)


def parsed(words: list[str]) -> None:
    """The command and its options exist, and its arguments are of their kinds."""
    from typer.main import get_command

    group, context = get_command(app), None
    while hasattr(group, "commands"):
        name, *words = words
        assert name in group.commands, name
        group = group.commands[name]
    context = group.make_context(name, list(words))
    context.close()


def target(words: list[str]) -> None:
    done = subprocess.run(
        ["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def script(words: list[str]) -> None:
    if words[0] == "-c":
        subprocess.run([sys.executable, *words], check=True)
        return
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]), words
        return
    exists(words[0])
    text = (ROOT / words[0]).read_text(encoding="utf-8")
    for word in words[1:]:
        if word.startswith("--"):
            assert f'"{word.split("=")[0]}"' in text, word


def exists(name: str) -> None:
    assert (ROOT / name).exists(), name


def extra(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for word in words[1:]:
        for name in re.findall(r"\[(.*)\]", word):
            assert set(name.split(",")) <= set(project["optional-dependencies"]), word
        if word.endswith(".txt"):
            exists(word)
