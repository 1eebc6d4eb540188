"""Who gets which item next, and which response stands where for them.

All that gives something out takes the connection of a write transaction. There is one of those at a time, so
that what is counted here is still true when the assignment is written.

A person judges one item at a time. What they have open keeps its place among the wanted votes until its lease
has run out; then it goes to others. Whoever comes back while the place is free finds item and draft, and an
answer that comes when it is not is kept all the same: nothing that somebody did is lost.

Statements that stand between somebody's vote and their next item are built once, with the person and the like
as parameters: to build one takes several times as long as to run it.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from collections import namedtuple
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import (
    Connection,
    Integer,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.log import standing
from heedful.collect.store.model import Assignment, Item, Person
from heedful.collect.work import calibration, items, sides

TOKEN_BYTES = 32
GOLD_CHOICE = 100  # known answers among which the next one is drawn
TIMED = 50  # last votes by which the time for one is told

_ASSIGNMENTS = schema.assignments
_ITEMS = schema.items
_CHANCE = secrets.SystemRandom()

_AT = bindparam("now", type_=schema.Instant)
_PERSON = bindparam("by", type_=Integer)
_ITEM = bindparam("of", type_=Integer)
_MAIN = _ITEMS.c.open & (_ITEMS.c.stage == "main")
_CLOSED = _ASSIGNMENTS.c.closed_at.is_not(None)
_THEIRS = (_ASSIGNMENTS.c.person == _PERSON) & (_ASSIGNMENTS.c.kind == "vote")
_UNANSWERED = (
    _ASSIGNMENTS.c.closed_at.is_(None)
    & (_ASSIGNMENTS.c.kind == "vote")
    & (_ASSIGNMENTS.c.expires_at > _AT)
    & (_ASSIGNMENTS.c.person != _PERSON)
)
"""Assignments by which others have a place among an item's votes."""

_NOT_HAD = (
    ~exists().where(_ASSIGNMENTS.c.item == _ITEMS.c.id, _ASSIGNMENTS.c.person == _PERSON),
    ~exists().where(schema.judgements.c.item == _ITEMS.c.id, schema.judgements.c.person == _PERSON),
)
"""Items that the person was never given, for whatever, and has never said anything of."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a person is.

    Attributes:
        done: items they have answered.
        left: items that are there for them, and about as many known answers as will be mixed in. Every answer
            takes one off it: a figure that stood still would tell that an answer was known.
        seconds_each: the median of their last votes; None before the first.
        held_back: they have missed too many known answers of the calibration round, and get no more items
            until somebody lets them through.
    """

    done: int
    left: int
    seconds_each: float | None
    held_back: bool = False


def open_next(
    connection: Connection,
    person: Person,
    settings: Settings,
    at: datetime,
    chance: random.Random | None = None,
) -> Assignment | None:
    """The item a person is to judge now, theirs for `lease_minutes`; None if there is none for them.

    One they have open comes first. Then the calibration round, then by the queue's order the items that want
    votes, with known answers mixed in. No item is ever given to one person twice.

    Args:
        chance: what the shown order is drawn by; a test fixes it.
    """
    mine = _resumed(connection, person, settings, at)
    if mine is not None:
        return mine
    calibrating = calibration.state(connection, person, settings)
    if calibrating.next is not None:
        return _give(connection, person, calibrating.next, settings, at, chance)
    if calibrating.failed:
        return None
    item = _next_main(connection, person, at)
    if item is None:
        return None
    return _give(connection, person, _mixed_in(connection, person, settings) or item, settings, at, chance)


_BY_TOKEN = select(_ASSIGNMENTS).where(
    _ASSIGNMENTS.c.token == bindparam("named"), _ASSIGNMENTS.c.person == _PERSON
)


def find(connection: Connection, token: str, person: Person) -> Assignment | None:
    """The assignment of that token, if it is this person's."""
    row = connection.execute(_BY_TOKEN, {"named": token, "by": person.id}).one_or_none()
    return None if row is None else Assignment.of(row)


_BOTH_BY_TOKEN = _BY_TOKEN.join(_ITEMS, _ITEMS.c.id == _ASSIGNMENTS.c.item).add_columns(*_ITEMS.c)
_OF_ITEM = len(_ASSIGNMENTS.c)  # the first of their columns that is the item's
_ItemRow = namedtuple("_ItemRow", _ITEMS.c.keys())  # type: ignore[misc]


def find_with_item(connection: Connection, token: str, person: Person) -> tuple[Assignment, Item] | None:
    """The assignment of that token, if it is this person's, and what it is about."""
    row = connection.execute(_BOTH_BY_TOKEN, {"named": token, "by": person.id}).one_or_none()
    return None if row is None else (Assignment.of(row), Item.of(_ItemRow(*row[_OF_ITEM:])))


def lease(settings: Settings, at: datetime) -> datetime:
    """When an item that is opened now goes to others."""
    return at + timedelta(minutes=settings.lease_minutes)


def still_theirs(connection: Connection, assignment: Assignment, at: datetime) -> bool:
    """Whether an open assignment has its place yet: its lease runs, or nobody else has needed the place."""
    if assignment.closed_at is not None or assignment.expires_at > at:
        return True
    item = _ITEMS.c
    row = connection.execute(
        select(item.stage, item.open, item.wanted, item.votes).where(item.id == assignment.item)
    ).one()
    if row.stage != "main":
        return True
    others = select(func.count()).select_from(_ASSIGNMENTS).where(_UNANSWERED, _ASSIGNMENTS.c.item == _ITEM)
    given = {"now": at, "by": assignment.person, "of": assignment.item}
    taken = connection.execute(others, given).scalar_one()
    return bool(row.open and row.votes + taken < row.wanted)


_VOTES, _SKIPS = bindparam("counted", type_=Integer), bindparam("skipped", type_=Integer)
_WANTS = (_ITEMS.c.wanted > _VOTES) & (_ITEMS.c.wanted > _SKIPS) & (_ITEMS.c.origin != "chat")
_COUNT = (
    update(_ITEMS)
    .where(_ITEMS.c.id == _ITEM)
    .values(votes=_VOTES, skips=_SKIPS, open=(_ITEMS.c.stage != "main") | _WANTS)
)


def settle(connection: Connection, item_id: int) -> None:
    """Work out from the log what the queue knows of an item: its votes, its skips, whether it is open.

    Gold and calibration items stay open, since everyone is to have them; what came of a chat stays closed.
    An item that as many people skipped as were to vote on it is given to nobody else.
    """
    votes: set[int] = set()
    skips: set[int] = set()
    for entry in standing(connection, items=[item_id]):
        (skips if entry.given.skipped else votes).add(entry.person)
    skips -= votes
    connection.execute(_COUNT, {"of": item_id, "counted": len(votes), "skipped": len(skips)})


def set_overlap(connection: Connection, settings: Settings) -> None:
    """Want as many votes on every item as the settings say now."""
    item = _ITEMS.c
    wants = (item.votes < settings.overlap) & (item.skips < settings.overlap) & (item.origin != "chat")
    changed = update(_ITEMS).where(item.wanted != settings.overlap)
    connection.execute(changed.values(wanted=settings.overlap, open=(item.stage != "main") | wants))


_DONE = select(func.count()).select_from(_ASSIGNMENTS).where(_THEIRS, _CLOSED)
_WANTING = select(func.count()).select_from(_ITEMS).where(_MAIN)
_ANSWERED = (
    select(func.count())
    .select_from(_ASSIGNMENTS.join(_ITEMS, _ITEMS.c.id == _ASSIGNMENTS.c.item))
    .where(_THEIRS, _CLOSED, _MAIN)
)
_COUNTS = select(_DONE.scalar_subquery(), _WANTING.scalar_subquery(), _ANSWERED.scalar_subquery())
_TIMES = (
    select(schema.judgements.c.seconds)
    .where(
        schema.judgements.c.person == _PERSON,
        schema.judgements.c.kind == "vote",
        schema.judgements.c.seconds.is_not(None),
    )
    .order_by(schema.judgements.c.id.desc())
    .limit(TIMED)
)


def progress(connection: Connection, person: Person, settings: Settings) -> Progress:
    """How far a person is, and how much is left for them."""
    by = {"by": person.id}
    done, wanting, answered = connection.execute(_COUNTS, by).one()
    calibrating = calibration.state(connection, person, settings)
    main = 0 if calibrating.failed else wanting - answered
    coming = main + _to_mix_in(connection, person, settings, done, main)
    left = 0 if calibrating.failed else calibrating.left + coming
    seconds = connection.execute(_TIMES, by).scalars().all()
    return Progress(done, left, median(seconds) if seconds else None, calibrating.failed)


_GOLD = _ITEMS.c.open & (_ITEMS.c.stage == "gold")
_KNOWN = select(func.count()).select_from(_ITEMS).where(_GOLD)
_KNOWN_ANSWERED = (
    select(func.count())
    .select_from(_ASSIGNMENTS.join(_ITEMS, _ITEMS.c.id == _ASSIGNMENTS.c.item))
    .where(_THEIRS, _CLOSED, _GOLD)
)


def _to_mix_in(connection: Connection, person: Person, settings: Settings, done: int, main: int) -> int:
    """About how many known answers a person is yet to get with `main` more items, having answered `done`."""
    if settings.gold_every is None or not main:
        return 0
    had = connection.execute(_KNOWN_ANSWERED, {"by": person.id}).scalar_one()
    expected = round((main + done - had) / (settings.gold_every - 1))
    return max(min(expected, connection.execute(_KNOWN).scalar_one()) - had, 0)


_OPEN = (
    select(_ASSIGNMENTS)
    .where(_THEIRS, _ASSIGNMENTS.c.closed_at.is_(None))
    .order_by(_ASSIGNMENTS.c.expires_at.desc(), _ASSIGNMENTS.c.id)
)


def _resumed(connection: Connection, person: Person, settings: Settings, at: datetime) -> Assignment | None:
    """What the person has open, with a new lease if theirs has run out and nobody took the place."""
    for row in connection.execute(_OPEN, {"by": person.id}).all():
        mine = Assignment.of(row)
        if mine.expires_at > at:
            return mine
        if still_theirs(connection, mine, at):
            renewed = update(_ASSIGNMENTS).where(_ASSIGNMENTS.c.id == mine.id)
            renewed = renewed.values(expires_at=lease(settings, at))
            return Assignment.of(connection.execute(renewed.returning(_ASSIGNMENTS)).one())
    return None


# Of the items that are in people's hands those that have no place left.
_FULL = (
    select(_ASSIGNMENTS.c.item)
    .join(_ITEMS, _ITEMS.c.id == _ASSIGNMENTS.c.item)
    .where(_UNANSWERED)
    .group_by(_ASSIGNMENTS.c.item, _ITEMS.c.votes, _ITEMS.c.wanted)
    .having(_ITEMS.c.votes + func.count() >= _ITEMS.c.wanted)
)
_FIRST = (
    select(_ITEMS.c.id)
    .where(_MAIN, *_NOT_HAD, _ITEMS.c.id.not_in(_FULL.correlate(None)))
    .order_by(_ITEMS.c.priority, _ITEMS.c.id)
    .limit(1)
)
_NEXT = select(_ITEMS).where(_ITEMS.c.id == _FIRST.correlate(None).scalar_subquery())


def _next_main(connection: Connection, person: Person, at: datetime) -> Item | None:
    """The first item that wants votes, counting those that others are about to give."""
    row = connection.execute(_NEXT, {"now": at, "by": person.id}).one_or_none()
    return None if row is None else Item.of(row)


def _mixed_in(connection: Connection, person: Person, settings: Settings) -> Item | None:
    """An item whose answer is known, about one time in `gold_every`.

    The lot is drawn by the seed and the person, and by the project's secret: whoever knows the others could
    work out which items are watched.
    """
    if settings.gold_every is None:
        return None
    by = {"by": person.id}
    had = connection.execute(select(func.count()).select_from(_ASSIGNMENTS).where(_THEIRS), by).scalar_one()
    secret = connection.execute(select(schema.project.c.secret)).scalar_one()
    lot = random.Random(hashlib.sha256(f"{secret} {settings.seed} {person.id} {had}".encode()).digest())
    if lot.randrange(settings.gold_every):
        return None
    gold = (
        select(_ITEMS.c.id)
        .where(_ITEMS.c.open, _ITEMS.c.stage == "gold", *_NOT_HAD)
        .order_by(_ITEMS.c.priority, _ITEMS.c.id)
        .limit(GOLD_CHOICE)
    )
    ids = connection.execute(gold, by).scalars().all()
    return items.get(connection, lot.choice(ids)) if ids else None


_GIVE = insert(_ASSIGNMENTS).returning(_ASSIGNMENTS)


def _give(
    connection: Connection,
    person: Person,
    item: Item,
    settings: Settings,
    at: datetime,
    chance: random.Random | None,
) -> Assignment:
    row = {
        "token": secrets.token_urlsafe(TOKEN_BYTES),
        "item": item.id,
        "person": person.id,
        "kind": "vote",
        "shown": sides.shown(connection, person, item, chance or _CHANCE),
        "opened_at": at,
        "expires_at": lease(settings, at),
    }
    return Assignment.of(connection.execute(_GIVE, row).one())
