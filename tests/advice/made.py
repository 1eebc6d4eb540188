"""Made situations: facts as they would be measured, from the plainest one by what is different."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from heedful.advice.facts import (
    DataFacts,
    Facts,
    LabelFacts,
    Lengths,
    ModelFacts,
    RewardFacts,
    RoadCost,
    TaskFacts,
)
from heedful.checks.finding import Interval
from heedful.intervals import wilson

GB = 10**9


def share(value: float, n: int = 100) -> Interval:
    """A measured share, with Wilson's interval."""
    return Interval(value, *wilson(value * n, n), n)


def gap(value: float, half: float = 0.1, n: int = 64) -> Interval:
    return Interval(value, value - half, value + half, n)


READY = ModelFacts(
    name="made",
    answers=48,
    limit=96,
    ended=share(0.96, 48),
    looping=share(0.0, 48),
    refusing=share(0.0, 48),
    traits=("latin letters",),
    in_format=share(1.0, 48),
    start=64,
    own_loss=Interval(1.5, 1.4, 1.6, 48),
    good_loss=Interval(1.9, 1.8, 2.0, 64),
    rejected_loss=Interval(2.0, 1.9, 2.1, 64),
    good_above_own=gap(0.4),
    rejected_above_own=gap(0.5),
    tells_apart=share(0.6, 64),
)
"""A model that can do the task."""

UNABLE = replace(READY, ended=share(0.21, 48), good_above_own=gap(0.8))
"""A model that does not stop."""

FAR = replace(READY, good_above_own=gap(1.8), rejected_above_own=gap(1.9))
"""A model whose own answers are of another kind than the good ones."""

OPEN = TaskFacts(exact=share(0.02), same=share(0.1, 40))
"""Better and worse answers."""

EXACT = TaskFacts(exact=share(0.99, 300), same=None)
"""One right answer."""

LENGTHS = Lengths(
    prompt={0.5: 20, 0.95: 40, 0.99: 60, 1.0: 80},
    response={0.5: 60, 0.95: 90, 0.99: 120, 1.0: 200},
    whole={0.5: 80, 0.95: 120, 0.99: 170, 1.0: 260},
    pair=140.0,
)


def data(**changes: Any) -> DataFacts:
    """500 pairs of 500 prompts, and nothing wrong with them."""
    usual: dict[str, Any] = {
        "records": {"preference": 500},
        "prompts": 500,
        "pairs": 500,
        "responses": 2.0,
        "several": share(1.0, 500),
        "longer_chosen": share(0.52, 500),
        "alike_sides": share(0.01, 500),
        "repeated": share(0.0, 500),
        "contradicted": share(0.0, 500),
        "unusable": share(0.0, 500),
    }
    return DataFacts(**usual | changes)


def no_pairs(**changes: Any) -> DataFacts:
    nothing = {
        "records": {},
        "prompts": 0,
        "pairs": 0,
        "several": None,
        "longer_chosen": None,
        "alike_sides": None,
    }
    return data(**nothing | {"unusable": None} | changes)


def demonstrations(count: int, **changes: Any) -> DataFacts:
    return no_pairs(records={"demonstration": count}, demonstrations=count, prompts=count, **changes)


def prompts(count: int, **changes: Any) -> DataFacts:
    return no_pairs(records={"prompt": count}, unlabelled=count, **changes)


def labels(flipped: float | None, *, half: float = 0.02, n: int = 300, learnable: float = 0.8) -> LabelFacts:
    if flipped is None:
        return LabelFacts(None, 0.0, 0.4, n, "the models are right too seldom", share(learnable, n))
    low, high = max(flipped - half, 0.0), flipped + half
    return LabelFacts(Interval(flipped, low, high, n), low, high, n, "", share(learnable, n))


def reward(*, varies: float = 0.9, agrees: float | None = 0.85) -> RewardFacts:
    return RewardFacts("score.py:right", share(varies, 16), None if agrees is None else share(agrees, 100))


def costs(room: float, **memory: float) -> tuple[RoadCost, ...]:
    """Of each road in gigabytes, `dpo_ppo` for both in turn."""
    return tuple(
        RoadCost(name.replace("_", "+"), int(size * GB), None, int(room * GB))  # type: ignore[arg-type]
        for name, size in memory.items()
    )


def facts(**changes: Any) -> Facts:
    """500 clean pairs, near a model that can do the task: DPO."""
    usual: dict[str, Any] = {
        "data": data(),
        "model": READY,
        "task": OPEN,
        "labels": labels(0.02),
        "lengths": LENGTHS,
    }
    return Facts(**usual | changes)
