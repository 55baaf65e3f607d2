r"""A memory as a few matrices, and their derivatives by its window.

With ``h = dt / theta``, ``g(r) = exp(A r) B`` and ``G(r) = int_0^r g``, a memory that
holds each input for a step answers an impulse by

.. math::

    H_s = \bar A^s \bar B = G((s+1) h) - G(s h), \qquad
    \frac{dH_s}{d\theta} = -\frac{dt}{\theta^2}
        \bigl[(s+1)\, g((s+1) h) - s\, g(s h)\bigr] ,

and after ``j + 1`` steps without input a state is multiplied by ``P_j``, the power
``j + 1`` of ``\bar A``, with ``dP_j / dtheta = -(j+1) (dt / theta^2) A P_j``.  All of
it is exact.

Times are in seconds.  Letters: ``d`` order, ``T`` steps, ``L`` steps of a block.
"""

import numpy as np

from lmu_spiking.dynamics.ldn import LDN

BLOCK = 64  # steps; a block has more only where there would be more than BLOCKS
BLOCKS = 256


def block_of(steps: int) -> int:
    """Return the steps of a block, ``L``, of sequences of ``steps``.

    Parameters
    ----------
    steps : int

    Returns
    -------
    int
        At most `BLOCK`, except in very long sequences.
    """
    return min(steps, max(BLOCK, -(-steps // BLOCKS)))


def tables(ldn: LDN, dt: float, steps: int, *, last: bool) -> tuple[dict, dict]:
    """Return the matrices that states are computed with, and their slopes by theta.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Seconds of a step.
    steps : int
        Of the sequences.
    last : bool
        Whether only the last states are wanted.

    Returns
    -------
    tables, slopes : dict of str to ndarray
        For the last states, ``H`` (T, d).  For all, ``H`` (L, d) and ``P`` (L, d, d).
    """
    Ad, Bd = ldn.discretize(dt)
    rows = steps if last else block_of(steps)
    H, g = np.moveaxis(_powers(Ad, np.stack([Bd, ldn.B], axis=1), rows + 1), 2, 0)
    s, rate = np.arange(rows + 1.0)[:, None], -dt / ldn.theta**2
    found, slopes = {"H": H[:-1]}, {"H": rate * np.diff(s * g, axis=0)}
    if not last:
        found["P"] = _powers(Ad, Ad, rows)
        slopes["P"] = rate * s[1:, :, None] * (ldn.A @ found["P"])
    return found, slopes


def step_tables(ldn: LDN, dt: float) -> tuple[dict, dict]:
    """Return the matrices of one step, and their slopes by theta.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Seconds of a step.

    Returns
    -------
    tables, slopes : dict of str to ndarray
        ``A`` (d, d) and ``B`` (d,): one step, and their derivatives by theta.
    """
    rate, (Ad, Bd) = -dt / ldn.theta**2, ldn.discretize(dt)
    slopes = {"A": rate * ldn.A @ Ad, "B": rate * Ad @ ldn.B}
    return {"A": Ad, "B": Bd}, slopes


def _powers(Ad: np.ndarray, V: np.ndarray, rows: int) -> np.ndarray:
    """Return ``V`` (d, v) after 0 to ``rows - 1`` steps, (rows, d, v)."""
    found = V[None]
    while len(found) < rows:  # twice as many at a time
        found = np.concatenate([found, Ad @ found])
        Ad = Ad @ Ad
    return found[:rows]
