r"""What a memory laid out for a target will get wrong, from what its neurons do.

Driven with exact states, the neurons decode ``x + e``; with weights in whole numbers
they are driven with ``x + q``.  Both errors go round the loop:

.. math::

    \varepsilon_{k+1} = \bar A \varepsilon_k + (1 - a) A'_x\, (e_k + q_k),

in the coordinates that the neurons carry.  How large ``e`` is depends on what they are
driven with: on the signal, near whose peaks they decode worse, and on what it becomes
in the memory, ``x + \varepsilon``.  So the error is a fixed point, and solved as one,

.. math::

    e^{(n)} = D\, s[x + \varepsilon^{(n)}] - x - \varepsilon^{(n)},
    \qquad \varepsilon^{(0)} = 0, \qquad
    e^{(n)} \to \varepsilon^{(n+1)} \text{ round the loop},

``s[.]`` the spikes of neurons that are driven and feed nothing back.  Where noise is
small one round is enough; each further one carries it round once more.  ``q`` is slow,
and was measured at some steps as the memory was laid out.
"""

import numpy as np

from lmu_spiking.dynamics.ldn import propagate
from lmu_spiking.loihi.chip.integers import spikes_of

ROUNDS = 4  # of the noise: where it still grows then, it grows without bound
SETTLED = 0.03  # change of the state's error, relative, from which on it has settled
LONGEST = 60  # windows, or seconds, of a signal that neurons are driven with
SEED = 0  # of initial voltages, where they are drawn


def measured_errors(layout, states=None, start: int = 0) -> dict:
    """The terms of a `theory.predict.ErrorBudget` that a `Layout` knows.

    Parameters
    ----------
    layout : Layout
    states : (T, d) array_like, optional
        Exact states of the signal that is asked about, from rest; by default what was
        decoded of the signal that the memory was laid out for counts, without the noise
        that the memory adds to it.
    start : int
        The first of them that counts.

    Returns
    -------
    dict
        ``sigma`` (d,), variance of the decoded value in one step, in the coordinates
        that are carried; ``noise`` and ``quantisation`` (d, d), second moments of the
        state's error; ``distortion``, part of ``noise`` here, 0; ``spikes_per_s``.
    """
    residual = layout.decoding.residual
    held = _held(layout.rounding, len(residual))
    error, carried = residual, _around(layout, residual)
    after = _after(layout, len(residual))
    if states is not None:
        rest, T = _stretch(layout, states, start), layout.curves.T
        x = np.asarray(states)[:rest] @ T.T
        after = start

        def again(carried):
            e = _decoded(layout, layout.curves, layout.decoding, x + carried[0])
            return (e,), (_around(layout, e),)

        (error,), (carried,) = _settled(again, (np.zeros_like(x),), after)
    noise = _moment(layout, carried, after)
    whole = _moment(layout, _around(layout, held), _after(layout, len(held)))
    return {
        "sigma": error[after:].var(axis=0),
        "noise": noise,
        "distortion": np.zeros_like(noise),
        "quantisation": whole if layout.grids else None,
        "spikes_per_s": layout.spikes_per_s,
    }


def relayed_errors(layout, states=None, start: int = 0) -> dict:
    r"""The same of a `RelayedLayout`, whose errors go round through the relays.

    .. math::

        \varepsilon_{k+1} = a \varepsilon_k + (1 - a) A_1 (\zeta_k + e'_k + q'_k), \\
        \zeta_{k+1} = b \zeta_k + (1 - b)(\varepsilon_k + e_k + q_k) .
    """
    memory, relays = layout.memory, layout.relays
    residual, relaying = memory.decoding.residual, relays.decoding.residual
    error = residual
    carried, _ = _around_both(layout, residual, relaying)
    after = _after(layout, len(residual))
    if states is not None:
        rest, T = _stretch(layout, states, start), layout.curves.T
        x = np.asarray(states)[:rest] @ T.T
        z = np.asarray(states)[:rest] @ (T @ layout.relayed.F).T
        after = start

        def again(carried):
            driven = x + carried[0], z + carried[1]
            e = tuple(
                _decoded(layout, stage.curves, stage.decoding, into)
                for stage, into in zip((memory, relays), driven, strict=True)
            )
            return e, _around_both(layout, *e)

        (error, _), (carried, _) = _settled(
            again, (np.zeros_like(x), np.zeros_like(z)), after
        )
    noise, whole = _moment(layout, carried, after), None
    if memory.grids:
        held = [_held(s.rounding, len(residual)) for s in (memory, relays)]
        around, _ = _around_both(layout, *held)
        whole = _moment(layout, around, _after(layout, len(residual)))
    return {
        "sigma": error[after:].var(axis=0),
        "noise": noise,
        "distortion": np.zeros_like(noise),
        "quantisation": whole,
        "spikes_per_s": layout.spikes_per_s,
    }


def _settled(again, carried, start: int):
    """``again`` until what the memory carries hardly changes: errors, and carried."""
    power = 0.0
    for _ in range(ROUNDS):
        errors, carried = again(carried)
        found = float(np.mean(carried[0][start:] ** 2))
        if abs(found - power) <= 2 * SETTLED * found:
            break
        power = found
    return errors, carried


def _decoded(layout, curves, decoding, x: np.ndarray) -> np.ndarray:
    """``D s - x`` (T, d) of neurons driven with ``x``, coordinate by coordinate."""
    rng, error = np.random.RandomState(SEED), -x
    for i in range(x.shape[1]):
        of = np.flatnonzero(curves.dimension == i)
        scale = curves.gain[of] * curves.encoders[of] / curves.radii[i]
        currents = x[:, i, None] * scale + curves.bias[of]
        spikes = spikes_of(curves.neurons, currents, layout.dt, layout.target, rng)
        error += spikes @ decoding.decoders[:, of].T / layout.dt
    return error


def _around(layout, error: np.ndarray) -> np.ndarray:
    return around(layout.ldn, layout.mapped, layout.dt, layout.curves, error)


def around(ldn, mapped, dt: float, curves, error: np.ndarray) -> np.ndarray:
    """What ``error`` (T, d) of the decoded values adds to those carried, (T, d)."""
    Ad, _ = ldn.discretize(dt)
    again = curves.T @ Ad @ curves.U
    a = np.exp(-dt / mapped.synapse.tau)
    driven = (1 - a) * error @ (curves.T @ mapped.A @ curves.U).T
    return propagate(_next(driven), again.T, np.zeros(ldn.order))


def _next(driven: np.ndarray) -> np.ndarray:
    """Return what arrives in each step of what was there a step before."""
    return np.concatenate([np.zeros_like(driven[:1]), driven[:-1]])


def _around_both(layout, error, relaying):
    """The same of the memory's neurons and of the relays: what each carries, (T, d)."""
    curves, loop, d = layout.curves, layout.relayed, layout.ldn.order
    around, a, b = curves.T @ loop.A1 @ curves.U, loop.a, loop.b
    n = min(len(error), len(relaying))
    # both as one state, of which the relays are the second half
    eye = np.eye(d)
    step = np.block([[a * eye, (1 - a) * around], [(1 - b) * eye, b * eye]])
    into = (1 - a) * relaying[:n] @ around.T, (1 - b) * error[:n]
    both = propagate(_next(np.concatenate(into, axis=1)), step.T, np.zeros(2 * d))
    return both[:, :d], both[:, d:]


def _moment(layout, carried: np.ndarray, after: int) -> np.ndarray:
    """Second moment (d, d) of the state's error."""
    error = carried[after:] @ layout.curves.U.T
    return error.T @ error / len(error)


def _held(rounding: np.ndarray, steps: int) -> np.ndarray:
    """What is known at some steps, held in between."""
    return np.repeat(rounding, max(1, steps // len(rounding)), axis=0)


def _after(layout, steps: int) -> int:
    """From where the errors of a measurement have gone round."""
    return min(layout.ldn.steps(layout.dt), steps // 4)


def _stretch(layout, states, start: int) -> int:
    """Steps of a signal that neurons are driven with."""
    longest = LONGEST * max(layout.ldn.theta, 1.0) / layout.dt
    return min(len(states), start + round(longest))
