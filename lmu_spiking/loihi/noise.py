r"""Neurons whose spikes are nearly Poisson on Loihi, made so by its compartment noise.

A Loihi core can add to the membrane of its compartments, in every step, a number drawn
uniformly from 255 equally spaced ones.  A membrane that keeps next to nothing from one
step to the next then fires with the probability that the drive and the noise together
cross the threshold, and that is linear in the drive because the noise is uniform:

.. math::

    v \leftarrow \lambda v + J + b - s\,U, \qquad
    \text{a spike and } v \leftarrow 0 \text{ if } v > 0, \qquad U \sim [0, 1].

With ``lambda = 0`` spikes are Bernoulli trials, more regular than Poisson spikes by
``1 - r dt``.  What is kept of the voltage mends that: without a spike the membrane is
left below zero, ``s / 2`` in the mean, and after one at zero, which makes the next
spike likelier.  It also fills the gaps between the 255 numbers, as digits to the base
``1 / lambda`` do.

Times are in seconds, drives and rates in Hz, ``dt`` is the step.
"""

import nengo
import numpy as np
from nengo.dists import Choice
from nengo.exceptions import ValidationError as NengoValidationError
from nengo.neurons import NeuronType
from nengo.params import NumberParam

from lmu_spiking.errors import MissingPackageError, ValidationError
from lmu_spiking.neurons import Unmerged

# What nengo-loihi's chip does with compartment noise (emulator/interface.py NoiseState,
# builder/discretize.py discretize_compartment and discretize_synapse, version 1.1.0).
LEVELS = 255  # values the noise can take, 2^(exponent - 7) apart
EXPONENT = 21  # noise of +-2^21 leaves as much again of the 23 bits of u for the drive
MANTISSA = 255 * 2**6  # the largest weight of a block becomes this whole number
KEPT = 0.125  # puts CV and Fano factor in the middle of what Poisson spikes are allowed
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
    kept = NumberParam("kept", low=0, high=0.25)

    def __init__(self, kept: float = KEPT, initial_state=None):
        super().__init__(initial_state)
        self.kept = kept

    def span(self, dt: float) -> float:
        """Width of the noise, Hz: ``s = 1 / ((1 - lambda) dt)``."""
        return 1.0 / ((1 - self.kept) * dt)

    def offset(self, dt: float) -> float:
        """Drive ``b`` that centres the knee on zero, Hz: ``s lambda / 2``."""
        return self.span(dt) * self.kept / 2

    def gain_bias(self, max_rates, intercepts, dt: float = 0.001):
        """Gain and bias for rates at 1 and for the centre of the knee."""
        max_rates = np.asarray(np.atleast_1d(max_rates), dtype=float)
        intercepts = np.asarray(np.atleast_1d(intercepts), dtype=float)
        least = self.rates(0, [1.0], [0.0], dt).item()
        if np.any((max_rates <= least) | (max_rates > 1 / dt)):
            problem = f"must be over {least:.3g} Hz, the rate at no drive, and at most "
            raise NengoValidationError(f"{problem}{1 / dt:g} Hz", "max_rates", self)
        gain = drive_at(max_rates, self.kept, dt) / (1 - intercepts)
        return gain, -gain * intercepts

    def max_rates_intercepts(self, gain, bias):
        """Rates at 1, Hz, and where the knee is centred."""
        gain, bias = np.asarray(gain, dtype=float), np.asarray(bias, dtype=float)
        return self.rates(1.0, gain, bias)[0], -bias / gain

    def rates(self, x, gain, bias, dt: float = 0.001):
        """Rates, Hz: (n_samples, n_neurons)."""
        return rate_of(self.current(x, gain, bias), self.kept, dt)

    def make_state(self, n_neurons, rng=np.random, dtype=None):
        """Voltages and the generator that draws the noise."""
        return super().make_state(n_neurons, rng, dtype) | {"rng": rng}

    def step(self, dt, J, output, voltage, rng):
        """One step of every neuron at drives ``J``, Hz."""
        span = self.span(dt)
        voltage *= self.kept
        voltage += J + self.offset(dt) - span * rng.random_sample(np.shape(J))
        np.maximum(voltage, -2 * span, out=voltage)
        spiked = voltage > 0
        voltage[spiked] = 0
        output[...] = spiked / dt


def rate_of(J, kept: float = KEPT, dt: float = 0.001) -> np.ndarray:
    r"""Rate, Hz, of `NoisyRectifiedLinear` at a constant drive ``J``, Hz.

    In units of the noise a spike has the probability ``p = E max(0, j + lambda v)``,
    where the voltage ``v`` is 0 after a spike (probability ``p``), otherwise uniform
    below ``min(0, j + lambda v')`` with the ``v'`` before it, uniform on [-1, 0].
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
    """Spikes a step where the noise before decides: ``0 <= j <= lam``."""
    rest = lam - j
    missing = np.minimum(rest, j / lam)  # voltages that a negative j + lam v' rules out
    part = j * rest - (j + lam * rest) * missing / 2 + lam * missing**2 / 3
    above = j**2 / 2 - missing * part
    p = above / (lam * (1 - j))
    low = np.maximum(p - rest / lam, 0)  # and those that a positive one does
    return p - lam / 2 * low**2 / (1 - j)


def drive_at(rate, kept: float = KEPT, dt: float = 0.001) -> np.ndarray:
    """Drive, Hz, at which `NoisyRectifiedLinear` fires at ``rate``, Hz, above zero."""
    lam, p = kept, np.asarray(rate, dtype=float) * dt
    j = p + lam / 2 * (1 - p) ** 2
    knee = np.linspace(0, lam, 4097)
    j = np.where(j < lam, np.interp(p, _knee(knee, lam), knee), j) if lam else j
    return (j - lam / 2) / ((1 - lam) * dt)


# -- on the chip -----------------------------------------------------------------------


def register() -> None:
    """Teach nengo-loihi to build `NoisyRectifiedLinear`; needed once before it does.

    The table of builders is how nengo-loihi is extended; nothing in it is replaced.
    """
    Builder = _nengo_loihi().builder.builder.Builder
    if NoisyRectifiedLinear not in Builder.builders:
        Builder.register(NoisyRectifiedLinear)(_build)


def _build(model, neuron_type, neurons, block) -> None:
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


def anchor_weight(tau: float, dt: float = 0.001, kept: float = KEPT) -> float:
    r"""Weight of a ``neurons -> neurons`` transform that makes the noise exact.

    nengo-loihi scales every block such that its largest weight is 255 and then rounds
    the noise to a power of two: a block whose largest weight is any other number has a
    noise, and so rates, wrong by up to ``sqrt(2)``.  With the largest weight

    .. math::

        w = \frac{255 \cdot 2^6}{(1 - \lambda)\, 255 \cdot 2^{14}}
            \sum_k \Bigl(\frac{c}{2^{12}}\Bigr)^k

    it is exact, where the sum is that of the decaying current of one spike.

    Parameters
    ----------
    tau : float
        Time constant of the lowpass synapse of the block, seconds; 0 for none.
    dt : float
        Step, seconds.
    kept : float
        Of the neurons.
    """
    from_chip = _nengo_loihi().builder.discretize.decay_magnitude
    decay = 1.0 if tau == 0 else -np.expm1(-dt / tau)
    whole = np.clip(np.round(np.float32(decay) * 4095 - 1), 0, 4095)
    area = float(from_chip(np.array([whole]), x0=2097152, offset=1)[0])
    return area * MANTISSA / (LEVELS * 2.0 ** (EXPONENT - 7) * (1 - kept))


def anchor(ensemble: nengo.Ensemble, tau: float, dt: float = 0.001):
    """Give noisy neurons their exact noise by one silent input of the right weight.

    Call it in a `nengo.Network`.  A neuron on the host that never fires is connected
    to all of the ensemble, and costs each of its cores one input axon.  No other weight
    may be larger; `check_noise` says whether one is.

    Parameters
    ----------
    ensemble : nengo.Ensemble
        Of `NoisyRectifiedLinear` neurons.
    tau : float
        Time constant of its synapses, seconds: on Loihi one for all of a block.
    dt : float
        Step, seconds.

    Returns
    -------
    silent : nengo.Ensemble
    """
    weight = anchor_weight(tau, dt, ensemble.neuron_type.kept)
    silent = nengo.Ensemble(
        1,
        1,
        neuron_type=nengo.SpikingRectifiedLinear(
            initial_state={"voltage": Choice([0])}
        ),
        encoders=[[1.0]],
        gain=[1.0],
        bias=[-1e9],
        label="anchor",
    )
    on_host(silent)
    nengo.Connection(
        silent.neurons,
        ensemble.neurons,
        transform=np.full((ensemble.n_neurons, 1), weight),
        synapse=tau or None,
        label="anchor",
    )
    return silent


def on_host(ensemble: nengo.Ensemble) -> None:
    """Keep an ensemble of the network that is being made off the chip."""
    for network in nengo.Network.context:
        _nengo_loihi().add_params(network)
        network.config[ensemble].on_chip = False


def noise_ratios(sim) -> list[tuple[str, float]]:
    """Width of the noise over the intended one, for each noisy block of a simulator.

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
            kept = (4096 - int(compartment.decay_v[0])) / 4096
            intended = compartment.discretize_info["v_scale"] / ((1 - kept) * sim.dt)
            made = LEVELS * 2.0 ** (compartment.noise_exp - 7)
            ratios.append((str(block), float(made / intended)))
    return ratios


def check_noise(sim, tolerance: float = 0.01) -> None:
    """Refuse a built network in which nengo-loihi's rounding has changed the noise.

    Raises
    ------
    ValidationError
        If a block's noise is further from the intended one than ``tolerance``.
    """
    for label, ratio in noise_ratios(sim):
        if abs(ratio - 1) > tolerance:
            raise ValidationError(
                label,
                round(ratio, 3),
                "times the noise it should have, so rates are as much too low",
                "call anchor(ensemble, tau) and keep every weight below anchor_weight",
            )


def _nengo_loihi():
    try:
        import nengo_loihi
    except ImportError:
        raise MissingPackageError("nengo-loihi", "loihi") from None
    return nengo_loihi
