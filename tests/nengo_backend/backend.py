"""What Nengo's own tests are run with: the simulator in double precision.

Nengo's tests ask for ``Simulator(network, dt, seed, model, progress_bar, optimize)``.
As a plugin this does what the ``conftest.py`` beside Nengo's sources does, which is not
installed with Nengo.
"""

import nengo

from lmu_spiking import simulator


class Simulator(simulator.Simulator):
    """`lmu_spiking.simulator.Simulator`, float64."""

    def __init__(
        self,
        network,
        dt=0.001,
        seed=None,
        model=None,
        progress_bar=True,
        optimize=True,
    ):
        super().__init__(
            network, dt, seed, model, progress_bar, optimize, dtype="float64"
        )


def pytest_runtest_setup():
    """Nengo's settings for its tests, whatever those of this machine."""
    nengo.rc.reload_rc([])
    nengo.rc["decoder_cache"]["enabled"] = "False"
    nengo.rc["exceptions"]["simplified"] = "False"
    nengo.rc["nengo.Simulator"]["fail_fast"] = "True"
    nengo.rc["progress"]["progress_bar"] = "False"
