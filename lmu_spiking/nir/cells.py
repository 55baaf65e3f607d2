"""Neurons of our networks as `parts.Cells`."""

import dataclasses

import nengo
import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.nir.limits import (
    KINDS,
    check_size,
    kind_of,
    warn_of,
)
from lmu_spiking.nir.parts import Cells
from lmu_spiking.nir.tonic import tonic_population
from lmu_spiking.population import Population


def memory_cells(memory, choice: str | None) -> Cells:
    """The neurons of a `LegendreMemory`, one by one."""
    own = memory.population
    population = own
    if choice == "tonic":
        population = tonic_population(memory)
    kind = kind_of(
        population.neurons, choice if choice != "tonic" else None, population.ceiling
    )
    check_size(population.n_neurons, population.order)
    p = _singled(population)
    m, of = len(p.gain), p.dimension
    warn_of(kind, p.neurons, p.gain, p.bias)
    E, D = np.zeros((m, p.order)), np.zeros((p.order, m))
    E[np.arange(m), of] = p.gain * p.encoders / p.radii[of]
    D[of, np.arange(m)] = p.decoders
    as_own = kind == KINDS.get(type(own.neurons)) and population is own
    seed = memory.noise_seed if as_own else None
    floor = float(getattr(p.neurons, "min_voltage", 0.0))
    return Cells(kind, E, p.bias, D, *_taus(p.neurons), seed, floor)


def unit_cells(cell, choice: str | None) -> Cells | None:
    """The neurons of a cell's hidden units; None where units are linear, in rates."""
    if cell.units is None:
        return None
    ensemble, neurons = cell.units, cell.units.neuron_type
    base = getattr(neurons, "base_type", neurons)
    if not isinstance(base, nengo.RectifiedLinear):
        raise ValidationError(
            "to_nir.activation",
            cell.params.activation,
            "units have rates that NIR cannot say",
            "train with activation='relu' or 'linear'",
        )
    kind = kind_of(neurons, "if" if choice else None)
    E, D = _weights(cell, ensemble)
    counts = np.asarray(getattr(neurons, "counts", 1))
    of = np.repeat(np.arange(ensemble.n_neurons), counts)
    check_size(len(of), max(E.shape))
    gain = np.asarray(ensemble.gain)[of]
    bias = np.asarray(ensemble.bias)[of]
    warn_of(kind, neurons, gain, bias, units=True)
    seed = ensemble.seed if kind == KINDS.get(type(neurons)) else None
    return Cells(kind, gain[:, None] * E[of], bias, D[:, of], seed=seed)


def _weights(cell, ensemble) -> tuple[np.ndarray, np.ndarray]:
    """What goes into the neurons (n, units), and what is decoded (units, n)."""
    into = out = np.empty((0, 0))
    for connection in cell.connections:
        if connection.post_obj == ensemble.neurons:
            into = _dense(connection)
        if connection.pre_obj == ensemble.neurons:
            out = _dense(connection)
    return into, out


def _dense(connection) -> np.ndarray:
    """The matrix of a connection."""
    if isinstance(connection.transform, nengo.transforms.NoTransform):
        return np.eye(connection.size_out)
    sampled = connection.transform.sample()
    if hasattr(sampled, "toarray"):
        return np.asarray(sampled.toarray(), dtype=float)
    if np.ndim(sampled) < 2:
        return np.eye(connection.size_out) * np.asarray(sampled, dtype=float)
    return np.asarray(sampled, dtype=float)


def _singled(p: Population) -> Population:
    """Aggregated entries as the neurons that they stand for."""
    if np.all(p.per_unit == 1):
        return p
    of = np.repeat(np.arange(len(p.gain)), p.per_unit)
    names = ("dimension", "encoders", "gain", "bias", "decoders", "ceiling")
    columns = {name: getattr(p, name)[of] for name in names}
    return dataclasses.replace(p, per_unit=np.ones(len(of), int), **columns)


def _taus(neurons) -> tuple[float, float]:
    return getattr(neurons, "tau_rc", 0.0), getattr(neurons, "tau_ref", 0.0)
