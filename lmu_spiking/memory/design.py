"""The neurons of a memory together with the coordinates of the state they carry.

Plain memories carry the Legendre coefficients themselves.  The tunings ``balanced`` and
``optimal`` choose coordinates and shares for the signal to be expected; see
`realisation`.
"""

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped
from lmu_spiking.errors import ValidationError, ValidityWarning, check_positive
from lmu_spiking.memory.basis import REALISED, balanced, band_moments, best_tau
from lmu_spiking.neurons.curves import (
    LEVELS,
    TUNINGS,
    Tuning,
    is_rectified_linear,
    neuron_type,
    statistics,
    unheld,
)
from lmu_spiking.neurons.population import NOISY, Population, build_population, shares

TAU = 0.1  # seconds, of a plain memory's synapse
ALL_TUNINGS = (*TUNINGS, *REALISED)
CLIPPED = 10**6  # neurons, beyond which clipping would outweigh the noise
EXTREME = 3.29  # standard deviations that a normal |x| exceeds .1 % of the time


@dataclass(frozen=True, eq=False)
class Assembly:
    """Neurons, and the loop that they close, in the coordinates that they carry.

    Attributes
    ----------
    population : Population
        Of ``x = T m``.
    loop : Mapped
        The mapping of one input's memory in these coordinates: ``T A' U``, ``T B'``.
    U, T : (order, order) ndarray
        ``m = U x`` and ``x = T m``, alike for every input.
    tuning : str
        As asked: one of `ALL_TUNINGS`.
    own_nrmse : float or None
        For tunings that are made for a signal, the noise predicted for that signal at
        delay theta, over the rms of the exact readout.
    """

    population: Population
    loop: Mapped
    U: np.ndarray
    T: np.ndarray
    tuning: str
    own_nrmse: float | None = None

    __repr__ = brief
    _told = ("tuning", "population")

    def tiled(self, n: int) -> "Assembly":
        """The same for ``n`` times the inputs, each with neurons of its own."""
        return dataclasses.replace(self, population=self.population.tiled(n))

    @property
    def plain(self) -> bool:
        """Whether the neurons carry the Legendre coefficients themselves."""
        return self.tuning not in REALISED


def assemble(
    ldn: LDN,
    mapped: Mapped,
    dt: float,
    n_neurons,
    *,
    radii=None,
    neurons="poisson",
    tuning=None,
    max_rate: float = 300.0,
    aggregated: bool = False,
    rng: np.random.RandomState | None = None,
    signal=None,
    readouts=None,
    size_in: int = 1,
) -> Assembly:
    """Build the neurons of a memory.

    Parameters
    ----------
    ldn, mapped, dt
        The memory, on its synapse, and its step in seconds.
    n_neurons : int
        In all.
    radii : (d,) array_like, optional
        1 by default; not for ``balanced`` and ``optimal``, which choose them.
    neurons, max_rate, aggregated, rng
        As in `build_population`.
    tuning : str or Tuning, optional
        One of `ALL_TUNINGS`; what suits the neurons by default.
    signal : SignalSpec, (T,) or (T, order) array_like
        What ``balanced`` and ``optimal`` are tuned to: a band, samples, or the exact
        states themselves.
    readouts : (p, order) array_like, optional
        Whose noise they make least; by default delay theta and the window.
    size_in : int
        Inputs, alike.
    """
    size = size_in * ldn.order
    common: dict[str, Any] = {"max_rate": max_rate, "averaging": ldn.theta}
    common |= {"aggregated": aggregated, "rng": rng}
    neurons = neuron_type(neurons)
    if caution := unheld(neurons):
        warnings.warn(caution, ValidityWarning, stacklevel=3)
    if not (isinstance(tuning, str) and tuning in REALISED):
        radii = np.ones(size) if radii is None else radii
        population = build_population(
            n_neurons, radii, neurons=neurons, tuning=tuning, **common
        )
        eye = np.eye(ldn.order)
        return Assembly(population, mapped, eye, eye, population.tuning.kind)

    if radii is not None:
        raise ValidationError(
            "radii", radii, f"are chosen by tuning='{tuning}'", "leave them out"
        )
    max_rate = check_positive("max_rate", max_rate, "Hz")
    kind = _kind(tuning, neurons)
    of_each = shares(n_neurons, size).reshape(size_in, ldn.order).sum(axis=1)
    moments, states = signal_moments(ldn, dt, signal)
    levels = LEVELS if kind == "recruited" else 1
    found = balanced(
        ldn,
        mapped,
        dt,
        moments,
        of_each[0],
        weights=None if readouts is None else weights_of(readouts, moments),
        max_rate=max_rate,
        levels=levels,
    )
    radii = found.radii
    if states is not None:  # which need not be normally distributed
        seen = np.quantile(np.abs(states @ found.T.T), 0.999, axis=0)
        radii = radii * np.maximum(1, seen / EXTREME)
    counts = np.concatenate([_resized(found.counts, n) for n in of_each])
    if kind == "recruited":
        kind = Tuning(kind, max_rate, bounded=n_neurons <= CLIPPED)
    population = build_population(
        counts, np.tile(radii, size_in), neurons=neurons, tuning=kind, **common
    )
    A = found.T @ mapped.A @ found.U
    loop = dataclasses.replace(mapped, A=A, B=found.T @ mapped.B)
    c = ldn.readout((ldn.steps(dt) - 1) * dt, dt).ravel()
    own = float(np.sqrt(c @ found.noise @ c / (c @ moments @ c)))
    return Assembly(population, loop, found.U, found.T, tuning, own)


def choose_tau(
    ldn: LDN,
    dt: float,
    n_neurons: int,
    tuning,
    neurons,
    max_rate: float,
    signal,
    size_in: int = 1,
    readouts=None,
) -> float:
    """The lowpass, seconds, where none is given: .1, or what ``tuning`` finds best."""
    if not (isinstance(tuning, str) and tuning in REALISED):
        return TAU
    levels = LEVELS if _kind(tuning, neuron_type(neurons)) == "recruited" else 1
    moments, _ = signal_moments(ldn, dt, signal)
    of_each = int(shares(n_neurons, size_in * ldn.order).sum()) // size_in
    weights = None if readouts is None else weights_of(readouts, moments)
    options: dict[str, Any] = {"max_rate": max_rate, "levels": levels}
    return best_tau(ldn, dt, moments, of_each, weights=weights, **options)


def signal_moments(ldn: LDN, dt: float, signal):
    """Second moment of the exact state under a signal, and its states where known.

    Parameters
    ----------
    signal : SignalSpec, (T,) or (T, order) array_like
        A band, samples of more than a window, or exact states.

    Returns
    -------
    moments : (d, d) ndarray
    states : (T, d) ndarray or None
    """
    if hasattr(signal, "bandwidth"):
        return band_moments(ldn, dt, signal.bandwidth, signal.rms), None
    window = ldn.steps(dt)
    try:
        u = np.asarray(signal, dtype=float)
    except (TypeError, ValueError):
        u = np.empty((0, 0))
    if u.ndim == 2 and u.shape[1] == ldn.order and len(u) and np.isfinite(u).all():
        return u.T @ u / len(u), u
    if u.ndim != 1 or len(u) <= window or not np.isfinite(u).all() or not u.any():
        raise ValidationError(
            "signal",
            signal,
            "must be a SignalSpec, or finite: samples (T,) of over a window, or states",
            f"use more than {window} steps of {dt:g} s, not all of them 0",
        )
    states = ldn.simulate(u, dt)[window:]
    return states.T @ states / len(states), states


def weights_of(readouts, moments: np.ndarray) -> np.ndarray:
    """``W`` (d, d) with ``sum(W * P)`` the readouts' error, relative to their power."""
    c = np.asarray(readouts, dtype=float)
    d = len(moments)
    if c.ndim != 2 or c.shape[1] != d or not np.isfinite(c).all() or not c.any():
        raise ValidationError(
            "readouts", c.shape, f"must be finite, (readouts, {d}), and not all 0"
        )
    power = np.trace(c @ moments @ c.T)
    return c.T @ c / max(power, np.finfo(float).tiny)


def _kind(tuning: str, neurons) -> str:
    """Curves of a tuning that chooses coordinates."""
    if not is_rectified_linear(neurons):
        return "drawn"
    recruits = tuning == "optimal" and statistics(neurons) in NOISY
    return "recruited" if recruits else "pairs"


def _resized(counts: np.ndarray, total: int) -> np.ndarray:
    """Counts of another input, which may have a neuron less."""
    counts = counts.copy()
    counts[np.argmax(counts)] += total - counts.sum()
    return counts
