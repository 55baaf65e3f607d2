"""What nodes of a graph are made of in Nengo: stages, one after the other."""

from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.networks.bare_ensemble import driven
from lmu_spiking.nir.parts import Clock

FORGOTTEN = 40.0  # time constants in a step: e^-40 of 1 is below rounding


@dataclass(frozen=True, eq=False)
class Part:
    """A node of NIR: inputs, summed, pass ``stages`` one after the other.

    Attributes
    ----------
    size_in, size_out : int
    stages : tuple
        Each a callable that takes a Nengo object and returns the next one.
    slow : bool
        Whether a step passes from its inputs to its outputs, which breaks a loop.
    first : bool
        Whether it is the Input.
    """

    size_in: int
    size_out: int
    stages: tuple = ()
    slow: bool = False
    first: bool = False

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class Built:
    """The same in Nengo."""

    into: nengo.Node
    out: nengo.Node
    ensemble: nengo.Ensemble | None

    __repr__ = brief


def build(part: Part) -> Built:
    """In the current network."""
    into = here = nengo.Node(size_in=part.size_in)
    ensemble = None
    for stage in part.stages:
        here = stage(here)
        if isinstance(here, nengo.Ensemble):
            ensemble, here = here, here.neurons
    return Built(into, here, ensemble)


# -- stages -------------------------------------------------------------------------


def weighted(weight, synapse=None):
    """A matrix, a vector of factors, or 1."""
    weight = np.asarray(weight, dtype=float)

    def stage(source):
        n = weight.shape[0] if weight.ndim == 2 else source.size_out
        node = nengo.Node(size_in=n)
        nengo.Connection(source, node, transform=weight, synapse=synapse)
        return node

    return stage


def raised(bias):
    """A constant more."""

    def stage(source):
        constant = nengo.Node([1.0], label="one")
        column = np.asarray(bias, dtype=float)[:, None]
        nengo.Connection(constant, source, transform=column, synapse=None)
        return source

    return stage


def leaks(tau, clock: Clock, name: str = "tau"):
    """Lowpasses, one for each time constant that there is."""
    seconds = np.asarray(clock.meant(tau, name), dtype=float)
    # Nengo's lowpass overflows where a step is thousands of time constants
    seconds = np.where(seconds * FORGOTTEN < clock.dt, 0.0, seconds)

    def stage(source):
        node = nengo.Node(size_in=source.size_out)
        for one in np.unique(seconds):
            of = np.flatnonzero(seconds == one)
            whole = len(of) == len(seconds)
            nengo.Connection(
                source if whole else source[of],
                node if whole else node[of],
                synapse=nengo.Lowpass(one),
            )
        return node

    return stage


def fires(kind: str, seed, model):
    """Neurons at the current ``J`` that they are given."""

    def stage(source):
        # with a gain of 1 and no bias, Nengo finds no highest rate for LIF, and warns
        n = source.size_out
        ensemble = driven(n, model, gain=2.0, seed=seed, label=kind)
        nengo.Connection(source, ensemble.neurons, transform=0.5, synapse=None)
        return ensemble

    return stage


def spikes(clock: Clock):
    """A spike as the graph counts it, from Nengo's of height 1 / dt."""

    def stage(source):
        node = nengo.Node(size_in=source.size_out)
        nengo.Connection(source, node, transform=clock.spike, synapse=None)
        return node

    return stage


def above(threshold):
    """1 above a threshold, else 0."""

    def stage(source):
        node = nengo.Node(
            lambda t, x: (x > threshold).astype(float), size_in=source.size_out
        )
        nengo.Connection(source, node, synapse=None)
        return node

    return stage
