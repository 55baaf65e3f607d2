"""Settings of a training: everything that it depends on beside its data and start."""

import dataclasses
import json
import numbers
from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_seed,
    check_shape,
    check_whole,
)
from lmu_spiking.lmu.params import LMUParams

CHOICES = {
    "optimizer": ("adam", "sgd"),
    "schedule": ("constant", "cosine"),
    "precision": ("float32", "float64"),
    "keep": ("best", "last"),
}
OPTIONAL = ("patience", "crop", "seconds", "trainable", "noise_covariance")


@dataclass(frozen=True, eq=False)
class TrainSettings:
    r"""Settings of a training.

    Parameters
    ----------
    epochs, batch : int
        Sequences that do not fill a last batch are left out of the epoch; which they
        are is drawn anew for each.
    learning_rate : float
    optimizer : {"adam", "sgd"}
        Adam with 0.9, 0.999 and 1e-8, or plain gradient descent.
    schedule : {"constant", "cosine"}
        Cosine goes from the learning rate to 0 over all epochs.
    patience : int, optional
        Epochs without a better validation after which it stops.
    seconds : float, optional
        An epoch that would end later is not begun; the first always is.
    noise : float
        Gaussian noise on the memories' states while training, in units of the rms that
        each dimension has in the batch.
    noise_covariance : (k d, k d) array_like, optional
        Covariance of noise on the states of the first cell, in place of ``noise``:
        what the error model predicts for spikes.  Independent from step to step.
    late, stretch : float
        Errors of a chip to train with, root mean squares: samples that a state is read
        too late or too early, and relative errors of the first cell's window.  Beside
        ``noise``, which then is of the first cell alone (`training.noise`).
    rate_penalty : float
        Is multiplied by the mean of ``|h|`` and added to the loss, for fewer spikes.
    weight_decay : float
        Of matrices, apart from the gradient: ``w -= learning_rate * decay * w``.
    trainable : iterable of str, optional
        Names of arrays, as in ``LMUParams.arrays()``; all by default.
    trainable_theta : bool or tuple of int
        Whether windows are trained, or of which cells; through their logarithm.
    crop : int, optional
        Train on so many consecutive steps of each sequence, drawn for each batch.  A
        memory whose states are known (the first, unless its window is trained) has them
        exactly; any other begins at rest two windows earlier.  Not for cells with
        ``e_h``, ``e_m`` or ``W_h``.
    seed : int
        Of batches, augmentation and noise, which depend on nothing but the seed, the
        epoch and the step.
    precision : {"float32", "float64"}
        Of gradients and parameters while training, with either engine.
    keep : {"best", "last"}
        Parameters of the epoch that validates best, or of the last one.

    Raises
    ------
    ValidationError
        If a setting is outside its range.
    """

    epochs: int = 10
    batch: int = 100
    learning_rate: float = 0.001
    optimizer: str = "adam"
    schedule: str = "constant"
    patience: int | None = None
    seconds: float | None = None
    noise: float = 0.0
    noise_covariance: np.ndarray | None = None
    late: float = 0.0
    stretch: float = 0.0
    rate_penalty: float = 0.0
    weight_decay: float = 0.0
    trainable: tuple[str, ...] | None = None
    trainable_theta: bool | tuple[int, ...] = False
    crop: int | None = None
    seed: int = 0
    precision: str = "float32"
    keep: str = "best"

    __repr__ = brief

    def __post_init__(self):
        def check(check_value, names, *limits):
            """Check settings, and replace each by the checked value."""
            for name in names.split():
                value = getattr(self, name)
                if value is not None or name not in OPTIONAL:
                    value = check_value(f"TrainSettings.{name}", value, *limits)
                    object.__setattr__(self, name, value)

        # numbers
        check(check_whole, "epochs batch patience crop", 1)
        check(check_positive, "learning_rate seconds")
        check(_check_at_least_0, "noise late stretch rate_penalty weight_decay")
        check(check_seed, "seed")
        # names
        for name, choices in CHOICES.items():
            check(check_one_of, name, choices)
        check(_as_names, "trainable")
        check(_check_cells, "trainable_theta")
        # the covariance stands in place of other noise
        check(_check_covariance, "noise_covariance")
        if self.noise_covariance is not None:
            for name in ("noise", "late", "stretch"):
                problem = "cannot be given beside noise_covariance; give one of them"
                check(_check_zero, name, problem)

    def thetas(self, params: LMUParams) -> tuple[str, ...]:
        """Return the names of the windows that are trained, ``cell0.theta``.

        Parameters
        ----------
        params : LMUParams

        Returns
        -------
        tuple of str
            In the order of the cells.

        Raises
        ------
        ValidationError
            If there is no such cell.
        """
        chosen, n = self.trainable_theta, len(params.cells)
        if isinstance(chosen, bool):
            chosen = range(n) if chosen else ()
        for i in chosen:
            if i >= n:
                problem = f"is not among the {n} cells, counted from 0"
                raise ValidationError("TrainSettings.trainable_theta", i, problem)
        return tuple(f"cell{i}.theta" for i in chosen)

    def names(self, params: LMUParams) -> tuple[str, ...]:
        """Return the names of all that is trained, in the order of the parameters.

        Parameters
        ----------
        params : LMUParams

        Returns
        -------
        tuple of str
            Arrays, and then windows.

        Raises
        ------
        ValidationError
            If a name is not among the parameters.
        """
        every = list(params.arrays())
        wanted = every if self.trainable is None else self.trainable
        for name in wanted:
            problem = "is not one of the parameters"
            check_one_of("TrainSettings.trainable", name, every, problem)
        names = (*(name for name in every if name in wanted), *self.thetas(params))
        if not names:
            problem, remedy = "leaves nothing to train", "name arrays, or train windows"
            attribute = "TrainSettings.trainable"
            raise ValidationError(attribute, self.trainable, problem, remedy)
        return names

    def described(self) -> dict:
        """Return all settings as JSON has them.

        Returns
        -------
        dict
            By the names of the settings.
        """
        record = dataclasses.asdict(self)
        return json.loads(json.dumps(record, default=np.ndarray.tolist))


def check_without(settings: TrainSettings, names, problem: str, remedy: str) -> None:
    """Refuse settings that a way of training has no place for.

    Parameters
    ----------
    settings : TrainSettings
    names : sequence of str
        Of those settings.
    problem, remedy : str
        What is wrong with one that is given, and what to do.

    Raises
    ------
    ValidationError
        If one of them is given, and is not 0.
    """
    for name in names:
        value = getattr(settings, name)
        if isinstance(value, np.ndarray) or value not in (None, 0, ()):
            raise ValidationError(f"TrainSettings.{name}", value, problem, remedy)


def _check_at_least_0(attribute: str, value) -> float:
    """Return 0 or a positive number, or raise a ValidationError."""
    zero = isinstance(value, numbers.Real) and value == 0
    return 0.0 if zero else check_positive(attribute, value, "or 0")


def _check_zero(attribute: str, value: float, problem: str) -> float:
    """Return 0, or raise a ValidationError."""
    if value:
        raise ValidationError(attribute, value, problem)
    return value


def _as_names(attribute: str, value) -> tuple[str, ...]:
    """Return one name or several as a tuple, whose order does not matter."""
    return (value,) if isinstance(value, str) else tuple(sorted(value))


def _check_cells(attribute: str, value) -> bool | tuple[int, ...]:
    """Return True, False or numbers of cells, or raise a ValidationError."""
    if isinstance(value, bool):
        return value
    try:
        cells = tuple(value)
    except TypeError:
        problem = "must be True, False or the numbers of cells"
        raise ValidationError(attribute, value, problem) from None
    return tuple(check_whole(attribute, i, 0) for i in cells)


def _check_covariance(attribute: str, value) -> np.ndarray:
    """Return a symmetric positive semi-definite matrix, or raise a ValidationError."""
    matrix = check_shape(attribute, value, ("k d", "k d")).copy(order="K")
    # rounding may leave a covariance a little asymmetric or indefinite
    floor = 1e-9 * np.abs(matrix).max()
    asymmetric = len(matrix) != len(matrix.T) or np.abs(matrix - matrix.T).max() > floor
    if asymmetric or np.linalg.eigvalsh(matrix).min() < -floor:
        problem = "must be symmetric, without negative eigenvalues"
        raise ValidationError(attribute, matrix.shape, problem)
    matrix.flags.writeable = False
    return matrix
