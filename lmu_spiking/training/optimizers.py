r"""Gradient descent and Adam, on named arrays of numpy.

Adam, with ``g`` the gradient at step ``t = 1, 2, ...``:

.. math::

    v &\leftarrow .9\, v + .1\, g, \qquad
    s \leftarrow .999\, s + .001\, g^2 \\
    w &\leftarrow w - \eta \frac{v / (1 - .9^t)}{\sqrt{s / (1 - .999^t)} + 10^{-8}} .
"""

from dataclasses import dataclass, field

import numpy as np

from lmu_spiking.training.settings import TrainSettings

MOMENTUM, SQUARES, FLOOR = 0.9, 0.999, 1e-8


def rate_at(settings: TrainSettings, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    Parameters
    ----------
    settings : TrainSettings
    step, steps : int
        Number of the step, counted from 0, and of all steps.

    Returns
    -------
    float
        The factor of the direction of descent.
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * (1 + np.cos(np.pi * step / steps)) / 2


@dataclass
class Optimizer:
    """The state of an optimizer.

    Parameters
    ----------
    settings : TrainSettings
    step : int
        Number of steps that were taken.
    first, second : dict of str to ndarray
        Moments of the gradient of each array, for Adam.
    """

    settings: TrainSettings
    step: int = 0
    first: dict[str, np.ndarray] = field(default_factory=dict)
    second: dict[str, np.ndarray] = field(default_factory=dict)

    def update(self, weights: dict, gradients: dict, rate: float) -> None:
        """Take one step in place; every weight becomes a new array.

        Parameters
        ----------
        weights, gradients : dict of str to ndarray
        rate : float
            Learning rate.
        """
        self.step += 1
        for name, g in gradients.items():
            w = weights[name]
            if np.ndim(w) == 2 and self.settings.weight_decay:
                w = w - rate * self.settings.weight_decay * w
            weights[name] = w - rate * self._direction(name, g)

    def _direction(self, name: str, g: np.ndarray) -> np.ndarray:
        """Return what an array is moved against, for a gradient."""
        if self.settings.optimizer == "sgd":
            return g
        v = MOMENTUM * self.first.get(name, 0.0) + (1 - MOMENTUM) * g
        s = SQUARES * self.second.get(name, 0.0) + (1 - SQUARES) * g**2
        self.first[name], self.second[name] = v, s
        v = v / (1 - MOMENTUM**self.step)
        return v / (np.sqrt(s / (1 - SQUARES**self.step)) + FLOOR)
