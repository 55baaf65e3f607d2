r"""Adaptive LIF neurons whose curves are what they settle to.

Every spike adds ``inc_n / tau_n`` to a current ``n`` that decays in ``tau_n`` seconds
and is taken from the drive ``J``.  At a constant drive its mean is ``inc_n r``, so the
rate solves

.. math:: r = f(J - \mathrm{inc}_n\, r) ,

with ``f`` the curve of the LIF neuron without adaptation.  ``f`` rises, so there is
one solution.  Nengo's own ``rates`` and ``gain_bias`` leave the adaptation out: its
decoders expect too many spikes.

The neurons are on this curve only while the drive changes slowly against ``tau_n``,
below about ``1 / (2 pi tau_n)``.  Faster signals see neurons that are adapted to their
mean: with Nengo's ``tau_n`` of 1 s a memory of 2 Hz noise is wrong by most of its rms,
at any number of neurons.  Use a short ``tau_n``, or neurons that do not adapt.
"""

import nengo
import numpy as np

NODES = 4097  # of the table that inverts a curve; 0.12 Hz apart where tau_ref is 2 ms


class _Settled:
    """Curves that adaptation has settled to; before `nengo.LIFRate` in the order."""

    def rates(self, x, gain, bias):
        """Rates, Hz, at drives ``gain x + bias``."""
        J = self.current(x, gain, bias)
        return settled_rates(self, J)

    def gain_bias(self, max_rates, intercepts):
        """Gain and bias of neurons that settle to ``max_rates`` at 1."""
        gain, _ = super().gain_bias(max_rates, intercepts)
        gain = gain + self.inc_n * np.asarray(max_rates) / (1 - np.asarray(intercepts))
        return gain, 1 - gain * np.asarray(intercepts)

    def max_rates_intercepts(self, gain, bias):
        """The inverse of `gain_bias`."""
        return settled_rates(self, gain + bias), (1 - bias) / gain


class AdaptiveLIF(_Settled, nengo.AdaptiveLIF):
    """`nengo.AdaptiveLIF` with the curves it settles to."""


class AdaptiveLIFRate(_Settled, nengo.AdaptiveLIFRate):
    """`nengo.AdaptiveLIFRate` with the curves it settles to."""


SETTLED = {
    nengo.AdaptiveLIF: AdaptiveLIF,
    nengo.AdaptiveLIFRate: AdaptiveLIFRate,
}


def settled(neurons):
    """The same neurons with the curves they settle to; all others as they are."""
    kind = SETTLED.get(type(neurons))
    if kind is None:
        return neurons
    names = ("tau_n", "inc_n", "tau_rc", "tau_ref", "amplitude", "initial_state")
    names += ("min_voltage",) if neurons.spiking else ()
    return kind(**{name: getattr(neurons, name) for name in names})


def settled_rates(neurons, J) -> np.ndarray:
    r"""Rates that solve ``r = f(J - inc_n r)``, Hz, at drives ``J`` of any shape.

    ``J = f^{-1}(r) + inc_n r`` is tabulated over ``r`` and read backwards.
    """
    J = np.asarray(J, dtype=float)
    one, none = np.ones(1), np.zeros(1)
    highest = nengo.LIFRate.rates(neurons, np.atleast_1d(J.max(initial=1)), one, none)
    if highest.item() == 0:
        return np.zeros_like(J)
    r = np.linspace(0, highest.item(), NODES)
    gain, bias = nengo.LIFRate.gain_bias(neurons, r[1:], np.zeros(NODES - 1))
    needed = np.concatenate([[1.0], gain + bias]) + neurons.inc_n * r
    return np.where(J > 1, np.interp(J, needed, r), 0.0)
