"""Where do time cells come from: neurons that each fire some time after an event?

Each of 50 neurons looks at the memory's state along the readout of its own delay, so
its encoder is a place in the window.  A pulse that passes through the window passes
them one after another, like the time cells of the hippocampus (MacDonald et al. 2011).

Do: press play and watch a few pulses, one every 2 s; then drag the slider ``pulse`` up
and down for a pulse of your own.
See: each pulse starts a diagonal in the raster; ``five cells`` peak in the order of
their delays, 0.1 to 0.9 s after it.
"""

import nengo
import numpy as np

from lmu_spiking import LegendreMemory

THETA = 1.0  # seconds that are remembered
DT = 0.001
ORDER = 12
EVERY, WIDTH = 2.0, 0.08  # of the pulses: seconds between, standard deviation
CELLS = 50
DELAYS = np.linspace(0.1, 0.9, CELLS)  # of the cells, seconds
THRESHOLD = 0.4  # of the pulse's height


def pulse(t):
    """A bump of height 1 every two seconds, first at 0.5 s."""
    since = (t - 0.5 + EVERY / 2) % EVERY - EVERY / 2
    return np.exp(-0.5 * (since / WIDTH) ** 2)


train = pulse(DT * np.arange(round(8 / DT)))

with nengo.Network(seed=1) as model:
    signal = nengo.Node(pulse, label="pulse")
    memory = LegendreMemory(
        3000,
        order=ORDER,
        theta=THETA,
        dt=DT,
        tuning="optimal",
        signal=train,
        noise_seed=3,
        label="memory",
    )
    nengo.Connection(signal, memory.input, synapse=None)

    # drive of a cell: gain (c m - threshold), with c m the input at its delay
    c = memory.ldn.readout(DELAYS - DT, DT)
    cells = nengo.Ensemble(
        CELLS,
        ORDER,
        neuron_type=nengo.LIF(),
        encoders=c,
        gain=4.0 * np.linalg.norm(c, axis=1),
        bias=1.0 - 4.0 * THRESHOLD * np.ones(CELLS),
        label="time cells",
    )
    nengo.Connection(memory.state, cells, synapse=None)

    five = nengo.Node(size_in=5, label="five cells")
    nengo.Connection(
        cells.neurons[[0, 12, 25, 37, 49]],
        five,
        transform=0.01,
        synapse=nengo.Alpha(0.03),
    )
