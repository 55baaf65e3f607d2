r"""Neurons whose spikes are nearly Poisson on Loihi, made so by its compartment noise.

A Loihi core can add to the membrane of its compartments, in every step, a number drawn
uniformly from 255 equally spaced ones.  A membrane that keeps next to nothing from one
step to the next then fires with the probability that the drive and the noise together
cross the threshold, and that is linear in the drive because the noise is uniform:

.. math::

    v \leftarrow \lambda v + J + b - s\,U, \qquad
    \text{a spike and } v \leftarrow 0 \text{ if } v > 0, \qquad U \sim [0, 1].

With ``lambda = 0`` spikes are Bernoulli trials, more regular than Poisson spikes by
``1 - r dt``.  What is kept of the voltage mends that: without a spike the membrane is
left below zero, ``s / 2`` in the mean, and after one at zero, which makes the next
spike likelier.  It also fills the gaps between the 255 numbers, as digits to the base
``1 / lambda`` do.

Times are in seconds, drives and rates in Hz, ``dt`` is the step.
"""

import numpy as np
from nengo.dists import Choice
from nengo.exceptions import ValidationError as NengoValidationError
from nengo.neurons import NeuronType
from nengo.params import NumberParam

from lmu_spiking.neurons.types import Unmerged

KEPT = 0.125  # puts CV and Fano factor in the middle of what Poisson spikes are allowed


class NoisyRectifiedLinear(Unmerged, NeuronType):
    r"""Rectified-linear neurons that spike by noise, on Loihi as in core Nengo.

    In steps of ``dt`` and with ``j = (1 - lambda) J dt + lambda / 2``, a neuron driven
    by ``J`` fires at the rate

    .. math::

        r\,dt = p, \qquad j = p + \tfrac{\lambda}{2} (1 - p)^2 \quad (j \ge \lambda),

    which is ``J`` but for one per cent up to 150 Hz, with a soft knee of
    ``+-lambda / 2`` spikes a step around ``J = 0``, where ``r dt = lambda / 8``.  At
    ``lambda = 1/8`` and 1 ms, intervals have a coefficient of variation of .97 to 1.05
    and counts in 100 ms a Fano factor of .95 to 1.10, from 20 to 150 Hz.

    Parameters
    ----------
    kept : float
        ``lambda``, the part of the voltage that is left after a step; 0 to .25.
    initial_state : dict, optional
        ``voltage`` at the start; zero by default, as on the chip.

    See Also
    --------
    noise_chip.anchor : what a block of these neurons needs on the chip.
    """

    state = {"voltage": Choice([0])}  # noqa: RUF012 (Nengo's interface)
    negative = False
    spiking = True
    follows = True  # its drive at once, see `neurons.curves.loop_caution`
    kept = NumberParam("kept", low=0, high=0.25)

    def __init__(self, kept: float = KEPT, initial_state=None):
        super().__init__(initial_state)
        self.kept = kept

    def span(self, dt: float) -> float:
        """Width of the noise, Hz: ``s = 1 / ((1 - lambda) dt)``."""
        return 1.0 / ((1 - self.kept) * dt)

    def offset(self, dt: float) -> float:
        """Drive ``b`` that centres the knee on zero, Hz: ``s lambda / 2``."""
        return self.span(dt) * self.kept / 2

    def gain_bias(self, max_rates, intercepts, dt: float = 0.001):
        """Gain and bias for rates at 1 and for the centre of the knee."""
        max_rates = np.asarray(np.atleast_1d(max_rates), dtype=float)
        intercepts = np.asarray(np.atleast_1d(intercepts), dtype=float)
        least = self.rates(0, [1.0], [0.0], dt).item()
        if np.any((max_rates <= least) | (max_rates > 1 / dt)):
            problem = f"must be over {least:.3g} Hz, the rate at no drive, and at most "
            raise NengoValidationError(f"{problem}{1 / dt:g} Hz", "max_rates", self)
        gain = drive_at(max_rates, self.kept, dt) / (1 - intercepts)
        return gain, -gain * intercepts

    def max_rates_intercepts(self, gain, bias):
        """Rates at 1, Hz, and where the knee is centred."""
        gain, bias = np.asarray(gain, dtype=float), np.asarray(bias, dtype=float)
        return self.rates(1.0, gain, bias)[0], -bias / gain

    def rates(self, x, gain, bias, dt: float = 0.001):
        """Rates, Hz: (n_samples, n_neurons)."""
        return rate_of(self.current(x, gain, bias), self.kept, dt)

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Voltages and the generator that draws the noise."""
        return super().make_state(n_neurons, rng, dtype) | {"rng": rng}

    def step(self, dt, J, output, voltage, rng):
        """One step of every neuron at drives ``J``, Hz."""
        span = self.span(dt)
        voltage *= self.kept
        voltage += J + self.offset(dt) - span * rng.random_sample(np.shape(J))
        np.maximum(voltage, -2 * span, out=voltage)
        spiked = voltage > 0
        voltage[spiked] = 0
        output[...] = spiked / dt


def rate_of(J, kept: float = KEPT, dt: float = 0.001) -> np.ndarray:
    r"""Rate, Hz, of `NoisyRectifiedLinear` at a constant drive ``J``, Hz.

    In units of the noise a spike has the probability ``p = E max(0, j + lambda v)``,
    where the voltage ``v`` is 0 after a spike (probability ``p``), otherwise uniform
    below ``min(0, j + lambda v')`` with the ``v'`` before it, uniform on [-1, 0].
    """
    lam, J = kept, np.asarray(J, dtype=float)
    if lam == 0:
        return np.clip(J, 0, 1 / dt)
    j = (1 - lam) * dt * J + lam / 2
    # beyond the knee the root of  lam/2 p^2 + (1 - lam) p + lam/2 - j = 0
    root = np.sqrt(np.maximum((1 - lam) ** 2 + 2 * lam * (j - lam / 2), 0))
    beyond = (root - (1 - lam)) / lam
    return np.clip(np.where(j < lam, _knee(np.clip(j, 0, lam), lam), beyond), 0, 1) / dt


def _knee(j: np.ndarray, lam: float) -> np.ndarray:
    """Spikes a step where the noise before decides: ``0 <= j <= lam``."""
    rest = lam - j
    missing = np.minimum(rest, j / lam)  # voltages that a negative j + lam v' rules out
    part = j * rest - (j + lam * rest) * missing / 2 + lam * missing**2 / 3
    above = j**2 / 2 - missing * part
    p = above / (lam * (1 - j))
    low = np.maximum(p - rest / lam, 0)  # and those that a positive one does
    return p - lam / 2 * low**2 / (1 - j)


def drive_at(rate, kept: float = KEPT, dt: float = 0.001) -> np.ndarray:
    """Drive, Hz, at which `NoisyRectifiedLinear` fires at ``rate``, Hz, above zero."""
    lam, p = kept, np.asarray(rate, dtype=float) * dt
    j = p + lam / 2 * (1 - p) ** 2
    knee = np.linspace(0, lam, 4097)
    j = np.where(j < lam, np.interp(p, _knee(knee, lam), knee), j) if lam else j
    return (j - lam / 2) / ((1 - lam) * dt)
