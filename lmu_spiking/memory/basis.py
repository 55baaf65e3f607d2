r"""The basis of the state that a memory's neurons represent, and the least noisy one.

Neurons may carry any coordinates ``x = T m`` of the state, ``m = U x``.  With ``n_i``
of ``n`` neurons on coordinate ``i``, scaled to the standard deviation ``s_i`` of what
they encode (its noise, and error feedback, included), each step adds noise of variance
``c s_i^2 / n_i``; the constant ``c`` belongs to the neurons alone
(`neurons.recruitment.variance_factor`).  With

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

Staggered neurons add the *difference* of a rounding error of at most one half of a
spike (`theory.bound`), which is taken to be white and uniform, of variance 1/12.  A
spike is worth ``q_i ~ s_i / n_i``, so that noise falls with the square of the neurons:

.. math::

    G = \sum_j (H_j - H_{j-1})^T W (H_j - H_{j-1}), \quad H_j = C K^j L, \qquad
    n_i \propto \sigma_i^{2/3} .

The basis is that of the same two equations, since ``sum_i (s_i^2 g_i)^{1/3}``, too, is
least where both matrices are diagonal.

References
----------
.. [1] Mullis, Roberts (1976). Synthesis of minimum roundoff noise fixed point digital
   filters. IEEE Trans. Circuits and Systems 23(9).
.. [2] Hwang (1977). Minimum uncorrelated unit noise in state-space digital filtering.
   IEEE Trans. Acoustics, Speech, and Signal Processing 25(4).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import (
    closed_loop,
    rounding_covariance,
    stationary_covariance,
)
from lmu_spiking.dynamics.feedback import with_feedback
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import MappingError, ValidationError, check_shape
from lmu_spiking.neurons.curves import (
    LEVELS,
    TUNINGS,
    Tuning,
    is_exact,
    is_rectified_linear,
    neuron_type,
    statistics,
)
from lmu_spiking.neurons.population import NOISY, is_staggered, shares
from lmu_spiking.neurons.recruitment import allocate, reach, variance_factor
from lmu_spiking.signals import SignalSpec, as_signal

REALISED = ("balanced", "optimal")  # tunings that choose the basis, too
ALL_TUNINGS = (*TUNINGS, *REALISED)
TAU = 0.1  # seconds, of the synapse of all other tunings
FLOOR = 1e-12  # of the state's variance, below which a direction carries nothing
DIVERGED = 1e3  # relative error above which the noise has grown without bound
WINDOW_POINTS = 100  # delays that stand for the window in the default readouts


@dataclass(frozen=True, eq=False)
class Realisation:
    """A basis of the state, and how many neurons carry each of its coordinates.

    Parameters
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
    staggered: bool = False,
    tolerance: float = 1e-7,
) -> Realisation:
    r"""Return the basis of least noise, for readouts at delay theta and of the window.

    Parameters
    ----------
    ldn : LDN
    mapped : Mapped
        The delay network on its recurrent synapse.
    dt : float
        Step, seconds.
    moments : (d, d) array_like
        Second moment of the exact state under the signal; see `band_moments`.
    n_neurons : int
        Neurons of all coordinates together.
    weights : (d, d) ndarray, optional
        ``W`` of other readouts.
    max_rate : float
        Rate that each neuron exceeds for less than 0.1 % of the time, Hz.
    levels : int
        Levels in which the neurons of a coordinate are recruited.
    staggered : bool
        Whether the neurons are staggered, in place of noisy ones.
    tolerance : float
        Relative change of the noise covariance at which the iteration ends.

    Returns
    -------
    Realisation
        The basis, and the neurons of each coordinate.

    Raises
    ------
    MappingError
        If so few neurons feed their own noise without bound.
    """
    d, factor, falls = ldn.order, variance_factor(max_rate, levels) / dt, 1
    if staggered:  # (2 R / (r_max n dt))^2 / 12
        factor, falls = (reach(levels) / (max_rate * dt)) ** 2 / 3, 2
    # the sensitivity G of the readouts does not depend on the basis
    K, L, C, N = closed_loop(mapped)
    W = readout_weights(ldn, dt, moments) if weights is None else weights
    G = sensitivity(mapped, W, staggered)
    P = np.zeros((d, d))
    # the state's covariance includes the noise P that this basis leads to: iterate, by
    # half steps, which converge where whole ones swing; 300 are far more than it takes
    for _ in range(300):
        U, T, sigma = _balance(moments + P, G)
        if not sigma.any():  # the synapse alone is the system: neurons do nothing
            sigma = np.ones(d)
        share = sigma ** (2 / (1 + falls))
        counts = 2 + (n_neurons - 2 * d) * share / share.sum()
        noise = (U * (factor / counts**falls)) @ U.T
        if staggered:
            whole = rounding_covariance(K, L, noise)
        else:
            whole = stationary_covariance(K, L @ noise @ L.T)
        found, received = C @ whole @ C.T, N @ whole @ N.T
        error = float(np.sqrt(np.sum(W * found)))
        if not error < DIVERGED:
            raise MappingError(
                f"realisation: {n_neurons} neurons feed their own noise without bound "
                f"at order {d} and theta {ldn.theta:g} s; use more neurons, a lower "
                "order or a higher max_rate"
            )
        if np.abs(received - P).max() <= tolerance * np.abs(received).max():
            break
        P = (P + received) / 2
    counts = allocate(n_neurons, share, least=2)
    return Realisation(U, T, counts, np.full(d, reach(levels)), sigma, found, error)


def sensitivity(mapped: Mapped, weights: np.ndarray, staggered: bool) -> np.ndarray:
    """Return ``G`` (d, d): what readouts make of noise that enters the closed loop.

    Parameters
    ----------
    mapped : Mapped
        The loop, in Legendre coordinates.
    weights : (d, d) ndarray
        ``W`` of the readouts.
    staggered : bool
        Whether neurons are staggered, whose rounding errors are differenced.

    Returns
    -------
    (d, d) ndarray
        The mean square error of the readouts is ``sum(G * Sigma)``.
    """
    K, L, C, _ = closed_loop(mapped)
    seen = C.T @ weights @ C
    # a rounding error enters at once, and in the next step with the other sign
    enters = K @ L - L if staggered else L
    G = enters.T @ stationary_covariance(K.T, seen) @ enters
    return G + L.T @ seen @ L if staggered else G


def best_tau(
    ldn: LDN, dt: float, moments, n_neurons: int, *, feedback=None, **options
) -> float:
    """Return the time constant of the lowpass of least noise, seconds, in two digits.

    Longer synapses average more spikes, up to where the loop's own modes do.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    moments : (d, d) array_like
        Second moment of the exact state under the signal.
    n_neurons : int
    feedback : (2,) tuple of float or None
        Rate (per second) and time constant (seconds) of the error feedback.
    **options
        ``weights``, ``max_rate``, ``levels`` and ``staggered`` of `balanced`.

    Returns
    -------
    float
        Seconds.
    """

    def error(log_tau: float) -> float:
        mapped = map_onto(ldn, float(np.exp(log_tau)), dt)
        known: dict[str, Any] = options | {"tolerance": 1e-3}
        try:
            mapped = with_feedback(mapped, feedback, dt, error=_no_error)
            return balanced(ldn, mapped, dt, moments, n_neurons, **known).error
        except (MappingError, ValidationError):  # or a synapse as quick as the feedback
            return DIVERGED

    # beyond 0.02 to 5 windows the synapse averages nothing, or replaces the memory
    span = np.log(ldn.theta) + np.log([0.02, 5.0])
    found: Any = minimize_scalar(error, bounds=span, options={"xatol": 0.03})
    return float(f"{np.exp(found.x):.2g}")


def _no_error(loop: Mapped) -> float:
    """Return 0: a feedback whose rate is given is not chosen by its error."""
    return 0.0


def choose_tau(
    ldn: LDN,
    dt: float,
    n_neurons: int,
    tuning,
    neurons,
    max_rate: float,
    signal=None,
    size_in: int = 1,
    readouts=None,
    feedback=None,
    initial_phases=None,
) -> float:
    """Return the lowpass, seconds, of a memory for which none is given.

    It is 0.1 s, or the one of least noise for a tuning that chooses its basis.

    Parameters
    ----------
    ldn : LDN
        The delay network of each input.
    dt, n_neurons, tuning
        As in `LegendreMemory`.
    neurons : str or nengo.neurons.NeuronType
        Type of the neurons.
    max_rate, signal, size_in, readouts
        As in `LegendreMemory`.
    feedback : "auto", (2,) tuple of float or None
        The error feedback that is asked for; only neurons whose error a formula gives
        take it into account.
    initial_phases
        As in `LegendreMemory`.

    Returns
    -------
    float
        Seconds.
    """
    if tuning not in REALISED:
        return TAU
    feedback = feedback if is_computed(neuron_type(neurons), tuning) else None
    aim = (ldn, dt, tuning, neurons, signal, readouts, initial_phases)
    moments, _, options = basis_options(*aim)
    of_each = int(shares(n_neurons, size_in * ldn.order).sum()) // size_in
    options["max_rate"] = max_rate / peak_of(signal)
    more = (dt, moments, of_each)
    pair = feedback_pair(ldn, ldn.theta, *more, feedback, **options)
    return best_tau(ldn, *more, feedback=pair, **options)


def feedback_pair(
    ldn: LDN, tau: float, dt: float, moments, n_neurons: int, asked, **options
) -> tuple[float, float] | None:
    """Return rate and time constant of the feedback that is asked for at a lowpass.

    Parameters
    ----------
    ldn : LDN
    tau : float
        Time constant of the memory's lowpass, seconds.
    dt : float
        Step, seconds.
    moments : (d, d) array_like
        Second moment of the exact state under the signal.
    n_neurons : int
    asked : "auto", (2,) tuple of float or None
    **options
        Of `balanced`.

    Returns
    -------
    (2,) tuple of float or None
        The pair itself, or the one of least error; None if none lowers it.
    """
    if asked != "auto":
        return asked

    def error(loop: Mapped) -> float:
        known: dict[str, Any] = options | {"tolerance": 1e-3}
        return balanced(ldn, loop, dt, moments, n_neurons, **known).error

    found = with_feedback(map_onto(ldn, tau, dt), asked, dt, error=error).feedback
    return None if found is None else (found.rate, found.tau)


def pairs_error(
    ldn: LDN, dt: float, signal, readouts, counts, radii, max_rate: float
) -> Callable[[Mapped], float]:
    """Return the function that predicts the error of a loop of plain Poisson pairs.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    signal, readouts
        As in `LegendreMemory`.
    counts, radii : (d,) array_like
        Neurons and radius of each dimension.
    max_rate : float
        Rate at the radius, Hz.

    Returns
    -------
    callable
        From a loop to the root of the mean square error of the readouts, relative.  It
        raises a MappingError where the noise grows without bound.
    """
    # a variance of E|x| R / (r_max (n/2) dt), with x normal
    per_spread = np.sqrt(8 / np.pi) * np.asarray(radii) / (max_rate * dt * counts)

    @cache
    def of_signal():
        moments, _ = signal_moments(ldn, dt, signal)
        if readouts is None:
            return np.diag(moments), readout_weights(ldn, dt, moments)
        return np.diag(moments), weights_of(readouts, moments)

    def error(mapped: Mapped) -> float:
        power, weights = of_signal()
        K, L, C, N = closed_loop(mapped)
        received, found = np.zeros(len(C)), np.inf
        for _ in range(100):  # the noise makes noise: a fixed point
            sigma = per_spread * np.sqrt(power + received)
            P = stationary_covariance(K, (L * sigma) @ L.T)
            received = np.einsum("iz,zy,iy->i", N, P, N)
            before, found = found, np.sqrt(np.sum(weights * (C @ P @ C.T)))
            if not found < DIVERGED:
                raise MappingError("realisation: the neurons feed their own noise")
            if abs(found - before) <= 1e-3 * found:
                break
        return float(found)

    return error


def basis_options(ldn: LDN, dt, tuning: str, neurons, signal, readouts, phases=None):
    """Return state moments, states, and the options of `balanced` for a memory."""
    moments, states = signal_moments(ldn, dt, signal)
    neurons = neuron_type(neurons)
    kind = curve_kind(tuning, neurons)
    options: dict[str, Any] = {"weights": None}
    options["levels"] = LEVELS if kind == "recruited" else 1
    if readouts is not None:
        options["weights"] = weights_of(readouts, moments)
    options["staggered"] = is_staggered(neurons, kind, phases)
    return moments, states, options


def curve_kind(tuning: str, neurons) -> str:
    """Return the kind of tuning curves that go with a tuning that chooses its basis."""
    if not is_rectified_linear(neurons):
        return "drawn"
    recruits = tuning == "optimal" and statistics(neurons) in NOISY
    return "recruited" if recruits else "pairs"


def is_computed(neurons, tuning) -> bool:
    """Return whether a formula gives the noise of neurons, with and without feedback.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    tuning
        As in `LegendreMemory`.

    Returns
    -------
    bool
        True for pairs of Poisson and stochastic neurons, and for exact rates.
    """
    chosen = None if tuning in REALISED else tuning
    if Tuning.of(chosen, neurons, 1.0).kind == "drawn":
        return False
    return statistics(neurons) in NOISY or is_exact(neurons)


def signal_moments(ldn: LDN, dt: float, signal):
    """Return the second moment of the exact state under a signal, and its states.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    signal : SignalSpec, Signal, (T,) or (T, order) array_like, optional
        A band, samples of more than a window, or exact states; or a tuple of the
        `SignalSpec` of each channel, of which the mean is taken, in units of their rms.

    Returns
    -------
    moments : (d, d) ndarray
        Second moment of the exact state.
    states : (T, d) ndarray or None
        None for a band.
    """
    signal = SignalSpec() if signal is None else signal
    if isinstance(signal, SignalSpec):
        return band_states(ldn, dt, signal), None
    if isinstance(signal, tuple):
        each = [band_states(ldn, dt, one) / one.rms**2 for one in signal]
        return np.mean(each, axis=0), None
    if getattr(signal, "ndim", 1) == 2:
        states = check_shape("signal", signal, ("T", ldn.order), "finite states")
    else:
        window = ldn.steps(dt)
        u = as_signal(signal, dt, least=window + 1, attribute="signal").samples
        if not u.any():
            remedy = "use samples not all of them 0"
            raise ValidationError("signal", u, "is silent", remedy)
        states = ldn.simulate(u, dt)[window:]
    return states.T @ states / len(states), states


def band_states(ldn: LDN, dt: float, signal: SignalSpec) -> np.ndarray:
    """Return the second moment (d, d) of the exact state under noise of a band.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    signal : SignalSpec

    Returns
    -------
    (d, d) ndarray
        By quadrature over its band or spectrum.
    """
    frequency, power = signal.lines(ldn.theta)
    within = frequency <= 0.5 / dt  # a longer step carries no more
    return response_moments(ldn, dt, frequency[within], power[within])


def peak_of(signal) -> float:
    """Return how many times the radii of a normal signal it takes to cover one.

    Parameters
    ----------
    signal : SignalSpec, tuple of SignalSpec, Signal, array_like or None
        Of samples it is 1, whose own states say it.

    Returns
    -------
    float
        The mean over several channels.
    """
    several = signal if isinstance(signal, tuple) else (signal,)
    return float(np.mean([getattr(one, "peak", 1.0) for one in several]))


def weights_of(readouts, moments: np.ndarray) -> np.ndarray:
    """Return ``W`` of readouts, with ``sum(W * P)`` their error over their power.

    Parameters
    ----------
    readouts : (p, d) array_like
    moments : (d, d) ndarray
        Second moment of the exact state.

    Returns
    -------
    (d, d) ndarray
        Symmetric, and not negative.
    """
    c = check_shape("readouts", readouts, ("readouts", len(moments)))
    if not c.any():
        raise ValidationError("readouts", c.shape, "must be finite, and not all 0")
    power = np.trace(c @ moments @ c.T)
    return c.T @ c / max(power, np.finfo(float).tiny)


def band_moments(ldn: LDN, dt: float, bandwidth: float, rms: float) -> np.ndarray:
    r"""Return the second moment (d, d) of the state under white noise.

    ``(rms^2 / bandwidth) int_0^bandwidth Re[G(f) G(f)^H] df`` by Gauss-Legendre
    quadrature, with ``G`` the LDN's frequency response.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    bandwidth : float
        Hz.
    rms : float

    Returns
    -------
    (d, d) ndarray
        Second moment of the exact state.
    """
    return response_moments(ldn, dt, *SignalSpec(bandwidth, rms).lines(ldn.theta))


def response_moments(ldn: LDN, dt: float, frequency, power) -> np.ndarray:
    """Return the second moment (d, d) of the state under lines of a spectrum.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    frequency, power : (F,) array_like
        Hz, and mean square at each.

    Returns
    -------
    (d, d) ndarray
        ``sum_f S(f) Re[G(f) G(f)^H]``.
    """
    response = ldn.frequency_response(frequency, dt)
    return np.real(np.einsum("f,fi,fj->ij", power, response, response.conj()))


def readout_weights(ldn: LDN, dt: float, moments) -> np.ndarray:
    """Return ``W`` (d, d) of the default readouts: delay theta, and the whole window.

    Each counts half, relative to its own mean square, so that ``sum(W * P)`` is the
    mean of the two squared NRMSEs.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    moments : (d, d) array_like
        Second moment of the exact state.

    Returns
    -------
    (d, d) ndarray
        Symmetric, and not negative.
    """
    steps = ldn.steps(dt)
    last = ldn.readout([(steps - 1) * dt], dt)
    window = ldn.readout(np.linspace(0, (steps - 1) * dt, WINDOW_POINTS), dt)
    parts = [c.T @ c / np.trace(c @ moments @ c.T) for c in (last, window)]
    return (parts[0] + parts[1]) / 2


def _balance(Q: np.ndarray, G: np.ndarray):
    """Return ``U, T`` and falling ``sigma``: ``T Q T^T = I``, ``U^T G U = sigma^2``."""
    power, V = np.linalg.eigh(Q)
    root = np.sqrt(np.maximum(power, FLOOR * power.max()))
    R = V * root
    square, Z = np.linalg.eigh(R.T @ G @ R)
    square, Z = square[::-1], Z[:, ::-1]
    return R @ Z, Z.T @ (V / root).T, np.sqrt(np.maximum(square, 0.0))
