r"""Principle 3: recurrent and input transforms that undo what a synapse does.

A recurrent network receives its own output through a synapse ``H(z)``.  For its
post-synaptic state to be the LDN's, ``m[k+1] = Ad m[k] + Bd u[k]``, the recurrent
transform must undo what the synapse does to every mode of the system:

.. math::

    A' = H(\bar A)^{-1} = D(\bar A)\, N(\bar A)^{-1}, \qquad H = N / D.

For a lowpass, ``A' = (Ad - a I) / (1 - a)`` and the input takes the same synapse with
``B' = Bd / (1 - a)``.  Any other synapse, or a loop with extra delay, has states of its
own: the input must then enter each of them with its own weight (its own numerator over
the synapse's denominator), and ``n - 1`` hidden modes per mode of the LDN remain, which
no input excites but noise does.  They must be stable.

``H`` is the loop *as the simulator runs it*, with Nengo's one-step delay.

References
----------
.. [1] Voelker, Eliasmith (2018). Improving spiking dynamical networks: accurate
   delays, higher-order synapses, and time cells. Neural Computation 30(3).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nengo
import numpy as np
from nengo.synapses import LinearFilter, Synapse
from scipy.linalg import block_diag

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    check_positive,
    check_whole,
)

if TYPE_CHECKING:
    from lmu_spiking.dynamics.feedback import ErrorFeedback

MAX_DELAY_STEPS = 20  # more lose digits
MAX_CONDITION = 1e6  # of N(Ad), large where the synapse all but stops a mode


@dataclass(frozen=True, eq=False)
class Filter:
    r"""A loop's synapse in state space: ``z[k+1] = F z[k] + G x[k]``, ``y = C z``.

    Parameters
    ----------
    F : (n, n) ndarray
    G, C : (n,) ndarray
    """

    F: np.ndarray
    G: np.ndarray
    C: np.ndarray

    __repr__ = brief

    @property
    def size(self) -> int:
        """Return the number of states of the filter, ``n``."""
        return len(self.F)


@dataclass(frozen=True, eq=False)
class Mapped:
    """A delay network mapped onto a synapse.

    Parameters
    ----------
    A : (d, d) ndarray
        Recurrent transform, from decoded state to the synapse.
    B : (d, n) ndarray
        Input transform, a column for each input filter.
    input_filter : tuple of nengo.synapses.Synapse
        The ``n`` discrete filters that the input passes before its column of ``B``;
        for a lowpass, the synapse itself.
    hidden_radius : float
        Largest modulus of the loop's hidden modes; 0 where there are none.
    loop : Filter
        The loop's synapse with its delays, as the simulator steps it.
    synapse : nengo.synapses.Synapse
        What the recurrent connection takes: the synapse and its extra delay steps.
    feedback : feedback.ErrorFeedback or None
        What gives the neurons their own decoding error, if anything does.
    """

    A: np.ndarray
    B: np.ndarray
    input_filter: tuple
    hidden_radius: float
    loop: Filter
    synapse: Synapse
    feedback: "ErrorFeedback | None" = None

    __repr__ = brief

    def mean_delay(self, dt: float) -> float:
        """Return the mean delay of the loop's synapse: about a lowpass's tau.

        Parameters
        ----------
        dt : float
            Step, seconds.

        Returns
        -------
        float
            Seconds.
        """
        F, G, C = self.loop.F, self.loop.G, self.loop.C
        once = np.linalg.solve(np.eye(len(F)) - F, G)
        twice = np.linalg.solve(np.eye(len(F)) - F, once)
        return float(dt * ((C @ twice) / (C @ once) - 0.5))


def map_onto(
    ldn: LDN, synapse, dt: float, delay_steps: int = 0, *, feedforward: bool = False
) -> Mapped:
    """Return the recurrent and input transforms that make an LDN out of a synapse.

    Parameters
    ----------
    ldn : LDN
        The delay network.
    synapse : nengo.synapses.LinearFilter or float
        A number is the time constant of a lowpass, seconds.
    dt : float
        Step of the simulator, seconds.
    delay_steps : int
        Steps of delay in the loop beyond Nengo's own one.
    feedforward : bool
        True for a readout, which closes no loop: hidden modes are then harmless.

    Returns
    -------
    Mapped
        Transforms and input filters.

    Raises
    ------
    MappingError
        If the loop would be unstable; names the tau or theta that works.

    Examples
    --------
    >>> mapped = map_onto(LDN(order=6, theta=0.5), synapse=0.1, dt=0.001)
    >>> mapped.A.shape, mapped.B.shape, mapped.hidden_radius
    ((6, 6), (6, 1), 0.0)
    """
    synapse = as_synapse(synapse)
    dt = check_positive("map_onto.dt", dt, "seconds")
    delay_steps = check_whole("map_onto.delay_steps", delay_steps, 0)
    if delay_steps > MAX_DELAY_STEPS:
        problem = f"is more than the {MAX_DELAY_STEPS} that are mapped accurately"
        remedy = "use a shorter delay or a longer dt"
        raise ValidationError("map_onto.delay_steps", delay_steps, problem, remedy)
    loop = discrete(synapse, dt, delay_steps)
    Ad, Bd = ldn.discretize(dt)
    if loop.size == 1:
        # the lowpass: F = a and G C = 1 - a, nothing hidden
        gain = loop.G[0] * loop.C[0]
        _refuse_zeros(np.array([[gain]]), synapse, MAX_CONDITION)
        A = (Ad - loop.F[0, 0] * np.eye(ldn.order)) / gain
        return Mapped(A, Bd[:, None] / gain, (synapse,), 0.0, loop, synapse)

    denominator, adjugate = _characteristic(loop.F)
    step = Ad - np.eye(ldn.order)
    # row j of adj(s I - E) G: how the synapse's state j follows its input
    rows = (adjugate @ loop.G).T
    carried = [_matrix_polynomial(p, step) for p in rows]
    numerator = np.tensordot(loop.C, carried, axes=1)
    _refuse_zeros(numerator, synapse, 1e14)
    radius = 0.0 if feedforward else _hidden_radius(ldn, loop, dt)
    if radius >= 1:
        raise _unstable(ldn, synapse, dt, delay_steps, radius)
    _refuse_zeros(numerator, synapse, MAX_CONDITION)
    A = np.linalg.solve(numerator.T, _matrix_polynomial(denominator, step).T).T
    # the filter's states follow the LDN's, z_j = T_j(Ad) m; T_j(Ad) Bd is what the
    # input must add to z_j
    entry = np.linalg.solve(numerator, Bd)
    B = np.stack([T @ entry for T in carried], axis=1)
    # from each state of the synapse to its output
    taps = (adjugate[:, :, j] @ loop.C for j in range(loop.size))
    filters = tuple(_transfer(tap, denominator) for tap in taps)
    recurrent = synapse
    if delay_steps:
        recurrent = discrete_synapse(loop)
    return Mapped(A, B, filters, radius, loop, recurrent)


def as_synapse(synapse) -> LinearFilter:
    """Return a linear filter from a filter or from the tau of a lowpass.

    Parameters
    ----------
    synapse : nengo.synapses.LinearFilter or float
        A number is the time constant of a lowpass, seconds.

    Returns
    -------
    nengo.synapses.LinearFilter
        The filter, or a lowpass.

    Raises
    ------
    ValidationError
        If it is none.
    """
    if isinstance(synapse, LinearFilter):
        return synapse
    try:
        return nengo.Lowpass(check_positive("map_onto.synapse", synapse))
    except ValidationError:
        problem = "must be a nengo.LinearFilter or a positive time constant in seconds"
        remedy = "a loop needs a synapse: for a lowpass of 100 ms use 0.1"
        name = "map_onto.synapse"
        raise ValidationError(name, synapse, problem, remedy) from None


def discrete(synapse, dt: float, delay_steps: int = 0) -> Filter:
    """Return the filter that Nengo steps for a synapse, its one-step delay included.

    A filter with pass-through, and every extra delay step, adds a state that keeps
    the filter's output for one step.

    Parameters
    ----------
    synapse : nengo.synapses.LinearFilter
    dt : float
        Step, seconds.
    delay_steps : int
        Extra steps of delay.

    Returns
    -------
    Filter
        In state space.

    Raises
    ------
    MappingError
        If the filter does not decay.
    """
    shape = (1,)
    with np.errstate(all="ignore"):  # what comes of it is checked below
        state = synapse.make_state(shape, shape, dt)
        step = synapse.make_step(shape, shape, dt, rng=None, state=state)
    F, C = np.atleast_2d(step.A), np.ravel(step.C)
    G, through = np.ravel(step.B), float(np.ravel(step.D)[0])
    if F.size == 0:
        F, G, C = np.zeros((1, 1)), np.array([through]), np.ones(1)
    elif through:
        F, G, C = _delayed(F, C), np.append(G, through), np.eye(len(F) + 1)[-1]
    finite = all(np.isfinite(M).all() for M in (F, G, C))
    if not finite or np.abs(np.linalg.eigvals(F)).max() >= 1:
        raise MappingError(
            f"map_onto.synapse: {synapse!r} does not decay in steps of {dt:g} s; use a "
            "filter whose poles are stable, with time constants not far below dt"
        )
    for _ in range(delay_steps):
        F, G, C = _delayed(F, C), np.append(G, 0.0), np.eye(len(F) + 1)[-1]
    return Filter(F, G, C)


def discrete_synapse(loop: Filter) -> LinearFilter:
    """Return the discrete filter that Nengo steps as ``loop``.

    Parameters
    ----------
    loop : Filter

    Returns
    -------
    nengo.synapses.LinearFilter
        Its one-step delay is Nengo's own.
    """
    denominator, adjugate = _characteristic(loop.F)
    return _transfer(loop.C @ (adjugate @ loop.G).T, denominator)


def _delayed(F: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Return ``F`` with one more state, which takes the output ``C z``."""
    larger = np.asarray(block_diag(F, 0.0), dtype=float)
    larger[-1, :-1] = C
    return larger


# Polynomials below are in s = z - 1, coefficients of rising powers: the poles of a slow
# synapse crowd at z = 1, where polynomials in z lose half of their digits.


def _characteristic(F: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``det(s I - E)`` (n+1,) and ``adj(s I - E)`` (n, n, n) of ``E = F - I``.

    They are computed by the recursion of Faddeev and LeVerrier; the first axis of the
    adjugate counts powers of ``s``.
    """
    eye = np.eye(len(F))
    E, term = F - eye, eye
    denominator, adjugate = [1.0], []
    for k in range(1, len(F) + 1):
        adjugate.append(term)
        product = E @ term
        denominator.append(-float(np.trace(product)) / k)
        term = product + denominator[-1] * eye
    return np.array(denominator[::-1]), np.array(adjugate[::-1])


def _matrix_polynomial(coefficients: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return ``sum_k c_k X^k`` by Horner's rule."""
    total = np.zeros_like(X)
    for c in coefficients[::-1]:
        total = total @ X + c * np.eye(len(X))
    return total


def _transfer(numerator: np.ndarray, denominator: np.ndarray) -> LinearFilter:
    """Return a discrete filter for Nengo, which wants falling powers of ``z``."""
    shift = np.poly1d([1.0, -1.0])

    def in_z(p):
        return np.poly1d(p[::-1])(shift).coeffs

    return LinearFilter(in_z(numerator), in_z(denominator), analog=False)


def _hidden_radius(ldn: LDN, loop: Filter, dt: float) -> float:
    """Return the largest modulus among the loop's modes that are not the LDN's.

    For a mode ``w`` of the LDN, the loop's matrix is ``F + G C / H(w)``; one of its
    eigenvalues is ``w``, the others are hidden.
    """
    scale = np.sqrt(2.0 * np.arange(ldn.order) + 1)
    modes = np.exp(np.linalg.eigvals(ldn.A * scale / scale[:, None]) * dt / ldn.theta)
    eye, worst = np.eye(loop.size), 0.0
    feedback = np.outer(loop.G, loop.C)
    for w in modes:
        gain = 1 / (loop.C @ np.linalg.solve(w * eye - loop.F, loop.G))
        found = np.linalg.eigvals(loop.F + feedback * gain)
        hidden = np.delete(found, np.argmin(np.abs(found - w)))
        worst = max(worst, np.abs(hidden).max())
    return float(worst)


def _refuse_zeros(numerator: np.ndarray, synapse, limit: float) -> None:
    """Raise a MappingError if the synapse stops a mode, all but entirely."""
    if not numerator.any() or np.linalg.cond(numerator) > limit:
        raise MappingError(
            f"map_onto.synapse: {synapse!r} passes nothing of a mode of this system, "
            "so no transform can restore it; use a synapse without zeros, or a lowpass"
        )


def _unstable(ldn: LDN, synapse, dt: float, delay_steps: int, radius: float):
    """Return the error of an unstable loop, with the theta and tau that would do."""
    order, theta, remedies = ldn.order, ldn.theta, []
    # the first longer window that is stable
    loop = discrete(synapse, dt, delay_steps)
    for longer in theta * 1.25 ** np.arange(1, 41):
        if _hidden_radius(LDN(order, longer), loop, dt) < 1:
            remedies.append(f"theta of at least {_rounded(longer, np.ceil):g} s")
            break
    # the first quicker synapse that is stable
    for factor in 1.25 ** -np.arange(1.0, 41.0) if synapse.analog else ():
        quicker = _scaled(synapse, factor)
        if _hidden_radius(ldn, discrete(quicker, dt, delay_steps), dt) < 1:
            factor = _rounded(factor, np.floor)
            remedy = f"time constants {factor:g} times as long"
            if _has_tau(quicker):
                remedy = f"tau of at most {_rounded(quicker.tau, np.floor):g} s"
            remedies.append(remedy)
            break
    remedies.append("a lowpass without delay, which always works")
    kind = type(synapse).__name__ + (f" and {delay_steps} steps" if delay_steps else "")
    return MappingError(
        f"map_onto.synapse: {kind} leaves hidden modes of radius {radius:.4f} >= 1 in "
        f"a memory of order {order} and theta {theta:g} s, so the loop is "
        f"unstable; use {', or '.join(remedies)}"
    )


def _has_tau(synapse) -> bool:
    """Return whether a filter is described by one time constant."""
    return isinstance(synapse, (nengo.Lowpass, nengo.Alpha))


def _scaled(synapse, factor: float) -> Any:
    """Return the same filter with time constants ``factor`` times as long."""
    if _has_tau(synapse):
        return type(synapse)(factor * synapse.tau)
    num, den = np.asarray(synapse.num), np.asarray(synapse.den)
    num, den = (c * factor ** np.arange(len(c) - 1.0, -1.0, -1.0) for c in (num, den))
    return LinearFilter(num, den, method=synapse.method)


def _rounded(value: float, towards) -> float:
    """Return two significant digits of a number, on the safe side."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(towards(value / unit) * unit)
