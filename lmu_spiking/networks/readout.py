r"""Readouts of a memory: delays, and any function of the window."""

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.synapse import as_synapse, map_onto


def delay_weights(memory, delay) -> np.ndarray:
    r"""Readout of ``.state`` at each delay: (n, order).

    The state at probe index ``k`` is the one after input ``k - 1``, so that delay ``s``
    sits at ``r = (s - dt/2) / theta``, ``dt <= s <= theta``.
    """
    delay = np.atleast_1d(np.asarray(delay, dtype=float))
    slack = 1e-9 * memory.ldn.theta
    outside = (delay < memory.dt - slack) | (delay > memory.ldn.theta + slack)
    if delay.ndim != 1 or not len(delay) or np.any(outside) or np.any(np.isnan(delay)):
        raise ValidationError(
            "add_output.delay",
            delay.tolist(),
            f"must lie between dt = {memory.dt:g} and theta = {memory.ldn.theta:g} s",
        )
    return memory.ldn.readout(delay - memory.dt, memory.dt)


def add_delay(memory, delay, synapse=None, label=None) -> nengo.Node:
    r"""The input ``delay`` seconds ago.

    From ``.state``, or from the spikes through a synapse of its own.  The latter is
    mapped like the memory itself: with ``A_h, B_h`` the LDN's mapping onto ``h``,
    ``y = c (h * (A_h x + B_h u))`` is ``c m`` in the mean, and no later.
    """
    weights = delay_weights(memory, memory.ldn.theta if delay is None else delay)
    each = np.eye(memory.size_in)
    with memory:
        node = nengo.Node(size_in=memory.size_in * len(weights), label=label or "delay")
        if synapse is None:
            nengo.Connection(
                memory.state, node, transform=np.kron(each, weights), synapse=None
            )
            return node
        synapse = as_synapse(synapse)
        mapped = map_onto(memory.ldn, synapse, memory.dt, feedforward=True)
        nengo.Connection(
            memory.output,
            node,
            transform=np.kron(each, weights @ mapped.A),
            synapse=synapse,
        )
        for column, taken in zip(mapped.B.T, mapped.input_filter, strict=True):
            transform = np.kron(each, (weights @ column)[:, None])
            nengo.Connection(memory.input, node, transform=transform, synapse=taken)
    return node
