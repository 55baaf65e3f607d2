"""Neuron types as NIR means them, without refractory time, and what NIR calls ours."""

from typing import ClassVar

import nengo
import numpy as np

from lmu_spiking.errors import check_positive

INSTANT = 9.0  # time constants in a step, after which e^-9 of a voltage is left


class PromptLIF(nengo.LIF):
    """LIF neurons that integrate the whole step, even if they spike in it.

    Within a step the current is constant and the voltage follows its equation: at each
    threshold crossing it is reset to 0 and integrated on for the rest of the step, so a
    neuron may spike several times in a step.  `nengo.LIF` leaves out the rest of the
    step unless the refractory time is a step or more: with ``tau_ref=0`` and steps of
    1 ms it fires at 250 Hz instead of 320.

    A membrane of ``dt / 9`` or less (`INSTANT`) reaches its current within a step; the
    neuron then spikes once in each step in which the current exceeds the threshold.

    Parameters
    ----------
    tau_rc : float
        Membrane time constant, seconds.
    initial_state : dict, optional
        As in `nengo.LIF`.
    min_voltage : float
        The floor of the voltage, 0 or less; ``-np.inf`` for none, as in NIR.
    """

    follows = True  # follows its input at once, see `curves.loop_caution`
    state: ClassVar = {"voltage": nengo.LIF.state["voltage"]}

    def __init__(self, tau_rc: float = 0.02, initial_state=None, min_voltage=0.0):
        super().__init__(
            tau_rc=check_positive("PromptLIF.tau_rc", tau_rc, "seconds"),
            tau_ref=0.0,
            min_voltage=min_voltage,
            initial_state=initial_state,
        )

    def step(self, dt, J, output, voltage):
        """Set ``output`` to the spikes of a step over ``dt``; update the voltage."""
        tau, before = self.tau_rc, voltage.copy()
        voltage -= (np.asarray(J) - voltage) * np.expm1(-dt / tau)
        output[:] = 0
        fired = voltage > 1
        if fired.any():
            J = np.asarray(J)[fired]
            # an initial voltage of the user's may be above 1 while the current is below
            over = np.maximum(J - 1, np.finfo(float).tiny)
            below = np.maximum(1 - before[fired], 0)
            # seconds since the first crossing, and between crossings
            since = np.clip(dt - tau * np.log1p(below / over), 0, dt)
            period = tau * np.log1p(1 / over)
            more = 0 if dt >= INSTANT * tau else np.floor(since / period)
            output[fired] = (1 + more) / dt
            since = np.minimum(since - more * period, period)
            voltage[fired] = -J * np.expm1(-since / tau)
        np.clip(voltage, self.min_voltage, 1, out=voltage)


class SignedIF(nengo.SpikingRectifiedLinear):
    """Integrate-and-fire neurons that also integrate currents below 0.

    ``dv/dt = J``, and 1 less for each spike.  `nengo.SpikingRectifiedLinear` integrates
    ``max(J, 0)``: inhibition only stops it.  NIR's ``IF`` has to climb back.
    """

    follows = True
    min_voltage = -np.inf

    def step(self, dt, J, output, voltage):
        """Set ``output`` to the spikes of a step over ``dt``; update the voltage."""
        voltage += J * dt
        spikes = np.floor(np.maximum(voltage, 0))
        output[:] = (self.amplitude / dt) * spikes
        voltage -= spikes


KINDS = {
    nengo.RectifiedLinear: "rate",
    nengo.SpikingRectifiedLinear: "if",
    SignedIF: "if",
    nengo.LIFRate: "rate-lif",
    nengo.LIF: "lif",
    PromptLIF: "prompt-lif",
}
