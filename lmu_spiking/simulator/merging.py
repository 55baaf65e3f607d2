"""Merge equal operators, in an order that every build repeats.

Nengo's optimizer takes operators in the order of their memory addresses, and stops
after a set time.  So two equal builds would sum in different orders, and their results
would differ in the last digit.
"""

from nengo.builder.optimizer import OpMergePass
from nengo.utils.graphs import toposort
from nengo.utils.simulator import operator_dependency_graph

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
