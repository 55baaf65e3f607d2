"""How to train: everything a training depends on beside its data and its start."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.lmu.params import LMUParams

CHOICES = {
    "optimizer": ("adam", "sgd"),
    "schedule": ("constant", "cosine"),
    "mode": ("auto", "parallel", "bptt"),
    "precision": ("float32", "float64"),
    "keep": ("best", "last"),
}


@dataclass(frozen=True, eq=False)
class TrainSettings:
    r"""Settings of a training.

    Parameters
    ----------
    epochs, batch : int
        Sequences that are left over when the batches are full wait for another epoch.
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
        Of the states of the first cell, in place of ``noise``: what the error model
        predicts for spikes.  Independent from step to step.
    late, stretch : float
        Errors of a chip to train with, root mean squares: samples that a state is read
        too late or too early, and relative errors of the first cell's window.  Beside
        ``noise``, which then is of the first cell alone (`training.parallel_engine`).
    rate_penalty : float
        Is multiplied by the mean of ``|h|`` and added to the loss, for fewer spikes.
    weight_decay : float
        Of matrices, decoupled from the gradient: ``w -= learning_rate * decay * w``.
    trainable : iterable of str, optional
        Names of arrays, as in ``LMUParams.arrays()``; all by default.
    trainable_theta : bool or tuple of int
        Whether windows are trained, or of which cells; through their logarithm.
    crop : int, optional
        Train on so many consecutive steps of each sequence, drawn for each batch.
        Exact for the first cell, whose memory knows what came before; further cells
        hear two windows before, and start from rest.  Not for cells with ``W_h``.
    seed : int
        Of batches, augmentation and noise, which depend on nothing but the seed, the
        epoch and the step.
    mode : {"auto", "parallel", "bptt"}
        All times at once, or step by step in NengoDL; parallel wherever it can be.
    precision : {"float32", "float64"}
        Of the gradients.  Parameters are kept in float64.
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
    mode: str = "auto"
    precision: str = "float32"
    keep: str = "best"

    __repr__ = brief

    def __post_init__(self):
        for name in ("epochs", "batch", "patience", "crop"):
            value = getattr(self, name)
            if value is not None or name in ("epochs", "batch"):
                self._put(name, check_whole(f"TrainSettings.{name}", value, 1))
        for name in ("learning_rate", "seconds"):
            value = getattr(self, name)
            if value is not None or name == "learning_rate":
                self._put(name, check_positive(f"TrainSettings.{name}", value))
        for name in ("noise", "late", "stretch", "rate_penalty", "weight_decay"):
            self._put(name, _not_negative(name, getattr(self, name)))
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValidationError(
                    f"TrainSettings.{name}",
                    getattr(self, name),
                    "is unknown",
                    f"use one of {', '.join(choices)}",
                )
        self._put("seed", check_seed("TrainSettings.seed", self.seed))
        self._check_names()
        if self.noise_covariance is not None:
            self._check_covariance()

    def _check_covariance(self) -> None:
        self._put("noise_covariance", _covariance(self.noise_covariance))
        for name in ("noise", "late", "stretch"):
            if getattr(self, name):
                raise ValidationError(
                    f"TrainSettings.{name}",
                    getattr(self, name),
                    "cannot be given beside noise_covariance",
                    "give one of them",
                )

    def _put(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    def _check_names(self) -> None:
        if isinstance(self.trainable, str):
            self._put("trainable", (self.trainable,))
        elif self.trainable is not None:
            self._put("trainable", tuple(self.trainable))
        if not isinstance(self.trainable_theta, bool):
            check = "TrainSettings.trainable_theta"
            try:
                cells = tuple(self.trainable_theta)
            except TypeError:
                problem = "must be True, False or the numbers of cells"
                raise ValidationError(check, self.trainable_theta, problem) from None
            self._put("trainable_theta", tuple(check_whole(check, i, 0) for i in cells))

    def thetas(self, params: LMUParams) -> tuple[str, ...]:
        """Names of the windows that are trained, ``cell0.theta``."""
        chosen, cells = self.trainable_theta, range(len(params.cells))
        if isinstance(chosen, bool):
            chosen = cells if chosen else ()
        for i in chosen:
            if i not in cells:
                raise ValidationError(
                    "TrainSettings.trainable_theta",
                    i,
                    f"is not among the {len(params.cells)} cells, counted from 0",
                )
        return tuple(f"cell{i}.theta" for i in chosen)

    def names(self, params: LMUParams) -> tuple[str, ...]:
        """Names of all that is trained, in the order of the parameters."""
        there = list(params.arrays())
        wanted = there if self.trainable is None else self.trainable
        for name in wanted:
            if name not in there:
                raise ValidationError(
                    "TrainSettings.trainable",
                    name,
                    "is not one of the parameters",
                    f"use some of {', '.join(there)}",
                )
        return (*(name for name in there if name in wanted), *self.thetas(params))

    def described(self) -> dict:
        """All settings as JSON has them."""
        told = dataclasses.asdict(self)
        if self.noise_covariance is not None:
            told["noise_covariance"] = self.noise_covariance.tolist()
        for name in ("trainable", "trainable_theta"):
            if isinstance(told[name], tuple):
                told[name] = list(told[name])
        return told


def _not_negative(name: str, value) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValidationError(
            f"TrainSettings.{name}", value, "must be a number of at least 0"
        )
    return number


def _covariance(value) -> np.ndarray:
    """A symmetric positive semi-definite matrix."""
    name = "TrainSettings.noise_covariance"
    try:
        matrix = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ValidationError(name, value, "must be a matrix") from None
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or not np.isfinite(matrix).all():
        raise ValidationError(name, matrix.shape, "must be (k d, k d) finite numbers")
    scale = np.abs(matrix).max(initial=0)
    if np.abs(matrix - matrix.T).max(initial=0) > 1e-9 * scale:
        raise ValidationError(name, matrix.shape, "must be symmetric")
    if np.linalg.eigvalsh(matrix).min(initial=0) < -1e-9 * scale:
        raise ValidationError(name, matrix.shape, "must not have negative eigenvalues")
    matrix.flags.writeable = False
    return matrix
