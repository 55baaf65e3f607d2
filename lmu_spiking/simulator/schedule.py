"""The order of a program's groups, and populations that run tile by tile.

It stands apart from `simulator.program`, which uses it, because it knows rows alone and
nothing of Nengo.
"""

import itertools
from graphlib import CycleError, TopologicalSorter

from lmu_spiking.simulator.opcodes import TILE, Code
from lmu_spiking.simulator.optimization import Uses
from lmu_spiking.simulator.rows import Along, Group, Region, Row

NEURONS = range(Code.RECTIFIED, max(Code) + 1)


def sort_groups(groups: list[Group], dependents: dict) -> list[Group]:
    """Return groups in an order that Nengo's graph allows; as given where it is free.

    Parameters
    ----------
    groups : list of Group
    dependents : dict of operator to set of operators
        The operators that come after each.

    Returns
    -------
    list of Group
        The same groups.

    Raises
    ------
    graphlib.CycleError
        If two groups would each have to come after the other.
    """
    # the groups of each operator, by their places in the list
    places: dict[int, list[int]] = {}
    for place, group in enumerate(groups):
        for op in group.ops:
            places.setdefault(id(op), []).append(place)
    sorter: TopologicalSorter = TopologicalSorter(dict.fromkeys(range(len(groups)), ()))
    for op, after in dependents.items():
        for first in places.get(id(op), ()):
            for second in (p for other in after for p in places.get(id(other), ())):
                if first != second:
                    sorter.add(second, first)
    sorter.prepare()
    order = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return [groups[place] for place in order]


def drop_idle(dependents: dict, groups: list[Group]) -> dict:
    """Return the graph without the operators of which nothing is left to do.

    Parameters
    ----------
    dependents : dict of operator to set of operators
    groups : list of Group

    Returns
    -------
    dict of operator to set of operators
        Each with the operators after it, and after what was left out.
    """
    left = {id(op) for group in groups if group.rows for op in group.ops}

    def following(op, seen):
        for other in dependents.get(op, ()):
            if id(other) in left:
                yield other
            elif id(other) not in seen:
                seen.add(id(other))
                yield from following(other, seen)

    return {op: set(following(op, set())) for op in dependents if id(op) in left}


def tile(groups: list[Group], dependents: dict, probed: list[Region]) -> list[Group]:
    """Join large populations with what encodes and decodes them, to run tile by tile.

    A population's current, rates and spikes then never leave the cache.

    Parameters
    ----------
    groups : list of Group
    dependents : dict of operator to set of operators
    probed : list of Region

    Returns
    -------
    list of Group
        Fewer groups, in an order that the graph allows.
    """
    for group in list(groups):
        large = any(row.code in NEURONS and row.n > TILE for row in group.rows)
        if group not in groups or group.tiled or not large:
            continue
        # with all that reads the spikes, or, where this makes a cycle, without
        for with_readers in (True, False):
            members = _tile_members(group, groups, probed, with_readers)
            joined = [g for g in groups if g not in members]
            rows = [row for g in groups if g in members for row in g.rows]
            ops = [op for g in members for op in g.ops]
            at = sum(g not in members for g in groups[: groups.index(group)])
            joined.insert(at, Group(ops, rows, tiled=True))
            try:
                groups = sort_groups(joined, dependents)
                break
            except CycleError:
                continue
    return groups


def tile_between_python(groups: list[Group], dependents: dict) -> list[Group]:
    """Tile the groups between two calls of Python, where no code can see their order.

    All other groups stay in Nengo's order.

    Parameters
    ----------
    groups : list of Group
    dependents : dict of operator to set of operators

    Returns
    -------
    list of Group
        The groups in Nengo's order, but for those that were joined.
    """
    tiled = []
    for python, neighbours in itertools.groupby(groups, key=lambda group: group.python):
        members = list(neighbours)
        tiled += members if python else tile(members, dependents, [])
    return tiled


def _is_tileable(group: Group, n: int) -> bool:
    """Return whether all rows of a group may run along an axis of ``n``."""
    return all(row.along and row.n == n for row in group.rows) and not group.tiled


def _along(row: Row) -> list[Region]:
    """Return the regions along the axis of a row."""
    regions = (o.values for o in row.operands if isinstance(o, Along))
    return [r for r in regions if isinstance(r, Region) and r.size == row.n]


def _tile_members(group: Group, groups, probed, with_readers: bool) -> list[Group]:
    """Return a population, the groups that make its current, and its readers."""
    n = group.rows[0].n
    if not _is_tileable(group, n):
        return [group]
    group_of = {id(row): other for other in groups for row in other.rows}
    uses = Uses(groups, probed)
    members = [group]
    # upstream: all that makes the current, and what that is made of
    waiting = [r for row in group.rows for r in row.reads if r.size == n]
    while waiting:
        region = waiting.pop()
        makers = {
            id(group_of[id(row)]): (group_of[id(row)], r)
            for r, row, writes in uses.of(region)
            if writes and row is not None
        }
        new = [maker for maker, _ in makers.values() if maker not in members]
        exact = all(r.key == region.key for _, r in makers.values())
        if new and exact and all(_is_tileable(maker, n) for maker in new):
            members += new
            rows = [row for maker in new for row in maker.rows]
            waiting += [r for row in rows for r in _along(row) if r in row.reads]
    # downstream: all that reads the spikes, and further neurons driven by them
    waiting = [r for row in group.rows for r in row.sets if r.size == n]
    while waiting and with_readers:
        region = waiting.pop()
        for r, row, writes in uses.of(region):
            if row is None or writes or r.key != region.key:
                continue
            reader = group_of[id(row)]
            if reader in members or not _is_tileable(reader, n):
                continue
            if any(a.key == region.key for a in _along(row)):
                members.append(reader)
                if any(other.code in NEURONS for other in reader.rows):
                    sets = [r for other in reader.rows for r in other.sets]
                    waiting += [r for r in sets if r.size == n]
    return members


def find_buffers(groups: list[Group], probed: list[Region]) -> dict[tuple, int]:
    """Return a buffer's number for each region that only one tiled group uses.

    Parameters
    ----------
    groups : list of Group
    probed : list of Region

    Returns
    -------
    dict of tuple to int
        By the key of the region; the buffers of each group count from 0.
    """
    uses = Uses(groups, probed)
    buffers: dict[tuple, int] = {}
    for group in (group for group in groups if group.tiled):
        inside, n = {id(row) for row in group.rows}, group.rows[0].n
        first: dict[tuple, Row] = {}
        for row in group.rows:
            for region in row.touched:
                first.setdefault(region.key, row)
        count = 0
        for row in group.rows:
            for region in row.sets:
                if region.size != n or not region.contiguous or region.key in buffers:
                    continue
                own = all(
                    user is not None and id(user) in inside and r.key == region.key
                    for r, user, _ in uses.of(region)
                )
                # set before anything else is done with it in the group
                if own and first[region.key] is row:
                    buffers[region.key] = count
                    count += 1
    return buffers
