r"""Neurons whose spikes are nearly Poisson on Loihi, made so by its compartment noise.

A Loihi core can add to the membrane of its compartments, in every step, a number drawn
uniformly from 255 equally spaced ones.  A membrane that keeps next to nothing from one
step to the next then fires with the probability that the drive and the noise together
cross the threshold, and that is linear in the drive because the noise is uniform:

.. math::

    v \leftarrow \lambda v + J + b - s\,U, \qquad
    \text{a spike and } v \leftarrow 0 \text{ if } v > 0, \qquad U \sim [0, 1].

With ``lambda = 0`` spikes are Bernoulli trials, more regular than Poisson spikes by
``1 - r dt``.  The part ``lambda`` of the voltage mends that: without a spike the
membrane is left below zero, ``s / 2`` in the mean, and after one at zero, which makes
the next spike likelier.  It also fills the gaps between the 255 numbers, as digits to
the base ``1 / lambda`` do.

On the chip, nengo-loihi gives every block of compartments a scale of its own, from its
largest weight, and can then make the noise only a power of two.  The noise is as wide
as it should be if the largest weight is the right one, which `anchor` sees to.

Times are in seconds, drives and rates in Hz, ``dt`` is the step.
"""

import nengo
import numpy as np
from nengo.dists import Choice, Distribution
from nengo.exceptions import ValidationError as NengoValidationError
from nengo.neurons import NeuronType
from nengo.params import NumberParam

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.integers import DECAY
from lmu_spiking.loihi.chip.upstream import nengo_loihi, place
from lmu_spiking.neurons.bare_ensemble import driven
from lmu_spiking.neurons.types import Unmerged

KEPT = 0.125  # ``lambda``: CV and Fano factor amid what is allowed of Poisson spikes

# What nengo-loihi's chip does with compartment noise (emulator/interface.py NoiseState,
# builder/discretize.py discretize_compartment and discretize_synapse, version 1.1.0).
LEVELS = 255  # values the noise can take, 2^(exponent - 7) apart
EXPONENT = 21  # noise of +-2^21 leaves as much again of the 23 bits of u for the drive
LEAST_EXPONENT = 14  # so that the threshold and biases keep seven bits and more
MANTISSA = 255 * 2**6  # the largest weight of a block becomes this whole number
REFRACTORY = 1  # steps from a spike to the next that is allowed: none is lost


class NoisyRectifiedLinear(Unmerged, NeuronType):
    r"""Rectified-linear neurons that spike by noise, on Loihi as in core Nengo.

    In steps of ``dt`` and with ``j = (1 - lambda) J dt + lambda / 2``, a neuron driven
    by ``J`` fires at the rate

    .. math::

        r\,dt = p, \qquad j = p + \tfrac{\lambda}{2} (1 - p)^2 \quad (j \ge \lambda),

    which is ``J`` but for one per cent up to 150 Hz, with a soft knee of
    ``+-lambda / 2`` spikes a step around ``J = 0``, where ``r dt = lambda / 8``.  At
    ``lambda = 1/8`` and 1 ms, intervals have a coefficient of variation of .97 to 1.05
    and counts in 100 ms a Fano factor of .95 to 1.10, from 20 to 150 Hz.

    Parameters
    ----------
    kept : float
        ``lambda``, the part of the voltage that is left after a step; 0 to .25.
    initial_state : dict, optional
        ``voltage`` at the start; zero by default, as on the chip.

    See Also
    --------
    anchor : what a block of these neurons needs on the chip.
    """

    state = {"voltage": Choice([0])}  # noqa: RUF012 (Nengo's interface)
    negative = False
    spiking = True
    follows = True  # its drive at once, see `neurons.curves.loop_caution`
    kept = NumberParam("kept", low=0, high=0.25)

    def __init__(self, kept: float = KEPT, initial_state=None):
        super().__init__(initial_state)
        self.kept = kept

    def span(self, dt: float) -> float:
        """Return the width of the noise, Hz: ``s = 1 / ((1 - lambda) dt)``.

        Parameters
        ----------
        dt : float
            Step, seconds.

        Returns
        -------
        float
            Hz.
        """
        return 1.0 / ((1 - self.kept) * dt)

    def offset(self, dt: float) -> float:
        """Return ``b``, the drive, Hz, that centres the knee on 0: ``s lambda / 2``.

        Parameters
        ----------
        dt : float
            Step, seconds.

        Returns
        -------
        float
            Hz.
        """
        return self.span(dt) * self.kept / 2

    def gain_bias(self, max_rates, intercepts, dt: float = 0.001):
        """Return gains and biases for rates at 1 and for the centres of the knees.

        Parameters
        ----------
        max_rates : (n,) array_like
            Hz.
        intercepts : (n,) array_like
        dt : float
            Step, seconds.

        Returns
        -------
        gain, bias : (n,) ndarray
            Hz.
        """
        max_rates = np.asarray(np.atleast_1d(max_rates), dtype=float)
        intercepts = np.asarray(np.atleast_1d(intercepts), dtype=float)
        least = self.rates(0, [1.0], [0.0], dt).item()
        if np.any((max_rates <= least) | (max_rates > 1 / dt)):
            problem = f"must be over {least:.3g} Hz, the rate at no drive, and at most "
            raise NengoValidationError(f"{problem}{1 / dt:g} Hz", "max_rates", self)
        gain = drive_at(max_rates, self.kept, dt) / (1 - intercepts)
        return gain, -gain * intercepts

    def max_rates_intercepts(self, gain, bias):
        """Return the rates at 1, Hz, and where the knees are centred.

        Parameters
        ----------
        gain : (n,) array_like
        bias : (n,) array_like

        Returns
        -------
        max_rates, intercepts : (n,) ndarray
            Rates in Hz.
        """
        gain, bias = np.asarray(gain, dtype=float), np.asarray(bias, dtype=float)
        return self.rates(1.0, gain, bias)[0], -bias / gain

    def rates(self, x, gain, bias, dt: float = 0.001):
        """Return the rates, Hz: (n_samples, n_neurons).

        Parameters
        ----------
        x : array_like
            Inputs.
        gain : (n,) array_like
        bias : (n,) array_like
        dt : float
            Step, seconds.

        Returns
        -------
        ndarray
            Hz.
        """
        return rate_of(self.current(x, gain, bias), self.kept, dt)

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Return voltages and the generator that draws the noise.

        Parameters
        ----------
        n_neurons : int
        rng : numpy.random.RandomState
        dtype : dtype, optional

        Returns
        -------
        dict
            Signals by name, and ``rng``.
        """
        return super().make_state(n_neurons, rng, dtype) | {"rng": rng}

    def step(self, dt, J, output, voltage, rng):
        """Write the spikes of a step at drives ``J``, Hz, into ``output``.

        Parameters
        ----------
        dt : float
            Step, seconds.
        J : (n,) ndarray
            Drives, Hz.
        output : (n,) ndarray
            Spikes, ``1 / dt`` each.
        voltage : (n,) ndarray
        rng : numpy.random.RandomState
        """
        span = self.span(dt)
        voltage *= self.kept
        voltage += J + self.offset(dt) - span * rng.random_sample(np.shape(J))
        np.maximum(voltage, -2 * span, out=voltage)
        spiked = voltage > 0
        voltage[spiked] = 0
        output[...] = spiked / dt


def rate_of(J, kept: float = KEPT, dt: float = 0.001) -> np.ndarray:
    r"""Return the rate, Hz, of `NoisyRectifiedLinear` at a constant drive, Hz.

    In units of the noise a spike has the probability ``p = E max(0, j + lambda v)``,
    where the voltage ``v`` is 0 after a spike (probability ``p``), otherwise uniform
    below ``min(0, j + lambda v')`` with the ``v'`` before it, uniform on [-1, 0].

    Parameters
    ----------
    J : array_like
        Hz.
    kept : float
        ``lambda``.
    dt : float
        Step, seconds.

    Returns
    -------
    ndarray
    """
    lam, J = kept, np.asarray(J, dtype=float)
    if lam == 0:
        return np.clip(J, 0, 1 / dt)
    j = (1 - lam) * dt * J + lam / 2
    # beyond the knee the root of  lam/2 p^2 + (1 - lam) p + lam/2 - j = 0
    root = np.sqrt(np.maximum((1 - lam) ** 2 + 2 * lam * (j - lam / 2), 0))
    beyond = (root - (1 - lam)) / lam
    return np.clip(np.where(j < lam, _knee(np.clip(j, 0, lam), lam), beyond), 0, 1) / dt


def _knee(j: np.ndarray, lam: float) -> np.ndarray:
    """Return the spikes a step where the noise before decides: ``0 <= j <= lam``."""
    rest = lam - j
    missing = np.minimum(rest, j / lam)  # voltages that a negative j + lam v' rules out
    part = j * rest - (j + lam * rest) * missing / 2 + lam * missing**2 / 3
    above = j**2 / 2 - missing * part
    p = above / (lam * (1 - j))
    low = np.maximum(p - rest / lam, 0)  # and those that a positive one does
    return p - lam / 2 * low**2 / (1 - j)


def drive_at(rate, kept: float = KEPT, dt: float = 0.001) -> np.ndarray:
    """Return the drive, Hz, at which `NoisyRectifiedLinear` fires at a rate, Hz.

    Parameters
    ----------
    rate : array_like
        Hz.
    kept : float
        ``lambda``.
    dt : float
        Step, seconds.

    Returns
    -------
    ndarray
    """
    lam, p = kept, np.asarray(rate, dtype=float) * dt
    j = p + lam / 2 * (1 - p) ** 2
    knee = np.linspace(0, lam, 4097)
    j = np.where(j < lam, np.interp(p, _knee(knee, lam), knee), j) if lam else j
    return (j - lam / 2) / ((1 - lam) * dt)


# -- on the chip -----------------------------------------------------------------------


def register() -> None:
    """Register a builder of `NoisyRectifiedLinear` with nengo-loihi, once.

    The table of builders is how nengo-loihi is extended; nothing in it is replaced.
    """
    Builder = nengo_loihi().builder.builder.Builder
    if NoisyRectifiedLinear not in Builder.builders:
        Builder.register(NoisyRectifiedLinear)(_build)


def _build(model, neuron_type, neurons, block) -> None:
    """Write the numbers of noisy neurons into a block of nengo-loihi."""
    compartment, dt = block.compartment, model.dt
    span = neuron_type.span(dt)
    compartment.decay_v[:] = 1 - neuron_type.kept
    compartment.scale_v = False
    compartment.refract_delay[:] = REFRACTORY
    compartment.vmin, compartment.vmax = -2 * span, np.inf
    # a threshold of zero is not allowed: raised by a thousandth, and the bias with it
    compartment.vth[:] = span / 1000
    # Whole numbers of noise stand for their surroundings, half a level to either side,
    # and end one level below zero.
    half = 0.5 / LEVELS
    compartment.bias[:] += neuron_type.offset(dt) + span * (1 / 1000 + half)
    compartment.enable_noise[:] = 1
    compartment.noise_at_membrane = 1
    compartment.noise_exp = np.log10(span / 2)
    compartment.noise_offset = -1 - 2 * half


def anchor_weight(
    tau: float, dt: float = 0.001, kept: float = KEPT, largest: float = 0.0
) -> float:
    r"""Return the weight of a ``neurons -> neurons`` transform that makes noise exact.

    nengo-loihi scales every block such that its largest weight is 255 and then rounds
    the noise to a power of two: a block whose largest weight is any other number has a
    noise, and so rates, wrong by up to ``sqrt(2)``.  With the largest weight

    .. math::

        w = \frac{255 \cdot 2^6}{(1 - \lambda)\, 255 \cdot 2^{14}}
            \sum_k \Bigl(\frac{c}{2^{12}}\Bigr)^k

    it is exact, where the sum is that of the decaying current of one spike.  So it is
    with this weight times a power of two, which halves the noise, in whole numbers, as
    often: for a block with larger weights.

    Parameters
    ----------
    tau : float
        Time constant of the lowpass synapse of the block, seconds; 0 for none.
    dt : float
        Step, seconds.
    kept : float
        Of the neurons.
    largest : float
        Of the other weights of the block, which this one must not be below.

    Returns
    -------
    float

    Raises
    ------
    ValidationError
        If the other weights are too large.
    """
    _, area = chip_lowpass(tau, dt)
    weight = area * MANTISSA / (LEVELS * 2.0 ** (EXPONENT - 7) * (1 - kept))
    halvings = max(0, int(np.ceil(np.log2(max(largest, weight) / weight) - 1e-9)))
    if halvings > EXPONENT - LEAST_EXPONENT:
        problem = (
            f"leaves the noise fewer than {LEAST_EXPONENT} bits at tau = {tau:g} s"
        )
        most = weight * 2 ** (EXPONENT - LEAST_EXPONENT)
        remedy = (
            f"use weights of at most {most:.3g}, from more neurons, or a longer tau"
        )
        raise ValidationError("anchor_weight.largest", largest, problem, remedy)
    return weight * 2.0**halvings


def chip_lowpass(tau: float, dt: float = 0.001) -> tuple[float, float]:
    """Return a lowpass synapse as the chip has it.

    `integers.synaptic_decay` is the same without the formula, from above 0.

    Parameters
    ----------
    tau, dt : float
        Time constant and step, seconds.

    Returns
    -------
    a : float
        What is left of a current after a step, a multiple of 2^-12.
    area : float
        Sum over steps of the current of one spike of 2^21 by nengo-loihi's formula,
        which scales weights by it.  Rounding makes it less than ``1 / (1 - a)``.
    """
    magnitude = nengo_loihi().builder.discretize.decay_magnitude
    # stored as float32, then computed with in float64
    decay = float(np.float32(1.0 if tau == 0 else -np.expm1(-dt / tau)))
    whole = np.clip(np.round(decay * (DECAY - 1) - 1), 0, DECAY - 1)
    area = float(magnitude(np.array([whole]), x0=2**21, offset=1)[0])
    return float(DECAY - 1 - whole) / DECAY, area


def anchor(
    ensemble: nengo.Ensemble, tau: float, dt: float = 0.001, largest: float = 0.0
) -> nengo.Ensemble:
    """Give noisy neurons their exact noise by one silent input of the right weight.

    Call it in a `nengo.Network`.  A neuron on the host that never fires is connected
    to all of the ensemble, and costs each of its cores one input axon.  `check_noise`
    says whether another weight is larger after all.

    Parameters
    ----------
    ensemble : nengo.Ensemble
        Of `NoisyRectifiedLinear` neurons, with gains given as numbers.
    tau : float
        Time constant of its synapses, seconds: on Loihi one for all of a block.
    dt : float
        Step, seconds.
    largest : float
        Of the weights into its neurons, as a transform: what one spike over ``dt`` adds
        to the drive.  A value that comes from the host has the gain times ``dt``.

    Returns
    -------
    silent : nengo.Ensemble

    Raises
    ------
    ValidationError
        If the gain is a distribution, or the weights are too large.
    """
    gain = ensemble.gain
    if gain is None or isinstance(gain, Distribution):
        problem = "is not known yet, and weights into neurons are scaled by it"
        remedy = "give the ensemble its gain and bias, as from neuron_type.gain_bias"
        raise ValidationError("anchor.ensemble.gain", gain, problem, remedy)
    weight = anchor_weight(tau, dt, ensemble.neuron_type.kept, largest)
    weights = weight / np.broadcast_to(gain, ensemble.n_neurons)
    kind = nengo.SpikingRectifiedLinear(initial_state={"voltage": Choice([0])})
    silent = driven(1, kind, bias=-1e9, label="anchor")
    place(silent, on_chip=False)
    given = {"transform": weights[:, None], "synapse": tau or None, "label": "anchor"}
    nengo.Connection(silent.neurons, ensemble.neurons, **given)
    return silent


def has_noisy(network: nengo.Network) -> bool:
    """Return whether an ensemble of a network has noisy neurons.

    Parameters
    ----------
    network : nengo.Network

    Returns
    -------
    bool
    """
    kinds = (ensemble.neuron_type for ensemble in network.all_ensembles)
    return any(isinstance(kind, NoisyRectifiedLinear) for kind in kinds)


def noise_ratios(sim) -> list[tuple[str, float]]:
    """Return the width of the noise over the intended one, for each noisy block.

    Parameters
    ----------
    sim : nengo_loihi.Simulator
        Of integers: ``target="sim"`` or ``"loihi"``.

    Returns
    -------
    ratios : list of (str, float)
        The block's label and the ratio: 1 where rates are right.
    """
    ratios = []
    for block in sim.model.blocks:
        compartment = block.compartment
        if np.any(compartment.enable_noise) and compartment.noise_at_membrane:
            kept = (DECAY - int(compartment.decay_v[0])) / DECAY
            intended = compartment.discretize_info["v_scale"] / ((1 - kept) * sim.dt)
            made = LEVELS * 2.0 ** (compartment.noise_exp - 7)
            ratios.append((str(block), float(made / intended)))
    return ratios


def check_noise(sim, tolerance: float = 0.01) -> None:
    """Raise a ValidationError if nengo-loihi's rounding has changed the noise.

    Parameters
    ----------
    sim : nengo_loihi.Simulator
        Of integers.
    tolerance : float
        Of the ratio to the intended noise.

    Raises
    ------
    ValidationError
        If a block's noise is further from the intended one than ``tolerance``.
    """
    for label, ratio in noise_ratios(sim):
        if abs(ratio - 1) > tolerance:
            problem = "times the noise it should have, so rates are as much too low"
            remedy = "call anchor(ensemble, tau, largest=...) with the largest weight"
            raise ValidationError(label, round(ratio, 3), problem, remedy)
