r"""Tuning curves for a chip without sub-step spikes, and decoders measured on them.

Between two rectified neurons, one of which wakes as the other falls asleep, charge is
lost at every crossing of 0: the voltage of a sleeping neuron is drained to 0.  Here no
neuron sleeps: all begin to fire at ``-1`` (intercepts), have ``max_rate / 2`` at 0 and
``max_rate`` at the radius, and half of them have the encoder -1, so that the common
rate cancels.  Rates spread by a fifth either way, so that neurons that all start at
voltage 0 soon are out of step.

The basis of the state is that of `memory.basis`, balanced between what the signal
brings and what the readouts need; half the neurons are shared out evenly over its
coordinates, half by need.

The memory multiplies an error of its decoders' gain by ``theta / tau``: what is a
percent here is ten percent of the state.  Rate curves are not good enough.  So the
neurons are driven with the exact states of the expected signal, in the arithmetic of
the target (`integers.spikes_of`), and with ``p`` their spikes through the synapse,

.. math::

    D_i = \arg\min |D_i p - x_i|^2 + \rho^2 |D_i|^2, \qquad
    D \leftarrow E[x x^T]\, E[D p\, x^T]^{-1} D ,

where the second step makes the decoded value unbiased on that signal: regularisation
shrinks it, and noise would.
"""

from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.neurons import NeuronType
from scipy.signal import lfilter

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped
from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.integers import Target, base_of, spikes_of
from lmu_spiking.memory.basis import balanced
from lmu_spiking.neurons.recruitment import allocate

MAX_RATE = 120.0  # Hz: slower neurons ripple, faster ones lose more beyond threshold
SPREAD = 0.2  # of the rates, either way
REACH = 4.5  # standard deviations of a coordinate at its radius
SUDDEN = 0.1  # share of the time in which the input has just been switched on
QUIET = 1.0  # times less noise than of Poisson neurons, for the choice of the basis
LEAST = 8  # neurons of a dimension

# Regularisation of decoders, relative to the highest rate.
REGULAR = 1 / 6  # of the decoders
ROUNDED = 1 / 40  # of weights that compensate errors of rounding


@dataclass(frozen=True, eq=False)
class Cells:
    """Neurons with their gains and biases.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    gain, bias : (m,) ndarray
    """

    neurons: NeuronType
    gain: np.ndarray
    bias: np.ndarray

    __repr__ = brief


@dataclass(frozen=True, eq=False)
class Curves(Cells):
    """Neurons that each encode one coordinate of ``x = T m``, ``m`` the state.

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    gain, bias : (m,) ndarray
    U, T : (d, d) ndarray
        ``m = U x`` and ``x = T m``.
    radii : (d,) ndarray
    dimension : (m,) int ndarray
        The coordinate that a neuron encodes.
    encoders : (m,) ndarray
    """

    U: np.ndarray
    T: np.ndarray
    radii: np.ndarray
    dimension: np.ndarray
    encoders: np.ndarray

    __repr__ = brief

    @property
    def encoding(self) -> np.ndarray:
        """Return the input current (m, d) per unit of ``x``, before the gain."""
        E = np.zeros((len(self.gain), len(self.radii)))
        of = self.dimension
        E[np.arange(len(of)), of] = self.encoders / self.radii[of]
        return E

    def currents(self, x: np.ndarray) -> np.ndarray:
        """Return the currents (T, m) at ``x`` (T, d), bias included.

        Parameters
        ----------
        x : (T, d) ndarray
            Coordinates.

        Returns
        -------
        ndarray
        """
        of = self.dimension
        return self.gain * self.encoders * x[:, of] / self.radii[of] + self.bias


def choose_curves(
    ldn: LDN,
    mapped: Mapped,
    dt: float,
    moments: np.ndarray,
    n_neurons: int,
    neurons: NeuronType,
    rng: np.random.RandomState,
    *,
    max_rate: float = MAX_RATE,
    weights: np.ndarray | None = None,
    onset: np.ndarray | None = None,
    block: int = 2,
) -> Curves:
    """Choose a basis, radii and curves of neurons that are always active.

    Parameters
    ----------
    ldn, mapped, dt
        The memory, on the synapse of its target, and its step in seconds.
    moments : (d, d) ndarray
        Second moment of the exact state.
    n_neurons : int
        In all, at least 8 a dimension.
    neurons : nengo.neurons.NeuronType
    rng : numpy.random.RandomState
        Draws the rates.
    max_rate : float
        Rate at the radius, Hz.
    weights : (d, d) ndarray, optional
        What the readouts weigh of the state's error; see `memory.basis.balanced`.
    onset : (T, d) ndarray, optional
        States as the input is switched on and in its extremes; the radii cover them.
    block : int
        Neurons of a core, which encode one coordinate and so have weights of one size.

    Returns
    -------
    Curves

    Raises
    ------
    ValidationError
        If neurons are too few, or ``max_rate`` is more than they can spike.
    """
    d = ldn.order
    if n_neurons < LEAST * d:
        problem = f"is less than {LEAST} per dimension for order {d}"
        remedy = f"use at least {LEAST * d}"
        raise ValidationError("n_neurons", n_neurons, problem, remedy)
    rest = getattr(base_of(neurons), "tau_ref", 0.0)
    highest = 1 / ((1 + SPREAD) * (rest + dt))
    if not max_rate <= highest:
        problem = "is more than the fastest of these neurons can spike"
        remedy = f"use at most {highest:.3g} Hz"
        raise ValidationError("max_rate", max_rate, problem, remedy)
    onset = np.zeros((1, d)) if onset is None else onset
    expected = moments + SUDDEN * onset.T @ onset / len(onset)
    loop, quiet = (ldn, mapped, dt, expected), QUIET**2 * max_rate
    found = balanced(*loop, n_neurons, weights=weights, max_rate=quiet)
    # the radii cover the signal's part and the noise's, and a sudden input
    deviation = np.sqrt(np.diag(found.T @ (moments + found.noise) @ found.T.T))
    radii = np.maximum(REACH * deviation, np.abs(onset @ found.T.T).max(axis=0))
    need = found.sigma / found.sigma.sum()
    share, basis = (need + 1 / d) / 2, (found.U, found.T)
    return draw_curves(neurons, *basis, radii, share, n_neurons, block, max_rate, rng)


def draw_curves(neurons, U, T, radii, share, n: int, block: int, max_rate, rng):
    """Draw `Curves` of ``n`` neurons, blocks of them shared out as ``share`` (d,).

    Parameters
    ----------
    neurons : nengo.neurons.NeuronType
    U : (d, d) ndarray
        See `Curves`.
    T : (d, d) ndarray
        See `Curves`.
    radii : (d,) ndarray
    share : (d,) ndarray
        Of the neurons, for each coordinate.
    n : int
        Number of neurons.
    block : int
        Neurons on a core.
    max_rate : float
        Hz.
    rng : numpy.random.RandomState

    Returns
    -------
    Curves
    """
    counts = block * allocate(n // block, share, least=1)
    counts[-1] += n % block
    rates = np.full(n, max_rate) * rng.uniform(1 - SPREAD, 1 + SPREAD, n)
    gain, bias = neurons.gain_bias(rates, np.full(n, -1.0))
    dimension = np.repeat(np.arange(len(radii)), counts)
    encoders = np.resize([1.0, -1.0], n)
    return Curves(neurons, gain, bias, U, T, radii, dimension, encoders)


def chip_neurons(kind: Any, target: str = "core", **times) -> NeuronType:
    """Return neurons as a target has them; on the chip, all voltages begin at 0.

    Parameters
    ----------
    kind : {"if", "lif"} or nengo.neurons.NeuronType
    target : {"core", "simreal", "emulator", "board"}
    **times
        ``tau_rc`` and ``tau_ref`` of ``"lif"``, seconds.

    Returns
    -------
    nengo.neurons.NeuronType

    Raises
    ------
    ValidationError
        If the chip does not have these neurons, exactly.
    """
    target = Target(target)
    known = {"if": nengo.SpikingRectifiedLinear, "lif": nengo.LIF}
    if isinstance(kind, str) and kind in known:
        still = None if target == "core" else {"voltage": nengo.dists.Choice([0])}
        return known[kind](initial_state=still, **times)
    amplitude = getattr(kind, "amplitude", 1)
    exact = type(kind) in known.values() and amplitude == 1
    if isinstance(kind, NeuronType) and (target == "core" or exact):
        return kind
    if amplitude != 1:
        problem = "must be 1: decoders are measured on whole spikes"
        remedy = "leave it out, for decoders scale"
        raise ValidationError("neuron_type.amplitude", amplitude, problem, remedy)
    remedy = "use 'if', 'lif', or target='core' with a nengo.neurons.NeuronType"
    raise ValidationError("neuron_type", kind, "cannot be simulated on Loihi", remedy)


# -- decoders --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Decoding:
    """Decoders of the coordinates, and their errors.

    Parameters
    ----------
    decoders : (d, m) ndarray
        ``x ~ D r``, in units of the state per Hz.
    parts : tuple of (columns, gram)
        Neurons of each coordinate and their activities' second moment, Hz^2.
    activities : (P, m) float32 ndarray
        Filtered spikes at some of the steps, Hz.
    slopes : (m,) ndarray
        Hz for each unit of current.
    residual : (T, d) ndarray
        ``D s - x`` in every step of the part that did not make the decoders.
    """

    decoders: np.ndarray
    parts: tuple
    activities: np.ndarray
    slopes: np.ndarray
    residual: np.ndarray

    __repr__ = brief


def measure_decoders(
    curves: Curves,
    x: np.ndarray,
    a: float,
    dt: float,
    target: str,
    rng,
    lead: int,
    *,
    apart: bool = False,
) -> Decoding:
    """Drive the neurons with ``x`` (T, d) and decode it from their spikes.

    Parameters
    ----------
    curves : Curves
    x : (T, d) ndarray
        Coordinates of the state.
    a : float
        Decay of the synapse in a step.
    dt : float
        Step, seconds.
    target : str
    rng : numpy.random.RandomState
        Draws initial voltages on ``core``.
    lead : int
        Steps at the beginning that do not count.
    apart : bool
        Decode each coordinate from its own neurons alone: unbiased each for itself.

    Returns
    -------
    Decoding
    """
    currents = curves.currents(x)
    spikes = spikes_of(curves.neurons, currents, dt, target, rng)
    # the first half makes the decoders, at steps whose filtered spikes differ
    half = lead + (len(x) - lead) // 2
    keep = np.arange(lead, half, max(1, round(-0.1 / np.log(a))))

    def smooth(signal):
        return lfilter([1 - a], [1, -a], signal, axis=0)

    m, d = spikes.shape[1], x.shape[1]
    activities, wanted = np.empty((len(keep), m), np.float32), smooth(x)[keep]
    decoders, parts = np.zeros((d, m)), []
    rate = float(spikes.mean()) / dt
    for i in range(d):
        of = np.flatnonzero(curves.dimension == i)
        P = smooth(spikes[:, of])[keep] / dt
        activities[:, of] = P
        gram, eye = P.T @ P / len(P), np.eye(len(of))
        regular = gram + (2 * REGULAR * rate) ** 2 * eye
        decoders[i, of] = np.linalg.solve(regular, P.T @ wanted[:, i] / len(P))
        parts.append((of, gram + (2 * ROUNDED * rate) ** 2 * eye))
    # make the decoded values unbiased
    decoded = activities @ decoders.T
    power, shrunk = wanted.T @ wanted, decoded.T @ wanted
    if apart:
        power, shrunk = np.diag(np.diag(power)), np.diag(np.diag(shrunk))
    decoders = power @ np.linalg.inv(shrunk) @ decoders
    # slopes: regression of rates on currents, neuron by neuron
    centred = smooth(currents)[keep]
    centred = centred - centred.mean(axis=0)
    variance = np.maximum(np.sum(centred**2, axis=0), 1e-300)
    slopes = np.sum(centred * activities, axis=0) / variance
    # the second half shows the errors
    residual = spikes[half:] @ decoders.T / dt - x[half:]
    return Decoding(decoders, tuple(parts), activities, slopes, residual)
