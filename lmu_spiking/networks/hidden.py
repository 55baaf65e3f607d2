r"""Hidden units as neurons: rate-based for training, spiking with the same mean.

A unit ``f(J)`` is carried by ``n`` neurons that fire at ``r_max |f(J)| / top``, those
of one sign on one side: one side for relu, two for tanh and linear.  Their decoded
spikes, each worth ``top / (n r_max)``, have the mean ``f(J)``, whatever ``n``.

Neurons of one side that integrate and reset by subtraction are staggered, so that their
spikes are the unit's activity but for one half of a spike (`neurons.population`).

Units with the rates of a chip (`neurons.chip`) fire at them on one side, with ``top`` 1
at the rate that they were trained with; their ``if`` neurons are the chip's.
"""

from dataclasses import dataclass, replace
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.lmu.params import sides_of
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.chip import ChipRate, ChipUnits, chip_of, integrating
from lmu_spiking.neurons.curves import neuron_type, unmerged
from lmu_spiking.neurons.population import is_staggered, one_each, spaced
from lmu_spiking.neurons.types import (
    POPULATIONS,
    RampTanh,
    accumulator,
    begin_at,
    population_of,
)

INTEGRATING = ("if",)
NEURON_TYPES = ("poisson", "stochastic", "regular", "rate", *INTEGRATING)


@dataclass(frozen=True, eq=False)
class Hidden:
    """The neurons that hidden units become.

    Parameters
    ----------
    neuron_type : {"poisson", "stochastic", "regular", "rate", "if"}
        Type of the neurons.
    per_unit : int
        Neurons of each unit, as many on each side.
    max_rate : float
        Rate of a neuron at the activity ``top``, Hz.
    top : float or (n,) array_like
        Activity at which a neuron fires at ``max_rate``; nothing is clipped beyond.
    aggregated : bool
        Simulate the neurons of a side as one; the same in distribution, and for
        staggered neurons spike by spike.
    initial_phases : {"staggered", "random"}, optional
        As in `LegendreMemory`: staggered by default where neurons can be, which those
        of a chip cannot.
    noise_seed : int, optional
        Draws the spikes; from the network's seed by default.

    Raises
    ------
    ValidationError
        If a value is out of range.
    """

    neuron_type: str = "rate"
    per_unit: int = 1
    max_rate: float = 300.0
    top: Any = 1.0
    aggregated: bool = True
    noise_seed: int | None = None
    initial_phases: str | None = None

    __repr__ = brief

    def __post_init__(self):
        problem = "cannot be a hidden unit"
        check_one_of("Hidden.neuron_type", self.neuron_type, NEURON_TYPES, problem)
        check_whole("Hidden.per_unit", self.per_unit, 1)
        check_positive("Hidden.max_rate", self.max_rate, "Hz")
        if self.noise_seed is not None:
            check_seed("Hidden.noise_seed", self.noise_seed)
        is_staggered(neuron_type(self.neuron_type), "pairs", self.initial_phases)

    @property
    def spikes(self) -> bool:
        """Return whether the neurons spike."""
        return self.neuron_type != "rate"


def add_units(
    hidden: Hidden,
    activation: str,
    units: int,
    copies: int,
    chip: ChipUnits | None = None,
):
    """Add units to the current network.

    Parameters
    ----------
    hidden : Hidden
    activation : str
    units, copies : int
        Units of a cell, and cells side by side.
    chip : ChipUnits, optional
        Settings of the activations of a chip.

    Returns
    -------
    J : nengo.Node
        Takes the units' drive, ``copies * units``.
    h : nengo.Node
        Their activity, decoded from the spikes of one step.
    ensemble : nengo.Ensemble or None
        Their neurons; None for linear units in rates.
    """
    size, chip = copies * units, chip_of(activation, chip)
    J = nengo.Node(size_in=size, label="drive")
    if not hidden.spikes:
        return (J, *_add_rates(J, activation, size, chip))
    if chip is not None:
        hidden = replace(hidden, max_rate=chip.max_rate, top=1.0)
    # as many neurons on each side; an aggregated side is one entry
    signs = np.array([1.0, -1.0])[: sides_of(activation)]
    per_side, odd = divmod(hidden.per_unit, len(signs))
    if per_side < 1 or odd:
        problem = f"is not as many for each of the {len(signs)} sides of {activation}"
        remedy = f"use {len(signs) * max(1, per_side)}"
        raise ValidationError("Hidden.per_unit", hidden.per_unit, problem, remedy)
    each = 1 if hidden.aggregated else per_side
    entries = len(signs) * each
    staggered = chip is None and is_staggered(
        neuron_type(hidden.neuron_type), "pairs", hidden.initial_phases
    )
    # what a unit's drive is to its neurons, and what their spikes are worth
    top = 1.0 if activation == "tanh" else hidden.top  # which tanh cannot exceed
    top = one_each("Hidden.top", top, units)
    scale, bias = 1.0, 0.0
    if chip is not None and hidden.neuron_type in INTEGRATING:
        scale, bias = chip.gain_bias(activation)
    elif chip is None and activation != "tanh":  # whose curves are those of the units
        scale = hidden.max_rate / top
    sign = np.tile(np.repeat(signs, each), units)
    encode = sign * np.repeat(np.broadcast_to(scale, (units,)), entries)
    decode = sign * np.repeat(top / (per_side * hidden.max_rate), entries)
    # each entry takes the drive of its unit, in every copy
    counts = per_side if hidden.aggregated else 1
    if staggered:  # one accumulator of all their rates, or neurons one by one
        summed = replace(hidden, max_rate=counts * hidden.max_rate)
        neurons = _neurons(summed, activation, 1, None)
        begin = np.tile(spaced(each), copies * units * len(signs))
        if counts > 1:
            neurons = accumulator(neurons, counts, begin)
        else:
            neurons = begin_at(neurons, begin)
        encode = encode if activation == "tanh" else counts * encode
    else:
        neurons = _neurons(hidden, activation, counts, chip)
    columns = np.repeat(np.arange(size), entries)
    rows, n = np.arange(len(columns)), len(columns)
    ensemble = driven(n, neurons, bias=bias, seed=hidden.noise_seed, label="units")
    h = nengo.Node(size_in=size, label="hidden")
    for source, target, shape, indices, weights in (
        (J, ensemble.neurons, (n, size), (rows, columns), encode),
        (ensemble.neurons, h, (size, n), (columns, rows), decode),
    ):
        values, where = np.tile(weights, copies), np.column_stack(indices)
        transform = nengo.Sparse(shape, indices=where, init=values)
        nengo.Connection(source, target, transform=transform, synapse=None)
    return J, h, ensemble


def _add_rates(J: nengo.Node, activation: str, size: int, chip: ChipUnits | None):
    """Add one rate neuron for each unit, or none where the unit is linear."""
    if activation == "linear":
        return J, None
    kind: Any = nengo.RectifiedLinear()
    worth = None
    if activation == "tanh":
        kind = nengo.Tanh(tau_ref=1)
    if chip is not None:
        kind, worth = ChipRate(activation, chip), 1 / chip.max_rate
    ensemble = driven(size, kind, label="units")
    nengo.Connection(J, ensemble.neurons, synapse=None)
    h = nengo.Node(size_in=size, label="hidden")
    nengo.Connection(ensemble.neurons, h, transform=worth, synapse=None)
    return h, ensemble


def _neurons(hidden: Hidden, activation: str, counts: int, chip: ChipUnits | None):
    """Return the neuron type of units, of which an entry stands for ``counts``."""
    # spikes are drawn at the rates of the activation, or integrated from its drive
    kind: Any = neuron_type(hidden.neuron_type)
    by_rate = hidden.neuron_type not in INTEGRATING
    if chip is not None:
        rates = ChipRate(activation, chip)
        kind = type(kind)(rates) if by_rate else integrating(activation, chip)
    if activation == "tanh":
        if not by_rate:
            problem = "has no tanh rates"
            remedy = "train with activation='relu', or use 'poisson' or 'regular'"
            name = "Hidden.neuron_type"
            raise ValidationError(name, hidden.neuron_type, problem, remedy)
        kind = type(kind)(RampTanh(hidden.max_rate))
    if counts == 1:
        return unmerged(kind)
    if type(kind) not in POPULATIONS:
        problem = f"is not known for {hidden.neuron_type} neurons"
        remedy = "use aggregated=False"
        raise ValidationError("Hidden.aggregated", True, problem, remedy)
    return population_of(kind, counts)
