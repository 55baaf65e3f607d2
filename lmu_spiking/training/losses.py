"""What is minimised, and what is reported."""

import numpy as np

from lmu_spiking.tasks.sequences import nrmse
from lmu_spiking.training._keras import tensorflow


def loss_of(classes: int | None, outputs, y, weights=None):
    """Cross-entropy of classes, or mean square error of values, in TensorFlow.

    Parameters
    ----------
    outputs : (n, q) or (n, T, q) tensor
    y : (n,) or (n, T) of classes, or as ``outputs``
    weights : (n, T) tensor, optional
        Of the steps.
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
    """``accuracy`` of classes, ``nrmse`` of values."""
    return "nrmse" if classes is None else "accuracy"


def loss_and_metric(classes: int | None, outputs, y) -> tuple[float, float]:
    """Return the loss in numpy, and accuracy or normalised root mean square error.

    The error is relative to the standard deviation of the target:
    `lmu_spiking.tasks.sequences.nrmse`.
    """
    outputs = np.asarray(outputs, dtype=float)
    if classes is None:
        return float(np.mean((outputs - y) ** 2)), nrmse(outputs, y)
    shifted = outputs - outputs.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    of_class = np.take_along_axis(shifted, np.asarray(y)[..., None], axis=-1)[..., 0]
    return float(np.mean(log_sum - of_class)), float(np.mean(outputs.argmax(-1) == y))
