"""Rate neurons: currents ``J`` to rates, Hz; parameters ``p`` as `lowering.neurons`."""

import math

from lmu_spiking.simulator.kernels.algebra import plain
from lmu_spiking.simulator.kernels.views import wide


@plain
def rectified(y, J, p):
    """``amplitude max(0, J)``."""
    wide()
    amplitude, zero = p[0], p.dtype.type(0)
    for i in range(len(J)):
        y[i] = zero if J[i] <= zero else amplitude * J[i]  # so that NaN stays


@plain
def ramp(y, J, ceiling):
    """``min(max(0, J), ceiling)``."""
    wide()
    zero = J.dtype.type(0)
    for i in range(len(J)):
        rate = zero if J[i] <= zero else J[i]
        y[i] = ceiling[i] if rate > ceiling[i] else rate


@plain
def ramp_tanh(y, J, p):
    """``ceiling max(0, tanh J)``."""
    ceiling, zero = p[0], p.dtype.type(0)
    for i in range(len(J)):
        y[i] = zero if J[i] <= zero else ceiling * math.tanh(J[i])


@plain
def sigmoid(y, J, p):
    """``1 / (tau_ref (1 + exp(-J)))``."""
    most, one = p[0], p.dtype.type(1)
    for i in range(len(J)):
        y[i] = most / (one + math.exp(-J[i]))


@plain
def tanh(y, J, p):
    """``tanh(J) / tau_ref``."""
    most = p[0]
    for i in range(len(J)):
        y[i] = most * math.tanh(J[i])


@plain
def lif_rate(y, J, p):
    """``amplitude / (tau_ref + tau_rc log(1 + 1 / (J - 1)))`` above ``J = 1``."""
    tau_rc, tau_ref, amplitude = p[0], p[1], p[2]
    one, zero = p.dtype.type(1), p.dtype.type(0)
    for i in range(len(J)):
        j = J[i] - one
        if j <= zero:
            y[i] = zero
        else:
            y[i] = amplitude / (tau_ref + tau_rc * math.log1p(one / j))


@plain
def adaptive_lif_rate(y, J, n, p):
    """The same at ``J - n``, ``n += dt / tau_n (inc_n y - n)``."""
    tau_rc, tau_ref, amplitude, dt_tau, inc_n = p[0], p[1], p[2], p[3], p[4]
    one, zero = p.dtype.type(1), p.dtype.type(0)
    for i in range(len(J)):
        j = J[i] - n[i] - one
        if j <= zero:
            y[i] = zero
        else:
            y[i] = amplitude / (tau_ref + tau_rc * math.log1p(one / j))
        n[i] += dt_tau * (inc_n * y[i] - n[i])
