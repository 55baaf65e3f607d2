r"""Errors of a memory's spikes, read alike from our memories and from their peers.

``nrmse`` aligns by the clock alone: the state read at step ``k`` holds sample ``k - s``
at ``r = (s + 1/2) dt/theta`` of the window (``s - 1/2`` where spikes are read, which
come a step later).  Whatever a chip delays further counts as its error.  ``nrmse_best``
is the least error when the truth may come 0 to 5 steps later: the published way.
The thesis's own measure, ``nrmse_late``, takes it one step late.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.chip.signals import DT, Setting
from lmu_spiking.experiments.published import delay_run
from lmu_spiking.experiments.records import in_parallel, kept
from lmu_spiking.experiments.runs import lowpass, state_of
from lmu_spiking.studies.metrics import nrmse

POINTS = 100  # of the window, both ends included
LAGS = range(6)  # steps
TAU_PROBE = 0.02  # seconds; of the table
DROPPED = round(1.0 / DT)  # steps of the table that are not counted


def past(u, delays, dt: float = DT) -> np.ndarray:
    """Return the input some seconds before the end of each step, 0 before all.

    Linear between the centres of the steps, which hold the samples.

    Parameters
    ----------
    u : (T,) array_like
    delays : (n,) array_like
        Seconds.
    dt : float
        Seconds.

    Returns
    -------
    (T, n) ndarray
    """
    u, k = np.asarray(u, dtype=float), np.arange(len(u))
    # the end of step k, less the delay, in steps from the first sample
    at = k[:, None] + 0.5 - np.atleast_1d(delays) / dt
    return np.interp(at, k, u, left=0.0)


def lagged(found, truth, start: int, lags=LAGS) -> list[float]:
    """Return the NRMSE from step ``start`` on, with the truth so many steps later.

    Parameters
    ----------
    found, truth : (T, ...) ndarray
    start : int
    lags : sequence of int

    Returns
    -------
    list of float

    Raises
    ------
    ValidationError
        If a lag reaches beyond the first step.
    """
    if not max(lags) <= start < len(found):
        raise ValidationError(
            "lagged.start", start, f"must be {max(lags)} to {len(found) - 1} steps"
        )
    end = len(found)
    return [nrmse(found[start:], truth[start - lag : end - lag]) for lag in lags]


def window_errors(ldn: LDN, m, u, start: int) -> dict:
    """Return the error of 100 points of the window in states after each input.

    Parameters
    ----------
    ldn : LDN
    m : (T, d) array_like
    u : (T,) array_like
    start : int
        First step that counts.

    Returns
    -------
    dict
        ``nrmse, nrmse_best``.
    """
    r = np.linspace(0, 1, POINTS)
    errors = lagged(np.asarray(m) @ ldn.basis(r).T, past(u, r * ldn.theta), start)
    return {"nrmse": errors[0], "nrmse_best": min(errors)}


def delay_errors(ldn: LDN, decoded, u, start: int = DROPPED) -> dict:
    """Return the error of the input theta ago in unfiltered spikes.

    Both pass a lowpass of `TAU_PROBE`.

    Parameters
    ----------
    ldn : LDN
    decoded : (T, d) array_like
    u : (T,) array_like
    start : int
        First step that counts.

    Returns
    -------
    dict
        ``nrmse, nrmse_best``.
    """
    read = lowpass(np.asarray(decoded) @ ldn.basis(1.0), TAU_PROBE, DT)
    truth = lowpass(past(u, ldn.theta)[:, 0], TAU_PROBE, DT)
    errors = lagged(read, truth, start, range(len(LAGS) + 1))
    return {"nrmse": errors[1], "nrmse_best": min(errors[1:])}


def thesis_errors(ldn: LDN, decoded, u) -> dict:
    """Return the error of 100 points of the window against the exact network's.

    Parameters
    ----------
    ldn : LDN
    decoded : (T, d) array_like
        Unfiltered; all steps count.
    u : (T,) array_like

    Returns
    -------
    dict
        ``nrmse, nrmse_best, nrmse_late``.
    """
    states = delay_run.remembered(ldn, decoded, u), ldn.simulate(u, DT)
    # all lags are counted from the first step on, before which both are 0
    before = ((max(LAGS), 0), (0, 0))
    read, exact = (np.pad(m @ delay_run.window(ldn), before) for m in states)
    errors = lagged(read, exact, max(LAGS))
    return {"nrmse": errors[0], "nrmse_best": min(errors), "nrmse_late": errors[1]}


def score(setting: Setting, u, decoded, A, B) -> dict:
    """Return the errors of a run, as its benchmark is read.

    Parameters
    ----------
    setting : Setting
    u : (T,) array_like
        The input.
    decoded : (T, d) array_like
        Legendre coefficients decoded from the spikes of each step, unfiltered.
    A, B : (d, d), (d,) array_like
        Transforms of Principle 3; only the window is read with them.

    Returns
    -------
    dict
        ``nrmse`` and ``nrmse_best``; for the thesis also ``nrmse_late``.
    """
    ldn = setting.ldn
    if setting.name == "thesis":
        return thesis_errors(ldn, decoded, u)
    if setting.name == "table":
        return delay_errors(ldn, decoded, u)
    m = state_of(decoded, u, A, B, setting.tau, DT)
    return window_errors(ldn, m, u, ldn.steps(DT))


def row_of(setting: Setting, peer: str, target: str, n: int, seed: int, **more) -> dict:
    """Return what a row tells of its case, with errors that are not known yet.

    Parameters
    ----------
    setting : Setting
    peer, target : str
    n : int
        Neurons a dimension.
    seed : int
    **more
        In place of the setting's, such as ``tau``, or besides.

    Returns
    -------
    dict
    """
    about = {"benchmark": setting.name, "theta": setting.theta}
    about |= {"bandwidth": setting.bandwidth, "tau": setting.tau}
    about |= {"peer": peer, "target": target, "n_per_dimension": n, "seed": seed}
    unknown = dict.fromkeys(("nrmse", "nrmse_best", "nrmse_late"), float("nan"))
    return about | unknown | more


def run_kept(cases: Iterable, measure: Callable, name: Callable, out) -> list[dict]:
    """Return the row of each case; those that a folder holds are not run again.

    Parameters
    ----------
    cases : iterable of dataclass
    measure, name : callable
        Take a case; return its row, and the name of its file.
    out : path-like or None
        Folder, for `experiments.records.kept`.

    Returns
    -------
    list of dict
    """
    names = {case: re.sub(r"[^a-z0-9.]+", "-", name(case)) for case in cases}
    parts = [(out, n, asdict(c), lambda c=c: measure(c)) for c, n in names.items()]
    return in_parallel(kept, parts, 1)
