r"""The least noisy coordinates for a memory: what its neurons should represent.

Neurons may carry any coordinates ``x = T m`` of the state, ``m = U x``.  With ``n_i``
of ``n`` neurons on coordinate ``i``, scaled to its standard deviation ``s_i`` (noise
included), each step adds noise of variance ``c s_i^2 / n_i``; the constant ``c``
belongs to the neurons alone (`neurons.recruitment.variance_factor`).  With

.. math::

    S = E[m m^T], \qquad G = \sum_k L^T (K^k)^T C^T W C K^k L ,

the covariance of the state and the sensitivity of the readouts ``W`` to noise that
enters the closed loop ``(K, L, C)``, the mean square error of the readouts is
``c sum_i s_i^2 g_i / n_i``, ``g_i = U_i^T G U_i``.  It is least for

.. math::

    n_i \propto \sigma_i, \qquad \sigma_i = \sqrt{\lambda_i(S G)}, \qquad
    T S T^T = I, \quad U^T G U = \mathrm{diag}(\sigma^2),

where it is ``(c / n) (sum_i sigma_i)^2``: the ``sigma_i`` are Hankel singular values of
the path from signal to neurons and from neurons to readout, and their sum takes the
place of ``d``.  No encoders, orthogonal or not, do better on normally distributed
states: ``tr(W M^-1)`` over all information matrices ``M`` of trace ``n`` is least at
``M ~ W^(1/2)``.  This is the classical round-off problem of digital filters [1]_ [2]_
but for one thing: ``S`` contains the noise itself, so it is solved as a fixed point.

References
----------
.. [1] Mullis, Roberts (1976). Synthesis of minimum roundoff noise fixed point digital
   filters. IEEE Trans. Circuits and Systems 23(9).
.. [2] Hwang (1977). Minimum uncorrelated unit noise in state-space digital filtering.
   IEEE Trans. Acoustics, Speech, and Signal Processing 25(4).
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.optimize import minimize_scalar

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import closed_loop, stationary_covariance
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import MappingError
from lmu_spiking.neurons.recruitment import allocate, reach, variance_factor

REALISED = ("balanced", "optimal")  # tunings that choose coordinates, too
FLOOR = 1e-12  # of the state's variance, below which a direction carries nothing
DIVERGED = 1e3  # relative error of a memory that is none
WINDOW_POINTS = 100


@dataclass(frozen=True, eq=False)
class Realisation:
    """Coordinates of the state, and how many neurons carry each.

    Attributes
    ----------
    U, T : (d, d) ndarray
        ``m = U x`` and ``x = T m``.
    counts : (d,) int ndarray
        Neurons of each coordinate.
    radii : (d,) ndarray
        Value of each coordinate at which its neurons reach their highest rate.
    sigma : (d,) ndarray
        Hankel singular values, falling; of readouts relative to their own power.
    noise : (d, d) ndarray
        Predicted covariance of the state's error, in Legendre coordinates.
    error : float
        Predicted root of the mean square error of those readouts, relative.
    """

    U: np.ndarray
    T: np.ndarray
    counts: np.ndarray
    radii: np.ndarray
    sigma: np.ndarray
    noise: np.ndarray
    error: float

    __repr__ = brief


def balanced(
    ldn: LDN,
    mapped: Mapped,
    dt: float,
    moments: np.ndarray,
    n_neurons: int,
    *,
    weights: np.ndarray | None = None,
    max_rate: float = 300.0,
    levels: int = 1,
    tolerance: float = 1e-7,
) -> Realisation:
    r"""The realisation of least noise, for readouts at delay theta and of the window.

    Parameters
    ----------
    ldn : LDN
    mapped : Mapped
        It, on the recurrent synapse.
    dt : float
        Step, seconds.
    moments : (d, d) array_like
        Second moment of the exact state under the signal; see `band_moments`.
    n_neurons : int
    weights : (d, d) ndarray, optional
        ``W`` of other readouts.
    max_rate : float
        Exceeded by each neuron for less than .1 % of the time, Hz.
    levels : int
        In which the neurons of a coordinate are recruited.
    tolerance : float
        Relative, at which the covariance has settled.

    Returns
    -------
    Realisation

    Raises
    ------
    MappingError
        If so few neurons feed their own noise without bound.
    """
    d, factor = ldn.order, variance_factor(max_rate, levels) / dt
    K, L, C = closed_loop(mapped)
    W = readout_weights(ldn, dt, moments) if weights is None else weights
    G = L.T @ stationary_covariance(K.T, C.T @ W @ C) @ L
    P = np.zeros((d, d))
    for _ in range(300):
        U, T, sigma = _balance(moments + P, G)
        if not sigma.any():  # the synapse alone is the system: neurons do nothing
            sigma = np.ones(d)
        counts = 2 + (n_neurons - 2 * d) * sigma / sigma.sum()
        noise = (U * (factor / counts)) @ U.T
        found = C @ stationary_covariance(K, L @ noise @ L.T) @ C.T
        error = float(np.sqrt(np.sum(W * found)))
        if not error < DIVERGED:
            raise MappingError(
                f"realisation: {n_neurons} neurons feed their own noise without bound "
                f"at order {d} and theta {ldn.theta:g} s; use more neurons, a lower "
                "order or a higher max_rate"
            )
        if np.abs(found - P).max() <= tolerance * np.abs(found).max():
            break
        P = (P + found) / 2
    counts = allocate(n_neurons, sigma, least=2)
    return Realisation(U, T, counts, np.full(d, reach(levels)), sigma, found, error)


def best_tau(ldn: LDN, dt: float, moments, n_neurons: int, **options) -> float:
    """The lowpass, seconds, of least noise (two digits); ``options`` as in `balanced`.

    Longer synapses average more spikes, up to where the loop's own modes do.
    """

    def error(log_tau: float) -> float:
        mapped = map_onto(ldn, float(np.exp(log_tau)), dt)
        try:
            found = balanced(
                ldn, mapped, dt, moments, n_neurons, tolerance=1e-3, **options
            )
            return found.error
        except MappingError:
            return DIVERGED

    span = np.log(ldn.theta) + np.log([0.02, 5.0])
    found = minimize_scalar(error, bounds=span, options={"xatol": 0.03})
    return float(f"{np.exp(found.x):.2g}")


def band_moments(ldn: LDN, dt: float, bandwidth: float, rms: float) -> np.ndarray:
    r"""Second moment of the state under white noise from 0 to ``bandwidth`` Hz: (d, d).

    ``(rms^2 / bandwidth) int_0^bandwidth Re[G(f) G(f)^H] df`` by Gauss-Legendre
    quadrature, with ``G`` the LDN's frequency response.
    """
    nodes, weights = leggauss(32 + 8 * int(np.ceil(bandwidth * ldn.theta)))
    response = ldn.frequency_response(bandwidth * (nodes + 1) / 2, dt)
    power = rms**2 * weights / 2
    return np.real(np.einsum("f,fi,fj->ij", power, response, response.conj()))


def readout_weights(ldn: LDN, dt: float, moments) -> np.ndarray:
    """``W`` (d, d): half the error at delay theta, half that of the window.

    Each relative to its own mean square, so that ``sum(W * P)`` is the mean of the two
    squared NRMSEs.
    """
    steps = ldn.steps(dt)
    last = ldn.readout([(steps - 1) * dt], dt)
    window = ldn.readout(np.linspace(0, (steps - 1) * dt, WINDOW_POINTS), dt)
    parts = [c.T @ c / np.trace(c @ moments @ c.T) for c in (last, window)]
    return (parts[0] + parts[1]) / 2


def _balance(Q: np.ndarray, G: np.ndarray):
    """``U, T, sigma`` with ``T Q T^T = I`` and ``U^T G U = diag(sigma^2)``, falling."""
    power, V = np.linalg.eigh(Q)
    root = np.sqrt(np.maximum(power, FLOOR * power.max()))
    R = V * root
    square, Z = np.linalg.eigh(R.T @ G @ R)
    square, Z = square[::-1], Z[:, ::-1]
    return R @ Z, Z.T @ (V / root).T, np.sqrt(np.maximum(square, 0.0))
