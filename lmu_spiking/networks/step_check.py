"""A network that is right at one step only says so, where a simulator has another."""

import numpy as np
from nengo.builder import Builder
from nengo.builder.network import build_network

from lmu_spiking.errors import ValidationError


def keeps_time(maker: str):
    """Let simulators refuse networks of a class whose ``dt`` is not their own.

    Nengo builds every object by the function that is registered for its class, or for
    the nearest base: this one looks at the clock, and then does as for any network.

    Parameters
    ----------
    maker : str
        What takes the ``dt`` of such a network.
    """

    def build(model, network, *args, **kwargs):
        if not np.isclose(model.dt, network.dt, rtol=1e-6, atol=0):
            raise ValidationError(
                f"{maker}.dt",
                network.dt,
                f"is not the simulator's step of {model.dt:g} s, at which windows, "
                "leaks and delays would be others",
                f"use Simulator(..., dt={network.dt:g}) or {maker}(..., "
                f"dt={model.dt:g})",
            )
        return build_network(model, network, *args, **kwargs)

    def registered(cls):
        Builder.register(cls)(build)
        return cls

    return registered
