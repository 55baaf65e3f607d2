r"""The chip pass: a memory as neurons, whole-number weights and cores.

::

    input -> pulses (host) ==> neurons (cores) -> decoded on the host
                                 ^      |
                                 +- W --+

Everything is one synapse away from the neurons: their own spikes with the weights
``W = E A' D`` and the input's with ``E B'``, ``E`` encoding and ``D`` decoding
(`tuning`, `decoding`), ``A', B'`` mapped onto the synapse as the target has it
(`arithmetic`).  On the chip the weights of each core are then put on its grid
(`scaling`) so that their errors cancel (`rounding`).
"""

from dataclasses import dataclass, replace

import numpy as np
from nengo.neurons import NeuronType
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.loihi.chip.integers import (
    TARGETS,
    effective_tau,
    rounded,
    synaptic_decay,
)
from lmu_spiking.loihi.chip.limits import split
from lmu_spiking.loihi.chip.weights import Grid, round_weights
from lmu_spiking.loihi.mapping.curves import MAX_RATE, REACH, Curves, choose_curves
from lmu_spiking.loihi.mapping.decoding import Decoding, measure_decoders
from lmu_spiking.loihi.mapping.input_weights import PAIRS, enter
from lmu_spiking.loihi.mapping.predict import around, measured_errors
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear
from lmu_spiking.memory.basis import signal_moments, weights_of
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.signals import white_noise

# --------------------------------------------------------------------------------------
# How loud the noise is that a memory makes for itself, and nearer radii where it is.
#
# Errors of decoding grow with the radii, and the radii have to hold the noise that they
# make.  With ``e_j`` the error of coordinate ``j`` and ``G_ij`` the variance that it
# makes in coordinate ``i`` once it has gone round the loop, both relative to the
# squares of the radii, what is carried by neurons that reach ``kappa`` standard
# deviations is
#
# .. math:: v_i = S_i + \kappa^2 \sum_j G_{ij} v_j ,
#
# ``S`` the signal's own.  The noise is ``1 / (1 - g)`` times what it would be without
# itself, ``g`` the largest eigenvalue of ``kappa^2 G``; from ``g = 1`` on, only the
# ends of the curves bound it.


NEARER = (3.5, 3.0)  # standard deviations at the radius, to be tried where noise is
LOUD = 0.7  # of ``g``: three times as much noise as without itself


def noise_gain(
    ldn: LDN, mapped: Mapped, dt: float, curves: Curves, error: np.ndarray
) -> float:
    """``g`` of neurons that reach `REACH`, from their errors of decoding (T, d)."""
    G, start = np.empty((ldn.order, ldn.order)), min(ldn.steps(dt), len(error) // 4)
    for j in range(ldn.order):
        alone = np.zeros_like(error)
        alone[:, j] = error[:, j]
        carried = around(ldn, mapped, dt, curves, alone)[start:] / curves.radii
        G[:, j] = np.mean(carried**2, axis=0)
    return float(REACH**2 * np.abs(np.linalg.eigvals(G)).max())


def carried_noise(
    ldn: LDN, mapped: Mapped, dt: float, curves: Curves, error: np.ndarray
) -> float:
    """Mean square of the state's error that errors of decoding (T, d) make."""
    start = min(ldn.steps(dt), len(error) // 4)
    carried = around(ldn, mapped, dt, curves, error)[start:] @ curves.U.T
    return float(np.mean(np.sum(carried**2, axis=1)))


def nearer(curves: Curves, reach: float, least: np.ndarray) -> Curves:
    """The same curves with ``reach`` standard deviations at the radius, not `REACH`.

    Parameters
    ----------
    least : (d,) array_like
        What the radii cover all the same.
    """
    return replace(curves, radii=np.maximum(curves.radii * reach / REACH, least))


# --------------------------------------------------------------------------------------

SUDDENLY = 1.5  # times the rms: a step that the memory must survive
LOOSE = 0.05  # of a coordinate's power, at least, that is not the signal's
SEED = 20220125  # of the noise that decoders are measured on
SMALL = 24  # neurons; smaller cores are made only for a coordinate of their own
SECONDS = 30.0  # of it; as many windows, where those are longer than a second


@dataclass(frozen=True, eq=False)
class Layout:
    """A memory laid out for one target.

    Attributes
    ----------
    target : str
    ldn : LDN
    mapped : Mapped
        It, on the target's synapse.
    dt, tau : float
        Step and synapse as asked for, seconds.
    input_range : float
        Inputs beyond it are clipped.
    curves : Curves
    decoding : Decoding
    spikes_per_s : float
        Of all neurons, on the signal to be expected.
    signal : SignalSpec or None
        It, where it is a band.
    weights : (m, m) ndarray
        From ``neurons`` to ``neurons``, Nengo's transform: the gain not included.
    inputs : (m, 2 K) ndarray
        From the pulses (`entry`); (m, 1), from the input itself, on ``core``.
    block : int
        Neurons on a core.
    grids : tuple of Grid
        Of each core; none without rounding.
    rounding : (P, d) ndarray
        What rounding adds to the drive of the carried coordinates, at the steps of
        ``decoding.activities``.
    """

    target: str
    ldn: LDN
    mapped: Mapped
    dt: float
    tau: float
    input_range: float
    curves: Curves
    decoding: Decoding
    spikes_per_s: float
    signal: SignalSpec | None
    weights: np.ndarray
    inputs: np.ndarray
    block: int
    grids: tuple[Grid, ...]
    rounding: np.ndarray

    __repr__ = brief

    @property
    def n_neurons(self) -> int:
        """Neurons, ``m``."""
        return len(self.curves.gain)

    def measured_errors(self, states=None, start: int = 0) -> dict:
        """What `theory.predict` needs to know of the neurons and the weights."""
        return measured_errors(self, states, start)


def lay_out(
    ldn: LDN,
    n_neurons: int,
    neurons,
    *,
    target: str,
    tau: float,
    dt: float,
    signal=None,
    readouts=None,
    max_rate: float = MAX_RATE,
    input_range: float | None = None,
    block: int | None = None,
    seed: int = 0,
) -> Layout:
    """Lay a memory of one input out for ``target``.

    Parameters
    ----------
    ldn : LDN
    n_neurons : int
    neurons : nengo.neurons.NeuronType
        Integrate-and-fire, leaky or not.
    target : {"core", "simreal", "emulator", "board"}
    tau, dt : float
        Synapse and step, seconds.
    signal : SignalSpec or (T,) array_like
        What the memory is to hold; white noise of 2 Hz and rms .5 by default.
    readouts : (p, order) array_like, optional
        Whose noise to make least; by default delay theta and the window.
    max_rate : float
        Rate at the radius, Hz.
    input_range : float, optional
        Largest input; by default four times the rms of a band, or the largest sample.
    block : int, optional
        Neurons on a core; by default what fits, evenly.
    seed : int
        Draws the curves and the order of rounding.
    """
    max_rate = check_positive("max_rate", max_rate, "Hz")
    dt = check_positive("dt", dt, "seconds")
    n_neurons = check_whole("n_neurons", n_neurons, 1)
    _check_neurons(neurons)
    block = _checked(ldn, dt, n_neurons, target, block)
    signal = SignalSpec() if signal is None else signal
    rng = np.random.RandomState(check_seed("seed", seed))
    a = synaptic_decay(tau, dt, target)
    mapped = map_onto(ldn, effective_tau(tau, dt, target), dt)
    u, input_range = _expected(ldn, dt, signal, input_range)
    states = ldn.simulate(u, dt)
    window = ldn.steps(dt)
    moments = states[window:].T @ states[window:] / (len(u) - window)
    weigh = None if readouts is None else weights_of(readouts, moments)
    onset = ldn.simulate(np.full(2 * window, SUDDENLY * np.sqrt(np.mean(u**2))), dt)
    curves = choose_curves(
        ldn,
        mapped,
        dt,
        moments,
        n_neurons,
        neurons,
        rng,
        max_rate=max_rate,
        weights=weigh,
        onset=onset,
        block=block,
    )

    def decoded(curves, reach):
        x = _exercised(states @ curves.T.T, curves, a, rng, reach)
        return measure_decoders(curves, x, a, dt, target, rng, 2 * window)

    decoding, loop = decoded(curves, REACH), (ldn, mapped, dt)
    if noise_gain(*loop, curves, decoding.residual) > LOUD:
        sudden = np.abs(onset @ curves.T.T).max(axis=0)
        tried = [(curves, decoding)]
        for reach in NEARER:
            near = nearer(curves, reach, sudden)
            tried.append((near, decoded(near, reach)))
        curves, decoding = min(
            tried, key=lambda each: carried_noise(*loop, each[0], each[1].residual)
        )
    recurrent = curves.encoding @ (curves.T @ mapped.A @ curves.U) @ decoding.decoders
    column = curves.encoding @ (curves.T @ mapped.B)
    grids: tuple[Grid, ...] = ()
    added = np.zeros((len(decoding.activities), ldn.order))
    if target == "core":
        inputs = column
    else:
        loudest = column * input_range
        inputs, grids = enter(
            recurrent, loudest, curves, decoding.parts, tau, dt, block
        )
    if rounded(target):
        exact = recurrent
        recurrent = _rounded(
            exact, inputs, grids, curves, decoding.parts, block, dt, rng
        )
        change = held(recurrent, grids, curves, block, dt) - exact
        added = _rounding(decoding, change, curves, decoding)
    else:
        grids = ()
    return Layout(
        target,
        ldn,
        mapped,
        dt,
        tau,
        input_range,
        curves,
        decoding,
        float(decoding.activities.mean() * n_neurons),
        signal if isinstance(signal, SignalSpec) else None,
        recurrent,
        inputs,
        block,
        grids,
        added,
    )


def on_grids(recurrent, column, neurons, parts, tau, dt, block, rng, target: str):
    """Weights of further neurons that hear the memory and its input.

    Parameters
    ----------
    recurrent : (n, m) ndarray
        From the memory's neurons, real.
    column : (n, 1) ndarray
        From the input, for the largest of it.
    neurons
        Has their type as ``neurons``, ``gain`` and ``bias``.
    parts : iterable
        `Decoding.parts` of the memory.

    Returns
    -------
    weights (n, m), inputs (n, 2 K), grids
        As in `Layout`.
    """
    inputs, grids = enter(recurrent, column, neurons, parts, tau, dt, block)
    if not rounded(target):
        return recurrent, inputs, ()
    whole = _rounded(recurrent, inputs, grids, neurons, parts, block, dt, rng)
    return whole, inputs, grids


def _expected(ldn: LDN, dt: float, signal, input_range) -> tuple[np.ndarray, float]:
    """Samples to measure on, and the largest input."""
    if hasattr(signal, "bandwidth"):
        seconds = 3 * ldn.theta + SECONDS * max(1.0, ldn.theta)
        u = white_noise(seconds, dt, signal.bandwidth, signal.rms, SEED).samples
        reach = 4.0 * signal.rms
    else:
        signal_moments(ldn, dt, signal)  # refuses what is no signal
        u = np.asarray(signal, dtype=float)
        if u.ndim != 1:
            raise ValidationError(
                "signal", u.shape, "are states", "give the samples (T,) of the input"
            )
        window = ldn.steps(dt)
        least = max(6 * window, round(SECONDS / dt))
        u = np.tile(u, -(-least // len(u)))
        reach = float(np.abs(u).max())
    if input_range is None:
        return u, reach
    return u, check_positive("input_range", input_range)


def _exercised(x, curves: Curves, a: float, rng, reach: float = REACH) -> np.ndarray:
    """The states with what noise adds to them: every coordinate moves by itself.

    Decoders of a coordinate that the signal hardly moves would not be determined.
    """
    room = (curves.radii / reach) ** 2
    missing = np.sqrt(np.maximum(room - x.var(axis=0), LOOSE * room))
    b = a**2
    noise = lfilter([1.0], [1.0, -b], rng.standard_normal(x.shape), axis=0)
    return x + missing * np.sqrt(1 - b**2) * noise


def _checked(ldn: LDN, dt: float, m: int, target: str, block) -> int:
    """Neurons of a core, where all is in its range."""
    if target not in TARGETS:
        known = ", ".join(map(repr, TARGETS))
        raise ValidationError(
            "target", target, "is not a target", f"use one of {known}"
        )
    if ldn.steps(dt) < 1:
        raise ValidationError(
            "dt",
            dt,
            f"is longer than the window theta of {ldn.theta:g} s",
            "use a shorter step",
        )
    if block is None:
        return _block(m, ldn.order)
    block = check_whole("block", block, 1)
    if block > m // ldn.order:
        raise ValidationError(
            "block",
            block,
            f"is more than {m} neurons have for each of {ldn.order} dimensions",
            f"use at most {m // ldn.order}",
        )
    return block


def _check_neurons(neurons) -> None:
    """Refuse names, and neurons whose layout is another."""
    if not isinstance(neurons, NeuronType):
        raise ValidationError(
            "neurons",
            neurons,
            "is no type of neuron",
            "use nengo.SpikingRectifiedLinear() or nengo.LIF(), or tuning.chip_neurons",
        )
    if isinstance(neurons, NoisyRectifiedLinear):
        raise ValidationError(
            "neurons", neurons, "has a layout of its own", "use noisy.lay_out_noisy"
        )


def _block(m: int, order: int) -> int:
    """Neurons of a core, an even number: two cores for each coordinate, or more."""
    few = min(2 * order, max(order, m // SMALL))
    size = 2 * -(-m // (2 * few))  # rounded up, so that no core is left a few neurons
    if m // size < order:
        size = m // few
    return max(2, min(split(m, 2 * PAIRS), size) // 2 * 2)


def _rounded(recurrent, inputs, grids, curves: Curves, parts, block, dt, rng):
    """The recurrent weights on each core's grid.

    The largest sets the scale: it is given as the anchor, and the others make good
    what it is held as.
    """
    out = np.empty_like(recurrent)
    for k, grid in enumerate(grids):
        rows = slice(k * block, (k + 1) * block)
        scale = curves.gain[rows, None] / dt / grid.unit
        anchored = np.abs(inputs[rows] * scale).max() * grid.unit < grid.anchor * 0.999
        heard = [part for part in parts if recurrent[rows][:, part[0]].any()]
        real = recurrent[rows] * scale
        whole = round_weights(real, heard, grid.top, rng, anchored, grid.bottom)
        if anchored:
            at = np.unravel_index(np.argmax(np.abs(real)), real.shape)
            whole[at] = np.copysign(grid.anchor / grid.unit, real[at])
        out[rows] = whole / scale
    return out


def held(weights, grids, curves, block: int, dt: float) -> np.ndarray:
    """Weights as the chip has them: an anchor is a fraction of a unit off."""
    out = weights.copy()
    for k, grid in enumerate(grids):
        rows = slice(k * block, (k + 1) * block)
        scale = curves.gain[rows, None] / dt / grid.unit
        whole = weights[rows] * scale
        end = np.where(whole < 0, grid.bottom, grid.top)
        beyond = np.abs(whole) > grid.top + 0.1
        out[rows] = np.where(beyond, end / scale, weights[rows])
    return out


def _rounding(pre: Decoding, change, curves: Curves, post: Decoding) -> np.ndarray:
    """What a change of weights (n, n_pre) adds to the drive of ``post``: (P, d)."""
    drive = pre.activities @ (change * curves.gain[:, None]).T
    return drive @ (post.decoders * post.slopes).T
