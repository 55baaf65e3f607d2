"""A compiled simulator for Nengo networks: `Simulator`, in `nengo.Simulator`'s place.

The network's operators become a table of integers (`program`), which one compiled loop
steps through (`kernels.machine`).
"""

import importlib

__all__ = ["Simulator"]


def __getattr__(name: str):
    """`Simulator` when it is first asked for: numba takes a moment to import."""
    if name == "Simulator":
        return importlib.import_module("lmu_spiking.simulator.simulator").Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
