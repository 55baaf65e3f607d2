"""The loss that is minimised, in TensorFlow, and what is reported of it, in numpy."""

import numpy as np

from lmu_spiking.metrics import accuracy, nrmse
from lmu_spiking.training._keras import tensorflow


def loss_of(classes: int | None, outputs, y, weights=None):
    """Return the cross-entropy of classes, or mean square error of values.

    Parameters
    ----------
    classes : int or None
        None if ``y`` are values.
    outputs : (n, q) or (n, T, q) tensor
    y : (n,) or (n, T) of classes, or as ``outputs``
    weights : (n, T) tensor, optional
        Of the steps.

    Returns
    -------
    scalar tensor
        The mean over sequences and steps.
    """
    tf = tensorflow()
    if classes is None:
        each = tf.reduce_mean(tf.square(outputs - y), axis=-1)
    else:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
    if weights is None:
        return tf.reduce_mean(each)
    return tf.reduce_sum(weights * each) / tf.reduce_sum(weights)


def metric_name(classes: int | None) -> str:
    """Return ``accuracy`` for classes, ``nrmse`` for values (``classes`` None).

    Parameters
    ----------
    classes : int or None
        None for values.

    Returns
    -------
    str
        As in the history of a training.
    """
    return "nrmse" if classes is None else "accuracy"


def loss_and_metric(classes: int | None, outputs, y) -> tuple[float, float]:
    """Return the loss in numpy, and the accuracy or the `metrics.nrmse`.

    Parameters
    ----------
    classes : int or None
        None if ``y`` are values.
    outputs, y
        As in `loss_of`, as arrays.

    Returns
    -------
    loss, metric : float
        Of all sequences together.
    """
    outputs = np.asarray(outputs, dtype=float)
    if classes is None:
        return float(np.mean((outputs - y) ** 2)), nrmse(outputs, y)
    shifted = outputs - outputs.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    of_class = np.take_along_axis(shifted, np.asarray(y)[..., None], axis=-1)[..., 0]
    return float(np.mean(log_sum - of_class)), accuracy(outputs, y)
