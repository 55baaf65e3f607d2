r"""Neurons of an LMU in NengoDL, with the gradients that training wants.

A rectifier pair decodes ``x = max(0, x) - max(0, -x)``.  TensorFlow differentiates a
rectifier at 0 to 0, and so the pair, where a memory at rest is: no gradient would pass.
Written as ``(J + |J|) / 2`` a rectifier has the slope 1/2 at 0, and the pair the slope
1, which it has everywhere else.

Units with the rates of a chip have the gradients of `training.chip`.
"""

import nengo

from lmu_spiking.networks.chip import ChipRate
from lmu_spiking.training._keras import nengo_dl, tensorflow
from lmu_spiking.training.chip import curve_of


class PairRectified(nengo.RectifiedLinear):
    """Rectified-linear rates that NengoDL gives the slope 1/2 at 0."""

    follows = True  # its drive at once, see `tuning.unheld`


def register() -> None:
    """Tell NengoDL how to build types of ours; its own are left alone."""
    neuron_builders = nengo_dl().neuron_builders
    known = neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    if PairRectified not in known:
        known[PairRectified] = _of_pairs(neuron_builders.TFNeuronBuilder)
        known[ChipRate] = _of_chip(neuron_builders.TFNeuronBuilder)


def _of_pairs(base):
    tf = tensorflow()

    class PairRectifiedBuilder(base):
        def step(self, J, dt):
            return (J + tf.abs(J)) / 2

    return PairRectifiedBuilder


def _of_chip(base):
    tf = tensorflow()

    class ChipRateBuilder(base):
        def step(self, J, dt):
            sizes = [op.J.shape[0] for op in self.ops]  # of cells side by side
            each = zip(tf.split(J, sizes, axis=-1), self.ops, strict=True)
            return tf.concat([_rates(op.neurons, a) for a, op in each], axis=-1)

    def _rates(neurons: ChipRate, a):
        h = curve_of(neurons.activation, neurons.chip)(a)
        return neurons.chip.max_rate * h

    return ChipRateBuilder
