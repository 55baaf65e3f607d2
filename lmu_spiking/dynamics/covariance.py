r"""Covariances of the noise in the closed loop of a memory.

Letters: ``d`` order, ``n`` states of the synapse, ``p`` readouts, ``z`` states of the
whole loop.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import matrix_balance

from lmu_spiking.dynamics.mapping import Filter, Mapped
from lmu_spiking.errors import MappingError


class ClosedLoop(NamedTuple):
    """A memory as one linear system; see `closed_loop` for its matrices."""

    K: np.ndarray
    L: np.ndarray
    C: np.ndarray
    N: np.ndarray


def closed_loop(mapped: Mapped) -> ClosedLoop:
    r"""Return the memory as one linear system driven by decoding noise.

    ``Z[k+1] = K Z[k] + L eta[k]``, with the memory's state ``C Z`` and with ``N Z``
    what the neurons receive.  With the synapse ``(F, G, C)`` of every dimension,
    ``K = F (x) I + G C (x) A'`` and ``L = G (x) A'``; for a lowpass ``K = Ad`` and
    ``L = Ad - a I``.  Error feedback ``(F_f, G_f, C_f)`` adds states ``q`` of its own,
    so that ``w = C_f q`` is part of what neurons receive and of the decoding error:

    .. math::

        K \to \begin{pmatrix} K & L (C_f \otimes I) \\
        0 & (F_f - G_f C_f) \otimes I \end{pmatrix} , \quad
        L \to \begin{pmatrix} L \\ -G_f \otimes I \end{pmatrix} .

    Parameters
    ----------
    mapped : Mapped
        The delay network on the loop's synapse.

    Returns
    -------
    K : (z, z) ndarray
        One step of the loop's state.
    L : (z, d) ndarray
        Entry of the noise into it.
    C : (d, z) ndarray
        The memory's state in it.
    N : (d, z) ndarray
        What the neurons receive: the state, and the feedback.
    """
    loop, eye = mapped.loop, np.eye(len(mapped.A))
    K = np.kron(loop.F, eye) + np.kron(np.outer(loop.G, loop.C), mapped.A)
    L, C = np.kron(loop.G[:, None], mapped.A), np.kron(loop.C[None], eye)
    if mapped.feedback is None:
        return ClosedLoop(K, L, C, C)
    own = mapped.feedback.loop
    w = np.kron(own.C[None], eye)
    around = np.kron(own.F - np.outer(own.G, own.C), eye)
    none = np.zeros((len(around), len(K)))
    K = np.block([[K, L @ w], [none, around]])
    L = np.vstack([L, np.kron(-own.G[:, None], eye)])
    return ClosedLoop(K, L, np.hstack([C, 0 * w]), np.hstack([C, w]))


def stationary_covariance(K: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Return the solution of ``P = K P K^T + Q``, by Smith's doubling.

    It is the sum of ``K^k Q K^kT`` over all ``k``.  Where half of the states are those
    of an error feedback of one lowpass, the other half is doubled alone.

    Parameters
    ----------
    K, Q : (n, n) ndarray

    Returns
    -------
    P : (n, n) ndarray
        The stationary covariance.

    Raises
    ------
    MappingError
        If the sum is beyond all bounds: a loop that is stable only in theory.
    """
    if (kept := _kept_apart(K)) is not None:
        return _with_lowpasses(K, Q, kept)
    K, (scale, _) = matrix_balance(K, permute=False, separate=True)
    P = Q / np.multiply.outer(scale, scale)
    with np.errstate(all="ignore"):
        for _ in range(60):  # after which 2^60 terms are summed
            added = K @ P @ K.T
            P = P + added
            if not np.abs(added).max() > 1e-15 * np.abs(P).max():
                break
            K = K @ K
    if not np.isfinite(P).all():
        raise MappingError(
            "covariance: the loop amplifies noise beyond all bounds, though its modes "
            "are stable; use a synapse with shorter time constants, or a lowpass"
        )
    return (P + P.T) / 2 * np.multiply.outer(scale, scale)


def rounding_covariance(K: np.ndarray, L: np.ndarray, Q: np.ndarray) -> np.ndarray:
    r"""Return the stationary covariance of ``Z`` under a rounding error.

    It enters as its difference, ``\eta[k] = D[k] - D[k-1]``, with ``D`` white: at once
    by ``L``, and in the next step by ``K L - L``.

    Parameters
    ----------
    K : (z, z) ndarray
    L : (z, d) ndarray
    Q : (d, d) ndarray
        Covariance of ``D``.

    Returns
    -------
    (z, z) ndarray
        Covariance of the loop's state.
    """
    later = K @ L - L
    return L @ Q @ L.T + stationary_covariance(K, later @ Q @ later.T)


def _kept_apart(K: np.ndarray) -> float | None:
    """Return what the second half of the states keep of themselves, each alone.

    None if they do not keep the same, or receive something of each other or of the
    first half.
    """
    d = len(K) // 2
    if len(K) % 2 or not d or K[d:, :d].any():
        return None
    kept = K[d, d]
    apart = abs(kept) < 1 and np.array_equal(K[d:, d:], kept * np.eye(d))
    return float(kept) if apart else None


def _with_lowpasses(K: np.ndarray, Q: np.ndarray, kept: float) -> np.ndarray:
    """Return the stationary covariance where half of the states are lowpasses.

    With ``K = [[A, B], [0, kept I]]`` it follows from that half to the other one.
    """
    d = len(K) // 2
    A, B = K[:d, :d], K[:d, d:]
    own = Q[d:, d:] / (1 - kept**2)
    between = np.linalg.solve(np.eye(d) - kept * A, kept * B @ own + Q[:d, d:])
    crossed = A @ between @ B.T
    rest = stationary_covariance(A, Q[:d, :d] + B @ own @ B.T + crossed + crossed.T)
    return np.block([[rest, between], [between.T, own]])


def readout_covariance(mapped: Mapped, sigma, weights, reader: Mapped) -> np.ndarray:
    """Return the noise covariance of readouts of the spikes through another synapse.

    Parameters
    ----------
    mapped : Mapped
        The memory.
    sigma : (d,) array_like
        Variance of each decoded dimension in one step.
    weights : (p, d) ndarray
        The readouts.
    reader : Mapped
        The LDN mapped onto the readout's synapse.

    Returns
    -------
    (p, p) ndarray
        Covariance of the readouts' noise.
    """
    K, L, _, N = closed_loop(mapped)
    h: Filter = reader.loop
    drive = np.kron(h.G[:, None], weights @ reader.A)
    F = np.kron(h.F, np.eye(len(weights)))
    both = np.block([[K, np.zeros((len(K), len(F)))], [drive @ N, F]])
    enter = np.vstack([L, drive])
    P = stationary_covariance(both, (enter * sigma) @ enter.T)
    out = np.kron(h.C[None], np.eye(len(weights)))
    return out @ P[len(K) :, len(K) :] @ out.T
