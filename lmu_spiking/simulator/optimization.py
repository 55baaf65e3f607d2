"""Passes that make a program shorter: equal operators merged, sums of zeros left out.

`merge_operators` works on Nengo's operators, the other passes on groups of rows.  Each
takes groups and returns groups; `schedule` restores their order afterwards.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from nengo.builder.optimizer import OpMergePass
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

from lmu_spiking.simulator.matrix_products import changes, encoding
from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.rows import Along, Group, Listed, Region, Row, Runs, Whole

# Nengo's optimizer takes operators in the order of their memory addresses, and stops
# after a set time.  So two equal builds would sum in different orders, and their
# results would differ in the last digit.  Here operators are merged in an order that
# every build repeats.

WORTHWHILE = 0.01  # stop when a pass saves less than this share of the mean saving


class _OrderedSet(dict):
    """A set whose members are in the order in which they were added."""

    def add(self, member) -> None:
        self[member] = None

    def remove(self, member) -> None:
        del self[member]

    def difference_update(self, members) -> None:
        for member in members:
            self.pop(member, None)


class _MergePass(OpMergePass):
    """Nengo's pass over all operators, without the time it takes to compare sets."""

    def __call__(self, views: bool) -> None:
        """Merge what can be merged now, only operators on views where ``views``."""
        reached, known = {}, {}
        for op in reversed(toposort(self.dg.forward)):
            after = frozenset(self.dg.forward[op])
            if after not in known:  # operators with the same successors share a set
                known[after] = after.union(*(reached[each] for each in after))
            reached[op] = known[after]
        self.dependents = reached
        self.only_merge_ops_with_view = views
        for state in (self.merged, self.merged_dependents, self.opinfo):
            state.clear()
        self.perform_merges()


def merge_operators(model, graph: dict) -> dict:
    """Merge a model's operators, and return the graph of the remaining ones.

    Parameters
    ----------
    model : nengo.builder.Model
        Its operators and signals are replaced.
    graph : dict of operator to set of operators
        The operators that come after each; it is changed.

    Returns
    -------
    dict of operator to set of operators
        As given, for the new operators.
    """
    merging: Any = _MergePass(graph)
    merging.might_merge = _OrderedSet(dict.fromkeys(graph))
    first, looked_at, views = len(graph), 0, True
    while True:
        before = len(graph)
        merging(views)
        saved, looked_at = before - len(graph), looked_at + before
        least = WORTHWHILE * (first - len(graph)) / looked_at
        if (not saved and not views) or 0 < saved / before < least:
            break
        views = saved > 0
    # the model's signals are views of merged ones from now on
    new = merging.sig_replacements
    for signals in model.sig.values():
        for name, signal in signals.items():
            while signal in new:
                signal = new[signal]
            signals[name] = signal
    model.operators[:] = []
    for op in graph:
        model.add_op(op)
    return operator_dependency_graph(model.operators)


PRODUCTS = (Code.ENCODE_RUNS, Code.GATHER, Code.DOT_COLUMNS)
SUMS = (*PRODUCTS, Code.DOT_ROWS, Code.AXPY, Code.ADD, Code.MULTIPLY_ADD)


class Uses:
    """The rows that use each region, by the base of the region.

    Parameters
    ----------
    groups : list of Group
    probed : list of Region
    """

    def __init__(self, groups: list[Group], probed: list[Region]):
        self.by_base: dict[int, list[tuple[Region, Row | None, bool]]] = {}
        uses: list[tuple[Region, Row | None, bool]] = []
        for row in (row for group in groups for row in group.rows):
            uses += [(region, row, True) for region in row.written]
            uses += [(region, row, False) for region in row.reads]
        uses += [(region, None, False) for region in probed]
        for use in uses:
            self.by_base.setdefault(id(use[0].base), []).append(use)

    def of(self, region: Region) -> list[tuple[Region, Row | None, bool]]:
        """Return ``(region, row, written)`` of all uses that overlap a region.

        The row is None for a probe.

        Parameters
        ----------
        region : Region

        Returns
        -------
        list of (Region, Row or None, bool)
            In the order of the rows.
        """
        uses = self.by_base.get(id(region.base), ())
        return [use for use in uses if use[0].overlaps(region)]


def _is_zero_fill(row: Row) -> bool:
    """Return whether a row only resets to 0."""
    return row.code == Code.FILL and not np.any(row.operands[1].values)


def drop_zeros(groups: list[Group], probed: list[Region]) -> list[Group]:
    """Leave out sums of zeros: unused inputs of ensembles, above all.

    Parameters
    ----------
    groups : list of Group
    probed : list of Region

    Returns
    -------
    list of Group
        The groups that are left, changed in place.
    """
    uses = Uses(groups, probed)

    def is_always_zero(region: Region) -> bool:
        written = [(r, row) for r, row, writes in uses.of(region) if writes and row]
        if not all(_is_zero_fill(row) for _, row in written):
            return False
        filled = any(
            r.contiguous and r.start <= region.start and region.end <= r.end
            for r, _ in written
        )
        if not (filled or region.base.readonly):
            return False  # a user may change it
        flat = region.base.initial_value.reshape(-1)
        return not np.any(flat[region.start : region.end])

    def adds_zero(row: Row) -> bool:
        return row.code in SUMS and any(map(is_always_zero, row.reads))

    for group in groups:
        group.rows = [row for row in group.rows if not adds_zero(row)]
    return groups


def fold_gains(groups, probed, constant, hidden: list, fixed: set) -> list[Group]:
    """Replace ``J += gain (W x)`` by ``J += (gain W) x`` if ``W x`` has no other use.

    Parameters
    ----------
    groups : list of Group
    probed : list of Region
    constant : callable
        Returns the value of a region or of constants; None if it changes.
    hidden : list of Region
        The regions that are no longer computed are added here.
    fixed : set of int
        The ids of bases that can no longer be changed are added here.

    Returns
    -------
    list of Group
        The groups that are left, changed in place.
    """
    uses = Uses(groups, probed)
    group_of = {id(row): group for group in groups for row in group.rows}
    for group in list(groups):
        for row in list(group.rows):
            if row.code not in (Code.MULTIPLY_ADD, Code.AXPY):
                continue
            y, factor, source = (operand.values for operand in row.operands)
            gain = constant(factor)
            if gain is None:
                continue
            # one product alone makes the source, which is reset before
            others = [other for _, other, _ in uses.of(source) if other is not row]
            makers = [r for r in others if r is None or not _is_zero_fill(r)]
            if len(makers) != 1 or makers[0] is None or len(makers) == len(others):
                continue
            product = makers[0]
            own = product.code in PRODUCTS and product.incs[0].key == source.key
            if not own or product.reads[1:]:  # a matrix that changes
                continue
            former = group_of[id(product)]
            if len(former.rows) != 1 or former is group:
                continue
            group.rows[group.rows.index(row)] = _scaled(product, gain, y)
            group.ops += former.ops
            former.rows, former.ops = [], []
            hidden.append(source)
            if isinstance(factor, Region):
                fixed.add(id(factor.base))
    return [group for group in groups if group.ops]


def _scaled(product: Row, gain: np.ndarray, y: Region) -> Row:
    """Return the row of a product into ``y`` instead, its rows times ``gain``."""
    gain = np.broadcast_to(gain, (product.n,))
    _, matrix, *others = product.operands
    if product.code == Code.ENCODE_RUNS:
        of = _dimensions(matrix)
        return encoding(y, of, gain * matrix.weights, others[0].values)
    weights = matrix.values  # (n,) of neurons, or (columns * n,)
    if product.code == Code.GATHER:
        weights = gain * weights
    else:
        weights = (weights.reshape(others[1].first, -1) * gain).ravel()
    operands = [Along(y), Along(weights), *others]
    return replace(product, operands=operands, incs=[y])


def _dimensions(runs: Runs) -> np.ndarray:
    """Return the dimension of each neuron from its run."""
    start, stop, of = runs.rows[:, :3].T
    return np.repeat(of, stop - start)


def trim_fills(groups: list[Group], probed: list[Region]) -> list[Group]:
    """Reset only what a row reads or adds to.

    Parameters
    ----------
    groups : list of Group
    probed : list of Region

    Returns
    -------
    list of Group
        The groups that are left, changed in place.
    """
    # a mask of the entries of each base that are used
    used: dict[int, np.ndarray] = {}
    rows = [row for group in groups for row in group.rows]
    regions = [r for row in rows if row.code != Code.FILL for r in row.touched]
    for region in [*regions, *probed]:
        mask = used.setdefault(id(region.base), np.zeros(region.base.size, bool))
        ends = slice(region.start, region.end)
        mask[ends if region.entries is None else region.entries] = True
    trimmed = []
    for group in groups:
        trimmed.append(group)
        for row in [row for row in group.rows if row.code == Code.FILL]:
            group.rows.remove(row)
            y = row.sets[0]
            mask = used.get(id(y.base), np.zeros(y.base.size, bool))
            # what nothing resets must have had the value from the beginning
            mask |= np.ravel(y.base.initial_value) != row.operands[1].values
            # a row for each run of used entries
            inside = np.concatenate([[0], mask[y.start : y.end].view(np.int8), [0]])
            for a, b in np.flatnonzero(np.diff(inside)).reshape(-1, 2):
                piece = Region(y.base, y.start + int(a), int(b - a))
                operands = [Along(piece), row.operands[1]]
                fill = replace(row, n=piece.size, operands=operands, sets=[piece])
                trimmed.append(Group(list(group.ops), [fill]))
    return trimmed


def find_equal_rates(groups: list[Group], constant) -> list[Group]:
    """Let Poisson neurons whose neighbours always have the same rate spike run by run.

    Parameters
    ----------
    groups : list of Group
        In the order of the program.
    constant : callable
        Returns the value of a region or of constants; None if it changes.

    Returns
    -------
    list of Group
        The groups that are left, changed in place.
    """
    # where a region along an axis may differ between neighbours, by its key
    known: dict[tuple, np.ndarray] = {}
    for row in (row for group in groups for row in group.rows):
        differs = _differences(row, known, constant)
        if row.code == Code.POISSON:
            _take_runs(row, known.get(row.reads[0].key))
        # forget what is written over
        for region in row.written:
            same = region.key if differs is not None else None
            for key in [k for k in known if k[0] == id(region.base) and k != same]:
                if key[1] < region.end and region.start < key[1] + key[2]:
                    del known[key]
        if differs is not None:
            key = row.written[0].key
            if not row.incs:
                known[key] = differs
            elif key in known:
                known[key] = known[key] | differs
    return groups


def _take_runs(row: Row, differs: np.ndarray | None) -> None:
    """Let a row of Poisson neurons work run by run, if its runs are long enough."""
    if differs is None or 8 * (1 + np.count_nonzero(differs)) > len(differs):
        return
    edges = np.flatnonzero(np.concatenate([[True], differs[1:], [True]]))
    rows = np.column_stack([edges[:-1], edges[1:]])
    row.code = Code.POISSON_RUNS
    row.operands.append(Runs(rows, row.n))


def _differences(row: Row, known: dict, constant) -> np.ndarray | None:
    """Return where what a row writes (or adds) may differ between neighbours."""
    if not row.along or len(row.written) != 1 or row.written[0].size != row.n:
        return None
    differs = np.zeros(row.n, bool)
    for operand in row.operands[1:]:
        if isinstance(operand, Along):
            value = constant(operand.values)
            if value is not None:
                if row.code == Code.DOT_COLUMNS:
                    value = value.reshape(-1, row.n).T
                differs |= changes(value)
            elif isinstance(operand.values, Region) and operand.values.key in known:
                differs |= known[operand.values.key]
            else:
                return None
        elif isinstance(operand, Runs) and operand.weights is not None:
            differs |= changes(_dimensions(operand)) | changes(operand.weights)
        elif isinstance(operand, Listed):
            differs |= changes(operand.values)
        elif not isinstance(operand, Whole) and row.code != Code.DOT_COLUMNS:
            return None
    return differs
