r"""The Legendre delay network (LDN) as mathematics.

An LDN of order ``d`` holds a sliding window of ``theta`` seconds of its input as
``d`` Legendre coefficients:

.. math::

    \theta \dot{m} = A m + B u, \qquad
    u(t - r\theta) \approx \sum_{i<d} P_i(2r - 1)\, m_i(t), \quad 0 \le r \le 1.

Letters: ``d`` order, ``T`` steps, ``c`` channels.  Times are in seconds.

Internally, products with ``A`` are taken in the *balanced* coordinates
``x_i = m_i / sqrt(2i + 1)``, where the Euclidean norm is the energy of the window and
``exp(A t)`` is a contraction: that is what keeps orders of a thousand accurate.

References
----------
.. [1] Voelker, Kajić, Eliasmith (2019). Legendre Memory Units: continuous-time
   representation in recurrent neural networks. NeurIPS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander
from scipy.linalg import expm, schur

from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_shape,
    check_whole,
)

METHODS = ("zoh", "euler", "bilinear")


@dataclass(frozen=True)
class LDN:
    """A Legendre delay network: ``order`` coefficients of the last ``theta`` seconds.

    Parameters
    ----------
    order : int
        Number of Legendre coefficients, ``d >= 1``.
    theta : float
        Length of the window, seconds.

    Raises
    ------
    ValidationError
        If ``order`` is not a positive whole number or ``theta`` not positive.

    Examples
    --------
    >>> ldn = LDN(order=6, theta=0.5)
    >>> m = ldn.simulate(np.ones(2000), dt=0.001)
    >>> bool(np.allclose(m[-1] @ ldn.readout(0.25, dt=0.001), 1, atol=1e-3))
    True
    """

    order: int
    theta: float

    def __post_init__(self):
        object.__setattr__(self, "order", check_whole("LDN.order", self.order, 1))
        theta = check_positive("LDN.theta", self.theta, "seconds")
        object.__setattr__(self, "theta", theta)

    def steps(self, dt: float) -> int:
        """Return the number of whole steps in the window.

        Parameters
        ----------
        dt : float
            Step, seconds.

        Returns
        -------
        int
            Rounded down.
        """
        return int(np.floor(self.theta / dt + 1e-9))

    # -- the system -------------------------------------------------------------

    @cached_property
    def A(self) -> np.ndarray:
        r"""Return ``A`` (d, d): ``A_ij = (2i+1) (-1 if i < j else (-1)^(i-j+1))``."""
        i, j = np.ogrid[: self.order, : self.order]
        A = (2.0 * i + 1) * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
        A.flags.writeable = False
        return A

    @cached_property
    def B(self) -> np.ndarray:
        r"""Return ``B`` (d,): ``B_i = (2i+1) (-1)^i``."""
        i = np.arange(self.order)
        B = (2.0 * i + 1) * (-1.0) ** i
        B.flags.writeable = False
        return B

    def discretize(self, dt: float, method: str = "zoh"):
        r"""Return the matrices of the step ``m[k+1] = Ad m[k] + Bd u[k]``.

        ``zoh`` is exact for an input held over each step:
        ``Ad = exp(h A)``, ``Bd = A^-1 (Ad - I) B`` with ``h = dt / theta``.

        Parameters
        ----------
        dt : float
            Step, seconds.
        method : {"zoh", "euler", "bilinear"}

        Returns
        -------
        Ad : (d, d) ndarray
            Transition of the state.
        Bd : (d,) ndarray
            Entry of the input.
        """
        check_positive("LDN.discretize.dt", dt, "seconds")
        check_one_of("LDN.discretize.method", method, METHODS)
        h, d, scale = dt / self.theta, self.order, _balance(self.order)
        A = self.A * scale / scale[:, None]
        B = self.B / scale
        if method == "zoh":
            # exp of [[hA, hB], [0, 0]] holds exp(hA) and its integral over B
            block = np.zeros((d + 1, d + 1))
            block[:d, :d], block[:d, d] = h * A, h * B
            both = expm(block)
            Ad, Bd = both[:d, :d], both[:d, d]
        elif method == "euler":
            Ad, Bd = np.eye(d) + h * A, h * B
        else:
            left = np.eye(d) - h / 2 * A
            Ad = np.linalg.solve(left, np.eye(d) + h / 2 * A)
            Bd = np.linalg.solve(left, h * B)
        return Ad * scale[:, None] / scale, Bd * scale

    def series(self, dt: float, tolerance: float = 1e-16) -> "SeriesStep":
        """Return the ZOH step without a matrix, in O(K d).

        Parameters
        ----------
        dt : float
            Step, seconds.
        tolerance : float
            As in `SeriesStep`.

        Returns
        -------
        SeriesStep
            A callable that takes state and input.
        """
        return SeriesStep(self, dt, tolerance)

    # -- running it -------------------------------------------------------------

    def simulate(self, u, dt: float, *, method: str = "zoh", initial=None):
        """Return the states of the exact system driven by samples.

        Parameters
        ----------
        u : (T,) or (T, c) array_like
            Input samples, one a step; every channel has its own memory.
        dt : float
            Step, seconds.
        method : {"zoh", "euler", "bilinear", "series"}
            ``series`` is ``zoh`` computed without a matrix, for large orders.
        initial : (d,) or (c, d) array_like, optional
            State before the first input; zero by default.

        Returns
        -------
        m : (T, d) or (T, c, d) ndarray
            ``m[k]`` is the state after input ``k``.
        """
        u = np.asarray(u, dtype=float)
        if u.ndim not in (1, 2):
            problem = "must be (T,) or (T, channels)"
            raise ValidationError("LDN.simulate.u", u.shape, problem)
        if not np.isfinite(u).all():
            problem = "has NaN or infinite samples"
            raise ValidationError("LDN.simulate.u", "u", problem, "remove them")
        shape = (*u.shape[1:], self.order)
        start = np.zeros(shape)
        if initial is not None:
            start = check_shape("LDN.simulate.initial", initial, shape, "one state")
        if method != "series":
            # in coordinates in which rounding errors are small
            Ad, Bd = self.discretize(dt, method)
            scale = _balance(self.order)
            step = (Ad * scale / scale[:, None]).T
            x = propagate(np.multiply.outer(u, Bd / scale), step, start / scale)
            x *= scale
            return x
        states, step = np.empty((*u.shape, self.order)), self.series(dt)
        for k, sample in enumerate(u):
            start = states[k] = step(start, sample)
        return states

    def frequency_response(self, frequency, dt: float) -> np.ndarray:
        r"""Return the state after an input ``exp(2 pi i f t)``, per unit of it.

        ``G(f) = z (z I - Ad)^-1 Bd`` at ``z = exp(2 pi i f dt)``: the state *after*
        the input of the same step, as `simulate` returns it.

        Parameters
        ----------
        frequency : (F,) array_like
            Hz.
        dt : float
            Step, seconds.

        Returns
        -------
        G : (F, d) complex ndarray
            A row for each frequency.
        """
        Ad, Bd = self.discretize(dt)
        scale = _balance(self.order)
        R, Q = schur(Ad * scale / scale[:, None], output="complex")[:2]
        push = Q.conj().T @ (Bd / scale)
        z = np.exp(2j * np.pi * np.atleast_1d(frequency) * dt)
        # back substitution in (z I - R) x = push, for all frequencies at once
        x = np.empty((self.order, len(z)), dtype=complex)
        for i in reversed(range(self.order)):
            x[i] = (push[i] + R[i, i + 1 :] @ x[i + 1 :]) / (z - R[i, i])
        return (z * (Q @ x)).T * scale

    # -- reading it -------------------------------------------------------------

    def readout(self, delay, dt: float | None = None) -> np.ndarray:
        r"""Return weights ``c`` such that ``c @ m`` is the input some time ago.

        ``c_i = P_i(2r - 1)`` with ``r = delay / theta``.  A sampled system holds each
        input for a step, so a sample's centre lies half a step further back: with
        ``dt`` given, ``r = (delay + dt/2) / theta``.

        Parameters
        ----------
        delay : float or (n,) array_like
            Seconds; 0 to ``theta`` (with ``dt``: 0 to ``theta - dt``).
        dt : float, optional
            Step of the sampled system; None for the continuous one.

        Returns
        -------
        c : (d,) or (n, d) ndarray
            A row for each delay.

        Raises
        ------
        ValidationError
            If a delay lies outside the window.
        """
        step = 0.0 if dt is None else float(dt)
        delay = np.asarray(delay, dtype=float)
        slack = 1e-9 * self.theta
        inside = (delay >= -slack) & (delay <= self.theta - step + slack)
        if not np.all(inside):
            first = np.atleast_1d(delay)[~np.atleast_1d(inside)][0].item()
            problem = f"is outside the window of 0 to {self.theta - step:g} s"
            remedy = "choose a delay inside, or a longer theta"
            raise ValidationError("LDN.readout.delay", first, problem, remedy)
        return self.basis((delay + step / 2) / self.theta)

    def basis(self, r) -> np.ndarray:
        """Return the shifted Legendre polynomials ``P_i(2r - 1)``.

        Parameters
        ----------
        r : float or (n,) array_like

        Returns
        -------
        (d,) or (n, d) ndarray
            A row for each point.
        """
        r = np.asarray(r, dtype=float)
        return legvander(2 * r - 1, self.order - 1).reshape(*r.shape, self.order)

    def window(self, m, n_points: int = 100) -> np.ndarray:
        """Return the window in states, newest sample first.

        Parameters
        ----------
        m : (..., d) array_like
            States.
        n_points : int
            Number of samples.

        Returns
        -------
        w : (..., n_points) ndarray
            At the centres of ``n_points`` equal parts, ``r = (j + 1/2) / n_points``.
        """
        r = (np.arange(n_points) + 0.5) / n_points
        return np.asarray(m) @ self.basis(r).T

    def energy(self, m) -> np.ndarray:
        r"""Return the energy of the window in states.

        It is ``int_0^theta w^2 = theta sum_i m_i^2 / (2i + 1)``.

        Parameters
        ----------
        m : (..., d) array_like
            States.

        Returns
        -------
        (...) ndarray
            One for each state.
        """
        m = np.asarray(m)
        return self.theta * np.sum((m / _balance(self.order)) ** 2, axis=-1)

    def functional(self, weight: Callable, n_points: int | None = None) -> np.ndarray:
        r"""Return the weights of a linear functional of the window.

        ``c_i = int_0^1 weight(r) P_i(2r - 1) dr`` (Gauss-Legendre quadrature), so that
        ``c @ m = int_0^1 weight(r) u(t - r theta) dr``.

        Parameters
        ----------
        weight : callable
            Takes ``r`` (n,) in [0, 1] and returns (n,).
        n_points : int, optional
            Quadrature points; ``2 d + 64`` by default.

        Returns
        -------
        c : (d,) ndarray
            Weights of the coefficients.
        """
        nodes, weights = leggauss(n_points or 2 * self.order + 64)
        r = (nodes + 1) / 2
        return (weights / 2 * np.asarray(weight(r))) @ self.basis(r)


class SeriesStep:
    r"""The exact ZOH step in O(K d) time and O(d) memory, without a matrix.

    .. math::

        m \leftarrow m + \sum_{k=1}^{K} \frac{h^k}{k!} A^{k-1} (A m + B u),
        \qquad h = dt / (n\,\theta), \quad n \text{ times}.

    Each product with ``A`` is two cumulative sums.  In balanced coordinates
    ``||A||_2 <= ||A||_F = d^2``, hence ``n`` substeps of ``h d^2 <= 4`` bound every
    term, and ``K`` is the first with ``4^K / K! <= tolerance``.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    tolerance : float
        Largest term that may be left out.

    Attributes
    ----------
    terms : int
        ``K``, terms of the series.
    substeps : int
        ``n``, equal parts a step is taken in.
    """

    def __init__(self, ldn: LDN, dt: float, tolerance: float = 1e-16):
        check_positive("LDN.series.dt", dt, "seconds")
        check_positive("LDN.series.tolerance", tolerance)
        norm = dt / ldn.theta * ldn.order**2
        self.substeps = max(1, int(np.ceil(norm / 4.0)))
        self.h = dt / ldn.theta / self.substeps
        self.terms, size = 1, norm / self.substeps
        while size > tolerance:
            self.terms += 1
            size *= norm / self.substeps / self.terms
        self._scale = _balance(ldn.order)
        self._sign = (-1.0) ** np.arange(ldn.order)

    def multiply(self, x: np.ndarray) -> np.ndarray:
        """Return ``A x`` over the last axis, in balanced coordinates: O(d).

        Parameters
        ----------
        x : (..., d) ndarray

        Returns
        -------
        (..., d) ndarray
            The product.
        """
        y = self._scale * x
        later = np.cumsum(y, axis=-1)
        later = later[..., -1:] - later
        alternating = self._sign * np.cumsum(self._sign * y, axis=-1)
        return -self._scale * (later + alternating)

    def __call__(self, m: np.ndarray, u) -> np.ndarray:
        """Return the state (..., d) after an input ``u`` (...) of one step."""
        x = m / self._scale
        push = np.multiply.outer(np.asarray(u, dtype=float), self._sign * self._scale)
        for _ in range(self.substeps):
            term = self.h * (self.multiply(x) + push)
            x = x + term
            for k in range(2, self.terms + 1):
                term = self.h / k * self.multiply(term)
                x += term
        return x * self._scale


def propagate(driven: np.ndarray, step: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the states ``x[k] = x[k-1] @ step + driven[k]``, with ``x[-1] = start``.

    By about ``3 sqrt(T)`` products instead of ``T``: the steps are cut into blocks,
    which run side by side and start from zero; the response to the state before each
    block is added by superposition.

    Parameters
    ----------
    driven : (T, ..., d) ndarray
    step : (d, d) ndarray
    start : (..., d) ndarray

    Returns
    -------
    (T, ..., d) ndarray
        The state after each step.
    """
    T, shape = len(driven), driven.shape[1:]
    length = max(1, int(np.sqrt(T)))
    n = -(-T // length)
    x = np.zeros((n * length, *shape))
    x[:T] = driven
    x = x.reshape(n, length, *shape)
    # the response of each block to its own inputs
    running = np.zeros((n, *shape))
    for j in range(length):
        running = running @ step + x[:, j]
        x[:, j] = running
    # the state before each block: all of the last, carried on by a block's steps
    whole = np.linalg.matrix_power(step, length)
    before = np.empty_like(running)
    now = start
    for b in range(n):
        before[b] = now
        now = now @ whole + running[b]
    for j in range(length):
        before = before @ step
        x[:, j] += before
    return x.reshape(n * length, *shape)[:T]


def _balance(order: int) -> np.ndarray:
    """Return ``sqrt(2i + 1)`` (d,), the scale of ``m`` in units of window energy."""
    return np.sqrt(2.0 * np.arange(order) + 1)
