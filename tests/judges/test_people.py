"""People as a judge: their project is filled, asked for what is missing, and read back, blind throughout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Item, Person
from heedful.collect.store.project import Project, now
from heedful.collect.team import people
from heedful.collect.work import queue
from heedful.errors import JudgeError
from heedful.judges import Question, both_orders
from heedful.judges.people import PeopleJudge
from heedful.records import Message, user
from tests.collect.making import a_person, voted
from tests.collect.speaking import say


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "votes"


@contextmanager
def opened(folder: Path, settings: Settings | None = None) -> Iterator[tuple[Project, Connection]]:
    database = Database.in_folder(folder)
    project = Project.open(database, settings)
    with database.write() as connection:
        yield project, connection
    database.close()


def questions(count: int = 3) -> list[Question]:
    """The better answer begins with a."""
    return [Question((user(f"q{n}"),), f"a good one {n}", f"b bad one {n}") for n in range(count)]


def missing(judge: PeopleJudge, asked: Sequence[Question]) -> str:
    with pytest.raises(JudgeError) as caught:
        judge(asked)
    return str(caught.value)


def items(connection: Connection) -> list[Item]:
    return [Item.of(row) for row in connection.execute(select(schema.items).order_by(schema.items.c.id))]


def vote(folder: Path, name: str, *verdicts: str) -> None:
    """A person's verdict on each item in turn: `a`, `b`, by how the better text begins, or another."""
    with opened(folder) as (project, connection):
        person = people.by_name(connection, name) or a_person(connection, name)
        for item, verdict in zip(items(connection), verdicts, strict=False):
            texts = [response.turns[-1].content for response in item.responses]
            said = "ab"[[text[0] for text in texts].index(verdict)] if verdict in "ab" else verdict
            reason = {"reason": project.settings.skip_reasons[0]} if said == "skip" else {}
            answer = Answer.model_validate({"verdict": said, **reason})
            voted(connection, person, item, answer, project.settings, at=now())


def test_what_is_missing_is_said_with_the_command_that_serves_it(folder: Path) -> None:
    judge = PeopleJudge(folder)
    assert judge.symmetric
    message = missing(judge, questions())
    assert message == (
        f"people {folder}: 3 of 3 votes are missing, on 3 of 3 comparisons. "
        f"Collect them by: heedful collect serve --project {folder}. Then run this again."
    )
    vote(folder, "ann", "a")
    assert "2 of 3 votes are missing, on 2 of 3 comparisons" in missing(judge, questions())
    with opened(folder) as (_, connection):
        assert len(items(connection)) == 3  # asked twice, there once


def test_votes_are_read_back_whichever_way_round_a_question_is_asked(folder: Path) -> None:
    asked = questions(4)
    missing(PeopleJudge(folder), asked)
    vote(folder, "ann", "a", "b", "tie", "both_bad")
    judge = PeopleJudge(folder)
    told: list[int] = []
    found = judge(asked, told.append)
    assert [one.choice for one in found] == ["first", "second", "tie", "tie"]
    assert found[0].why == "for 1, against 0"
    assert told == [4]
    turned = [Question(one.prompt, one.second, one.first) for one in asked]
    assert [one.choice for one in judge(turned)] == ["second", "first", "tie", "tie"]
    duels = both_orders(judge, *zip(*((q.prompt, q.first, q.second) for q in asked), strict=True))
    assert [one.outcome for one in duels] == [1.0, 0.0, 0.5, 0.5]


def test_several_votes_are_aggregated_by_majority_and_an_adjudicator_has_the_last_word(folder: Path) -> None:
    with opened(folder, Settings(overlap=3)):
        pass
    asked = questions(3)
    assert "9 of 9 votes are missing" in missing(PeopleJudge(folder), asked)
    vote(folder, "ann", "a", "a", "a")
    vote(folder, "bob", "a", "b", "a")
    assert "3 of 9 votes are missing, on 3 of 3" in missing(PeopleJudge(folder), asked)
    vote(folder, "cy", "b", "tie", "a")
    found = PeopleJudge(folder)(asked)
    assert [(one.choice, one.why) for one in found] == [
        ("first", "for 2, against 1"),
        ("tie", "for 1, against 1, ties 1"),
        ("first", "for 3, against 0"),
    ]
    with opened(folder) as (_, connection):
        eve = a_person(connection, "eve", "reviewer")
        third = items(connection)[2]
        bad = next(at for at, one in enumerate(third.responses) if one.turns[-1].content.startswith("b"))
        say(connection, eve, third, verdict="ab"[bad], kind="adjudication", at=now())
    assert [(one.choice, one.why) for one in PeopleJudge(folder)(asked)][2] == ("second", "by an adjudicator")


def test_what_everybody_skips_is_undecided(folder: Path) -> None:
    asked = questions(2)
    missing(PeopleJudge(folder), asked)
    vote(folder, "ann", "a", "skip")
    found = PeopleJudge(folder)(asked)
    assert [(one.choice, one.undecided) for one in found] == [("first", ""), (None, "skipped")]


def test_answers_that_cannot_be_told_apart_or_shown_are_asked_of_nobody(folder: Path) -> None:
    prompt = (Message("system", "s"), user("q"))
    asked = [Question(prompt, "the same", " the  same\n"), Question(prompt, "broken \ud83d", "whole")]
    found = PeopleJudge(folder)(asked)
    assert [(one.choice, one.undecided) for one in found] == [("tie", ""), (None, "rejected")]


def test_other_questions_of_the_project_are_none_of_ours(folder: Path) -> None:
    missing(PeopleJudge(folder), questions(3))
    vote(folder, "ann", "a")
    assert PeopleJudge(folder)(questions(1))[0].choice == "first"


def test_nothing_in_the_project_tells_whose_answer_is_whose(folder: Path) -> None:
    """The candidate's answer stands now first and now second, and so it does for whoever votes."""
    asked = questions(40)
    missing(PeopleJudge(folder), asked)
    with opened(folder) as (project, connection):
        there = items(connection)
        assert all(not one.generator for item in there for one in item.responses)
        assert all("candidate" not in item.key and not item.source and not item.metadata for item in there)
        assert 8 <= sum(item.responses[0].turns[-1].content.startswith("a") for item in there) <= 32
        ann = a_person(connection, "ann")
        first = Counter(_shown_first(connection, ann, project) for _ in range(40))
    assert 8 <= first["a"] <= 32


def _shown_first(connection: Connection, person: Person, project: Project) -> str:
    """The first letter of what the next item shows first, which is then answered."""
    given = queue.open_next(connection, person, project.settings, now())
    assert given is not None
    item = next(one for one in items(connection) if one.id == given.item)
    connection.execute(
        schema.assignments.update().where(schema.assignments.c.id == given.id).values(closed_at=now())
    )
    return item.responses[given.shown[0]].turns[-1].content[0]


def test_a_project_of_another_task_is_refused(folder: Path) -> None:
    with opened(folder, Settings(task="ranking")):
        pass
    with pytest.raises(JudgeError, match="the project's task is ranking"):
        PeopleJudge(folder)
