"""LIF neurons without a refractory time, as NIR means them."""

import nengo
import numpy as np


class PromptLIF(nengo.LIF):
    """LIF neurons that go on at once after a spike.

    `nengo.LIF` leaves out what remains of a step after a spike unless a refractory time
    of a step or more makes up for it: at ``tau_ref=0`` and 1 ms it fires at 250 Hz in
    place of 320.

    Parameters
    ----------
    tau_rc : float
        Seconds.
    """

    def __init__(self, tau_rc: float = 0.02, initial_state=None):
        super().__init__(tau_rc=tau_rc, tau_ref=0.0, initial_state=initial_state)

    def step(self, dt, J, output, voltage, refractory_time):
        """One step; ``refractory_time`` is what was left of the last one, seconds."""
        J = np.asarray(J)
        elapsed = dt + refractory_time
        voltage -= (J - voltage) * np.expm1(-elapsed / self.tau_rc)
        spiked = voltage > 1
        output[:] = spiked / dt
        refractory_time[:] = 0
        beyond = (voltage[spiked] - 1) / (J[spiked] - 1)
        # from v = 1 the voltage took this long to where it is
        left = -self.tau_rc * np.log1p(-beyond)
        refractory_time[spiked] = np.minimum(left, dt)
        voltage[spiked] = 0
        np.maximum(voltage, self.min_voltage, out=voltage)
