r"""Error feedback: a second, fast synapse that gives neurons their own decoding error.

A group of neurons receives the state ``x`` and its spikes decode to ``y``.  The
difference goes back to the same neurons through a lowpass of gain ``beta tau_f``, the
*feedback*, so that they encode ``x + w``:

.. math::

    w[k+1] = p\, w[k] + b\,(x[k] - y[k]), \qquad p = e^{-dt/\tau_f}, \quad
    b = \beta\,\tau_f\,(1 - p) .

With ``y = x + w + eta``, where ``eta`` is all that a step's spikes are wrong by, the
state is left out of ``w`` altogether, and the decoded error is

.. math::

    y - x = \eta + w = \frac{z - p}{z - p + b}\; \eta .

Slow errors are divided by ``1 + beta tau_f``, and fast ones, which the memory's own
synapse averages away, grow a little: noise shaping [1]_ [2]_.  Nothing changes in the
mean of neurons that decode exactly.  With ``beta dt = 1`` and no leak it is the fast
inhibition of tightly balanced networks [3]_.

The feedback's time constant stays below that of the memory's own synapse.  A longer one
would store the signal by itself, beside the spikes: at ``tau_f`` without end an
integrator's input is integrated by the feedback.

References
----------
.. [1] Mar, Chow, Gerstner, Adams, Collins (1999). Noise shaping in populations of
   coupled model neurons. PNAS 96(18).
.. [2] Norsworthy, Schreier, Temes (1997). Delta-Sigma Data Converters. IEEE Press.
.. [3] Boerlin, Machens, Denève (2013). Predictive coding of dynamical variables in
   balanced spiking networks. PLoS Computational Biology 9(11).
"""

from dataclasses import dataclass

import nengo
import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.mapping import Filter, discrete, discrete_synapse
from lmu_spiking.errors import MappingError, check_positive

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
        What its connection takes, beside a transform of ``rate * tau``.
    """

    rate: float
    tau: float
    loop: Filter
    synapse: nengo.synapses.Synapse

    __repr__ = brief
    _told = ("rate", "tau")

    @property
    def gain(self) -> float:
        """Return by how much slow errors are divided, less one."""
        return self.rate * self.tau


def error_feedback(
    rate: float, tau: float, dt: float, delay_steps: int = 0
) -> ErrorFeedback:
    """Return the feedback of a rate and a time constant.

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

    Raises
    ------
    MappingError
        If it would be unstable; names the rate that works.
    """
    rate = check_positive("error_feedback.rate", rate, "per second")
    tau = check_positive("error_feedback.tau", tau, "seconds")
    lowpass = nengo.Lowpass(tau)
    once = discrete(lowpass, dt, delay_steps)
    loop = Filter(once.F, rate * tau * once.G, once.C)
    most = highest_rate(tau, dt, delay_steps)
    if rate >= most:
        raise MappingError(
            f"error_feedback: a rate of {rate:g} per second is unstable with a step of "
            f"{dt:g} s" + (f" and {delay_steps} steps of delay" if delay_steps else "")
            + f"; use less than {most:.3g} per second"
        )
    synapse = discrete_synapse(once) if delay_steps else lowpass
    return ErrorFeedback(rate, tau, loop, synapse)


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
    # by bisection in the gain: the roots leave the unit circle once
    low, high = 0.0, 2 / (1 - np.exp(-dt / tau))
    for _ in range(60):
        gain = (low + high) / 2
        radius = np.abs(np.linalg.eigvals(once.F - gain * around)).max()
        low, high = (gain, high) if radius < 1 else (low, gain)
    return low / tau
