r"""What neurons fire whose own spikes come back to them at once, by error feedback.

They receive ``x + w``, of which ``x`` (state and signal) is slow, and ``w`` is the
noise of the last few of their own spikes.  That noise is no normal variable beside
``x``: it is as large as the neurons are active, and they are least active where
``x + w`` is near zero.  For many small spikes ``z = x + w`` is a square-root process

.. math:: dz = \lambda\,(x - z)\,dt + \sqrt{g |z|}\;dB ,

which never leaves the side of ``x``, and has the stationary distribution of a gamma
variable of mean ``x`` and of the variance that ``w`` has [1]_.  So on/off pairs fire
``E |z| = |x|``, as if they received no noise.  Only a whole spike, which moves ``w`` by
``b`` times its own size ``delta``, carries ``z`` to the other side: what that adds to
``E |z|`` is, in units of ``b delta``, a function of ``x / (b delta)`` alone.

References
----------
.. [1] Cox, Ingersoll, Ross (1985). A theory of the term structure of interest rates.
   Econometrica 53(2).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.stats import binom, poisson

from lmu_spiking.dynamics.covariance import (
    ClosedLoop,
    closed_loop,
    stationary_covariance,
)
from lmu_spiking.dynamics.mapping import Mapped

STABLE = 0.95  # of the highest jump at which the process is
REACH = 10  # values beyond which spikes carry nothing across zero, in `_spread`
CELLS = 2000  # of the curve up to there
NODES = 20  # values at which the curve is computed
LOW = 3  # of spikes beyond zero, that the grid of ``z`` holds at least
GRID = 300  # its points: an even number, since none of them is 0


class Own(NamedTuple):
    """The effect of a feedback on what the neurons of one dimension receive.

    Parameters
    ----------
    kept, jump : float
        The share ``p`` of the feedback that is left until a spike acts on it, and the
        share ``b`` of errors that enters it meanwhile: in a step, or in several of
        them where the loop has further steps of delay.
    effect : float
        The share of a spike that enters the feedback: ``jump``, if there is no delay.
    spread : float
        Variance of the feedback, where the decoded noise has variance 1 in a step.
    common : float
        How far the state moves with the feedback, relative to it: both get the spikes.
    """

    kept: float
    jump: float
    effect: float
    spread: float
    common: float = 0.0


def owns(mapped: Mapped) -> list[Own | None]:
    """Return the effect of a memory's feedback on the neurons of each dimension.

    Parameters
    ----------
    mapped : Mapped
        The loop.

    Returns
    -------
    list of Own or None
        None where there is no feedback.
    """
    feedback = mapped.feedback
    if feedback is None:
        return [None] * len(mapped.A)
    p = float(np.abs(np.linalg.eigvals(feedback.loop.F)).max())
    kept = p ** len(feedback.loop.F)  # which has a state for each step of delay
    jump = min(feedback.gain * (1 - kept), STABLE * (1 + kept))
    effect = feedback.gain * (1 - p)
    K, L, C, N = closed_loop(mapped)
    P = stationary_covariance(K, L @ L.T)  # of equal noise: the ratios are those of any
    state, own = (np.einsum("iz,zy,iy->i", a, P, N - C) for a in (C, N - C))
    each = zip(own, state / own, strict=True)
    return [Own(kept, jump, effect, float(v), float(k)) for v, k in each]


def slow_noise(loop: ClosedLoop, P: np.ndarray) -> np.ndarray:
    """Return the variance of the state's noise apart from that of the feedback.

    A spike moves the state a little at once, when it moves the feedback: what the state
    has in common with the feedback is left out.

    Parameters
    ----------
    loop : ClosedLoop
    P : (z, z) ndarray
        Covariance of the loop's state.

    Returns
    -------
    (d,) ndarray
    """
    C, W = loop.C, loop.N - loop.C
    state, both, own = (
        np.einsum("iz,zy,iy->i", a, P, b) for a, b in ((C, C), (C, W), (W, W))
    )
    return np.maximum(state - both**2 / np.maximum(own, 1e-300), 0.0)


class Crossings:
    """The activity that whole spikes cause across zero, in each dimension.

    Parameters
    ----------
    own : list of Own
        Of each dimension.
    left, right : (d,) array_like
        What the first spikes on either side add to the decoded value of a step.
    neurons : (d,) sequence of int
        Of a side, as in `crossings`.
    """

    def __init__(self, own: list[Own], left, right, neurons):
        left, right = np.reshape(left, (-1, 1)), np.reshape(right, (-1, 1))
        both, first = np.maximum(left + right, 1e-300), own[0]
        common = np.array([[each.common] for each in own])
        self.unit = first.effect * (1 + common) * both / 2
        p, b = first.kept, first.jump
        self.scale = 1 / (REACH * _spread(p, b) * self.unit)
        # sides differ by a neuron at most: by a hundredth or a few
        odd = np.round(np.abs(left - right) / both, 3).ravel()
        each = zip(odd.tolist(), neurons, strict=True)
        self.curves = np.stack([crossings(p, b, o, int(n)) for o, n in each])
        self.begin = (CELLS + 1) * np.arange(len(odd))[:, None]

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return ``E |z| - |x|`` at values ``x`` (..., d, n)."""
        cell = CELLS * np.sqrt(np.abs(x) * self.scale)
        cell = np.minimum(cell, CELLS).astype(int)
        return self.unit * self.curves.take(cell + self.begin)


@lru_cache(maxsize=64)
def crossings(p: float, b: float, odd: float = 0.0, neurons: int = 0) -> np.ndarray:
    r"""Return what whole spikes add to the mean of ``|z|``, from zero to `REACH`.

    In units of ``b delta``, with ``n`` spikes in a step,

    .. math:: z' = p\,z + (1 - p + b)\,x - \mathrm{sign}(z)\,n, \qquad E n = b |z| .

    The stationary distribution of this Markov process is computed on a grid.  Where
    ``x`` is nearly 0 it is silent for long times, and more so if the spikes of both
    sides are of different size, since they then do not cancel.

    Parameters
    ----------
    p, b : float
        ``kept`` and ``jump`` of `Own`.
    odd : float
        Spikes are ``1 + odd`` on one side and ``1 - odd`` on the other.
    neurons : int
        Of a side, if each rounds its number of spikes in a step at random; 0 for
        spikes of a Poisson distribution.

    Returns
    -------
    (CELLS + 1,) ndarray
        At values that rise with the square of the index; the last one is 0.
    """
    x = REACH * _spread(p, b) * np.append(0, np.geomspace(1e-4, 1, NODES))
    known = _crossings(p, b, odd, neurons, x)
    if odd:  # on average over both signs of x
        known = (known + _crossings(p, b, -odd, neurons, x)) / 2
    even = np.linspace(0, np.sqrt(x[-1]), CELLS + 1)
    return np.interp(even, np.sqrt(x), known)


def _spread(p: float, b: float) -> float:
    """Return the variance of ``z`` over ``|x|``, far from zero."""
    return b / (1 - (p - b) ** 2)


def _crossings(
    p: float, b: float, odd: float, neurons: int, x: np.ndarray
) -> np.ndarray:
    """Return what `crossings` does at values ``x``; 0 at the first and the last."""
    c = _spread(p, b)
    found = np.zeros(len(x))
    row = GRID * np.arange(GRID)[:, None]
    for k in range(1, len(x) - 1):
        z = np.linspace(-LOW - 6 * c, LOW + 6 * c + x[k] + 6 * np.sqrt(c * x[k]), GRID)
        side = np.sign(z)[:, None]
        spike = 1 + odd * side
        mean = b * np.abs(z)[:, None] / spike
        n = np.arange(int(mean.max() + 6 * np.sqrt(mean.max()) + 10))
        if neurons:
            whole, part = np.divmod(mean / neurons, 1)
            chance = binom.pmf(n - neurons * whole, neurons, part)
        else:
            chance = poisson.pmf(n, mean)
        chance /= chance.sum(axis=1, keepdims=True)
        # each of the values that may follow is shared by its neighbours on the grid
        after = (p * z + (1 - p + b) * x[k])[:, None] - side * spike * n
        at = np.clip((after - z[0]) / (z[1] - z[0]), 0, GRID - 1 - 1e-9)
        cell = at.astype(int)
        at -= cell
        to = (row + cell).ravel()
        T = np.bincount(to, (chance * (1 - at)).ravel(), GRID**2)
        T += np.bincount(to + 1, (chance * at).ravel(), GRID**2)
        # pi T = pi, and its sum is 1
        A = T.reshape(GRID, GRID).T - np.eye(GRID)
        A[0] = 1
        found[k] = np.linalg.solve(A, np.eye(GRID)[0]) @ np.abs(z) - x[k]
    return found
