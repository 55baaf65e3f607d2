r"""Gradient descent and Adam, from Optax, on named arrays.

Adam, with ``g`` the gradient at step ``t = 1, 2, ...``:

.. math::

    v &\leftarrow .9\, v + .1\, g, \qquad
    s \leftarrow .999\, s + .001\, g^2 \\
    w &\leftarrow w - \eta \Bigl(
        \frac{v / (1 - .9^t)}{\sqrt{s / (1 - .999^t)} + 10^{-8}} + \lambda w \Bigr) ,

with the weight decay ``\lambda`` of matrices alone.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from lmu_spiking.training._jax import jax, jnp, optax
from lmu_spiking.training.settings import TrainSettings


class Descent:
    """Weights that move against their gradients, and the state of the optimizer.

    Parameters
    ----------
    weights : dict of str to array_like
        All arrays, and the logarithms of the windows that are trained.  Those that do
        not move keep their precision.
    settings : TrainSettings
    names : sequence of str
        Of the weights that move.
    steps : int
        Of the optimizer, in the whole training.
    shortest : float
        Seconds below which no trained window falls.

    Attributes
    ----------
    weights : dict of str to array
        As they are now.
    """

    def __init__(self, weights: dict, settings: TrainSettings, names, steps, shortest):
        dtype = settings.precision
        self._least = np.log(np.array(shortest, dtype))
        moving = {name: jnp.asarray(weights[name], dtype=dtype) for name in names}
        self.weights = weights | moving
        begin, self._moved = _compiled(
            settings.optimizer,
            settings.schedule,
            settings.learning_rate,
            settings.weight_decay,
            steps,
        )
        self._state = begin(moving)

    def move(self, gradients: dict) -> None:
        """Take one step.

        Parameters
        ----------
        gradients : dict of str to array
            Of the weights that move.
        """
        moving = {name: self.weights[name] for name in gradients}
        moved, self._state = self._moved(moving, self._state, gradients, self._least)
        self.weights |= moved

    def moments(self) -> dict[str, np.ndarray]:
        """Return the state of the optimizer: arrays, by the names that Optax has.

        Returns
        -------
        dict of str to ndarray
            Such as ``0.mu.cell0.b``; to be written to a file.
        """
        return {_name(path): np.asarray(leaf) for path, leaf in _leaves(self._state)}

    def restore(self, moments: dict) -> None:
        """Go on from the state of an earlier optimizer.

        Parameters
        ----------
        moments : dict of str to ndarray
            What `moments` returned in a training of the same weights and settings.

        Raises
        ------
        ValueError
            If a name or a shape is not that of this optimizer.
        """
        here = self.moments()
        odd = sorted(here.keys() ^ moments.keys())
        if odd:
            raise ValueError(f"its optimizer has other arrays: {', '.join(odd)}")
        for name, array in moments.items():
            if np.shape(array) != here[name].shape:
                raise ValueError(f"{name} has another shape: {np.shape(array)}")
        leaves = [
            jnp.asarray(moments[_name(path)], dtype=leaf.dtype)
            for path, leaf in _leaves(self._state)
        ]
        structure = jax.tree_util.tree_structure(self._state)
        self._state = jax.tree_util.tree_unflatten(structure, leaves)


def is_window(name: str) -> bool:
    """Return whether a weight is the logarithm of a window.

    Parameters
    ----------
    name : str
        ``cell0.theta`` is one.

    Returns
    -------
    bool
        False for arrays.
    """
    return name.endswith(".theta")


@lru_cache(maxsize=16)  # trainings alike are compiled once
def _compiled(optimizer: str, schedule: str, rate: float, decay: float, steps: int):
    """Return two functions: one makes an optimizer's first state, one takes a step."""
    slope = rate
    if schedule == "cosine":
        slope = optax.cosine_decay_schedule(rate, steps)
    parts = [] if optimizer == "sgd" else [optax.scale_by_adam()]
    if decay:
        parts.append(optax.add_decayed_weights(decay, _are_matrices))
    chain = optax.chain(*parts, optax.scale_by_learning_rate(slope))

    @jax.jit
    def moved(weights: Any, state, gradients, least):
        changes: Any
        changes, state = chain.update(gradients, state, weights)
        weights = {name: w + changes[name] for name, w in weights.items()}
        for name in filter(is_window, weights):
            weights[name] = jnp.maximum(weights[name], least)
        return weights, state

    return chain.init, moved


def _are_matrices(weights: dict) -> dict[str, bool]:
    """Return which of the arrays are matrices."""
    return {name: jnp.ndim(w) == 2 for name, w in weights.items()}


def _leaves(state) -> list[tuple]:
    """Return paths and arrays of a state."""
    return jax.tree_util.tree_flatten_with_path(state)[0]


def _name(path: tuple) -> str:
    """Return a path as a name: ``0.mu.cell0.b``."""
    kinds = ("idx", "name", "key")  # of tuples, of named tuples, of dictionaries
    return ".".join(
        str(next(getattr(part, kind) for kind in kinds if hasattr(part, kind)))
        for part in path
    )
