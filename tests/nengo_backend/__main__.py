"""Nengo's own tests on the compiled simulator: ``python tests/nengo_backend -n 2``.

``-o nengo_simulator=nengo.simulator.Simulator`` runs the same tests on Nengo's own.
"""

import sys
from pathlib import Path

import nengo
import pytest

if __name__ == "__main__":  # not in the processes of pytest-xdist
    # Tests draw their seeds from their names, which count from the root: as in Nengo.
    root = Path(nengo.__file__).parents[1]
    ini = Path(__file__).with_name("pytest.ini")
    arguments = ["-c", str(ini), "--rootdir", str(root), "--pyargs", "nengo"]
    sys.exit(pytest.main(arguments + sys.argv[1:]))
