r"""The chip pass, compact: a memory whose neurons drive each other through few others.

::

    input -> pulses (host) ==> memory (m neurons) --> decode neurons (n_r << m)
                                  ^                        |
                                  +------------------------+

All to all, ``m`` neurons need ``m^2`` weights, and each core an axon from every one.
Through decode neurons (``n_relays`` of them) the memory's neurons need ``m n_r``
weights and ``n_r`` axons a core; a decode neuron encodes one coordinate and receives
spikes only of the neurons that encode the same.

The memory's synapse decays by ``a`` in a step, the decode neurons' by ``b``, as the
target has them.  In rates, with ``x`` the memory's state and ``z`` theirs,

.. math::

    x_{k+1} = a x_k + (1 - a)(A_1 z_k + B_1 u_k), \qquad
    z_{k+1} = b z_k + (1 - b)(x_k + B_2 u_k) .

``x`` is the LDN's state, ``x_{k+1} = \bar A x_k + \bar B u_k``, and ``z = F x``, for

.. math::

    F = (1 - b)(\bar A - bI)^{-1}, \quad
    A_1 = \frac{(\bar A - aI)(\bar A - bI)}{(1 - a)(1 - b)}, \quad
    B_1 = \frac{\bar B}{1 - a}, \quad B_2 = (\bar A - bI)^{-1} \bar B .

Beside the LDN's own eigenvalues ``mu`` the loop has ``a + b - mu``, which must decay.
The spikes of both populations add noise, and all that the memory represents has passed
the decode neurons': the error is not less than that of ``n_r`` neurons, all to all.

It stands apart from `layout` because it is a second structure, with equations of its
own, that most layouts do not have.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    check_positive,
    check_whole,
)
from lmu_spiking.loihi.chip.integers import effective_tau, synaptic_decay, target_name
from lmu_spiking.loihi.chip.limits import CORE, CoreLimits, axon_bits, fits
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.mapping.curves import (
    LEAST,
    MAX_RATE,
    REACH,
    choose_curves,
    draw_curves,
    measure_decoders,
)
from lmu_spiking.loihi.mapping.layout import (
    Layout,
    exercise,
    expect,
)
from lmu_spiking.loihi.mapping.stage import make_stage

TAU_RELAY = 0.01  # seconds
RELAYS = 8  # memory neurons for each decode neuron, by default


@dataclass(frozen=True, eq=False)
class MappedOntoTwo:
    """An LDN on two synapses in a row; matrices as in the module's equations.

    Parameters
    ----------
    A, F : (d, d) ndarray
        ``A_1`` and ``F``.
    B, B2 : (d,) ndarray
        ``B_1`` and ``B_2``.
    a, b : float
        Decays in a step, of the memory's synapse and of the decode neurons'.
    """

    A: np.ndarray
    F: np.ndarray
    B: np.ndarray
    B2: np.ndarray
    a: float
    b: float

    __repr__ = brief


def map_onto_two(ldn: LDN, a: float, b: float, dt: float) -> MappedOntoTwo:
    """Return the transforms that make ``ldn`` of synapses with the decays ``a``, ``b``.

    Parameters
    ----------
    ldn : LDN
    a : float
        Decay of the memory's synapse in a step.
    b : float
        Decay of the decode neurons' synapse in a step.
    dt : float
        Step, seconds.

    Returns
    -------
    MappedOntoTwo

    Raises
    ------
    MappingError
        If a hidden mode of the loop grows.
    """
    Ad, Bd = ldn.discretize(dt)
    eye = np.eye(ldn.order)
    hidden = np.abs(a + b - np.linalg.eigvals(Ad)).max()
    if not hidden < 1:
        raise MappingError(
            f"map_onto_two: a hidden mode grows by {hidden:.4g} in each step at theta "
            f"{ldn.theta:g} s and order {ldn.order}; use a shorter tau or tau_relay, "
            "or a longer theta"
        )
    less = Ad - b * eye
    A = (Ad - a * eye) @ less / ((1 - a) * (1 - b))
    F, B2 = (1 - b) * np.linalg.inv(less), np.linalg.solve(less, Bd)
    return MappedOntoTwo(A, F, Bd / (1 - a), B2, a, b)


def lay_out_relayed(
    ldn: LDN,
    n_neurons: int,
    neurons,
    *,
    target: str,
    tau: float,
    dt: float,
    signal=None,
    n_relays: int | None = None,
    tau_relay: float = TAU_RELAY,
    max_rate: float = MAX_RATE,
    input_range: float | None = None,
    seed: int = 0,
) -> Layout:
    """Lay a memory of one input out for ``target``, with decode neurons.

    Parameters
    ----------
    ldn, n_neurons, neurons, target, tau, dt, signal
        As in `layout.lay_out`; ``n_neurons`` are the memory's.
    n_relays : int, optional
        Decode neurons; by default one for 8 of the memory's, at least 8 a dimension.
    tau_relay : float
        Synapse of the decode neurons, seconds; short beside ``tau`` and ``theta``.
    max_rate : float
        Rate at the radius, Hz.
    input_range, seed
        As in `layout.lay_out`.

    Returns
    -------
    Layout
        Of two stages.

    Raises
    ------
    MappingError
        If theta is too short for the two synapses.
    ValidationError
        If an argument is outside its range.
    """
    max_rate = check_positive("max_rate", max_rate, "Hz")
    target, rng = target_name(target), np.random.RandomState(seed)
    d = ldn.order
    a, b = (synaptic_decay(t, dt, target) for t in (tau, tau_relay))
    loop = map_onto_two(ldn, a, b, dt)
    # as many decode neurons as a core of the memory has axons for, at most
    n_relays = max(LEAST * d, n_neurons // RELAYS) if n_relays is None else n_relays
    check_whole("n_relays", n_relays, LEAST * d, CORE.in_axons - 2 * PAIRS)
    # the signal to be expected, and the memory's neurons
    found, input_range, band = expect(ldn, dt, signal, input_range)
    states, moments, onset = found
    window = ldn.steps(dt)
    mapped = map_onto(ldn, effective_tau(tau, dt, target), dt)
    block = memory_block(n_neurons, n_relays, d)
    choice = {"max_rate": max_rate, "onset": onset, "block": block}
    rest = moments, n_neurons, neurons, rng
    curves = choose_curves(ldn, mapped, dt, *rest, **choice)
    x, measure = exercise(states @ curves.T.T, curves, a, rng), (a, dt, target, rng)
    decoding = measure_decoders(curves, x, *measure, 2 * window, apart=True)
    # decode neurons encode z = F x and what their synapse passes of the memory's spikes
    F, share = curves.T @ loop.F, np.bincount(curves.dimension)
    ripple = lfilter([1 - b], [1, -b], decoding.residual, axis=0)
    z = states @ F.T + np.resize(ripple, states.shape)
    largest = np.abs(onset @ F.T).max(axis=0)
    radii = np.maximum(REACH * z[window:].std(axis=0), largest)
    relay_block = block_of_relays(n_relays, share, n_neurons)
    rest = radii, share, n_relays, relay_block, max_rate, rng
    relays = draw_curves(curves.neurons, curves.U, curves.T, *rest)
    z = exercise(z, relays, a, rng)
    relaying = measure_decoders(relays, z, *measure, 2 * window)
    # weights from one population to the other, and of the input to both
    around = curves.T @ loop.A @ curves.U
    layout = Layout(target, ldn, loop, dt, input_range, (), 0.0, band)
    ends = (
        (curves, decoding, relaying, around, loop.B, tau, block),
        (relays, relaying, decoding, np.eye(d), loop.B2, tau_relay, relay_block),
    )
    stages = []
    for own, made, pre, matrix, entry, synapse, size in ends:
        exact = own.encoding @ matrix @ pre.decoders
        column = (own.encoding @ curves.T @ entry)[:, None]
        rest = exact, column, pre, synapse, size, rng, made
        stages.append(make_stage(layout, own, *rest))
    counts = (decoding, n_neurons), (relaying, n_relays)
    spikes = sum(float(made.activities.mean()) * n for made, n in counts)
    return replace(layout, stages=tuple(stages), spikes_per_s=spikes)


def memory_block(m: int, n_relays: int, order: int) -> int:
    """Return the memory neurons of a core, which receives all decode neurons.

    Parameters
    ----------
    m : int
        Neurons.
    n_relays : int
        Decode neurons.
    order : int
        Of the memory.

    Returns
    -------
    int
    """
    axons = n_relays + 2 * PAIRS
    return _even(m, 2 * order, lambda n: CoreLimits(n, axons, n, axons * axon_bits(n)))


def block_of_relays(n_relays: int, received, m: int) -> int:
    """Return the decode neurons of a core, which receives those of one coordinate.

    Parameters
    ----------
    n_relays : int
    received : (d,) int array_like
        Memory neurons of each coordinate.
    m : int
        Memory neurons.

    Returns
    -------
    int
    """
    axons, d = int(np.max(received)) + 2 * PAIRS, len(received)
    if axons > CORE.in_axons:
        problem = f"puts {axons - 2 * PAIRS} neurons on one coordinate, more than a "
        problem += "core has axons for"
        remedy = "use fewer neurons or a higher order"
        raise ValidationError("n_neurons", m, problem, remedy)
    cores = -(-m // memory_block(m, n_relays, d)) + 1
    return _even(
        n_relays, d, lambda n: CoreLimits(n, axons, n * cores, axons * axon_bits(n))
    )


def _even(n: int, cores: int, use) -> int:
    """Return the neurons of a core, an even number, on so many cores or more."""
    while cores < n // 2 and not fits(use(-(-n // cores))):
        cores += 1
    return max(2, n // cores // 2 * 2)
