"""Error measures, and the power law that error against neurons is read by."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


def rms(x) -> float:
    """Root mean square over all entries."""
    return float(np.sqrt(np.mean(np.square(x))))


def nrmse(actual, target) -> float:
    """Return the rms of the difference over the rms of the target, as for memories.

    A memory must also represent the mean of its signal, so its error is relative to the
    rms, which includes the mean; a constant readout at the mean has an error below 1.
    Trained models are scored by `lmu_spiking.metrics.nrmse`, relative to the
    standard deviation.
    """
    scale = rms(target)
    return rms(np.asarray(actual) - target) / scale if scale else float("nan")


@dataclass(frozen=True)
class PowerLaw:
    r"""``y = constant * x^exponent``, fitted on logarithms.

    Attributes
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
    """Fit a power law to positive points (n,), at least 3.

    Each point should be an independent measurement (a trial), so that the interval
    means what it says.
    """
    x, y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    fit = stats.linregress(x, y)
    spread = stats.t.ppf(0.975, len(x) - 2) * fit.stderr
    return PowerLaw(
        float(fit.slope),
        float(np.exp(fit.intercept)),
        float(fit.slope - spread),
        float(fit.slope + spread),
    )


def confidence(values) -> tuple[float, float]:
    """Mean of trials (n,) and half the width of its 95 % interval (0 for one)."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), 0.0
    half = (
        stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    )
    return float(values.mean()), float(half)
