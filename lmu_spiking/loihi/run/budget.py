"""Budget of a network on the chip, counted before it is built.

NengoLoihi puts each *block* of neurons on a core of its own.  Beside the neurons of an
ensemble, blocks hold the decode neurons of a connection between ensembles (20 for each
dimension) and the compartments that add up a readout for the host (2 for each).  A
block has an in-axon for each neuron or input that projects to it, and an out-axon for
each of its neurons and each block that this projects to.

An ensemble without a `BlockShape` is cut into equal blocks, as many as its neurons,
axons or synapse bits ask for when divided by a core's limit.  Cutting then multiplies
out-axons and rounds bits up, so that blocks may yet be too large.  Where there was a
cut, in-axons with equal weights to a block share one copy of them.

The rules are those of NengoLoihi 1.1, and counts equal its own, block by block.  Only
weights that it would solve for or draw are drawn here: they are taken to differ.
"""

import itertools
from contextlib import suppress
from dataclasses import astuple, dataclass, field

import nengo
import numpy as np
from nengo.connection import LearningRule
from nengo.dists import get_samples
from nengo.ensemble import Neurons
from nengo.exceptions import ConfigError
from nengo.transforms import Dense, NoTransform, Sparse

from lmu_spiking.errors import ValidationError, check_positive, check_whole
from lmu_spiking.loihi.chip.limits import CORE, BlockBudget, Budget, axon_bits

DECODE_NEURONS = 20  # of a dimension: Preset10DecodeNeurons, a Model's default


def budget(network: nengo.Network, *, chips: int = 1, dt: float = 0.001) -> Budget:
    """Return cores, compartments, axons and synapse bits, without building a network.

    Parameters
    ----------
    network : nengo.Network
        Its ensembles are on the chip unless ``network.config[ens].on_chip`` is False.
    chips : int
        Number of chips available.
    dt : float
        Step, seconds.

    Returns
    -------
    Budget
        A core for each block.

    Raises
    ------
    ValidationError
        If nothing is on the chip, or for a connection that it cannot count.  What
        does not fit is not an error before `Budget.check`.

    Examples
    --------
    >>> with nengo.Network() as network:
    ...     ens = nengo.Ensemble(1000, 1, label="memory")
    ...     weights = np.random.default_rng(0).standard_normal((1000, 1000))
    ...     loop = nengo.Connection(ens.neurons, ens.neurons, transform=weights)
    >>> [block.name for block in budget(network).check().blocks][:2]
    ['memory[0:112]', 'memory[112:224]']
    """
    if not isinstance(network, nengo.Network):
        raise ValidationError("budget.network", network, "must be a nengo.Network")
    chips = check_whole("budget.chips", chips, 1)
    wiring = _Wiring(network, check_positive("budget.dt", dt, "seconds"))
    if not wiring.blocks:
        problem, remedy = "has no ensemble on the chip", "leave on_chip unset for one"
        raise ValidationError("budget.network", network, problem, remedy)
    return Budget(_count(wiring.blocks), chips)


# -- blocks, and how they are cut ----------------------------------------------------


@dataclass(eq=False)
class _Synapse:
    """Axons that arrive at a block."""

    weights: np.ndarray  # (axons, neurons), NaN where there is no synapse

    def bits(self) -> int:
        """Return the bits of all axons."""
        return sum(map(axon_bits, np.isfinite(self.weights).sum(1).tolist()))

    def part(self, neurons):
        """Return which axons (axons,) reach these neurons, and their bits."""
        w = self.weights[:, neurons]
        sizes = np.isfinite(w).sum(1)
        stored = {row.tobytes(): n for row, n in zip(w, sizes.tolist(), strict=True)}
        return sizes > 0, sum(map(axon_bits, stored.values()))


@dataclass(eq=False)
class _Axons:
    """Axons from each neuron of a block to a row of a synapse, or to none: -1."""

    target: _Synapse
    rows: np.ndarray  # (neurons,)
    slots: int  # as counted for the cut


@dataclass(eq=False)
class _Block:
    """Neurons of one kind, not yet cut."""

    name: str
    kind: str
    size: int
    shape: object = None  # a BlockShape
    synapses: list[_Synapse] = field(default_factory=list)
    axons: list[_Axons] = field(default_factory=list)

    def cut(self) -> list[np.ndarray]:
        """Return the neurons of each part."""
        if self.shape is not None:
            whole, part = self.shape.ensemble_shape, self.shape.shape
        else:  # as even as can be, by what would overfill a core most
            axons = sum(len(s.weights) for s in self.synapses)
            slots = sum(a.slots for a in self.axons)
            bits = sum(s.bits() for s in self.synapses)
            use = zip((self.size, axons, slots, bits), astuple(CORE), strict=True)
            parts = max(-(-u // most) for u, most in use)
            whole, part = (self.size,), (-(-self.size // parts),)
        neurons = np.arange(self.size).reshape(whole)
        starts = (range(0, n, p) for n, p in zip(whole, part, strict=True))
        corners = itertools.product(*starts)
        return [neurons[tuple(map(slice, c, np.add(c, part)))].ravel() for c in corners]


def _count(blocks: list[_Block]) -> tuple[BlockBudget, ...]:
    """Return the use of each part of blocks."""
    # cut first: axons of a block depend on how those that it projects to are cut
    cuts = {block: block.cut() for block in blocks}
    seen = {}  # of each synapse, for each part: which axons reach it, and their bits
    for block, parts in cuts.items():
        for s in block.synapses:
            whole = [(np.full(len(s.weights), True), s.bits())]
            seen[s] = [s.part(n) for n in parts] if len(parts) > 1 else whole
    return tuple(
        BlockBudget(
            name=_part_name(block, neurons, k),
            source=block.name,
            kind=block.kind,
            compartments=len(neurons),
            in_axons=sum(int(seen[s][k][0].sum()) for s in block.synapses),
            out_axons=sum(_leaving(a, neurons, seen[a.target]) for a in block.axons),
            synapse_bits=sum(seen[s][k][1] for s in block.synapses),
        )
        for block, parts in cuts.items()
        for k, neurons in enumerate(parts)
    )


def _leaving(axons: _Axons, neurons, parts) -> int:
    """Return the out-axons of some neurons, one for each part that they reach."""
    rows = np.unique(axons.rows[neurons])
    return sum(int(reached[rows[rows >= 0]].sum()) for reached, _ in parts)


def _part_name(block: _Block, neurons, k: int) -> str:
    """Return the name of the ``k``-th part of a block."""
    if len(neurons) == block.size:
        return block.name
    first, end = int(neurons[0]), int(neurons[-1]) + 1
    return f"{block.name}[{f'{first}:{end}' if end - first == len(neurons) else k}]"


# -- from a network to blocks --------------------------------------------------------


class _Wiring:
    """The blocks that NengoLoihi makes of a network, with synapses and axons."""

    def __init__(self, network: nengo.Network, dt: float):
        self.dt = dt
        known = enumerate(network.all_ensembles)
        self.names = {ens: ens.label or f"ensemble {k}" for k, ens in known}
        self.chip = _on_chip(network)
        self.blocks: list[_Block] = []
        self.of: dict[nengo.Ensemble, _Block] = {}
        self.encoders: dict[tuple, _Synapse] = {}
        # NengoLoihi first replaces nodes that only pass values on
        removed, added = _passthrough(network, self.chip)
        self._add(network, removed)
        for conn in added:
            self._connect(conn)

    def _add(self, network, removed) -> None:
        """Add ensembles, inner networks, connections and probes, as NengoLoihi does."""
        for ens in network.ensembles:
            if ens in self.chip:
                shape = _setting(network.config, ens, "block_shape")
                self.of[ens] = _Block(self.names[ens], "neurons", ens.n_neurons, shape)
                self.blocks.append(self.of[ens])
        for inner in network.networks:
            self._add(inner, removed)
        for conn in network.connections:
            if conn not in removed:
                self._connect(conn)
        for probe in network.probes:
            if probe.obj in self.chip and probe.attr == "decoded_output":
                name = probe.label or f"probe of {self.names[probe.obj]}"
                self._read_out(probe.obj, probe.size_in, name)

    def _connect(self, conn) -> None:
        """Add what a connection brings to the chip."""
        pre, post = conn.pre_obj, _owner(conn.post_obj)
        if post in self.chip:
            solved = pre in self.chip
            _check_post(conn, weighed=solved and conn.solver.weights)
            spikes = solved or isinstance(pre, Neurons)
            (self._send_spikes if spikes else self._send_values)(conn)
        elif pre in self.chip and not isinstance(post, LearningRule):
            self._read_out(pre, conn.size_out, self._name(conn))

    def _send_values(self, conn) -> None:
        """Add values of the host, by the spikes of an on and an off neuron for each."""
        if isinstance(conn.post_obj, Neurons):
            w = _matrix(conn, (conn.size_out, conn.size_mid))
            self._arrive(_owner(conn.post_obj), np.vstack([w.T, -w.T]))
        else:
            self._encode(conn.post_obj, "values")

    def _send_spikes(self, conn) -> None:
        """Add spikes of an ensemble on the chip, or of neurons there or on the host."""
        pre, post = _owner(conn.pre_obj), _owner(conn.post_obj)
        solved = pre is conn.pre_obj
        direct = post is not conn.post_obj or (solved and conn.solver.weights)
        rows, d = np.arange(pre.n_neurons), conn.size_out
        if solved:
            w = _rng().rand(pre.n_neurons, post.n_neurons if direct else d)
        else:
            w = _matrix(conn, (d, conn.pre.size_out))
            w = (w * (1 / self.dt) * getattr(pre.neuron_type, "amplitude", 1)).T
            rows = np.full(pre.n_neurons, -1)
            rows[conn.pre_slice] = np.arange(len(w))
        # neurons to neurons, or through decode neurons to encoders
        if direct:
            self._leave(pre, self._arrive(post, w), rows, pre.n_neurons)
            return
        w = np.hstack([w] * DECODE_NEURONS)
        block = self._between(pre, rows, w, self._name(conn), "decode")
        rows = np.tile(np.arange(2 * d), DECODE_NEURONS // 2)
        block.axons.append(_Axons(self._encode(post, "decoded"), rows, block.size))

    def _read_out(self, ens, d: int, name: str) -> None:
        """Add a readout for the host."""
        w = _rng().rand(ens.n_neurons, 2 * d)
        self._between(ens, np.arange(ens.n_neurons), w, name, "readout")

    def _between(self, pre, rows, w, name: str, kind: str) -> _Block:
        """Return a block that receives spikes by weights (axons, compartments)."""
        synapse = _Synapse(w.astype(np.float32))
        self.blocks.append(_Block(name, kind, w.shape[1], synapses=[synapse]))
        self._leave(pre, synapse, rows, len(w))
        return self.blocks[-1]

    def _arrive(self, ens, w) -> _Synapse:
        """Return the synapse of weights (axons, neurons) into an ensemble."""
        gain = 1.0 if ens.gain is None else ens.gain
        w = w * get_samples(gain, ens.n_neurons, rng=_rng())
        w = w.astype(np.float32)  # as NengoLoihi: what is equal there is equal here
        w[np.isnan(w)] = np.nan  # no synapse has no sign
        self.of[ens].synapses.append(_Synapse(w))
        return self.of[ens].synapses[-1]

    def _encode(self, ens, kind: str) -> _Synapse:
        """Return the encoders, two axons a dimension, that all of a kind share."""
        if (ens, kind) not in self.encoders:
            e = get_samples(ens.encoders, ens.n_neurons, ens.dimensions, rng=_rng()).T
            self.encoders[ens, kind] = self._arrive(ens, np.vstack([e, -e]))
        return self.encoders[ens, kind]

    def _leave(self, pre, *axons) -> None:
        """Add axons from an ensemble, if it is on the chip."""
        if pre in self.of:
            self.of[pre].axons.append(_Axons(*axons))

    def _name(self, conn) -> str:
        """Return a connection's label, or the names of its ends."""
        ends = [_owner(end) for end in (conn.pre_obj, conn.post_obj)]
        names = [self.names.get(end) or end.label or "node" for end in ends]
        return conn.label or " to ".join(names)


def _owner(obj):
    """Return the ensemble of neurons, or the object itself."""
    return obj.ensemble if isinstance(obj, Neurons) else obj


def _rng() -> np.random.RandomState:
    """Return a generator for numbers whose values do not count."""
    return np.random.RandomState(0)


def _matrix(conn, shape):
    """Return a transform as an array, NaN where NengoLoihi has no synapse."""
    transform = conn.transform
    if not isinstance(transform, NoTransform | Dense | Sparse):
        kind, remedy = type(transform).__name__, "use a Dense or Sparse transform"
        raise ValidationError(f"{conn}.transform", kind, "is not counted", remedy)
    is_one = isinstance(transform, NoTransform)
    w = np.array(1.0) if is_one else transform.sample(rng=_rng())
    dense = isinstance(w, np.ndarray)
    if dense and w.ndim == 2:
        return w
    w = np.diag(np.broadcast_to(w, shape[:1])) if dense else w.toarray()
    return np.where(w == 0, np.nan, w)


def _check_post(conn, weighed: bool) -> None:
    """Raise a ValidationError for a connection to a part of an ensemble."""
    if conn.post_slice != slice(None) and not weighed:
        problem = "cannot be a part of an ensemble on the chip"
        remedy = "connect to all of it, with zeros in the transform"
        raise ValidationError(f"{conn}.post", conn.post_slice, problem, remedy)


def _setting(config, ens, name: str):
    """Return what ``nengo_loihi.add_params`` added and the user set, or None."""
    try:
        return getattr(config[ens], name)
    except (AttributeError, ConfigError):
        return None


def _on_chip(network) -> set:
    """Return all ensembles but those off the chip, Direct ones, learners and errors."""
    chip = {
        ens
        for ens in network.all_ensembles
        if _setting(network.config, ens, "on_chip") is not False
        and not isinstance(ens.neuron_type, nengo.Direct)
    }
    for conn in network.all_connections:
        if conn.learning_rule_type is not None:
            chip.discard(_owner(conn.post_obj))
        elif isinstance(conn.post_obj, LearningRule):
            chip.discard(_owner(conn.pre_obj))
    return chip


# -- nodes without a function, which NengoLoihi replaces by direct connections --------


class _LoopError(Exception):
    """Nodes in a circle, which NengoLoihi leaves on the host."""


def _passthrough(network, chip) -> tuple[set, list]:
    """Return the connections that are removed, and those in their place."""
    removed, added, conns = set(), [], network.all_connections
    probed = {probe.obj for probe in network.all_probes}
    for nodes in _clusters(conns):
        # only where values come from the chip and go to it, or go nowhere
        into = [c for c in conns if c.post_obj in nodes and c.pre_obj not in nodes]
        onward = [c for c in conns if c.pre_obj in nodes]
        ends = {_owner(c.post_obj) for c in onward} - nodes
        inside = chip & ends and any(_owner(c.pre_obj) in chip for c in into)
        if into and (inside or not (ends or nodes & probed)):
            with suppress(_LoopError):
                added += [c for i in into for c in _direct(i, onward, nodes, probed)]
                removed.update(into, onward)
    return removed, added


def _clusters(conns) -> list[set]:
    """Return sets of nodes without a function that are connected to each other."""
    of = {}
    for conn in conns:
        ends = [conn.pre_obj, conn.post_obj]
        ends = [e for e in ends if isinstance(e, nengo.Node) and e.output is None]
        joined = set().union(*(of.get(end, {end}) for end in ends))
        of.update(dict.fromkeys(joined, joined))
    return list({id(nodes): nodes for nodes in of.values()}.values())


def _direct(conn, onward, nodes, probed):
    """Yield connections from the source of one to all ends that it leads to."""
    given = {"function": conn.function, "eval_points": conn.eval_points}
    given["add_to_container"] = False
    for post, w in _paths(conn, np.eye(conn.size_mid), onward, nodes, probed, ()):
        if not np.allclose(w, 0):
            yield nengo.Connection(conn.pre, post, transform=w, **given)


def _paths(conn, w, onward, nodes, probed, passed):
    """Yield ends, and the weights (end, in) up to there."""
    w = np.nan_to_num(_matrix(conn, (conn.size_out, conn.size_mid))) @ w
    node = conn.post_obj
    if node not in nodes:
        yield conn.post, w
        return
    if node in passed:
        raise _LoopError
    value = np.zeros((node.size_in, w.shape[1]))
    value[conn.post_slice] = w
    leaving = [c for c in onward if c.pre_obj is node]
    if leaving and node in probed:
        yield node, value
    for c in leaving:
        w = value[c.pre_slice]
        yield from _paths(c, w, onward, nodes, probed, (*passed, node))
