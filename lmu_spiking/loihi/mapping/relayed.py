r"""The chip pass, compact: a memory whose neurons hear each other through few relays.

::

    input -> pulses (host) ==> memory (m neurons) --> relays (n_r << m)
                                  ^                        |
                                  +------------------------+

All to all, ``m`` neurons need ``m^2`` weights, and each core an axon from every one.
Through relays the memory's neurons need ``m n_r`` weights and ``n_r`` axons a core; a
relay carries one coordinate and hears only the neurons that carry the same.

The memory's synapse decays by ``a`` in a step, the relays' by ``b``, as the target has
them.  In rates, with ``x`` the memory's state and ``z`` the relays',

.. math::

    x_{k+1} = a x_k + (1 - a)(A_1 z_k + B_1 u_k), \qquad
    z_{k+1} = b z_k + (1 - b)(x_k + B_2 u_k) .

``x`` is the LDN's state, ``x_{k+1} = \bar A x_k + \bar B u_k``, and ``z = F x``, for

.. math::

    F = (1 - b)(\bar A - bI)^{-1}, \quad
    A_1 = \frac{(\bar A - aI)(\bar A - bI)}{(1 - a)(1 - b)}, \quad
    B_1 = \frac{\bar B}{1 - a}, \quad B_2 = (\bar A - bI)^{-1} \bar B .

Beside the LDN's own eigenvalues ``mu`` the loop has ``a + b - mu``, which must decay.
The spikes of both populations add noise, and whatever the memory holds has passed the
relays': the error is not less than that of ``n_r`` neurons, all to all.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import (
    MappingError,
    ValidationError,
    check_positive,
    check_whole,
)
from lmu_spiking.loihi.chip.integers import effective_tau, rounded, synaptic_decay
from lmu_spiking.loihi.chip.limits import CORE, CoreLimits, axon_bits, fits
from lmu_spiking.loihi.chip.weights import Grid
from lmu_spiking.loihi.mapping.curves import (
    LEAST,
    MAX_RATE,
    Curves,
    choose_curves,
    curves_like,
)
from lmu_spiking.loihi.mapping.decoding import Decoding, measure_decoders
from lmu_spiking.loihi.mapping.input_weights import PAIRS, enter
from lmu_spiking.loihi.mapping.layout import (
    SUDDENLY,
    _exercised,
    _expected,
    _rounded,
    _rounding,
    held,
)
from lmu_spiking.loihi.mapping.predict import relayed_errors
from lmu_spiking.memory.basis import weights_of
from lmu_spiking.memory.spec import SignalSpec

TAU_RELAY = 0.01  # seconds
RELAYS = 8  # memory neurons for each relay, by default


@dataclass(frozen=True, eq=False)
class Relayed:
    """An LDN on two synapses in a row; matrices as in the module's equations.

    Attributes
    ----------
    A1, F : (d, d) ndarray
    B1, B2 : (d,) ndarray
    a, b : float
        Decays in a step, of the memory's synapse and of the relays'.
    """

    A1: np.ndarray
    F: np.ndarray
    B1: np.ndarray
    B2: np.ndarray
    a: float
    b: float

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class Stage:
    """One of the two populations.

    Attributes
    ----------
    curves : Curves
    decoding : Decoding
    weights : (n, n_pre) ndarray
        From the other population, Nengo's transform: the gain not included.
    inputs : (n, 2 K) ndarray
        From the pulses; (n, 1), from the input itself, on ``core``.
    block : int
        Neurons on a core.
    grids : tuple of Grid
        Of each core; none without rounding.
    rounding : (P, d) ndarray
        What rounding adds to the drive of the carried coordinates, at the steps of the
        other population's ``decoding.activities``.
    """

    curves: Curves
    decoding: Decoding
    weights: np.ndarray
    inputs: np.ndarray
    block: int
    grids: tuple[Grid, ...]
    rounding: np.ndarray

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class RelayedLayout:
    """A memory with relays, laid out for one target; compare `layout.Layout`.

    Attributes
    ----------
    target : str
    ldn : LDN
    relayed : Relayed
        It, on the target's two synapses.
    dt, tau, tau_relay : float
        Step and synapses as asked for, seconds.
    input_range : float
        Inputs beyond it are clipped.
    memory, relays : Stage
    spikes_per_s : float
        Of all neurons, on the signal to be expected.
    signal : SignalSpec or None
        It, where it is a band.
    """

    target: str
    ldn: LDN
    relayed: Relayed
    dt: float
    tau: float
    tau_relay: float
    input_range: float
    memory: Stage
    relays: Stage
    spikes_per_s: float
    signal: SignalSpec | None

    __repr__ = brief

    @property
    def n_neurons(self) -> int:
        """Neurons of both populations, ``m + n_r``."""
        return len(self.curves.gain) + self.n_relays

    @property
    def n_relays(self) -> int:
        """``n_r``."""
        return len(self.relays.curves.gain)

    @property
    def curves(self) -> Curves:
        """Of the memory; the relays carry the same coordinates."""
        return self.memory.curves

    def measured_errors(self, states=None, start: int = 0) -> dict:
        """What `theory.predict` needs to know of the neurons and the weights."""
        return relayed_errors(self, states, start)


def map_onto_two(ldn: LDN, a: float, b: float, dt: float) -> Relayed:
    """The transforms that make ``ldn`` of synapses that decay by ``a`` and ``b``.

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
    return Relayed(
        (Ad - a * eye) @ less / ((1 - a) * (1 - b)),
        (1 - b) * np.linalg.inv(less),
        Bd / (1 - a),
        np.linalg.solve(less, Bd),
        a,
        b,
    )


def lay_out_relayed(
    ldn: LDN,
    n_neurons: int,
    neurons,
    *,
    target: str,
    tau: float,
    dt: float,
    signal=None,
    readouts=None,
    n_relays: int | None = None,
    tau_relay: float = TAU_RELAY,
    max_rate: float = MAX_RATE,
    relay_rate: float | None = None,
    input_range: float | None = None,
    seed: int = 0,
) -> RelayedLayout:
    """Lay a memory of one input out for ``target``, with relays.

    Parameters
    ----------
    n_neurons : int
        Of the memory.
    n_relays : int, optional
        By default one for 8 of them; at least 8 a dimension.
    tau_relay : float
        Synapse of the relays, seconds; short beside ``tau`` and ``theta``.
    relay_rate : float, optional
        The relays' rate at the radius, Hz; by default ``max_rate``.
    ldn, neurons, target, tau, dt, signal, readouts, max_rate, input_range, seed
        As in `layout.lay_out`.

    Raises
    ------
    MappingError
        If theta is too short for the two synapses.
    ValidationError
    """
    max_rate = check_positive("max_rate", max_rate, "Hz")
    relay_rate = check_positive("relay_rate", relay_rate or max_rate, "Hz")
    signal = SignalSpec() if signal is None else signal
    rng = np.random.RandomState(seed)
    d = ldn.order
    a, b = (synaptic_decay(t, dt, target) for t in (tau, tau_relay))
    loop = map_onto_two(ldn, a, b, dt)
    n_relays = max(LEAST * d, n_neurons // RELAYS) if n_relays is None else n_relays
    check_whole("n_relays", n_relays)
    if not LEAST * d <= n_relays <= CORE.in_axons - 2 * PAIRS:
        raise ValidationError(
            "n_relays",
            n_relays,
            f"is not from {LEAST} a dimension to what a core has axons for",
            f"use {LEAST * d} to {CORE.in_axons - 2 * PAIRS}",
        )
    u, input_range = _expected(ldn, dt, signal, input_range)
    states, window = ldn.simulate(u, dt), ldn.steps(dt)
    moments = states[window:].T @ states[window:] / (len(u) - window)
    step = np.full(2 * window, SUDDENLY * np.sqrt(np.mean(u**2)))
    onset = ldn.simulate(step, dt)
    mapped: Mapped = map_onto(ldn, effective_tau(tau, dt, target), dt)
    block = memory_block(n_neurons, n_relays, d)
    curves = choose_curves(
        ldn,
        mapped,
        dt,
        moments,
        n_neurons,
        neurons,
        rng,
        max_rate=max_rate,
        weights=None if readouts is None else weights_of(readouts, moments),
        onset=onset,
        block=block,
    )
    x = _exercised(states @ curves.T.T, curves, a, rng)
    decoding = measure_decoders(curves, x, a, dt, target, rng, 2 * window, apart=True)
    # relays carry z = F x and what their synapse lets through of the memory's spikes
    ripple = lfilter([1 - b], [1, -b], decoding.residual, axis=0)
    z = states @ (curves.T @ loop.F).T + np.resize(ripple, states.shape)
    largest = np.abs(onset @ (curves.T @ loop.F).T).max(axis=0)
    relay_block = block_of_relays(n_relays, np.bincount(curves.dimension), n_neurons)
    relays = curves_like(
        curves, n_relays, z[window:].std(axis=0), largest, relay_rate, relay_block, rng
    )
    z = _exercised(z, relays, a, rng)
    relaying = measure_decoders(relays, z, a, dt, target, rng, 2 * window)

    def stage(own, made, pre, matrix, entry, size, synapse) -> Stage:
        exact = own.encoding @ matrix @ pre.decoders
        column = (own.encoding @ curves.T @ entry)[:, None]
        added, grids = np.zeros((len(pre.activities), d)), ()
        if target == "core":
            return Stage(own, made, exact, column, size, grids, added)
        loudest = column * input_range
        inputs, grids = enter(exact, loudest, own, pre.parts, synapse, dt, size)
        if not rounded(target):
            return Stage(own, made, exact, inputs, size, (), added)
        whole = _rounded(exact, inputs, grids, own, pre.parts, size, dt, rng)
        change = held(whole, grids, own, size, dt) - exact
        added = _rounding(pre, change, own, made)
        return Stage(own, made, whole, inputs, size, grids, added)

    around = curves.T @ loop.A1 @ curves.U
    return RelayedLayout(
        target,
        ldn,
        loop,
        dt,
        tau,
        tau_relay,
        input_range,
        stage(curves, decoding, relaying, around, loop.B1, block, tau),
        stage(relays, relaying, decoding, np.eye(d), loop.B2, relay_block, tau_relay),
        float(
            decoding.activities.mean() * n_neurons
            + relaying.activities.mean() * n_relays
        ),
        signal if isinstance(signal, SignalSpec) else None,
    )


def memory_block(m: int, n_relays: int, order: int) -> int:
    """Memory neurons of a core, which hears all relays and the pulses."""
    axons = n_relays + 2 * PAIRS
    return _even(m, 2 * order, lambda n: CoreLimits(n, axons, n, axons * axon_bits(n)))


def block_of_relays(n_relays: int, heard, m: int) -> int:
    """Relays of a core, which hears the memory neurons of one coordinate.

    Parameters
    ----------
    heard : (d,) int array_like
        Memory neurons of each coordinate.
    """
    axons, d = int(np.max(heard)) + 2 * PAIRS, len(heard)
    if axons > CORE.in_axons:
        raise ValidationError(
            "n_neurons",
            m,
            f"puts {axons - 2 * PAIRS} neurons on one coordinate, more than a core "
            "has axons for",
            "use fewer neurons or a higher order",
        )
    cores = -(-m // memory_block(m, n_relays, d)) + 1
    return _even(
        n_relays, d, lambda n: CoreLimits(n, axons, n * cores, axons * axon_bits(n))
    )


def _even(n: int, cores: int, use) -> int:
    """Neurons of a core: an even number, as even as can be, on so many or more."""
    while cores < n // 2 and not fits(use(-(-n // cores))):
        cores += 1
    return max(2, n // cores // 2 * 2)
