"""Models of the gallery, executed as NengoGUI executes them, in both simulators."""

from pathlib import Path

import nengo
import numpy as np
import pytest

from lmu_spiking import Simulator

GALLERY = Path(__file__).parents[2] / "networks"


def _opened(name):
    path = GALLERY / f"{name}.py"
    terms = {"__file__": str(path)}
    exec(compile(path.read_text(), "<nengo_gui_compiled>", "exec"), terms)
    return terms


def _compiled(model, **keywords):
    return Simulator(model, progress_bar=False, **keywords)


@pytest.fixture(scope="session")
def gallery():
    """Its directory."""
    return GALLERY


@pytest.fixture(scope="session")
def opened():
    """The global names of a model: ``opened(name)``."""
    return _opened


@pytest.fixture(params=[pytest.param("nengo", marks=pytest.mark.slow), "compiled"])
def ran(request, simulator):
    """Run a model and probe nodes (or what expressions name) in a simulator.

    ``ran(name, seconds, *expressions)`` -> names, [(T, size), ...]
    """
    start = {"nengo": simulator, "compiled": _compiled}[request.param]

    def run(name, seconds, *expressions):
        terms = _opened(name)
        with terms["model"]:
            probes = [nengo.Probe(eval(e, terms), synapse=None) for e in expressions]
        with start(terms["model"]) as sim:
            sim.run_steps(round(seconds / terms["DT"]))
            return terms, [np.array(sim.data[p], dtype=float) for p in probes]

    return run
