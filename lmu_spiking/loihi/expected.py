r"""What a memory laid out for a target will get wrong, from what its neurons did.

Driven with exact states, the neurons decode ``x + e``; with weights in whole numbers
they are driven with ``x + q``.  Both errors go round the loop:

.. math::

    \varepsilon_{k+1} = \bar A \varepsilon_k + (1 - a) A'_x\, (e_k + q_k),

in the coordinates that the neurons carry.  ``e`` was measured in every step, on a part
of the noise that did not make the decoders; ``q`` is slow, and known at some steps.
"""

import numpy as np


def measured_errors(layout) -> dict:
    """The terms of a `theory.ErrorBudget` that a `Layout` knows.

    Returns
    -------
    dict
        ``sigma`` (d,), variance of the decoded value in one step, in the coordinates
        that are carried; ``noise`` and ``quantisation`` (d, d), second moments of the
        state's error; ``distortion``, part of ``noise`` here, 0; ``spikes_per_s``.
    """
    residual = layout.decoding.residual
    every = max(1, len(residual) // len(layout.rounding))
    held = np.repeat(layout.rounding, every, axis=0)
    noise = _around(layout, residual)
    return {
        "sigma": residual.var(axis=0),
        "noise": noise,
        "distortion": np.zeros_like(noise),
        "quantisation": _around(layout, held) if layout.grids else None,
        "spikes_per_s": layout.spikes_per_s,
    }


def _around(layout, error: np.ndarray) -> np.ndarray:
    """Second moment (d, d) of the state's error that ``error`` (T, d) makes."""
    curves, mapped, ldn = layout.curves, layout.mapped, layout.ldn
    Ad, _ = ldn.discretize(layout.dt)
    again = curves.T @ Ad @ curves.U
    a = np.exp(-layout.dt / mapped.synapse.tau)
    driven = (1 - a) * error @ (curves.T @ mapped.A @ curves.U).T
    state, states = np.zeros(ldn.order), np.empty_like(driven)
    for k, force in enumerate(driven):
        state = again @ state + force
        states[k] = state
    settled = states[min(ldn.steps(layout.dt), len(states) // 4) :] @ curves.U.T
    return settled.T @ settled / len(settled)


def relayed_errors(layout) -> dict:
    r"""The same of a `RelayedLayout`, whose errors go round through the relays.

    .. math::

        \varepsilon_{k+1} = a \varepsilon_k + (1 - a) A_1 (\zeta_k + e'_k + q'_k), \\
        \zeta_{k+1} = b \zeta_k + (1 - b)(\varepsilon_k + e_k + q_k) .
    """
    memory, relays = layout.memory, layout.relays
    residual, relaying = memory.decoding.residual, relays.decoding.residual
    noise = _around_both(layout, residual, relaying)
    whole = None
    if memory.grids:
        held = [
            np.repeat(s.rounding, max(1, len(residual) // len(s.rounding)), axis=0)
            for s in (memory, relays)
        ]
        whole = _around_both(layout, *held)
    return {
        "sigma": residual.var(axis=0),
        "noise": noise,
        "distortion": np.zeros_like(noise),
        "quantisation": whole,
        "spikes_per_s": layout.spikes_per_s,
    }


def _around_both(layout, error, relaying) -> np.ndarray:
    """Second moment (d, d) of the state's error that these (T, d) make in the two."""
    curves, loop, d = layout.curves, layout.relayed, layout.ldn.order
    around, a, b = curves.T @ loop.A1 @ curves.U, loop.a, loop.b
    state, relay, states = np.zeros(d), np.zeros(d), []
    for e, r in zip(error, relaying, strict=False):
        state, relay = (
            a * state + (1 - a) * around @ (relay + r),
            b * relay + (1 - b) * (state + e),
        )
        states.append(state)
    settled = min(layout.ldn.steps(layout.dt), len(states) // 4)
    states = np.array(states)[settled:] @ curves.U.T
    return states.T @ states / len(states)
