"""The simulator of this package, single precision, and Nengo's own, in double."""

from importlib import import_module

import numpy as np


def build(case: dict):
    """Return a function that runs so many steps, of each trial."""
    package = import_module("lmu_spiking")
    if not hasattr(package, "Simulator"):
        raise ImportError("lmu_spiking.Simulator is not in this version")
    options = {"threads": int(case["threads"])}
    if (trials := int(case["trials"])) > 1:
        options["trials"] = trials
    return runner(case, package, **options)


def runner(case: dict, package, **options):
    """Return a function that runs so many steps in a simulator like Nengo's."""
    builder, cache = import_module("nengo.builder"), import_module("nengo.cache")
    network, probe = case["model"]()
    fresh = builder.Model(dt=float(case["dt"]), decoder_cache=cache.NoDecoderCache())
    options |= {"dt": fresh.dt, "model": fresh, "progress_bar": False}
    simulator = package.Simulator(network, **options)

    def run(steps: int) -> np.ndarray:
        simulator.clear_probes()
        simulator.run_steps(steps, progress_bar=False)
        return simulator.data[probe]

    run.close, run.version = simulator.close, package.__version__
    return run
