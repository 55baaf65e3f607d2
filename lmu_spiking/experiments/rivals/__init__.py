"""Rivals of an LMU, in JAX: recurrent models of the literature, trained by one loop.

Published, reproduced and compared models share this room, so that all train alike.
"""

from lmu_spiking.experiments.rivals.models import (
    Model,
    dense_model,
    hybrid_model,
    lmu_model,
    lstm_for,
    recurrent_model,
    s5_model,
    units_for,
)
from lmu_spiking.experiments.rivals.training import Fitted, fit, late_gain

__all__ = [
    "Fitted",
    "Model",
    "dense_model",
    "fit",
    "hybrid_model",
    "late_gain",
    "lmu_model",
    "lstm_for",
    "recurrent_model",
    "s5_model",
    "units_for",
]
