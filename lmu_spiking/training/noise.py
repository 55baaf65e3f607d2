r"""Noise on the states of memories while a network is trained, as spikes will bring it.

Either of a size relative to each dimension's root mean square in the batch,
``m_i + noise rms_i z_i``, or of a given covariance, ``m + S z`` with ``S S^T`` the
covariance; ``z`` are independent standard normal numbers at every step.
"""

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.rates.params import LMUParams
from lmu_spiking.training._keras import tensorflow
from lmu_spiking.training.parallel import only_last
from lmu_spiking.training.settings import TrainSettings


class StateNoise:
    """Noise of all cells.

    Attributes
    ----------
    scales : list
        For each cell: None, a relative size, or the square root of a covariance.
    """

    def __init__(self, params: LMUParams, settings: TrainSettings, last: bool):
        self.params, self.last = params, last
        self.dtype = np.dtype(settings.precision)
        self.scales = [settings.noise or None for _ in params.cells]
        if settings.noise_covariance is not None:
            self.scales[0] = _root(settings.noise_covariance, params)

    def draw(self, x: np.ndarray, rng: np.random.Generator | None) -> list:
        """``z`` of every cell, for inputs (n, T, c) or (n, c); None for no noise."""
        drawn = []
        for i, (cell, scale) in enumerate(
            zip(self.params.cells, self.scales, strict=True)
        ):
            alone = only_last(self.params, i, self.last)
            shape = (len(x),) if alone else (len(x), x.shape[1])
            shape = (*shape, cell.memory_d * cell.order)
            quiet = rng is None or scale is None
            drawn.append(None if quiet else rng.standard_normal(shape, self.dtype))
        return drawn

    def of(self, drawn: list) -> list:
        """For each cell, what noise makes of its states: a function of tensors."""
        return [_adding(s, z) for s, z in zip(self.scales, drawn, strict=True)]


def _adding(scale, z):
    tf = tensorflow()

    def noisy(m):
        if z is None:
            return m
        if np.ndim(scale):
            return m + z @ tf.constant(scale.T, dtype=m.dtype)
        over = list(range(len(m.shape) - 1))
        rms = tf.sqrt(tf.reduce_mean(tf.square(m), axis=over))
        return m + scale * tf.stop_gradient(rms) * z

    return noisy


def _root(covariance: np.ndarray, params: LMUParams) -> np.ndarray:
    size = params.cells[0].memory_d * params.cells[0].order
    if len(covariance) != size:
        raise ValidationError(
            "TrainSettings.noise_covariance",
            covariance.shape,
            f"must be ({size}, {size}), for the states of the first cell",
        )
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))
