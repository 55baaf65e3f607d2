"""The network that a graph becomes, right at one step only."""

import nengo
import numpy as np
from nengo.builder import Builder
from nengo.builder.network import build_network

from lmu_spiking.errors import ValidationError


class NIRNetwork(nengo.Network):
    """What `from_nir` builds.

    Attributes
    ----------
    input : nengo.Node
    output : nengo.Node
        What the graph's output reads.
    state : nengo.Node or None
        The node ``state``: in graphs of ours the Legendre state, at probe index ``k``
        that after input ``k - 1``.  None where there is none.
    parts : dict of str to nengo.Node
        What each node of the graph puts out; a spike is 1 for one step.
    neurons : dict of str to nengo.Ensemble
    dt : float
        Step of the simulator it is for, seconds; simulators of another are refused.
    """

    input: nengo.Node
    output: nengo.Node
    state: nengo.Node | None
    dt: float


@Builder.register(NIRNetwork)
def _build(model, network, *args, **kwargs):
    """As `networks.clock.keeps_time`, with the way out of a graph."""
    if not np.isclose(model.dt, network.dt, rtol=1e-6, atol=0):
        raise ValidationError(
            "from_nir.dt",
            network.dt,
            f"is not the simulator's step of {model.dt:g} s, at which leaks, delays "
            "and spikes would be others",
            f"use Simulator(..., dt={network.dt:g}) or from_nir(..., dt={model.dt:g})",
        )
    return build_network(model, network, *args, **kwargs)
