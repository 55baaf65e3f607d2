r"""Noise that a training adds to the states of memories, as spikes will bring it.

Its size is either relative to each dimension's root mean square in the batch,
``m_i + noise rms_i z_i``, or it has a given covariance, ``m + S z`` with ``S S^T`` the
covariance; ``z`` are independent standard normal numbers at every step.

A chip's memory makes two more errors.  If its state is read ``\delta`` samples late,
and its window is ``1 + \epsilon`` times what it should be, the state is wrong by, to
first order,

.. math::

    e = \delta\, \dot m + \epsilon\, \frac{\partial m}{\partial \log \theta}, \qquad
    \dot m_t = \frac{\Delta}{\theta} \Bigl(A m_t + B\, \frac{u_t + u_{t+1}}{2}\Bigr),

with ``\dot m`` the mean of the slopes just before and just after the sample ends; the
last sample is followed by 0.  Together with the relative noise ``s`` the covariance is

.. math::

    P = s^2 \,\mathrm{diag}(E[m_i^2]) + E[\delta^2]\, E[\dot m \dot m^T]
        + E[\epsilon^2]\, E[m_\theta m_\theta^T] .

Letters: ``n`` sequences, ``T`` steps, ``k`` memories, ``d`` order.
"""

from dataclasses import replace

import numpy as np

from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.forward import encode, memory_states, moved_to_end
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.tasks.sequences import within
from lmu_spiking.training.settings import TrainSettings

SEEN = 500  # sequences that the covariance is taken over, at most
DIFFERENCE = 1e-4  # of log theta, to either side


def scales_of(params: LMUParams, settings: TrainSettings) -> list:
    """Return the noise of each cell: None, a relative size, or a covariance's root.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
        Without ``late`` and ``stretch``; see `with_chip_errors`.

    Returns
    -------
    list of None, float or (k d, k d) ndarray
        One for each cell.  A covariance is of the first cell alone.

    Raises
    ------
    ValidationError
        If the covariance is not of the first cell's states.
    """
    scales: list = [settings.noise or None for _ in params.cells]
    if settings.noise_covariance is not None:
        scales[0] = _root(settings.noise_covariance, params.cells[0])
    return scales


def _root(covariance: np.ndarray, cell: CellParams) -> np.ndarray:
    """Return ``S``, a square root of the covariance of a cell's states."""
    size = cell.memory_d * cell.order
    if len(covariance) != size:
        problem = f"must be ({size}, {size}), for the states of the first cell"
        attribute = "TrainSettings.noise_covariance"
        raise ValidationError(attribute, covariance.shape, problem)
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))


# -- errors of a chip's memory, as noise to train with -----------------------


def with_chip_errors(params: LMUParams, settings: TrainSettings, data) -> TrainSettings:
    """Return the settings with ``late`` and ``stretch`` turned into a covariance.

    It is that of the training sequences, at the parameters that training starts from.

    Parameters
    ----------
    params : LMUParams
        To start from.
    settings : TrainSettings
    data : Sequences

    Returns
    -------
    TrainSettings
        The same settings where they have no such errors.

    Raises
    ------
    ValidationError
        If the first cell has ``e_h`` or ``e_m``.
    """
    if not (settings.late or settings.stretch):
        return settings
    noise = (settings.noise, settings.late, settings.stretch)
    x = params.normalised(data.train.x.astype(float))
    ends = {"last": data.last, "lengths": data.train.lengths}
    P = covariance(params, x, *noise, **ends)
    return replace(settings, noise=0.0, late=0.0, stretch=0.0, noise_covariance=P)


def covariance(
    params: LMUParams,
    x,
    noise: float,
    late: float,
    stretch: float,
    *,
    last: bool,
    lengths=None,
) -> np.ndarray:
    """Return the covariance ``P`` of errors of the first cell's states.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) array_like
    noise : float
        ``s``, relative to the root mean square of each dimension.
    late, stretch : float
        Root mean squares of ``delta``, in samples, and of ``epsilon``.
    last : bool
        Whether only the last step counts.
    lengths : (n,) ndarray of int, optional
        Steps of each sequence, which is padded at its end.

    Returns
    -------
    (k d, k d) ndarray
        Symmetric; of noise, late states and stretched windows together.

    Raises
    ------
    ValidationError
        If the first cell has ``e_h`` or ``e_m``.
    """
    cell = params.cells[0]
    if not cell.memory_is_feedforward:
        problem = "needs cells without e_h and e_m"
        remedy = "leave late and stretch out"
        raise ValidationError("TrainSettings.late", late, problem, remedy)
    x = np.asarray(x, dtype=float)
    every = max(1, len(x) // SEEN)
    u = encode(cell, x[::every])
    # moved to the end each is preceded by rest; all its steps, or the last one, count
    ends = None if lengths is None else lengths[::every]
    u = moved_to_end(u, ends)
    found = _states_and_slopes(cell, u, params.dt, last)
    if ends is not None and not last:
        alive = within(ends, u.shape[1])[:, ::-1].ravel()
        found = [each[alive] for each in found]
    m, slope, by_window = found
    P = noise**2 * np.diag(np.mean(m**2, axis=0))
    return P + late**2 * _second(slope) + stretch**2 * _second(by_window)


def _states_and_slopes(cell: CellParams, u: np.ndarray, dt: float, last: bool):
    """Return states (S, k d), and their derivatives by samples and by ``log theta``."""
    n, _, k = u.shape
    # slopes before and after the ends of samples
    m = memory_states(cell, u, dt, last=last).reshape(n, -1, k, cell.order)
    after = np.concatenate([u[:, 1:], np.zeros((n, 1, k))], axis=1)
    mean = ((u + after) / 2)[:, -m.shape[1] :, :, None]
    slope = (m @ cell.ldn.A.T + mean * cell.ldn.B) * (dt / cell.theta)
    thetas = (cell.theta * np.exp(sign * DIFFERENCE) for sign in (1, -1))
    longer, shorter = (
        memory_states(replace(cell, theta=theta), u, dt, last=last) for theta in thetas
    )
    found = (m, slope, (longer - shorter) / (2 * DIFFERENCE))
    return [each.reshape(-1, k * cell.order) for each in found]


def _second(e: np.ndarray) -> np.ndarray:
    """Return ``E[e e^T]`` of samples (S, k d)."""
    return e.T @ e / len(e)
