"""A check that a network runs at the time step that it was built for."""

import numpy as np
from nengo.builder import Builder
from nengo.builder.network import build_network

from lmu_spiking.errors import ValidationError


def keeps_time(maker: str):
    """Return a class decorator: simulators refuse a network whose ``dt`` they lack.

    Nengo builds every object by the function that is registered for its class, or for
    the nearest base: this one looks at the clock, and then does as for any network.

    Parameters
    ----------
    maker : str
        Name of the class or function that takes the ``dt`` of such a network.

    Returns
    -------
    callable
        It returns the class itself.
    """

    def build(model, network, *args, **kwargs):
        if not np.isclose(model.dt, network.dt, rtol=1e-6, atol=0):
            problem = f"is not the simulator's step of {model.dt:g} s, at which "
            problem += "windows, leaks and delays would be others"
            own, other = network.dt, model.dt
            remedy = f"use Simulator(..., dt={own:g}) or {maker}(..., dt={other:g})"
            raise ValidationError(f"{maker}.dt", own, problem, remedy)
        return build_network(model, network, *args, **kwargs)

    def registered(cls):
        Builder.register(cls)(build)
        return cls

    return registered
