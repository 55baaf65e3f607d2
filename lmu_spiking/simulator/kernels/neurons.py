r"""Kernels of rate neurons, and of spiking neurons without random numbers.

The module stands alone because it is read alone: one kernel for each type of neuron.
Leaky integrate-and-fire neurons as Nengo steps them: where a neuron is out of its
refractory time for the part :math:`\delta` of a step,

.. math::

    V \leftarrow V + (J - V)(1 - e^{-\delta/\tau_{rc}}), \qquad
    t_{spike} = dt + \tau_{rc} \log\Bigl(1 - \frac{V - 1}{J - 1}\Bigr).
"""

import math

import numpy as np

from lmu_spiking.simulator.kernels.algebra import kernel, plain
from lmu_spiking.simulator.kernels.views import wide

# Rate neurons: currents ``J`` to rates, Hz; parameters ``p`` as `lowering` has them.


@plain
def rectified(y, J, p):
    """Compute ``amplitude max(0, J)``."""
    wide()
    amplitude, zero = p[0], p.dtype.type(0)
    for i in range(len(J)):
        y[i] = zero if J[i] <= zero else amplitude * J[i]  # so that NaN stays


@plain
def ramp(y, J, ceiling):
    """Compute ``min(max(0, J), ceiling)``."""
    wide()
    zero = J.dtype.type(0)
    for i in range(len(J)):
        rate = zero if J[i] <= zero else J[i]
        y[i] = ceiling[i] if rate > ceiling[i] else rate


@plain
def ramp_tanh(y, J, p):
    """Compute ``ceiling max(0, tanh J)``."""
    ceiling, zero = p[0], p.dtype.type(0)
    for i in range(len(J)):
        y[i] = zero if J[i] <= zero else ceiling * math.tanh(J[i])


@plain
def sigmoid(y, J, p):
    """Compute ``1 / (tau_ref (1 + exp(-J)))``."""
    most, one = p[0], p.dtype.type(1)
    for i in range(len(J)):
        y[i] = most / (one + math.exp(-J[i]))


@plain
def tanh(y, J, p):
    """Compute ``tanh(J) / tau_ref``."""
    most = p[0]
    for i in range(len(J)):
        y[i] = most * math.tanh(J[i])


@plain
def lif_rate(y, J, p):
    """Compute ``amplitude / (tau_ref + tau_rc log(1 + 1 / (J - 1)))``, ``J > 1``."""
    tau_rc, tau_ref, amplitude = p[0], p[1], p[2]
    one, zero = p.dtype.type(1), p.dtype.type(0)
    for i in range(len(J)):
        j = J[i] - one
        if j <= zero:
            y[i] = zero
        else:
            y[i] = amplitude / (tau_ref + tau_rc * math.log1p(one / j))


# Spiking neurons: currents ``J`` to spikes of height ``amplitude / dt``; they change
# their voltages ``V`` and refractory times ``R``.


@kernel
def lif(y, J, V, R, p):
    """Step LIF neurons without branches, exponential and logarithm by their series.

    Both arguments are at most ``dt / tau_rc``: up to .1 four and five terms are exact
    to the rounding of single precision.
    """
    wide()
    dt, tau, tau_ref, low, height = p[0], p[1], p[2], p[3], p[4]
    T = p.dtype.type
    rate, again = T(1) / tau, tau_ref + dt
    zero, one, half = T(0), T(1), T(0.5)
    third, quarter, fifth = T(1 / 3), T(0.25), T(0.2)
    for i in range(len(J)):
        # integrate over the part of the step that is not refractory
        rest = R[i] - dt
        free = min(max(dt - rest, zero), dt)
        x = -free * rate
        grown = x * (one + half * x * (one + third * x * (one + quarter * x)))
        v = V[i] - (J[i] - V[i]) * grown
        # where the threshold was crossed decides how long the refractory time lasts
        spiked = v > one
        z = (one - v) / (J[i] - one) if spiked else zero
        log = z * (one - z * (half - z * (third - z * (quarter - fifth * z))))
        y[i] = height if spiked else zero
        V[i] = zero if spiked else (low if v < low else v)
        R[i] = again + tau * log if spiked else rest


@plain
def lif_exact(y, J, V, R, p):
    """Step LIF neurons with the functions of the mathematical library."""
    dt, tau, tau_ref, low, height = p[0], p[1], p[2], p[3], p[4]
    one, zero = p.dtype.type(1), p.dtype.type(0)
    whole = math.expm1(-dt / tau)
    for i in range(len(J)):
        R[i] -= dt
        free = min(max(dt - R[i], zero), dt)
        if free == dt:
            grown = whole
        elif free == zero:
            grown = zero
        else:
            grown = math.expm1(-free / tau)
        j = J[i]  # which may be where y is
        V[i] -= (j - V[i]) * grown
        y[i] = zero
        if V[i] > one:
            y[i] = height
            R[i] = tau_ref + dt + tau * math.log1p(-(V[i] - one) / (j - one))
            V[i] = zero
        elif V[i] < low:
            V[i] = low


@plain
def adapt(J, n, work):
    """Compute ``work = J - n``."""
    for i in range(len(J)):
        work[i] = J[i] - n[i]


@plain
def adapted(y, n, dt_tau, inc_n):
    """Compute ``n += dt / tau_n (inc_n y - n)``."""
    for i in range(len(y)):
        n[i] += dt_tau * (inc_n * y[i] - n[i])


@plain
def integrate(y, J, V, p):
    """Compute ``V += dt max(J, 0)``, with a spike for each whole number ``V`` passes.

    ``p``: dt, height of a spike, and the least current, 0 or minus infinity.
    """
    wide()
    dt, height, least = p[0], p[1], p[2]
    for i in range(len(J)):
        current = least if J[i] < least else J[i]
        v = V[i] + dt * current
        spikes = np.floor(v)
        y[i] = height * spikes
        V[i] = v - spikes


@plain
def izhikevich(y, J, V, U, p):
    """Step the model of Izhikevich (2003), in his units of mV and ms."""
    ms, dt, rate, coupling = p[0], p[1], p[2], p[3]
    reset_voltage, reset_recovery, height = p[4], p[5], p[6]
    T = p.dtype.type
    for i in range(len(J)):
        v, u = V[i], U[i]
        current = T(-30) if J[i] < T(-30) else J[i]
        v += (T(0.04) * v * v + T(5) * v + T(140) - u + current) * ms * dt
        spiked = v >= T(30)
        y[i] = height if spiked else T(0)
        v = reset_voltage if spiked else v
        u += (rate * (coupling * v - u)) * ms * dt
        V[i] = v
        U[i] = u + reset_recovery if spiked else u
