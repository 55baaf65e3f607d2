"""Which way to the gradients."""

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.training.bptt import BPTTEngine
from lmu_spiking.training.parallel_engine import ParallelEngine, settled
from lmu_spiking.training.settings import TrainSettings


def mode_of(params: LMUParams, settings: TrainSettings) -> str:
    """All times at once where memories hear their input alone, or step by step.

    Returns
    -------
    {"parallel", "bptt"}
    """
    feedforward = all(cell.memory_is_feedforward for cell in params.cells)
    if settings.mode == "parallel" and not feedforward:
        raise ValidationError(
            "TrainSettings.mode",
            "parallel",
            "needs cells without e_h and e_m",
            "use mode='bptt'",
        )
    return "parallel" if feedforward and settings.mode != "bptt" else "bptt"


def engine_for(params: LMUParams, settings: TrainSettings, data):
    """What computes outputs and gradients.

    Returns
    -------
    An object with ``names``, ``thetas``, ``features(x)``,
    ``gradients(arrays, features, y, weights, rng)``, ``outputs(arrays, features)``
    and ``close()``.
    """
    if mode_of(params, settings) == "parallel":
        settings = settled(params, settings, data)
        return ParallelEngine(params, settings, data.classes, data.last)
    sequences = len(data.train.x)
    return BPTTEngine(params, settings, data.classes, data.last, sequences)
