"""Error measures, intervals over trials, and the power law that errors follow.

They stand below all rooms, so that every room measures in the same way.
"""

import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from scipy.special import stdtrit

PACKAGES = ("lmu_spiking", "nengo", "numba", "numpy", "scipy")


def rms(x) -> float:
    """Return the root mean square over all entries.

    Parameters
    ----------
    x : array_like

    Returns
    -------
    float
        In the unit of ``x``.
    """
    return float(np.sqrt(np.mean(np.square(x))))


def nrmse(actual, target) -> float:
    """Return the rms of the difference over the rms of the target, as for memories.

    A memory must also represent the mean of its signal, so its error is relative to the
    rms, which includes the mean; a constant readout at the mean has an error below 1.
    Trained models are scored by `lmu_spiking.tasks.sequences.nrmse`, relative to the
    standard deviation.

    Parameters
    ----------
    actual, target : array_like
        Of one shape.

    Returns
    -------
    float
        NaN if the target is 0 throughout.
    """
    scale = rms(target)
    return rms(np.asarray(actual) - target) / scale if scale else float("nan")


def accuracy(outputs, labels) -> float:
    """Return the share of sequences whose largest output is that of their class.

    Parameters
    ----------
    outputs : (n, q) array_like
    labels : (n,) array_like of int

    Returns
    -------
    float
        From 0 to 1.
    """
    return float(np.mean(np.argmax(outputs, axis=-1) == labels))


@dataclass(frozen=True)
class PowerLaw:
    r"""``y = constant * x^exponent``, fitted on logarithms.

    Parameters
    ----------
    exponent, constant : float
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
        With the interval of its exponent.
    """
    from scipy import stats  # slow to import, and seldom needed

    # a straight line in the logarithms
    x, y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    fit: Any = stats.linregress(x, y)
    slope, spread = float(fit.slope), stdtrit(len(x) - 2, 0.975) * fit.stderr
    constant = float(np.exp(fit.intercept))
    return PowerLaw(slope, constant, float(slope - spread), float(slope + spread))


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
        Half the width, of Student's t; 0 for a single trial.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), 0.0
    n = len(values)
    half = stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean()), float(half)


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
