"""Models that are trained, with JAX: ``pip install 'lmu_spiking[train]'``."""

from lmu_spiking.training.evaluation import evaluate
from lmu_spiking.training.loop import Trained, train
from lmu_spiking.training.settings import TrainSettings

__all__ = ["TrainSettings", "Trained", "evaluate", "train"]
