"""Can spiking neurons say what a signal was half a second ago?

A memory of the last half second: 2,000 Poisson neurons in a loop, order 6.  Nothing is
trained; the connections are the delay network's matrices on the synapse.

Do: press play.  Then drag the slider ``error feedback`` up to 1 and down to 0, and the
slider ``signal`` to draw a signal of your own (right click on it, Reset value, gives
the noise back).
See: in ``half a second ago`` the decoded past lies on the true one; ``error``, the one
less the other, shrinks to an eighth with error feedback, without another neuron;
``window`` holds five delays at once, the same curve handed from line to line; the
raster shows pairs of neurons, one for each sign of each of the six coefficients.
Change: let KIND, NEURONS be "if", 60: sixty integrate-and-fire neurons that take turns
(staggered) are less wrong than the 2,000, with the slider at 0.
"""

import nengo
import numpy as np

from lmu_spiking import LegendreMemory

THETA = 0.5  # seconds that are remembered
DT = 0.001
KIND, NEURONS = "poisson", 2000  # or "if", 60: neurons that take turns
WINDOW = np.linspace(0.1, THETA, 5)  # delays, seconds
RATE, TAU = 980.0, 0.02  # of the error feedback: per second, and seconds


class Late(nengo.Process):
    """The input, exactly THETA seconds late: what the memory is compared with."""

    def __init__(self):
        super().__init__(default_size_in=1, default_size_out=1)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        """A ring of the last THETA seconds."""
        return {"ring": np.zeros((round(THETA / dt), *shape_out))}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Take the oldest sample, leave the newest."""
        ring = state["ring"]

        def step(t, u):
            i = round(t / dt) % len(ring)
            oldest, ring[i] = ring[i].copy(), u
            return oldest

        return step


with nengo.Network(seed=1) as model:
    signal = nengo.Node(
        nengo.processes.WhiteSignal(period=20, high=1.5, rms=0.5, seed=52),
        label="signal",
    )
    memory = LegendreMemory(
        NEURONS,
        order=6,
        theta=THETA,
        dt=DT,
        neuron_type=KIND,
        noise_seed=3,
        label="memory",
    )
    nengo.Connection(signal, memory.input, synapse=None)

    late = nengo.Node(Late(), label="exact delay")
    nengo.Connection(signal, late, synapse=None)

    past = memory.add_output(delay=THETA, label="decoded")
    window = memory.add_output(delay=WINDOW, label="window")

    both = nengo.Node(size_in=2, label="half a second ago")
    nengo.Connection(late, both[0], synapse=None)
    nengo.Connection(past, both[1], synapse=None)
    error = nengo.Node(size_in=1, label="error")
    nengo.Connection(both, error, transform=[[-1, 1]], synapse=None)

    # what LegendreMemory(error_feedback=(RATE, TAU)) has inside, times the slider: the
    # state less what the spikes decode to, back to the same neurons
    amount = nengo.Node([0.0], label="error feedback")
    neurons, of = memory.population, memory.population.dimension
    encode = np.zeros((len(of), memory.order))
    encode[range(len(of)), of] = neurons.encoders / neurons.radii[of]
    fed_back = nengo.Node(
        lambda t, x: x[0] * x[1:], size_in=1 + memory.order, label="fed back"
    )
    nengo.Connection(amount, fed_back[0], synapse=None)
    nengo.Connection(memory.state, fed_back[1:], transform=RATE * TAU, synapse=TAU)
    nengo.Connection(memory.output, fed_back[1:], transform=-RATE * TAU, synapse=TAU)
    nengo.Connection(fed_back, memory.ensemble.neurons, transform=encode, synapse=None)
