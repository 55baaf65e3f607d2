"""The examples of docstrings, which the reference shows, run as they say."""

import ast
import doctest
import importlib
from pathlib import Path

import nengo
import numpy as np
import pytest

import lmu_spiking

ROOT = Path(lmu_spiking.__file__).parent
MODULES = sorted(
    ".".join(("lmu_spiking", *path.relative_to(ROOT).with_suffix("").parts))
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
# What a reader has imported before.
KNOWN = {"np": np, "nengo": nengo} | {
    name: getattr(lmu_spiking, name) for name in lmu_spiking.__all__
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name):
    module = importlib.import_module(name)
    found = doctest.DocTestFinder(recurse=True).find(module, extraglobs=KNOWN)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in found:
        runner.run(example)
    assert runner.tries > 0
    assert runner.failures == 0


def test_there_are_examples():
    assert "lmu_spiking.dynamics.ldn" in MODULES
    assert "lmu_spiking.networks.memory" in MODULES


def test_a_docstring_of_a_function_begins_with_what_it_does():
    """No fragment that needs the line above: "Of the memory.", "What is left."."""
    no_verbs = (
        "A An As At By For From How In It Its No Of On That The This To What When "
    )
    no_verbs += "Where Whether Which Who With Such Same Likewise One Each All Every"
    no_nouns = "Of On That What When Where Whether Which Who Such Same Likewise How"
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            ours = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if ours and ast.get_docstring(node):
                line = ast.get_docstring(node).splitlines()[0]
                word = line.split()[0]
                verbs = isinstance(node, ast.FunctionDef)
                refused = no_verbs.split() if verbs else no_nouns.split()
                if word in refused or (verbs and not word[0].isupper()):
                    found.append(f"{path.name}: {node.name}: {line}")
    assert not found
