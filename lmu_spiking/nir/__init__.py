"""Memories and converted cells as graphs of NIR, and such graphs as Nengo networks.

NIR [1]_ is a file format that other simulators and chips read.  `to_nir` draws a graph,
`from_nir` builds a network from one.  What NIR cannot say is in
`export_neurons.SAYS_NOT`.

References
----------
.. [1] Pedersen et al. (2024). Neuromorphic intermediate representation: a unified
   instruction set for interoperable brain-inspired computing. Nature Communications 15.
"""

from lmu_spiking.nir.export import to_nir
from lmu_spiking.nir.import_graph import NIRNetwork, from_nir
from lmu_spiking.nir.neurons import PromptLIF, SignedIF
from lmu_spiking.nir.tonic_neurons import tonic

__all__ = ["NIRNetwork", "PromptLIF", "SignedIF", "from_nir", "to_nir", "tonic"]
