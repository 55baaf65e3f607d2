r"""Errors that a chip's memory makes beside noise, as noise to train with.

A state that is read ``\delta`` samples late, from a memory whose window is
``1 + \epsilon`` times its own, errs to first order by

.. math::

    e = \delta\, \dot m + \epsilon\, \frac{\partial m}{\partial \log \theta}, \qquad
    \dot m_t = \frac{\Delta}{\theta} \Bigl(A m_t + B\, \frac{u_t + u_{t+1}}{2}\Bigr),

the mean of the slopes before and after the sample ends, after the last one with 0.
With the relative noise ``s`` that makes a covariance,

.. math::

    P = s^2 \,\mathrm{diag}(E[m_i^2]) + E[\delta^2]\, E[\dot m \dot m^T]
        + E[\epsilon^2]\, E[m_\theta m_\theta^T] .

Letters: ``n`` sequences, ``T`` steps, ``k`` memories, ``d`` order.
"""

from dataclasses import replace

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.rates.forward import memory_states
from lmu_spiking.rates.params import CellParams, LMUParams
from lmu_spiking.training.settings import TrainSettings

SEEN = 500  # sequences that the covariance is taken over, at most
DIFFERENCE = 1e-4  # of log theta, to either side


def settled(params: LMUParams, settings: TrainSettings, data) -> TrainSettings:
    """The settings with ``late`` and ``stretch`` turned into a covariance.

    It is that of the training sequences, at the parameters that training starts from.
    """
    if not (settings.late or settings.stretch):
        return settings
    noise = (settings.noise, settings.late, settings.stretch)
    P = covariance(params, data.train.x, *noise, last=data.last)
    return replace(settings, noise=0.0, late=0.0, stretch=0.0, noise_covariance=P)


def covariance(
    params: LMUParams, x, noise: float, late: float, stretch: float, *, last: bool
) -> np.ndarray:
    """``P`` (k d, k d) of the first cell's states.

    Parameters
    ----------
    x : (n, T, c) array_like
    noise : float
        ``s``, relative to the root mean square of each dimension.
    late, stretch : float
        Root mean squares of ``delta``, in samples, and of ``epsilon``.
    last : bool
        Whether only the last step counts.
    """
    cell = params.cells[0]
    if not cell.memory_is_feedforward:
        raise ValidationError(
            "TrainSettings.late",
            late,
            "needs cells without e_h and e_m",
            "leave late and stretch out",
        )
    x = np.asarray(x, dtype=float)
    x = x[:: max(1, len(x) // SEEN)]
    u = x @ cell.e_x.T
    u = u if cell.b_u is None else u + cell.b_u
    m, slope, by_window = _states(cell, u, params.dt, last)
    P = noise**2 * np.diag(np.mean(m**2, axis=0))
    return P + late**2 * _second(slope) + stretch**2 * _second(by_window)


def _states(cell: CellParams, u: np.ndarray, dt: float, last: bool):
    """States (S, k d), and their derivatives by samples and by ``log theta``."""
    n, _, k = u.shape
    m = memory_states(cell, u, dt, last=last).reshape(n, -1, k, cell.order)
    after = np.concatenate([u[:, 1:], np.zeros((n, 1, k))], axis=1)
    mean = ((u + after) / 2)[:, -m.shape[1] :, :, None]
    slope = (m @ cell.ldn.A.T + mean * cell.ldn.B) * (dt / cell.theta)
    longer, shorter = (
        replace(cell, theta=cell.theta * np.exp(sign * DIFFERENCE)) for sign in (1, -1)
    )
    change = memory_states(longer, u, dt, last=last)
    change = change - memory_states(shorter, u, dt, last=last)
    found = (m, slope, change / (2 * DIFFERENCE))
    return (each.reshape(-1, k * cell.order) for each in found)


def _second(e: np.ndarray) -> np.ndarray:
    """``E[e e^T]`` of samples (S, k d)."""
    return e.T @ e / len(e)
