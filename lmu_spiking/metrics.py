"""Measures of error and accuracy, intervals, power laws, versions: each defined once.

Two errors are relative.  Trained models are scored by `nrmse`, over the standard
deviation of the target: the best constant, its mean, has an error of 1.  Memories must
represent the mean of their signal as well and are scored by `relative_rms`, over the
rms of the target, which includes the mean.
"""

import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from scipy.special import stdtrit

from lmu_spiking.errors import ValidationError

PACKAGES = ("lmu_spiking", "nengo", "numba", "numpy", "scipy")  # of every memory


def rms(x) -> float:
    """Return the root mean square over all entries.

    Parameters
    ----------
    x : array_like

    Returns
    -------
    float
        The square root of the mean of the squares.
    """
    return float(np.sqrt(np.mean(np.square(x))))


def relative_rms(actual, target) -> float:
    """Return the rms of the difference over the rms of the target, as for memories.

    Parameters
    ----------
    actual, target : array_like
        Of one shape.

    Returns
    -------
    float
        NaN if the target is 0.
    """
    scale = rms(target)
    return rms(np.asarray(actual) - target) / scale if scale else float("nan")


def target_variance(y, attribute: str = "nrmse.y") -> float:
    """Return the variance of values about the mean of each output, over all outputs.

    Parameters
    ----------
    y : (n, ..., q) array_like
        Values of ``q`` outputs; of one output if there is one axis alone.
    attribute : str
        What an error names.

    Returns
    -------
    float
        The mean over outputs.

    Raises
    ------
    ValidationError
        If no output varies, so that no error is relative to it.
    """
    y = np.asarray(y, dtype=float)
    y = y.reshape(-1, y.shape[-1] if y.ndim > 1 else 1)
    variance = float(np.mean(np.var(y, axis=0)))
    if not variance > (1e-12 * np.abs(y).max(initial=0.0)) ** 2:
        problem = "do not vary, so no error is relative to their standard deviation"
        remedy = "use more sequences, or a target that varies"
        raise ValidationError(attribute, f"{len(y)} values", problem, remedy)
    return variance


def nrmse(outputs, y) -> float:
    """Return the root mean square error over the standard deviation of the target.

    The best constant, the mean of each output, has an error of 1.

    Parameters
    ----------
    outputs, y : (n, ..., q) array_like

    Returns
    -------
    float
        0 for outputs without an error.

    Raises
    ------
    ValidationError
        If the target does not vary.
    """
    square = np.mean(np.square(np.asarray(outputs, dtype=float) - y))
    return float(np.sqrt(square / target_variance(y)))


def accuracy(outputs, y) -> float:
    """Return the share of outputs whose largest is the class.

    Parameters
    ----------
    outputs : (..., q) array_like
    y : (...,) array_like of int

    Returns
    -------
    float
        From 0 to 1.
    """
    return float(np.mean(np.argmax(outputs, axis=-1) == y))


def confusion(outputs, y) -> np.ndarray:
    """Count how often each class was taken for which.

    Parameters
    ----------
    outputs : (..., q) array_like
    y : (...,) array_like of int

    Returns
    -------
    (q, q) ndarray of int
        Rows are the classes, columns what the largest output said.
    """
    outputs, y = np.asarray(outputs), np.asarray(y).ravel()
    q = outputs.shape[-1]
    pairs = q * y + outputs.argmax(axis=-1).ravel()
    return np.bincount(pairs, minlength=q * q).reshape(q, q)


def half_interval(values, level: float = 0.95) -> float:
    """Return half the width of the confidence interval of a mean (Student's t).

    Parameters
    ----------
    values : (n,) array_like
        Independent measurements.
    level : float
        From 0 to 1.

    Returns
    -------
    float
        NaN for fewer than two values.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float("nan")
    quantile = stdtrit(len(values) - 1, (1 + level) / 2)
    return float(quantile * values.std(ddof=1) / np.sqrt(len(values)))


def paired_interval(before, after) -> tuple[float, float]:
    r"""Return the 95 % interval of the accuracy that is lost on the same items.

    With ``b`` items that only the first has right, ``c`` that only the second has, of
    ``n``, it is that of Bonett and Price (2012), which has a width where no item
    differs:

    .. math::

        p = \frac{b + 1}{n + 2}, \quad q = \frac{c + 1}{n + 2}, \qquad
        p - q \pm 1.96 \sqrt{\frac{p + q - (p - q)^2}{n + 2}} .

    Parameters
    ----------
    before, after : (n,) array_like of bool
        Whether an item is right.

    Returns
    -------
    low, high : float
    """
    before, after = np.asarray(before, bool), np.asarray(after, bool)
    n = len(before) + 2
    p, q = (1 + (before & ~after).sum()) / n, (1 + (after & ~before).sum()) / n
    half = 1.96 * np.sqrt((p + q - (p - q) ** 2) / n)
    return float(p - q - half), float(p - q + half)


def confidence(values) -> tuple[float, float]:
    """Return the mean of trials and half the width of its 95 % interval.

    Parameters
    ----------
    values : (n,) array_like

    Returns
    -------
    mean : float
        The mean.
    half : float
        Of Student's t; 0 for a single trial.
    """
    half = half_interval(values) if len(values) > 1 else 0.0
    return float(np.mean(values)), half


@dataclass(frozen=True)
class PowerLaw:
    r"""The power law ``y = constant * x^exponent``, fitted on logarithms.

    Parameters
    ----------
    exponent, constant : float
        Of ``x``, and what ``y`` is at ``x = 1``.
    low, high : float
        95 % confidence interval of the exponent (Student's t over the points).
    """

    exponent: float
    constant: float
    low: float
    high: float


def power_law(x, y) -> PowerLaw:
    """Fit a power law to points.

    Each point should be an independent measurement (a trial), so that the interval
    means what it says.

    Parameters
    ----------
    x, y : (n,) array_like
        Positive, at least 3.

    Returns
    -------
    PowerLaw
        With a 95 % interval of its exponent.
    """
    from scipy import stats  # slow to import, and seldom needed

    x, y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    fit: Any = stats.linregress(x, y)
    slope, spread = float(fit.slope), stdtrit(len(x) - 2, 0.975) * fit.stderr
    constant = float(np.exp(fit.intercept))
    return PowerLaw(slope, constant, float(slope - spread), float(slope + spread))


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of packages that a result depends on.

    Parameters
    ----------
    packages : iterable of str
        Those of every memory by default.

    Returns
    -------
    dict of str to str
        By name; ``"?"`` for what is not known.
    """
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = getattr(sys.modules.get(package), "__version__", "?")
    return found
