"""The outputs of rate-based LMUs: the reference beside every network and trainer.

Cells without recurrence from hidden units are computed for all times at once, others
step by step; the equations are in `params`.
"""

from functools import lru_cache

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import check_shape
from lmu_spiking.lmu.params import CellParams, LMUParams
from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, ChipUnits, chip_activities
from lmu_spiking.tasks.sequences import check_lengths


def activations(name: str, J: np.ndarray, chip: ChipUnits | None = None) -> np.ndarray:
    """Return ``f(J)``: tanh, relu, linear, or rates of a chip.

    Parameters
    ----------
    name : str
        One of `ACTIVATIONS`.
    J : ndarray
        Drives.
    chip : ChipUnits, optional
        Of a chip's activations; its defaults for None.

    Returns
    -------
    ndarray
        Of the shape of the drives.
    """
    if name in CHIP_ACTIVATIONS:
        return chip_activities(name, chip or ChipUnits(), J)
    if name == "tanh":
        return np.tanh(J)
    return np.maximum(J, 0.0) if name == "relu" else J


ROOM = 2**26  # numbers of states and activities that are held at once


def forward(params: LMUParams, x, *, last: bool = False, lengths=None) -> np.ndarray:
    """Return the outputs of an LMU for sequences.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) array_like
        Sequences, a sample every ``params.dt`` seconds.
    last : bool
        Only at the last step of each sequence.
    lengths : (n,) array_like of int, optional
        Steps of each sequence, which is padded to ``T`` at its end; all ``T`` by
        default.  Outputs past a length mean nothing.

    Returns
    -------
    y : (n, T, q) ndarray, or (n, q) for the last step
        Without a softmax or sigmoid.

    Raises
    ------
    ValidationError
        If the sequences are of another shape or not finite.
    """
    h = check_shape("forward.x", x, ("n", "T", params.size_in))
    lengths = check_lengths("forward.lengths", lengths, *h.shape[:2])
    parts = in_parts(params, h, lengths)
    if len(parts) > 1:
        each = [forward(params, x, last=last, lengths=ends) for x, ends in parts]
        return np.concatenate(each)
    h = params.normalised(h)
    for i, cell in enumerate(params.cells):
        final = last and i == len(params.cells) - 1
        _, h = run_cell(cell, h, params.dt, last=final, lengths=lengths)
    return h @ params.D.T + params.c


def in_parts(params: LMUParams, x: np.ndarray, lengths=None) -> list[tuple]:
    """Return sequences in parts that are small enough to be computed at once.

    Parameters
    ----------
    params : LMUParams
    x : (n, T, c) ndarray
    lengths : (n,) ndarray of int, optional

    Returns
    -------
    list of tuple
        The sequences of each part, and their lengths or None.
    """
    widest = max(cell.units + cell.memory_d * cell.order for cell in params.cells)
    most = max(1, ROOM // (x.shape[1] * widest))
    rows = [slice(i, i + most) for i in range(0, len(x), most)]
    return [(x[k], None if lengths is None else lengths[k]) for k in rows]


def at_end(values: np.ndarray, lengths=None) -> np.ndarray:
    """Return what values (n, T, ...) are at the last step of each sequence.

    Parameters
    ----------
    values : (n, T, ...) ndarray
    lengths : (n,) ndarray of int, optional
        All ``T`` by default.

    Returns
    -------
    (n, ...) ndarray
        At step ``length - 1``.
    """
    if lengths is None:
        return values[:, -1]
    return values[np.arange(len(values)), lengths - 1]


def moved_to_end(u: np.ndarray, lengths=None) -> np.ndarray:
    """Return inputs (n, T, ...) moved in time so that each sequence ends at ``T``.

    Before it there are zeros, from which a memory at rest learns nothing: its last
    state is the one that the sequence leaves.

    Parameters
    ----------
    u : (n, T, ...) ndarray
    lengths : (n,) ndarray of int, optional
        All ``T`` by default, and nothing is moved.

    Returns
    -------
    (n, T, ...) ndarray
        Of the same shape.
    """
    if lengths is None:
        return u
    moved = np.zeros_like(u)
    for i, end in enumerate(lengths):
        moved[i, u.shape[1] - end :] = u[i, :end]
    return moved


def run_cell(
    cell: CellParams, x: np.ndarray, dt: float, *, last: bool = False, lengths=None
):
    """Return memory and hidden activities of one cell.

    Parameters
    ----------
    cell : CellParams
    x : (n, T, c) ndarray
    dt : float
        Seconds from one sample to the next.
    last : bool
        Only at the last step of each sequence.
    lengths : (n,) ndarray of int, optional
        As in `forward`.

    Returns
    -------
    m : (n, T, k d) ndarray, or (n, k d)
        States of the memories.
    h : (n, T, units) ndarray, or (n, units)
        Activities of the units.
    """
    if not cell.is_feedforward:
        m, h = _stepwise(cell, x, dt)
        return (at_end(m, lengths), at_end(h, lengths)) if last else (m, h)
    # without recurrence, all times at once
    u = encode(cell, x)
    if not last:
        m = memory_states(cell, u, dt)
        return m, activities(cell, m, x)
    m = memory_states(cell, moved_to_end(u, lengths), dt, last=True)
    return m, activities(cell, m, at_end(x, lengths))


def encode(cell: CellParams, x, h=None, m=None) -> np.ndarray:
    """Return the memories' inputs: ``e_x x + b_u + e_h h + e_m m``.

    Parameters
    ----------
    cell : CellParams
    x : (..., c) ndarray
    h : (..., n) ndarray, optional
    m : (..., k d) ndarray, optional
        Activities and states of the step before; without them, 0.

    Returns
    -------
    (..., k) ndarray
        The inputs ``u``.
    """
    return _summed(x @ cell.e_x.T, cell.b_u, (h, cell.e_h), (m, cell.e_m))


def drive(cell: CellParams, m, x=None, h=None) -> np.ndarray:
    """Return the drive of the units: ``W_m m + b + W_x x + W_h h``.

    Parameters
    ----------
    cell : CellParams
    m : (..., k d) ndarray
    x : (..., c) ndarray, optional
    h : (..., n) ndarray, optional
        Activities of the step before; without inputs or activities, 0.

    Returns
    -------
    (..., n) ndarray
        The drives ``J``.
    """
    return _summed(m @ cell.W_m.T, cell.b, (x, cell.W_x), (h, cell.W_h))


def _summed(total: np.ndarray, bias, *terms) -> np.ndarray:
    """Return a sum with a bias and products ``given @ weights.T``, if they exist."""
    total = total if bias is None else total + bias
    for given, weights in terms:
        if given is not None and weights is not None:
            total = total + given @ weights.T
    return total


def activities(cell: CellParams, m, x=None, h=None) -> np.ndarray:
    """Return the activities of the units, ``f(J)`` of their `drive`.

    Parameters
    ----------
    cell, m, x, h
        As in `drive`.

    Returns
    -------
    (..., n) ndarray
        The activities ``h``.
    """
    return activations(cell.activation, drive(cell, m, x, h), cell.chip)


def impulse_response(cell: CellParams, steps: int, dt: float) -> np.ndarray:
    r"""Return ``H_s = \bar A^s \bar B`` (T, d), ``s`` steps after an impulse's own.

    Parameters
    ----------
    cell : CellParams
    steps : int
        ``T``.
    dt : float
        Seconds from one sample to the next.

    Returns
    -------
    (T, d) ndarray
        From the step of the impulse on.
    """
    return _impulse_response(cell.order, cell.theta, steps, dt)


@lru_cache(maxsize=8)  # batches of sequences ask for the same again and again
def _impulse_response(order: int, theta: float, steps: int, dt: float) -> np.ndarray:
    """Return the impulse response of a delay network, which cannot be written to."""
    impulse = np.zeros(steps)
    impulse[0] = 1
    response = LDN(order, theta).simulate(impulse, dt)
    response.flags.writeable = False
    return response


def memory_states(cell: CellParams, u: np.ndarray, dt: float, *, last: bool = False):
    r"""Return states ``m_t = \sum_{s \le t} H_{t-s} u_s`` of all memories, from rest.

    Parameters
    ----------
    cell : CellParams
    u : (n, T, k) ndarray
        Inputs of the memories.
    dt : float
        Seconds from one sample to the next.
    last : bool
        Only at the last step.

    Returns
    -------
    m : (n, T, k d) ndarray, or (n, k d) at the last step
        Memory by memory.
    """
    n, T, k = u.shape
    H = impulse_response(cell, T, dt)
    if last:
        return np.einsum("ntk,td->nkd", u, H[::-1], optimize=True).reshape(n, -1)
    # convolve by Fourier transforms of a length without overlap
    length = 2 * T - 1
    spectrum = np.fft.rfft(H, length, axis=0)
    m = np.empty((n, T, k, cell.order))
    for i in range(n):  # one at a time: the spectra of all would not fit
        each = np.fft.rfft(u[i], length, axis=0)
        m[i] = np.fft.irfft(each[:, :, None] * spectrum[:, None], length, axis=0)[:T]
    return m.reshape(n, T, -1)


def _stepwise(cell: CellParams, x: np.ndarray, dt: float):
    """Return memory and activities (n, T, ...) of a recurrent cell, step by step."""
    n, T, _ = x.shape
    k, d = cell.memory_d, cell.order
    Ad, Bd = cell.ldn.discretize(dt)
    m, h = np.zeros((n, k * d)), np.zeros((n, cell.units))
    m_all, h_all = np.empty((n, T, k * d)), np.empty((n, T, cell.units))
    for t in range(T):
        u = encode(cell, x[:, t], h, m)
        m = (m.reshape(n, k, d) @ Ad.T + u[:, :, None] * Bd).reshape(n, -1)
        h = activities(cell, m, x[:, t], h)
        m_all[:, t], h_all[:, t] = m, h
    return m_all, h_all
