"""The order of a step's work, and populations that run tile by tile."""

import itertools
from graphlib import CycleError, TopologicalSorter

from lmu_spiking.simulator.opcodes import TILE, Code
from lmu_spiking.simulator.passes import Uses
from lmu_spiking.simulator.regions import Region
from lmu_spiking.simulator.steps import Along, Node

NEURONS = range(Code.RECTIFIED, max(Code) + 1)


def ordered(nodes: list[Node], dependents: dict) -> list[Node]:
    """Nodes in an order that Nengo's graph allows; that of the list where it is free.

    Parameters
    ----------
    dependents : dict of operator to set of operators
        Those that come after it.

    Raises
    ------
    graphlib.CycleError
    """
    home: dict[int, list[Node]] = {}
    for node in nodes:
        for op in node.ops:
            home.setdefault(id(op), []).append(node)
    place = {id(node): i for i, node in enumerate(nodes)}
    sorter: TopologicalSorter = TopologicalSorter()
    for node in nodes:
        sorter.add(place[id(node)])
    for op, after in dependents.items():
        for first in home.get(id(op), ()):
            for second in (n for other in after for n in home.get(id(other), ())):
                if first is not second:
                    sorter.add(place[id(second)], place[id(first)])
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found += ready
        sorter.done(*ready)
    return [nodes[i] for i in found]


def without(dependents: dict, nodes: list[Node]) -> dict:
    """The graph without the operators of which nothing is left to do."""
    left = {id(op) for node in nodes if node.steps for op in node.ops}
    found: dict = {}

    def following(op, seen):
        for other in dependents.get(op, ()):
            if id(other) in left:
                yield other
            elif id(other) not in seen:
                seen.add(id(other))
                yield from following(other, seen)

    for op in dependents:
        if id(op) in left:
            found[op] = set(following(op, set()))
    return found


def tile(nodes: list[Node], dependents: dict, watched: list[Region]) -> list[Node]:
    """Join what large populations hear, do and say, so that it runs tile by tile.

    A population's current, rates and spikes then never leave the cache.
    """
    for node in list(nodes):
        if node not in nodes or node.tiled or not _is_population(node):
            continue
        for with_readers in (True, False):
            members = _around(node, nodes, watched, with_readers)
            joined = [n for n in nodes if n not in members]
            steps = [s for n in nodes if n in members for s in n.steps]
            ops = [op for n in members for op in n.ops]
            at = nodes.index(node) - sum(
                n in members for n in nodes[: nodes.index(node)]
            )
            joined.insert(at, Node(ops, steps, tiled=True))
            try:
                nodes = ordered(joined, dependents)
                break
            except CycleError:
                continue
    return nodes


def tile_stretches(nodes: list[Node], dependents: dict) -> list[Node]:
    """Tile the nodes between two steps of Python, where no code can see their order.

    All other nodes stay in Nengo's order.
    """
    found = []
    for python, group in itertools.groupby(nodes, key=lambda node: node.python):
        stretch = list(group)
        found += stretch if python else tile(stretch, dependents, [])
    return found


def _is_population(node: Node) -> bool:
    return any(s.code in NEURONS and s.n > TILE for s in node.steps)


def _tileable(node: Node, n: int) -> bool:
    return all(s.along and s.n == n for s in node.steps) and not node.tiled


def _along(step):
    """Regions along the axis of a step, without what it writes first."""
    regions = (o.what for o in step.operands if isinstance(o, Along))
    return [r for r in regions if isinstance(r, Region) and r.size == step.n]


def _around(node: Node, nodes, watched, with_readers: bool) -> list[Node]:
    """A population, what makes its current, and what reads its spikes."""
    n = node.steps[0].n
    if not _tileable(node, n):
        return [node]
    home = {id(s): other for other in nodes for s in other.steps}
    uses = Uses(nodes, watched)
    members = [node]
    waiting = [r for s in node.steps for r in s.reads if r.size == n]
    while waiting:  # upstream
        region = waiting.pop()
        makers = {
            id(home[id(s)]): (home[id(s)], r)
            for r, s, writes in uses.of(region)
            if writes and s is not None
        }
        new = [m for m, _ in makers.values() if m not in members]
        exact = all(r.key == region.key for _, r in makers.values())
        if new and exact and all(_tileable(m, n) for m in new):
            members += new
            waiting += [
                r for m in new for s in m.steps for r in _along(s) if r in s.reads
            ]
    waiting = [r for s in node.steps for r in s.sets if r.size == n]
    while waiting and with_readers:  # downstream
        region = waiting.pop()
        for r, s, writes in uses.of(region):
            if s is None or writes or r.key != region.key:
                continue
            reader = home[id(s)]
            if reader in members or not _tileable(reader, n):
                continue
            if any(a.key == region.key for a in _along(s)):
                members.append(reader)
                if any(t.code in NEURONS for t in reader.steps):
                    waiting += [r for t in reader.steps for r in t.sets if r.size == n]
    return members


def scratch(nodes: list[Node], watched: list[Region]) -> dict[tuple, int]:
    """Regions that live within one tiled node: ``key -> number of its buffer``."""
    uses = Uses(nodes, watched)
    found: dict[tuple, int] = {}
    for node in nodes:
        if not node.tiled:
            continue
        inside, n = {id(s) for s in node.steps}, node.steps[0].n
        first = {}
        for step in node.steps:
            for region in step.touched:
                first.setdefault(region.key, step)
        buffers = 0
        for step in node.steps:
            for region in step.sets:
                if region.size != n or not region.whole or region.key in found:
                    continue
                own = all(
                    s is not None and id(s) in inside and r.key == region.key
                    for r, s, _ in uses.of(region)
                )
                if own and first[region.key] is step:
                    found[region.key] = buffers
                    buffers += 1
    return found
