"""The loop that realises a memory, as its window changes."""

import nengo
import numpy as np

from lmu_spiking.ldn import LDN
from lmu_spiking.networks.cell import RATE_SYNAPSE
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.rates.params import CellParams
from lmu_spiking.synapse import map_onto
from lmu_spiking.training.window import step_slopes


def loop_of(cell: CellParams, theta: float, dt: float, slope: bool = False) -> dict:
    r"""Loop and input weights that realise the memories, or their slopes by theta.

    ``A' = (A - a I) / (1 - a)`` and ``B' = B / (1 - a)``, ``A`` and ``B`` barred: exact
    at every theta.
    """
    ldn = LDN(cell.order, theta)
    mapped = map_onto(ldn, nengo.Lowpass(RATE_SYNAPSE * dt), dt)
    A, B = mapped.A, mapped.B
    if slope:
        gain = mapped.loop.G[0] * mapped.loop.C[0]
        A, B = (found / gain for found in step_slopes(ldn, dt))
    each = np.eye(cell.memory_d)
    return {"A": np.kron(each, A), "B": np.kron(each, np.reshape(B, (-1, 1)))}


def loops_of(network: LMUNetwork, moving) -> dict[str, nengo.Connection]:
    """The connections that carry ``A'`` and ``B'`` of cells."""
    found = {}
    for i in moving:
        memory = network.cells[i].memory
        for connection in memory.connections:
            if connection.post_obj is memory.state:
                of_input = connection.pre_obj is memory.input
                found[f"cell{i}.{'B' if of_input else 'A'}"] = connection
    return found
