"""Neurons as NIR means them: no refractory time, and no floor if none is asked for."""

import nengo
import numpy as np

from lmu_spiking.errors import check_positive


class PromptLIF(nengo.LIF):
    """LIF neurons that go on at once after a spike.

    `nengo.LIF` leaves out what remains of a step after a spike unless a refractory time
    of a step or more makes up for it: at ``tau_ref=0`` and 1 ms it fires at 250 Hz in
    place of 320.

    Parameters
    ----------
    tau_rc : float
        Seconds.
    min_voltage : float
        The floor of the voltage, 0 or less; ``-np.inf`` for none, as in NIR.
    """

    def __init__(self, tau_rc: float = 0.02, initial_state=None, min_voltage=0.0):
        super().__init__(
            tau_rc=check_positive("PromptLIF.tau_rc", tau_rc, "seconds"),
            tau_ref=0.0,
            min_voltage=min_voltage,
            initial_state=initial_state,
        )

    def step(self, dt, J, output, voltage, refractory_time):
        """One step; ``refractory_time`` is what was left of the last one, seconds."""
        J = np.asarray(J)
        elapsed = dt + refractory_time
        voltage -= (J - voltage) * np.expm1(-elapsed / self.tau_rc)
        spiked = voltage > 1
        output[:] = spiked / dt
        refractory_time[:] = 0
        beyond = (voltage[spiked] - 1) / (J[spiked] - 1)
        # from v = 1 the voltage took this long to where it is; without end, at J itself
        with np.errstate(divide="ignore"):
            left = -self.tau_rc * np.log1p(-beyond)
        refractory_time[spiked] = np.minimum(left, dt)
        voltage[spiked] = 0
        np.maximum(voltage, self.min_voltage, out=voltage)


class SignedIF(nengo.SpikingRectifiedLinear):
    """Integrate-and-fire neurons that integrate currents below 0, too.

    ``dv/dt = J``, and 1 less for each spike.  `nengo.SpikingRectifiedLinear` integrates
    ``max(J, 0)``: inhibition only stops it.  NIR's ``IF`` has to climb back.
    """

    min_voltage = -np.inf

    def step(self, dt, J, output, voltage):
        """One step."""
        voltage += J * dt
        spikes = np.floor(np.maximum(voltage, 0))
        output[:] = (self.amplitude / dt) * spikes
        voltage -= spikes
