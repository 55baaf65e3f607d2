"""A memory laid out for the chip, as a network, and its state from its spikes."""

from typing import TYPE_CHECKING

import nengo
import numpy as np
from scipy.signal import lfilter

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.chip.integers import synaptic_decay
from lmu_spiking.loihi.chip.pulses import Pulses, sizes
from lmu_spiking.loihi.chip.upstream import place
from lmu_spiking.networks.blockwise import AsBuilt
from lmu_spiking.neurons.bare_ensemble import driven

if TYPE_CHECKING:
    from lmu_spiking.loihi.mapping.layout import Layout


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
    relays : nengo.Ensemble or None
        Decode neurons, likewise, where the layout has any.
    pulses : nengo.Ensemble or None
        The input as spikes, on the host; None on ``core``.
    spikes : nengo.Probe
        Of the memory's neurons.
    relayed : nengo.Probe or None
        Of the decode neurons.
    spike_probes : tuple of nengo.Probe
        Of all neurons; `read_state` decodes the spikes of the last.
    """

    def __init__(
        self,
        layout: "Layout",
        label=None,
        seed=None,
        add_to_container=None,
        pulses: int = 0,
    ):
        super().__init__(label=label, seed=seed, add_to_container=add_to_container)
        self.layout, stages = layout, layout.stages
        width = max(pulses, *(stage.inputs.shape[1] for stage in stages))
        with self:
            self.input = nengo.Node(size_in=1, label="input")
            names = zip(stages, ("memory", "relays"), strict=False)
            groups = [_population(stage.curves, name) for stage, name in names]
            self.neurons, self.relays = (*groups, None)[:2]
            # the input itself, or as spikes of the host
            self.pulses, source = None, self.input
            if layout.target != "core":
                self.pulses = _pulses(self.input, layout.input_range, width)
                source = self.pulses.neurons
                place(self.pulses, on_chip=False)
                for stage, group in zip(stages, groups, strict=True):
                    place(group, block=stage.block)
            for stage, group in zip(stages, groups, strict=True):
                weights = widened(stage.inputs, source.size_out)
                connect(source, group, weights, stage.tau)
            # one population receives its own spikes, two each other's
            ring = zip(stages, groups, groups[::-1], strict=True)
            for k, (stage, post, pre) in enumerate(ring):
                weights = stage.weights if k == 0 else _own_dimensions(layout)
                connect(pre.neurons, post, weights, stage.tau)
            labels = zip(groups, ("spikes", "relayed"), strict=False)
            self.spike_probes = tuple(
                nengo.Probe(g.neurons, label=name) for g, name in labels
            )
            self.spikes, self.relayed = (*self.spike_probes, None)[:2]
        self.built()


def build_memory(layout: "Layout", u: np.ndarray) -> ChipMemory:
    """Return the network of a layout that is fed the samples ``u`` (T,).

    Parameters
    ----------
    layout : Layout
    u : (T,) ndarray
        Samples of the input.

    Returns
    -------
    ChipMemory
    """
    stimulus = nengo.Node(nengo.processes.PresentInput(u[:, None], layout.dt))
    network = ChipMemory(layout, label="memory")
    nengo.Connection(stimulus, network.input, synapse=None)
    return network


def _population(curves, label: str) -> nengo.Ensemble:
    """Return the neurons of one stage."""
    given = {"gain": curves.gain, "bias": curves.bias, "encoders": curves.encoders}
    return driven(len(curves.gain), curves.neurons, label=label, **given)


def connect(pre, post: nengo.Ensemble, weights, tau: float) -> None:
    """Connect to the neurons of an ensemble, through a lowpass synapse.

    Parameters
    ----------
    pre : nengo object
        What sends.
    post : nengo.Ensemble
        What receives.
    weights : array_like or Sparse
        Transform.
    tau : float
        Synapse, seconds.
    """
    synapse = nengo.Lowpass(tau)
    nengo.Connection(pre, post.neurons, transform=weights, synapse=synapse)


def _own_dimensions(layout: "Layout") -> nengo.transforms.Sparse:
    """Return the weights into decode neurons, without axons between dimensions."""
    pre, post = layout.stages
    same = post.curves.dimension[:, None] == pre.curves.dimension
    return nengo.transforms.Sparse(
        post.weights.shape, indices=np.argwhere(same), init=post.weights[same]
    )


def _pulses(source: nengo.Node, input_range: float, width: int) -> nengo.Ensemble:
    """Return the neurons of the host that send a number as spikes."""
    pulses = driven(width, Pulses(sizes(width // 2)), label="pulses")
    scale = np.full((width, 1), 1 / input_range)
    nengo.Connection(source, pulses.neurons, transform=scale, synapse=None)
    return pulses


def widened(inputs: np.ndarray, width: int) -> np.ndarray:
    """Return the weights of so many pulses (n, width): 0 for those not received.

    Parameters
    ----------
    inputs : (n, 2 K) ndarray
    width : int
        Number of pulses.

    Returns
    -------
    ndarray
    """
    return np.pad(inputs, ((0, 0), (0, max(0, width - inputs.shape[1]))))


def read_state(layout: "Layout", spikes: np.ndarray, u: np.ndarray) -> np.ndarray:
    r"""Return the memory's state, from its spikes.

    .. math:: x_k = a x_{k-1} + (1 - a)(A' D s_{k-1} + B' u_{k - 1}), \qquad m = U x

    As `LegendreMemory.state`, it is the state after input ``k - 1`` at index ``k``.
    With decode neurons (`relayed`), ``s`` are theirs, ``A' = A_1`` and ``B' = B_1``:
    the memory's neurons receive nothing else.

    Parameters
    ----------
    layout : Layout
    spikes : (T, m) ndarray
        Of the probe, ``1 / dt`` each.
    u : (T,) ndarray
        The input.

    Returns
    -------
    (T, d) ndarray
        At index ``k``, the state after input ``k - 1``.

    Raises
    ------
    ValidationError
        If spikes are not those of all neurons at all steps, or are counts.
    """
    last = layout.stages[-1]
    n = len(last.curves.gain)
    if np.shape(spikes) != (len(u), n):
        problem = f"must be {n} neurons at the {len(u)} steps of u"
        raise ValidationError("read_state.spikes", np.shape(spikes), problem)
    if np.any(spikes) and np.isin(spikes, (0, 1)).all():
        problem = f"is a count, and a spike is 1/dt = {1 / layout.dt:g}"
        remedy = "divide what replay gives by dt"
        raise ValidationError("read_state.spikes", 1, problem, remedy)
    # what drives the memory's synapse: the decoded coordinates, and the input
    curves, mapped = layout.curves, layout.mapped
    decoded = spikes @ last.decoding.decoders.T
    drive = decoded @ (curves.T @ mapped.A @ curves.U).T
    a = synaptic_decay(layout.tau, layout.dt, layout.target)
    received = np.asarray(u, dtype=float)
    if layout.target != "core":
        received = np.clip(received, -layout.input_range, layout.input_range)
    drive = drive + np.outer(received, curves.T @ mapped.B.ravel())
    after = lfilter([1 - a], [1, -a], drive, axis=0) @ curves.U.T
    return np.vstack([np.zeros_like(after[:1]), after[:-1]])
