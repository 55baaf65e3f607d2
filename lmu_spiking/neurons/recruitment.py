r"""Recruitment: which neurons carry which part of a number's range.

Each neuron of a side has a rate that rises from 0 to the ceiling ``r_max`` while
``|x|`` goes from ``y_l`` to ``y_{l+1}``, one level after the other, as muscles recruit
motor units (Henneman's size principle).  With ``n_l`` neurons and width ``w_l``, level
``l`` adds ``d_l = w_l / (r_max n_l)`` for each spike, so that the decoded variance of
one step is

.. math::

    \frac{1}{r_{max}\,dt} \sum_l \frac{w_l I_l}{n_l}, \qquad
    I_l = \int_{y_l}^{y_{l+1}} P(|x| > y)\,dy ,

and the neurons fire at ``r_max sum_l n_l I_l / w_l`` in all.  Small values, which are
frequent, then cost small spikes of many neurons.  Without a limit on the mean rate
``n_l ~ sqrt(w_l I_l)`` is best; with one,

.. math:: n_l \propto \sqrt{w_l I_l / (1 + \mu\, I_l / w_l)} .

A single level is a rectifier pair.  Values are taken to be normally distributed, and
the radius, where the last level reaches ``r_max``, to be at so many standard deviations
(`reach`) that no neuron exceeds ``r_max`` for more than .1 % of the time.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

# of the ceiling: below 60 of 300 Hz for signals that are a tenth louder
MEAN_RATE = 0.17


def reach(levels: int) -> float:
    """Return the standard deviations at which the last level has its highest rate.

    3.09 are exceeded .1 % of the time on either side; the rest is for runs of a minute,
    whose extremes differ, and for the last of several levels, which rises steeply or,
    with a ceiling, clips.

    Parameters
    ----------
    levels : int

    Returns
    -------
    float
        Standard deviations.
    """
    return 3.35 if levels == 1 else 5.0


def recruit(n_neurons: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the neurons of each level, and the edges of the levels.

    Parameters
    ----------
    n_neurons, levels : int

    Returns
    -------
    counts : (K,) int ndarray
        ``K`` is ``levels``, or less where there are too few neurons.
    edges : (K+1,) ndarray
        In units of the radius.
    """
    share, edges = proportions(max(1, min(levels, n_neurons // 2)))
    return allocate(n_neurons, share), edges


@lru_cache
def proportions(levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the best shares of the neurons, and the edges of the levels.

    Parameters
    ----------
    levels : int

    Returns
    -------
    share : (K,) ndarray
    edges : (K+1,) ndarray
        In units of the radius.
    """
    y = np.linspace(0, reach(levels), 2001)
    # edges between which equal numbers of neurons stand: d(n) ~ sqrt(P(|x| > y)) dy
    density = np.sqrt(2 * ndtr(-y))
    cumulative = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2))
    edges = np.interp(np.linspace(0, cumulative[-1], levels + 1), cumulative, y)
    width, area = np.diff(edges), beyond(edges[:-1]) - beyond(edges[1:])

    def share(mu: float) -> np.ndarray:
        n = np.sqrt(width * area / (1 + mu * area / width))
        return n / n.sum()

    def excess(mu: float) -> float:
        """Return how far the mean rate of both sides is above what is allowed."""
        return share(mu) @ (area / width) / 2 - MEAN_RATE

    mu: Any = brentq(excess, 0.0, 1e3) if excess(0.0) > 0 else 0.0
    return share(mu), edges / y[-1]


def variance_factor(max_rate: float, levels: int) -> float:
    """Return the variance of a normal ``x`` as decoded, times ``n dt / var(x)``.

    Parameters
    ----------
    max_rate : float
        Hz.
    levels : int

    Returns
    -------
    float
        Seconds: for ``n`` neurons on both sides together, in one step.
    """
    share, edges, area = _areas(levels)
    return float(2 * np.sum(np.diff(edges) * area / share) / max_rate)


def mean_rate(max_rate: float, levels: int) -> float:
    """Return the mean rate of a neuron, over both sides and a normal ``x``.

    Parameters
    ----------
    max_rate : float
        Hz.
    levels : int

    Returns
    -------
    float
        Hz.
    """
    share, edges, area = _areas(levels)
    return float(max_rate * share @ (area / np.diff(edges)) / 2)


def _areas(levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return shares, edges in standard deviations, and ``I_l`` of unbounded levels."""
    share, edges = proportions(levels)
    edges = reach(levels) * edges
    return share, edges, beyond(edges[:-1]) - beyond(np.append(edges[1:-1], np.inf))


def beyond(y) -> np.ndarray:
    r"""Return ``int_y^\infty P(|x| > t) dt = 2 (phi(y) - y Phi(-y))`` of a unit normal.

    Parameters
    ----------
    y : array_like

    Returns
    -------
    ndarray
        Areas, in standard deviations.
    """
    y = np.asarray(y, dtype=float)
    finite = np.where(np.isinf(y), 0.0, y)
    density = np.exp(-(finite**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(np.isinf(y), 0.0, 2 * (density - finite * ndtr(-finite)))


def allocate(n: int, weights, least: int = 1) -> np.ndarray:
    """Return whole numbers that sum to ``n`` and are distributed by weights.

    What rounding leaves goes to the largest remainders.

    Parameters
    ----------
    n : int
    weights : (K,) array_like
    least : int
        The least of each.

    Returns
    -------
    (K,) int ndarray
        They sum to ``n``.
    """
    weights = np.asarray(weights, dtype=float)
    exact = least + (n - least * len(weights)) * weights / weights.sum()
    counts = np.floor(exact + 1e-9).astype(int)
    largest = np.argsort(counts - exact, kind="stable")[: n - counts.sum()]
    counts[largest] += 1
    return counts
