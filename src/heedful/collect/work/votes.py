"""Votes: whether an answer fits what is asked, giving one, changing it, taking it back, and drafts.

A vote is a row of the log, and so is each change of it. All of this takes the connection of a write
transaction, in which the log, the assignment and the queue change together or not at all.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import fmean
from typing import NamedTuple

from sqlalchemy import Connection, Integer, bindparam, delete, insert, select, tuple_, update

from heedful.collect.answer import Answer, Verdict
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import Action, Assignment, Entry, Item, Stage
from heedful.collect.work import items, order, queue
from heedful.collect.work.rules import Refused as Refused
from heedful.collect.work.rules import check as check

UID = re.compile(r"[!-~]{1,64}")
_ASSIGNMENTS = schema.assignments
_DRAFTS = schema.drafts

# Built once, as in `queue`.
_ASSIGNMENT = bindparam("of", type_=Integer)
_FORGET = delete(_DRAFTS).where(_DRAFTS.c.assignment == _ASSIGNMENT)
_DRAFT = select(_DRAFTS.c.answer).where(_DRAFTS.c.assignment == _ASSIGNMENT)
_THIS = [_ASSIGNMENTS.c[name] == bindparam(f"of_{name}") for name in ("person", "item", "kind")]
_SAME = select(_ASSIGNMENTS.c.id).where(*_THIS)
_CLOSE = update(_ASSIGNMENTS).where(*_THIS, _ASSIGNMENTS.c.closed_at.is_(None))


def submit(
    connection: Connection,
    assignment: Assignment,
    shown_answer: Answer,
    settings: Settings,
    *,
    uid: str,
    seconds: float | None,
    at: datetime,
    item: Item | None = None,
) -> Entry:
    """Give an answer, or change the one that was given before: a new row of the log either way.

    An answer is taken whenever it comes. Where it was so long in coming that the item went to others and has
    all its votes already, it is one vote more than was wanted: nothing that a person did is lost.

    Args:
        shown_answer: in terms of what was shown.
        uid: drawn by the sender for this answer; sent again, it changes nothing.
        seconds: how long it took. No more is kept than has passed since the item was opened.
        item: the assignment's, where the caller has read it.

    Returns:
        The row, or the one that this uid had made before.

    Raises:
        Refused: the answer does not fit, or the uid is another row's.
    """
    before = _before(connection, assignment, uid, "give")
    if before is not None:
        return before
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise Refused("The seconds it took must be a number from 0.")
    answer = check(shown_answer, item or items.get(connection, assignment.item), settings)
    if seconds is not None:
        seconds = min(seconds, max((at - assignment.opened_at).total_seconds(), 0.0))
    entry = log.append(
        connection,
        uid=uid,
        item=assignment.item,
        person=assignment.person,
        kind=assignment.kind,
        action="give",
        answer=answer.of_item(assignment.shown),
        shown=assignment.shown,
        seconds=seconds,
        at=at,
    )
    _close(connection, assignment, at)
    _forget_draft(connection, assignment)
    _told(connection, assignment, settings)
    return entry


def retract(
    connection: Connection, assignment: Assignment, settings: Settings, *, uid: str, at: datetime
) -> Entry:
    """Take the answer back: a row of the log that says so. The item is the person's again, for a new lease.

    What they had said is there as a draft, so that undoing a slip costs no words.

    Args:
        uid: drawn by the sender for this; sent again, it changes nothing.

    Returns:
        The row, or the one that this uid had made before.

    Raises:
        Refused: there is no answer to take back, or the uid is another row's.
    """
    before = _before(connection, assignment, uid, "retract")
    if before is not None:
        return before
    standing = current(connection, assignment)
    if standing is None:
        raise Refused("There is no answer of yours to take back.")
    entry = log.append(
        connection,
        uid=uid,
        item=assignment.item,
        person=assignment.person,
        kind=assignment.kind,
        action="retract",
        answer=None,
        shown=assignment.shown,
        seconds=None,
        at=at,
    )
    lease = {"closed_at": None, "opened_at": at, "expires_at": queue.lease(settings, at)}
    connection.execute(update(_ASSIGNMENTS).where(_ASSIGNMENTS.c.id == assignment.id).values(lease))
    save_draft(connection, assignment, standing.given.as_shown(assignment.shown), at)
    _told(connection, assignment, settings)
    return entry


def current(connection: Connection, assignment: Assignment) -> Entry | None:
    """What the person says of the item now, as the item counts; None where they have not, or took it back."""
    kinds, ids, person = [assignment.kind], [assignment.item], assignment.person
    return next(iter(log.standing(connection, kinds=kinds, items=ids, person=person)), None)


def save_draft(connection: Connection, assignment: Assignment, answer: Answer, at: datetime) -> None:
    """Keep an answer that is not given yet, in terms of what is shown; it may be partial."""
    _forget_draft(connection, assignment)
    kept = answer.model_dump(mode="json", exclude_defaults=True)
    connection.execute(insert(_DRAFTS).values(assignment=assignment.id, answer=kept, at=at))


def draft(connection: Connection, assignment: Assignment) -> Answer | None:
    """The answer that was begun, in terms of what is shown."""
    row = connection.execute(_DRAFT, {"of": assignment.id}).one_or_none()
    return None if row is None else Answer.model_validate(row.answer)


@dataclass(frozen=True, slots=True)
class Mine:
    """A vote of one's own.

    Attributes:
        answer: in terms of what was shown.
        at: when it was given, or last changed.
    """

    assignment: Assignment
    item: Item
    answer: Answer
    at: datetime


class Last(NamedTuple):
    """The last item that somebody answered."""

    token: str
    stage: Stage


_LAST = (
    select(_ASSIGNMENTS.c.token, schema.items.c.stage)
    .join(schema.items, schema.items.c.id == _ASSIGNMENTS.c.item)
    .where(
        _ASSIGNMENTS.c.person == bindparam("by"),
        _ASSIGNMENTS.c.kind == "vote",
        _ASSIGNMENTS.c.closed_at.is_not(None),
    )
    .order_by(_ASSIGNMENTS.c.closed_at.desc(), _ASSIGNMENTS.c.id.desc())
    .limit(1)
)


def last(connection: Connection, person: int) -> Last | None:
    """The item that somebody answered last; changing a vote does not move it."""
    row = connection.execute(_LAST, {"by": person}).one_or_none()
    return None if row is None else Last(row.token, row.stage)


def mine(connection: Connection, person: int, limit: int, before: str | None = None) -> list[Mine]:
    """Somebody's own votes, the last item they answered first; changing a vote does not move it.

    Args:
        limit: at most so many.
        before: the token of the assignment behind which to go on, the last of the page before.
    """
    order_by = (_ASSIGNMENTS.c.closed_at, _ASSIGNMENTS.c.id)
    own = select(_ASSIGNMENTS).where(
        _ASSIGNMENTS.c.person == person, _ASSIGNMENTS.c.kind == "vote", _ASSIGNMENTS.c.closed_at.is_not(None)
    )
    if before is not None:
        last = select(*order_by).where(_ASSIGNMENTS.c.token == before, _ASSIGNMENTS.c.person == person)
        own = own.where(tuple_(*order_by) < last.scalar_subquery())
    rows = connection.execute(own.order_by(*(column.desc() for column in order_by)).limit(limit))
    assignments = [Assignment.of(row) for row in rows]
    ids = [one.item for one in assignments]
    standing = log.standing(connection, kinds=["vote"], items=ids, person=person)
    said = {entry.item: entry for entry in standing}
    found = connection.execute(select(schema.items).where(schema.items.c.id.in_(ids)))
    by_id = {row.id: Item.of(row) for row in found}
    return [
        Mine(one, by_id[one.item], said[one.item].given.as_shown(one.shown), said[one.item].at)
        for one in assignments
    ]


def outcome(connection: Connection, assignment: Assignment) -> bool | None:
    """Whether the person has met the known answer of an item; None where none is known, or none given."""
    gold = items.get(connection, assignment.item).gold
    standing = current(connection, assignment)
    if gold is None or standing is None:
        return None
    return standing.given.meets(gold)


@dataclass(frozen=True, slots=True)
class Others:
    """What the others said of an item, in terms of what one was shown oneself.

    Attributes:
        people: how many judged it; skips are not among them.
        verdicts: of a pair, how many said what.
        firsts: how many ranked each response first, or gave it a thumb up.
        means: the mean score of each response, by aspect.
    """

    people: int
    verdicts: Mapping[Verdict, int]
    firsts: tuple[int, ...]
    means: tuple[Mapping[str, float], ...]


def others(connection: Connection, assignment: Assignment) -> Others | None:
    """What the others said of a calibration item; None of any other, and before one's own answer is given."""
    if items.get(connection, assignment.item).stage != "calibration":
        return None
    if current(connection, assignment) is None:
        return None
    standing = log.standing(connection, items=[assignment.item])
    said = [entry.given.as_shown(assignment.shown) for entry in standing if entry.person != assignment.person]
    judged = [answer for answer in said if not answer.skipped]
    places = range(len(assignment.shown))
    ranked = [[rank == 1 for rank in answer.ranks] for answer in judged if answer.ranks]
    thumbed = [answer.thumbs for answer in judged if answer.thumbs]
    return Others(
        people=len(judged),
        verdicts=Counter(answer.verdict for answer in judged if answer.verdict),
        firsts=tuple(sum(first[place] for first in [*ranked, *thumbed]) for place in places),
        means=tuple(_means([answer.scores[place] for answer in judged if answer.scores]) for place in places),
    )


def _means(scores: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Of each aspect, over those who rated it."""
    aspects = dict.fromkeys(aspect for one in scores for aspect in one)
    return {aspect: fmean(one[aspect] for one in scores if aspect in one) for aspect in aspects}


def _before(connection: Connection, assignment: Assignment, uid: str, action: Action) -> Entry | None:
    """The row that this uid made already."""
    if not UID.fullmatch(uid):
        raise Refused("An answer's uid has 1 to 64 letters, digits and signs, and no spaces.")
    entry = log.by_uid(connection, uid)
    if entry is None:
        return None
    made = (entry.item, entry.person, entry.kind, entry.action)
    if made != (assignment.item, assignment.person, assignment.kind, action):
        raise Refused("This uid was used for something else already.")
    return entry


def _close(connection: Connection, assignment: Assignment, at: datetime) -> None:
    """Close the assignment at its first answer, and make it again if it was released meanwhile."""
    same = {"of_person": assignment.person, "of_item": assignment.item, "of_kind": assignment.kind}
    if connection.execute(_CLOSE, same | {"closed_at": at}).rowcount:
        return
    if connection.execute(_SAME, same).one_or_none() is None:
        values = asdict(assignment) | {"shown": list(assignment.shown), "closed_at": at}
        del values["id"]
        connection.execute(insert(_ASSIGNMENTS).values(values))


def _forget_draft(connection: Connection, assignment: Assignment) -> None:
    connection.execute(_FORGET, {"of": assignment.id})


def _told(connection: Connection, assignment: Assignment, settings: Settings) -> None:
    """Let the queue know that what stands on the item has changed; an adjudication is no matter of its."""
    if assignment.kind == "vote":
        queue.settle(connection, assignment.item)
        order.after_vote(connection, assignment.item, settings)
