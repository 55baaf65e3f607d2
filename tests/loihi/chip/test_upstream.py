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


IMPORTED_BEFORE = """if True:
    import nengo, nengo_loihi
    from lmu_spiking.loihi.run.target import run_on
    with nengo.Network(seed=0) as network:
        ensemble = nengo.Ensemble(20, 1, neuron_type=nengo.LIF())
        nengo.Connection(nengo.Node(1.0), ensemble)
    print(run_on(network, "emulator", 0.05).counts.spikes > 0)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("nengo_loihi") is None, reason="needs NengoLoihi"
)
def test_nengo_loihi_may_be_imported_before():
    """It is fitted to numpy 2 when it is used, whoever imported it."""
    command = [sys.executable, "-W", "ignore", "-c", IMPORTED_BEFORE]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.stdout == "True\n", ended.stderr
