"""Spiking Legendre Memory Units on Nengo.

A sliding window of a signal in recurrently connected spiking neurons, with its error
predicted before the run::

    memory = LegendreMemory(6000, order=6, theta=0.5)     # inside a nengo.Network
    budget = predict(MemorySpec(n_neurons=6000, order=6, theta=0.5))
    small = plan(error=0.05, theta=0.5, bandwidth=2.0)    # the error model inverted

Whole units with hidden layers, trained rate-based and run in spikes::

    trained = train(LMUParams.draw(1, 10, [cell]), load_task("digits"))
    spikes = convert(trained.params, sequences, n_neurons=100_000)
    network = spikes.network()                            # inside a nengo.Network

Nengo networks in machine code, many trials at once::

    with Simulator(model, trials=32) as sim:              # in nengo.Simulator's place
        sim.run(10.0)

Read on in `LegendreMemory`, `predict`, `plan`, `LMUCell`, `LMUParams`, `convert` and
`LDN`; trials and sweeps are in `lmu_spiking.studies`, data in `lmu_spiking.tasks`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # editors and type checkers read these lines; Python reads HOMES
    from lmu_spiking.conversion import Conversion, convert, report
    from lmu_spiking.dynamics.ldn import LDN
    from lmu_spiking.dynamics.mapping import Mapped, map_onto
    from lmu_spiking.errors import (
        LMUSpikingError,
        MappingError,
        MissingPackageError,
        ParamsFileError,
        SignalFileError,
        ValidationError,
    )
    from lmu_spiking.estimators import LegendreFeatures, LMUClassifier, LMURegressor
    from lmu_spiking.lmu import CellParams, LMUParams, load_params, save_params
    from lmu_spiking.loihi.run.deploy import deploy
    from lmu_spiking.loihi.run.target import Target
    from lmu_spiking.memory.design import Design, design
    from lmu_spiking.memory.spec import MemorySpec
    from lmu_spiking.networks.cell import LMUCell
    from lmu_spiking.networks.memory import LegendreMemory
    from lmu_spiking.networks.population_feedback import (
        PopulationFeedback,
        add_error_feedback,
    )
    from lmu_spiking.networks.stack import LMUNetwork
    from lmu_spiking.neurons.curves import Tuning
    from lmu_spiking.neurons.population import radii_from
    from lmu_spiking.neurons.types import PoissonPopulation, StochasticPopulation
    from lmu_spiking.nir import from_nir, to_nir
    from lmu_spiking.signals import (
        Signal,
        SignalSpec,
        as_signal,
        ecg,
        load_signal,
        save_signal,
        spectrum_of,
        white_noise,
    )
    from lmu_spiking.simulator import Simulator
    from lmu_spiking.studies.sweep import sweep
    from lmu_spiking.tasks import load_task
    from lmu_spiking.theory.budget import ErrorBudget
    from lmu_spiking.theory.channels import ChannelBudgets
    from lmu_spiking.theory.plan import Plan, plan
    from lmu_spiking.theory.predict import predict
    from lmu_spiking.training import TrainSettings, train

# The module of each name.  They are imported when first asked for: Nengo and all that
# comes with it take a second or two, in which the shell has completed a word.
HOMES = {
    "conversion": "Conversion convert report",
    "errors": "LMUSpikingError MappingError MissingPackageError ParamsFileError "
    "SignalFileError ValidationError",
    "dynamics.ldn": "LDN",
    "estimators": "LMUClassifier LMURegressor LegendreFeatures",
    "loihi.run.deploy": "deploy",
    "loihi.run.target": "Target",
    "networks.cell": "LMUCell",
    "networks.memory": "LegendreMemory",
    "networks.population_feedback": "PopulationFeedback add_error_feedback",
    "networks.stack": "LMUNetwork",
    "neurons.types": "PoissonPopulation StochasticPopulation",
    "nir": "from_nir to_nir",
    "theory.plan": "Plan plan",
    "neurons.population": "radii_from",
    "lmu": "CellParams LMUParams load_params save_params",
    "simulator": "Simulator",
    "memory.design": "Design design",
    "memory.spec": "MemorySpec",
    "studies.sweep": "sweep",
    "dynamics.mapping": "Mapped map_onto",
    "signals": "Signal SignalSpec as_signal ecg load_signal save_signal "
    "spectrum_of white_noise",
    "tasks": "load_task",
    "theory.budget": "ErrorBudget",
    "theory.channels": "ChannelBudgets",
    "theory.predict": "predict",
    "training": "TrainSettings train",
    "neurons.curves": "Tuning",
}
_HOME = {name: module for module, names in HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    """Return a name of `__all__`, or a module of ours, when it is first asked for."""
    if name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if not name.startswith("_"):
        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__version__ = "0.4.0"
