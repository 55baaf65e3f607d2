r"""Predicted errors of a memory laid out for a target, from what its neurons do.

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

With decode neurons (`relayed`), which decode ``z = F x + \zeta``, errors go round
through both populations:

.. math::

    \varepsilon_{k+1} = a \varepsilon_k + (1 - a) A_1 (\zeta_k + e'_k + q'_k), \\
    \zeta_{k+1} = b \zeta_k + (1 - b)(\varepsilon_k + e_k + q_k) .

It stands apart from `layout` because a layout is chosen with it as well as judged by
it.
"""

import numpy as np

from lmu_spiking.dynamics.ldn import propagate
from lmu_spiking.loihi.chip.integers import spikes_of

ROUNDS = 4  # of the noise: where it still grows then, it grows without bound
SETTLED = 0.03  # relative change of the state's error below which it has converged
LONGEST = 60  # windows, or seconds, of a signal that neurons are driven with
SEED = 0  # of initial voltages, where they are drawn


def predict_errors(layout, states=None, start: int = 0) -> dict:
    """Return the terms of a `theory.predict.ErrorBudget` that a layout determines.

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
        that neurons encode; ``noise`` and ``quantisation`` (d, d), second moments of
        the state's error; ``distortion``, part of ``noise`` here, 0; ``spikes_per_s``.
    """
    stages, U = layout.stages, layout.curves.U
    errors = [stage.decoding.residual for stage in stages]
    steps = len(errors[0])
    # what rounding adds, known at some steps and constant in between
    rounding = [stage.rounding for stage in stages]
    drives = [np.repeat(q, max(1, steps // len(q)), axis=0) for q in rounding]
    quantisation = None
    if stages[0].grids:
        after = settling(layout, len(drives[0]) if len(stages) == 1 else steps)
        quantisation = _moment(_carry(layout, drives)[0][after:], U)
    if states is None:
        start, carried = settling(layout, steps), _carry(layout, errors)
    else:
        errors, carried = _converge(layout, np.asarray(states), start)
    noise = _moment(carried[0][start:], U)
    return {
        "sigma": errors[0][start:].var(axis=0),
        "noise": noise,
        "distortion": np.zeros_like(noise),
        "quantisation": quantisation,
        "spikes_per_s": layout.spikes_per_s,
    }


def _converge(layout, states: np.ndarray, start: int):
    """Return the errors of each stage and what they add, at the fixed point."""
    curves, mapped = layout.curves, layout.mapped
    longest = LONGEST * max(layout.ldn.theta, 1.0) / layout.dt
    states = states[: start + round(longest)]
    # what each stage encodes: the coordinates, and what decode neurons make of them
    exact = [states @ curves.T.T]
    if len(layout.stages) > 1:
        exact.append(states @ (curves.T @ mapped.F).T)
    carried, before = [np.zeros_like(x) for x in exact], 0.0
    for _ in range(ROUNDS):
        driven = [x + more for x, more in zip(exact, carried, strict=True)]
        pairs = zip(layout.stages, driven, strict=True)
        errors = [_decoding_error(layout, stage, x) for stage, x in pairs]
        carried = _carry(layout, errors)
        power = float(np.mean(carried[0][start:] ** 2))
        if abs(power - before) <= 2 * SETTLED * power:
            break
        before = power
    return errors, carried


def _decoding_error(layout, stage, x: np.ndarray) -> np.ndarray:
    """Return ``D s - x`` (T, d) of neurons driven with ``x``, one coordinate a time."""
    curves, decoders = stage.curves, stage.decoding.decoders
    rng, error = np.random.RandomState(SEED), -x
    for i in range(x.shape[1]):
        of = np.flatnonzero(curves.dimension == i)
        scale = curves.gain[of] * curves.encoders[of] / curves.radii[i]
        currents = x[:, i, None] * scale + curves.bias[of]
        spikes = spikes_of(curves.neurons, currents, layout.dt, layout.target, rng)
        error += spikes @ decoders[:, of].T / layout.dt
    return error


def _carry(layout, errors) -> list[np.ndarray]:
    """Return what errors of decoding, of each stage, add to what it encodes."""
    if len(errors) == 1:
        return [carry_error(layout, layout.curves, errors[0])]
    curves, loop, d = layout.curves, layout.mapped, layout.ldn.order
    around, a, b = curves.T @ loop.A @ curves.U, loop.a, loop.b
    n = min(map(len, errors))
    # both as one state, of which the decode neurons are the second half
    eye = np.eye(d)
    step = np.block([[a * eye, (1 - a) * around], [(1 - b) * eye, b * eye]])
    into = (1 - a) * errors[1][:n] @ around.T, (1 - b) * errors[0][:n]
    both = propagate(_delay(np.concatenate(into, axis=1)), step.T, np.zeros(2 * d))
    return [both[:, :d], both[:, d:]]


def carry_error(layout, curves, error: np.ndarray) -> np.ndarray:
    """Return what ``error`` (T, d) of decoding adds to the coordinates, (T, d).

    Parameters
    ----------
    layout : Layout
        Of one stage, which is not looked at: its curves may not be chosen yet.
    curves : Curves
    error : (T, d) ndarray
        Errors of decoding.

    Returns
    -------
    ndarray
    """
    mapped = layout.mapped
    Ad, _ = layout.ldn.discretize(layout.dt)
    step = curves.T @ Ad @ curves.U
    a = np.exp(-layout.dt / mapped.synapse.tau)
    driven = (1 - a) * error @ (curves.T @ mapped.A @ curves.U).T
    return propagate(_delay(driven), step.T, np.zeros(len(step)))


def _delay(x: np.ndarray) -> np.ndarray:
    """Return a sequence (T, n) one step later, from 0."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def _moment(carried: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Return the second moment (d, d) of the state's error."""
    error = carried @ U.T
    return error.T @ error / len(error)


def settling(layout, steps: int) -> int:
    """Return the step from which on errors of a measurement have gone round.

    Parameters
    ----------
    layout : Layout
    steps : int
        Of the measurement.

    Returns
    -------
    int
    """
    return min(layout.ldn.steps(layout.dt), steps // 4)
