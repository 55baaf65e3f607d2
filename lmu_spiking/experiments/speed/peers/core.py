"""Nengo's own simulator, double precision."""

import nengo

from .compiled import runner


def build(case: dict):
    """Return a function that runs so many steps of the network of `lmu_spiking`."""
    return runner(case, nengo)
