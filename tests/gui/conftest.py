"""A server for each backend and one browser, or a reason why there is none."""

import importlib.util
import os
from pathlib import Path

import pytest


def _machinery():
    path = Path(__file__).with_name("opened.py")
    spec = importlib.util.spec_from_file_location("opened", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def gui():
    """The machinery; without a browser a skip, with LMU_SPIKING_BROWSER=1 the end."""
    machinery = _machinery()
    if problem := machinery.missing():
        if os.environ.get("LMU_SPIKING_BROWSER"):
            pytest.exit(f"make test-gui: {problem}", returncode=1)
        pytest.skip(problem)
    return machinery


@pytest.fixture(scope="session")
def browser(gui):
    """Headless Chromium."""
    with gui.chromium() as running:
        yield running


@pytest.fixture(scope="module", params=["nengo", "lmu_spiking"])
def server(request, gui):
    """``nengo -b BACKEND``, on a copy of the gallery."""
    with gui.serving(request.param) as running:
        running.backend = request.param
        yield running
