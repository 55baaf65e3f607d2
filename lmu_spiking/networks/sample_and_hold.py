"""Sample-and-hold processes.

They stand apart from `networks.cell`, which uses them, because a simulator that runs
them in machine code is tested with them alone.
"""

import nengo
import numpy as np


class Held(nengo.Process):
    r"""A sample-and-hold: the mean of some inputs up to step ``p floor(k / p)``.

    Recurrent connections of an LMU go back one *sample*; where a sample is presented
    for ``p`` steps, their value at its end is kept through the next presentation.

    Parameters
    ----------
    steps : int
        Steps of a presentation, ``p``.
    averaged : int
        Steps that the value is the mean of, at most ``p``.
    """

    def __init__(self, steps: int, averaged: int = 1):
        super().__init__(default_size_in=1, default_size_out=1)
        self.steps, self.averaged = int(steps), int(averaged)

    @property
    def held_for(self) -> tuple[int, int]:
        """Return the steps of a presentation, and those averaged, for other engines."""
        return self.steps, self.averaged

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        """Return the sum of the inputs so far, and the value that is put out."""
        dtype = dtype or np.float64
        return {"total": np.zeros(shape_in, dtype), "held": np.zeros(shape_in, dtype)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Return the step function of time and input."""
        total, held = state["total"], state["held"]
        steps, averaged = self.steps, self.averaged

        def step(t, x):
            k = round(t / dt) - 1  # the first step is at dt
            to_come = -k % steps
            if to_come < averaged:
                total[...] += x
            if to_come == 0:
                held[...] = total / min(averaged, k + 1)
                total[...] = 0
            return held

        return step


def hold(source: nengo.Node, steps: int, averaged: int = 1, synapse=None) -> nengo.Node:
    """Add a sample-and-hold node for a source.

    Parameters
    ----------
    source : nengo.Node
    steps, averaged : int
        As in `Held`.
    synapse : nengo.synapses.Synapse or 0, optional
        With 0 the source arrives a step late, so that the mean is over the last
        ``averaged`` steps of one presentation and none of the next.

    Returns
    -------
    nengo.Node
        The source itself where every step is a sample.
    """
    if steps == 1:
        return source
    size = source.size_out
    node = nengo.Node(Held(steps, averaged), size_in=size, size_out=size, label="held")
    nengo.Connection(source, node, synapse=synapse)
    return node
