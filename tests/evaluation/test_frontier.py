"""Which points lie on a frontier, by hand."""

import math

from heedful.evaluation.estimates import Estimate
from heedful.evaluation.frontier import Point, frontier


def point(name: str, kl: float, reward: float, half: float = 0.1) -> Point:
    return Point(
        name, 100, 0.1, Estimate(kl, kl - half, kl + half), Estimate(reward, reward - half, reward + half)
    )


def places(*points: Point) -> dict[str, str]:
    return {found.point.name: found.place for found in frontier(points)}


def test_more_reward_for_more_kl_is_all_frontier() -> None:
    assert set(places(point("a", 1, 1), point("b", 2, 2), point("c", 5, 3)).values()) == {"frontier"}


def test_less_reward_for_more_kl_is_below() -> None:
    found = frontier([point("good", 1, 2), point("bad", 3, 1), point("far", 9, 9)])
    assert [one.place for one in found] == ["frontier", "below", "frontier"]
    assert [other.name for other in found[1].beaten_by] == ["good"]


def test_what_the_intervals_do_not_tell_is_not_clear() -> None:
    assert places(point("a", 1.0, 1.0), point("b", 1.05, 0.95)) == {"a": "frontier", "b": "not clearly below"}


def test_reward_that_may_be_more_is_not_clearly_below_for_its_kl_alone() -> None:
    found = places(point("cheap", 1, 1.0), point("dear", 4, 0.95))
    assert found == {"cheap": "frontier", "dear": "not clearly below"}


def test_equal_points_do_not_beat_each_other() -> None:
    assert set(places(point("a", 1, 1), point("b", 1, 1)).values()) == {"frontier"}


def test_a_point_without_intervals_is_never_clearly_below() -> None:
    bare = Point("bare", None, None, Estimate(2, math.nan, math.nan), Estimate(0, math.nan, math.nan))
    assert places(point("a", 1, 1), bare)["bare"] == "not clearly below"


def test_the_best_rival_comes_first() -> None:
    found = frontier([point("a", 1, 2), point("b", 1, 3), point("worst", 5, 1)])
    assert [other.name for other in found[2].beaten_by] == ["b", "a"]
