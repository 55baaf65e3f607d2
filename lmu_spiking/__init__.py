"""Spiking Legendre Memory Units on Nengo.

A sliding window of a signal, held by recurrently connected spiking neurons, with its
error predicted before the run::

    memory = LegendreMemory(6000, order=6, theta=0.5)     # inside a nengo.Network
    budget = predict(MemorySpec(n_neurons=6000, order=6, theta=0.5))
    small = plan(error=0.05, theta=0.5, bandwidth=2.0)    # the law inverted

Read on in `LegendreMemory`, `predict`, `plan`, `MemorySpec` and `LDN`; trials and
sweeps are in `lmu_spiking.studies`, signals in `lmu_spiking.tasks`.
"""

from lmu_spiking.errors import (
    LMUSpikingError,
    MappingError,
    MissingPackageError,
    SignalFileError,
    ValidationError,
)
from lmu_spiking.ldn import LDN
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.neurons import PoissonPopulation, StochasticPopulation
from lmu_spiking.planner import Plan, plan
from lmu_spiking.population import radii_from
from lmu_spiking.spec import MemorySpec, SignalSpec
from lmu_spiking.synapse import Mapped, map_onto
from lmu_spiking.tasks import Signal, ecg, load_signal, white_noise
from lmu_spiking.theory import ErrorBudget, predict
from lmu_spiking.tuning import Tuning

__all__ = [
    "LDN",
    "ErrorBudget",
    "LMUSpikingError",
    "LegendreMemory",
    "Mapped",
    "MappingError",
    "MemorySpec",
    "MissingPackageError",
    "Plan",
    "PoissonPopulation",
    "Signal",
    "SignalFileError",
    "SignalSpec",
    "StochasticPopulation",
    "Tuning",
    "ValidationError",
    "ecg",
    "load_signal",
    "map_onto",
    "plan",
    "predict",
    "radii_from",
    "white_noise",
]

__version__ = "0.2.0"
