r"""Hidden units as neurons: rates for training, spikes of the same mean to run.

A unit ``f(J)`` is carried by ``n`` neurons that fire at ``r_max |f(J)| / top``, those
of one sign on one side: one side for relu, two for tanh and linear.  Their decoded
spikes, each worth ``top / (n r_max)``, have the mean ``f(J)``, whatever ``n``.

Units with the rates of a chip (`neurons.chip`) fire at them on one side, with ``top`` 1
at the rate that they were trained with; their ``if`` neurons are the chip's.
"""

from dataclasses import dataclass, replace
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.lmu.params import sides_of
from lmu_spiking.networks.bare_ensemble import driven
from lmu_spiking.neurons.chip import ChipRate, ChipUnits, chip_of, integrating
from lmu_spiking.neurons.curves import neuron_type, unmerged
from lmu_spiking.neurons.types import POPULATIONS, RampTanh, population_of

INTEGRATING = ("if",)
NEURON_TYPES = ("poisson", "stochastic", "regular", "rate", *INTEGRATING)


@dataclass(frozen=True, eq=False)
class Hidden:
    """How hidden units become neurons.

    Parameters
    ----------
    neuron_type : {"poisson", "stochastic", "regular", "rate", "if"}
    per_unit : int
        Neurons of each unit, as many on each side.
    max_rate : float
        Rate of a neuron at the activity ``top``, Hz.
    top : float or (n,) array_like
        Activity at which a neuron fires at ``max_rate``; nothing is clipped beyond.
    aggregated : bool
        Simulate the neurons of a side as one; the same in distribution.
    noise_seed : int, optional
    """

    neuron_type: str = "rate"
    per_unit: int = 1
    max_rate: float = 300.0
    top: Any = 1.0
    aggregated: bool = True
    noise_seed: int | None = None

    __repr__ = brief

    def __post_init__(self):
        if self.neuron_type not in NEURON_TYPES:
            raise ValidationError(
                "Hidden.neuron_type",
                self.neuron_type,
                "cannot be a hidden unit",
                f"use one of {', '.join(NEURON_TYPES)}",
            )
        check_whole("Hidden.per_unit", self.per_unit, 1)
        check_positive("Hidden.max_rate", self.max_rate, "Hz")
        if self.noise_seed is not None:
            check_seed("Hidden.noise_seed", self.noise_seed)

    @property
    def spikes(self) -> bool:
        """Whether they do."""
        return self.neuron_type != "rate"


def add_units(
    hidden: Hidden,
    activation: str,
    units: int,
    copies: int,
    chip: ChipUnits | None = None,
):
    """Units in the current network.

    Returns
    -------
    J : nengo.Node
        Takes their drive, ``copies * units``.
    h : nengo.Node
        Their activity, decoded from the spikes of one step.
    ensemble : nengo.Ensemble or None
        Their neurons.
    """
    size, chip = copies * units, chip_of(activation, chip)
    J = nengo.Node(size_in=size, label="drive")
    if not hidden.spikes:
        return (J, *_as_rates(J, activation, size, chip))
    if chip is not None:
        hidden = replace(hidden, max_rate=chip.max_rate, top=1.0)
    signs = np.array([1.0, -1.0])[: sides_of(activation)]
    per_side, odd = divmod(hidden.per_unit, len(signs))
    if per_side < 1 or odd:
        raise ValidationError(
            "Hidden.per_unit",
            hidden.per_unit,
            f"is not as many for each of the {len(signs)} sides of {activation}",
            f"use {len(signs) * max(1, per_side)}",
        )
    top = _tops(hidden, activation, units)
    each = 1 if hidden.aggregated else per_side
    scale, bias = _gain_bias(hidden, activation, top, chip)
    encode = _column(signs, each, units) * np.repeat(
        np.broadcast_to(scale, (units,)), len(signs) * each
    )
    worth = np.repeat(top / (per_side * hidden.max_rate), len(signs) * each)
    decode = _column(signs, each, units) * worth
    of = np.repeat(np.arange(units), len(signs) * each)
    neurons = _neurons(hidden, activation, per_side if hidden.aggregated else 1, chip)
    n = copies * len(of)
    ensemble = driven(n, neurons, bias=bias, seed=hidden.noise_seed, label="units")
    h = nengo.Node(size_in=size, label="hidden")
    rows, columns = _tiled(of, units, copies)
    into = nengo.Sparse(
        (len(rows), size),
        indices=np.column_stack([rows, columns]),
        init=np.tile(encode, copies),
    )
    out = nengo.Sparse(
        (size, len(rows)),
        indices=np.column_stack([columns, rows]),
        init=np.tile(decode, copies),
    )
    nengo.Connection(J, ensemble.neurons, transform=into, synapse=None)
    nengo.Connection(ensemble.neurons, h, transform=out, synapse=None)
    return J, h, ensemble


def _as_rates(J: nengo.Node, activation: str, size: int, chip: ChipUnits | None):
    """One rate neuron a unit, or none where the unit is linear."""
    if activation == "linear":
        return J, None
    kind = nengo.Tanh(tau_ref=1) if activation == "tanh" else nengo.RectifiedLinear()
    worth = None
    if chip is not None:
        kind, worth = ChipRate(activation, chip), 1 / chip.max_rate
    ensemble = driven(size, kind, label="units")
    nengo.Connection(J, ensemble.neurons, synapse=None)
    h = nengo.Node(size_in=size, label="hidden")
    nengo.Connection(ensemble.neurons, h, transform=worth, synapse=None)
    return h, ensemble


def _gain_bias(hidden: Hidden, activation: str, top, chip: ChipUnits | None):
    """What makes a unit's drive that of its neurons."""
    if chip is not None and hidden.neuron_type in INTEGRATING:
        return chip.gain_bias(activation)
    own = activation == "tanh" or chip is not None  # the curve is that of the unit
    return (1.0 if own else hidden.max_rate / top), 0.0


def _neurons(hidden: Hidden, activation: str, counts: int, chip: ChipUnits | None):
    kind: Any = neuron_type(hidden.neuron_type)
    if chip is not None:
        by_rate = hidden.neuron_type not in INTEGRATING
        rates = ChipRate(activation, chip)
        kind = type(kind)(rates) if by_rate else integrating(activation, chip)
    if activation == "tanh":
        if hidden.neuron_type in INTEGRATING:
            raise ValidationError(
                "Hidden.neuron_type",
                hidden.neuron_type,
                "has no tanh rates",
                "train with activation='relu', or use 'poisson' or 'regular'",
            )
        kind = type(kind)(RampTanh(hidden.max_rate))
    if counts == 1:
        return unmerged(kind)
    if type(kind) not in POPULATIONS:
        raise ValidationError(
            "Hidden.aggregated",
            True,
            f"is not known for {hidden.neuron_type} neurons",
            "use aggregated=False",
        )
    return population_of(kind, counts)


def _tops(hidden: Hidden, activation: str, units: int) -> np.ndarray:
    """Activity at the highest rate; tanh cannot pass 1."""
    if activation == "tanh":
        return np.ones(units)
    try:
        top = np.broadcast_to(np.asarray(hidden.top, dtype=float), (units,))
    except (TypeError, ValueError):
        top = np.full(units, np.nan)
    if not np.all(np.isfinite(top) & (top > 0)):
        raise ValidationError(
            "Hidden.top",
            hidden.top,
            f"must be positive, one number or {units} of them",
        )
    return top


def _column(signs: np.ndarray, each: int, units: int) -> np.ndarray:
    """Signs of the entries of all units, unit by unit."""
    return np.tile(np.repeat(signs, each), units)


def _tiled(of: np.ndarray, units: int, copies: int):
    """Row and unit of each entry, for all copies."""
    columns = np.add.outer(np.arange(copies) * units, of).ravel()
    return np.arange(len(columns)), columns
