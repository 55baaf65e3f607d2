"""The examples of docstrings, which the reference shows, run as they say."""

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
