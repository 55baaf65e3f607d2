r"""Activity of a network in a run: spikes, synaptic operations, updates, messages.

A block of NengoLoihi is the content of one core.  With ``s_i`` the spikes of neuron
``i`` in a run, ``A_i`` the axons that leave it, and ``w_a`` the synapses that axon
``a`` ends in,

.. math::

    \text{messages} = \sum_i s_i |A_i|, \qquad
    \text{synaptic operations} = \sum_i s_i \sum_{a \in A_i} w_a, \qquad
    \text{updates} = \text{steps} \times \text{compartments}.

One message goes to each core that a spike is sent to, and a core fetches and adds every
synapse that it stores for it, those of weight zero too: NengoLoihi stores dense weights
as they are.  Spikes that the host sends are counted alike.  A spike of the last step is
counted with what it drives, although that happens a step later.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import nengo
import numpy as np

from lmu_spiking.brief import brief


@dataclass(frozen=True)
class BlockCounts:
    """Activity of one block, on one core, in a run.

    Parameters
    ----------
    label : str
        NengoLoihi's.
    compartments : int
        Neurons, also those that NengoLoihi adds to decode.
    updates : int
        Of compartments: each, in every step.
    spikes, messages : int
        Fired here, and sent from here.
    synops, synops_nonzero : int
        Synapses that spikes of any origin were added through, here; and those of them
        whose weight is not zero.
    synapses : int
        That end here.
    """

    label: str
    compartments: int
    updates: int
    spikes: int
    messages: int
    synops: int
    synops_nonzero: int
    synapses: int


def _total(name: str, meaning: str) -> property:
    """Return a property: a count, summed over the blocks, or None without a chip."""
    return property(lambda counts: counts._sum(name), doc=f"Return {meaning}.")


@dataclass(frozen=True, eq=False)
class Counts:
    """Activity of a network in a run.

    Parameters
    ----------
    steps : int
    spikes_of : mapping of nengo.Ensemble to int
        Those on the chip; on core all that spike.
    blocks : tuple of BlockCounts or None
        None on core, where there is no chip to count on: then all but `spikes` is None.
    host_spikes, host_messages : int or None
        Sent from the host to the chip.
    """

    steps: int
    spikes_of: Mapping[nengo.Ensemble, int]
    blocks: tuple[BlockCounts, ...] | None = None
    host_spikes: int | None = None
    host_messages: int | None = None

    __repr__ = brief

    @property
    def spikes(self) -> int:
        """Return the spikes of all neurons, on the chip those that decode, too."""
        if self.blocks is None:
            return sum(self.spikes_of.values())
        return self._sum("spikes")

    synops = _total("synops", "synaptic operations, by synapses as they are stored")
    synops_nonzero = _total("synops_nonzero", "those with a weight that is not zero")
    updates = _total("updates", "compartment updates")
    synapses = _total("synapses", "stored synapses")

    @property
    def messages(self) -> int | None:
        """Return the messages of chip and host, one for each core a spike goes to."""
        sent = self._sum("messages")
        return None if sent is None else sent + (self.host_messages or 0)

    @property
    def cores(self) -> int | None:
        """Return the number of cores in use."""
        return None if self.blocks is None else len(self.blocks)

    def rows(self) -> list[dict]:
        """Return the rows of a table: each block, then the sum.

        Returns
        -------
        list[dict]
        """
        rows = [asdict(block) for block in self.blocks or ()]
        if rows:
            names = [name for name in rows[0] if name != "label"]
            rows.append({"label": "sum"} | {name: self._sum(name) for name in names})
        return rows

    def _sum(self, name: str) -> Any:
        """Return the sum of a count over the blocks, or None without a chip."""
        if self.blocks is None:
            return None
        return sum(getattr(block, name) for block in self.blocks)


def listen_to_host(sim) -> dict:
    """Count the spikes that the host of an emulator sends, from here on.

    The emulator forgets them as it goes, so what hands them over is listened to.

    Returns
    -------
    dict
        Of each of NengoLoihi's inputs to the spikes of each of its neurons, (n,).

    Parameters
    ----------
    sim : nengo_loihi.Simulator
    """
    emulator = sim.sims["emulator"]
    heard = {source: np.zeros(source.n_neurons, int) for source in sim.model.inputs}
    hand_over = emulator.host2chip

    def host2chip(spikes, errors):
        for source, _, indices in spikes:
            heard[source][indices] += 1
        hand_over(spikes, errors)

    emulator.host2chip = host2chip
    return heard


def count_chip(sim, heard: Mapping) -> Counts:
    """Return the counts of an emulator's run, before it is closed.

    Parameters
    ----------
    sim : nengo_loihi.Simulator
    heard : mapping
        What `listen_to_host` returned before the run.

    Returns
    -------
    Counts
    """
    emulator, model = sim.sims["emulator"], sim.model
    # who spiked, and through which axons: blocks of the chip and inputs of the host
    slices, counted = emulator.block_info.slices, emulator.compartment.spike_count
    spikes = {block: counted[part].astype(int) for block, part in slices.items()}
    home = {synapse: block for block in slices for synapse in block.synapses}
    sources = [(block, spikes[block], block.axons) for block in slices]
    sources += [(source, heard[source], source.axons) for source in model.inputs]
    # what each spike caused, where it arrived
    messages = dict.fromkeys([*slices, *model.inputs], 0)
    work = {block: np.zeros(3, int) for block in slices}
    for source, fired, axons in sources:
        for axon in axons:
            there, stored, nonzero = fan_out(axon, len(fired))
            messages[source] += int(fired @ there)
            sums = fired @ stored, fired @ nonzero, stored.sum()
            work[home[axon.target]] += np.array(sums)
    blocks = []
    for block in slices:
        n, fired = block.n_neurons, int(spikes[block].sum())
        size = str(block.label), n, sim.n_steps * n
        counts = fired, messages[block], *map(int, work[block])
        blocks.append(BlockCounts(*size, *counts))
    # spikes by ensembles, which may be of several blocks
    spikes_of = {}
    for obj, parts in model.objs.items():
        if isinstance(obj, nengo.Ensemble) and "out" in parts:
            out = parts["out"] if isinstance(parts["out"], list) else [parts["out"]]
            spikes_of[obj] = sum(int(spikes[block].sum()) for block in out)
    sent = int(sum(fired.sum() for fired in heard.values()))
    of_host = sent, sum(messages[source] for source in model.inputs)
    return Counts(sim.n_steps, MappingProxyType(spikes_of), tuple(blocks), *of_host)


def fan_out(axon, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where an axon of NengoLoihi leads from each of ``n`` neurons.

    Parameters
    ----------
    axon : nengo_loihi.block.Axon
    n : int

    Returns
    -------
    there : (n,) ndarray of bool
        Whether it leads anywhere.
    stored, nonzero : (n,) ndarray of int
        Synapses there, and those whose weight is not zero.
    """
    neurons = np.arange(n)
    targets, atoms = axon.map_axon(neurons), axon.map_atoms(neurons)
    there = np.zeros(n, bool)
    stored, nonzero = np.zeros(n, int), np.zeros(n, int)
    for i, (target, atom) in enumerate(zip(targets, atoms, strict=True)):
        if target < 0 or axon.target.axon_compartment_base(target) is None:
            continue
        # dense weights are stored as they are, zeros too
        weights, _ = axon.target.axon_weights_indices(target, atom=atom)
        there[i] = True
        stored[i], nonzero[i] = weights.size, np.count_nonzero(weights)
    return there, stored, nonzero


class count_core:
    """Counter of the spikes of Nengo's own simulator, one step after the other.

    Parameters
    ----------
    sim : nengo.Simulator
        Before its first step.
    network : nengo.Network
    """

    def __init__(self, sim, network: nengo.Network):
        self._sim = sim
        self._out = {
            ensemble: sim.signals[sim.model.sig[ensemble.neurons]["out"]]
            for ensemble in network.all_ensembles
            if ensemble.neuron_type.spiking
        }
        self._sums = dict.fromkeys(self._out, 0.0)

    def step(self) -> None:
        """Count the spikes of the step that was just made."""
        for ensemble, out in self._out.items():
            self._sums[ensemble] += out.sum()

    def counts(self) -> Counts:
        """Return what was counted so far.

        Returns
        -------
        Counts
        """
        totals = {}
        for ensemble, total in self._sums.items():
            height = getattr(ensemble.neuron_type, "amplitude", 1.0)  # times dt
            totals[ensemble] = round(total * self._sim.dt / height)
        return Counts(self._sim.n_steps, MappingProxyType(totals))
