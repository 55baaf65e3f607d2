"""Where a Nengo network runs on this machine: compiled, or in Nengo's own simulator."""

import nengo
from nengo.builder import Model
from nengo.cache import NoDecoderCache

from lmu_spiking.errors import ValidationError

TARGETS = ("compiled", "core")


def check_target(attribute: str, target: str) -> str:
    """A target of this machine, or a ValidationError."""
    if target not in TARGETS:
        raise ValidationError(
            attribute, target, "is not available", f"use {' or '.join(TARGETS)}"
        )
    return target


def simulator(
    model: nengo.Network, dt: float, target: str = "core", *, exact=False, **options
) -> nengo.Simulator:
    """A simulator without Nengo's decoder cache, which parallel trials would lock.

    Parameters
    ----------
    target : {"core", "compiled"}
    exact : bool
        Compiled in double precision.
    """
    check_target("target", target)
    fresh = Model(dt=dt, label="lmu_spiking", decoder_cache=NoDecoderCache())
    options |= {"dt": dt, "model": fresh, "progress_bar": False}
    if target == "core":
        return nengo.Simulator(model, **options)
    from lmu_spiking.simulator.simulator import Simulator  # which imports numba

    options = {"threads": 1} | options
    return Simulator(model, dtype="float64" if exact else "float32", **options)
