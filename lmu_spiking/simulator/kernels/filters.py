"""Synapses: discrete linear filters, as `nengo.LinearFilter` steps them."""

from lmu_spiking.simulator.kernels.algebra import plain


@plain
def lowpass(y, X, a, b, u, inc):
    """``X = a X + b u``, ``y = X`` (or ``y += X``)."""
    for i in range(len(u)):
        X[i] = a * X[i] + b * u[i]
    if inc:
        for i in range(len(u)):
            y[i] += X[i]
    else:
        for i in range(len(u)):
            y[i] = X[i]


@plain
def state_space(y, X, order, abcd, u, work, direct, inc):
    """A filter of ``order`` states for each entry of ``u``.

    Without a passthrough ``X = A X + B u``, ``y = C X``; with one, ``direct``,
    ``y = C X + D u`` comes first.

    Parameters
    ----------
    X : (order * n,) state, state by state
    abcd : ``A`` by rows, ``B``, ``C``, ``D``
    work : (order,)
    """
    n = len(u)
    B, C = order * order, order * order + order
    zero = u.dtype.type(0)
    for i in range(n):
        out = abcd[C + order] * u[i] if direct else zero
        for k in range(order):
            if direct:
                out += abcd[C + k] * X[k * n + i]
            value = abcd[B + k] * u[i]
            for j in range(order):
                value += abcd[k * order + j] * X[j * n + i]
            work[k] = value
        for k in range(order):
            X[k * n + i] = work[k]
            if not direct:
                out += abcd[C + k] * work[k]
        if inc:
            y[i] += out
        else:
            y[i] = out


@plain
def hold(y, total, held, u, step, period, averaged):
    """The mean of the last ``averaged`` inputs before each multiple of ``period``.

    ``step`` counts from 1.
    """
    to_come = -(step - 1) % period
    if to_come < averaged:
        for i in range(len(u)):
            total[i] += u[i]
    if to_come == 0:
        n = u.dtype.type(min(averaged, step))
        for i in range(len(u)):
            held[i] = total[i] / n
            total[i] = 0
    for i in range(len(u)):
        y[i] = held[i]
