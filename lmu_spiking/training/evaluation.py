"""Losses, accuracies and errors that a training reports, in numpy."""

import warnings

import numpy as np

from lmu_spiking.errors import ValidityWarning
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.metrics import accuracy, nrmse
from lmu_spiking.tasks.sequences import counted


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


def loss_and_metric(
    classes: int | None, outputs, y, lengths=None
) -> tuple[float, float]:
    """Return the loss, and the accuracy or the `metrics.nrmse`.

    The loss is the cross-entropy of classes, or the mean square error of values.

    Parameters
    ----------
    classes : int or None
        None if ``y`` are values.
    outputs : (n, q) or (n, T, q) array_like
    y : (n,) or (n, T) of classes, or as ``outputs``
    lengths : (n,) ndarray of int, optional
        Steps of each sequence: of outputs at every step those past them do not count.

    Returns
    -------
    loss, metric : float
        Of all sequences together.
    """
    outputs, y = np.asarray(outputs, dtype=float), np.asarray(y)
    if lengths is not None and outputs.ndim == 3:
        outputs, y = counted(outputs, lengths), counted(y, lengths)
    if classes is None:
        return float(np.mean((outputs - y) ** 2)), nrmse(outputs, y)
    shifted = outputs - outputs.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    of_class = np.take_along_axis(shifted, np.asarray(y)[..., None], axis=-1)[..., 0]
    return float(np.mean(log_sum - of_class)), accuracy(outputs, y)


def evaluate(
    params: LMUParams,
    part,
    classes: int | None = None,
    *,
    last: bool | None = None,
    batch: int = 100,
) -> float:
    """Return accuracy, or root mean square error over the target's deviation.

    Parameters
    ----------
    params : LMUParams
    part : Part
        Sequences ``x`` (n, T, c), and ``y``.
    classes : int, optional
        None if ``y`` are values.
    last : bool, optional
        Whether only the last step is read; by default, if ``y`` has no axis of time.
    batch : int
        Sequences at a time.

    Returns
    -------
    float
        Of all sequences together.
    """
    y = np.asarray(part.y)
    if last is None:
        last = y.ndim == (1 if classes else 2)
    outputs = outputs_of(params, part, last=last, batch=batch)
    return loss_and_metric(classes, outputs, y, getattr(part, "lengths", None))[1]


def outputs_of(params: LMUParams, part, *, last: bool, batch: int = 100) -> np.ndarray:
    """Return the rate-based outputs for a part of a task, some sequences at a time.

    Parameters
    ----------
    params : LMUParams
    part : Part
    last : bool
        Whether only the last step of each sequence is read.
    batch : int
        Sequences at a time.

    Returns
    -------
    (n, q) or (n, T, q) ndarray
        As of `lmu.forward`.
    """
    found, lengths = [], getattr(part, "lengths", None)
    for i in range(0, len(part.x), batch):
        ends = None if lengths is None else lengths[i : i + batch]
        x = part.x[i : i + batch]
        found.append(forward(params, x, last=last, lengths=ends))
    return np.concatenate(found)


def validation_name(data, *, chooses: bool = False) -> str:
    """Return the name of results on the validation part: ``valid`` or ``seen``.

    Sequences that are trained on validate nothing.  If all sequences of the part are
    trained on, as after `Sequences.merged`, the results are called ``seen``.

    Parameters
    ----------
    data : Sequences
    chooses : bool
        Whether the part is to choose when to stop.

    Returns
    -------
    {"valid", "seen"}
        The beginning of names in the history.

    Warns
    -----
    ValidityWarning
        If some sequences of the validation or test part are also trained on.
    """
    known, n = data.trained_on("valid"), len(data.valid)
    if 0 < known < n:
        _warn(data, f"{known} of {n} validation sequences are also trained on")
    if known == n and chooses:
        _warn(data, "patience is judged on sequences that are trained on")
    tested = data.trained_on("test")
    if tested:
        _warn(data, f"{tested} of {len(data.test)} test sequences are also trained on")
    return "seen" if known == n else "valid"


def _warn(data, problem: str) -> None:
    """Warn of a task whose parts are not apart."""
    text = f"train: of the task {data.name}, {problem}; keep the parts apart"
    warnings.warn(text, ValidityWarning, stacklevel=4)
