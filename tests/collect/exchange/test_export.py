"""Exports hold what they say, add up, and are the same bytes for the same rows of the log."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import heedful
from heedful.collect.answer import Answer
from heedful.collect.exchange.export import Exported, beside, export, row_at
from heedful.collect.exchange.wish import Wish
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.errors import DataError
from heedful.prepare.pair_settings import Aggregation, PairSettings
from heedful.records import Candidates, Judgement, Preference
from tests.collect.making import NOON, a_person, an_item
from tests.collect.speaking import say


@pytest.fixture
def project(sqlite_url: str) -> Iterator[Project]:
    """The project that `_filled` describes, on SQLite alone."""
    database = Database(sqlite_url)
    yield _filled(database)
    database.close()


@pytest.fixture
def on_both(database: Database) -> Project:
    """The same on either backend, for what is asked of a database."""
    return _filled(database)


def _filled(database: Database) -> Project:
    """Two people on two items, an edit, a skip, a retraction, a gold item and an adjudication."""
    made = Project.open(database, Settings(strength=4))
    with database.write() as connection:
        ann, bob, eve = (a_person(connection, name) for name in ("ann", "bob", "eve"))
        one = an_item(connection, prompt="one?")
        two = an_item(connection, prompt="two?")
        gold = an_item(connection, prompt="gold?", gold=Answer(verdict="a"), stage="gold")
        for item, key in ((one, "one"), (two, "two"), (gold, "gold")):
            connection.execute(update(schema.items).where(schema.items.c.id == item.id).values(key=key))
        say(connection, ann, one, verdict="b", strength=1, at=NOON)
        say(connection, ann, one, verdict="a", strength=2, shown=(1, 0), at=NOON + timedelta(minutes=1))
        say(connection, bob, one, verdict="b", flags=("unsafe",), at=NOON + timedelta(minutes=2))
        say(connection, ann, two, verdict="skip", reason="too long", at=NOON + timedelta(minutes=3))
        say(connection, bob, two, verdict="tie", rationale="=1+1", at=NOON + timedelta(minutes=4))
        say(connection, ann, gold, verdict="a", at=NOON + timedelta(minutes=5))
        say(connection, bob, gold, verdict="b", at=NOON + timedelta(minutes=6))
        say(connection, bob, gold, action="retract", at=NOON + timedelta(minutes=7))
        say(connection, eve, one, verdict="a", kind="adjudication", at=NOON + timedelta(minutes=8))
    return made


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def exported(project: Project, path: Path, **wish: Any) -> Exported:
    made = export(project, path, Wish(**wish))
    assert made.counts.read == made.counts.kept + sum(made.counts.quarantined.values())
    assert made.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    return made


def everything(project: Project, folder: Path, until: int | None) -> Iterator[bytes]:
    """The bytes of every kind of export, and of what stands beside it."""
    for what in ("judgements", "records", "votes", "preferences"):
        for ending in ("jsonl", "csv"):
            path = folder / f"{what}.{ending}"
            export(project, path, Wish(what=what, until=until, with_gold=True, pseudonyms=True))
            yield path.read_bytes()
            yield beside(path).read_bytes()


def test_the_log_is_exported_row_by_row_with_edits_and_retractions(on_both: Project, tmp_path: Path) -> None:
    made = exported(on_both, tmp_path / "log.jsonl", what="judgements", with_gold=True)

    rows = lines(tmp_path / "log.jsonl")
    assert made.written.rows == len(rows) == 9
    assert [(r["annotator"], r["item"], r["action"], r["verdict"]) for r in rows] == [
        ("ann", "one", "give", "b"),
        ("ann", "one", "give", "a"),
        ("bob", "one", "give", "b"),
        ("ann", "two", "give", "skip"),
        ("bob", "two", "give", "tie"),
        ("ann", "gold", "give", "a"),
        ("bob", "gold", "give", "b"),
        ("bob", "gold", "retract", None),
        ("eve", "one", "give", "a"),
    ]
    assert rows[1] == {
        "id": 2,
        "at": "2026-03-01T12:01:00+00:00",
        "annotator": "ann",
        "item": "one",
        "kind": "vote",
        "action": "give",
        "verdict": "a",
        "strength": 2,
        "ranks": None,
        "scores": None,
        "thumbs": None,
        "flags": None,
        "rationale": None,
        "reason": None,
        "shown": [1, 0],
        "seconds": 3.5,
    }
    assert rows[3]["reason"] == "too long"
    assert rows[8]["kind"] == "adjudication"


def test_the_log_is_a_table_too(project: Project, tmp_path: Path) -> None:
    exported(project, tmp_path / "log.csv", what="judgements")

    with (tmp_path / "log.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert (rows[1]["verdict"], rows[1]["shown"], rows[1]["seconds"]) == ("a", "[1, 0]", "3.5")
    assert (rows[2]["flags"], rows[4]["rationale"]) == ('["unsafe"]', "=1+1")


def test_gold_items_stay_here_unless_they_are_asked_for(project: Project, tmp_path: Path) -> None:
    without = exported(project, tmp_path / "log.jsonl", what="judgements")
    votes = exported(project, tmp_path / "votes.jsonl", what="votes")
    all_votes = exported(project, tmp_path / "all.jsonl", what="votes", with_gold=True)

    assert (without.counts.kept, without.counts.quarantined) == (6, {"gold": 3})
    assert (votes.counts.kept, votes.counts.quarantined) == (3, {"gold": 1, "skipped": 1})
    assert all_votes.counts.quarantined == {"skipped": 1}
    (gold,) = [row for row in lines(tmp_path / "all.jsonl") if row["id"] == "gold"]
    assert gold["metadata"]["gold"] == "chosen"


def test_votes_are_one_record_each(project: Project, tmp_path: Path) -> None:
    exported(project, tmp_path / "votes.jsonl", what="votes")

    kept = heedful.read(tmp_path / "votes.jsonl")
    assert [(r.id, r.metadata["annotator"], r.chosen[0].content, r.margin, r.tie) for r in kept] == [
        ("one", "ann", "red", 2.0, False),
        ("one", "bob", "blue", None, False),
        ("two", "bob", "red", None, True),
    ]


def test_records_are_items_and_judgements_that_pairs_reads(project: Project, tmp_path: Path) -> None:
    made = exported(project, tmp_path / "records.jsonl", what="records")

    records = list(heedful.read(tmp_path / "records.jsonl"))
    assert [type(record) for record in records] == [
        Candidates, Judgement, Judgement, Candidates, Judgement, Judgement,
    ]  # fmt: skip
    assert records[1] == Judgement("one", "ann", "a", 2, ("b", "a"), "", 3.5, NOON + timedelta(minutes=1))
    assert (made.counts.kept, made.written.rows, dict(made.written.lost)) == (4, 6, {"flags": 1})
    pairs = heedful.pairs(records, aggregate=Aggregation())
    assert [(p.id, p.tie, p.metadata["votes"]["skip"]) for p in pairs] == [("one", True, 0), ("two", True, 1)]


def test_preferences_are_what_the_people_came_to(on_both: Project, tmp_path: Path) -> None:
    made = exported(on_both, tmp_path / "preferences.jsonl")

    kept = heedful.read(tmp_path / "preferences.jsonl")
    assert all(isinstance(record, Preference) for record in kept)
    assert [(p.id, p.chosen[0].content, p.tie, p.metadata.get("adjudicated")) for p in kept] == [
        ("two", "red", True, None), ("one", "red", False, True),
    ]  # fmt: skip
    assert made.counts.quarantined == {"adjudicated": 2, "skipped": 1, "gold": 1}
    assert (made.counts.read, made.written.rows) == (6, 2)


def test_what_a_layout_cannot_hold_is_said(project: Project, tmp_path: Path) -> None:
    made = exported(project, tmp_path / "out.jsonl", what="votes", layout="openai-preference")

    assert (made.written.rows, made.written.lost["margin"], made.written.lost["metadata.annotator"]) == (
        2,
        1,
        2,
    )
    assert [row.reason for row in made.written.left_out] == ["tie"]
    told = json.loads(beside(tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert (told["rows"], told["lost"], told["not_written"]) == (2, dict(made.written.lost), {"tie": 1})


@pytest.mark.parametrize("what", ["judgements", "records", "votes", "preferences"])
def test_items_that_somebody_flagged_are_left_out_by_reason(
    project: Project, tmp_path: Path, what: str
) -> None:
    made = exported(project, tmp_path / "out.jsonl", what=what, without_flagged=("unsafe",))

    assert made.counts.quarantined["flagged"] == (
        4 if what == "judgements" else 3 if what == "preferences" else 2
    )
    assert b'"one' not in (tmp_path / "out.jsonl").read_bytes()


def test_pseudonyms_take_the_place_of_names(project: Project, tmp_path: Path) -> None:
    for what in ("judgements", "records", "votes"):
        exported(project, tmp_path / f"{what}.jsonl", what=what, pseudonyms=True)
    rows = lines(tmp_path / "judgements.jsonl")
    names = {row["annotator"] for row in rows}

    assert len(names) == 3
    assert all(name.startswith("annotator-") for name in names)
    assert {row["metadata"]["annotator"] for row in lines(tmp_path / "votes.jsonl")} < names
    assert {row["annotator"] for row in lines(tmp_path / "records.jsonl") if "annotator" in row} < names


def test_the_same_rows_of_the_log_give_the_same_bytes_whatever_came_later(
    on_both: Project, tmp_path: Path
) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    last = exported(on_both, tmp_path / "now.jsonl").until
    before = list(everything(on_both, tmp_path / "before", None))
    with on_both.database.write() as connection:
        new = a_person(connection, "zoe")
        for number in range(3):
            say(connection, new, an_item(connection, prompt=f"later {number}"), verdict="a")
        item = connection.execute(schema.items.select().where(schema.items.c.key == "one")).one()
        say(connection, new, type(an_item(connection)).of(item), verdict="b", flags=("broken",))

    assert last == 9
    assert list(everything(on_both, tmp_path / "after", last)) == before
    assert list(everything(on_both, tmp_path / "after", None)) != before


def test_what_an_export_was_made_of_stands_beside_it(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "sub" / "preferences.jsonl.gz"
    made = exported(project, path, pairs=PairSettings(aggregate=Aggregation(method="dawid-skene")))
    told = json.loads((tmp_path / "sub" / "preferences.export.json").read_text(encoding="utf-8"))

    assert gzip.decompress(path.read_bytes()).count(b"\n") == told["rows"] == 2
    assert (told["what"], told["until"], told["sha256"]) == ("preferences", 9, made.sha256)
    assert told["heedful"] == heedful.__version__
    assert (told["read"], told["used"], told["left_out"]) == (
        6,
        2,
        {"adjudicated": 2, "skipped": 1, "gold": 1},
    )
    assert told["settings"]["pairs"]["aggregate"]["method"] == "dawid-skene"
    assert told["settings"]["until"] == 9


def test_a_time_is_the_last_row_written_by_then(on_both: Project) -> None:
    with on_both.database.read() as connection:
        assert row_at(connection, NOON - timedelta(seconds=1)) == 0
        assert row_at(connection, NOON) == 1
        assert row_at(connection, NOON + timedelta(minutes=2, seconds=30)) == 3
        assert row_at(connection, NOON + timedelta(days=1)) == 9


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"until": 10}, "the log ends with row 9; there is no row 10"),
        (
            {"without_flagged": ("rude",)},
            'the project has no flag "rude". Flags: unsafe, personal data, broken.',
        ),
        ({"what": "judgements", "layout": "trl"}, "the log of judgements has one layout of its own"),
        ({"layout": "arena"}, 'the format "arena" is read but not written'),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_and_leaves_no_file(
    project: Project, tmp_path: Path, wish: dict[str, Any], said: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(DataError, match=said.replace(".", r"\.")):
        export(project, folder / "out.jsonl", Wish(**wish))

    assert list(folder.iterdir()) == []


def test_an_empty_project_gives_an_empty_file(database: Database, tmp_path: Path) -> None:
    made = exported(Project.open(database), tmp_path / "out.jsonl")

    assert (made.until, made.written.rows, made.counts.read) == (0, 0, 0)
    assert (tmp_path / "out.jsonl").read_bytes() == b""
