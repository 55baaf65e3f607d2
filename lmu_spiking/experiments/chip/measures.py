r"""How a memory's spikes are read, and how wrong that is: the same for all.

``nrmse`` aligns by the clock alone: the state read at step ``k`` holds sample ``k - s``
at ``r = (s + 1/2) dt/theta`` of the window (``s - 1/2`` where spikes are read, which
come a step later).  Whatever a chip delays further counts as its error.  ``nrmse_best``
is the least error when the truth may come 0 to 5 steps later: the published way.
The thesis's own measure, ``nrmse_late``, takes it one step late.
"""

import numpy as np
from scipy.signal import lfilter

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.chip.signals import DT, Setting
from lmu_spiking.experiments.published import delay_run
from lmu_spiking.studies.metrics import nrmse

POINTS = 100  # of the window, both ends included
LAGS = range(6)  # steps
TAU_PROBE = 0.02  # seconds; of the table
DROPPED = 1.0  # seconds; of the table


def lowpass(x, tau: float, dt: float = DT) -> np.ndarray:
    """Filter ``x`` (T, ...) in time, its present sample included."""
    a = np.exp(-dt / tau)
    return lfilter([1 - a], [1, -a], np.asarray(x, dtype=float), axis=0)


def held(decoded, u, A, B, tau: float, dt: float = DT) -> np.ndarray:
    r"""State (T, d) behind the synapse, from unfiltered spikes and the input.

    .. math:: \hat m = h * (A' \tilde m + B' u)

    with the lowpass ``h`` of ``tau``: what the memory's neurons receive, were its input
    not spiked and its weights not rounded.
    """
    return lowpass(np.asarray(decoded) @ np.asarray(A).T + np.outer(u, B), tau, dt)


def past(u, delays, dt: float = DT) -> np.ndarray:
    """Input ``delays`` (n,) seconds before the end of each step: (T, n), 0 before all.

    Linear between the centres of the steps, which hold the samples.
    """
    u, k = np.asarray(u, dtype=float), np.arange(len(u))
    at = k[:, None] + 0.5 - np.atleast_1d(delays) / dt
    return np.interp(at, k, u, left=0.0)


def lagged(found, truth, start: int, lags=LAGS) -> list[float]:
    """NRMSE from step ``start`` on, with the truth so many steps later."""
    if not max(lags) <= start < len(found):
        raise ValidationError(
            "lagged.start", start, f"must be {max(lags)} to {len(found) - 1} steps"
        )
    end = len(found)
    return [nrmse(found[start:], truth[start - lag : end - lag]) for lag in lags]


def window_errors(ldn: LDN, m, u, start: int) -> dict:
    """Of 100 points of the window in states (T, d) *after* each input."""
    r = np.linspace(0, 1, POINTS)
    errors = lagged(np.asarray(m) @ ldn.basis(r).T, past(u, r * ldn.theta), start)
    return {"nrmse": errors[0], "nrmse_best": min(errors)}


def delay_errors(ldn: LDN, decoded, u, start: int) -> dict:
    """Of the input theta ago in unfiltered spikes (T, d); both pass `TAU_PROBE`."""
    found = lowpass(np.asarray(decoded) @ ldn.basis(1.0), TAU_PROBE)
    truth = lowpass(past(u, ldn.theta)[:, 0], TAU_PROBE)
    errors = lagged(found, truth, start, range(len(LAGS) + 1))
    return {"nrmse": errors[1], "nrmse_best": min(errors[1:])}


def thesis_errors(ldn: LDN, decoded, u) -> dict:
    """Of 100 points of the window against the exact network's, from the first step."""
    W = delay_run.window(ldn)
    found = delay_run.remembered(ldn, decoded, u) @ W
    exact = ldn.simulate(u, DT) @ W
    before = np.vstack([np.zeros((max(LAGS), POINTS)), exact])
    errors = [nrmse(found, before[max(LAGS) - lag : len(before) - lag]) for lag in LAGS]
    return {"nrmse": errors[0], "nrmse_best": min(errors), "nrmse_late": errors[1]}


def score(setting: Setting, u, decoded, A, B, tau: float | None = None) -> dict:
    """Errors of a run, as its benchmark is read.

    Parameters
    ----------
    setting : Setting
    u : (T,) array_like
        The input.
    decoded : (T, d) array_like
        Legendre coefficients decoded from the spikes of each step, unfiltered.
    A, B : (d, d), (d,) array_like
        Transforms of Principle 3; only the window is read with them.
    tau : float, optional
        Of the memory's synapse, seconds; the setting's by default.

    Returns
    -------
    dict
        ``nrmse`` and ``nrmse_best``; for the thesis also ``nrmse_late``.
    """
    ldn = setting.ldn
    if setting.name == "thesis":
        return thesis_errors(ldn, decoded, u)
    if setting.name == "table":
        return delay_errors(ldn, decoded, u, round(DROPPED / DT))
    m = held(decoded, u, A, B, setting.tau if tau is None else tau)
    return window_errors(ldn, m, u, ldn.steps(DT))
