"""What people came to: the aggregation of `pairs` over standing votes, and an adjudicator's word above it."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.collect.exchange.outcomes import outcomes
from heedful.collect.settings import Settings
from heedful.prepare.pair_settings import Aggregation, PairSettings
from tests.collect.speaking import item, word

PLAIN = Settings()


def made(votes, adjudications=(), settings: Settings = PLAIN, **aggregation: Any):
    pairs = PairSettings(aggregate=Aggregation(**aggregation), aspect="mean")
    found = outcomes(votes, adjudications, settings, pairs)
    assert found.used + len(found.left_out) == len(votes) + len(adjudications)
    return found


def reasons(found) -> list[tuple[str, str]]:
    return [(row.where, row.reason) for row in found.left_out]


def test_votes_on_an_item_become_its_preference() -> None:
    of = item(source="set")
    votes = [word(of, "ann", verdict="a"), word(of, "bob", verdict="a"), word(of, "cy", verdict="b")]
    (preference,) = made(votes).preferences

    assert (preference.id, preference.source, preference.chosen[0].content) == ("k", "set", "red")
    assert preference.probability == pytest.approx(2 / 3)
    assert preference.metadata == {
        "generator_chosen": "by red",
        "generator_rejected": "by blue",
        "agreement": pytest.approx(2 / 3),
        "votes": {"chosen": 2, "rejected": 1, "tie": 0, "both_bad": 0, "skip": 0},
    }


@pytest.mark.parametrize("scale", [4, 7])
def test_how_much_better_people_found_it_becomes_the_margin(scale: Any) -> None:
    of, settings = item(), Settings(strength=scale)
    tie = {"strength": 0} if scale == 7 else {}
    votes = [
        word(of, "ann", verdict="b", strength=3),
        word(of, "bob", verdict="b", strength=2, shown=(1, 0)),
        word(of, "cy", verdict="a", strength=1),
        word(of, "dan", verdict="tie", **tie),
    ]
    (preference,) = made(votes, settings=settings).preferences

    assert (preference.chosen[0].content, preference.margin) == ("blue", (3 + 2 - 1 + 0) / 4)
    assert preference.metadata["scale"] == scale
    eve = [word(of, "eve", verdict="a", strength=2, kind="adjudication")]
    assert [p.margin for p in made(votes, eve, settings=settings).preferences] == [2.0]


def test_skips_are_counted_with_the_votes_and_left_out() -> None:
    of, alone = item(), item(key="other", id=2)
    found = made([
        word(of, "ann", verdict="a"), word(of, "bob", verdict="skip"), word(alone, "bob", verdict="skip"),
    ])  # fmt: skip

    assert [p.metadata["votes"]["skip"] for p in found.preferences] == [1]
    assert reasons(found) == [("k by bob", "skipped"), ("other by bob", "skipped")]
    assert found.used == 1


def test_flags_of_all_are_counted() -> None:
    of = item()
    (preference,) = made([
        word(of, "ann", verdict="a", flags=("unsafe",)),
        word(of, "bob", verdict="a", flags=("unsafe", "broken")),
        word(of, "cy", verdict="skip", flags=("unsafe",)),
    ]).preferences  # fmt: skip

    assert preference.metadata["flags"] == {"broken": 1, "unsafe": 3}


def test_too_few_votes_and_too_little_agreement_leave_each_vote_out_once() -> None:
    few, split = item(key="few"), item(key="split", id=2)
    found = made(
        [word(few, "ann", verdict="a"), word(split, "ann", verdict="a"), word(split, "bob", verdict="b")],
        min_votes=2,
        min_agreement=0.6,
    )

    assert found.preferences == []
    assert reasons(found) == [
        ("few by ann", "too_few_votes"), ("split by ann", "low_agreement"), ("split by bob", "low_agreement"),
    ]  # fmt: skip


def test_an_adjudicator_decides_alone_whatever_the_votes_are_and_ask_for() -> None:
    of, other = item(), item(key="other", id=2)
    votes = [word(of, "ann", verdict="a"), word(of, "bob", verdict="a"), word(other, "ann", verdict="a")]
    found = made(votes, [word(of, "eve", verdict="b", kind="adjudication")], min_agreement=1.0)

    assert [(p.id, p.chosen[0].content, p.probability) for p in found.preferences] == [
        ("other", "red", None), ("k", "blue", None),
    ]  # fmt: skip
    assert [p.metadata.get("adjudicated") for p in found.preferences] == [None, True]
    assert reasons(found) == [("k by ann", "adjudicated"), ("k by bob", "adjudicated")]
    few = made(votes, [word(of, "eve", verdict="b", kind="adjudication")], min_votes=2)
    assert [(p.id, p.chosen[0].content) for p in few.preferences] == [("k", "blue")]


def test_of_two_adjudicators_the_last_decides_and_one_who_skips_decides_nothing() -> None:
    of, other = item(), item(key="other", id=2)
    found = made(
        [word(of, "ann", verdict="a"), word(other, "ann", verdict="a")],
        [
            word(of, "eve", verdict="b", kind="adjudication"),
            word(of, "fay", verdict="tie", kind="adjudication"),
            word(other, "eve", verdict="skip", kind="adjudication"),
        ],
    )

    assert [(p.id, p.tie) for p in found.preferences] == [("other", False), ("k", True)]
    assert reasons(found) == [
        ("k by ann", "adjudicated"),
        ("other by eve", "skipped"),
        ("k by eve", "superseded"),
    ]


def test_votes_on_a_decided_item_still_tell_whom_to_trust() -> None:
    items = [item(key=f"i{n}", id=n) for n in range(12)]
    votes = []
    for of in items[:-1]:  # three always agree, cy is always against them
        votes += [word(of, name, verdict="a") for name in ("ann", "bob", "dan")] + [
            word(of, "cy", verdict="b")
        ]
    last = [word(items[-1], "ann", verdict="a"), word(items[-1], "cy", verdict="b")]
    decided = [word(of, "eve", verdict="a", kind="adjudication") for of in items[:-1]]

    (outcome,) = [p for p in made([*votes, *last], decided, method="weighted").preferences if p.id == "i11"]
    (alone,) = made(last, method="majority").preferences

    assert (outcome.chosen[0].content, outcome.probability) == ("red", None)
    assert alone.tie


def test_rankings_of_several_people_come_to_preferences_pair_by_pair() -> None:
    of = item("x", "y", "z")
    votes = [word(of, "ann", ranks=(1, 2, 3)), word(of, "bob", ranks=(1, 3, 2))]
    found = made(votes, settings=Settings(task="ranking"))

    assert [(p.id, p.chosen[0].content, p.rejected[0].content, p.probability) for p in found.preferences] == [
        ("k:1+2", "x", "y", None), ("k:1+3", "x", "z", None), ("k:2+3", "y", "z", 0.5),
    ]  # fmt: skip
    assert found.used == 2
    decided = made(
        votes, [word(of, "eve", ranks=(3, 2, 1), kind="adjudication")], settings=Settings(task="ranking")
    )
    assert [(p.chosen[0].content, p.metadata["adjudicated"]) for p in decided.preferences] == [
        ("y", True), ("z", True), ("z", True),
    ]  # fmt: skip


def test_ratings_and_thumbs_are_compared_and_an_adjudicator_replaces_them() -> None:
    rated = Settings(task="rating", aspects=("safe",))
    said = [
        word(item(), "ann", scores=({"safe": 5}, {"safe": 2})),
        word(item(), "bob", scores=({"safe": 3}, {"safe": 2})),
    ]
    (preference,) = made(said, settings=rated).preferences
    assert (preference.chosen[0].content, preference.margin) == ("red", 2.0)

    eve = word(item(), "eve", scores=({"safe": 1}, {"safe": 2}), kind="adjudication")
    found = made(said, [eve], settings=rated)
    assert [(p.chosen[0].content, p.margin) for p in found.preferences] == [("blue", 1.0)]
    assert reasons(found) == [("k by ann", "adjudicated"), ("k by bob", "adjudicated")]

    thumbs = Settings(task="thumbs")
    (liked,) = made([word(item(), thumbs=(False, True))], settings=thumbs).preferences
    assert liked.chosen[0].content == "blue"
    assert reasons(made([word(item(), thumbs=(True, True))], settings=thumbs)) == [("k by ann", "one_sided")]
