"""A compiled simulator for Nengo networks."""

from lmu_spiking.simulator.simulator import Simulator

__all__ = ["Simulator"]
