r"""The chip pass: a memory as neurons, whole-number weights and cores.

::

    input -> pulses (host) ==> neurons (cores) -> decoded on the host
                                 ^      |
                                 +- W --+

Everything is one synapse away from the neurons: their own spikes with the weights
``W = E A' D`` and the input's with ``E B'``, ``E`` encoding and ``D`` decoding
(`curves`), ``A', B'`` mapped onto the synapse as the target has it (`integers`).  On
the chip the weights of each core are then put on its grid and rounded so that their
errors cancel (`weights`, `stage`).

Errors of decoding grow with the radii, and the radii have to cover the noise that they
make.  With ``e_j`` the error of coordinate ``j`` and ``G_ij`` the variance that it
makes in coordinate ``i`` once it has gone round the loop, both relative to the
squares of the radii, what is encoded by neurons that reach ``kappa`` standard
deviations is

.. math:: v_i = S_i + \kappa^2 \sum_j G_{ij} v_j ,

``S`` the signal's own.  The noise is ``1 / (1 - g)`` times what it would be without
itself, ``g`` the largest eigenvalue of ``kappa^2 G``; from ``g = 1`` on, only the ends
of the curves bound it.  So where ``g`` is large, smaller radii are tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import nengo
import numpy as np
from nengo.neurons import NeuronType
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped, map_onto
from lmu_spiking.errors import ValidationError, check_positive, check_seed, check_whole
from lmu_spiking.loihi.chip.integers import effective_tau, synaptic_decay, target_name
from lmu_spiking.loihi.chip.limits import split
from lmu_spiking.loihi.chip.pulses import PAIRS
from lmu_spiking.loihi.chip.weights import Grid
from lmu_spiking.loihi.mapping.curves import (
    MAX_RATE,
    REACH,
    Curves,
    Decoding,
    choose_curves,
    measure_decoders,
)
from lmu_spiking.loihi.mapping.predict import carry_error, settling
from lmu_spiking.loihi.mapping.stage import Stage, make_stage
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear
from lmu_spiking.memory.basis import weights_of
from lmu_spiking.memory.spec import SignalSpec
from lmu_spiking.signals import as_signal, white_noise

if TYPE_CHECKING:
    from lmu_spiking.loihi.mapping.relayed import MappedOntoTwo

NEARER = (3.5, 3.0)  # standard deviations at the radius, tried where the gain is large
LOUD = 0.7  # noise gain ``g`` that is large: three times as much noise as without
SUDDENLY = 1.5  # times the rms: a step that the memory must survive
LOOSE = 0.05  # of a coordinate's power, at least, that is not the signal's
SEED = 20220125  # of the noise that decoders are measured on
SECONDS = 30.0  # of that noise; as many windows, where those are longer than a second
SMALL = 24  # neurons; smaller cores are made only for a coordinate of their own


@dataclass(frozen=True, eq=False)
class Layout:
    """A memory laid out for one target.

    Parameters
    ----------
    target : str
    ldn : LDN
    mapped : Mapped or MappedOntoTwo
        It, on the target's synapse, or on two of them.
    dt : float
        Step, seconds.
    input_range : float
        Inputs beyond it are clipped.
    stages : tuple of Stage
        The memory's neurons; then the decode neurons, if there are any.
    spikes_per_s : float
        Of all neurons, on the signal to be expected.
    signal : SignalSpec or None
        It, where it is a band.
    """

    target: str
    ldn: LDN
    mapped: "Mapped | MappedOntoTwo"
    dt: float
    input_range: float
    stages: tuple[Stage, ...]
    spikes_per_s: float
    signal: SignalSpec | None

    __repr__ = brief

    @property
    def n_neurons(self) -> int:
        """Return the number of neurons, of all stages."""
        return sum(len(stage.curves.gain) for stage in self.stages)

    @property
    def n_relays(self) -> int:
        """Return the number of decode neurons."""
        return self.n_neurons - len(self.curves.gain)

    @property
    def clips(self) -> bool:
        """Return whether inputs beyond `input_range` are clipped."""
        return self.target != "core" or self.stages[0].always_clips

    def network(self, u: np.ndarray) -> nengo.Network:
        """Build the memory, fed with samples, in the network that is being made.

        Parameters
        ----------
        u : (T,) ndarray

        Returns
        -------
        ChipMemory or NoisyMemory
            With ``spike_probes`` of all neurons.
        """
        return self.stages[0].build(self, u)

    def read(self, memory, data: Mapping, u: np.ndarray) -> np.ndarray:
        """Return the state that the spikes of a run tell.

        Parameters
        ----------
        memory : nengo.Network
            What `network` returned.
        data : mapping of nengo.Probe to (T, n) ndarray
        u : (T,) ndarray
            The input.

        Returns
        -------
        (T, d) ndarray
            At index ``k``, the state after input ``k - 1``.
        """
        return self.stages[0].read(self, memory, data, u)

    def errors(self, states=None, start: int = 0) -> dict:
        """Return the errors that `theory.predict` needs to know.

        Parameters
        ----------
        states : (T, d) array_like, optional
            Exact states of a signal, from rest; by default those of the signal that the
            memory was laid out for.
        start : int
            The first of them that counts.

        Returns
        -------
        dict
            See `predict.predict_errors`.
        """
        return self.stages[0].predict(self, states, start)

    # The first stage, by name: for most layouts it is the only one.

    @property
    def curves(self) -> Curves:
        """Return the memory's neurons."""
        return self.stages[0].curves

    @property
    def decoding(self) -> Decoding:
        """Return the decoders of the memory's neurons."""
        return self.stages[0].decoding

    @property
    def tau(self) -> float:
        """Return the memory's synapse as asked for, seconds."""
        return self.stages[0].tau

    @property
    def weights(self) -> np.ndarray:
        """Return the weights into the memory's neurons; see `Stage`."""
        return self.stages[0].weights

    @property
    def inputs(self) -> np.ndarray:
        """Return the weights of the input; see `Stage`."""
        return self.stages[0].inputs

    @property
    def block(self) -> int:
        """Return the number of the memory's neurons on a core."""
        return self.stages[0].block

    @property
    def grids(self) -> tuple[Grid, ...]:
        """Return the grid of each core of the memory."""
        return self.stages[0].grids

    @property
    def rounding(self) -> np.ndarray:
        """Return what rounding adds to the drive of the coordinates."""
        return self.stages[0].rounding


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
        ``"nengo"`` is another name of ``"core"``.
    tau, dt : float
        Synapse and step, seconds.
    signal : SignalSpec or (T,) array_like
        What the memory is to represent; white noise of 2 Hz and rms .5 by default.
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

    Returns
    -------
    Layout
        Of one stage.

    Raises
    ------
    ValidationError
        If an argument is outside its range, or the chip does not have such neurons.
    """
    max_rate = check_positive("max_rate", max_rate, "Hz")
    dt = check_positive("dt", dt, "seconds")
    n_neurons = check_whole("n_neurons", n_neurons, 1)
    target = target_name(target)
    _check_neurons(neurons)
    block = _block(ldn, dt, n_neurons, block)
    rng = np.random.RandomState(check_seed("seed", seed))
    # the signal to be expected: what the neurons are measured on
    a = synaptic_decay(tau, dt, target)
    mapped = map_onto(ldn, effective_tau(tau, dt, target), dt)
    found, input_range, band = expect(ldn, dt, signal, input_range)
    states, moments, onset = found
    weigh = None if readouts is None else weights_of(readouts, moments)
    # curves, and decoders from the spikes of neurons that have them
    choice = {"max_rate": max_rate, "weights": weigh, "onset": onset, "block": block}
    rest = moments, n_neurons, neurons, rng
    curves = choose_curves(ldn, mapped, dt, *rest, **choice)
    layout = Layout(target, ldn, mapped, dt, input_range, (), 0.0, band)

    def decode(curves, reach):
        x = exercise(states @ curves.T.T, curves, a, rng, reach)
        return measure_decoders(curves, x, a, dt, target, rng, 2 * ldn.steps(dt))

    decoding = decode(curves, REACH)
    # where noise makes more noise, the radii at which it makes least
    if noise_gain(layout, curves, decoding.residual) > LOUD:
        sudden = np.abs(onset @ curves.T.T).max(axis=0)
        tried = [(curves, decoding)]
        for reach in NEARER:
            near = with_reach(curves, reach, sudden)
            tried.append((near, decode(near, reach)))
        noise = [carried_noise(layout, c, d.residual) for c, d in tried]
        curves, decoding = tried[int(np.argmin(noise))]
    # weights, and those of them that the target stores
    exact = curves.encoding @ (curves.T @ mapped.A @ curves.U) @ decoding.decoders
    column = curves.encoding @ (curves.T @ mapped.B)
    rest = exact, column, decoding, tau, block, rng, decoding
    stages = (make_stage(layout, curves, *rest),)
    spikes = float(decoding.activities.mean()) * n_neurons
    return replace(layout, stages=stages, spikes_per_s=spikes)


def noise_gain(layout: Layout, curves: Curves, error: np.ndarray) -> float:
    """Return ``g`` of neurons that reach `REACH`, from errors of decoding (T, d).

    Parameters
    ----------
    layout : Layout
        Without stages.
    curves : Curves
    error : (T, d) ndarray
        Errors of decoding.

    Returns
    -------
    float
    """
    d, start = layout.ldn.order, settling(layout, len(error))
    G = np.empty((d, d))
    for j in range(d):
        alone = np.zeros_like(error)
        alone[:, j] = error[:, j]
        carried = carry_error(layout, curves, alone)[start:] / curves.radii
        G[:, j] = np.mean(carried**2, axis=0)
    return float(REACH**2 * np.abs(np.linalg.eigvals(G)).max())


def carried_noise(layout: Layout, curves: Curves, error: np.ndarray) -> float:
    """Return the mean square of the state's error, from errors of decoding (T, d).

    Parameters
    ----------
    layout : Layout
        Without stages.
    curves : Curves
    error : (T, d) ndarray
        Errors of decoding.

    Returns
    -------
    float
    """
    start = settling(layout, len(error))
    carried = carry_error(layout, curves, error)[start:] @ curves.U.T
    return float(np.mean(np.sum(carried**2, axis=1)))


def with_reach(curves: Curves, reach: float, least: np.ndarray) -> Curves:
    """Return curves with ``reach`` standard deviations at the radius, not `REACH`.

    Parameters
    ----------
    curves : Curves
    reach : float
    least : (d,) array_like
        What the radii cover all the same.

    Returns
    -------
    Curves
    """
    return replace(curves, radii=np.maximum(curves.radii * reach / REACH, least))


def expect(ldn: LDN, dt: float, signal, input_range):
    """Return states to measure on, the largest input, and the band if there is one.

    Parameters
    ----------
    ldn : LDN
    dt : float
        Step, seconds.
    signal : SignalSpec or (T,) array_like, optional
    input_range : float, optional
        Largest input.

    Returns
    -------
    found : tuple of ndarray
        Exact states (T, d), their second moment (d, d), and the states after a sudden
        step (2 window, d).
    largest : float
    band : SignalSpec or None
    """
    signal = SignalSpec() if signal is None else signal
    band, window = signal if isinstance(signal, SignalSpec) else None, ldn.steps(dt)
    if band is not None:
        seconds = 3 * ldn.theta + SECONDS * max(1.0, ldn.theta)
        u = white_noise(seconds, dt, band.bandwidth, band.rms, SEED).samples
        largest = 4.0 * band.rms
    else:
        u = as_signal(signal, dt, least=window + 1, attribute="signal").samples
        if not u.any():
            raise ValidationError("signal", u, "must not be silent: not all of it 0")
        # repeated, so that there is as much to measure on as of noise
        u = np.tile(u, -(-max(6 * window, round(SECONDS / dt)) // len(u)))
        largest = float(np.abs(u).max())
    if input_range is not None:
        largest = check_positive("input_range", input_range)
    states = ldn.simulate(u, dt)
    moments = states[window:].T @ states[window:] / (len(u) - window)
    step = np.full(2 * window, SUDDENLY * np.sqrt(np.mean(u**2)))
    return (states, moments, ldn.simulate(step, dt)), largest, band


def exercise(x, curves: Curves, a: float, rng, reach: float = REACH) -> np.ndarray:
    """Return the states with what noise adds to them: each coordinate moves by itself.

    Decoders of a coordinate that the signal hardly moves would not be determined.

    Parameters
    ----------
    x : (T, d) ndarray
        Coordinates of exact states.
    curves : Curves
    a : float
        Decay of the synapse in a step.
    rng : numpy.random.RandomState
    reach : float
        Standard deviations at the radius.

    Returns
    -------
    ndarray
    """
    room = (curves.radii / reach) ** 2
    missing = np.sqrt(np.maximum(room - x.var(axis=0), LOOSE * room))
    b = a**2
    noise = lfilter([1.0], [1.0, -b], rng.standard_normal(x.shape), axis=0)
    return x + missing * np.sqrt(1 - b**2) * noise


def _check_neurons(neurons) -> None:
    """Raise a ValidationError for names, and for neurons with another layout."""
    if not isinstance(neurons, NeuronType):
        remedy = "use nengo.SpikingRectifiedLinear() or nengo.LIF(), or "
        remedy += "curves.chip_neurons"
        raise ValidationError("neurons", neurons, "is no type of neuron", remedy)
    if isinstance(neurons, NoisyRectifiedLinear):
        remedy = "use poisson.memory.lay_out_noisy"
        raise ValidationError("neurons", neurons, "has a layout of its own", remedy)


def _block(ldn: LDN, dt: float, m: int, block: int | None) -> int:
    """Return the neurons of a core, by default two cores for each coordinate or more.

    Raises
    ------
    ValidationError
        If the block is more than the neurons of a dimension, or the window too short.
    """
    order = ldn.order
    if ldn.steps(dt) < 1:
        problem = f"is longer than the window theta of {ldn.theta:g} s"
        raise ValidationError("dt", dt, problem, "use a shorter step")
    if block is not None:
        block = check_whole("block", block, 1)
        if block > m // order:
            problem = f"is more than {m} neurons have for each of {order} dimensions"
            raise ValidationError("block", block, problem, f"use at most {m // order}")
        return block
    few = min(2 * order, max(order, m // SMALL))
    size = 2 * -(-m // (2 * few))  # rounded up, so that no core is left a few neurons
    if m // size < order:
        size = m // few
    return max(2, min(split(m, 2 * PAIRS), size) // 2 * 2)
