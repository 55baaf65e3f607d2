"""The choice of an engine: gradients at all times at once, or step by step."""

from typing import Any

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.training.bptt import BPTTEngine
from lmu_spiking.training.parallel_engine import ParallelEngine, with_chip_errors
from lmu_spiking.training.settings import TrainSettings


def mode_of(params: LMUParams, settings: TrainSettings) -> str:
    """Return the mode: parallel where memories receive their input alone.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings

    Returns
    -------
    {"parallel", "bptt"}
        The one that is asked for, or the one that suits the cells.

    Raises
    ------
    ValidationError
        If the parallel mode is asked for and cannot be.
    """
    feedforward = all(cell.memory_is_feedforward for cell in params.cells)
    if settings.mode == "parallel" and not feedforward:
        problem, remedy = "needs cells without e_h and e_m", "use mode='bptt'"
        raise ValidationError("TrainSettings.mode", "parallel", problem, remedy)
    return "parallel" if feedforward and settings.mode != "bptt" else "bptt"


def engine_for(params: LMUParams, settings: TrainSettings, data) -> Any:
    """Return what computes outputs and gradients.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
    data : Sequences

    Returns
    -------
    ParallelEngine or BPTTEngine
        An object with ``names``, ``thetas``, ``features(x)``,
        ``gradients(arrays, features, y, weights, rng)``, ``outputs(arrays, features)``
        and ``close()``.
    """
    if mode_of(params, settings) == "parallel":
        settings = with_chip_errors(params, settings, data)
        return ParallelEngine(params, settings, data.classes, data.last)
    n = len(data.train.x)
    return BPTTEngine(params, settings, data.classes, data.last, n)
