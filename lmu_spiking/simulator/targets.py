"""Where a Nengo network runs on this machine: compiled, or in Nengo's own simulator."""

import nengo
from nengo.builder import Model
from nengo.cache import NoDecoderCache

from lmu_spiking.errors import check_one_of

TARGETS = ("compiled", "core")


def check_target(attribute: str, target: str) -> str:
    """Return a target of this machine, or raise a ValidationError.

    Parameters
    ----------
    attribute : str
        Name of the value, for the message.
    target : str
        One of `TARGETS`.

    Returns
    -------
    str
    """
    return check_one_of(attribute, target, TARGETS, "is not available")


def simulator(
    model: nengo.Network, dt: float, target: str = "core", *, exact=False, **options
) -> nengo.Simulator:
    """Return a simulator without Nengo's decoder cache, which parallel trials lock.

    Parameters
    ----------
    model : nengo.Network
    dt : float
        Seconds.
    target : {"core", "compiled"}
        Nengo's own simulator, or the compiled one.
    exact : bool
        Compile in double precision.
    **options
        Further arguments of `nengo.Simulator`, or of `lmu_spiking.Simulator`.

    Returns
    -------
    nengo.Simulator

    Raises
    ------
    ValidationError
        If the target is unknown.
    """
    check_target("target", target)
    fresh = Model(dt=dt, label="lmu_spiking", decoder_cache=NoDecoderCache())
    options |= {"dt": dt, "model": fresh, "progress_bar": False}
    if target == "core":
        return nengo.Simulator(model, **options)
    from lmu_spiking.simulator.simulator import Simulator  # which imports numba

    options = {"threads": 1} | options
    return Simulator(model, dtype="float64" if exact else "float32", **options)
