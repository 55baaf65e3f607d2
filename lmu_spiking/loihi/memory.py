"""A memory laid out for the chip, as a network."""

import nengo
import numpy as np
from scipy.signal import lfilter

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.arithmetic import synaptic_decay
from lmu_spiking.loihi.layout import PAIRS, Layout
from lmu_spiking.loihi.pulses import Pulses
from lmu_spiking.networks.driven import driven


class ChipMemory(nengo.Network):
    """The network of a `Layout`: a memory on ``core``, ``simreal``, emulator or board.

    Parameters
    ----------
    layout : Layout
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        One input.
    neurons : nengo.Ensemble
        On the chip, driven and read through ``.neurons`` alone.
    pulses : nengo.Ensemble or None
        The input as spikes, on the host; None on ``core``.
    spikes : nengo.Probe
        Of all neurons; `read_state` decodes them.
    """

    def __init__(self, layout: Layout, label=None, seed=None, add_to_container=None):
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        self.layout = layout
        curves, chip = layout.curves, layout.target != "core"
        synapse = nengo.Lowpass(layout.tau)
        with self:
            self.input = nengo.Node(size_in=1, label="input")
            self.neurons = driven(
                layout.n_neurons,
                curves.neurons,
                encoders=curves.encoders,
                gain=curves.gain,
                bias=curves.bias,
                label="memory",
            )
            self.pulses = None
            source = self.input
            if chip:
                self.pulses = driven(2 * PAIRS, Pulses(PAIRS), label="pulses")
                nengo.Connection(
                    self.input,
                    self.pulses.neurons,
                    transform=np.full((2 * PAIRS, 1), 1 / layout.input_range),
                    synapse=None,
                )
                source = self.pulses.neurons
                self._place()
            nengo.Connection(
                source, self.neurons.neurons, transform=layout.inputs, synapse=synapse
            )
            nengo.Connection(
                self.neurons.neurons,
                self.neurons.neurons,
                transform=layout.weights,
                synapse=synapse,
            )
            self.spikes = nengo.Probe(self.neurons.neurons, label="spikes")

    def _place(self) -> None:
        """Which neurons stand on which core; the pulses on the host."""
        import nengo_loihi

        shape = (self.layout.block,), (self.layout.n_neurons,)
        # NengoLoihi asks the outermost network for one, the innermost for the other
        for network in nengo.Network.context:
            nengo_loihi.add_params(network)
            network.config[self.pulses].on_chip = False
            network.config[self.neurons].block_shape = nengo_loihi.BlockShape(*shape)


def read_state(layout: Layout, spikes: np.ndarray, u: np.ndarray) -> np.ndarray:
    r"""The memory's state, from its spikes.

    .. math:: x_k = a x_{k-1} + (1 - a)(A' D s_{k-1} + B' u_{k - 1}), \qquad m = U x

    As `LegendreMemory.state`, it is the state after input ``k - 1`` at index ``k``.

    Parameters
    ----------
    spikes : (T, m) ndarray
        Of the probe, ``1 / dt`` each.
    u : (T,) ndarray
        What was put in.

    Returns
    -------
    (T, d) ndarray
        At index ``k``, the state after input ``k - 1``.
    """
    if np.shape(spikes) != (len(u), layout.n_neurons):
        raise ValidationError(
            "read_state.spikes",
            np.shape(spikes),
            f"must be {layout.n_neurons} neurons at the {len(u)} steps of u",
        )
    a = synaptic_decay(layout.tau, layout.dt, layout.target)
    curves, mapped = layout.curves, layout.mapped
    decoded, heard = spikes @ layout.decoding.decoders.T, np.asarray(u, dtype=float)
    if layout.target != "core":
        heard = np.clip(heard, -layout.input_range, layout.input_range)
    drive = decoded @ (curves.T @ mapped.A @ curves.U).T
    drive += np.outer(heard, curves.T @ mapped.B[:, 0])
    after = lfilter([1 - a], [1, -a], drive, axis=0) @ curves.U.T
    return np.vstack([np.zeros_like(after[:1]), after[:-1]])
