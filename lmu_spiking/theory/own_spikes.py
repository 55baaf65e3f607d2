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
from scipy.special import gammaincinv, gammaln

from lmu_spiking.dynamics.covariance import ClosedLoop, stationary_covariance
from lmu_spiking.dynamics.feedback import ErrorFeedback

REACH = 10  # values beyond which spikes carry nothing across zero, in `Own.spread`
CELLS = 2000  # of the curve up to there
NODES = 20  # values at which the curve is computed
FINE = 0.1  # step of the grid of ``z`` for that, in units of one spike's effect
SHAPE = (np.arange(16) + 0.5) / 16  # quantiles that stand for a gamma variable


class Own(NamedTuple):
    """The effect of a feedback on what neurons receive.

    Parameters
    ----------
    kept, jump : float
        The share ``p`` of the feedback that a step leaves, and ``b``: that of a spike
        which enters it.
    spread : float
        Variance of the feedback, where the decoded noise has variance 1 in a step.
    """

    kept: float
    jump: float
    spread: float


def own_of(feedback: ErrorFeedback) -> Own:
    """Return the effect of a feedback on the neurons that it comes from.

    Parameters
    ----------
    feedback : ErrorFeedback

    Returns
    -------
    Own
    """
    loop = feedback.loop
    kept = float(np.abs(np.linalg.eigvals(loop.F)).max())
    around = loop.F - np.outer(loop.G, loop.C)
    P = stationary_covariance(around, np.outer(loop.G, loop.G))
    return Own(kept, feedback.gain * (1 - kept), float(loop.C @ P @ loop.C))


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


def smoothed(x: np.ndarray, y: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return means of columns over what neurons receive, without crossings of zero.

    Parameters
    ----------
    x : (P,) ndarray
        Rising values, not 0.
    y : (P,) ndarray
        The column, which is linear from 0 on and beyond the last value.
    variance : (P,) ndarray
        Variance of what neurons receive at these values.

    Returns
    -------
    (P,) ndarray
    """
    shape = x**2 / np.maximum(variance, 1e-300)
    z = gammaincinv(shape[:, None], SHAPE)
    z *= x[:, None] / z.mean(axis=1, keepdims=True)
    rise = (y[-1] - y[-2]) / (x[-1] - x[-2])
    beyond = np.maximum(z - x[-1], 0)
    return (np.interp(z, np.r_[0.0, x], np.r_[0.0, y]) + rise * beyond).mean(axis=1)


class Crossings:
    """What whole spikes add to the mean of ``|z|``, over ``|x|``.

    Parameters
    ----------
    own : Own
    size : float or ndarray
        What a spike of the first neurons that fire adds to the decoded value of a step.
    """

    def __init__(self, own: Own, size):
        self.own = own
        self.unit = own.jump * np.asarray(size, dtype=float)
        self.curve = crossings(own)
        self.scale = own.jump / (REACH * own.spread) / np.maximum(self.unit, 1e-300)

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return ``E |z| - |x|`` at values ``x``."""
        cell = CELLS * np.sqrt(np.abs(x) * self.scale)
        return self.unit * self.curve.take(np.minimum(cell, CELLS).astype(int))


@lru_cache(maxsize=64)
def crossings(own: Own) -> np.ndarray:
    r"""Return what whole spikes add to the mean of ``|z|``, from zero to `REACH`.

    In units of ``b delta``, with ``n`` spikes of a Poisson distribution in a step,

    .. math:: z' = p\,z + (1 - p + b)\,x - \mathrm{sign}(z)\,n, \qquad E n = b |z| .

    The stationary distribution of this Markov process is computed on a grid.

    Parameters
    ----------
    own : Own

    Returns
    -------
    (CELLS + 1,) ndarray
        At values that rise with the square of the index; the last one is 0.
    """
    p, b, c = own.kept, own.jump, own.spread / own.jump
    h = FINE * max(1.0, c)
    z = np.arange(-3 - 8 * c, (REACH + 6 * np.sqrt(REACH)) * c, h)
    size, mean = len(z), b * np.abs(z)[:, None]
    most = mean.max()
    n = np.arange(int(most + 8 * np.sqrt(most) + 12))
    chance = np.exp(n * np.log(np.maximum(mean, 1e-300)) - mean - gammaln(n + 1))
    chance /= chance.sum(axis=1, keepdims=True)
    x = REACH * c * np.append(0, np.geomspace(1e-4, 1, NODES))
    known = np.zeros(NODES + 1)  # at 0 the process ends in silence
    row = size * np.arange(size)[:, None]
    for k in range(1, NODES):
        # each of the values that may follow is shared by its neighbours on the grid
        after = (p * z + (1 - p + b) * x[k])[:, None] - np.sign(z)[:, None] * n
        at = np.clip((after - z[0]) / h, 0, size - 1 - 1e-9)
        cell = at.astype(int)
        at -= cell
        to = (row + cell).ravel()
        T = np.bincount(to, (chance * (1 - at)).ravel(), size**2)
        T += np.bincount(to + 1, (chance * at).ravel(), size**2)
        # pi T = pi, and its sum is 1
        A = T.reshape(size, size).T - np.eye(size)
        A[0] = 1
        known[k] = np.linalg.solve(A, np.eye(size)[0]) @ np.abs(z) - x[k]
    even = np.linspace(0, np.sqrt(x[-1]), CELLS + 1)
    return np.interp(even, np.sqrt(x), known)
