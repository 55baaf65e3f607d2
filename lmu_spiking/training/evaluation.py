"""How well parameters do, in numpy."""

import numpy as np

from lmu_spiking.rates.forward import forward
from lmu_spiking.rates.params import LMUParams
from lmu_spiking.training.losses import loss_and_metric


def evaluate(
    params: LMUParams,
    part,
    classes: int | None = None,
    *,
    last: bool | None = None,
    batch: int = 100,
) -> float:
    """Accuracy, or root mean square error over the target's standard deviation.

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
    """
    y = np.asarray(part.y)
    if last is None:
        last = y.ndim == (1 if classes else 2)
    outputs = [
        forward(params, part.x[i : i + batch], last=last)
        for i in range(0, len(part.x), batch)
    ]
    return loss_and_metric(classes, np.concatenate(outputs), y)[1]
