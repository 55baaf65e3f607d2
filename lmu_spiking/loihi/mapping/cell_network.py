"""A trained cell laid out for the chip, as a network."""

import nengo

from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.loihi.mapping.cell import CellLayout
from lmu_spiking.loihi.mapping.memory import ChipMemory, widened
from lmu_spiking.networks.bare_ensemble import driven
from lmu_spiking.networks.blockwise import AsBuilt


class ChipCell(AsBuilt, nengo.Network):
    """The network of a `CellLayout`, on ``core``, ``simreal``, emulator or board.

    Parameters
    ----------
    layout : CellLayout
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        What the memory is given, ``e_x x + b_u``: `CellLayout.drive`.
    memory : ChipMemory
    units : nengo.Ensemble
        Hidden units, ``copies`` neurons each, driven and read through ``.neurons``.
    spikes : nengo.Probe
        Of the units; `CellLayout.outputs` reads them.
    """

    def __init__(
        self, layout: CellLayout, label=None, seed=None, add_to_container=None
    ):
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        self.layout = layout
        units, synapse = layout.units, nengo.Lowpass(layout.memory.tau)
        with self:
            width = units.inputs.shape[1]
            self.memory = ChipMemory(layout.memory, label="memory", pulses=width)
            self.input = self.memory.input
            self.units = driven(
                len(units.unit),
                units.neurons,
                gain=units.gain,
                bias=units.bias,
                label="units",
            )
            pulses = self.memory.pulses
            if pulses is not None:
                self._place()
            source = self.input if pulses is None else pulses.neurons
            heard = widened(units.inputs, source.size_out)
            nengo.Connection(
                source, self.units.neurons, transform=heard, synapse=synapse
            )
            nengo.Connection(
                self.memory.neurons.neurons,
                self.units.neurons,
                transform=units.weights,
                synapse=synapse,
            )
            self.spikes = nengo.Probe(self.units.neurons, label="unit spikes")
        self.built()

    def _place(self) -> None:
        loihi = nengo_loihi()
        shape = (self.layout.units.block,), (len(self.layout.units.unit),)
        for network in nengo.Network.context:
            loihi.add_params(network)
            network.config[self.units].block_shape = loihi.BlockShape(*shape)
