r"""Error feedback: a second, fast synapse that gives neurons their own decoding error.

The neurons of a dimension receive the state ``x``, and their spikes decode to ``y``.
The decoding error goes back to them through a lowpass of gain ``beta tau_f``, the
*feedback*, so that they encode ``x + w``:

.. math::

    w[k+1] = p\, w[k] + b\,(x[k] - y[k]), \qquad p = e^{-dt/\tau_f}, \quad
    b = \beta\,\tau_f\,(1 - p) .

Where decoding is exact but for noise, ``y = x + w + eta``, the state drops out of
``w``, and the decoding error is

.. math::

    y - x = \eta + w = \frac{z - p}{z - p + b}\; \eta .

Slow errors, below ``1 / (2 pi tau_f)``, are divided by ``1 + beta tau_f``; fast ones,
above about ``1 / (2 pi dt)``, are up to doubled, and averaged away by the memory's own
synapse: noise shaping [1]_ [2]_.  With ``beta dt = 1`` and no leak it is
``(z - 1) / z``, a first-order sigma-delta modulator; the fast inhibition of tightly
balanced networks [3]_ does the like within a step, spike by spike.

By our rule the feedback's time constant is below that of the memory's own synapse.  A
longer one would store the signal by itself, in place of the spikes: the feedback is a
leaky integral of what the neurons fail to decode.

References
----------
.. [1] Mar, Chow, Gerstner, Adams, Collins (1999). Noise shaping in populations of
   coupled model neurons. PNAS 96(18).
.. [2] Norsworthy, Schreier, Temes (1997). Delta-Sigma Data Converters. IEEE Press.
.. [3] Boerlin, Machens, Denève (2013). Predictive coding of dynamical variables in
   balanced spiking networks. PLoS Computational Biology 9(11).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import nengo
import numpy as np
from nengo.synapses import Synapse
from scipy.optimize import minimize_scalar

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.covariance import stationary_covariance
from lmu_spiking.dynamics.mapping import Filter, Mapped, discrete, discrete_synapse
from lmu_spiking.errors import MappingError, ValidationError, check_positive

SHORTEST = 0.01  # of a step: a feedback that lasts no longer is none
FINE, COARSE = 0.05, 0.3  # tolerance of the logarithm of an automatic rate
SLOW = 0.05  # seconds, of the feedback of neurons that adapt
TAU = 0.02  # seconds, of the feedback, unless the memory's own synapse is short


@dataclass(frozen=True, eq=False)
class ErrorFeedback:
    """The feedback of a group's own decoding error.

    Parameters
    ----------
    rate : float
        ``beta``, per second.
    tau : float
        Time constant of its lowpass, seconds.
    loop : Filter
        The feedback as the simulator steps it, from the error to what neurons receive.
    synapse : nengo.synapses.Synapse
        Synapse of the feedback's connection, whose transform is ``gain``.
    """

    rate: float
    tau: float
    loop: Filter
    synapse: Synapse

    __repr__ = brief
    _told = ("rate", "tau")

    @property
    def gain(self) -> float:
        """Return ``beta tau_f``; slow errors are divided by one more."""
        return self.rate * self.tau


def make_feedback(
    rate: float, tau: float, dt: float, delay_steps: int = 0
) -> ErrorFeedback:
    """Return the feedback with a rate and a time constant.

    Parameters
    ----------
    rate : float
        ``beta``, per second.
    tau : float
        Time constant, seconds.
    dt : float
        Step, seconds.
    delay_steps : int
        Steps of delay beyond Nengo's own one.

    Returns
    -------
    ErrorFeedback
        As the simulator steps it, and for a connection.

    Raises
    ------
    MappingError
        If it would be unstable; names the rate that works.
    ValidationError
        If a number is not positive, or the time constant far below a step.
    """
    rate = check_positive("error_feedback.rate", rate, "per second")
    tau = check_positive("error_feedback.tau", tau, "seconds")
    if tau < SHORTEST * dt:
        problem = f"is far below the step of {dt:g} s"
        raise ValidationError("error_feedback.tau", tau, problem, f"use {20 * dt:g}")
    lowpass = nengo.Lowpass(tau)
    once = discrete(lowpass, dt, delay_steps)
    loop = Filter(once.F, rate * tau * once.G, once.C)
    most = highest_rate(tau, dt, delay_steps)
    if rate >= most:
        raise MappingError(
            f"error_feedback: a rate of {rate:g} per second is unstable with a step of "
            f"{dt:g} s"
            + (f" and {delay_steps} steps of delay" if delay_steps else "")
            + f"; use less than {most:.3g} per second"
        )
    synapse = discrete_synapse(once) if delay_steps else lowpass
    return ErrorFeedback(rate, tau, loop, synapse)


def noise_gain(feedback: ErrorFeedback, frequency, dt: float) -> np.ndarray:
    r"""Return ``|1 / (1 + H)|``, the gain from decoding noise to decoding error.

    ``H`` is the transfer of the feedback, ``b / (z - p)`` without delay, and
    ``z = exp(2 pi i f dt)``.

    Parameters
    ----------
    feedback : ErrorFeedback
    frequency : (n,) array_like
        ``f``, Hz.
    dt : float
        Step, seconds.

    Returns
    -------
    (n,) ndarray
        At 0 Hz ``1 / (1 + beta tau_f)``.
    """
    own, f = feedback.loop, np.atleast_1d(np.asarray(frequency, dtype=float))
    z = np.exp(2j * np.pi * f * dt)[:, None, None]
    inner = np.linalg.solve(z * np.eye(own.size) - own.F, own.G[:, None])
    return np.abs(1 / (1 + (own.C @ inner)[:, 0]))


def averaged_noise(feedback: ErrorFeedback, tau: float, dt: float) -> float:
    """Return the noise of a readout through a lowpass over that without feedback.

    Parameters
    ----------
    feedback : ErrorFeedback
    tau : float
        Time constant of the readout, seconds.
    dt : float
        Step, seconds.

    Returns
    -------
    float
        Ratio of standard deviations, for noise that is independent in every step.
    """
    own, a = feedback.loop, np.exp(-dt / check_positive("readout", tau, "seconds"))
    n = own.size
    # the readout r behind the feedback: r[k+1] = a r[k] + (1 - a) (eta[k] + C q[k])
    K = np.zeros((n + 1, n + 1))
    K[:n, :n] = own.F - np.outer(own.G, own.C)
    K[n, :n], K[n, n] = (1 - a) * own.C, a
    enter = np.append(-own.G, 1 - a)
    fed_back = stationary_covariance(K, np.outer(enter, enter))[n, n]
    return float(np.sqrt(fed_back * (1 + a) / (1 - a)))


def highest_rate(tau: float, dt: float, delay_steps: int = 0) -> float:
    """Return the rate, per second, below which error feedback is stable.

    Parameters
    ----------
    tau, dt : float
        Time constant and step, seconds.
    delay_steps : int
        Steps of delay beyond Nengo's own one.

    Returns
    -------
    float
        For a loop without delay, ``(1 + p) / (tau (1 - p))``.
    """
    once = discrete(nengo.Lowpass(tau), dt, delay_steps)
    around = np.outer(once.G, once.C)
    # bisect for the gain at which a root leaves the unit circle
    low, high = 0.0, 2 / (1 - np.exp(-dt / tau))
    for _ in range(60):
        gain = (low + high) / 2
        radius = np.abs(np.linalg.eigvals(once.F - gain * around)).max()
        low, high = (gain, high) if radius < 1 else (low, gain)
    return low / tau


def with_feedback(
    mapped: Mapped,
    asked,
    dt: float,
    delay_steps: int = 0,
    *,
    error: Callable[[Mapped], float],
    measured: bool = False,
) -> Mapped:
    """Return the loop with the error feedback that is asked for.

    Parameters
    ----------
    mapped : Mapped
        The loop without it.
    asked : "auto", (2,) tuple of float or None
        Rate (per second) and time constant (seconds); ``"auto"`` takes the rate of
        least error, at most ``1 / dt`` and half of the highest stable one, and 20 ms or
        half of the mean delay of the memory's synapse, if that is shorter.
    dt : float
        Step, seconds.
    delay_steps : int
        Steps of delay in the loop beyond Nengo's own one.
    error : callable
        From a loop to its predicted error.
    measured : bool
        Whether the error is that of neurons with a membrane or a phase, measured: then
        the search is a coarser one, and up to 50 ms are tried as well, since slower
        feedback mends slow errors such as adaptation.

    Returns
    -------
    Mapped
        The loop with its feedback; without any, if none lowers that error.

    Raises
    ------
    MappingError, ValidationError
        If the feedback would be unstable, or store the signal by itself.
    """
    if asked is None:
        return mapped
    longest = mapped.mean_delay(dt)
    if asked != "auto":
        rate, tau = asked
        if tau >= 0.999 * longest:  # which rounding may make a little longer than tau
            raise ValidationError(
                "error_feedback",
                asked,
                f"has a tau that is not below the memory's own of {longest:.3g} s, so "
                "that the feedback would store the signal by itself",
                f"use at most {longest / 2:.2g} s",
            )
        return replace(mapped, feedback=make_feedback(rate, tau, dt, delay_steps))
    half = float(f"{longest / 2:.2g}")
    shortest = min(TAU, half)

    def error_of(loop: Mapped) -> float:
        try:
            return error(loop)
        except MappingError:  # noise without bound
            return np.inf

    def best_of(tau: float) -> Mapped:
        most = min(1 / dt, 0.5 * highest_rate(tau, dt, delay_steps))

        def fed_back(rate: float) -> Mapped:
            return replace(mapped, feedback=make_feedback(rate, tau, dt, delay_steps))

        # two digits of the rate of least error, which is a flat minimum
        found: Any = minimize_scalar(
            lambda log_rate: np.log(
                np.clip(error_of(fed_back(np.exp(log_rate))), 1e-300, 1e300)
            ),
            bounds=(np.log(0.01 * most), np.log(most)),
            options={"xatol": COARSE if measured else FINE},
        )
        return fed_back(float(f"{np.exp(found.x):.2g}"))

    taus = {shortest, min(SLOW, half)} if measured else {shortest}
    return min([mapped, *map(best_of, sorted(taus))], key=error_of)


def check_feedback(attribute: str, asked):
    """Return a request for error feedback as checked values.

    Parameters
    ----------
    attribute : str
        What an error names.
    asked : "auto", "off", (2,) sequence of float or None

    Returns
    -------
    "auto", (2,) tuple of float or None
        Rate (per second) and time constant (seconds), as numbers; None for "off".

    Raises
    ------
    ValidationError
        If it is none of these, or a number is not positive.
    """
    if asked is None or (isinstance(asked, str) and asked in ("auto", "off")):
        return None if asked == "off" else asked
    several = isinstance(asked, (list, tuple)) or np.ndim(asked) == 1
    pair = tuple(asked) if several else ()
    if len(pair) != 2:
        problem = "must be 'auto', 'off', or a rate per second and a tau in seconds"
        raise ValidationError(attribute, asked, problem, "use 'auto'")
    rate = check_positive(f"{attribute}.rate", pair[0], "per second")
    return rate, check_positive(f"{attribute}.tau", pair[1], "seconds")
