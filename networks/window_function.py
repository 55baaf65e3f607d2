"""Can spikes compute a function of everything that happened in the last half second?

The energy of the window, ``mean(u^2)`` over the last half second, is a sum of products
of the memory's coefficients, so an ensemble over their joint state decodes it; it
computes what its synapse turns into the energy, so the answer is not late.

Do: press play; drag the slider ``signal`` away from 0 and back.
See: ``energy`` rises while the signal is on, stays, and falls to 0 half a second after
it is gone: decoded from spikes, beside the energy of the true window.
"""

import nengo
import numpy as np

from lmu_spiking import LegendreMemory, white_noise

THETA = 0.5  # seconds that the function sees
DT = 0.001
STEPS = round(THETA / DT)
EXPECTED = white_noise(30.0, DT, 1.5, 0.5, seed=5)  # what the ensemble is tuned to


def energy(w):
    """Mean square of the window ``w``, whatever delays it is seen at."""
    return np.mean(w**2)


class Energy(nengo.Process):
    """The energy of the true window, by a sum over it, beside that of the spikes."""

    def __init__(self):
        super().__init__(default_size_in=1, default_size_out=1)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        """A ring of the last THETA seconds."""
        return {"ring": np.zeros(round(THETA / dt))}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """The energy of the samples before this one."""
        ring = state["ring"]

        def step(t, u):
            value = energy(ring)
            ring[round(t / dt) % len(ring)] = u[0]
            return value

        return step


with nengo.Network(seed=1) as model:
    signal = nengo.Node(
        nengo.processes.WhiteSignal(period=20, high=1.5, rms=0.5, seed=52),
        label="signal",
    )
    memory = LegendreMemory(
        2000, order=6, theta=THETA, dt=DT, noise_seed=3, label="memory"
    )
    nengo.Connection(signal, memory.input, synapse=None)

    decoded = memory.add_output(
        function=energy, n_neurons=1000, signal=EXPECTED, label="decoded"
    )

    true = nengo.Node(Energy(), label="exact")
    nengo.Connection(signal, true, synapse=None)

    both = nengo.Node(size_in=2, label="energy")
    nengo.Connection(true, both[0], synapse=None)
    nengo.Connection(decoded, both[1], synapse=None)
