r"""Readouts in closed form: ridge regression on activities, its strength by validation.

.. math:: D = (\Phi^T \Phi + \rho \bar P I)^{-1} \Phi^T Y ,

with activities and a constant 1 in :math:`\Phi` and :math:`\bar P` the mean of its
columns' powers.

Letters: ``s`` samples, ``f`` features, ``q`` outputs.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from lmu_spiking.experiments.rivals.models import Model
from lmu_spiking.tasks.sequences import Sequences
from lmu_spiking.training._jax import jax
from lmu_spiking.training.evaluation import loss_and_metric

RIDGES = 10.0 ** np.arange(-14, 1)
GROUP = 4  # sequences whose activities are in memory at once


def ridge(pairs: Iterable, valid: np.ndarray, y, classes: int | None):
    """Return the readout that validates best, and its error.

    Parameters
    ----------
    pairs : iterable of (features, targets)
        Of training, (s, f) and (s, q).
    valid : (n, ..., f) ndarray
        Features of the validation part.
    y : ndarray
        Its targets.
    classes : int or None

    Returns
    -------
    readout : (f, q) ndarray
    error : float
        NRMSE, or 1 minus the accuracy, of the validation part.
    """
    # sums over samples, in double precision
    G: np.ndarray | float = 0.0
    R: np.ndarray | float = 0.0
    for features, targets in pairs:
        features = features.astype(float)
        G, R = G + features.T @ features, R + features.T @ targets
    values, V = np.linalg.eigh(G)
    best, least = np.zeros(np.shape(R)), np.inf
    for strength in RIDGES * values.mean():
        readout = V @ ((V.T @ R) / (np.maximum(values, 0) + strength)[:, None])
        metric = loss_and_metric(classes, valid @ readout, y)[1]
        error = metric if classes is None else 1 - metric
        if error < least:
            best, least = readout, error
    return best, float(least)


def refitted(model: Model, arrays: Mapping, data: Sequences) -> tuple:
    """Return the outputs of the test part with a readout in closed form, and its error.

    Parameters
    ----------
    model : Model
        Of values at every step.
    arrays : mapping of str to array
        Trained.
    data : Sequences

    Returns
    -------
    outputs : (n, T, q) ndarray
    error : float
        NRMSE of the validation part.
    """
    # with an identity for a readout the outputs are activities
    kernel, bias = ("readout.W", "readout.b")
    if kernel not in arrays:
        kernel, bias = ("readout.D", "readout.c")
    units = max(arrays[kernel].shape)
    one = {kernel: np.eye(units, dtype="f"), bias: np.zeros(units, "f")}
    outputs = jax.jit(model.outputs)

    def features(x) -> np.ndarray:
        found = np.asarray(outputs({**arrays, **one}, x))
        return np.concatenate([found, np.ones_like(found[..., :1])], axis=-1)

    def groups(part):
        return (slice(i, i + GROUP) for i in range(0, len(part), GROUP))

    pairs = (
        (_flat(features(data.train.x[i])), _flat(data.train.y[i]))
        for i in groups(data.train)
    )
    valid = np.concatenate([features(data.valid.x[i]) for i in groups(data.valid)])
    readout, error = ridge(pairs, valid, data.valid.y, data.classes)
    test = [features(data.test.x[i]) @ readout for i in groups(data.test)]
    return np.concatenate(test), error


def _flat(y: np.ndarray) -> np.ndarray:
    """Return values (n, T, q) as rows."""
    return y.reshape(-1, y.shape[-1])
