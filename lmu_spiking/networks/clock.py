"""A network that is right at one step only says so, where a simulator has another."""

import numpy as np
from nengo.builder import Builder
from nengo.builder.network import build_network

from lmu_spiking.errors import ValidationError


def keeps_time(cls):
    """Let simulators refuse networks of ``cls`` whose ``dt`` is not their own.

    Nengo builds every object by the function that is registered for its class, or for
    the nearest base: this one looks at the clock, and then does as for any network.
    """

    def build(model, network, *args, **kwargs):
        if not np.isclose(model.dt, network.dt, rtol=1e-6, atol=0):
            raise ValidationError(
                f"{cls.__name__}.dt",
                network.dt,
                f"is not the simulator's step of {model.dt:g} s, at which its window "
                "would be another",
                f"use Simulator(..., dt={network.dt:g}) or {cls.__name__}(..., "
                f"dt={model.dt:g})",
            )
        return build_network(model, network, *args, **kwargs)

    Builder.register(cls)(build)
    return cls
