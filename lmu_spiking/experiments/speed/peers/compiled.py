"""The simulator of this package, single precision; perhaps many trials at once."""

from importlib import import_module

import numpy as np


def build(case: dict):
    """Runs so many steps, of each trial."""
    package = import_module("lmu_spiking")
    if not hasattr(package, "Simulator"):
        raise ImportError("lmu_spiking.Simulator is not in this version")
    builder, cache = import_module("nengo.builder"), import_module("nengo.cache")
    network, probe = case["model"]()
    fresh = builder.Model(dt=float(case["dt"]), decoder_cache=cache.NoDecoderCache())
    threads, trials = int(case["threads"]), int(case["trials"])
    many = {"trials": trials} if trials > 1 else {}
    simulator = package.Simulator(
        network,
        dt=fresh.dt,
        model=fresh,
        progress_bar=False,
        threads=threads,
        **many,
    )

    def run(steps: int) -> np.ndarray:
        simulator.clear_probes()
        simulator.run_steps(steps, progress_bar=False)
        return simulator.data[probe]

    run.version = package.__version__
    return run
