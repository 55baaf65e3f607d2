"""Can a readout learn, while it runs, what to take from the memory?

A delayed signal is the teacher: the input ``delay`` seconds ago.  An ensemble over the
memory's state has decoders that begin at 0 and learn by PES from the error alone; they
are told neither the delay nor the mathematics of the window.

Do: press play and wait ten seconds; then drag the slider ``delay`` (seconds), and it
learns the new one.  ``learn`` at 0 stops the learning.
See: in ``teacher and readout`` the readout grows into the teacher; ``error`` shrinks.
"""

import nengo
import numpy as np

from lmu_spiking import LegendreMemory

THETA = 0.5  # seconds that the memory holds
DT = 0.001
DELAY = 0.3  # seconds, at first
LOUDER = np.array([1.4, 1.4, 1.4, 2.0, 3.0, 4.0])  # high coefficients are small here


class Teacher(nengo.Process):
    """The input ``x[0]`` as it was ``x[1]`` seconds ago."""

    def __init__(self):
        super().__init__(default_size_in=2, default_size_out=1)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        """A ring of the last THETA seconds, and now."""
        return {"ring": np.zeros(round(THETA / dt) + 1)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Write now, read then."""
        ring = state["ring"]

        def step(t, x):
            now = round(t / dt)
            ring[now % len(ring)] = x[0]
            steps = round(min(max(x[1], 0.0), THETA) / dt)
            return ring[(now - steps) % len(ring)]

        return step


with nengo.Network(seed=1) as model:
    signal = nengo.Node(
        nengo.processes.WhiteSignal(period=20, high=1.5, rms=0.5, seed=52),
        label="signal",
    )
    delay = nengo.Node([DELAY], label="delay")
    learn = nengo.Node([1.0], label="learn")

    memory = LegendreMemory(
        2000, order=6, theta=THETA, dt=DT, noise_seed=3, label="memory"
    )
    nengo.Connection(signal, memory.input, synapse=None)

    teacher = nengo.Node(Teacher(), label="teacher")
    nengo.Connection(signal, teacher[0], synapse=None)
    nengo.Connection(delay, teacher[1], synapse=None)

    learner = nengo.Ensemble(600, 6, radius=1.5, seed=4, label="learner")
    nengo.Connection(memory.state, learner, transform=np.diag(LOUDER), synapse=None)
    readout = nengo.Node(size_in=1, label="readout")
    learned = nengo.Connection(
        learner,
        readout,
        function=lambda x: 0.0,
        synapse=0.01,
        learning_rule_type=nengo.PES(learning_rate=3e-4),
    )

    error = nengo.Node(lambda t, x: x[2] * (x[0] - x[1]), size_in=3, label="error")
    nengo.Connection(readout, error[0], synapse=None)
    nengo.Connection(teacher, error[1], synapse=None)
    nengo.Connection(learn, error[2], synapse=None)
    nengo.Connection(error, learned.learning_rule, synapse=None)

    both = nengo.Node(size_in=2, label="teacher and readout")
    nengo.Connection(teacher, both[0], synapse=None)
    nengo.Connection(readout, both[1], synapse=None)
