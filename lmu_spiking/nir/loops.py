"""Which edges of a graph take a step, so that no loop acts at once."""

from collections import deque


def late_edges(parts, edges) -> set[tuple[str, str]]:
    """Edges that close a loop in which nothing takes a step: each gets one.

    The graph is walked from its Input, at each node to the next one by name, and an
    edge that returns to a node of the path walked so far is late.  The order of nodes
    and edges, which a file does not keep, does not matter.

    Parameters
    ----------
    parts : dict of str to Part
    edges : iterable of (str, str)
    """
    edges = sorted(edges)
    after: dict[str, list[str]] = {name: [] for name in parts}
    for source, target in edges:
        if not parts[source].slow and not parts[target].slow:
            after[source].append(target)
    done: set[str] = set()
    late: set[tuple[str, str]] = set()
    for root in _from_input(parts, edges):
        if root in done:
            continue
        path, stack = {root}, [(root, iter(after[root]))]
        while stack:
            name, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                done.add(name)
                path.discard(name)
                stack.pop()
            elif target in path:
                late.add((name, target))
            elif target not in done:
                path.add(target)
                stack.append((target, iter(after[target])))
    return late


def _from_input(parts, edges) -> list[str]:
    """Names in the order of their distance from the Input, then by name."""
    after: dict[str, list[str]] = {name: [] for name in parts}
    for source, target in edges:
        after[source].append(target)
    first = [name for name in sorted(parts) if parts[name].first]
    distance = dict.fromkeys(first, 0)
    queue = deque(first)
    while queue:
        name = queue.popleft()
        for target in after[name]:
            if target not in distance:
                distance[target] = distance[name] + 1
                queue.append(target)
    beyond = len(parts)
    return sorted(parts, key=lambda name: (distance.get(name, beyond), name))
