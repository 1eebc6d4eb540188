"""Cycles among the responses to one prompt: a beats b, b beats c, and c beats a.

Knows graphs of numbers, not records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

LEAST = 3
"""Responses in a cycle; two that beat one another are a contradiction, not a cycle."""


def majority(wins: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Whom each response beats: more often than it is beaten by them. `wins` are (winner, loser)."""
    counts = Counter(wins)
    beaten: dict[int, list[int]] = {}
    for (winner, loser), times in counts.items():
        if times > counts.get((loser, winner), 0):
            beaten.setdefault(winner, []).append(loser)
    return beaten


def components(edges: Mapping[int, Sequence[int]]) -> list[set[int]]:
    """The strongly connected components of `LEAST` nodes and more: each holds a cycle through all of them.

    Tarjan 1972, without recursion: a chain may be longer than Python's stack.
    """
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    waiting: list[int] = []
    inside: set[int] = set()
    found: list[set[int]] = []
    for start in edges:
        if start in order:
            continue
        path = [(start, iter(edges[start]))]
        order[start] = low[start] = len(order)
        waiting.append(start)
        inside.add(start)
        while path:
            node, following = path[-1]
            child = next(following, None)
            if child is None:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == order[node]:
                    component = _taken(waiting, node)
                    inside -= component
                    if len(component) >= LEAST:
                        found.append(component)
            elif child not in order:
                order[child] = low[child] = len(order)
                waiting.append(child)
                inside.add(child)
                path.append((child, iter(edges.get(child, ()))))
            elif child in inside:
                low[node] = min(low[node], order[child])
    return found


def _taken(waiting: list[int], node: int) -> set[int]:
    """The nodes from `node` on, taken off the end."""
    component = {waiting.pop()}
    while node not in component:
        component.add(waiting.pop())
    return component
