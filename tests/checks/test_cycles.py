"""Three and more responses that beat one another in a circle are found, and nothing else."""

from __future__ import annotations

import random

import pytest

from heedful.checks.cycles import components, majority


@pytest.mark.parametrize(
    ("wins", "circles"),
    [
        ([(1, 2), (2, 3), (3, 1)], [{1, 2, 3}]),
        ([(1, 2), (2, 3), (1, 3)], []),
        ([(1, 2), (2, 1)], []),
        ([(1, 2), (2, 1), (2, 3), (3, 2)], []),  # two ties, no cycle
        ([(1, 2), (2, 3), (3, 1), (1, 3)], []),  # the last step is won as often as it is lost
        ([(1, 2), (2, 3), (3, 1), (3, 1), (1, 3)], [{1, 2, 3}]),
        ([(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)], [{1, 2, 3}]),
        ([(1, 2), (2, 3), (3, 1), (4, 5), (5, 6), (6, 7), (7, 4), (3, 4)], [{1, 2, 3}, {4, 5, 6, 7}]),
        ([(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (5, 3)], [{1, 2, 3, 4, 5}]),
        ([], []),
    ],
)
def test_cycles_by_hand(wins: list[tuple[int, int]], circles: list[set[int]]) -> None:
    assert sorted(components(majority(wins)), key=min) == circles


def test_a_long_circle_needs_no_deep_stack() -> None:
    count = 20_000
    assert components({n: [(n + 1) % count] for n in range(count)}) == [set(range(count))]
    assert components({n: [n + 1] for n in range(count)}) == []


@pytest.mark.parametrize("seed", range(20))
def test_components_are_what_reaches_one_another(seed: int) -> None:
    draw = random.Random(seed)
    edges = {n: draw.sample(range(12), draw.choice([0, 1, 1, 2])) for n in range(12)}

    def reached(start: int) -> set[int]:
        seen: set[int] = set()
        ahead = [start]
        while ahead:
            for following in edges[ahead.pop()]:
                if following not in seen:
                    seen.add(following)
                    ahead.append(following)
        return seen

    reach = {n: reached(n) for n in edges}
    groups = {frozenset({n} | {m for m in edges if m in reach[n] and n in reach[m]}) for n in edges}
    assert {frozenset(found) for found in components(edges)} == {group for group in groups if len(group) >= 3}
