"""Which neurons Loihi has, and refusals of those it would silently replace.

nengo-loihi looks its builders up along the bases of a type, so that any subclass of a
type it knows is built as that type: an ``AdaptiveLIF`` runs without adaptation.  Here a
neuron type passes only if it is, exactly, one that the chip reproduces, or one that
somebody has given a builder of its own.
"""

import nengo
from nengo import neurons as known

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.noise import NoisyRectifiedLinear

OFF_CHIP = "network.config[ensemble].on_chip = False"
HOST = f"take its ensemble off the chip: {OFF_CHIP}"
BASES = (known.LIFRate, known.RectifiedLinear)  # that RegularSpiking may have


def check_neuron_type(neuron_type, owner: str = "Ensemble") -> None:
    """Refuse neurons that Loihi lacks, or that nengo-loihi would build as others.

    Parameters
    ----------
    neuron_type : nengo.neurons.NeuronType
    owner : str
        What has it, for the error.

    Raises
    ------
    ValidationError
    """
    found = _fault(neuron_type)
    if found:
        raise ValidationError(f"{owner}.neuron_type", neuron_type, *found)


def _fault(neuron_type) -> tuple[str, str] | None:
    """What is wrong with a neuron type on the chip and the way out, or None."""
    from nengo_loihi.builder.builder import Builder

    kind = type(neuron_type)
    if kind is nengo.RegularSpiking:
        return _regular_fault(neuron_type)
    if kind in _faithful() or kind in Builder.builders:  # built as itself
        return None
    if isinstance(neuron_type, (nengo.PoissonSpiking, nengo.StochasticSpiking)):
        return (
            "draws its spikes at random, which Loihi cannot",
            'use neuron_type="if" (nengo.SpikingRectifiedLinear), or '
            "NoisyRectifiedLinear, whose spikes are nearly Poisson",
        )
    if isinstance(neuron_type, known.AdaptiveLIF):
        return (
            "would be built as LIF, without adaptation",
            f"use nengo.LIF, or {HOST}",
        )
    for base in (*_faithful(), nengo.RegularSpiking):
        if isinstance(neuron_type, base):
            return (
                f"would be built as its base {base.__name__}",
                f"use {base.__name__} itself, or {HOST}",
            )
    if not neuron_type.spiking:
        return (
            "has rates, and Loihi only spikes",
            "use its spiking counterpart, nengo.LIF or nengo.SpikingRectifiedLinear, "
            f"or {HOST}",
        )
    return (
        "does not exist on Loihi",
        f"use nengo.LIF or nengo.SpikingRectifiedLinear, or {HOST}",
    )


def _regular_fault(neuron_type) -> tuple[str, str] | None:
    base = neuron_type.base_type
    if type(base) not in BASES:
        return (
            f"has the base type {type(base).__name__}, of which Loihi has no neurons",
            f"use nengo.LIFRate() or nengo.RectifiedLinear(), or {HOST}",
        )
    if base.amplitude != 1:
        return (
            f"has the amplitude {base.amplitude:g} on its base type, where it scales "
            "rates",
            f"give it to RegularSpiking itself: amplitude={base.amplitude:g}",
        )
    return None


def _faithful() -> tuple[type, ...]:
    """Types that the chip reproduces as they are; the most derived first."""
    from nengo_loihi.neurons import LoihiLIF, LoihiSpikingRectifiedLinear

    return (
        NoisyRectifiedLinear,
        LoihiLIF,
        LoihiSpikingRectifiedLinear,
        nengo.LIF,
        nengo.SpikingRectifiedLinear,
    )
