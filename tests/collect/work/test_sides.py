"""Sides are balanced for each person and, as far as that allows, for each item; on both backends."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations

import pytest
from sqlalchemy import Connection, select

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.work import queue, votes
from tests.collect.making import NOON, a_person, an_item, in_hand


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        yield connection


def shown_to(
    connection: Connection, name: str, times: int, chance: random.Random, settings: Settings | None = None
) -> list[tuple[int, ...]]:
    """The orders in which a new person is shown their items."""
    person, settings = a_person(connection, name), settings or Settings()
    found = []
    for number in range(times):
        given = queue.open_next(connection, person, settings, NOON, chance)
        assert given is not None
        found.append(given.shown)
        uid = f"{name}-{number}"
        votes.submit(connection, given, Answer(verdict="a"), settings, uid=uid, seconds=1.0, at=NOON)
    return found


def test_no_side_is_ever_more_than_one_ahead_for_anybody(connection) -> None:
    for _ in range(11):
        an_item(connection, wanted=9)
    chance = random.Random(7)

    orders = {name: shown_to(connection, name, 11, chance) for name in ("ann", "bob", "cat", "dan")}

    for of_one in orders.values():
        ahead = 0
        for shown in of_one:
            ahead += 1 if shown == (0, 1) else -1
            assert abs(ahead) <= 1
    assert len({tuple(of_one) for of_one in orders.values()}) == 4
    starts = {of_one[place : place + 2][0] for of_one in orders.values() for place in range(0, 10, 2)}
    assert starts == {(0, 1), (1, 0)}  # a block is no fixed pattern


def test_where_a_person_has_the_choice_an_item_is_shown_the_other_way_round(connection) -> None:
    item = an_item(connection, wanted=9)
    in_hand(connection, a_person(connection, "ann"), item, shown=(0, 1))

    orders = [(0, 1)]
    for number in range(7):
        found = queue.open_next(connection, a_person(connection, f"p{number}"), Settings(), NOON)
        assert found is not None
        orders.append(found.shown)

    assert all(one == other[::-1] for one, other in zip(orders[::2], orders[1::2], strict=True))


def test_the_order_that_was_shown_is_recorded_with_the_vote(connection) -> None:
    an_item(connection)
    (shown,) = shown_to(connection, "ann", 1, random.Random(1))

    assert connection.execute(select(schema.judgements.c.shown)).scalar_one() == list(shown)


def test_more_than_two_responses_are_shuffled_and_do_not_count_for_sides(connection) -> None:
    settings = Settings(task="thumbs")
    for _ in range(20):
        an_item(connection, responses=("x", "y", "z"))
    ann, chance = a_person(connection, "ann"), random.Random(3)
    orders = set()
    for number in range(20):
        given = queue.open_next(connection, ann, settings, NOON, chance)
        assert given is not None
        orders.add(given.shown)
        thumbs = Answer(thumbs=(True, True, False))
        votes.submit(connection, given, thumbs, settings, uid=str(number), seconds=1.0, at=NOON)

    assert orders == set(permutations(range(3)))
    assert connection.execute(select(schema.assignments.c.leads).distinct()).scalars().all() == [None]


def test_the_draw_can_be_fixed(connection) -> None:
    for _ in range(2):
        an_item(connection, responses=tuple("abcdefgh"), wanted=2)
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    found = [queue.open_next(connection, who, Settings(), NOON, random.Random(5)) for who in (ann, bob)]

    assert found[0] is not None
    assert found[1] is not None
    assert found[0].shown == found[1].shown
