r"""Rates of a chip for training: the staircase forward, the smooth curve backward.

.. math::

    h = \frac{r(J)}{r_{max}}, \qquad
    \frac{\partial h}{\partial J} := \frac{1}{r_{max}}
        \frac{\partial}{\partial J} \frac{1}{T(J) + \Delta / 2},

with ``r``, ``T`` and the step ``\Delta`` of `neurons.chip`.  The curve is written once
for both engines, with the operations of JAX or of TensorFlow.  NengoExtras gives
NengoDL builders for the neurons of NengoLoihi, which compute the same.
"""

from types import SimpleNamespace

from lmu_spiking.neurons.chip import CHIP_ACTIVATIONS, LOIHI_LIF, ChipUnits

FLOOR = 1e-15  # the least drive that is divided by, as in NengoDL


def curve_of(activation: str, chip: ChipUnits | None, ops=None):
    """Return the activation as a function of an array of drives.

    Parameters
    ----------
    activation : str
        One of `lmu.ACTIVATIONS`.
    chip : ChipUnits or None
        What the rates of a chip's activation depend on; None for the others.
    ops : namespace, optional
        The operations, as attributes; those of JAX by default.

    Returns
    -------
    callable
        From an array of drives to an array of activities.
    """
    ops = jax_operations() if ops is None else ops
    if activation not in CHIP_ACTIVATIONS:
        return {"tanh": ops.tanh, "relu": ops.relu, "linear": lambda J: J}[activation]
    gain, bias = chip.gain_bias(activation)
    leaky, dt = activation == LOIHI_LIF, chip.dt
    threshold, ref = (1.0, chip.ref) if leaky else (0.0, 0.0)

    def activities(a):
        J = gain * a + bias - threshold
        T = 1 / ops.maximum(J, FLOOR)
        T = chip.rc * ops.log1p(T) if leaky else T
        smooth, steps = 1 / (ref + dt / 2 + T), ops.ceil((ref + T) / dt)
        # in this order of operations they are NengoLoihi's to the last bit
        stairs = 1 / (dt * steps) if leaky else (1 / dt) / steps
        silent = ops.zeros_like(J)
        smooth, stairs = (ops.where(J > 0, r, silent) for r in (smooth, stairs))
        return (smooth + ops.stop_gradient(stairs - smooth)) / chip.max_rate

    return activities


def jax_operations() -> SimpleNamespace:
    """Return the operations of a curve in JAX.

    Returns
    -------
    namespace
        Functions of arrays.
    """
    from lmu_spiking.training._jax import jax, jnp, lax

    return SimpleNamespace(
        tanh=jnp.tanh,
        relu=jax.nn.relu,
        maximum=jnp.maximum,
        log1p=jnp.log1p,
        ceil=jnp.ceil,
        where=jnp.where,
        zeros_like=jnp.zeros_like,
        stop_gradient=lax.stop_gradient,
    )
