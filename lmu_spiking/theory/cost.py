r"""What a memory costs a chip: spikes times the weights they drive.

A *synaptic operation* is one spike that arrives at one synapse: a weight is fetched and
added (Merolla et al. 2014; Davies et al. 2018).  What a spike drives depends on where
the factors of the recurrent weights are kept.  For ``s`` spikes per second of ``m``
neurons, order ``d`` and step ``dt``:

- *Factored*, as the network here is built: a spike adds its decoder to the one
  dimension that it represents.  Then, clocked and whether or not there are spikes,
  a step takes ``d^2`` multiplications for ``A'``, ``d`` for the input and ``m`` for
  the encoders:

  .. math:: s + (d^2 + d + m) / dt .

- *Full*, neuron to neuron, with weights ``e_j A'_{ij} d_k`` and nothing clocked: the
  delay network's ``A'`` has no zeros, so a spike drives all neurons:

  .. math:: s\, m .

Error feedback adds ``d`` multiplications to a step of the factored layout, for its
gain, and in the full one a second weight, with a synapse of its own, to each of the
``m / d`` neurons of a spike's own dimension.  Of several channels each counts, with its
own share of the neurons.  Readouts are not counted, nor is the input of the full
layout.
"""

from dataclasses import dataclass

from lmu_spiking.memory.spec import MemorySpec


@dataclass(frozen=True)
class SynapticOperations:
    """Operations per second of a memory in both layouts.

    Parameters
    ----------
    by_spikes : float
        Decoders that spikes add, in the factored layout.
    clocked : float
        Multiplications of every step, in the factored layout.
    full : float
        Weights that spikes add from neuron to neuron.
    """

    by_spikes: float
    clocked: float
    full: float

    @property
    def factored(self) -> float:
        """Return all operations of the factored layout."""
        return self.by_spikes + self.clocked


def synaptic_operations(spec: MemorySpec, spikes_per_s: float) -> SynapticOperations:
    """Return what a memory costs; see the module for what is counted.

    Parameters
    ----------
    spec : MemorySpec
    spikes_per_s : float
        Spikes per second of all neurons.

    Returns
    -------
    SynapticOperations
        Operations per second of both layouts.
    """
    d, m, channels = spec.order, spec.n_neurons, spec.size_in
    spikes = float(spikes_per_s)
    # the neurons of a channel are wired to those of the same one
    clocked, full = channels * (d**2 + d) + m, m / channels
    if spec.error_feedback is not None:
        clocked, full = clocked + channels * d, full * (1 + 1 / d)
    return SynapticOperations(spikes, clocked / spec.dt, spikes * full)
