"""What Nengo's own tests are run with: the simulator in the precision that Nengo has.

As a plugin of pytest this does what the ``conftest.py`` beside Nengo's sources does,
which is not installed with Nengo.
"""

import nengo

from lmu_spiking import simulator


class Simulator(simulator.Simulator):
    """`lmu_spiking.Simulator` in float64, or as ``nengo.rc`` says."""

    def __init__(self, *arguments, dtype=None, **keywords):
        dtype = nengo.rc.float_dtype if dtype is None else dtype
        super().__init__(*arguments, dtype=dtype, **keywords)


def pytest_runtest_setup():
    """Nengo's settings for its tests, whatever those of this machine."""
    nengo.rc.reload_rc([])
    nengo.rc["decoder_cache"]["enabled"] = "False"
    nengo.rc["exceptions"]["simplified"] = "False"
    nengo.rc["nengo.Simulator"]["fail_fast"] = "True"
    nengo.rc["progress"]["progress_bar"] = "False"
