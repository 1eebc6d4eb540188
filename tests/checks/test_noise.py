"""The noise simulator flips what it says, so that an estimate can be held against it."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.records import Preference, assistant, user
from tests.checks.noise import flip, flip_by_length


def pairs(count: int) -> list[Preference]:
    """The chosen side of pair n has n words more than the other."""
    return [
        Preference((user(f"{n}?"),), (assistant("word " * (n + 1)),), (assistant("other"),), id=str(n))
        for n in range(count)
    ]


@pytest.mark.parametrize("simulate", [flip, flip_by_length])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 1.0])
def test_exactly_the_share_is_flipped_and_the_rest_is_as_it_was(simulate: object, share: float) -> None:
    before = pairs(40)
    after, flipped = simulate(before, share, seed=3)  # type: ignore[operator]
    assert len(flipped) == round(40 * share)
    for at, (was, now) in enumerate(zip(before, after, strict=True)):
        sides = (was.rejected, was.chosen) if at in flipped else (was.chosen, was.rejected)
        assert (now.prompt, now.chosen, now.rejected, now.id) == (was.prompt, *sides, was.id)


def test_another_seed_flips_others() -> None:
    assert flip(pairs(40), 0.5, seed=0)[1] == flip(pairs(40), 0.5, seed=0)[1]
    assert flip(pairs(40), 0.5, seed=0)[1] != flip(pairs(40), 0.5, seed=1)[1]


def test_pairs_that_differ_in_length_are_flipped_more_often() -> None:
    drawn = [np.mean(list(flip_by_length(pairs(100), 0.2, seed=seed)[1])) for seed in range(20)]
    even = [np.mean(list(flip(pairs(100), 0.2, seed=seed)[1])) for seed in range(20)]
    # Weights n + 1 have their mean at two thirds of the way, and those already drawn cannot be drawn again.
    assert np.mean(drawn) == pytest.approx(63, abs=5)
    assert np.mean(even) == pytest.approx(49.5, abs=5)
