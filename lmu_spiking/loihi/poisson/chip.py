"""Noisy neurons on Loihi: how they are built, and how their noise is kept exact.

nengo-loihi gives every block of compartments a scale of its own, from its largest
weight, and can then make the noise only a power of two.  The noise is as wide as it
should be if the largest weight is the right one, which `anchor` sees to.
"""

import nengo
import numpy as np
from nengo.dists import Choice, Distribution

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.loihi.poisson.neuron import KEPT, NoisyRectifiedLinear

# What nengo-loihi's chip does with compartment noise (emulator/interface.py NoiseState,
# builder/discretize.py discretize_compartment and discretize_synapse, version 1.1.0).
LEVELS = 255  # values the noise can take, 2^(exponent - 7) apart
EXPONENT = 21  # noise of +-2^21 leaves as much again of the 23 bits of u for the drive
LEAST_EXPONENT = 14  # so that the threshold and biases keep seven bits and more
MANTISSA = 255 * 2**6  # the largest weight of a block becomes this whole number
REFRACTORY = 1  # steps from a spike to the next that is allowed: none is lost


def register() -> None:
    """Teach nengo-loihi to build `NoisyRectifiedLinear`; needed once before it does.

    The table of builders is how nengo-loihi is extended; nothing in it is replaced.
    """
    Builder = nengo_loihi().builder.builder.Builder
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


def anchor_weight(
    tau: float, dt: float = 0.001, kept: float = KEPT, largest: float = 0.0
) -> float:
    r"""Weight of a ``neurons -> neurons`` transform that makes the noise exact.

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
    """
    _, area = chip_lowpass(tau, dt)
    weight = area * MANTISSA / (LEVELS * 2.0 ** (EXPONENT - 7) * (1 - kept))
    halvings = max(0, int(np.ceil(np.log2(max(largest, weight) / weight) - 1e-9)))
    if halvings > EXPONENT - LEAST_EXPONENT:
        raise ValidationError(
            "anchor_weight.largest",
            largest,
            f"leaves the noise fewer than {LEAST_EXPONENT} bits at tau = {tau:g} s",
            f"use weights of at most {weight * 2 ** (EXPONENT - LEAST_EXPONENT):.3g}, "
            "from more neurons, or a longer tau",
        )
    return weight * 2.0**halvings


def chip_lowpass(tau: float, dt: float = 0.001) -> tuple[float, float]:
    """A lowpass synapse as the chip has it.

    Returns
    -------
    a : float
        What is left of a current after a step, a multiple of 2^-12.
    area : float
        Sum over steps of the current of one spike of 2^21 by nengo-loihi's formula,
        which scales weights by it.  Rounding makes it less than ``1 / (1 - a)``.
    """
    magnitude = nengo_loihi().builder.discretize.decay_magnitude
    decay = np.float32(1.0 if tau == 0 else -np.expm1(-dt / tau))
    whole = np.clip(np.round(decay * 4095 - 1), 0, 4095)
    area = float(magnitude(np.array([whole]), x0=2**21, offset=1)[0])
    return float(4095 - whole) / 4096, area


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
    """
    gain = ensemble.gain
    if gain is None or isinstance(gain, Distribution):
        raise ValidationError(
            "anchor.ensemble.gain",
            gain,
            "is not known yet, and weights into neurons are scaled by it",
            "give the ensemble its gain and bias, as from neuron_type.gain_bias",
        )
    weight = anchor_weight(tau, dt, ensemble.neuron_type.kept, largest)
    weights = weight / np.broadcast_to(gain, ensemble.n_neurons)
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
        transform=weights[:, None],
        synapse=tau or None,
        label="anchor",
    )
    return silent


def on_host(ensemble: nengo.Ensemble) -> None:
    """Keep an ensemble of the network that is being made off the chip."""
    for network in nengo.Network.context:
        nengo_loihi().add_params(network)
        network.config[ensemble].on_chip = False


def has_noisy(network: nengo.Network) -> bool:
    """Whether an ensemble of a network has noisy neurons."""
    kinds = (ensemble.neuron_type for ensemble in network.all_ensembles)
    return any(isinstance(kind, NoisyRectifiedLinear) for kind in kinds)


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
                "call anchor(ensemble, tau, largest=...) with the largest weight",
            )
