"""Review: which items need a second look, and a reviewer's own answer, which decides them.

An item does if the votes on it agree too little, if as many people skipped it as were to vote on it, or if
somebody flagged it. Items whose answer is known are reviewed for their flags alone: there, who disagrees is
wrong. The reviewer's answer is an adjudication, given before they see the votes: a row of the log like
these, and no vote.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Literal, get_args

from sqlalchemy import Connection, func, insert, select, update

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import ROLES, Assignment, Entry, Person
from heedful.collect.work import items, queue, votes
from heedful.collect.work.order import disagreement
from heedful.collect.work.votes import Refused

Why = Literal["agreement", "skipped", "flagged"]
WHYS: tuple[Why, ...] = get_args(Why)

CLOSE = 1  # points: two scores no further apart agree
_AT_ONCE = 1000  # items looked at together
_ASSIGNMENTS = schema.assignments
_LOG = schema.judgements


@dataclass(frozen=True, slots=True)
class Case:
    """An item that needs a second look, or has had one.

    Attributes:
        item: its id.
        whys: what made it one; empty of an item that was one when it was adjudicated.
        agreement: of the votes, see `agreement`; None where fewer than two judged it.
        votes, skips: people whose word on it is one.
        flags: those that people ticked, each once.
        decided_by: the person whose adjudication stands, the last of several.
    """

    item: int
    whys: tuple[Why, ...]
    agreement: float | None
    votes: int
    skips: int
    flags: tuple[str, ...]
    decided_by: int | None


def agreement(answers: Sequence[Answer], settings: Settings) -> float | None:
    """How far the votes on one item agree, from 0 to 1; None of fewer than two. Skips are no votes.

    Of a pair: the share of the most common verdict. Of rankings and thumbs: 1 less their `disagreement`, so
    the share of pairs of responses in the same order, or of responses with the same thumb, the mean over all
    twos of people. Of ratings: the share of scores (one a response and aspect) on which everybody is within
    `CLOSE` of everybody else.
    """
    given = [answer for answer in answers if not answer.skipped]
    if len(given) < 2:
        return None
    if settings.task == "pairwise":
        return max(Counter(answer.verdict for answer in given).values()) / len(given)
    if settings.task == "rating":
        return _close([answer.scores or () for answer in given], settings)
    return 1 - disagreement(given, settings)


def cases(connection: Connection, settings: Settings, ids: Collection[int] | None = None) -> list[Case]:
    """The items that need a second look or have had one, in the order of their ids.

    Args:
        ids: the only items to look at; all by default.
    """
    if ids is None:
        ids = connection.execute(select(_LOG.c.item).distinct()).scalars().all()
    found: list[Case] = []
    ordered = sorted(ids)
    for begin in range(0, len(ordered), _AT_ONCE):
        found += _cases(connection, settings, ordered[begin : begin + _AT_ONCE])
    return found


class Cases:
    """The cases of a project, kept up with its log: only items on which it has grown are looked at again."""

    def __init__(self) -> None:
        self._last = 0
        self._found: dict[int, Case] = {}
        self._lock = Lock()

    def now(self, connection: Connection, settings: Settings) -> list[Case]:
        """All of them, in the order of their items."""
        with self._lock:
            # Another connection may have seen more of the log already, which is as well.
            newest = connection.execute(select(func.max(_LOG.c.id))).scalar() or 0
            if newest > self._last:
                since = select(_LOG.c.item).where(_LOG.c.id > self._last).distinct()
                changed = connection.execute(since).scalars().all()
                fresh = {case.item: case for case in cases(connection, settings, changed)}
                for item in changed:
                    self._found.pop(item, None)
                self._found.update(fresh)
                self._last = newest
            return [self._found[item] for item in sorted(self._found)]


def open_review(
    connection: Connection, person: Person, item: int, settings: Settings, at: datetime
) -> Assignment:
    """Put an item in a reviewer's hands, sides shuffled; the one they have of it already, if they have one.

    Who has voted on the item may not decide about their own vote, unless they are an admin and nobody else
    could.

    Raises:
        Refused: it needs no second look, somebody else is at it or has decided it, or they voted on it.
    """
    expires = queue.lease(settings, at)
    own = _own(connection, person, item)
    if own is not None:
        if own.closed_at is not None:
            return own
        renewed = update(_ASSIGNMENTS).where(_ASSIGNMENTS.c.id == own.id).values(expires_at=expires)
        return Assignment.of(connection.execute(renewed.returning(_ASSIGNMENTS)).one())
    found = cases(connection, settings, [item])
    if not found:
        raise Refused("This item needs no second look.")
    if found[0].decided_by is not None:
        raise Refused("Somebody else has decided this item already.")
    if item in held(connection, [item], at):
        raise Refused("Somebody else is reviewing this item now.")
    if not may_decide(connection, person, item):
        raise Refused("You have voted on this item: somebody else must review it.")
    shown = list(range(len(items.get(connection, item).responses)))
    random.Random(f"{settings.seed} {person.id} {item} review").shuffle(shown)
    row = {
        "token": secrets.token_urlsafe(32),
        "item": item,
        "person": person.id,
        "kind": "adjudication",
        "shown": shown,
        "opened_at": at,
        "expires_at": expires,
    }
    made = insert(_ASSIGNMENTS).values(row).returning(_ASSIGNMENTS)
    return Assignment.of(connection.execute(made).one())


def may_decide(connection: Connection, person: Person, item: int) -> bool:
    """Whether somebody may adjudicate an item: with no vote on it, or as admin where all others have one."""
    voters = {entry.person for entry in log.standing(connection, items=[item])}
    if person.id not in voters:
        return True
    able = [role for role in ROLES if ROLES.index(role) >= ROLES.index("reviewer")]
    people = schema.people.c
    rows = connection.execute(select(people.id).where(people.active, people.role.in_(able)))
    return person.may("admin") and voters.issuperset(rows.scalars())


def find(connection: Connection, token: str) -> Assignment | None:
    """The adjudication of that token, whoever has it."""
    rows = select(_ASSIGNMENTS).where(_ASSIGNMENTS.c.token == token, _ASSIGNMENTS.c.kind == "adjudication")
    row = connection.execute(rows).one_or_none()
    return None if row is None else Assignment.of(row)


def held(connection: Connection, ids: Collection[int], at: datetime) -> dict[int, Assignment]:
    """The adjudications that somebody has begun and not left, by item."""
    columns = _ASSIGNMENTS.c
    rows = select(_ASSIGNMENTS).where(
        columns.item.in_(ids),
        columns.kind == "adjudication",
        columns.closed_at.is_(None),
        columns.expires_at > at,
    )
    return {row.item: Assignment.of(row) for row in connection.execute(rows)}


def decisions(connection: Connection, ids: Collection[int]) -> dict[int, Assignment]:
    """The assignments in which items were adjudicated, by item; the last of several."""
    standing = log.standing(connection, kinds=["adjudication"], items=ids)
    last = {entry.item: entry.person for entry in standing if not entry.given.skipped}
    columns = _ASSIGNMENTS.c
    rows = select(_ASSIGNMENTS).where(columns.item.in_(ids), columns.kind == "adjudication")
    found = (Assignment.of(row) for row in connection.execute(rows))
    return {one.item: one for one in found if last.get(one.item) == one.person}


def may_see(connection: Connection, person: Person, assignment: Assignment) -> bool:
    """Whether somebody may see the votes on an item through an adjudication of it.

    Through their own, once they have given their own answer. Through another's, once that is given and the
    item is theirs neither to vote on nor to decide, nor has a vote of theirs that they could change after it.
    """
    if votes.current(connection, assignment) is None:
        return False
    if assignment.person == person.id:
        return True
    voted = log.standing(connection, items=[assignment.item], person=person.id)
    return not voted and not items.get(connection, assignment.item).open


def said(connection: Connection, assignment: Assignment) -> list[Entry]:
    """All votes that stand on the item, and the adjudications of others."""
    kinds = [*log.VOTES, "adjudication"]
    standing = log.standing(connection, kinds=kinds, items=[assignment.item])
    return [entry for entry in standing if entry.kind != "adjudication" or entry.person != assignment.person]


def _cases(connection: Connection, settings: Settings, ids: Sequence[int]) -> list[Case]:
    words: dict[int, list[Entry]] = defaultdict(list)
    for entry in log.standing(connection, items=ids):
        words[entry.item].append(entry)
    decided = {
        entry.item: entry.person
        for entry in log.standing(connection, kinds=["adjudication"], items=ids)
        if not entry.given.skipped
    }
    columns = schema.items.c
    known = select(columns.id, columns.wanted, columns.gold).where(columns.id.in_(ids))
    found = []
    for item, wanted, gold in connection.execute(known.order_by(columns.id)):
        case = _case(item, words[item], wanted, gold is not None, decided.get(item), settings)
        if case.whys or case.decided_by is not None:
            found.append(case)
    return found


def _case(
    item: int, words: Sequence[Entry], wanted: int, gold: bool, decided_by: int | None, settings: Settings
) -> Case:
    answers = [entry.given for entry in words]
    share = agreement(answers, settings)
    skips = sum(answer.skipped for answer in answers)
    ticked = {flag for answer in answers for flag in answer.flags}
    flags = tuple(sorted(ticked))
    holds: dict[Why, bool] = {
        "agreement": share is not None and share < settings.review_below and not gold,
        "skipped": skips >= wanted and not gold,
        "flagged": bool(flags),
    }
    whys = tuple(why for why in WHYS if holds[why])
    return Case(item, whys, share, len(answers) - skips, skips, flags, decided_by)


def _close(given: Sequence[Sequence[dict[str, int]]], settings: Settings) -> float:
    places = range(min(map(len, given)))
    spreads = []
    for place in places:
        for aspect in settings.aspects:
            scores = [scores[place][aspect] for scores in given if aspect in scores[place]]
            if len(scores) > 1:
                spreads.append(max(scores) - min(scores))
    return sum(spread <= CLOSE for spread in spreads) / len(spreads) if spreads else 1.0


def _own(connection: Connection, person: Person, item: int) -> Assignment | None:
    columns = _ASSIGNMENTS.c
    own = select(_ASSIGNMENTS).where(
        columns.person == person.id, columns.item == item, columns.kind == "adjudication"
    )
    row = connection.execute(own).one_or_none()
    return None if row is None else Assignment.of(row)
