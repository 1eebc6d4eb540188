"""People as a judge: a blind comparison in the annotation app, whose result is read back.

Questions become items of a project; which answer stands where is the app's to draw, and an item's own order
is that of a hash, so that nowhere in the project it shows whose answer is whose. Serving it is not this
file's work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select

from heedful.checks.text import folded
from heedful.collect.exchange.export import ADJUDICATIONS
from heedful.collect.exchange.outcomes import ADJUDICATED, outcomes
from heedful.collect.exchange.wish import AGGREGATED
from heedful.collect.exchange.words import words
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Item
from heedful.collect.store.project import Project
from heedful.collect.work import items
from heedful.collect.work.making import fingerprint
from heedful.errors import JudgeError
from heedful.judges.judge import OnDone, Question, Verdict
from heedful.records import Candidates, Messages, Preference, assistant

AT_ONCE = 500  # items named in one statement
ALIKE = Verdict("tie", why="the answers are the same but for spacing and letter forms")
NOT_SHOWN = Verdict(None, why="no page can show one of the texts", undecided="rejected")
SKIPPED = Verdict(None, why="everybody skipped the comparison", undecided="skipped")


class PeopleJudge:
    """The votes of a project's people.

    Args:
        folder: of the project; made, for pairs that one person each judges, where there is none. How many
            votes a pair is to have, and what people are told, are the project's settings.

    Raises:
        JudgeError: the project asks something else than which of two answers is better.
    """

    symmetric = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"people {folder}"
        with self._opened() as project:
            if project.settings.task != "pairwise":
                what = f"the project's task is {project.settings.task}, and a judge compares pairs."
                raise JudgeError(what, where=self.name, mend="Name another folder: people:FOLDER.")

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        """One verdict per question, by the majority of its votes or by an adjudicator's word.

        Raises:
            JudgeError: votes are missing; the comparisons are in the project now, and the message says how
                to serve it.
        """
        asked = {mark: question for question in questions if (mark := _mark(question))}
        with self._opened() as project:
            with project.database.write() as connection:
                items.add_records(connection, map(_candidates, asked.values()), project.settings)
            with project.database.read() as connection:
                self._require_votes(_items(connection, list(asked)))
                found = _decided(connection, project)
        if on_done is not None:
            on_done(len(questions))
        return [_verdict(question, found) for question in questions]

    def _require_votes(self, asked: Sequence[Item]) -> None:
        missing = [item.wanted - item.votes for item in asked if item.open and item.wanted > item.votes]
        if missing:
            votes, wanted = sum(missing), sum(item.wanted for item in asked)
            what = f"{votes} of {wanted} votes are missing, on {len(missing)} of {len(asked)} comparisons."
            mend = f"Collect them by: heedful collect serve --project {self.folder}. Then run this again."
            raise JudgeError(what, where=self.name, mend=mend)

    @contextmanager
    def _opened(self) -> Iterator[Project]:
        database = Database.in_folder(self.folder)
        try:
            yield Project.open(database)
        finally:
            database.close()


Decided = Mapping[tuple[Messages, frozenset[str]], Preference]


def _decided(connection: Connection, project: Project) -> Decided:
    """What the project's people came to, by prompt and the two answers."""
    made = outcomes(words(connection), words(connection, kinds=ADJUDICATIONS), project.settings, AGGREGATED)
    return {
        (one.prompt, frozenset((one.chosen[-1].content, one.rejected[-1].content))): one
        for one in made.preferences
    }


def _verdict(question: Question, decided: Decided) -> Verdict:
    if not _mark(question):
        return ALIKE if folded(question.first) == folded(question.second) else NOT_SHOWN
    found = decided.get((question.prompt, frozenset((question.first, question.second))))
    if found is None:
        return SKIPPED
    if found.tie:
        return Verdict("tie", why=_why(found))
    return Verdict("first" if found.chosen[-1].content == question.first else "second", why=_why(found))


def _why(outcome: Preference) -> str:
    if outcome.metadata.get(ADJUDICATED):
        return "by an adjudicator"
    votes = outcome.metadata["votes"]
    for_it, against, ties = votes["chosen"], votes["rejected"], votes["tie"] + votes["both_bad"]
    return f"for {for_it}, against {against}" + (f", ties {ties}" if ties else "")


def _mark(question: Question) -> str:
    """The fingerprint of the question's item; "" where it can be none."""
    if folded(question.first) == folded(question.second):
        return ""
    try:
        return fingerprint(question.prompt, [(assistant(question.first),), (assistant(question.second),)])
    except UnicodeEncodeError:
        return ""


def _candidates(question: Question) -> Candidates:
    """The question as an item's record; the answers stand in the order of their hashes."""
    texts = sorted((question.first, question.second), key=lambda text: hashlib.sha256(text.encode()).digest())
    return Candidates(question.prompt, tuple((assistant(text),) for text in texts))


def _items(connection: Connection, marks: Sequence[str]) -> list[Item]:
    found: list[Item] = []
    for begin in range(0, len(marks), AT_ONCE):
        some = schema.items.c.fingerprint.in_(marks[begin : begin + AT_ONCE])
        found += (Item.of(row) for row in connection.execute(select(schema.items).where(some)))
    return found
