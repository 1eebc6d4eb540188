"""Records become items once, under names that stay, and every record is accounted for; on both backends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select

from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Item
from heedful.collect.work import items
from heedful.collect.work.items import LONGEST_KEY, Loaded
from heedful.quarantine import Kept, Quarantined
from heedful.records import (
    Candidates,
    Feedback,
    Judgement,
    Message,
    Messages,
    Preference,
    Prompt,
    Ranking,
    Record,
    assistant,
    user,
)

PLAIN = Settings()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        yield connection


def pair(name: str, texts: str = "xy", prompt: str = "Which?", **more) -> Preference:
    chosen, rejected = texts
    return Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),), id=name, **more)


def everything(connection: Connection) -> list[Item]:
    return [Item.of(row) for row in connection.execute(select(schema.items).order_by(schema.items.c.id))]


def keys(connection: Connection) -> list[str]:
    return [item.key for item in everything(connection)]


def summary(loaded: Loaded) -> tuple[int, int, int]:
    """What adds up: records read, items added, items known."""
    assert loaded.counts.read == loaded.used + sum(loaded.counts.quarantined.values())
    return loaded.counts.read, loaded.added, loaded.known


def test_an_item_is_read_as_it_was_added_whatever_its_text(connection) -> None:
    odd: Messages = (
        Message("system", "'); DROP TABLE items; --"),
        user("<script>alert(1)</script>\r\n\t" + "مرحبا \U0001f642"),
        assistant("NUL \0 and % and \\u0000"),
        user("?"),
    )
    record = Candidates(
        odd,
        ((assistant(""), assistant("1")), (assistant("2"),)),
        id="odd",
        source="a.jsonl",
        metadata={"generators": ["tuned", ""], "nul": "\0", "half": "\ud800"},
    )

    items.add_records(connection, [record], Settings(overlap=3))

    (item,) = everything(connection)
    assert items.get(connection, item.id) == item
    assert (item.key, item.prompt, item.source) == ("odd", odd, "a.jsonl")
    assert [response.turns for response in item.responses] == list(record.responses)
    assert [response.generator for response in item.responses] == ["tuned", ""]
    assert item.metadata == {"nul": "\0", "half": "\ud800"}
    assert (item.stage, item.origin, item.gold, item.priority) == ("main", "data", None, 0.0)
    assert (item.wanted, item.votes, item.skips, item.open) == (3, 0, 0, True)


def test_the_same_data_twice_add_nothing(connection) -> None:
    records = [
        pair("one"),
        pair("two", "xz"),
        Candidates((user("?"),), ((assistant("r"),), (assistant("s"),))),
    ]

    first = items.add_records(connection, records, PLAIN)
    before = everything(connection)
    again = items.add_records(connection, records, PLAIN)

    assert (summary(first), summary(again)) == ((3, 3, 0), (3, 0, 3))
    assert str(first) == "3 read, 3 kept; 3 items added"
    assert str(again) == "3 read, 3 kept; 0 items added, 3 known already"
    assert everything(connection) == before


def test_the_votes_of_several_people_on_a_pair_are_one_item(connection) -> None:
    votes = [pair("a1", "xy", metadata={"annotator": "ann"}), pair("b1", "yx", metadata={"annotator": "bob"})]

    assert summary(items.add_records(connection, votes, PLAIN)) == (2, 1, 1)
    assert keys(connection) == ["a1"]


def test_the_same_name_with_other_content_gets_a_key_of_its_own(connection) -> None:
    in_one_file = [pair("q"), pair("q", "xz")]
    items.add_records(connection, in_one_file, PLAIN)
    items.add_records(connection, [pair("q", "yz")], PLAIN)

    found = keys(connection)
    assert found[0] == "q"
    assert [key[:2] for key in found] == ["q", "q-", "q-"]
    assert len(set(found)) == 3
    assert summary(items.add_records(connection, [*in_one_file, pair("q", "yz")], PLAIN)) == (3, 0, 3)


def test_items_without_a_name_are_called_the_same_wherever_they_stand(connection) -> None:
    found = []
    for records in ([pair(""), pair("", "xz")], [pair("", "xz"), pair("")]):
        items.add_records(connection, records, PLAIN)
        found.append(keys(connection))
        connection.execute(schema.items.delete())

    assert found[0] == found[1][::-1]
    assert all(key.startswith("item-") for key in found[0])


@pytest.mark.parametrize("name", ["n" * 1000, "NUL \0", "half \ud800", "ü" * LONGEST_KEY])
def test_no_name_is_too_odd_for_a_database(connection, name: str) -> None:
    items.add_records(connection, [pair(name, source=name), pair(name, "xz")], PLAIN)

    one, other = keys(connection)
    assert one != other
    assert max(len(one), len(other)) <= LONGEST_KEY


def test_every_record_is_used_or_left_out_with_a_reason(connection) -> None:
    asked = (user("?"),)
    records: list[Record] = [
        pair("used"),
        Prompt(asked, id="alone"),
        pair("equal", "xx"),
        Judgement("used", "ann", "a"),
        Ranking(asked, ((assistant("1"),), (assistant("2"),), (assistant("3"),)), (1, 2, 3), id="three"),
        Feedback(asked, (assistant("1"),), True, id="f1"),
        Feedback(asked, (assistant("2"),), False, id="f2"),
        Feedback((user("other"),), (assistant("2"),), False, id="f3"),
    ]
    before = Quarantined("file:9", "not_json", "no JSON", "{")

    loaded = items.add_records(connection, Kept(records, [before]), PLAIN)

    # The two thumbs make a pair that the ranking made already.
    assert summary(loaded) == (9, 4, 1)
    assert loaded.used == 4
    assert {row.where: row.reason for row in loaded.quarantined} == {
        "file:9": "not_json",
        "alone": "no_response",
        "equal": "equal_responses",
        "used": "judgement",
        "f3": "one_response",
    }
    assert keys(connection)[0] == "used"
    assert {key[:6] for key in keys(connection)[1:]} == {"three."}


def test_an_item_of_one_stage_is_not_taken_for_one_of_another(connection) -> None:
    items.add_records(connection, [pair("main"), pair("both", "xz")], PLAIN)

    gold = items.add_records(connection, [pair("gold", "yz"), pair("both", "xz")], PLAIN, stage="gold")
    main = items.add_records(connection, [pair("gold", "yz")], PLAIN)

    assert summary(gold) == (2, 1, 0)
    assert gold.counts.quarantined == {"other_stage": 1}
    assert summary(main) == (1, 0, 1)
    assert [item.stage for item in everything(connection)] == ["main", "main", "gold"]


def test_records_are_read_as_they_are_used_and_counted_over_all_batches(connection, monkeypatch) -> None:
    monkeypatch.setattr(items, "AT_ONCE", 3)
    there: list[int] = []

    def stream() -> Iterator[Record]:
        for number in range(8):
            if number == 7:
                there.append(len(everything(connection)))
            yield pair("same" if number % 2 else "", prompt=str(number // 2 * 2 if number == 5 else number))

    loaded = items.add_records(connection, stream(), PLAIN)

    assert there == [5]  # of the six in two batches; the sixth is the fifth again
    assert summary(loaded) == (8, 7, 1)
    assert len(set(keys(connection))) == 7


def test_half_of_a_load_is_not_kept(database: Database) -> None:
    def stream() -> Iterator[Record]:
        yield pair("one")
        raise OSError

    with pytest.raises(OSError), database.write() as connection:  # noqa: PT011
        items.add_records(connection, stream(), PLAIN)

    with database.read() as connection:
        assert everything(connection) == []
