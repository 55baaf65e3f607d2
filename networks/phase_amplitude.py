"""How strong is an oscillation right now, and where in its cycle?

The window is one cycle long, 0.5 s at 2 Hz.  Its mean product with ``exp(i 2 pi f s)``,
``s`` the delay, is ``z = A exp(i phase)``.  An ensemble over the memory's joint state
decodes ``A`` and the phase, as a point on the unit circle, from spikes.

Do: press play; drag the slider ``amplitude`` (right click, Reset value: it swells by
itself again).
See: ``amplitude`` and ``cosine of the phase``, decoded beside those of the true window;
``phase`` goes round the circle twice a second, whatever the amplitude.
"""

import nengo
import numpy as np

from lmu_spiking import LegendreMemory

FREQUENCY = 2.0  # Hz
THETA = 1 / FREQUENCY  # seconds: one cycle
DT = 0.001
DELAYS = THETA * (np.arange(20) + 0.5) / 20  # where the function sees the window
LAGS = np.round(DELAYS / DT).astype(int)
TURN = 2 * np.exp(2j * np.pi * FREQUENCY * DELAYS) / len(DELAYS)


def phase_amplitude(w):
    """``[A, cos(phase), sin(phase)]`` of the window ``w`` at `DELAYS`."""
    z = w @ TURN
    amplitude = max(abs(z), 1e-9)
    return [amplitude, z.real / amplitude, z.imag / amplitude]


def swelling(t):
    """An amplitude between 0.3 and 0.9."""
    return 0.6 - 0.3 * np.cos(2 * np.pi * t / 4)


def oscillation(t, amplitude):
    """The signal."""
    return amplitude * np.cos(2 * np.pi * FREQUENCY * t)


def expected():
    """Return the signal that the ensemble is tuned to: amplitudes from 0.2 to 1."""
    t = DT * np.arange(round(24 / DT))
    return oscillation(t, 0.6 - 0.4 * np.cos(2 * np.pi * t / 6))


class Exact(nengo.Process):
    """`phase_amplitude` of the true window: what the spikes are held to."""

    def __init__(self):
        super().__init__(default_size_in=1, default_size_out=3)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        """A ring of the last THETA seconds."""
        return {"ring": np.zeros(round(THETA / dt))}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        """Of the samples before this one."""
        ring = state["ring"]

        def step(t, u):
            now = round(t / dt)
            found = phase_amplitude(ring[(now - LAGS) % len(ring)])
            ring[now % len(ring)] = u[0]
            return found

        return step


with nengo.Network(seed=1) as model:
    amplitude = nengo.Node(swelling, label="amplitude")
    signal = nengo.Node(oscillation, size_in=1, label="signal")
    nengo.Connection(amplitude, signal, synapse=None)

    memory = LegendreMemory(
        3000, order=6, theta=THETA, dt=DT, noise_seed=3, label="memory"
    )
    nengo.Connection(signal, memory.input, synapse=None)
    detector = memory.add_output(
        function=phase_amplitude,
        delay=DELAYS,
        n_neurons=1500,
        signal=expected(),
        label="detector",
    )

    exact = nengo.Node(Exact(), label="exact")
    nengo.Connection(signal, exact, synapse=None)

    strength = nengo.Node(size_in=2, label="amplitude in the window")
    cosine = nengo.Node(size_in=2, label="cosine of the phase")
    phase = nengo.Node(size_in=2, label="phase")
    for i, source in enumerate([exact, detector]):
        nengo.Connection(source[0], strength[i], synapse=None)
        nengo.Connection(source[1], cosine[i], synapse=None)
    nengo.Connection(detector[1:], phase, synapse=None)
