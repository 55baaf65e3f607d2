"""Which way to the gradients."""

from lmu_spiking.errors import ValidationError
from lmu_spiking.rates.params import LMUParams
from lmu_spiking.training.bptt import BPTTEngine
from lmu_spiking.training.parallel_engine import ParallelEngine
from lmu_spiking.training.settings import TrainSettings


def engine_for(params: LMUParams, settings: TrainSettings, data):
    """All times at once where cells are feedforward, or step by step.

    Returns
    -------
    An object with ``mode``, ``names``, ``thetas``, ``features(x)``,
    ``gradients(arrays, features, y, weights, rng)``, ``outputs(arrays, features)``
    and ``close()``.
    """
    if settings.mode == "parallel" and not params.is_feedforward:
        raise ValidationError(
            "TrainSettings.mode",
            "parallel",
            "needs cells without e_h, e_m and W_h",
            "use mode='bptt'",
        )
    if settings.mode != "bptt" and params.is_feedforward:
        return ParallelEngine(params, settings, data.classes, data.last)
    sequences = len(data.train.x)
    return BPTTEngine(params, settings, data.classes, data.last, sequences)
