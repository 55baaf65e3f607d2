"""A memory laid out for the chip, as a network."""

import nengo
import numpy as np
from scipy.signal import lfilter

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.integers import synaptic_decay
from lmu_spiking.loihi.chip.pulses import Pulses
from lmu_spiking.loihi.chip.upstream import nengo_loihi
from lmu_spiking.loihi.mapping.input_weights import sizes
from lmu_spiking.loihi.mapping.layout import Layout
from lmu_spiking.loihi.mapping.relayed import RelayedLayout, Stage
from lmu_spiking.networks.bare_ensemble import driven
from lmu_spiking.networks.blockwise import AsBuilt


class ChipMemory(AsBuilt, nengo.Network):
    """The network of a `Layout`: a memory on ``core``, ``simreal``, emulator or board.

    Parameters
    ----------
    layout : Layout
    label, seed, add_to_container
        As in `nengo.Network`.
    pulses : int
        Neurons of the pulses, at least; those of the layout by default.

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

    def __init__(
        self, layout: Layout, label=None, seed=None, add_to_container=None, pulses=0
    ):
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        self.layout, inputs = layout, layout.inputs
        synapse = nengo.Lowpass(layout.tau)
        with self:
            self.input = nengo.Node(size_in=1, label="input")
            self.neurons = _stage(layout, "memory")
            self.pulses = None
            source = self.input
            if layout.target != "core":
                inputs = widened(inputs, pulses)
                self.pulses = _pulses(self.input, layout.input_range, inputs.shape[1])
                source = self.pulses.neurons
                _place(self.pulses, {self.neurons: layout.block})
            nengo.Connection(
                source, self.neurons.neurons, transform=inputs, synapse=synapse
            )
            nengo.Connection(
                self.neurons.neurons,
                self.neurons.neurons,
                transform=layout.weights,
                synapse=synapse,
            )
            self.spikes = nengo.Probe(self.neurons.neurons, label="spikes")
        self.built()


class RelayedMemory(AsBuilt, nengo.Network):
    """The network of a `RelayedLayout`.

    Parameters
    ----------
    layout : RelayedLayout
    label, seed, add_to_container
        As in `nengo.Network`.

    Attributes
    ----------
    input : nengo.Node
        One input.
    neurons, relays : nengo.Ensemble
        On the chip, driven and read through ``.neurons`` alone.
    pulses : nengo.Ensemble or None
        The input as spikes, on the host; None on ``core``.
    spikes : nengo.Probe
        Of the memory's neurons.
    relayed : nengo.Probe
        Spikes of the relays; `read_relayed` decodes them.
    """

    def __init__(
        self, layout: RelayedLayout, label=None, seed=None, add_to_container=None
    ):
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        self.layout = layout
        memory, relays = layout.memory, layout.relays
        with self:
            self.input = nengo.Node(size_in=1, label="input")
            self.neurons = _stage(memory, "memory")
            self.relays = _stage(relays, "relays")
            self.pulses, source = None, self.input
            if layout.target != "core":
                width = max(stage.inputs.shape[1] for stage in (memory, relays))
                self.pulses = _pulses(self.input, layout.input_range, width)
                source = self.pulses.neurons
                _place(
                    self.pulses,
                    {self.neurons: memory.block, self.relays: relays.block},
                )
            there = self.neurons.neurons, nengo.Lowpass(layout.tau)
            back = self.relays.neurons, nengo.Lowpass(layout.tau_relay)
            for stage, (post, synapse) in ((memory, there), (relays, back)):
                heard = widened(stage.inputs, source.size_out)
                nengo.Connection(source, post, transform=heard, synapse=synapse)
            nengo.Connection(
                back[0], there[0], transform=memory.weights, synapse=there[1]
            )
            nengo.Connection(
                there[0],
                back[0],
                transform=_within(relays, memory),
                synapse=back[1],
            )
            self.spikes = nengo.Probe(self.neurons.neurons, label="spikes")
            self.relayed = nengo.Probe(self.relays.neurons, label="relayed")
        self.built()


def _stage(stage: Layout | Stage, label: str) -> nengo.Ensemble:
    curves = stage.curves
    return driven(
        len(curves.gain),
        curves.neurons,
        encoders=curves.encoders,
        gain=curves.gain,
        bias=curves.bias,
        label=label,
    )


def _within(post: Stage, pre: Stage) -> nengo.transforms.Sparse:
    """Weights between neurons of the same coordinate; no axons between others."""
    same = post.curves.dimension[:, None] == pre.curves.dimension
    return nengo.transforms.Sparse(
        post.weights.shape, indices=np.argwhere(same), init=post.weights[same]
    )


def _pulses(source: nengo.Node, input_range: float, width: int) -> nengo.Ensemble:
    pulses = driven(width, Pulses(sizes(width // 2)), label="pulses")
    scale = np.full((width, 1), 1 / input_range)
    nengo.Connection(source, pulses.neurons, transform=scale, synapse=None)
    return pulses


def widened(inputs: np.ndarray, width: int) -> np.ndarray:
    """Weights of the pulses (n, width): none of the coarse ones that are not heard."""
    return np.pad(inputs, ((0, 0), (0, max(0, width - inputs.shape[1]))))


def _place(pulses: nengo.Ensemble, blocks: dict) -> None:
    """So many neurons of each ensemble on a core; the pulses on the host."""
    loihi = nengo_loihi()
    # NengoLoihi asks the outermost network for one, the innermost for the other
    for network in nengo.Network.context:
        loihi.add_params(network)
        network.config[pulses].on_chip = False
        for ens, block in blocks.items():
            shape = loihi.BlockShape((block,), (ens.n_neurons,))
            network.config[ens].block_shape = shape


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
    if np.any(spikes) and np.isin(spikes, (0, 1)).all():
        raise ValidationError(
            "read_state.spikes",
            1,
            f"is a count, and a spike is 1/dt = {1 / layout.dt:g}",
            "divide what replay gives by dt",
        )
    curves, mapped = layout.curves, layout.mapped
    decoded = spikes @ layout.decoding.decoders.T
    return _read(
        layout, decoded @ (curves.T @ mapped.A @ curves.U).T, u, mapped.B[:, 0]
    )


def read_relayed(layout: RelayedLayout, relayed: np.ndarray, u) -> np.ndarray:
    r"""The memory's state, from the spikes of its relays.

    .. math:: x_k = a x_{k-1} + (1 - a)(A_1 D' s'_{k-1} + B_1 u_{k-1}), \qquad m = U x

    That is all that the memory's neurons hear.

    Parameters
    ----------
    relayed : (T, n_r) ndarray
        Of the probe of the relays, ``1 / dt`` each.
    u : (T,) ndarray
        What was put in.

    Returns
    -------
    (T, d) ndarray
        At index ``k``, the state after input ``k - 1``.
    """
    curves, loop = layout.curves, layout.relayed
    decoded = relayed @ layout.relays.decoding.decoders.T
    return _read(layout, decoded @ (curves.T @ loop.A1 @ curves.U).T, u, loop.B1)


def _read(layout, drive: np.ndarray, u, entry: np.ndarray) -> np.ndarray:
    """State (T, d) of a memory that receives ``drive``, and ``u`` by ``entry`` (d,)."""
    a, heard = (
        synaptic_decay(layout.tau, layout.dt, layout.target),
        np.asarray(u, float),
    )
    if layout.target != "core":
        heard = np.clip(heard, -layout.input_range, layout.input_range)
    drive = drive + np.outer(heard, layout.curves.T @ entry)
    after = lfilter([1 - a], [1, -a], drive, axis=0) @ layout.curves.U.T
    return np.vstack([np.zeros_like(after[:1]), after[:-1]])
