"""Which item comes first: by lot, by uncertainty, by how far votes differ; on both backends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, select, update

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Item
from heedful.collect.work import items, order, queue, votes
from heedful.collect.work.order import NO_VOTE, UNANIMOUS, disagreement
from heedful.records import Preference, assistant, user
from tests.collect.making import NOON, a_person, an_item, voted

A, B = Answer(verdict="a"), Answer(verdict="b")
TIE, SKIP = Answer(verdict="tie"), Answer(verdict="skip", rationale="no idea")


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        yield connection


def pairs(n: int) -> list[Preference]:
    return [Preference((user(f"{i}?"),), (assistant("x"),), (assistant("y"),), id=str(i)) for i in range(n)]


def in_order(connection: Connection) -> list[str]:
    """The keys of the main items as they come."""
    known = schema.items.c
    found = select(known.key).where(known.stage == "main").order_by(known.priority, known.id)
    return list(connection.execute(found).scalars())


def priority(connection: Connection, item: Item) -> float:
    return items.get(connection, item.id).priority


class Unsure:
    """Says of each item what it is told to, by its key, and how many it was asked about at a time."""

    def __init__(self, **said: float) -> None:
        self.said = said
        self.asked: list[int] = []

    def __call__(self, items: Sequence[Item]) -> Sequence[float]:
        self.asked.append(len(items))
        return [self.said[f"i{item.key}"] for item in items]


def test_a_random_order_hangs_on_the_seed_and_not_on_when_an_item_was_added(connection) -> None:
    made = pairs(20)
    settings = Settings(order="random", seed=1)
    items.add_records(connection, made[:10], settings)
    items.add_records(connection, made[10:], settings)
    added = in_order(connection)
    orders = {}
    for seed in (1, 2):
        order.reorder(connection, Settings(order="random", seed=seed))
        orders[seed] = in_order(connection)

    plain = [one.id for one in made]
    assert orders[1] == added
    assert len({tuple(one) for one in (plain, orders[1], orders[2])}) == 3
    assert sorted(orders[1]) == sorted(plain)
    order.reorder(connection, Settings())
    assert in_order(connection) == plain


def test_the_most_uncertain_items_come_first_and_unknown_ones_last(connection) -> None:
    items.add_records(connection, pairs(5), Settings())
    gold = an_item(connection, stage="gold")
    unsure = Unsure(i0=-0.5, i1=math.nan, i2=math.inf, i3=2.0, i4=-math.inf)

    order.reorder(connection, Settings(order="uncertain"), unsure)

    assert in_order(connection) == ["2", "3", "0", "1", "4"]
    assert priority(connection, gold) == 0.0


def test_a_model_is_asked_about_some_items_at_a_time(connection, monkeypatch) -> None:
    monkeypatch.setattr(order, "AT_ONCE", 2)
    items.add_records(connection, pairs(5), Settings())
    unsure = Unsure(i0=1, i1=5, i2=2, i3=4, i4=3)

    order.reorder(connection, Settings(order="uncertain"), unsure)

    assert unsure.asked == [2, 2, 1]
    assert in_order(connection) == ["1", "3", "4", "2", "0"]


def test_a_model_that_says_too_little_is_found_out(connection) -> None:
    items.add_records(connection, pairs(2), Settings())

    with pytest.raises(ValueError, match="zip"):
        order.reorder(connection, Settings(order="uncertain"), lambda items: [1.0])


def test_without_a_model_an_uncertain_order_stays_and_what_is_new_comes_last(connection) -> None:
    settings = Settings(order="uncertain")
    items.add_records(connection, pairs(2), settings)
    order.reorder(connection, settings, Unsure(i0=-7.0, i1=-3.0))
    items.add_records(connection, pairs(3), settings)

    order.reorder(connection, settings)

    assert in_order(connection) == ["1", "0", "2"]


DIVIDED = Settings(order="disagreement")


def test_items_whose_votes_differ_come_before_those_without_and_before_unanimous_ones(connection) -> None:
    crowd = [a_person(connection, name) for name in ("ann", "bob", "cat", "dan")]
    said = {
        "one": [A],
        "alike": [A, A, A],
        "none": [],
        "skipped": [SKIP],
        "third": [A, A, B],
        "half": [A, B],
        "all": [A, B, TIE],
    }
    made = {name: an_item(connection, wanted=9) for name in said}
    for name, answers in said.items():
        for person, answer in zip(crowd, answers, strict=False):
            voted(connection, person, made[name], answer, DIVIDED)

    found = {name: priority(connection, item) for name, item in made.items()}
    assert found == {
        "one": UNANIMOUS,
        "alike": UNANIMOUS,
        "none": NO_VOTE,
        "skipped": NO_VOTE,
        "third": pytest.approx(-2 / 3),
        "half": -1.0,
        "all": -1.0,
    }
    connection.execute(update(schema.items).values(priority=5.0))
    order.reorder(connection, DIVIDED)
    assert {name: priority(connection, item) for name, item in made.items()} == found

    next_one = queue.open_next(connection, a_person(connection, "new"), DIVIDED, NOON)
    assert next_one is not None
    assert next_one.item == made["half"].id


def test_only_votes_that_stand_decide_and_only_where_votes_decide(connection) -> None:
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    item = an_item(connection, wanted=3)
    voted(connection, ann, item, A, DIVIDED)
    given = queue.open_next(connection, bob, DIVIDED, NOON)
    assert given is not None
    for number, (answer, expected) in enumerate(((B, -1.0), (A, UNANIMOUS), (TIE, -1.0))):
        shown = answer.as_shown(given.shown)
        votes.submit(connection, given, shown, DIVIDED, uid=str(number), seconds=1.0, at=NOON)
        assert priority(connection, item) == expected
    votes.retract(connection, given, DIVIDED, uid="back", at=NOON)
    assert priority(connection, item) == UNANIMOUS

    other = an_item(connection)
    voted(connection, ann, other, A, Settings())
    assert priority(connection, other) == 0.0


def test_the_order_of_known_answers_does_not_hang_on_votes(connection) -> None:
    gold = an_item(connection, stage="gold", gold=A)
    voted(connection, a_person(connection, "ann"), gold, A, DIVIDED)

    assert priority(connection, gold) == 0.0


@pytest.mark.parametrize(
    ("task", "answers", "expected"),
    [
        ("ranking", [{"ranks": (1, 2, 3)}, {"ranks": (1, 2, 3)}], 0.0),
        ("ranking", [{"ranks": (1, 2, 3)}, {"ranks": (2, 1, 3)}], 1 / 3),
        ("ranking", [{"ranks": (1, 2, 3)}, {"ranks": (3, 2, 1)}], 1.0),
        ("ranking", [{"ranks": (1, 1, 2)}, {"ranks": (1, 2, 3)}], 1 / 3),
        ("thumbs", [{"thumbs": (True, True)}, {"thumbs": (True, False)}], 0.5),
        ("rating", [{"scores": ({"tone": 1}, {"tone": 5})}, {"scores": ({"tone": 3}, {"tone": 5})}], 0.25),
        ("rating", [{"scores": ({"tone": 1},)}, {"scores": ({"safe": 5},)}], 0.0),
        ("rating", [{"scores": ({"tone": 1},)}, {"verdict": "skip"}], 0.0),
        ("thumbs", [{"thumbs": (True,)}, {"thumbs": (False,)}, {"thumbs": (False,)}], 2 / 3),
    ],
)
def test_how_far_votes_differ_is_the_mean_over_all_twos_of_them(task, answers, expected) -> None:
    said = [Answer(**one) for one in answers]

    assert disagreement(said, Settings(task=task)) == pytest.approx(expected)
