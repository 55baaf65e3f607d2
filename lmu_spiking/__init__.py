"""Spiking Legendre Memory Units on Nengo.

A sliding window of a signal, held by recurrently connected spiking neurons, with its
error predicted before the run::

    memory = LegendreMemory(6000, order=6, theta=0.5)     # inside a nengo.Network
    budget = predict(MemorySpec(n_neurons=6000, order=6, theta=0.5))
    small = plan(error=0.05, theta=0.5, bandwidth=2.0)    # the law inverted

Whole units with hidden layers, trained in rates and run in spikes::

    trained = train(LMUParams.draw(1, 10, [cell]), load_task("digits"))
    spikes = convert(trained.params, sequences, n_neurons=100_000)
    network = spikes.network()                            # inside a nengo.Network

Any Nengo network, dozens of times faster than Nengo runs it::

    with Simulator(model, trials=32) as sim:              # in nengo.Simulator's place
        sim.run(10.0)

Read on in `LegendreMemory`, `predict`, `plan`, `LMUCell`, `LMUParams`, `convert` and
`LDN`; trials and sweeps are in `lmu_spiking.studies`, data in `lmu_spiking.tasks`.
"""

import importlib

from lmu_spiking.conversion import Conversion, convert, report
from lmu_spiking.errors import (
    LMUSpikingError,
    MappingError,
    MissingPackageError,
    ParamsFileError,
    SignalFileError,
    ValidationError,
)
from lmu_spiking.ldn import LDN
from lmu_spiking.networks.cell import LMUCell
from lmu_spiking.networks.memory import LegendreMemory
from lmu_spiking.networks.stack import LMUNetwork
from lmu_spiking.neurons import PoissonPopulation, StochasticPopulation
from lmu_spiking.nir import from_nir, to_nir
from lmu_spiking.planner import Plan, plan
from lmu_spiking.population import radii_from
from lmu_spiking.rates import CellParams, LMUParams, load_params, save_params
from lmu_spiking.spec import MemorySpec, SignalSpec
from lmu_spiking.synapse import Mapped, map_onto
from lmu_spiking.tasks import Signal, ecg, load_signal, load_task, white_noise
from lmu_spiking.theory import ErrorBudget, predict
from lmu_spiking.training import TrainSettings, train
from lmu_spiking.tuning import Tuning

__all__ = [
    "LDN",
    "CellParams",
    "Conversion",
    "ErrorBudget",
    "LMUCell",
    "LMUNetwork",
    "LMUParams",
    "LMUSpikingError",
    "LegendreMemory",
    "Mapped",
    "MappingError",
    "MemorySpec",
    "MissingPackageError",
    "ParamsFileError",
    "Plan",
    "PoissonPopulation",
    "Signal",
    "SignalFileError",
    "SignalSpec",
    "Simulator",
    "StochasticPopulation",
    "TrainSettings",
    "Tuning",
    "ValidationError",
    "convert",
    "ecg",
    "from_nir",
    "load_params",
    "load_signal",
    "load_task",
    "map_onto",
    "plan",
    "predict",
    "radii_from",
    "report",
    "save_params",
    "to_nir",
    "train",
    "white_noise",
]


def __getattr__(name: str):
    """`Simulator` when it is first asked for: numba takes a moment to import."""
    if name == "Simulator":
        return importlib.import_module("lmu_spiking.simulator").Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__version__ = "0.3.0"
