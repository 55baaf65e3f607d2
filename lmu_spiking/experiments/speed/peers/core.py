"""Nengo's own simulator, double precision."""

import nengo
import numpy as np


def build(case: dict):
    """Runs so many steps of the network as `lmu_spiking` gives it."""
    from nengo.builder import Model
    from nengo.cache import NoDecoderCache

    network, probe = case["model"]()
    fresh = Model(dt=float(case["dt"]), decoder_cache=NoDecoderCache())
    simulator = nengo.Simulator(network, dt=fresh.dt, model=fresh, progress_bar=False)

    def run(steps: int) -> np.ndarray:
        simulator.clear_probes()
        simulator.run_steps(steps, progress_bar=False)
        return simulator.data[probe]

    run.close, run.version = simulator.close, nengo.__version__
    return run
