"""Votes of other tools come in once, as they were given, by people who were there; on both backends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

import heedful
from heedful.collect.answer import Answer
from heedful.collect.exchange import importing
from heedful.collect.exchange.export import export, row_at
from heedful.collect.exchange.importing import Imported, import_votes
from heedful.collect.exchange.wish import Wish
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.work import items, queue
from heedful.records import Candidates, Feedback, Judgement, Preference, Ranking, Rating, assistant, user
from tests.collect.making import NOON, a_person

PLAIN = Settings()
Q = (user("q"),)
ONE, TWO, THREE = ((assistant(text),) for text in ("one", "two", "three"))


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Database]:
    """A database on SQLite, for what makes no difference."""
    database = Database(sqlite_url)
    yield database
    database.close()


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "theirs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def annotation(
    number: int, by: Any, value: dict[str, Any], kind: str = "pairwise", **more: Any
) -> dict[str, Any]:
    """One of Label Studio's, with the keys that an export has."""
    result = {"id": "x", "from_name": kind, "to_name": kind, "type": kind, "origin": "manual", "value": value}
    return {
        "id": number, "completed_by": by, "result": [result], "was_cancelled": False, "ground_truth": False,
        "created_at": "2023-04-17T21:54:20.457543Z", "lead_time": 12.5,
    } | more  # fmt: skip


def task(number: int, *annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {
        "id": number, "annotations": list(annotations), "drafts": [], "predictions": [], "meta": {},
        "data": data or {"prompt": f"q{number}", "answer1": "one", "answer2": "two", "topic": "t"},
        "project": 1, "total_annotations": len(annotations),
    }  # fmt: skip


def argilla(name: str, responses: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """One of Argilla 2's records, with the keys that an export has."""
    return {
        "id": name, "fields": fields or {"prompt": f"q{name}", "response1": "one", "response2": "two"},
        "metadata": {"topic": "t"}, "suggestions": {}, "responses": responses, "vectors": {},
        "_server_id": None,
    }  # fmt: skip


LEFT, RIGHT = {"selected": "left"}, {"selected": "right"}
STUDIO = [
    task(1, annotation(11, 2, LEFT), annotation(12, {"id": 5, "email": "ann@example.org"}, RIGHT)),
    task(2, annotation(13, 2, RIGHT, lead_time=None), annotation(14, 7, LEFT, was_cancelled=True)),
]


def imported(database: Database, records: Any, settings: Settings = PLAIN) -> Imported:
    done = import_votes(database, records, settings, NOON)
    assert done.counts.read == done.counts.kept + sum(done.counts.quarantined.values())
    return done


def vote(annotator: str | None, chosen=ONE, rejected=TWO, prompt=Q, **more: Any) -> Preference:
    metadata = more.pop("metadata", {}) | ({"annotator": annotator} if annotator else {})
    return Preference(prompt, chosen, rejected, metadata=metadata, **more)


def winners(connection: Connection) -> list[tuple[str, str]]:
    """Who, and the text of the response they prefer, or their verdict where they prefer none."""
    said = []
    names = {person.id: person.name for person in people.everyone(connection)}
    for entry in log.standing(connection):
        item = items.get(connection, entry.item)
        place = {"a": 0, "b": 1}.get(entry.given.verdict or "")
        text = entry.given.verdict if place is None else item.responses[place].turns[0].content
        said.append((names[entry.person], text))
    return said


def test_a_label_studio_project_goes_on_here(database: Database, tmp_path: Path) -> None:
    records = heedful.read(written(tmp_path, STUDIO))
    done = imported(database, records)
    with database.write() as connection:
        entries = list(log.entries(connection))
        first = items.get(connection, entries[0].item)
        said = winners(connection)
        ann = people.by_name(connection, "ann@example.org")

    assert (done.votes, done.known, done.items, done.people) == (3, 0, 2, 2)
    assert (done.counts.read, done.counts.quarantined) == (4, {"no_vote": 1})
    assert said == [("2", "one"), ("ann@example.org", "two"), ("2", "two")]
    assert [entry.kind for entry in entries] == ["import"] * 3
    assert {first.responses[place].turns for place in entries[0].shown[:1]} == {ONE}  # the left one
    assert [entry.seconds for entry in entries] == [12.5, 12.5, None]
    assert entries[0].at == datetime(2023, 4, 17, 21, 54, 20, 457543, tzinfo=UTC)
    assert (first.origin, first.metadata, first.votes) == ("import", {"topic": "t"}, 2)
    assert ann is not None
    assert not ann.active


def test_an_argilla_project_goes_on_here(database: Database, tmp_path: Path) -> None:
    answers = [{"value": "response2", "user_id": "u1"}, {"value": "both_bad", "user_id": "u2"}]
    rows = [
        argilla("r1", {"preference": answers}),
        argilla("r2", {"preference": [{"value": "response1", "user_id": "u1", "status": "draft"}]}),
    ]
    done = imported(database, heedful.read(written(tmp_path, rows)))
    with database.write() as connection:
        entries = list(log.entries(connection))
        (item,) = connection.execute(select(schema.items)).all()
        said = winners(connection)

    assert said == [("u1", "two"), ("u2", "both_bad")]
    assert (done.votes, done.counts.quarantined) == (2, {"no_vote": 1})
    assert (item.key, item.metadata, item.votes) == ("r1", {"topic": "t"}, 2)
    assert {entry.at for entry in entries} == {NOON}  # Argilla tells no time
    assert {item.responses[entry.shown[0]]["turns"][0]["content"] for entry in entries} == {"one"}


def test_the_same_file_again_adds_nothing_and_a_grown_one_what_is_new(
    database: Database, tmp_path: Path
) -> None:
    grown = [*STUDIO, task(3, annotation(20, 9, LEFT))]
    imported(database, heedful.read(written(tmp_path, STUDIO)))
    again = imported(database, heedful.read(written(tmp_path, STUDIO)))
    more = imported(database, heedful.read(written(tmp_path, grown)))
    with database.write() as connection:
        rows = connection.execute(select(func.count()).select_from(schema.judgements)).scalar_one()

    assert (again.votes, again.known, again.items, again.people) == (0, 3, 0, 0)
    assert again.counts.kept == 3
    assert (more.votes, more.known, more.items, more.people) == (1, 3, 1, 1)
    assert rows == 4


def test_an_import_that_was_stopped_goes_on_where_it_was(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [vote(name, prompt=(user(prompt),)) for prompt in "pqr" for name in "xyz"]
    monkeypatch.setattr(importing, "AT_ONCE", 2)
    settled = importing.queue.settle
    times = iter(range(3))

    def stopped(connection: Connection, item: int) -> None:
        if next(times, None) is None:
            raise KeyboardInterrupt
        settled(connection, item)

    with monkeypatch.context() as patched:
        patched.setattr(importing.queue, "settle", stopped)
        with pytest.raises(KeyboardInterrupt):
            imported(store, records)
    done = imported(store, records)

    assert (done.known, done.votes) == (4, 5)  # the third transaction was undone whole
    with store.read() as connection:
        assert len(log.standing(connection)) == len({e.uid for e in log.entries(connection)}) == 9
        votes = connection.execute(select(schema.items.c.votes)).scalars().all()
    assert votes == [3, 3, 3]


def test_what_is_imported_is_not_asked_again(database: Database) -> None:
    records = [vote(name, prompt=(user(prompt),)) for prompt in ("p", "q") for name in ("x", "y")]
    imported(database, records[:3], Settings(overlap=2))
    with database.write() as connection:
        open_ones = (
            connection.execute(select(schema.items.c.prompt).where(schema.items.c.open)).scalars().all()
        )
        y = people.by_name(connection, "y")
        assert y is not None
        people.activate(connection, y)
        for_x = queue.open_next(connection, _person(connection, "x"), Settings(overlap=2), NOON)
        for_y = queue.open_next(connection, _person(connection, "y"), Settings(overlap=2), NOON)

    assert [prompt[0]["content"] for prompt in open_ones] == ["q"]  # the other one has its two votes
    assert for_x is None  # x has said what there is to say
    assert for_y is not None


def _person(connection: Connection, name: str) -> Any:
    found = people.by_name(connection, name)
    assert found is not None
    return found


def test_who_is_invited_later_keeps_their_votes(store: Database) -> None:
    imported(store, [vote("x")])
    with store.write() as connection:
        x = _person(connection, "x")
        people.activate(connection, x)
        token = people.new_link(connection, x)

        joined = people.by_link(connection, token)
        assert joined is not None
        assert joined.id == x.id
        assert [entry.person for entry in log.standing(connection)] == [x.id]


def test_who_is_here_already_is_the_same_person(store: Database) -> None:
    with store.write() as connection:
        ann = a_person(connection, "Ann")
    done = imported(store, [vote("ann")])

    with store.write() as connection:
        assert done.people == 0
        assert [entry.person for entry in log.standing(connection)] == [ann.id]


def test_votes_find_the_items_that_are_there_whichever_way_round(store: Database) -> None:
    with store.write() as connection:
        data = [Candidates(Q, (TWO, ONE), "mine")]
        items.add_records(connection, data, PLAIN)
    done = imported(store, [vote("x", ONE, TWO, metadata={"shown_first": "rejected"})])

    with store.write() as connection:
        (entry,) = log.entries(connection)
        assert (done.items, done.votes) == (0, 1)
        assert items.get(connection, entry.item).key == "mine"
        assert (entry.given.verdict, entry.shown) == ("b", (0, 1))  # two, its first response, was shown first


def test_what_is_not_known_is_not_made_up(store: Database) -> None:
    imported(store, [vote("x")])

    with store.write() as connection:
        (entry,) = log.entries(connection)
        assert (entry.shown, entry.seconds, entry.at) == ((), None, NOON)


def test_what_was_said_beside_the_vote_is_kept(store: Database) -> None:
    told = {"rationale": "why", "flags": ["rude"], "at": "2020-01-01T00:00:00", "scale": 4}
    done = imported(store, [vote("x", margin=3.0, metadata=told)], Settings(strength=4, rationale="off"))

    with store.write() as connection:
        (entry,) = log.entries(connection)
        assert entry.given.model_dump(exclude_defaults=True)["strength"] == 3
        assert (entry.given.rationale, entry.given.flags) == ("why", ("rude",))
        assert entry.at == datetime(2020, 1, 1, tzinfo=UTC)
        assert dict(done.lost) == {}


def test_what_cannot_be_kept_is_counted(store: Database) -> None:
    of_seven = {"scale": 7, "other_results": [{"type": "textarea"}]}
    done = imported(
        store,
        [vote("x", margin=2.5), vote("y", margin=1.0, metadata=of_seven), vote("z", margin=4.0)],
        Settings(strength=4),
    )

    assert dict(done.lost) == {"strength": 2, "other answers": 1}
    assert "not kept: other answers of 1, strength of 2" in str(done)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (vote(None), "no_annotator"),
        (vote("a\x00b"), "bad_annotator"),
        (vote("x", probability=0.5), "refused"),
        (vote("x", ONE, ONE), "equal_responses"),
        (vote("x", metadata={"rationale": 3}), "bad_value"),
        (Rating(Q, ONE, 3.0, metadata={"annotator": "x"}), "other_task"),
        (Ranking(Q, (ONE, TWO, THREE), (1, 2, 3), metadata={"annotator": "x"}), "other_task"),
        (Candidates(Q, (ONE, TWO), "k"), "no_comparison"),
        (Judgement("k", "x", "a"), "unknown_item"),
        (heedful.Prompt(Q), "not_a_vote"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_gives_no_vote_is_left_out_by_reason(store: Database, record: Any, reason: str) -> None:
    done = imported(store, [vote("good"), record], Settings(tie=False))

    assert done.counts.quarantined == {reason: 1}
    assert (done.counts.kept, done.votes) == (1, 1)


def test_judgements_of_another_project_name_their_items(store: Database) -> None:
    of = Candidates(Q, (ONE, TWO), "k", metadata={"generators": ["base", "tuned"], "topic": "t"})
    judged = [
        Judgement("k", "x", "b", 2, ("b", "a"), "why", 4.0, NOON - timedelta(days=1)),
        Judgement("k", "y", "both_bad"),
        Judgement("k", "z", "skip"),
    ]
    done = imported(store, [of, *judged], Settings(strength=4))

    with store.write() as connection:
        first, second = log.entries(connection)
        item = items.get(connection, first.item)
        assert (item.key, [response.generator for response in item.responses]) == ("k", ["base", "tuned"])
        assert item.responses[0].turns == ONE
        assert first.given == Answer(verdict="b", strength=2, rationale="why")
        assert (first.shown, first.seconds, first.at) == ((1, 0), 4.0, NOON - timedelta(days=1))
        assert (second.given.verdict, second.shown) == ("both_bad", (0, 1))
        assert done.counts.quarantined == {"no_vote": 1}


def test_rankings_come_into_a_project_of_rankings(store: Database, tmp_path: Path) -> None:
    fields = {"prompt": "q", "response1": "one", "response2": "two", "response3": "three"}
    order = [
        {"value": "response3", "rank": 1},
        {"value": "response1", "rank": 2},
        {"value": "response2", "rank": 2},
    ]
    rows = [
        argilla("r", {"order": [{"value": order, "user_id": "u1"}]}, **fields),
        argilla("s", {"order": [{"value": ["response2", "response1"], "user_id": "u1"}]}),
    ]
    done = imported(store, heedful.read(written(tmp_path, rows)), Settings(task="ranking"))

    with store.write() as connection:
        ranks = {}
        for entry in log.entries(connection):
            item = items.get(connection, entry.item)
            texts = [response.turns[0].content for response in item.responses]
            assert entry.given.ranks is not None
            ranks[item.key] = dict(zip(texts, entry.given.ranks, strict=True))
            assert [texts[place] for place in entry.shown] == ["one", "two", "three"][: len(texts)]
        assert ranks == {"r": {"one": 2, "two": 2, "three": 1}, "s": {"one": 2, "two": 1}}
        assert done.votes == 2


def test_a_ranking_finds_its_item_in_whatever_order_that_stands(store: Database) -> None:
    with store.write() as connection:
        items.add_records(connection, [Candidates(Q, (THREE, ONE, TWO), "mine")], Settings(task="ranking"))
    told = {"annotator": "x", "shown": [1, 2, 0]}  # two, three, one
    imported(store, [Ranking(Q, (ONE, TWO, THREE), (1, 2, 3), metadata=told)], Settings(task="ranking"))

    with store.read() as connection:
        (entry,) = log.entries(connection)
    assert (entry.given.ranks, entry.shown) == ((3, 1, 2), (2, 0, 1))


def test_ratings_of_one_person_come_together(store: Database, tmp_path: Path) -> None:
    fields = {"prompt": "q", "response1": "one", "response2": "two"}
    questions = {
        "response1_safe": [{"value": 4, "user_id": "u1"}, {"value": 1, "user_id": "u2"}],
        "response2_safe": [{"value": 2, "user_id": "u1"}],
        "response1_tone": [{"value": 9, "user_id": "u1"}],
    }
    records = heedful.read(written(tmp_path, [argilla("r", questions, **fields)]))
    done = imported(store, records, Settings(task="rating", aspects=("safe",)))

    with store.read() as connection:
        both, one = log.entries(connection)
        item = items.get(connection, both.item)
    texts = [response.turns[0].content for response in item.responses]
    assert dict(zip(texts, both.given.scores or (), strict=True)) == {"one": {"safe": 4}, "two": {"safe": 2}}
    assert one.given.scores == ({"safe": 1},)
    assert done.counts.quarantined == {"other_aspect": 1}
    assert done.counts.kept == 3


@pytest.mark.parametrize(
    ("ratings", "reasons"),
    [
        ([("safe", 4.5)], {"bad_value": 1}),
        ([("safe", 6.0)], {"bad_value": 1}),
        ([("safe", 4.0)], {"missing_aspect": 1}),
    ],
)
def test_ratings_that_do_not_fit_are_left_out(store: Database, ratings: Any, reasons: Any) -> None:
    records = [Rating(Q, ONE, score, aspect, "k.1", metadata={"annotator": "x"}) for aspect, score in ratings]
    done = imported(store, records, Settings(task="rating", aspects=("safe", "tone")))

    assert (done.counts.quarantined, done.votes) == (reasons, 0)


def test_thumbs_come_together(store: Database) -> None:
    records = [
        Feedback(Q, response, up, id=f"k.{n}", metadata={"annotator": "x"})
        for n, (response, up) in enumerate([(ONE, True), (TWO, False)], 1)
    ]
    imported(store, records, Settings(task="thumbs"))

    with store.write() as connection:
        (entry,) = log.entries(connection)
        assert entry.given.thumbs == (True, False)
        assert items.get(connection, entry.item).key == "k"


def test_an_import_counts_from_when_it_was_made(database: Database) -> None:
    imported(database, [vote("x", metadata={"at": "2020-01-01T00:00:00Z"})])
    with database.read() as connection:
        before = row_at(connection, NOON - timedelta(days=1000))
        after = row_at(connection, datetime.now(UTC) + timedelta(seconds=1))

    assert (before, after) == (0, 1)


TASKS = {
    "pairwise": [
        vote("x", ONE, TWO, id="k", metadata={"shown_first": "rejected"}),
        vote("y", TWO, ONE, id="k", metadata={"shown_first": "chosen", "flags": ["unsafe"]}),
        vote("x", TWO, THREE, (user("p"),), id="l", probability=0.5),
    ],
    "ranking": [
        Ranking(Q, (ONE, TWO, THREE), ranks, "k", metadata={"annotator": name})
        for name, ranks in (("x", (1, 2, 3)), ("y", (2, 1, 2)))
    ],
    "rating": [
        Rating(Q, response, score, "safe", f"k.{n}", metadata={"annotator": name})
        for name, scores in (("x", (5, 1)), ("y", (4, 4)))
        for n, (response, score) in enumerate(zip((ONE, TWO), scores, strict=True), 1)
    ],
    "thumbs": [
        Feedback(Q, response, up, id=f"k.{n}", metadata={"annotator": name})
        for name, thumbs in (("x", (True, False)), ("y", (True, False)))
        for n, (response, up) in enumerate(zip((ONE, TWO), thumbs, strict=True), 1)
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", ["votes", "records"])
@pytest.mark.parametrize("name", TASKS)
def test_an_export_comes_into_another_project_as_the_same_preferences(
    tmp_path: Path, name: Any, what: Any
) -> None:
    settings = Settings(task=name, aspects=("safe",))
    outcomes = []
    source: Any = TASKS[name]
    for number in (1, 2):
        database = Database.in_folder(tmp_path / str(number))
        project = Project.open(database, settings)
        done = imported(database, source, settings)
        assert (done.votes, done.counts.quarantined) == (
            len(TASKS[name]) // (2 if name in ("rating", "thumbs") else 1),
            {},
        )
        export(project, tmp_path / "out.jsonl", Wish(what=what))
        source = heedful.read(tmp_path / "out.jsonl")
        export(project, tmp_path / "preferences.jsonl", Wish())
        database.close()
        outcomes.append((tmp_path / "preferences.jsonl").read_text(encoding="utf-8"))

    assert outcomes[0]
    if what == "records":  # which have no place for flags
        outcomes = [text.replace(', "flags": {"unsafe": 1}', "") for text in outcomes]
    assert outcomes[1] == outcomes[0]
