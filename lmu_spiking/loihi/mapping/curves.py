r"""Tuning curves for a chip without sub-step spikes, and the coordinates they carry.

Between two rectified neurons, one of which wakes as the other falls asleep, charge is
lost at every crossing of 0: the voltage of a sleeping neuron is drained to 0.  Here no
neuron sleeps: all begin to fire at ``-1`` (intercepts), have ``max_rate / 2`` at 0 and
``max_rate`` at the radius, and half of them are turned round by their encoders, so that
the common rate cancels.  Rates spread by a fifth either way, so that neurons that all
start at voltage 0 soon are out of step.

The coordinates are those of `realisation`, balanced between what the signal brings and
what the readouts need; half the neurons are shared out evenly, half by need.
"""

from dataclasses import dataclass

import nengo
import numpy as np
from nengo.neurons import NeuronType

from lmu_spiking.brief import brief
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import Mapped
from lmu_spiking.errors import ValidationError
from lmu_spiking.memory.basis import balanced
from lmu_spiking.neurons.recruitment import allocate

MAX_RATE = 120.0  # Hz: slower neurons ripple, faster ones lose more beyond threshold
SPREAD = 0.2  # of the rates, either way
REACH = 4.5  # standard deviations of a coordinate at its radius
SUDDEN = 0.1  # of the time, the input has just been switched on
QUIET = 1.0  # times less noise than of Poisson neurons, for the coordinates
LEAST = 8  # neurons of a dimension


@dataclass(frozen=True, eq=False)
class Curves:
    """Neurons, and the coordinates ``x = T m`` of the state that they carry.

    Attributes
    ----------
    neurons : nengo.neurons.NeuronType
    U, T : (d, d) ndarray
        ``m = U x`` and ``x = T m``.
    radii : (d,) ndarray
    dimension : (m,) int ndarray
        The coordinate that a neuron encodes.
    encoders, gain, bias : (m,) ndarray
    """

    neurons: NeuronType
    U: np.ndarray
    T: np.ndarray
    radii: np.ndarray
    dimension: np.ndarray
    encoders: np.ndarray
    gain: np.ndarray
    bias: np.ndarray

    __repr__ = brief

    @property
    def encoding(self) -> np.ndarray:
        """(m, d): input current for each unit of ``x``, before the gain."""
        E = np.zeros((len(self.gain), len(self.radii)))
        of = self.dimension
        E[np.arange(len(of)), of] = self.encoders / self.radii[of]
        return E

    def currents(self, x: np.ndarray) -> np.ndarray:
        """(T, m): currents at ``x`` (T, d), bias included."""
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
    """Coordinates, radii and always-active curves.

    Parameters
    ----------
    ldn, mapped, dt
        The memory, on the synapse of its target, and its step in seconds.
    moments : (d, d) ndarray
        Second moment of the exact state.
    n_neurons : int
        In all, at least 8 a dimension.
    max_rate : float
        Rate at the radius, Hz.
    weights : (d, d) ndarray, optional
        What the readouts weigh of the state's error; see `memory.basis.balanced`.
    onset : (T, d) ndarray, optional
        States as the input is switched on and in its extremes; the radii cover them.
    block : int
        Neurons of a core, which carry one coordinate and so have weights of one size.
    """
    d = ldn.order
    if n_neurons < LEAST * d:
        raise ValidationError(
            "n_neurons",
            n_neurons,
            f"is less than {LEAST} per dimension for order {d}",
            f"use at least {LEAST * d}",
        )
    rest = getattr(getattr(neurons, "base_type", neurons), "tau_ref", 0.0)
    highest = 1 / ((1 + SPREAD) * (rest + dt))
    if not max_rate <= highest:
        raise ValidationError(
            "max_rate",
            max_rate,
            "is more than the fastest of these neurons can spike",
            f"use at most {highest:.3g} Hz",
        )
    onset = np.zeros((1, d)) if onset is None else onset
    expected = moments + SUDDEN * onset.T @ onset / len(onset)
    found = balanced(
        ldn,
        mapped,
        dt,
        expected,
        n_neurons,
        weights=weights,
        max_rate=QUIET**2 * max_rate,
    )
    need = found.sigma / found.sigma.sum()
    counts = block * allocate(n_neurons // block, (need + 1 / d) / 2, least=1)
    counts[-1] += n_neurons % block
    dimension, m = np.repeat(np.arange(d), counts), n_neurons
    gain, bias = _always_active(neurons, m, max_rate, rng)
    # noise is carried, too
    spread_of_x = np.sqrt(np.diag(found.T @ (moments + found.noise) @ found.T.T))
    sudden = np.abs(onset @ found.T.T).max(axis=0)
    return Curves(
        neurons,
        found.U,
        found.T,
        np.maximum(REACH * spread_of_x, sudden),
        dimension,
        np.resize([1.0, -1.0], m),
        gain,
        bias,
    )


def curves_like(
    curves: Curves,
    n_neurons: int,
    deviation: np.ndarray,
    sudden: np.ndarray,
    max_rate: float,
    block: int,
    rng: np.random.RandomState,
) -> Curves:
    """Fewer neurons of the same coordinates, in about the same proportions.

    Parameters
    ----------
    deviation, sudden : (d,) ndarray
        Standard deviation and largest value of what each coordinate carries.
    max_rate : float
        Rate at the radius, Hz.
    block : int
        Neurons of a core.
    """
    share = np.bincount(curves.dimension)
    counts = block * allocate(n_neurons // block, share, least=1)
    counts[-1] += n_neurons % block
    gain, bias = _always_active(curves.neurons, n_neurons, max_rate, rng)
    return Curves(
        curves.neurons,
        curves.U,
        curves.T,
        np.maximum(REACH * deviation, sudden),
        np.repeat(np.arange(len(share)), counts),
        np.resize([1.0, -1.0], n_neurons),
        gain,
        bias,
    )


def _always_active(neurons, m: int, max_rate: float, rng):
    """Gains and biases (m,) of neurons that all wake at -1."""
    rates = np.full(m, max_rate) * rng.uniform(1 - SPREAD, 1 + SPREAD, m)
    return neurons.gain_bias(rates, np.full(m, -1.0))


def chip_neurons(kind, target: str = "core") -> NeuronType:
    """``"if"``, ``"lif"`` or a Nengo type; on the chip, all voltages begin at 0."""
    if isinstance(kind, NeuronType) and (target == "core" or _on_chip(kind)):
        return kind
    known = {"if": nengo.SpikingRectifiedLinear, "lif": nengo.LIF}
    if isinstance(kind, str) and kind in known:
        still = None if target == "core" else {"voltage": nengo.dists.Choice([0])}
        return known[kind](initial_state=still)
    if getattr(kind, "amplitude", 1) != 1:
        raise ValidationError(
            "neuron_type.amplitude",
            kind.amplitude,
            "must be 1: decoders are measured on whole spikes",
            "leave it out, for decoders scale",
        )
    raise ValidationError(
        "neuron_type",
        kind,
        "cannot be simulated on Loihi",
        "use 'if', 'lif', or target='core' with a nengo.neurons.NeuronType",
    )


def _on_chip(neurons: NeuronType) -> bool:
    """Whether the chip has exactly these neurons, not only ones like them."""
    plain = nengo.SpikingRectifiedLinear, nengo.LIF
    exact = type(neurons) in plain or hasattr(neurons, "chip_spikes")
    return exact and getattr(neurons, "amplitude", 1) == 1
