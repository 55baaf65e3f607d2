"""Memories and converted cells as graphs of NIR, and such graphs as Nengo networks.

NIR [1]_ is a file format that other simulators and chips read.  `to_nir` draws a graph,
`from_nir` builds a network of one; what NIR cannot say is in `limits.SAYS_NOT`.

References
----------
.. [1] Pedersen et al. (2024). Neuromorphic intermediate representation: a unified
   instruction set for interoperable brain-inspired computing. Nature Communications 15.
"""

from lmu_spiking.nir.draw import to_nir
from lmu_spiking.nir.lif import PromptLIF, SignedIF
from lmu_spiking.nir.network import NIRNetwork
from lmu_spiking.nir.read import from_nir
from lmu_spiking.nir.tonic import tonic

__all__ = ["NIRNetwork", "PromptLIF", "SignedIF", "from_nir", "to_nir", "tonic"]
