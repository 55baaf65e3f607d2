"""The network that a graph becomes, right at one step only."""

import nengo

from lmu_spiking.networks.clock import keeps_time
from lmu_spiking.networks.shared import AsBuilt


@keeps_time("from_nir")
class NIRNetwork(AsBuilt, nengo.Network):
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

    Notes
    -----
    All of them are read-only: a network is what its graph was.
    """

    input: nengo.Node
    output: nengo.Node
    state: nengo.Node | None
    dt: float
