"""Specs from predicted errors: what to build for a signal, found without a run."""

import numpy as np

from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.neurons.population import radii_from
from lmu_spiking.signals import Signal, ecg
from lmu_spiking.signals.ecg import PERIOD
from lmu_spiking.theory.predict import budget_of, spectrum

ORDERS = range(6, 25, 2)


def spec_for(recorded: Signal, theta: float, n_neurons: int, **fields) -> MemorySpec:
    """Return the spec of the order of least predicted ``nrmse`` for a signal's window.

    A higher order holds more of the signal and carries more noise; the predicted
    error says where they balance.  Each dimension's radius is the 99th percentile of
    its exact state.

    Parameters
    ----------
    recorded : Signal
    theta : float
        Window, seconds.
    n_neurons : int
    **fields
        Further fields of the spec.
    """

    def candidate(order: int) -> MemorySpec:
        spec = MemorySpec(
            n_neurons=n_neurons, order=order, theta=theta, dt=recorded.dt, **fields
        )
        states = spec.ldn.simulate(recorded.samples, recorded.dt)
        return spec.replace(radii=tuple(radii_from(states, 0.99).tolist()))

    specs = [candidate(order) for order in ORDERS if 2 * order <= n_neurons]
    return min(specs, key=lambda spec: budget_of(spec, recorded.samples).nrmse())


def ecg_spec(dt: float = 0.001, n_neurons: int = 40_000) -> MemorySpec:
    """A memory of the last 100 ms of the electrocardiogram, for Poisson neurons."""
    signal = ecg(2 * PERIOD, dt)
    return spec_for(signal, 0.1, n_neurons, tau=0.05, signal=_band(signal))


def _band(signal: Signal) -> SignalSpec:
    """The band that holds 99 % of a signal's power."""
    frequency, power = spectrum(signal.samples, signal.dt)
    inside = np.cumsum(power) <= 0.99 * power.sum()
    return SignalSpec(bandwidth=float(frequency[inside].max()), rms=signal.rms)
