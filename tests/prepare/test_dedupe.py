"""The first of each set of duplicates is kept, and every record is somewhere."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from heedful.prepare.dedupe import Deduped, dedupe
from heedful.records import (
    Demonstration,
    Feedback,
    Judgement,
    Preference,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)

LETTERS = random.Random(7)
WORDS = ["".join(LETTERS.choices("abcdefghijklmnopqrstuvwxyz", k=LETTERS.randint(3, 9))) for _ in range(500)]


def text(seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=30))


def reworded(text: str) -> str:
    words = text.split()
    return " ".join([*words[:15], "instead", *words[16:]])


def pair(chosen: str, rejected: str, prompt: str = "p", **given: Any) -> Preference:
    name = given.pop("id", f"{prompt}:{chosen}>{rejected}")
    return Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),), id=name, **given)


def demonstration(answer: str) -> Demonstration:
    return Demonstration((user(text(1)),), (assistant(answer),))


def thumb(answer: str, desirable: bool) -> Feedback:
    return Feedback((user(text(1)),), (assistant(answer),), desirable)


def rating(answer: str, score: float) -> Rating:
    return Rating((user(text(1)),), (assistant(answer),), score)


def ranking(answer: str, *ranks: int) -> Ranking:
    return Ranking((user(text(1)),), ((assistant(answer),), (assistant(text(3)),)), ranks)


def left_out(found: Deduped[Any]) -> list[tuple[str, str]]:
    return [(row.where, row.reason) for row in found.quarantined]


def ids(records: Sequence[Any]) -> list[str]:
    return [record.id for record in records]


def test_the_first_of_copies_is_kept() -> None:
    records = [pair("a", "b"), pair("c", "d"), pair(" a", "b ", id="again"), pair("a", "b", "q")]
    found = dedupe(records, near=None)
    assert list(found) == [records[0], records[1], records[3]]
    assert left_out(found) == [("again", "duplicate")]
    assert found.quarantined[0].detail == "the same prompt and responses as p:a>b"
    assert (found.counts.read, found.counts.kept, found.counts.quarantined) == (4, 3, {"duplicate": 1})


def test_contradictions_by_policy() -> None:
    records = [
        pair("a", "b"),
        pair("x", "y"),
        pair("b", "a"),
        pair("a", "b", id="again"),
        pair("b", "a", id="b again"),
    ]
    report = dedupe(records, near=None)
    assert ids(report) == ["p:a>b", "p:x>y", "p:b>a"]
    assert report.counts.quarantined == {"duplicate": 2}
    first = dedupe(records, near=None, contradictions="keep_first")
    assert ids(first) == ["p:a>b", "p:x>y"]
    assert first.counts.quarantined == {"duplicate": 1, "contradiction": 2}
    both = dedupe(records, near=None, contradictions="drop_both")
    assert ids(both) == ["p:x>y"]
    assert both.counts.read == 5
    assert report.contradictions == first.contradictions == both.contradictions > 0
    assert dedupe(records[:2]).contradictions == 0


def test_what_contradicts_is_named() -> None:
    found = dedupe([pair("a", "b"), pair("b", "a")], contradictions="drop_both")
    assert left_out(found) == [("p:a>b", "contradiction"), ("p:b>a", "contradiction")]
    assert found.quarantined[0].detail == "says the opposite of p:b>a about the same responses"
    assert found.quarantined[0].raw == pair("a", "b")


def test_votes_of_others_are_no_copies() -> None:
    votes = [pair("a", "b", metadata={"annotator": who}, id=who) for who in ("ann", "bo")]
    assert list(dedupe(votes)) == votes
    opposite = pair("b", "a", metadata={"annotator": "cy"}, id="cy")
    assert dedupe([*votes, opposite], contradictions="drop_both").counts.kept == 3


def test_what_is_almost_the_same_is_left_out() -> None:
    prompt, good, bad = text(1), text(2), text(3)
    records = [pair(good, bad, prompt, id="first"), pair(good, reworded(bad), f"{prompt}?", id="near")]
    found = dedupe(records)
    assert (ids(found), left_out(found)) == (["first"], [("near", "near_duplicate")])
    assert found.quarantined[0].detail == "prompt and responses are almost those of first"
    assert ids(dedupe(records, near=0.95)) == ["first", "near"]
    assert ids(dedupe(records, near=None)) == ["first", "near"]


@pytest.mark.parametrize("other", [ranking(reworded(text(2)), 1, 2), rating(reworded(text(2)), 4.0)])
def test_near_rankings_and_ratings_are_left_out(other: Record) -> None:
    first = ranking(text(2), 1, 2) if isinstance(other, Ranking) else rating(text(2), 4.0)
    turned = Ranking(first.prompt, first.responses[::-1], (2, 1)) if isinstance(first, Ranking) else first
    assert list(dedupe([turned, other])) == [turned]


@pytest.mark.parametrize(
    "other",
    [
        pair("yes", "perhaps", text(1)),
        pair("no", "maybe", text(1)),
        pair("yes", "no", text(9)),
    ],
)
def test_every_part_must_be_near(other: Preference) -> None:
    """A long prompt with other short answers is other data, however alike the whole looks."""
    assert dedupe([pair("yes", "no", text(1)), other]).counts.kept == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rating(text(2), 4.0), rating(reworded(text(2)), 3.0)),
        (thumb(text(2), True), thumb(reworded(text(2)), False)),
        (demonstration(text(2)), thumb(text(2), True)),
        (ranking(text(2), 1, 2), ranking(reworded(text(2)), 2, 1)),
        (pair(text(2), text(3), text(1)), pair(text(3), reworded(text(2)), text(1))),
        (pair(text(2), text(3)), pair(text(2), reworded(text(3)), probability=0.5)),
        (Judgement("item 1001", "ann", "a"), Judgement("item 1002", "ann", "a")),
    ],
)
def test_what_says_something_else_is_kept(one: Record, other: Record) -> None:
    assert dedupe([one, other]).counts.kept == 2


def test_near_demonstrations_are_left_out() -> None:
    records = [
        Demonstration((user(text(1)),), (assistant(text(2)),), id="1"),
        Demonstration((user(text(5)),), (assistant(text(2)),), id="2"),
        Demonstration((user(text(1)),), (assistant(reworded(text(2))),)),
    ]
    found = dedupe(records)
    assert (ids(found), left_out(found)) == (["1", "2"], [("record 3", "near_duplicate")])


def test_records_keep_their_order_and_none_is_lost() -> None:
    records = [pair(text(n % 30), text(100 + n % 20), text(200 + n % 10), id=str(n)) for n in range(100)]
    found = dedupe(records)
    assert ids(found) == sorted(ids(found), key=int)
    assert ids(found) == [str(n) for n in range(60)]
    assert found.counts.read == 100


def test_nothing_of_nothing() -> None:
    assert dedupe([]).counts.read == 0
