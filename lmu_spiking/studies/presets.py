"""Specs from predicted errors: what to build for a signal, found without a run.

The command line and users call it.
"""

import numpy as np

from lmu_spiking.memory.spec import MemorySpec, SignalSpec
from lmu_spiking.neurons.population import radii_from
from lmu_spiking.signals import Signal, ecg
from lmu_spiking.signals.ecg import PERIOD
from lmu_spiking.signals.spec import spectrum
from lmu_spiking.theory.predict import budget_of

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

    Returns
    -------
    MemorySpec
        At the signal's step.
    """
    specs = []
    for order in ORDERS:
        if 2 * order <= n_neurons:
            shape = {"n_neurons": n_neurons, "order": order, "theta": theta}
            spec = MemorySpec(**shape, dt=recorded.dt, **fields)
            specs.append(fitted_radii(spec, recorded.samples))
    return min(specs, key=lambda spec: budget_of(spec, recorded.samples).nrmse())


def fitted_radii(spec: MemorySpec, samples: np.ndarray) -> MemorySpec:
    """Return a spec whose radii are the 99th percentiles of its exact states.

    Parameters
    ----------
    spec : MemorySpec
    samples : (T,) ndarray
        The signal, at the spec's step.

    Returns
    -------
    MemorySpec
    """
    states = spec.ldn.simulate(samples, spec.dt)
    return spec.replace(radii=tuple(radii_from(states, 0.99).tolist()))


def ecg_spec(dt: float = 0.001, n_neurons: int = 40_000) -> MemorySpec:
    """Return a memory of the last 100 ms of the electrocardiogram.

    Parameters
    ----------
    dt : float
        Step, seconds.
    n_neurons : int
        Poisson neurons.

    Returns
    -------
    MemorySpec
        Of the order of least predicted error, with the band that holds 99 % of the
        signal's power.
    """
    signal = ecg(2 * PERIOD, dt)
    frequency, power = spectrum(signal.samples, signal.dt)
    inside = np.cumsum(power) <= 0.99 * power.sum()
    band = SignalSpec(bandwidth=float(frequency[inside].max()), rms=signal.rms)
    return spec_for(signal, 0.1, n_neurons, tau=0.05, signal=band)
