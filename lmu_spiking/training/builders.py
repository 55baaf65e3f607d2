r"""Neurons of a memory in NengoDL, whose gradient at rest is that of the line.

A rectifier pair decodes ``x = max(0, x) - max(0, -x)``.  TensorFlow differentiates a
rectifier at 0 to 0, and so the pair, where a memory at rest is: no gradient would pass.
Written as ``(J + |J|) / 2`` a rectifier has the slope 1/2 at 0, and the pair the slope
1, which it has everywhere else.
"""

import nengo

from lmu_spiking.training._keras import nengo_dl, tensorflow


class PairRectified(nengo.RectifiedLinear):
    """Rectified-linear rates that NengoDL gives the slope 1/2 at 0."""


def register() -> None:
    """Tell NengoDL how to build `PairRectified`; its own types are left alone."""
    neuron_builders = nengo_dl().neuron_builders
    known = neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    if PairRectified not in known:
        known[PairRectified] = _builder(neuron_builders.TFNeuronBuilder)


def _builder(base):
    tf = tensorflow()

    class PairRectifiedBuilder(base):
        def step(self, J, dt):
            return (J + tf.abs(J)) / 2

    return PairRectifiedBuilder
