"""Neurons of a Loihi chip in Nengo's core: their rates, and their spikes.

Those that spike are kinds of Nengo's own integrate-and-fire neurons, as which
NengoLoihi puts them on the chip.
"""

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.params import Parameter

from lmu_spiking.neurons import Unmerged
from lmu_spiking.rates.chip import LOIHI_RELU, ChipUnits, chip_activities


class ChipRate(Unmerged, nengo.neurons.NeuronType):
    """Rates ``max_rate h(J)`` of a chip's neurons as a unit, at the unit's own drive.

    Parameters
    ----------
    activation : {"loihi-relu", "loihi-lif"}
    chip : ChipUnits
    """

    negative = False
    spiking = False
    activation = Parameter("activation", readonly=True)
    chip = Parameter("chip", readonly=True)

    def __init__(self, activation: str, chip: ChipUnits, initial_state=None):
        super().__init__(initial_state)
        self.activation, self.chip = activation, chip

    def gain_bias(self, max_rates, intercepts):
        """Not of a staircase."""
        raise NotImplementedError("ChipRate: give gain and bias themselves")

    def max_rates_intercepts(self, gain, bias):
        """Rate at a drive of 1, and where it begins."""
        h = chip_activities(self.activation, self.chip, np.add(gain, bias))
        return self.chip.max_rate * h, -np.asarray(bias) / gain

    def step(self, dt, J, output):
        """Rates, Hz, at drives ``J`` of units."""
        h = chip_activities(self.activation, self.chip, J)
        output[...] = self.chip.max_rate * h


class ChipIF(nengo.SpikingRectifiedLinear):
    """Integrates its drive (Hz) from 0, spikes once a step at most, and forgets."""

    follows = True  # its drive at once, see `tuning.unheld`
    state = {"voltage": Choice([0])}  # noqa: RUF012 (as Nengo has it)

    def step(self, dt, J, output, voltage):
        """Spikes of a step: ``1/dt`` or 0."""
        voltage += J * dt
        spikes = voltage > 1
        output[...] = spikes * (self.amplitude / dt)
        voltage[spikes | (voltage < 0)] = 0


class ChipLIF(nengo.LIF):
    """The same with a leak, and with a refractory time of whole steps.

    Parameters
    ----------
    tau_rc, tau_ref : float
        As the chip has them, seconds (`ChipUnits.rc` and ``ref``).
    """

    follows = True
    state = {  # noqa: RUF012
        "voltage": Choice([0]),
        "refractory_time": Choice([0]),
    }

    def step(self, dt, J, output, voltage, refractory_time):
        """Spikes of a step: ``1/dt`` or 0."""
        refractory_time -= dt
        heard = np.clip(dt - refractory_time, 0, dt)
        voltage -= (J - voltage) * np.expm1(-heard / self.tau_rc)
        spikes = voltage > 1
        output[...] = spikes * (self.amplitude / dt)
        voltage[spikes | (voltage < 0)] = 0
        refractory_time[spikes] = self.tau_ref + dt


def integrating(activation: str, chip: ChipUnits) -> nengo.neurons.NeuronType:
    """The neurons that have these rates on a chip."""
    if activation == LOIHI_RELU:
        return ChipIF()
    return ChipLIF(tau_rc=chip.rc, tau_ref=chip.ref)
