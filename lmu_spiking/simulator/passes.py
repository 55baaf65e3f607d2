"""What makes a program shorter before it is written down; each takes and gives nodes.

Order among nodes does not matter here, `schedule` restores it.
"""

import numpy as np
from nengo.builder.optimizer import OpMergePass
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

from lmu_spiking.simulator.matrices import changes, heard
from lmu_spiking.simulator.opcodes import Code
from lmu_spiking.simulator.regions import Region
from lmu_spiking.simulator.steps import Along, Listed, Node, Runs, Step, Whole

# --------------------------------------------------------------------------------------
# Merge equal operators, in an order that every build repeats.
#
# Nengo's optimizer takes operators in the order of their memory addresses, and stops
# after a set time.  So two equal builds would sum in different orders, and their
# results would differ in the last digit.


WORTHWHILE = 0.01  # stop when a pass saves less than this share of the mean saving


class _InOrder(dict):
    """A set whose members are in the order in which they were added."""

    def __init__(self, members):
        super().__init__(dict.fromkeys(members))

    def add(self, member) -> None:
        self[member] = None

    def remove(self, member) -> None:
        del self[member]

    def difference_update(self, members) -> None:
        for member in members:
            self.pop(member, None)


def _reachable(edges: dict) -> dict:
    """Return all operators that come after each one, in one step or in many."""
    reached, known = {}, {}
    for op in reversed(toposort(edges)):
        after = frozenset(edges[op])
        if after not in known:  # operators with the same successors share a set
            known[after] = after.union(*(reached[each] for each in after))
        reached[op] = known[after]
    return reached


class _Pass(OpMergePass):
    """Nengo's pass over all operators, whose time went into comparing sets."""

    def __call__(self, views: bool) -> None:
        """Merge what can be merged now, only operators on views where ``views``."""
        self.dependents = _reachable(self.dg.forward)
        self.only_merge_ops_with_view = views
        for seen in (self.merged, self.merged_dependents, self.opinfo):
            seen.clear()
        self.perform_merges()


def merge(model, graph: dict) -> dict:
    """Merge a model's operators, and return the graph of the remaining ones.

    Parameters
    ----------
    model : nengo.builder.Model
        Its operators and signals are replaced.
    graph : dict of operator to set of operators
        The operators that come after each; it is changed.
    """
    merging = _Pass(graph)
    merging.might_merge = _InOrder(graph)
    first, looked_at, views = len(graph), 0, True
    while True:
        before = len(graph)
        merging(views)
        saved, looked_at = before - len(graph), looked_at + before
        least = WORTHWHILE * (first - len(graph)) / looked_at
        if (not saved and not views) or 0 < saved / before < least:
            break
        views = saved > 0
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


# --------------------------------------------------------------------------------------

PRODUCTS = (Code.ENCODE_RUNS, Code.GATHER, Code.DOT_COLUMNS)


class Uses:
    """Who touches what: steps by the base of their regions."""

    def __init__(self, nodes: list[Node], watched: list[Region]):
        self.by_base: dict[int, list[tuple[Region, Step, bool]]] = {}
        for node in nodes:
            for step in node.steps:
                for region in step.written:
                    self._note(region, step, True)
                for region in step.reads:
                    self._note(region, step, False)
        for region in watched:  # by a probe
            self._note(region, None, False)

    def _note(self, region, step, writes):
        entry = (region, step, writes)
        self.by_base.setdefault(id(region.base), []).append(entry)

    def of(self, region: Region):
        """``(region, step, writes)`` of all that overlap a region."""
        found = self.by_base.get(id(region.base), ())
        return [entry for entry in found if entry[0].overlaps(region)]


def is_zero_fill(step: Step) -> bool:
    """Whether a step only resets to 0."""
    return step.code == Code.FILL and not np.any(step.operands[1].what)


def drop_zeros(nodes: list[Node], watched: list[Region]) -> list[Node]:
    """Leave out sums of what is always 0: unused inputs of ensembles, above all."""
    uses = Uses(nodes, watched)

    def always_zero(region: Region) -> bool:
        written = [(r, s) for r, s, writes in uses.of(region) if writes]
        if not all(is_zero_fill(s) for _, s in written):
            return False
        filled = any(r.whole and r.covers(region) for r, _ in written)
        if not (filled or region.base.readonly):
            return False  # a user may change it
        flat = region.base.initial_value.reshape(-1)
        return not np.any(flat[region.start : region.end])

    sums = (*PRODUCTS, Code.DOT_ROWS, Code.AXPY, Code.ADD, Code.MULTIPLY_ADD)
    for node in nodes:
        node.steps = [
            step
            for step in node.steps
            if not (step.code in sums and any(map(always_zero, step.reads)))
        ]
    return nodes


def fold_gains(nodes, watched, constant, hidden, fixed) -> list[Node]:
    """Replace ``J += gain (W x)`` by ``J += (gain W) x`` if ``W x`` has no other use.

    The regions that are no longer computed are added to ``hidden``, and the ids of
    bases that can no longer be changed to ``fixed``.
    """
    uses = Uses(nodes, watched)
    home = {id(step): node for node in nodes for step in node.steps}
    for node in list(nodes):
        for step in list(node.steps):
            if step.code not in (Code.MULTIPLY_ADD, Code.AXPY):
                continue
            gain, source = constant(step.operands[1].what), step.operands[2].what
            if gain is None:
                continue
            others = [s for _, s, _ in uses.of(source) if s is not step]
            makers = [s for s in others if s is None or not is_zero_fill(s)]
            if len(makers) != 1 or makers[0] is None or len(makers) == len(others):
                continue
            product = makers[0]
            if product.code not in PRODUCTS or product.incs[0].key != source.key:
                continue
            former = home[id(product)]
            if len(former.steps) != 1 or former is node:
                continue
            y = step.operands[0].what
            node.steps[node.steps.index(step)] = _scaled(product, gain, y)
            node.ops += former.ops
            former.steps, former.ops = [], []
            hidden.append(source)
            if isinstance(step.operands[1].what, Region):
                fixed.add(id(step.operands[1].what.base))
    return [node for node in nodes if node.ops]


def _scaled(product: Step, gain: np.ndarray, y: Region) -> Step:
    """A product into ``y`` instead, its rows times ``gain``."""
    operands = list(product.operands)
    operands[0] = Along(y)
    gain = np.broadcast_to(gain, (product.n,))
    if product.code == Code.ENCODE_RUNS:
        runs = operands[1]
        of = np.repeat(runs.rows[:, 2], runs.rows[:, 1] - runs.rows[:, 0])
        return heard(y, of, gain * runs.weights, operands[2].what)
    if product.code == Code.GATHER:
        operands[1] = Along(gain * operands[1].what)
    else:
        columns = operands[3].a
        weights = operands[1].what.reshape(columns, -1) * gain
        operands[1] = Along(weights.ravel())
    return product.but(operands=operands, incs=[y])


def trim_fills(nodes, watched) -> list[Node]:  # noqa: C901 - a mask, and its runs
    """Reset only what something reads or adds to."""
    used: dict[int, np.ndarray] = {}

    def mark(region: Region):
        size = region.base.size
        mask = used.setdefault(id(region.base), np.zeros(size, bool))
        if region.whole:
            mask[region.start : region.end] = True
        else:
            mask[region.entries] = True

    for node in nodes:
        for step in node.steps:
            if step.code != Code.FILL:
                for region in step.touched:
                    mark(region)
    for region in watched:
        mark(region)
    found = []
    for node in nodes:
        found.append(node)
        for step in [s for s in node.steps if s.code == Code.FILL]:
            node.steps.remove(step)
            y = step.sets[0]
            mask = used.get(id(y.base), np.zeros(y.base.size, bool))
            # what nothing resets must have had the value from the beginning
            mask |= np.ravel(y.base.initial_value) != step.operands[1].what
            if mask[y.start : y.end].any():
                pieces = _pieces(step, y, mask[y.start : y.end])
                found += [Node(list(node.ops), [piece]) for piece in pieces]
    return found


def _pieces(step: Step, y: Region, mask: np.ndarray) -> list[Step]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.view(np.int8), [0]])))
    found = []
    for a, b in edges.reshape(-1, 2):
        piece = Region(y.base, y.start + int(a), int(b - a))
        operands = [Along(piece), step.operands[1]]
        found.append(step.but(n=piece.size, operands=operands, sets=[piece]))
    return found


def find_equal_rates(nodes, constant) -> list[Node]:  # noqa: C901
    """Poisson neurons whose neighbours always have the same rate, run by run.

    Nodes in order.  ``known`` has, for what lies along an axis, where it may differ
    between neighbours.
    """
    known: dict[tuple, np.ndarray] = {}
    for node in nodes:
        for step in node.steps:
            differs = _differs(step, known, constant)
            if step.code == Code.POISSON:
                _take_runs(step, known)
            for region in step.written:
                stale = [k for k in known if k[0] == id(region.base)]
                for key in stale:
                    if key[1] < region.end and region.start < key[1] + key[2]:
                        if key != region.key or differs is None:
                            del known[key]
            if differs is not None:
                key = step.written[0].key
                if step.incs and key in known:
                    known[key] = known[key] | differs
                elif not step.incs:
                    known[key] = differs
    return nodes


def _take_runs(step: Step, known: dict) -> None:
    differs = known.get(step.reads[0].key)
    if differs is None or 8 * (1 + np.count_nonzero(differs)) > len(differs):
        return
    edges = np.flatnonzero(np.concatenate([[True], differs[1:], [True]]))
    rows = np.column_stack([edges[:-1], edges[1:]])
    step.code = Code.POISSON_RUNS
    step.operands.append(Runs(rows, step.n))


def _differs(step: Step, known: dict, constant) -> np.ndarray | None:
    """Where what a step writes (or adds) may differ between neighbours."""
    if not step.along or len(step.written) != 1 or step.written[0].size != step.n:
        return None
    differs = np.zeros(step.n, bool)
    for operand in step.operands[1:]:
        if isinstance(operand, Along):
            value = constant(operand.what)
            if value is not None:
                if step.code == Code.DOT_COLUMNS:
                    value = value.reshape(-1, step.n).T
                differs |= changes(value)
            elif isinstance(operand.what, Region) and operand.what.key in known:
                differs |= known[operand.what.key]
            else:
                return None
        elif isinstance(operand, Runs) and operand.weights is not None:
            rows = operand.rows
            of = np.repeat(rows[:, 2], rows[:, 1] - rows[:, 0])
            differs |= changes(of) | changes(operand.weights)
        elif isinstance(operand, Listed):
            differs |= changes(operand.values)
        elif not isinstance(operand, Whole) and step.code != Code.DOT_COLUMNS:
            return None
    return differs
