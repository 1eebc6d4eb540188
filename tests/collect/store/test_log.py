"""The log is read in the order it was written, and says what stands; on both backends."""

from __future__ import annotations

from itertools import count

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from heedful.collect.answer import Answer
from heedful.collect.store import log
from heedful.collect.store.database import Database
from heedful.collect.store.model import Entry, Item, Person
from tests.collect.making import NOON, a_person, an_item

A, B = Answer(verdict="a"), Answer(verdict="b")
_uids = count()


@pytest.fixture
def connection(database: Database):
    with database.write() as connection:
        yield connection


def say(connection: Connection, person: Person, item: Item, answer: Answer | None, **more) -> Entry:
    row = {"uid": f"uid-{next(_uids)}", "kind": "vote", "action": "give" if answer else "retract"} | more
    return log.append(
        connection, item=item.id, person=person.id, answer=answer, shown=(1, 0), seconds=None, at=NOON, **row
    )


def test_a_row_is_read_as_it_was_written(connection) -> None:
    rated = Answer(scores=({"safe": 1}, {"safe": 5}), rationale="„so“", flags=("broken",))
    made = say(connection, a_person(connection, "ann"), an_item(connection), rated, uid="one")

    assert log.by_uid(connection, "one") == made
    assert (made.answer, made.shown, made.at, made.seconds) == (rated, (1, 0), NOON, None)
    assert log.by_uid(connection, "two") is None


def test_no_two_rows_have_one_uid(connection) -> None:
    ann, item = a_person(connection, "ann"), an_item(connection)
    say(connection, ann, item, A, uid="one")

    with pytest.raises(IntegrityError):
        say(connection, ann, item, A, uid="one")


def test_rows_come_in_order_from_anywhere_to_anywhere(connection) -> None:
    ann, item = a_person(connection, "ann"), an_item(connection)
    made = [say(connection, ann, item, A) for _ in range(5)]

    assert list(log.entries(connection)) == made
    assert list(log.entries(connection, after=made[1].id)) == made[2:]
    assert list(log.entries(connection, after=made[1].id, limit=2)) == made[2:4]
    assert list(log.entries(connection, until=made[1].id)) == made[:2]


def test_the_last_word_of_each_person_item_and_kind_stands_unless_it_was_taken_back(connection) -> None:
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    one, two = an_item(connection), an_item(connection)
    say(connection, ann, one, A)
    changed = say(connection, ann, one, B)
    say(connection, bob, one, A)
    say(connection, bob, one, None)
    other = say(connection, ann, two, A)
    adjudicated = say(connection, ann, one, A, kind="adjudication")
    imported = say(connection, bob, two, A, kind="import")
    say(connection, bob, two, A)
    say(connection, bob, two, None)
    again = say(connection, bob, two, B)

    assert log.standing(connection) == [changed, other, imported, again]
    assert log.standing(connection, kinds=["vote"]) == [changed, other, again]
    assert log.standing(connection, kinds=["adjudication"]) == [adjudicated]
    assert log.standing(connection, items=[two.id]) == [other, imported, again]
    assert log.standing(connection, items=[]) == []
    assert log.standing(connection, person=bob.id) == [imported, again]
    assert log.standing(connection, until=changed.id + 1)[0] == changed
    assert log.standing(connection, until=changed.id - 1)[0].answer == A


def test_an_items_history_has_what_was_replaced_and_taken_back(connection) -> None:
    ann = a_person(connection, "ann")
    item, other = an_item(connection), an_item(connection)
    made = [say(connection, ann, item, answer) for answer in (A, B, None)]
    say(connection, ann, other, A)

    assert log.history(connection, item.id) == made


def test_many_items_are_asked_about_in_several_statements(connection, monkeypatch) -> None:
    monkeypatch.setattr(log, "_AT_ONCE", 2)
    ann = a_person(connection, "ann")
    made = [an_item(connection) for _ in range(5)]
    said = [say(connection, ann, item, A) for item in reversed(made)]

    assert log.standing(connection, items=[item.id for item in made]) == said
