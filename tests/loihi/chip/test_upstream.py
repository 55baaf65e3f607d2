import importlib.util
import os
import subprocess
import sys

import pytest

QUIET = """if True:
    import sys
    from lmu_spiking.loihi.chip.upstream import nengo_loihi
    print(nengo_loihi().__name__, "nengo_dl" in sys.modules)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("nengo_loihi") is None, reason="needs NengoLoihi"
)
def test_nengo_loihi_is_imported_quietly():
    """NengoDL, which it looks for, warns in a second process, which nothing catches."""
    level = "TF_CPP_MIN_LOG_LEVEL"  # which NengoDL, imported by another test, changes
    clean = {name: value for name, value in os.environ.items() if name != level}
    ended = subprocess.run(
        [sys.executable, "-c", QUIET], capture_output=True, text=True, env=clean
    )
    assert ended.stdout == "nengo_loihi False\n", ended.stderr
    assert ended.stderr == ""
